"""Describes schedules in English."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from stepsched.schedules.cron_fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    FIRST_YEAR,
    HOURS,
    LAST_YEAR,
    MINUTES,
    MONTH,
    YEAR,
    CronFields,
)
from stepsched.schedules.day_rules import (
    DayRule,
    DaysOfMonth,
    LastDay,
    LastWeekday,
    LastWeekdayOfMonth,
    NearestWeekday,
    NthWeekday,
    Weekdays,
)
from stepsched.schedules.zones import Zone

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_FEWEST_OF_A_STEP = 4
"""The number of hours from which they are described by their step."""
_LONGEST_LIST = 8
"""The number of values that are listed at most, if they can be described by their step."""
_NTH = ("first", "second", "third", "fourth", "fifth")


def one_time(at: datetime, zone: Zone) -> str:
    """Returns a text such as "Once, on Tuesday 1 January 2030 at 09:00, Europe/Paris"."""
    moved = zone.settle(zone.moment(at))
    weekday = _WEEKDAYS[zone.moment(at).toordinal() % 7]
    return f"Once, on {weekday} {wall_time(moved, zone)}, {zone.key}"


def rate(expression: str) -> str:
    """Returns a text such as "Every 5 minutes"."""
    text = expression.removeprefix("rate(").removesuffix(")")
    return f"Every {text.removeprefix('1 ')}"


def step(every: str) -> str:
    """Returns a step as it stands after "Every": ``month`` for ``1 month``."""
    return every if " and " in every else every.removeprefix("1 ")


def wall_time(settled: datetime, zone: Zone) -> str:
    """Returns a text such as "1 January 2030 at 09:00"; with the offset if that wall time occurs twice."""
    run = zone.moment(settled)
    text = _moment(run if settled.tzinfo is not None else settled)
    twice = settled.tzinfo is not None or zone.occurs_twice(settled)
    return f"{text} ({run.isoformat(timespec='seconds')[19:]})" if twice else text


def window(start: datetime | None, end: datetime | None) -> str:
    """Returns a text such as ", from 1 January 2030 at 00:00 UTC"; empty without a window."""
    words = f", from {_moment(start)} UTC" if start is not None else ""
    return words + (f", until {_moment(end)} UTC" if end is not None else "")


def cron(fields: CronFields) -> str:
    """Returns a text such as "At 09:00, Monday to Friday"."""
    days = " or ".join(filter(None, (_day(rule) for rule in fields.rules)))
    months = "" if fields.months == MONTH.full else "in " + _list(_names(fields.months, _MONTHS))
    years = ""
    if fields.years != YEAR.full:
        years = "in " + _years([FIRST_YEAR + index for index in _bits(fields.years)])
    return ", ".join(filter(None, (_times(fields.minutes, fields.hours), days, months, years)))


def _moment(moment: datetime) -> str:
    seconds = moment.second or moment.microsecond
    time = moment.time().isoformat() if seconds else f"{moment:%H:%M}"
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year} at {time}"


def _times(minutes: int, hours: int) -> str:
    minute_values, hour_values = _bits(minutes), _bits(hours)
    minute_step, hour_step = _step(minute_values, MINUTES.high), _step(hour_values, HOURS.high)
    if len(hour_values) < _FEWEST_OF_A_STEP:  # "every 12th hour" would leave open which ones
        hour_step = 0
    if len(minute_values) * len(hour_values) <= 6:
        return "At " + _list([f"{h:02d}:{m:02d}" for h in hour_values for m in minute_values])
    if minute_step:
        every = "Every minute" if minute_step == 1 else f"Every {minute_step} minutes"
        return every + _during(hour_values, hour_step)
    if minute_values == [0]:
        if hour_step:
            return "Every hour" if hour_step == 1 else f"Every {hour_step} hours"
        long_step = _long_step(hour_values)
        if long_step:
            return f"Every {long_step} hours from {hour_values[0]:02d}:00 to {hour_values[-1]:02d}:00"
        return "Every hour" + _during(hour_values, 0, last_minute=0)
    past = f"At {_minutes(minute_values)}"
    if hour_step > 1:
        return f"{past} past every {_ordinal(hour_step)} hour"
    if _long_step(hour_values):
        return f"{past} past{_during(hour_values, 0).removeprefix(' in')}"
    return f"{past} past every hour" + _during(hour_values, hour_step)


def _during(hours: list[int], step: int, *, last_minute: int = 59) -> str:
    """Describes the hours as a part of the day or as a list; empty for all hours."""
    if step == 1:
        return ""
    if step:
        return f" in every {_ordinal(step)} hour"
    if hours == list(range(hours[0], hours[-1] + 1)):
        return f" from {hours[0]:02d}:00 to {hours[-1]:02d}:{last_minute:02d}"
    long_step = _long_step(hours)
    if long_step:
        return f" in every {_ordinal(long_step)} hour from {hours[0]} to {hours[-1]}"
    return " in the hours " + _list(_runs([str(hour) for hour in hours], hours))


def _minutes(minutes: list[int]) -> str:
    long_step = _long_step(minutes)
    if long_step:
        return f"every {_ordinal(long_step)} minute from {minutes[0]} to {minutes[-1]}"
    listed = _list(_runs([str(minute) for minute in minutes], minutes))
    return f"minute {listed}" if len(minutes) == 1 else f"minutes {listed}"


def _years(years: list[int]) -> str:
    long_step = _long_step(years)
    if long_step:
        until = f" to {years[-1]}" if years[-1] + long_step <= LAST_YEAR else ""
        return f"every {_ordinal(long_step)} year from {years[0]}{until}"
    runs = _runs([str(year) for year in years], years)
    if len(runs) > _LONGEST_LIST:
        return f"{len(years)} of the years {years[0]} to {years[-1]}"
    return _list(runs)


def _day(rule: DayRule) -> str:
    match rule:
        case DaysOfMonth(DAY_OF_MONTH.full) | Weekdays(DAY_OF_WEEK.full):
            return ""
        case DaysOfMonth(days):
            values = [index + 1 for index in _bits(days)]
            long_step = _long_step(values)
            if long_step:
                first, last = _ordinal(values[0]), _ordinal(values[-1])
                return f"on every {_ordinal(long_step)} day from the {first} to the {last}"
            return f"on the {_list(_runs([_ordinal(value) for value in values], values))}"
        case Weekdays(weekdays):
            return _list(_weekdays(weekdays))
        case LastDay(0):
            return "on the last day of the month"
        case LastDay(back):
            return f"{back} {'day' if back == 1 else 'days'} before the last day of the month"
        case LastWeekday():
            return "on the last weekday of the month, Monday to Friday"
        case NearestWeekday(day):
            return f"on the weekday nearest the {_ordinal(day)}"
        case LastWeekdayOfMonth(weekday):
            return f"on the last {_WEEKDAYS[weekday]} of the month"
        case NthWeekday(weekday, nth):
            return f"on the {_NTH[nth - 1]} {_WEEKDAYS[weekday]} of the month"


def _weekdays(weekdays: int) -> list[str]:
    """Returns the names of the weekdays, starting with Monday."""
    order = [day for day in (1, 2, 3, 4, 5, 6, 0) if weekdays >> day & 1]
    return _runs([_WEEKDAYS[day] for day in order], [(day - 1) % 7 for day in order])


def _names(bits: int, names: tuple[str, ...]) -> list[str]:
    values = _bits(bits)
    return _runs([names[value] for value in values], values)


def _runs(shown: list[str], values: list[int]) -> list[str]:
    """Joins three or more consecutive values, as in "Monday to Friday"."""
    parts: list[list[int]] = []
    for index, value in enumerate(values):
        if parts and value == values[parts[-1][-1]] + 1:
            parts[-1].append(index)
        else:
            parts.append([index])
    words: list[str] = []
    for part in parts:
        if len(part) > 2:
            words.append(f"{shown[part[0]]} to {shown[part[-1]]}")
        else:
            words.extend(shown[index] for index in part)
    return words


def _list(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _bits(bits: int) -> list[int]:
    return [index for index in range(bits.bit_length()) if bits >> index & 1]


def _step(values: list[int], high: int) -> int:
    """Returns the step whose multiples from 0 are exactly the values of the field; 0 if there is none."""
    if len(values) < 2 or values[0]:
        return 0
    step = values[1]
    whole = values == list(range(0, high + 1, step))
    return step if whole and (high + 1) % step == 0 else 0


def _long_step(values: list[int]) -> int:
    """Returns the step of values too many to be listed; 0 if they are few, or have no common step above 1."""
    steps = {after - before for before, after in pairwise(values)}
    return steps.pop() if len(values) > _LONGEST_LIST and len(steps) == 1 and steps != {1} else 0


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number // 10 != 1 else "th"
    return f"{number}{ending}"
