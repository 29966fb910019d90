"""What happens to runs, from their recorded history, so that it can be followed from another process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import stepsched as ss

if TYPE_CHECKING:
    from stepsched.jobs import EventKind, Run

_WINDOW = 100
"""The number of the latest runs that every poll reads at least."""
_OVERLAP = timedelta(minutes=2)
"""How far each poll looks back before the poll before it: for clocks that differ, and for runs that are
recorded late."""


class RunEvent(NamedTuple):
    """Something that has happened to a run."""

    kind: EventKind
    at: datetime
    run: Run
    """The run as it is recorded now."""


def events_of(run: Run) -> Iterator[RunEvent]:
    """Yields what is recorded of a run: the start of its latest attempt, and its end."""
    kinds = ss.jobs.EventKind
    if run.started_at is not None:
        yield RunEvent(kinds.STARTED, run.started_at, run)
    if run.status.has_ended:
        yield RunEvent(kinds(run.status.value), run.ended_at or run.scheduled_for, run)


class History:
    """The events of runs, each returned once, in the order in which they happened.

    Every poll reads the latest runs, those that are pending or running, and those that were at the poll
    before. What is held in memory are the open runs and the events of the last two minutes, however long the
    history is followed.
    """

    def __init__(self, client: ss.SchedulerClient, name: str | None, *, since: datetime | None) -> None:
        """Begins a history.

        Args:
            client: The client.
            name: The name of the job. None: all jobs.
            since: The earliest instant of an event, inclusive. None: from the beginning.
        """
        self._client = client
        self._name = name
        self._since = since
        self._begun: datetime | None = None
        """The instant of the latest poll. None: there was none."""
        self._highest = 0
        self._open = dict[int, "Run"]()
        self._told = dict[tuple[int, str, datetime], datetime]()
        """The events that have been returned, and their instants."""

    def reopen(self, client: ss.SchedulerClient) -> None:
        """Goes on with another file in the place of the first, whose runs may have the same IDs."""
        self._client = client
        self._highest = 0
        self._open = {}

    def poll(self) -> list[RunEvent]:
        """Returns the events that no earlier poll has returned.

        Raises:
            JobNotFoundError: There is neither a job of this name nor a run of one.
            UnsupportedError: The backend does not keep runs.
            BackendError: The runs cannot be read. The next poll returns what this one has not.
        """
        now = self._client.backend.now()
        runs = self._first(now) if self._begun is None else self._changed()
        found = [event for run in runs.values() for event in events_of(run)]
        found += self._retried(runs, now)
        self._open = {run.id: run for run in runs.values() if not run.status.has_ended}
        self._highest = max(runs, default=self._highest)
        fresh = [event for event in found if self._is_fresh(event)]
        self._begun, since = now, now - _OVERLAP
        self._since = max(self._since, since) if self._since is not None else since
        told = self._told | {_key(event): event.at for event in fresh}
        self._told = {key: at for key, at in told.items() if at >= self._since}
        return sorted(fresh, key=_order)

    def _is_fresh(self, event: RunEvent) -> bool:
        return (self._since is None or event.at >= self._since) and _key(event) not in self._told

    def _first(self, now: datetime) -> dict[int, Run]:
        """Returns the runs of the first poll; they tell whether the job and the history exist."""
        if self._since is None or self._since < now:
            return _by_id(self._client.runs(self._name))
        runs = _by_id(self._client.runs(self._name, limit=_WINDOW))  # nothing has happened yet
        self._highest = max(runs, default=0)
        return runs | self._changed()

    def _changed(self) -> dict[int, Run]:
        """Returns all runs that may have changed since the poll before, and others."""
        runs, window = self._query(limit=_WINDOW), _WINDOW
        while len(runs) >= window and min(runs) > self._highest:
            window *= 4
            runs = self._query(limit=window)
        for status in (ss.RunStatus.PENDING, ss.RunStatus.RUNNING):
            runs |= self._query(status=status)
        for known in self._open.values():
            if known.id not in runs:
                present = self._client.backend.run(known)
                runs |= {} if present is None else {present.id: present}
        return runs

    def _query(self, *, limit: int | None = None, status: ss.RunStatus | None = None) -> dict[int, Run]:
        query = ss.backends.RunQuery(job=self._name, limit=limit, status=status)
        return _by_id(self._client.backend.runs(query))

    def _retried(self, runs: dict[int, Run], now: datetime) -> Iterator[RunEvent]:
        """Yields the attempts that have failed since the poll before, of runs that wait for the next one.
        Their instants are those of the poll, for no other is recorded."""
        pending = ss.RunStatus.PENDING
        for run in runs.values() if self._begun is not None else ():
            known = self._open.get(run.id)
            was_told = known is not None and (known.status, known.attempt) == (pending, run.attempt)
            if run.status is pending and run.attempt > 0 and not was_told:
                yield RunEvent(ss.jobs.EventKind.RETRIED, now, run)


def _by_id(runs: Iterable[Run]) -> dict[int, Run]:
    return {run.id: run for run in runs}


def _key(event: RunEvent) -> tuple[int, str, datetime]:
    return event.run.id, event.kind.value, event.at


def _order(event: RunEvent) -> tuple[datetime, int, bool]:
    return event.at, event.run.id, event.kind.value == event.run.status.value
