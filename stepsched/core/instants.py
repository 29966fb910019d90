"""Instants as text for programs."""

from __future__ import annotations

from datetime import datetime, timezone


def utc_text(instant: datetime, timespec: str = "auto") -> str:
    """Returns an aware instant in UTC, as ISO 8601 with ``Z``.

    Args:
        instant: The instant.
        timespec: The precision, as of :meth:`datetime.datetime.isoformat`; further digits are cut.

    >>> utc_text(datetime(2030, 1, 1, 9, tzinfo=timezone.utc))
    '2030-01-01T09:00:00Z'
    """
    return instant.astimezone(timezone.utc).isoformat(timespec=timespec).replace("+00:00", "Z")
