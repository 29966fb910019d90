"""What waits and runs on a state machine and its table, and its end, before both are deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from stepsched.backends.stepfunctions.backend import StepFunctionsBackend
from stepsched.backends.stepfunctions.executions import JobExecutions
from stepsched.backends.stepfunctions.rows import Row
from stepsched.backends.stepfunctions.service import (
    DISABLED,
    Execution,
    Executions,
    validate_state_machine_arn,
)
from stepsched.backends.stepfunctions.table import Table
from stepsched.core.errors import BackendError, StepschedError
from stepsched.jobs import JobRecord, JobStatus

_CAUSE = "the stack is being destroyed"
_NO_TABLE, _NO_MACHINE = "ResourceNotFoundException", "StateMachineDoesNotExist"


class Waiting(NamedTuple):
    """A job that would run again."""

    name: str
    status: JobStatus
    next_run: datetime | None
    """The next run, also of a paused job, once it is resumed. None: none is left, but it is active."""

    def __str__(self) -> str:
        at = "" if self.next_run is None else f", next run {self.next_run.isoformat()}"
        return f"{self.name} ({self.status.value}{at})"


class Teardown:
    """Looks at a state machine and its table, and ends what runs there."""

    def __init__(
        self,
        *,
        state_machine_arn: str,
        table_name: str,
        workflows_arn: str | None = None,
        dynamodb: Any,
        states: Any,
        backend: Callable[[], StepFunctionsBackend],
        now: Callable[[], datetime],
    ) -> None:
        """No call is made.

        Args:
            state_machine_arn: The ARN of the machine.
            table_name: The table of its jobs.
            workflows_arn: The ARN of the machine of its workflows. None: there is none.
            dynamodb: A DynamoDB client of boto3.
            states: A Step Functions client of boto3.
            backend: Makes the backend on the machine and the table, if jobs have to be paused.
            now: The clock.
        """
        self._backend = backend
        self._table = Table(dynamodb, table_name)
        self._executions = Executions(states, validate_state_machine_arn(state_machine_arn))
        self._rows = JobExecutions(self._table, self._executions)
        self._workflows = None if workflows_arn is None else Executions(states, workflows_arn)
        self._now = now
        self._paused = set[str]()

    def waiting(self) -> list[Waiting]:
        """The jobs that would run again: the active ones, and the paused ones that have runs left. Empty if
        the table does not exist."""
        found = list[Waiting]()
        for row in self._jobs():
            after = row.cursor if row.status is JobStatus.ACTIVE else max(row.cursor, self._now())
            next_run = row.job.anchored(row.anchor).next_run(after=after)
            if row.status is JobStatus.ACTIVE or next_run is not None:
                found.append(Waiting(row.job.name, row.status, next_run))
        return found

    def _jobs(self, *statuses: JobStatus) -> Iterator[Row]:
        try:
            indexed = self._table.check()
        except BackendError as error:
            if error.code == _NO_TABLE:
                return
            raise
        for status in statuses or (JobStatus.ACTIVE, JobStatus.PAUSED):
            for row in self._rows.rows(status, indexed=indexed):
                if row.status is status and row.owned:  # others are tasks of the AWS Solutions scheduler
                    yield row

    def running(self) -> list[str]:
        """The ARNs of the executions that run now and do not merely wait for a run of an active job."""
        tokens = {row.token for row in self._jobs(JobStatus.ACTIVE) if row.claim is None}
        return [arn for arn, token in self._running() if token is None or token not in tokens]

    def _running(self) -> list[tuple[str, str | None]]:
        """The running executions with their tokens. First those of workflows, which start others."""
        machines = (self._workflows, self._executions)
        return [
            (each.arn, each.token) for machine in machines if machine is not None for each in _of(machine)
        ]

    def end(self) -> list[str] | None:
        """Pauses the active jobs, and stops every execution. It is to be called again until nothing is left:
        lists of executions show a stop a little later, and somebody may create a job in the meantime.

        Returns:
            The names of the jobs that were paused so far, sorted. None: something was left.

        Raises:
            BackendError: A job cannot be paused.
        """
        names = [row.job.name for row in self._jobs(JobStatus.ACTIVE)]
        running = self._running()
        if not names and not running:
            return sorted(self._paused)
        for name, answer in zip(names, self._pause(names), strict=True):
            if isinstance(answer, StepschedError):
                raise answer
            self._paused.add(name)
        for arn, _ in running:
            self._executions.stop(arn, DISABLED, _CAUSE)
        return None

    def _pause(self, names: Sequence[str]) -> list[JobRecord | StepschedError]:
        backend = self._backend()
        try:
            return backend.each(partial(backend.pause, stop_run=True, reason=_CAUSE), names)
        finally:
            backend.close()


def _of(machine: Executions) -> list[Execution]:
    """The running executions of a machine. Empty if it does not exist."""
    try:
        return list(machine.running())
    except BackendError as error:
        if error.code == _NO_MACHINE:
            return []
        raise
