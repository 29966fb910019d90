"""Tasks as one-time jobs of a client: scheduled, cancelled, listed, and their events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from pydantic import JsonValue

from stepsched.backends.base import JobQuery
from stepsched.client import SchedulerClient
from stepsched.core.errors import (
    InvalidScheduleError,
    InvalidTransitionError,
    JobExistsError,
    JobNotFoundError,
    StepschedError,
)
from stepsched.core.payloads import to_json
from stepsched.http.one_shot import names, texts
from stepsched.http.one_shot.reading import NewTask
from stepsched.jobs import Completion, Job, JobRecord, JobStatus, RunStatus
from stepsched.machines.shared.one_shot_words import TASK
from stepsched.schedules import OneTime
from stepsched.schedules.zones import UTC
from stepsched.targets import Target

_LEADS = tuple(timedelta(seconds=each) for each in (0.02, 0.2, 1, 5, 30))
"""How far ahead of the present a run is planned whose instant has passed; the next one if that was too late,
because the file was locked meanwhile."""
_REMOTE_LEADS = tuple(timedelta(seconds=each) for each in (2, 10, 60))
"""The same for services, which take whole seconds and more time."""
_LAST_GROUP = "\U0010ffff"
"""A text that is sorted after the names of all groups."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A task that is stored."""

    arn: str
    timestamp: str
    """The timestamp as it was given."""
    is_replay: bool
    """Whether an earlier request with the same idempotency key has stored it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A task that waits."""

    arn: str
    timestamp: str
    due: datetime
    """The instant at which it is delivered, in UTC."""


class Refused(Exception):  # noqa: N818 -- it is an answer
    """Raised where a request is answered by an error that its sender can mend."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem


class Tasks:
    """The tasks of one application. Every method may raise :class:`StepschedError`."""

    def __init__(self, client: SchedulerClient, target: Target) -> None:
        """Makes the tasks of a client.

        Raises:
            UnsupportedError: The backend cannot run a task with this target.
        """
        self._client = client
        self._backend = client.backend
        self._target = target
        can = self._backend.capabilities
        self._is_exact = can.fractions
        self.keeps = can.keeps_runs
        """Whether tasks are kept after their delivery, until :meth:`forget` removes them."""
        sample = NewTask("9999-01-01T00:00:00Z", datetime(9999, 1, 1, tzinfo=UTC), "")
        self._backend.check(self._job(names.task_name(""), sample.event, sample.at))

    def now(self) -> datetime:
        """Returns the present instant on the backend's clock, in UTC."""
        return self._backend.now()

    # -- scheduling ----------------------------------------------------------------------------------------

    def schedule(self, task: NewTask, key: str | None) -> Scheduled:
        """Stores a task. One whose instant has passed is delivered at once.

        Args:
            task: The task.
            key: The idempotency key. None: every call stores a task.

        Raises:
            Refused: The key came with another body before.
            ValueError: The message cannot be stored as it stands, for example because it is too large.
            UnsupportedError: The backend cannot store the message.
        """
        name = names.task_name(key)
        present = self.store(name, task.event, task.at)
        if present is None:
            return Scheduled(names.arn_of(name), task.timestamp, is_replay=False)
        if _canonical(present.job.input) != _canonical(task.event):
            raise Refused(422, texts.key_reused(key or ""))
        self._backend.ensure(present)
        return Scheduled(names.arn_of(name), task.timestamp, is_replay=key is not None)

    def store(
        self, name: str, event: Mapping[str, JsonValue], at: datetime, *, description: str = ""
    ) -> JobRecord | None:
        """Stores the job that delivers an event.

        Args:
            name: The name of the job.
            event: The event.
            at: The instant. If it has passed, the job runs at once.
            description: The description of the job.

        Returns:
            The job that has the name already. None: there was none, and the job is stored.

        Raises:
            ValueError: The event cannot be stored as it stands.
            UnsupportedError: The backend cannot store it.
        """
        leads = _LEADS if self._is_exact else _REMOTE_LEADS
        for lead in leads:
            job = self._job(name, event, max(at, self.now() + lead), description)
            try:
                self._backend.create(self._backend.prepare(job))
            except JobExistsError:
                with suppress(JobNotFoundError):  # it was removed at this moment: the name is free
                    return self._backend.get(name)
            except InvalidScheduleError:
                if lead == leads[-1]:
                    raise
            else:
                return None
        raise JobExistsError(name)

    def _job(self, name: str, event: Mapping[str, JsonValue], at: datetime, description: str = "") -> Job:
        return Job(
            name=name,
            schedule=OneTime(at.astimezone(UTC), exact=self._is_exact),
            target=self._target,
            input=dict(event),
            completion=Completion.KEEP if self.keeps else Completion.DELETE,
            description=description,
        )

    # -- cancelling ----------------------------------------------------------------------------------------

    def cancel(self, arn: str) -> None:
        """Cancels a task that waits.

        Raises:
            Refused: There is no such task of this application (404), it is being delivered (409), or it has
                been delivered or given up (410).
        """
        name = names.name_in(arn)
        if name is None:
            raise Refused(404, texts.unknown_task(arn))
        try:
            _refuse_unless_waiting(arn, self._backend.get(name))
            if self._backend.capabilities.keeps_events:
                self._cancel_exactly(arn, name)
            else:
                self._backend.cancel(name)
        except JobNotFoundError as error:
            raise Refused(404, texts.unknown_task(arn)) from error

    def _cancel_exactly(self, arn: str, name: str) -> None:
        """Cancels a task, unless its delivery has begun meanwhile: of a paused job no run begins, so what is
        read then stays true. A job that is cancelled takes the event with it, which its listeners still need
        if it is delivered."""
        try:
            self._backend.pause(name)
        except InvalidTransitionError:
            _refuse_unless_waiting(arn, self._backend.get(name))
            raise
        try:
            _refuse_unless_waiting(arn, self._backend.get(name))
            self._backend.cancel(name)
        except (Refused, StepschedError):
            with suppress(InvalidTransitionError, JobNotFoundError):
                self._backend.resume(name)
            raise

    # -- listing -------------------------------------------------------------------------------------------

    def waiting(self, limit: int, after: str | None) -> tuple[list[Waiting], str | None]:
        """Returns a page of the tasks that wait, the earliest first. Pages are in the order of names, so that
        the work for one does not grow with the number of tasks.

        Args:
            limit: The maximum number of tasks of a page.
            after: What the page before has told. None: the first page.

        Returns:
            The tasks, and what to pass as ``after`` for the next page; None if this is the last one.
        """
        found = list(islice(self._waiting(after or "", limit + 1), limit + 1))
        page, more = found[:limit], found[limit:]
        following = page[-1].name if page and more else None
        shown = [_shown(record, record.next_run) for record in page if record.next_run is not None]
        return sorted(shown, key=lambda task: (task.due, task.arn)), following

    def _waiting(self, after: str, portion: int) -> Iterator[JobRecord]:
        """Yields the tasks that wait after a name, in the order of names; so many jobs are read at once."""
        query, place = JobQuery(status=JobStatus.ACTIVE, name_prefix=TASK), (after, _LAST_GROUP)
        while True:
            records = self._backend.page(query, after=place, limit=portion)
            yield from (each for each in records if each.next_run is not None and names.is_own(each))
            if len(records) < portion:
                return
            place = records[-1].name, records[-1].job.group

    # -- events and their end ------------------------------------------------------------------------------

    def event_of(self, name: str) -> str | None:
        """Returns the JSON of the event that a job delivers. None: it is not one of this application, or it
        is forgotten."""
        try:
            record = self._backend.get(name)
        except JobNotFoundError:
            return None
        return to_json(record.job.input) if names.is_own(record) else None

    def forget(self, part: str, before: datetime, most: int) -> bool:
        """Removes tasks that have ended before an instant.

        Args:
            part: The first digits of the names of the tasks to look at.
            before: The instant, exclusive.
            most: The maximum number of tasks of each kind to remove.

        Returns:
            Whether there may be more of them.
        """
        is_more = False
        for prefix in (TASK, names.NOTIFICATION):
            ended = self._client.iterate(status=JobStatus.ENDED, name_prefix=prefix + part)
            old = (record for record in ended if names.is_own(record) and record.updated_at < before)
            count = 0
            for record in islice(old, most):
                with suppress(JobNotFoundError):  # another process was faster
                    self._backend.cancel(record.name)
                count += 1
            is_more = is_more or count == most
        return is_more


def _canonical(event: object) -> str:
    """Returns a text that is the same for the same JSON: ``1`` is not ``true``, and keys have no order."""
    return json.dumps(event, sort_keys=True)


def _refuse_unless_waiting(arn: str, record: JobRecord) -> None:
    """Refuses to cancel a job that is not a task of this application, or whose delivery has begun."""
    if not names.is_own(record):
        raise JobNotFoundError(record.name)
    run = record.last_run
    if run is not None and run.status is RunStatus.RUNNING:
        raise Refused(409, texts.running_task(arn))
    if record.status is JobStatus.ENDED or (run is not None and run.status.has_ended):
        outcome, at = ("", None) if run is None else (run.status.value, run.ended_at)
        raise Refused(410, texts.ended_task(arn, outcome, at))


def _shown(record: JobRecord, due: datetime) -> Waiting:
    given = record.job.input
    timestamp = str(given["timestamp"]) if isinstance(given, Mapping) else ""
    return Waiting(names.arn_of(record.name), timestamp, due.astimezone(UTC))
