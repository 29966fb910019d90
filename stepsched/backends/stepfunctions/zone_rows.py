"""The rows of zones, with which the machine *register* reads a schedule in any zone by its name.

They are written when a stack is deployed, and renewed by ``repair`` if the database of this machine is newer.
No list of jobs or of runs contains them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from zoneinfo import available_timezones

from stepsched.backends import pool
from stepsched.backends.stepfunctions.rows import Item, key
from stepsched.backends.stepfunctions.table import Table
from stepsched.core.payloads import to_json
from stepsched.display.progress import ignore
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import ZONE_ROW, ZONE_ROWS
from stepsched.machines.zones import FIRST_YEAR, zone_table
from stepsched.schedules.zone_databases import timezone_database
from stepsched.schedules.zones import is_zone_name, load_zone

_LAST = "UTC"
"""The zone whose row is written last, so that it says whether there are rows, and of which database."""
_TOLD = 100
"""The number of rows after which it is told how many are written."""


def write_zone_rows(
    table: Table,
    zones: Iterable[str] | None = None,
    *,
    workers: int = 32,
    tell: Callable[[str], object] = ignore,
) -> int:
    """Writes the rows of zones that are missing or of an older database. It may be repeated, also after an
    interruption.

    Args:
        table: The table.
        zones: The IANA names of zones. None: all zones of this machine's database. The row of UTC is always
            written too.
        workers: The maximum number of concurrent calls.
        tell: Called with lines on how many are written.

    Returns:
        The number of rows that were written.

    Raises:
        InvalidScheduleError: There is no zone of a name.
        BackendError: The table cannot be read or written.
    """
    names = _all_zones() if zones is None else [load_zone(zone).key for zone in zones]
    version = _version()
    found = _versions(table, [*names, _LAST])
    old = [name for name in dict.fromkeys([*names, _LAST]) if found.get(name, "") < (version or " ")]
    old.sort(key=_LAST.__eq__)
    rows = (_row(name, version) for name in old)  # in this thread: other names of a zone cost nothing
    written = 0
    for done, is_written in enumerate(
        pool.each(lambda row: table.put_newer(row, version), rows, workers=workers), start=1
    ):
        written += is_written
        if done % _TOLD == 0 and done < len(old):
            tell(f"{done} of {len(old)} time zones are written to table {table.name}")
    return written


def renew_zone_rows(table: Table, *, workers: int) -> int:
    """Writes the rows of zones that exist and are of an older database.

    Returns:
        The number of rows that were written; 0 if the table has no rows of zones, or newer ones.
    """
    last = table.item(_name(_LAST), ZONE_ROW)
    version = _version()
    if last is None or last[schema.DATABASE]["S"] >= version:
        return 0
    return write_zone_rows(table, _versions(table, _all_zones()), workers=workers)


def _version() -> str:
    return timezone_database().version or ""


def _all_zones() -> list[str]:
    return sorted(filter(is_zone_name, available_timezones()))


def _versions(table: Table, names: Iterable[str]) -> dict[str, str]:
    """The versions of the databases of the rows that exist, by the names of their zones."""
    items = table.items(key(_name(name), ZONE_ROW) for name in names)
    return {item[schema.NAME]["S"].removeprefix(ZONE_ROWS): item[schema.DATABASE]["S"] for item in items}


def _row(name: str, version: str) -> Item:
    return {
        **key(_name(name), ZONE_ROW),
        schema.OFFSETS: {"S": to_json(zone_table(name, FIRST_YEAR))},
        schema.DATABASE: {"S": version},
    }


def _name(zone: str) -> str:
    return f"{ZONE_ROWS}{zone}"
