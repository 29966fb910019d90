"""The tasks of a stack of the AWS Solutions scheduler: the rows of its table, and the executions of its state
machine.

A task is active while an execution of the machine that belongs to it is running. Such an execution waits for
the next time of the task, starts the task's own state machine, and ends after it has started its successor.
Its name begins like that of the task, and its input names the task.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from secrets import token_hex
from typing import Any, NamedTuple

import stepsched as ss
from stepsched.aws.sdk import camel_case, mapped
from stepsched.cli.failures import Failure, sentence_of
from stepsched.cli.solutions.jobs import machine_of, schedule_text
from stepsched.cli.solutions.rows import Item, read_item, read_names, text_of
from stepsched.cli.solutions.tasks import Task

_SUPERSEDED, _DISABLED = "301", "410"
"""The errors of executions that were stopped."""
_STEM = 67
"""How many characters of a task's name begin the names of its executions."""
_NAME = re.compile(r"(?P<stem>.*)-[0-9a-f]{12}", re.DOTALL)
"""The names that the system gives to executions."""
_JOB = "job"
"""The attribute of a row that stepsched has taken over. The functions of this system refuse a row with an
attribute that they do not know."""
_ROUNDS = 10
"""How often the executions of a task are looked for while they are stopped."""


class Execution(NamedTuple):
    """A running execution of a task."""

    started_at: datetime
    arn: str

    @property
    def name(self) -> str:
        """The name of the execution."""
        return self.arn.rpartition(":")[2]


class OriginalTasks:
    """The tasks of a table and a state machine of the AWS Solutions scheduler."""

    def __init__(self, dynamodb: Any, states: Any, table: str, machine_arn: str) -> None:
        """Creates the tasks of a table. No call is made.

        Args:
            dynamodb: A DynamoDB client of boto3.
            states: A Step Functions client of boto3.
            table: The name of the table.
            machine_arn: The ARN of the state machine.
        """
        self._dynamodb = dynamodb
        self._states = states
        self._table = table
        self._machine_arn = machine_arn

    def names(self) -> Iterator[str]:
        """The names of the tasks."""
        return read_names(self._dynamodb, self._table)

    def read(self, name: str) -> Task | None:
        """Returns a task. None: it does not exist."""
        item = read_item(self._dynamodb, self._table, name)
        if item is None:
            return None
        return _task(name, item, is_active=_runs_elsewhere(item) or any(self._running(name)))

    def activate(self, name: str) -> Task | None:
        """Starts an execution of a task, and stops those that are running. None: it does not exist."""
        item = read_item(self._dynamodb, self._table, name)
        if item is None:
            return None
        if _JOB in item:  # the machine of this system cannot read the row any more
            raise Failure(f"task {name} was taken over by stepsched; activate it with the stack of its job")
        task = _task(name, item, is_active=True)
        execution = f"{name[:_STEM]}-{token_hex(6)}"
        self._stop_all(name, _SUPERSEDED, f"execution superseded by {execution}")
        self._leave_latest(name, self._start(name, execution))
        return task

    def deactivate(self, name: str) -> Task | None:
        """Stops the executions of a task. None: it does not exist."""
        item = read_item(self._dynamodb, self._table, name)
        if item is None:
            return None
        self._stop_all(name, _DISABLED, f"execution disabled for {name}")
        return _task(name, item, is_active=_runs_elsewhere(item))

    # -- executions ----------------------------------------------------------------------------------------

    def _start(self, name: str, execution: str) -> Execution:
        try:
            answer = self._call(
                "start_execution",
                stateMachineArn=self._machine_arn,
                name=execution,
                input=json.dumps({"name": name}),
            )
        except ss.BackendError as error:
            if error.code == "InvalidName":
                reason = (
                    "an execution cannot have this name; delete the task, and create it with another name"
                )
            else:
                reason = f"{sentence_of(error)}; repeat the command"
            raise Failure(f"task {name} is not active: {reason}") from error
        return Execution(answer["startDate"], answer["executionArn"])

    def _stop_all(self, name: str, error: str, cause: str) -> None:
        """Stops the executions of a task, and those that they have started meanwhile as their successors."""
        stopped = set[str]()
        for _ in range(_ROUNDS):
            found = [each for each in self._running(name) if each.arn not in stopped]
            for each in found:
                self._stop(each, error, cause)
                stopped.add(each.arn)
            if not found:
                return
        raise Failure(f"task {name} starts executions as fast as they are stopped; repeat the command")

    def _leave_latest(self, name: str, own: Execution) -> None:
        """Stops all executions of a task but the latest.

        Of callers that activate a task at the same time, the one that starts its execution last sees those of
        the others, and all callers leave the same one.
        """
        found = {own, *self._running(name)}
        latest = max(found)
        for each in found - {latest}:
            self._stop(each, _SUPERSEDED, f"execution superseded by {latest.name}")

    def _running(self, name: str) -> Iterator[Execution]:
        """The running executions of a task."""
        stem = name[:_STEM]
        for each in self._list():
            match = _NAME.fullmatch(each["name"])
            # An execution that the system has named for another task is not asked for its input.
            if each["name"].startswith(stem) and (match is None or match["stem"] == stem):
                execution = Execution(each["startDate"], each["executionArn"])
                if self._belongs(execution, name):
                    yield execution

    def _belongs(self, execution: Execution, name: str) -> bool:
        """Returns whether an execution is still running and its input names the task."""
        try:
            found = self._call("describe_execution", executionArn=execution.arn)
            given = json.loads(found.get("input") or "null")
        except ss.BackendError as error:
            if error.code != "ExecutionDoesNotExist":
                raise
            return False
        except ValueError:
            return False
        return found["status"] == "RUNNING" and isinstance(given, dict) and given.get("name") == name

    def _list(self) -> Iterator[Any]:
        request = {"stateMachineArn": self._machine_arn, "statusFilter": "RUNNING", "maxResults": 1_000}
        while True:
            page = self._call("list_executions", **request)
            yield from page["executions"]
            if not page.get("nextToken"):
                return
            request["nextToken"] = page["nextToken"]

    def _stop(self, execution: Execution, error: str, cause: str) -> None:
        """Stops an execution, if it has not ended."""
        try:
            self._call("stop_execution", executionArn=execution.arn, error=error, cause=cause)
        except ss.BackendError as failure:
            if failure.code not in ("ExecutionDoesNotExist", "ValidationException"):
                raise

    def _call(self, operation: str, **arguments: Any) -> Any:
        with mapped("states", camel_case(operation)):
            return getattr(self._states, operation)(**arguments)


def _runs_elsewhere(item: Item) -> bool:
    """Returns whether stepsched has taken over a task and runs it."""
    return _JOB in item and text_of(item, "status") == ss.JobStatus.ACTIVE.value


def _task(name: str, item: Item, *, is_active: bool) -> Task:
    """Returns a row as a task.

    Raises:
        Failure: The row cannot be read.
    """
    from stepsched.backends.stepfunctions.rows import read_job

    try:
        version = int(item["latest"]["N"])
        if _JOB in item:
            job = read_job(item)
            schedule, machine = schedule_text(job, item), machine_of(job)
        else:
            schedule, machine = item["schedule"]["S"], item["state_machine_arn"]["S"]
    except KeyError as error:
        raise Failure(f"task {name} cannot be read: attribute {error} is missing") from error
    except ValueError as error:
        raise Failure(f"task {name} cannot be read: {error}") from error
    return Task(name, schedule, machine, version, is_active)
