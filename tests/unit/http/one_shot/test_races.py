"""What comes between two steps of a request: the delivery, another process, a failure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.base import Prepared
from stepsched.http import one_shot_app
from stepsched.http.one_shot.delivery import DELIVERY
from stepsched.http.one_shot.sweeping import Sweeper
from stepsched.http.one_shot.tasks import Tasks
from stepsched.testing import FakeClock
from tests.unit.http.one_shot.asking import NOON, PATIENCE, SECOND, SECRET, Service


class Interrupted(ss.LocalBackend):
    """A backend at which something happens before a verb."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.before: dict[str, Callable[[], object]] = {}

    def _happens(self, verb: str) -> None:
        self.before.get(verb, bool)()

    def create(self, prepared: Prepared) -> ss.JobRecord:
        self._happens("create")
        return super().create(prepared)

    def pause(self, name: str, **options: Any) -> ss.JobRecord:
        self._happens("pause")
        return super().pause(name, **options)

    def cancel(self, name: str, **options: Any) -> ss.JobRecord:
        self._happens("cancel")
        return super().cancel(name, **options)


def made(backend: Interrupted, clock: FakeClock | None = None, target: ss.Target | None = None) -> Service:
    client = ss.SchedulerClient(backend)
    return Service(one_shot_app(client, secret=SECRET, target=target), client, clock)


def failing(times: int, error: ss.StepschedError) -> Callable[[], None]:
    """Returns what raises an error the first few times."""
    left = [error] * times

    def happen() -> None:
        if left:
            raise left.pop()

    return happen


def test_a_task_that_ends_just_before_it_is_cancelled_was_delivered() -> None:
    clock = FakeClock(NOON)
    with Interrupted(clock=clock) as backend:
        service = made(backend, clock)
        arn = service.schedule(NOON + SECOND)
        backend.before["pause"] = service.play
        assert service.cancel(arn).status_code == 410
        assert len(service.events(1)) == 1


def test_a_task_that_begins_just_before_it_is_cancelled_is_delivered() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert go_on.wait(PATIENCE)

    with Interrupted() as backend:
        backend.stop()
        service = made(backend, target=ss.HandlerTarget(wait))
        arn = service.schedule(NOON.replace(year=2020))

        def begin() -> None:
            backend.start()
            assert begun.wait(PATIENCE)

        backend.before["pause"] = begin
        assert service.cancel(arn).status_code == 409
        go_on.set()
        assert service.events(1)[0].data["message"] == "m"
        assert service.cancel(arn).status_code == 410


def test_a_task_that_another_caller_cancels_meanwhile_is_unknown() -> None:
    clock = FakeClock(NOON)
    with Interrupted(clock=clock) as backend:
        service = made(backend, clock)
        arn = service.schedule(NOON + SECOND)
        name = arn.rpartition(":")[2]
        backend.before["pause"] = lambda: ss.LocalBackend.cancel(backend, name)
        assert service.cancel(arn).status_code == 404


def test_a_cancellation_that_fails_leaves_the_task_as_it_was() -> None:
    clock = FakeClock(NOON)
    with Interrupted(clock=clock) as backend:
        service = made(backend, clock)
        arn = service.schedule(NOON + SECOND)
        backend.before["cancel"] = failing(1, ss.BackendError("sqlite", "cancel", "BUSY"))
        assert service.cancel(arn).status_code == 500
        (record,) = service.client.list()
        assert (record.status, record.next_run) == (ss.JobStatus.ACTIVE, NOON + SECOND)
        assert service.cancel(arn).status_code == 200


@pytest.mark.parametrize(
    ("delay", "status"), [(timedelta(milliseconds=100), 200), (10 * SECOND, 200), (timedelta(days=1), 500)]
)
def test_an_instant_that_passes_while_the_store_is_locked_is_delivered_at_once(
    delay: timedelta, status: int
) -> None:
    clock = FakeClock(NOON)
    with Interrupted(clock=clock) as backend:
        service = made(backend, clock)
        backend.before["create"] = lambda: clock.advance(delay)
        body = {"timestamp": NOON.isoformat(), "message": "m", "secret": SECRET}
        assert service.ask("/schedule", body).status_code == status
        service.play()
        assert len(service.client.runs()) == (status == 200)


@pytest.mark.parametrize(("times", "status"), [(1, 200), (9, 500)])
def test_a_name_that_becomes_free_is_taken(times: int, status: int) -> None:
    clock = FakeClock(NOON)
    with Interrupted(clock=clock) as backend:
        service = made(backend, clock)
        backend.before["create"] = failing(times, ss.JobExistsError("task"))
        body = {"timestamp": NOON.isoformat(), "message": "m", "secret": SECRET}
        assert service.ask("/schedule", body, headers={"idempotency-key": "k"}).status_code == status


def test_old_tasks_that_cannot_be_removed_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock(NOON)
    with Interrupted(clock=clock) as backend:
        service = made(backend, clock)
        sweeper = Sweeper(Tasks(service.client, DELIVERY), SECOND)
        backend.close()
        sweeper.sweep()
        assert "old tasks could not be removed" in caplog.text


def test_two_requests_do_not_sweep_at_the_same_time() -> None:
    clock = FakeClock(NOON)
    with Interrupted(clock=clock) as backend:
        service = made(backend, clock)
        sweeper = Sweeper(Tasks(service.client, DELIVERY), timedelta(0))
        service.schedule(NOON)
        service.play()
        swept = list[object]()

        def sweep_again() -> None:
            swept.append(None)
            sweeper.sweep()

        backend.before["cancel"] = sweep_again
        for _ in range(256):
            sweeper.sweep()
        assert (len(swept), service.client.list()) == (1, [])


def test_what_nobody_has_foreseen_is_answered_without_a_traceback() -> None:
    clock = FakeClock(NOON)
    with Interrupted(clock=clock) as backend:
        service = made(backend, clock)
        arn = service.schedule(NOON + SECOND)
        backend.before |= dict.fromkeys(("create", "pause"), lambda: 1 / 0)
        body = {"timestamp": NOON.isoformat(), "message": "m", "secret": SECRET}
        answers = [service.ask("/schedule", body), service.cancel(arn)]
        assert [answer.status_code for answer in answers] == [500, 500]
        assert [answer.json()["msg"] for answer in answers] == [
            "Failed to schedule task. Please see logs",
            "Failed to cancel task. Please see logs",
        ]


def test_a_failure_while_reading_is_answered_too() -> None:
    clock = FakeClock(NOON)
    with Interrupted(clock=clock) as backend:
        service = made(backend, clock)
        backend.close()
        answer = service.get("/tasks", {"x-secret": SECRET})
        assert (answer.status_code, answer.json()) == (500, {"msg": "Failed. Please see logs"})
