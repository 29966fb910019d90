"""What every schedule can be asked, and how the values read their input."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Annotated, NoReturn

from pydantic import (
    BeforeValidator,
    ValidationError,
    model_validator,
)
from typing_extensions import Self

from stepsched.core.clock import utc_now
from stepsched.core.errors import InvalidScheduleError
from stepsched.core.values import PositionalValue
from stepsched.display.notebook import table
from stepsched.schedules.zones import UTC, known_zone

_TICK = timedelta(microseconds=1)
_SECONDS = len("2030-01-01T09:00:00")
"""Characters of a wall time as it is stored, which every Python reads by itself."""
_DATE_AND_TIME = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"


class ScheduleValue(PositionalValue):
    """A value of this package: whatever is wrong with it leaves as one kind of error."""

    def _fill(self, given: object, **fields: object) -> None:
        """Validates the fields; every refusal leaves as an :class:`InvalidScheduleError`."""
        try:
            self._assign(**fields)
        except ValidationError as error:
            problem = error.errors()[0]
            cause = problem.get("ctx", {}).get("error")
            if isinstance(cause, InvalidScheduleError):
                raise cause from error
            field = ".".join(map(str, problem["loc"])) or "schedule"
            reason = f"{problem['msg'].removeprefix('Value error, ')} (given: {problem['input']!r})"
            raise InvalidScheduleError(str(given), field, reason) from error


class ScheduleBase(ScheduleValue):
    """*When*: a frozen value without a clock. Equal schedules hash alike.

    Every run is an aware datetime with the fixed offset of its zone at that moment, so that
    ``==``, ``<`` and ``-`` mean instants. It is the scheduled instant, never the delivery.
    """

    if TYPE_CHECKING:  # a field in Cron, which a property of the base would hide

        @property
        def expression(self) -> str | None:
            """The AWS text of exactly this, such as ``rate(5 minutes)``; None where AWS has none.

            The zone and the window stand beside it and are not part of it.
            """

        __iter__: None  # type: ignore[assignment]  # so that type checkers refuse a loop too
    else:

        def __iter__(self) -> NoReturn:
            """Refused: a schedule may have runs without end, and where they begin has to be said.

            Raises:
                TypeError: Always.
            """
            raise TypeError(
                f"a {type(self).__name__} cannot be iterated; use schedule.upcoming(5), or "
                "schedule.runs(after=..., until=...)"
            )

    def __contains__(self, instant: object) -> bool:
        """Whether the schedule has a run at exactly this instant.

        Args:
            instant: Aware, in any zone.

        Raises:
            TypeError: ``instant`` is no datetime.
            ValueError: It is naive, or the schedule is a rate without start, whose runs are counted from
                the creation of a job.
        """
        moment = aware(instant, "instant")
        return self._next(_moved(moment, -_TICK)) == moment

    @abstractmethod
    def describe(self) -> str:
        """The schedule in English words."""

    @abstractmethod
    def _next(self, after: datetime) -> datetime | None:
        """The first run strictly after an aware instant."""

    @abstractmethod
    def _previous(self, before: datetime) -> datetime | None:
        """The last run strictly before an aware instant."""

    def _runs(self, after: datetime, until: datetime | None) -> Iterator[datetime]:
        run = self._next(after)
        while run is not None and (until is None or run <= until):
            yield run
            run = self._next(run)

    def next_run(self, after: datetime | None = None) -> datetime | None:
        """The first run after an instant.

        Args:
            after: Aware; exclusive. None means now.

        Returns:
            An aware datetime, or None when no run is left.

        Raises:
            ValueError: ``after`` is naive.
        """
        return self._next(utc_now() if after is None else aware(after, "after"))

    def previous_run(self, before: datetime | None = None) -> datetime | None:
        """The last run before an instant: the mirror of :meth:`next_run`.

        Args:
            before: Aware; exclusive. None means now.

        Returns:
            An aware datetime, or None when there is no earlier run.

        Raises:
            ValueError: ``before`` is naive.
        """
        return self._previous(utc_now() if before is None else aware(before, "before"))

    def runs(self, after: datetime | None = None, until: datetime | None = None) -> Iterator[datetime]:
        """The runs between two instants, lazily, strictly increasing.

        Args:
            after: Aware; exclusive. None means now.
            until: Aware; inclusive. None means without end.

        Raises:
            ValueError: An instant is naive.
        """
        start = utc_now() if after is None else aware(after, "after")
        return self._runs(start, None if until is None else aware(until, "until"))

    def upcoming(self, count: int, after: datetime | None = None) -> list[datetime]:
        """The next ``count`` runs; fewer when the schedule ends before.

        Args:
            count: At least 0.
            after: Aware; exclusive. None means now.

        Raises:
            ValueError: ``after`` is naive, or ``count`` is negative.
        """
        if not isinstance(count, int) or count < 0:
            raise ValueError(f"expected a whole number of at least 0 for count, got {count!r}")
        return list(islice(self.runs(after=after), count))

    def localise(self, instant: datetime) -> datetime:
        """The same instant at the offset of the schedule's zone, as its runs carry it.

        Args:
            instant: Aware.

        Returns:
            An aware datetime with a fixed offset; UTC where the schedule has no zone (a rate), and where
            the zone's wall time would lie outside the years 1 to 9999.

        Raises:
            ValueError: ``instant`` is naive.
        """
        instant = aware(instant, "instant").astimezone(UTC)
        key: str | None = getattr(self, "timezone", None)
        try:
            return instant if key is None else known_zone(key).localise(instant)
        except OverflowError:
            return instant

    def __str__(self) -> str:
        """The AWS expression, or the description where AWS has no expression."""
        return self.expression or self.describe()

    def _repr_html_(self) -> str:
        """The next five runs in the schedule's own zone and in UTC, for notebooks."""
        runs = self.upcoming(5)
        rows = [
            (f"{run:%a %Y-%m-%d %H:%M:%S %z}", f"{run.astimezone(UTC):%Y-%m-%d %H:%M:%S}") for run in runs
        ]
        return table(rows or [("no run is left",)], head=("next runs", "UTC"), caption=self.describe())


def aware(moment: object, name: str) -> datetime:
    """The moment as an instant; the very ends of time are drawn in to fit.

    Raises:
        ValueError: It is naive, so that it names no instant.
    """
    if type(moment) is datetime and type(moment.tzinfo) is timezone and 1 < moment.year < 9999:
        return moment  # a fixed offset leaves nothing to ask
    if not isinstance(moment, datetime):
        raise TypeError(f"expected an aware datetime for {name}, got {type(moment).__name__}")
    if moment.utcoffset() is None:
        raise ValueError(
            f"{name} is naive ({moment.isoformat()}), so it names no instant; "
            "add a zone, such as tzinfo=timezone.utc or ZoneInfo('Europe/Paris')"
        )
    try:
        # Not only for the type: a wall time that does not exist is read here, and nowhere differently.
        return moment.astimezone(UTC)
    except OverflowError:
        ends = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        return ends[moment.year != 1]


def read_moment(value: object) -> datetime:
    """A datetime, naive or aware, from a datetime or ISO 8601 text with date and time."""
    moment = _read_text(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise ValueError(  # noqa: TRY004 -- pydantic collects ValueError
            "expected a datetime or an ISO 8601 string such as '2030-01-01T09:00', got "
            f"{type(value).__name__}"
        )
    if moment.tzinfo is not None and moment.utcoffset() is None:
        raise ValueError(f"{moment!r} carries a tzinfo that gives no offset")
    return moment


def _read_text(text: str) -> datetime:
    if not re.match(_DATE_AND_TIME, text) or not text.isascii():
        raise ValueError(f"{text!r} is not a date and a time, such as '2030-01-01T09:00'")
    try:
        if len(text) == _SECONDS:
            return datetime.fromisoformat(text)
    except ValueError:  # such as 24:00:00, which it does not know
        pass
    from dateutil.parser import isoparse

    try:
        return isoparse(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not ISO 8601: {error}") from error


def read_instant(value: object) -> datetime | None:
    """An instant in UTC from an aware datetime or ISO 8601 text with an offset; None stays."""
    if value is None:
        return None
    moment = read_moment(value)
    if moment.utcoffset() is None:
        raise ValueError(
            f"{moment.isoformat()} is naive, so it names no instant; add an offset such as 'Z' or a tzinfo"
        )
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{moment.isoformat()} lies outside the years 1 to 9999 in UTC") from error


Moment = Annotated[datetime, BeforeValidator(read_moment)]
"""A naive wall time or an aware instant."""
Instant = Annotated[datetime | None, BeforeValidator(read_instant)]
"""An aware instant, kept in UTC, or None."""


def _moved(moment: datetime, step: timedelta) -> datetime:
    """The moment moved by a tick, but for the first and the last one of all."""
    try:
        return moment + step
    except OverflowError:
        return moment


class BoundedSchedule(ScheduleBase):
    """A schedule with an optional window, both ends inclusive (P-14)."""

    start: Instant = None
    """No run before this instant. None: from the beginning (a rate: from its creation)."""
    end: Instant = None
    """No run after this instant. None: without end."""

    @model_validator(mode="after")
    def _window_is_open(self) -> Self:
        if self.start is not None and self.end is not None and self.start >= self.end:
            reason = (
                f"start {self.start.isoformat()} is not before end {self.end.isoformat()}; "
                "both ends are inclusive and must differ"
            )
            given = f"{type(self).__name__} from {self.start.isoformat()} until {self.end.isoformat()}"
            raise InvalidScheduleError(given, "start", reason)
        return self

    def _after(self, after: datetime) -> datetime:
        """The exclusive bound once the window's start is taken in."""
        if self.start is None or self.start <= after:
            return after
        return _moved(self.start, -_TICK)

    def _until(self, until: datetime | None) -> datetime | None:
        """The inclusive bound once the window's end is taken in."""
        if self.end is None or (until is not None and until <= self.end):
            return until
        return self.end

    def _before(self, before: datetime) -> datetime:
        """The exclusive upper bound once the window's end is taken in."""
        if self.end is None or self.end >= before:
            return before
        return _moved(self.end, _TICK)

    def _inside(self, run: datetime | None) -> datetime | None:
        if run is None or (self.start and run < self.start) or (self.end and run > self.end):
            return None
        return run
