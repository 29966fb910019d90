"""The client: the verbs, implemented over the port."""

from __future__ import annotations

import builtins
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import Self

from stepsched.backends.base import Backend, JobQuery, Prepared, RunQuery, backend_table, idle_reason
from stepsched.core.clock import SystemClock
from stepsched.core.durations import seconds_of
from stepsched.core.errors import (
    BulkError,
    ConflictError,
    InvalidTransitionError,
    JobExistsError,
    JobNotFoundError,
    RunNotFoundError,
    StepschedError,
    UnsupportedError,
    WaitTimeoutError,
)
from stepsched.core.quoting import quoted
from stepsched.core.values import whole_number
from stepsched.display.progress import reported, reporting
from stepsched.display.results import Displayed
from stepsched.jobs import Job, JobRecord, JobStatus, Run, RunStatus
from stepsched.jobs.job import checked_jobs, no_job
from stepsched.jobs.names import checked_prune, is_name, is_name_prefix, is_narrow
from stepsched.jobs.records import checked_reason
from stepsched.jobs.results import JobRecords, JobVersions, Repairs, Runs
from stepsched.schedules.moments import aware

if TYPE_CHECKING:  # loaded by the verbs that need them
    from stepsched.display.table import Table
    from stepsched.jobs.plans import Change, Plan
    from stepsched.jobs.upcoming import Upcoming
    from stepsched.watching.loop import Watch

_LONGEST_PAUSE = 1.0
"""The longest pause between two polls of a run, in seconds, unless the backend asks for more."""
_PORTION = 1_000
"""The number of jobs that ``create_many`` passes to the backend in one call."""


class SchedulerClient(Displayed):
    """Creates, lists, changes, pauses, resumes, cancels and runs jobs. The methods are the same on every
    backend.

    As a context manager the client starts its backend, if the backend runs jobs in this process. At the end
    of the block a backend that the client made itself is closed; one that was passed in is only stopped,
    since its owner may go on using it.

    Example:
        >>> import stepsched as ss
        >>> client = SchedulerClient()
        >>> morning = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
        >>> record = client.create(ss.Job(name="hello", schedule=morning, target=ss.HandlerTarget(print)))
        >>> record.status.value
        'active'
    """

    def __init__(self, backend: Backend | None = None) -> None:
        """Creates a client.

        Args:
            backend: The backend that stores and runs the jobs. None: a new :class:`LocalBackend` in memory.
        """
        is_owner = backend is None
        if backend is None:
            from stepsched.backends.local import LocalBackend

            backend = LocalBackend()
        if not isinstance(backend, Backend):
            is_arn = isinstance(backend, str) and backend.startswith("arn:")
            name = "EventBridgeBackend" if is_arn else "LocalBackend"
            argument = quoted(backend) if isinstance(backend, (str, PathLike)) else ""
            raise TypeError(f"expected a backend, such as {name}({argument}), got {quoted(backend)}")
        self.backend = backend
        self._is_owner = is_owner
        self._has_started = False

    @classmethod
    def from_stack(cls, name: str, **options: Any) -> Self:
        """Creates a client of the :class:`StepFunctionsBackend` of a CloudFormation stack; ``close`` closes
        the backend too.

        Args:
            name: The name of the stack.
            **options: Passed to :meth:`StepFunctionsBackend.from_stack`.

        Raises:
            BackendError: There is no such stack, or it has no outputs of ``stepsched.deploy.template``.
        """
        from stepsched.backends.stepfunctions import StepFunctionsBackend

        client = cls(StepFunctionsBackend.from_stack(name, **options))
        client._is_owner = True
        return client

    def close(self, *, timeout: timedelta | float | None = None) -> None:
        """Closes the backend that this client made itself, and stops one that was passed in if this client
        started it. May be called more than once.

        Args:
            timeout: The longest time to wait for runs in progress, in seconds or as a timedelta. None: no
                limit.

        Raises:
            TypeError: ``timeout`` has another type.
            ValueError: ``timeout`` is negative.
        """
        seconds_of(timeout, "timeout")
        started, self._has_started = self._has_started, False
        if self._is_owner:
            self.backend.close(timeout=timeout)
        elif started:
            self.backend.stop(timeout=timeout)

    def create(self, job: Job) -> JobRecord:
        """Stores a job: active, or paused if ``job.enabled`` is False. Creating an equal job again is not an
        error and changes nothing.

        Raises:
            InvalidScheduleError: The job would never run.
            UnsupportedError: The backend cannot run the job exactly as defined.
            JobExistsError: A different job of this name is stored.
            BackendError: The backend returned an error.
        """
        prepared = self._prepare(job)
        try:
            return self.backend.create(prepared)
        except JobExistsError:
            return self._equal(job)

    def create_many(
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
        wanted = list(checked_jobs(jobs))
        prepared = [self._prepare(job) for job in wanted]
        _refuse_repeats(wanted)
        return self._create_many(prepared, progress)

    def _create_many(
        self, wanted: Sequence[Prepared], progress: Callable[[int, int], object] | None
    ) -> JobRecords:
        failures, records = dict[str, StepschedError](), list[JobRecord]()
        with reporting(progress, len(wanted)) as tell:
            for first in range(0, len(wanted), _PORTION):
                portion = wanted[first : first + _PORTION]
                answers = self.backend.create_many(portion)
                jobs = [each.job for each in portion]
                for job, answer in zip(jobs, self._settle(jobs, answers), strict=True):
                    if isinstance(answer, StepschedError):
                        failures[job.name] = answer
                    else:
                        records.append(answer)
                tell(len(records) + len(failures))
        if failures:
            raise BulkError(failures, len(records))
        return JobRecords(records, now=self.backend.now())

    def _settle(
        self, jobs: Sequence[Job], answers: Sequence[JobRecord | StepschedError]
    ) -> Iterator[JobRecord | StepschedError]:
        """Yields the answers; where an equal job of the same name exists, the stored job."""
        taken = [job for job, answer in zip(jobs, answers, strict=True) if isinstance(answer, JobExistsError)]
        settled = {
            job.name: answer for job, answer in zip(taken, self.backend.each(self._equal, taken), strict=True)
        }
        for job, answer in zip(jobs, answers, strict=True):
            yield settled.get(job.name, answer)

    def _equal(self, job: Job) -> JobRecord:
        """Returns the stored job of that name, which must be equal."""
        (present,) = self.backend.find([job])
        if present is None or present.job != job:
            raise JobExistsError(job.name)
        return self.backend.ensure(present)

    def get(self, name: str, *, group: str | None = None) -> JobRecord:
        """Returns the job of that name.

        Args:
            name: The name of the job.
            group: The group of the job. None: any group; on a backend where names are unique only within a
                group, it is an error if several groups have a job of this name.

        Raises:
            JobNotFoundError: There is no such job.
            BackendError: Several groups have a job of this name (code ``AMBIGUOUS``).
        """
        return self.backend.get(_known_name(name), group=group)

    def list(
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
        found = self.iterate(status=status, name_prefix=name_prefix, group=group, tags=tags)
        with reporting(progress, None) as tell:
            ordered = sorted(reported(found, tell), key=lambda record: (record.name, record.job.group))
        return JobRecords(ordered, now=self.backend.now())

    def iterate(
        self,
        *,
        status: JobStatus | str | None = None,
        name_prefix: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Iterator[JobRecord]:
        """Yields the same jobs as :meth:`list`, one by one as they are read, in an order that depends on the
        backend. Use it for sets of jobs that should not be held in memory.

        Raises:
            ValueError: ``status`` is not the value of a :class:`JobStatus`.
        """
        query = _job_query(status, name_prefix=name_prefix, group=group, tags=tags)
        if not is_name_prefix(name_prefix or "") or (group is not None and not is_narrow(group)):
            return iter(())  # no job has such a name or group
        return self.backend.list(query)

    def upcoming(
        self,
        *,
        until: datetime | None = None,
        limit: int | None = None,
        name_prefix: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Upcoming:
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
            An iterable that can be iterated repeatedly; every item has ``.at`` and ``.job``. ``print()`` and
            notebooks show it as a table.

        Raises:
            TypeError: ``until`` is no datetime.
            ValueError: Neither ``until`` nor ``limit`` is given, ``until`` is naive, or ``limit`` is
                negative.
        """
        if isinstance(until, int):
            raise TypeError(f"expected an aware datetime for until, got {until!r}; use limit={until!r}")
        until, limit = _instant(until, "until"), _limit(limit)
        if until is None and limit is None:
            raise ValueError("expected an end of the runs, got none; use until=..., limit=... or both")
        records = list(self.iterate(status=JobStatus.ACTIVE, name_prefix=name_prefix, group=group, tags=tags))
        from stepsched.jobs.upcoming import Upcoming

        return Upcoming(records, after=self.backend.now(), until=until, limit=limit)

    def update(self, job: Job, *, expected_version: int | None = None) -> JobRecord:
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
        prepared = self._prepare(job)
        present = self.backend.find([job])[0] or self.backend.get(job.name)
        version = present.version if expected_version is None else expected_version
        if present.is_as_in(job) and present.version == version:
            return self.backend.ensure(present)
        return self._replace(prepared, version)

    def _replace(self, prepared: Prepared, version: int, origin: str | None = None) -> JobRecord:
        """Updates the job, or moves it from the group ``origin``. It is not a conflict if the stored
        definition is already equal, for example because the response to an earlier call was lost."""
        job = prepared.job
        try:
            if origin is not None:
                return self.backend.move(prepared, origin=origin, expected_version=version)
            return self.backend.update(prepared, expected_version=version)
        except ConflictError:
            (present,) = self.backend.find([job])
            if present is None or not present.is_as_in(job):
                raise
            return self.backend.ensure(present)

    def versions(self, name: str, *, group: str | None = None) -> JobVersions:
        """Returns the earlier definitions of the job, oldest first.

        Raises:
            JobNotFoundError: There is no such job.
            UnsupportedError: The backend does not keep earlier definitions.
        """
        found = self.backend.versions(_known_name(name), group=group)
        return JobVersions(found, now=self.backend.now())

    def plan(
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
        wanted, groups = list(checked_jobs(jobs)), checked_prune(prune)
        now, over = self.backend.now(), list[Job]()
        with reporting(progress, len(wanted)) as tell:
            for job in reported(wanted, tell):
                if type(job) is not Job:
                    raise no_job(job)
                if job.why_never_runs(now) is None:
                    self.backend.prepare(job)
                else:
                    over.append(job)
        _refuse_repeats(wanted)
        if over:  # they are all right where they are stored: what has been applied can be applied again
            for job, record in zip(over, self.backend.find(over), strict=True):
                if record is None or not record.is_as_in(job):
                    job.refuse_if_over(now)
        found = self.backend.survey(wanted, prune=groups)
        from stepsched.jobs.plans import make_plan

        return make_plan(
            wanted,
            found.stored,
            prune=found.others,
            namesakes=found.namesakes,
            unsearched=found.unsearched,
            empty_groups=found.empty_groups,
        )

    def apply(
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
        from stepsched.jobs.plans import Plan

        if isinstance(plan_or_jobs, Plan) and prune:
            raise ValueError("expected no prune with a plan; use client.plan(jobs, prune=True)")
        if isinstance(plan_or_jobs, Plan):
            plan = plan_or_jobs
        else:
            plan = self.plan(plan_or_jobs, prune=prune, progress=_silent_like(progress))
        total = len(plan.create) + len(plan.update) + len(plan.cancel)
        created = [self._prepare(job) for job in plan.create]
        changed = [(self._prepare(change.after), change) for change in plan.update]
        failures = dict[str, StepschedError]()
        with reporting(progress, total) as tell:
            try:
                self._create_many(created, lambda done, _of: tell(done))
            except BulkError as error:
                failures |= error.failures
            done = len(plan.create)
            steps: list[tuple[Callable[[Any], JobRecord], Sequence[Any], Sequence[str]]] = [
                (self._change, changed, [change.name for change in plan.update]),
                (self._remove, plan.cancel, [record.name for record in plan.cancel]),
            ]
            for verb, items, names in steps:
                for first in range(0, len(items), _PORTION):
                    portion = items[first : first + _PORTION]
                    answers = self.backend.each(verb, portion)
                    for name, answer in zip(names[first : first + _PORTION], answers, strict=True):
                        if isinstance(answer, StepschedError):
                            failures[name] = answer
                    tell(done := done + len(portion))
        if failures:
            raise BulkError(failures, total - len(failures))
        return plan

    def _change(self, item: tuple[Prepared, Change]) -> JobRecord:
        prepared, change = item
        return self._replace(prepared, change.version, change.before.group if change.is_move else None)

    def _remove(self, record: JobRecord) -> JobRecord:
        """Cancels the job if it is still the one of the plan: another job may have its name by now."""
        try:
            present = self.backend.get(record.name, group=record.job.group)
        except JobNotFoundError:  # an earlier attempt to apply the same plan has cancelled it
            return record
        if not present.owned or present.version != record.version or present.job != record.job:
            raise ConflictError(record.name, record.version)
        return self.backend.cancel(record.name, group=record.job.group)

    def pause(
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
        reason = checked_reason(reason)
        return self.backend.pause(
            _known_name(name), group=group, stop_run=_flag("stop_run", stop_run), reason=reason
        )

    def resume(self, name: str, *, group: str | None = None) -> JobRecord:
        """Resumes the job: its runs come due again from now on. Resuming an active job is not an error.

        Runs that would have come due while the job was paused are not made up. A job with no run left ends.

        Raises:
            JobNotFoundError: There is no such job.
            InvalidTransitionError: The job has ended.
        """
        return self.backend.resume(_known_name(name), group=group)

    def cancel(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
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
        return self.backend.cancel(_known_name(name), group=group, stop_run=_flag("stop_run", stop_run))

    def pause_many(
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
        pause = partial(self.backend.pause, reason=checked_reason(reason), only_active=True)
        records = self._selected(
            progress, status=JobStatus.ACTIVE, name_prefix=name_prefix, group=group, tags=tags
        )
        return self._perform(pause, records, progress)

    def resume_many(
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
        records = self._selected(progress, name_prefix=name_prefix, group=group, tags=tags)
        return self._perform(self.backend.resume, _running(records), progress)

    def cancel_many(
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
        if not (status or name_prefix or group or tags):
            raise ValueError("expected a condition, got none; use status=, name_prefix=, group= or tags=")
        records = self._selected(progress, status=status, name_prefix=name_prefix, group=group, tags=tags)
        return self._perform(self.backend.cancel, records, progress)

    def _selected(
        self, progress: Callable[[int, int], object] | None, **conditions: Any
    ) -> builtins.list[JobRecord]:
        """Returns the matching jobs that stepsched created, sorted by name."""
        found = self.list(**conditions, progress=_silent_like(progress))
        return [record for record in found if record.owned]

    def _perform(
        self,
        verb: Callable[..., JobRecord],
        records: Sequence[JobRecord],
        progress: Callable[[int, int], object] | None,
    ) -> JobRecords:
        """Performs a verb for each job. Jobs that it does not concern any more are left out: they were
        cancelled, have ended, or were paused by another caller since."""

        def attempt(record: JobRecord) -> JobRecord:
            return verb(record.name, group=record.job.group)

        counts = Counter(record.name for record in records)
        failures, done, tried = dict[str, StepschedError](), list[JobRecord](), 0
        with reporting(progress, len(records)) as tell:
            for first in range(0, len(records), _PORTION):
                portion = records[first : first + _PORTION]
                for record, answer in zip(portion, self.backend.each(attempt, portion), strict=True):
                    if isinstance(answer, JobRecord):
                        done.append(answer)
                    elif not isinstance(answer, (JobNotFoundError, InvalidTransitionError)):
                        name, group = record.name, record.job.group
                        failures[name if counts[name] == 1 else f"{group}/{name}"] = answer
                tell(tried := tried + len(portion))
        if failures:
            raise BulkError(failures, len(done), done)
        return JobRecords(done, now=self.backend.now())

    def repair(self) -> Repairs:
        """Finds jobs that do not come due as they should and runs that never end, and repairs them.

        It is safe at any time and from several callers at once: without a problem, nothing is changed. Call
        it regularly, on an alarm, or after an outage. Where it takes long, on Step Functions, a progress bar
        shows how many jobs are checked, and then how many are repaired, as for :meth:`create_many`.

        Returns:
            One entry for each problem, with its cause and what was done, sorted by job. Empty if there was no
            problem, and on backends on which such problems cannot occur.
        """
        found = sorted(self.backend.repair(), key=lambda repair: repair.job)
        return Repairs(found, now=self.backend.now())

    def run_now(self, name: str, *, group: str | None = None) -> Run:
        """Runs the job once now, independently of its schedule and its status.

        Returns:
            The recorded run; ``runs(name)`` returns its outcome, if the backend keeps runs.

        Raises:
            JobNotFoundError: There is no such job.
        """
        return self.backend.run_now(_known_name(name), group=group)

    def backfill(self, name: str, *, since: datetime, until: datetime, group: str | None = None) -> Runs:
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
        since, until = aware(since, "since"), aware(until, "until")
        if until < since:
            raise ValueError(f"expected until at or after since {since.isoformat()}, got {until.isoformat()}")
        found = self.backend.backfill(_known_name(name), since=since, until=until, group=group)
        return self._shown_runs(found)

    def dead_letters(self, name: str | None = None) -> Runs:
        """Returns the runs that have failed for good, oldest first.

        Args:
            name: The name of the job. None: all jobs.
        """
        if name is not None and not isinstance(name, str):
            raise TypeError(f"expected the name of a job, got {quoted(name)}")
        if name is not None and not is_name(name):
            return self._shown_runs(())
        return self._shown_runs(self.backend.runs(RunQuery(job=name, status=RunStatus.FAILED)))

    def redrive(self, run: Run) -> Run:
        """Runs a run that has failed for good again, with all its attempts.

        Args:
            run: A run from ``dead_letters()``.

        Returns:
            The pending run.

        Raises:
            InvalidTransitionError: The run has not failed, or its job no longer exists.
        """
        if not isinstance(run, Run):
            raise TypeError(f"expected a Run, such as one of dead_letters(), got {type(run).__name__}")
        return self.backend.redrive(run)

    def runs(
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
        since, until, limit = _instant(since, "since"), _instant(until, "until"), _limit(limit)
        if name is not None:
            _known_name(name)
        query = RunQuery(
            job=name,
            status=None if status is None else _word(RunStatus, status),
            since=since,
            until=until,
            limit=limit,
        )
        found = self._shown_runs(self.backend.runs(query))
        if not found and name is not None:
            self._must_be_known(name)
        return found

    def _shown_runs(self, runs: Iterable[Run]) -> Runs:
        return Runs(runs, now=self.backend.now())

    def wait(self, run: Run, *, timeout: timedelta | float | None = None) -> Run:
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
        looks, sleep = self._looks_at(run, timeout), threading.Event().wait
        while not isinstance(look := next(looks), Run):
            sleep(look)
        return look

    def watch(
        self,
        *,
        interval: timedelta | float | None = None,
        timeout: timedelta | float | None = None,
        name_prefix: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Shows what happens until it is interrupted: what runs now, what is next, what failed, and how many
        jobs there are. Ctrl-C, or the stop button of a notebook, ends it: it then returns, and the last
        picture stays. The terminal is first made what it was before: only then a second Ctrl-C raises, and a
        SIGTERM reaches its handler, which by default ends the program.

        The picture is replaced in place in a notebook, and on the standard error stream if that is a
        terminal. Elsewhere, such as in a log, a line is written to that stream for each change that is seen.
        On a backend that keeps no runs, only the jobs and their next runs are shown, and it says so.

        Nothing is read in whole again while little changes. Of a service, what was read is kept for ten times
        as long as its reading took.

        Args:
            interval: The time between two pictures, in seconds or as a timedelta; at least 0.1 s. None: one
                second, and five on AWS.
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
            KeyboardInterrupt: Ctrl-C came a second time.
        """
        watch = self._watch(interval, timeout, name_prefix=name_prefix, group=group, tags=tags)
        watch.run()

    def _watch(
        self,
        interval: timedelta | float | None,
        timeout: timedelta | float | None,
        *,
        write: Callable[[str], object] | None = None,
        **conditions: Any,
    ) -> Watch:
        """Returns a watch of the jobs that match the conditions of :meth:`list`."""
        from stepsched.watching.loop import Watch
        from stepsched.watching.reading import Reader

        read = partial(self.iterate, **conditions)
        is_wanted = _job_query(None, **conditions).matches if any(conditions.values()) else None
        reader = Reader(self.backend, read, is_wanted)
        return Watch(reader, self.backend, interval=interval, timeout=timeout, write=write)

    def _looks_at(self, run: Run, timeout: timedelta | float | None) -> Iterator[float | Run]:
        """Polls a run until it has ended: yields the seconds to pause before each next poll, and finally the
        run. The caller does the pausing, so that the asynchronous client can share this method."""
        if not isinstance(run, Run):
            raise TypeError(f"expected a Run, such as run_now(...) gives, got {type(run).__name__}")
        seconds, clock = seconds_of(timeout, "timeout"), SystemClock()
        begun, pause, is_first = clock.monotonic(), self.backend.first_pause, True
        while True:
            # Polls again: while an answer is read in parts, a run may move from a part that is read later to
            # one that has already been read.
            present = self.backend.run(run) or self.backend.run(run)
            if present is None:
                raise RunNotFoundError(run.job, run.id)
            if present.status.has_ended:
                break
            if is_first:
                self._check_wait(run, is_endless=seconds is None)
            if seconds is not None:
                left = begun + seconds - clock.monotonic()
                if left <= 0:
                    why = idle_reason(self.backend)
                    raise WaitTimeoutError(run.job, run.id, present.status.value, seconds, why)
                pause = min(pause, left)
            yield pause
            pause, is_first = min(2 * pause, max(_LONGEST_PAUSE, self.backend.first_pause)), False
        yield present

    def _check_wait(self, run: Run, *, is_endless: bool) -> None:
        """Refuses to wait if the run cannot end during the wait, and warns if it may not end."""
        reason = self.backend.why_wait_is_endless()
        if reason is not None:
            raise UnsupportedError(run.job, self.backend.name, reason)
        reason = self.backend.why_nothing_fires()
        if is_endless and reason is not None:
            import logging

            logging.getLogger(__name__).warning(
                "waiting without timeout for run %s of job %s: %s", run.id, run.job, reason
            )

    def _must_be_known(self, name: str) -> None:
        """Refuses a name that belongs to neither a job nor a run."""
        try:
            self.backend.get(name)
        except JobNotFoundError as missing:
            try:
                has_run = any(self.backend.runs(RunQuery(job=name, limit=1)))
            except UnsupportedError:
                raise missing from None
            if not has_run:
                raise

    def _prepare(self, job: Job) -> Prepared:
        """Returns what the backend will send. Refuses a job that would never run or that the backend cannot
        run."""
        if type(job) is not Job:  # a subclass would be read back as a Job
            raise no_job(job)
        job.refuse_if_over(self.backend.now())
        return self.backend.prepare(job)

    def __repr__(self) -> str:
        return f"SchedulerClient({self.backend!r})"

    def _shown_table(self) -> Table:
        return backend_table(self.backend, type(self).__name__)

    def __enter__(self) -> Self:
        self.backend.start()
        self._has_started = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _silent_like(progress: object) -> Callable[[int, object], object] | None:
    """Returns what hears the first part of a call: nothing, if a function hears of the second; otherwise
    None, for a bar."""
    return None if progress is None else lambda *_: None


def _job_query(
    status: JobStatus | str | None,
    *,
    name_prefix: str | None = None,
    group: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> JobQuery:
    if tags is not None and not isinstance(tags, Mapping):
        raise TypeError(f"expected a mapping such as {{'team': 'a'}} for tags, got {quoted(tags)}")
    for word, text in (("name_prefix", name_prefix), ("group", group)):
        if text is not None and not isinstance(text, str):
            raise TypeError(f"expected a string for {word}, got {quoted(text)}")
    return JobQuery(
        status=None if status is None else _word(JobStatus, status),
        name_prefix=name_prefix,
        group=group,
        tags=dict(tags or {}),
    )


def _instant(moment: datetime | None, word: str) -> datetime | None:
    """Returns an instant as a plain datetime."""
    return None if moment is None else aware(moment, word)


def _limit(limit: int | None) -> int | None:
    return None if limit is None else whole_number(limit, "limit")


def _refuse_repeats(jobs: Sequence[Job]) -> None:
    from stepsched.jobs.plans import refuse_repeats

    refuse_repeats(jobs)


def _running(records: Iterable[JobRecord]) -> list[JobRecord]:
    return [record for record in records if record.status is not JobStatus.ENDED]


def _flag(word: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"expected True or False for {word}, got {quoted(value)}")
    return value


def _known_name(name: str) -> str:
    """Returns the name, which must be a valid name of a job.

    Raises:
        TypeError: ``name`` is not a string.
        JobNotFoundError: No job can have this name.
    """
    if isinstance(name, (Job, JobRecord)):
        kind = type(name).__name__
        raise TypeError(f"expected the name of a job, got a {kind}; use its .name, {name.name!r}")
    if not isinstance(name, str):
        raise TypeError(f"expected the name of a job, got {quoted(name)}")
    if not is_name(name):
        raise JobNotFoundError(name)
    return name


Word = TypeVar("Word", bound=Enum)


def _word(kind: type[Word], value: object) -> Word:
    try:
        return kind(value)
    except ValueError as error:
        words = ", ".join(word.value for word in kind)
        raise ValueError(f"expected one of {words}, got {quoted(value)}") from error
