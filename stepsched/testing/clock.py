"""A fake clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from threading import Lock


class FakeClock:
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
            ValueError: ``start`` is naive.
        """
        self._now = _utc(start)
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
            ValueError: ``instant`` is naive, or earlier than the present.
        """
        instant = _utc(instant)
        with self._lock:
            if instant < self._now:
                raise ValueError(f"the clock shows {self._now.isoformat()}; it cannot go back to {instant}")
            self._now = instant

    def advance(self, step: timedelta) -> None:
        """Moves the clock forward.

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
        raise ValueError(f"{instant.isoformat()} is naive; add tzinfo, such as timezone.utc")
    return instant.astimezone(timezone.utc)
