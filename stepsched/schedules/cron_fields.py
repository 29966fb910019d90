"""Parses the AWS cron dialect into bit sets.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based.
Where AWS documents nothing, the policies P-05 to P-11, P-15 and P-18 of ``docs/time.md`` apply.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from stepsched.core.errors import InvalidScheduleError
from stepsched.schedules.cron_items import MONTHS, WEEKDAYS, Field, FieldReader, is_number
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
from stepsched.schedules.frequency import window_of_seconds

FIRST_YEAR, LAST_YEAR = 1970, 2199
EVERY_MINUTES = "for every {step} minutes use rate({step} minutes)"
EVERY_HOURS = "for every {step} hours use rate({step} hours)"
EVERY_DAYS = "for every {step} days use rate({step} days)"
EVERY_MONTHS = "for every {step} months use Windowed(start, every=Frequency(months={step}))"

MINUTES = Field("minutes", 0, 59, largest_step=59, longer_step=EVERY_MINUTES)
HOURS = Field("hours", 0, 23, largest_step=23, longer_step=EVERY_HOURS)
DAY_OF_MONTH = Field(
    "day-of-month",
    1,
    31,
    largest_step=31,
    longer_step=EVERY_DAYS,
    marks="?LW",
    forms="'?', 'L', 'LW', 'L-3' and '15W', each on its own",
)
MONTH = Field("month", 1, 12, names=MONTHS, largest_step=12, longer_step=EVERY_MONTHS)
DAY_OF_WEEK = Field(
    "day-of-week", 1, 7, names=WEEKDAYS, marks="?L#", forms="'?', 'L', '6L' and '6#3', each on its own"
)
YEAR = Field("year", FIRST_YEAR, LAST_YEAR, largest_step=LAST_YEAR - FIRST_YEAR, wraps=False)


class CronFields(NamedTuple):
    """A parsed cron. Bit 0 of every bit set represents the lowest value of its field."""

    minutes: int
    hours: int
    months: int
    years: int
    rules: tuple[DayRule, ...]
    """The rules for days; a day has runs if any rule matches it. An AWS expression has one rule, a crontab
    line may have two."""
    text: str
    """The six fields in canonical form; empty if AWS has no equivalent expression."""


def parse_cron(expression: str) -> CronFields:
    """Reads ``0 9 ? * MON-FRI *``, with or without ``cron( )`` around it.

    Raises:
        InvalidScheduleError: The text is not valid; the error names the field, the value and the correction.
    """
    if len(expression) > 256:
        reason = f"expected at most 256 characters, as on AWS, got {len(expression)}"
        raise InvalidScheduleError(expression, "expression", reason)
    if expression[:5].lower() != "cron(" or expression[-1:] != ")":
        return _parse(expression)
    try:
        return _parse(expression[5:-1])
    except InvalidScheduleError as error:
        raise InvalidScheduleError(expression, error.field, error.reason) from error


@lru_cache(maxsize=4096)
def _parse(text: str) -> CronFields:
    try:
        return _Reader(text).read()
    except InvalidScheduleError as error:
        hint = _seconds_hint(text)
        if not hint:
            raise
        raise InvalidScheduleError(text, error.field, f"{error.reason}; {hint}") from error


class _Reader(FieldReader):
    """The parser of one expression."""

    def read(self) -> CronFields:
        parts = self.split()
        minutes, minutes_text = self.values(MINUTES, parts[0])
        hours, hours_text = self.values(HOURS, parts[1])
        months, months_text = self.values(MONTH, parts[3])
        years, years_text = self.values(YEAR, parts[5]) if parts[5] != "*" else (YEAR.full, "*")
        rule, days_text, weekdays_text = self.days(parts)
        text = f"{minutes_text} {hours_text} {days_text} {months_text} {weekdays_text} {years_text}"
        return CronFields(minutes, hours, months, years, (rule,), text)

    # -- the whole -------------------------------------------------------------------------------

    def split(self) -> list[str]:
        text = self.expression
        if text.startswith("@"):
            hint = f"Cron.from_crontab({text!r}) reads crontab shortcuts"
            raise self.fail("expression", f"expected the AWS dialect, got {text!r}; {hint}")
        parts = text.split(" ")
        if any(not part.isprintable() for part in text.split()):
            raise self.fail("expression", f"{text!r} has characters that no field allows")
        if "" in parts or not text.isprintable():
            raise self.fail("expression", self.blanks(text))
        if len(parts) == 5:
            parts.append("*")
        if len(parts) != 6:
            raise self.fail("expression", self.count(parts))
        if not text.isascii():  # some letters beyond ASCII become ASCII in upper case
            for field, part in zip(_FIELDS, parts, strict=True):
                if not part.isascii():
                    raise self.fail(field.name, self.not_a_value(field, part, part))
        return parts

    def blanks(self, text: str) -> str:
        fields = text.split()
        if not fields:
            return "it is empty; expected six fields, such as '0 9 ? * MON-FRI *'"
        return f"expected one blank between fields, and none before or after them; write {' '.join(fields)!r}"

    def count(self, parts: list[str]) -> str:
        given = f"{len(parts)} field{'s' if len(parts) > 1 else ''} in {' '.join(parts)!r}"
        hint = ""
        if len(parts) == 7:
            hint = f"; {_without_seconds(parts)}"
        return f"{given}; expected five or six: minutes hours day-of-month month day-of-week [year]" + hint

    def days(self, parts: list[str]) -> tuple[DayRule, str, str]:
        """Returns the day rule, and the canonical texts of both day fields."""
        day, weekday = parts[2], parts[4]
        if day == "?" and weekday == "?":
            reason = "both day fields are '?', so no day is named; write '* * ?' for every day"
            raise self.fail("day-of-month", reason)
        if weekday == "?":
            rule, text = self.day_of_month(day)
            return rule, text, "?"
        if day == "?":
            rule, text = self.day_of_week(weekday)
            return rule, "?", text
        raise self.both_days(parts)

    def both_days(self, parts: list[str]) -> InvalidScheduleError:
        day, weekday = parts[2], parts[4]
        # A mistake inside either field is reported first.
        if day != "*":
            self.day_of_month(day)
        if weekday not in ("*", "0", "7"):
            self.day_of_week(weekday)
        reason = (
            f"day-of-month {day!r} and day-of-week {weekday!r} are both set; "
            "exactly one of the two must be '?'"
        )
        if len(self.expression.split(" ")) == 5:
            reason += f"; a Unix crontab is read by Cron.from_crontab({self.expression!r})"
        elif day == "*":
            reason += f": write '?' for day-of-month to run on {weekday!r}"
            if weekday == "*":
                reason = reason.split(": write")[0] + "; write '* * ?' for every day"
        elif weekday == "*":
            reason += "; write '?' for day-of-week"
        return self.fail("day-of-week", reason)

    # -- the two day fields ----------------------------------------------------------------------

    def day_of_month(self, text: str) -> tuple[DayRule, str]:
        if text == "*":
            return DaysOfMonth(DAY_OF_MONTH.full), "*"
        upper = text.upper()
        if "L" not in upper and "W" not in upper:
            bits, canonical = self.values(DAY_OF_MONTH, text)
            return DaysOfMonth(bits), canonical
        if upper == "L":
            return LastDay(0), "L"
        if upper == "LW":
            return LastWeekday(), "LW"
        if upper.startswith("L-") and is_number(upper[2:], 2):
            back = int(upper[2:])
            if not 1 <= back <= 30:
                raise self.fail("day-of-month", f"{text!r}: L-n counts back 1 to 30 days")
            return LastDay(back), f"L-{back}"
        if upper.endswith("W") and is_number(upper[:-1], 2):
            day = self.number(DAY_OF_MONTH, text[:-1], text)
            return NearestWeekday(day), f"{day}W"
        raise self.fail("day-of-month", self.misused_mark(DAY_OF_MONTH, text))

    def day_of_week(self, text: str) -> tuple[DayRule, str]:
        if text == "*":
            return Weekdays(DAY_OF_WEEK.full), "*"
        upper = text.upper()
        if upper == "L":  # P-10: the last day of the week
            return Weekdays(1 << 6), "L"
        if "#" in upper:
            return self.nth_weekday(upper)
        if upper.endswith("L") and _is_name_or_number(upper[:-1]):
            day = self.number(DAY_OF_WEEK, upper[:-1], text)
            return LastWeekdayOfMonth(day - 1), f"{day}L"
        bits, canonical = self.values(DAY_OF_WEEK, text)
        return Weekdays(bits), canonical

    def nth_weekday(self, text: str) -> tuple[DayRule, str]:
        if text.count("#") > 1 and ("," in text or "-" in text):
            raise self.fail("day-of-week", f"{text!r}: expected only one term with '#'")
        weekday, _, nth = text.partition("#")
        if not _is_name_or_number(weekday):
            reason = f"{text!r}: expected a weekday and a count around '#', such as 6#3 or FRI#3"
            raise self.fail("day-of-week", reason)
        day = self.number(DAY_OF_WEEK, weekday, text)
        if not is_number(nth, 2) or not 1 <= int(nth) <= 5:
            raise self.fail("day-of-week", f"{text!r}: expected a number from 1 to 5 after '#'")
        return NthWeekday(day - 1, int(nth)), f"{day}#{int(nth)}"

    def not_in_range(self, field: Field, value: int) -> str:
        reason = super().not_in_range(field, value)
        if field is DAY_OF_WEEK and value == 0:
            reason += "; Sunday is 1 or SUN on AWS (Monday 2, Saturday 7)"
        return reason


def _seconds_hint(text: str) -> str:
    """Returns what to use instead of six refused fields, if they are valid with seconds first, as in Quartz
    and Spring; otherwise an empty string."""
    parts = text.split(" ")
    if len(parts) != 6:
        return ""
    seconds, *rest = parts
    if rest[4] == "*" and rest[2] != "?":
        rest[4] = "?"  # Spring allows a star in both day fields
    elif rest[2] == "*" and rest[4] != "?":
        rest[2] = "?"
    try:
        _Reader(seconds).values(MINUTES, seconds)
        _Reader(" ".join(rest)).read()
    except InvalidScheduleError:
        return ""
    return _without_seconds([seconds, *rest])


def _without_seconds(parts: list[str]) -> str:
    """Returns what to use instead of an expression whose first field is seconds."""
    seconds, *rest = parts
    instead = f"if {seconds!r} is one, try {' '.join(rest)!r}; " if seconds.strip("0") == "" else ""
    step = re.fullmatch(r"\*|[*0]/([1-9][0-9]?)", seconds)
    count = step[1] or "1" if step and set(rest) <= {"*", "?"} else "..."
    return f"AWS has no seconds field: {instead}for steps of seconds use {window_of_seconds(count)}"


_FIELDS = (MINUTES, HOURS, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, YEAR)


def _is_name_or_number(text: str) -> bool:
    return is_number(text, 99) or text in WEEKDAYS
