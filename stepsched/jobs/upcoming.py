"""The upcoming runs of many jobs, in one order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from heapq import merge
from itertools import islice
from typing import NamedTuple

from stepsched.display.notebook import table
from stepsched.jobs.job import Job
from stepsched.jobs.records import JobRecord
from stepsched.schedules import Rate
from stepsched.schedules.zones import UTC

_SHOWN = 50
"""The number of runs that a text or a table shows."""
_TICK = timedelta(microseconds=1)


class UpcomingRun(NamedTuple):
    """An upcoming run."""

    at: datetime
    """The scheduled instant: aware, with the offset of the schedule's zone."""
    job: Job

    def __str__(self) -> str:
        """Returns a line such as ``Mon 2030-01-07 09:00:00 +0100  nightly-report``."""
        return f"{self.at:%a %Y-%m-%d %H:%M:%S %z}  {self.job.name}"


class Upcoming:
    """The upcoming runs of many jobs, ordered by instant, and by job name for equal instants.

    Each iteration starts from the beginning and computes the runs one by one. It holds one run per job in
    memory, however many runs there are. ``print()`` and notebooks show the first 50.
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
        streams = [self._runs(record) for record in self._records]
        # Keyed by UTC: datetimes of one offset compare fast.
        runs = merge(*streams, key=lambda run: run.at.astimezone(UTC))
        return islice(runs, self._limit)

    def _runs(self, record: JobRecord) -> Iterator[UpcomingRun]:
        job, first = record.job, record.next_run
        if first is None:
            return
        schedule = job.schedule
        if isinstance(schedule, Rate) and job.starts_at_creation:  # its grid is determined by any of its runs
            schedule = schedule.replace(start=first - schedule.every)
        for at in schedule.runs(after=max(self._after, first - _TICK), until=self._until):
            yield UpcomingRun(at, job)

    def __str__(self) -> str:
        """Returns one line per run."""
        shown, more = self._shown()
        return "\n".join([*map(str, shown), *(["..."] if more else [])]) or "no run is left"

    def __repr__(self) -> str:
        words = [f"runs of {len(self._records)} jobs"]
        words += [] if self._until is None else [f"until {self._until.isoformat()}"]
        words += [] if self._limit is None else [f"at most {self._limit}"]
        return f"<Upcoming: {', '.join(words)}>"

    def _repr_html_(self) -> str:
        """Returns an HTML table, for notebooks."""
        shown, more = self._shown()
        rows: list[Sequence[str]] = [
            (
                f"{run.at:%a %Y-%m-%d %H:%M:%S %z}",
                f"{run.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
                run.job.name,
                run.job.group,
            )
            for run in shown
        ]
        rows += [("...",)] if more else []
        return table(rows or [("no run is left",)], head=("run", "UTC", "job", "group"))

    def _shown(self) -> tuple[list[UpcomingRun], bool]:
        """Returns the first runs, and whether there are more."""
        runs = list(islice(self, _SHOWN + 1))
        return runs[:_SHOWN], len(runs) > _SHOWN
