"""What is claimed and when: by whom it can be called, not after it was cancelled, paused or changed, not too
late, and not for ever."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.backends.base import Prepared
from stepsched.backends.local import turns
from stepsched.backends.local.documents import encode
from stepsched.backends.local.process import worker_name
from stepsched.core.clock import SystemClock
from stepsched.testing import FakeClock
from tests.unit.local.test_engine import DAY, HOUR, NEVER, PATIENCE, SECOND, T0, Blocked, Firing, job

LAMBDA = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def firing() -> Iterator[Firing]:
    firing = Firing(SystemClock(), workers=1)
    yield firing
    firing.backend.close(timeout=0)


def statuses(client: ss.SchedulerClient, name: str | None = None) -> list[str]:
    return [run.status.value for run in client.runs(name)]


class TestNotBegun:
    """A worker with one thread, which is taken; others are due, and may have been looked at already."""

    @pytest.fixture(params=["in the turn", "ahead of it"])
    def waiting(
        self, firing: Firing, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[tuple[Firing, Blocked, list[str]]]:
        monkeypatch.setattr(turns, "_READY_TIME", PATIENCE)
        blocked, calls = Blocked(), list[str]()
        firing.client.create(job(blocked, "blocks", schedule=NEVER))
        firing.client.run_now("blocks")
        assert blocked.entered.wait(PATIENCE)
        for number in range(5):
            name = f"job-{number}"
            firing.client.create(job(partial(calls.append, name), name, schedule=NEVER))
            firing.client.run_now(name)
        if request.param == "ahead of it":
            present = firing.backend._engine.turns
            present.make_ready()
            assert [ready.job.name for ready in present._ready] == [f"job-{number}" for number in range(5)]
        yield firing, blocked, calls
        blocked.release.set()

    def end(self, firing: Firing, blocked: Blocked) -> None:
        blocked.release.set()
        firing.wait_for_ended(1, "blocks")
        firing.let_turns_pass()

    def test_a_cancelled_job_never_starts(self, waiting: tuple[Firing, Blocked, list[str]]) -> None:
        firing, blocked, calls = waiting
        for number in range(5):
            firing.client.cancel(f"job-{number}")
        self.end(firing, blocked)
        assert calls == []
        assert {statuses(firing.client, f"job-{number}")[0] for number in range(5)} == {"skipped"}

    def test_a_paused_job_starts_when_it_is_resumed(self, waiting: tuple[Firing, Blocked, list[str]]) -> None:
        firing, blocked, calls = waiting
        for number in range(5):
            firing.client.pause(f"job-{number}")
        self.end(firing, blocked)
        assert calls == []
        (run,) = firing.client.runs("job-0")
        assert (run.status.value, run.pending_reason) == ("pending", "its job is paused")
        firing.client.resume("job-0")
        firing.wait_for_ended(1, "job-0")
        assert calls == ["job-0"]

    def test_what_is_asked_for_while_it_is_paused_starts(
        self, waiting: tuple[Firing, Blocked, list[str]]
    ) -> None:
        firing, blocked, calls = waiting
        firing.client.pause("job-0")
        firing.client.run_now("job-0")
        for number in range(1, 5):
            firing.client.cancel(f"job-{number}")
        self.end(firing, blocked)
        assert (calls, statuses(firing.client, "job-0")) == (["job-0"], ["pending", "succeeded"])

    def test_an_updated_job_starts_as_it_is_now(self, waiting: tuple[Firing, Blocked, list[str]]) -> None:
        firing, blocked, calls = waiting
        for number in range(5):
            name = f"job-{number}"
            firing.client.update(job(partial(calls.append, f"new {name}"), name, schedule=NEVER))
        self.end(firing, blocked)
        assert sorted(calls) == [f"new job-{number}" for number in range(5)]

    def test_it_says_when_the_call_began(self, waiting: tuple[Firing, Blocked, list[str]]) -> None:
        firing, blocked, _ = waiting
        threading.Event().wait(0.05)
        released = firing.backend.now()
        self.end(firing, blocked)
        for number in range(5):
            (run,) = firing.client.runs(f"job-{number}")
            assert run.started_at is not None
            assert run.started_at > released


class TestQueue:
    def test_a_pause_holds_the_queue_and_a_resume_lets_it_go_in_order(self) -> None:
        calls = list[int]()
        backend = ss.LocalBackend(clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)

        def handler(_input: object, run: ss.Run) -> None:
            calls.append(run.id)

        client.create(job(handler, schedule=NEVER, overlap=ss.Overlap.QUEUE))
        runs = [client.run_now("job").id for _ in range(4)]
        assert [run.pending_reason for run in client.runs()] == [
            None,
            *["an earlier run of the job still ran"] * 3,
        ]
        client.pause("job")
        backend.advance(SECOND)
        assert calls == []
        client.resume("job")
        backend.advance(SECOND)
        assert calls == runs
        backend.close()

    @pytest.mark.parametrize("after", [ss.Overlap.ALLOW, ss.Overlap.SKIP])
    def test_a_job_that_queues_no_longer_lets_all_go(self, after: ss.Overlap) -> None:
        backend = ss.LocalBackend(clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        queued = job(lambda: None, schedule=NEVER, overlap=ss.Overlap.QUEUE)
        client.create(queued)
        for _ in range(3):
            client.run_now("job")
        client.update(queued.replace(overlap=after))
        assert {run.pending_reason for run in client.runs()} == {None}
        client.update(queued)
        assert [run.pending_reason is None for run in client.runs()] == [True, False, False]
        backend.advance(SECOND)
        assert statuses(client) == ["succeeded"] * 3
        backend.close()

    def test_a_redriven_run_goes_before_those_that_came_later(self) -> None:
        order, fails = list[int](), [True]
        backend = ss.LocalBackend(clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)

        def handler(_input: object, run: ss.Run) -> None:
            order.append(run.id)
            if fails.pop() if fails else False:
                raise RuntimeError

        client.create(job(handler, schedule=NEVER, overlap=ss.Overlap.QUEUE))
        first = client.run_now("job")
        backend.advance(SECOND)
        later = client.run_now("job")
        client.redrive(client.dead_letters()[0])
        backend.advance(SECOND)
        assert order == [first.id, first.id, later.id]
        backend.close()


class TestGrace:
    @pytest.mark.parametrize(
        ("within", "late", "expected"),
        [
            pytest.param(10 * MINUTE, 10 * MINUTE, "succeeded", id="inclusive"),
            pytest.param(10 * MINUTE, 10 * MINUTE + SECOND, "missed", id="later"),
            pytest.param(None, DAY, "succeeded", id="no limit"),
        ],
    )
    def test_after_downtime(
        self, within: timedelta | None, late: timedelta, expected: str, tmp_path: Path
    ) -> None:
        once = job(print, schedule=ss.OneTime(T0 + HOUR), target=ss.HandlerTarget("builtins:len"), input=[])
        before = ss.LocalBackend(tmp_path / "jobs.db", clock=FakeClock(T0))
        ss.SchedulerClient(before).create(once.replace(catch_up_within=within))
        before.close()
        backend = ss.LocalBackend(tmp_path / "jobs.db", clock=FakeClock(T0 + HOUR + late))
        client = ss.SchedulerClient(backend)
        backend.advance(SECOND)
        (run,) = client.runs()
        assert run.status.value == expected
        if expected == "missed":
            assert run.error == f"it could not begin within 0:10:00 of {(T0 + HOUR).isoformat()}"
            assert run.ended_at is not None
        backend.close()

    def test_of_many_only_those_that_are_late_are_missed_and_it_is_told(self) -> None:
        told = list[str]()
        clock = FakeClock(T0)
        backend = ss.LocalBackend(clock=clock)
        backend.listen(lambda event: told.append(event.kind.value), ["missed"])
        client = ss.SchedulerClient(backend)
        client.create(job(lambda: None, catch_up_within=90 * MINUTE))
        clock.move_to(T0 + 5 * HOUR)
        backend.advance(timedelta(0))
        assert statuses(client) == ["missed"] * 3 + ["succeeded"] * 2
        assert told == ["missed"] * 3
        backend.close()

    def test_a_run_that_waited_too_long_for_a_thread_is_missed(self) -> None:
        clock = FakeClock(T0)
        backend = ss.LocalBackend(clock=clock)
        client = ss.SchedulerClient(backend)
        client.create(job(lambda: clock.advance(20 * MINUTE), "long"))
        client.create(job(lambda: None, "short", catch_up_within=10 * MINUTE))
        backend.run_until(T0 + HOUR)
        assert (statuses(client, "long"), statuses(client, "short")) == (["succeeded"], ["missed"])
        backend.close()

    def test_what_is_asked_for_by_hand_is_never_too_late(self) -> None:
        clock = FakeClock(T0 + DAY)
        backend = ss.LocalBackend(clock=clock)
        client = ss.SchedulerClient(backend)
        client.create(job(lambda: None, catch_up_within=SECOND))
        client.backfill("job", since=T0, until=T0 + 3 * HOUR)
        client.run_now("job")
        clock.advance(MINUTE)
        backend.advance(timedelta(0))
        assert set(statuses(client)) == {"succeeded"}
        backend.close()

    def test_a_one_time_job_that_was_missed_stays_listed(self, tmp_path: Path) -> None:
        clock = FakeClock(T0)
        backend = ss.LocalBackend(clock=clock)
        client = ss.SchedulerClient(backend)
        client.create(job(lambda: None, schedule=ss.OneTime(T0 + HOUR), catch_up_within=MINUTE))
        clock.move_to(T0 + DAY)
        backend.advance(timedelta(0))
        assert client.get("job").status is ss.JobStatus.ENDED
        assert statuses(client) == ["missed"]
        backend.close()


class TestProcessesThatEnd:
    """Workers that have died leave runs behind, as they stand in the file."""

    DEAD = "/".join([*worker_name().split("/")[:1], "999999999", "1", "dead"])

    def left(self, path: Path, wanted: ss.Job, *, times: int = 1, **columns: object) -> None:
        """A file with a run of the job in the middle of a call by a worker that has died."""
        backend = ss.LocalBackend(path, clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        client.create(wanted)
        run = client.run_now(wanted.name)
        changes = {"status": "running", "worker": self.DEAD, "attempt": times, "crashes": times - 1} | columns
        setters = ", ".join(f"{name} = ?" for name in changes)
        backend._store._db.execute(f"UPDATE runs SET {setters} WHERE id = ?", (*changes.values(), run.id))
        backend.close()

    def played(self, path: Path, after: timedelta = SECOND) -> tuple[ss.Run, list[ss.jobs.Event]]:
        backend = ss.LocalBackend(path, clock=FakeClock(T0 + after))
        told = list[ss.jobs.Event]()
        backend.listen(told.append)
        backend.advance(SECOND)
        (run,) = ss.SchedulerClient(backend).runs()
        backend.close()
        return run, told

    def len_job(self, **changes: object) -> ss.Job:
        called = job(print, target=ss.HandlerTarget("builtins:len"), input=[1], schedule=NEVER)
        return called.replace(**changes)

    @pytest.mark.skipif(sys.platform != "linux", reason="only there a death is seen")
    @pytest.mark.parametrize("times", [1, 2, 3])
    def test_a_run_is_started_again_up_to_three_times(self, times: int, tmp_path: Path) -> None:
        self.left(tmp_path / "jobs.db", self.len_job(retry=ss.Retry(max_attempts=0)), times=times)
        run, told = self.played(tmp_path / "jobs.db")
        assert (run.status.value, run.attempt, run.restarted) == ("succeeded", times + 1, True)
        assert [event.kind.value for event in told] == ["restarted", "started", "succeeded"]

    @pytest.mark.skipif(sys.platform != "linux", reason="only there a death is seen")
    def test_then_it_has_failed_and_says_so_with_all_that_follows_from_a_failure(
        self, tmp_path: Path
    ) -> None:
        queue = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:dead")
        letters = list[object]()
        path = tmp_path / "jobs.db"
        backend = ss.LocalBackend(path, clock=FakeClock(T0), handlers={ss.QueueTarget: letters.append})
        backend.close()
        self.left(path, self.len_job(), times=4)
        backend = ss.LocalBackend(
            path,
            clock=FakeClock(T0 + SECOND),
            handlers={ss.QueueTarget: lambda _to, body: letters.append(body)},
        )
        client = ss.SchedulerClient(backend)
        client.update(client.get("job").job.replace(dead_letter=queue))
        backend.advance(SECOND)
        (run,) = client.dead_letters()
        assert run.error == "its process ended 4 times while it was running"
        assert (run.attempt, letters) == (4, [[1]])
        backend.close()

    @pytest.mark.skipif(sys.platform != "linux", reason="only there a death is seen")
    def test_the_end_of_its_process_takes_none_of_its_retries(self, tmp_path: Path) -> None:
        recorder = ss.testing.Recorder(failures=3)
        path = tmp_path / "jobs.db"
        retry = ss.Retry(max_attempts=3, interval=timedelta(0))
        backend = ss.LocalBackend(path, clock=FakeClock(T0), handlers={ss.LambdaTarget: recorder})
        ss.SchedulerClient(backend).create(job(print, target=LAMBDA, schedule=NEVER, retry=retry))
        run = ss.SchedulerClient(backend).run_now("job")
        backend._store._db.execute(
            "UPDATE runs SET status = 'running', worker = ?, attempt = 3, crashes = 2 WHERE id = ?",
            (self.DEAD, run.id),
        )
        backend.advance(MINUTE)
        (run,) = ss.SchedulerClient(backend).runs()
        assert (run.status.value, run.attempt, len(recorder.calls)) == ("succeeded", 7, 4)
        backend.close()

    @pytest.mark.skipif(sys.platform != "linux", reason="only there a death is seen")
    def test_no_attempt_starts_later_than_max_age(self, tmp_path: Path) -> None:
        self.left(tmp_path / "jobs.db", self.len_job(retry=ss.Retry(max_age=MINUTE)))
        run, _ = self.played(tmp_path / "jobs.db", 3 * DAY)
        assert (run.status.value, run.attempt) == ("failed", 1)
        assert run.error is not None
        assert (
            "its process ended once while it was running, and Retry.max_age, 0:01:00, has passed" in run.error
        )

    @pytest.mark.skipif(sys.platform != "linux", reason="only there a death is seen")
    def test_a_pause_holds_it(self, tmp_path: Path) -> None:
        path = tmp_path / "jobs.db"
        self.left(path, self.len_job())
        backend = ss.LocalBackend(path, clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        client.pause("job")
        backend.advance(SECOND)
        (run,) = client.runs()
        assert (run.status.value, run.restarted, run.pending_reason) == ("pending", True, "its job is paused")
        client.resume("job")
        backend.advance(SECOND)
        assert statuses(client) == ["succeeded"]
        backend.close()

    @pytest.mark.skipif(sys.platform != "linux", reason="only there a death is seen")
    def test_a_run_of_a_cancelled_job_does_not_wait_for_ever(self, tmp_path: Path) -> None:
        path = tmp_path / "jobs.db"
        self.left(path, self.len_job())
        backend = ss.LocalBackend(path, clock=FakeClock(T0))
        ss.SchedulerClient(backend).cancel("job")
        backend.close()
        run, _ = self.played(path)
        assert (run.status.value, run.error) == (
            "failed",
            "its process ended once while it was running, and its job was cancelled",
        )

    @pytest.mark.parametrize("bound", [-1, 1.5, True, "3", None], ids=repr)
    def test_the_bound_must_be_a_number(self, bound: object) -> None:
        with pytest.raises(ValueError, match="expected a whole number of at least 0 for max_restarts"):
            ss.LocalBackend(max_restarts=bound)  # type: ignore[arg-type]

    @pytest.mark.skipif(sys.platform != "linux", reason="only there a death is seen")
    def test_letters_that_a_dead_worker_left_are_delivered(self, tmp_path: Path) -> None:
        queue = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:dead")
        letters = list[object]()
        backend = ss.LocalBackend(
            tmp_path / "jobs.db",
            clock=FakeClock(T0),
            handlers={ss.QueueTarget: lambda _to, body: letters.append(body)},
        )
        client = ss.SchedulerClient(backend)
        client.create(self.len_job(dead_letter=queue))
        run = client.run_now("job")
        backend._store._db.execute(
            "UPDATE runs SET status = 'failed', ended_at = 1, undelivered = 1, worker = ? WHERE id = ?",
            (self.DEAD, run.id),
        )
        backend.advance(SECOND)
        backend.advance(SECOND)
        assert letters == [[1]]
        backend.close()


class TestRollingDeployment:
    """An old process and a new one share a file; the old one lacks what the new one has."""

    def test_what_a_worker_cannot_call_waits_with_the_reason_until_one_joins_that_can(
        self, tmp_path: Path
    ) -> None:
        path, told, calls = tmp_path / "jobs.db", list[ss.jobs.Event](), list[object]()
        new = ss.LocalBackend(path, handlers={ss.LambdaTarget: lambda *_: calls.append(1)})
        client = ss.SchedulerClient(new)
        old = ss.LocalBackend(path)
        old.listen(told.append, ["waiting"])
        old.start()
        client.create(job(print, target=LAMBDA, schedule=NEVER))
        client.run_now("job")
        wait_until(lambda: client.runs()[0].pending_reason is not None)
        (run,) = client.runs()
        assert (run.status.value, run.attempt) == ("pending", 0)
        assert run.pending_reason == "no handler is registered for its LambdaTarget in this process"
        old._engine.wake()
        new.start()
        wait_until(lambda: client.runs()[0].ended_at is not None)
        (run,) = client.runs()
        assert (run.status.value, run.attempt, run.pending_reason, calls) == ("succeeded", 1, None, [1])
        new.close()
        old.close()
        assert [event.run.pending_reason for event in told if event.run] == [
            "no handler is registered for its LambdaTarget in this process"
        ]

    def test_where_another_worker_can_nothing_is_told(self, tmp_path: Path) -> None:
        path, told, calls = tmp_path / "jobs.db", list[ss.jobs.Event](), list[object]()
        new = ss.LocalBackend(path, handlers={ss.LambdaTarget: lambda *_: calls.append(1)})
        old = ss.LocalBackend(path)
        for backend in (new, old):
            backend.listen(told.append, ["waiting", "failed", "retried"])
            backend.start()
        client = ss.SchedulerClient(new)
        for number in range(50):
            client.create(job(print, f"job-{number}", target=LAMBDA, schedule=NEVER))
            client.run_now(f"job-{number}")
        wait_until(lambda: len(calls) == 50)
        new.close()
        old.close()
        assert told == []

    def test_a_handler_that_is_registered_later_is_found_at_once(self, firing: Firing) -> None:
        ran = threading.Event()
        other = ss.LocalBackend(handlers={ss.LambdaTarget: print})
        row = other.create(other.prepare(job(print, target=LAMBDA, schedule=NEVER)))
        firing.backend.create_many([Prepared(row.job, encode(row.job))])
        firing.client.run_now("job")
        firing.wait_for(lambda: firing.client.runs("job")[0].pending_reason is not None)
        firing.backend.register(ss.LambdaTarget, lambda *_: ran.set())
        assert ran.wait(PATIENCE)
        other.close()

    def test_a_module_that_cannot_be_imported_makes_its_run_wait(self, tmp_path: Path) -> None:
        backend = ss.LocalBackend(clock=FakeClock(T0))
        unknown = job(print, target=ss.HandlerTarget("nowhere.at_all:f"), schedule=NEVER)
        backend.create_many([Prepared(unknown, encode(unknown))])
        client = ss.SchedulerClient(backend)
        client.run_now("job")
        backend.advance(SECOND)
        (run,) = client.runs()
        assert run.status is ss.RunStatus.PENDING
        assert run.pending_reason is not None
        assert "nowhere.at_all:f cannot be imported: ModuleNotFoundError" in run.pending_reason
        backend.close()

    def test_a_module_that_never_ends_its_import_holds_up_no_other_job(
        self, firing: Firing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "imports_for_ever.py").write_text(
            "import threading\nfrom tests.unit.local import test_claims\n"
            "test_claims.HOLD.wait(20)\ndef f(): ...\n"
        )
        monkeypatch.syspath_prepend(str(tmp_path))
        hangs = job(print, "hangs", target=ss.HandlerTarget("imports_for_ever:f"), schedule=NEVER)
        firing.backend.create_many([Prepared(hangs, encode(hangs))])
        firing.client.run_now("hangs")
        firing.let_turns_pass()
        assert statuses(firing.client, "hangs") == ["pending"]
        HOLD.set()
        firing.wait_for_ended(1, "hangs")


class TestHandlersFrom:
    def test_only_functions_of_these_modules_and_those_below_are_taken(self, tmp_path: Path) -> None:
        backend = ss.LocalBackend(tmp_path / "jobs.db", handlers_from=["json", "logging"])
        client = ss.SchedulerClient(backend)
        for borrowed in ("logging:os.system", "logging:warnings.warn", "json:codecs.open"):
            with pytest.raises(ss.UnsupportedError, match=r"is defined in .* not among the modules"):
                client.create(job(print, "evil", target=ss.HandlerTarget(borrowed), schedule=NEVER))
        for fine in ("json:dumps", "logging.handlers:RotatingFileHandler"):
            client.create(job(print, fine.partition(":")[0], target=ss.HandlerTarget(fine), schedule=NEVER))
        for evil in ("os:system", "jsonx:f", "builtins:print"):
            with pytest.raises(ss.UnsupportedError, match="is not among the modules of handlers_from"):
                client.create(job(print, "evil", target=ss.HandlerTarget(evil), schedule=NEVER))
        backend.close()

    def test_a_stored_job_of_another_module_is_never_imported(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "evil_module.py").write_text(
            "import pathlib\npathlib.Path('pwned').touch()\ndef f(): ...\n"
        )
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.chdir(tmp_path)
        backend = ss.LocalBackend("jobs.db", clock=FakeClock(T0), handlers_from=["json"])
        evil = job(print, "evil", target=ss.HandlerTarget("evil_module:f"), schedule=NEVER)
        backend.create_many([Prepared(evil, encode(evil))])
        client = ss.SchedulerClient(backend)
        client.run_now("evil")
        backend.advance(SECOND)
        (run,) = client.runs()
        assert run.pending_reason is not None
        assert "handlers_from" in run.pending_reason
        assert not (tmp_path / "pwned").exists()
        backend.close()

    @pytest.mark.parametrize("value", ["myapp", [5]], ids=repr)
    def test_it_must_be_a_list_of_modules(self, value: object) -> None:
        with pytest.raises(ValueError, match="expected a list of modules"):
            ss.LocalBackend(handlers_from=value)  # type: ignore[arg-type]


HOLD = threading.Event()


def wait_until(condition: object) -> None:
    for _ in range(1500):
        if condition():  # type: ignore[operator]
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not happen in time")


def test_next_runs_and_runs_are_shown_in_the_zone_of_the_schedule_by_every_verb() -> None:
    backend = ss.LocalBackend(clock=FakeClock(T0))
    client = ss.SchedulerClient(backend)
    tokyo = job(lambda: None, schedule=ss.Cron("0 2 * * ? *", timezone="Asia/Tokyo"))
    nine = timedelta(hours=9)
    records = [client.create(tokyo), client.get("job"), client.list()[0], client.update(tokyo)]
    client.pause("job")
    records += [client.resume("job"), client.update(tokyo.replace(description="new"))]
    assert {record.next_run.utcoffset() for record in records if record.next_run} == {nine}
    assert len(records) == 6
    runs = [client.run_now("job"), *client.backfill("job", since=T0 - DAY, until=T0)]
    backend.advance(DAY)
    runs += client.runs("job")
    last = client.get("job").last_run
    assert last is not None
    assert {run.scheduled_for.utcoffset() for run in [*runs, last]} == {nine}
    assert f"{client.runs('job')[-1].scheduled_for:%d %H:%M}" == "08 02:00"
    client.cancel("job")
    assert {run.scheduled_for.utcoffset() for run in client.runs("job")} == {nine}
    backend.close()


@pytest.mark.parametrize("overlap", [ss.Overlap.SKIP, ss.Overlap.ALLOW])
def test_a_part_that_was_given_up_and_still_runs_counts_as_running(overlap: ss.Overlap) -> None:
    firing, blocked = Firing(SystemClock()), Blocked()
    both = ss.ParallelTarget([ss.HandlerTarget(blocked), ss.HandlerTarget(lambda: "quick")])
    firing.client.create(
        job(
            print,
            target=both,
            schedule=NEVER,
            overlap=overlap,
            max_run_time=SECOND,
            retry=ss.Retry(max_attempts=0),
        )
    )
    firing.client.run_now("job")
    firing.wait_for_ended(1)
    firing.client.run_now("job")
    expected = "skipped" if overlap is ss.Overlap.SKIP else "succeeded"
    assert firing.wait_for_ended(2)[-1].status.value == expected
    blocked.release.set()
    blocked.threads[0].join(PATIENCE)
    firing.let_turns_pass()
    firing.client.run_now("job")
    assert firing.wait_for_ended(3)[-1].status.value == "succeeded"
    firing.backend.close()
