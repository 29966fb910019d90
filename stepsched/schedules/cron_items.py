"""Reads the values, ranges, steps and lists of one field of a cron; the fields of a dialect are data.

``cron_fields`` defines the fields of the AWS dialect, ``crontab`` those of the Unix dialect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stepsched.core.errors import InvalidScheduleError

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MOST_LISTS = 1_024


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The values and characters that one field of a dialect may hold."""

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
    forms: str = ""
    """The special forms that have these characters, for errors."""
    size: int = 0
    """The number of different values. 0: every number is one; in a crontab 0 and 7 are both Sunday."""
    longer_step: str = ""
    """What to use for a step of ``{step}`` that is larger than ``largest_step``."""
    allows_star_in_list: bool = False
    allows_leading_zeros: bool = False
    """Whether ``005`` is 5; otherwise only ``05`` is."""
    known: Mapping[str, int] = field(init=False, repr=False)
    """The texts that need no parsing, with their values: numbers with and without a leading zero, and
    names."""
    lists: dict[str, tuple[int, str]] = field(init=False, repr=False)
    """A cache of parsed lists, ranges and steps: crons share a few of them. It is cleared when it is full."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self.size or self.high - self.low + 1)
        numbers = {
            text: value for value in range(self.low, self.high + 1) for text in (str(value), f"{value:02d}")
        }
        names = {name: self.low + index for index, name in enumerate(self.names)}
        object.__setattr__(self, "known", numbers | names)
        object.__setattr__(self, "lists", {})

    @property
    def full(self) -> int:
        """The bit set of all values; bit 0 represents ``low``."""
        return (1 << self.size) - 1

    @property
    def width(self) -> int:
        """The number of digits of the highest value, at least two."""
        return max(len(str(self.high)), 2)

    def bit(self, value: int) -> int:
        """Returns the bit set of one value."""
        return 1 << (value - self.low) % self.size

    def name_of(self, value: int) -> str:
        """Returns the name of a value of a field that has names."""
        return self.names[(value - self.low) % self.size]


class FieldReader:
    """The reader of the fields of one expression. It holds the text for the errors."""

    def __init__(self, expression: str, *, is_stored: bool = False) -> None:
        self.expression = expression
        self.is_stored = is_stored
        """Whether the text is of an existing schedule. A step larger than the field, which is refused
        otherwise (P-06), then selects the first value."""

    def fail(self, field: str, reason: str) -> InvalidScheduleError:
        return InvalidScheduleError(self.expression, field, reason)

    def values(self, field: Field, text: str) -> tuple[int, str]:
        """Returns the bit set of a list of values, ranges and steps, and its canonical text."""
        if text == "*":
            return field.full, "*"
        value = field.known.get(text)
        if value is not None:
            return field.bit(value), text if text in field.names else str(value)
        known = field.lists.get(text)
        if known is not None:
            return known
        bits, texts = 0, []
        for item in text.split(","):
            if not item:
                raise self.fail(field.name, f"{text!r} has an empty list item")
            item_bits, item_text = self.item(field, item, text)
            bits |= item_bits
            texts.append(item_text)
        if not self.is_stored:
            if len(field.lists) >= _MOST_LISTS:
                field.lists.clear()
            field.lists[text] = bits, ",".join(texts)
        return bits, ",".join(texts)

    def item(self, field: Field, item: str, text: str) -> tuple[int, str]:
        body, slash, step_text = item.partition("/")
        step = self.step(field, step_text, item) if slash else 1
        if body == "*":
            if not slash and not field.allows_star_in_list:
                reason = f"{text!r}: '*' is allowed alone or before '/', not in a list"
                raise self.fail(field.name, reason)
            first, last, shown = field.low, field.low + field.size - 1, "*"
        elif "-" in body:
            low, _, high = body.partition("-")
            if not low or not high or "-" in high:
                reason = f"{item!r} is not a range; a range is written {field.low}-{field.high}"
                raise self.fail(field.name, reason)
            first, last = self.number(field, low, text), self.number(field, high, text)
            if low.isdigit() and high.isdigit():
                shown = f"{first}-{last}"
            else:
                shown = f"{field.name_of(first)}-{field.name_of(last)}"
        else:
            first = self.number(field, body, text)
            last = field.high if slash else first
            shown = str(first) if body.isdigit() else body.upper()
        if last < first:
            if not field.wraps:
                raise self.fail(field.name, f"the range {item!r} runs backwards")
            last += field.size
        bits = _every(first - field.low, last - field.low, step)
        return (bits | bits >> field.size) & field.full, f"{shown}/{step}" if slash else shown

    def step(self, field: Field, text: str, item: str) -> int:
        if not field.largest_step:
            reason = f"{item!r}: '/' is not allowed here; list the days, such as 'MON,WED,FRI'"
            raise self.fail(field.name, reason)
        if not is_number(text, 256 if field.allows_leading_zeros else 3):
            raise self.fail(field.name, f"{item!r}: expected a whole number after '/'")
        step = int(text)
        if step < 1 or (step > field.largest_step and not self.is_stored):
            reason = f"{item!r}: the step must be 1 to {field.largest_step}"
            if step > field.largest_step and field.longer_step:
                reason += f"; {field.longer_step.format(step=step)}"
            raise self.fail(field.name, reason)
        return step

    def number(self, field: Field, token: str, text: str) -> int:
        """Returns the value of a number or a name."""
        known = field.known.get(token)
        if known is not None:
            return known
        if is_number(token, 256 if field.allows_leading_zeros else field.width):
            value = int(token)
            if field.low <= value <= field.high:
                return value
            raise self.fail(field.name, f"{text!r}: {self.not_in_range(field, value)}")
        if field.names and token.upper() in field.names:
            return field.names.index(token.upper()) + field.low
        raise self.fail(field.name, self.not_a_value(field, token, text))

    def not_in_range(self, field: Field, value: int) -> str:
        return f"{value} is not between {field.low} and {field.high}"

    def not_a_value(self, field: Field, token: str, text: str) -> str:
        if token.isascii() and token.isdigit():
            if int(token) > field.high:
                return f"{text!r}: {self.not_in_range(field, int(token))}"
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
        return f"{text!r} cannot be read; the special forms here are {field.forms}"


def _every(first: int, last: int, step: int) -> int:
    """Returns the bits first, first + step, … up to last."""
    if step == 1:
        return ((1 << (last - first + 1)) - 1) << first
    bits = 0
    for bit in range(first, last + 1, step):
        bits |= 1 << bit
    return bits


def is_number(text: str, width: int) -> bool:
    """Returns whether the text has at most ``width`` characters, all of them ASCII digits."""
    return len(text) <= width and text.isascii() and text.isdigit()
