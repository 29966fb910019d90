"""Reads what a watch shows. What has not changed is not read again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import nsmallest
from typing import NamedTuple

from stepsched.backends.base import Backend, RunQuery
from stepsched.core.clock import SystemClock
from stepsched.core.errors import UnsupportedError
from stepsched.jobs import JobRecord, JobStatus, Run, RunStatus
from stepsched.watching.stored import PACE, StoredJob, StoredJobs

MOST = 10
"""The maximum number of rows that a part of the picture has."""
_READ = 200
"""The number of the latest runs, and of those of a status, that are read."""
_TROUBLES = (RunStatus.FAILED, RunStatus.SKIPPED, RunStatus.MISSED)


class Seen(NamedTuple):
    """What a watch has seen at one instant."""

    now: datetime
    counts: Mapping[str, int] = {}
    """The number of jobs by status, and as ``failing`` of those whose last run failed."""
    upcoming: Sequence[JobRecord] = ()
    """The jobs that come due next, in this order."""
    running: Sequence[Run] = ()
    """The runs in progress, the oldest first."""
    waiting: Sequence[Run] = ()
    """The runs that are recorded and do not run: first those that wait for a reason or another attempt."""
    troubled: Sequence[Run] = ()
    """The runs that failed, were skipped or missed, the latest first: of each job the latest of each of these
    statuses, so that no job hides the others."""
    latest: Mapping[int, Run] = {}
    """The runs that were recorded last, and all above, by ID."""
    is_served: bool = True
    """Whether a process or a service runs the jobs at present."""
    without_runs: str | None = None
    """Why no runs are known. None: they are."""
    age: timedelta = timedelta(0)
    """How long ago the jobs or the runs were read, whichever is longer."""
    outage: str | None = None
    """Why the backend could not be read at this instant, so that the rest is older. None: it was read."""
    is_known: bool = True
    """Whether it has been read before. False: only ``outage`` says something."""


class Reader:
    """Reads what a watch shows, as cheaply as the backend allows.

    A backend that records events is asked for these, and for more only if there are any. Of another one, what
    was read is kept for ten times as long as the reading took.
    """

    def __init__(
        self,
        backend: Backend,
        read: Callable[[], Iterable[JobRecord]],
        is_wanted: Callable[[JobRecord], bool] | None = None,
    ) -> None:
        """Creates a reader. Nothing is read yet.

        Args:
            backend: The backend.
            read: Reads all jobs that are watched.
            is_wanted: Tells whether a job is one of them. None: all jobs are, and the runs of deleted ones
                are seen too.
        """
        self._backend = backend
        self._shows_all = is_wanted is None
        self._jobs = StoredJobs(backend, read, is_wanted=is_wanted or (lambda _: True))
        self._clock = SystemClock()
        self._position: int | None = None
        self._runs: Sequence[Run] = ()
        self._stale_at = -math.inf
        self._read_at = math.inf
        self._without_runs: str | None = None
        self._past = dict[int, Run]()
        """Runs that were skipped or missed, which stay in the picture when later ones were recorded."""

    def read(self) -> Seen:
        """Returns the present state.

        Raises:
            BackendError: The backend returned an error.
        """
        jobs = self._jobs.all()
        known = {each.name for each in jobs}
        self._read_runs()
        now = self._backend.now()
        runs = {run.id: run for run in self._runs if self._shows_all or run.job in known}
        failed = [run for each in jobs if each.is_failing and (run := each.record.last_run)]
        self._past |= {each.id: each for each in runs.values() if each.status in _TROUBLES[1:]}
        troubled = {run.id: run for run in failed} | self._past | runs
        due = (each for each in jobs if each.due < math.inf)
        seen = Seen(
            now=now,
            counts=_counts(jobs),
            upcoming=[each.record for each in nsmallest(MOST, due, key=lambda each: (each.due, each.name))],
            running=sorted(_of(runs, RunStatus.RUNNING), key=lambda run: (run.started_at or now, run.id)),
            waiting=sorted(_of(runs, RunStatus.PENDING), key=_urgency),
            troubled=nsmallest(MOST, _latest_of_each(_of(troubled, *_TROUBLES)), key=_recency),
            latest=runs,
            is_served=self._backend.is_served(),
            without_runs=self._without_runs,
            age=timedelta(seconds=self._clock.monotonic() - min(self._read_at, self._jobs.read_at)),
        )
        self._past = {run.id: run for run in seen.troubled if run.status in _TROUBLES[1:]}
        return seen

    def _read_runs(self) -> None:
        begun = self._clock.monotonic()
        if not self._backend.capabilities.keeps_runs:
            self._without_runs = "this backend keeps no record of runs"
        elif self._backend.capabilities.keeps_events:
            position = self._backend.last_event()  # before the runs: nothing is left out
            if position != self._position:
                self._runs = self._all_runs()
            self._position, self._read_at = position, begun  # after them: what failed is read again
        elif begun > self._stale_at:
            self._runs = self._all_runs()
            self._read_at = self._clock.monotonic()
            self._stale_at = self._read_at + PACE * (self._read_at - begun)

    def _all_runs(self) -> Sequence[Run]:
        """Returns the latest runs, those that have not ended, and the latest that have failed."""
        wanted = (None, RunStatus.PENDING, RunStatus.RUNNING, RunStatus.FAILED)
        try:
            # Later queries count: a run that has changed meanwhile is seen as it is now.
            found = {
                run.id: run
                for status in wanted
                for run in self._backend.runs(RunQuery(status=status, limit=_READ))
            }
        except UnsupportedError as error:
            self._without_runs = error.reason
            return ()
        return sorted(found.values(), key=lambda run: run.id)


def _counts(jobs: Iterable[StoredJob]) -> Mapping[str, int]:
    counts = Counter[str]()
    for each in jobs:
        counts[each.record.status.value] += 1
        counts["failing"] += each.is_failing and each.record.status is not JobStatus.ENDED
    return counts


def _of(runs: Mapping[int, Run], *statuses: RunStatus) -> list[Run]:
    return [run for run in runs.values() if run.status in statuses]


def _latest_of_each(runs: Iterable[Run]) -> Iterable[Run]:
    return {(run.job, run.status): run for run in sorted(runs, key=_recency, reverse=True)}.values()


def _urgency(run: Run) -> tuple[bool, datetime, int]:
    return run.pending_reason is None and not run.attempt, run.scheduled_for, run.id


def _recency(run: Run) -> tuple[float, int]:
    return -(run.ended_at or run.scheduled_for).timestamp(), -run.id
