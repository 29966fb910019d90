"""A stack of the AWS Solutions scheduler in memory: what boto3 answers for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from botocore.exceptions import ClientError

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:scheduler"
TARGET = "arn:aws:states:eu-west-1:123456789012:stateMachine:import"
PAGE = 2
"""How many rows or executions stand on a page."""


def refused(code: str, operation: str, message: str = "words", status: int = 400) -> ClientError:
    """The error of boto3 for a call that a service refuses."""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, operation)


class FakeStack:
    """Stands for a ``boto3.Session`` of an account with one stack. It is all of its clients, too."""

    def __init__(self) -> None:
        self.outputs = {"SchedulerTableName": "tasks", "SchedulerStepFunctionArn": MACHINE}
        self.metadata: Mapping[str, str] = {
            "aws:solutions:solution_id": "SO0170",
            "aws:solutions:solution_version": "v1.4.5",
        }
        self.rows: list[dict[str, Any]] = []
        self.executions: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        """The operations that were called."""
        self.failures: dict[str, BaseException] = {}
        """The errors that operations raise."""
        self.happens: dict[str, Callable[[str], object]] = {}
        """What others do just after an operation, by its name; it gets the name of the execution."""
        self.late_lists = 0
        """How many lists of executions still lag behind, and are empty."""
        self.lists_ended = False
        """Whether lists show executions that have ended, as those that lag behind do."""
        self._clock = datetime(2030, 1, 7, tzinfo=timezone.utc)

    def put(self, name: str, latest: int = 1, **fields: Any) -> None:
        """Writes a task with its versions."""
        row = {
            "name": {"S": name},
            "schedule": {"S": "cron(*/15 * * * ? *)"},
            "state_machine_arn": {"S": TARGET},
            "state_machine_input": {"M": {}},
        }
        self.rows.append(row | {"version": {"S": "v0"}, "latest": {"N": str(latest)}} | fields)
        self.rows += [row | {"version": {"S": f"v{number}"}} for number in range(1, latest + 1)]

    def run(self, name: str, given: object) -> str:
        """Starts an execution of somebody else."""
        self._clock += timedelta(milliseconds=1)
        arn = f"{MACHINE.replace(':stateMachine:', ':execution:')}:{name}"
        self.executions[name] = {
            "name": name,
            "executionArn": arn,
            "startDate": self._clock,
            "status": "RUNNING",
            "input": given if isinstance(given, str) else json.dumps(given),
        }
        return arn

    @property
    def running(self) -> list[str]:
        """The names of the running executions."""
        return [name for name, each in self.executions.items() if each["status"] == "RUNNING"]

    # -- boto3 ---------------------------------------------------------------------------------------------

    def client(self, service: str, **_: Any) -> Any:
        """Returns the client of a service."""
        return self

    def close(self) -> None:
        """Closes a client."""

    def describe_stacks(self, StackName: str) -> Any:  # noqa: N803
        """Answers the outputs."""
        self._called("describe_stacks")
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()]
        return {"Stacks": [{"Outputs": outputs} if outputs else {}]}

    def get_template_summary(self, StackName: str) -> Any:  # noqa: N803
        """Answers the metadata."""
        self._called("get_template_summary")
        return {"Metadata": json.dumps(self.metadata)} if self.metadata else {}

    def get_item(self, Key: Any, **_: Any) -> Any:  # noqa: N803
        """Answers a row."""
        self._called("get_item")
        found = [row for row in self.rows if (row["name"], row["version"]) == (Key["name"], Key["version"])]
        return {"Item": found[0]} if found else {}

    def scan(self, ExclusiveStartKey: int = 0, **_: Any) -> Any:  # noqa: N803
        """Answers the current rows of a page."""
        self._called("scan")
        page = self.rows[ExclusiveStartKey : ExclusiveStartKey + PAGE]
        following = ExclusiveStartKey + PAGE
        more = {"LastEvaluatedKey": following} if following < len(self.rows) else {}
        return {"Items": [row for row in page if row["version"] == {"S": "v0"}]} | more

    def list_executions(self, nextToken: str = "0", **_: Any) -> Any:  # noqa: N803
        """Answers a page of the running executions, latest first."""
        self._called("list_executions")
        if self.late_lists:
            self.late_lists -= 1
            return {"executions": []}
        names, start = list(self.executions) if self.lists_ended else self.running[::-1], int(nextToken)
        page = [self.executions[name] for name in names[start : start + PAGE]]
        more = {"nextToken": str(start + PAGE)} if start + PAGE < len(names) else {}
        return {"executions": page} | more

    def describe_execution(self, executionArn: str) -> Any:  # noqa: N803
        """Answers an execution."""
        self._called("describe_execution")
        return self.executions[executionArn.rpartition(":")[2]]

    def start_execution(self, name: str, **given: Any) -> Any:
        """Starts an execution."""
        self._called("start_execution")
        self.run(name, given["input"])
        self._happens("start_execution", name)
        return self.executions[name]

    def stop_execution(self, executionArn: str, error: str, cause: str) -> Any:  # noqa: N803
        """Stops an execution, if it is running."""
        self._called("stop_execution")
        name = executionArn.rpartition(":")[2]
        if name in self.running:
            self.executions[name] |= {"status": "ABORTED", "error": error, "cause": cause}
        self._happens("stop_execution", name)
        return {}

    def _called(self, operation: str) -> None:
        self.calls.append(operation)
        if operation in self.failures:
            raise self.failures[operation]

    def _happens(self, operation: str, name: str) -> None:
        happens = self.happens.pop(operation, None)
        if happens is not None:
            happens(name)
