"""Parses the AWS cron dialect into bit sets.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based.
Where AWS documents nothing, the policies P-05 to P-11, P-15 and P-18 of ``docs/time.md`` apply.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from stepsched.core.errors import InvalidScheduleError
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

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
FIRST_YEAR, LAST_YEAR = 1970, 2199


class Field(NamedTuple):
    """The values and characters that one field may hold."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    """The names of the values; the first one is the name of ``low``."""
    largest_step: int = 0
    """The largest step; 0 if the field does not allow ``/``."""
    wraps: bool = True
    """Whether a range may wrap around the end of the field (P-05)."""
    marks: str = ""
    """The special characters in addition to ``, - * /``."""

    @property
    def full(self) -> int:
        """The bit set of all values; bit 0 represents ``low``."""
        return (1 << (self.high - self.low + 1)) - 1


MINUTES = Field("minutes", 0, 59, largest_step=59)
HOURS = Field("hours", 0, 23, largest_step=23)
DAY_OF_MONTH = Field("day-of-month", 1, 31, largest_step=31, marks="?LW")
MONTH = Field("month", 1, 12, names=MONTHS, largest_step=12)
DAY_OF_WEEK = Field("day-of-week", 1, 7, names=WEEKDAYS, marks="?L#")
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


class _Reader:
    """The parser of one expression. It holds the text for the errors."""

    def __init__(self, expression: str) -> None:
        self.expression = expression

    def fail(self, field: str, reason: str) -> InvalidScheduleError:
        return InvalidScheduleError(self.expression, field, reason)

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
        if upper.startswith("L-") and _is_number(upper[2:], 2):
            back = int(upper[2:])
            if not 1 <= back <= 30:
                raise self.fail("day-of-month", f"{text!r}: L-n counts back 1 to 30 days")
            return LastDay(back), f"L-{back}"
        if upper.endswith("W") and _is_number(upper[:-1], 2):
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
        if not _is_number(nth, 2) or not 1 <= int(nth) <= 5:
            raise self.fail("day-of-week", f"{text!r}: expected a number from 1 to 5 after '#'")
        return NthWeekday(day - 1, int(nth)), f"{day}#{int(nth)}"

    # -- plain values ----------------------------------------------------------------------------

    def values(self, field: Field, text: str) -> tuple[int, str]:
        """Returns the bit set of a list of values, ranges and steps, and its canonical text."""
        if text == "*":
            return field.full, "*"
        value = _VALUES[field.name].get(text)
        if value is not None:
            return 1 << (value - field.low), text if text in field.names else str(value)
        known = _LISTS.get((field.name, text))
        if known is not None:
            return known
        bits, texts = 0, []
        for item in text.split(","):
            if not item:
                raise self.fail(field.name, f"{text!r} has an empty list item")
            item_bits, item_text = self.item(field, item, text)
            bits |= item_bits
            texts.append(item_text)
        if len(_LISTS) >= _MOST_LISTS:
            _LISTS.clear()
        _LISTS[field.name, text] = bits, ",".join(texts)
        return bits, ",".join(texts)

    def item(self, field: Field, item: str, text: str) -> tuple[int, str]:
        body, slash, step_text = item.partition("/")
        step = self.step(field, step_text, item) if slash else 1
        if body == "*":
            if not slash:
                reason = f"{text!r}: '*' is allowed alone or before '/', not in a list"
                raise self.fail(field.name, reason)
            first, last, shown = field.low, field.high, "*"
        elif "-" in body:
            low, _, high = body.partition("-")
            if not low or not high or "-" in high:
                reason = f"{item!r} is not a range; a range is written {field.low}-{field.high}"
                raise self.fail(field.name, reason)
            first, last = self.number(field, low, text), self.number(field, high, text)
            if low.isdigit() and high.isdigit():
                shown = f"{first}-{last}"
            else:
                shown = f"{field.names[first - field.low]}-{field.names[last - field.low]}"
        else:
            first = self.number(field, body, text)
            last = field.high if slash else first
            shown = str(first) if body.isdigit() else body.upper()
        if last < first:
            if not field.wraps:
                raise self.fail(field.name, f"the range {item!r} runs backwards")
            last += field.high - field.low + 1
        bits = _every(first - field.low, last - field.low, step)
        size = field.high - field.low + 1
        return (bits | bits >> size) & field.full, f"{shown}/{step}" if slash else shown

    def step(self, field: Field, text: str, item: str) -> int:
        if not field.largest_step:
            reason = f"{item!r}: '/' is not allowed here; list the days, such as 'MON,WED,FRI'"
            raise self.fail(field.name, reason)
        if not _is_number(text, 3):
            raise self.fail(field.name, f"{item!r}: expected a whole number after '/'")
        step = int(text)
        if not 1 <= step <= field.largest_step:
            reason = f"{item!r}: the step must be 1 to {field.largest_step}"
            if step > field.largest_step and field in (MINUTES, HOURS):
                unit = "minutes" if field is MINUTES else "hours"
                reason += f"; for every {step} {unit} use rate({step} {unit})"
            raise self.fail(field.name, reason)
        return step

    def number(self, field: Field, token: str, text: str) -> int:
        """Returns the value of a number or a name."""
        known = _VALUES[field.name].get(token)
        if known is not None:
            return known
        width = 4 if field is YEAR else 2
        if _is_number(token, width):
            value = int(token)
            reason = f"{text!r}: {value} is not between {field.low} and {field.high}"
            if field is DAY_OF_WEEK and value == 0:
                reason += "; Sunday is 1 or SUN on AWS (Monday 2, Saturday 7)"
            raise self.fail(field.name, reason)
        if field.names and token.upper() in field.names:
            return field.names.index(token.upper()) + field.low
        raise self.fail(field.name, self.not_a_value(field, token, text))

    def not_a_value(self, field: Field, token: str, text: str) -> str:
        if token.isascii() and token.isdigit():
            if int(token) > field.high:
                return f"{text!r}: {int(token)} is not between {field.low} and {field.high}"
            return f"{text!r}: write {int(token)} without the leading zeros"
        if token in ("?", "*") or any(mark in token.upper() for mark in "?LW#"):
            return self.misused_mark(field, text)
        if field.names:
            return (
                f"{text!r}: {token!r} is neither a number from {field.low} to {field.high} "
                f"nor one of {', '.join(field.names)}"
            )
        return f"{text!r}: {token!r} is not a whole number from {field.low} to {field.high}"

    def misused_mark(self, field: Field, text: str) -> str:
        marks = ", ".join(mark for mark in "?LW#" if mark in text.upper())
        if not field.marks:
            return f"{text!r}: {marks or text} has no meaning in this field"
        forms = {
            "day-of-month": "'?', 'L', 'LW', 'L-3' and '15W'",
            "day-of-week": "'?', 'L', '6L' and '6#3'",
        }[field.name]
        return f"{text!r} cannot be read; the special forms here are {forms}, each on its own"


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
# The texts that need no parsing: numbers with and without a leading zero, and names.
_VALUES = {
    field.name: {
        **{
            text: value for value in range(field.low, field.high + 1) for text in (str(value), f"{value:02d}")
        },
        **{name: field.low + index for index, name in enumerate(field.names)},
    }
    for field in _FIELDS
}


# A cache of parsed lists, ranges and steps: crons share a few of them. It is cleared when it is full.
_LISTS: dict[tuple[str, str], tuple[int, str]] = {}
_MOST_LISTS = 4_096


def _every(first: int, last: int, step: int) -> int:
    """Returns the bits first, first + step, … up to last."""
    if step == 1:
        return ((1 << (last - first + 1)) - 1) << first
    bits = 0
    for bit in range(first, last + 1, step):
        bits |= 1 << bit
    return bits


def _is_number(text: str, width: int) -> bool:
    return len(text) <= width and text.isascii() and text.isdigit()


def _is_name_or_number(text: str) -> bool:
    return _is_number(text, 99) or text in WEEKDAYS
