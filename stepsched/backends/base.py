"""The port: the interface between :class:`SchedulerClient` and the backends."""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import nsmallest
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import Self

from stepsched.backends.capabilities import Capabilities, backends_with
from stepsched.backends.surveys import Survey, survey_of_store
from stepsched.core.durations import seconds_of
from stepsched.core.errors import JobNotFoundError, StepschedError, UnsupportedError
from stepsched.display.results import Displayed
from stepsched.jobs import Job, JobRecord, JobStatus, JobVersion, Repair, Run, RunStatus
from stepsched.jobs.events import RecordedEvent
from stepsched.jobs.job import no_job

if TYPE_CHECKING:  # most programs have no event loop
    from asyncio import AbstractEventLoop

    from stepsched.display.table import Table
    from stepsched.workflows.port import WorkflowStore

Item = TypeVar("Item")
_MISSING_SHOWN = 8
"""The maximum number of capabilities that the table of a backend lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """The conditions of a list of jobs; all given conditions must match."""

    status: JobStatus | None = None
    name_prefix: str | None = None
    group: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags that a job must have, with these values."""

    def matches(self, record: JobRecord) -> bool:
        """Returns whether a job meets all conditions."""
        return (
            self.status in (None, record.status)
            and record.name.startswith(self.name_prefix or "")
            and self.group in (None, record.job.group)
            and self.tags.items() <= record.job.tags.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """The conditions of a list of runs; all given conditions must match."""

    job: str | None = None
    status: RunStatus | None = None
    since: datetime | None = None
    """The earliest scheduled instant, inclusive."""
    until: datetime | None = None
    """The latest scheduled instant, inclusive."""
    limit: int | None = None
    """The maximum number of runs; the latest ones are returned."""
    before: int | None = None
    """The ID below which the IDs of the runs lie, exclusive; the latest runs are then those with the largest
    IDs. None: no bound."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job that a backend can run, with the backend's translation of it."""

    job: Job
    plan: Any = None
    """Private data of the backend, which :meth:`Backend.create` and :meth:`Backend.update` use."""
    backend: Backend | None = field(default=None, compare=False, repr=False)
    """The backend that has prepared the job. None: it is not recorded."""


def checked_job(job: Job) -> Job:
    """Returns the argument of :meth:`Backend.prepare` unchanged.

    Raises:
        TypeError: ``job`` is something else, such as a name.
    """
    if not isinstance(job, Job):
        raise no_job(job)
    return job


def checked_prepared(prepared: Prepared, backend: Backend) -> Prepared:
    """Returns the result of :meth:`Backend.prepare` unchanged.

    Args:
        prepared: The result.
        backend: The backend that is to store the job.

    Raises:
        TypeError: ``prepared`` is something else, such as a job.
        ValueError: Another backend has prepared the job.
    """
    if not isinstance(prepared, Prepared):
        raise TypeError(
            f"expected the result of prepare(job), got {type(prepared).__name__}; use "
            "backend.create(backend.prepare(job)), or SchedulerClient(backend).create(job)"
        )
    if prepared.backend is not None and prepared.backend is not backend:
        raise ValueError(
            f"expected job {prepared.job.name!r} as prepared by {backend!r}, got it as prepared by "
            f"{prepared.backend!r}; use backend.create(backend.prepare(job)) with one backend"
        )
    return prepared


class Backend(Displayed, ABC):
    """The base class of backends, which store and run jobs.

    Every method may raise :class:`BackendError`; the other errors are documented with each method. A backend
    never approximates: :meth:`check` refuses a job that it cannot run exactly as defined.
    """

    name: str
    """The name of the backend in errors."""
    capabilities: Capabilities = Capabilities()
    """What the backend can do; everything by default."""
    first_pause: float = 0.005
    """The pause between the first two polls of ``wait``, in seconds; further pauses grow, up to a second."""

    @abstractmethod
    def now(self) -> datetime:
        """Returns the present instant on the backend's clock, in UTC."""

    @abstractmethod
    def prepare(self, job: Job) -> Prepared:
        """Computes what is to be stored for a job. Changes nothing.

        Raises:
            TypeError: ``job`` is not a :class:`Job`.
            UnsupportedError: This backend cannot run the job exactly as defined. The error has the reason and
                alternatives.
        """

    def check(self, job: Job) -> None:
        """Refuses a job that this backend cannot run exactly as defined.

        Raises:
            UnsupportedError: As for :meth:`prepare`.
        """
        self.prepare(job)

    @abstractmethod
    def create(self, prepared: Prepared) -> JobRecord:
        """Stores a new job at version 1: active, or paused if the job is disabled.

        Raises:
            InvalidScheduleError: The last run of the job has come due since it was prepared.
            JobExistsError: A job of this name is stored, even if it is equal.
        """

    def create_many(self, prepared: Sequence[Prepared]) -> builtins.list[JobRecord | StepschedError]:
        """Stores new jobs, each as :meth:`create` does.

        Returns:
            For each job, in order, its record or the error.
        """
        return self.each(self.create, prepared)

    def each(
        self, verb: Callable[[Item], JobRecord], items: Sequence[Item]
    ) -> builtins.list[JobRecord | StepschedError]:
        """Performs a verb of this backend for each item, concurrently if the backend supports it.

        Returns:
            For each item, in order, its record or the error.
        """
        answers = list[JobRecord | StepschedError]()
        for item in items:
            try:
                answers.append(verb(item))
            except StepschedError as error:  # noqa: PERF203 -- each item may fail for itself
                answers.append(error)
        return answers

    @abstractmethod
    def get(self, name: str, *, group: str | None = None) -> JobRecord:
        """Returns the job of that name.

        Args:
            name: The name of the job.
            group: The group of the job. None: any group.

        Raises:
            JobNotFoundError: There is no such job.
        """

    def find(self, jobs: Sequence[Job]) -> builtins.list[JobRecord | None]:
        """Returns the stored job of the same name for each job, in order; None if there is none."""

        def look(job: Job) -> JobRecord | None:
            try:
                return self.get(job.name)
            except JobNotFoundError:
                return None

        return [look(job) for job in jobs]

    def survey(self, jobs: Sequence[Job], *, prune: bool | Collection[str]) -> Survey:
        """Reads the stored jobs that matter for a plan.

        Args:
            jobs: The wanted jobs, with distinct names.
            prune: Whether unwanted jobs in all groups of the backend are in question, or the names of groups.

        Raises:
            ValueError: ``prune`` names a group that does not belong to the backend.
        """
        return survey_of_store(self.find(jobs), self.list(JobQuery()), prune=prune)

    @abstractmethod
    def versions(self, name: str, *, group: str | None = None) -> builtins.list[JobVersion]:
        """Returns the earlier definitions of the job, oldest first; empty if it was never changed.

        Raises:
            JobNotFoundError: There is no such job.
            UnsupportedError: The backend does not keep earlier definitions.
        """

    @abstractmethod
    def list(self, query: JobQuery) -> Iterator[JobRecord]:
        """Yields the matching jobs lazily, in an order that depends on the backend."""

    def page(self, query: JobQuery, *, after: tuple[str, str] | None, limit: int) -> builtins.list[JobRecord]:
        """Returns the first matching jobs in the order of their names and groups.

        Args:
            query: The conditions.
            after: The name and group of the job after which to begin, exclusive; it need not exist any more.
                None: from the first job.
            limit: The maximum number of jobs.
        """

        def place(record: JobRecord) -> tuple[str, str]:
            return record.name, record.job.group

        following = (each for each in self.list(query) if after is None or place(each) > after)
        return nsmallest(limit, following, key=place)

    @abstractmethod
    def update(self, prepared: Prepared, *, expected_version: int) -> JobRecord:
        """Replaces a definition. The version is incremented; the status becomes that of
        :func:`stepsched.jobs.records.status_after_update`.

        Raises:
            JobNotFoundError: There is no such job.
            ConflictError: The stored version is not ``expected_version``.
        """

    def move(
        self,
        prepared: Prepared,
        *,
        origin: str,  # noqa: ARG002 -- a label needs no more than an update
        expected_version: int,
    ) -> JobRecord:
        """Replaces a definition by one in another group.

        Args:
            prepared: The new definition.
            origin: The group in which the job is stored.
            expected_version: As for :meth:`update`.

        Raises:
            JobNotFoundError: As for :meth:`update`.
            ConflictError: As for :meth:`update`.
            JobExistsError: The new group has a different job of this name.
        """
        return self.update(prepared, expected_version=expected_version)

    @abstractmethod
    def pause(
        self,
        name: str,
        *,
        group: str | None = None,
        stop_run: bool = False,
        reason: str | None = None,
        only_active: bool = False,
    ) -> JobRecord:
        """Pauses a job: no further run comes due. Runs in progress continue. Runs that are due but have not
        begun wait for ``resume`` on the embedded backend, and still begin on other backends.

        Args:
            name: The name of the job.
            group: As for :meth:`get`.
            stop_run: Whether to stop a run in progress too.
            reason: The reason, as :func:`stepsched.jobs.records.checked_reason` returns it. It is kept with
                the job until it is active again, through updates and moves, and replaces that of an earlier
                pause. None: no reason; that of an earlier pause is kept.
            only_active: Whether a job that is already paused is refused, so that it is known who paused it.

        Raises:
            UnsupportedError: ``stop_run`` is True, and the backend cannot stop a run; or the backend has no
                room for the reason.
            JobNotFoundError: There is no such job.
            InvalidTransitionError: The job has ended; or it is paused, and ``only_active`` is True.
        """

    @abstractmethod
    def resume(self, name: str, *, group: str | None = None) -> JobRecord:
        """Resumes a job: its runs come due again from now on. Missed ones are not made up (P-27).

        Raises:
            JobNotFoundError: There is no such job.
            InvalidTransitionError: The job has ended.
        """

    @abstractmethod
    def cancel(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
        """Deletes a job and its recorded runs that have not started. Its history is kept.

        Args:
            name: The name of the job.
            group: As for :meth:`get`.
            stop_run: Whether to stop a run in progress too.

        Returns:
            The last record of the job, with status cancelled.

        Raises:
            UnsupportedError: ``stop_run`` is True, and the backend cannot stop a run.
            JobNotFoundError: There is no such job.
        """

    def ensure(self, record: JobRecord) -> JobRecord:
        """Makes sure that a stored job comes due, for example if the response to an earlier call was lost.

        Returns:
            The present record of the job.
        """
        return record

    def repair(self) -> builtins.list[Repair]:
        """Finds jobs that do not come due as they should, and repairs them. It is safe at any time and from
        several callers at once.

        Returns:
            One entry for each problem and what was done; empty if there was no problem, or none can occur.
        """
        return []

    @abstractmethod
    def run_now(self, name: str, *, group: str | None = None) -> Run:
        """Records one run now, independently of the job's schedule and status.

        Raises:
            JobNotFoundError: There is no such job.
        """

    @abstractmethod
    def backfill(
        self, name: str, *, since: datetime, until: datetime, group: str | None = None
    ) -> builtins.list[Run]:
        """Records runs for the scheduled instants in a past range, both ends inclusive. Instants that already
        have a run, and instants in the future, are left out.

        Returns:
            The new runs, oldest first.

        Raises:
            JobNotFoundError: There is no such job.
            UnsupportedError: The backend does not keep runs.
            ValueError: The range contains more runs than the backend records at once.
        """

    @abstractmethod
    def redrive(self, run: Run) -> Run:
        """Makes a run that has failed for good pending again, with all its attempts.

        Raises:
            InvalidTransitionError: The run has not failed, or its job no longer exists.
        """

    @abstractmethod
    def runs(self, query: RunQuery) -> Iterator[Run]:
        """Yields the matching runs, in the order in which they were recorded.

        Raises:
            UnsupportedError: The backend does not keep such runs.
        """

    def run(self, run: Run) -> Run | None:
        """Returns the present state of a run.

        Args:
            run: The run, identified by its job, its scheduled instant and its ID.

        Returns:
            The run, or None if it is not, or no longer, recorded.

        Raises:
            UnsupportedError: The backend does not keep such runs.
        """
        at = run.scheduled_for
        found = self.runs(RunQuery(job=run.job, since=at, until=at))
        return next((each for each in found if each.id == run.id), None)

    def events(
        self,
        *,
        after: int,  # noqa: ARG002 -- backends that record events use both
        limit: int = 1_000,  # noqa: ARG002
    ) -> builtins.list[RecordedEvent]:
        """Returns recorded events, in the order in which they were recorded. Empty: there are none after the
        position.

        Args:
            after: The position after which to read, exclusive; 0 reads from the oldest that is kept.
            limit: The maximum number of events; at least 1.

        Raises:
            UnsupportedError: The backend does not record events.
            ValueError: ``after`` is negative, or ``limit`` is below 1.
        """
        raise self._without_events()

    def last_event(self) -> int:
        """Returns the position of the latest event that was recorded; 0 if there was none.

        Raises:
            UnsupportedError: The backend does not record events.
        """
        raise self._without_events()

    def _without_events(self) -> UnsupportedError:
        reason = "it does not record events"
        return UnsupportedError("*", self.name, reason, backends_with("keeps_events"))

    def workflows(self) -> WorkflowStore:
        """Returns what this backend does with workflows.

        Raises:
            UnsupportedError: The backend does not run workflows.
        """
        reason = "it does not run workflows"
        raise UnsupportedError("workflows", self.name, reason, ("LocalBackend", "StepFunctionsBackend"))

    def why_wait_is_endless(self) -> str | None:
        """Returns why no run can end during ``wait``, and what to do instead, for example on a fake clock.
        None:
        runs can end."""
        return None

    def why_nothing_fires(self) -> str | None:
        """Returns why this process starts no runs at present, although the backend runs jobs in it, and what
        to do. None: this process or a service starts them. Another process may start them in any case."""
        return None

    def is_served(self) -> bool:
        """Returns whether a process or a service starts the runs that come due at present. False only for a
        backend that runs jobs in processes of its users, if none of them runs."""
        return True

    def _refuse_stopping(self, name: str, *, stop_run: bool) -> None:
        """Refuses ``stop_run`` on a backend that cannot stop runs."""
        if stop_run:
            reason = "a run that has begun cannot be stopped"
            raise UnsupportedError(name, self.name, reason, ("stop_run=False", *backends_with("stops_runs")))

    def run_coroutines_on(self, loop: AbstractEventLoop | None) -> None:
        """Sets the event loop for coroutine handlers, if the backend calls any. The loop must be running
        while they are called. None: the backend's own loop."""

    def start(self) -> None:
        """Starts to run what is due, if the backend runs jobs in this process. May be called more than
        once."""

    def stop(self, *, timeout: timedelta | float | None = None) -> None:
        """Stops running jobs and waits for runs in progress. May be called more than once.

        Args:
            timeout: The longest time to wait, in seconds or as a timedelta. None: no limit.

        Raises:
            TypeError: ``timeout`` is neither a number nor a timedelta.
            ValueError: ``timeout`` is negative.
        """
        seconds_of(timeout, "timeout")

    def close(self, *, timeout: timedelta | float | None = None) -> None:
        """Stops the backend and releases its resources, such as a file or connections. The backend cannot be
        used afterwards. May be called more than once.

        Args:
            timeout: As for :meth:`stop`.
        """
        self.stop(timeout=timeout)

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yields what people want to know of the backend, as titles and texts, such as its Region. It makes
        no call and reads no store."""
        yield from ()

    def _shown_table(self) -> Table:
        return backend_table(self)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def idle_reason(backend: Backend) -> str | None:
    """Returns why no process runs the jobs of a backend at present, and what to do. None: one does, or a
    service."""
    return None if backend.is_served() else backend.why_nothing_fires()


def backend_table(backend: Backend, caption: str = "") -> Table:
    """Returns the table of a backend: its facts, and what it cannot do."""
    from stepsched.display.table import record_table

    missing = [name.replace("_", " ") for name in backend.capabilities.missing]
    more = f" and {len(missing) - _MISSING_SHOWN} more" if len(missing) > _MISSING_SHOWN else ""
    lacks = ", ".join(missing[:_MISSING_SHOWN]) + more
    rows = [("backend", type(backend).__name__), *backend.facts(), ("lacks", lacks or "-")]
    return record_table(rows, caption=caption)
