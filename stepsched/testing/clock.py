"""The fake clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from threading import Lock


class FakeClock:
    """A clock that shows the time that is set.

    Example:
        >>> clock = FakeClock(datetime(2030, 1, 1, tzinfo=timezone.utc))
        >>> clock.advance(timedelta(days=1))
        >>> clock.now().isoformat()
        '2030-01-02T00:00:00+00:00'
    """

    def __init__(self, start: datetime) -> None:
        """Creates a clock that shows ``start``.

        Raises:
            TypeError: ``start`` is not a datetime.
            ValueError: ``start`` is naive.
        """
        self._now = _utc(start)
        self._lock = Lock()

    def now(self) -> datetime:
        """Returns the present instant of the clock, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Returns the present instant in seconds."""
        return self._now.timestamp()

    def move_to(self, instant: datetime) -> None:
        """Sets the present to ``instant``.

        Raises:
            ValueError: ``instant`` is naive, or earlier than the present.
        """
        instant = _utc(instant)
        with self._lock:
            if instant < self._now:
                raise ValueError(f"expected an instant at or after {self._now.isoformat()}, got {instant}")
            self._now = instant

    def advance(self, step: timedelta) -> None:
        """Advances the clock.

        Raises:
            ValueError: ``step`` is negative.
        """
        self.move_to(self._now + step)

    def __repr__(self) -> str:
        return f"FakeClock({self._now.isoformat()})"


def _utc(instant: datetime) -> datetime:
    if not isinstance(instant, datetime):
        raise TypeError(f"expected an aware datetime, got {instant!r}")
    if instant.utcoffset() is None:
        raise ValueError(f"expected an aware datetime, got {instant.isoformat()}; add tzinfo=timezone.utc")
    return instant.astimezone(timezone.utc)
