"""The jobs of a backend, kept in memory for whoever shows them, and read again only where something has
happened."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from stepsched.backends.base import Backend
from stepsched.core.clock import SystemClock
from stepsched.core.errors import BackendError, ErrorCode, JobNotFoundError
from stepsched.jobs import JobRecord, JobStatus, RunStatus
from stepsched.targets.summaries import target_summary

_FEW = 200
"""The number of jobs up to which each is read for itself. All at once cost about as much as this many."""
_EVENTS = 1_000
"""The number of events up to which they say what has changed."""
_STALE = 10.0
"""The age in seconds from which the jobs of a backend without recorded events are read again."""
PACE = 10
"""How many times as long as a reading of such a backend took, its result is kept at least."""
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

    def __init__(
        self,
        backend: Backend,
        read: Callable[[], Iterable[JobRecord]],
        *,
        is_wanted: Callable[[JobRecord], bool] = lambda _: True,
    ) -> None:
        """Creates an empty collection; jobs are read when they are asked for.

        Args:
            backend: The backend.
            read: Reads all jobs that are wanted.
            is_wanted: Tells whether ``read`` would return a job.
        """
        self._backend = backend
        self._read = read
        self._is_wanted = is_wanted
        self._clock = SystemClock()
        self._lock = threading.Lock()
        self._kept: dict[str, StoredJob] | None = None
        self._sorted: Sequence[StoredJob] = ()
        self._position = 0
        self._stale_at = 0.0
        self.read_at = 0.0
        """The instant of the monotonic clock when the jobs were as :meth:`all` returned them last."""

    def all(self) -> Sequence[StoredJob]:
        """Returns all jobs as they are at present.

        Raises:
            BackendError: The backend returned an error.
        """
        with self._lock:
            begun = self._clock.monotonic()
            if not self._backend.capabilities.keeps_events:
                self._read_regularly()
            elif self._kept is None:
                self._read_all()
            else:
                self._read_changed(self._kept)
            if self._backend.capabilities.keeps_events:
                self.read_at = begun
            return self._sorted

    def _read_regularly(self) -> None:
        begun = self._clock.monotonic()
        if self._kept is None or begun > self._stale_at:
            self._sorted = self._all()
            ended = self._clock.monotonic()
            self._kept, self._stale_at = {}, ended + max(_STALE, PACE * (ended - begun))
            self.read_at = ended

    def _read_all(self) -> None:
        position = self._backend.last_event()  # before the jobs: nothing is left out
        self._sorted = self._all()
        self._kept = {each.name: each for each in self._sorted}
        self._position = position

    def _all(self) -> list[StoredJob]:
        return sorted(map(stored_job, self._read()), key=lambda each: (each.name, each.record.job.group))

    def _read_changed(self, kept: dict[str, StoredJob]) -> None:
        backend = self._backend
        events = backend.events(after=self._position, limit=_EVENTS)
        overdue = backend.now().timestamp() - _OVERDUE
        names = {event.job for event in events} | {each.name for each in self._sorted if each.due < overdue}
        if len(names) > _FEW or len(events) == _EVENTS:
            self._read_all()
        elif names:
            self._read_each(kept, names)
            # After the jobs: if one could not be read, its events are looked at again.
            self._position = events[-1].id if events else self._position

    def _read_each(self, kept: dict[str, StoredJob], names: Iterable[str]) -> None:
        for name in names:
            record = self._get(name)
            if record is None or not self._is_wanted(record):
                kept.pop(name, None)
            else:
                kept[name] = stored_job(record)
        self._sorted = sorted(kept.values(), key=lambda each: each.name)

    def _get(self, name: str) -> JobRecord | None:
        """Returns a job; None if it is gone, or damaged: a list leaves it out too."""
        try:
            return self._backend.get(name)
        except JobNotFoundError:
            return None
        except BackendError as error:
            if error.code != ErrorCode.UNREADABLE:
                raise
            return None
