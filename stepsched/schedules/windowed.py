"""The calendar window, which AWS does not have: run *k* is ``start + k × every``."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Literal

from typing_extensions import Self

from stepsched.core.errors import InvalidScheduleError
from stepsched.core.quoting import given_text, quoted, shortened
from stepsched.schedules.base import ScheduleBase
from stepsched.schedules.frequency import Frequency
from stepsched.schedules.moments import (
    Moment,
    read_moment,
    warn_if_moved,
    warn_if_zone_is_lost,
    zone_of,
)
from stepsched.schedules.stored import is_reading_stored
from stepsched.schedules.zones import FOREIGN_ERRORS, UTC, Zone, load_zone

_MEAN_MONTH = 146_097 / 4_800
"""The mean length of a month in days, over the 400 years after which the calendar repeats."""
_LAST = datetime(9999, 12, 29, tzinfo=UTC)
_FIRST = datetime(1, 1, 3, tzinfo=UTC)


class Windowed(ScheduleBase, frozen=True):
    """Runs at calendar steps from a start, within a window.

    Run *k* is always computed from the start, so the 31st never drifts: 31 January, 28 February, 31 March.
    Years, quarters, months, weeks and days move the wall time in ``timezone``; hours, minutes and seconds are
    elapsed time. A wall time that does not exist is moved forward by the gap (P-03), with a
    :class:`ScheduleWarning` if it is that of ``start``; of one that occurs twice the first pass is used
    (P-04). Two runs at the same instant are one run.

    Example:
        >>> monthly = Windowed(
        ...     start="2030-01-31T09:00", end="2030-06-30T09:00", every=Frequency(months=1)
        ... )
        >>> [f"{run:%d %b}" for run in monthly.runs(after=datetime(2030, 1, 1, tzinfo=UTC))]
        ['31 Jan', '28 Feb', '31 Mar', '30 Apr', '31 May', '30 Jun']
    """

    kind: Literal["windowed"] = "windowed"
    start: Moment
    """The first run: a naive wall time in ``timezone``. It is aware only for the second pass of a repeated
    hour, which no wall time can name."""
    end: Moment | None = None
    """The end of the window, inclusive. None: no end."""
    every: Frequency
    """The step from one run to the next."""
    timezone: str = "UTC"
    """The IANA name of the zone."""

    def __init__(
        self,
        start: datetime | str,
        *,
        every: Frequency,
        end: datetime | str | None = None,
        timezone: str | tzinfo | None = None,
        kind: Literal["windowed"] = "windowed",
    ) -> None:
        """Creates a calendar schedule.

        Args:
            start: The first run: a naive wall time in ``timezone``, an aware datetime, or either as an ISO
                8601 string, also with a zone as in RFC 9557: ``2030-01-01T09:00+01:00[Europe/Paris]``.
            every: The step from one run to the next.
            end: The end of the window, inclusive; forms as for ``start``. None: no end.
            timezone: The IANA name of the zone, or a ``ZoneInfo``. None: the zone of ``start``, if it is
                aware with a zone that has a name, otherwise UTC; a :class:`ScheduleWarning` says so if
                ``start`` has another offset (P-36).

        Raises:
            InvalidScheduleError: ``end`` is before ``start``, or a field is not valid.
        """
        given = f"start={_shown(start)} end={_shown(end)} every={_shown(every)}"
        read = _read("start", start, given)
        last = None if end is None else _read("end", end, given)
        zone = zone_of(read) if timezone is None else load_zone(timezone)
        try:
            first = zone.settle(read)
            last = zone.settle(last) if last is not None else None
            zone.moment(first).astimezone(UTC)
            if last is not None and zone.moment(last).astimezone(UTC) < zone.moment(first):
                reason = f"expected end at or after start {first.isoformat()}, got {last.isoformat()}"
                raise InvalidScheduleError(given, "end", reason)
        except OverflowError as error:
            reason = "expected start and end in the years 1 to 9999"
            raise InvalidScheduleError(given, "start", reason) from error
        if not isinstance(every, (Frequency, Mapping)):
            reason = f"expected a Frequency, got {quoted(every)}; use for example Frequency(months=1)"
            raise InvalidScheduleError(given, "every", reason)
        self._fill(given, start=first, end=last, every=every, timezone=zone.key, kind=kind)
        if not is_reading_stored():
            warn_if_moved(first, zone)
            if timezone is None and self._has_calendar_units():
                warn_if_zone_is_lost(read, start)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Reads an interval-job document with ``startDateTime``, ``endDateTime`` and ``frequency``.

        Times without an offset are in UTC, as in the system that writes such documents. ``id`` and
        ``context`` belong to the job and are ignored here.

        Raises:
            InvalidScheduleError: A key is missing, ``endDateTime`` is null, or a value is not valid.
        """
        if not isinstance(document, Mapping):
            reason = f"expected a mapping, got {quoted(document)}"
            raise InvalidScheduleError(given_text(document), "document", reason)
        missing = [key for key in ("startDateTime", "endDateTime", "frequency") if key not in document]
        if missing:
            reason = f"the document lacks {', '.join(missing)}"
            raise InvalidScheduleError(quoted(dict(document)), "document", reason)
        if document["endDateTime"] is None:
            reason = "expected an end, got null: the system that writes such documents stops after one run"
            raise InvalidScheduleError(quoted(dict(document)), "endDateTime", reason)
        every = Frequency.from_document(document["frequency"])
        return cls(document["startDateTime"], every=every, end=document["endDateTime"], timezone="UTC")

    @property
    def expression(self) -> None:
        """Always None: AWS has no expression for a calendar step."""
        return None

    def describe(self) -> str:
        """Returns a text such as "Every month from 31 January 2030 at 09:00 until 30 June 2030 at 09:00,
        UTC"."""
        from stepsched.schedules import words

        zone = load_zone(self.timezone)
        start, end = self.start, self.end
        if not self._has_calendar_units():  # all runs are counted from the instant, which may have been moved
            start = zone.settle(zone.moment(start))
        every = words.step(str(self.every))
        until = "" if end is None else f" until {words.wall_time(end, zone)}"
        return f"Every {every} from {words.wall_time(start, zone)}{until}, {self.timezone}"

    def _has_calendar_units(self) -> bool:
        return bool(self.every.total_months or self.every.total_days)

    def _grid(self) -> _Grid:
        return _grid(self.start, self.end, self.every, self.timezone)

    def _next(self, after: datetime) -> datetime | None:
        grid = self._grid()
        return grid.run(grid.first_after(after))

    def _previous(self, before: datetime) -> datetime | None:
        grid = self._grid()
        if grid.end is not None and before > grid.end:
            run = grid.run(grid.last_up_to(grid.end))
        else:
            run = grid.run(grid.last_up_to(before, strictly=True))
        return run

    def _runs(self, after: datetime, until: datetime | None) -> Iterator[datetime]:
        grid = self._grid()
        step = grid.first_after(after)
        last = after
        while (run := grid.run(step)) is not None and (until is None or run <= until):
            if run > last:
                yield run
            last = run
            step += 1


def _shown(value: object) -> str:
    try:
        return shortened(str(value) if isinstance(value, (Frequency, datetime)) else given_text(value))
    except FOREIGN_ERRORS:  # of a tzinfo that does not work
        return quoted(value)


def _read(name: str, value: datetime | str, given: str) -> datetime:
    try:
        return read_moment(value)
    except ValueError as error:
        raise InvalidScheduleError(given, name, str(error)) from error


class _Grid:
    """The runs by their number. A number below 0 has no run."""

    __slots__ = (
        "calendar",
        "days",
        "elapsed",
        "end",
        "margin",
        "mean",
        "months",
        "origin",
        "wall",
        "zone",
    )

    def __init__(self, zone: Zone, start: datetime, end: datetime | None, every: Frequency) -> None:
        self.zone = zone
        self.origin = zone.moment(start)
        # A start that does not exist is moved (P-03), but the later runs use the original wall time.
        self.wall = start if start.tzinfo is None else self.origin.replace(tzinfo=None)
        self.end = end
        self.months = every.total_months
        self.days = every.total_days
        self.elapsed = timedelta(seconds=every.total_seconds)
        self.calendar = bool(self.months or self.days)
        self.mean = timedelta(days=self.months * _MEAN_MONTH + self.days) + self.elapsed

    def run(self, step: int) -> datetime | None:
        """Returns run ``step``; None if it is outside the window."""
        try:
            run = self.at(step) if step >= 0 else None
        except (OverflowError, ValueError):  # past the year 9999
            return None
        return run if run is None or self.end is None or run <= self.end else None

    def at(self, step: int) -> datetime:
        """Returns run ``step``, inside or outside the window."""
        if not step:
            return self.origin
        if not self.calendar:
            return self.zone.localise(self.origin + step * self.elapsed)
        instant = self.zone.to_instant(self.wall_at(step))
        if self.elapsed:
            instant = self.zone.localise(instant + step * self.elapsed)
        if instant.year == _LAST.year:
            instant.astimezone(UTC)  # raises OverflowError on the last evening, which is in no year of UTC
        return instant

    def wall_at(self, step: int) -> datetime:
        """Returns the wall time of the calendar part of run ``step``."""
        wall = self.wall
        if self.months:
            years, month = divmod(wall.month - 1 + step * self.months, 12)
            year, month = wall.year + years, month + 1
            day = wall.day if wall.day <= 28 else min(wall.day, monthrange(year, month)[1])
            wall = wall.replace(year=year, month=month, day=day)
        return wall + timedelta(days=step * self.days) if self.days else wall

    def first_after(self, after: datetime) -> int:
        """Returns the number of the first run strictly after an instant."""
        if not self.calendar:
            return max((after - self.origin) // self.elapsed + 1, 0)
        step = max(self._estimate(after), 0)
        while step and not self._is_up_to(step - 1, after):
            step -= 1
        while self._is_up_to(step, after):
            step += 1
        return step

    def _is_up_to(self, step: int, moment: datetime) -> bool:
        run = self._bounded(step)
        return run is not None and run <= moment

    def last_up_to(self, moment: datetime, *, strictly: bool = False) -> int:
        """Returns the number of the last run at or before an instant; -1 if there is none."""
        if not self.calendar:
            steps, rest = divmod(moment - self.origin, self.elapsed)
            return max(steps - (strictly and not rest), -1)
        step = max(self._estimate(moment), -1)
        while self._is_up_to(step + 1, moment):
            step += 1
        while step >= 0 and not self._is_up_to(step, moment):
            step -= 1
        while strictly and step >= 0 and self._bounded(step) == moment:  # two may fall on one instant
            step -= 1
        return step

    def _bounded(self, step: int) -> datetime | None:
        try:
            return self.at(step)
        except (OverflowError, ValueError):
            return None

    def _estimate(self, moment: datetime) -> int:
        """Estimates the number of the run near an instant. The error is at most two: months differ from
        their mean by fewer than nine days over all years, gaps and offsets move a run by less than two."""
        if not 1 < moment.year < 9999:
            moment = min(max(moment, _FIRST), _LAST)
        return (self.zone.to_wall(moment) - self.wall) // self.mean


@lru_cache(maxsize=4096)
def _grid(start: datetime, end: datetime | None, every: Frequency, timezone: str) -> _Grid:
    zone = load_zone(timezone)
    return _Grid(zone, start, None if end is None else zone.moment(end), every)
