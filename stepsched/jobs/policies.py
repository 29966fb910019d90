"""What a job does about everything that can come between it and its target."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, model_validator
from typing_extensions import Self

from stepsched.core.enums import StrEnum
from stepsched.core.values import Duration, Value


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
