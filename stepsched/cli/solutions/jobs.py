"""The jobs of a stack of stepsched, as tasks of the AWS Solutions scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import stepsched as ss
from stepsched.cli.failures import Failure
from stepsched.cli.solutions.rows import Item, read_item, text_of
from stepsched.cli.solutions.tasks import Task


class JobTasks:
    """The jobs of a table of stepsched. A task is active while its job is."""

    def __init__(self, client: ss.SchedulerClient, dynamodb: Any, table: str, *, otherwise: str = "") -> None:
        """Creates the tasks of a client.

        Args:
            client: The client of the jobs.
            dynamodb: A DynamoDB client of boto3.
            table: The name of the table of the jobs.
            otherwise: What is wrong if the machine of the stack is not the runner of stepsched. Empty: the
                error of the backend says it.
        """
        self._client = client
        self._dynamodb = dynamodb
        self._table = table
        self._otherwise = otherwise

    @property
    def client(self) -> ss.SchedulerClient:
        """The client of the jobs."""
        return self._client

    def names(self) -> list[str]:
        """Returns the names of the jobs."""
        with self._runner():
            return [record.name for record in self._client.iterate()]

    def read(self, name: str) -> Task | None:
        """Returns a job as a task. None: it does not exist."""
        record = self._record(name)
        return None if record is None else self._task(record)

    def activate(self, name: str) -> Task | None:
        """Resumes a job. A task that the AWS Solutions scheduler has written becomes a job."""
        record = self._record(name)
        return None if record is None else self._task(self._client.resume(name))

    def deactivate(self, name: str) -> Task | None:
        """Pauses a job that is active."""
        record = self._record(name)
        if record is not None and record.status is ss.JobStatus.ACTIVE:
            record = self._client.pause(name)
        return None if record is None else self._task(record)

    def _record(self, name: str) -> ss.JobRecord | None:
        try:
            with self._runner():
                return self._client.get(name)
        except ss.JobNotFoundError:
            return None

    @contextmanager
    def _runner(self) -> Iterator[None]:
        try:
            yield
        except ss.BackendError as error:
            if self._otherwise and error.code == ss.errors.ErrorCode.NO_RUNNER:
                raise Failure(self._otherwise) from error
            raise

    def _task(self, record: ss.JobRecord) -> Task:
        return Task(
            name=record.name,
            schedule=schedule_text(record.job, read_item(self._dynamodb, self._table, record.name)),
            step_function=machine_of(record.job),
            version=record.version,
            is_active=record.status is ss.JobStatus.ACTIVE,
        )


def machine_of(job: ss.Job) -> str | None:
    """Returns the ARN of the state machine that a job starts. None: it invokes something else."""
    return job.target.state_machine_arn if isinstance(job.target, ss.StateMachineTarget) else None


def schedule_text(job: ss.Job, item: Item | None) -> str:
    """Returns the schedule of a job as text: as the AWS Solutions scheduler has stored it, if it has and the
    job still has that schedule. The time zone stands beside an expression that is not in UTC.

    Args:
        job: The job.
        item: The row of the job. None: there is none.
    """
    stored = text_of(item, "schedule")
    if stored is not None and _is_same(stored, job.schedule):
        return stored
    zone = getattr(job.schedule, "timezone", "UTC")
    text = str(job.schedule)
    return text if zone == "UTC" or job.schedule.expression is None else f"{text} {zone}"


def _is_same(text: str, schedule: object) -> bool:
    from stepsched.schedules.stored import reading_stored

    try:
        with reading_stored():
            return ss.Cron(text) == schedule
    except ss.InvalidScheduleError:
        return False
