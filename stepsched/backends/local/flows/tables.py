"""The SQL statements for workflows. It makes no decisions.

Methods that write belong inside a transaction of the store.
"""

from __future__ import annotations

import builtins
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pydantic import JsonValue

from stepsched.backends.local.database import Database
from stepsched.backends.local.rows import (
    FOLLOWING,
    HIDDEN,
    RUN_COLUMNS,
    RunRow,
    instant,
    made,
    micros,
    micros_or_none,
    read_run,
)
from stepsched.core.context import revive, write
from stepsched.core.payloads import to_json
from stepsched.jobs.records import Trigger
from stepsched.workflows.decisions import LeftOut
from stepsched.workflows.model import MAX_OUTPUT
from stepsched.workflows.port import RunQuery
from stepsched.workflows.records import FailureKind, StepRun, StepStatus, WorkflowRun, WorkflowRunStatus

_RUN = ", ".join(f"r.{name}" for name in RUN_COLUMNS)
_AT_ONCE = 500
"""The number of names in one statement; SQLite limits the number of variables."""
_DELETE_BATCH = 200
"""The number of ended runs, each with up to 2,000 steps, that are deleted in one transaction."""
_FLOW = (
    "id, workflow, run, version, status, trigger, scheduled_for, started_at, ended_at, restarts, revision,"
    " input, error"
)
_STEP = (
    "SELECT s.name, s.status, s.attempt, s.failures, s.losses, s.started_at, s.ended_at, s.output, s.error,"
    " s.failure, s.caused_by, s.reason, s.run_id, r.status, r.attempt, r.failures, r.crashes, r.started_at,"
    " r.start_after, r.error, r.reason,"
    " (SELECT f.revision || f.status FROM workflow_runs f WHERE f.id = s.flow) FROM workflow_steps s"
    " LEFT JOIN runs r ON r.id = s.run_id AND s.status = 'running' WHERE s.flow = ?"
)
"""The steps of a run, with the hidden runs of those that run, and the mark of the run."""


class Head(NamedTuple):
    """What never or rarely changes of a run."""

    key: int
    workflow: str
    run: str
    """The ID of the run."""
    version: int


class FlowRow(NamedTuple):
    """A stored run of a workflow, without its steps."""

    id: int
    run: WorkflowRun

    @property
    def status(self) -> WorkflowRunStatus:
        return self.run.status

    @property
    def mark(self) -> str:
        """What changes when the run as a whole does."""
        return f"{self.run.revision}{self.run.status.value}"

    @property
    def head(self) -> Head:
        return Head(self.id, self.run.workflow, self.run.id, self.run.version)


class StepEnd(NamedTuple):
    """The end of a step."""

    status: StepStatus
    at: datetime
    attempt: int
    """The number of attempts of its hidden run."""
    failures: int = 0
    losses: int = 0
    output: str | None = None
    error: str | None = None
    failure: FailureKind | None = None
    started_at: datetime | None = None
    caused_by: str | None = None
    reason: str | None = None
    traceback: str | None = None
    """Where the error was raised, for the log."""

    def stopped_by(self, step: str | None) -> StepEnd:
        """Returns the end of a step that is not attempted again, since a failed step stops its run. None:
        none does."""
        if step is None:
            return self
        reason = f"the run stops: step {step!r} failed"
        return self._replace(status=StepStatus.UPSTREAM_FAILED, caused_by=step, reason=reason)


class Held(NamedTuple):
    """The hidden run of a step: what runs it at present."""

    run_id: int
    job_id: int
    attempt: int
    worker: str | None
    """The worker that runs it. None: none does."""


class Need(NamedTuple):
    """What a step needs to know of another."""

    status: StepStatus
    caused_by: str | None


class Tables:
    """The statements over one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _db(self) -> sqlite3.Connection:
        return self._database.connection

    def _rows(self, sql: str, values: Sequence[object] = ()) -> builtins.list[Any]:
        return self._database.rows(sql, values)

    # -- definitions -----------------------------------------------------------------------------------

    def insert_definition(self, name: str, version: int, document: str, now: datetime) -> None:
        self._db.execute("INSERT INTO workflows VALUES (?, ?, ?, ?)", (name, version, document, micros(now)))

    def definition(self, name: str, version: int | None) -> tuple[int, str, datetime] | None:
        """Returns version, document and instant of a definition. ``version`` None: the latest."""
        rows = self._rows(
            "SELECT version, document, stored_at FROM workflows WHERE name = ? AND (? IS NULL OR version = ?)"
            " ORDER BY version DESC LIMIT 1",
            (name, version, version),
        )
        return (rows[0][0], rows[0][1], instant(rows[0][2])) if rows else None

    def names(self) -> builtins.list[str]:
        """Returns the names of all workflows, sorted."""
        return [name for (name,) in self._rows("SELECT DISTINCT name FROM workflows ORDER BY name")]

    # -- runs ------------------------------------------------------------------------------------------

    def insert_run(self, run: WorkflowRun, steps: int) -> int | None:
        """Stores a new run; returns its key, or None if its ID is taken."""
        done = self._db.execute(
            "INSERT INTO workflow_runs (workflow, run, version, status, trigger, scheduled_for, started_at,"
            " input, open_steps) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                run.workflow,
                run.id,
                run.version,
                run.status.value,
                run.trigger.value,
                micros_or_none(run.scheduled_for),
                micros(run.started_at),
                to_json(write(run.input)),
                steps,
            ),
        )
        return done.lastrowid if done.rowcount == 1 else None

    def flow(self, workflow: str, run_id: str) -> FlowRow | None:
        rows = self._rows(
            f"SELECT {_FLOW} FROM workflow_runs WHERE workflow = ? AND run = ?", (workflow, run_id)
        )
        return _flow(rows[0]) if rows else None

    def flow_by_key(self, key: int) -> FlowRow | None:
        rows = self._rows(f"SELECT {_FLOW} FROM workflow_runs WHERE id = ?", (key,))
        return _flow(rows[0]) if rows else None

    def head(self, key: int) -> Head | None:
        rows = self._rows("SELECT id, workflow, run, version FROM workflow_runs WHERE id = ?", (key,))
        return Head(*rows[0]) if rows else None

    def input(self, key: int) -> JsonValue:
        """Returns the input of a run."""
        ((given,),) = self._rows("SELECT input FROM workflow_runs WHERE id = ?", (key,))
        found: JsonValue = revive(json.loads(given))
        return found

    def flows(self, query: RunQuery) -> builtins.list[FlowRow]:
        """Returns the matching runs, the earliest start first."""
        where, values = ["1"], list[object]()
        for condition, value in (
            ("workflow = ?", query.workflow),
            ("status = ?", query.status.value if query.status is not None else None),
            ("started_at >= ?", micros_or_none(query.since)),
            ("started_at <= ?", micros_or_none(query.until)),
        ):
            if value is not None:
                where.append(condition)
                values.append(value)
        values.append(-1 if query.limit is None else query.limit)
        sql = (
            f"SELECT {_FLOW} FROM workflow_runs WHERE {' AND '.join(where)}"
            " ORDER BY started_at DESC, id DESC LIMIT ?"
        )
        return [_flow(row) for row in reversed(self._rows(sql, values))]

    def update_run(self, key: int, run: WorkflowRun) -> None:
        """Writes what may change of a run."""
        self._db.execute(
            "UPDATE workflow_runs SET version = ?, status = ?, ended_at = ?, restarts = ?, revision = ?,"
            " input = ?, error = ? WHERE id = ?",
            (
                run.version,
                run.status.value,
                micros_or_none(run.ended_at),
                run.restarts,
                run.revision,
                to_json(write(run.input)),
                run.error,
                key,
            ),
        )

    def end_run(self, key: int, status: WorkflowRunStatus, now: datetime) -> None:
        self._db.execute(
            "UPDATE workflow_runs SET status = ?, ended_at = ? WHERE id = ?", (status.value, micros(now), key)
        )

    def count_down(self, key: int, ended: int) -> int:
        """Subtracts steps that have ended; returns how many have not."""
        self._db.execute("UPDATE workflow_runs SET open_steps = open_steps - ? WHERE id = ?", (ended, key))
        ((left,),) = self._rows("SELECT open_steps FROM workflow_runs WHERE id = ?", (key,))
        return int(left)

    def set_open(self, key: int, steps: int, needs: Iterable[tuple[int, str]]) -> None:
        """Writes how many steps have not ended, and for steps how many of their needs have not."""
        self._db.execute("UPDATE workflow_runs SET open_steps = ? WHERE id = ?", (steps, key))
        self._db.executemany(
            "UPDATE workflow_steps SET open_needs = ? WHERE flow = ? AND name = ?",
            [(count, key, name) for count, name in needs],
        )

    def tidy(self, now: datetime, age: timedelta, most: int) -> bool:
        """Deletes a batch of ended runs that exceed the retention by age or by number; returns whether there
        may be more."""
        ended = "SELECT id FROM workflow_runs WHERE ended_at IS NOT NULL"
        keys = [
            key
            for (key,) in self._rows(
                f"{ended} AND ended_at < ? ORDER BY ended_at LIMIT ?", (micros(now - age), _DELETE_BATCH)
            )
        ]
        if not keys:
            ((kept,),) = self._rows(f"SELECT count(*) FROM ({ended})")
            over = min(kept - most, _DELETE_BATCH)
            if over > 0:
                keys = [key for (key,) in self._rows(f"{ended} ORDER BY ended_at LIMIT ?", (over,))]
        for key in keys:
            self._db.execute("DELETE FROM workflow_steps WHERE flow = ?", (key,))
            self._db.execute("DELETE FROM workflow_runs WHERE id = ?", (key,))
        return len(keys) >= _DELETE_BATCH

    # -- steps -----------------------------------------------------------------------------------------

    def insert_steps(self, key: int, steps: Iterable[tuple[str, int]]) -> None:
        """Stores pending steps: name and number of needs that have not ended."""
        self._db.executemany(
            "INSERT INTO workflow_steps (flow, name, status, open_needs) VALUES (?, ?, 'pending', ?)",
            [(key, name, needs) for name, needs in steps],
        )

    def snapshot(self, key: int) -> tuple[str, dict[str, StepRun]]:
        """Returns :attr:`FlowRow.mark` of a run and its steps by name, as they are at the same instant."""
        rows = self._rows(_STEP, (key,))
        return rows[0][-1] if rows else "", {row[0]: _step(row) for row in rows}

    def steps(self, key: int) -> dict[str, StepRun]:
        """Returns the steps of a run by name, as they are at present."""
        return self.snapshot(key)[1]

    def outputs(self, key: int, names: Iterable[str]) -> builtins.list[tuple[str, str, str | None]]:
        """Returns name, status and output of steps."""
        return list(self._of("name, status, output", key, names))

    def needs(self, key: int, names: Iterable[str]) -> dict[str, Need]:
        rows = self._of("name, status, caused_by", key, names)
        return {name: Need(StepStatus(status), cause) for name, status, cause in rows}

    def _of(self, columns: str, key: int, names: Iterable[str]) -> Iterator[Any]:
        left = list(names)
        for at in range(0, len(left), _AT_ONCE):
            portion = left[at : at + _AT_ONCE]
            marks = ", ".join("?" * len(portion))
            yield from self._rows(
                f"SELECT {columns} FROM workflow_steps WHERE flow = ? AND name IN ({marks})", (key, *portion)
            )

    def end_need(self, key: int, names: Sequence[str]) -> builtins.list[tuple[str, int]]:
        """Records for pending steps that one of their needs has ended; returns each with the number of needs
        that have not."""
        self._db.executemany(
            "UPDATE workflow_steps SET open_needs = open_needs - 1 WHERE flow = ? AND name = ?",
            [(key, name) for name in names],
        )
        rows = self._of("name, open_needs, status", key, names)
        return [(name, left) for name, left, status in rows if status == "pending"]

    def statuses(self, key: int) -> set[StepStatus]:
        rows = self._rows("SELECT DISTINCT status FROM workflow_steps WHERE flow = ?", (key,))
        return {StepStatus(status) for (status,) in rows}

    def named(self, key: int, status: StepStatus, limit: int) -> builtins.list[str]:
        """Returns the names of steps with a status, the earliest end first."""
        rows = self._rows(
            "SELECT name FROM workflow_steps WHERE flow = ? AND status = ? ORDER BY ended_at, name LIMIT ?",
            (key, status.value, limit),
        )
        return [name for (name,) in rows]

    def end_step(self, key: int, step: StepRun) -> None:
        """Writes the end of a step."""
        self._db.execute(
            "UPDATE workflow_steps SET status = ?, attempt = ?, failures = ?, losses = ?, started_at = ?,"
            " ended_at = ?, output = ?, error = ?, failure = ?, caused_by = ?, reason = ?"
            " WHERE flow = ? AND name = ?",
            (
                step.status.value,
                step.attempt,
                step.failures,
                step.losses,
                micros_or_none(step.started_at),
                micros_or_none(step.ended_at),
                step.output,
                step.error,
                None if step.failure is None else step.failure.value,
                step.caused_by,
                step.reason,
                key,
                step.name,
            ),
        )

    def finish_step(self, key: int, name: str, end: StepEnd) -> None:
        """Writes the end of a step whose hidden run is gone."""
        self._db.execute(
            "UPDATE workflow_steps SET status = ?, attempt = attempt + ?, failures = failures + ?,"
            " losses = losses + ?, started_at = coalesce(?, started_at), ended_at = ?, output = ?, error = ?,"
            " failure = ?, caused_by = ?, reason = ? WHERE flow = ? AND name = ?",
            (
                end.status.value,
                end.attempt,
                end.failures,
                end.losses,
                micros_or_none(end.started_at),
                micros(end.at),
                None if end.output is None else end.output[:MAX_OUTPUT],
                end.error,
                None if end.failure is None else end.failure.value,
                end.caused_by,
                end.reason,
                key,
                name,
            ),
        )

    def leave_out(self, key: int, left: LeftOut, now: datetime) -> None:
        self._db.execute(
            "UPDATE workflow_steps SET status = ?, caused_by = ?, reason = ?, ended_at = ?"
            " WHERE flow = ? AND name = ?",
            (left.status.value, left.caused_by, left.reason, micros(now), key, left.name),
        )

    def put_step(self, key: int, step: StepRun) -> None:
        """Writes a step as an operator wants it, whether it existed or not."""
        self._db.execute(
            "INSERT OR IGNORE INTO workflow_steps (flow, name, status, open_needs)"
            " VALUES (?, ?, 'pending', 0)",
            (key, step.name),
        )
        self.end_step(key, step)

    def drop_steps(self, key: int, names: Iterable[str]) -> None:
        self._db.executemany(
            "DELETE FROM workflow_steps WHERE flow = ? AND name = ?", [(key, name) for name in names]
        )

    def step_of(self, run_id: int) -> tuple[int, str] | None:
        """Returns key and name of the running step of a hidden run."""
        rows = self._rows(
            "SELECT flow, name FROM workflow_steps WHERE status = 'running' AND run_id = ?", (run_id,)
        )
        return (rows[0][0], rows[0][1]) if rows else None

    def lost(self) -> builtins.list[tuple[int, str, Any]]:
        """Returns the running steps whose hidden run has ended without them, or is gone: key, name, run."""
        rows = self._rows(
            f"SELECT s.flow, s.name, {_RUN} FROM workflow_steps s INDEXED BY workflow_steps_running"
            " LEFT JOIN runs r ON r.id = s.run_id WHERE s.status = 'running'"
            " AND (r.id IS NULL OR r.status NOT IN ('pending', 'running'))"
        )
        return [(row[0], row[1], None if row[2] is None else read_run(row[2:])) for row in rows]

    # -- hidden jobs and runs --------------------------------------------------------------------------

    def begin_step(self, key: int, name: str, label: str, document: str, now: datetime) -> int:
        """Stores the hidden job and run of a pending step, which is running from now on; returns the ID of
        the job."""
        job, run = self.begin_hidden(key, name, label, document, now)
        self._db.execute(
            "UPDATE workflow_steps SET status = 'running', started_at = ?, run_id = ?, ended_at = NULL,"
            " output = NULL, error = NULL, failure = NULL, caused_by = NULL, reason = NULL"
            " WHERE flow = ? AND name = ?",
            (micros(now), run, key, name),
        )
        return job

    def begin_hidden(self, key: int, name: str, label: str, document: str, now: datetime) -> tuple[int, int]:
        """Stores a hidden job with one run; returns the IDs of both.

        Args:
            key: The run of the workflow.
            name: The name of the job; it begins with a space, as that of no other job.
            label: What the job is called in its run.
            document: The job.
            now: The present.
        """
        at = micros(now)
        job = self._db.execute(
            "INSERT INTO jobs (name, job_group, status, overlap, version, document, created_at, updated_at,"
            " anchor) VALUES (?, 'default', 'active', 'allow', 1, ?, ?, ?, ?)",
            (f"{HIDDEN}{key}/{name}", document, at, at, at),
        ).lastrowid
        run = self._db.execute(
            "INSERT INTO runs (job_id, job, scheduled_for, trigger, status, recorded_at, start_after)"
            " VALUES (?, ?, ?, 'manual', 'pending', ?, ?)",
            (job, f"{HIDDEN}{key}/{label}", at, at, at),
        ).lastrowid
        assert job is not None
        assert run is not None
        return job, run

    def take(self, run_id: int, job_id: int, attempt: int, worker: str) -> bool:
        """Deletes the hidden run of an attempt that has ended for good, with its job; returns False if the
        worker no longer holds it."""
        done = self._db.execute(
            "DELETE FROM runs WHERE id = ? AND attempt = ? AND ((worker = ? AND status = 'running')"
            " OR (lingering = ? AND status = 'pending'))",
            (run_id, attempt, worker, worker),
        )
        if done.rowcount == 1:
            self._delete_job(job_id)
        return bool(done.rowcount == 1)

    def withdraw(self, run_id: int, job_id: int) -> None:
        """Deletes a hidden run and its job."""
        self._db.execute("DELETE FROM runs WHERE id = ?", (run_id,))
        self._delete_job(job_id)

    def _delete_job(self, job_id: int) -> None:
        self._db.execute("DELETE FROM jobs WHERE id = ?", (job_id,))
        self._db.execute("DELETE FROM refusals WHERE job_id = ?", (job_id,))

    def held(self, key: int, names: Iterable[str]) -> dict[str, Held]:
        """Returns the hidden runs of running steps by name."""
        wanted = set(names)
        rows = self._rows(
            "SELECT s.name, r.id, r.job_id, r.attempt, r.worker, r.status FROM workflow_steps s JOIN runs r"
            " ON r.id = s.run_id WHERE s.flow = ? AND s.status = 'running'",
            (key,),
        )
        return {
            name: Held(run, job, attempt, worker if status == "running" else None)
            for name, run, job, attempt, worker, status in rows
            if name in wanted
        }

    # -- runs of jobs that follow a workflow ---------------------------------------------------------------

    def follow(self, run_id: int, key: int) -> None:
        """Records that a run of a job ends with a run of a workflow."""
        self._db.execute("UPDATE runs SET follows = ? WHERE id = ?", (key, run_id))

    def followers(self, key: int) -> builtins.list[RunRow]:
        """Returns the running runs of jobs that end with a run."""
        rows = self._rows(
            f"SELECT {_RUN} FROM runs r WHERE r.follows = ? AND r.status = 'running' ORDER BY r.id", (key,)
        )
        return [row for row in map(read_run, rows) if isinstance(row, RunRow)]

    def deserted(self) -> builtins.list[tuple[RunRow, int | None]]:
        """Returns the runs of jobs that wait for the end of a run which has ended, or is gone: run, key."""
        rows = self._rows(
            f"SELECT {_RUN}, f.id FROM runs r INDEXED BY runs_running"
            " LEFT JOIN workflow_runs f ON f.id = r.follows"
            " WHERE r.status = 'running' AND r.worker = ? AND (f.id IS NULL OR f.ended_at IS NOT NULL)",
            (FOLLOWING,),
        )
        read = [(read_run(row), row[-1]) for row in rows]
        return [(row, key) for row, key in read if isinstance(row, RunRow)]

    def adopt(self, run_id: int, worker: str) -> None:
        """Makes a worker hold a run that follows a workflow, so that it can end it."""
        self._db.execute("UPDATE runs SET worker = ? WHERE id = ?", (worker, run_id))

    def end_orphan(self, run_id: int, error: str | None, output: str | None, now: datetime) -> None:
        """Ends a run whose job is gone."""
        self._db.execute(
            "UPDATE runs SET status = ?, ended_at = ?, error = ?, output = ?, worker = NULL WHERE id = ?",
            ("succeeded" if error is None else "failed", micros(now), error, output, run_id),
        )


_STATUS = {status.value: status for status in StepStatus}
_FAILURE = {kind.value: kind for kind in FailureKind} | {None: None}
_FIELDS = frozenset(StepRun.model_fields)


def _step(row: Sequence[Any]) -> StepRun:
    (
        name, status, attempt, failures, losses, started_at, ended_at, output, error, failure, caused_by,
        reason, run_id, run_status, run_attempt, run_failures, crashes, run_started, start_after, run_error,
        waits,
    ) = row[:-1]  # fmt: skip
    fields: dict[str, Any] = {
        "name": name,
        "status": _STATUS[status],
        "attempt": attempt,
        "failures": failures,
        "losses": losses,
        "started_at": None if started_at is None else instant(started_at),
        "ended_at": None if ended_at is None else instant(ended_at),
        "retry_at": None,
        "output": output,
        "error": error,
        "failure": _FAILURE[failure],
        "caused_by": caused_by,
        "reason": reason,
        "job_id": None if run_id is None else str(run_id),
        "detail": None,
        "link": None,
    }
    if run_status is not None:
        waits_again = run_status == "pending" and run_attempt > 0
        fields |= {
            "status": StepStatus.PENDING if waits_again else StepStatus.RUNNING,
            "attempt": attempt + max(run_attempt, 1),
            "failures": failures + run_failures,
            "losses": losses + crashes,
            "started_at": instant(run_started if run_started is not None else started_at),
            "retry_at": instant(start_after) if waits_again else None,
            "error": run_error,
            "failure": _kind(run_failures, crashes),
            "detail": waits if run_status == "pending" else None,
        }
    return made(StepRun, {**DEFAULTS, **fields}, _FIELDS)


DEFAULTS = {name: field.default for name, field in StepRun.model_fields.items() if not field.is_required()}


def _kind(failures: int, crashes: int) -> FailureKind | None:
    if failures:
        return FailureKind.JOB
    return FailureKind.PLATFORM if crashes else None


def _flow(row: Sequence[Any]) -> FlowRow:
    (
        key, workflow, run, version, status, trigger, scheduled_for, started_at, ended_at, restarts, revision,
        given, error,
    ) = row  # fmt: skip
    found: JsonValue = revive(json.loads(given))
    return FlowRow(
        key,
        WorkflowRun(
            workflow=workflow,
            id=run,
            version=version,
            status=WorkflowRunStatus(status),
            trigger=Trigger(trigger),
            scheduled_for=None if scheduled_for is None else instant(scheduled_for),
            started_at=instant(started_at),
            ended_at=None if ended_at is None else instant(ended_at),
            restarts=restarts,
            revision=revision,
            input=found,
            error=error,
        ),
    )
