"""The runs of one schedule in a year, as a picture."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from itertools import compress

from stepsched.core.clock import utc_now
from stepsched.core.values import whole_number
from stepsched.pictures.months import DayRuns, Months, days_of, month_begins
from stepsched.pictures.scale import day_begin, zone_text
from stepsched.schedules import Rate, Schedule
from stepsched.schedules.minutes import Minutes
from stepsched.schedules.zones import UTC, known_zone

_TICK = timedelta(microseconds=1)
_LISTED = 3
"""The number of runs of a day up to which the tooltip lists them."""
_YEARS = (2, 9_998)


def year_picture(schedule: Schedule, year: int | None, *, name: str = "") -> Months:
    """Returns the picture of a year.

    Args:
        schedule: The schedule. The runs of a rate without start are counted from the beginning of the year.
        year: The calendar year in the zone of the schedule. None: the present one.
        name: What runs, before the description of the schedule.

    Raises:
        ValueError: ``year`` is not a whole number from 2 to 9998.
    """
    zone, now = zone_of_schedule(schedule), utc_now()
    year = now.astimezone(zone).year if year is None else whole_number(year, "year")
    if not _YEARS[0] <= year <= _YEARS[1]:
        raise ValueError(f"expected a year from {_YEARS[0]} to {_YEARS[1]}, got {year}")
    since, until = day_begin(date(year, 1, 1), zone), day_begin(date(year + 1, 1, 1), zone) - _TICK
    title = f"{name}: {schedule.describe()}" if name else schedule.describe()
    notes = [zone_text(zone, since, since + timedelta(days=182))]
    if isinstance(schedule, Rate) and schedule.start is None:
        notes.append("A rate without start runs from the creation of its job; here from the new year.")
    counted = _counted(schedule, since, until)
    months = month_begins(date(year, 1, 1), date(year, 12, 1))
    runs = {
        day.date: _day(counted, day.begin, day.end, zone) for month in months for day in days_of(month, zone)
    }
    filled = {day: found for day, found in runs.items() if found.runs}
    return Months(filled, months, zone, title, today=now.astimezone(zone).date(), notes=notes)


def _counted(schedule: Schedule, since: datetime, until: datetime) -> Minutes:
    if isinstance(schedule, Rate) and schedule.start is None and since < (schedule.end or until):
        schedule = schedule.replace(start=since)
    counted = Minutes(since, until)
    counted.add(schedule, 1)
    counted.lay_grids()
    return counted


def zone_of_schedule(schedule: Schedule) -> tzinfo:
    """Returns the zone of a schedule; UTC if it has none."""
    key: str | None = getattr(schedule, "timezone", None)
    return UTC if key is None else known_zone(key).info


def _day(counted: Minutes, begin: datetime, end: datetime, zone: tzinfo) -> DayRuns:
    """Returns the runs of a day, and when they are."""
    low, high = counted.index_of(begin), counted.index_of(end)
    part = counted.counts[low:high]
    runs = sum(part)
    if not runs:
        return DayRuns(0)
    at = list(compress(range(low, high), part))
    shown = at if len(at) == runs <= _LISTED else [at[0], at[-1]]
    times = [f"{counted.beginning(index).astimezone(zone):%H:%M}" for index in shown]
    return DayRuns(runs, ", ".join(times) if runs <= _LISTED else f"{times[0]} to {times[-1]}")
