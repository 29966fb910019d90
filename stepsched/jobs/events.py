"""What happens to jobs and runs, as values that listeners are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from stepsched.core.enums import StrEnum
from stepsched.jobs import Run


class EventKind(StrEnum):
    """The words for what happens."""

    CREATED = "created"
    """A job was stored."""
    UPDATED = "updated"
    """A job's definition was replaced."""
    PAUSED = "paused"
    """By a verb, by ``OnFailure.STOP``, or because the job cannot be read."""
    RESUMED = "resumed"
    CANCELLED = "cancelled"
    """A job was deleted by a verb."""
    ENDED = "ended"
    """A job has no run left; one that asks for it is deleted with this."""
    DUE = "due"
    """A run was recorded."""
    STARTED = "started"
    """An attempt began."""
    SUCCEEDED = "succeeded"
    RETRIED = "retried"
    """An attempt failed, and the run waits for another."""
    FAILED = "failed"
    """A run failed for good."""
    DEAD_LETTERED = "dead_lettered"
    """A run that failed for good was handed to its job's dead-letter queue."""
    NOTIFIED = "notified"
    """The job's topic was told of a run that failed for good."""
    MISSED = "missed"
    """A run came due while no process was there, and ``CatchUp`` did not ask for it."""
    SKIPPED = "skipped"
    """A run was not started because an earlier one still ran, or its job was cancelled."""
    RESTARTED = "restarted"
    """A run was cut off with its process and waits to be started again."""
    WAITING = "waiting"
    """A run is due, and no worker that is there can call its target: ``run.pending_reason`` says why. It
    runs as soon as one joins that can."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened and is recorded."""

    kind: EventKind
    at: datetime
    """When, on the backend's clock, in UTC."""
    job: str
    """The job's name."""
    run: Run | None = None
    """The run as it is now. None where the event is of the job itself."""


Listener = Callable[[Event], object]
