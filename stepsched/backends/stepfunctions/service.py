"""Calls Step Functions: the state machine and its executions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from stepsched.aws.sdk import Closed, camel_case, mapped
from stepsched.core.errors import BackendError, ErrorCode
from stepsched.core.quoting import quoted
from stepsched.jobs.names import narrowed
from stepsched.machines.shared.history import ROUTE
from stepsched.machines.shared.instructions import NO_LISTED_PAUSES
from stepsched.machines.shared.runner import TITLE

_MACHINE = re.compile(r"arn:(aws[a-z-]*):states:([a-z0-9-]+):(\d{12}):stateMachine:([^\s:/*?$]{1,80})")
_TOKEN = re.compile(r".*-(?P<token>[0-9a-f]{12})(?:-(?P<generation>\d+))?", re.DOTALL)
SUPERSEDED, DISABLED = "301", "410"
"""The error codes of stopped executions, the same as those of the AWS Solutions scheduler."""


class Execution(NamedTuple):
    """An execution as Step Functions describes it."""

    arn: str
    status: str
    error: str = ""
    cause: str = ""
    input: Mapping[str, Any] = {}
    """The input of the execution."""
    started_at: datetime | None = None
    """The start of the execution. None: unknown."""
    stopped_at: datetime | None = None
    """The end of the execution. None: it has not ended, or the end is unknown."""

    @property
    def is_running(self) -> bool:
        return self.status == "RUNNING"

    @property
    def token(self) -> str | None:
        """The token in the name of the execution. None: it was not started for a job."""
        return token_of(self.arn)


def token_of(arn: str | None) -> str | None:
    """The token in the name of an execution. None: it was not started for a job."""
    match = None if arn is None else _TOKEN.fullmatch(arn.rsplit(":", 1)[1])
    return None if match is None else match["token"]


def generation_of(arn: str) -> int:
    """The generation in the name of an execution: its number in a chain of successors."""
    match = _TOKEN.fullmatch(arn.rsplit(":", 1)[1])
    return 1 if match is None else int(match["generation"] or 1)


def execution_name(name: str, token: str) -> str:
    """The name of the first execution for a job and a token, which makes its start idempotent."""
    return f"{narrowed(name, 67)}-{token}"


def series_of(name: str, token: str) -> dict[str, str]:
    """The member of an execution's input that begins the names of its successors. Empty if an execution can
    have the name of the job: then the machine forms the same text from it."""
    series = narrowed(name, 55)
    return {} if series == name[:55] else {"series": f"{series}-{token}"}


def validate_state_machine_arn(arn: Any, argument: str = "state_machine_arn") -> str:
    """Validates the ARN of a state machine.

    Args:
        arn: The ARN.
        argument: The name of the argument in errors.

    Raises:
        ValueError: It is not such an ARN, or has an alias or a version.
    """
    if not isinstance(arn, str) or _MACHINE.fullmatch(arn) is None:
        raise ValueError(
            f"expected {argument} to be 'arn:aws:states:<region>:<account>:stateMachine:<name>', "
            f"without alias or version, got {quoted(arn)}"
        )
    return arn


class Executions:
    """The executions of one state machine. Thread-safe."""

    def __init__(self, client: Any, machine_arn: str) -> None:
        self._client = client
        self.machine_arn = machine_arn
        match = _MACHINE.fullmatch(machine_arn)
        assert match is not None, "the ARN must have been validated"
        self.partition, self.region, _, self._name = match.groups()

    def close(self) -> None:
        """Closes the connections. Later calls raise :class:`BackendError`; closing again has no effect."""
        self._client.close()
        self._client = Closed("states")

    def calls(self, table_name: str) -> frozenset[str]:
        """The calls for which the machine has a state.

        Raises:
            BackendError: The machine does not exist, or is not the runner of the table.
        """
        try:
            found = self._call("describe_state_machine", stateMachineArn=self.machine_arn)
        except BackendError as error:
            if error.code != "StateMachineDoesNotExist":
                raise
            words = (
                f"there is no state machine {self.machine_arn!r}; correct state_machine_arn, or create the "
                "stack of stepsched.deploy.template(...)"
            )
            raise BackendError(
                "states", error.operation, error.code, error.request_id, detail=words
            ) from error
        title, used, rules = _read_runner(found["definition"])
        if title != TITLE:
            words = (
                f"{self.machine_arn!r} is not a runner of stepsched; use the machine of the stack of "
                "stepsched.deploy.template(...), its output StateMachineArn"
            )
            raise BackendError("states", "DescribeStateMachine", ErrorCode.NO_RUNNER, detail=words)
        if used != table_name:
            words = (
                f"{self.machine_arn!r} runs the jobs of table {used!r}, not of {table_name!r}; use the "
                "outputs StateMachineArn and TableName of one stack"
            )
            raise BackendError("states", "DescribeStateMachine", ErrorCode.OTHER_TABLE, detail=words)
        return rules

    def arn(self, name: str) -> str:
        """The ARN of the execution with a name."""
        return f"{self.machine_arn.replace(':stateMachine:', ':execution:')}:{name}"

    def link(self, arn: str) -> str:
        """The URL of the console page that shows an execution."""
        return f"{self.console}/states/home?region={self.region}#/v2/executions/details/{arn}"

    @property
    def console(self) -> str:
        """The URL of the console of the machine's Region, without a page."""
        host = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
        return f"https://{host.get(self.partition, f'{self.region}.console.aws.amazon.com')}"

    def start(self, name: str, input_data: Mapping[str, Any]) -> bool:
        """Starts an execution. Idempotent while an execution of the same name and input is running.

        Returns:
            False if the name is taken by an execution that has ended or has another input.
        """
        text = json.dumps(input_data, separators=(",", ":"), sort_keys=True)
        try:
            self._call("start_execution", stateMachineArn=self.machine_arn, name=name, input=text)
        except BackendError as error:
            if error.code == "ExecutionAlreadyExists":
                return False
            raise
        return True

    def stop(self, arn: str, error: str, cause: str) -> None:
        """Stops an execution. No effect if it has ended or does not exist."""
        try:
            self._call("stop_execution", executionArn=arn, error=error, cause=cause)
        except BackendError as failure:
            if failure.code not in ("ExecutionDoesNotExist", "ValidationException"):
                raise

    def find(self, arn: str) -> Execution | None:
        """The current state of an execution. None: it does not exist."""
        try:
            found = self._call("describe_execution", executionArn=arn)
        except BackendError as error:
            if error.code == "ExecutionDoesNotExist":
                return None
            raise
        try:
            input_data = json.loads(found.get("input") or "{}")
        except ValueError:
            input_data = {}
        words = (found.get("error") or "", found.get("cause") or "")
        input_data = input_data if isinstance(input_data, dict) else {}
        return Execution(
            arn,
            found["status"],
            *words,
            input_data,
            found.get("startDate"),
            found.get("stopDate"),
        )

    def running(self) -> Iterator[Execution]:
        """All running executions of the machine, with only their ARN and status."""
        request: dict[str, Any] = {"stateMachineArn": self.machine_arn, "statusFilter": "RUNNING"}
        while True:
            page = self._call("list_executions", **request, maxResults=1000)
            for each in page["executions"]:
                yield Execution(each["executionArn"], each["status"])
            if not page.get("nextToken"):
                return
            request["nextToken"] = page["nextToken"]

    def history(self, arn: str) -> Iterator[Mapping[str, Any]]:
        """The events of an execution, latest first. Empty if it does not exist, such as one that ended long
        ago."""
        request: dict[str, Any] = {"executionArn": arn, "reverseOrder": True, "maxResults": 1000}
        while True:
            try:
                page = self._call("get_execution_history", **request)
            except BackendError as error:
                if error.code == "ExecutionDoesNotExist":
                    return
                raise
            yield from page["events"]
            if not page.get("nextToken"):
                return
            request["nextToken"] = page["nextToken"]

    def _call(self, operation: str, **arguments: Any) -> Any:
        with mapped("states", camel_case(operation)):
            return getattr(self._client, operation)(**arguments)


def _read_runner(definition: str) -> tuple[str | None, str | None, frozenset[str]]:
    """The title, the table and the calls of a runner; None and empty for any other machine."""
    try:
        document = json.loads(definition)
        states = document["States"]
        used = states["Load"]["Arguments"]["TableName"]
        calls = frozenset(rule["Next"] for rule in states[ROUTE]["Choices"])
        if "pauses" not in states["Pause"]["Seconds"]:
            calls |= {NO_LISTED_PAUSES}
        return document["Comment"], used, calls
    except (ValueError, KeyError, TypeError):
        return None, None, frozenset()


def successor_of(execution: Execution, name: str) -> str | None:
    """The name that the successor of a job's execution has, if there is one. None: the execution was not
    started for a job."""
    if execution.token is None:
        return None
    return f"{narrowed(name, 55)}-{execution.token}-{generation_of(execution.arn) + 1}"
