"""The use cases over the port. No word of any provider stands here."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType

from typing_extensions import Self

from stepsched.backends.base import Backend, JobQuery, RunQuery
from stepsched.errors import InvalidScheduleError, JobExistsError
from stepsched.jobs import Job, JobRecord, JobStatus, Run, RunStatus


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
            present = self.backend.get(job.name)
            if present.job == job:
                return present
            raise

    def get(self, name: str) -> JobRecord:
        """The job of that name.

        Raises:
            JobNotFoundError: There is none.
        """
        return self.backend.get(name)

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
            status=None if status is None else JobStatus(status),
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
        present = self.backend.get(job.name)
        self._check(job)
        version = present.version if expected_version is None else expected_version
        if present.job == job and present.version == version:
            return present
        return self.backend.update(job, expected_version=version)

    def pause(self, name: str) -> JobRecord:
        """Stops the job from coming due until ``resume``. To pause a paused job is no error.

        Raises:
            JobNotFoundError: There is no such job.
            InvalidTransitionError: It has ended.
        """
        return self.backend.pause(name)

    def resume(self, name: str) -> JobRecord:
        """Lets the job come due again, from now on. To resume an active job is no error.

        What would have run while it was paused is not made up; a job with no run left ends.

        Raises:
            JobNotFoundError: There is no such job.
            InvalidTransitionError: It has ended.
        """
        return self.backend.resume(name)

    def cancel(self, name: str) -> JobRecord:
        """Deletes the job and its runs that have not started. Its history stays.

        Returns:
            The job as it last was, with status cancelled; ``create(record.job)`` brings it back.

        Raises:
            JobNotFoundError: There is no such job.
        """
        return self.backend.cancel(name)

    def run_now(self, name: str) -> Run:
        """Runs the job once, beside its schedule and whatever its status.

        Returns:
            The run as recorded; ``runs(name)`` tells how it went.

        Raises:
            JobNotFoundError: There is no such job.
        """
        return self.backend.run_now(name)

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
        for word, moment in (("since", since), ("until", until)):
            if moment is not None and moment.utcoffset() is None:
                raise ValueError(f"{word} is naive ({moment.isoformat()}); add a zone to name an instant")
        if limit is not None and limit < 0:
            raise ValueError(f"limit must be at least 0, not {limit}")
        query = RunQuery(
            job=name,
            status=None if status is None else RunStatus(status),
            since=since,
            until=until,
            limit=limit,
        )
        found = list(self.backend.runs(query))
        if not found and name is not None and not any(self.backend.runs(RunQuery(job=name, limit=1))):
            self.backend.get(name)
        return found

    def _check(self, job: Job) -> None:
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
