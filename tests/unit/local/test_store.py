"""The SQLite file: what it keeps, and how it fails."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.backends.base import JobQuery, RunQuery
from stepsched.backends.local.policy import Due, Plan
from stepsched.backends.local.process import worker_name
from stepsched.backends.local.store import Claim, JobRow, Store

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ELSEWHERE = "-/1/-/elsewhere"
"""A worker of which nobody here can tell whether it lives."""
OTHER = "-/2/-/other"


def job(name: str = "job", **changes: object) -> ss.Job:
    schedule = ss.Rate(HOUR, start=T0)
    return ss.Job(name=name, schedule=schedule, target=ss.HandlerTarget("m:f")).replace(**changes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


def insert(store: Store, name: str = "job", **changes: object) -> JobRow:
    wanted = job(name, **changes)
    key = store.insert_job(wanted, wanted.model_dump_json(), T0, T0)
    assert key is not None
    row = store.job_by_id(key)
    assert row is not None
    return row


def record(store: Store, row: JobRow, *hours: float, now: datetime = T0) -> list[ss.Run]:
    due = tuple(Due(T0 + hour * HOUR, ss.RunStatus.PENDING, T0 + hour * HOUR) for hour in hours)
    return store.record(row, Plan(due, None), now)


def runs(store: Store) -> list[ss.Run]:
    return store.runs(RunQuery())


def statuses(store: Store) -> list[str]:
    return [run.status.value for run in runs(store)]


def claim_one(store: Store, worker: str = ELSEWHERE, now: datetime = T0) -> Claim:
    (claim,), _ = store.claim(worker, now, 1)
    return claim


def names(found: tuple[list[Claim], list[ss.Run]]) -> list[str]:
    return [claim.run.job for claim in found[0]]


class TestErrors:
    def test_a_folder_that_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(ss.AccessDeniedError, match="does its folder exist") as caught:
            Store(tmp_path / "nowhere" / "jobs.db")
        assert (caught.value.code, caught.value.operation, caught.value.retryable) == (
            "CANTOPEN",
            "open",
            False,
        )
        assert not (tmp_path / "nowhere").exists()

    def test_a_file_that_is_no_database(self, path: Path) -> None:
        text = b"this is a letter to my grandmother, and not a database at all\n" * 100
        path.write_bytes(text)
        with pytest.raises(ss.BackendError, match="no SQLite database; choose another") as caught:
            Store(path)
        assert caught.value.code == "NOTADB"
        assert path.read_bytes() == text

    @pytest.mark.parametrize("application_id", [0, 1234], ids=["without a mark", "marked as another's"])
    def test_another_programs_database_is_left_as_it_is(self, path: Path, application_id: int) -> None:
        with sqlite3.connect(path) as foreign:
            foreign.execute("CREATE TABLE jobs (id)")
            foreign.execute("INSERT INTO jobs VALUES (1)")
            foreign.execute(f"PRAGMA application_id = {application_id}")
        with pytest.raises(
            ss.BackendError, match="belongs to another program; choose another file"
        ) as caught:
            Store(path)
        assert caught.value.code == "FOREIGN"
        assert foreign.execute("SELECT * FROM jobs").fetchall() == [(1,)]
        assert foreign.execute("SELECT name FROM sqlite_master").fetchall() == [("jobs",)]
        foreign.close()

    def test_a_file_of_another_schema(self, path: Path) -> None:
        Store(path).close()
        with sqlite3.connect(path) as later:
            later.execute("PRAGMA user_version = 99")
        later.close()
        with pytest.raises(ss.BackendError, match="has schema 99; this stepsched knows 1") as caught:
            Store(path)
        assert caught.value.code == "VERSION"

    def test_a_file_that_another_program_holds_for_long(self, store: Store, path: Path) -> None:
        row = insert(store)
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ss.BackendUnavailableError, match="another process holds the file") as caught:
            store.record_manual(row, T0)
        assert (caught.value.code, caught.value.operation, caught.value.retryable) == (
            "BUSY",
            "record run",
            True,
        )
        holder.execute("ROLLBACK")
        holder.close()
        store.record_manual(row, T0)
        assert statuses(store) == ["pending"]

    def test_a_damaged_file(self, path: Path) -> None:
        whole = Store(path)
        insert(whole)
        whole.close()
        content = bytearray(path.read_bytes())
        page = int.from_bytes(content[16:18], "big")
        content[page:] = b"\x5a" * (len(content) - page)
        path.write_bytes(content)
        damaged = Store(path)
        with pytest.raises(ss.BackendError, match="the file is damaged; restore a copy") as caught:
            damaged.jobs(JobQuery())
        assert (caught.value.code, caught.value.retryable) == ("CORRUPT", False)
        damaged.close()

    def test_a_file_that_cannot_be_written_can_be_read(self, store: Store) -> None:
        row = insert(store)
        store._db.execute("PRAGMA query_only = ON")
        with pytest.raises(ss.AccessDeniedError, match="the file cannot be written") as caught:
            store.record_manual(row, T0)
        assert (caught.value.code, caught.value.retryable) == ("READONLY", False)
        assert store.job("job") == row
        store._db.execute("PRAGMA query_only = OFF")
        store.record_manual(row, T0)

    def test_a_full_disk_loses_nothing_that_is_recorded(self, store: Store) -> None:
        row = insert(store)
        store.record_manual(row, T0)
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(ss.BackendError):
            insert(store, "large", input="x" * 100_000)
        assert [found.name for found in store.jobs(JobQuery())] == ["job"]
        assert statuses(store) == ["pending"]
        store._db.execute("PRAGMA max_page_count = 100000")  # there is space again
        insert(store, "large", input="x" * 100_000)

    def test_a_store_that_was_closed(self, path: Path) -> None:
        store = Store(path)
        store.close()
        store.close()
        with pytest.raises(ss.BackendError, match="closed"):
            store.job("job")

    def test_what_nobody_foresaw_is_still_ours(self, store: Store) -> None:
        store._db.execute("DROP TABLE workers")
        with pytest.raises(ss.BackendError, match="no such table: workers") as caught:
            store.leave(ELSEWHERE, T0)
        assert (caught.value.service, caught.value.operation) == ("sqlite", "end lease")


class TestTransactions:
    def test_all_of_it_happens_or_nothing(self, store: Store) -> None:
        row = insert(store)

        def half() -> None:
            with store.transaction("test"):
                insert(store, "second")
                store.record_manual(row, T0)
                raise RuntimeError("half-way")

        with pytest.raises(RuntimeError, match="half-way"):
            half()
        assert [found.name for found in store.jobs(JobQuery())] == ["job"]
        assert runs(store) == []
        store.record_manual(row, T0)  # the store is of use afterwards

    def test_a_fault_inside_a_nested_one_undoes_the_outer_one(self, store: Store) -> None:
        def nested() -> None:
            with store.transaction("outer"):
                insert(store)
                with store.transaction("inner"):
                    raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            nested()
        assert store.jobs(JobQuery()) == []

    def test_what_is_not_committed_is_not_seen_by_others(self, store: Store, path: Path) -> None:
        second = Store(path)
        with store.transaction("test"):
            insert(store)
            assert second.job("job") is None
        assert second.job("job") is not None
        second.close()

    def test_what_is_committed_survives_a_killed_process(self, path: Path) -> None:
        program = (
            "import os, sys; from tests.unit.local.test_store import *\n"
            "store = Store(sys.argv[1]); insert(store)\n"
            "half = store.transaction('test'); half.__enter__(); insert(store, 'half'); os._exit(1)"
        )
        root = Path(__file__).parents[3]
        subprocess.run([sys.executable, "-c", program, path], cwd=root, check=False, timeout=60)
        after = Store(path)
        assert [found.name for found in after.jobs(JobQuery())] == ["job"]
        after.close()


class TestJobs:
    def test_a_name_is_taken_once(self, store: Store) -> None:
        insert(store)
        assert store.insert_job(job(input=1), "{}", T0, None) is None
        assert len(store.jobs(JobQuery())) == 1

    def test_an_id_is_never_used_again(self, store: Store) -> None:
        seen = set[int]()
        for _ in range(3):
            row = insert(store)
            assert row.id not in seen
            seen.add(row.id)
            store.delete_job(row, T0)

    def test_runs_of_a_job_that_is_gone_are_not_those_of_its_successor(self, store: Store) -> None:
        first = insert(store)
        record(store, first, 0)
        store.finish(claim_one(store), ELSEWHERE, ss.RunStatus.FAILED, T0)
        store.delete_job(first, T0)
        second = insert(store)
        assert store.last_run(first) is not None
        assert store.last_run(second) is None
        assert not store.has_failed(second.id, "job")

    def test_replaced_definitions_are_kept_in_order_and_go_with_the_job(self, store: Store) -> None:
        row = insert(store)
        for number in (1, 2):
            store.replace_job(
                row,
                job(),
                f'"{number}"',
                status=ss.JobStatus.ACTIVE,
                anchor=T0,
                next_run=None,
                now=T0 + number * MINUTE,
            )
            changed = store.job_by_id(row.id)
            assert changed is not None
            row = changed
        assert (row.version, row.document) == (3, '"2"')
        assert [(version, at) for version, _, at in store.versions(row)] == [
            (1, T0 + MINUTE),
            (2, T0 + 2 * MINUTE),
        ]
        assert store.versions(row)[1][1] == '"1"'
        store.delete_job(row, T0)
        assert store.versions(row) == []

    def test_deleting_closes_waiting_runs_and_leaves_the_running_one(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0, 1, 2)
        claim_one(store)
        tried = store.claim(OTHER, T0 + HOUR, 1)[0][0]
        store.finish(tried, OTHER, ss.RunStatus.PENDING, T0 + HOUR, error="no luck", again_at=T0 + 2 * HOUR)
        store.delete_job(row, T0 + HOUR, "cancelled")
        assert [(run.status.value, run.error) for run in runs(store)] == [
            ("running", None),
            ("failed", "no luck"),
            ("skipped", "cancelled"),
        ]

    def test_due_jobs_come_earliest_first_and_bounded(self, store: Store) -> None:
        for name, hour in (("late", 2), ("early", 0), ("middle", 1), ("to come", 9)):
            row = insert(store, name.replace(" ", "-"))
            store.set_status(row, ss.JobStatus.ACTIVE, T0 + hour * HOUR, T0)
        assert [row.name for row in store.due_jobs(T0 + 3 * HOUR, 9)] == ["early", "middle", "late"]
        assert [row.name for row in store.due_jobs(T0 + 3 * HOUR, 2)] == ["early", "middle"]


class TestRecording:
    def test_a_scheduled_instant_is_recorded_once_whoever_records_it(self, store: Store, path: Path) -> None:
        row = insert(store)
        second = Store(path)
        assert len(record(store, row, 0, 1)) == 2
        assert [run.scheduled_for for run in record(second, row, 0, 1, 2)] == [T0 + 2 * HOUR]
        assert len(runs(store)) == 3
        second.close()

    def test_manual_runs_of_one_instant_are_all_recorded(self, store: Store) -> None:
        row = insert(store)
        first, second = store.record_manual(row, T0), store.record_manual(row, T0)
        assert first.id < second.id
        assert len(record(store, row, 0)) == 1

    def test_a_missed_run_has_ended_and_is_never_claimed(self, store: Store) -> None:
        row = insert(store)
        store.record(row, Plan((Due(T0, ss.RunStatus.MISSED, T0),), None), T0 + HOUR)
        assert [run.ended_at for run in runs(store)] == [T0 + HOUR]
        assert store.claim(ELSEWHERE, T0 + HOUR, 9) == ([], [])

    def test_backfill_records_each_instant_once_and_none_that_the_schedule_recorded(
        self, store: Store
    ) -> None:
        row = insert(store)
        record(store, row, 1)
        store.record_manual(row, T0 + 2 * HOUR)
        wanted = [T0, T0 + HOUR, T0 + 2 * HOUR]
        assert [run.scheduled_for for run in store.record_backfill(row, wanted, T0)] == [T0, T0 + 2 * HOUR]
        assert store.record_backfill(row, wanted, T0) == []

    def test_instants_come_back_to_the_microsecond_in_utc(self, store: Store) -> None:
        paris = timezone(HOUR)
        instant = datetime(2030, 1, 7, 9, 0, 0, 123457, tzinfo=paris)
        run = store.record_manual(insert(store), instant)
        assert runs(store) == [run]
        assert (run.scheduled_for, run.scheduled_for.utcoffset()) == (instant, timedelta(0))
        early = datetime(1901, 2, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
        assert store.record_manual(insert(store, "early"), early) == runs(store)[1]
        assert runs(store)[1].scheduled_for == early


class TestClaim:
    def test_the_earliest_run_comes_first_then_the_one_recorded_first(self, store: Store) -> None:
        for name, hour in (("c", 2), ("a", 0), ("b", 1), ("d", 2)):
            record(store, insert(store, name), hour)
        assert names(store.claim(ELSEWHERE, T0 + 3 * HOUR, 9)) == ["a", "b", "c", "d"]

    def test_no_more_than_asked_for_and_none_before_its_time(self, store: Store) -> None:
        for name, hour in (("a", 0), ("b", 0), ("later", 1)):
            record(store, insert(store, name), hour)
        assert names(store.claim(ELSEWHERE, T0, 1)) == ["a"]
        assert names(store.claim(ELSEWHERE, T0 + HOUR - timedelta(microseconds=1), 9)) == ["b"]
        assert names(store.claim(ELSEWHERE, T0 + HOUR, 9)) == ["later"]

    def test_a_claimed_run_is_marked_and_no_second_worker_gets_it(self, store: Store, path: Path) -> None:
        record(store, insert(store), 0)
        second = Store(path)
        claim = claim_one(store, now=T0 + MINUTE)
        assert second.claim(OTHER, T0 + HOUR, 9) == ([], [])
        assert (claim.run.status, claim.run.attempt, claim.run.started_at) == (
            ss.RunStatus.RUNNING,
            1,
            T0 + MINUTE,
        )
        assert (runs(second), claim.row.name, claim.recorded_at) == ([claim.run], "job", T0)
        second.close()

    def test_allow_hands_out_runs_of_one_job_side_by_side(self, store: Store) -> None:
        record(store, insert(store), 0, 1)
        assert len(store.claim(ELSEWHERE, T0 + HOUR, 9)[0]) == 2

    def test_queue_holds_later_runs_back_until_the_earlier_ended(self, store: Store) -> None:
        record(store, insert(store, overlap=ss.Overlap.QUEUE), 0, 1)
        record(store, insert(store, "other"), 1)
        now = T0 + HOUR
        claim = claim_one(store, now=now)
        assert names(store.claim(OTHER, now, 9)) == ["other"]
        store.finish(claim, ELSEWHERE, ss.RunStatus.PENDING, now, again_at=now + HOUR)
        assert store.claim(OTHER, now, 9) == ([], [])  # the earlier one waits for its next attempt
        again = claim_one(store, now=now + HOUR)
        assert again.run.id == claim.run.id
        store.finish(again, ELSEWHERE, ss.RunStatus.FAILED, now + HOUR)
        assert names(store.claim(OTHER, now + HOUR, 9)) == ["job"]

    def test_skip_closes_later_runs_while_one_runs_or_waits_for_its_next_attempt(self, store: Store) -> None:
        record(store, insert(store, overlap=ss.Overlap.SKIP), 0, 1, 2)
        claim = claim_one(store)
        claims, skipped = store.claim(OTHER, T0 + HOUR, 9)
        assert (claims, [run.status for run in skipped]) == ([], [ss.RunStatus.SKIPPED])
        store.finish(claim, ELSEWHERE, ss.RunStatus.PENDING, T0 + HOUR, again_at=T0 + 3 * HOUR)
        claims, skipped = store.claim(OTHER, T0 + 2 * HOUR, 9)
        assert (claims, len(skipped)) == ([], 1)
        again = claim_one(store, now=T0 + 3 * HOUR)  # the attempt itself is not skipped
        store.finish(again, ELSEWHERE, ss.RunStatus.SUCCEEDED, T0 + 3 * HOUR)
        assert statuses(store) == ["succeeded", "skipped", "skipped"]
        assert runs(store)[1:] == [
            run.replace(ended_at=T0 + hour * HOUR)
            for hour, run in enumerate(runs(store)[1:], 1)
            if run.error == "an earlier run of the job still ran"
        ]

    def test_skip_lets_the_next_run_start_once_the_earlier_ended(self, store: Store) -> None:
        record(store, insert(store, overlap=ss.Overlap.SKIP), 0, 1)
        store.finish(claim_one(store), ELSEWHERE, ss.RunStatus.SUCCEEDED, T0)
        assert names(store.claim(ELSEWHERE, T0 + HOUR, 9)) == ["job"]

    def test_a_run_whose_job_is_gone_is_not_handed_out(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0)
        store.delete_job(row, T0, "gone")
        assert store.claim(ELSEWHERE, T0, 9) == ([], [])


class TestFinish:
    def test_records_the_outcome(self, store: Store) -> None:
        record(store, insert(store), 0)
        claim = claim_one(store)
        assert store.finish(claim, ELSEWHERE, ss.RunStatus.SUCCEEDED, T0 + HOUR, output="1")
        (run,) = runs(store)
        assert (run.status.value, run.ended_at, run.output, run.error) == ("succeeded", T0 + HOUR, "1", None)

    def test_only_the_worker_that_holds_the_run_can(self, store: Store) -> None:
        record(store, insert(store), 0)
        claim = claim_one(store)
        assert not store.finish(claim, OTHER, ss.RunStatus.FAILED, T0)
        assert statuses(store) == ["running"]
        assert store.finish(claim, ELSEWHERE, ss.RunStatus.SUCCEEDED, T0)
        assert not store.finish(claim, ELSEWHERE, ss.RunStatus.FAILED, T0)
        assert statuses(store) == ["succeeded"]

    def test_another_attempt_waits_for_its_time(self, store: Store) -> None:
        record(store, insert(store), 0)
        store.finish(claim_one(store), ELSEWHERE, ss.RunStatus.PENDING, T0, error="no", again_at=T0 + HOUR)
        assert store.claim(ELSEWHERE, T0 + HOUR - MINUTE, 9) == ([], [])
        again = claim_one(store, now=T0 + HOUR)
        assert (again.run.attempt, again.run.error, again.run.ended_at) == (2, "no", None)

    def test_a_released_run_is_as_if_it_had_not_been_claimed(self, store: Store) -> None:
        record(store, insert(store), 0)
        claim = claim_one(store)
        store.release(claim, OTHER)
        assert statuses(store) == ["running"]
        store.release(claim, ELSEWHERE)
        assert [(run.status.value, run.attempt) for run in runs(store)] == [("pending", 0)]
        assert claim_one(store, OTHER).run.attempt == 1

    def test_a_job_has_run_out_once_nothing_is_to_come_or_open(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0)  # and nothing to come
        assert not store.has_run_out(row.id)
        claim = claim_one(store)
        assert not store.has_run_out(row.id)
        store.finish(claim, ELSEWHERE, ss.RunStatus.FAILED, T0)
        assert store.has_run_out(row.id)
        assert store.has_failed(row.id, "job")
        store.set_status(row, ss.JobStatus.PAUSED, None, T0)
        assert not store.has_run_out(row.id)


class TestRedrive:
    def test_a_failed_run_waits_again_with_all_its_attempts(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0)
        claim = claim_one(store)
        store.finish(claim, ELSEWHERE, ss.RunStatus.FAILED, T0, error="no")
        store.set_status(row, ss.JobStatus.ENDED, None, T0)
        again = store.redrive("job", claim.run.id, T0 + HOUR)
        assert again is not None
        assert (again.status, again.attempt, again.ended_at) == (ss.RunStatus.PENDING, 0, None)
        assert [found.status for found in store.jobs(JobQuery())] == [ss.JobStatus.ACTIVE]
        assert claim_one(store, now=T0 + HOUR).recorded_at == T0 + HOUR  # its age counts from here

    def test_a_paused_job_stays_paused(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0)
        claim = claim_one(store)
        store.finish(claim, ELSEWHERE, ss.RunStatus.FAILED, T0)
        store.set_status(row, ss.JobStatus.PAUSED, None, T0)
        assert store.redrive("job", claim.run.id, T0) is not None
        assert [found.status for found in store.jobs(JobQuery())] == [ss.JobStatus.PAUSED]

    def test_only_a_failed_run_of_that_job_while_it_is_stored(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0, 1)
        good = claim_one(store)
        store.finish(good, ELSEWHERE, ss.RunStatus.SUCCEEDED, T0)
        bad = claim_one(store, now=T0 + HOUR)
        assert store.redrive("job", bad.run.id, T0) is None
        store.finish(bad, ELSEWHERE, ss.RunStatus.FAILED, T0)
        assert store.redrive("job", good.run.id, T0) is None
        assert store.redrive("other", bad.run.id, T0) is None
        store.delete_job(row, T0)
        insert(store)
        assert store.redrive("job", bad.run.id, T0) is None
        assert statuses(store) == ["succeeded", "failed"]


class TestForget:
    def ended(self, store: Store, count: int) -> None:
        """Runs that ended an hour apart, and one that waits."""
        record(store, insert(store), *range(count + 1))
        for hour in range(count):
            store.finish(
                claim_one(store, now=T0 + hour * HOUR), ELSEWHERE, ss.RunStatus.FAILED, T0 + hour * HOUR
            )

    def kept(self, store: Store) -> list[float]:
        return [(run.scheduled_for - T0) / HOUR for run in runs(store)]

    def test_what_ended_before_an_instant_goes(self, store: Store) -> None:
        self.ended(store, 5)
        assert store.forget(T0 + 2 * HOUR, 99, 99) == 2
        assert self.kept(store) == [2, 3, 4, 5]

    def test_the_oldest_of_too_many_go_and_open_runs_stay(self, store: Store) -> None:
        self.ended(store, 5)
        assert store.forget(T0 - HOUR, 2, 99) == 3
        assert self.kept(store) == [3, 4, 5]
        assert store.forget(T0 - HOUR, 0, 99) == 2
        assert self.kept(store) == [5]

    @pytest.mark.parametrize(("before", "keep"), [(T0 + 9 * HOUR, 99), (T0, 0)], ids=["age", "number"])
    def test_a_bounded_portion_at_once(self, store: Store, before: datetime, keep: int) -> None:
        self.ended(store, 5)
        assert store.forget(before, keep, 2) == 2
        assert self.kept(store) == [2, 3, 4, 5]


class TestLeases:
    def test_runs_of_a_silent_worker_are_freed_and_say_so(self, store: Store) -> None:
        record(store, insert(store), 0)
        assert store.stay_alive(ELSEWHERE, T0 + MINUTE, T0) == []
        claim = claim_one(store)
        assert store.stay_alive(OTHER, T0 + HOUR, T0 + MINUTE) == []  # the lease holds, inclusive
        now = T0 + MINUTE + timedelta(microseconds=1)
        (freed,) = store.stay_alive(OTHER, T0 + HOUR, now)
        assert (freed.id, freed.status, freed.restarted) == (claim.run.id, ss.RunStatus.PENDING, True)
        assert not store.finish(claim, ELSEWHERE, ss.RunStatus.SUCCEEDED, now)
        again = claim_one(store, OTHER, now)
        assert (again.run.attempt, again.run.restarted) == (2, True)

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
    def test_runs_of_a_dead_worker_are_freed_within_its_lease(self, store: Store) -> None:
        home, pid, start, rest = worker_name().split("/")
        dead = f"{home}/{pid}/{int(start) - 1}/{rest}"
        record(store, insert(store), 0)
        store.stay_alive(dead, T0 + HOUR, T0)
        claim = claim_one(store, dead)
        assert [run.id for run in store.stay_alive(OTHER, T0 + HOUR, T0)] == [claim.run.id]

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
    def test_runs_of_a_living_worker_stay_its_own_beyond_its_lease(self, store: Store) -> None:
        living = worker_name()
        record(store, insert(store), 0)
        store.stay_alive(living, T0, T0)
        claim = claim_one(store, living)
        assert store.stay_alive(OTHER, T0 + 9 * HOUR, T0 + 9 * HOUR) == []
        assert store.finish(claim, living, ss.RunStatus.SUCCEEDED, T0 + 9 * HOUR)

    def test_a_worker_does_not_free_its_own_runs(self, store: Store) -> None:
        record(store, insert(store), 0)
        store.stay_alive(ELSEWHERE, T0, T0)
        claim_one(store)
        assert store.stay_alive(ELSEWHERE, T0 + 9 * HOUR, T0 + 8 * HOUR) == []
        assert statuses(store) == ["running"]

    def test_a_worker_that_leaves_frees_what_it_holds_and_no_other(self, store: Store) -> None:
        for name, worker in (("a", ELSEWHERE), ("b", OTHER)):
            store.stay_alive(worker, T0 + HOUR, T0)
            record(store, insert(store, name), 0)
            claim_one(store, worker)
        assert [run.job for run in store.leave(ELSEWHERE, T0)] == ["a"]
        assert statuses(store) == ["pending", "running"]
        assert store.leave(ELSEWHERE, T0) == []

    def test_the_next_event_is_the_earliest_of_what_is_to_come(self, store: Store) -> None:
        assert store.next_event(T0) is None
        row = insert(store)
        store.set_status(row, ss.JobStatus.ACTIVE, T0 + 3 * HOUR, T0)
        assert store.next_event(T0) == T0 + 3 * HOUR
        store.record(row, Plan((Due(T0, ss.RunStatus.PENDING, T0 + HOUR),), T0 + 3 * HOUR), T0)
        assert store.next_event(T0) == T0 + HOUR
        assert store.next_event(T0 + HOUR) == T0 + 3 * HOUR
