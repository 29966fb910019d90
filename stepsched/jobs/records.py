"""The records of jobs and runs that backends return, and the permitted status transitions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import ValidatorFunctionWrapHandler, field_validator

from stepsched.core.enums import StrEnum
from stepsched.core.errors import InvalidTransitionError
from stepsched.core.quoting import quoted
from stepsched.core.values import Value
from stepsched.display.results import Displayed
from stepsched.jobs.job import Job
from stepsched.jobs.names import is_one_line
from stepsched.schedules import Rate, Schedule
from stepsched.schedules.moments import PlainDatetime
from stepsched.schedules.stored import reading_stored

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Table

MAX_REASON = 200
"""The maximum length of the reason of a pause in characters. EventBridge Scheduler keeps it in the 512
characters of a description, beside the job's own text."""
_TICK = timedelta(microseconds=1)


class JobStatus(StrEnum):
    """The status of a job."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"
    """The job has no run left."""
    CANCELLED = "cancelled"
    """The job was deleted. Only the record that ``cancel`` returns has this status."""


class RunStatus(StrEnum):
    """The status of a run."""

    PENDING = "pending"
    """The run is recorded and waits for a free thread, its jitter, its turn or its next attempt."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The run has failed for good: no attempt is left."""
    SKIPPED = "skipped"
    """The run was not started, because an earlier run was still running (``Overlap.SKIP``) or the job was
    cancelled."""
    MISSED = "missed"
    """The run was not started, because it came due while no worker was running and ``catch_up`` excludes it,
    or because it could not begin within ``catch_up_within``."""

    @property
    def has_ended(self) -> bool:
        """Whether the run has ended. Only ``redrive`` makes an ended run pending again."""
        return self not in (RunStatus.PENDING, RunStatus.RUNNING)


STILL_RAN = "an earlier run of the job still ran"
"""The error text of a run that was skipped by ``Overlap.SKIP``."""


class Trigger(StrEnum):
    """What created a run."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    """The run was created by ``run_now``."""
    BACKFILL = "backfill"
    """The run was created by ``backfill``."""


class Run(Displayed, Value, frozen=True):
    """One occurrence of a job."""

    id: int
    """The ID of the run, unique in its backend. Later runs have larger IDs."""
    job: str
    """The job's name."""
    scheduled_for: PlainDatetime
    """The scheduled instant, in the zone of the job's schedule; in UTC for a rate and for a deleted job. For
    ``run_now`` it is the instant of the call."""
    status: RunStatus
    """The status of the run."""
    trigger: Trigger = Trigger.SCHEDULE
    """What created the run: the schedule or a verb."""
    attempt: int = 0
    """The number of attempts started so far."""
    started_at: PlainDatetime | None = None
    """The instant at which the latest attempt started, in UTC. None: no attempt has started."""
    ended_at: PlainDatetime | None = None
    """The instant at which the run ended, in UTC. None: it has not ended."""
    restarted: bool = False
    """Whether an attempt was interrupted by the end of its process and started again."""
    error: str | None = None
    """The error of the latest attempt, or why the run was skipped or missed. None: there is none."""
    traceback: str | None = None
    """The traceback of the latest attempt, truncated. None: the attempt has not failed, or the backend has no
    more information than ``error``."""
    output: str | None = None
    """The result of the target as text, truncated. None: there is none."""
    pending_reason: str | None = None
    """Why a pending run does not start although it is due, for example because no worker has its handler.
    None: it only waits for its instant, its turn or a free thread."""
    link: str | None = None
    """The URL of the run in the provider's console. None: there is none."""

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Yields the fields that differ from their default, the error before those of less use."""
        first = ("id", "job", "scheduled_for", "status", "error", "pending_reason")
        return sorted(super().__repr_args__(), key=lambda field: _place(field[0], first))

    @property
    def result(self) -> Any:
        """The output as a value: decoded if it is JSON, as the result of a handler is, otherwise the text
        itself. None: there is no output."""
        if self.output is None:
            return None
        try:
            return json.loads(self.output)
        except (ValueError, RecursionError):
            return self.output

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table
        from stepsched.jobs.shown import run_rows

        return record_table(run_rows(self))


class Problem(StrEnum):
    """A problem that ``repair`` finds: it keeps a job from coming due, or a run from ending."""

    MISSING = "missing"
    """No execution runs the job: it was never started."""
    DEAD = "dead"
    """The execution that ran the job ended unexpectedly."""
    DUPLICATE = "duplicate"
    """More than one execution runs the job."""
    ORPHANED = "orphaned"
    """An execution runs for a deleted, paused or replaced job."""
    UNFINISHED = "unfinished"
    """A run is pending or running, and its execution no longer exists."""
    OUTDATED = "outdated"
    """The job is stored with zone rules that are older than the time zone database of this machine."""


class Repair(Displayed, Value, frozen=True):
    """A problem that ``repair`` has found, and what it did."""

    job: str
    """The job's name."""
    problem: Problem
    """The kind of the problem."""
    detail: str
    """A description of the problem, with its cause if that is known."""
    remedy: str
    """What was done to repair it."""

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table
        from stepsched.jobs.shown import repair_cells

        return record_table(repair_cells(self).items())


def read_stored_job(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Reads the definition in a record or plan, such as from JSON: it was accepted when that was made."""
    with reading_stored():
        return read(value)


class JobVersion(Displayed, Value, frozen=True):
    """An earlier definition of a job."""

    version: int
    """The number of this definition; the first is 1."""
    job: Job
    """The definition."""
    replaced_at: PlainDatetime
    """The instant at which the next version replaced it, in UTC."""

    _read_job = field_validator("job", mode="wrap")(read_stored_job)

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table
        from stepsched.display.times import instant_text
        from stepsched.jobs.shown import job_rows

        rows = [("version", str(self.version)), ("replaced at", instant_text(self.replaced_at))]
        return record_table([*rows, *job_rows(self.job)])


class JobRecord(Displayed, Value, frozen=True):
    """A stored job with its status."""

    job: Job
    """The stored definition."""
    status: JobStatus
    """The status of the job."""
    version: int
    """The number of the job's definition: 1 at creation, incremented by each change."""
    created_at: PlainDatetime
    """The instant at which the job was created, in UTC."""
    updated_at: PlainDatetime
    """The instant at which the definition, the status or the reason of a pause last changed, in UTC."""
    next_run: PlainDatetime | None
    """The next scheduled instant, in the schedule's zone. None: the job is paused or has no run left."""
    pause_reason: str | None = None
    """Why the job is paused, as given to ``pause``. None: no reason was given, or it is not paused."""
    last_run: Run | None = None
    """The run that started last. None: no run has started, or the backend does not keep runs."""
    owned: bool = True
    """Whether stepsched created the job. Foreign jobs are listed, but never pruned."""
    current: bool = True
    """Whether the job is stored with the backend's present settings, such as its role. If not, ``update`` and
    ``apply`` write it again."""

    _read_job = field_validator("job", mode="wrap")(read_stored_job)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Yields the fields that differ from their default, those of most use first."""
        first = ("job", "status", "next_run", "version", "pause_reason", "last_run")
        return sorted(super().__repr_args__(), key=lambda field: _place(field[0], first))

    @property
    def name(self) -> str:
        """The job's name."""
        return self.job.name

    def is_as_in(self, job: Job) -> bool:
        """Returns whether ``update(job)`` would change nothing: the definition is equal, it is stored with
        the backend's present settings, and a disabled job is not active."""
        return self.job == job and self.current and (job.enabled or self.status is not JobStatus.ACTIVE)

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table
        from stepsched.jobs.shown import NEXT_RUNS, record_rows

        runs = [] if self.next_run is None else runs_of(self, after=self.next_run - _TICK)
        return record_table(record_rows(self, list(islice(runs, NEXT_RUNS)), None))


def runs_of(record: JobRecord, *, after: datetime, until: datetime | None = None) -> Iterator[datetime]:
    """Yields the next runs of a stored job; none if it has no next run.

    Args:
        record: The job.
        after: The start of the range; aware, exclusive.
        until: The end of the range; aware, inclusive. None: no end.
    """
    first = record.next_run
    if first is None:
        return iter(())
    return schedule_of(record).runs(after=max(after, first - _TICK), until=until)


def schedule_of(record: JobRecord) -> Schedule:
    """Returns the schedule of a stored job. A rate without start gets one before its next run."""
    job, first = record.job, record.next_run
    if isinstance(job.schedule, Rate) and job.starts_at_creation and first is not None:
        return job.schedule.replace(start=first - job.schedule.every)  # any of its runs determines its grid
    return job.schedule


def _place(name: str | None, first: Sequence[str]) -> int:
    """Returns the place of a field: those that are named come first, in that order."""
    return first.index(name) if name in first else len(first)


_LEGAL = {
    "pause": {JobStatus.ACTIVE: JobStatus.PAUSED, JobStatus.PAUSED: JobStatus.PAUSED},
    "resume": {JobStatus.PAUSED: JobStatus.ACTIVE, JobStatus.ACTIVE: JobStatus.ACTIVE},
}


def first_status(job: Job) -> JobStatus:
    """Returns the status of a job that has just been created."""
    return JobStatus.ACTIVE if job.enabled else JobStatus.PAUSED


def status_after_update(status: JobStatus, before: Job, after: Job) -> JobStatus:
    """Returns the status after a new definition: a disabled job is paused, and one that was disabled before
    is resumed; a pause of an enabled job is kept.

    Args:
        status: The status before.
        before: The stored definition.
        after: The new definition, which has a run left.
    """
    if not after.enabled or (status is JobStatus.PAUSED and before.enabled):
        return JobStatus.PAUSED
    return JobStatus.ACTIVE


def status_after(name: str, status: JobStatus, action: str, *, only_change: bool = False) -> JobStatus:
    """Returns the status after a verb. Pausing a paused job and resuming an active one is not an error.

    Args:
        name: The name of the job.
        status: The status before.
        action: The verb.
        only_change: Whether a verb that would leave the status as it is, is an error too.

    Raises:
        InvalidTransitionError: The verb does not apply in this status, for example to a job that has ended.
    """
    after = _LEGAL[action].get(status)
    if after is None or (only_change and after is status):
        raise InvalidTransitionError(name, status.value, action)
    return after


def checked_reason(reason: object) -> str | None:
    """Returns the reason of a pause as plain text; None if there is none.

    Raises:
        TypeError: It is not text.
        ValueError: It is not 1 to 200 visible characters on one line.
    """
    if reason is None:
        return None
    if not isinstance(reason, str):
        raise TypeError(f"expected a string for reason, got {quoted(reason)}")
    if len(reason) > MAX_REASON or not is_one_line(reason):
        raise ValueError(
            f"expected 1 to {MAX_REASON} visible characters on one line for reason, got {quoted(reason)}"
            + (f" of {len(reason)} characters" if len(reason) > MAX_REASON else "")
        )
    return str.__str__(reason)
