"""Finds the tasks of a CloudFormation stack: of the AWS Solutions scheduler, or of stepsched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from typing import Any

import stepsched as ss
from stepsched.cli.failures import Failure
from stepsched.cli.places import boto3_session
from stepsched.cli.solutions.jobs import JobTasks
from stepsched.cli.solutions.original import OriginalTasks
from stepsched.cli.solutions.tasks import Tasks

TABLE_OUTPUT, MACHINE_OUTPUT = "SchedulerTableName", "SchedulerStepFunctionArn"
"""The outputs of a stack of the AWS Solutions scheduler."""
_OUR_OUTPUTS = {TABLE_OUTPUT: "TableName", MACHINE_OUTPUT: "StateMachineArn"}
"""The outputs of a stack of ``stepsched.deploy.template`` that hold the same."""
_METADATA = ("aws:solutions:solution_id", "aws:solutions:solution_version")
"""What the template of the AWS Solutions scheduler has in its metadata."""


class Stack:
    """A stack, which is read when it is asked for the first time. Its clients of AWS are closed by
    :meth:`close`."""

    def __init__(
        self,
        name: str,
        *,
        region: str,
        table_output: str | None = None,
        machine_output: str | None = None,
        session: Any = None,
    ) -> None:
        """Creates a stack. No call is made.

        Args:
            name: The name or the ARN of the stack.
            region: The AWS Region of the stack.
            table_output: The output with the name of the table. None: the one of either system.
            machine_output: The output with the ARN of the state machine. None: the one of either system.
            session: A ``boto3.Session``. None: the default one, in this Region.
        """
        self.name = name
        self.region = region
        self._table_output = table_output
        self._machine_output = machine_output
        self._given_session = session
        self._cleanup = ExitStack()
        self._clients = dict[str, Any]()

    def close(self) -> None:
        """Closes the connections."""
        self._cleanup.close()

    # -- AWS -----------------------------------------------------------------------------------------------

    @cached_property
    def session(self) -> Any:
        """The session of boto3."""
        if self._given_session is not None:
            return self._given_session
        return boto3_session(self.region, None)

    def client(self, service: str, *, read_timeout: int = 30) -> Any:
        """Returns the boto3 client of a service, always the same one. Its calls raise the errors of boto3;
        make them inside of :func:`stepsched.aws.sdk.mapped`.

        Args:
            service: The name of the service in boto3.
            read_timeout: How long an answer may take, in seconds.

        Raises:
            BackendError: The client cannot be made.
        """
        if service not in self._clients:
            from botocore.config import Config

            from stepsched.aws.sdk import mapped

            config = Config(
                retries={"mode": "adaptive", "total_max_attempts": 8},
                connect_timeout=10,
                read_timeout=read_timeout,
                user_agent_extra="stepsched",
            )
            with mapped(service, "connect"):
                client = self.session.client(service, region_name=self.region, config=config)
            self._cleanup.callback(client.close)
            self._clients[service] = client
        return self._clients[service]

    # -- the stack -----------------------------------------------------------------------------------------

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """The outputs of the stack.

        Raises:
            Failure: The stack does not exist.
            BackendError: It cannot be read.
        """
        from stepsched.aws.sdk import mapped

        client = self.client("cloudformation")
        try:
            with mapped("cloudformation", "DescribeStacks"):
                found = client.describe_stacks(StackName=self.name)["Stacks"]
        except ss.BackendError as error:
            if "does not exist" not in error.detail:
                raise
            raise Failure(
                f"there is no stack {self.name!r} in {self.region}; correct -s/--stack or -r/--region"
            ) from error
        return {each["OutputKey"]: each["OutputValue"] for each in found[0].get("Outputs", ())}

    def output(self, key: str) -> str:
        """Returns the value of an output.

        Raises:
            Failure: The stack does not exist, or has no such output.
            BackendError: The stack cannot be read.
        """
        if key not in self.outputs:
            raise Failure(f"could not find output with key {key} in stack")
        return self.outputs[key]

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """The metadata of the template.

        Raises:
            BackendError: The template cannot be read.
        """
        from stepsched.aws.sdk import mapped

        client = self.client("cloudformation")
        with mapped("cloudformation", "GetTemplateSummary"):
            text = client.get_template_summary(StackName=self.name).get("Metadata")
        found = json.loads(text or "{}")
        return found if isinstance(found, dict) else {}

    @cached_property
    def table_name(self) -> str:
        """The name of the table of tasks."""
        return self.output(self._table_output or self._existing(TABLE_OUTPUT))

    @cached_property
    def machine_arn(self) -> str:
        """The ARN of the state machine that runs the tasks."""
        return self.output(self._machine_output or self._existing(MACHINE_OUTPUT))

    def scheduler_client(self) -> ss.SchedulerClient:
        """Returns the client of a stack of stepsched. Its first call finds out whether the stack is one.

        Raises:
            Failure: The stack does not exist, or lacks an output.
            BackendError: It cannot be read.
        """
        backend = ss.StepFunctionsBackend(
            state_machine_arn=self.machine_arn, table_name=self.table_name, session=self.session
        )
        self._cleanup.callback(backend.close)
        return ss.SchedulerClient(backend)

    def tasks(self) -> Tasks:
        """Returns the tasks of the stack.

        A stack of the AWS Solutions scheduler has metadata in its template that name it. Another one is of
        stepsched, which its outputs show, or else the first call finds out.

        Raises:
            Failure: The stack does not exist, or lacks an output or one of its metadata.
            BackendError: It cannot be read.
        """
        table, machine = self.table_name, self.machine_arn
        if self._machine_output is None and MACHINE_OUTPUT not in self.outputs:
            return JobTasks(self.scheduler_client(), self.client("dynamodb"), table)
        missing = [key for key in _METADATA if key not in self.metadata]
        absent = f"could not find metadata with key {missing[0]} in stack" if missing else ""
        if len(missing) == len(_METADATA):
            return JobTasks(self.scheduler_client(), self.client("dynamodb"), table, otherwise=absent)
        if missing:
            raise Failure(absent)
        return OriginalTasks(self.client("dynamodb"), self.client("stepfunctions"), table, machine)

    def _existing(self, key: str) -> str:
        """Returns the name of an output, or that of stepsched for the same if only that exists."""
        ours = _OUR_OUTPUTS[key]
        return ours if key not in self.outputs and ours in self.outputs else key
