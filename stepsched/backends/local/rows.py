"""Rows of the store as values, and what stands in the place of a row that is damaged."""

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
from stepsched.jobs.records import STILL_RAN
from stepsched.schedules.zones import load_zone

Made = TypeVar("Made", bound=BaseModel)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_MOST = 2**31
"""Attempts that no run can have had."""
QUEUED, PAUSED, GIVEN_UP = "queue", "paused", "given up"
"""Why a pending run is held: what stands in the column ``held``."""
_HELD = {
    QUEUED: STILL_RAN,
    PAUSED: "its job is paused",
    GIVEN_UP: "an attempt that is no longer awaited still runs",
}

RUN_COLUMNS = (
    "id", "job_id", "job", "scheduled_for", "trigger", "status", "recorded_at", "start_after", "attempt",
    "restarted", "started_at", "ended_at", "worker", "error", "output", "timezone", "failures",
    "crashes", "held", "lingering", "reason", "traceback",
)  # fmt: skip
JOB_COLUMNS = (
    "id", "name", "status", "version", "document", "created_at", "updated_at", "anchor", "next_run",
    "timezone", "overlap",
)  # fmt: skip


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
    timezone: str | None
    """The zone in which its instants are shown. None: UTC."""


class RunRow(NamedTuple):
    """A stored run, with what only the engine asks for."""

    run: Run
    job_id: int
    recorded_at: datetime
    start_after: datetime
    failures: int
    """Attempts that failed."""
    crashes: int
    """Attempts that the end of their process cut off."""


class Claim(NamedTuple):
    """A run that this worker holds, with the job as it was when the run started."""

    run: Run
    row: JobRow
    recorded_at: datetime
    failures: int
    crashes: int


class DamagedRow(NamedTuple):
    """A row that cannot be read, as after bytes of the file were changed."""

    id: int
    name: str
    """As it is stored, or what can be made of it."""
    reason: str

    def error(self) -> BackendError:
        """What a verb says of it."""
        detail = f"the row of job {self.name!r} is damaged ({self.reason}); cancel({self.name!r}) removes it"
        return BackendError("sqlite", "read job", ErrorCode.UNREADABLE, detail=detail)


def read_job(columns: sqlite3.Row | Sequence[Any], offset: int = 0) -> JobRow | DamagedRow:
    """The job of a row that holds ``JOB_COLUMNS`` from an offset on."""
    key, name, status, version, document, created_at, updated_at, anchor, next_run, zone = columns[
        offset : offset + 10
    ]
    try:
        if not isinstance(name, str) or not isinstance(document, str) or type(version) is not int:
            raise TypeError("a column holds a value of another type")  # noqa: TRY301 -- one way out
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
        )
    except (ValueError, TypeError, OverflowError) as error:
        return DamagedRow(key, str(name), str(error))


def read_run(columns: sqlite3.Row | Sequence[Any]) -> RunRow | DamagedRow:
    """The run of a row that begins with ``RUN_COLUMNS``."""
    (
        key, job_id, job, scheduled_for, trigger, status, recorded_at, start_after, attempt, restarted,
        started_at, ended_at, _worker, error, output, zone, failures, crashes, held, _lingering, reason,
        trace,
    ) = columns[:22]  # fmt: skip
    try:
        if not all(type(count) is int and 0 <= count < _MOST for count in (attempt, failures, crashes)):
            raise ValueError("a count of attempts is none")  # noqa: TRY301 -- one way out
        run = made(
            Run,
            {
                "id": key,
                "job": job,
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
        return RunRow(run, job_id, instant(recorded_at), instant(start_after), failures, crashes)
    except (KeyError, ValueError, TypeError, OverflowError) as wrong:
        return DamagedRow(key, str(job), f"{type(wrong).__name__}: {wrong}")


def made(kind: type[Made], fields: dict[str, Any], given: AbstractSet[str]) -> Made:
    """A value of these fields, all of them, as pydantic's ``model_construct`` makes it, in a third of the
    time: what the store holds was validated when it came in.

    Args:
        kind: Its class.
        fields: Every field, by name.
        given: The names of those that were given, and are no defaults.
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
_RUN_STATUS = {status.value: status for status in RunStatus}
_TRIGGER = {trigger.value: trigger for trigger in Trigger}


def in_zone(moment: datetime, zone: str | None) -> datetime:
    """An instant of UTC as the wall clock of a zone shows it, with that zone's offset then. None: UTC."""
    if zone is None or zone == "UTC":
        return moment
    try:
        return load_zone(zone).localise(moment)
    except (InvalidScheduleError, OverflowError):  # a zone that is not installed here
        return moment


def micros(moment: datetime) -> int:
    """Microseconds since 1970 in UTC, as the file holds an instant."""
    return (moment - _EPOCH) // _MICROSECOND


def micros_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


@lru_cache(maxsize=4096)
def instant(stored: int) -> datetime:
    """The instant of so many microseconds, in UTC. Many columns of many rows hold the same one."""
    return _EPOCH + timedelta(microseconds=stored)
