"""A job, its policies, what a backend says of it, and the changes of status that are legal."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator
from typing_extensions import Self

from stepsched.errors import InvalidTransitionError
from stepsched.notebook import table
from stepsched.payloads import Payload, Text
from stepsched.schedules import AnySchedule, OneTime, Rate
from stepsched.targets import AnyTarget, QueueTarget, TopicTarget
from stepsched.values import Duration, StrEnum, Value


class Overlap(StrEnum):
    """What happens to a run that is due while an earlier one of its job still runs."""

    ALLOW = "allow"
    """It starts beside the earlier one, as on EventBridge Scheduler."""
    SKIP = "skip"
    """It is recorded as skipped and never starts."""
    QUEUE = "queue"
    """It starts when the earlier one has ended."""


class CatchUp(StrEnum):
    """What happens to runs that came due while no process was there to start them."""

    ALL = "all"
    """Each of them runs, oldest first."""
    ONE = "one"
    """The latest of them runs; the others are recorded as missed."""
    SKIP = "skip"
    """All are recorded as missed."""


class Completion(StrEnum):
    """What happens to a one-time job when its run has ended. Its history stays."""

    DELETE = "delete"
    """It is deleted once its run has succeeded; one that failed stays, so that it can be redriven. On
    EventBridge Scheduler it is deleted after its last attempt, however that went."""
    KEEP = "keep"
    """It stays listed, with status ended."""


class OnFailure(StrEnum):
    """What becomes of a recurring job when one of its runs has failed for good."""

    CONTINUE = "continue"
    """It goes on, as on EventBridge Scheduler."""
    STOP = "stop"
    """It is paused: nothing more comes due until someone resumes it. Runs that have come due by then still
    start; runs of ``run_now`` and ``backfill`` stop nothing."""


class Retry(Value, frozen=True):
    """How often and how long a failed run is tried again.

    The limits are EventBridge Scheduler's. Its defaults of 185 attempts over 24 hours are not ours.
    """

    max_attempts: int = Field(default=3, ge=0, le=185, strict=True)
    """Attempts after the first one."""
    max_age: Duration = Field(default=timedelta(hours=1), ge=timedelta(minutes=1), le=timedelta(hours=24))
    """No further attempt starts later than this after the run came due (was recorded); inclusive. A run
    whose process ended is bounded by it as well."""
    interval: Duration = Field(default=timedelta(seconds=1), ge=timedelta(0), le=timedelta(hours=24))
    """The pause before the second attempt. On EventBridge Scheduler the service chooses."""
    backoff_rate: float = Field(default=2.0, ge=1, le=10, allow_inf_nan=False)
    """What each further pause is multiplied by."""
    max_delay: Duration | None = Field(default=None, ge=timedelta(0), le=timedelta(hours=24))
    """No pause is longer. None: nothing but ``max_age`` bounds it."""

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.max_delay is not None and self.max_delay < self.interval:
            raise ValueError(f"max_delay {self.max_delay} is shorter than the first pause, {self.interval}")
        return self

    def delay(self, attempt: int) -> timedelta:
        """The pause after the failed attempt of that number; the first is 1."""
        bound = self.max_age if self.max_delay is None else self.max_delay
        factor = self.backoff_rate ** min(attempt - 1, 184)
        if self.interval and factor > bound / self.interval:
            return bound
        return min(self.interval * factor, bound) if self.interval else timedelta(0)


def is_name(text: str) -> bool:
    """Whether a job or group can have this name."""
    return re.fullmatch(r"[0-9a-zA-Z_.-]{1,64}", text) is not None and text not in (".", "..")


def checked_name(value: Any) -> str:
    """The name of a job or group itself.

    Raises:
        ValueError: It can be none.
    """
    if not isinstance(value, str) or not is_name(value):
        raise ValueError(
            f"{value!r} is not a name: 1 to 64 of the characters A-Z a-z 0-9 - _ . (and neither '.' nor '..')"
        )
    return value


Name = Annotated[str, BeforeValidator(checked_name)]


def _read_schedule(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError(f"text is no schedule; parse_schedule({value!r}) gives one")  # noqa: TRY004 -- pydantic collects ValueError
    return value


def _read_target(value: Any) -> Any:
    if callable(value):
        name = getattr(value, "__name__", "function")
        raise ValueError(f"a function is no target; HandlerTarget({name}) gives one")  # noqa: TRY004 -- as above
    if isinstance(value, str):
        raise ValueError(f"text is no target; give one such as LambdaTarget({value!r})")  # noqa: TRY004 -- as above
    return value


def _read_queue(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError(f"text is no target; QueueTarget({value!r}) gives one")  # noqa: TRY004 -- as above
    return value


def _read_topic(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError(f"text is no target; TopicTarget({value!r}) gives one")  # noqa: TRY004 -- as above
    return value


# A payload may hold one part a billion times, and its text would never end.
class Job(Value, frozen=True, hide_input_in_errors=True):
    """*When* and *what*, with the policies for everything that can come between.

    Jobs compare; ``replace()`` gives a changed copy; the JSON form is an exact mirror.
    """

    name: Name
    """1 to 64 of ``A-Z a-z 0-9 - _ .``; unique in its backend."""
    schedule: Annotated[AnySchedule, BeforeValidator(_read_schedule)]
    target: Annotated[AnyTarget, BeforeValidator(_read_target)]
    input: Payload = Field(default_factory=dict)
    """Any JSON value up to 256 KiB; handed to the target at every run. Copied in."""
    description: Text = Field(default="", max_length=512)
    group: Name = "default"
    tags: dict[
        Annotated[str, Field(min_length=1, max_length=128, strict=True)],
        Annotated[str, Field(min_length=1, max_length=256, strict=True)],
    ] = Field(default_factory=dict, max_length=200)
    retry: Retry = Retry()
    dead_letter: Annotated[QueueTarget | None, BeforeValidator(_read_queue)] = None
    """The standard queue for runs that failed for good. None: the run's record alone tells."""
    notify: Annotated[TopicTarget | None, BeforeValidator(_read_topic)] = None
    """The topic that is told of every run that failed for good: a JSON object with ``job``,
    ``scheduled_for``, ``attempts``, ``error`` and ``cause``. None: nobody is told."""
    on_failure: OnFailure = OnFailure.CONTINUE
    overlap: Overlap = Overlap.ALLOW
    catch_up: CatchUp = CatchUp.ALL
    catch_up_within: Duration | None = Field(default=None, ge=timedelta(seconds=1), le=timedelta(days=365))
    """A scheduled run that could not begin within this after it should have is recorded as missed and does
    not run, whether nothing was there to start it or it waited for a free thread. None: no limit."""
    jitter: Duration = Field(default=timedelta(0), ge=timedelta(0), le=timedelta(hours=24))
    """A run starts at a moment within this after its scheduled instant."""
    max_run_time: Duration | None = Field(default=None, ge=timedelta(seconds=1), le=timedelta(days=365))
    """An attempt that takes longer has failed: a command is killed, a coroutine cancelled; a function
    cannot be stopped, so its answer is no longer awaited. None: as long as it takes."""
    completion: Completion = Completion.DELETE
    """For one-time jobs; recurring ones that have run out stay listed as ended."""

    @field_validator("dead_letter")
    @classmethod
    def _is_standard(cls, queue: QueueTarget | None) -> QueueTarget | None:
        if queue is not None and queue.queue_arn.endswith(".fifo"):
            raise ValueError(f"{queue.queue_arn!r} is a FIFO queue; dead letters need a standard one")
        return queue

    def __eq__(self, other: object) -> bool:
        """Whether the other job says the same, to the letter of its JSON: ``1`` is not ``true``."""
        if not isinstance(other, Job):
            return NotImplemented
        return super().__eq__(other) and self._canonical() == other._canonical()

    __hash__ = None  # type: ignore[assignment]  # payloads do not hash

    def _canonical(self) -> str:
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    @property
    def is_one_time(self) -> bool:
        """Whether the schedule names a single run."""
        return isinstance(self.schedule, OneTime)

    @property
    def hangs_on_creation(self) -> bool:
        """Whether the schedule is a rate without start, whose grid is laid at the job's creation (P-12)."""
        return isinstance(self.schedule, Rate) and self.schedule.start is None

    def never_runs(self, now: datetime) -> str | None:
        """Why the job would never run from now on; None when it will (P-16, P-17)."""
        if self.schedule.next_run(after=now) is not None:
            return None
        last = self.schedule.previous_run(before=now + timedelta(microseconds=1))
        if last is None:
            return "no date fits the schedule"
        return (
            f"its last run was due at {last.isoformat()}, and now it is {now.isoformat(timespec='seconds')}"
        )

    def anchored(self, created_at: datetime) -> AnySchedule:
        """The schedule with a rate's grid laid at the job's creation (P-12)."""
        if self.hangs_on_creation:
            return self.schedule.replace(start=created_at)
        return self.schedule


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
    trigger: Trigger = Trigger.SCHEDULE
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
    DOUBLED = "doubled"
    """Several run the job."""
    STALE = "stale"
    """Something runs for a job that is gone, paused or changed."""
    UNFINISHED = "unfinished"
    """A run was recorded or begun, and whoever should end it is gone."""


class Repair(Value, frozen=True):
    """What ``repair`` has found, and what it has done."""

    job: str
    """The job's name."""
    problem: Problem
    detail: str
    """What was seen, and why it came to that as far as anybody knows."""
    remedy: str
    """What was done."""


class JobVersion(Value, frozen=True):
    """A job's definition as it once was."""

    version: int
    job: Job
    replaced_at: datetime
    """When the next version took its place, in UTC."""


class JobRecord(Value, frozen=True):
    """What a backend says of a job."""

    job: Job
    status: JobStatus
    version: int
    """Counts the changes of the job's definition, from 1."""
    created_at: datetime
    updated_at: datetime
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
