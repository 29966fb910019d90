"""The policies of a job: overlap, catch-up, completion, failure and retry."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field, model_validator
from typing_extensions import Self

from stepsched.core.enums import StrEnum
from stepsched.core.quoting import quoted
from stepsched.core.values import Duration, Value
from stepsched.display.results import Displayed

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Table


class Overlap(StrEnum):
    """What happens to a run that comes due while an earlier run of its job is still running."""

    ALLOW = "allow"
    """The run starts while the earlier one is running, as on EventBridge Scheduler."""
    SKIP = "skip"
    """The run is recorded as skipped and never starts."""
    QUEUE = "queue"
    """The run starts when the earlier one has ended."""


class CatchUp(StrEnum):
    """What happens to runs that came due while no process was running to start them."""

    ALL = "all"
    """All of them are started, oldest first."""
    ONE = "one"
    """The latest of them is started; the others are recorded as missed."""
    SKIP = "skip"
    """All of them are recorded as missed."""


class Completion(StrEnum):
    """What happens to a one-time job when its run has ended. Its history is kept in any case."""

    DELETE = "delete"
    """The job is deleted when its run has succeeded. A job whose run failed is kept, so that it can be
    redriven. On EventBridge Scheduler the job is deleted after its last attempt, whether or not that
    succeeded."""
    KEEP = "keep"
    """The job stays listed, with status ended."""


class OnFailure(StrEnum):
    """Whether a recurring job continues when one of its scheduled runs has failed for good."""

    CONTINUE = "continue"
    """The job continues, as on EventBridge Scheduler."""
    STOP = "stop"
    """The job is paused: no further run comes due until it is resumed. Runs that are already due still
    start. Failed runs of ``run_now`` and ``backfill`` do not pause the job."""


LONGEST_AGE = timedelta(days=14)
"""The longest ``max_age`` (P-51)."""
Pause: TypeAlias = Annotated[Duration, Field(ge=timedelta(0), le=timedelta(hours=24))]
"""A pause before a further attempt: 0 to 24 hours."""
_WEBHOOK_PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)


class Retry(Displayed, Value, frozen=True):
    """How often and for how long a failed run is attempted again.

    The defaults are lower than those of EventBridge Scheduler, which are 185 attempts over 24 hours.

    >>> Retry.webhook().delay(9)
    datetime.timedelta(days=1)
    """

    max_attempts: int = Field(default=3, ge=0, le=185, strict=True)
    """The maximum number of attempts after the first one: 0 to 185."""
    max_age: Duration = Field(default=timedelta(hours=1), ge=timedelta(minutes=1), le=LONGEST_AGE)
    """The time after the run was recorded as due in which further attempts may start: 1 minute to 14 days,
    inclusive (P-51); EventBridge Scheduler allows 24 hours. It also limits the restarts of a run whose
    process ended."""
    interval: Duration = Field(default=timedelta(seconds=1), ge=timedelta(0), le=timedelta(hours=24))
    """The pause before the second attempt: 0 to 24 hours. EventBridge Scheduler chooses its own pauses."""
    backoff_rate: float = Field(default=2.0, ge=1, le=10, allow_inf_nan=False)
    """The factor by which each further pause is longer than the one before: 1 to 10."""
    max_delay: Duration | None = Field(default=None, ge=timedelta(0), le=timedelta(hours=24))
    """The longest pause. None: pauses are limited only by ``max_age``."""
    pauses: tuple[Pause, ...] | None = Field(default=None, min_length=1, max_length=185)
    """The pauses one by one, each 0 to 24 hours: the first is that before the second attempt. Their number is
    ``max_attempts``. None: ``interval``, ``backoff_rate`` and ``max_delay`` give the pauses."""

    @classmethod
    def webhook(cls) -> Self:
        """The retries that the Standard Webhooks specification gives as an example: ten attempts, the first
        of them at once, and the last one 75 h 35 min 5 s later if no attempt takes time.

        https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
        """
        return cls(pauses=_WEBHOOK_PAUSES, max_age=timedelta(days=4))

    @model_validator(mode="after")
    def _pauses_alone(self) -> Self:
        if self.pauses is None:
            return self
        for name in ("interval", "backoff_rate", "max_delay"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"expected either pauses or {name}, got both; leave one of them out")
        if "max_attempts" not in self.model_fields_set:
            self.__dict__["max_attempts"] = len(self.pauses)
        if self.max_attempts != len(self.pauses):
            raise ValueError(
                f"expected as many pauses as max_attempts, {self.max_attempts}, got {len(self.pauses)}; "
                "leave max_attempts out"
            )
        return self

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.max_delay is not None and self.max_delay < self.interval:
            raise ValueError(f"expected max_delay of at least interval {self.interval}, got {self.max_delay}")
        return self

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table
        from stepsched.jobs.shown import retry_rows

        return record_table(retry_rows(self))

    def delay(self, attempt: int) -> timedelta:
        """Returns the pause after the failed attempt with that number; the first attempt is 1. After the last
        of ``pauses`` it stays the same."""
        if self.pauses is not None:
            return self.pauses[min(attempt, len(self.pauses)) - 1]
        bound = self.max_age if self.max_delay is None else self.max_delay
        factor = self.backoff_rate ** min(attempt - 1, 184)
        if self.interval and factor > bound / self.interval:
            return bound
        return min(self.interval * factor, bound) if self.interval else timedelta(0)


def read_retry(value: Any) -> Any:
    """Returns the value of a field for a :class:`Retry` unchanged, for pydantic to read.

    Raises:
        ValueError: The value is a number; the error names the policy to use.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(  # noqa: TRY004 -- pydantic collects ValueError
            f"expected a Retry, got {quoted(value)}; its field max_attempts is the number of retries"
        )
    return value
