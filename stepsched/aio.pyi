"""Written by tests/api/stub.py from client.py, workflow_client.py and aio.py: not to be edited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

from pydantic import JsonValue
from typing_extensions import Self

from stepsched.backends.base import Backend
from stepsched.display.results import Displayed
from stepsched.display.table import Table
from stepsched.jobs import Job, JobRecord, JobStatus, Run, RunStatus
from stepsched.jobs.plans import Plan
from stepsched.jobs.results import JobRecords, JobVersions, Repairs, Runs
from stepsched.jobs.upcoming import UpcomingRun
from stepsched.workflows.model import Step, Workflow
from stepsched.workflows.records import (
    RestartPlan,
    TakenOver,
    WorkflowRun,
    WorkflowRunStatus,
    WorkflowVersion,
)
from stepsched.workflows.requests import Names
from stepsched.workflows.results import WorkflowRuns, WorkflowVersions

class CallCancelledError(asyncio.CancelledError):
    """A call was cancelled, for example by ``asyncio.timeout``. A thread cannot be stopped, so the call may
    still take effect.

    Before Python 3.11.8, and in 3.12.0 and 3.12.1, ``asyncio`` does not accept a subclass of its
    CancelledError: there a plain one with the same attributes is raised, and this one is its ``__cause__``.

    Attributes:
        call: The name of the method.
        may_have_happened: False: the call had not begun and was withdrawn. True: the call had begun; it may
            have taken effect or may still do so, and an exception that it raises is logged.
    """

    may_have_happened: bool
    call: str

    def __init__(self, call: str, may_have_happened: bool) -> None: ...

class AsyncSchedulerClient(Displayed):
    """A :class:`SchedulerClient` for an event loop: the same methods as coroutines, for the same backends.

    Read ``iterate`` and ``upcoming`` with ``async for``. Calls are made in daemon threads, at most eight at
    once, and never block the loop; context variables are passed to them. ``progress`` functions are called
    in these threads.

    ``async with`` starts and ends the backend as :class:`SchedulerClient` does with ``with``. A backend that
    is an asynchronous context manager is entered and left as such instead.

    A call that is cancelled returns at once, with a :class:`CallCancelledError`.

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
        """Creates a client.

        Args:
            backend: The backend that stores and runs the jobs. None: a new :class:`LocalBackend` in memory.
        """

    def _shown_table(self) -> Table: ...
    @classmethod
    async def from_stack(cls, name: str, **options: Any) -> Self:
        """Creates a client of the :class:`StepFunctionsBackend` of a CloudFormation stack; ``close`` closes
        the backend too.

        Args:
            name: The name of the stack.
            **options: Passed to :meth:`StepFunctionsBackend.from_stack`.

        Raises:
            BackendError: There is no such stack, or it has no outputs of ``stepsched.deploy.template``.
        """

    async def wait(self, run: Run, *, timeout: timedelta | float | None = None) -> Run:
        """Waits until a run has ended, in this or in another process.

        Args:
            run: The run, such as the result of ``run_now``.
            timeout: The longest time to wait, in seconds or as a timedelta; zero polls once. None: no limit.

        Returns:
            The ended run; ``.status`` is its outcome.

        Raises:
            WaitTimeoutError: The run has not ended within ``timeout``; it goes on.
            RunNotFoundError: The backend has no such run, or no longer has it.
            UnsupportedError: The backend does not keep runs, or it has a fake clock, which does not advance
                during the wait.
            TypeError: ``run`` is not a Run, or ``timeout`` is neither a number nor a timedelta.
            ValueError: ``timeout`` is negative.
        """

    async def watch(
        self,
        *,
        interval: timedelta | float | None = None,
        timeout: timedelta | float | None = None,
        name_prefix: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Shows what happens, as :meth:`SchedulerClient.watch` does, until the task is cancelled or the time
        is over. The last picture stays.

        It works in the running loop of a notebook: the stop button ends it, and it returns. Every other
        cancellation goes on as usual once the screen is closed: ``asyncio.timeout`` raises its TimeoutError,
        and Ctrl-C ends ``asyncio.run`` with KeyboardInterrupt.

        Args:
            interval: As for :meth:`SchedulerClient.watch`.
            timeout: The time after which it ends, in seconds or as a timedelta; zero shows one picture. None:
                no limit.
            name_prefix: As for :meth:`list`.
            group: As for :meth:`list`.
            tags: As for :meth:`list`.

        Raises:
            UnsupportedError: The backend has a fake clock, which does not advance meanwhile, and ``timeout``
                is not zero.
            BackendError: The backend cannot be read, and could not be later either.
            ValueError: ``interval`` is too short, or ``timeout`` is negative.
        """

    async def close(self, *, timeout: timedelta | float | None = None) -> None:
        """Closes the backend that this client made itself, and stops one that was passed in if this client
        started it. May be called more than once.

        Args:
            timeout: The longest time to wait for runs in progress, in seconds or as a timedelta. None: no
                limit.

        Raises:
            TypeError: ``timeout`` has another type.
            ValueError: ``timeout`` is negative.
        """

    @property
    def backend(self) -> Backend:
        """The backend that the calls go to."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    async def create(self, job: Job) -> JobRecord:
        """Stores a job: active, or paused if ``job.enabled`` is False. Creating an equal job again is not an
        error and changes nothing.

        Raises:
            InvalidScheduleError: The job would never run.
            UnsupportedError: The backend cannot run the job exactly as defined.
            JobExistsError: A different job of this name is stored.
            BackendError: The backend returned an error.
        """

    async def create_many(
        self, jobs: Iterable[Job], *, progress: Callable[[int, int], object] | None = None
    ) -> JobRecords:
        """Stores many jobs. All jobs are checked before the first one is stored. Equal jobs change nothing,
        so an interrupted call can be repeated.

        Args:
            jobs: The jobs, with distinct names.
            progress: A function that is called repeatedly with the number of jobs that are done and the
                total. None: a progress bar, if the output is a terminal or a notebook and the call takes
                longer than a moment.

        Returns:
            The records, in the order of ``jobs``.

        Raises:
            ValueError: Two jobs have the same name.
            InvalidScheduleError: A job would never run.
            UnsupportedError: The backend cannot run a job exactly as defined.
            BulkError: Some jobs could not be stored, such as one whose name a different job has;
                ``failures`` holds them with the reasons. All others are stored.
        """

    async def get(self, name: str, *, group: str | None = None) -> JobRecord:
        """Returns the job of that name.

        Args:
            name: The name of the job.
            group: The group of the job. None: any group; on a backend where names are unique only within a
                group, it is an error if several groups have a job of this name.

        Raises:
            JobNotFoundError: There is no such job.
            BackendError: Several groups have a job of this name (code ``AMBIGUOUS``).
        """

    async def list(
        self,
        *,
        status: JobStatus | str | None = None,
        name_prefix: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
        progress: Callable[[int, None], object] | None = None,
    ) -> JobRecords:
        """Returns the jobs that match all given conditions, sorted by name: a list, which ``print()`` and
        notebooks show as a table.

        Args:
            status: A :class:`JobStatus` or its value as a string.
            name_prefix: The beginning of the name; case-sensitive.
            group: The group of the job.
            tags: Tags that the job must have, with these values; it may have others too.
            progress: A function that is called repeatedly with the number of jobs that are read and None,
                since the total is not known. None: a count, if the output is a terminal or a notebook and
                the call takes longer than a moment.

        Raises:
            ValueError: ``status`` is not the value of a :class:`JobStatus`.
        """

    def iterate(
        self,
        *,
        status: JobStatus | str | None = None,
        name_prefix: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> AsyncIterator[JobRecord]:
        """Yields the same jobs as :meth:`list`, one by one as they are read, in an order that depends on the
        backend. Use it for sets of jobs that should not be held in memory.

        Raises:
            ValueError: ``status`` is not the value of a :class:`JobStatus`.
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
        """Returns the upcoming runs of all active jobs, each with its job, ordered by scheduled instant.
        The jobs are read by this call; their runs are computed during iteration.

        Paused jobs, and jobs whose next run the backend does not know, are left out.

        Args:
            until: The last instant to include; aware. None: no bound other than ``limit``.
            limit: The maximum number of runs, the earliest first. None: no bound other than ``until``.
            name_prefix: As for :meth:`list`.
            group: As for :meth:`list`.
            tags: As for :meth:`list`.

        Returns:
            An asynchronous iterator: read it with ``async for``.

        Raises:
            TypeError: ``until`` is no datetime.
            ValueError: Neither ``until`` nor ``limit`` is given, ``until`` is naive, or ``limit`` is
                negative.
        """

    async def update(self, job: Job, *, expected_version: int | None = None) -> JobRecord:
        """Replaces the definition of the job of that name. A job that ``pause`` has paused stays paused.
        ``job.enabled`` False pauses the job; a change from False to True resumes it.

        The version is incremented, unless the new definition is equal: then nothing changes. A rate
        without start keeps its grid.

        Args:
            job: The complete new definition, such as ``client.get(name).job.replace(...)``.
            expected_version: The version on which the change is based. None: replace any version.

        Raises:
            JobNotFoundError: There is no such job.
            ConflictError: The stored version is not ``expected_version``.
            InvalidScheduleError: The job would never run.
            UnsupportedError: The backend cannot run the job exactly as defined.
        """

    async def versions(self, name: str, *, group: str | None = None) -> JobVersions:
        """Returns the earlier definitions of the job, oldest first.

        Raises:
            JobNotFoundError: There is no such job.
            UnsupportedError: The backend does not keep earlier definitions.
        """

    async def plan(
        self,
        jobs: Iterable[Job],
        *,
        prune: bool | Collection[str] = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> Plan:
        """Compares jobs with the stored ones and returns the changes that ``apply`` would make. Nothing is
        changed.

        A job that is stored in another group is moved. On a backend on which several groups may have a job of
        the same name, this needs ``prune``: either True, if only one other group has the name, or a list with
        the other group. ``namesakes`` of the plan has jobs that are not moved.

        Args:
            jobs: The jobs that are to be stored, with distinct names.
            prune: Whether stored jobs that are not among ``jobs`` are to be cancelled. True: in all groups of
                the backend, or, if other programs share its groups, in those of the given jobs. A list of
                groups, such as ``["reports"]``: only in these. Only jobs that stepsched created are
                cancelled; ``unsearched`` of the plan has the groups that were left out, and ``empty_groups``
                named ones without any job.
            progress: A function that is called repeatedly with the number of jobs that are checked and the
                total. None: a progress bar, as for :meth:`create_many`.

        Raises:
            TypeError: ``prune`` is neither a bool nor a list of groups.
            ValueError: Two jobs have the same name, or ``prune`` names a group that does not belong to the
                backend.
            InvalidScheduleError: A job would never run, and is not stored with this definition already.
            UnsupportedError: The backend cannot run a job exactly as defined.
        """

    async def apply(
        self,
        plan_or_jobs: Plan | Iterable[Job],
        *,
        prune: bool | Collection[str] = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> Plan:
        """Applies a plan: creates, then updates and moves, then cancels. All jobs are checked before the
        first change. An interrupted call can be repeated.

        Args:
            plan_or_jobs: A plan, or the jobs to make a plan of.
            prune: As for :meth:`plan`; only with jobs.
            progress: A function that is called repeatedly with the number of changes that are done and the
                total. None: a progress bar, as for :meth:`create_many`.

        Returns:
            The applied plan.

        Raises:
            BulkError: Some changes failed, such as the update of a job that was changed after the plan was
                made; ``failures`` holds them with the reasons. All others are done.
            Exception: As for :meth:`plan`, before the first change.
        """

    async def pause(
        self, name: str, *, group: str | None = None, stop_run: bool = False, reason: str | None = None
    ) -> JobRecord:
        """Pauses the job: no further run comes due until ``resume``. Pausing a paused job is not an error.

        On the embedded backend no run of the job begins after this method has returned: a run that is due but
        has not begun waits for ``resume``. On other backends it may still begin.

        Args:
            name: The name of the job.
            group: As for :meth:`get`.
            stop_run: Whether to stop a run in progress too, which then fails. False: it runs to its end.
            reason: Why the job is paused, for people: 1 to 200 visible characters on one line. It is kept as
                ``pause_reason`` of the record until the job is active again, through updates too. If the job
                is already paused, it replaces the reason of then. None: none is given, and one of then is
                kept.

        Raises:
            JobNotFoundError: There is no such job.
            InvalidTransitionError: The job has ended.
            UnsupportedError: ``stop_run`` is True, and the backend cannot stop a run; or the backend has no
                room for the reason.
            TypeError: ``reason`` is not a string.
            ValueError: ``reason`` is empty, too long, or has other characters.
        """

    async def resume(self, name: str, *, group: str | None = None) -> JobRecord:
        """Resumes the job: its runs come due again from now on. Resuming an active job is not an error.

        Runs that would have come due while the job was paused are not made up. A job with no run left ends.

        Raises:
            JobNotFoundError: There is no such job.
            InvalidTransitionError: The job has ended.
        """

    async def cancel(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
        """Deletes the job and its runs that have not started. Its history is kept.

        Args:
            name: The name of the job.
            group: As for :meth:`get`.
            stop_run: Whether to stop a run in progress too, which then fails. False: it runs to its end.

        Returns:
            The last record of the job, with status cancelled; ``create(record.job)`` creates it again.

        Raises:
            JobNotFoundError: There is no such job.
            UnsupportedError: ``stop_run`` is True, and the backend cannot stop a run.
        """

    async def pause_many(
        self,
        *,
        name_prefix: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
        reason: str | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> JobRecords:
        """Pauses all active jobs that match all given conditions, as :meth:`pause` does; without a condition,
        all active jobs. Jobs that stepsched did not create are left out, and so are jobs that are already
        paused, with their reasons: ``resume`` of each returned job ends exactly this pause.

        An interrupted call can be repeated; it then returns only the jobs that the first call has not paused.

        Args:
            name_prefix: As for :meth:`list`.
            group: As for :meth:`list`.
            tags: As for :meth:`list`.
            reason: As for :meth:`pause`.
            progress: As for :meth:`create_many`.

        Returns:
            The records of the jobs that this call has paused, sorted by name.

        Raises:
            BulkError: Some jobs could not be paused; ``failures`` holds them with the reasons. All others
                are, and ``records`` has them.
            TypeError: ``reason`` is not a string.
            ValueError: As for :meth:`pause`.
        """

    async def resume_many(
        self,
        *,
        name_prefix: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> JobRecords:
        """Resumes all jobs that match all given conditions, as :meth:`resume` does; without a condition, all
        jobs, including those that were paused one by one. Jobs that stepsched did not create, and jobs that
        have ended, are left out. An interrupted call can be repeated.

        Args:
            name_prefix: As for :meth:`list`.
            group: As for :meth:`list`.
            tags: As for :meth:`list`.
            progress: As for :meth:`create_many`.

        Returns:
            The records of the jobs, which are active now, or ended if no run was left, sorted by name.

        Raises:
            BulkError: Some jobs could not be resumed; ``failures`` holds them with the reasons. All others
                are.
        """

    async def cancel_many(
        self,
        *,
        status: JobStatus | str | None = None,
        name_prefix: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> JobRecords:
        """Cancels all jobs that match all given conditions, as :meth:`cancel` does. Jobs that stepsched did
        not create are left out. An interrupted call can be repeated.

        Args:
            status: As for :meth:`list`, such as ``"ended"``.
            name_prefix: As for :meth:`list`.
            group: As for :meth:`list`.
            tags: As for :meth:`list`.
            progress: As for :meth:`create_many`.

        Returns:
            The last records of the jobs, with status cancelled, sorted by name.

        Raises:
            ValueError: No condition is given.
            BulkError: Some jobs could not be cancelled; ``failures`` holds them with the reasons. All others
                are.
        """

    async def repair(self) -> Repairs:
        """Finds jobs that do not come due as they should and runs that never end, and repairs them.

        It is safe at any time and from several callers at once: without a problem, nothing is changed. Call
        it regularly, on an alarm, or after an outage. Where it takes long, on Step Functions, a progress bar
        shows how many jobs are checked, and then how many are repaired, as for :meth:`create_many`.

        Returns:
            One entry for each problem, with its cause and what was done, sorted by job. Empty if there was no
            problem, and on backends on which such problems cannot occur.
        """

    async def run_now(self, name: str, *, group: str | None = None) -> Run:
        """Runs the job once now, independently of its schedule and its status.

        Returns:
            The recorded run; ``runs(name)`` returns its outcome, if the backend keeps runs.

        Raises:
            JobNotFoundError: There is no such job.
        """

    async def backfill(
        self, name: str, *, since: datetime, until: datetime, group: str | None = None
    ) -> Runs:
        """Runs the job for scheduled instants that have passed, such as those before it was created.

        Instants that already have a run are left out, so the call can be repeated. Where it takes long, on
        Step Functions, a progress bar shows how many are recorded, as for :meth:`create_many`.

        Args:
            name: The name of the job.
            since: The first instant of the range; aware, inclusive.
            until: The last instant of the range; aware, inclusive. Instants in the future are left to the
                schedule.
            group: As for :meth:`get`.

        Returns:
            The recorded new runs, oldest first.

        Raises:
            JobNotFoundError: There is no such job.
            UnsupportedError: The backend does not keep runs.
            ValueError: An instant is naive, ``until`` lies before ``since``, or the range contains more
                than 10,000 runs.
        """

    async def dead_letters(self, name: str | None = None) -> Runs:
        """Returns the runs that have failed for good, oldest first.

        Args:
            name: The name of the job. None: all jobs.
        """

    async def redrive(self, run: Run) -> Run:
        """Runs a run that has failed for good again, with all its attempts.

        Args:
            run: A run from ``dead_letters()``.

        Returns:
            The pending run.

        Raises:
            InvalidTransitionError: The run has not failed, or its job no longer exists.
        """

    async def runs(
        self,
        name: str | None = None,
        *,
        status: RunStatus | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Runs:
        """Returns the runs that match all given conditions, in the order in which they were recorded.

        Args:
            name: The name of the job. None: all jobs. The runs of a deleted job are included.
            status: A :class:`RunStatus` or its value as a string.
            since: The earliest scheduled instant; aware, inclusive.
            until: The latest scheduled instant; aware, inclusive.
            limit: The maximum number of runs; the latest ones are returned.

        Raises:
            JobNotFoundError: There is neither a job of this name nor a run of one.
            UnsupportedError: The backend does not keep such runs.
            ValueError: ``status`` is not the value of a :class:`RunStatus`, an instant is naive, or ``limit``
                is negative.
        """

class AsyncWorkflowClient(Displayed):
    """A :class:`WorkflowClient` for an event loop: the same methods as coroutines, for the same backends.
    What is said of :class:`AsyncSchedulerClient` applies.

    Example:
        >>> import asyncio
        >>> import stepsched as ss
        >>> async def main() -> str:
        ...     step = ss.Step("count", target=ss.HandlerTarget(lambda: 3))
        ...     async with AsyncWorkflowClient() as flows:
        ...         run = await flows.start(ss.Workflow("nightly", steps=[step]))
        ...         return (await flows.wait(run, timeout=30)).status.value
        >>> asyncio.run(main())
        'succeeded'
    """

    def __init__(self, backend: Backend | None = None) -> None:
        """Creates a client.

        Args:
            backend: The backend that stores and runs the workflows. None: a new :class:`LocalBackend` in
                memory.

        Raises:
            UnsupportedError: The backend does not run workflows.
        """

    def _shown_table(self) -> Table: ...
    @classmethod
    async def from_stack(cls, name: str, **options: Any) -> Self:
        """Creates a client of the :class:`StepFunctionsBackend` of a CloudFormation stack that has the part
        ``workflows``; ``close`` closes the backend too.

        Args:
            name: The name of the stack.
            **options: Passed to :meth:`StepFunctionsBackend.from_stack`.

        Raises:
            BackendError: There is no such stack, or it has no outputs of ``stepsched.deploy.template``.
            UnsupportedError: The stack does not run workflows.
        """

    async def wait(
        self,
        run: WorkflowRun | str,
        *,
        timeout: timedelta | float | None = None,
        progress: Callable[[WorkflowRun], object] | None = None,
    ) -> WorkflowRun:
        """Waits until a run has ended, in this or in another process. Ctrl-C ends the wait; the run goes on.

        Args:
            run: The run, its key, or the name of a workflow for its latest run.
            timeout: The longest time to wait, in seconds or as a timedelta; zero polls once. None: no limit.
            progress: A function that is called with the run after each poll. None: a table of the steps,
                which is kept up to date, if the output is a terminal or a notebook; otherwise each change is
                logged as a line (logger ``stepsched.workflow_client``, level INFO).

        Returns:
            The ended run; ``.status`` is its outcome.

        Raises:
            WaitTimeoutError: The run has not ended within ``timeout``; it goes on.
            RunNotFoundError: There is no such run, or no longer.
            UnsupportedError: The backend has a fake clock, which does not advance during the wait.
        """

    async def close(self, *, timeout: timedelta | float | None = None) -> None:
        """Closes or stops the backend, as :meth:`SchedulerClient.close` does. May be called more than once.

        Args:
            timeout: The longest time to wait for steps in progress, in seconds or as a timedelta. None: no
                limit.
        """

    @property
    def backend(self) -> Backend:
        """The backend that the calls go to."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    async def put(self, workflow: Workflow) -> WorkflowVersion:
        """Stores a workflow: as the next version, or not at all if it equals the latest one. Runs that exist
        follow the definition that they have.

        Raises:
            UnsupportedError: The backend cannot run a step exactly as defined.
            TypeError: ``workflow`` is not a :class:`Workflow`.
        """

    async def get(self, name: str, version: int | None = None) -> WorkflowVersion:
        """Returns a stored workflow.

        Args:
            name: The name of the workflow.
            version: The number of the version. None: the latest.

        Raises:
            WorkflowNotFoundError: There is no such workflow or version.
        """

    async def list(self) -> WorkflowVersions:
        """Returns the latest version of every workflow, sorted by name: a list, which ``print()`` and
        notebooks show as a table."""

    async def start(
        self, workflow: Workflow | str, *, input: JsonValue = None, run_id: str | None = None
    ) -> WorkflowRun:
        """Starts a run.

        Args:
            workflow: The workflow, which is stored first, or the name of a stored one, of which the latest
                version runs.
            input: The input of the run, to which steps refer. None: that of the definition.
            run_id: The ID of the run: 1 to 64 of ``A-Z a-z 0-9 - _ . :``, unique in the workflow. With an ID
                the call can be repeated: a run that exists is made to go on if it has not ended, and is
                returned, with its own input and definition. None: a new ID that begins with the present
                instant.

        Returns:
            The run.

        Raises:
            WorkflowNotFoundError: There is no workflow of this name.
            UnsupportedError: The backend cannot run a step exactly as defined.
            ValueError: ``run_id`` has other characters, or ``input`` is not JSON.
        """

    async def status(self, run: WorkflowRun | str) -> WorkflowRun:
        """Returns a run as it is now, with all its steps.

        Args:
            run: The run, its key, or the name of a workflow for its latest run.

        Raises:
            RunNotFoundError: There is no such run.
            WorkflowNotFoundError: There is no such workflow.
        """

    async def runs(
        self,
        name: str | None = None,
        *,
        status: WorkflowRunStatus | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> WorkflowRuns:
        """Returns the runs that match all given conditions, the earliest start first: a list, which
        ``print()`` and notebooks show as a table.

        Args:
            name: The name of the workflow. None: all workflows.
            status: A :class:`WorkflowRunStatus` or its value as a string.
            since: The earliest start; aware, inclusive.
            until: The latest start; aware, inclusive.
            limit: The maximum number of runs; the latest ones are returned.

        Raises:
            WorkflowNotFoundError: There is neither a workflow of this name nor a run of one.
            ValueError: ``status`` is not the value of a :class:`WorkflowRunStatus`, an instant is naive, or
                ``limit`` is negative.
        """

    async def plan_restart(
        self,
        run: WorkflowRun | str,
        *,
        from_: Names = (),
        only: Names = (),
        skip: Names = (),
        mark_succeeded: Names | Mapping[str, JsonValue] = (),
        input: JsonValue = None,
        workflow: Workflow | None = None,
    ) -> RestartPlan:
        """Returns what a restart would do with every step, and why. Nothing is changed. ``print`` and
        notebooks show a table.

        Without further arguments, steps that have succeeded or were skipped stay so, running ones are
        awaited, and all others run when their needs are done.

        Args:
            run: The run, its key, or the name of a workflow for its latest run.
            from_: Steps that run again, with all steps that need them, directly or by others.
            only: The steps that run again; all others keep what they have.
            skip: Steps that are skipped; they count as done.
            mark_succeeded: Steps that count as succeeded, such as because somebody has done their work by
                hand; as a mapping, with their outputs.
            input: The input of the run from now on. None: that which it has.
            workflow: A changed definition, of the same name, that the run follows from now on. None: that
                which it has.

        Raises:
            RunNotFoundError: There is no such run.
            UnsupportedError: The backend cannot run a step of ``workflow`` exactly as defined.
            ValueError: A step is unknown or still runs, or a step of ``only`` needs one that would not be
                done.
            InvalidTransitionError: The run has succeeded, and no argument says what to run again.
        """

    async def restart(
        self,
        run_or_plan: WorkflowRun | RestartPlan | str,
        *,
        from_: Names = (),
        only: Names = (),
        skip: Names = (),
        mark_succeeded: Names | Mapping[str, JsonValue] = (),
        input: JsonValue = None,
        workflow: Workflow | None = None,
    ) -> WorkflowRun:
        """Restarts a run where it failed, after any time: what has succeeded is not run again, and what still
        runs is awaited, never doubled. The run keeps its ID. A run that has not ended is made to go on, with
        what has failed so far.

        Args:
            run_or_plan: The run, its key, the name of a workflow for its latest run, or a plan of
                :meth:`plan_restart`, which is carried out as it is.
            from_: As for :meth:`plan_restart`, and so are all others; only without a plan.
            only: As for :meth:`plan_restart`.
            skip: As for :meth:`plan_restart`.
            mark_succeeded: As for :meth:`plan_restart`.
            input: As for :meth:`plan_restart`.
            workflow: As for :meth:`plan_restart`; it is stored first.

        Returns:
            The run, which goes on.

        Raises:
            ConflictError: The run has changed since the plan was made, or changes all the time.
            Exception: As for :meth:`plan_restart`.
        """

    async def skip(
        self, run: WorkflowRun | str, step: str | Step, *, reason: str | None = None
    ) -> WorkflowRun:
        """Skips a step: it counts as done for the steps that need it. A running step is ended where the
        backend can, and its outcome does not count any more. Steps that did not run because of it run after
        all, if the run has not ended; an ended run keeps its status until it is restarted.

        Args:
            run: The run, its key, or the name of a workflow for its latest run.
            step: The name of the step.
            reason: Why, for people: 1 to 200 visible characters on one line. None: none is given.

        Raises:
            RunNotFoundError: There is no such run.
            ValueError: There is no such step, or it has succeeded.
            ConflictError: The run changes all the time.
        """

    async def cancel(self, run: WorkflowRun | str) -> WorkflowRun:
        """Cancels a run: no further step starts, running ones are ended where the backend can, and all steps
        that have not ended become cancelled. A run that has ended is returned unchanged.

        Raises:
            RunNotFoundError: There is no such run.
        """

    async def repair(self) -> Repairs:
        """Finds runs that do not go on although they have not ended, such as after an outage, and makes them
        go on. It is safe at any time and from several callers at once.

        Returns:
            One entry for each problem, sorted by workflow; empty if there was none.
        """

    async def take_over(self, *, schedules_table: str, history_table: str | None = None) -> TakenOver:
        """Reads the tables of an AWS Batch scheduler: its schedules become workflows, and its history runs,
        which can be restarted. Nothing is written to these tables. A run whose record says that it runs, and
        was last written more than an hour ago, has died, and is taken over as a failed one.

        Args:
            schedules_table: The name of the table of schedules.
            history_table: The name of the table of the history. None: only the schedules are taken over.

        Returns:
            What was taken over, and what was left out with the reason.

        Raises:
            UnsupportedError: The backend has no such tables.
        """
