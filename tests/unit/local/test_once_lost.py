"""What the embedded backend once lost, doubled or hid."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.backends.local.store import Store
from stepsched.testing import FakeClock
from tests.unit.local.test_engine import HOUR, NEVER, PATIENCE, SECOND, T0, Firing, HandClock, job


def test_a_late_answer_does_not_pass_for_that_of_the_next_attempt() -> None:
    clock = HandClock()
    firing = Firing(clock)
    gates, entered = [threading.Event(), threading.Event()], [threading.Event(), threading.Event()]
    threads = list[threading.Thread]()

    def handler(_input: object, run: ss.Run) -> str:
        threads.append(threading.current_thread())
        entered[run.attempt - 1].set()
        gates[run.attempt - 1].wait(PATIENCE)
        return ["late", "good"][run.attempt - 1]

    retry = ss.Retry(max_attempts=1, interval=timedelta(0))
    firing.client.create(job(handler, schedule=NEVER, max_run_time=SECOND, retry=retry))
    firing.client.run_now("job")
    assert entered[0].wait(PATIENCE)
    clock.pass_by(10 * SECOND)
    firing.wait_for(entered[1].is_set)
    gates[0].set()
    threads[0].join(PATIENCE)
    firing.let_turns_pass()
    assert firing.client.runs("job")[0].status is ss.RunStatus.RUNNING
    gates[1].set()
    (run,) = firing.wait_for_ended(1)
    firing.backend.close()
    assert run.output == '"good"'


def test_a_store_works_again_after_a_commit_that_failed() -> None:
    store = Store(None)
    store._db.execute("PRAGMA foreign_keys = ON")
    store._db.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    store._db.execute("CREATE TABLE child (id REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(ss.BackendError), store.transaction("break"):
        store._db.execute("INSERT INTO child VALUES (1)")
    with store.transaction("work"):
        store.enter("-/1/-/x", T0)
    assert [name for name, _ in store.others("me")] == ["-/1/-/x"]
    store.close()


def test_a_full_disk_says_so_and_keeps_what_was_recorded(tmp_path: Path) -> None:
    store = Store(tmp_path / "jobs.db")
    small = job(print, "small", target=ss.HandlerTarget("builtins:print"))
    assert store.insert_job(small, small.model_dump_json(), T0, T0) is not None
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    large = small.replace(name="large", input="x" * 100_000)
    with (
        pytest.raises(ss.errors.BackendUnavailableError, match="the disk is full"),
        store.transaction("create"),
    ):
        store.insert_job(large, large.model_dump_json(), T0, T0)
    assert store.job("small") is not None
    assert store.job("large") is None
    store.close()


def test_a_job_that_cannot_be_read_says_so_and_can_be_cancelled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backend = ss.LocalBackend(tmp_path / "jobs.db")
    client = ss.SchedulerClient(backend)
    client.create(job(print, "strange", target=ss.HandlerTarget("builtins:print")))
    client.create(job(print, "good", target=ss.HandlerTarget("builtins:print")))
    backend._store._db.execute("UPDATE jobs SET document = '{}' WHERE name = 'strange'")
    with pytest.raises(ss.BackendError, match=r"'strange' cannot be read .* cancel\('strange'\) removes it"):
        client.get("strange")
    assert [record.name for record in client.list()] == ["good"]
    assert "job strange is left out of the list" in caplog.text
    with pytest.raises(ss.BackendError, match="cannot be read"):
        client.cancel("strange")
    assert [record.name for record in client.list()] == ["good"]
    backend.close()


def test_a_coroutines_own_timeout_is_its_own() -> None:
    async def handler() -> None:
        await asyncio.sleep(0)
        raise TimeoutError("the peer is silent")

    with ss.testing.TimeTravel() as travel:
        slow = job(handler, schedule=ss.Rate(HOUR), max_run_time=HOUR, retry=ss.Retry(max_attempts=0))
        travel.client.create(slow)
        travel.advance(timedelta(0))
        (run,) = travel.client.runs("job")
    assert run.error == "TimeoutError: the peer is silent"


def test_a_dead_letter_that_cannot_be_delivered_stays_listed(caplog: pytest.LogCaptureFixture) -> None:
    queue = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:dead")

    def broken() -> None:
        raise RuntimeError("no queue")

    def fail() -> None:
        raise RuntimeError("no luck")

    with ss.testing.TimeTravel() as travel:
        travel.backend.register(ss.QueueTarget, broken)
        travel.client.create(
            job(fail, schedule=ss.Rate(HOUR), dead_letter=queue, retry=ss.Retry(max_attempts=0))
        )
        travel.advance(timedelta(0))
        assert [letter.error for letter in travel.client.dead_letters()] == ["RuntimeError: no luck"]
    assert "could not be delivered" in caplog.text


@pytest.mark.parametrize("overlap", list(ss.Overlap))
@pytest.mark.parametrize("took", [HOUR, 3 * HOUR], ids=["one step", "three steps"])
def test_a_play_ends_although_each_run_takes_until_another_is_due(
    overlap: ss.Overlap, took: timedelta
) -> None:
    clock = ss.testing.FakeClock(T0)
    backend = ss.LocalBackend(clock=clock)
    client = ss.SchedulerClient(backend)
    client.create(job(lambda: clock.advance(took), overlap=overlap))
    backend.run_until(T0 + 6 * HOUR)
    assert max(run.scheduled_for for run in client.runs()) <= T0 + 6 * HOUR
    assert clock.now() >= T0 + 6 * HOUR
    backend.close()


class Hasty:
    """A clock on which a second passes between two looks."""

    def __init__(self) -> None:
        self.wall = T0

    def now(self) -> datetime:
        self.wall += SECOND
        return self.wall

    def monotonic(self) -> float:
        return 0.0


def test_a_job_whose_only_moment_passes_while_it_is_created_is_refused_and_not_stored() -> None:
    """It would be active and never run: with many jobs, the check of the last comes long before its write."""
    backend = ss.LocalBackend(clock=Hasty())
    client = ss.SchedulerClient(backend)
    with pytest.raises(ss.InvalidScheduleError, match="would never run: its last run was due at"):
        client.create(job(print, schedule=ss.OneTime(backend.now() + 2 * SECOND)))
    with pytest.raises(ss.errors.BulkError) as caught:
        client.create_many([job(print, schedule=ss.OneTime(backend.now() + 2 * SECOND))])
    assert isinstance(caught.value.failures["job"], ss.InvalidScheduleError)
    client.create(job(print, schedule=ss.OneTime(backend.now() + HOUR)))
    with pytest.raises(ss.InvalidScheduleError, match="would never run"):
        client.update(job(print, schedule=ss.OneTime(backend.now() + 2 * SECOND)))
    assert [record.version for record in client.list()] == [1]
    backend.close()


@pytest.mark.parametrize(
    ("schedule", "catch_up", "status"),
    [
        pytest.param(ss.OneTime(T0 + HOUR), ss.CatchUp.SKIP, ss.JobStatus.ENDED, id="one-time"),
        pytest.param(ss.Rate(HOUR, start=T0), ss.CatchUp.ONE, ss.JobStatus.ACTIVE, id="recurring"),
    ],
)
def test_a_run_that_catch_up_excludes_says_why_it_was_missed(
    schedule: ss.Schedule, catch_up: ss.CatchUp, status: ss.JobStatus, tmp_path: Path
) -> None:
    before = ss.LocalBackend(tmp_path / "jobs.db", clock=FakeClock(T0 - SECOND))
    target = ss.HandlerTarget("builtins:print")
    ss.SchedulerClient(before).create(job(print, schedule=schedule, catch_up=catch_up, target=target))
    before.close()
    backend = ss.LocalBackend(tmp_path / "jobs.db", clock=FakeClock(T0 + 2 * HOUR + SECOND))
    client = ss.SchedulerClient(backend)
    told = list[object]()
    backend.listen(lambda event: told.append(event.run and event.run.error), ["missed"])
    backend.run_until(backend.now())
    run = client.runs("job")[0]
    reason = f"it came due while no process was running, and catch_up is {catch_up.value}"
    assert (run.status, run.error) == (ss.RunStatus.MISSED, reason)
    assert set(told) == {reason}
    assert client.get("job").status is status
    backend.close()
