"""Instants and lengths of time in the output: always with the zone and its offset."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from stepsched.display.times import length_text

if TYPE_CHECKING:
    from stepsched.schedules import AnySchedule

__all__ = ["distance_text", "instant_text", "length_text", "scheduled_text", "second_text", "zoned"]


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


def second_text(instant: datetime) -> str:
    """Returns an instant with its seconds, such as ``2030-01-07 09:00:00 +01:00 Europe/Paris``, for lines
    below each other."""
    text = instant_text(instant.replace(second=1, microsecond=0))
    return f"{text[:17]}{instant.second:02}{text[19:]}"


def scheduled_text(instant: datetime | None, schedule: AnySchedule) -> str:
    """Returns an instant in the zone of a schedule, with the name of the zone, or ``-`` for None."""
    if instant is None:
        return "-"
    return instant_text(schedule.localise(instant), getattr(schedule, "timezone", None))


def distance_text(instant: datetime | None, now: datetime) -> str:
    """Returns how far an instant is from now: ``in 3 h 12 min``, ``2 d 1 h ago``, or ``-`` for None."""
    if instant is None:
        return "-"
    seconds = round((instant - now).total_seconds())
    length = length_text(timedelta(seconds=abs(seconds)))
    if seconds == 0:
        return "now"
    return f"in {length}" if seconds > 0 else f"{length} ago"
