"""The one place that reads the machine's clock.

Everything else is handed an instant or a clock, so that time can be played in tests.
"""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Protocol, runtime_checkable


class Clock(Protocol):
    """What a backend asks of time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps; only differences mean anything."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        return time.monotonic()


def checked_clock(clock: Clock | None) -> Clock:
    """The clock itself; the machine's where none is given.

    Raises:
        TypeError: It is something else.
    """
    if clock is not None and (isinstance(clock, type) or not callable(getattr(clock, "now", None))):
        raise TypeError(f"expected a clock such as FakeClock(...) for clock, got {clock!r}")
    return SystemClock() if clock is None else clock


def utc_now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(timezone.utc)


@runtime_checkable
class PlayableClock(Clock, Protocol):
    """A clock that is set rather than read: it lets a backend play time."""

    def move_to(self, instant: datetime) -> None:
        """Makes ``instant`` the present; never backwards."""
        ...
