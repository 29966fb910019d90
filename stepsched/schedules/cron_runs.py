"""The runs of a cron in closed form: three bit sets, no walk.

A run's position is (year, day of the year, minute of the day). The years are one bit set, the days
of a year another (one for each of the 14 kinds of year), the minutes of a day the third; the next
position is the lowest bit at or above the present one, and the previous one the highest below.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import isleap, monthrange
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from itertools import islice
from typing import TypeAlias

from stepsched.schedules.cron_fields import FIRST_YEAR, LAST_YEAR, CronFields
from stepsched.schedules.zones import UTC, Zone

_MINUTE_OF_DAY = 24 * 60
_YEARS = range(FIRST_YEAR, LAST_YEAR + 1)
_NEW_YEAR = [date(year, 1, 1).toordinal() for year in _YEARS]
_DAYS = [timedelta(days=day) for day in range(366)]
_BEFORE_ALL = datetime(FIRST_YEAR - 1, 12, 29, tzinfo=UTC)
_AFTER_ALL = datetime(LAST_YEAR + 1, 1, 3, tzinfo=UTC)
_MINUTES = [timedelta(minutes=minute) for minute in range(_MINUTE_OF_DAY)]


def _kind(year: int) -> int:
    """Returns the kind of a year: twice the weekday of its first day (0 = Sunday), plus 1 in a leap year."""
    return _NEW_YEAR[year - FIRST_YEAR] % 7 * 2 + isleap(year)


_KINDS = [_kind(year) for year in _YEARS]
_YEARS_OF_KIND = [
    sum(1 << index for index, kind in enumerate(_KINDS) if kind == wanted) for wanted in range(14)
]


@cache
def _months(kind: int) -> tuple[tuple[int, int, int], ...]:
    """Returns, for each month of such a year, its first weekday, its length and its first day of the year."""
    months, day = [], 0
    for month in range(1, 13):
        days = monthrange(2024 if kind % 2 else 2023, month)[1]
        months.append(((kind // 2 + day) % 7, days, day))
        day += days
    return tuple(months)


Position: TypeAlias = tuple[int, int, int]
"""A wall time: the year, the day of the year (0 is 1 January), the minute of the day."""


class CronRuns:
    """The compiled form of one cron; shared by every value of the same text."""

    __slots__ = ("_days", "_live", "_masks", "_minutes", "months", "rules", "times", "years")

    def __init__(self, fields: CronFields) -> None:
        self.times = 0
        for hour in range(24):
            if fields.hours >> hour & 1:
                self.times |= fields.minutes << 60 * hour
        self.months = fields.months
        self.years = fields.years
        self.rules = fields.rules
        self._masks: list[int | None] = [None] * 14
        self._days: list[tuple[int, ...] | None] = [None] * 14
        self._live: int | None = None
        self._minutes: tuple[int, ...] | None = None

    # -- the bit sets ----------------------------------------------------------------------------

    def day_mask(self, kind: int) -> int:
        """Returns the days on which the cron has runs in such a year, as a bit set."""
        mask = self._masks[kind]
        if mask is None:
            mask = 0
            for index, (first, length, start) in enumerate(_months(kind)):
                if self.months >> index & 1:
                    for rule in self.rules:
                        mask |= rule.mask(first, length) << start
            self._masks[kind] = mask
        return mask

    def live_years(self) -> int:
        """The years in which the cron has runs, as a bit set."""
        if self._live is None:
            live = 0
            for kind, years in enumerate(_YEARS_OF_KIND):
                if self.years & years and self.day_mask(kind):
                    live |= years
            self._live = live & self.years
        return self._live

    def _days_of(self, year: int) -> tuple[int, ...]:
        kind = _KINDS[year - FIRST_YEAR]
        days = self._days[kind]
        if days is None:
            days = self._days[kind] = _bits(self.day_mask(kind))
        return days

    def _minutes_of_day(self) -> tuple[int, ...]:
        if self._minutes is None:
            self._minutes = _bits(self.times)
        return self._minutes

    # -- the neighbours of a position --------------------------------------------------------------

    def at_or_after(self, year: int, day: int, minute: int) -> Position | None:
        """Returns the first position at or after the given one, which need not be a run."""
        if year < FIRST_YEAR:
            year, day, minute = FIRST_YEAR, 0, 0
        elif year > LAST_YEAR:
            return None
        if self.years >> (year - FIRST_YEAR) & 1:
            days = self.day_mask(_KINDS[year - FIRST_YEAR]) >> day
            if days & 1:
                times = self.times >> minute
                if times:
                    return (year, day, minute + _lowest(times))
                days ^= 1
            if days:
                return (year, day + _lowest(days), _lowest(self.times))
        # The next run is nearly always in the following year; only a sparse cron needs the set of all years.
        year += 1
        if not (self.years >> (year - FIRST_YEAR) & 1 and self.day_mask(_KINDS[year - FIRST_YEAR])):
            years = self.live_years() >> (year - FIRST_YEAR)
            if not years:
                return None
            year += _lowest(years)
        days = self.day_mask(_KINDS[year - FIRST_YEAR])
        return year, _lowest(days), _lowest(self.times)

    def before(self, year: int, day: int, minute: int) -> Position | None:
        """Returns the last position before the given one."""
        if year > LAST_YEAR:
            year, day, minute = LAST_YEAR, 365, _MINUTE_OF_DAY
        elif year < FIRST_YEAR:
            return None
        if self.years >> (year - FIRST_YEAR) & 1:
            mask = self.day_mask(_KINDS[year - FIRST_YEAR])
            if mask >> day & 1:
                times = self.times & ((1 << minute) - 1)
                if times:
                    return (year, day, times.bit_length() - 1)
            days = mask & ((1 << day) - 1)
            if days:
                return (year, days.bit_length() - 1, self.times.bit_length() - 1)
        years = self.live_years() & ((1 << (year - FIRST_YEAR)) - 1)
        if not years:
            return None
        year = FIRST_YEAR + years.bit_length() - 1
        days = self.day_mask(_KINDS[year - FIRST_YEAR])
        return (year, days.bit_length() - 1, self.times.bit_length() - 1)

    # -- instants ----------------------------------------------------------------------------------

    def next_run(self, zone: Zone, after: datetime) -> datetime | None:
        """Returns the first run strictly after an aware instant."""
        position = self.position_after(zone, after)
        while position is not None:
            run = _instant(zone, *position)
            if run is not None:
                return run
            gap = zone.change_at(_wall(position))
            position = self.at_or_after(*_place(gap.wall_after))
        return None

    def previous_run(self, zone: Zone, before: datetime) -> datetime | None:
        """Returns the last run strictly before an aware instant."""
        position = self.position_before(zone, before)
        while position is not None:
            run = _instant(zone, *position)
            if run is not None:
                return run
            gap = zone.change_at(_wall(position))
            position = self.before(*_place(gap.wall_before))
        return None

    def position_after(self, zone: Zone, after: datetime) -> Position | None:
        """Returns the first position, in a gap or not, whose first pass is after the instant."""
        if not FIRST_YEAR <= after.year <= LAST_YEAR:
            after = _clamp(after)
        local = after.astimezone(zone.info)
        if local.fold:  # the first pass of everything up to the end of the repeated hour is over
            change = zone.change_at(local.replace(tzinfo=None))
            return self.at_or_after(*_place(change.wall_before))
        year = local.year
        if not FIRST_YEAR <= year <= LAST_YEAR:
            return self.at_or_after(year, 0, 0)
        day = local.toordinal() - _NEW_YEAR[year - FIRST_YEAR]
        return self.at_or_after(year, day, local.hour * 60 + local.minute + 1)

    def position_before(self, zone: Zone, before: datetime) -> Position | None:
        """Returns the last position, in a gap or not, whose first pass is before the instant."""
        if not FIRST_YEAR <= before.year <= LAST_YEAR:
            before = _clamp(before)
        local = before.astimezone(zone.info)
        if local.fold:
            local = zone.change_at(local.replace(tzinfo=None)).wall_before
        return self.before(*_place(local))

    def between(self, zone: Zone, first: Position | None, last: Position | None) -> Iterator[datetime]:
        """Yields the runs from one position to another, both inclusive, oldest first."""
        if first is None or last is None or first > last:
            return
        minutes = self._minutes_of_day()
        (first_year, first_day, first_minute), (last_year, last_day, last_minute) = first, last
        low = bisect_left(minutes, first_minute)
        high = bisect_right(minutes, last_minute)
        if first[:2] == last[:2]:
            yield from _day(zone, first_year, first_day, minutes[low:high])
            return
        yield from _day(zone, first_year, first_day, minutes[low:])
        times = [_MINUTES[minute] for minute in minutes]
        skip, stop = first_year - FIRST_YEAR, last_year - FIRST_YEAR + 1
        for index in _bits(self.live_years() >> skip << skip & (1 << stop) - 1):
            year = FIRST_YEAR + index
            all_days = self._days_of(year)
            days: Iterable[int] = all_days
            if year in (first_year, last_year):
                days = islice(
                    all_days,
                    bisect_right(all_days, first_day) if year == first_year else 0,
                    bisect_left(all_days, last_day) if year == last_year else None,
                )
            spans = iter(zone.year(year).spans)
            end, base = next(spans)
            for day in days:
                while day >= end:
                    end, base = next(spans)
                if base is None:
                    yield from _day(zone, year, day, minutes)
                    continue
                midnight = base + _DAYS[day]
                for time in times:
                    yield midnight + time
        yield from _day(zone, last_year, last_day, minutes[:high])

    def skipped(self, zone: Zone, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yields the matching wall times that do not exist, after one instant and up to another, oldest
        first."""
        first = _clamp(after).astimezone(zone.info).year
        last = _clamp(until).astimezone(zone.info).year
        for year in range(first, last + 1):
            for change in zone.year(year).changes:
                at = change.wall_before.replace(tzinfo=change.before)
                if change.wall_before.year == year and after < at <= until:
                    yield from self._within(change.wall_before, change.wall_after)

    def _within(self, low: datetime, high: datetime) -> Iterator[datetime]:
        place = _place(low)
        while (position := self.at_or_after(*place)) is not None and _wall(position) < high:
            yield _wall(position)
            place = (position[0], position[1], position[2] + 1)


def _day(zone: Zone, year: int, day: int, minutes: tuple[int, ...]) -> Iterator[datetime]:
    for minute in minutes:
        run = _instant(zone, year, day, minute)
        if run is not None:
            yield run


def _instant(zone: Zone, year: int, day: int, minute: int) -> datetime | None:
    """Returns the instant of a position; None in a gap."""
    base = zone.base(year, day)
    if base is not None:
        return base + _DAYS[day] + _MINUTES[minute]
    return zone.first_pass(_wall((year, day, minute)))


def _wall(position: Position) -> datetime:
    """Returns the naive wall time of a position."""
    year, day, minute = position
    return datetime.fromordinal(_NEW_YEAR[year - FIRST_YEAR] + day) + _MINUTES[minute]


def _place(wall: datetime) -> Position:
    """Returns the position of a wall time, rounded up to the minute; it may be outside the years of the
    dialect."""
    year = wall.year
    minute = wall.hour * 60 + wall.minute
    if wall.second or wall.microsecond:
        minute += 1
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return year, 0, 0
    return year, wall.toordinal() - _NEW_YEAR[year - FIRST_YEAR], minute


def _clamp(moment: datetime) -> datetime:
    """Returns the instant, moved to at most two days outside the dialect's years."""
    return min(max(moment, _BEFORE_ALL), _AFTER_ALL)


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


@lru_cache(maxsize=512)
def _bits(mask: int) -> tuple[int, ...]:
    """Returns the indexes of the set bits, in ascending order."""
    return tuple(index for index, bit in enumerate(bin(mask)[:1:-1]) if bit == "1")
