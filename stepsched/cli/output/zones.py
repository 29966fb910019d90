"""The time zones of jobs, for the times of their runs on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING

import stepsched as ss

if TYPE_CHECKING:
    from stepsched.cli.session import Session
    from stepsched.jobs import Run

_MOST = 100
"""The maximum number of jobs that are read for one output."""


class Zones:
    """The time zones of the schedules of jobs. Each job is read once."""

    def __init__(self, session: Session, client: ss.SchedulerClient) -> None:
        """The zones of one command.

        Args:
            session: The session; only a table names zones.
            client: The client.
        """
        self._is_wanted = session.format == "table"
        self._client = client
        self._known = dict[str, str | None]()

    def of(self, runs: Iterable[Run]) -> Mapping[str, str | None]:
        """Returns the zones by the names of the jobs. Jobs without a zone, jobs that cannot be read, such as
        deleted ones, and those beyond the first hundred have none."""
        if self._is_wanted:
            names = list(islice(dict.fromkeys(run.job for run in runs if run.job not in self._known), _MOST))
            found = self._client.backend.each(self._client.backend.get, names)
            for name, record in zip(names, found, strict=True):
                schedule = record.job.schedule if isinstance(record, ss.JobRecord) else None
                self._known[name] = getattr(schedule, "timezone", None)
        return self._known
