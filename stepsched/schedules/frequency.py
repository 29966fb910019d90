"""A calendar step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer
from typing_extensions import Self

from stepsched.core.errors import InvalidScheduleError
from stepsched.core.quoting import given_text, quoted, shortened
from stepsched.display.results import Displayed
from stepsched.schedules.base import ScheduleValue

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Table

UNITS = ("years", "quarters", "months", "weeks", "days", "hours", "minutes", "seconds")
_NO_STEP = f"expected a step, got 0; use one of {', '.join(UNITS)}"
_DAY = 24 * 60 * 60
_SECONDS = {
    "weeks": Fraction(7 * _DAY),
    "days": Fraction(_DAY),
    "hours": Fraction(60 * 60),
    "minutes": Fraction(60),
    "seconds": Fraction(1),
    "milliseconds": Fraction(1, 1000),
}
"""The length in seconds of each unit of a document that has a fixed length."""
_DAYS_IN_400_YEARS = 146_097
LONGEST = 3_652_500 * _DAY
"""The longest step in seconds: 10,000 years, the range of years of a datetime."""
_LARGEST = 10**15
"""The largest number in a document: a step of as many milliseconds is too long."""
_Count = Annotated[int, Field(ge=0, strict=True)]


class Frequency(Displayed, ScheduleValue, frozen=True):
    """A calendar step, such as ``Frequency(months=1)``. Units can be combined.

    Years, quarters, months, weeks and days move the wall time; hours, minutes and seconds are elapsed time.
    Larger units are added first. At least one count must be positive.
    """

    years: _Count = 0
    """The number of calendar years."""
    quarters: _Count = 0
    """The number of quarters, which are three calendar months each."""
    months: _Count = 0
    """The number of calendar months."""
    weeks: _Count = 0
    """The number of weeks, which are seven calendar days each."""
    days: _Count = 0
    """The number of calendar days."""
    hours: _Count = 0
    """The number of hours of elapsed time."""
    minutes: _Count = 0
    """The number of minutes of elapsed time."""
    seconds: _Count = 0
    """The number of seconds of elapsed time."""

    def __init__(
        self,
        *,
        years: int = 0,
        quarters: int = 0,
        months: int = 0,
        weeks: int = 0,
        days: int = 0,
        hours: int = 0,
        minutes: int = 0,
        seconds: int = 0,
    ) -> None:
        """Creates a step of whole units. No count may be negative, and at least one must be positive.

        Raises:
            InvalidScheduleError: All counts are 0, or a count is not such a number.
        """
        counts = (years, quarters, months, weeks, days, hours, minutes, seconds)
        given = dict(zip(UNITS, counts, strict=True))
        shown = ", ".join(f"{unit}={quoted(count)}" for unit, count in given.items() if quoted(count) != "0")
        self._fill(f"Frequency({shown})", **given)
        if not any(counts):
            raise InvalidScheduleError(f"Frequency({shown})", "every", _NO_STEP)
        mean_days = Fraction(_DAYS_IN_400_YEARS * self.total_months, 4_800) + self.total_days
        if mean_days * _DAY + self.total_seconds > LONGEST:
            reason = "the step is longer than 10,000 years"
            raise InvalidScheduleError(f"Frequency({shown})", "every", reason)

    @model_serializer(mode="wrap")
    def _without_zeros(self, handler: SerializerFunctionWrapHandler) -> dict[str, int]:
        counts: dict[str, int] = handler(self)
        return {unit: count for unit, count in counts.items() if count}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Reads a document such as ``{"minutes": 5}``. Units may be singular or plural, in any case. Values
        are whole numbers, strings of them, or fractions that amount to whole seconds (``{"hours": 1.5}``).

        ``milliseconds`` are read as fractions of seconds.

        Raises:
            InvalidScheduleError: A unit is unknown or repeated, or a value is not such a number.
        """
        if not isinstance(document, Mapping):
            reason = f"expected a mapping such as {{'minutes': 5}}, got {quoted(document)}"
            raise InvalidScheduleError(given_text(document), "frequency", reason)
        counts: dict[str, int] = {}
        rest = Fraction(0)
        seen: set[str] = set()
        for key, value in document.items():
            word = given_text(key).lower()
            unit = word if word.endswith("s") else f"{word}s"
            if unit not in UNITS and unit not in _SECONDS:
                near = [each for each in UNITS if each.startswith(word)] if word else []
                hint = f"; did you mean {' or '.join(near)}?" if near else ""
                reason = f"unknown unit {quoted(key)}; the units are {', '.join(UNITS)}{hint}"
                raise InvalidScheduleError(quoted(dict(document)), "frequency", reason)
            if unit in seen:
                reason = f"{unit!r} is given twice"
                raise InvalidScheduleError(quoted(dict(document)), "frequency", reason)
            seen.add(unit)
            number = _number(document, key, value)
            if number.denominator == 1 and unit in UNITS:
                counts[unit] = int(number)
            elif unit in _SECONDS:
                rest += number * _SECONDS[unit]
            else:
                reason = f"{key}: {quoted(value)} is not whole, and part of a {unit[:-1]} has no fixed length"
                raise InvalidScheduleError(quoted(dict(document)), "frequency", reason)
        if rest.denominator != 1:
            reason = (
                f"expected a step of whole seconds, got fractions that come to {float(rest)} s; "
                "use a whole number of seconds, at least 1"
            )
            raise InvalidScheduleError(quoted(dict(document)), "frequency", reason)
        minutes, seconds = divmod(int(rest), 60)
        counts["minutes"] = counts.get("minutes", 0) + minutes
        counts["seconds"] = counts.get("seconds", 0) + seconds
        if not any(counts.values()):
            raise InvalidScheduleError(quoted(dict(document)), "frequency", _NO_STEP)
        return cls(**counts)

    @property
    def total_months(self) -> int:
        """The number of calendar months in the step: years, quarters and months."""
        return 12 * self.years + 3 * self.quarters + self.months

    @property
    def total_days(self) -> int:
        """The number of calendar days in the step: weeks and days."""
        return 7 * self.weeks + self.days

    @property
    def total_seconds(self) -> int:
        """The elapsed time in the step, in seconds."""
        return 60 * (60 * self.hours + self.minutes) + self.seconds

    def __str__(self) -> str:
        """Returns a text such as ``1 month`` or ``2 weeks and 1 day``."""
        parts = []
        for unit in UNITS:
            count = getattr(self, unit)
            if count:
                parts.append(f"{count} {unit if count > 1 else unit[:-1]}")
        return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table

        counts = ((unit, getattr(self, unit)) for unit in UNITS)
        return record_table([(unit, str(count)) for unit, count in counts if count], caption=str(self))


def window_of_seconds(seconds: int | str = "...") -> str:
    """Returns code for a window with a step in seconds, for errors that refuse seconds."""
    return f"Windowed(start, every=Frequency(seconds={seconds}))"


def _number(document: Mapping[str, Any], key: object, value: object) -> Fraction:
    """Returns the number of a document: an int, a float, or its text."""
    number: Fraction | None = None
    if isinstance(value, float) and isfinite(value):
        number = Fraction(repr(float(value)))
    elif isinstance(value, int) and not isinstance(value, bool):
        number = Fraction(value)
    elif isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,20}(\.[0-9]{1,20})?\s*", value, re.ASCII):
        number = Fraction(value.strip())
    reason = f"{quoted(value)} is not a positive number, such as 5 or '1.5'"
    if number is not None and number >= _LARGEST:
        reason = f"expected a step of at most 10,000 years, got {quoted(value)}"
    elif number is not None and number >= 0:
        return number
    raise InvalidScheduleError(quoted(dict(document)), "frequency", f"{shortened(given_text(key))}: {reason}")
