"""A job: *when* and *what*, with its policies."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from stepsched.core.errors import InvalidScheduleError
from stepsched.core.payloads import Payload, Text
from stepsched.core.values import Duration, Value
from stepsched.jobs.policies import CatchUp, Completion, OnFailure, Overlap, Retry
from stepsched.schedules import AnySchedule, OneTime, Rate
from stepsched.targets import AnyTarget, QueueTarget, TopicTarget


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
        raise ValueError(f"expected a schedule, got str; use parse_schedule({value!r})")  # noqa: TRY004 -- pydantic collects ValueError
    return value


def _read_target(value: Any) -> Any:
    if callable(value):
        name = getattr(value, "__name__", "function")
        raise ValueError(f"expected a target, got a function; use HandlerTarget({name})")  # noqa: TRY004 -- as above
    if isinstance(value, str):
        raise ValueError(f"expected a target, got str; use one such as LambdaTarget({value!r})")  # noqa: TRY004 -- as above
    return value


def _read_queue(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError(f"expected a QueueTarget, got str; use QueueTarget({value!r})")  # noqa: TRY004 -- as above
    return value


def _read_topic(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError(f"expected a TopicTarget, got str; use TopicTarget({value!r})")  # noqa: TRY004 -- as above
    return value


# A payload may hold one part a billion times, and its text would never end.
class Job(Value, frozen=True, hide_input_in_errors=True):
    """*When* and *what*, with the policies for everything that can come between.

    Jobs compare; ``replace()`` gives a changed copy; the JSON form is an exact mirror.
    """

    name: Name
    """1 to 64 of ``A-Z a-z 0-9 - _ .``; unique in its backend."""
    schedule: Annotated[AnySchedule, BeforeValidator(_read_schedule)]
    """When it runs."""
    target: Annotated[AnyTarget, BeforeValidator(_read_target)]
    """What it invokes."""
    input: Payload = Field(default_factory=dict)
    """Any JSON value up to 256 KiB; handed to the target at every run. Copied in."""
    description: Text = Field(default="", max_length=512)
    """Words for people; up to 512 characters."""
    group: Name = "default"
    """The name of its group, in the same characters as ``name``: a schedule group on EventBridge Scheduler, a
    label elsewhere."""
    tags: dict[
        Annotated[str, Field(min_length=1, max_length=128, strict=True)],
        Annotated[str, Field(min_length=1, max_length=256, strict=True)],
    ] = Field(default_factory=dict, max_length=200)
    """Up to 200 labels with their values, to list jobs by."""
    retry: Retry = Retry()
    """How often and how long a failed run is tried again."""
    dead_letter: Annotated[QueueTarget | None, BeforeValidator(_read_queue)] = None
    """The standard queue for runs that failed for good. None: the run's record alone tells."""
    notify: Annotated[TopicTarget | None, BeforeValidator(_read_topic)] = None
    """The topic that is told of every run that failed for good: a JSON object with ``job``,
    ``scheduled_for``, ``attempts``, ``error`` and ``cause``. None: nobody is told."""
    on_failure: OnFailure = OnFailure.CONTINUE
    """What becomes of a recurring job when one of its runs has failed for good."""
    overlap: Overlap = Overlap.ALLOW
    """What happens to a run that is due while an earlier one still runs."""
    catch_up: CatchUp = CatchUp.ALL
    """What happens to runs that came due while no process was there to start them."""
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
    def starts_at_creation(self) -> bool:
        """Whether the schedule is a rate without start, whose grid is laid at the job's creation (P-12)."""
        return isinstance(self.schedule, Rate) and self.schedule.start is None

    def why_never_runs(self, now: datetime) -> str | None:
        """Why the job would never run from now on; None when it will (P-16, P-17)."""
        if self.schedule.next_run(after=now) is not None:
            return None
        last = self.schedule.previous_run(before=now + timedelta(microseconds=1))
        if last is None:
            return "no date fits the schedule"
        return (
            f"its last run was due at {last.isoformat()}, and now it is {now.isoformat(timespec='seconds')}"
        )

    def refuse_if_over(self, now: datetime) -> None:
        """Refuses a job that would never run from now on.

        Raises:
            InvalidScheduleError: With the reason.
        """
        reason = self.why_never_runs(now)
        if reason is not None:
            raise InvalidScheduleError(
                str(self.schedule), "schedule", f"job {self.name!r} would never run: {reason}"
            )

    def anchored(self, created_at: datetime) -> AnySchedule:
        """The schedule with a rate's grid laid at the job's creation (P-12)."""
        if self.starts_at_creation:
            return self.schedule.replace(start=created_at)
        return self.schedule
