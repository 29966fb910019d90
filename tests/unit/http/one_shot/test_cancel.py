"""Cancelling of tasks, and which of them wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.http import one_shot_app
from stepsched.http.one_shot.delivery import DELIVERY
from tests.unit.http.one_shot.asking import NOON, SECOND, SECRET, Service, sample, service

WRONG = "Secret on incoming request doesn't match the configured secret"


@pytest.fixture
def guarded() -> Iterator[Service]:
    with service() as made:
        yield made


def test_the_request_of_the_known_system_with_an_arn_of_ours_cancels(guarded: Service) -> None:
    arn = guarded.schedule(NOON + SECOND)
    answer = guarded.ask("/cancel", {**sample("cancel-request"), "executionArn": arn})
    assert (answer.status_code, answer.json()) == (200, {"msg": f"Cancelled scheduled task for {arn}"})
    guarded.play()
    assert guarded.client.runs() == []
    assert guarded.client.list() == []


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        pytest.param({"secret": SECRET}, ["No executionArn included in payload"], id="without arn"),
        pytest.param({}, [WRONG, "No executionArn included in payload"], id="empty"),
        pytest.param({"executionArn": "x"}, [WRONG], id="without secret"),
        pytest.param(
            {"executionArn": "", "secret": SECRET}, ["No executionArn included in payload"], id="text"
        ),
        pytest.param(
            {"executionArn": 0, "secret": SECRET}, ["No executionArn included in payload"], id="zero"
        ),
        pytest.param(
            {"executionArn": ["x"], "secret": SECRET},
            ["expected text for executionArn, got ['x']"],
            id="list",
        ),
    ],
)
def test_what_is_missing_is_told_in_order(
    guarded: Service, body: dict[str, Any], problems: list[str]
) -> None:
    answer = guarded.ask("/cancel", body)
    assert (answer.status_code, answer.json()) == (400, {"errors": problems})


def test_a_failure_of_the_backend_is_500_with_the_known_text(guarded: Service) -> None:
    arn = guarded.schedule(NOON + SECOND)
    guarded.backend.close()
    answer = guarded.cancel(arn)
    assert (answer.status_code, answer.json()) == (500, {"msg": "Failed to cancel task. Please see logs"})


def _foreign(client: ss.SchedulerClient) -> list[str]:
    """Jobs that are no tasks of the application, though some are named like one."""
    rate, at = ss.Rate(timedelta(hours=1)), ss.OneTime(NOON + timedelta(days=1))
    jobs = [
        ss.Job(name="nightly", schedule=rate, target=DELIVERY),
        ss.Job(name="task-" + "0" * 32, schedule=rate, target=DELIVERY),
        ss.Job(name="task-" + "1" * 32, schedule=at, target=DELIVERY),
        ss.Job(name="sns-" + "2" * 32, schedule=at, target=DELIVERY, input={"rawMessage": "x"}),
    ]
    client.create_many(jobs)
    return [job.name for job in jobs]


def test_only_own_tasks_are_cancelled(guarded: Service) -> None:
    known = _foreign(guarded.client)
    arns = [f"urn:stepsched:task:{name}" for name in known]
    for arn in [*arns, *known, sample("cancel-request")["executionArn"], "urn:stepsched:task:" + "x" * 9_000]:
        answer = guarded.cancel(arn)
        assert answer.status_code == 404
        assert answer.json()["errors"][0].startswith("No task ")
        assert len(answer.text) < 400
    assert sorted(record.name for record in guarded.client.list()) == sorted(known)


def test_a_cancelled_task_is_unknown_afterwards(guarded: Service) -> None:
    arn = guarded.schedule(NOON + SECOND)
    assert guarded.cancel(arn).status_code == 200
    assert guarded.cancel(arn).status_code == 404


def test_a_delivered_task_is_told_apart_and_stays(guarded: Service) -> None:
    arn = guarded.schedule(NOON + SECOND)
    guarded.play()
    answer = guarded.cancel(arn)
    assert answer.status_code == 410
    assert answer.json() == {
        "errors": [f"Task '{arn}' was delivered at 2030-01-07T12:00:01+00:00, so it cannot be cancelled"]
    }
    assert len(guarded.events(1)) == 1


def test_a_task_that_was_given_up_is_told_apart() -> None:
    target = ss.HandlerTarget(lambda: 1 / 0)
    with service(target=target) as failing:
        arn = failing.schedule(NOON + SECOND)
        failing.play(7_200)
        answer = failing.cancel(arn)
        assert answer.status_code == 410
        assert "could not be delivered and was given up at 2030-" in answer.json()["errors"][0]


def test_a_task_whose_delivery_is_tried_again_can_be_cancelled() -> None:
    calls: list[object] = []

    def fail() -> None:
        calls.append(None)
        raise OSError

    with service(target=ss.HandlerTarget(fail)) as failing:
        arn = failing.schedule(NOON + SECOND)
        failing.play(1.5)
        assert failing.cancel(arn).status_code == 200
        failing.play(7_200)
        assert len(calls) == 1


def test_a_task_that_is_being_delivered_is_told_apart_and_delivered() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert go_on.wait(30)

    client = ss.SchedulerClient(ss.LocalBackend())
    made = Service(one_shot_app(client, secret=SECRET, target=ss.HandlerTarget(wait)), client)
    with made.backend:
        arn = made.schedule(NOON.replace(year=2020))
        assert begun.wait(30)
        answer = made.cancel(arn)
        go_on.set()
        assert answer.status_code == 409
        assert "is being delivered" in answer.json()["errors"][0]
        assert len(made.events(1)) == 1


# -- what waits --------------------------------------------------------------------------------------------


def tasks(made: Service, query: str = "") -> dict[str, Any]:
    answer = made.get(f"/tasks{query}", {"x-secret": SECRET})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_what_waits_is_listed_earliest_first_with_its_timestamp(guarded: Service) -> None:
    _foreign(guarded.client)
    delivered, cancelled = guarded.schedule(NOON + SECOND), guarded.schedule(NOON + 9 * SECOND)
    guarded.play(2)
    guarded.cancel(cancelled)
    late, early = (guarded.schedule(NOON + each * SECOND) for each in (3600.25, 60))
    found = tasks(guarded)
    assert found["next"] is None
    assert [task["executionArn"] for task in found["tasks"]] == [early, late]
    assert found["tasks"][1] == {
        "executionArn": late,
        "timestamp": "2030-01-07T13:00:00.250000+00:00",
        "due": "2030-01-07T13:00:00.250000Z",
    }
    assert delivered not in str(found)


def test_pages_are_bounded_and_have_every_task_once(guarded: Service) -> None:
    arns = {guarded.schedule(NOON + (1 + each) * SECOND) for each in range(23)}
    found, query, pages = list[str](), "?limit=5", 0
    while query:
        page = tasks(guarded, query)
        assert len(page["tasks"]) <= 5
        found += [task["executionArn"] for task in page["tasks"]]
        query = f"?limit=5&after={page['next']}" if page["next"] else ""
        pages += 1
    assert (sorted(found), pages) == (sorted(arns), 5)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=", "limit=-1", "after=x", "after="]
)
def test_a_wrong_query_is_refused(guarded: Service, query: str) -> None:
    assert guarded.get(f"/tasks?{query}", {"x-secret": SECRET}).status_code == 400


@pytest.mark.parametrize("path", ["/tasks", "/events"])
@pytest.mark.parametrize(
    "headers", [{}, {"x-secret": "x"}, {"authorization": "Bearer x"}, {"authorization": SECRET}]
)
def test_reading_needs_the_secret(guarded: Service, path: str, headers: dict[str, str]) -> None:
    answer = guarded.get(path, headers)
    assert (answer.status_code, answer.json()) == (401, {"errors": [WRONG]})
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/tasks?secret=abc123", "/events?secret=abc123", "/events?x-secret=abc123"])
def test_the_secret_does_not_count_in_the_url(guarded: Service, path: str) -> None:
    assert guarded.get(path).status_code == 401


def test_a_verb_that_reading_does_not_have_is_405_and_empty(guarded: Service) -> None:
    answer = guarded.ask("/tasks", {})
    assert (answer.status_code, answer.content) == (405, b"")
    assert "GET" in answer.headers["allow"]


# -- health ------------------------------------------------------------------------------------------------


def test_health_tells_whether_the_backend_delivers(tmp_path: Path) -> None:
    client = ss.SchedulerClient(ss.LocalBackend(tmp_path / "tasks.db"))
    made = Service(one_shot_app(client, secret=SECRET), client)
    idle = made.get("/healthz")
    assert (idle.status_code, idle.json()["status"]) == (503, "idle")
    assert "is not started" in idle.json()["reason"]
    with made.backend:
        assert made.get("/healthz").json() == {"status": "ok", "reason": None}
    broken = made.get("/healthz")
    assert (broken.status_code, broken.json()["status"]) == (503, "failing")
