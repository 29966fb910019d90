"""The upcoming runs of many jobs, in one order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from stepsched.core.quoting import quoted
from stepsched.display.frames import Framed, instants, texts
from stepsched.display.results import Displayed
from stepsched.jobs.frames import zone_name
from stepsched.jobs.job import Job
from stepsched.jobs.records import JobRecord, runs_of
from stepsched.pictures.pictured import Pictured
from stepsched.schedules.zones import UTC, shared_zone

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.frames import Column
    from stepsched.display.table import Cell, Table
    from stepsched.jobs.agenda import Agenda


class _UpcomingRun(NamedTuple):
    at: datetime
    job: Job


class UpcomingRun(Displayed, _UpcomingRun):
    """An upcoming run: a tuple of its instant and its job.

    Attributes:
        at: The scheduled instant: aware, with the offset of the schedule's zone.
        job: The job.
    """

    __slots__ = ()

    def __str__(self) -> str:
        """Returns a line such as ``Mon 2030-01-07 09:00:00 +0100  nightly-report``."""
        return f"{self.at:%a %Y-%m-%d %H:%M:%S %z}  {self.job.name}"

    def __repr__(self) -> str:
        return f"UpcomingRun(at={self.at.isoformat()!r}, job={quoted(self.job.name)})"

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table
        from stepsched.jobs.shown import job_rows, when_cell

        when = when_cell(self.at, getattr(self.job.schedule, "timezone", None))
        return record_table([("when", when), *job_rows(self.job)])


class Upcoming(Displayed, Framed, Pictured):
    """The upcoming runs of many jobs, ordered by instant, and by job name for equal instants.

    Each iteration starts from the beginning and computes the runs one by one. It holds one run per job in
    memory, however many runs there are. ``print()`` and notebooks show the first 60.

    The picture has a lane for each of up to 60 jobs; of more jobs the number of runs in each hour, or over
    more than 35 days on each day. Where the runs are so many that counting them would take longer than a
    person waits, it shows the first ones, and says so. In a notebook it does so earlier.
    """

    def __init__(
        self, records: Sequence[JobRecord], *, after: datetime, until: datetime | None, limit: int | None
    ) -> None:
        """Creates the runs of stored jobs.

        Args:
            records: The jobs; those without a next run are left out.
            after: The start of the range; aware, exclusive.
            until: The end of the range; aware, inclusive. None: no end.
            limit: The maximum number of runs. None: no limit.
        """
        self._records = sorted(records, key=lambda record: (record.name, record.job.group))
        self._after = after
        self._until = until
        self._limit = limit

    def __iter__(self) -> Iterator[UpcomingRun]:
        return (UpcomingRun(at, record.job) for at, record in self._with_records())

    def _with_records(self) -> Iterator[tuple[datetime, JobRecord]]:
        streams = [self._runs(record) for record in self._records]
        # Keyed by UTC: datetimes of one offset compare fast.
        runs = merge(*streams, key=lambda run: run[0].astimezone(UTC))
        return islice(runs, self._limit)

    def _runs(self, record: JobRecord) -> Iterator[tuple[datetime, JobRecord]]:
        for at in runs_of(record, after=self._after, until=self._until):
            yield at, record

    def __repr__(self) -> str:
        words = [f"runs of {len(self._records):,} job{'s' * (len(self._records) != 1)}"]
        words += [] if self._until is None else [f"until {self._until.isoformat()}"]
        words += [] if self._limit is None else [f"at most {self._limit}"]
        return f"<Upcoming: {', '.join(words)}>"

    def _picture(self) -> str:
        from stepsched.display.svg import PAGE
        from stepsched.jobs.agenda import MOST_AT_ONCE

        if self._limit == 0 or not any(self._is_next(record.next_run) for record in self._records):
            return ""
        return self._drawing(None, most=MOST_AT_ONCE).to_svg(PAGE)

    def _is_next(self, run: datetime | None) -> bool:
        return run is not None and (self._until is None or run <= self._until)

    def _drawing(self, timezone: str | tzinfo | None, *, most: int | None = None) -> Agenda:
        from stepsched.jobs import agenda

        zone = shared_zone((zone_name(record.job) for record in self._records), timezone)
        asked = agenda.Asked(self._records, self._after, self._until, zone, most or agenda.MOST)
        if self._until is not None and self._limit is None:
            return agenda.agenda_until(asked, self._until)
        return agenda.agenda_of_runs(asked, self._with_records())

    def _shown_table(self) -> Table:
        from stepsched.display.table import table_of
        from stepsched.jobs.shown import upcoming_cells

        has_groups = len({record.job.group for record in self._records}) > 1
        head = ["when", "in", "job", *(["group"] if has_groups else [])]

        def row(run: UpcomingRun) -> list[Cell]:
            cells = upcoming_cells(run.at, run.job, self._after)
            return [cells[title] for title in head]

        table = table_of(self, head, row, caption="upcoming runs", total=None)
        return table if table.rows else replace(table, caption="no run is left")

    def _columns(self, timezone: str | tzinfo | None) -> list[Column]:
        runs = list(self)
        names = [zone_name(run.job) for run in runs]
        return [
            instants("at", (run.at for run in runs), shared_zone(names, timezone)),
            texts("job", (run.job.name for run in runs)),
            texts("group", (run.job.group for run in runs)),
            texts("timezone", (name or "UTC" for name in names)),
        ]
