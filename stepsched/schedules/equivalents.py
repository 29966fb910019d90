"""Converts calendar windows to equivalent AWS expressions, crons or rates."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from stepsched.schedules.cron import Cron
from stepsched.schedules.cron_fields import FIRST_YEAR, LAST_YEAR
from stepsched.schedules.rate import Rate
from stepsched.schedules.windowed import Windowed
from stepsched.schedules.zones import UTC, Zone, load_zone

_HORIZON = datetime(LAST_YEAR, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The end of the dialect's years, up to which a window without an end is compared."""
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_FEBRUARY = 2


class NoEquivalentError(ValueError):
    """AWS has no expression with exactly the same runs; the message says why."""


@lru_cache(maxsize=1024)
def aws_equivalent(schedule: Windowed) -> Cron | Rate:
    """Returns the cron or rate with exactly the same runs as a calendar window, up to the year 2199.

    Raises:
        NoEquivalentError: Every expression would differ in at least one run.
    """
    zone = load_zone(schedule.timezone)
    start = zone.moment(schedule.start).astimezone(UTC)
    end = None if schedule.end is None else zone.moment(schedule.end).astimezone(UTC)
    if end is not None and end <= start:
        raise NoEquivalentError("it has a single run; use OneTime")
    every = schedule.every
    parts = [part for part in (every.total_months, every.total_days, every.total_seconds) if part]
    if len(parts) > 1:
        raise NoEquivalentError(f"AWS has no step of {every}")
    if every.total_seconds % 60:
        raise NoEquivalentError(
            f"EventBridge Scheduler has no step of {every}: its steps are whole minutes, one at least, "
            "and it starts a run within the minute"
        )
    if every.total_seconds:
        return Rate(timedelta(seconds=every.total_seconds), start=start, end=end)
    first = schedule.start
    if first.tzinfo is None and zone.to_wall(start).replace(fold=0) != first:
        raise NoEquivalentError(f"its start {first.isoformat()} does not exist in {schedule.timezone}")
    if every.total_days not in (0, 1, 7) and _is_steady(zone, start, end or _HORIZON):
        return Rate(timedelta(days=every.total_days), start=start, end=end)
    return _cron(schedule, start, end)


def _cron(schedule: Windowed, start: datetime, end: datetime | None) -> Cron:
    first = schedule.start
    if first.tzinfo is not None:
        raise NoEquivalentError("its start is the second pass of a repeated hour, which a cron cannot name")
    if first.second or first.microsecond:
        raise NoEquivalentError(f"its start has seconds ({first.time().isoformat()}), and a cron has none")
    if not FIRST_YEAR <= first.year <= LAST_YEAR:
        word = f"before {FIRST_YEAR}" if first.year < FIRST_YEAR else f"after {LAST_YEAR}"
        raise NoEquivalentError(f"it starts {word}, outside the years of a cron")
    days = _days(schedule)
    cron = Cron(f"{first.minute} {first.hour} {days}", timezone=schedule.timezone, start=start, end=end)
    skipped = next(cron.skipped(after=start, until=min(end or _HORIZON, _HORIZON)), None)
    if skipped is not None:
        raise NoEquivalentError(
            f"{skipped.isoformat()} does not exist in {schedule.timezone}: a cron skips this run, "
            "and a calendar window moves it"
        )
    return cron


def _days(schedule: Windowed) -> str:
    """Returns the fields day-of-month, month, day-of-week and year."""
    first, every = schedule.start, schedule.every
    match every.total_days:
        case 1:
            return "* * ? *"
        case 7:
            return f"? * {_WEEKDAYS[first.weekday()]} *"
        case 0:
            pass
        case days:
            raise NoEquivalentError(f"AWS has no step of {days} days where the clocks change")
    step = every.total_months
    if step > 12 and step % 12:
        raise NoEquivalentError(f"AWS has no step of {step} months")
    if step <= 12 and 12 % step:
        raise NoEquivalentError(f"AWS has no step of {step} months, which does not divide a year")
    months = sorted({(first.month - 1 + k * step) % 12 + 1 for k in range(12)})
    names = "*" if len(months) == 12 else ",".join(_MONTHS[month - 1] for month in months)
    if step // 12 > LAST_YEAR - FIRST_YEAR:
        raise NoEquivalentError(f"AWS has no step of {step // 12} years")
    years = "*" if step <= 12 else f"{first.year}/{step // 12}"
    return f"{_day_of_month(first.day, months)} {names} ? {years}"


def _day_of_month(day: int, months: list[int]) -> str:
    """Returns the field for the day in those months, in which shorter months use their last day."""
    longest_is_last = day == 31 or (day == 29 and months == [_FEBRUARY])
    if longest_is_last:
        return "L"
    if day > 28 and _FEBRUARY in months:
        raise NoEquivalentError(f"AWS has no expression for the {day}th or, in February, its last day")
    return str(day)


def _is_steady(zone: Zone, start: datetime, end: datetime) -> bool:
    """Returns whether the zone has one offset over the whole window."""
    years = range(max(start.year - 1, 2), min(end.year + 2, 9999))
    if zone.info.key == "UTC":
        return True
    changes = [change for year in years for change in zone.year(year).changes]
    offsets = {zone.localise(start).utcoffset()}
    instants = [change.wall_before.replace(tzinfo=change.before) for change in changes]
    offsets |= {
        change.after.utcoffset(None)
        for change, at in zip(changes, instants, strict=True)
        if start < at <= end
    }
    return len(offsets) == 1
