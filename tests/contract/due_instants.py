"""At which instants a job has come due, told from its definition and its status alone.

The oracle of the fuzz: it reads what ``get`` says of a job before and after a verb, and works out from the
schedule which instants must have a run in the end. It knows nothing of tokens, cursors and executions.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import stepsched as ss
from stepsched.jobs import JobRecord


class DueInstants:
    """The instants of one job."""

    def __init__(self) -> None:
        self.owed = set[datetime]()
        """Those that must have a run in the end, whatever else happens."""
        self.ever = set[datetime]()
        """All at which the job has come due, those that a verb has taken back among them."""
        self._since: datetime | None = None
        """Up to which instant, inclusive, they are known. None: the job does not come due."""
        self._schedule: ss.Schedule | None = None
        self._anchor: datetime | None = None
        self._changed_at: datetime | None = None

    def pass_time(self, until: datetime) -> None:
        """Time has passed, and no verb was called meanwhile."""
        if self._since is not None and self._schedule is not None:
            due = set(self._schedule.runs(after=self._since, until=until))
            self.owed |= due
            self.ever |= due
            self._since = until

    def note_verb(
        self, before: JobRecord | None, after: JobRecord | None, now: datetime, begun: Collection[datetime]
    ) -> None:
        """A verb was called, which may have failed or stopped in its middle.

        Args:
            before: What was stored when it was called.
            after: What is stored now.
            now: The instant of the call.
            begun: The instants that have a run. What has come due and not begun, a verb may take back that
                pauses or deletes the job, or replaces its schedule: it has raced with the instant.
        """
        if _stands(before) == _stands(after):
            return
        was_due, schedule = self._since is not None, self._schedule
        is_new = before is None or after is None or before.created_at != after.created_at
        is_edited = before is None or after is None or before.version != after.version
        starts_now = False
        if after is not None and (is_new or is_edited):
            keeps_grid = not is_new and before is not None and before.job.starts_at_creation  # P-13
            starts_now = after.job.starts_at_creation and not keeps_grid  # P-12
            if not (after.job.starts_at_creation and keeps_grid):
                self._anchor = now
            assert self._anchor is not None
            self._schedule = after.job.anchored(self._anchor)
        is_due = after is not None and after.status is ss.JobStatus.ACTIVE
        if is_due and was_due and not is_new and self._schedule == schedule:
            return  # something else was changed
        self.owed.intersection_update(begun)
        self._since = now if is_due else None
        if starts_now and is_due:
            self.ever.add(now)
            # Of two verbs in one second, the later one may find that the earlier has begun with the next.
            self.owed |= {now} if is_new or now != self._changed_at else set()
        self._changed_at = now


def _stands(record: JobRecord | None) -> tuple[object, ...]:
    return () if record is None else (record.created_at, record.version, record.status)
