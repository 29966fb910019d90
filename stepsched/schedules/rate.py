"""Elapsed time: ``rate(...)``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Literal

from typing_extensions import Self

from stepsched.core.errors import InvalidScheduleError
from stepsched.core.values import Duration
from stepsched.schedules.base import BoundedSchedule
from stepsched.schedules.frequency import window_of_seconds
from stepsched.schedules.zones import UTC

_SECOND = timedelta(seconds=1)
_UNITS = {"day": timedelta(days=1), "hour": timedelta(hours=1), "minute": timedelta(minutes=1)}


class Rate(BoundedSchedule, frozen=True):
    """A run every so many minutes of elapsed time; a day is 24 hours, in every zone.

    The grid is ``start + k × every``, k ≥ 0. A rate without ``start`` has no grid of its own: AWS
    lays it when the schedule is created (P-12), and so does every backend. Asked as a bare value it
    counts from ``after``, as if created at that instant, and it has no previous run.

    Example:
        >>> str(Rate(timedelta(hours=1)))
        'rate(1 hour)'
    """

    kind: Literal["rate"] = "rate"
    every: Duration
    """Whole minutes, at least one."""

    def __init__(
        self,
        every: timedelta | str,
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        kind: Literal["rate"] = "rate",
    ) -> None:
        """A rate.

        Args:
            every: A positive number of whole minutes (or ISO 8601 text of it, as in JSON: PT5M).
            start: The first run, aware (or ISO 8601 text with an offset), inclusive.
            end: No run after this instant; inclusive.

        Raises:
            InvalidScheduleError: The interval is not of whole minutes, an instant is naive, or
                the window is empty.
        """
        self._fill(every, every=every, start=start, end=end, kind=kind)
        minute = timedelta(minutes=1)
        if self.every < minute or self.every % minute:
            whole = max(1, round(self.every / minute))
            reason = (
                f"expected a positive number of whole minutes, got {self.every}; "
                f"use timedelta(minutes={whole}), which is the nearest"
            )
            if self.every >= _SECOND and not self.every % _SECOND:
                reason += f", or {window_of_seconds(self.every // _SECOND)}"
            raise InvalidScheduleError(str(every), "every", reason)

    @classmethod
    def from_expression(
        cls,
        expression: str,
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
    ) -> Self:
        """Reads ``rate(5 minutes)``; singular and plural are both taken, as by the service.

        Raises:
            InvalidScheduleError: It is not of that form.
        """
        text = expression[5:-1]
        match = re.fullmatch(r"([0-9]+) (minute|hour|day)s?", text, re.IGNORECASE | re.ASCII)
        if match is None:
            raise InvalidScheduleError(expression, "rate", _why_not(text))
        value, unit = int(match[1]), match[2].lower()
        if value == 0:
            raise InvalidScheduleError(expression, "rate", "the value must be at least 1, not 0")
        try:
            every = value * _UNITS[unit]
        except OverflowError as error:
            reason = f"{value} {unit}s is longer than a timedelta can hold"
            raise InvalidScheduleError(expression, "rate", reason) from error
        return cls(every, start=start, end=end)

    @property
    def expression(self) -> str:
        """``rate(5 minutes)``, in the largest unit that divides, grammatically written."""
        name, unit = next(item for item in _UNITS.items() if not self.every % item[1])
        value = self.every // unit
        return f"rate({value} {name}{'s' if value > 1 else ''})"

    def __contains__(self, instant: object) -> bool:
        if self.start is None:
            raise ValueError(
                "the runs of a rate without start are counted from the creation of its job; give start, or "
                "ask client.upcoming()"
            )
        return super().__contains__(instant)

    def describe(self) -> str:
        """Such as "Every 5 minutes"."""
        from stepsched.schedules import words

        return words.rate(self.expression) + words.window(self.start, self.end)

    def _next(self, after: datetime) -> datetime | None:
        after = after.astimezone(UTC)
        start = after if self.start is None else self.start
        try:
            steps = max((after - start) // self.every + 1, 0)
            return self._inside(start + steps * self.every)
        except OverflowError:
            return None

    def _previous(self, before: datetime) -> datetime | None:
        if self.start is None:
            return None
        steps = -((self.start - self._before(before)) // self.every) - 1
        return self.start + steps * self.every if steps >= 0 else None

    def _runs(self, after: datetime, until: datetime | None) -> Iterator[datetime]:
        run, until = self._next(after), self._until(until)
        while run is not None and (until is None or run <= until):
            yield run
            try:
                run += self.every
            except OverflowError:
                return


def _why_not(text: str) -> str:
    value, _, unit = text.partition(" ")
    form = "the form is rate(5 minutes), with minutes, hours or days"
    if re.fullmatch(r"[0-9]+\.[0-9]+", value):
        seconds = Fraction(value) * (_UNITS.get(unit.lower().rstrip("s"), timedelta(0)) // _SECOND)
        if seconds and not seconds % 60:
            return f"{value!r} is not a whole number; write rate({seconds // 60} minutes)"
        if seconds and seconds.denominator == 1:
            return f"{value!r} is not a whole number; use {window_of_seconds(int(seconds))}"
        return f"{value!r} is not a whole number; {form}"
    if re.fullmatch(r"-[0-9]+", value):
        return f"the value must be at least 1, not {value}"
    if not re.fullmatch(r"[0-9]+", value):
        return f"{value!r} is not a whole number; {form}"
    if unit.lower().rstrip("s") in ("week", "fortnight"):
        days = int(value) * (7 if "week" in unit.lower() else 14)
        return f"the unit {unit!r} is unknown to AWS; write rate({days} days)"
    if unit.lower().rstrip("s") in ("month", "quarter", "year"):
        return f"{unit!r} are no fixed length of time; use Windowed with Frequency({unit.lower()}=…)"
    if unit.lower().rstrip("s") == "second":
        shown = int(value) or "..."
        return f"expected whole minutes, hours or days, got seconds; use {window_of_seconds(shown)}"
    return f"the unit {unit!r} is unknown; {form}"
