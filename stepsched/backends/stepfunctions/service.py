"""The machine and the executions: what is asked of Step Functions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from stepsched.aws.sdk import Closed, camel_case, mapped
from stepsched.core.errors import BackendError, ErrorCode
from stepsched.machines.shared.history import ROUTE
from stepsched.machines.shared.runner import TITLE

_MACHINE = re.compile(r"arn:(aws[a-z-]*):states:([a-z0-9-]+):(\d{12}):stateMachine:([^\s:/*?$]{1,80})")
_TOKEN = re.compile(r".*-(?P<token>[0-9a-f]{12})(?:-(?P<generation>\d+))?", re.DOTALL)
SUPERSEDED, DISABLED = "301", "410"
"""Why an execution was stopped, in the words of the AWS Solutions scheduler."""


class Execution(NamedTuple):
    """What Step Functions says of an execution."""

    arn: str
    status: str
    error: str = ""
    cause: str = ""
    given: Mapping[str, Any] = {}
    """Its input."""
    started_at: datetime | None = None

    @property
    def is_running(self) -> bool:
        return self.status == "RUNNING"

    @property
    def token(self) -> str | None:
        """Whose token it was started with; None where the name is not one of ours."""
        return token_of(self.arn)


def token_of(arn: str | None) -> str | None:
    """Whose token an execution was started with; None where its name is not one of ours."""
    match = None if arn is None else _TOKEN.fullmatch(arn.rsplit(":", 1)[1])
    return None if match is None else match["token"]


def generation_of(arn: str) -> int:
    """Of how many executions one is the latest that have handed over, by its name."""
    match = _TOKEN.fullmatch(arn.rsplit(":", 1)[1])
    return 1 if match is None else int(match["generation"] or 1)


def execution_name(name: str, token: str) -> str:
    """The name of an execution, by which starting it twice is starting it once."""
    return f"{name[:67]}-{token}"


def checked_machine(arn: Any) -> str:
    """The ARN of a state machine itself.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(arn, str) or _MACHINE.fullmatch(arn) is None:
        raise ValueError(
            f"state_machine_arn {arn!r} is not of the form "
            "'arn:aws:states:<region>:<account>:stateMachine:<name>', without alias or version"
        )
    return arn


class Executions:
    """The executions of one machine. One object serves many threads."""

    def __init__(self, client: Any, machine_arn: str) -> None:
        self._client = client
        self.machine_arn = machine_arn
        match = _MACHINE.fullmatch(machine_arn)
        assert match is not None, "the ARN has been checked"
        self.partition, self.region, _, self._name = match.groups()

    def close(self) -> None:
        """Closes the connections; every call afterwards is refused. Harmless twice."""
        self._client.close()
        self._client = Closed("states")

    def calls(self, table_name: str) -> frozenset[str]:
        """What the machine has a state for.

        Raises:
            BackendError: There is no such machine, or it is not the runner of the table.
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
                f"{self.machine_arn!r} is not a runner of stepsched: give the machine of the stack of "
                "stepsched.deploy.template(...), its output StateMachineArn"
            )
            raise BackendError("states", "DescribeStateMachine", ErrorCode.NO_RUNNER, detail=words)
        if used != table_name:
            words = (
                f"{self.machine_arn!r} runs the jobs of table {used!r}, not of {table_name!r}: give the two "
                "of one stack, its outputs StateMachineArn and TableName"
            )
            raise BackendError("states", "DescribeStateMachine", ErrorCode.OTHER_TABLE, detail=words)
        return rules

    def arn(self, name: str) -> str:
        """The ARN of an execution of that name."""
        return f"{self.machine_arn.replace(':stateMachine:', ':execution:')}:{name}"

    def link(self, arn: str) -> str:
        """The page of the console that shows an execution."""
        host = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
        place = host.get(self.partition, f"{self.region}.console.aws.amazon.com")
        return f"https://{place}/states/home?region={self.region}#/v2/executions/details/{arn}"

    def start(self, name: str, given: Mapping[str, Any]) -> bool:
        """Starts an execution; one of that name and input which still runs is no error.

        Returns:
            False where the name has been used, for an execution that has ended or had another input.
        """
        text = json.dumps(given, separators=(",", ":"), sort_keys=True)
        try:
            self._call("start_execution", stateMachineArn=self.machine_arn, name=name, input=text)
        except BackendError as error:
            if error.code == "ExecutionAlreadyExists":
                return False
            raise
        return True

    def stop(self, arn: str, error: str, cause: str) -> None:
        """Stops an execution; one that has ended, or is not there, is no error."""
        try:
            self._call("stop_execution", executionArn=arn, error=error, cause=cause)
        except BackendError as failure:
            if failure.code not in ("ExecutionDoesNotExist", "ValidationException"):
                raise

    def find(self, arn: str) -> Execution | None:
        """An execution as it stands; None where there is none."""
        try:
            found = self._call("describe_execution", executionArn=arn)
        except BackendError as error:
            if error.code == "ExecutionDoesNotExist":
                return None
            raise
        try:
            given = json.loads(found.get("input") or "{}")
        except ValueError:
            given = {}
        words = (found.get("error") or "", found.get("cause") or "")
        given = given if isinstance(given, dict) else {}
        return Execution(arn, found["status"], *words, given, found.get("startDate"))

    def running(self) -> Iterator[Execution]:
        """All executions of the machine that run."""
        asked: dict[str, Any] = {"stateMachineArn": self.machine_arn, "statusFilter": "RUNNING"}
        while True:
            page = self._call("list_executions", **asked, maxResults=1000)
            for each in page["executions"]:
                yield Execution(each["executionArn"], each["status"])
            if not page.get("nextToken"):
                return
            asked["nextToken"] = page["nextToken"]

    def history(self, arn: str) -> Iterator[Mapping[str, Any]]:
        """The events of an execution, the latest first; none of one that is not there, such as one that ended
        long ago."""
        asked: dict[str, Any] = {"executionArn": arn, "reverseOrder": True, "maxResults": 1000}
        while True:
            try:
                page = self._call("get_execution_history", **asked)
            except BackendError as error:
                if error.code == "ExecutionDoesNotExist":
                    return
                raise
            yield from page["events"]
            if not page.get("nextToken"):
                return
            asked["nextToken"] = page["nextToken"]

    def _call(self, operation: str, **arguments: Any) -> Any:
        with mapped("states", camel_case(operation)):
            return getattr(self._client, operation)(**arguments)


def _read_runner(definition: str) -> tuple[str | None, str | None, frozenset[str]]:
    """The title of a machine, its table and its calls; nothing where it is another one."""
    try:
        document = json.loads(definition)
        states = document["States"]
        used = states["Load"]["Arguments"]["TableName"]
        calls = frozenset(rule["Next"] for rule in states[ROUTE]["Choices"])
        return document["Comment"], used, calls
    except (ValueError, KeyError, TypeError):
        return None, None, frozenset()


def successor_of(execution: Execution, name: str) -> str | None:
    """The name of the execution that an execution of a job has handed over to, if it has; None where it is
    none of ours."""
    if execution.token is None:
        return None
    return f"{name[:55]}-{execution.token}-{generation_of(execution.arn) + 1}"
