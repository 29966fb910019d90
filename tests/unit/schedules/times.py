"""How these tests write instants and read them back: as ISO 8601 text with the offset."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

import stepsched as ss
from stepsched.schedules.zones import load_zone

UTC = timezone.utc
FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)


def utc(text: str) -> datetime:
    """``utc("2025-01-01 09:00")``: that instant; an offset may stand at the end."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def shown(runs: Iterable[datetime | None]) -> list[str | None]:
    """Each as ``2025-01-01 09:00+01:00``, with seconds only where there are any."""
    return [show(run) for run in runs]


def show(run: datetime | None) -> str | None:
    """One of them."""
    if run is None:
        return None
    precise = "minutes" if not (run.second or run.microsecond) else "auto"
    return run.isoformat(" ", precise)


def is_known_zone(key: str) -> bool:
    """Whether the engine takes the name."""
    try:
        load_zone(key)
    except ss.InvalidScheduleError:
        return False
    return True
