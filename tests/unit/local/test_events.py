"""What the file records of jobs and runs: every change once, in the order of the transactions."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.backends.local.policy import Due, Plan
from stepsched.backends.local.rows import JobRow, instant, micros
from stepsched.backends.local.schema import MIGRATIONS, migrate
from stepsched.backends.local.store import Retention, Store
from stepsched.core.errors import BackendError, ErrorCode
from stepsched.testing import FakeClock
from tests.unit.local.test_store import ELSEWHERE, HOUR, T0, claim_one, delete, finish, insert, job, record

ROOT = Path(__file__).parents[3]
MINUTE = timedelta(minutes=1)
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


def recorded(store: Store, after: int = 0) -> list[tuple[str, float, int | None]]:
    """The kinds of the events after a position, their hours since the beginning, and their runs."""
    return [(each.kind.value, (each.at - T0) / HOUR, each.run) for each in store.events(after, 10_000)]


class TestKinds:
    """Each kind, with the instant of the change and not of something else."""

    def test_an_attempt_that_fails_is_retried_and_one_that_is_cut_off_is_restarted(
        self, store: Store
    ) -> None:
        row = insert(store)
        record(store, row, 0)
        again = T0 + 5 * HOUR
        first = claim_one(store, now=T0 + HOUR)
        finish(store, first, ss.RunStatus.PENDING, T0 + 2 * HOUR, error="no", again_at=again)
        second = claim_one(store, now=again)
        with store.transaction("restart"):
            store.restart(second.run.id, T0 + 6 * HOUR, crashed=True, held=None)
        third = claim_one(store, now=T0 + 7 * HOUR)
        with store.transaction("hand back"):
            assert store.hand_back(third, ELSEWHERE, T0 + 8 * HOUR)
        run = first.run.id
        assert recorded(store, 2) == [
            ("started", 1, run),
            ("retried", 2, run),
            ("started", 5, run),
            ("restarted", 6, run),
            ("started", 7, run),
            ("restarted", 8, run),
        ]

    def test_a_call_that_was_handed_back_and_ends_after_all_has_its_outcome(self, store: Store) -> None:
        record(store, insert(store), 0)
        claimed = claim_one(store)
        with store.transaction("hand back"):
            store.hand_back(claimed, ELSEWHERE, T0 + HOUR)
        finish(store, claimed, ss.RunStatus.PENDING, T0 + 2 * HOUR, error="no", again_at=T0 + 9 * HOUR)
        assert recorded(store, 4) == [("retried", 2, claimed.run.id)]
        assert claim_one(store, now=T0 + 9 * HOUR).run.attempt == 2

    def test_runs_that_are_left_out_are_missed_when_they_are_recorded(self, store: Store) -> None:
        row = insert(store)
        due = (
            Due(T0, ss.RunStatus.MISSED, T0, "too late"),
            Due(T0 + HOUR, ss.RunStatus.PENDING, T0 + HOUR),
        )
        with store.transaction("record"):
            missed, waiting = store.record(row, ss.Overlap.ALLOW, Plan(due, None), T0 + 2 * HOUR)
            store.close_run(waiting.id, ss.RunStatus.SKIPPED, "another run was running", T0 + 3 * HOUR)
        assert recorded(store, 1) == [
            ("missed", 2, missed.id),
            ("due", 2, waiting.id),
            ("skipped", 3, waiting.id),
        ]

    def test_runs_that_are_recorded_without_a_decision_are_due(self, store: Store) -> None:
        insert(store, schedule=ss.OneTime(T0))
        with store.transaction("record"):
            assert store.record_plain(T0 + HOUR, 10) == 1
        assert recorded(store, 1) == [("due", 1, 1)]

    @pytest.mark.parametrize("reason", [None, "the job was cancelled"], ids=["has run out", "is cancelled"])
    def test_a_job_that_is_gone_has_ended_unless_it_still_had_a_run(
        self, store: Store, reason: str | None
    ) -> None:
        row = insert(store)
        with store.transaction("record"):
            store.record(row, ss.Overlap.ALLOW, Plan((), None if reason is None else T0 + HOUR), T0)
        delete(store, row, T0 + 2 * HOUR, reason)
        assert recorded(store, 1) == [("ended" if reason is None else "cancelled", 2, None)]

    def test_a_job_whose_last_run_is_open_is_cancelled(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0)
        run = claim_one(store).run.id
        delete(store, row, T0 + HOUR, "the job was cancelled")
        assert recorded(store, 1) == [("due", 0, run), ("started", 0, run), ("cancelled", 1, None)]

    def test_a_job_that_is_resumed_with_nothing_left_is_resumed_and_ended(self, path: Path) -> None:
        clock = FakeClock(T0)
        client = ss.SchedulerClient(ss.LocalBackend(path, clock=clock))
        client.create(job(schedule=ss.OneTime(T0 + HOUR), target=ss.HandlerTarget("builtins:dict")))
        client.pause("job")
        clock.advance(2 * HOUR)
        client.resume("job")
        kinds = [event.kind.value for event in client.backend.events(after=0)]
        assert kinds == ["created", "paused", "resumed", "ended"]

    def test_a_job_that_cannot_be_read_is_paused_and_cancelled(self, store: Store) -> None:
        insert(store)
        store._db.execute("UPDATE jobs SET document = 1, created_at = 'x', updated_at = 'y', anchor = 'z'")
        row = store.job("job")
        assert row is not None
        assert not isinstance(row, JobRow)
        with store.transaction("set aside"):
            store.set_aside(row, T0 + HOUR)
        delete(store, row, T0 + 2 * HOUR, "gone")  # type: ignore[arg-type]
        assert recorded(store, 1) == [("paused", 1, None), ("cancelled", 2, None)]

    def test_steps_of_workflows_are_left_out(self, store: Store) -> None:
        insert(store)
        for name in (" 12/load", " 12/"):
            store._db.execute(
                "INSERT INTO jobs (name, job_group, status, overlap, version, document, created_at,"
                " updated_at, anchor) VALUES (?, '', 'active', 'allow', 1, '', 0, 0, 0)",
                (name,),
            )
            store._db.execute(
                "INSERT INTO runs (job_id, job, scheduled_for, trigger, status, recorded_at, start_after)"
                " VALUES (9, ?, 0, 'manual', 'pending', 0, 0)",
                (name,),
            )
        store._db.execute("UPDATE runs SET status = 'running'")
        store._db.execute("UPDATE jobs SET status = 'paused', updated_at = 0 WHERE name > 'a'")
        store._db.execute("DELETE FROM jobs WHERE name < 'a'")
        assert [event.job for event in store.events(0, 99)] == ["job"] * 2


class TestOrder:
    def test_a_transaction_that_is_undone_leaves_nothing(self, store: Store) -> None:
        insert(store, "a")
        with suppress(ZeroDivisionError), store.transaction("test"):
            store.insert_job(job("b"), "{}", T0, None)
            raise ZeroDivisionError
        insert(store, "c")
        assert [(event.id, event.job) for event in store.events(0, 99)] == [(1, "a"), (2, "c")]

    def test_what_several_processes_record_is_read_once_and_in_order(self, path: Path) -> None:
        program = (
            "import sys; from pathlib import Path; from tests.unit.local.test_store import *\n"
            "store = Store(Path(sys.argv[1]))\n"
            "for number in range(100): insert(store, f'{sys.argv[2]}-{number}')"
        )
        store, seen = Store(path), list[tuple[int, str]]()
        writers = [
            subprocess.Popen([sys.executable, "-c", program, path, name], cwd=ROOT)
            for name in ("a", "b", "c")
        ]
        while True:
            are_over = all(writer.poll() is not None for writer in writers)
            found = store.events(seen[-1][0] if seen else 0, 7)
            seen += [(event.id, event.job) for event in found]
            if are_over and not found:
                break
        assert [writer.returncode for writer in writers] == [0, 0, 0]
        assert [key for key, _ in seen] == list(range(1, 301))
        for name in ("a", "b", "c"):
            mine = [job for _, job in seen if job.startswith(name)]
            assert mine == [f"{name}-{number}" for number in range(100)]

    @posix
    def test_what_a_forked_child_records_is_read_by_its_parent(self, path: Path) -> None:
        store = Store(path)
        insert(store, "parent")
        pid = os.fork()
        if not pid:
            code = 1
            try:
                insert(store, "child")
                code = 0 if [event.job for event in store.events(0, 9)] == ["parent", "child"] else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert [(event.id, event.job) for event in store.events(0, 9)] == [(1, "parent"), (2, "child")]

    def test_after_the_end_nothing_is_read(self, path: Path) -> None:
        backend = ss.LocalBackend(path)
        backend.close()
        for read in (lambda: backend.events(after=0), backend.last_event):
            with pytest.raises(BackendError) as caught:
                read()
            assert caught.value.code == ErrorCode.CLOSED


class TestTidy:
    def fill(self, store: Store, count: int) -> None:
        """Events that are a minute apart."""
        for number in range(count):
            store._db.execute(
                "INSERT INTO events (kind, at, job) VALUES ('created', ?, 'job')",
                (micros(T0 + number * MINUTE),),
            )

    def tidy(self, store: Store, age: timedelta, most: int) -> bool:
        """An hour later."""
        with store.transaction("tidy"):
            return store.tidy(T0 + HOUR, Retention(age, most))

    def kept(self, store: Store) -> tuple[int, int]:
        events = store.events(0, 99_999)
        return events[0].id, events[-1].id

    def test_events_are_kept_as_long_as_runs(self, store: Store) -> None:
        self.fill(store, 60)
        assert not self.tidy(store, timedelta(minutes=20), 1_000)
        assert self.kept(store) == (41, 60)

    def test_ten_are_kept_for_each_run_that_is_kept(self, store: Store) -> None:
        self.fill(store, 60)
        assert not self.tidy(store, timedelta(days=9), 4)
        assert self.kept(store) == (21, 60)

    @pytest.mark.parametrize(("age", "most"), [(timedelta(0), 99), (timedelta(days=9), 0)])
    def test_the_latest_stays_so_that_no_position_is_used_again(
        self, store: Store, age: timedelta, most: int
    ) -> None:
        self.fill(store, 9)
        for _ in range(2):
            assert not self.tidy(store, age, most)
            assert self.kept(store) == (9, 9)
        insert(store)
        assert store.last_event() == 10

    def test_a_bounded_portion_at_once(self, store: Store) -> None:
        store._db.execute(
            "INSERT INTO events (kind, at, job) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
            " SELECT i + 1 FROM n WHERE i < 12000) SELECT 'created', 0, 'job' FROM n"
        )
        assert self.tidy(store, timedelta(0), 99)
        assert self.kept(store) == (5_001, 12_000)
        assert self.tidy(store, timedelta(0), 99)
        assert not self.tidy(store, timedelta(0), 99)
        assert self.kept(store) == (12_000, 12_000)

    def test_a_file_without_events_has_nothing_to_tidy(self, store: Store) -> None:
        assert not self.tidy(store, timedelta(0), 0)
        assert store.last_event() == 0


class TestDamage:
    @pytest.mark.parametrize(
        "change",
        [
            "kind = 'exploded'",
            "kind = 1",
            "at = 'soon'",
            "at = 9e99",
            "at = NULL",
            "job = x'00ff'",
            "run = 'x'",
        ],
    )
    def test_an_event_that_cannot_be_read_is_left_out(self, store: Store, change: str) -> None:
        for name in ("a", "b", "c"):
            insert(store, name)
        store._db.execute(f"UPDATE events SET {change} WHERE id = 2")
        assert [event.job for event in store.events(0, 99)] == ["a", "c"]

    def test_a_reader_gets_past_any_number_of_them(self, store: Store) -> None:
        for number in range(10):
            insert(store, f"job-{number}")
        store._db.execute("UPDATE events SET kind = 'exploded' WHERE id BETWEEN 3 AND 8")
        assert [event.id for event in store.events(2, 2)] == [9, 10]
        store._db.execute("UPDATE events SET kind = 'exploded'")
        assert store.events(0, 2) == []
        assert store.last_event() == 10


def test_a_process_of_an_earlier_version_that_has_the_file_open_is_recorded(path: Path) -> None:
    earlier = sqlite3.connect(path, isolation_level=None)
    with closing(earlier):
        earlier.execute("PRAGMA journal_mode = WAL")
        for number, _ in enumerate(MIGRATIONS[:4]):
            for step in MIGRATIONS[number]:
                for statement in step.split(";\n") if isinstance(step, str) else ():
                    earlier.execute(statement)
        earlier.execute(
            "INSERT INTO runs (job_id, job, scheduled_for, trigger, status, recorded_at, start_after)"
            " VALUES (1, 'job', 0, 'manual', 'pending', 0, 0)"
        )
        update = "UPDATE runs SET status = ?, started_at = ? WHERE id = 1"
        earlier.execute(update, ("pending", None))
        with closing(sqlite3.connect(path, isolation_level=None)) as later:
            later.execute("BEGIN IMMEDIATE")
            migrate(later, 4)
            later.execute("COMMIT")
        earlier.execute(update, ("running", 7))
    store = Store(path)
    (event,) = store.events(0, 9)
    assert (event.kind.value, event.at, event.job, event.run) == ("started", instant(7), "job", 1)
