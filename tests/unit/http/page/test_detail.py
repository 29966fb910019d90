"""The page of a job: definition, versions and history, without secrets."""

from __future__ import annotations

from datetime import timedelta

import stepsched as ss
from tests.unit.http.page.conftest import fail, job
from tests.unit.http.visits import Visitor


def test_it_shows_the_definition_and_the_next_runs(client: ss.SchedulerClient, visitor: Visitor) -> None:
    made = job("nightly", input={"table": "orders", "api_key": "hunter2"}, tags={"team": "data"})
    client.create(made)
    text = visitor.page("/page/job?name=nightly").by_id("main").text
    assert "At 09:00, Europe/Paris cron(0 9 * * ? *)" in text
    assert "in 1 d 2 h Tue 2030-01-08 09:00 +01:00 Europe/Paris" in text
    assert '"table": "orders"' in text
    assert "team=data" in text
    assert "hunter2" not in text


def test_it_says_that_a_paused_job_has_no_next_run(client: ss.SchedulerClient, visitor: Visitor) -> None:
    client.create(job("nightly"))
    client.pause("nightly")
    text = visitor.page("/page/job?name=nightly").by_id("main").text
    assert "none while the job is paused" in text
    assert "no run is left" not in text


def test_it_shows_the_history_with_outputs_and_tracebacks(
    client: ss.SchedulerClient, backend: ss.LocalBackend, visitor: Visitor
) -> None:
    client.create(job("good"))
    client.create(job("bad", target=ss.HandlerTarget(fail), retry=ss.Retry(max_attempts=0)))
    backend.advance(timedelta(days=2))
    good, bad = (visitor.page(f"/page/job?name={name}").by_id("main").text for name in ("good", "bad"))
    assert good.count('{"rows": 3}') == 2
    assert "Traceback (most recent call last)" in bad
    assert "hunter2" not in bad


def test_it_shows_what_each_version_has_changed(client: ss.SchedulerClient, visitor: Visitor) -> None:
    client.create(job("nightly"))
    for number in range(25):
        client.update(job("nightly", description=f"number {number}"))
    text = visitor.page("/page/job?name=nightly").by_id("main").text
    assert "25 → 26" in text
    assert '"number 23" -> "number 24"' in text
    assert "... 5 earlier ones" in text


def test_it_shows_no_header_of_a_call(client: ss.SchedulerClient, visitor: Visitor) -> None:
    for secret in ("hunter1", "hunter2"):
        target = ss.HttpTarget(
            "https://example.com/hook", headers={"X-Hook": secret, "Authorization": secret}
        )
        (client.create if secret == "hunter1" else client.update)(job("hook", target=target))
    text = visitor.page("/page/job?name=hook").by_id("main").text
    assert '"X-Hook": "***"' in text
    assert 'target.headers.X-Hook: "***" -> "*** (other)"' in text
    assert "hunter" not in text


def test_to_cancel_a_job_takes_a_second_step(client: ss.SchedulerClient, visitor: Visitor) -> None:
    client.create(job("nightly"))
    page = visitor.page("/page/job?name=nightly")
    assert "open" not in page.by_id("deletion").attributes
    assert "Cancel" in page.by_id("deletion").text
    assert [each for each in visitor.page("/").all("button") if each.attributes.get("name") == "cancel"] == []
