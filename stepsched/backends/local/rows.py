"""Rows of the store as values, including damaged rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel

from stepsched.core.errors import BackendError, ErrorCode, InvalidScheduleError
from stepsched.jobs import JobStatus, Run, RunStatus, Trigger
from stepsched.jobs.events import EventKind, RecordedEvent
from stepsched.jobs.records import STILL_RAN
from stepsched.jobs.unreadable import NEWER
from stepsched.schedules.zones import load_zone

Made = TypeVar("Made", bound=BaseModel)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_MOST = 2**31
"""A number of attempts that no run can have."""
HIDDEN = " "
"""The beginning of the names of jobs that are steps of workflows, and are in no list; no other job's name
begins so."""
FOLLOWING = "(workflow)"
"""The worker of runs that have started a workflow and end with it: they are in no process."""
QUEUED, PAUSED, GIVEN_UP = "queue", "paused", "given up"
"""The values of the column ``held``: why a pending run must not be claimed."""
_HELD = {
    QUEUED: STILL_RAN,
    PAUSED: "its job is paused",
    GIVEN_UP: "an attempt that was given up may still run",
}

RUN_COLUMNS = (
    "id", "job_id", "job", "scheduled_for", "trigger", "status", "recorded_at", "start_after", "attempt",
    "restarted", "started_at", "ended_at", "worker", "error", "output", "timezone", "failures",
    "crashes", "held", "lingering", "reason", "traceback", "follows",
)  # fmt: skip
JOB_COLUMNS = (
    "id", "name", "status", "version", "document", "created_at", "updated_at", "anchor", "next_run",
    "timezone", "pause_reason", "overlap",
)  # fmt: skip


class JobRow(NamedTuple):
    """A stored job."""

    id: int
    """The ID of the row. It differs between two successive jobs with the same name."""
    name: str
    status: JobStatus
    version: int
    document: str
    created_at: datetime
    updated_at: datetime
    anchor: datetime
    next_run: datetime | None
    timezone: str | None
    """The zone in which the job's instants are returned. None: UTC."""
    pause_reason: str | None = None
    """Why the job is paused. None: no reason was given, or it is not paused."""

    @property
    def flow(self) -> int | None:
        """The run of a workflow of which the job is a step. None: it is a job of its own."""
        return flow_of(self.name)


class RunRow(NamedTuple):
    """A stored run, with the columns that only the engine uses."""

    run: Run
    job_id: int
    recorded_at: datetime
    start_after: datetime
    failures: int
    """The number of failed attempts."""
    crashes: int
    """The number of attempts that were interrupted by the end of their process."""
    follows: int | None = None
    """The run of a workflow that the run has started. None: it has not."""
    flow: int | None = None
    """The run of a workflow of which the run is a step. None: it is a run of its own."""


class Claim(NamedTuple):
    """A run that this worker has claimed, with the job's definition at the start of the run."""

    run: Run
    row: JobRow
    recorded_at: datetime
    failures: int
    crashes: int


class DamagedRow(NamedTuple):
    """A row that cannot be read, for example because bytes of the file were changed."""

    id: int
    name: str
    """The name as stored, or a readable form of it."""
    reason: str
    is_newer: bool = False
    """Whether a later version may have written it, rather than that it is damaged."""

    def error(self) -> BackendError:
        """Returns the error that verbs raise for this row."""
        if self.is_newer:
            detail = f"the row of job {self.name!r} cannot be read by this version ({self.reason}): {NEWER}"
        else:
            detail = (
                f"the row of job {self.name!r} is damaged ({self.reason}); restore the file from a copy; "
                f"cancel({self.name!r}) removes it"
            )
        return BackendError("sqlite", "read job", ErrorCode.UNREADABLE, detail=detail)


def read_job(columns: sqlite3.Row | Sequence[Any], offset: int = 0) -> JobRow | DamagedRow:
    """Reads the job of a row with ``JOB_COLUMNS`` from an offset on."""
    key, name, status, version, document, created_at, updated_at, anchor, next_run, zone, reason = columns[
        offset : offset + 11
    ]
    try:
        is_typed = isinstance(name, str) and isinstance(document, str) and type(version) is int
        if not is_typed or not isinstance(reason, (str, type(None))):
            raise TypeError("a column has a value of another type")  # noqa: TRY301 -- one way out
        return JobRow(
            key,
            name,
            JobStatus(status),
            version,
            document,
            instant(created_at),
            instant(updated_at),
            instant(anchor),
            None if next_run is None else instant(next_run),
            zone,
            reason,
        )
    except (ValueError, TypeError, OverflowError) as error:
        is_newer = isinstance(status, str) and status.isalpha() and status not in _JOB_STATUS
        return DamagedRow(key, str(name), str(error), is_newer)


def read_run(columns: sqlite3.Row | Sequence[Any]) -> RunRow | DamagedRow:
    """Reads the run of a row that begins with ``RUN_COLUMNS``."""
    (
        key, job_id, job, scheduled_for, trigger, status, recorded_at, start_after, attempt, restarted,
        started_at, ended_at, _worker, error, output, zone, failures, crashes, held, _lingering, reason,
        trace, follows,
    ) = columns[:23]  # fmt: skip
    flow = flow_of(job)
    try:
        if not all(type(count) is int and 0 <= count < _MOST for count in (attempt, failures, crashes)):
            raise ValueError("a number of attempts is not valid")  # noqa: TRY301 -- one way out
        run = made(
            Run,
            {
                "id": key,
                "job": job.partition("/")[2] if flow is not None else job,
                "scheduled_for": in_zone(instant(scheduled_for), zone),
                "status": _RUN_STATUS[status],
                "trigger": _TRIGGER[trigger],
                "attempt": attempt,
                "started_at": None if started_at is None else instant(started_at),
                "ended_at": None if ended_at is None else instant(ended_at),
                "restarted": bool(restarted),
                "error": error,
                "traceback": trace,
                "output": output,
                "pending_reason": (_HELD.get(held) or reason) if status == "pending" else None,
                "link": None,
            },
            _RUN_FIELDS,
        )
        return RunRow(
            run, job_id, instant(recorded_at), instant(start_after), failures, crashes, follows, flow
        )
    except (KeyError, ValueError, TypeError, OverflowError) as wrong:
        return DamagedRow(key, str(job), f"{type(wrong).__name__}: {wrong}")


def read_event(columns: Sequence[Any]) -> RecordedEvent | None:
    """Reads an event; None: it is damaged, or of a kind that only a later version knows."""
    key, kind, at, job, run = columns
    if not isinstance(job, str) or not isinstance(run, (int, type(None))):
        return None
    try:
        return RecordedEvent(key, _EVENT_KIND[kind], instant(at), job, run)
    except (KeyError, TypeError, OverflowError):
        return None


def flow_of(name: object) -> int | None:
    """Returns the run of a workflow to which a job belongs, by the name of the job's row: `` 12/load`` is a
    step of run 12. None: it is a job of its own."""
    if not isinstance(name, str) or not name.startswith(HIDDEN):
        return None
    key = name[len(HIDDEN) :].partition("/")[0]
    return int(key) if key.isdecimal() else None


def made(kind: type[Made], fields: dict[str, Any], given: AbstractSet[str]) -> Made:
    """Creates a value without validation, as pydantic's ``model_construct`` does, in a third of the time: the
    stored data was validated before it was stored.

    Args:
        kind: The class of the value.
        fields: All fields by name.
        given: The names of the explicit fields, which are not defaults.
    """
    value = kind.__new__(kind)
    for name, part in (
        ("__dict__", fields),
        ("__pydantic_fields_set__", set(given)),
        ("__pydantic_extra__", None),
        ("__pydantic_private__", None),
    ):
        object.__setattr__(value, name, part)
    return value


_RUN_FIELDS = frozenset(Run.model_fields)
_JOB_STATUS = frozenset(status.value for status in JobStatus)
_RUN_STATUS = {status.value: status for status in RunStatus}
_TRIGGER = {trigger.value: trigger for trigger in Trigger}
_EVENT_KIND = {kind.value: kind for kind in EventKind}


def in_zone(moment: datetime, zone: str | None) -> datetime:
    """Returns an instant with the offset of a zone at that instant. None: UTC."""
    if zone is None or zone == "UTC":
        return moment
    try:
        return load_zone(zone).localise(moment)
    except (InvalidScheduleError, OverflowError):  # the zone is not installed on this machine
        return moment


def micros(moment: datetime) -> int:
    """Returns the microseconds since 1970 in UTC, the form of instants in the file."""
    return (moment - _EPOCH) // _MICROSECOND


def micros_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


@lru_cache(maxsize=4096)
def instant(stored: int) -> datetime:
    """Returns the instant, in UTC, of a number of microseconds; cached, since many columns have equal
    values."""
    return _EPOCH + timedelta(microseconds=stored)
