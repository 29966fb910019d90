"""What the SQLite file keeps, statement by statement."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.backends.base import JobQuery, RunQuery
from stepsched.backends.local.policy import Due, Plan
from stepsched.backends.local.rows import GIVEN_UP, PAUSED, QUEUED, Claim, JobRow, RunRow, micros
from stepsched.backends.local.store import Retention, Store, is_plain

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
    with store.transaction("insert"):
        key = store.insert_job(wanted, wanted.model_dump_json(), T0, T0)
    assert key is not None
    return present(store, key)


def present(store: Store, key: int) -> JobRow:
    row = store.job_by_id(key)
    assert isinstance(row, JobRow)
    return row


def set_status(store: Store, row: JobRow, status: ss.JobStatus, next_run: datetime | None = None) -> None:
    with store.transaction("set status"):
        store.set_status(row, status, next_run, T0)


def delete(store: Store, row: JobRow, now: datetime = T0, reason: str | None = None) -> None:
    with store.transaction("delete"):
        store.delete_job(row, now, reason)


def record(
    store: Store, row: JobRow, *hours: float, now: datetime = T0, overlap: ss.Overlap = ss.Overlap.ALLOW
) -> list[ss.Run]:
    due = tuple(Due(T0 + hour * HOUR, ss.RunStatus.PENDING, T0 + hour * HOUR) for hour in hours)
    with store.transaction("record"):
        return store.record(row, overlap, Plan(due, None), now)


def record_manual(store: Store, row: JobRow, now: datetime = T0) -> ss.Run:
    with store.transaction("record"):
        return store.record_manual(row, now)


def rows(store: Store) -> list[RunRow]:
    found = list[RunRow]()
    for row in store.runs(RunQuery()):
        assert isinstance(row, RunRow)
        found.append(row)
    return found


def runs(store: Store) -> list[ss.Run]:
    return [row.run for row in rows(store)]


def statuses(store: Store) -> list[str]:
    return [run.status.value for run in runs(store)]


def held(store: Store) -> list[str | None]:
    """Why each run must not start; None where it may, or is over."""
    return [why for (why,) in store._rows("SELECT held FROM runs ORDER BY id")]


def claim(
    store: Store, worker: str = ELSEWHERE, now: datetime = T0, limit: int = 99, **options: bool
) -> list[Claim]:
    """Begins up to so many runs that may start."""
    claims = list[Claim]()
    with store.transaction("claim"):
        found = store.candidates(worker, now, limit, refused=options.get("refused", False), without=())
        for candidate in found:
            assert isinstance(candidate.run, RunRow)
            assert isinstance(candidate.job, JobRow)
            claims.append(store.begin(candidate.run, candidate.job, worker, now))
    return claims


def claim_one(store: Store, worker: str = ELSEWHERE, now: datetime = T0) -> Claim:
    (claimed,) = claim(store, worker, now, 1)
    return claimed


def names(claims: list[Claim]) -> list[str]:
    return [claimed.run.job for claimed in claims]


def finish(
    store: Store,
    claimed: Claim,
    status: ss.RunStatus,
    now: datetime = T0,
    *,
    worker: str = ELSEWHERE,
    error: str | None = None,
    output: str | None = None,
    again_at: datetime | None = None,
    lingering: bool = False,
    held: str | None = None,
    undelivered: int = 0,
) -> bool:
    """Records an outcome, and lets the next in the queue go, as the engine does."""
    with store.transaction("finish"):
        done = store.finish(
            claimed,
            worker,
            status,
            now,
            error=error,
            output=output,
            again_at=again_at,
            lingering=lingering,
            held=held,
            undelivered=undelivered,
        )
        if status is not ss.RunStatus.PENDING:
            store.let_next_go(claimed.row.id)
    return done


class TestJobs:
    def test_a_name_is_taken_once(self, store: Store) -> None:
        insert(store)
        with store.transaction("test"):
            assert store.insert_job(job(input=1), "{}", T0, None) is None
        assert len(store.jobs(JobQuery())) == 1

    def test_an_id_is_never_used_again(self, store: Store) -> None:
        seen = set[int]()
        for _ in range(3):
            row = insert(store)
            assert row.id not in seen
            seen.add(row.id)
            delete(store, row)

    def test_runs_of_a_job_that_is_gone_are_not_those_of_its_successor(self, store: Store) -> None:
        first = insert(store)
        record(store, first, 0)
        finish(store, claim_one(store), ss.RunStatus.SUCCEEDED)
        delete(store, first)
        second = insert(store)
        assert store.last_run(first) is not None
        assert store.last_run(second) is None
        assert store.has_succeeded(first.id, "job")
        assert not store.has_succeeded(second.id, "job")

    def test_replaced_definitions_are_kept_in_order_and_go_with_the_job(self, store: Store) -> None:
        row = insert(store)
        for number in (1, 2):
            with store.transaction("replace"):
                store.replace_job(
                    row,
                    job(),
                    f'"{number}"',
                    status=ss.JobStatus.ACTIVE,
                    anchor=T0,
                    next_run=None,
                    now=T0 + number * MINUTE,
                )
            row = present(store, row.id)
        assert (row.version, row.document) == (3, '"2"')
        assert [(version, at) for version, _, at in store.versions(row)] == [
            (1, T0 + MINUTE),
            (2, T0 + 2 * MINUTE),
        ]
        assert store.versions(row)[1][1] == '"1"'
        delete(store, row)
        assert store.versions(row) == []

    def test_deleting_closes_waiting_runs_and_leaves_the_running_one(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0, 1, 2)
        claim_one(store)
        tried = claim_one(store, OTHER, T0 + HOUR)
        finish(
            store,
            tried,
            ss.RunStatus.PENDING,
            T0 + HOUR,
            worker=OTHER,
            error="no luck",
            again_at=T0 + 2 * HOUR,
        )
        delete(store, row, T0 + HOUR, "cancelled")
        assert [(run.status.value, run.error) for run in runs(store)] == [
            ("running", None),
            ("failed", "no luck"),
            ("skipped", "cancelled"),
        ]

    def test_deleting_forgets_who_could_not_call_it(self, store: Store) -> None:
        row, other = insert(store), insert(store, "other")
        with store.transaction("refuse"):
            store.refuse(ELSEWHERE, row, "no")
            store.refuse(ELSEWHERE, other, "no")
        delete(store, row, reason="cancelled")
        assert store._rows("SELECT job_id FROM refusals") == [(other.id,)]

    def test_due_jobs_come_earliest_first_and_bounded(self, store: Store) -> None:
        for name, hour in (("late", 2), ("early", 0), ("middle", 1), ("to come", 9)):
            row = insert(store, name.replace(" ", "-"))
            set_status(store, row, ss.JobStatus.ACTIVE, T0 + hour * HOUR)
        found = store.due_jobs(T0 + 3 * HOUR, 9)
        assert [row.name for row in found] == ["early", "middle", "late"]
        assert [row.name for row in store.due_jobs(T0 + 3 * HOUR, 2)] == ["early", "middle"]

    def test_the_zone_of_the_schedule_is_kept_and_changes_with_it(self, store: Store) -> None:
        cron = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
        row = insert(store, schedule=cron)
        assert row.timezone == "Europe/Paris"
        with store.transaction("replace"):
            store.replace_job(row, job(), "{}", status=ss.JobStatus.ACTIVE, anchor=T0, next_run=None, now=T0)
        assert present(store, row.id).timezone is None


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
        first, second = record_manual(store, row), record_manual(store, row)
        assert first.id < second.id
        assert len(record(store, row, 0)) == 1

    def test_a_missed_run_has_ended_says_why_and_is_never_claimed(self, store: Store) -> None:
        row = insert(store)
        plan = Plan((Due(T0, ss.RunStatus.MISSED, T0, "too late"),), None)
        with store.transaction("record"):
            (recorded,) = store.record(row, ss.Overlap.ALLOW, plan, T0 + HOUR)
        assert runs(store) == [recorded]
        assert (recorded.ended_at, recorded.error) == (T0 + HOUR, "too late")
        assert claim(store, now=T0 + HOUR) == []

    def test_a_missed_run_holds_up_no_queue(self, store: Store) -> None:
        row = insert(store, overlap=ss.Overlap.QUEUE)
        due = (Due(T0, ss.RunStatus.MISSED, T0), Due(T0 + HOUR, ss.RunStatus.PENDING, T0 + HOUR))
        with store.transaction("record"):
            store.record(row, ss.Overlap.QUEUE, Plan(due, None), T0 + HOUR)
        assert held(store) == [None, None]
        assert names(claim(store, now=T0 + HOUR)) == ["job"]

    def test_backfill_records_each_instant_once_and_none_that_the_schedule_recorded(
        self, store: Store
    ) -> None:
        row = insert(store)
        record(store, row, 1)
        record_manual(store, row, T0 + 2 * HOUR)
        wanted = [T0, T0 + HOUR, T0 + 2 * HOUR]
        with store.transaction("backfill"):
            first = store.record_backfill(row, wanted, T0)
        with store.transaction("backfill"):
            assert store.record_backfill(row, wanted, T0) == []
        assert [run.scheduled_for for run in first] == [T0, T0 + 2 * HOUR]

    def test_instants_come_back_to_the_microsecond_in_utc(self, store: Store) -> None:
        paris = timezone(HOUR)
        instant = datetime(2030, 1, 7, 9, 0, 0, 123457, tzinfo=paris)
        run = record_manual(store, insert(store), instant)
        (kept,) = runs(store)
        assert (kept.scheduled_for, kept.scheduled_for.utcoffset()) == (instant, timedelta(0))
        assert kept == run
        early = datetime(1901, 2, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
        assert record_manual(store, insert(store, "early"), early) == runs(store)[1]
        assert runs(store)[1].scheduled_for == early

    def test_a_run_shows_its_instant_in_the_zone_of_its_job(self, store: Store) -> None:
        row = insert(store, schedule=ss.Cron("0 9 * * ? *", timezone="Europe/Paris"))
        (recorded,) = record(store, row, 9)
        (kept,) = runs(store)
        for run in (recorded, kept):
            assert run.scheduled_for == T0 + 9 * HOUR
            assert run.scheduled_for.utcoffset() == HOUR

    def test_a_run_that_was_recorded_is_found_by_its_id(self, store: Store) -> None:
        run = record_manual(store, insert(store))
        found = store.run(run.id)
        assert isinstance(found, RunRow)
        assert found.run == run
        assert store.run(run.id + 1) is None


class TestPlainJobs:
    """Jobs whose one run is recorded by the statement, without a plan."""

    ONCE = ss.OneTime(T0 + HOUR)

    @pytest.mark.parametrize(
        ("changes", "plain"),
        [
            pytest.param({}, True, id="one-time"),
            pytest.param({"schedule": ss.Rate(HOUR)}, False, id="recurring"),
            pytest.param({"catch_up": ss.CatchUp.SKIP}, False, id="catch up"),
            pytest.param({"catch_up_within": HOUR}, False, id="catch up within"),
            pytest.param({"overlap": ss.Overlap.QUEUE}, False, id="queue"),
            pytest.param({"overlap": ss.Overlap.SKIP}, True, id="skip"),
            pytest.param({"jitter": MINUTE}, False, id="jitter"),
        ],
    )
    def test_are_those_with_nothing_to_decide(self, changes: dict[str, object], plain: bool) -> None:
        once = job().replace(schedule=self.ONCE, catch_up=ss.CatchUp.ALL)
        assert is_plain(once.replace(**changes)) is plain

    def plain(self, store: Store, name: str, at: datetime, **changes: object) -> JobRow:
        row = insert(store, name, **{"schedule": self.ONCE, "catch_up": ss.CatchUp.ALL, **changes})
        set_status(store, row, ss.JobStatus.ACTIVE, at)
        return present(store, row.id)

    def record_plain(self, store: Store, now: datetime, most: int = 9) -> int:
        with store.transaction("record"):
            return store.record_plain(now, most)

    def test_are_recorded_once_as_they_are_due_the_earliest_first(self, store: Store) -> None:
        for name, hour in (("late", 3), ("b", 2), ("a", 1)):
            self.plain(store, name, T0 + hour * HOUR)
        now = T0 + 2 * HOUR
        assert self.record_plain(store, now, 1) == 1
        assert self.record_plain(store, now) == 1
        assert self.record_plain(store, now) == 0
        assert [(run.job, run.scheduled_for, run.trigger) for run in runs(store)] == [
            ("a", T0 + HOUR, ss.jobs.Trigger.SCHEDULE),
            ("b", T0 + 2 * HOUR, ss.jobs.Trigger.SCHEDULE),
        ]
        assert [row.start_after for row in rows(store)] == [T0 + HOUR, T0 + 2 * HOUR]
        assert names(claim(store, now=now)) == ["a", "b"]

    def test_do_not_overtake_a_job_that_is_not_plain(self, store: Store) -> None:
        self.plain(store, "a", T0)
        other = self.plain(store, "other", T0 + HOUR, jitter=MINUTE)
        self.plain(store, "b", T0 + 2 * HOUR)
        now = T0 + 2 * HOUR
        assert (self.record_plain(store, now), self.record_plain(store, now)) == (1, 0)
        set_status(store, other, ss.JobStatus.ACTIVE)
        assert self.record_plain(store, now) == 1
        assert [run.job for run in runs(store)] == ["a", "b"]

    def test_are_not_recorded_again_where_their_run_is_there(self, store: Store) -> None:
        row = self.plain(store, "a", T0)
        record(store, row, 0)
        set_status(store, row, ss.JobStatus.ACTIVE, T0)
        self.record_plain(store, T0)
        assert len(runs(store)) == 1
        assert present(store, row.id).next_run is None

    def test_show_their_run_in_the_zone_of_the_job(self, store: Store) -> None:
        paris = ss.OneTime("2030-01-07T09:00", timezone="Europe/Paris")
        self.plain(store, "a", T0 + 8 * HOUR, schedule=paris)
        self.record_plain(store, T0 + 9 * HOUR)
        (run,) = runs(store)
        assert run.scheduled_for.isoformat() == "2030-01-07T09:00:00+01:00"

    def test_are_plain_no_more_once_they_are_replaced_by_others(self, store: Store) -> None:
        row = self.plain(store, "a", T0)
        with store.transaction("replace"):
            store.replace_job(row, job(), "{}", status=row.status, anchor=T0, next_run=T0, now=T0)
        assert self.record_plain(store, T0) == 0


class TestClaim:
    def test_the_earliest_run_comes_first_then_the_one_recorded_first(self, store: Store) -> None:
        for name, hour in (("c", 2), ("a", 0), ("b", 1), ("d", 2)):
            record(store, insert(store, name), hour)
        assert names(claim(store, now=T0 + 3 * HOUR)) == ["a", "b", "c", "d"]

    def test_no_more_than_asked_for_and_none_before_its_time(self, store: Store) -> None:
        for name, hour in (("a", 0), ("b", 0), ("later", 1)):
            record(store, insert(store, name), hour)
        assert names(claim(store, limit=1)) == ["a"]
        assert names(claim(store, now=T0 + HOUR - timedelta(microseconds=1))) == ["b"]
        assert names(claim(store, now=T0 + HOUR)) == ["later"]

    def test_a_claimed_run_is_marked_and_no_second_worker_gets_it(self, store: Store, path: Path) -> None:
        record(store, insert(store), 0)
        second = Store(path)
        claimed = claim_one(store, now=T0 + MINUTE)
        assert claim(second, OTHER, T0 + HOUR) == []
        assert (claimed.run.status, claimed.run.attempt, claimed.run.started_at) == (
            ss.RunStatus.RUNNING,
            1,
            T0 + MINUTE,
        )
        assert (runs(second), claimed.row.name, claimed.recorded_at) == ([claimed.run], "job", T0)
        second.close()

    def test_allow_hands_out_runs_of_one_job_side_by_side(self, store: Store) -> None:
        record(store, insert(store), 0, 1)
        assert len(claim(store, now=T0 + HOUR)) == 2

    def test_a_run_whose_job_is_gone_is_not_handed_out(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0)
        delete(store, row, reason="gone")
        assert claim(store) == []

    def test_jobs_that_are_left_out_come_with_the_next_question(self, store: Store) -> None:
        row, other = insert(store), insert(store, "other")
        record(store, row, 0)
        record(store, other, 1)
        with store.transaction("claim"):
            found = store.candidates(ELSEWHERE, T0 + HOUR, 9, refused=False, without={row.id})
            assert [candidate.job.name for candidate in found] == ["other"]
            found = store.candidates(ELSEWHERE, T0 + HOUR, 9, refused=False, without=())
            assert [candidate.job.name for candidate in found] == ["job", "other"]


class TestQueue:
    QUEUE = ss.Overlap.QUEUE

    def test_it_holds_later_runs_back_until_the_earlier_ended(self, store: Store) -> None:
        record(store, insert(store, overlap=self.QUEUE), 0, 1, overlap=self.QUEUE)
        record(store, insert(store, "other"), 1)
        now = T0 + HOUR
        claimed = claim_one(store, now=now)
        assert names(claim(store, OTHER, now)) == ["other"]
        finish(store, claimed, ss.RunStatus.PENDING, now, again_at=now + HOUR)
        assert claim(store, OTHER, now) == []  # the earlier one waits for its next attempt
        again = claim_one(store, now=now + HOUR)
        assert again.run.id == claimed.run.id
        finish(store, again, ss.RunStatus.FAILED, now + HOUR)
        assert names(claim(store, OTHER, now + HOUR)) == ["job"]

    def test_manual_runs_and_backfill_queue_up_too(self, store: Store) -> None:
        row = insert(store, overlap=self.QUEUE)
        record_manual(store, row)
        record_manual(store, row)
        with store.transaction("backfill"):
            store.record_backfill(row, [T0 - HOUR], T0)
        assert held(store) == [None, QUEUED, QUEUED]
        for expected in ([1], [2], [3]):
            claimed = claim(store)
            assert [each.run.id for each in claimed] == expected
            finish(store, claimed[0], ss.RunStatus.SUCCEEDED)

    def test_a_run_that_waits_says_for_what(self, store: Store) -> None:
        record(store, insert(store, overlap=self.QUEUE), 0, 1, overlap=self.QUEUE)
        assert [run.pending_reason for run in runs(store)] == [
            None,
            "an earlier run of the job still ran",
        ]

    def test_a_change_of_the_overlap_lets_go_or_queues_what_waits(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0, 1, 2)

        def change(overlap: ss.Overlap) -> None:
            with store.transaction("replace"):
                store.replace_job(
                    present(store, row.id),
                    job(overlap=overlap),
                    "{}",
                    status=ss.JobStatus.ACTIVE,
                    anchor=T0,
                    next_run=None,
                    now=T0,
                )

        change(self.QUEUE)
        assert held(store) == [None, QUEUED, QUEUED]
        change(ss.Overlap.ALLOW)
        assert held(store) == [None, None, None]

    def test_a_run_that_still_goes_on_though_nobody_awaits_it_holds_up_the_queue(self, store: Store) -> None:
        row = insert(store, overlap=self.QUEUE)
        record(store, row, 0, 1, overlap=self.QUEUE)
        finish(store, claim_one(store), ss.RunStatus.FAILED, error="late", lingering=True)
        assert claim(store, now=T0 + HOUR) == []
        record_manual(store, row)
        assert held(store) == [None, QUEUED, QUEUED]
        with store.transaction("end"):
            store.end_lingering(ELSEWHERE)
        assert [each.run.id for each in claim(store, now=T0 + HOUR)] == [2]


class TestPauses:
    def test_what_a_pause_holds_is_not_handed_out_until_it_is_let_go(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0, 1)
        with store.transaction("hold"):
            store.hold_runs(row.id)
        assert held(store) == [PAUSED, PAUSED]
        assert claim(store, now=T0 + HOUR) == []
        assert [run.pending_reason for run in runs(store)] == ["its job is paused"] * 2
        with store.transaction("let go"):
            store.let_runs_go(row.id)
        assert len(claim(store, now=T0 + HOUR)) == 2

    def test_a_running_run_and_other_jobs_are_not_held(self, store: Store) -> None:
        row, other = insert(store), insert(store, "other")
        record(store, row, 0, 1)
        record(store, other, 1)
        claimed = claim_one(store)
        with store.transaction("hold"):
            store.hold_runs(row.id)
        assert held(store) == [None, PAUSED, None]
        assert finish(store, claimed, ss.RunStatus.SUCCEEDED)

    def test_a_run_that_waits_for_the_end_of_a_call_waits_for_that_whatever_becomes_of_its_job(
        self, store: Store
    ) -> None:
        row = insert(store)
        record(store, row, 0)
        finish(
            store,
            claim_one(store),
            ss.RunStatus.PENDING,
            again_at=T0,
            lingering=True,
            held=GIVEN_UP,
        )
        with store.transaction("hold"):
            store.hold_runs(row.id)
        assert held(store) == [GIVEN_UP]
        with store.transaction("let go"):
            store.let_runs_go(row.id)
        assert held(store) == [GIVEN_UP]

    def test_a_queue_is_a_queue_again_after_a_pause(self, store: Store) -> None:
        queue = ss.Overlap.QUEUE
        row = insert(store, overlap=queue)
        record(store, row, 0, 1, overlap=queue)
        with store.transaction("hold"):
            store.hold_runs(row.id)
        assert held(store) == [PAUSED, PAUSED]
        with store.transaction("let go"):
            store.let_runs_go(row.id)
        assert held(store) == [None, QUEUED]

    def test_a_manual_run_of_a_paused_job_goes_before_what_the_pause_holds(self, store: Store) -> None:
        queue = ss.Overlap.QUEUE
        row = insert(store, overlap=queue)
        record(store, row, 0, overlap=queue)
        with store.transaction("hold"):
            store.hold_runs(row.id)
        manual = record_manual(store, row)
        assert [each.run.id for each in claim(store)] == [manual.id]


class TestOverlapping:
    def test_while_another_one_runs_or_waits_for_its_next_attempt(self, store: Store) -> None:
        row = insert(store, overlap=ss.Overlap.SKIP)
        _, later = record(store, row, 0, 1)
        assert not store.is_overlapping(row.id, later.id)
        claimed = claim_one(store)
        assert store.is_overlapping(row.id, later.id)
        assert not store.is_overlapping(row.id, claimed.run.id)  # itself
        finish(store, claimed, ss.RunStatus.PENDING, again_at=T0 + 3 * HOUR)
        assert store.is_overlapping(row.id, later.id)
        assert not store.is_overlapping(row.id, claimed.run.id)  # the attempt itself is not skipped

    def test_when_it_went_on_at_the_moment_of_the_start(self, store: Store) -> None:
        row = insert(store, overlap=ss.Overlap.SKIP)
        _, second, third = record(store, row, 0, 1, 2)
        finish(store, claim_one(store), ss.RunStatus.SUCCEEDED, T0 + 2 * HOUR)
        assert store.is_overlapping(row.id, second.id)
        assert not store.is_overlapping(row.id, third.id)  # it ended at that very moment

    def test_once_the_earlier_ended_the_next_one_may_start(self, store: Store) -> None:
        row = insert(store, overlap=ss.Overlap.SKIP)
        _, later = record(store, row, 0, 1)
        finish(store, claim_one(store), ss.RunStatus.SUCCEEDED)
        assert not store.is_overlapping(row.id, later.id)

    def test_a_call_that_nobody_awaits_still_counts(self, store: Store) -> None:
        row = insert(store, overlap=ss.Overlap.SKIP)
        _, later = record(store, row, 0, 9)
        finish(store, claim_one(store), ss.RunStatus.FAILED, lingering=True)
        assert store.is_overlapping(row.id, later.id)
        with store.transaction("end"):
            store.end_lingering(ELSEWHERE)
        assert not store.is_overlapping(row.id, later.id)

    def test_other_jobs_do_not_count(self, store: Store) -> None:
        row, other = insert(store), insert(store, "other")
        record(store, other, 0)
        claim_one(store)
        (run,) = record(store, row, 0)
        assert not store.is_overlapping(row.id, run.id)

    def test_a_run_that_does_not_start_keeps_the_reason(self, store: Store) -> None:
        (run,) = record(store, insert(store), 0)
        with store.transaction("close"):
            store.close_run(run.id, ss.RunStatus.SKIPPED, "it still ran", T0 + HOUR)
        (closed,) = runs(store)
        assert (closed.status.value, closed.error, closed.ended_at) == ("skipped", "it still ran", T0 + HOUR)
        assert claim(store, now=T0 + HOUR) == []


class TestFinish:
    def test_records_the_outcome(self, store: Store) -> None:
        record(store, insert(store), 0)
        claimed = claim_one(store)
        assert finish(store, claimed, ss.RunStatus.SUCCEEDED, T0 + HOUR, output="1")
        (run,) = runs(store)
        assert (run.status.value, run.ended_at, run.output, run.error) == ("succeeded", T0 + HOUR, "1", None)

    def test_only_the_worker_that_holds_the_run_can(self, store: Store) -> None:
        record(store, insert(store), 0)
        claimed = claim_one(store)
        assert not finish(store, claimed, ss.RunStatus.FAILED, worker=OTHER)
        assert statuses(store) == ["running"]
        assert finish(store, claimed, ss.RunStatus.SUCCEEDED)
        assert not finish(store, claimed, ss.RunStatus.FAILED)
        assert statuses(store) == ["succeeded"]

    def test_the_outcome_of_an_earlier_attempt_does_not_end_a_later_one_of_the_same_worker(
        self, store: Store
    ) -> None:
        record(store, insert(store), 0)
        first = claim_one(store)
        with store.transaction("restart"):
            store.restart(first.run.id, T0, crashed=True, held=None)
        second = claim_one(store)
        assert not finish(store, first, ss.RunStatus.SUCCEEDED)
        assert statuses(store) == ["running"]
        assert finish(store, second, ss.RunStatus.SUCCEEDED)

    @pytest.mark.parametrize("cut_off", [False, True])
    def test_a_call_that_was_handed_back_and_ends_takes_back_its_own_restart_alone(
        self, store: Store, cut_off: bool
    ) -> None:
        record(store, insert(store), 0)
        claimed = claim_one(store)
        with store.transaction("restart"):
            if cut_off:
                store.restart(claimed.run.id, T0, crashed=True, held=None)
        claimed = claim_one(store) if cut_off else claimed
        with store.transaction("hand back"):
            assert store.hand_back(claimed, ELSEWHERE, T0)
        assert finish(store, claimed, ss.RunStatus.SUCCEEDED)
        (run,) = runs(store)
        assert (run.attempt, run.restarted) == (1 + cut_off, cut_off)

    def test_another_attempt_waits_for_its_time(self, store: Store) -> None:
        record(store, insert(store), 0)
        finish(store, claim_one(store), ss.RunStatus.PENDING, error="no", again_at=T0 + HOUR)
        assert claim(store, now=T0 + HOUR - MINUTE) == []
        again = claim_one(store, now=T0 + HOUR)
        assert (again.run.attempt, again.run.error, again.run.ended_at) == (2, "no", None)

    def test_failures_are_counted_apart_from_attempts_that_were_cut_off(self, store: Store) -> None:
        record(store, insert(store), 0)
        first = claim_one(store)
        assert (first.failures, first.crashes) == (0, 0)
        with store.transaction("restart"):
            store.restart(first.run.id, T0, crashed=True, held=None)
        second = claim_one(store)
        assert (second.run.attempt, second.failures, second.crashes) == (2, 0, 1)
        finish(store, second, ss.RunStatus.PENDING, error="no", again_at=T0)
        third = claim_one(store)
        assert (third.run.attempt, third.failures, third.crashes) == (3, 1, 1)

    def test_a_run_that_was_handed_back_can_still_be_finished_by_its_call_until_another_starts_it(
        self, store: Store
    ) -> None:
        record(store, insert(store), 0, 1)
        first, second = claim(store, now=T0 + HOUR)
        for claimed in (first, second):
            with store.transaction("hand back"):
                assert not store.hand_back(claimed, OTHER, T0)
                assert store.hand_back(claimed, ELSEWHERE, T0)
        assert [run.pending_reason for run in runs(store)] == [
            "an attempt that was given up may still run"
        ] * 2
        assert claim(store, OTHER, T0 + HOUR) == []
        assert finish(store, first, ss.RunStatus.SUCCEEDED)
        assert [(run.status.value, run.restarted) for run in runs(store)] == [
            ("succeeded", False),
            ("pending", True),
        ]
        with store.transaction("end"):
            store.end_lingering(ELSEWHERE)
        again = claim_one(store, OTHER, T0 + HOUR)
        assert again.run.id == second.run.id
        assert not finish(store, second, ss.RunStatus.SUCCEEDED)
        assert statuses(store) == ["succeeded", "running"]

    def test_a_further_attempt_waits_for_the_end_of_the_one_that_was_given_up(self, store: Store) -> None:
        record(store, insert(store), 0)
        claimed = claim_one(store)
        finish(store, claimed, ss.RunStatus.PENDING, error="late", again_at=T0, lingering=True, held=GIVEN_UP)
        assert claim(store, now=T0 + HOUR) == []
        with store.transaction("end"):
            store.end_lingering(OTHER)
            assert store.next_event(T0 - HOUR) is None
            store.end_lingering(ELSEWHERE, claimed.run.id)
        assert claim_one(store).run.attempt == 2

    def test_what_was_given_up_ends_while_its_job_is_paused_and_stays_held(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0)
        claimed = claim_one(store)
        with store.transaction("hand back"):
            store.hand_back(claimed, ELSEWHERE, T0)
        set_status(store, row, ss.JobStatus.PAUSED)
        with store.transaction("end"):
            store.end_lingering(ELSEWHERE)
        assert held(store) == [PAUSED]

    def test_a_job_has_run_out_once_nothing_is_to_come_or_open(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0)  # and nothing to come
        assert store.state_after_run(row.id) == (False, False)
        claimed = claim_one(store)
        assert store.state_after_run(row.id) == (False, False)
        finish(store, claimed, ss.RunStatus.FAILED)
        assert store.state_after_run(row.id) == (False, True)
        set_status(store, row, ss.JobStatus.PAUSED)
        assert store.state_after_run(row.id) == (False, False)
        delete(store, row)
        assert store.state_after_run(row.id) == (False, False)

    def test_after_a_run_it_is_known_whether_its_job_queues(self, store: Store) -> None:
        row = insert(store, overlap=ss.Overlap.QUEUE)
        assert store.state_after_run(row.id) == (True, False)

    @pytest.mark.parametrize(
        ("outcomes", "succeeded"),
        [
            pytest.param([], False, id="none"),
            pytest.param(["succeeded", "succeeded"], True, id="all"),
            pytest.param(["succeeded", "failed"], False, id="one failed"),
            pytest.param(["missed", "succeeded"], False, id="one missed"),
            pytest.param(["skipped"], False, id="none but skipped"),
        ],
    )
    def test_a_job_has_succeeded_when_all_that_should_have_run_did(
        self, store: Store, outcomes: list[str], succeeded: bool
    ) -> None:
        row = insert(store)
        for run, outcome in zip(record(store, row, *range(len(outcomes))), outcomes, strict=True):
            with store.transaction("close"):
                store.close_run(run.id, ss.RunStatus(outcome), "", T0)
        assert store.has_succeeded(row.id, "job") is succeeded


class TestLetters:
    def failed(self, store: Store, name: str, worker: str, bits: int) -> ss.Run:
        record(store, insert(store, name), 0)
        claimed = claim_one(store, worker)
        finish(store, claimed, ss.RunStatus.FAILED, worker=worker, error="no", undelivered=bits)
        return claimed.run

    def left(self, store: Store, worker: str) -> list[tuple[int, int]]:
        with store.transaction("letters"):
            return [(row.run.id, bits) for row, bits in store.undelivered(worker)]

    def test_what_a_worker_left_is_handed_to_another_once(self, store: Store) -> None:
        run = self.failed(store, "a", ELSEWHERE, 3)
        with store.transaction("enter"):
            store.enter(OTHER, T0)
        assert self.left(store, OTHER) == [(run.id, 3)]
        assert self.left(store, OTHER) == []

    def test_what_a_living_worker_is_to_deliver_stays_its_own(self, store: Store) -> None:
        self.failed(store, "a", ELSEWHERE, 3)
        with store.transaction("enter"):
            store.enter(ELSEWHERE, T0)
            store.enter(OTHER, T0)
        assert self.left(store, OTHER) == []

    def test_each_of_them_is_delivered_once(self, store: Store) -> None:
        run = self.failed(store, "a", ELSEWHERE, 3)
        with store.transaction("deliver"):
            store.delivered(run.id, 1)
        assert self.left(store, OTHER) == [(run.id, 2)]
        with store.transaction("deliver"):
            store.delivered(run.id, 2)
        assert self.left(store, ELSEWHERE) == []

    def test_a_run_that_is_redriven_owes_nothing(self, store: Store) -> None:
        run = self.failed(store, "a", ELSEWHERE, 3)
        with store.transaction("redrive"):
            assert store.redrive("a", run.id, T0) is not None
        assert self.left(store, OTHER) == []


class TestRefusals:
    def refuse(self, store: Store, worker: str, row: JobRow, reason: str = "no module named m") -> None:
        with store.transaction("refuse"):
            store.refuse(worker, row, reason)

    def enter(self, store: Store, *workers: str) -> None:
        with store.transaction("enter"):
            for worker in workers:
                store.enter(worker, T0)

    def unclaimable(self, store: Store, now: datetime = T0) -> list[RunRow]:
        with store.transaction("waiting"):
            return store.unclaimable(now)

    def test_a_worker_is_not_asked_again_for_what_it_refused_and_others_are(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0)
        self.refuse(store, ELSEWHERE, row)
        assert claim(store, ELSEWHERE, refused=True) == []
        assert len(claim(store, OTHER, refused=True)) == 1

    def test_a_new_version_of_the_job_is_looked_at_anew(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0)
        self.refuse(store, ELSEWHERE, row)
        with store.transaction("replace"):
            store.replace_job(row, job(), "{}", status=ss.JobStatus.ACTIVE, anchor=T0, next_run=None, now=T0)
        assert len(claim(store, ELSEWHERE, refused=True)) == 1

    def test_what_is_forgotten_is_asked_for_again(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0)
        self.refuse(store, ELSEWHERE, row)
        self.refuse(store, OTHER, row)
        with store.transaction("forget"):
            store.forget_refusals(ELSEWHERE)
        assert claim(store, OTHER, refused=True) == []
        assert len(claim(store, ELSEWHERE, refused=True)) == 1

    def test_a_due_run_that_every_worker_has_refused_says_so_once(self, store: Store) -> None:
        row, other = insert(store), insert(store, "other")
        record(store, row, 0, 1)
        record(store, other, 0)
        self.enter(store, ELSEWHERE, OTHER)
        self.refuse(store, ELSEWHERE, row)
        assert self.unclaimable(store) == []  # the other one might
        self.refuse(store, OTHER, row)
        (found,) = self.unclaimable(store)
        waiting = found.run
        assert (waiting.id, waiting.pending_reason) == (1, "no module named m")
        assert self.unclaimable(store) == []
        assert [run.pending_reason for run in runs(store)] == ["no module named m", None, None]

    def test_the_reason_goes_with_the_claim(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0)
        self.enter(store, ELSEWHERE)
        self.refuse(store, ELSEWHERE, row)
        assert len(self.unclaimable(store)) == 1
        assert claim_one(store, OTHER).run.pending_reason is None
        assert runs(store)[0].pending_reason is None


class TestRedrive:
    def redrive(self, store: Store, name: str, run_id: int, now: datetime = T0) -> ss.Run | None:
        with store.transaction("redrive"):
            return store.redrive(name, run_id, now)

    def test_a_failed_run_waits_again_with_all_its_attempts(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0)
        claimed = claim_one(store)
        finish(store, claimed, ss.RunStatus.FAILED, error="no")
        set_status(store, row, ss.JobStatus.ENDED)
        again = self.redrive(store, "job", claimed.run.id, T0 + HOUR)
        assert again is not None
        assert (again.status, again.attempt, again.ended_at) == (ss.RunStatus.PENDING, 0, None)
        assert [found.status for found in store.jobs(JobQuery()) if isinstance(found, JobRow)] == [
            ss.JobStatus.ACTIVE
        ]
        retried = claim_one(store, now=T0 + HOUR)
        assert retried.recorded_at == T0 + HOUR  # its age counts from here
        assert (retried.failures, retried.crashes) == (0, 0)

    def test_a_paused_job_stays_paused(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0)
        claimed = claim_one(store)
        finish(store, claimed, ss.RunStatus.FAILED)
        set_status(store, row, ss.JobStatus.PAUSED)
        assert self.redrive(store, "job", claimed.run.id) is not None
        assert present(store, row.id).status is ss.JobStatus.PAUSED

    def test_only_a_failed_run_of_that_job_while_it_is_stored(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 0, 1)
        good = claim_one(store)
        finish(store, good, ss.RunStatus.SUCCEEDED)
        bad = claim_one(store, now=T0 + HOUR)
        assert self.redrive(store, "job", bad.run.id) is None
        finish(store, bad, ss.RunStatus.FAILED)
        assert self.redrive(store, "job", good.run.id) is None
        assert self.redrive(store, "other", bad.run.id) is None
        delete(store, row)
        insert(store)
        assert self.redrive(store, "job", bad.run.id) is None
        assert statuses(store) == ["succeeded", "failed"]

    def test_in_a_queue_it_waits_for_its_turn(self, store: Store) -> None:
        queue = ss.Overlap.QUEUE
        record(store, insert(store, overlap=queue), 0, 1, 2, overlap=queue)
        first = claim_one(store, now=T0 + 2 * HOUR)
        finish(store, first, ss.RunStatus.FAILED)
        second = claim_one(store, now=T0 + 2 * HOUR)
        assert self.redrive(store, "job", first.run.id) is not None
        finish(store, second, ss.RunStatus.SUCCEEDED)
        assert [each.run.id for each in claim(store, now=T0 + 2 * HOUR)] == [first.run.id]

    def test_a_run_whose_call_still_goes_on_waits_for_its_end(self, store: Store) -> None:
        record(store, insert(store), 0)
        claimed = claim_one(store)
        finish(store, claimed, ss.RunStatus.FAILED, error="late", lingering=True)
        again = self.redrive(store, "job", claimed.run.id)
        assert again is not None
        assert again.pending_reason == "an attempt that was given up may still run"
        assert claim(store) == []
        with store.transaction("end"):
            store.end_lingering(ELSEWHERE)
        assert len(claim(store)) == 1


class TestTidy:
    def ended(self, store: Store, count: int) -> None:
        """Runs that ended an hour apart, and one that waits."""
        record(store, insert(store), *range(count + 1))
        for hour in range(count):
            now = T0 + hour * HOUR
            finish(store, claim_one(store, now=now), ss.RunStatus.FAILED, now)

    def tidy(self, store: Store, age: timedelta, most: int) -> bool:
        """At the end of the fifth hour."""
        with store.transaction("tidy"):
            return store.tidy(T0 + 5 * HOUR, Retention(age, most))

    def kept(self, store: Store) -> list[float]:
        return [(run.scheduled_for - T0) / HOUR for run in runs(store)]

    def test_what_ended_before_it_is_kept_no_longer_goes(self, store: Store) -> None:
        self.ended(store, 5)
        assert not self.tidy(store, 3 * HOUR, 99)
        assert self.kept(store) == [2, 3, 4, 5]

    def test_the_oldest_of_too_many_go_and_open_runs_stay(self, store: Store) -> None:
        self.ended(store, 5)
        assert not self.tidy(store, 99 * HOUR, 2)
        assert self.kept(store) == [3, 4, 5]
        assert not self.tidy(store, 99 * HOUR, 0)
        assert self.kept(store) == [5]

    @pytest.mark.parametrize(("age", "most"), [(timedelta(0), 99_999), (99 * HOUR, 0)], ids=["age", "number"])
    def test_a_bounded_portion_at_once_the_oldest_first(
        self, store: Store, age: timedelta, most: int
    ) -> None:
        self.ended(store, 1)
        store._db.execute(
            "INSERT INTO runs (job_id, job, scheduled_for, trigger, status, recorded_at, start_after,"
            " ended_at) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 7000)"
            " SELECT 1, 'job', 0, 'manual', 'failed', 0, 0, ? + i FROM n",
            (micros(T0),),
        )
        assert self.tidy(store, age, most)
        ((left, first),) = store._rows("SELECT count(*), min(ended_at) FROM runs WHERE ended_at IS NOT NULL")
        assert (left, first) == (2001, micros(T0) + 5000)
        assert not self.tidy(store, age, most)
        assert self.kept(store) == [1]


class TestWorkers:
    def test_a_lease_is_extended_and_seen_by_others(self, store: Store, path: Path) -> None:
        second = Store(path)
        with store.transaction("enter"):
            store.enter(ELSEWHERE, T0)
            store.enter(OTHER, T0 + HOUR)
        (before,) = second.others(OTHER)
        with store.transaction("enter"):
            store.enter(ELSEWHERE, T0 + MINUTE)
        (after,) = second.others(OTHER)
        assert (before[0], after[0]) == (ELSEWHERE, ELSEWHERE)
        assert after[1] > before[1]
        second.close()

    def test_only_runs_of_workers_that_there_are_no_more_are_abandoned(self, store: Store) -> None:
        with store.transaction("enter"):
            store.enter(ELSEWHERE, T0)
            store.enter(OTHER, T0)
        for name, worker in (("a", ELSEWHERE), ("b", OTHER)):
            record(store, insert(store, name), 0)
            claim_one(store, worker)
        assert store.abandoned() == []
        with store.transaction("bury"):
            store.bury(ELSEWHERE)
        ((key, run, row),) = store.abandoned()
        assert isinstance(run, RunRow)
        assert isinstance(row, JobRow)
        assert (key, run.run.job, row.name) == (run.run.id, "a", "a")
        assert store.others("me") == [(OTHER, store.others("me")[0][1])]

    def test_a_worker_that_is_buried_leaves_no_refusals_and_nothing_that_goes_on(self, store: Store) -> None:
        row = insert(store, overlap=ss.Overlap.SKIP)
        record(store, row, 0, 1)
        finish(store, claim_one(store), ss.RunStatus.FAILED, lingering=True)
        with store.transaction("refuse"):
            store.refuse(ELSEWHERE, row, "no")
        assert store.is_overlapping(row.id, 2)
        with store.transaction("bury"):
            store.bury(ELSEWHERE)
        assert not store.is_overlapping(row.id, 2)
        assert store._rows("SELECT * FROM refusals") == []

    def test_pauses_before_further_attempts_move_with_the_clock_and_nothing_else_does(
        self, store: Store
    ) -> None:
        for name, worker in (("mine", ELSEWHERE), ("theirs", OTHER)):
            record(store, insert(store, name), 0)
            claimed = claim_one(store, worker)
            finish(store, claimed, ss.RunStatus.PENDING, worker=worker, error="no", again_at=T0 + MINUTE)
        record(store, insert(store, "fresh"), 1)
        with store.transaction("shift"):
            store.shift_pauses(ELSEWHERE, HOUR)
        assert [row.start_after for row in rows(store)] == [T0 + HOUR + MINUTE, T0 + MINUTE, T0 + HOUR]

    def test_the_next_event_is_the_earliest_of_what_is_to_come(self, store: Store) -> None:
        assert store.next_event(T0) is None
        row = insert(store)
        set_status(store, row, ss.JobStatus.ACTIVE, T0 + 3 * HOUR)
        assert store.next_event(T0) == T0 + 3 * HOUR
        plan = Plan((Due(T0, ss.RunStatus.PENDING, T0 + HOUR),), T0 + 3 * HOUR)
        with store.transaction("record"):
            store.record(row, ss.Overlap.ALLOW, plan, T0)
        assert store.next_event(T0) == T0 + HOUR
        assert store.next_event(T0 + HOUR) == T0 + 3 * HOUR

    def test_what_is_held_is_no_event(self, store: Store) -> None:
        row = insert(store)
        record(store, row, 1)
        with store.transaction("hold"):
            store.hold_runs(row.id)
        assert store.next_event(T0) is None


def test_a_prefix_finds_every_name_that_begins_with_it() -> None:
    names = ["a", "a b", "a-", "ab", "aé", "a夜", "a\U0001f642", "a\U0010ffff", "a\U0010ffff" * 100]
    client = ss.SchedulerClient(ss.LocalBackend())
    for name in [*names, "A", "b", "á", "`", "ba"]:
        client.create(ss.Job(name=name, schedule=ss.Rate(timedelta(hours=1)), target=ss.HandlerTarget(print)))
    assert [record.name for record in client.list(name_prefix="a")] == sorted(names)
    assert [record.name for record in client.list(name_prefix="a\U0010ffff")] == sorted(names)[-2:]
    client.backend.close()
