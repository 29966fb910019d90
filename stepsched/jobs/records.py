"""What a backend says of a job and its runs, and the changes of status that are legal."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from stepsched.core.enums import StrEnum
from stepsched.core.errors import InvalidTransitionError
from stepsched.core.values import Value
from stepsched.display.notebook import table
from stepsched.jobs.job import Job


class JobStatus(StrEnum):
    """Where a job stands."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"
    """No run is left."""
    CANCELLED = "cancelled"
    """Deleted; seen only in the answer of ``cancel``."""


class RunStatus(StrEnum):
    """Where a run stands."""

    PENDING = "pending"
    """Recorded, and waiting: for a place, for its jitter, or for its next attempt."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Failed for good: no attempt is left."""
    SKIPPED = "skipped"
    """Not started because an earlier run still ran (``Overlap.SKIP``), or because the job was cancelled."""
    MISSED = "missed"
    """Not started: it came due while nothing was there to start it and ``CatchUp`` did not ask for it, or it
    could not begin within ``catch_up_within``."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to the run by itself; ``redrive`` alone lets it wait again."""
        return self not in (RunStatus.PENDING, RunStatus.RUNNING)


STILL_RAN = "an earlier run of the job still ran"
"""Why a run was skipped."""


class Trigger(StrEnum):
    """Why a run exists."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    """``run_now``."""
    BACKFILL = "backfill"
    """``backfill``."""


class Run(Value, frozen=True):
    """One occurrence of a job."""

    id: int
    """Unique in its backend; later runs have larger ones."""
    job: str
    """The job's name."""
    scheduled_for: datetime
    """The scheduled instant, in the zone of the job's schedule: UTC for a rate, and where the job is gone.
    For ``run_now`` the moment of the call."""
    status: RunStatus
    """How far it has come."""
    trigger: Trigger = Trigger.SCHEDULE
    """Whether the schedule or a verb asked for it."""
    attempt: int = 0
    """Attempts started so far."""
    started_at: datetime | None = None
    """When the latest attempt started, in UTC. None: not yet."""
    ended_at: datetime | None = None
    """When the run ended, in UTC. None: it has not."""
    restarted: bool = False
    """Whether an attempt was cut off by the end of its process and started again."""
    error: str | None = None
    """The latest attempt's failure."""
    traceback: str | None = None
    """Where the latest attempt failed, as Python prints it, cut to a bounded length. None: it has not failed,
    or the backend knows no more than ``error``."""
    output: str | None = None
    """What the target answered, as text, cut to a bounded length."""
    pending_reason: str | None = None
    """Why a pending run does not start although its time has come, such as a handler that no worker has.
    None: nothing but its time, its turn or a free thread is awaited."""
    link: str | None = None
    """A page of the provider's console on which to look at it. None: there is none."""

    @property
    def result(self) -> Any:
        """The output as the value that it is: decoded where it is JSON, as a handler's answer is, else the
        text itself. None: there is no output."""
        if self.output is None:
            return None
        try:
            return json.loads(self.output)
        except (ValueError, RecursionError):
            return self.output


class Problem(StrEnum):
    """What kept a job from coming due, or a run from its end."""

    MISSING = "missing"
    """Nothing runs the job: what should was never started."""
    DEAD = "dead"
    """What ran the job has ended, and should not have."""
    DUPLICATE = "duplicate"
    """Several run the job."""
    ORPHANED = "orphaned"
    """Something runs for a job that is gone, paused or changed."""
    UNFINISHED = "unfinished"
    """A run was recorded or begun, and whoever should end it is gone."""


class Repair(Value, frozen=True):
    """What ``repair`` has found, and what it has done."""

    job: str
    """The job's name."""
    problem: Problem
    """The kind of what was found."""
    detail: str
    """What was seen, and why it came to that as far as anybody knows."""
    remedy: str
    """What was done."""


class JobVersion(Value, frozen=True):
    """A job's definition as it once was."""

    version: int
    """The number of this definition, from 1."""
    job: Job
    """The definition."""
    replaced_at: datetime
    """When the next version took its place, in UTC."""


class JobRecord(Value, frozen=True):
    """What a backend says of a job."""

    job: Job
    """The definition as it is stored."""
    status: JobStatus
    """Whether it comes due."""
    version: int
    """Counts the changes of the job's definition, from 1."""
    created_at: datetime
    """When it was created, in UTC."""
    updated_at: datetime
    """When its definition or status last changed, in UTC."""
    next_run: datetime | None
    """The next scheduled instant, in the schedule's zone. None while paused or when none is left."""
    last_run: Run | None = None
    """The run that started latest. None: none has, or the backend keeps no runs."""
    owned: bool = True
    """Whether stepsched made it. What others have made is listed, and never pruned."""
    current: bool = True
    """Whether it is stored with the backend's own settings, such as its role; else ``update`` and
    ``apply`` write it anew."""

    @property
    def name(self) -> str:
        """The job's name."""
        return self.job.name

    def _repr_html_(self) -> str:
        """A table, for notebooks."""
        rows = [
            ("job", self.name),
            ("status", self.status.value),
            ("schedule", self.job.schedule.describe()),
            ("next run", "none" if self.next_run is None else self.next_run.isoformat(" ", "seconds")),
            ("target", repr(self.job.target)),
            ("group", self.job.group),
            ("version", self.version),
            ("updated", self.updated_at.isoformat(" ", "seconds")),
        ]
        return table(rows)


_LEGAL = {
    "pause": {JobStatus.ACTIVE: JobStatus.PAUSED, JobStatus.PAUSED: JobStatus.PAUSED},
    "resume": {JobStatus.PAUSED: JobStatus.ACTIVE, JobStatus.ACTIVE: JobStatus.ACTIVE},
}


def status_after(name: str, status: JobStatus, action: str) -> JobStatus:
    """The status that a verb leads to. Pausing a paused job and resuming an active one is no error.

    Raises:
        InvalidTransitionError: The verb does not apply, as to a job that has ended.
    """
    try:
        return _LEGAL[action][status]
    except KeyError as error:
        raise InvalidTransitionError(name, status.value, action) from error
