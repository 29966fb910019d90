"""Reads Unix crontab lines, and converts them to AWS expressions where possible.

The fields are read as those of the AWS dialect are; where tools read a line in two ways, the policies P-38
to P-40 apply.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

from stepsched.schedules import crontab_lines
from stepsched.schedules.cron_fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    EVERY_DAYS,
    HOURS,
    MINUTES,
    MONTH,
    YEAR,
    CronFields,
)
from stepsched.schedules.cron_items import WEEKDAYS, Field, FieldReader, is_number
from stepsched.schedules.day_rules import (
    DayRule,
    DaysOfMonth,
    LastDay,
    LastWeekdayOfMonth,
    NthWeekday,
    Weekdays,
)


def _unix(field: Field, **changes: Any) -> Field:
    return replace(field, allows_star_in_list=True, allows_leading_zeros=True, **changes)


UNIX_MINUTES = _unix(MINUTES)
UNIX_HOURS = _unix(HOURS)
UNIX_DAY_OF_MONTH = _unix(DAY_OF_MONTH, marks="L", forms="'L'")
UNIX_MONTH = _unix(MONTH)
UNIX_DAY_OF_WEEK = _unix(
    DAY_OF_WEEK, low=0, high=7, largest_step=7, longer_step=EVERY_DAYS, marks="L#", forms="'L5' and '5#3'"
)
UNIX_FIELDS = (UNIX_MINUTES, UNIX_HOURS, UNIX_DAY_OF_MONTH, UNIX_MONTH, UNIX_DAY_OF_WEEK)
_EVERY_DAY = (DaysOfMonth(UNIX_DAY_OF_MONTH.full),)


def parse_crontab(line: str) -> CronFields:
    """Reads five Unix fields or a shortcut such as ``@daily``.

    Raises:
        InvalidScheduleError: A field is not valid, or tools read the line in two ways (P-38, P-39).
    """
    return _Reader(line).read()


@lru_cache(maxsize=4096)
def parse_stored_crontab(line: str) -> CronFields:
    """Reads the line of an existing schedule. A line that :func:`parse_crontab` has refused only since it
    refuses what is ambiguous keeps its meaning: a day with runs matches either day field (P-38), and a step
    larger than the field selects its first value (P-39)."""
    return _Reader(line, is_stored=True).read()


class _Reader(FieldReader):
    """The parser of one line. A line of an existing schedule is not refused for having two readings."""

    def read(self) -> CronFields:
        parts = crontab_lines.fields(self.expression)
        minutes, _ = self.values(UNIX_MINUTES, parts[0])
        hours, _ = self.values(UNIX_HOURS, parts[1])
        months, _ = self.values(UNIX_MONTH, parts[3])
        is_new = not self.is_stored
        if is_new and _has_two_readings(parts[2], parts[4]):
            raise self.two_readings(parts, minutes, hours, months)
        days = () if _is_star(parts[2]) else self.days(parts, minutes, hours, months)
        weekdays = () if _is_star(parts[4]) else self.weekdays(parts[4])
        if is_new and days and any(isinstance(rule, _COUNTED) for rule in weekdays):
            raise self.counted_with_days(parts)
        rules = days + weekdays
        if not days and (not weekdays or _is_full(weekdays)):
            rules = _EVERY_DAY
        return CronFields(minutes, hours, months, YEAR.full, rules, _aws_text(minutes, hours, months, rules))

    # -- the two day fields ----------------------------------------------------------------------

    def days(self, parts: list[str], minutes: int, hours: int, months: int) -> tuple[DayRule, ...]:
        """Returns the rules of day-of-month."""
        text = parts[2]
        items = text.split(",")
        if any(item.upper().startswith("L-") or "W" in item.upper() for item in items):  # of the AWS dialect
            times = f"{_text(MINUTES, minutes)} {_text(HOURS, hours)}"
            aws = f"{times} {text.upper()} {_text(MONTH, months)} ? *"
            instead = crontab_lines.as_aws(aws)
            reason = f"{text!r}: a crontab has no such day" + (f"; use {instead}" if instead else "")
            raise self.fail("day-of-month", reason)
        plain = ",".join(item for item in items if item not in ("L", "l"))
        rules: tuple[DayRule, ...] = ()
        if plain:
            rules += (DaysOfMonth(self.values(UNIX_DAY_OF_MONTH, plain)[0]),)
        return rules if plain == text else (*rules, LastDay(0))

    def weekdays(self, text: str) -> tuple[DayRule, ...]:
        """Returns the rules of day-of-week."""
        rules: list[DayRule] = []
        plain: list[str] = []
        for item in text.split(","):
            upper = item.upper()
            if "#" in item:
                rules.append(self.nth_weekday(upper, text))
            elif upper.startswith("L") or (upper.endswith("L") and upper[:-1] in UNIX_DAY_OF_WEEK.known):
                rules.append(self.last_weekday(upper, text))
            else:
                plain.append(item)
        if plain:
            rules.insert(0, Weekdays(self.values(UNIX_DAY_OF_WEEK, ",".join(plain))[0]))
        return tuple({(type(rule), rule): rule for rule in rules}.values())

    def nth_weekday(self, item: str, text: str) -> NthWeekday:
        weekday, _, nth = item.partition("#")
        if not weekday:
            reason = f"{text!r}: expected a weekday and a count around '#', such as 5#3 or FRI#3"
            raise self.fail("day-of-week", reason)
        day = self.number(UNIX_DAY_OF_WEEK, weekday, text) % 7
        if not is_number(nth, 2) or not 1 <= int(nth) <= 5:
            raise self.fail("day-of-week", f"{text!r}: expected a number from 1 to 5 after '#'")
        return NthWeekday(day, int(nth))

    def last_weekday(self, item: str, text: str) -> LastWeekdayOfMonth:
        if item.startswith("L"):
            if item == "L":
                reason = f"{text!r}: expected a weekday after 'L', such as L5 for the last Friday"
                raise self.fail("day-of-week", reason)
            return LastWeekdayOfMonth(self.number(UNIX_DAY_OF_WEEK, item[1:], text) % 7)
        day = UNIX_DAY_OF_WEEK.known[item[:-1]] % 7
        reason = f"{text!r}: write L{day} for the last {_WEEKDAY_WORDS[day]}"
        if item[0].isdigit() and int(item[:-1]) >= 1:
            reason += f", or L{int(item[:-1]) - 1} if it is of Quartz or AWS, where Sunday is 1"
        raise self.fail("day-of-week", reason)

    # -- items that tools read in two ways -------------------------------------------------------

    def item(self, field: Field, item: str, text: str) -> tuple[int, str]:
        low, dash, high = item.partition("/")[0].partition("-")
        first = field.known.get(low.upper())
        if "/" in item and first is not None:
            step = item.partition("/")[2]
            if not dash and field is UNIX_DAY_OF_WEEK and first:
                item = self.to_the_end_of_the_week(first, step, item)
            elif dash and field.known.get(high.upper()) == first:
                item = self.one_value(field, low, step, item)
        return super().item(field, item, text)

    def one_value(self, field: Field, low: str, step: str, item: str) -> str:
        """Returns a range of one value, with a step, in the form in which it is read (P-40)."""
        if step == "1":
            return f"{low}/1"
        if not self.is_stored and is_number(step, 2):
            reason = (
                f"{item!r} is one value for cron daemons, and {low}-{field.high}/{step} for other tools; "
                f"write {low} or {low}-{field.high}/{step}"
            )
            raise self.fail(field.name, reason)
        return item

    def to_the_end_of_the_week(self, first: int, step: str, item: str) -> str:
        """Returns an item such as ``2/2`` as a range; refuses it if tools differ on whether it has Sunday
        (P-40)."""
        without, with_sunday = (
            (f"{first}-6/{step}", f"{first}-7/{step}") if first < 7 else ("0-6/" + step, "7")
        )
        reaches = is_number(step, 2) and 1 <= int(step) <= 7 and (7 - first) % int(step) == 0
        if reaches and not self.is_stored:
            reason = f"{item!r} is {without} for some tools, and {with_sunday} for others; write one of them"
            raise self.fail("day-of-week", reason)
        return without

    def not_in_range(self, field: Field, value: int) -> str:
        reason = super().not_in_range(field, value)
        return f"{reason}; 0 and 7 are Sunday" if field is UNIX_DAY_OF_WEEK else reason

    def not_a_value(self, field: Field, token: str, text: str) -> str:
        return crontab_lines.why_not_a_value(token) or super().not_a_value(field, token, text)

    def misused_mark(self, field: Field, text: str) -> str:
        if "?" not in text:
            return super().misused_mark(field, text)
        aws = crontab_lines.as_aws(self.expression)
        return f"{text!r}: a crontab has no '?'; write '*'" + (
            f", or {aws} if the line is of AWS" if aws else ""
        )

    # -- both day fields -------------------------------------------------------------------------

    def two_readings(self, parts: list[str], minutes: int, hours: int, months: int) -> Exception:
        """Returns the refusal of two day fields of which one has a star, with what to use for each reading
        (P-38)."""
        lenient = _Reader(self.expression, is_stored=True)
        days = lenient.days(parts, minutes, hours, months) or _EVERY_DAY
        weekdays = lenient.weekdays(parts[4]) or (Weekdays(UNIX_DAY_OF_WEEK.full),)
        both = _both(parts, minutes, hours, months, days, weekdays)
        either = _either(parts, days, weekdays)
        reason = (
            f"{parts[2]!r} and day-of-week {parts[4]!r} are both set, and one has a star: Debian's cron and "
            f"cronie run on days that match both, other tools on days that match either; {both}; {either}"
        )
        return self.fail("day-of-month", reason)

    def counted_with_days(self, parts: list[str]) -> Exception:
        """Returns the refusal of a counted weekday beside days of the month."""
        minute, hour, day, month, weekday = parts
        on_days = f"Cron.from_crontab('{minute} {hour} {day} {month} *')"
        on_weekdays = f"Cron.from_crontab('{minute} {hour} * {month} {weekday}')"
        reason = (
            f"{day!r} with day-of-week {weekday!r}: croniter runs on days that match both, other tools on "
            f"days that match either; for either use two jobs, {on_days} and {on_weekdays}; for both use "
            "one of them, and let the job check the date"
        )
        return self.fail("day-of-month", reason)


_COUNTED = (NthWeekday, LastWeekdayOfMonth)
_WEEKDAY_WORDS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def _is_star(text: str) -> bool:
    """Returns whether a day field restricts nothing by the rule of cron daemons."""
    return all(item in ("*", "*/1") for item in text.split(","))


def _has_two_readings(day: str, weekday: str) -> bool:
    return "*" in day + weekday and not _is_star(day) and not _is_star(weekday)


def _both(
    parts: list[str],
    minutes: int,
    hours: int,
    months: int,
    days: tuple[DayRule, ...],
    weekdays: tuple[DayRule, ...],
) -> str:
    """Returns what to use for the days that match both day fields."""
    minute, hour, _, month, weekday = parts
    counted = _counted(days, weekdays)
    if _is_full(days):
        instead = f"Cron.from_crontab('{minute} {hour} * {month} {weekday}')"
    elif _is_full(weekdays):
        instead = f"Cron.from_crontab('{minute} {hour} {_unix_days(days)} {month} *')"
    elif len(counted) == 1:
        (rule,) = counted
        times = f"{_text(MINUTES, minutes)} {_text(HOURS, hours)}"
        instead = f"Cron('{times} ? {_text(MONTH, months)} {rule.weekday + 1}#{rule.nth} *')"
    elif counted:
        texts = ",".join(f"{rule.weekday}#{rule.nth}" for rule in counted)
        instead = f"Cron.from_crontab('{minute} {hour} * {month} {texts}')"
    else:
        plain = f"Cron.from_crontab('{minute} {hour} {_unix_days(days)} {month} *')"
        return f"for both use {plain}, and let the job check the weekday"
    return f"for both use {instead}"


def _either(parts: list[str], days: tuple[DayRule, ...], weekdays: tuple[DayRule, ...]) -> str:
    """Returns what to use for the days that match either day field."""
    minute, hour, _, month, weekday = parts
    if _is_full(days) or _is_full(weekdays):
        line = f"{minute} {hour} * {month} *"
    elif any(isinstance(rule, _COUNTED) for rule in weekdays):
        first = f"Cron.from_crontab('{minute} {hour} {_unix_days(days)} {month} *')"
        return (
            f"for either use two jobs, {first} and Cron.from_crontab('{minute} {hour} * {month} {weekday}')"
        )
    else:
        (rule,) = weekdays
        assert isinstance(rule, Weekdays)
        line = f"{minute} {hour} {_unix_days(days)} {month} {_numbers(rule.weekdays)}"
    return f"for either use Cron.from_crontab('{line}')"


def _is_full(rules: tuple[DayRule, ...]) -> bool:
    return any(
        rule.days == UNIX_DAY_OF_MONTH.full
        if isinstance(rule, DaysOfMonth)
        else isinstance(rule, Weekdays) and rule.weekdays == UNIX_DAY_OF_WEEK.full
        for rule in rules
    )


def _counted(days: tuple[DayRule, ...], weekdays: tuple[DayRule, ...]) -> list[NthWeekday]:
    """Returns the counted weekdays that are on these days: each week of the month must be whole. Empty if
    there is none."""
    if len(days) != 1 or len(weekdays) != 1:
        return []
    (day,), (weekday,) = days, weekdays
    if not isinstance(day, DaysOfMonth) or not isinstance(weekday, Weekdays):
        return []
    weeks = [day.days >> 7 * week & 0b1111111 for week in range(5)]
    whole = [*[0b1111111] * 4, 0b111]
    if any(each not in (0, all_of) for each, all_of in zip(weeks, whole, strict=True)):
        return []
    chosen = [number for number in range(7) if weekday.weekdays >> number & 1]
    return [NthWeekday(number, week + 1) for number in chosen for week in range(5) if weeks[week]]


def _unix_days(days: tuple[DayRule, ...]) -> str:
    """Returns the text of day-of-month without a star."""
    texts = [_text(DAY_OF_MONTH, rule.days) if isinstance(rule, DaysOfMonth) else "L" for rule in days]
    return ",".join(_without_star(text) for text in texts)


def _without_star(text: str) -> str:
    return text.replace("*", "1-31") if text.startswith("*") else text


def _numbers(weekdays: int) -> str:
    return ",".join(str(number) for number in range(7) if weekdays >> number & 1)


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
