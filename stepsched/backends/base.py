"""The port: what :class:`SchedulerClient` asks of a place where jobs live."""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from typing_extensions import Self

from stepsched.backends.capabilities import Capabilities, backends_with
from stepsched.core.errors import JobNotFoundError, StepschedError, UnsupportedError
from stepsched.core.values import seconds_of
from stepsched.jobs import Job, JobRecord, JobStatus, JobVersion, Repair, Run, RunStatus

if TYPE_CHECKING:  # most programs have no event loop
    from asyncio import AbstractEventLoop

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Which jobs to list; every condition that is given must hold."""

    status: JobStatus | None = None
    name_prefix: str | None = None
    group: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags that a job must all have, with these values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Which runs to list; every condition that is given must hold."""

    job: str | None = None
    status: RunStatus | None = None
    since: datetime | None = None
    """Scheduled at or after this instant."""
    until: datetime | None = None
    """Scheduled at or before this instant."""
    limit: int | None = None
    """Only so many, the latest ones."""


class Prepared(NamedTuple):
    """A job that a backend can run, with what it has worked out in order to know that."""

    job: Job
    plan: Any = None
    """The backend's own: what :meth:`Backend.create` and :meth:`Backend.update` send of it."""


def checked_prepared(prepared: Prepared) -> Prepared:
    """What :meth:`Backend.prepare` has answered, itself.

    Raises:
        TypeError: It is something else, such as the job.
    """
    if not isinstance(prepared, Prepared):
        raise TypeError(
            f"expected what prepare(job) answers, got {type(prepared).__name__}; use "
            "backend.create(backend.prepare(job)), or SchedulerClient(backend).create(job)"
        )
    return prepared


class Backend(ABC):
    """A place where jobs live and fire.

    Every method may raise :class:`BackendError`; the job's own errors are named with each. A
    backend never approximates: what it cannot do exactly, :meth:`check` refuses.
    """

    name: str
    """How the backend is called in errors."""
    capabilities: Capabilities = Capabilities()
    """What the backend can do; all of it, unless it says otherwise."""
    first_pause: float = 0.005
    """Seconds between the first two looks at a run that is waited for; further pauses grow, up to a
    second."""

    @abstractmethod
    def now(self) -> datetime:
        """The present instant on the backend's clock, in UTC."""

    @abstractmethod
    def prepare(self, job: Job) -> Prepared:
        """Works out what is to be stored for a job. Changes nothing.

        Raises:
            UnsupportedError: This backend cannot run the job exactly as written. Says what, why, and what
                would work instead.
        """

    def check(self, job: Job) -> None:
        """Refuses a job that this backend cannot run exactly as written.

        Raises:
            UnsupportedError: As :meth:`prepare`.
        """
        self.prepare(job)

    @abstractmethod
    def create(self, prepared: Prepared) -> JobRecord:
        """Stores a new job, active, at version 1.

        Raises:
            InvalidScheduleError: Its last run has come due since it was prepared.
            JobExistsError: The name is taken, even by an equal job.
        """

    def create_many(self, prepared: Sequence[Prepared]) -> builtins.list[JobRecord | StepschedError]:
        """Stores new jobs as :meth:`create` does one.

        Returns:
            In order, the records, or what kept a job from being stored.
        """
        return self.each(self.create, prepared)

    def each(
        self, verb: Callable[[Item], JobRecord], items: Sequence[Item]
    ) -> builtins.list[JobRecord | StepschedError]:
        """Performs a verb of this backend for each item, as many at once as it bears.

        Returns:
            In order, the records, or what the verb raised.
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
        """The job of that name.

        Args:
            name: The job's.
            group: Only a job of this group; so for every verb. None: of any.

        Raises:
            JobNotFoundError: There is none.
        """

    def find(self, jobs: Sequence[Job]) -> builtins.list[JobRecord | None]:
        """What is stored in the places of these jobs: in order, None where a place is free."""

        def look(job: Job) -> JobRecord | None:
            try:
                return self.get(job.name)
            except JobNotFoundError:
                return None

        return [look(job) for job in jobs]

    @abstractmethod
    def versions(self, name: str, *, group: str | None = None) -> builtins.list[JobVersion]:
        """The job's earlier definitions, oldest first; empty when it was never changed.

        Raises:
            JobNotFoundError: There is no such job.
            UnsupportedError: The backend keeps none.
        """

    @abstractmethod
    def list(self, query: JobQuery) -> Iterator[JobRecord]:
        """The jobs that fit, lazily, in an order of the backend's own."""

    @abstractmethod
    def update(self, prepared: Prepared, *, expected_version: int) -> JobRecord:
        """Replaces a definition; the version grows by one, the status stays where it can.

        Raises:
            JobNotFoundError: There is no such job.
            ConflictError: It is at another version.
        """

    @abstractmethod
    def pause(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
        """Stops a job from coming due. Runs that go on end; those that are recorded and have not begun begin
        after ``resume`` on the embedded backend, and still begin on others.

        Args:
            name: The job's.
            group: As for :meth:`get`.
            stop_run: Whether a run that goes on is stopped too.

        Raises:
            UnsupportedError: The backend cannot stop a run.
            JobNotFoundError: There is no such job.
            InvalidTransitionError: It has ended.
        """

    @abstractmethod
    def resume(self, name: str, *, group: str | None = None) -> JobRecord:
        """Lets a job come due again, from now on: what passed meanwhile is not made up (P-27).

        Raises:
            JobNotFoundError: There is no such job.
            InvalidTransitionError: It has ended.
        """

    @abstractmethod
    def cancel(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
        """Deletes a job and, where they are records, its runs that have not started; its history stays.

        Args:
            name: The job's.
            group: As for :meth:`get`.
            stop_run: Whether a run that goes on is stopped too.

        Returns:
            The job as it last was, with status cancelled.

        Raises:
            UnsupportedError: The backend cannot stop a run.
            JobNotFoundError: There is no such job.
        """

    def ensure(self, record: JobRecord) -> JobRecord:
        """Makes sure that a stored job really comes due, as where the answer to an earlier call was lost.

        Returns:
            The job as it is then.
        """
        return record

    def repair(self) -> builtins.list[Repair]:
        """Finds jobs that do not come due as they should, and mends them. Harmless at any time, and for
        many at once.

        Returns:
            What was wrong, and what was done; empty where nothing can go wrong, or has.
        """
        return []

    @abstractmethod
    def run_now(self, name: str, *, group: str | None = None) -> Run:
        """Records one run at once, whatever the job's status, beside its schedule.

        Raises:
            JobNotFoundError: There is no such job.
        """

    @abstractmethod
    def backfill(
        self, name: str, *, since: datetime, until: datetime, group: str | None = None
    ) -> builtins.list[Run]:
        """Records runs for the scheduled instants of a range of the past, both ends inclusive; an
        instant that has a run already gets none, and one that is still to come neither.

        Returns:
            The new runs, oldest first.

        Raises:
            JobNotFoundError: There is no such job.
            UnsupportedError: The backend keeps no record of runs.
            ValueError: The range contains more runs than the backend records at once.
        """

    @abstractmethod
    def redrive(self, run: Run) -> Run:
        """Lets a run that failed for good wait again, with all its attempts.

        Raises:
            InvalidTransitionError: It has not failed, or its job is gone.
        """

    @abstractmethod
    def runs(self, query: RunQuery) -> Iterator[Run]:
        """The runs that fit, in the order they were recorded.

        Raises:
            UnsupportedError: The backend keeps no record of such runs.
        """

    def run(self, run: Run) -> Run | None:
        """A run as it is now.

        Args:
            run: The run as it was: its job, its scheduled instant and its id say which.

        Returns:
            None where no such run is recorded, or is any more.

        Raises:
            UnsupportedError: The backend keeps no record of such runs.
        """
        at = run.scheduled_for
        found = self.runs(RunQuery(job=run.job, since=at, until=at))
        return next((each for each in found if each.id == run.id), None)

    def why_wait_is_endless(self) -> str | None:
        """Why no run ends while it is waited for, and what to do instead, such as on a clock that is played.
        None: runs may end meanwhile."""
        return None

    def why_nothing_fires(self) -> str | None:
        """Why this process starts no run at present, although it is where they start, and what to do. None:
        it does start them, or a service does. Another process may start them all the same."""
        return None

    def _refuse_stopping(self, name: str, *, stop_run: bool) -> None:
        """What a backend that cannot stop runs says to whoever asks for it."""
        if stop_run:
            reason = "a run that has begun cannot be stopped"
            raise UnsupportedError(name, self.name, reason, ("stop_run=False", *backends_with("stops_runs")))

    def run_coroutines_on(self, loop: AbstractEventLoop | None) -> None:  # noqa: B027 -- as below
        """Where coroutine handlers run from now on, if the backend calls any: on this event loop, which must
        be running while they are called. None: on one of the backend's own."""

    def start(self) -> None:  # noqa: B027 -- a service backend has nothing to start
        """Begins to fire what is due, where the backend fires in this process. Harmless twice."""

    def stop(self, *, timeout: timedelta | float | None = None) -> None:
        """Ends firing; runs in flight are awaited. Harmless twice.

        Args:
            timeout: For how long, at most: seconds or a timedelta. None: as long as they take.

        Raises:
            TypeError: ``timeout`` is something else.
            ValueError: ``timeout`` is negative.
        """
        seconds_of(timeout, "timeout")

    def close(self, *, timeout: timedelta | float | None = None) -> None:
        """Stops, and gives back what the backend holds, such as a file or connections: the object is of no
        use afterwards. Harmless twice.

        Args:
            timeout: As for :meth:`stop`.
        """
        self.stop(timeout=timeout)

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
