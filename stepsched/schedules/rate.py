"""The rate, a schedule of elapsed time: ``rate(...)``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Literal

from typing_extensions import Self

from stepsched.core.errors import InvalidScheduleError
from stepsched.core.quoting import given_text, quoted, shortened
from stepsched.core.values import Duration
from stepsched.schedules.base import BoundedSchedule, unwrapped
from stepsched.schedules.frequency import window_of_seconds
from stepsched.schedules.zones import UTC

_SECOND = timedelta(seconds=1)
_UNITS = {"day": timedelta(days=1), "hour": timedelta(hours=1), "minute": timedelta(minutes=1)}


class Rate(BoundedSchedule, frozen=True):
    """Runs at a fixed interval of elapsed time, in whole minutes; a day is 24 hours, in every zone.

    The runs are the grid ``start + k × every``, k ≥ 0. For a rate without ``start`` the grid begins when the
    job is created, on AWS and on every backend (P-12). The methods of a bare value then count from ``after``,
    as if the job was created at that instant, and there is no previous run.

    Example:
        >>> str(Rate(timedelta(hours=1)))
        'rate(1 hour)'
    """

    kind: Literal["rate"] = "rate"
    every: Duration
    """The interval: whole minutes, at least one."""

    def __init__(
        self,
        every: timedelta | str,
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        kind: Literal["rate"] = "rate",
    ) -> None:
        """Creates a rate.

        Args:
            every: The interval, a positive number of whole minutes, as a timedelta or an ISO 8601 string such
                as ``PT5M``.
            start: The first run; an aware datetime, or an ISO 8601 string with an offset. None: the creation
                of the job.
            end: The end of the window, inclusive; forms as for ``start``. None: no end.

        Raises:
            InvalidScheduleError: The interval is not a number of whole minutes, an instant is naive, or
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
            raise InvalidScheduleError(given_text(every), "every", reason)

    @classmethod
    def from_expression(
        cls,
        expression: str,
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
    ) -> Self:
        """Reads an expression such as ``rate(5 minutes)``.

        As on AWS, singular and plural are both accepted, and the blank before the unit may be left out;
        :attr:`expression` has the grammatical form.

        Raises:
            InvalidScheduleError: The expression is not of that form.
        """
        expression, text = unwrapped(expression, "rate")
        match = re.fullmatch(r"([0-9]+) ?(minute|hour|day)s?", text, re.IGNORECASE | re.ASCII)
        if match is None:
            raise InvalidScheduleError(expression, "rate", _why_not(text))
        value, unit = int(match[1]), match[2].lower()
        if value == 0:
            raise InvalidScheduleError(expression, "rate", "expected a value of at least 1, got 0")
        try:
            every = value * _UNITS[unit]
        except OverflowError as error:
            reason = f"{shortened(match[1])} {unit}s is longer than a timedelta can hold"
            raise InvalidScheduleError(expression, "rate", reason) from error
        return cls(every, start=start, end=end)

    @property
    def expression(self) -> str:
        """The expression, such as ``rate(5 minutes)``, in the largest unit that gives a whole number."""
        name, unit = next(item for item in _UNITS.items() if not self.every % item[1])
        value = self.every // unit
        return f"rate({value} {name}{'s' if value > 1 else ''})"

    def __contains__(self, instant: object) -> bool:
        if self.start is None:
            raise ValueError(
                "the runs of a rate without start are counted from the creation of its job; use start=..., "
                "or client.upcoming()"
            )
        return super().__contains__(instant)

    def describe(self) -> str:
        """Returns a text such as "Every 5 minutes"."""
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
    form = "the form is rate(5 minutes), with minutes, hours or days"
    match = re.fullmatch(r"(-?[0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)", text, re.ASCII)
    if match is None:
        value, _, unit = text.partition(" ")
        if re.fullmatch(r"[0-9]+", value):
            return f"the unit {quoted(unit)} is unknown; {form}"
        return f"{quoted(value)} is not a whole number; {form}"
    value, unit = match[1], match[2].lower().removesuffix("s")
    if value.startswith("-"):
        return f"expected a value of at least 1, got {shortened(value)}"
    if "." in value:
        return _why_not_part(value, unit, form)
    return _why_not_unit(value, unit, f"the unit {quoted(match[2])} is unknown")


def _why_not_part(value: str, unit: str, form: str) -> str:
    whole = f"{quoted(value)} is not a whole number"
    seconds = Fraction(value) * (_UNITS.get(unit, timedelta(0)) // _SECOND)
    if seconds and not seconds % 60:
        return f"{whole}; write rate({seconds // 60} minutes)"
    if seconds and seconds.denominator == 1:
        return f"{whole}; use {window_of_seconds(int(seconds))}"
    return f"{whole}; {form}"


def _why_not_unit(value: str, unit: str, unknown: str) -> str:
    count = int(value) or 1
    if unit in ("week", "fortnight"):
        return f"{unknown} to AWS; write rate({shortened(str(count * (7 if unit == 'week' else 14)))} days)"
    if unit in ("month", "quarter", "year"):
        step = f"Windowed(start, every=Frequency({unit}s={shortened(str(count))}))"
        return f"a {unit} has no fixed length of time; use {step}"
    if unit == "second":
        return f"expected whole minutes, hours or days, got seconds; use {window_of_seconds(count)}"
    return f"{unknown}; the form is rate(5 minutes), with minutes, hours or days"
