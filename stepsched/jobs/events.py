"""The events of jobs and runs that listeners receive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from stepsched.core.enums import StrEnum
from stepsched.core.representation import line_of
from stepsched.display.results import Displayed
from stepsched.jobs.records import Run

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Table


class EventKind(StrEnum):
    """The kind of an event."""

    CREATED = "created"
    """A job was stored."""
    UPDATED = "updated"
    """A job's definition was replaced."""
    PAUSED = "paused"
    """A job was paused: by a verb, by ``OnFailure.STOP``, or because its row cannot be read."""
    RESUMED = "resumed"
    CANCELLED = "cancelled"
    """A job was deleted by a verb."""
    ENDED = "ended"
    """A job has no run left. A one-time job with ``Completion.DELETE`` is deleted."""
    DUE = "due"
    """A run was recorded."""
    STARTED = "started"
    """An attempt began."""
    SUCCEEDED = "succeeded"
    RETRIED = "retried"
    """An attempt failed, and the run waits for the next attempt."""
    FAILED = "failed"
    """A run failed for good."""
    DEAD_LETTERED = "dead_lettered"
    """A run that failed for good was sent to the dead-letter queue of its job."""
    NOTIFIED = "notified"
    """A notification about a run that failed for good was sent to the topic of its job."""
    MISSED = "missed"
    """A run is not started: it came due while no process was running and ``catch_up`` excludes it, or it
    could not begin within ``catch_up_within``."""
    SKIPPED = "skipped"
    """A run is not started, because an earlier run was still running or the job was cancelled."""
    RESTARTED = "restarted"
    """A run was interrupted by the end of its process and waits to be started again."""
    WAITING = "waiting"
    """A run is due, but no present worker can call its target; ``run.pending_reason`` says why. The run
    begins as soon as a worker that can call it starts."""


@dataclass(frozen=True, slots=True)
class Event(Displayed):
    """An event of a job or a run. It is emitted after it has been recorded."""

    kind: EventKind
    at: datetime
    """The instant of the event on the backend's clock, in UTC."""
    job: str
    """The name of the job."""
    run: Run | None = None
    """The run after the event. None: the event concerns the job itself."""

    def __repr_args__(self) -> Iterator[tuple[str, object]]:
        """Yields the fields."""
        names = ("kind", "at", "job") if self.run is None else ("kind", "at", "job", "run")
        return ((name, getattr(self, name)) for name in names)

    def __repr__(self) -> str:
        """Returns one line of at most 120 characters."""
        return line_of(self)

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table
        from stepsched.display.times import instant_text
        from stepsched.jobs.shown import run_rows, status_cell

        run = [row for row in run_rows(self.run) if row[0] != "job"] if self.run is not None else []
        rows = [("at", instant_text(self.at)), ("job", self.job)]
        return record_table([("event", status_cell(self.kind.value)), *rows, *run])


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as the backend has stored it, so that it can be read again later and by other processes."""

    id: int
    """The position of the event. Positions are consecutive, in the order in which the events were recorded;
    where some are missing, their events are no longer kept."""
    kind: EventKind
    """Any kind but ``WAITING``, ``DEAD_LETTERED`` and ``NOTIFIED``, which are only told to listeners."""
    at: datetime
    """The instant of the event on the backend's clock, in UTC."""
    job: str
    """The name of the job."""
    run: int | None = None
    """The ID of the run. None: the event concerns the job itself."""


Listener = Callable[[Event], object]
