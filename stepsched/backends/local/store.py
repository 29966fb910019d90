"""The SQL statements of the embedded backend. It makes no decisions.

Methods that only read may be called at any time. Those that write belong inside :meth:`Store.transaction`.
Instants are integers, microseconds since 1970 in UTC.
"""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from itertools import takewhile
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from stepsched.backends.base import JobQuery, RunQuery
from stepsched.backends.local.database import Database
from stepsched.backends.local.policy import Plan
from stepsched.backends.local.rows import (
    FOLLOWING,
    GIVEN_UP,
    HIDDEN,
    JOB_COLUMNS,
    PAUSED,
    QUEUED,
    RUN_COLUMNS,
    Claim,
    DamagedRow,
    JobRow,
    RunRow,
    in_zone,
    instant,
    micros,
    micros_or_none,
    read_event,
    read_job,
    read_run,
)
from stepsched.jobs import CatchUp, Job, JobStatus, Overlap, Run, RunStatus, Trigger
from stepsched.jobs.events import RecordedEvent
from stepsched.jobs.names import MAX_NAME

_RUN = ", ".join(f"r.{name}" for name in RUN_COLUMNS)
_JOB = ", ".join(f"j.{name}" for name in JOB_COLUMNS)
_DELETE_BATCH = 5_000
"""The number of ended runs that are deleted in one transaction, so that the lock is held briefly."""
_EVENTS_OF_A_RUN = 10
"""The number of events that are kept for each ended run that is kept."""
_LARGEST_ID = 2**63 - 1
"""The largest ID that SQLite can hold."""
_OPEN = "status IN ('pending', 'running')"
"""The condition of the index runs_open, in the same form."""
_LAST = "\U0010ffff"
"""The character that is sorted after all others."""


class Candidate(NamedTuple):
    """A run that may start, with its job."""

    run: RunRow | DamagedRow
    run_id: int
    job: JobRow | DamagedRow
    overlap: str


class Retention(NamedTuple):
    """How much history is kept."""

    age: timedelta
    most: int
    """The maximum number of ended runs."""


class Store:
    """The statements over one database."""

    def __init__(self, path: str | Path | None) -> None:
        """Opens or creates the file; None: everything is kept in memory.

        Raises:
            BackendError: As :class:`Database`.
        """
        self._database = Database(path)

    @property
    def path(self) -> Path | None:
        return self._database.path

    @property
    def lock(self) -> AbstractContextManager[bool]:
        """The lock that is held while events are put in the order of their transactions."""
        return self._database.lock

    @property
    def is_locked_here(self) -> bool:
        """Returns whether this thread holds the lock, so that no other thread can use the store."""
        return self._database.is_locked_here

    @property
    def is_closed(self) -> bool:
        return self._database.is_closed

    @property
    def database(self) -> Database:
        return self._database

    @property
    def _db(self) -> Any:
        return self._database.connection

    def identity(self) -> str:
        """Returns the ID of the file, by which its runs are told from those of others."""
        return str(self._rows("SELECT id FROM identity")[0][0])

    def transaction(self, operation: str) -> AbstractContextManager[None]:
        """Runs the block as one transaction. A nested transaction joins the outer one."""
        return self._database.transaction(operation)

    def end_interrupted(self) -> None:
        """Rolls back a transaction that a Ctrl-C has left open in this thread."""
        self._database.end_interrupted()

    def close(self) -> None:
        """Closes the file; every other call fails afterwards. May be called more than once."""
        self._database.close()

    def _rows(self, sql: str, values: Sequence[object] = ()) -> builtins.list[Any]:
        return self._database.rows(sql, values)

    # -- jobs --------------------------------------------------------------------------------------

    def insert_job(
        self,
        job: Job,
        document: str,
        anchor: datetime,
        next_run: datetime | None,
        status: JobStatus = JobStatus.ACTIVE,
    ) -> int | None:
        """Stores a job at version 1; returns its ID, or None if the name is taken."""
        at = micros(anchor)
        done = self._db.execute(
            "INSERT INTO jobs (name, job_group, status, overlap, version, document, created_at,"
            " updated_at, anchor, next_run, timezone, plain) VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (name) DO NOTHING",
            (
                job.name,
                job.group,
                status.value,
                job.overlap.value,
                document,
                at,
                at,
                at,
                micros_or_none(next_run),
                _zone_of(job),
                is_plain(job),
            ),
        )
        return done.lastrowid if done.rowcount == 1 else None

    def replace_job(
        self,
        row: JobRow,
        job: Job,
        document: str,
        *,
        status: JobStatus,
        anchor: datetime,
        next_run: datetime | None,
        now: datetime,
    ) -> None:
        """Stores a new definition as the next version, and keeps the old one. A reason of a pause is kept
        if the job stays paused; a trigger of the table deletes it otherwise."""
        at = micros(now)
        self._db.execute(
            "INSERT INTO job_versions (job_id, version, document, replaced_at) VALUES (?, ?, ?, ?)",
            (row.id, row.version, row.document, at),
        )
        self._db.execute(
            "UPDATE jobs SET job_group = ?, status = ?, overlap = ?, version = version + 1, document = ?,"
            " updated_at = ?, anchor = ?, next_run = ?, timezone = ?, plain = ? WHERE id = ?",
            (
                job.group,
                status.value,
                job.overlap.value,
                document,
                at,
                micros(anchor),
                micros_or_none(next_run),
                _zone_of(job),
                is_plain(job),
                row.id,
            ),
        )
        self._queue_anew(row.id)

    def set_status(
        self,
        row: JobRow,
        status: JobStatus,
        next_run: datetime | None,
        now: datetime,
        reason: str | None = None,
    ) -> None:
        """Changes the status of a job, and why it is paused."""
        self._db.execute(
            "UPDATE jobs SET status = ?, next_run = ?, updated_at = ?, pause_reason = ? WHERE id = ?",
            (status.value, micros_or_none(next_run), micros(now), reason, row.id),
        )

    def set_aside(self, row: DamagedRow, now: datetime) -> None:
        """Pauses a job whose row cannot be read."""
        self._db.execute(
            "UPDATE jobs SET status = 'paused', next_run = NULL, updated_at = ? WHERE id = ?",
            (micros(now), row.id),
        )
        self.hold_runs(row.id)

    def hold_runs(self, job_id: int) -> None:
        """Holds the waiting runs of a job back until they are released."""
        self._db.execute(
            f"UPDATE runs SET held = ? WHERE job_id = ? AND {_OPEN} AND status = 'pending'"
            " AND (held IS NULL OR held = ?)",
            (PAUSED, job_id, QUEUED),
        )

    def let_runs_go(self, job_id: int) -> None:
        """Releases the runs that :meth:`hold_runs` holds back."""
        self._db.execute(
            f"UPDATE runs SET held = NULL WHERE job_id = ? AND {_OPEN} AND held = ?", (job_id, PAUSED)
        )
        self._queue_anew(job_id)

    def delete_job(self, row: JobRow | DamagedRow, now: datetime, reason: str | None = None) -> None:
        """Deletes a job. With a reason, its waiting runs are ended too."""
        self._db.execute("DELETE FROM jobs WHERE id = ?", (row.id,))
        self._date_event(row.name, now)
        if isinstance(row, DamagedRow) or row.version > 1:
            self._db.execute("DELETE FROM job_versions WHERE job_id = ?", (row.id,))
        if reason is None:  # it has run out: none of its runs is open
            return
        self._db.execute("DELETE FROM refusals WHERE job_id = ?", (row.id,))
        self._db.execute(
            "UPDATE runs SET status = CASE attempt WHEN 0 THEN 'skipped' ELSE 'failed' END, ended_at = ?,"
            f" error = coalesce(error, ?), held = NULL WHERE job_id = ? AND status = 'pending' AND {_OPEN}",
            (micros(now), reason, row.id),
        )

    def job(self, name: str) -> JobRow | DamagedRow | None:
        """Returns the job of that name."""
        if name.startswith(HIDDEN):
            return None
        rows = self._rows(f"SELECT {_JOB} FROM jobs j WHERE j.name = ?", (name,))
        return read_job(rows[0]) if rows else None

    def job_by_id(self, key: int) -> JobRow | DamagedRow | None:
        """Returns the job with that ID."""
        rows = self._rows(f"SELECT {_JOB} FROM jobs j WHERE j.id = ?", (key,))
        return read_job(rows[0]) if rows else None

    def job_ids(self) -> set[int]:
        """Returns the IDs of the rows of all jobs."""
        return {key for (key,) in self._rows("SELECT id FROM jobs")}

    def versions(self, row: JobRow) -> builtins.list[tuple[int, str, datetime]]:
        """Returns the earlier definitions of a job, oldest first: version, document, instant of
        replacement."""
        sql = "SELECT version, document, replaced_at FROM job_versions WHERE job_id = ? ORDER BY version"
        return [(version, document, instant(at)) for version, document, at in self._rows(sql, (row.id,))]

    def group(self, row: JobRow | DamagedRow) -> object:
        """Returns the group of a job, also if the job cannot be read."""
        (found,) = self._rows("SELECT job_group FROM jobs WHERE id = ?", (row.id,)) or [(None,)]
        return found[0]

    def jobs(
        self, query: JobQuery, *, after: str = "", limit: int = -1
    ) -> builtins.list[JobRow | DamagedRow]:
        """Returns the matching jobs, sorted by name; tags are not considered.

        Args:
            query: The conditions.
            after: The name after which to begin, exclusive.
            limit: The maximum number of jobs; -1: all.
        """
        where, values = [f"j.name NOT LIKE '{HIDDEN}%'"], list[object]()
        if query.status is not None:
            where.append("j.status = ?")
            values.append(query.status.value)
        if query.group is not None:
            where.append("j.job_group = ?")
            values.append(query.group)
        if query.name_prefix:
            where.append("j.name BETWEEN ? AND ?")  # as the index of names is sorted
            values += [query.name_prefix, query.name_prefix + _LAST * MAX_NAME]
        if after:
            where.append("j.name > ?")
            values.append(after)
        sql = f"SELECT {_JOB} FROM jobs j WHERE {' AND '.join(where)} ORDER BY j.name LIMIT ?"
        rows = self._rows(sql, [*values, limit])
        return [read_job(row) for row in rows]

    def due_jobs(self, now: datetime, limit: int) -> builtins.list[JobRow | DamagedRow]:
        """Returns the active jobs whose next run is due, the earliest first."""
        sql = f"SELECT {_JOB} FROM jobs j WHERE j.next_run <= ? ORDER BY j.next_run, j.id LIMIT ?"
        return [read_job(row) for row in self._rows(sql, (micros(now), limit))]

    # -- recording runs ------------------------------------------------------------------------------

    def record(self, row: JobRow, overlap: Overlap, plan: Plan, now: datetime) -> builtins.list[Run]:
        """Records the runs of a plan and sets the next run of the job.

        Returns:
            The runs that were not recorded before.
        """
        waits = overlap is Overlap.QUEUE and self._has_open_run(row.id)
        runs = list[Run]()
        for due in plan.runs:
            held = QUEUED if waits and due.status is RunStatus.PENDING else None
            run = self._insert_run(
                row, due.scheduled_for, Trigger.SCHEDULE, due.status, due.start_after, now, held, due.error
            )
            if run is not None:
                runs.append(run)
                waits = waits or (overlap is Overlap.QUEUE and due.status is RunStatus.PENDING)
        following, known = micros_or_none(plan.next_run), micros_or_none(row.next_run)
        change = "UPDATE jobs SET next_run = ? WHERE id = ?"
        if not self._db.execute(f"{change} AND next_run IS ?", (following, row.id, known)).rowcount:
            # In a damaged file an index may have another instant than its row, and would keep it for ever.
            self._db.execute("REINDEX jobs")
            self._db.execute(change, (following, row.id))
        return runs

    def record_plain(self, now: datetime, most: int) -> int:
        """Records the due runs of plain jobs (see :func:`is_plain`), the earliest first, up to the first
        job that is not plain.

        Returns:
            The number of recorded runs.
        """
        due = "SELECT id, plain FROM jobs WHERE next_run <= ? ORDER BY next_run, id LIMIT ?"
        rows = self._rows(due, (micros(now), most))
        keys = [key for key, _ in takewhile(itemgetter(1), rows)]
        if not keys:
            return 0
        marks = ", ".join("?" * len(keys))
        self._db.execute(
            "INSERT INTO runs (job_id, job, scheduled_for, trigger, status, recorded_at, start_after,"
            " timezone) SELECT id, name, next_run, 'schedule', 'pending', ?, next_run, timezone FROM jobs"
            f" WHERE id IN ({marks}) ORDER BY next_run, id ON CONFLICT DO NOTHING",
            (micros(now), *keys),
        )
        self._db.execute(f"UPDATE jobs SET next_run = NULL WHERE id IN ({marks})", keys)
        return len(keys)

    def record_manual(self, row: JobRow, now: datetime) -> Run:
        """Records an unscheduled run."""
        run = self._insert_run(row, now, Trigger.MANUAL, RunStatus.PENDING, now, now, self._place(row.id))
        assert run is not None  # only scheduled instants are unique
        return run

    def record_backfill(self, row: JobRow, instants: Iterable[datetime], now: datetime) -> builtins.list[Run]:
        """Records runs for past instants; instants that already have a run are left out."""
        runs = []
        for moment in instants:
            known = self._rows(
                "SELECT 1 FROM runs WHERE job = ? AND job_id = ? AND scheduled_for = ?"
                " AND trigger <> 'manual' LIMIT 1",
                (row.name, row.id, micros(moment)),
            )
            if not known:
                held = self._place(row.id)
                run = self._insert_run(row, moment, Trigger.BACKFILL, RunStatus.PENDING, now, now, held)
                assert run is not None
                runs.append(run)
        return runs

    def _insert_run(
        self,
        row: JobRow,
        scheduled_for: datetime,
        trigger: Trigger,
        status: RunStatus,
        start_after: datetime,
        now: datetime,
        held: str | None,
        error: str | None = None,
    ) -> Run | None:
        """Records a run; returns None if its scheduled instant already has one."""
        ended_at = now if status is RunStatus.MISSED else None
        done = self._db.execute(
            "INSERT INTO runs (job_id, job, scheduled_for, trigger, status, recorded_at, start_after,"
            " ended_at, held, timezone, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO"
            " NOTHING",
            (
                row.id,
                row.name,
                micros(scheduled_for),
                trigger.value,
                status.value,
                micros(now),
                micros(start_after),
                micros_or_none(ended_at),
                held,
                row.timezone,
                error,
            ),
        )
        if done.rowcount != 1 or done.lastrowid is None:
            return None
        return Run.model_construct(
            id=done.lastrowid,
            job=row.name,
            scheduled_for=in_zone(scheduled_for, row.timezone),
            status=status,
            trigger=trigger,
            ended_at=ended_at,
            error=error,
        )

    def redrive(self, job: str, run_id: int, now: datetime) -> Run | None:
        """Makes a run that failed for good pending again, with all its attempts; returns None if it has not
        failed or its job no longer exists."""
        done = self._db.execute(
            "UPDATE runs SET status = 'pending', attempt = 0, failures = 0, crashes = 0, ended_at = NULL,"
            " recorded_at = ?, start_after = ?, undelivered = 0, held = CASE WHEN lingering IS NULL THEN NULL"
            f" ELSE '{GIVEN_UP}' END WHERE id = ? AND job = ? AND status = 'failed'"
            " AND job_id IN (SELECT id FROM jobs)",
            (micros(now), micros(now), run_id, job),
        )
        if done.rowcount != 1:
            return None
        row = self.run(run_id)
        assert isinstance(row, RunRow)
        self._queue_anew(row.job_id)
        self._db.execute("UPDATE jobs SET status = 'active' WHERE status = 'ended' AND id = ?", (row.job_id,))
        return row.run

    # -- the queue of a job ----------------------------------------------------------------------------

    def _has_open_run(self, job_id: int) -> bool:
        """Returns whether a run of the job is running or pending, not counting those that a pause holds
        back."""
        sql = (
            f"SELECT 1 FROM runs WHERE job_id = ? AND {_OPEN} AND held IS NOT '{PAUSED}'"
            " UNION ALL SELECT 1 FROM runs WHERE job_id = ? AND lingering IS NOT NULL LIMIT 1"
        )
        return bool(self._rows(sql, (job_id, job_id)))

    def _place(self, job_id: int) -> str | None:
        """Returns why a new run of the job must wait for others; None if it need not."""
        queues = self._rows("SELECT 1 FROM jobs WHERE id = ? AND overlap = 'queue'", (job_id,))
        return QUEUED if queues and self._has_open_run(job_id) else None

    def _queue_anew(self, job_id: int) -> None:
        """Holds back or releases the waiting runs of a job by its present overlap policy."""
        self._db.execute(
            "UPDATE runs SET held = CASE (SELECT overlap FROM jobs WHERE id = ?) WHEN 'queue' THEN"
            f" '{QUEUED}' END"
            f" WHERE job_id = ? AND status = 'pending' AND {_OPEN} AND (held IS NULL OR held = '{QUEUED}')",
            (job_id, job_id),
        )
        self.let_next_go(job_id)

    def let_next_go(self, job_id: int) -> None:
        """Releases the first queued run of a job, if no earlier run is open."""
        self._db.execute(
            f"UPDATE runs SET held = NULL WHERE id = (SELECT id FROM runs WHERE job_id = ? AND {_OPEN}"
            f" AND held IS NOT '{PAUSED}' ORDER BY id LIMIT 1) AND held = '{QUEUED}'"
            " AND NOT EXISTS (SELECT 1 FROM runs WHERE job_id = ? AND lingering IS NOT NULL)",
            (job_id, job_id),
        )

    # -- starting and ending runs ----------------------------------------------------------------------

    def candidates(
        self, worker: str, now: datetime, limit: int, *, refused: bool, without: Collection[int]
    ) -> Iterator[Candidate]:
        """Returns the runs that may start, the earliest first.

        Args:
            worker: The asking worker.
            now: The present; inclusive.
            limit: The maximum number of runs.
            refused: Whether this worker has refused jobs, whose runs are left out.
            without: The IDs of further jobs whose runs are left out.
        """
        conditions = ""
        values: list[object] = [micros(now)]
        if refused:
            conditions += (
                " AND NOT EXISTS (SELECT 1 FROM refusals u WHERE u.worker = ? AND u.job_id = r.job_id"
                " AND u.version = j.version)"
            )
            values.append(worker)
        if without:
            conditions += f" AND r.job_id NOT IN ({', '.join('?' * len(without))})"
            values.extend(without)
        sql = (
            f"SELECT {_RUN}, {_JOB} FROM runs r JOIN jobs j ON j.id = r.job_id WHERE r.status = 'pending'"
            f" AND r.held IS NULL AND r.start_after <= ?{conditions} ORDER BY r.start_after, r.id LIMIT ?"
        )
        for columns in self._rows(sql, [*values, limit]):
            job = read_job(columns, len(RUN_COLUMNS))
            yield Candidate(read_run(columns), columns[0], job, columns[-1])

    def begin(self, candidate: RunRow, row: JobRow, worker: str, now: datetime) -> Claim:
        """Records that this worker has begun a run."""
        run = candidate.run
        self._db.execute(
            "UPDATE runs SET status = 'running', attempt = attempt + 1, started_at = ?, worker = ?,"
            " reason = NULL"
            " WHERE id = ?",
            (micros(now), worker, run.id),
        )
        return _begun(candidate, row, now)

    def begin_unchanged(self, candidate: RunRow, row: JobRow, worker: str, now: datetime) -> Claim | None:
        """Begins a run that was read before the transaction; returns None if the run or its job has changed
        since then."""
        done = self._db.execute(
            "UPDATE runs SET status = 'running', attempt = attempt + 1, started_at = ?, worker = ?,"
            " reason = NULL WHERE id = ? AND status = 'pending' AND held IS NULL AND attempt = ?"
            " AND start_after = ? AND EXISTS (SELECT 1 FROM jobs WHERE id = ? AND version = ?)",
            (
                micros(now),
                worker,
                candidate.run.id,
                candidate.run.attempt,
                micros(candidate.start_after),
                row.id,
                row.version,
            ),
        )
        return _begun(candidate, row, now) if done.rowcount == 1 else None

    def write_indexes_anew(self) -> None:
        """Corrects the indexes of a run: in a damaged file they may differ from the rows, and a run that
        exists only in an index would be found again and again."""
        self._db.execute("REINDEX runs")

    def close_run(
        self,
        run_id: int,
        status: RunStatus,
        error: str,
        now: datetime,
        *,
        worker: str | None = None,
        undelivered: int = 0,
    ) -> None:
        """Ends a run as skipped, missed or failed, with the reason; ``worker`` delivers its letters."""
        self._db.execute(
            "UPDATE runs SET status = ?, ended_at = ?, error = ?, worker = ?, held = NULL, reason = NULL,"
            " undelivered = ? WHERE id = ?",
            (status.value, micros(now), error, worker if undelivered else None, undelivered, run_id),
        )

    def is_overlapping(self, job_id: int, run_id: int) -> bool:
        """Returns whether another run of the job is running, or was running when this one should have
        started:
        with a fake clock, and when no thread is free, runs are executed one after another."""
        rows = self._rows(
            f"SELECT 1 FROM runs WHERE job_id = ? AND id <> ? AND {_OPEN}"
            " AND (status = 'running' OR attempt > 0)"
            " UNION ALL SELECT 1 FROM runs WHERE job_id = ? AND lingering IS NOT NULL"
            " UNION ALL SELECT 1 FROM runs e JOIN runs r ON r.id = ? WHERE e.job_id = ? AND e.id < r.id"
            " AND e.started_at <= r.start_after AND e.ended_at > r.start_after LIMIT 1",
            (job_id, run_id, job_id, run_id, job_id),
        )
        return bool(rows)

    def finish(
        self,
        claim: Claim,
        worker: str,
        status: RunStatus,
        now: datetime,
        *,
        error: str | None = None,
        traceback: str | None = None,
        output: str | None = None,
        again_at: datetime | None = None,
        lingering: bool = False,
        held: str | None = None,
        undelivered: int = 0,
    ) -> bool:
        """Records the outcome of an attempt.

        Args:
            claim: The attempt.
            worker: The worker that claimed it.
            status: The new status of the run; pending if another attempt follows.
            now: The instant at which the attempt ended.
            error: The error of a failed attempt.
            traceback: The traceback of a failed attempt.
            output: The result of a successful attempt.
            again_at: The instant from which the next attempt may start.
            lingering: Whether the call still runs after its timeout.
            held: Why the next attempt must not start before something else ends.
            undelivered: The bits of the letters of a run that failed for good.

        Returns:
            False if this worker no longer holds the run: then nothing is recorded.
        """
        again = status is RunStatus.PENDING
        done = self._db.execute(
            "UPDATE runs SET status = ?, ended_at = ?, error = ?, traceback = ?, output = ?, worker = ?,"
            " lingering = ?, held = ?, failures = failures + ?, undelivered = ?,"
            # A call that was handed back has ended after all; earlier ones may have been interrupted.
            " start_after = coalesce(?, start_after), restarted = CASE status WHEN 'pending'"
            " THEN attempt - 1 > failures ELSE restarted END"
            " WHERE id = ? AND attempt = ?"
            " AND ((worker = ? AND status = 'running') OR (lingering = ? AND status = 'pending'))",
            (
                status.value,
                None if again else micros(now),
                error,
                traceback,
                output,
                worker if again or undelivered else None,
                worker if lingering else None,
                held,
                error is not None,
                undelivered,
                micros_or_none(again_at),
                claim.run.id,
                claim.run.attempt,
                worker,
                worker,
            ),
        )
        is_held = bool(done.rowcount == 1)
        if is_held and again:
            self._date_event(claim.run.job, now)
        return is_held

    def restart(self, run_id: int, now: datetime, *, crashed: bool, held: str | None) -> None:
        """Makes a run pending for a restart, since its process has ended or has handed it back."""
        self._db.execute(
            "UPDATE runs SET status = 'pending', restarted = 1, crashes = crashes + ?, worker = NULL,"
            " start_after = ?, held = ? WHERE id = ?",
            (crashed, micros(now), held, run_id),
        )

    def hand_back(self, claim: Claim, worker: str, now: datetime) -> bool:
        """Makes a run pending for a restart while its call still runs here; returns False if this worker does
        not hold it."""
        done = self._db.execute(
            "UPDATE runs SET status = 'pending', restarted = 1, worker = NULL, start_after = ?, held = ?,"
            " lingering = ? WHERE id = ? AND worker = ? AND attempt = ? AND status = 'running'",
            (micros(now), GIVEN_UP, worker, claim.run.id, worker, claim.run.attempt),
        )
        return bool(done.rowcount == 1)

    def end_lingering(self, worker: str, run_id: int | None = None) -> None:
        """Records that calls which had timed out have ended, and releases the runs that waited for that.

        Args:
            worker: The worker in which they ran.
            run_id: The run. None: all runs of this worker.
        """
        rows = self._rows(
            "SELECT id, job_id FROM runs WHERE lingering = ? AND lingering IS NOT NULL AND (? IS NULL"
            " OR id = ?)",
            (worker, run_id, run_id),
        )
        for key, job_id in rows:
            self._db.execute(
                f"UPDATE runs SET lingering = NULL, held = CASE held WHEN '{GIVEN_UP}' THEN"
                f" (SELECT '{PAUSED}' FROM jobs WHERE id = runs.job_id AND status = 'paused') ELSE held END"
                " WHERE id = ?",
                (key,),
            )
            self._queue_anew(job_id)

    def delivered(self, run_id: int, what: int) -> None:
        """Records that a dead letter (1) or a notification (2) was delivered."""
        self._db.execute(
            "UPDATE runs SET undelivered = undelivered & ~? WHERE id = ? AND undelivered > 0", (what, run_id)
        )

    def undelivered(self, worker: str) -> builtins.list[tuple[RunRow, int]]:
        """Takes over the undelivered letters of dead workers; returns their runs."""
        rows = self._rows(
            f"SELECT {_RUN}, r.undelivered FROM runs r WHERE r.undelivered > 0"
            " AND r.worker NOT IN (SELECT id FROM workers) ORDER BY r.id LIMIT 100"
        )
        taken = []
        for columns in rows:
            self._db.execute("UPDATE runs SET worker = ? WHERE id = ?", (worker, columns[0]))
            row = read_run(columns)
            if isinstance(row, RunRow):
                taken.append((row, columns[-1]))
        return taken

    def shift_pauses(self, worker: str, gained: timedelta) -> None:
        """Moves the pauses before further attempts when the clock was set, since they are durations."""
        self._db.execute(
            "UPDATE runs SET start_after = start_after + ? WHERE status = 'pending' AND worker = ? AND"
            " failures > 0",
            (gained // timedelta(microseconds=1), worker),
        )

    # -- the end of jobs ---------------------------------------------------------------------------------

    def state_after_run(self, job_id: int) -> tuple[bool, bool]:
        """Returns whether a job queues its runs, and whether it is active with no future instant and no
        pending or running run."""
        rows = self._rows(
            "SELECT overlap = 'queue', status = 'active' AND next_run IS NULL AND NOT EXISTS (SELECT 1"
            " FROM runs"
            f" WHERE job_id = jobs.id AND {_OPEN}) FROM jobs WHERE id = ?",
            (job_id,),
        )
        return (bool(rows[0][0]), bool(rows[0][1])) if rows else (False, False)

    def has_succeeded(self, job_id: int, name: str) -> bool:
        """Returns whether the job has runs and all of them have succeeded."""
        sql = (
            "SELECT EXISTS (SELECT 1 FROM runs WHERE job = ? AND job_id = ?),"
            " EXISTS (SELECT 1 FROM runs WHERE job = ? AND job_id = ? AND status <> 'succeeded')"
        )
        ((any_run, otherwise),) = self._rows(sql, (name, job_id, name, job_id))
        return bool(any_run) and not otherwise

    def delete_succeeded(self, row: JobRow, now: datetime) -> bool:
        """Deletes an active job at version 1 without a future instant, after a run of it has succeeded, if
        all its runs have succeeded; returns False if it is kept."""
        if row.version > 1:
            return False
        done = self._db.execute(
            "DELETE FROM jobs WHERE id = ? AND version = 1 AND status = 'active' AND next_run IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM runs WHERE job = ? AND job_id = ? AND status <> 'succeeded')",
            (row.id, row.name, row.id),
        )
        is_deleted = bool(done.rowcount == 1)
        if is_deleted:
            self._date_event(row.name, now)
        return is_deleted

    def tidy(self, now: datetime, retention: Retention) -> bool:
        """Deletes a batch of ended runs, and of events, that exceed the retention by age or by number.

        Returns:
            Whether there may be more.
        """
        ended = "ended_at IS NOT NULL"
        old = f"SELECT id FROM runs WHERE {ended} AND ended_at < ? ORDER BY ended_at LIMIT ?"
        before = micros(now - retention.age)
        gone = int(
            self._db.execute(f"DELETE FROM runs WHERE id IN ({old})", (before, _DELETE_BATCH)).rowcount
        )
        ((kept,),) = self._rows(f"SELECT count(*) FROM runs WHERE {ended}")
        if kept > retention.most:
            old = f"SELECT id FROM runs WHERE {ended} ORDER BY ended_at LIMIT ?"
            most = min(kept - retention.most, _DELETE_BATCH)
            gone += self._db.execute(f"DELETE FROM runs WHERE id IN ({old})", (most,)).rowcount
        gone = max(gone, self._tidy_events(before, retention.most * _EVENTS_OF_A_RUN))
        return gone >= _DELETE_BATCH

    def _tidy_events(self, before: int, most: int) -> int:
        """Deletes the oldest events, up to the first that is recent, and all but the latest ``most``; never
        the very latest. Returns their number."""
        sql = "SELECT (SELECT min(id) FROM events), (SELECT max(id) FROM events)"
        ((first, last),) = self._rows(sql)
        if first is None:
            return 0
        farthest = first + _DELETE_BATCH
        sql = "SELECT id FROM events WHERE id < ? AND at >= ? ORDER BY id LIMIT 1"
        recent = self._rows(sql, (farthest, before))
        end = max(recent[0][0] if recent else farthest, last - most + 1)
        end = min(end, last, farthest)
        return int(self._db.execute("DELETE FROM events WHERE id < ?", (end,)).rowcount)

    def _date_event(self, job: str, at: datetime) -> None:
        """Gives the event that the last statement has recorded its instant, which no column of the changed
        row has."""
        self._db.execute(
            "UPDATE events SET at = ? WHERE id = (SELECT max(id) FROM events) AND job = ?", (micros(at), job)
        )

    # -- reading runs ------------------------------------------------------------------------------------

    def run(self, run_id: int) -> RunRow | DamagedRow | None:
        """Returns the run with that ID."""
        rows = self._rows(f"SELECT {_RUN} FROM runs r WHERE r.id = ?", (run_id,))
        return read_run(rows[0]) if rows else None

    def last_run(self, row: JobRow) -> Run | None:
        """Returns the run of the job that started last."""
        sql = (
            f"SELECT {_RUN} FROM runs r WHERE r.job = ? AND r.job_id = ? AND r.started_at IS NOT NULL"
            " ORDER BY r.id DESC LIMIT 1"
        )
        rows = self._rows(sql, (row.name, row.id))
        found = read_run(rows[0]) if rows else None
        return found.run if isinstance(found, RunRow) else None

    def runs(self, query: RunQuery) -> builtins.list[RunRow | DamagedRow]:
        """Returns the matching runs, in the order in which they were recorded."""
        where, values = [f"r.job NOT LIKE '{HIDDEN}%'"], list[object]()
        for condition, value in (
            ("r.job = ?", query.job),
            ("r.status = ?", query.status.value if query.status is not None else None),
            ("r.scheduled_for >= ?", micros_or_none(query.since)),
            ("r.scheduled_for <= ?", micros_or_none(query.until)),
            ("r.id < ?", None if query.before is None else min(query.before, _LARGEST_ID)),
        ):
            if value is not None:
                where.append(condition)
                values.append(value)
        limit = -1 if query.limit is None else query.limit
        sql = f"SELECT {_RUN} FROM runs r WHERE {' AND '.join(where)} ORDER BY r.id DESC LIMIT ?"
        return [read_run(row) for row in reversed(self._rows(sql, [*values, limit]))]

    def events(self, after: int, limit: int) -> builtins.list[RecordedEvent]:
        """Returns the events after a position, oldest first, without those that cannot be read. Empty: there
        are no more."""
        sql = "SELECT id, kind, at, job, run FROM events WHERE id > ? ORDER BY id LIMIT ?"
        while True:
            rows = self._rows(sql, (after, limit))
            found = [event for event in map(read_event, rows) if event is not None]
            if found or len(rows) < limit:
                return found
            after = rows[-1][0]

    def last_event(self) -> int:
        """Returns the position of the latest event; 0: there is none."""
        ((last,),) = self._rows("SELECT max(id) FROM events")
        return last or 0

    def next_event(self, now: datetime, ahead: timedelta = timedelta(0)) -> datetime | None:
        """Returns the instant of the next event: a waiting run may start, or a job comes due.

        Args:
            now: The present.
            ahead: How long before its due instant a job is to be recorded.
        """
        ((due, start),) = self._rows(
            "SELECT (SELECT min(next_run) FROM jobs WHERE next_run IS NOT NULL),"
            " (SELECT min(start_after) FROM runs WHERE status = 'pending' AND held IS NULL AND"
            " start_after > ?)",
            (micros(now),),
        )
        moments = [due - ahead // timedelta(microseconds=1)] if isinstance(due, int) else []
        moments += [start] if isinstance(start, int) else []
        return instant(min(moments)) if moments else None

    # -- workers -----------------------------------------------------------------------------------

    def enter(self, worker: str, until: datetime) -> None:
        """Begins or renews the lease of a worker."""
        self._db.execute(
            "INSERT INTO workers (id, alive_until) VALUES (?, ?)"
            " ON CONFLICT (id) DO UPDATE SET alive_until = excluded.alive_until",
            (worker, micros(until)),
        )

    def others(self, worker: str) -> builtins.list[tuple[str, int]]:
        """Returns the other workers of the file with their present leases."""
        return self._rows("SELECT id, alive_until FROM workers WHERE id <> ?", (worker,))

    def bury(self, worker: str) -> None:
        """Ends the lease of a worker, and deletes its refusals and timed-out calls."""
        self._db.execute("DELETE FROM workers WHERE id = ?", (worker,))
        self.forget_refusals(worker)
        self.end_lingering(worker)

    def abandoned(self) -> builtins.list[tuple[int, RunRow | DamagedRow, JobRow | DamagedRow | None]]:
        """Returns the running runs of workers that no longer exist: ID, run and job."""
        rows = self._rows(
            f"SELECT {_RUN} FROM runs r INDEXED BY runs_running WHERE r.status = 'running'"
            f" AND r.worker IS NOT '{FOLLOWING}'"
            " AND (r.worker IS NULL OR r.worker NOT IN (SELECT id FROM workers)) ORDER BY r.id"
        )
        return [(columns[0], read_run(columns), self.job_by_id(columns[1])) for columns in rows]

    # -- refusals of workers -----------------------------------------------------------------------------

    def refuse(self, worker: str, row: JobRow, reason: str) -> None:
        """Records that a worker cannot call the present version of a job."""
        self._db.execute(
            "INSERT OR REPLACE INTO refusals (worker, job_id, version, reason) VALUES (?, ?, ?, ?)",
            (worker, row.id, row.version, reason),
        )

    def forget_refusals(self, worker: str) -> None:
        """Deletes the refusals of a worker, so that it tries again."""
        self._db.execute("DELETE FROM refusals WHERE worker = ?", (worker,))

    def unclaimable(self, now: datetime) -> builtins.list[RunRow]:
        """Finds due runs that every worker has refused and that have no reason yet; stores and returns them
        with the reason."""
        rows = self._rows(
            # CROSS JOIN keeps the order: from the few refusals to the open runs of their jobs.
            f"SELECT {_RUN}, u.reason FROM refusals u"
            " CROSS JOIN jobs j ON j.id = u.job_id AND j.version = u.version"
            " CROSS JOIN runs r INDEXED BY runs_open ON r.job_id = j.id"
            f" AND r.{_OPEN} AND r.status = 'pending' AND r.held IS NULL"
            " AND r.start_after <= ? AND r.reason IS NULL"
            " WHERE NOT EXISTS (SELECT 1 FROM workers w WHERE NOT EXISTS (SELECT 1 FROM refusals o"
            " WHERE o.worker = w.id AND o.job_id = j.id AND o.version = j.version))"
            " GROUP BY r.id ORDER BY r.id LIMIT 1000",
            (micros(now),),
        )
        runs = list[RunRow]()
        for columns in rows:
            self._db.execute("UPDATE runs SET reason = ? WHERE id = ?", (columns[-1], columns[0]))
            row = read_run(columns)
            if isinstance(row, RunRow):
                waiting = row.run.model_copy(update={"pending_reason": columns[-1]})
                runs.append(row._replace(run=waiting))
        return runs


def _begun(candidate: RunRow, row: JobRow, now: datetime) -> Claim:
    run = candidate.run
    # The value is not referenced elsewhere, so it need not be copied.
    run.__dict__.update(
        status=RunStatus.RUNNING, attempt=run.attempt + 1, started_at=now, pending_reason=None
    )
    return Claim(run, row, candidate.recorded_at, candidate.failures, candidate.crashes)


def is_plain(job: Job) -> bool:
    """Returns whether the single run of a job can be recorded without any decision."""
    return (
        job.is_one_time
        and job.catch_up is CatchUp.ALL
        and job.catch_up_within is None
        and job.overlap is not Overlap.QUEUE
        and not job.jitter
    )


def _zone_of(job: Job) -> str | None:
    return getattr(job.schedule, "timezone", None)
