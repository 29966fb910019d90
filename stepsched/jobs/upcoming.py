"""The runs to come of many jobs as one stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from heapq import merge
from itertools import islice
from typing import NamedTuple

from stepsched.display.notebook import table
from stepsched.jobs import Job, JobRecord
from stepsched.schedules import Rate
from stepsched.schedules.zones import UTC

_SHOWN = 50
"""Runs that a text or a table shows."""
_TICK = timedelta(microseconds=1)


class UpcomingRun(NamedTuple):
    """A run that is to come."""

    at: datetime
    """The scheduled instant: aware, at the offset of the schedule's own zone."""
    job: Job

    def __str__(self) -> str:
        """A line such as ``Mon 2030-01-07 09:00:00 +0100  nightly-report``."""
        return f"{self.at:%a %Y-%m-%d %H:%M:%S %z}  {self.job.name}"


class Upcoming:
    """The runs to come of many jobs, in the order of their instants; those of one instant by the jobs' names.

    Each iteration begins anew and works the runs out one after another. It holds one run a job, however long
    the stream is. ``print()`` and a notebook show the first 50.
    """

    def __init__(
        self, records: Sequence[JobRecord], *, after: datetime, until: datetime | None, limit: int | None
    ) -> None:
        """The runs of jobs as they are stored.

        Args:
            records: The jobs; those without a next run have none.
            after: Aware; exclusive.
            until: Aware; inclusive. None: no such bound.
            limit: At most so many. None: no such bound.
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
        if isinstance(schedule, Rate) and job.starts_at_creation:  # its grid is known by one of its runs
            schedule = schedule.replace(start=first - schedule.every)
        for at in schedule.runs(after=max(self._after, first - _TICK), until=self._until):
            yield UpcomingRun(at, job)

    def __str__(self) -> str:
        """A line a run."""
        shown, more = self._shown()
        return "\n".join([*map(str, shown), *(["..."] if more else [])]) or "no run is left"

    def __repr__(self) -> str:
        words = [f"runs of {len(self._records)} jobs"]
        words += [] if self._until is None else [f"until {self._until.isoformat()}"]
        words += [] if self._limit is None else [f"at most {self._limit}"]
        return f"<Upcoming: {', '.join(words)}>"

    def _repr_html_(self) -> str:
        """A table, for notebooks."""
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
        """The first runs, and whether there are more."""
        runs = list(islice(self, _SHOWN + 1))
        return runs[:_SHOWN], len(runs) > _SHOWN
