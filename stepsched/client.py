"""The use cases over the port. No word of any provider stands here."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import Self

from stepsched.backends.base import Backend, JobQuery, Prepared, RunQuery
from stepsched.core.clock import SystemClock
from stepsched.core.errors import (
    BulkError,
    ConflictError,
    JobExistsError,
    JobNotFoundError,
    RunNotFoundError,
    StepschedError,
    UnsupportedError,
    WaitTimeoutError,
)
from stepsched.core.values import seconds_of
from stepsched.display.progress import reporting
from stepsched.jobs import Job, JobRecord, JobStatus, JobVersion, Repair, Run, RunStatus
from stepsched.jobs.job import is_name

if TYPE_CHECKING:  # loaded by the verbs that need them
    from stepsched.jobs.plans import Plan
    from stepsched.jobs.upcoming import Upcoming

_LONGEST_PAUSE = 1.0
"""Seconds between two looks at a run that is waited for, where the backend does not ask for more."""
_PORTION = 1_000
"""Jobs that one call of ``create_many`` hands to the backend at once."""


class SchedulerClient:
    """Creates, lists, changes, pauses, resumes, cancels and runs jobs, the same on every backend.

    As a context manager it starts its backend's firing, where the backend fires in this process, and ends
    what it has begun: a backend that it made itself is closed, one that was handed in is stopped, for its
    owner may go on with it.

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
        is_owner = backend is None
        if backend is None:
            from stepsched.backends.local import LocalBackend

            backend = LocalBackend()
        if not isinstance(backend, Backend):
            name = "EventBridgeBackend" if str(backend).startswith("arn:") else "LocalBackend"
            raise TypeError(f"expected a backend, such as {name}({backend!r}), got {backend!r}")
        self.backend = backend
        self._is_owner = is_owner
        self._has_started = False

    @classmethod
    def from_stack(cls, name: str, **options: Any) -> Self:
        """A client of the :class:`StepFunctionsBackend` that a CloudFormation stack has made; ``close``
        closes the backend too.

        Args:
            name: The stack's.
            **options: As for :meth:`StepFunctionsBackend.from_stack`.

        Raises:
            BackendError: There is no such stack, or it is another one.
        """
        from stepsched.backends.stepfunctions import StepFunctionsBackend

        client = cls(StepFunctionsBackend.from_stack(name, **options))
        client._is_owner = True
        return client

    def close(self, *, timeout: timedelta | float | None = None) -> None:
        """Ends what this client has begun: closes the backend that it made itself, and stops one that was
        handed in if this client started it. Harmless twice.

        Args:
            timeout: For how long runs in flight are awaited, at most: seconds or a timedelta. None: as long
                as they take.

        Raises:
            TypeError: ``timeout`` is something else.
            ValueError: ``timeout`` is negative.
        """
        seconds_of(timeout, "timeout")
        started, self._has_started = self._has_started, False
        if self._is_owner:
            self.backend.close(timeout=timeout)
        elif started:
            self.backend.stop(timeout=timeout)

    def create(self, job: Job) -> JobRecord:
        """Stores a job. To create an equal job again is no error and changes nothing.

        Raises:
            InvalidScheduleError: The job would never run.
            UnsupportedError: The backend cannot run it exactly as written.
            JobExistsError: Another job has the name.
            BackendError: The backend failed.
        """
        prepared = self._prepare(job)
        try:
            return self.backend.create(prepared)
        except JobExistsError:
            return self._equal(job)

    def create_many(
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
        wanted = _listed(jobs)
        prepared = [self._prepare(job) for job in wanted]
        _refuse_repeats(wanted)
        return self._create_many(prepared, progress)

    def _create_many(
        self, wanted: Sequence[Prepared], progress: Callable[[int, int], object] | None
    ) -> builtins.list[JobRecord]:
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
        return records

    def _settle(
        self, jobs: Sequence[Job], answers: Sequence[JobRecord | StepschedError]
    ) -> Iterator[JobRecord | StepschedError]:
        """The answers, with the stored job where an equal one has taken the name."""
        taken = [job for job, answer in zip(jobs, answers, strict=True) if isinstance(answer, JobExistsError)]
        settled = {
            job.name: answer for job, answer in zip(taken, self.backend.each(self._equal, taken), strict=True)
        }
        for job, answer in zip(jobs, answers, strict=True):
            yield settled.get(job.name, answer)

    def _equal(self, job: Job) -> JobRecord:
        """The stored job of that name, which must be equal."""
        (present,) = self.backend.find([job])
        if present is None or present.job != job:
            raise JobExistsError(job.name)
        return self.backend.ensure(present)

    def get(self, name: str, *, group: str | None = None) -> JobRecord:
        """The job of that name.

        Args:
            name: The job's.
            group: Only a job of this group, as for every verb. None: of any; where names are unique only
                within a group, several jobs of the name are an error.

        Raises:
            JobNotFoundError: There is none.
        """
        return self.backend.get(_known_name(name), group=group)

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
        found = self.iterate(status=status, name_prefix=name_prefix, group=group, tags=tags)
        return sorted(found, key=lambda record: (record.name, record.job.group))

    def iterate(
        self,
        *,
        status: JobStatus | str | None = None,
        name_prefix: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Iterator[JobRecord]:
        """The same as :meth:`list`, one after another as they are read, in an order of the backend's own: for
        more jobs than memory should hold.

        Raises:
            ValueError: ``status`` is no such word.
        """
        if tags is not None and not isinstance(tags, Mapping):
            raise TypeError(f"tags must be a mapping such as {{'team': 'a'}}, not {tags!r}")
        for word, text in (("name_prefix", name_prefix), ("group", group)):
            if text is not None and not isinstance(text, str):
                raise TypeError(f"{word} must be text, not {text!r}")
        query = JobQuery(
            status=None if status is None else _word(JobStatus, status),
            name_prefix=name_prefix,
            group=group,
            tags=dict(tags or {}),
        )
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
        _refuse_naive(until=until)
        _check_limit(limit)
        if until is None and limit is None:
            raise ValueError("expected an end of the runs, got none; use until=..., limit=... or both")
        records = list(self.iterate(status=JobStatus.ACTIVE, name_prefix=name_prefix, group=group, tags=tags))
        from stepsched.jobs.upcoming import Upcoming

        return Upcoming(records, after=self.backend.now(), until=until, limit=limit)

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
        prepared = self._prepare(job)
        present = self.backend.find([job])[0] or self.backend.get(job.name)
        version = present.version if expected_version is None else expected_version
        if present.job == job and present.version == version and present.current:
            return self.backend.ensure(present)
        return self._replace(prepared, version)

    def _replace(self, prepared: Prepared, version: int) -> JobRecord:
        """The update; a conflict with a writer who wanted the very same is none, as where the answer to
        an earlier call was lost."""
        job = prepared.job
        try:
            return self.backend.update(prepared, expected_version=version)
        except ConflictError:
            (present,) = self.backend.find([job])
            if present is None or present.job != job or not present.current:
                raise
            return self.backend.ensure(present)

    def versions(self, name: str, *, group: str | None = None) -> builtins.list[JobVersion]:
        """The job's earlier definitions, oldest first.

        Raises:
            JobNotFoundError: There is no such job.
            UnsupportedError: The backend keeps none.
        """
        return self.backend.versions(_known_name(name), group=group)

    def plan(self, jobs: Iterable[Job], *, prune: bool = False) -> Plan:
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
        wanted = _listed(jobs)
        for job in wanted:
            self._prepare(job)
        _refuse_repeats(wanted)
        groups = {job.group for job in wanted} if prune else set()
        others = [record for group in sorted(groups) for record in self.backend.list(JobQuery(group=group))]
        from stepsched.jobs.plans import make_plan

        return make_plan(wanted, self.backend.find(wanted), prune=sorted(others, key=lambda each: each.name))

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
            BulkError: Some changes failed, such as that of a job which another writer has changed since the
                plan was made; it says which and why. All others are done.
            Exception: As ``plan``, before the first verb.
        """
        from stepsched.jobs.plans import Plan

        if isinstance(plan_or_jobs, Plan) and prune:
            raise ValueError("a plan knows already what it prunes; give prune where it is made")
        plan = plan_or_jobs if isinstance(plan_or_jobs, Plan) else self.plan(plan_or_jobs, prune=prune)
        total = len(plan.create) + len(plan.update) + len(plan.cancel)
        created = [self._prepare(job) for job in plan.create]
        changed = [(self._prepare(change.after), change.version) for change in plan.update]
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

    def _change(self, change: tuple[Prepared, int]) -> JobRecord:
        return self._replace(*change)

    def _remove(self, record: JobRecord) -> JobRecord:
        """Cancels what is still what the plan saw: by its name alone it might be somebody else's."""
        try:
            present = self.backend.get(record.name, group=record.job.group)
        except JobNotFoundError:  # an earlier turn of the same plan has done it
            return record
        if not present.owned or present.version != record.version or present.job != record.job:
            raise ConflictError(record.name, record.version)
        return self.backend.cancel(record.name, group=record.job.group)

    def pause(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
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
        return self.backend.pause(_known_name(name), group=group, stop_run=_flag("stop_run", stop_run))

    def resume(self, name: str, *, group: str | None = None) -> JobRecord:
        """Lets the job come due again, from now on. To resume an active job is no error.

        What would have run while it was paused is not made up; a job with no run left ends.

        Raises:
            JobNotFoundError: There is no such job.
            InvalidTransitionError: It has ended.
        """
        return self.backend.resume(_known_name(name), group=group)

    def cancel(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
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
        return self.backend.cancel(_known_name(name), group=group, stop_run=_flag("stop_run", stop_run))

    def repair(self) -> builtins.list[Repair]:
        """Finds jobs that do not come due as they should, and mends them.

        Harmless at any time, by anyone, and by many at once: where nothing is wrong, nothing is changed. For
        a timer of yours, an alarm, or after an outage.

        Returns:
            What was wrong, why, and what was done; by job. Empty where all is well, and on backends where
            nothing of the kind can go wrong.
        """
        return sorted(self.backend.repair(), key=lambda repair: repair.job)

    def run_now(self, name: str, *, group: str | None = None) -> Run:
        """Runs the job once, beside its schedule and whatever its status.

        Returns:
            The run as recorded; ``runs(name)`` tells how it went, where the backend keeps runs.

        Raises:
            JobNotFoundError: There is no such job.
        """
        return self.backend.run_now(_known_name(name), group=group)

    def backfill(
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
        _refuse_naive(since=since, until=until)
        if until < since:
            raise ValueError(f"until {until.isoformat()} lies before since {since.isoformat()}")
        return self.backend.backfill(_known_name(name), since=since, until=until, group=group)

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
        _refuse_naive(since=since, until=until)
        _check_limit(limit)
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
        if not found and name is not None:
            self._must_be_known(name)
        return found

    def wait(self, run: Run, *, timeout: timedelta | float | None = None) -> Run:
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
        looks, sleep = self._looks_at(run, timeout), threading.Event().wait
        while not isinstance(look := next(looks), Run):
            sleep(look)
        return look

    def _looks_at(self, run: Run, timeout: timedelta | float | None) -> Iterator[float | Run]:
        """Looks at a run until it has ended: gives the seconds of the pause before each next look, and at
        last the run. For whoever waits in a way of their own."""
        if not isinstance(run, Run):
            raise TypeError(f"expected a Run, such as run_now(...) gives, got {type(run).__name__}")
        seconds, clock = seconds_of(timeout, "timeout"), SystemClock()
        begun, pause, is_first = clock.monotonic(), self.backend.first_pause, True
        while True:
            # A second look: between two reads of one answer a run may move from a place that is read later to
            # one that has been read.
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
                    raise WaitTimeoutError(run.job, run.id, present.status.value, seconds)
                pause = min(pause, left)
            yield pause
            pause, is_first = min(2 * pause, max(_LONGEST_PAUSE, self.backend.first_pause)), False
        yield present

    def _check_wait(self, run: Run, *, is_endless: bool) -> None:
        """Refuses to wait where no run ends meanwhile; warns where perhaps none does."""
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
        """Refuses a name that neither a job nor a run has."""
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
        """Refuses a job that would never run, or that the backend cannot run; else what it will send."""
        if type(job) is not Job:  # a subclass would not come back as itself
            raise TypeError(f"expected a Job, got {type(job).__name__}")
        job.refuse_if_over(self.backend.now())
        return self.backend.prepare(job)

    def __repr__(self) -> str:
        return f"SchedulerClient({self.backend!r})"

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


def _refuse_naive(**moments: datetime | None) -> None:
    for word, moment in moments.items():
        if moment is not None and not isinstance(moment, datetime):
            raise TypeError(f"{word} must be an aware datetime, not {type(moment).__name__}")
        if moment is not None and moment.utcoffset() is None:
            raise ValueError(f"{word} is naive ({moment.isoformat()}); add a zone to name an instant")


def _check_limit(limit: object) -> None:
    if limit is not None and (not isinstance(limit, int) or not 0 <= limit < 2**63):
        raise ValueError(f"limit must be a whole number of at least 0, not {limit!r}")


def _refuse_repeats(jobs: Sequence[Job]) -> None:
    from stepsched.jobs.plans import refuse_repeats

    refuse_repeats(jobs)


def _listed(jobs: Iterable[Job]) -> list[Job]:
    if isinstance(jobs, (Job, str, Mapping)) or not isinstance(jobs, Iterable):
        raise TypeError(f"jobs must be a list of jobs, not {type(jobs).__name__}")
    return list(jobs)


def _flag(word: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{word} must be True or False, not {value!r}")
    return value


def _known_name(name: str) -> str:
    """The name itself, which must be one that a job can have.

    Raises:
        TypeError: It is no text.
        JobNotFoundError: No job can have it.
    """
    if isinstance(name, (Job, JobRecord)):
        raise TypeError(f"expected the name of a job: give {name.name!r}, its .name")
    if not isinstance(name, str):
        raise TypeError(f"expected the name of a job, got {name!r}")
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
