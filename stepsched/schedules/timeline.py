"""Merges the runs of many schedules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import heapify, heappop, heapreplace
from typing import NamedTuple

from stepsched.core.clock import utc_now
from stepsched.schedules import Schedule
from stepsched.schedules.base import ScheduleBase
from stepsched.schedules.moments import aware
from stepsched.schedules.zones import UTC


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
) -> Iterator[Occurrence]:
    """Yields the runs of many schedules lazily, oldest first; runs of equal instants in input order.

    It holds one upcoming run per schedule in memory, however many runs are read.

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
    return _merge(streams)


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
