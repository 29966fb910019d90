"""Merges the runs of many schedules."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from heapq import heapify, heappop, heapreplace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from stepsched.core.clock import utc_now
from stepsched.display.frames import Framed, instants, texts, whole_numbers
from stepsched.display.results import Displayed
from stepsched.schedules import Schedule
from stepsched.schedules.base import ScheduleBase
from stepsched.schedules.moments import aware
from stepsched.schedules.zones import UTC, shared_zone

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.frames import Column
    from stepsched.display.table import Table


class Occurrence(NamedTuple):
    """One run of a merged iterator."""

    scheduled_for: datetime
    """The scheduled instant: aware, with the offset of the schedule's zone."""
    schedule: Schedule
    position: int
    """The index of the schedule in the input; the first is 0."""


def timeline(
    schedules: Iterable[Schedule],
    *,
    after: datetime | None = None,
    until: datetime | None = None,
) -> Timeline:
    """Returns an iterator over the runs of many schedules, oldest first; runs of equal instants in input
    order. They are computed one by one.

    It holds one upcoming run per schedule in memory, however many runs are read. ``print()`` and notebooks
    show the runs that are read next, at most 60; this reads none.

    Args:
        schedules: Any number of schedules.
        after: The start of the range; aware, exclusive. None: now, the same for all schedules.
        until: The end of the range; aware, inclusive. None: no end.

    Raises:
        ValueError: An instant is naive.
    """
    after = utc_now() if after is None else aware(after, "after")
    schedules = list(schedules)
    for schedule in schedules:
        if not isinstance(schedule, ScheduleBase):
            raise TypeError(f"expected a schedule, got {schedule!r}; use job.schedule for a job")
    streams = [(schedule, schedule.runs(after=after, until=until)) for schedule in schedules]
    return Timeline(_merge(streams), is_endless=until is None)


class Timeline(Displayed, Framed, Iterator[Occurrence]):
    """An iterator over the runs of many schedules, oldest first. A data frame has those that are not read
    yet; making one reads none."""

    def __init__(self, runs: Iterator[Occurrence], *, is_endless: bool = False) -> None:
        """Creates an iterator.

        Args:
            runs: The runs in order.
            is_endless: Whether the range has no end, so that there may be endless runs.
        """
        self._runs = runs
        self._is_endless = is_endless
        self._ahead = deque[Occurrence]()
        """Runs that were computed to be shown, and have not been read."""

    def __next__(self) -> Occurrence:
        return self._ahead.popleft() if self._ahead else next(self._runs)

    def __repr__(self) -> str:
        return "<Timeline: an iterator over runs>"

    def _shown_table(self) -> Table:
        from stepsched.display.table import MOST, Cell, table_of
        from stepsched.display.times import instant_text

        self._ahead.extend(islice(self._runs, max(0, MOST + 1 - len(self._ahead))))

        def row(run: Occurrence) -> list[str | Cell]:
            at = run.scheduled_for
            zone = getattr(run.schedule, "timezone", None)
            return [
                Cell(f"{at:%a} {instant_text(at, zone)}", at.timestamp()),
                Cell(str(run.position), run.position),
                run.schedule.describe(),
            ]

        caption = "runs" if self._ahead else "no run is left"
        return table_of(self._ahead, ["when", "position", "schedule"], row, caption=caption, total=None)

    def _columns(self, timezone: str | tzinfo | None) -> list[Column]:
        if self._is_endless:
            raise ValueError("expected an end of the runs, got none; use timeline(..., until=...)")
        self._ahead.extend(self._runs)
        names = [getattr(run.schedule, "timezone", None) for run in self._ahead]
        zone = shared_zone(names, timezone)
        return [
            instants("scheduled_for", (run.scheduled_for for run in self._ahead), zone),
            whole_numbers("position", (run.position for run in self._ahead)),
            texts("schedule", (str(run.schedule) for run in self._ahead)),
            texts("timezone", names),
        ]


def _merge(streams: list[tuple[Schedule, Iterator[datetime]]]) -> Iterator[Occurrence]:
    # Keyed by UTC: datetimes of one offset compare fast, and the index settles ties.
    heap = []
    for index, (_, runs) in enumerate(streams):
        run = next(runs, None)
        if run is not None:
            heap.append((run.astimezone(UTC), index, run))
    heapify(heap)
    while heap:
        _, index, run = heap[0]
        schedule, runs = streams[index]
        yield Occurrence(run, schedule, index)
        following = next(runs, None)
        if following is None:
            heappop(heap)
        else:
            heapreplace(heap, (following.astimezone(UTC), index, following))
