"""The runs of one schedule as a list that shows itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from stepsched.display.results import Results

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.frames import Column
    from stepsched.display.table import Table


class Instants(Results[datetime]):
    """The runs of one schedule, oldest first. ``print()`` and notebooks show them in the zone of the schedule
    and in UTC."""

    _noun = ("run", "runs")

    def __init__(self, items: Iterable[datetime] = (), *, zone: str | None = None) -> None:
        """Creates the list.

        Args:
            items: Aware datetimes, with the offset of the zone.
            zone: The IANA name of the zone, which is shown. None: a schedule without a zone.
        """
        super().__init__(items)
        self._zone = zone

    def _name_of(self, item: datetime) -> str:
        return item.isoformat()

    def _shown_table(self) -> Table:
        return instants_table(self, self._zone, self._caption())

    def _columns(self, timezone: str | tzinfo | None) -> list[Column]:
        from stepsched.display.frames import instants
        from stepsched.schedules.zones import shared_zone

        return [instants("run", self, shared_zone([self._zone], timezone))]


def instants_table(runs: Sequence[datetime], zone: str | None, caption: str) -> Table:
    """Returns the table of the runs of one schedule.

    Args:
        runs: Aware datetimes, with the offset of the zone.
        zone: The IANA name of the zone. None: a schedule without a zone.
        caption: What the table shows.
    """
    from stepsched.display.table import Cell, table_of
    from stepsched.display.times import instant_text
    from stepsched.schedules.zones import UTC

    is_utc = zone in (None, "UTC")

    def row(run: datetime) -> list[Cell]:
        key = run.timestamp()
        own = Cell(f"{run:%a} {instant_text(run, zone)}", key)
        return [own] if is_utc else [own, Cell(instant_text(run.astimezone(UTC)), key)]

    head = ["run"] if is_utc else ["run", "UTC"]
    notes = [] if runs else ["no run is left"]
    return table_of(runs, head, row, caption=caption, total=len(runs), notes=notes)
