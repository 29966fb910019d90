"""The only module that reads the machine's clock.

All other modules receive an instant or a clock as an argument, so that tests can use a fake clock.
"""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Protocol, runtime_checkable

from stepsched.core.quoting import quoted


class Clock(Protocol):
    """The clock that a backend uses."""

    def now(self) -> datetime:
        """Returns the present instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Returns the seconds of a clock that never jumps; only differences are meaningful."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        return time.monotonic()


def checked_clock(clock: Clock | None) -> Clock:
    """Returns the given clock; None: the machine's clock.

    Raises:
        TypeError: ``clock`` is not a clock.
    """
    is_clock = not isinstance(clock, (type, datetime)) and callable(getattr(clock, "now", None))
    if clock is not None and not is_clock:
        raise TypeError(f"expected a clock such as FakeClock(...) for clock, got {quoted(clock)}")
    return SystemClock() if clock is None else clock


def utc_now() -> datetime:
    """Returns the present instant, aware, in UTC."""
    return datetime.now(timezone.utc)


@runtime_checkable
class PlayableClock(Clock, Protocol):
    """A clock that can be set, so that a backend can play time."""

    def move_to(self, instant: datetime) -> None:
        """Sets the present to ``instant``, which must not be before the present."""
        ...
