"""The crons that are measured, in every peer's words, and a plain walk that says what is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dateutil import rrule

UTC = timezone.utc
NEW_YORK = ZoneInfo("America/New_York")
ZONES = {"UTC": UTC, "America/New_York": NEW_YORK}
WORKDAYS = (rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR)


class Case(NamedTuple):
    """One cron."""

    name: str
    aws: str
    unix: str
    apscheduler: Mapping[str, Any]
    rrule: Mapping[str, Any]
    takes: Callable[[date], bool]
    """Whether it runs on a day."""
    times: tuple[time, ...]
    """When it runs on such a day."""
    last_day: date = date(2199, 12, 30)
    """Where its window ends; it begins with 2026."""

    def window(self, zone_name: str) -> tuple[datetime, datetime]:
        """The instants between which it is asked; neither is a run."""
        zone = ZONES[zone_name]
        after = datetime(2025, 12, 31, 23, 59, 30, tzinfo=zone)
        return after, datetime.combine(self.last_day, time(23, 59, 30), tzinfo=zone)


EVERY_FIVE_MINUTES = Case(
    name="every 5 minutes",
    aws="*/5 * * * ? *",
    unix="*/5 * * * *",
    apscheduler={"minute": "*/5"},
    rrule={"freq": rrule.DAILY, "byhour": range(24), "byminute": range(0, 60, 5)},
    takes=lambda _: True,
    times=tuple(time(hour, minute) for hour in range(24) for minute in range(0, 60, 5)),
    last_day=date(2026, 6, 30),
)
BUSINESS_HOURS = Case(
    name="09:00 Monday to Friday",
    aws="0 9 ? * MON-FRI *",
    unix="0 9 * * MON-FRI",
    apscheduler={"day_of_week": "mon-fri", "hour": 9},
    rrule={"freq": rrule.WEEKLY, "byweekday": WORKDAYS, "byhour": 9, "byminute": 0},
    takes=lambda day: day.isoweekday() <= 5,
    times=(time(9),),
    last_day=date(2029, 12, 31),
)
FIFTH_FRIDAY = Case(
    name="fifth Friday",
    aws="0 0 ? * 6#5 *",
    unix="0 0 * * 5#5",
    apscheduler={"day": "5th fri", "hour": 0},
    rrule={"freq": rrule.MONTHLY, "byweekday": rrule.FR(5)},
    takes=lambda day: day.isoweekday() == 5 and day.day >= 29,
    times=(time(0),),
)
NEW_YEAR = Case(
    name="1 January",
    aws="0 0 1 1 ? *",
    unix="0 0 1 1 *",
    apscheduler={"month": 1, "day": 1, "hour": 0},
    rrule={"freq": rrule.YEARLY, "bymonth": 1, "bymonthday": 1},
    takes=lambda day: (day.month, day.day) == (1, 1),
    times=(time(0),),
)
LEAP_DAY = Case(
    name="29 February",
    aws="0 0 29 2 ? *",
    unix="0 0 29 2 *",
    apscheduler={"month": 2, "day": 29, "hour": 0},
    rrule={"freq": rrule.YEARLY, "bymonth": 2, "bymonthday": 29},
    takes=lambda day: (day.month, day.day) == (2, 29),
    times=(time(0),),
)
CASES = (EVERY_FIVE_MINUTES, BUSINESS_HOURS, FIFTH_FRIDAY, NEW_YEAR, LEAP_DAY)


def _daily(name: str, minute: str, hour: str, times: list[time]) -> Case:
    return Case(
        name=name,
        aws=f"{minute} {hour} * * ? *",
        unix=f"{minute} {hour} * * *",
        apscheduler={"minute": minute, "hour": hour},
        rrule={
            "freq": rrule.DAILY,
            "byhour": sorted({moment.hour for moment in times}),
            "byminute": sorted({moment.minute for moment in times}),
        },
        takes=lambda _: True,
        times=tuple(times),
        last_day=date(2026, 12, 31),
    )


CHANGES = (
    _daily("02:30 daily", "30", "2", [time(2, 30)]),
    _daily("01:30 daily", "30", "1", [time(1, 30)]),
    _daily("every hour", "0", "*", [time(hour) for hour in range(24)]),
    _daily("every 30 minutes", "*/30", "*", [time(hour, half) for hour in range(24) for half in (0, 30)]),
)
"""Crons that meet both changes of the clocks in New York in 2026."""


def right_runs(case: Case, zone_name: str) -> Iterator[datetime]:
    """The runs of a window by AWS's rule: a wall time that is skipped does not run, one that is
    repeated runs on the first pass. A walk over all days, in UTC."""
    zone = ZONES[zone_name]
    after, until = case.window(zone_name)
    day = after.date()
    while day <= until.date():
        for moment in case.times if case.takes(day) else ():
            run = datetime.combine(day, moment, tzinfo=zone)  # fold 0: the first pass
            instant = run.astimezone(UTC)
            exists = instant.astimezone(zone).time() == moment
            if exists and after < run < until:
                yield instant
        day += timedelta(days=1)
