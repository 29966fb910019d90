"""What the engine is held against: slow, plain, and without a line in common with it.

A cron is walked minute by minute over wall time, a calendar step is added by ``dateutil``, and the
changes of a zone are read from the list in its own file.
"""

from __future__ import annotations

import calendar
import importlib
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

UTC = timezone.utc
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# -- cron ------------------------------------------------------------------------------------------

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


class Cron(NamedTuple):
    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    years: frozenset[int]
    day_of_month: str
    day_of_week: str


def read(expression: str) -> Cron:
    """Five or six valid fields of the AWS dialect."""
    minutes, hours, day_of_month, months, day_of_week, *years = expression.upper().split(" ")
    return Cron(
        _values(minutes, 0, 59),
        _values(hours, 0, 23),
        _values(months, 1, 12, _MONTHS),
        _values(years[0] if years else "*", 1970, 2199),
        day_of_month,
        day_of_week,
    )


def _values(field: str, low: int, high: int, names: list[str] | None = None) -> frozenset[int]:
    def number(text: str) -> int:
        return low + names.index(text) if names and text in names else int(text)

    size = high - low + 1
    found = set()
    for item in field.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        start = low if first == "*" else number(first)
        stop = number(last) if last else high if step or first == "*" else start
        for offset in range(0, (stop - start) % size + 1, int(step or 1)):
            found.add(low + (start - low + offset) % size)
    return frozenset(found)


@cache
def _days(day_of_month: str, day_of_week: str, year: int, month: int) -> frozenset[int]:
    """The days of one month that the two day fields name."""
    weeks = calendar.Calendar(calendar.MONDAY).monthdayscalendar(year, month)
    every = {day for week in weeks for day in week if day}
    if day_of_week == "?":
        return frozenset(_named_days(day_of_month, weeks, every) & every)

    def column(weekday: int) -> list[int]:
        return [week[weekday - 2] for week in weeks if week[weekday - 2]]  # 2 is Monday, -1 Sunday

    if day_of_week == "L":
        return frozenset(column(7))
    if day_of_week.endswith("L"):
        return frozenset(column(_weekday(day_of_week[:-1]))[-1:])
    if "#" in day_of_week:
        weekday, _, nth = day_of_week.partition("#")
        return frozenset(column(_weekday(weekday))[int(nth) - 1 : int(nth)])
    return frozenset(day for value in _values(day_of_week, 1, 7, _WEEKDAYS) for day in column(value))


def _named_days(field: str, weeks: list[list[int]], every: set[int]) -> set[int]:
    working = {day for week in weeks for day in week[:5] if day}
    if field == "L":
        return {max(every)}
    if field == "LW":
        return {max(working)}
    if field.startswith("L-"):
        return {max(every) - int(field[2:])}
    if field.endswith("W"):
        wanted = int(field[:-1])
        return {min(working, key=lambda day: abs(day - wanted))} if wanted in every else set()
    return set(_values(field, 1, 31))


def _weekday(text: str) -> int:
    return _WEEKDAYS.index(text) + 1 if text in _WEEKDAYS else int(text)


def _matches(cron: Cron, day: date) -> bool:
    if day.year not in cron.years or day.month not in cron.months:
        return False
    return day.day in _days(cron.day_of_month, cron.day_of_week, day.year, day.month)


@cache
def _times(hours: frozenset[int], minutes: frozenset[int]) -> list[timedelta]:
    """The times of a day since its midnight, found by asking every minute of it."""
    asked = [divmod(number, 60) for number in range(24 * 60)]
    return [timedelta(hours=hour, minutes=each) for hour, each in asked if hour in hours and each in minutes]


def _minutes(cron: Cron, day: date) -> list[datetime]:
    """The wall times of one day."""
    if not _matches(cron, day):
        return []
    midnight = datetime(day.year, day.month, day.day)
    return [midnight + time for time in _times(cron.hours, cron.minutes)]


def exists(wall: datetime, zone: ZoneInfo) -> bool:
    """Whether the clocks ever show the wall time."""
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    return instant.astimezone(zone).replace(tzinfo=None) == wall


def cron_runs(cron: Cron, zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
    """The runs after one instant and up to another, in UTC: first passes only, gaps skipped."""
    day, last = after.astimezone(UTC).date() - 2 * _DAY, until.astimezone(UTC).date() + 2 * _DAY
    while day <= last:
        for wall in _minutes(cron, day):
            instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
            if after < instant <= until and exists(wall, zone):
                yield instant
        day += _DAY


def cron_runs_back(cron: Cron, zone: ZoneInfo, before: datetime, since: datetime) -> Iterator[datetime]:
    """The runs before one instant and down to another, latest first."""
    day, last = before.astimezone(UTC).date() + 2 * _DAY, since.astimezone(UTC).date() - 2 * _DAY
    while day >= last:
        for wall in reversed(_minutes(cron, day)):
            instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
            if since <= instant < before and exists(wall, zone):
                yield instant
        day -= _DAY


def skipped_walls(cron: Cron, key: str, after: datetime, until: datetime) -> list[datetime]:
    """The wall times of the cron in the gaps that opened after one instant and up to another."""
    walls: list[datetime] = []
    for change in transitions(key, 2201):
        first = (change.at + change.before).replace(tzinfo=None)
        end = (change.at + change.after).replace(tzinfo=None)
        day = first.date()
        while after < change.at <= until and day <= end.date():
            walls += [wall for wall in _minutes(cron, day) if first <= wall < end]
            day += _DAY
    return walls


# -- calendar steps --------------------------------------------------------------------------------


class Steps(NamedTuple):
    """``start + k × every``: a wall time in a zone, and a count for each unit."""

    wall: datetime
    """Naive; ``fold`` 1 is the second pass of a repeated hour."""
    zone: ZoneInfo
    years: int = 0
    quarters: int = 0
    months: int = 0
    weeks: int = 0
    days: int = 0
    hours: int = 0
    minutes: int = 0
    seconds: int = 0

    def run(self, step: int) -> datetime:
        """Run ``step`` in UTC, added to the start in one go."""
        elapsed = timedelta(hours=self.hours, minutes=self.minutes, seconds=self.seconds)
        wall, moved = self.wall, bool(step)
        if moved and (self.years or self.quarters or self.months or self.weeks or self.days):
            wall = self.wall.replace(fold=0) + relativedelta(
                years=step * self.years,
                months=step * (3 * self.quarters + self.months),
                weeks=step * self.weeks,
                days=step * self.days,
            )
        return wall.replace(tzinfo=self.zone).astimezone(UTC) + step * elapsed

    def runs(self, after: datetime, until: datetime) -> list[datetime]:
        """The runs after one instant and up to another, every step tried from the first one."""
        found: list[datetime] = []
        step = 0
        while (run := self.run(step)) <= until:
            if run > after and run not in found[-1:]:
                found.append(run)
            step += 1
        return found


# -- zones -----------------------------------------------------------------------------------------


class Transition(NamedTuple):
    """One real change of a zone's offset."""

    at: datetime
    before: timedelta
    after: timedelta


@cache
def transitions(key: str, last_year: int = 2037) -> tuple[Transition, ...]:
    """Every change of offset from 1970 on, as the zone's file lists it.

    The file is read by the pure Python ``zoneinfo``, which keeps its list; where the list ends
    early, the file's rule for later years goes on.
    """
    info = importlib.import_module("zoneinfo._zoneinfo").ZoneInfo.no_cache(key)
    listed = list(zip(info._trans_utc, (tti.utcoff for tti in info._ttinfos), strict=True))
    rule = info._tz_after
    if hasattr(rule, "transitions"):
        end_of_list = listed[-1][0] if listed else 0
        first_year = max((_EPOCH + timedelta(seconds=end_of_list)).year, 1970)
        for year in range(first_year, last_year + 1):
            start, end = rule.transitions(year)  # on the clocks of winter and of summer
            into = (start - rule.std.utcoff.total_seconds(), rule.dst.utcoff)
            out_of = (end - rule.dst.utcoff.total_seconds(), rule.std.utcoff)
            listed += sorted(change for change in (into, out_of) if change[0] > end_of_list)
    found = []
    before = info._tti_before.utcoff if info._tti_before else None
    for seconds, after in listed:
        at = _EPOCH + timedelta(seconds=seconds)
        if before is not None and after != before and 1970 <= at.year <= last_year:
            found.append(Transition(at, before, after))
        before = after
    return tuple(found)
