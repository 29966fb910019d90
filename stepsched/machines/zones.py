"""The offsets of a zone as data for a state machine: by year, or by the kind of year.

Most zones define their changes by month, week and weekday. Two years that begin on the same weekday, and are
both leap years or both not, then have them at the same moments: 14 kinds of year are enough. Other years,
such as those in which Morocco follows the lunar calendar, have entries of their own.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from stepsched.schedules.cron_fields import LAST_YEAR
from stepsched.schedules.zones import UTC, Change, Zone, load_zone

FIRST_YEAR = 2020
"""The first year of a table, unless its schedule begins earlier. No execution began before it."""
_SECOND = timedelta(seconds=1)


@lru_cache(maxsize=256)
def zone_table(key: str, first_year: int) -> dict[str, Any]:
    """The offsets of a zone, in seconds, from a year on.

    A zone without changes gives ``{"offset": 3600}``. Any other gives ``kinds`` and, for years that differ
    from their kind, ``years``: each year holds its changes (``at``: seconds after its beginning in UTC,
    ascending) and the offset before the first and after each (``offset``). A kind is twice the weekday of 1
    January (0 is Sunday), plus 1 in a leap year. A year is looked up by its number first, then by its kind.

    Args:
        key: The IANA name of the zone.
        first_year: The first year for which the table must be correct.
    """
    zone = load_zone(key)
    years = _years(zone, first_year - 1)
    kinds: dict[int, dict[str, list[int]]] = {}
    for year in range(LAST_YEAR - 27, LAST_YEAR + 1):  # all kinds occur in 28 years
        kinds[_kind(year)] = years[year]
    exceptions = {str(year): entry for year, entry in years.items() if entry != kinds[_kind(year)]}
    offsets = {offset for entry in kinds.values() for offset in entry["offset"]}
    if not exceptions and len(offsets) == 1:
        return {"offset": offsets.pop()}
    table: dict[str, Any] = {"kinds": {str(kind): kinds[kind] for kind in sorted(kinds)}}
    return table | ({"years": exceptions} if exceptions else {})


def _years(zone: Zone, first_year: int) -> dict[int, dict[str, list[int]]]:
    """The changes and offsets of each year from ``first_year`` to the last year of cron."""
    changes: defaultdict[int, dict[datetime, Change]] = defaultdict(dict)
    for year in range(first_year, LAST_YEAR + 2):
        for change in zone.year(year).changes:
            at = change.wall_before.replace(tzinfo=change.before).astimezone(UTC)
            changes[at.year][at] = change
    start = datetime(first_year, 1, 1, tzinfo=UTC)
    offset = zone.localise(start).utcoffset()
    assert offset is not None
    years = {}
    for year in range(first_year, LAST_YEAR + 1):
        new_year = datetime(year, 1, 1, tzinfo=UTC)
        entry: dict[str, list[int]] = {"at": [], "offset": [offset // _SECOND]}
        for at in sorted(changes[year]):
            offset = changes[year][at].after.utcoffset(None)
            entry["at"].append((at - new_year) // _SECOND)
            entry["offset"].append(offset // _SECOND)
        years[year] = entry
    return years


def _kind(year: int) -> int:
    first = datetime(year, 1, 1)
    return first.isoweekday() % 7 * 2 + ((datetime(year + 1, 1, 1) - first).days - 365)
