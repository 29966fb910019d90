"""The one-time schedule: ``at(...)``."""

from __future__ import annotations

import re
import warnings
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from typing_extensions import Self

from stepsched.core.errors import InvalidScheduleError, ScheduleWarning
from stepsched.schedules.base import Moment, ScheduleBase, read_moment
from stepsched.schedules.stored import is_reading_stored
from stepsched.schedules.zones import UTC, load_zone

_AT = r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2}))?"


class OneTime(ScheduleBase, frozen=True):
    """A single run, at a wall time in a zone or at an instant.

    A wall time that does not exist is moved forward by the length of the gap, with a
    :class:`ScheduleWarning` (P-03); of one that occurs twice the first pass is used (P-04). Microseconds
    are rounded up to the next second (P-24).

    Example:
        >>> OneTime("2030-01-01T09:00", timezone="Europe/Paris").expression
        'at(2030-01-01T09:00:00)'
    """

    kind: Literal["one_time"] = "one_time"
    at: Moment
    """The wall time in ``timezone``, naive. It is aware only for the second pass of a repeated hour, which no
    wall time can name."""
    timezone: str = "UTC"
    """The IANA name of the zone."""

    def __init__(
        self,
        at: datetime | str,
        *,
        timezone: str | None = None,
        kind: Literal["one_time"] = "one_time",
    ) -> None:
        """Creates a one-time schedule.

        Args:
            at: The time of the run: a naive wall time in ``timezone``, an aware datetime, or either as an ISO
                8601 string.
            timezone: The IANA name of the zone. None: the zone of ``at``, if it is aware with a ``ZoneInfo``,
                otherwise UTC.

        Raises:
            InvalidScheduleError: There is no such time or zone.
        """
        try:
            moment = read_moment(at)
        except ValueError as error:
            raise InvalidScheduleError(str(at), "at", str(error)) from error
        if timezone is None:
            keyed = isinstance(moment.tzinfo, ZoneInfo) and moment.tzinfo.key
            timezone = keyed or "UTC"
        zone = load_zone(timezone)
        try:
            if moment.tzinfo is not None and moment.astimezone(UTC).microsecond:
                moment = moment.astimezone(UTC)
            if moment.microsecond:
                moment = moment.replace(microsecond=0) + timedelta(seconds=1)
            settled = zone.settle(moment)
            run = zone.moment(settled)
            run.astimezone(UTC)
        except OverflowError as error:
            raise InvalidScheduleError(str(at), "at", "expected an instant in the years 1 to 9999") from error
        if settled.tzinfo is None and run.replace(tzinfo=None) != settled and not is_reading_stored():
            warnings.warn(
                f"{settled.isoformat()} does not exist in {timezone}, where the clocks skip it; "
                f"the run moves to {run.isoformat()}",
                ScheduleWarning,
                stacklevel=3,
            )
        self._fill(at, at=settled, timezone=timezone, kind=kind)

    @classmethod
    def from_expression(cls, expression: str, *, timezone: str = "UTC") -> Self:
        """Reads ``at(yyyy-mm-ddThh:mm[:ss])``.

        Raises:
            InvalidScheduleError: The expression is not of that form, or there is no such date.
        """
        text = expression[3:-1]
        match = re.fullmatch(_AT, text, re.ASCII)
        if match is None or not text.isascii():
            raise InvalidScheduleError(expression, "at", _why_not(text))
        try:
            year, month, day, hour, minute, second = map(int, match.groups(default="0"))
            moment = datetime(year, month, day, hour, minute, second)
        except ValueError as error:
            reason = f"expected a date and a time, got {text!r}: {error}"
            raise InvalidScheduleError(expression, "at", reason) from error
        return cls(moment, timezone=timezone)

    @property
    def instant(self) -> datetime:
        """The instant of the run, as an aware datetime."""
        return load_zone(self.timezone).moment(self.at)

    @property
    def expression(self) -> str | None:
        """The expression ``at(...)`` with the wall time in ``timezone``; None for the second pass of a
        repeated hour."""
        if self.at.tzinfo is not None:
            return None
        return f"at({self.at.isoformat(timespec='seconds')})"

    def describe(self) -> str:
        """Returns a text such as "Once, on Tuesday 1 January 2030 at 09:00, Europe/Paris"."""
        from stepsched.schedules import words

        return words.one_time(self.instant, self.timezone)

    def _next(self, after: datetime) -> datetime | None:
        instant = self.instant
        return instant if instant > after else None

    def _previous(self, before: datetime) -> datetime | None:
        instant = self.instant
        return instant if instant < before else None


def _why_not(text: str) -> str:
    form = "the form is at(yyyy-mm-ddThh:mm:ss)"
    if re.fullmatch(r".*(Z|[+-]\d\d:?\d\d)", text, re.IGNORECASE) and "T" in text.upper():
        bare = re.sub(r"(Z|[+-]\d\d:?\d\d)$", "", text, flags=re.IGNORECASE)
        return (
            f"expected a wall time, got {text!r} with an offset; use at({bare}) and timezone=..., "
            "which is timezone='UTC' for Z"
        )
    if "." in text:
        return f"{text!r} has a fraction of a second; {form}"
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return f"{text!r} has no time of day; write at({text}T00:00:00)"
    if re.fullmatch(r"\d{4}-\d\d-\d\d .*", text):
        return f"{text!r} has a blank where 'T' belongs; write at({text.replace(' ', 'T', 1)})"
    return f"{text!r} cannot be read; {form}"
