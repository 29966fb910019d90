"""The SQLite file (or memory) behind the embedded backend: schema and statements, no decisions.

One connection, one lock, short transactions. A file is in WAL mode with normal synchronisation:
what is committed survives the end of the process at any instruction (a loss of power may take the
latest commits). Instants are integers, microseconds since 1970 in UTC.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple
from weakref import finalize

from stepsched.backends.base import JobQuery, RunQuery
from stepsched.backends.local.policy import Plan
from stepsched.backends.local.process import is_alive
from stepsched.errors import AccessDeniedError, BackendError, BackendUnavailableError
from stepsched.jobs import STILL_RAN, Job, JobStatus, Run, RunStatus, Trigger

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_APPLICATION_ID = 0x73746570  # "step"
_VERSION = 1
_SCHEMA = """
-- An id is never used again: runs of a job that is gone must not pass for those of its successor.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    job_group TEXT NOT NULL,
    status TEXT NOT NULL,
    overlap TEXT NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    anchor INTEGER NOT NULL,
    next_run INTEGER
);
CREATE INDEX jobs_due ON jobs (next_run) WHERE next_run IS NOT NULL;
-- Definitions that were replaced.
CREATE TABLE job_versions (
    job_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (job_id, version)
) WITHOUT ROWID;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id INTEGER NOT NULL,
    job TEXT NOT NULL,
    scheduled_for INTEGER NOT NULL,
    trigger TEXT NOT NULL,
    status TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    start_after INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    restarted INTEGER NOT NULL DEFAULT 0,
    started_at INTEGER,
    ended_at INTEGER,
    worker TEXT,
    error TEXT,
    output TEXT
);
-- A scheduled instant of a job is recorded once, whoever records it.
CREATE UNIQUE INDEX runs_once ON runs (job_id, scheduled_for) WHERE trigger = 'schedule';
CREATE INDEX runs_waiting ON runs (start_after, id) WHERE status = 'pending';
CREATE INDEX runs_open ON runs (job_id, id) WHERE status IN ('pending', 'running');
CREATE INDEX runs_by_job ON runs (job, id);
CREATE INDEX runs_failed ON runs (job, id) WHERE status = 'failed';
CREATE INDEX runs_ended ON runs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_running ON runs (worker) WHERE status = 'running';
-- A worker is one process with the file open for firing; it holds its runs while it is alive.
CREATE TABLE workers (id TEXT PRIMARY KEY, alive_until INTEGER NOT NULL);
"""
_RUN = (
    "r.id, r.job, r.scheduled_for, r.status, r.trigger, r.attempt, r.started_at, r.ended_at, r.restarted,"
    " r.error, r.output"
)
_JOB = "j.id, j.name, j.status, j.version, j.document, j.created_at, j.updated_at, j.anchor, j.next_run"


class JobRow(NamedTuple):
    """A stored job."""

    id: int
    """Differs between two jobs that bore one name after another."""
    name: str
    status: JobStatus
    version: int
    document: str
    created_at: datetime
    updated_at: datetime
    anchor: datetime
    next_run: datetime | None


class Claim(NamedTuple):
    """A run that this worker holds, with the job as it was when the run started."""

    run: Run
    row: JobRow
    recorded_at: datetime


class Store:
    """The statements. Each public method is one transaction unless called inside :meth:`transaction`."""

    def __init__(self, path: str | Path | None) -> None:
        """Opens or creates the file; None keeps everything in memory.

        Raises:
            BackendError: The file cannot be opened, is no SQLite file, or is another program's.
        """
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        with _mapped("open"):
            self._db = sqlite3.connect(
                ":memory:" if path is None else path, isolation_level=None, check_same_thread=False, timeout=5
            )
        self._close = finalize(self, self._db.close)
        try:
            with _mapped("open"):
                self._prepare()
        except BaseException:
            self._close()
            raise

    def close(self) -> None:
        """Closes the file. Harmless twice; every other call fails from then on."""
        with self._lock:
            self._close()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        with self.transaction("open"):
            (owner,) = self._db.execute("PRAGMA application_id").fetchone()
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if owner == 0 and tables == 0:
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                self._db.execute(f"PRAGMA user_version = {_VERSION}")
            elif owner != _APPLICATION_ID:
                raise BackendError(
                    "sqlite",
                    "open",
                    "FOREIGN",
                    detail=f"{self.path} belongs to another program; choose another file",
                )
            elif version != _VERSION:
                detail = f"{self.path} has schema {version}; this stepsched knows {_VERSION}"
                raise BackendError("sqlite", "open", "VERSION", detail=detail)

    @contextmanager
    def transaction(self, operation: str) -> Iterator[None]:
        """Everything inside happens or nothing does. Nested ones join the outer one."""
        with self._lock, _mapped(operation):
            if self._depth:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite ends some failures itself, such as a full disk
                    self._db.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    # -- jobs --------------------------------------------------------------------------------------

    def insert_job(self, job: Job, document: str, anchor: datetime, next_run: datetime | None) -> int | None:
        """Stores an active job at version 1; its id, or None when the name is taken."""
        at = _micros(anchor)
        with self.transaction("insert job"):
            done = self._db.execute(
                "INSERT INTO jobs (name, job_group, status, overlap, version, document, created_at,"
                " updated_at, anchor, next_run) VALUES (?, ?, 'active', ?, 1, ?, ?, ?, ?, ?)"
                " ON CONFLICT (name) DO NOTHING",
                (job.name, job.group, job.overlap.value, document, at, at, at, _micros_or_none(next_run)),
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
        """Stores a new definition as the next version, and keeps the old one."""
        with self.transaction("update job"):
            self._db.execute(
                "INSERT INTO job_versions VALUES (?, ?, ?, ?)",
                (row.id, row.version, row.document, _micros(now)),
            )
            self._db.execute(
                "UPDATE jobs SET job_group = ?, status = ?, overlap = ?, version = version + 1, document = ?,"
                " updated_at = ?, anchor = ?, next_run = ? WHERE id = ?",
                (
                    job.group,
                    status.value,
                    job.overlap.value,
                    document,
                    _micros(now),
                    _micros(anchor),
                    _micros_or_none(next_run),
                    row.id,
                ),
            )

    def set_status(self, row: JobRow, status: JobStatus, next_run: datetime | None, now: datetime) -> None:
        """Changes where a job stands."""
        with self.transaction("update job"):
            self._db.execute(
                "UPDATE jobs SET status = ?, next_run = ?, updated_at = ? WHERE id = ?",
                (status.value, _micros_or_none(next_run), _micros(now), row.id),
            )

    def delete_job(self, row: JobRow, now: datetime, reason: str | None = None) -> None:
        """Removes a job. With a reason, its waiting runs are closed with it."""
        with self.transaction("delete job"):
            self._db.execute("DELETE FROM jobs WHERE id = ?", (row.id,))
            self._db.execute("DELETE FROM job_versions WHERE job_id = ?", (row.id,))
            self._db.execute(
                "UPDATE runs SET status = CASE attempt WHEN 0 THEN 'skipped' ELSE 'failed' END, ended_at = ?,"
                " error = coalesce(error, ?) WHERE job_id = ? AND status = 'pending'"
                " AND status IN ('pending', 'running')",  # the words of the index runs_open
                (_micros(now), reason, row.id),
            )

    def job(self, name: str) -> JobRow | None:
        """The job of that name."""
        rows = self._rows(f"SELECT {_JOB} FROM jobs j WHERE j.name = ?", (name,))
        return _job_row(rows[0]) if rows else None

    def job_by_id(self, key: int) -> JobRow | None:
        """The job of that id."""
        rows = self._rows(f"SELECT {_JOB} FROM jobs j WHERE j.id = ?", (key,))
        return _job_row(rows[0]) if rows else None

    def versions(self, row: JobRow) -> list[tuple[int, str, datetime]]:
        """The replaced definitions of a job, oldest first: version, document, when it was replaced."""
        sql = "SELECT version, document, replaced_at FROM job_versions WHERE job_id = ? ORDER BY version"
        return [(version, document, _instant(at)) for version, document, at in self._rows(sql, (row.id,))]

    def jobs(self, query: JobQuery) -> list[JobRow]:
        """The jobs that fit, by name; tags are not looked at."""
        where, values = ["1"], list[object]()
        if query.status is not None:
            where.append("j.status = ?")
            values.append(query.status.value)
        if query.group is not None:
            where.append("j.job_group = ?")
            values.append(query.group)
        if query.name_prefix:
            where.append("substr(j.name, 1, ?) = ?")
            values += [len(query.name_prefix), query.name_prefix]
        rows = self._rows(f"SELECT {_JOB} FROM jobs j WHERE {' AND '.join(where)} ORDER BY j.name", values)
        return [_job_row(row) for row in rows]

    def due_jobs(self, now: datetime, limit: int) -> list[JobRow]:
        """Active jobs whose next run is due, the earliest first."""
        sql = f"SELECT {_JOB} FROM jobs j WHERE j.next_run <= ? ORDER BY j.next_run, j.id LIMIT ?"
        return [_job_row(row) for row in self._rows(sql, (_micros(now), limit))]

    # -- runs --------------------------------------------------------------------------------------

    def record(self, row: JobRow, plan: Plan, now: datetime) -> list[Run]:
        """Records the runs of a plan and moves the job on, in one transaction.

        Returns:
            The runs that were new.
        """
        with self.transaction("record runs"):
            runs = [
                self._insert_run(row, due.scheduled_for, Trigger.SCHEDULE, due.status, due.start_after, now)
                for due in plan.runs
            ]
            following = _micros_or_none(plan.next_run)
            self._db.execute("UPDATE jobs SET next_run = ? WHERE id = ?", (following, row.id))
            return [run for run in runs if run is not None]

    def record_manual(self, row: JobRow, now: datetime) -> Run:
        """Records a run beside the schedule."""
        with self.transaction("record run"):
            run = self._insert_run(row, now, Trigger.MANUAL, RunStatus.PENDING, now, now)
            assert run is not None  # only scheduled instants are unique
            return run

    def record_backfill(self, row: JobRow, instants: Iterable[datetime], now: datetime) -> list[Run]:
        """Records runs of instants that have passed; one that has a run already gets none."""
        runs = []
        with self.transaction("record runs"):
            for instant in instants:
                known = self._rows(
                    "SELECT 1 FROM runs WHERE job = ? AND job_id = ? AND scheduled_for = ?"
                    " AND trigger <> 'manual' LIMIT 1",
                    (row.name, row.id, _micros(instant)),
                )
                if not known:
                    run = self._insert_run(row, instant, Trigger.BACKFILL, RunStatus.PENDING, now, now)
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
    ) -> Run | None:
        """Records a run; None when its scheduled instant has one already."""
        ended_at = now if status is RunStatus.MISSED else None
        done = self._db.execute(
            "INSERT INTO runs (job_id, job, scheduled_for, trigger, status, recorded_at, start_after,"
            " ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                row.id,
                row.name,
                _micros(scheduled_for),
                trigger.value,
                status.value,
                _micros(now),
                _micros(start_after),
                _micros_or_none(ended_at),
            ),
        )
        if done.rowcount != 1 or done.lastrowid is None:
            return None
        return Run(
            id=done.lastrowid,
            job=row.name,
            scheduled_for=scheduled_for.astimezone(timezone.utc),
            status=status,
            trigger=trigger,
            ended_at=ended_at,
        )

    def redrive(self, job: str, run_id: int, now: datetime) -> Run | None:
        """Makes a run that failed for good wait again, with all its attempts; None when it has not failed
        or its job is gone."""
        with self.transaction("redrive run"):
            done = self._db.execute(
                "UPDATE runs SET status = 'pending', attempt = 0, ended_at = NULL, recorded_at = ?,"
                " start_after = ? WHERE id = ? AND job = ? AND status = 'failed'"
                " AND job_id IN (SELECT id FROM jobs)",
                (_micros(now), _micros(now), run_id, job),
            )
            if done.rowcount != 1:
                return None
            (run,) = self._rows(f"SELECT {_RUN} FROM runs r WHERE r.id = ?", (run_id,))
            self._db.execute(
                "UPDATE jobs SET status = 'active' WHERE status = 'ended'"
                " AND id = (SELECT job_id FROM runs WHERE id = ?)",
                (run_id,),
            )
            return _run(run)

    def forget(self, before: datetime, keep: int, most: int) -> int:
        """Deletes runs that ended before an instant, and the oldest of more than ``keep``; at most ``most``
        at once, so that the lock is held briefly.

        Returns:
            How many were deleted.
        """
        with self.transaction("forget runs"):
            old = "SELECT id FROM runs WHERE ended_at IS NOT NULL AND ended_at < ? ORDER BY ended_at LIMIT ?"
            gone = self._db.execute(f"DELETE FROM runs WHERE id IN ({old})", (_micros(before), most)).rowcount
            ((ended,),) = self._rows("SELECT count(*) FROM runs WHERE ended_at IS NOT NULL")
            if ended > keep:
                old = "SELECT id FROM runs WHERE ended_at IS NOT NULL ORDER BY ended_at LIMIT ?"
                done = self._db.execute(f"DELETE FROM runs WHERE id IN ({old})", (min(ended - keep, most),))
                gone += done.rowcount
            return gone

    def claim(self, worker: str, now: datetime, limit: int) -> tuple[list[Claim], list[Run]]:
        """Takes up to ``limit`` runs that may start, the earliest first, and marks them running.

        ``Overlap`` decides here: a queued run waits for all earlier ones of its job, and one that
        must not overlap is closed as skipped.

        Returns:
            The runs that this worker holds now, and those that were closed.
        """
        at, claims, skipped = _micros(now), list[Claim](), list[Run]()
        with self.transaction("claim runs"):
            waiting = self._rows(
                f"SELECT {_RUN}, r.recorded_at, j.overlap, {_JOB} FROM runs r JOIN jobs j ON j.id = r.job_id"
                " WHERE r.status = 'pending' AND r.start_after <= ? AND (j.overlap <> 'queue' OR NOT EXISTS ("
                "SELECT 1 FROM runs e WHERE e.job_id = r.job_id AND e.id < r.id"
                " AND e.status IN ('pending', 'running'))) ORDER BY r.start_after, r.id LIMIT ?",
                (at, limit),
            )
            for columns in waiting:
                run, recorded_at, overlap, row = list(columns[:11]), columns[11], columns[12], columns[13:]
                if overlap == "skip" and not run[5] and self._is_overlapping(row[0], run[0]):
                    reason = STILL_RAN
                    self._db.execute(
                        "UPDATE runs SET status = 'skipped', ended_at = ?, error = ? WHERE id = ?",
                        (at, reason, run[0]),
                    )
                    run[3], run[7], run[9] = "skipped", at, reason
                    skipped.append(_run(run))
                    continue
                self._db.execute(
                    "UPDATE runs SET status = 'running', attempt = attempt + 1, started_at = ?, worker = ?"
                    " WHERE id = ?",
                    (at, worker, run[0]),
                )
                run[3], run[5], run[6] = "running", run[5] + 1, at
                claims.append(Claim(_run(run), _job_row(row), _instant(recorded_at)))
        return claims, skipped

    def _is_overlapping(self, job_id: int, run_id: int) -> bool:
        """Whether another run of the job goes on, or did so when this one should have started: on a played
        clock, and where all places are taken, runs come one after another."""
        rows = self._rows(
            "SELECT 1 FROM runs WHERE job_id = ? AND id <> ? AND status IN ('pending', 'running')"
            " AND (status = 'running' OR attempt > 0)"
            " UNION ALL SELECT 1 FROM runs e JOIN runs r ON r.id = ? WHERE e.job_id = ? AND e.id < r.id"
            " AND e.started_at <= r.start_after AND e.ended_at > r.start_after LIMIT 1",
            (job_id, run_id, run_id, job_id),
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
        output: str | None = None,
        again_at: datetime | None = None,
    ) -> bool:
        """Records an attempt's outcome; pending with ``again_at`` for another attempt.

        Returns:
            False when the run is no longer this worker's: then nothing is recorded.
        """
        ended = None if status is RunStatus.PENDING else _micros(now)
        with self.transaction("finish run"):
            done = self._db.execute(
                "UPDATE runs SET status = ?, ended_at = ?, error = ?, output = ?, worker = NULL,"
                " start_after = coalesce(?, start_after)"
                " WHERE id = ? AND worker = ? AND attempt = ? AND status = 'running'",
                (
                    status.value,
                    ended,
                    error,
                    output,
                    _micros_or_none(again_at),
                    claim.run.id,
                    worker,
                    claim.run.attempt,
                ),
            )
            return done.rowcount == 1

    def release(self, claim: Claim, worker: str) -> None:
        """Gives back a run that was claimed and not begun, as if it had not been."""
        with self.transaction("release run"):
            self._db.execute(
                "UPDATE runs SET status = 'pending', attempt = attempt - 1, worker = NULL"
                " WHERE id = ? AND worker = ? AND status = 'running'",
                (claim.run.id, worker),
            )

    def has_run_out(self, job_id: int) -> bool:
        """Whether a job is active, with no instant to come and no run waiting or running."""
        sql = (
            "SELECT 1 FROM jobs WHERE id = ? AND status = 'active' AND next_run IS NULL AND NOT EXISTS ("
            "SELECT 1 FROM runs WHERE job_id = jobs.id AND status IN ('pending', 'running'))"
        )
        return bool(self._rows(sql, (job_id,)))

    def has_failed(self, job_id: int, name: str) -> bool:
        """Whether a run of the job failed for good."""
        sql = "SELECT 1 FROM runs WHERE job = ? AND job_id = ? AND status = 'failed' LIMIT 1"
        return bool(self._rows(sql, (name, job_id)))

    def last_run(self, row: JobRow) -> Run | None:
        """The run of the job that started latest."""
        sql = (
            f"SELECT {_RUN} FROM runs r WHERE r.job = ? AND r.job_id = ? AND r.started_at IS NOT NULL"
            " ORDER BY r.id DESC LIMIT 1"
        )
        rows = self._rows(sql, (row.name, row.id))
        return _run(rows[0]) if rows else None

    def runs(self, query: RunQuery) -> list[Run]:
        """The runs that fit, in the order they were recorded."""
        where, values = ["1"], list[object]()
        for condition, value in (
            ("r.job = ?", query.job),
            ("r.status = ?", query.status.value if query.status is not None else None),
            ("r.scheduled_for >= ?", _micros_or_none(query.since)),
            ("r.scheduled_for <= ?", _micros_or_none(query.until)),
        ):
            if value is not None:
                where.append(condition)
                values.append(value)
        limit = -1 if query.limit is None else query.limit
        sql = f"SELECT {_RUN} FROM runs r WHERE {' AND '.join(where)} ORDER BY r.id DESC LIMIT ?"
        return [_run(row) for row in reversed(self._rows(sql, [*values, limit]))]

    # -- workers -----------------------------------------------------------------------------------

    def stay_alive(self, worker: str, until: datetime, now: datetime) -> list[Run]:
        """Extends this worker's lease, and frees the runs of workers that are dead or, where nobody can
        tell, have been silent beyond their lease.

        Returns:
            The runs that were freed: each will be started again and says so.
        """
        with self.transaction("renew lease"):
            self._db.execute(
                "INSERT INTO workers VALUES (?, ?)"
                " ON CONFLICT (id) DO UPDATE SET alive_until = excluded.alive_until",
                (worker, _micros(until)),
            )
            for other, alive_until in self._rows(
                "SELECT id, alive_until FROM workers WHERE id <> ?", (worker,)
            ):
                alive = is_alive(other)
                if alive is False or (alive is None and alive_until < _micros(now)):
                    self._db.execute("DELETE FROM workers WHERE id = ?", (other,))
            return self._free_runs(now)

    def leave(self, worker: str, now: datetime) -> list[Run]:
        """Ends this worker's lease, and frees what it still holds.

        Returns:
            As :meth:`stay_alive`.
        """
        with self.transaction("end lease"):
            self._db.execute("DELETE FROM workers WHERE id = ?", (worker,))
            return self._free_runs(now)

    def _free_runs(self, now: datetime) -> list[Run]:
        sql = (
            f"SELECT {_RUN} FROM runs r INDEXED BY runs_running WHERE r.status = 'running'"
            " AND r.worker NOT IN (SELECT id FROM workers) ORDER BY r.id"
        )
        freed = [_run(columns) for columns in self._rows(sql)]
        for run in freed:
            self._db.execute(
                "UPDATE runs SET status = 'pending', restarted = 1, worker = NULL, start_after = ?"
                " WHERE id = ?",
                (_micros(now), run.id),
            )
        return [run.replace(status=RunStatus.PENDING, restarted=True) for run in freed]

    def next_event(self, now: datetime) -> datetime | None:
        """When something is to be done next: a job comes due, or a waiting run may start."""
        (row,) = self._rows(
            "SELECT (SELECT min(next_run) FROM jobs WHERE next_run IS NOT NULL),"
            " (SELECT min(start_after) FROM runs WHERE status = 'pending' AND start_after > ?)",
            (_micros(now),),
        )
        moments = [value for value in row if value is not None]
        return _instant(min(moments)) if moments else None

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock, _mapped("read"):
            return self._db.execute(sql, values).fetchall()


def _job_row(columns: Sequence[Any]) -> JobRow:
    key, name, status, version, document, created_at, updated_at, anchor, next_run = columns
    return JobRow(
        key,
        name,
        JobStatus(status),
        version,
        document,
        _instant(created_at),
        _instant(updated_at),
        _instant(anchor),
        _instant_or_none(next_run),
    )


def _run(columns: Sequence[Any]) -> Run:
    key, job, scheduled_for, status, trigger, attempt, started_at, ended_at, restarted, error, output = (
        columns
    )
    return Run.model_construct(  # what the store holds was validated when it came in
        id=key,
        job=job,
        scheduled_for=_instant(scheduled_for),
        status=RunStatus(status),
        trigger=Trigger(trigger),
        attempt=attempt,
        started_at=_instant_or_none(started_at),
        ended_at=_instant_or_none(ended_at),
        restarted=bool(restarted),
        error=error,
        output=output,
    )


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _micros_or_none(instant: datetime | None) -> int | None:
    return None if instant is None else _micros(instant)


def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _instant_or_none(micros: int | None) -> datetime | None:
    return None if micros is None else _instant(micros)


# What the caller may do about an error, by the beginning of SQLite's text for it: Python 3.10 does not
# carry the code (https://www.sqlite.org/rescode.html).
_ERRORS: tuple[tuple[str, type[BackendError], str, str], ...] = (
    ("database is locked", BackendUnavailableError, "BUSY", "another process holds the file"),
    ("database table is locked", BackendUnavailableError, "LOCKED", "another connection holds the table"),
    ("database or disk is full", BackendUnavailableError, "FULL", "the disk is full; what is recorded stays"),
    ("disk I/O error", BackendUnavailableError, "IOERR", "the disk refuses; what is recorded stays"),
    ("attempt to write a readonly", AccessDeniedError, "READONLY", "the file cannot be written"),
    ("unable to open database", AccessDeniedError, "CANTOPEN", "it cannot be opened; does its folder exist?"),
    ("access permission denied", AccessDeniedError, "PERM", "the file may not be opened"),
    ("authorization denied", AccessDeniedError, "AUTH", "the file may not be opened"),
    (
        "database disk image is malformed",
        BackendError,
        "CORRUPT",
        "the file is damaged; restore a copy",
    ),
    ("file is not a database", BackendError, "NOTADB", "the file is no SQLite database; choose another"),
)


@contextmanager
def _mapped(operation: str) -> Iterator[None]:
    """Turns SQLite's errors into ours."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        for beginning, kind, code, advice in _ERRORS:
            if text.startswith(beginning):
                again = kind is BackendUnavailableError
                raise kind("sqlite", operation, code, retryable=again, detail=f"{advice} ({text})") from error
        raise BackendError("sqlite", operation, type(error).__name__, detail=text) from error
