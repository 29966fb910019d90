"""Counts runs by the minute."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import islice, pairwise
from math import gcd
from operator import add
from typing import NamedTuple

from stepsched.core.instants import in_zone
from stepsched.schedules import Rate, Schedule, Windowed
from stepsched.schedules.moments import just_after, just_before

_TICK = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_CHUNK = 1 << 16
LONGEST = timedelta(days=3_653)
"""The longest span that is counted: ten years, which need 20 MB."""


class Counted(NamedTuple):
    """The runs of a schedule in the span."""

    by_month: list[int]
    """The number of runs in each calendar month of the span in UTC."""
    first: int = 0
    """The index of the first minute with a run."""
    last: int = -1
    """The index of the last minute with a run; smaller than ``first`` if there is no run."""

    @property
    def runs(self) -> int:
        return sum(self.by_month)


class Minutes:
    """A counter for every minute of the span; the first minute has the index 0."""

    __slots__ = ("counts", "ends", "grids", "months", "origin", "since", "until")

    def __init__(self, since: datetime, until: datetime) -> None:
        self.since = since
        self.until = until
        self.origin = since.replace(second=0, microsecond=0)
        self.counts = array("I", [0]) * ((until - self.origin) // _MINUTE + 1)
        self.grids: defaultdict[tuple[int, int], Counter[int]] = defaultdict(Counter)
        """The grids by step and phase in minutes: the changes of the number of runs per minute."""
        months = list(_calendar(self.origin, len(self.counts)))
        self.months = [month for month, _ in months]
        """The first day of each calendar month of the span in UTC."""
        self.ends = [end for _, end in months]
        """The index of the minute after each month; that of the last month is beyond the span."""

    def beginning(self, index: int) -> datetime:
        """Returns the instant at which a minute begins, in UTC."""
        return self.origin + index * _MINUTE

    def index_of(self, instant: datetime) -> int:
        """Returns the index of the minute that contains an instant, at most the number of minutes."""
        return min(max((instant - self.origin) // _MINUTE, 0), len(self.counts))

    def add(self, schedule: Schedule, size: int) -> Counted:
        """Counts a schedule for a number of jobs. Grids are added by ``lay_grids``."""
        step = constant_step(schedule)
        return self._walk(schedule, size) if step is None else self._note(schedule, step, size)

    def _walk(self, schedule: Schedule, size: int) -> Counted:
        counts, zone, origin = self.counts, None, self.origin
        runs, first, index = 0, 0, -1
        passed, by_month, ends = 0, list[int](), iter(self.ends)
        end = next(ends)
        for run in schedule.runs(after=just_before(self.since), until=self.until):
            if run.tzinfo is not zone:  # datetimes of one offset subtract faster
                zone = run.tzinfo
                origin = self.origin if zone is None else in_zone(self.origin, zone)
            index = (run - origin) // _MINUTE
            counts[index] += size
            if not runs:
                first = index
            while index >= end:
                by_month.append(runs - passed)
                passed, end = runs, next(ends)
            runs += 1
        by_month.append(runs - passed)
        return Counted(by_month + [0] * (len(self.ends) - len(by_month)), first, index)

    def _note(self, schedule: Schedule, step: int, size: int) -> Counted:
        """Notes a grid. A grid of seconds consists of several grids of whole minutes: every 10 seconds is six
        times each minute, every 90 seconds twice every three minutes."""
        begin = schedule.next_run(after=just_before(self.since))
        if begin is None or begin > self.until:
            return Counted([0] * len(self.ends))
        # At the end of the calendar nothing is after the last instant, so that no run is found before it.
        end = schedule.previous_run(before=just_after(self.until)) or begin
        offset = begin - self.origin
        runs = (end - begin) // (step * _SECOND) + 1
        places = 60 // gcd(step, 60)
        minutes = step * places // 60
        for place in range(min(places, runs)):
            first = (offset + place * step * _SECOND) // _MINUTE
            changes = self.grids[minutes, first % minutes]
            changes[first] += size
            changes[first + (runs - place - 1) // places * minutes + minutes] -= size
        ticks = [minute * _MINUTE - offset for minute in self.ends]  # from the first run to the month's end
        before = [min(max(-(-tick // (step * _SECOND)), 0), runs) for tick in ticks]
        by_month = [last - first for first, last in pairwise([0, *before])]
        return Counted(by_month, offset // _MINUTE, (end - self.origin) // _MINUTE)

    def lay_grids(self) -> None:
        """Adds the noted grids to the counters."""
        for (step, _), changes in self.grids.items():
            level, begin = 0, 0
            for minute, change in sorted(changes.items()):
                if level:
                    self._raise(begin, min(minute, len(self.counts)), step, level)
                level, begin = level + change, minute
        self.grids.clear()

    def _raise(self, begin: int, end: int, step: int, level: int) -> None:
        """Adds a number to every minute of a grid; in pieces, since Python integers need more memory than the
        array."""
        for low in range(begin, end, step * _CHUNK):
            part = slice(low, min(end, low + step * _CHUNK), step)
            self.counts[part] = array("I", [count + level for count in self.counts[part]])

    def holds(self, index: int, schedule: Schedule, counted: Counted) -> bool:
        """Returns whether a schedule runs in a minute of the span."""
        if not counted.first <= index <= counted.last:
            return False
        if index in (counted.first, counted.last):
            return True
        run = schedule.next_run(after=self.beginning(index) - _TICK)
        return run is not None and run < self.beginning(index + 1)

    def merge(self, others: Iterable[Minutes]) -> Minutes:
        """Returns the minutes of the same span with the runs of all. Without others, these."""
        merged = self
        for other in others:
            counts = array("I", map(add, merged.counts, other.counts))
            merged = Minutes(self.since, self.until)
            merged.counts = counts
        return merged

    def month_of(self, index: int) -> int:
        """Returns the index of the calendar month of a minute."""
        return bisect_right(self.ends, index)

    def busiest(self, wanted: int) -> list[int]:
        """Returns the indexes of the busiest minutes, sorted by runs, then oldest first."""
        histogram = Counter(self.counts)
        left, level = min(wanted, len(self.counts)), 0
        for level in sorted(histogram, reverse=True):
            if left <= histogram[level]:
                break
            left -= histogram[level]
        more = [index for index, count in enumerate(self.counts) if count > level]
        level_ones = (index for index, count in enumerate(self.counts) if count == level > 0)
        return sorted([*more, *islice(level_ones, left)], key=lambda index: (-self.counts[index], index))

    def with_runs(self, least: int) -> int:
        """Returns the number of minutes with at least that many runs."""
        return sum(count >= least for count in self.counts)


def _calendar(origin: datetime, minutes: int) -> Iterator[tuple[date, int]]:
    """Yields the first day of each calendar month of a span, and the index of the minute after it."""
    month = origin.date().replace(day=1)
    end = (month - origin.date()).days * 24 * 60 - origin.hour * 60 - origin.minute
    while True:
        end += monthrange(month.year, month.month)[1] * 24 * 60
        yield month, end
        if end >= minutes:
            return
        month = (month + timedelta(days=31)).replace(day=1)


def constant_step(schedule: Schedule) -> int | None:
    """Returns the constant number of seconds between two runs; None if it is not constant."""
    if isinstance(schedule, Rate):
        # A rate still without a start has ended.
        return schedule.every // _SECOND
    if isinstance(schedule, Windowed) and not (schedule.every.total_months or schedule.every.total_days):
        return schedule.every.total_seconds
    return None
