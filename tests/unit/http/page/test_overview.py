"""The page at the root: what it shows, of which jobs, and that what was stored stays text."""

from __future__ import annotations

from datetime import timedelta

import pytest

import stepsched as ss
from stepsched.http.page import overview
from stepsched.http.page.overview import Choice
from stepsched.testing import FakeClock
from tests.unit.http.page.conftest import NOW, fail, job
from tests.unit.http.visits import Visitor

EVIL = "<img src=x onerror=alert(1)>"
ONCE = ss.Retry(max_attempts=0)


def test_what_runs_next_is_in_the_zone_of_its_schedule(client: ss.SchedulerClient, visitor: Visitor) -> None:
    client.create(job("nightly"))
    client.create(job("hourly", schedule=ss.Cron("15 * * * ? *", timezone="America/New_York")))
    rows = visitor.page().by_id("next").text
    assert rows.index("hourly") < rows.index("nightly")
    assert "in 15 min Mon 2030-01-07 01:15 -05:00 America/New_York" in rows
    assert "in 2 h Mon 2030-01-07 09:00 +01:00 Europe/Paris" in rows


def test_a_frequent_job_does_not_hide_the_others(client: ss.SchedulerClient, visitor: Visitor) -> None:
    client.create(job("often", schedule=ss.Rate(timedelta(minutes=1))))
    client.create(job("nightly"))
    assert "nightly" in visitor.page().by_id("next").text


def test_a_failed_run_shows_its_error_without_secrets(
    client: ss.SchedulerClient, backend: ss.LocalBackend, visitor: Visitor
) -> None:
    client.create(
        job(
            "fails",
            target=ss.HandlerTarget(fail),
            retry=ss.Retry(max_attempts=1, interval=timedelta(seconds=1)),
        )
    )
    backend.advance(timedelta(hours=3))
    page = visitor.page()
    ran = page.by_id("ran").text
    assert "failed" in ran
    assert "attempt 2 of 2" in ran
    assert "ValueError: expected <b>rows</b>, got 'password=***'" in ran
    assert "1 whose last run failed" in page.by_id("summary").text
    assert "fails" in visitor.page("/?status=failing").by_id("jobs").text


def test_a_late_run_says_how_late_it_was_but_for_jitter(
    client: ss.SchedulerClient, backend: ss.LocalBackend
) -> None:
    from stepsched.http.page.parts import delay_of

    record = client.create(job("slow"))
    backend.advance(timedelta(hours=3))
    (run,) = client.runs("slow")
    late = run.replace(started_at=run.scheduled_for + timedelta(minutes=2))
    assert delay_of(run, record) is None
    assert delay_of(late, record) == timedelta(minutes=2)
    assert delay_of(late, record.replace(job=record.job.replace(jitter=timedelta(minutes=5)))) is None
    assert delay_of(late.replace(attempt=2), record) is None


def test_a_run_of_a_job_that_is_gone_leads_nowhere(
    client: ss.SchedulerClient, backend: ss.LocalBackend, visitor: Visitor
) -> None:
    client.create(job("gone"))
    backend.advance(timedelta(hours=3))
    client.cancel("gone")
    page = visitor.page("/")
    assert "gone" in page.by_id("ran").text
    assert [each for each in page.all("a") if "name=gone" in (each.attributes.get("href") or "")] == []


def test_runs_can_be_chosen_by_status(
    client: ss.SchedulerClient, backend: ss.LocalBackend, visitor: Visitor
) -> None:
    client.create(job("good"))
    client.create(job("bad", target=ss.HandlerTarget(fail), retry=ONCE))
    backend.advance(timedelta(hours=3))
    assert "good" in visitor.page("/").by_id("ran").text
    assert "good" not in visitor.page("/?runs=failed").by_id("ran").text


def test_runs_that_wait_come_after_those_that_have_begun(
    client: ss.SchedulerClient, backend: ss.LocalBackend, visitor: Visitor
) -> None:
    client.create(job("done"))
    backend.advance(timedelta(hours=3))
    for _ in range(20):
        client.run_now("done")
    page = visitor.page()
    assert page.by_id("ran").text.index("succeeded") < page.by_id("ran").text.index("○ pending")
    assert "20 waiting" in page.by_id("summary").text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?q=NIGHT", ["nightly"]),
        ("?q=team=data", ["tagged"]),
        ("?q=data+tag", ["tagged"]),
        ("?q=succeed", ["nightly", "paused", "tagged"]),
        ("?q=none+such", []),
        ("?status=paused", ["paused"]),
        ("?status=active&q=t", ["nightly", "tagged"]),
        ("?status=nonsense&page=-1&runs=x", ["nightly", "paused", "tagged"]),
    ],
)
def test_jobs_are_found_by_words_and_status(
    client: ss.SchedulerClient, visitor: Visitor, query: str, names: list[str]
) -> None:
    client.create_many([job("nightly"), job("tagged", tags={"team": "data"}), job("paused", enabled=False)])
    rows = [
        each.attributes["id"] for each in visitor.page(f"/{query}").all("tr") if each.attributes.get("id")
    ]
    assert rows == [f"job default/{name}" for name in names]


def test_many_jobs_are_on_pages_that_say_how_many_there_are(
    client: ss.SchedulerClient, visitor: Visitor
) -> None:
    client.create_many([job(f"job-{number:03}") for number in range(120)])
    first, last = visitor.page(), visitor.page("/?page=3")
    assert "1 to 50 of 120 jobs, 70 more" in first.by_id("jobs").text
    assert "101 to 120 of 120 jobs" in last.by_id("jobs").text
    assert "job-119" in last.by_id("jobs").text
    assert visitor.page("/?page=99").by_id("jobs").text == last.by_id("jobs").text


def test_jobs_that_have_ended_are_shown_when_they_are_asked_for(
    client: ss.SchedulerClient, backend: ss.LocalBackend, visitor: Visitor
) -> None:
    once = ss.OneTime(NOW.replace(hour=7))
    client.create(job("once", schedule=once, completion=ss.Completion.KEEP))
    backend.advance(timedelta(hours=2))
    assert "once" not in visitor.page().by_id("jobs").text
    assert "ended" in visitor.page("/?status=all").by_id("jobs").text


def test_an_empty_file_has_a_page(visitor: Visitor) -> None:
    assert "There is no job yet." in visitor.page().by_id("jobs").text


def test_whoever_runs_no_jobs_says_so(client: ss.SchedulerClient, visitor: Visitor) -> None:
    client.create(job("nightly"))
    assert "No process runs these jobs at present" in visitor.page().by_id("summary").text


def test_what_was_stored_stays_text(
    client: ss.SchedulerClient, backend: ss.LocalBackend, visitor: Visitor
) -> None:
    def evil() -> str:
        raise RuntimeError(f"</td><script>alert(1)</script>{EVIL}")

    made = job(EVIL, target=ss.HandlerTarget(evil), retry=ONCE, description=EVIL, tags={EVIL: EVIL})
    client.create(made)
    client.create(job("said", target=ss.HandlerTarget(lambda: EVIL)))
    backend.advance(timedelta(hours=3))
    client.pause(EVIL, reason=EVIL)
    for path in (
        "/",
        f"/?q={EVIL}",
        f"/page/job?name={EVIL}",
        "/page/job?name=said",
        f"/?done=pause&job={EVIL}",
    ):
        page = visitor.page(path)
        assert page.all("img") == []
        assert [each.attributes.get("src") for each in page.all("script")] == ["/page/page.js"]
        assert not any(name.startswith("on") for each in page.elements for name in each.attributes)
        assert not any("style" in each.attributes for each in page.elements)


@pytest.mark.parametrize(
    "choice", [Choice(), Choice("a b&c=d", "paused", "failed", 3), Choice(page=2), Choice("é<>")]
)
def test_an_address_says_what_is_chosen(choice: Choice) -> None:
    assert Choice.of(choice.query().removeprefix("?")) == choice


@pytest.mark.parametrize("query", ["page=0", "page=x", "page=²", "page=999999", "a=b" * 900, "&" * 50])
def test_what_is_not_known_in_an_address_is_left_out(query: str) -> None:
    assert Choice.of(query) == Choice()


def test_a_backend_without_runs_says_so() -> None:
    seen = overview.Reader(ss.SchedulerClient(_WithoutRuns(clock=FakeClock(NOW)))).read(Choice())
    assert "does not keep runs" in overview.content(seen, "")


class _WithoutRuns(ss.LocalBackend):
    def runs(self, query: object) -> object:  # type: ignore[override]
        raise ss.UnsupportedError("runs", self.name, "it keeps none", ())
