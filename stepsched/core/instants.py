"""Instants at the ends of the calendar, and as text for programs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo


def later_by(instant: datetime, length: timedelta) -> datetime:
    """Returns the instant a length of time after another one, at most at the ends of the calendar.

    Args:
        instant: The instant; aware.
        length: The length of time; below zero: the instant is that long before.
    """
    try:
        return instant + length
    except OverflowError:
        if length < timedelta(0):
            return min(instant, datetime.min.replace(tzinfo=timezone.utc))
        return max(instant, datetime.max.replace(tzinfo=timezone.utc))


def in_zone(instant: datetime, zone: tzinfo) -> datetime:
    """Returns an instant in a zone. Where its wall time there is beyond the calendar, it keeps its own."""
    try:
        return instant.astimezone(zone)
    except OverflowError:
        return instant


def utc_text(instant: datetime, timespec: str = "auto") -> str:
    """Returns an aware instant in UTC, as ISO 8601 with ``Z``.

    Args:
        instant: The instant.
        timespec: The precision, as of :meth:`datetime.datetime.isoformat`; further digits are cut.

    >>> utc_text(datetime(2030, 1, 1, 9, tzinfo=timezone.utc))
    '2030-01-01T09:00:00Z'
    """
    return instant.astimezone(timezone.utc).isoformat(timespec=timespec).replace("+00:00", "Z")
