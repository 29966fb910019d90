"""The use cases over the port. No word of any provider stands here."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import Enum
from types import TracebackType
from typing import TypeVar

from typing_extensions import Self

from stepsched.backends.base import Backend, JobQuery, RunQuery
from stepsched.errors import InvalidScheduleError, JobExistsError, JobNotFoundError
from stepsched.jobs import Job, JobRecord, JobStatus, JobVersion, Run, RunStatus, is_name
from stepsched.plans import Plan, make_plan

_PORTION = 1_000
"""Jobs that one call of ``create_many`` hands to the backend at once."""


class SchedulerClient:
    """Creates, lists, changes, pauses, resumes, cancels and runs jobs, the same on every backend.

    As a context manager it starts its backend's firing and stops it at the end, where the backend
    fires in this process.

    Example:
        >>> import stepsched as ss
        >>> client = SchedulerClient()
        >>> morning = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
        >>> record = client.create(ss.Job(name="hello", schedule=morning, target=ss.HandlerTarget(print)))
        >>> record.status.value
        'active'
    """

    def __init__(self, backend: Backend | None = None) -> None:
        """A client.

        Args:
            backend: Where the jobs live. None: a new :class:`LocalBackend` in memory.
        """
        if backend is None:
            from stepsched.backends.local import LocalBackend

            backend = LocalBackend()
        if not isinstance(backend, Backend):
            raise TypeError(f"a backend is wanted, such as LocalBackend({backend!r}), not {backend!r}")
        self.backend = backend

    def create(self, job: Job) -> JobRecord:
        """Stores a job. To create an equal job again is no error and changes nothing.

        Raises:
            InvalidScheduleError: The job would never run.
            UnsupportedError: The backend cannot run it exactly as written.
            JobExistsError: Another job has the name.
            BackendError: The backend failed.
        """
        self._check(job)
        try:
            return self.backend.create(job)
        except JobExistsError:
            return self._equal(job)

    def create_many(
        self, jobs: Iterable[Job], *, progress: Callable[[int, int], object] | None = None
    ) -> builtins.list[JobRecord]:
        """Stores many jobs. All are checked before the first is stored; equal ones change nothing, so
        that a call which was cut off can be repeated.

        Args:
            jobs: Jobs of different names.
            progress: Called now and then with how many are done, and of how many.

        Returns:
            The records, in order.

        Raises:
            ValueError: A name stands twice.
            InvalidScheduleError: A job would never run.
            UnsupportedError: The backend cannot run one exactly as written.
            JobExistsError: Another job has a name. Jobs before it may have been stored.
        """
        wanted = list(jobs)
        for job in wanted:
            self._check(job)
        make_plan(wanted, {}, prune=False)
        records = list[JobRecord]()
        for first in range(0, len(wanted), _PORTION):
            portion = wanted[first : first + _PORTION]
            for job, record in zip(portion, self.backend.create_many(portion), strict=True):
                records.append(record or self._equal(job))
            if progress is not None:
                progress(len(records), len(wanted))
        return records

    def get(self, name: str) -> JobRecord:
        """The job of that name.

        Raises:
            JobNotFoundError: There is none.
        """
        return self.backend.get(_known_name(name))

    def list(
        self,
        *,
        status: JobStatus | str | None = None,
        name_prefix: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> list[JobRecord]:
        """The jobs that fit every given condition, by name.

        Args:
            status: A :class:`JobStatus` or its word.
            name_prefix: What the name begins with; case matters.
            group: The job's group.
            tags: Tags that the job must have, with these values; it may have more.

        Raises:
            ValueError: ``status`` is no such word.
        """
        query = JobQuery(
            status=None if status is None else _word(JobStatus, status),
            name_prefix=name_prefix,
            group=group,
            tags=dict(tags or {}),
        )
        return list(self.backend.list(query))

    def update(self, job: Job, *, expected_version: int | None = None) -> JobRecord:
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
        self._check(job)
        present = self.backend.get(job.name)
        version = present.version if expected_version is None else expected_version
        if present.job == job and present.version == version:
            return present
        return self.backend.update(job, expected_version=version)

    def versions(self, name: str) -> builtins.list[JobVersion]:
        """The job's earlier definitions, oldest first.

        Raises:
            JobNotFoundError: There is no such job.
        """
        return self.backend.versions(_known_name(name))

    def plan(self, jobs: Iterable[Job], *, prune: bool = False) -> Plan:
        """What ``apply`` would do so that exactly these jobs are stored. Nothing is changed.

        Args:
            jobs: Jobs of different names.
            prune: Whether jobs that are stored and not among them are cancelled. Only the groups of
                the given jobs are looked at.

        Raises:
            ValueError: A name stands twice.
            InvalidScheduleError: A job would never run.
            UnsupportedError: The backend cannot run one exactly as written.
        """
        jobs = list(jobs)
        for job in jobs:
            self._check(job)
        stored = {record.name: record for record in self.backend.list(JobQuery())}
        return make_plan(jobs, stored, prune=prune)

    def apply(
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
            ConflictError: A job has changed since the plan was made.
            Exception: As ``create_many``, ``update`` and ``cancel``.
        """
        if isinstance(plan_or_jobs, Plan) and prune:
            raise ValueError("a plan knows already what it prunes; give prune where it is made")
        plan = plan_or_jobs if isinstance(plan_or_jobs, Plan) else self.plan(plan_or_jobs, prune=prune)
        total = len(plan.create) + len(plan.update) + len(plan.cancel)
        for job in (*plan.create, *(change.after for change in plan.update)):
            self._check(job)

        def tell(done: int, _of: int = 0) -> None:
            if progress is not None:
                progress(done, total)

        self.create_many(plan.create, progress=tell)
        done = len(plan.create)
        for change in plan.update:
            self.backend.update(change.after, expected_version=change.version)
            tell(done := done + 1)
        for name in plan.cancel:
            self.backend.cancel(name)
            tell(done := done + 1)
        return plan

    def pause(self, name: str) -> JobRecord:
        """Stops the job from coming due until ``resume``. To pause a paused job is no error.

        Raises:
            JobNotFoundError: There is no such job.
            InvalidTransitionError: It has ended.
        """
        return self.backend.pause(_known_name(name))

    def resume(self, name: str) -> JobRecord:
        """Lets the job come due again, from now on. To resume an active job is no error.

        What would have run while it was paused is not made up; a job with no run left ends.

        Raises:
            JobNotFoundError: There is no such job.
            InvalidTransitionError: It has ended.
        """
        return self.backend.resume(_known_name(name))

    def cancel(self, name: str) -> JobRecord:
        """Deletes the job and its runs that have not started. Its history stays.

        Returns:
            The job as it last was, with status cancelled; ``create(record.job)`` brings it back.

        Raises:
            JobNotFoundError: There is no such job.
        """
        return self.backend.cancel(_known_name(name))

    def run_now(self, name: str) -> Run:
        """Runs the job once, beside its schedule and whatever its status.

        Returns:
            The run as recorded; ``runs(name)`` tells how it went.

        Raises:
            JobNotFoundError: There is no such job.
        """
        return self.backend.run_now(_known_name(name))

    def backfill(self, name: str, *, since: datetime, until: datetime) -> builtins.list[Run]:
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
            ValueError: An instant is naive, ``until`` lies before ``since``, or the stretch holds more
                than 10,000 runs.
        """
        _refuse_naive(since=since, until=until)
        if until < since:
            raise ValueError(f"until {until.isoformat()} lies before since {since.isoformat()}")
        return self.backend.backfill(_known_name(name), since=since, until=until)

    def dead_letters(self, name: str | None = None) -> builtins.list[Run]:
        """The runs that failed for good, oldest first.

        Args:
            name: The job's. None: of all jobs.
        """
        return list(self.backend.runs(RunQuery(job=name, status=RunStatus.FAILED)))

    def redrive(self, run: Run) -> Run:
        """Tries a run that failed for good again, with all its attempts.

        Args:
            run: One of ``dead_letters()``.

        Returns:
            The run as it waits.

        Raises:
            InvalidTransitionError: It has not failed, or its job is gone.
        """
        if not isinstance(run, Run):
            raise TypeError(f"a Run is wanted, such as one of dead_letters(), not {type(run).__name__}")
        return self.backend.redrive(run)

    def runs(
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
            ValueError: ``status`` is no such word, an instant is naive, or ``limit`` is negative.
        """
        _refuse_naive(since=since, until=until)
        if limit is not None and (not isinstance(limit, int) or not 0 <= limit < 2**63):
            raise ValueError(f"limit must be a whole number of at least 0, not {limit!r}")
        if name is not None:
            _known_name(name)
        query = RunQuery(
            job=name,
            status=None if status is None else _word(RunStatus, status),
            since=since,
            until=until,
            limit=limit,
        )
        found = list(self.backend.runs(query))
        if not found and name is not None and not any(self.backend.runs(RunQuery(job=name, limit=1))):
            self.backend.get(name)
        return found

    def _equal(self, job: Job) -> JobRecord:
        """The stored job of that name, which must be equal."""
        present = self.backend.get(job.name)
        if present.job != job:
            raise JobExistsError(job.name)
        return present

    def _check(self, job: Job) -> None:
        if type(job) is not Job:  # a subclass would not come back as itself
            raise TypeError(f"a Job is wanted, not {type(job).__name__}")
        reason = job.never_runs(self.backend.now())
        if reason is not None:
            raise InvalidScheduleError(
                str(job.schedule), "schedule", f"job {job.name!r} would never run: {reason}"
            )
        self.backend.check(job)

    def __enter__(self) -> Self:
        self.backend.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.backend.stop()


def _refuse_naive(**moments: datetime | None) -> None:
    for word, moment in moments.items():
        if moment is not None and not isinstance(moment, datetime):
            raise TypeError(f"{word} must be an aware datetime, not {type(moment).__name__}")
        if moment is not None and moment.utcoffset() is None:
            raise ValueError(f"{word} is naive ({moment.isoformat()}); add a zone to name an instant")


def _known_name(name: str) -> str:
    """The name itself, which must be one that a job can have.

    Raises:
        TypeError: It is no text.
        JobNotFoundError: No job can have it.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a job is wanted, not {name!r}")
    if not is_name(name):
        raise JobNotFoundError(name)
    return name


Word = TypeVar("Word", bound=Enum)


def _word(kind: type[Word], value: object) -> Word:
    try:
        return kind(value)
    except ValueError as error:
        words = ", ".join(word.value for word in kind)
        raise ValueError(f"{value!r} is not among the words {words}") from error
