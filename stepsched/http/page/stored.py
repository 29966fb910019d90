"""The jobs of a backend, kept in memory for the page and read again only where something has happened."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from stepsched.client import SchedulerClient
from stepsched.core.clock import SystemClock
from stepsched.core.errors import BackendError, JobNotFoundError
from stepsched.jobs import JobRecord, JobStatus, RunStatus
from stepsched.targets.summaries import target_summary

_FEW = 200
"""The number of jobs up to which each is read for itself. All at once cost about as much as this many."""
_EVENTS = 1_000
"""The number of events up to which they say what has changed."""
_STALE = 10.0
"""The age in seconds from which the jobs of a backend without recorded events are read again."""
_OVERDUE = 2.0
"""How many seconds after its next run a job is read again although no event names it."""


class StoredJob(NamedTuple):
    """A stored job, with what is asked of all jobs whenever the page is read."""

    name: str
    record: JobRecord
    due: float
    """The timestamp of the next run; infinite if there is none, or the job is not active."""
    text: str
    """What a search looks through."""
    is_failing: bool
    """Whether the last run has failed for good."""


def stored_job(record: JobRecord) -> StoredJob:
    """Returns a job as it is kept."""
    job, last = record.job, record.last_run
    is_due = record.next_run is not None and record.status is JobStatus.ACTIVE
    tags = (f"{key}={value}" for key, value in job.tags.items())
    texts = (job.name, job.group, job.description, *tags, target_summary(job.target))
    return StoredJob(
        name=job.name,
        record=record,
        due=record.next_run.timestamp() if record.next_run is not None and is_due else math.inf,
        text="\n".join(texts).casefold(),
        is_failing=last is not None and last.status is RunStatus.FAILED,
    )


class StoredJobs:
    """The stored jobs, sorted by name. May be used by several threads."""

    def __init__(self, client: SchedulerClient) -> None:
        """Creates an empty collection; jobs are read when they are asked for."""
        self._client = client
        self._clock = SystemClock()
        self._lock = threading.Lock()
        self._kept: dict[str, StoredJob] | None = None
        self._sorted: Sequence[StoredJob] = ()
        self._position = 0
        self._read_at = 0.0

    def all(self) -> Sequence[StoredJob]:
        """Returns all jobs as they are at present.

        Raises:
            BackendError: The backend returned an error.
        """
        with self._lock:
            if not self._client.backend.capabilities.keeps_events:
                self._read_regularly()
            elif self._kept is None:
                self._read_all()
            else:
                self._read_changed(self._kept)
            return self._sorted

    def _read_regularly(self) -> None:
        now = self._clock.monotonic()
        if self._kept is None or now - self._read_at > _STALE:
            self._sorted = list(map(stored_job, self._client.list()))
            self._kept, self._read_at = {}, now

    def _read_all(self) -> None:
        self._position = self._client.backend.last_event()  # before the jobs: nothing is left out
        self._sorted = list(map(stored_job, self._client.list()))
        self._kept = {each.name: each for each in self._sorted}

    def _read_changed(self, kept: dict[str, StoredJob]) -> None:
        backend = self._client.backend
        events = backend.events(after=self._position, limit=_EVENTS)
        overdue = backend.now().timestamp() - _OVERDUE
        names = {event.job for event in events} | {each.name for each in self._sorted if each.due < overdue}
        if len(names) > _FEW or len(events) == _EVENTS:
            self._read_all()
        elif names:
            self._position = events[-1].id if events else self._position
            self._read_each(kept, names)

    def _read_each(self, kept: dict[str, StoredJob], names: Iterable[str]) -> None:
        for name in names:
            record = self._get(name)
            if record is None:
                kept.pop(name, None)
            else:
                kept[name] = stored_job(record)
        self._sorted = sorted(kept.values(), key=lambda each: each.name)

    def _get(self, name: str) -> JobRecord | None:
        """Returns a job; None if it is gone, or cannot be read: a list leaves it out too."""
        try:
            return self._client.get(name)
        except (JobNotFoundError, BackendError):
            return None
