"""Converts a schedule to data, which the expressions of :mod:`stepsched.machines.next_run` read as ``$plan``.

An instant is a number of seconds since 1970, and a wall time the number of seconds that it would be in UTC.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from typing_extensions import assert_never

from stepsched.machines.next_run import Kind
from stepsched.machines.zones import FIRST_YEAR, zone_table
from stepsched.schedules import AnySchedule, Cron, OneTime, Rate, Windowed
from stepsched.schedules.cron_fields import FIRST_YEAR as FIRST_CRON_YEAR
from stepsched.schedules.cron_fields import LAST_YEAR, parse_cron
from stepsched.schedules.cron_runs import CronRuns
from stepsched.schedules.crontab import parse_stored_crontab
from stepsched.schedules.day_rules import DaysOfMonth, Weekdays
from stepsched.schedules.zones import UTC, load_zone

_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONE = "zone"
"""The key of a plan under which the rules of its zone are."""
LAST_SECOND = 253_402_300_799
"""The last second of the year 9999."""
MEAN_MONTH = 2_629_746
"""The mean length of a month in seconds, over 400 years."""


class Timing(NamedTuple):
    """A schedule in the form that the state machine reads."""

    kind: Kind
    plan: dict[str, Any]
    """The plan, as JSON. A grid without ``origin`` is a rate that begins with the first execution."""


def timing_of(schedule: AnySchedule) -> Timing:
    """The kind and the plan of a schedule.

    Raises:
        ValueError: The schedule has fractions of a second, which Step Functions cuts off.
    """
    match schedule:
        case OneTime():
            at = _seconds("at", schedule.instant)
            return Timing("grid", {"origin": at, "every": 60, "end": at})
        case Rate():
            return Timing("grid", _rate(schedule))
        case Windowed():
            return _windowed(schedule)
        case Cron():
            return Timing("cron", _cron(schedule))
        case other:
            assert_never(other)


def _rate(rate: Rate) -> dict[str, Any]:
    plan: dict[str, Any] = {} if rate.start is None else {"origin": _seconds("start", rate.start)}
    return plan | {"every": rate.every // _SECOND, "end": _last(rate.end)}


def _windowed(windowed: Windowed) -> Timing:
    zone = load_zone(windowed.timezone)
    origin = zone.moment(windowed.start)
    end = _last(None if windowed.end is None else zone.moment(windowed.end))
    months, days = windowed.every.total_months, windowed.every.total_days
    elapsed = windowed.every.total_seconds
    plan: dict[str, Any] = {"origin": _seconds("start", origin)}
    if not months and not days:
        return Timing("grid", plan | {"every": elapsed, "end": end})
    # A start in a gap moves, and the later runs keep the wall time of the schedule.
    wall = windowed.start if windowed.start.tzinfo is None else origin.replace(tzinfo=None)
    plan |= {
        "month": 12 * wall.year + wall.month - 1,
        "day": wall.day,
        "time": (wall - wall.replace(hour=0, minute=0, second=0)) // _SECOND,
        "months": months,
        "days": days,
        "elapsed": elapsed,
        "mean": months * MEAN_MONTH + days * 86_400 + elapsed,
        "end": end,
        ZONE: zone_table(windowed.timezone, _first_year(origin)),
    }
    return Timing("calendar", plan)


def _cron(cron: Cron) -> dict[str, Any]:
    first_year = FIRST_YEAR if cron.start is None else _first_year(cron.start)
    first = (datetime(first_year, 1, 1, tzinfo=UTC) - _EPOCH) // _SECOND
    if cron.start is not None:
        first = max(first, -((_EPOCH - cron.start) // _SECOND))  # rounded up to a whole second
    plan = dict(_fields(cron.expression, cron.crontab))
    plan |= {"from": first - 1, "end": _last(cron.end), ZONE: zone_table(cron.timezone, first_year)}
    return plan


@lru_cache(maxsize=4096)
def _fields(expression: str | None, crontab: str | None) -> dict[str, Any]:
    """The fields of a cron expression as lists of numbers. Years without a run are left out, so that a search
    by month ends within the next two years of the list."""
    fields = parse_cron(expression) if expression is not None else parse_stored_crontab(crontab or "")
    runs = CronRuns(fields)
    plan: dict[str, Any] = {
        "minutes": _numbers(fields.minutes, 0),
        "hours": _numbers(fields.hours, 0),
        "months": _numbers(fields.months, 1),
    }
    live = runs.live_years()
    if live != (1 << (LAST_YEAR - FIRST_CRON_YEAR + 1)) - 1:
        plan["years"] = _numbers(live, FIRST_CRON_YEAR)
    match fields.rules:
        case (DaysOfMonth(days),):
            return plan | {"days": _numbers(days, 1), "weekdays": list(range(7))}
        case (Weekdays(weekdays),):
            return plan | {"days": list(range(1, 32)), "weekdays": _numbers(weekdays, 0)}
    shapes = {}
    for first in range(7):
        for length in range(28, 32):
            mask = 0
            for rule in fields.rules:
                mask |= rule.mask(first, length)
            shapes[f"{first}/{length}"] = _numbers(mask, 1)
    return plan | {"shapes": shapes}


def _first_year(start: datetime) -> int:
    return min(max(start.year, FIRST_CRON_YEAR), FIRST_YEAR)


def _numbers(bits: int, low: int) -> list[int]:
    return [low + index for index, bit in enumerate(bin(bits)[:1:-1]) if bit == "1"]


def _last(end: datetime | None) -> int:
    return LAST_SECOND if end is None else (end - _EPOCH) // _SECOND


def _seconds(name: str, instant: datetime) -> int:
    seconds, rest = divmod(instant - _EPOCH, _SECOND)
    if rest:
        raise ValueError(
            f"{name} {instant.isoformat()} has a fraction of a second, which Step Functions cuts off; "
            "use whole seconds"
        )
    return seconds
