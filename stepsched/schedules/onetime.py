"""The one-time schedule: ``at(...)``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from typing import Any, Literal

from typing_extensions import Self

from stepsched.core.errors import InvalidScheduleError
from stepsched.core.quoting import given_text, quoted
from stepsched.schedules.base import ScheduleBase, unwrapped
from stepsched.schedules.moments import Moment, read_moment, warn_if_moved, zone_of
from stepsched.schedules.stored import is_reading_stored
from stepsched.schedules.zones import UTC, load_zone

_AT = r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2}))?"


class OneTime(ScheduleBase, frozen=True):
    """A single run, at a wall time in a zone or at an instant.

    A wall time that does not exist is moved forward by the length of the gap, with a
    :class:`ScheduleWarning` (P-03); of one that occurs twice the first pass is used (P-04). Microseconds
    are rounded up to the next second, unless the schedule is ``exact`` (P-24).

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
    exact: bool = False
    """Whether ``at`` has a fraction of a second, which is kept; AWS takes none. For whole seconds it is
    False, whatever was given."""

    def __init__(
        self,
        at: datetime | str,
        *,
        timezone: str | tzinfo | None = None,
        exact: bool = False,
        kind: Literal["one_time"] = "one_time",
    ) -> None:
        """Creates a one-time schedule.

        Args:
            at: The time of the run: a naive wall time in ``timezone``, an aware datetime, or either as an ISO
                8601 string, also with a zone as in RFC 9557: ``2030-01-01T09:00+01:00[Europe/Paris]``.
            timezone: The IANA name of the zone, or a ``ZoneInfo``. None: the zone of ``at``, if it is aware
                with a zone that has a name, otherwise UTC.
            exact: Whether to keep a fraction of a second, to the microsecond. False: it is rounded up.

        Raises:
            InvalidScheduleError: There is no such time or zone, or ``exact`` is no bool.
        """
        given = given_text(at)
        if not isinstance(exact, bool):
            raise InvalidScheduleError(given, "exact", f"expected True or False, got {quoted(exact)}")
        try:
            moment = read_moment(at)
        except ValueError as error:
            raise InvalidScheduleError(given, "at", str(error)) from error
        zone = zone_of(moment) if timezone is None else load_zone(timezone)
        try:
            if moment.tzinfo is not None and moment.astimezone(UTC).microsecond:
                moment = moment.astimezone(UTC)
            if moment.microsecond and not exact:
                moment = moment.replace(microsecond=0) + timedelta(seconds=1)
            settled = zone.settle(moment)
            run = zone.moment(settled)
            run.astimezone(UTC)
        except OverflowError as error:
            raise InvalidScheduleError(given, "at", "expected an instant in the years 1 to 9999") from error
        if not is_reading_stored():
            warn_if_moved(settled, zone)
        own: dict[str, Any] = {"exact": True} if settled.microsecond else {}
        self._fill(at, at=settled, timezone=zone.key, kind=kind, **own)

    @classmethod
    def from_expression(cls, expression: str, *, timezone: str | tzinfo = "UTC") -> Self:
        """Reads ``at(yyyy-mm-ddThh:mm[:ss])``.

        Raises:
            InvalidScheduleError: The expression is not of that form, or there is no such date.
        """
        expression, text = unwrapped(expression, "at")
        match = re.fullmatch(_AT, text, re.ASCII)
        if match is None or not text.isascii():
            raise InvalidScheduleError(expression, "at", _why_not(text))
        try:
            year, month, day, hour, minute, second = map(int, match.groups(default="0"))
            moment = datetime(year, month, day, hour, minute, second)
        except ValueError as error:
            reason = f"expected a date and a time, got {quoted(text)}: {error}"
            raise InvalidScheduleError(expression, "at", reason) from error
        return cls(moment, timezone=timezone)

    @property
    def instant(self) -> datetime:
        """The instant of the run, as an aware datetime."""
        return load_zone(self.timezone).moment(self.at)

    @property
    def expression(self) -> str | None:
        """The expression ``at(...)`` with the wall time in ``timezone``; None for the second pass of a
        repeated hour, and for a fraction of a second."""
        if self.at.tzinfo is not None or self.exact:
            return None
        return f"at({self.at.isoformat(timespec='seconds')})"

    def describe(self) -> str:
        """Returns a text such as "Once, on Tuesday 1 January 2030 at 09:00, Europe/Paris"."""
        from stepsched.schedules import words

        return words.one_time(self.at, load_zone(self.timezone))

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
            f"expected a wall time, got {quoted(text)} with an offset; use at({bare}) and timezone=..., "
            "which is timezone='UTC' for Z"
        )
    if "[" in text:
        return f"{quoted(text)} names a zone, which at( ) does not; use OneTime({quoted(text)})"
    if "." in text:
        return (
            f"{quoted(text)} has a fraction of a second; {form}, or use OneTime({quoted(text)}, exact=True)"
        )
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return f"{quoted(text)} has no time of day; write at({text}T00:00:00)"
    if re.fullmatch(r"\d{4}-\d\d-\d\d .*", text):
        return f"{quoted(text)} has a blank where 'T' belongs; write at({text.replace(' ', 'T', 1)})"
    return f"{quoted(text)} cannot be read; {form}"
