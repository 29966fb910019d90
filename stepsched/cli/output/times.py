"""Instants and lengths of time in the output: always with the zone and its offset."""

from __future__ import annotations

from datetime import datetime

from stepsched.display.times import distance_text, instant_text, length_text, zoned
from stepsched.jobs.shown import scheduled_text

__all__ = ["distance_text", "instant_text", "length_text", "scheduled_text", "second_text", "zoned"]


def second_text(instant: datetime) -> str:
    """Returns an instant with its seconds, such as ``2030-01-07 09:00:00 +01:00 Europe/Paris``, for lines
    below each other."""
    text = instant_text(instant.replace(second=1, microsecond=0))
    return f"{text[:17]}{instant.second:02}{text[19:]}"
