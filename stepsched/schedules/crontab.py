"""Parses Unix crontab lines with croniter, and converts them to AWS expressions where possible."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

from croniter import croniter
from croniter.croniter import CroniterError

from stepsched.core.errors import InvalidScheduleError
from stepsched.schedules.cron_fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    HOURS,
    MINUTES,
    MONTH,
    WEEKDAYS,
    YEAR,
    CronFields,
    Field,
)
from stepsched.schedules.day_rules import (
    DayRule,
    DaysOfMonth,
    LastDay,
    LastWeekdayOfMonth,
    NthWeekday,
    Weekdays,
)
from stepsched.schedules.frequency import window_of_seconds


def parse_crontab(line: str) -> CronFields:
    """Reads five Unix fields or a shortcut such as ``@daily``.

    Raises:
        InvalidScheduleError: croniter refuses the line, or the line has elements that define no instants
            (``@reboot``, ``R``, ``H``) or that croniter silently ignores (``15W``).
    """
    text = line.strip()
    if not text.startswith("@") and len(text.split()) != 5:
        reason = f"expected five fields, minute hour day-of-month month day-of-week, got {len(text.split())}"
        if len(text.split()) > 5 and not text.lower().startswith("cron("):
            reason += f"; for steps of seconds use {window_of_seconds()}"
        raise InvalidScheduleError(line, "crontab", reason)
    fields = text.upper().split()
    if text.lower() == "@reboot":
        raise InvalidScheduleError(line, "crontab", "@reboot names no time")
    if any(field.startswith(("R", "H")) for field in fields):
        raise InvalidScheduleError(line, "crontab", "random and hashed fields (R, H) name no fixed time")
    if len(fields) == 5 and "W" in fields[2]:
        reason = f"{fields[2]!r}: crontab has no 'W'; Cron('0 0 15W * ? *') of the AWS dialect does"
        raise InvalidScheduleError(line, "day-of-month", reason)
    try:
        expanded, nth = _expand(text)
    except CroniterError as error:
        raise InvalidScheduleError(line, "crontab", f"croniter refuses it: {error}") from error
    minutes, hours, days, months, weekdays = expanded
    if nth and "*" not in days:
        reason = (
            f"{fields[2]} with {fields[4]}: tools disagree on whether both or either must match; use two jobs"
        )
        raise InvalidScheduleError(line, "day-of-month", reason)
    rules = _day_rules(days) + _weekday_rules(weekdays, nth)
    bits = (_bits(MINUTES, minutes), _bits(HOURS, hours), _bits(MONTH, months))
    text = _aws_text(*bits, rules)
    every_day = (DaysOfMonth(DAY_OF_MONTH.full),)
    return CronFields(*bits, YEAR.full, rules or every_day, text)


def _expand(text: str) -> tuple[Sequence[Sequence[int | str]], Mapping[int, Collection[int | str]]]:
    """Parses with croniter: returns the values of each field, and the counts of ``5#3`` by weekday."""
    expanded, nth = croniter.expand(text)
    return expanded, {int(weekday): counts for weekday, counts in nth.items()}


def _day_rules(values: Sequence[int | str]) -> tuple[DayRule, ...]:
    if "*" in values:
        return ()
    rules: list[DayRule] = []
    numbers = [value for value in values if isinstance(value, int)]
    if numbers:
        rules.append(DaysOfMonth(_bits(DAY_OF_MONTH, numbers)))
    if "l" in values:
        rules.append(LastDay(0))
    return tuple(rules)


def _weekday_rules(
    values: Sequence[int | str], nth: Mapping[int, Collection[int | str]]
) -> tuple[DayRule, ...]:
    if nth:
        return tuple(
            LastWeekdayOfMonth(weekday) if count == "l" else NthWeekday(weekday, int(count))
            for weekday, counts in nth.items()
            for count in sorted(counts, key=str)
        )
    if "*" in values:
        return ()
    return (Weekdays(sum(1 << int(value) for value in values)),)


def _bits(field: Field, values: Sequence[int | str]) -> int:
    if "*" in values:
        return field.full
    return sum(1 << (int(value) - field.low) for value in values)


# -- AWS text --------------------------------------------------------------------------------------


def _aws_text(minutes: int, hours: int, months: int, rules: tuple[DayRule, ...]) -> str:
    """Returns the equivalent AWS expression; empty if there is none."""
    day, weekday = "*", "?"
    if rules:
        rule = _single(rules)
        if rule is None:
            return ""
        day, weekday = _day_texts(rule)
    head = f"{_text(MINUTES, minutes)} {_text(HOURS, hours)} {day}"
    text = f"{head} {_text(MONTH, months)} {weekday} *"
    return text if len(text) <= 256 - len("cron()") else ""


def _single(rules: tuple[DayRule, ...]) -> DayRule | None:
    """Returns the rule that matches the same days as all rules together, in months of every shape; None if
    there is none."""
    shapes = [(first, length) for first in range(7) for length in (28, 29, 30, 31)]
    union = [0] * len(shapes)
    for rule in rules:
        union = [mask | rule.mask(*shape) for mask, shape in zip(union, shapes, strict=True)]
    for rule in rules:
        if [rule.mask(*shape) for shape in shapes] == union:
            return rule
    return None


def _day_texts(rule: DayRule) -> tuple[str, str]:
    """Returns the texts of day-of-month and day-of-week."""
    match rule:
        case DaysOfMonth(days):
            return _text(DAY_OF_MONTH, days), "?"
        case Weekdays(weekdays):
            return "?", _text(DAY_OF_WEEK, weekdays)
        case LastWeekdayOfMonth(weekday):
            return "?", f"{weekday + 1}L"
        case NthWeekday(weekday, nth):
            return "?", f"{weekday + 1}#{nth}"
        case _:
            return "L", "?"


def _text(field: Field, bits: int) -> str:
    """Returns the shortest text of a bit set: a star, a step, or a list of values and ranges."""
    if bits == field.full:
        return "*"
    values = [field.low + index for index in range(bits.bit_length()) if bits >> index & 1]
    step = values[1] - values[0] if len(values) > 2 else 0
    even = step > 1 and all(b - a == step for a, b in pairwise(values))
    if even and field is not DAY_OF_WEEK:
        if values[-1] + step > field.high:
            return f"{'*' if values[0] == field.low else values[0]}/{step}"
        return f"{values[0]}-{values[-1]}/{step}"
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ",".join(_run_text(field, run) for run in runs)


def _run_text(field: Field, run: list[int]) -> str:
    names = [WEEKDAYS[value - 1] if field is DAY_OF_WEEK else str(value) for value in run]
    return f"{names[0]}-{names[-1]}" if len(names) > 2 else ",".join(names)
