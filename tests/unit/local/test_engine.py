"""The engine when things go wrong: time that runs out or jumps, a store that fails, an end in the middle."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.backends.base import RunQuery
from stepsched.backends.local import engine, leases
from stepsched.backends.local.engine import Engine
from stepsched.backends.local.invoke import Invoker
from stepsched.backends.local.rows import JobRow, RunRow
from stepsched.backends.local.store import Retention, Store
from stepsched.core.clock import Clock, SystemClock, utc_now
from stepsched.testing import FakeClock

PATIENCE = 10
T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)
LONG = timedelta(seconds=10)
"""Beyond a maximum of one second, whatever grace is given."""
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class HandClock:
    """A clock that is not played: it shows what it is told, and the background looks at it."""

    def __init__(self) -> None:
        self.wall, self.ticks = T0, 0.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks

    def pass_by(self, step: timedelta) -> None:
        """Time passes."""
        self.ticks += step.total_seconds()
        self.wall += step

    def jump(self, step: timedelta) -> None:
        """Somebody sets the clock."""
        self.wall += step


class Firing:
    """A backend that fires in the background, and is asked to look at once."""

    def __init__(self, clock: Clock, **options: int) -> None:
        self.backend = ss.LocalBackend(clock=clock, **options)  # type: ignore[arg-type]
        self.client = ss.SchedulerClient(self.backend)
        self.backend.start()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            self.backend._engine.wake()
            threading.Event().wait(0.005)

    def wait_for_ended(self, count: int, name: str = "job") -> list[ss.Run]:
        self.wait_for(lambda: sum(run.ended_at is not None for run in self.client.runs(name)) >= count)
        return self.client.runs(name)

    def let_turns_pass(self) -> None:
        """Until something that was asked for now has happened, twice."""
        for _ in range(2):
            ran = threading.Event()
            self.client.create(job(ran.set, "marker", schedule=ss.Cron("0 0 1 1 ? *")))
            self.client.run_now("marker")
            self.wait_for(ran.is_set)
            self.wait_for(lambda: self.client.runs("marker")[-1].ended_at is not None)
            self.client.cancel("marker")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def firing(clock: HandClock) -> Iterator[Firing]:
    firing = Firing(clock)
    yield firing
    firing.backend.close()


def job(function: Callable[..., object], name: str = "job", **changes: object) -> ss.Job:
    """A job that is due hourly, first in an hour, and tried once."""
    return ss.Job(
        name=name,
        schedule=ss.Rate(HOUR, start=T0),
        target=ss.HandlerTarget(function),
        retry=ss.Retry(max_attempts=0),
    ).replace(**changes)


NEVER = ss.Cron("0 0 1 1 ? *")
"""In effect: only ``run_now`` runs it."""


class Blocked:
    """A handler whose first call hangs until it is released; later ones answer at once."""

    def __init__(self) -> None:
        self.threads = list[threading.Thread]()
        self.entered, self.release = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.threads.append(threading.current_thread())
        if len(self.threads) > 1:
            return "next"
        self.entered.set()
        assert self.release.wait(PATIENCE)
        return "late"


class TestMaxRunTime:
    TOO_LONG = "TimeoutError: it took longer than max_run_time, 0:00:01"

    @pytest.mark.parametrize(
        ("took", "status"),
        [
            pytest.param(SECOND, ss.RunStatus.SUCCEEDED, id="exactly as long"),
            pytest.param(SECOND + timedelta(microseconds=1), ss.RunStatus.FAILED, id="longer"),
        ],
    )
    def test_holds_on_played_time(self, took: timedelta, status: ss.RunStatus) -> None:
        clock = FakeClock(T0)
        backend = ss.LocalBackend(clock=clock)
        client = ss.SchedulerClient(backend)

        def handler() -> str:
            clock.advance(took)
            return "done"

        client.create(job(handler, max_run_time=SECOND))
        backend.run_until(T0 + HOUR)
        (run,) = client.runs("job")
        failed = status is ss.RunStatus.FAILED
        assert (run.status, run.error, run.output) == (
            status,
            self.TOO_LONG if failed else None,
            None if failed else '"done"',
        )
        backend.close()

    def test_holds_for_a_future_that_a_handler_returns(self, clock: HandClock, firing: Firing) -> None:
        future = Future[str]()
        entered = threading.Event()

        def handler() -> Future[str]:
            entered.set()
            return future

        firing.client.create(job(handler, schedule=NEVER, max_run_time=SECOND))
        firing.client.run_now("job")
        assert entered.wait(PATIENCE)
        clock.pass_by(LONG)
        (run,) = firing.wait_for_ended(1)
        future.set_result("late")
        assert (run.status, run.error) == (ss.RunStatus.FAILED, self.TOO_LONG)

    def test_a_handlers_own_failure_is_kept_even_when_it_took_too_long(self) -> None:
        clock = FakeClock(T0)

        def handler() -> None:
            clock.advance(HOUR / 2)
            raise LookupError("not here")

        backend = ss.LocalBackend(clock=clock)
        client = ss.SchedulerClient(backend)
        client.create(job(handler, max_run_time=SECOND))
        backend.run_until(T0 + HOUR)
        assert [run.error for run in client.runs("job")] == ["LookupError: not here"]
        backend.close()

    def test_a_function_that_hangs_is_given_up_on_the_machines_clock(self) -> None:
        blocked = Blocked()
        firing = Firing(SystemClock(), workers=1)
        firing.client.create(job(blocked, schedule=NEVER, max_run_time=SECOND, overlap=ss.Overlap.SKIP))
        firing.client.run_now("job")
        (run,) = firing.wait_for_ended(1)
        assert (run.status, run.error) == (ss.RunStatus.FAILED, self.TOO_LONG)
        assert run.started_at is not None
        assert run.ended_at is not None
        assert run.ended_at - run.started_at > SECOND
        blocked.release.set()
        firing.backend.close()

    def test_the_place_is_free_for_other_runs(self, clock: HandClock) -> None:
        blocked = Blocked()
        firing = Firing(clock, workers=1)
        firing.client.create(job(blocked, schedule=NEVER, max_run_time=SECOND))
        firing.client.run_now("job")
        assert blocked.entered.wait(PATIENCE)
        clock.pass_by(LONG)
        firing.wait_for_ended(1)
        firing.client.run_now("job")
        assert [run.output for run in firing.wait_for_ended(2)] == [None, '"next"']
        assert not blocked.release.is_set()
        blocked.release.set()
        firing.backend.close()

    def test_with_skip_a_function_that_still_runs_counts_as_running(self, clock: HandClock) -> None:
        blocked = Blocked()
        firing = Firing(clock)
        firing.client.create(job(blocked, schedule=NEVER, max_run_time=SECOND, overlap=ss.Overlap.SKIP))
        firing.client.run_now("job")
        assert blocked.entered.wait(PATIENCE)
        clock.pass_by(LONG)
        firing.wait_for_ended(1)
        firing.client.run_now("job")
        assert [run.status.value for run in firing.wait_for_ended(2)] == ["failed", "skipped"]
        blocked.release.set()
        blocked.threads[0].join(PATIENCE)
        firing.let_turns_pass()
        firing.client.run_now("job")
        assert firing.wait_for_ended(3)[-1].output == '"next"'
        firing.backend.close()

    @pytest.mark.parametrize("overlap", [ss.Overlap.SKIP, ss.Overlap.QUEUE])
    def test_its_next_attempt_and_what_is_queued_wait_for_its_end(
        self, clock: HandClock, overlap: ss.Overlap
    ) -> None:
        blocked = Blocked()
        firing = Firing(clock)
        retry = ss.Retry(max_attempts=1, interval=timedelta(0))
        firing.client.create(job(blocked, schedule=NEVER, max_run_time=SECOND, overlap=overlap, retry=retry))
        firing.client.run_now("job")
        assert blocked.entered.wait(PATIENCE)
        clock.pass_by(LONG)
        firing.wait_for(lambda: firing.client.runs("job")[0].status is ss.RunStatus.PENDING)
        firing.let_turns_pass()
        (run,) = firing.client.runs("job")
        assert (run.attempt, run.pending_reason) == (1, "an attempt that was given up may still run")
        blocked.release.set()
        (run,) = firing.wait_for_ended(1)
        assert (run.attempt, run.output, run.restarted) == (2, '"next"', False)
        firing.backend.close()

    @pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forwards", "backwards"])
    def test_a_clock_that_is_set_fails_no_run_that_is_a_second_old(
        self, firing: Firing, clock: HandClock, jump: timedelta
    ) -> None:
        blocked = Blocked()
        firing.client.create(job(blocked, schedule=NEVER, max_run_time=timedelta(minutes=10)))
        firing.client.run_now("job")
        assert blocked.entered.wait(PATIENCE)
        clock.pass_by(SECOND)
        clock.jump(jump)
        firing.let_turns_pass()
        assert firing.client.runs("job")[0].status is ss.RunStatus.RUNNING
        clock.pass_by(timedelta(minutes=11))
        (run,) = firing.wait_for_ended(1)
        assert run.error == "TimeoutError: it took longer than max_run_time, 0:10:00"
        blocked.release.set()

    def test_an_answer_that_comes_too_late_is_ignored(self, firing: Firing, clock: HandClock) -> None:
        blocked = Blocked()
        firing.client.create(job(blocked, schedule=NEVER, max_run_time=SECOND))
        firing.client.run_now("job")
        assert blocked.entered.wait(PATIENCE)
        clock.pass_by(LONG)
        before = firing.wait_for_ended(1)
        blocked.release.set()
        blocked.threads[0].join(PATIENCE)
        assert not blocked.threads[0].is_alive()
        firing.let_turns_pass()
        assert firing.client.runs("job") == before
        assert before[0].error == self.TOO_LONG

    def test_stop_does_not_await_what_was_given_up(self, firing: Firing, clock: HandClock) -> None:
        blocked = Blocked()
        firing.client.create(job(blocked, schedule=NEVER, max_run_time=SECOND))
        firing.client.run_now("job")
        assert blocked.entered.wait(PATIENCE)
        clock.pass_by(LONG)
        firing.wait_for_ended(1)
        stopper = threading.Thread(target=firing.backend.stop)
        stopper.start()
        stopper.join(PATIENCE)
        assert not stopper.is_alive()
        blocked.release.set()


class TestStopped:
    """By ``OnFailure.STOP``: as ``pause`` does."""

    def test_what_has_come_due_before_the_failure_still_runs_and_nothing_later(self) -> None:
        clock = FakeClock(T0)
        backend = ss.LocalBackend(clock=clock)
        client = ss.SchedulerClient(backend)
        calls = list[datetime]()

        def handler(_payload: object, run: ss.Run) -> None:
            calls.append(run.scheduled_for)
            if len(calls) == 1:
                clock.advance(2 * HOUR + SECOND)  # two more come due meanwhile
            raise RuntimeError("no luck")

        queued = job(handler, on_failure=ss.OnFailure.STOP, overlap=ss.Overlap.QUEUE)
        client.create(queued)
        backend.run_until(T0 + DAY)
        assert calls == [T0 + HOUR, T0 + 2 * HOUR, T0 + 3 * HOUR]
        assert client.get("job").status is ss.JobStatus.PAUSED
        assert {run.status for run in client.runs()} == {ss.RunStatus.FAILED}
        backend.close()

    @pytest.mark.parametrize(("verb", "told"), [("cancel", "cancelled"), ("pause", "paused")])
    def test_a_job_that_was_cancelled_or_paused_meanwhile_stays_so(self, verb: str, told: str) -> None:
        backend = ss.LocalBackend(clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        events = list[str]()
        backend.listen(lambda event: events.append(event.kind.value), ["cancelled", "paused"])

        def handler() -> None:
            getattr(client, verb)("job")
            raise RuntimeError

        client.create(job(handler, on_failure=ss.OnFailure.STOP))
        backend.run_until(T0 + 3 * HOUR)
        assert events == [told]
        backend.close()

    def test_in_the_background_too(self, firing: Firing, clock: HandClock) -> None:
        calls = list[int]()

        def handler() -> None:
            calls.append(1)
            raise RuntimeError

        firing.client.create(job(handler, on_failure=ss.OnFailure.STOP))
        clock.pass_by(HOUR)
        firing.wait_for_ended(1)
        assert firing.client.get("job").status is ss.JobStatus.PAUSED
        clock.pass_by(DAY)
        firing.let_turns_pass()
        assert calls == [1]


class FailingStore(Store):
    """Its turns fail while ``broken`` is set; ``failures`` counts them."""

    def __init__(self) -> None:
        super().__init__(None)
        self.broken = threading.Event()
        self.failures = 0

    def transaction(self, operation: str) -> AbstractContextManager[None]:
        if operation == "turn" and self.broken.is_set():
            self.failures += 1
            raise ss.errors.BackendUnavailableError("sqlite", operation, "IOERR", retryable=True)
        return super().transaction(operation)


class TestStoreThatFails:
    def test_outcomes_are_recorded_once_it_works_again(self, caplog: pytest.LogCaptureFixture) -> None:
        entered, release = threading.Event(), threading.Event()
        calls = list[int]()

        def handler(_payload: object, run: ss.Run) -> str:
            calls.append(run.attempt)
            entered.set()
            assert release.wait(PATIENCE)
            return "done"

        wanted = job(handler)
        store = FailingStore()
        engine = Engine(
            store,
            Invoker({}),
            SystemClock(),
            lambda _row: wanted,
            workers=1,
            retention=Retention(DAY, 100),
        )
        told = list[tuple[str, int]]()
        engine.listen(lambda event: told.append((event.kind.value, store.failures)), None)
        now = utc_now()
        key = store.insert_job(wanted, wanted.model_dump_json(), now, None)
        assert key is not None
        row = store.job_by_id(key)
        assert isinstance(row, JobRow)
        store.set_status(row, ss.JobStatus.PAUSED, None, now)
        store.record_manual(row, now)

        def wait_for(condition: Callable[[], bool]) -> None:
            deadline = time.monotonic() + PATIENCE
            while not condition():
                assert time.monotonic() < deadline, "it did not happen in time"
                engine.wake()
                threading.Event().wait(0.005)

        def present() -> ss.Run:
            (row,) = store.runs(RunQuery())
            assert isinstance(row, RunRow)
            return row.run

        engine.start()
        assert entered.wait(PATIENCE)
        store.broken.set()
        release.set()
        wait_for(lambda: store.failures >= 3)
        assert present().status is ss.RunStatus.RUNNING
        store.broken.clear()
        wait_for(lambda: present().ended_at is not None)
        engine.stop()
        run = present()
        assert (run.status, run.output, calls) == (ss.RunStatus.SUCCEEDED, '"done"', [1])
        assert [kind for kind, _ in told] == ["started", "succeeded"]
        assert told[1][1] >= 3  # told when it was recorded, and not before
        assert "the store failed; nothing is lost, retrying" in caplog.text
        store.close()


class TestUnreadableJob:
    """A document that this version cannot read, such as one of a later version."""

    def broken(self, backend: ss.LocalBackend) -> None:
        with backend._store.transaction("test"):
            backend._store._db.execute("UPDATE jobs SET document = '{\"later\": 1}' WHERE name = 'bad'")

    def status(self, backend: ss.LocalBackend) -> ss.JobStatus:
        row = backend._store.job("bad")
        assert isinstance(row, JobRow)
        return row.status

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[ss.LocalBackend]:
        backend = ss.LocalBackend(tmp_path / "jobs.db", clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        for name in ("bad", "good"):
            client.create(job(print, name, target=ss.HandlerTarget("builtins:print")))
        yield backend
        backend.close()

    def test_is_paused_when_it_comes_due_and_the_others_go_on(
        self, backend: ss.LocalBackend, caplog: pytest.LogCaptureFixture
    ) -> None:
        told = list[tuple[str, str]]()
        backend.listen(lambda event: told.append((event.kind.value, event.job)))
        self.broken(backend)
        backend.run_until(T0 + 2 * HOUR)
        client = ss.SchedulerClient(backend)
        assert [run.status.value for run in client.runs("good")] == ["succeeded"] * 2
        assert self.status(backend) is ss.JobStatus.PAUSED
        assert [kind for kind, name in told if name == "bad"] == ["paused"]
        assert "job bad cannot be read and is paused" in caplog.text

    def test_fails_its_waiting_run_and_is_paused(self, backend: ss.LocalBackend) -> None:
        client = ss.SchedulerClient(backend)
        client.run_now("bad")
        self.broken(backend)
        backend.run_until(T0 + HOUR)
        (run,) = client.runs("bad")
        assert run.status is ss.RunStatus.FAILED
        assert run.error is not None
        assert run.error.startswith("ValidationError: ")
        assert self.status(backend) is ss.JobStatus.PAUSED
        assert [run.status.value for run in client.runs("good")] == ["succeeded"]


class TestClockThatJumps:
    @pytest.mark.parametrize(
        ("catch_up", "expected"),
        [
            pytest.param(ss.CatchUp.ALL, "sssss", id="all"),
            pytest.param(ss.CatchUp.ONE, "mmmms", id="one"),
            pytest.param(ss.CatchUp.SKIP, "mmmmm", id="skip"),
        ],
    )
    def test_forwards_leaves_what_it_passed_to_catch_up(
        self,
        firing: Firing,
        clock: HandClock,
        catch_up: ss.CatchUp,
        expected: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        firing.client.create(job(lambda: None, catch_up=catch_up))
        clock.jump(5.5 * HOUR)
        runs = firing.wait_for_ended(5)
        assert "".join(run.status.value[0] for run in runs) == expected
        assert "the clock jumped by 5:30:00" in caplog.text

    def test_time_that_merely_passes_is_no_jump(self, firing: Firing, clock: HandClock) -> None:
        firing.client.create(job(lambda: None, catch_up=ss.CatchUp.SKIP))
        clock.pass_by(2.5 * HOUR)
        assert [run.status.value for run in firing.wait_for_ended(2)] == ["succeeded"] * 2

    def test_backwards_runs_nothing_twice(self, firing: Firing, clock: HandClock) -> None:
        firing.client.create(job(lambda: None))
        clock.pass_by(1.5 * HOUR)
        firing.wait_for_ended(1)
        clock.jump(-HOUR)
        firing.let_turns_pass()
        clock.pass_by(HOUR)  # the first instant comes again
        firing.let_turns_pass()
        assert [run.scheduled_for for run in firing.client.runs("job")] == [T0 + HOUR]
        clock.pass_by(HOUR)
        assert [run.scheduled_for for run in firing.wait_for_ended(2)] == [T0 + HOUR, T0 + 2 * HOUR]

    def test_backwards_does_not_count_as_time_in_which_nobody_was_there(
        self, firing: Firing, clock: HandClock
    ) -> None:
        watched_since = firing.backend._engine.turns.watched_since
        clock.pass_by(HOUR / 2)
        firing.let_turns_pass()
        clock.jump(-HOUR / 4)
        firing.let_turns_pass()
        assert firing.backend._engine.turns.watched_since == watched_since


def test_a_lease_is_renewed_several_times_before_it_ends() -> None:
    """Else a worker that lives would be taken for dead by one on another machine."""
    assert leases.LEASE.total_seconds() > 3 * engine._RENEW


def test_a_run_is_claimed_only_when_a_thread_is_free_for_it(clock: HandClock) -> None:
    blocked = Blocked()
    firing = Firing(clock, workers=1)
    firing.client.create(job(blocked, "first", schedule=NEVER))
    firing.client.run_now("first")
    assert blocked.entered.wait(PATIENCE)
    firing.client.create(job(lambda: None, "second", schedule=NEVER))
    firing.client.run_now("second")
    stopper = threading.Thread(target=firing.backend.stop)
    stopper.start()
    firing.wait_for(lambda: firing.backend._engine._request is not None)
    assert stopper.is_alive()  # the first one is awaited
    blocked.release.set()
    stopper.join(PATIENCE)
    assert [(run.status.value, run.attempt, run.restarted) for run in firing.client.runs()] == [
        ("succeeded", 1, False),
        ("pending", 0, False),
    ]
    firing.backend.close()


@pytest.mark.parametrize(
    ("retention", "limit", "kept"),
    [
        pytest.param(3 * HOUR, 100, 4, id="age, inclusive"),
        pytest.param(DAY, 3, 3, id="number"),
        pytest.param(timedelta(0), 0, 0, id="nothing"),
    ],
)
def test_a_play_keeps_no_more_history_than_was_asked_for(retention: timedelta, limit: int, kept: int) -> None:
    backend = ss.LocalBackend(clock=FakeClock(T0), retention=retention, retention_limit=limit)
    client = ss.SchedulerClient(backend)
    client.create(job(lambda: None))
    backend.run_until(T0 + 10 * HOUR)
    assert [run.scheduled_for for run in client.runs()] == [T0 + hour * HOUR for hour in range(11 - kept, 11)]
    assert client.get("job").next_run == T0 + 11 * HOUR
    backend.close()


def test_a_keyboard_interrupt_in_a_handler_fails_its_run_and_nothing_else(firing: Firing) -> None:
    def handler() -> None:
        raise KeyboardInterrupt

    firing.client.create(job(handler, schedule=NEVER))
    firing.client.run_now("job")
    (run,) = firing.wait_for_ended(1)
    assert (run.status, run.error) == (ss.RunStatus.FAILED, "KeyboardInterrupt: ")
    firing.let_turns_pass()


@pytest.mark.parametrize("played", [True, False], ids=["played", "in the background"])
def test_listeners_are_told_in_the_order_in_which_they_came_and_events_in_theirs(
    played: bool, clock: HandClock
) -> None:
    told = list[tuple[str, str]]()
    backend = ss.LocalBackend(clock=FakeClock(T0) if played else clock)
    for name in ("a", "b", "c"):
        backend.listen(lambda event, name=name: told.append((name, event.kind.value)))  # type: ignore[misc]
    client = ss.SchedulerClient(backend)
    client.create(job(lambda: None))
    client.run_now("job")
    if played:
        backend.run_until(T0)
    else:
        ended = threading.Event()
        backend.listen(lambda event: ended.set(), ["succeeded"])
        backend.start()
        assert ended.wait(PATIENCE)
    backend.close()
    kinds = ["created", "due", "started", "succeeded"]
    assert told == [(name, kind) for kind in kinds for name in ("a", "b", "c")]


SERVE = """
import signal, sys
import stepsched as ss

def handler():
    print("running", flush=True)
    sys.stdin.readline()
    return "done"

before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
backend = ss.LocalBackend(sys.argv[1])
client = ss.SchedulerClient(backend)
client.create(ss.Job(name="job", schedule=ss.Cron("0 0 1 1 ? *"), target=ss.HandlerTarget(handler)))
client.run_now("job")
ended_by = backend.serve()
print(ended_by.name, before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)])
backend.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_on_a_signal_when_the_runs_in_flight_have_ended(number: int, tmp_path: Path) -> None:
    program, path = tmp_path / "served_program.py", tmp_path / "jobs.db"
    program.write_text(SERVE)
    child = subprocess.Popen(
        [sys.executable, program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == "running\n"
    child.send_signal(number)
    output, _ = child.communicate("go on\n", timeout=60)
    assert (output, child.returncode) == (f"{signal.Signals(number).name} True\n", 0)
    after = ss.LocalBackend(path)
    (run,) = ss.SchedulerClient(after).runs("job")
    assert (run.status, run.output) == (ss.RunStatus.SUCCEEDED, '"done"')
    after.close()


def test_serve_is_refused_outside_the_main_thread_and_starts_nothing(firing: Firing) -> None:
    errors = list[BaseException]()

    def serve() -> None:
        try:
            firing.backend.serve()
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join(PATIENCE)
    assert len(errors) == 1
    assert "main thread" in str(errors[0])
