"""The job: a schedule, a target and policies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationInfo, field_validator
from typing_extensions import Self

from stepsched.core.errors import InvalidScheduleError
from stepsched.core.masking import text_without_secrets, without_secrets
from stepsched.core.payloads import Payload, Text
from stepsched.core.quoting import quoted
from stepsched.core.values import Duration, ShortKeys, Value
from stepsched.display.results import Displayed
from stepsched.jobs.interval import document_of, fields_of
from stepsched.jobs.names import GroupName, Name
from stepsched.jobs.policies import CatchUp, Completion, OnFailure, Overlap, Retry, read_retry
from stepsched.schedules import AnySchedule, Cron, Frequency, OneTime, Rate
from stepsched.schedules.expressions import is_crontab
from stepsched.schedules.moments import aware, just_after
from stepsched.targets import (
    SERVICE_TARGETS,
    AnyTarget,
    CommandTarget,
    QueueTarget,
    Target,
    TopicTarget,
)
from stepsched.targets.base import arn_field

if TYPE_CHECKING:  # loaded when something is shown
    from matplotlib.axes import Axes

    from stepsched.display.table import Table
    from stepsched.pictures.months import Months


T = TypeVar("T")


def _read_schedule(value: Any) -> Any:
    if isinstance(value, (BaseModel, Mapping)) and not isinstance(value, Frequency):
        return _with_kind(value, "schedule")
    cure = "Rate(timedelta(minutes=5))"
    if isinstance(value, str):
        cure = f"{'Cron.from_crontab' if is_crontab(value) else 'parse_schedule'}({quoted(value)})"
    elif isinstance(value, datetime):
        cure = "OneTime(value)"
    elif isinstance(value, timedelta):
        cure = "Rate(value)"
    elif isinstance(value, Frequency):
        cure = f"Windowed(start, every={value!r})"
    raise ValueError(f"expected a schedule, got {type(value).__name__}; use {cure}")


def read_target(value: Any) -> Any:
    """Returns the value of a field for a target unchanged, for pydantic to read.

    Raises:
        ValueError: The value is something else, such as a function or an ARN; the error names the target to
            use.
    """
    if isinstance(value, BaseModel) and hasattr(value, "steps"):
        name = quoted(getattr(value, "name", "nightly"))
        raise ValueError(f"expected a target, got a {type(value).__name__}; use WorkflowTarget({name})")
    if isinstance(value, (BaseModel, Mapping)):
        return _with_kind(value, "target")
    if callable(value):
        name = getattr(value, "__name__", "function")
        raise ValueError(f"expected a target, got a function; use HandlerTarget({name})")  # noqa: TRY004 -- pydantic collects ValueError
    cure = "one such as HandlerTarget(function)"
    if isinstance(value, str):
        cure = _target_of(value)
    elif isinstance(value, (list, tuple)):
        is_command = all(isinstance(part, str) for part in value)
        cure = f"{'CommandTarget' if is_command else 'ParallelTarget'}({quoted(list(value))})"
    raise ValueError(f"expected a target, got {type(value).__name__}; use {cure}")


def _with_kind(value: object, field: str) -> object:
    if isinstance(value, Mapping) and "kind" not in value:
        sample = "rate" if field == "schedule" else "lambda"
        raise ValueError(
            f"expected a {field}, or a mapping with its kind, such as {sample!r}; got "
            f"{quoted(without_secrets(value))}"
        )
    return value


def _target_of(text: str) -> str:
    """Returns the code that makes a target of an ARN or the name of a function."""
    if not text.startswith("arn:"):
        if text.startswith(("https://", "http://")):
            return f"HttpTarget({quoted(text_without_secrets(text))})"
        return f"HandlerTarget({quoted(text)})" if ":" in text else "one such as LambdaTarget(arn)"
    able = [kind for kind in SERVICE_TARGETS if kind.follows_from_arn]
    kinds = [kind for kind in able if [arn_field(kind)[1].service] == text.split(":")[2:3]]
    if len(kinds) != 1:
        return "one such as LambdaTarget(arn)"
    (kind,) = kinds
    first, _ = arn_field(kind)
    others = [name for name, field in kind.model_fields.items() if field.is_required() and name != first]
    if kind is QueueTarget and text.endswith(".fifo"):
        others = ["message_group_id"]
    return f"{kind.__name__}({', '.join([quoted(text), *(f'{name}=...' for name in others)])})"


def _read_queue(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError(f"expected a QueueTarget, got str; use QueueTarget({quoted(value)})")  # noqa: TRY004 -- as above
    return value


def read_topic(value: Any) -> Any:
    """Returns the value of a field for a topic unchanged, for pydantic to read.

    Raises:
        ValueError: The value is text; the error says how to make a topic of it.
    """
    if isinstance(value, str):
        raise ValueError(f"expected a TopicTarget, got str; use TopicTarget({quoted(value)})")  # noqa: TRY004 -- as above
    return value


def no_job(value: object) -> TypeError:
    """Returns the error for a value that is not a :class:`Job`, with what to use instead."""
    cure = "Job(name=..., schedule=..., target=...)"
    if isinstance(getattr(value, "job", None), Job):
        cure = "function.job" if callable(value) else "record.job"
    return TypeError(f"expected a Job, got {type(value).__name__}; use {cure}")


def checked_jobs(jobs: Iterable[T]) -> Iterable[T]:
    """Returns the argument for several jobs unchanged; its items are not checked.

    Raises:
        TypeError: ``jobs`` is one job, a path, or something else that holds no jobs.
    """
    if isinstance(jobs, (Job, str, Mapping)) or not isinstance(jobs, Iterable):
        cure = "[job]"
        if isinstance(jobs, (str, PurePath)):
            cure = "load_jobs(path)"
        elif callable(jobs) and isinstance(getattr(jobs, "job", None), Job):
            cure = "[function.job]"
        raise TypeError(f"expected a list of jobs, got {type(jobs).__name__}; use {cure}")
    return jobs


def _why_no_date(schedule: AnySchedule) -> str:
    skipped = None
    if isinstance(schedule, Cron):
        skipped = next(schedule.skipped(after=datetime.min.replace(tzinfo=timezone.utc)), None)
    if skipped is None or not isinstance(schedule, Cron):
        return "no date matches the schedule"
    return (
        f"all wall times that match, such as {skipped.isoformat()}, do not exist in {schedule.timezone}, "
        "where the clocks skip them"
    )


# Without this, an error would quote a payload, which may refer to one part a billion times.
class Job(Displayed, Value, frozen=True, hide_input_in_errors=True):
    """A job: what to invoke, when, and with which policies.

    Jobs can be compared for equality. ``replace()`` returns a changed copy. The JSON form can be read back
    to an equal job.
    """

    _elsewhere: ClassVar[Mapping[str, str]] = {
        "args": "input",
        "coalesce": "catch_up with the value 'one'",
        "cron": "schedule",
        "dead_letter_queue": "dead_letter",
        "dlq": "dead_letter",
        "flexible_time_window": "jitter",
        "func": "target",
        "id": "name",
        "kwargs": "input",
        "max_instances": "overlap with the value 'skip'",
        "misfire_grace_time": "catch_up_within",
        "payload": "input",
        "retries": "retry",
        "schedule_expression": "schedule",
        "state": "enabled",
        "task": "target",
        "timeout": "max_run_time",
        "trigger": "schedule",
    }
    """What other schedulers call a field, for the error of an unknown one."""

    name: Name
    """The name: 1 to 256 visible characters, with spaces only between them; unique in its backend, on
    EventBridge Scheduler in its group. EventBridge Scheduler accepts 1 to 64 of ``A-Z a-z 0-9 - _ .``."""
    schedule: Annotated[AnySchedule, BeforeValidator(_read_schedule)]
    """The schedule, which defines when the job runs."""
    target: Annotated[AnyTarget, BeforeValidator(read_target)]
    """The target that a run invokes."""
    input: Payload = Field(default_factory=dict)
    """The input: any JSON value up to 256 KiB, which is copied. Every run passes it to the target."""
    description: Text = Field(default="", max_length=512)
    """A description for people; up to 512 characters."""
    group: GroupName = "default"
    """The name of the job's group, 1 to 64 of ``A-Z a-z 0-9 - _ .``: a schedule group on EventBridge
    Scheduler, a label on other backends."""
    tags: Annotated[
        dict[
            Annotated[str, Field(min_length=1, max_length=128, strict=True)],
            Annotated[str, Field(min_length=1, max_length=256, strict=True)],
        ],
        ShortKeys,
    ] = Field(default_factory=dict, max_length=200)
    """Up to 200 tags: labels with values, by which jobs can be listed."""
    enabled: bool = Field(default=True, strict=True)
    """Whether runs come due once the job is stored. False: the job is created paused, and an update pauses
    it; an update from False to True resumes it. An update that leaves it True does not resume a job that
    ``pause`` has paused."""
    retry: Annotated[Retry, BeforeValidator(read_retry)] = Retry()
    """The retry policy of failed runs."""
    dead_letter: Annotated[QueueTarget | None, BeforeValidator(_read_queue)] = None
    """The standard SQS queue for runs that failed for good. None: no message is sent."""
    notify: Annotated[TopicTarget | None, BeforeValidator(read_topic)] = None
    """The SNS topic for notifications about runs that failed for good. The message is a JSON object with
    ``job``, ``scheduled_for``, ``attempts``, ``error`` and ``cause``. None: no notification is sent."""
    on_failure: OnFailure = OnFailure.CONTINUE
    """Whether a recurring job continues or is paused when a scheduled run has failed for good."""
    overlap: Overlap = Overlap.ALLOW
    """What happens to a run that comes due while an earlier run is still running."""
    catch_up: CatchUp = CatchUp.ALL
    """What happens to runs that came due while no process was running to start them."""
    catch_up_within: Duration | None = Field(default=None, ge=timedelta(seconds=1), le=timedelta(days=365))
    """The longest delay with which a scheduled run may begin: 1 second to 365 days. A run that could not
    begin in time, because no process was running or no thread was free, is recorded as missed. None: no
    limit."""
    jitter: Duration = Field(default=timedelta(0), ge=timedelta(0), le=timedelta(hours=24))
    """The length of the interval after its scheduled instant in which a run starts: up to 24 hours. The delay
    differs from run to run."""
    max_run_time: Duration | None = Field(default=None, ge=timedelta(seconds=1), le=timedelta(days=365))
    """The timeout of an attempt: 1 second to 365 days. An attempt that takes longer has failed: a command is
    killed, a coroutine is cancelled; a function cannot be stopped, so its result is ignored. None: no
    timeout."""
    completion: Completion = Completion.DELETE
    """What happens to a one-time job after its run. A recurring job with no run left stays listed as
    ended."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any], *, target: Target) -> Self:
        """Reads the document of an interval job, as the input of its state machine has it: ``id``,
        ``startDateTime``, ``endDateTime``, ``frequency`` and ``context``.

        Every run passes ``{"context": ...}`` to the target, which the document does not name. Policies are
        added with ``replace``. Run *k* is ``startDateTime + k × frequency``, in UTC, up to and including
        ``endDateTime``.

        Args:
            document: The document. ``context`` may be absent; the input is then ``{}``.
            target: The target that a run invokes.

        Raises:
            InvalidScheduleError: A key is missing or unknown, ``endDateTime`` is null, or a value is not
                valid.
            ValueError: ``id`` is not the name of a job, or another field is refused.

        Example:
            >>> from stepsched.targets import CommandTarget
            >>> document = {
            ...     "id": "task",
            ...     "startDateTime": "2021-02-22T03:05:00.000Z",
            ...     "endDateTime": "2030-01-01T00:00:00.000Z",
            ...     "frequency": {"minutes": 5},
            ... }
            >>> job = Job.from_document(document, target=CommandTarget(["true"]))
            >>> job.to_document() == document
            True
        """
        return cls(**fields_of(document), target=target)

    def to_document(self) -> dict[str, Any]:
        """Returns the document of this job as an interval job; see :meth:`from_document`. The target and the
        policies are not part of it.

        Raises:
            ValueError: The schedule is not a :class:`Windowed` in UTC with an end, or the input is not of the
                form ``{"context": ...}``.
        """
        return document_of(self.name, self.schedule, self.input)

    @field_validator("input")
    @classmethod
    def _is_passed(cls, value: Any, info: ValidationInfo) -> Any:
        target = info.data.get("target")
        if isinstance(target, CommandTarget) and target.stdin is not None and value != {}:
            raise ValueError(
                f"expected no input, since the command reads its stdin={quoted(target.stdin)} instead, got "
                f"{quoted(value)}; leave one of them out"
            )
        return value

    @field_validator("dead_letter")
    @classmethod
    def _is_standard(cls, queue: QueueTarget | None) -> QueueTarget | None:
        if queue is not None and queue.queue_arn.endswith(".fifo"):
            raise ValueError(f"expected a standard queue, got the FIFO queue {queue.queue_arn!r}")
        return queue

    def __eq__(self, other: object) -> bool:
        """Returns whether both jobs have the same JSON form: ``1`` is not ``true``."""
        if not isinstance(other, Job):
            return NotImplemented
        return super().__eq__(other) and self._canonical() == other._canonical()

    __hash__ = None  # type: ignore[assignment]  # payloads do not hash

    def _canonical(self) -> str:
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    @property
    def is_one_time(self) -> bool:
        """Whether the schedule has a single run."""
        return isinstance(self.schedule, OneTime)

    @property
    def starts_at_creation(self) -> bool:
        """Whether the schedule is a rate without start, whose grid begins at the job's creation (P-12)."""
        return isinstance(self.schedule, Rate) and self.schedule.start is None

    def why_never_runs(self, now: datetime) -> str | None:
        """Returns why the job would have no run after ``now``; None if it has one (P-16, P-17)."""
        now = aware(now, "now")
        if self.schedule.next_run(after=now) is not None:
            return None
        last = self.schedule.previous_run(before=just_after(now))
        if last is None:
            return _why_no_date(self.schedule)
        return (
            f"its last run was due at {last.isoformat()}, and now it is {now.isoformat(timespec='seconds')}"
        )

    def refuse_if_over(self, now: datetime) -> None:
        """Refuses a job that would have no run after ``now``.

        Raises:
            InvalidScheduleError: The job has no run after ``now``; the error has the reason.
        """
        reason = self.why_never_runs(now)
        if reason is not None:
            raise InvalidScheduleError(
                str(self.schedule), "schedule", f"job {self.name!r} would never run: {reason}"
            )

    def to_svg(self, year: int | None = None) -> str:
        """Returns the calendar of a year as SVG: a block for each month, the days with runs filled.

        Args:
            year: As for :meth:`stepsched.Cron.to_svg`. None: the present year.
        """
        return self._year_picture(year).to_svg()

    def plot(self, year: int | None = None, *, ax: Axes | None = None) -> Axes:
        """Draws the calendar of a year with matplotlib, as :meth:`stepsched.Cron.plot` does.

        Args:
            year: The year. None: the present one.
            ax: Where it is drawn. None: on new axes.
        """
        from stepsched.pictures.figures import plot

        return plot(self._year_picture(year), ax)

    def _year_picture(self, year: int | None) -> Months:
        from stepsched.schedules.year import year_picture

        return year_picture(self.schedule, year, name=self.name)

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table
        from stepsched.jobs.shown import NEXT_RUNS, job_rows

        has_runs = self.enabled and not self.starts_at_creation
        return record_table(job_rows(self, self.schedule.upcoming(NEXT_RUNS) if has_runs else ()))

    def anchored(self, created_at: datetime) -> AnySchedule:
        """Returns the schedule; a rate without start gets the job's creation as its start (P-12)."""
        if self.starts_at_creation:
            return self.schedule.replace(start=created_at)
        return self.schedule
