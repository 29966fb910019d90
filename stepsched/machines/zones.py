"""The offsets of a zone as data for a state machine: by year, or by the kind of year.

Most zones define their changes by month, week and weekday. Two years that begin on the same weekday, and are
both leap years or both not, then have them at the same moments: 14 kinds of year are enough. Other years,
such as those in which Morocco follows the lunar calendar, have entries of their own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from io import BytesIO
from struct import unpack_from
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from stepsched.schedules.cron_fields import LAST_YEAR
from stepsched.schedules.zone_databases import zone_file
from stepsched.schedules.zones import UTC, Zone

FIRST_YEAR = 2020
"""The first year of a table, unless its schedule begins earlier. No execution began before it."""
_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Counts(NamedTuple):
    """The counts in a header of a file of a zone (RFC 9636, section 3.1)."""

    is_utc: int
    is_standard: int
    leaps: int
    times: int
    types: int
    characters: int


def zone_table(key: str, first_year: int) -> dict[str, Any]:
    """The offsets of a zone, in seconds, from a year on.

    A zone without changes gives ``{"offset": 3600}``. Any other gives ``kinds`` and, for years that differ
    from their kind, ``years``: each year holds its changes (``at``: seconds after its beginning in UTC,
    ascending) and the offset before the first and after each (``offset``). A kind is twice the weekday of 1
    January (0 is Sunday), plus 1 in a leap year. A year is looked up by its number first, then by its kind.

    Args:
        key: The IANA name of a zone that exists.
        first_year: The first year for which the table must be correct.
    """
    return _table(zone_file(key), first_year)


@lru_cache(maxsize=1024)
def _table(file: bytes, first_year: int) -> dict[str, Any]:
    """The table of all zones that have a file: other names of one zone have the same one."""
    zone = Zone("", ZoneInfo.from_file(BytesIO(file)))
    last_year = min(_last_listed_year(file) + 1, LAST_YEAR)
    listed = {year: _entry(zone, year) for year in range(first_year - 1, last_year + 1)}
    # All kinds occur in 28 years. Without a rule, all years are as the last one.
    repeats = file[4:5] < b"2" or b"," not in file.splitlines()[-1]
    last = _entry(zone, LAST_YEAR)
    kinds = {
        _kind(year): last if repeats else _entry(zone, year) for year in range(LAST_YEAR - 27, LAST_YEAR + 1)
    }
    exceptions = {str(year): entry for year, entry in listed.items() if entry != kinds[_kind(year)]}
    offsets = {offset for entry in kinds.values() for offset in entry["offset"]}
    if not exceptions and len(offsets) == 1:
        return {"offset": offsets.pop()}
    table: dict[str, Any] = {"kinds": {str(kind): kinds[kind] for kind in sorted(kinds)}}
    return table | ({"years": exceptions} if exceptions else {})


def _last_listed_year(file: bytes) -> int:
    """The year of the last change that a file lists (RFC 9636, section 3); 1 if it lists none.

    Later changes follow the rule at the end of the file, which names months, weeks and days: they are the
    same in all years of a kind.
    """
    first, second = _counts(file), 0
    if file[4:5] >= b"2":  # the same again, with moments of 64 bits
        second = 44 + first.times * 5 + first.types * 6 + first.characters + first.leaps * 8 + sum(first[:2])
    times = _counts(file[second:]).times
    size, code = (8, "q") if second else (4, "i")
    if not times:
        return 1
    (last,) = unpack_from(f">{code}", file, second + 44 + size * (times - 1))
    return (_EPOCH + timedelta(seconds=last)).year


def _counts(header: bytes) -> _Counts:
    return _Counts(*unpack_from(">6i", header, 20))


def _entry(zone: Zone, year: int) -> dict[str, list[int]]:
    """The changes and offsets of a year in UTC."""
    new_year = datetime(year, 1, 1, tzinfo=UTC)
    changes = {}
    for near in range(max(year - 1, 1), year + 2):
        for change in zone.year(near).changes:
            at = change.wall_before.replace(tzinfo=change.before).astimezone(UTC)
            if at.year == year:
                changes[(at - new_year) // _SECOND] = change
    ascending = sorted(changes)
    first = changes[ascending[0]].before.utcoffset(None) if changes else zone.localise(new_year).utcoffset()
    assert first is not None
    offsets = [first, *(changes[at].after.utcoffset(None) for at in ascending)]
    return {"at": ascending, "offset": [each // _SECOND for each in offsets]}


def _kind(year: int) -> int:
    first = datetime(year, 1, 1)
    return first.isoweekday() % 7 * 2 + ((datetime(year + 1, 1, 1) - first).days - 365)
