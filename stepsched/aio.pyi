"""Written by tests/api/stub.py from client.py and aio.py: not to be edited."""

import asyncio
import builtins
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

from typing_extensions import Self

from stepsched.backends.base import Backend
from stepsched.jobs import Job, JobRecord, JobStatus, JobVersion, Repair, Run, RunStatus
from stepsched.jobs.plans import Plan
from stepsched.jobs.upcoming import UpcomingRun

class CallCancelledError(asyncio.CancelledError):
    """A call was cancelled, as by ``asyncio.timeout``: a thread cannot be stopped, so it may happen all the
    same.

    Before Python 3.11.8, and in 3.12.0 and 3.12.1, ``asyncio`` knows no subclass of its CancelledError: there
    a plain one with the same attributes is raised, and this one is its ``__cause__``.

    Attributes:
        call: The name of the verb.
        may_have_happened: False: the call had not begun and was withdrawn. True: it had begun; it may have
            happened or may happen yet, and what it raises is logged.
    """

    may_have_happened: bool
    call: str

    def __init__(self, call: str, may_have_happened: bool) -> None: ...

class AsyncSchedulerClient:
    """A :class:`SchedulerClient` for an event loop: the same verbs over the same backends, awaited.

    ``iterate`` and ``upcoming`` are read with ``async for``. Calls go on in a few daemon threads, at most
    eight at once, and never block the loop; context variables are handed over. ``progress`` functions are
    called in these threads.

    With ``async with`` it starts its backend and ends what it has begun, as :class:`SchedulerClient` does. A
    backend that is an asynchronous context manager itself is entered and left as such instead.

    A call that is cancelled answers at once, with a :class:`CallCancelledError`.

    Example:
        >>> import asyncio
        >>> import stepsched as ss
        >>> async def main() -> str:
        ...     async with AsyncSchedulerClient() as client:
        ...         morning = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
        ...         record = await client.create(
        ...             ss.Job(name="hello", schedule=morning, target=ss.HandlerTarget(print))
        ...         )
        ...         return record.status.value
        >>> asyncio.run(main())
        'active'
    """

    def __init__(self, backend: Backend | None = None) -> None:
        """A client.

        Args:
            backend: Where the jobs live. None: a new :class:`LocalBackend` in memory.
        """

    @classmethod
    async def from_stack(cls, name: str, **options: Any) -> Self:
        """A client of the :class:`StepFunctionsBackend` that a CloudFormation stack has made; ``close``
        closes the backend too.

        Args:
            name: The stack's.
            **options: As for :meth:`StepFunctionsBackend.from_stack`.

        Raises:
            BackendError: There is no such stack, or it is another one.
        """

    @property
    def backend(self) -> Backend:
        """Where the jobs live."""

    async def wait(self, run: Run, *, timeout: timedelta | float | None = None) -> Run:
        """Waits until a run has ended, whoever runs it.

        Args:
            run: The run, such as ``run_now`` has given it.
            timeout: For how long, at most: seconds or a timedelta; zero looks once. None: as long as it
                takes.

        Returns:
            The run as it is then; ``.status`` tells how it went.

        Raises:
            WaitTimeoutError: It has not ended by then; it goes on.
            RunNotFoundError: The backend knows no such run, or does not any more.
            UnsupportedError: The backend keeps no record of runs, or it is on a clock that is played, which
                stands still meanwhile.
            TypeError: ``run`` is no Run, or ``timeout`` is no length of time.
            ValueError: ``timeout`` is negative.
        """

    async def close(self, *, timeout: timedelta | float | None = None) -> None:
        """Ends what this client has begun: closes the backend that it made itself, and stops one that was
        handed in if this client started it. Harmless twice.

        Args:
            timeout: For how long runs in flight are awaited, at most: seconds or a timedelta. None: as long
                as they take.

        Raises:
            TypeError: ``timeout`` is something else.
            ValueError: ``timeout`` is negative.
        """

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    async def create(self, job: Job) -> JobRecord:
        """Stores a job. To create an equal job again is no error and changes nothing.

        Raises:
            InvalidScheduleError: The job would never run.
            UnsupportedError: The backend cannot run it exactly as written.
            JobExistsError: Another job has the name.
            BackendError: The backend failed.
        """

    async def create_many(
        self, jobs: Iterable[Job], *, progress: Callable[[int, int], object] | None = None
    ) -> builtins.list[JobRecord]:
        """Stores many jobs. All are checked before the first is stored; equal ones change nothing, so
        that a call which was cut off can be repeated.

        Args:
            jobs: Jobs of different names.
            progress: Called now and then with how many are done, and of how many. None: a bar, where a
                terminal or a notebook shows one and it takes longer than a moment.

        Returns:
            The records, in order.

        Raises:
            ValueError: A name stands twice.
            InvalidScheduleError: A job would never run.
            UnsupportedError: The backend cannot run one exactly as written.
            BulkError: Some could not be stored, such as one whose name another job has; it says which
                and why. All others are stored.
        """

    async def get(self, name: str, *, group: str | None = None) -> JobRecord:
        """The job of that name.

        Args:
            name: The job's.
            group: Only a job of this group, as for every verb. None: of any; where names are unique only
                within a group, several jobs of the name are an error.

        Raises:
            JobNotFoundError: There is none.
        """

    async def list(
        self,
        *,
        status: JobStatus | str | None = None,
        name_prefix: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> builtins.list[JobRecord]:
        """The jobs that fit every given condition, by name.

        Args:
            status: A :class:`JobStatus` or its word.
            name_prefix: What the name begins with; case matters.
            group: The job's group.
            tags: Tags that the job must have, with these values; it may have more.

        Raises:
            ValueError: ``status`` is no such word.
        """

    def iterate(
        self,
        *,
        status: JobStatus | str | None = None,
        name_prefix: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> AsyncIterator[JobRecord]:
        """The same as :meth:`list`, one after another as they are read, in an order of the backend's own: for
        more jobs than memory should hold.

        Raises:
            ValueError: ``status`` is no such word.
        """

    def upcoming(
        self,
        *,
        until: datetime | None = None,
        limit: int | None = None,
        name_prefix: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> AsyncIterator[UpcomingRun]:
        """The runs to come of all active jobs, each with its job, in the order of their scheduled instants.
        The jobs are read now; their runs are worked out as they are asked for.

        Left out are paused jobs and those whose next run the backend cannot tell.

        Args:
            until: Only runs at or before this instant; aware. None: only ``limit`` ends them.
            limit: At most so many, the earliest. None: only ``until`` ends them.
            name_prefix: As for :meth:`list`.
            group: As for :meth:`list`.
            tags: As for :meth:`list`.

        Returns:
            To be iterated, as often as is wanted; every item has ``.at`` and ``.job``. ``print()`` and a
            notebook show a table.

        Raises:
            ValueError: Neither ``until`` nor ``limit`` is given, ``until`` is naive, or ``limit`` is
                negative.
        """

    async def update(self, job: Job, *, expected_version: int | None = None) -> JobRecord:
        """Replaces the definition of the job of that name; a paused job stays paused.

        The version grows by one, unless the definition is equal: then nothing changes. A rate
        without start keeps its grid.

        Args:
            job: The whole new definition; ``client.get(name).job.replace(...)`` gives one.
            expected_version: The version that the change was made from. None: whatever is stored.

        Raises:
            JobNotFoundError: There is no such job.
            ConflictError: The stored version is another one.
            InvalidScheduleError: The job would never run.
            UnsupportedError: The backend cannot run it exactly as written.
        """

    async def versions(self, name: str, *, group: str | None = None) -> builtins.list[JobVersion]:
        """The job's earlier definitions, oldest first.

        Raises:
            JobNotFoundError: There is no such job.
            UnsupportedError: The backend keeps none.
        """

    async def plan(self, jobs: Iterable[Job], *, prune: bool = False) -> Plan:
        """What ``apply`` would do so that exactly these jobs are stored. Nothing is changed.

        Args:
            jobs: Jobs of different names.
            prune: Whether jobs that are stored and not among them are cancelled. Only the groups of
                the given jobs are looked at, and only what stepsched made is cancelled.

        Raises:
            ValueError: A name stands twice.
            InvalidScheduleError: A job would never run.
            UnsupportedError: The backend cannot run one exactly as written.
        """

    async def apply(
        self,
        plan_or_jobs: Plan | Iterable[Job],
        *,
        prune: bool = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> Plan:
        """Performs a plan: creates, then updates, then cancels. All jobs are checked before the first verb.

        Args:
            plan_or_jobs: A plan, or the jobs to make one of.
            prune: As for :meth:`plan`; only with jobs.
            progress: Called now and then with how many changes are done, and of how many.

        Returns:
            What was done.

        Raises:
            BulkError: Some changes failed, such as that of a job which another writer has changed since the
                plan was made; it says which and why. All others are done.
            Exception: As ``plan``, before the first verb.
        """

    async def pause(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
        """Stops the job from coming due until ``resume``. To pause a paused job is no error.

        On the embedded backend no run of the job begins any more once this has returned: one that has come
        due and not begun begins after ``resume``. Elsewhere it may still begin.

        Args:
            name: The job's.
            group: As for :meth:`get`.
            stop_run: Whether a run that goes on is stopped too, and fails. False: it goes on to its end.

        Raises:
            JobNotFoundError: There is no such job.
            InvalidTransitionError: It has ended.
            UnsupportedError: ``stop_run`` on a backend that cannot stop a run.
        """

    async def resume(self, name: str, *, group: str | None = None) -> JobRecord:
        """Lets the job come due again, from now on. To resume an active job is no error.

        What would have run while it was paused is not made up; a job with no run left ends.

        Raises:
            JobNotFoundError: There is no such job.
            InvalidTransitionError: It has ended.
        """

    async def cancel(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
        """Deletes the job and its runs that have not started. Its history stays.

        Args:
            name: The job's.
            group: As for :meth:`get`.
            stop_run: Whether a run that goes on is stopped too, and fails. False: it goes on to its end.

        Returns:
            The job as it last was, with status cancelled; ``create(record.job)`` brings it back.

        Raises:
            JobNotFoundError: There is no such job.
            UnsupportedError: ``stop_run`` on a backend that cannot stop a run.
        """

    async def repair(self) -> builtins.list[Repair]:
        """Finds jobs that do not come due as they should, and mends them.

        Harmless at any time, by anyone, and by many at once: where nothing is wrong, nothing is changed. For
        a timer of yours, an alarm, or after an outage.

        Returns:
            What was wrong, why, and what was done; by job. Empty where all is well, and on backends where
            nothing of the kind can go wrong.
        """

    async def run_now(self, name: str, *, group: str | None = None) -> Run:
        """Runs the job once, beside its schedule and whatever its status.

        Returns:
            The run as recorded; ``runs(name)`` tells how it went, where the backend keeps runs.

        Raises:
            JobNotFoundError: There is no such job.
        """

    async def backfill(
        self, name: str, *, since: datetime, until: datetime, group: str | None = None
    ) -> builtins.list[Run]:
        """Runs the job for scheduled instants that have passed, such as those before it was created.

        An instant that has a run already gets none, so that the call can be repeated.

        Args:
            name: The job's.
            since: Aware; inclusive.
            until: Aware; inclusive; instants that are still to come are left to the schedule.

        Returns:
            The new runs as recorded, oldest first.

        Raises:
            JobNotFoundError: There is no such job.
            UnsupportedError: The backend keeps no record of runs.
            ValueError: An instant is naive, ``until`` lies before ``since``, or the range contains more
                than 10,000 runs.
        """

    async def dead_letters(self, name: str | None = None) -> builtins.list[Run]:
        """The runs that failed for good, oldest first.

        Args:
            name: The job's. None: of all jobs.
        """

    async def redrive(self, run: Run) -> Run:
        """Tries a run that failed for good again, with all its attempts.

        Args:
            run: One of ``dead_letters()``.

        Returns:
            The run as it waits.

        Raises:
            InvalidTransitionError: It has not failed, or its job is gone.
        """

    async def runs(
        self,
        name: str | None = None,
        *,
        status: RunStatus | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> builtins.list[Run]:
        """The runs that fit every given condition, in the order they were recorded.

        Args:
            name: The job's. None: of all jobs. The history of a job that is gone is still there.
            status: A :class:`RunStatus` or its word.
            since: Scheduled at or after this instant; aware.
            until: Scheduled at or before this instant; aware.
            limit: Only so many, the latest ones.

        Raises:
            JobNotFoundError: No such job, and no run of one.
            UnsupportedError: The backend keeps no record of such runs.
            ValueError: ``status`` is no such word, an instant is naive, or ``limit`` is negative.
        """
