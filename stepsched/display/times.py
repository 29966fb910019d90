"""Instants and lengths of time for people."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def length_text(length: timedelta) -> str:
    """Returns the two largest units of a length of time, such as ``3 h 12 min``."""
    rest, parts = round(length.total_seconds()), list[str]()
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(filter(None, parts)) or "0 s"


def took_text(length: timedelta) -> str:
    """Returns how long something took, as :func:`length_text`; below ten seconds more exactly.

    >>> [took_text(timedelta(seconds=seconds)) for seconds in (0.004, 0.9996, 3.14, 9.96, 90)]
    ['4 ms', '1.0 s', '3.1 s', '10 s', '1 min 30 s']
    """
    seconds = length.total_seconds()
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 9.95 else length_text(length)


def instant_text(instant: datetime | None, zone: str | None = None) -> str:
    """Returns an instant such as ``2030-01-07 09:00 +01:00 Europe/Paris``, or ``-`` for None.

    Args:
        instant: The instant.
        zone: The name of its zone, if it has only the offset.
    """
    if instant is None:
        return "-"
    wall = instant.replace(tzinfo=None)
    seconds = "seconds" if wall.second or wall.microsecond else "minutes"
    offset = instant.isoformat()[len(wall.isoformat()) :]
    zone = zone or getattr(instant.tzinfo, "key", None) or ("UTC" if not instant.utcoffset() else "")
    return f"{wall.isoformat(' ', seconds)} {offset} {zone}".rstrip()


def zoned(instant: datetime, zone: str | None) -> datetime:
    """Returns an instant in a time zone, so that its text names the zone. None: unchanged."""
    return instant if zone is None else instant.astimezone(ZoneInfo(zone))


def distance_text(instant: datetime | None, now: datetime) -> str:
    """Returns how far an instant is from now: ``in 3 h 12 min``, ``2 d 1 h ago``, or ``-`` for None."""
    if instant is None:
        return "-"
    seconds = round((instant - now).total_seconds())
    length = length_text(timedelta(seconds=abs(seconds)))
    if seconds == 0:
        return "now"
    return f"in {length}" if seconds > 0 else f"{length} ago"
