"""A fake clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from threading import Lock
from typing import TYPE_CHECKING

from stepsched.core.durations import step_of
from stepsched.display.results import Displayed
from stepsched.schedules.moments import aware

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Table


class FakeClock(Displayed):
    """A clock that shows a fixed instant until it is moved. Thread-safe.

    Example:
        >>> clock = FakeClock(datetime(2030, 1, 1, tzinfo=timezone.utc))
        >>> clock.advance(timedelta(days=1))
        >>> clock.now().isoformat()
        '2030-01-02T00:00:00+00:00'
    """

    def __init__(self, start: datetime) -> None:
        """A clock that shows ``start``.

        Raises:
            TypeError: ``start`` is not a datetime.
            ValueError: ``start`` is naive.
        """
        self._now = aware(start, "start").astimezone(timezone.utc)
        self._lock = Lock()

    def now(self) -> datetime:
        """The instant to which the clock was last moved, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """The instant as seconds since 1970."""
        return self._now.timestamp()

    def move_to(self, instant: datetime) -> None:
        """Makes ``instant`` the present.

        Raises:
            TypeError: ``instant`` is not a datetime.
            ValueError: ``instant`` is naive, or earlier than the present.
        """
        instant = aware(instant, "instant").astimezone(timezone.utc)
        with self._lock:
            if instant < self._now:
                raise ValueError(f"the clock shows {self._now.isoformat()}; it cannot go back to {instant}")
            self._now = instant

    def advance(self, step: timedelta) -> None:
        """Moves the clock forward.

        Raises:
            TypeError: ``step`` is not a timedelta.
            ValueError: ``step`` is negative, or leads past the year 9999.
        """
        step = step_of(step, "step")
        try:
            later = self._now + step
        except OverflowError as error:
            raise ValueError(f"expected an instant up to the year 9999, got {step} more") from error
        self.move_to(later)

    def __repr__(self) -> str:
        return f"FakeClock({self._now.isoformat()})"

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table
        from stepsched.display.times import instant_text

        return record_table([("the clock shows", instant_text(self._now))])
