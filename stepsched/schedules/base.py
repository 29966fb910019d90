"""The methods that all schedules share, and the validation of their input."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, NoReturn, cast

from pydantic import ValidationError, model_validator
from typing_extensions import Self

from stepsched.core.clock import utc_now
from stepsched.core.errors import InvalidScheduleError
from stepsched.core.quoting import given_text, quoted, shortened
from stepsched.core.values import PositionalValue, whole_number
from stepsched.display.results import Displayed
from stepsched.schedules.instants import Instants, instants_table
from stepsched.schedules.moments import Instant, aware, just_after, just_before
from stepsched.schedules.zones import UTC, known_zone, shared_zone

if TYPE_CHECKING:  # loaded when something is shown
    import pandas as pd
    from matplotlib.axes import Axes

    from stepsched.display.table import Table
    from stepsched.pictures.months import Months
    from stepsched.schedules import Schedule

_NEXT_RUNS = 5
"""The number of next runs that a schedule shows."""


class ScheduleValue(PositionalValue):
    """The base of the values in this package, whose constructors raise only one kind of error."""

    def _fill(self, given: object, **fields: object) -> None:
        """Validates the fields; raises an :class:`InvalidScheduleError` for every refusal."""
        try:
            self._assign(**fields)
        except ValidationError as error:
            problem = error.errors()[0]
            cause = problem.get("ctx", {}).get("error")
            if isinstance(cause, InvalidScheduleError):
                raise cause from error
            field = shortened(".".join(map(str, problem["loc"]))) or "schedule"
            reason = problem["msg"].removeprefix("Value error, ")
            if ", got " not in reason:
                reason += f" (given: {quoted(problem['input'])})"
            raise InvalidScheduleError(given_text(given), field, reason) from error


class ScheduleBase(Displayed, ScheduleValue):
    """The base of all schedules: a frozen, hashable value without a clock.

    Every run is an aware datetime with the fixed offset of its zone at that instant, so that
    ``==``, ``<`` and ``-`` compare instants. It is the scheduled instant, never the instant of delivery.
    """

    if TYPE_CHECKING:  # a field in Cron, which a property of the base would hide

        @property
        def expression(self) -> str | None:
            """The equivalent AWS expression, such as ``rate(5 minutes)``; None if AWS has none.

            The zone and the window are separate and not part of it.
            """

        __iter__: None  # type: ignore[assignment]  # so that type checkers refuse a loop too
    else:

        def __iter__(self) -> NoReturn:
            """Refuses iteration: a schedule may have endless runs, and they need a starting point.

            Raises:
                TypeError: Always.
            """
            raise TypeError(
                f"a {type(self).__name__} cannot be iterated; use schedule.upcoming(5), or "
                "schedule.runs(after=..., until=...)"
            )

    def __contains__(self, instant: object) -> bool:
        """Returns whether the schedule has a run at exactly this instant.

        Args:
            instant: An aware datetime in any zone.

        Raises:
            TypeError: ``instant`` is not a datetime.
            ValueError: ``instant`` is naive, or the schedule is a rate without start, whose runs are counted
                from the creation of a job.
        """
        moment = aware(instant, "instant")
        return self._next(just_before(moment)) == moment

    @abstractmethod
    def describe(self) -> str:
        """Returns a description of the schedule in English."""

    @abstractmethod
    def _next(self, after: datetime) -> datetime | None:
        """Returns the first run strictly after an aware instant."""

    @abstractmethod
    def _previous(self, before: datetime) -> datetime | None:
        """Returns the last run strictly before an aware instant."""

    def _runs(self, after: datetime, until: datetime | None) -> Iterator[datetime]:
        run = self._next(after)
        while run is not None and (until is None or run <= until):
            yield run
            run = self._next(run)

    def next_run(self, after: datetime | None = None) -> datetime | None:
        """Returns the first run after an instant.

        Args:
            after: The instant; aware, exclusive. None: now.

        Returns:
            An aware datetime, or None if no run is left.

        Raises:
            ValueError: ``after`` is naive.
        """
        return self._next(utc_now() if after is None else aware(after, "after"))

    def previous_run(self, before: datetime | None = None) -> datetime | None:
        """Returns the last run before an instant.

        Args:
            before: The instant; aware, exclusive. None: now.

        Returns:
            An aware datetime, or None if there is no earlier run.

        Raises:
            ValueError: ``before`` is naive.
        """
        return self._previous(utc_now() if before is None else aware(before, "before"))

    def runs(self, after: datetime | None = None, until: datetime | None = None) -> Iterator[datetime]:
        """Yields the runs between two instants lazily, in strictly increasing order.

        Args:
            after: The start of the range; aware, exclusive. None: now.
            until: The end of the range; aware, inclusive. None: no end.

        Raises:
            ValueError: An instant is naive.
        """
        start = utc_now() if after is None else aware(after, "after")
        return self._runs(start, None if until is None else aware(until, "until"))

    def upcoming(self, count: int, after: datetime | None = None) -> Instants:
        """Returns the next ``count`` runs, or fewer if the schedule ends before: a list, which ``print()``
        and notebooks show as a table, in the zone of the schedule.

        Args:
            count: The number of runs; at least 0.
            after: The start of the range; aware, exclusive. None: now.

        Raises:
            ValueError: ``after`` is naive, or ``count`` is negative.
        """
        runs = islice(self.runs(after=after), whole_number(count, "count"))
        return Instants(runs, zone=getattr(self, "timezone", None))

    def to_index(self, *, until: datetime, after: datetime | None = None) -> pd.DatetimeIndex:
        """Returns the runs between two instants as an index of pandas: aware, in the schedule's zone (UTC for
        one without, such as a rate), with the name ``run`` and without a frequency.

        Args:
            until: The end of the range; aware, inclusive.
            after: The start of the range; aware, exclusive. None: now.

        Raises:
            ModuleNotFoundError: pandas is not installed.
            TypeError: ``until`` is None, as runs may have no end.
            ValueError: An instant is naive.
        """
        from stepsched.display.frames import instant_index

        runs = self.runs(after, aware(until, "until"))
        return instant_index(runs, shared_zone([getattr(self, "timezone", None)]), "run")

    def localise(self, instant: datetime) -> datetime:
        """Returns the same instant with the offset of the schedule's zone, as its runs have it.

        Args:
            instant: An aware datetime.

        Returns:
            An aware datetime with a fixed offset; in UTC if the schedule has no zone (a rate), or if the wall
            time in the zone would be outside the years 1 to 9999.

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
        """Returns the AWS expression, or the description if AWS has no expression."""
        return self.expression or self.describe()

    def to_svg(self, year: int | None = None) -> str:
        """Returns the calendar of a year as SVG: a block for each month, the days with runs filled.

        Args:
            year: The calendar year in the schedule's zone, from 2 to 9998. None: the present one, in which
                today has a frame. The runs of a rate without start are counted from its beginning.

        Raises:
            ValueError: ``year`` is not a whole number from 2 to 9998.
        """
        return self._year_picture(year).to_svg()

    def plot(self, year: int | None = None, *, ax: Axes | None = None) -> Axes:
        """Draws the calendar of a year with matplotlib, which the extra ``plot`` installs.

        Args:
            year: As for :meth:`to_svg`.
            ax: Where it is drawn. None: on new axes.

        Returns:
            The axes.

        Raises:
            ModuleNotFoundError: matplotlib is not installed.
            ValueError: ``year`` is not a whole number from 2 to 9998.
        """
        from stepsched.pictures.figures import plot

        return plot(self._year_picture(year), ax)

    def _year_picture(self, year: int | None) -> Months:
        from stepsched.schedules.year import year_picture

        return year_picture(cast("Schedule", self), year)

    def _shown_table(self) -> Table:
        """Returns the description and the next five runs."""
        return instants_table(self.upcoming(_NEXT_RUNS), getattr(self, "timezone", None), self.describe())


LONGEST_EXPRESSION = 256
"""The maximum length of an expression on AWS."""


def unwrapped(expression: object, keyword: str) -> tuple[str, str]:
    """Returns an expression as plain text, and the text between its keyword with parentheses.

    Raises:
        InvalidScheduleError: It is no text, too long, or has not that form.
    """
    if not isinstance(expression, str):
        reason = f"expected a string, got {type(expression).__name__}"
        raise InvalidScheduleError(quoted(expression), "expression", reason)
    expression = str.__str__(expression)
    if len(expression) > LONGEST_EXPRESSION:
        reason = f"expected at most {LONGEST_EXPRESSION} characters, as on AWS, got {len(expression):,}"
        raise InvalidScheduleError(expression, "expression", reason)
    match = re.fullmatch(rf"{keyword}\((.*)\)", expression, re.IGNORECASE | re.ASCII)
    if match is None:
        reason = f"expected {keyword}(...), got {quoted(expression)}"
        raise InvalidScheduleError(expression, "expression", reason)
    return expression, match[1]


class BoundedSchedule(ScheduleBase):
    """A schedule with an optional window, whose ends are both inclusive (P-14)."""

    start: Instant = None
    """The start of the window; inclusive. None: no start (for a rate: the creation of its job)."""
    end: Instant = None
    """The end of the window; inclusive. None: no end."""

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
        """Returns the exclusive lower bound, limited by the window's start."""
        if self.start is None or self.start <= after:
            return after
        return just_before(self.start)

    def _until(self, until: datetime | None) -> datetime | None:
        """Returns the inclusive upper bound, limited by the window's end."""
        if self.end is None or (until is not None and until <= self.end):
            return until
        return self.end

    def _before(self, before: datetime) -> datetime:
        """Returns the exclusive upper bound, limited by the window's end."""
        if self.end is None or self.end >= before:
            return before
        return just_after(self.end)

    def _inside(self, run: datetime | None) -> datetime | None:
        if run is None or (self.start and run < self.start) or (self.end and run > self.end):
            return None
        return run
