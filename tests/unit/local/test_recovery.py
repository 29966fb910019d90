"""What becomes of the runs of workers that have died."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.backends.local.leases import LEASE, Leases
from stepsched.backends.local.process import MARKER, worker_name
from stepsched.backends.local.rows import JobRow, RunRow, micros
from stepsched.backends.local.store import Store
from stepsched.testing import FakeClock

PATIENCE = 10
T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ELSEWHERE = "-/1/-/elsewhere"
"""A worker of which nobody here can tell whether it lives."""
NEVER = ss.Cron("0 0 1 1 ? *")
"""In effect: only ``run_now`` runs it."""
QUEUE = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:dead")
TOPIC = ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:topic")

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells that a process has died")


def dead_worker() -> str:
    """The name of a worker whose process has ended: one of this number that was started at another time."""
    home, pid, start, rest = worker_name().split("/")
    return f"{home}/{pid}/{int(start) - 1}/{rest}"


class Bench:
    """A backend on played time, and workers beside it."""

    def __init__(self, **options: int) -> None:
        self.clock = FakeClock(T0)
        self.calls = list[int]()
        self.letters = list[tuple[str, object]]()
        self.events = list[ss.jobs.Event]()
        self.backend = ss.LocalBackend(
            clock=self.clock,
            handlers={
                ss.QueueTarget: lambda target, payload: self.letters.append(("queue", payload)),
                ss.TopicTarget: lambda target, payload: self.letters.append(("topic", payload)),
            },
            **options,  # type: ignore[arg-type] # numbers
        )
        self.backend.listen(self.events.append)
        self.client = ss.SchedulerClient(self.backend)
        self.store = self.backend._store

    def job(self, name: str = "job", **changes: object) -> ss.Job:
        target = ss.HandlerTarget(lambda payload, run: self.calls.append(run.attempt))
        job = ss.Job(name=name, schedule=NEVER, target=target, retry=ss.Retry(max_attempts=0))
        return job.replace(**changes)

    def begun_by(self, worker: str, name: str = "job") -> ss.Run:
        """A run of a job that the worker has begun."""
        run = self.client.run_now(name)
        return self.begin(run, worker)

    def begin(self, run: ss.Run, worker: str) -> ss.Run:
        with self.store.transaction("begin"):
            self.store.enter(worker, self.clock.now() + LEASE)
            row = self.store.run(run.id)
            assert isinstance(row, RunRow)
            job = self.store.job(run.job)
            assert isinstance(job, JobRow)
            return self.store.begin(row, job, worker, self.clock.now()).run

    def play(self, step: timedelta = timedelta(0)) -> None:
        self.backend.run_until(self.clock.now() + step)

    def told(self, kind: ss.jobs.EventKind) -> list[ss.Run | None]:
        return [event.run for event in self.events if event.kind is kind]

    def run(self, index: int = -1, name: str = "job") -> ss.Run:
        return self.client.runs(name)[index]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.backend.close()


class HandClock:
    """A clock that shows what it is told, and whose two hands are moved apart."""

    def __init__(self) -> None:
        self.wall, self.ticks = T0, 0.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks


class TestWhoHasDied:
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = Store(None)
        yield store
        store.close()

    def enter(self, store: Store, worker: str, until: datetime) -> None:
        with store.transaction("enter"):
            store.enter(worker, until)

    def test_one_of_which_nothing_is_seen_has_once_its_lease_has_stood_still_for_as_long_as_it_lasts(
        self, store: Store
    ) -> None:
        clock = HandClock()
        leases = Leases(store, clock)
        self.enter(store, ELSEWHERE, T0)
        assert leases.dead("me") == set()
        clock.ticks = LEASE.total_seconds() - 0.001
        assert leases.dead("me") == set()
        clock.ticks = LEASE.total_seconds()
        assert leases.dead("me") == {ELSEWHERE}

    def test_one_that_renews_its_lease_lives(self, store: Store) -> None:
        clock = HandClock()
        leases = Leases(store, clock)
        for number in range(10):
            self.enter(store, ELSEWHERE, T0 + number * MINUTE)
            assert leases.dead("me") == set()
            clock.ticks += LEASE.total_seconds() - 1

    def test_a_clock_that_is_set_kills_nobody(self, store: Store) -> None:
        clock = HandClock()
        leases = Leases(store, clock)
        self.enter(store, ELSEWHERE, T0 + LEASE)
        assert leases.dead("me") == set()
        clock.wall += DAY
        assert leases.dead("me") == set()

    @linux
    def test_one_whose_process_has_ended_has_at_once_and_one_that_lives_has_not(self, store: Store) -> None:
        clock = HandClock()
        leases, dead, living = Leases(store, clock), dead_worker(), worker_name()
        for worker in (dead, living):
            self.enter(store, worker, T0 + DAY)
        assert leases.dead("me") == {dead}
        with store.transaction("bury"):
            store.bury(dead)
        clock.ticks = DAY.total_seconds()
        assert leases.dead("me") == set()  # it lives, though its lease stands still

    def test_a_worker_is_not_dead_to_itself(self, store: Store) -> None:
        clock = HandClock()
        leases = Leases(store, clock)
        self.enter(store, ELSEWHERE, T0)
        leases.dead(ELSEWHERE)
        clock.ticks = DAY.total_seconds()
        assert leases.dead(ELSEWHERE) == set()

    @pytest.mark.parametrize("worker", ["", "garbage", "a/b/c/d", "/////", "-/-/-/-"])
    def test_a_name_that_is_garbage_is_given_up_like_one_of_which_nothing_is_seen(
        self, store: Store, worker: str
    ) -> None:
        clock = HandClock()
        leases = Leases(store, clock)
        self.enter(store, worker, T0)
        assert leases.dead("me") == set()
        clock.ticks = LEASE.total_seconds()
        assert leases.dead("me") == {worker}


@linux
class TestItsRuns:
    def test_are_started_again_at_once_and_say_so(self, bench: Bench) -> None:
        bench.client.create(bench.job())
        begun = bench.begun_by(dead_worker())
        bench.play()
        run = bench.run()
        assert (run.id, run.status, run.attempt, run.restarted) == (
            begun.id,
            ss.RunStatus.SUCCEEDED,
            2,
            True,
        )
        (told,) = bench.told(ss.jobs.EventKind.RESTARTED)
        assert told is not None
        assert (told.id, told.status, told.restarted) == (begun.id, ss.RunStatus.PENDING, True)
        assert bench.calls == [2]

    def test_stay_its_own_while_it_lives_or_may_live(self, bench: Bench) -> None:
        for worker in (worker_name(), ELSEWHERE):
            name = "alive" if worker != ELSEWHERE else "unknown"
            bench.client.create(bench.job(name))
            bench.begun_by(worker, name)
        bench.play(timedelta(seconds=10))
        assert bench.calls == []
        assert {run.status for run in bench.client.runs()} == {ss.RunStatus.RUNNING}

    def test_are_started_again_as_often_as_it_is_allowed_then_they_have_failed(self, bench: Bench) -> None:
        bench.client.create(bench.job())
        run = bench.begun_by(dead_worker())
        for crash in range(2, 5):
            worker = dead_worker()
            with bench.store.transaction("take over"):  # the next one dies too, before it is done
                (gone,) = [name for name, _ in bench.store.others("me")]
                bench.store.bury(gone)
                bench.store.restart(run.id, T0, crashed=True, held=None)
            bench.begin(run, worker)
            row = bench.store.run(run.id)
            assert isinstance(row, RunRow)
            assert (row.run.attempt, row.crashes) == (crash, crash - 1)
        bench.play()
        assert (bench.run().status, bench.run().error) == (
            ss.RunStatus.FAILED,
            "its process ended 4 times while it was running",
        )
        assert bench.calls == []
        assert len(bench.told(ss.jobs.EventKind.FAILED)) == 1

    def test_are_never_started_again_where_none_is_allowed(self) -> None:
        bench = Bench(max_restarts=0)
        bench.client.create(bench.job())
        bench.begun_by(dead_worker())
        bench.play()
        assert bench.run().error == "its process ended once while it was running"
        assert (bench.run().status, bench.calls) == (ss.RunStatus.FAILED, [])
        bench.backend.close()

    def test_have_not_used_up_an_attempt(self, bench: Bench) -> None:
        attempts = list[int]()

        def handler(payload: object, run: ss.Run) -> None:
            attempts.append(run.attempt)
            raise RuntimeError("no luck")

        retry = ss.Retry(max_attempts=1, interval=timedelta(0))
        bench.client.create(bench.job(target=ss.HandlerTarget(handler), retry=retry))
        bench.begun_by(dead_worker())
        bench.play()
        assert attempts == [2, 3]  # the first one was cut off, and there are two that may fail
        assert bench.run().error == "RuntimeError: no luck"

    def test_of_a_job_that_is_gone_have_failed(self, bench: Bench) -> None:
        bench.client.create(bench.job())
        bench.begun_by(dead_worker())
        bench.client.cancel("job")
        bench.play()
        assert (bench.run().status, bench.run().error) == (
            ss.RunStatus.FAILED,
            "its process ended once while it was running, and its job was cancelled",
        )

    def test_that_are_too_old_have_failed(self, bench: Bench) -> None:
        bench.client.create(bench.job(retry=ss.Retry(max_age=MINUTE)))
        bench.begun_by(dead_worker())
        bench.clock.advance(MINUTE + timedelta(seconds=1))
        bench.play()
        assert (bench.run().status, bench.run().error) == (
            ss.RunStatus.FAILED,
            "its process ended once while it was running, and Retry.max_age, 0:01:00, has passed",
        )

    def test_of_a_paused_job_wait_until_it_is_resumed(self, bench: Bench) -> None:
        bench.client.create(bench.job())
        bench.begun_by(dead_worker())
        bench.client.pause("job")
        bench.play(MINUTE)
        assert (bench.run().status, bench.run().pending_reason) == (
            ss.RunStatus.PENDING,
            "its job is paused",
        )
        bench.client.resume("job")
        bench.play(MINUTE)
        assert bench.run().status is ss.RunStatus.SUCCEEDED

    def test_are_not_skipped_for_their_own_sake(self, bench: Bench) -> None:
        bench.client.create(bench.job(overlap=ss.Overlap.SKIP))
        bench.begun_by(dead_worker())
        bench.play()
        assert bench.run().status is ss.RunStatus.SUCCEEDED

    def test_keep_their_place_in_the_queue(self, bench: Bench) -> None:
        order = list[int]()
        target = ss.HandlerTarget(lambda payload, run: order.append(run.id))
        bench.client.create(bench.job(overlap=ss.Overlap.QUEUE, target=target))
        first = bench.begun_by(dead_worker())
        second = bench.client.run_now("job")
        bench.play()
        assert order == [first.id, second.id]

    def test_that_have_failed_let_the_next_in_the_queue_go(self) -> None:
        bench = Bench(max_restarts=0)
        bench.client.create(bench.job(overlap=ss.Overlap.QUEUE))
        bench.begun_by(dead_worker())
        bench.client.run_now("job")
        bench.play()
        assert [run.status.value for run in bench.client.runs("job")] == ["failed", "succeeded"]
        bench.backend.close()

    def test_that_have_failed_send_their_letters_and_stop_their_job(self) -> None:
        bench = Bench(max_restarts=0)
        schedule = ss.Rate(HOUR, start=T0)
        bench.client.create(
            bench.job(
                schedule=schedule, input=5, dead_letter=QUEUE, notify=TOPIC, on_failure=ss.OnFailure.STOP
            )
        )
        row = bench.store.job("job")
        assert isinstance(row, JobRow)
        bench.clock.advance(HOUR)
        with bench.store.transaction("record"):
            bench.backend._engine.turns.record_due(row, bench.clock.now(), [])
        bench.begin(bench.run(), dead_worker())
        bench.play()
        assert sorted(kind for kind, _ in bench.letters) == ["queue", "topic"]
        assert ("queue", 5) in bench.letters
        assert bench.client.get("job").status is ss.JobStatus.PAUSED
        bench.play(MINUTE)
        assert len(bench.letters) == 2  # once
        bench.backend.close()

    def test_that_have_failed_end_a_job_with_nothing_to_come(self) -> None:
        bench = Bench(max_restarts=0)
        bench.client.create(bench.job(schedule=ss.OneTime(T0 + HOUR)))
        bench.clock.advance(HOUR)
        row = bench.store.job("job")
        assert isinstance(row, JobRow)
        with bench.store.transaction("record"):
            bench.backend._engine.turns.record_due(row, bench.clock.now(), [])
        bench.begin(bench.run(), dead_worker())
        bench.play()
        assert bench.client.get("job").status is ss.JobStatus.ENDED
        bench.backend.close()

    def test_that_nobody_holds_are_started_again(self, bench: Bench) -> None:
        bench.client.create(bench.job())
        bench.begun_by(dead_worker())
        bench.store._db.execute("UPDATE runs SET worker = NULL")
        bench.play()
        assert bench.run().status is ss.RunStatus.SUCCEEDED

    def test_that_are_damaged_are_closed_and_others_go_on(self, bench: Bench) -> None:
        bench.client.create(bench.job())
        worker = dead_worker()
        first = bench.begun_by(worker)
        bench.begun_by(worker)
        bench.store._db.execute("UPDATE runs SET trigger = 'nonsense' WHERE id = ?", (first.id,))
        bench.play()
        found = bench.store._rows("SELECT status, error FROM runs ORDER BY id")
        assert found[0][0] == "failed"
        assert found[0][1].startswith("its row is damaged: ")
        assert found[1][0] == "succeeded"


@linux
class TestWhatElseItLeaves:
    def test_its_letters_are_delivered_once_by_another(self, bench: Bench) -> None:
        bench.client.create(bench.job(input="payload", dead_letter=QUEUE, notify=TOPIC))
        worker = dead_worker()
        run = bench.begun_by(worker)
        with bench.store.transaction("fail"):
            bench.store.close_run(
                run.id, ss.RunStatus.FAILED, "RuntimeError: no", T0, worker=worker, undelivered=3
            )
        bench.play()
        assert sorted(kind for kind, _ in bench.letters) == ["queue", "topic"]
        (notice,) = (body for kind, body in bench.letters if kind == "topic")
        assert isinstance(notice, dict)
        assert (notice["error"], notice["cause"]) == ("RuntimeError", "no")
        bench.play(MINUTE)
        assert len(bench.letters) == 2

    def test_letters_of_a_job_that_is_gone_are_forgotten(self, bench: Bench) -> None:
        bench.client.create(bench.job(dead_letter=QUEUE))
        worker = dead_worker()
        run = bench.begun_by(worker)
        with bench.store.transaction("fail"):
            bench.store.close_run(run.id, ss.RunStatus.FAILED, "no", T0, worker=worker, undelivered=1)
        bench.client.cancel("job")
        bench.play()
        assert bench.letters == []
        assert bench.store._rows("SELECT undelivered FROM runs") == [(0,)]

    def test_what_it_refused_no_longer_counts(self, bench: Bench) -> None:
        bench.client.create(bench.job())
        row = bench.store.job("job")
        assert isinstance(row, JobRow)
        worker = dead_worker()
        with bench.store.transaction("refuse"):
            bench.store.enter(worker, T0)
            bench.store.refuse(worker, row, "no")
        bench.play()
        assert bench.store._rows("SELECT * FROM refusals") == []
        assert bench.store.others("me") == []

    def test_what_it_gave_up_is_over(self, bench: Bench) -> None:
        bench.client.create(bench.job(overlap=ss.Overlap.SKIP))
        run = bench.begun_by(dead_worker())
        (worker,) = [name for name, _ in bench.store.others("me")]
        bench.store._db.execute(
            "UPDATE runs SET status = 'failed', ended_at = ?, lingering = ? WHERE id = ?",
            (micros(T0), worker, run.id),
        )
        bench.client.run_now("job")
        bench.play()
        assert [run.status.value for run in bench.client.runs("job")] == ["failed", "succeeded"]

    def test_its_commands_are_killed_and_those_of_others_are_not(self, bench: Bench) -> None:
        bench.client.create(bench.job())
        worker, program = (
            dead_worker(),
            "import threading; print('here', flush=True); threading.Event().wait()",
        )
        run = bench.begun_by(worker)
        left, others = (
            subprocess.Popen(
                [sys.executable, "-c", program],
                stdout=subprocess.PIPE,
                env={**os.environ, MARKER: f"{name}#{run.id}.1"},
            )
            for name in (worker, worker_name())
        )
        try:
            for process in (left, others):
                assert process.stdout is not None
                process.stdout.readline()
            bench.play()
            assert left.wait(PATIENCE) == -9
            assert others.poll() is None
        finally:
            for process in (left, others):
                process.kill()
                process.communicate()


def test_a_play_that_is_interrupted_leaves_its_own_runs_free_and_those_of_others_held(bench: Bench) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    bench.client.create(bench.job("theirs"))
    bench.begun_by(ELSEWHERE, "theirs")
    bench.client.create(bench.job("mine", target=ss.HandlerTarget(interrupt)))
    bench.client.run_now("mine")
    play: Callable[[], None] = bench.play
    with pytest.raises(KeyboardInterrupt):
        play()
    mine, theirs = bench.run(name="mine"), bench.run(name="theirs")
    assert (mine.status, mine.restarted) == (ss.RunStatus.PENDING, True)
    assert (theirs.status, theirs.restarted) == (ss.RunStatus.RUNNING, False)
    assert [name for name, _ in bench.store.others("me")] == [ELSEWHERE]


def test_a_silent_worker_dies_on_a_played_clock_too(tmp_path: Path) -> None:
    clock = FakeClock(T0)
    backend = ss.LocalBackend(tmp_path / "jobs.db", clock=clock, handlers={ss.LambdaTarget: lambda: "done"})
    client = ss.SchedulerClient(backend)
    target = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report")
    client.create(ss.Job(name="job", schedule=ss.Cron("0 0 1 1 ? *"), target=target))
    run = client.run_now("job")
    with backend._store.transaction("begin elsewhere"):
        backend._store.enter("-/1/-/gone", T0)
        backend._store._db.execute(
            "UPDATE runs SET status = 'running', attempt = 1, worker = '-/1/-/gone' WHERE id = ?", (run.id,)
        )
    backend.advance(timedelta(seconds=19))  # it was seen at the beginning of this play
    backend.advance(timedelta(seconds=1))
    assert client.runs("job")[0].status is ss.RunStatus.RUNNING
    backend.advance(timedelta(seconds=1))
    assert client.runs("job")[0].status is ss.RunStatus.SUCCEEDED
    backend.close()
