"""Instants and lengths of time in the output: always with the zone and its offset."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from stepsched.display.times import distance_text, instant_text, length_text, zoned

if TYPE_CHECKING:
    from stepsched.schedules import AnySchedule

__all__ = ["distance_text", "instant_text", "length_text", "scheduled_text", "second_text", "zoned"]


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
