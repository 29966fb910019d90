"""The table of a zone, as a machine has it, against one that is made year by year."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta
from struct import pack
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest

from stepsched.machines import zones
from stepsched.machines.zones import FIRST_YEAR, zone_table
from stepsched.schedules.cron_fields import LAST_YEAR
from stepsched.schedules.zones import UTC, is_zone_name, load_zone

SECOND = timedelta(seconds=1)
NAMES = sorted(filter(is_zone_name, available_timezones()))
SOME = (
    "Africa/Casablanca",
    "America/Godthab",
    "America/Nuuk",
    "Europe/Dublin",
    "Asia/Gaza",
    "America/Sao_Paulo",
)


def year_by_year(key: str, first_year: int) -> dict[str, Any]:
    """The table, with the changes of every year looked for: no rule is taken from the file of the zone."""
    zone = load_zone(key)
    moments = {
        change.wall_before.replace(tzinfo=change.before).astimezone(UTC): change.after
        for year in range(first_year - 1, LAST_YEAR + 2)
        for change in zone.year(year).changes
    }
    offset = (datetime(first_year - 1, 1, 1, tzinfo=UTC) - SECOND).astimezone(ZoneInfo(key)).utcoffset()
    assert offset is not None
    years = {}
    for year in range(first_year - 1, LAST_YEAR + 1):
        new_year = datetime(year, 1, 1, tzinfo=UTC)
        entry: dict[str, list[int]] = {"at": [], "offset": [offset // SECOND]}
        for at in sorted(each for each in moments if each.year == year):
            offset = moments[at].utcoffset(None)
            entry["at"].append((at - new_year) // SECOND)
            entry["offset"].append(offset // SECOND)
        years[year] = entry
    kinds = {_kind(year): years[year] for year in range(LAST_YEAR - 27, LAST_YEAR + 1)}
    others = {str(year): entry for year, entry in years.items() if entry != kinds[_kind(year)]}
    offsets = {each for entry in kinds.values() for each in entry["offset"]}
    if not others and len(offsets) == 1:
        return {"offset": offsets.pop()}
    return {"kinds": {str(kind): kinds[kind] for kind in sorted(kinds)}} | (
        {"years": others} if others else {}
    )


def _kind(year: int) -> int:
    first = datetime(year, 1, 1)
    return (first.weekday() + 1) % 7 * 2 + (datetime(year, 12, 31).timetuple().tm_yday - 365)


@pytest.mark.parametrize("key", SOME)
def test_rules_and_listed_changes_give_the_table_of_every_year(key: str) -> None:
    assert zone_table(key, FIRST_YEAR) == year_by_year(key, FIRST_YEAR)


@pytest.mark.proof
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first_year", [1970, 2007, FIRST_YEAR])
def test_every_zone_has_the_table_of_every_year(first_year: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [key for key in NAMES if zone_table(key, first_year) != year_by_year(key, first_year)] == []


def test_names_of_one_zone_are_computed_once() -> None:
    zones._table.cache_clear()
    assert zone_table("Asia/Calcutta", FIRST_YEAR) is zone_table("Asia/Kolkata", FIRST_YEAR)
    assert zones._table.cache_info().misses == 1


@pytest.mark.parametrize(("year", "listed"), [(2030, True), (2031, False)])
def test_a_file_of_the_first_version_has_no_rule(year: int, listed: bool) -> None:
    """It lists one change, to summer time, on 1 July 2030; nothing follows it."""
    at = int(datetime(2030, 7, 1, tzinfo=UTC).timestamp())
    header = b"TZif" + b"\0" * 16 + pack(">6i", 0, 0, 0, 1, 2, 8)
    types = pack(">ibB", 3_600, 0, 0) + pack(">ibB", 7_200, 1, 4)
    table = zones._table(header + pack(">i", at) + b"\1" + types + b"CET\0CES\0", FIRST_YEAR)
    assert table["kinds"]["0"] == {"at": [], "offset": [7_200]}
    assert (str(year) in table["years"]) is listed
