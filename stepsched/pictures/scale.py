"""Where instants and numbers are on the axes of a picture: days, months, clock changes, round numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from math import ceil, floor, log10
from typing import NamedTuple

from stepsched.core.instants import in_zone

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_MARKED = timedelta(days=800)
"""The length of an axis up to which clock changes are marked."""
_HOURS = (1, 2, 3, 6, 12)
_MINUTES = (1, 2, 5, 10, 15, 30)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""The names of weekdays and months in English, whatever the locale of the process."""


class Change(NamedTuple):
    """A change of the clock."""

    at: datetime
    """The instant, with the fixed offset after it."""
    day: date
    """Its day in the zone: the one that begins with it, if it is at midnight."""
    by: timedelta
    """How far the clock is moved; negative for an hour that occurs twice."""

    @property
    def text(self) -> str:
        """A text such as ``clock +1 h``."""
        minutes = round(self.by.total_seconds() / 60)
        length = f"{abs(minutes) // 60} h" if minutes % 60 == 0 else f"{abs(minutes)} min"
        return f"clock {'+' if minutes > 0 else '-'}{length}"


class Day(NamedTuple):
    """A calendar day of a zone."""

    date: date
    begin: datetime
    """Its first instant, in UTC."""
    end: datetime
    """The first instant of the next day, in UTC; after the last day the end of the calendar."""

    @property
    def is_weekend(self) -> bool:
        """Whether it is a Saturday or a Sunday."""
        return self.date.weekday() >= 5


def day_begin(day: date, zone: tzinfo, fold: int = 0) -> datetime:
    """Returns the first instant of a day in a zone, in UTC; of the first day that of the calendar. Where
    midnight occurs twice it is the first one, or with ``fold=1`` the second one."""
    if day == date.min:
        return datetime.min.replace(tzinfo=timezone.utc)
    return datetime.combine(day, time(fold=fold), zone).astimezone(timezone.utc)


def day_end(day: date, zone: tzinfo) -> datetime:
    """Returns the first instant of the next day in a zone, in UTC; of the last day that of the calendar."""
    return day_begin(day + _DAY, zone) if day < date.max else datetime.max.replace(tzinfo=timezone.utc)


def day_of(day: date, zone: tzinfo) -> Day:
    """Returns a day with its ends in a zone."""
    return Day(day, day_begin(day, zone), day_end(day, zone))


def days(since: datetime, until: datetime, zone: tzinfo) -> list[Day]:
    """Returns the days of a zone that a span touches.

    Args:
        since: The first instant, inclusive.
        until: The last instant, inclusive.
        zone: The zone.
    """
    # A clock that goes back over midnight, as in St. John's until 2011, comes to the day before once more.
    first, last = (in_zone(each, zone).toordinal() for each in (since, until))
    again = day_begin(date.fromordinal(first), zone, fold=1) - _SECOND if first > 1 else since
    first = min(first, in_zone(min(max(since, again), until), zone).toordinal())
    earlier = max(since, day_end(date.fromordinal(last), zone))
    last = max(last, in_zone(min(earlier, until), zone).toordinal())
    return [day_of(date.fromordinal(number), zone) for number in range(first, last + 1)]


def changes(found: Sequence[Day], zone: tzinfo) -> list[Change]:
    """Returns the clock changes of some days, each found by bisection of its day."""
    shifts = list[Change]()
    for day in found:
        if day.date in (date.min, date.max):  # their wall times are not all in the calendar
            continue
        # A change at midnight belongs to the day that begins with it.
        low, high = day.begin - _SECOND, day.end - _SECOND
        before, after = _offset(low, zone), _offset(high, zone)
        if before != after:
            while high - low > _SECOND:
                middle = (low + (high - low) / 2).replace(microsecond=0)
                low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
            shifts.append(Change(high.astimezone(timezone(after)), day.date, after - before))
    return shifts


def _offset(instant: datetime, zone: tzinfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)


def zone_text(zone: tzinfo, *instants: datetime) -> str:
    """Returns the name of a zone with its offsets, such as ``Europe/Paris (+01:00 to +02:00)``."""
    name = getattr(zone, "key", None) or str(zone)
    offsets = " to ".join(dict.fromkeys(in_zone(each, zone).isoformat()[-6:] for each in instants))
    return name if name == "UTC" or not offsets else f"{name} ({offsets})"


def day_text(day: date) -> str:
    """Returns a text such as ``Mon 7 Jan``."""
    return f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]}"


def wall_text(instant: datetime, zone: tzinfo) -> str:
    """Returns a text such as ``Mon 7 Jan 2030 09:00 +01:00``, with seconds where there are any."""
    wall = in_zone(instant, zone)
    return f"{day_text(wall.date())} {wall.year} {clock_text(wall)} {wall.isoformat()[-6:]}"


def clock_text(wall: datetime) -> str:
    """Returns the time of day, with seconds where there are any."""
    return f"{wall:%H:%M:%S}" if wall.second else f"{wall:%H:%M}"


class TimeScale(NamedTuple):
    """A horizontal axis of time."""

    since: datetime
    """The instant at its left end."""
    until: datetime
    """The instant at its right end, later than ``since``."""
    zone: tzinfo
    left: float
    width: float

    def x(self, instant: datetime) -> float:
        """Returns the horizontal position of an instant."""
        return self.left + self.width * ((instant - self.since) / (self.until - self.since))

    def holds(self, instant: datetime) -> bool:
        """Returns whether an instant is on the axis."""
        return self.since <= instant <= self.until

    def days(self) -> list[Day]:
        """Returns the days that the axis touches."""
        return days(self.since, self.until - timedelta(microseconds=1), self.zone)

    def changes(self) -> list[Change]:
        """Returns the clock changes on the axis; none if it is longer than about two years."""
        if self.until - self.since > _MARKED:
            return []
        return [change for change in changes(self.days(), self.zone) if self.holds(change.at)]

    def ticks(self, most: int = 8) -> list[tuple[datetime, str]]:
        """Returns marks at round wall times, at most about ``most`` of them, with their texts."""
        length = self.until - self.since
        if length > most * 31 * _DAY / 3:
            return list(self._months(most))
        if length > most * 12 * timedelta(hours=1):
            return list(self._days(ceil(length / _DAY / most)))
        steps = [timedelta(minutes=each) for each in _MINUTES] + [timedelta(hours=each) for each in _HOURS]
        step = next((each for each in steps if length <= each * most), steps[-1])
        return list(self._times(step))

    def _months(self, most: int) -> Iterator[tuple[datetime, str]]:
        first, last = in_zone(self.since, self.zone), in_zone(self.until, self.zone)
        total = (last.year - first.year) * 12 + last.month - first.month
        step = next((each for each in (1, 2, 3, 6, 12) if total <= each * most), 12 * ceil(total / 12 / most))
        for number in range(0, first.month + total + 1, step):
            year, month = first.year + number // 12, number % 12 + 1
            if year <= 9999 and self.holds(at := day_begin(date(year, month, 1), self.zone)):
                yield at, f"{MONTHS[month - 1]} {year}"

    def _days(self, step: int) -> Iterator[tuple[datetime, str]]:
        step = next((each for each in (1, 2, 7, 14) if step <= each), step)
        for day in self.days():
            # Every second day and every week are counted from a Monday.
            if self.holds(day.begin) and (day.date.toordinal() - 1) % step == 0:
                yield day.begin, day_text(day.date)

    def _times(self, step: timedelta) -> Iterator[tuple[datetime, str]]:
        for day in self.days():
            for number in range(_DAY // step):
                wall = datetime.combine(day.date, time(), self.zone) + number * step
                at = in_zone(wall, timezone.utc)
                if self.holds(at) and in_zone(at, self.zone).replace(tzinfo=None) == wall.replace(
                    tzinfo=None
                ):
                    yield at, f"{wall:%H:%M}" if number else day_text(day.date)


def round_ticks(highest: float, most: int = 5) -> list[int]:
    """Returns whole round numbers from 0 up to at least ``highest``, at most about ``most``.

    >>> round_ticks(34), round_ticks(1), round_ticks(9_000)
    ([0, 10, 20, 30, 40], [0, 1], [0, 2000, 4000, 6000, 8000, 10000])
    """
    rough = max(highest / most, 0.2)
    power = 10 ** floor(log10(rough))
    step = max(round(next(each * power for each in (1, 2, 5, 10) if each * power >= rough * 0.999)), 1)
    return [number * step for number in range(max(ceil(highest / step), 1) + 1)]


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Returns places at least ``gap`` apart, each near its own, in the order of the given ones.

    Args:
        places: The places.
        gap: The least distance, smaller if not all would have room.
        low: The least place.
        high: The largest place.

    >>> spread([50, 50, 0], 10, 0, 100), spread([99, 99, 99], 10, 0, 100)
    ([45.0, 55.0, 0.0], [80.0, 90.0, 100.0])
    """
    gap = min(gap, (high - low) / max(len(places) - 1, 1))
    order = sorted(range(len(places)), key=lambda number: places[number])
    blocks = list[tuple[float, int]]()
    """Places that touch: the middle, and how many they are."""
    for number in order:
        middle, count = float(places[number]), 1
        while True:
            half = gap * (count - 1) / 2
            middle = min(max(middle, low + half), high - half)
            if not blocks or middle - half - (blocks[-1][0] + gap * (blocks[-1][1] - 1) / 2) >= gap:
                break
            other, size = blocks.pop()
            middle, count = (other * size + middle * count) / (size + count), size + count
        blocks.append((middle, count))
    found = [middle + gap * (at - (count - 1) / 2) for middle, count in blocks for at in range(count)]
    return [found[order.index(number)] for number in range(len(places))]


def brief(number: int) -> str:
    """Returns a number in at most four characters.

    >>> [brief(number) for number in (999, 1_240, 9_960, 12_400, 1_240_000)]
    ['999', '1.2k', '10k', '12k', '1.2M']
    """
    if number < 1_000:
        return str(number)
    size, unit = (1_000, "k") if number < 999_500 else (1_000_000, "M")
    scaled = number / size
    return f"{scaled:.1f}".removesuffix(".0") + unit if scaled < 9.95 else f"{scaled:.0f}{unit}"


def levels(counts: Sequence[int], most: int = 5) -> list[tuple[int, int]]:
    """Returns ranges of counts, inclusive, each about as much larger than the one before: for a legend.

    Args:
        counts: The counts; those below 1 do not matter.
        most: The maximum number of ranges.

    >>> levels([1, 2, 3]), levels([4, 9, 90, 1_000], 3)
    ([(1, 1), (2, 2), (3, 3)], [(4, 25), (26, 159), (160, 1000)])
    """
    distinct = sorted({count for count in counts if count > 0})
    if len(distinct) <= most:
        return [(count, count) for count in distinct]
    low, high = distinct[0], distinct[-1]
    ends = {max(round(low * (high / low) ** (number / most)), low) for number in range(1, most)}
    bounds = sorted({*ends, high})
    return list(zip([low, *(each + 1 for each in bounds[:-1])], bounds, strict=True))


def level_of(count: int, ranges: Sequence[tuple[int, int]]) -> int:
    """Returns the index of the range that contains a count."""
    return next(number for number, (_, high) in enumerate(ranges) if count <= high)


def range_text(low: int, high: int) -> str:
    """Returns a range of a legend, such as ``4-20``; large numbers are rounded."""
    one, other = (f"{each:,}" if high < 10_000 else brief(each) for each in (low, high))
    return one if one == other else f"{one}-{other}"
