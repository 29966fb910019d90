"""The real command line of the CDK deploys an app into the emulator; machines of the user make jobs in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from tests.cdk.applications import STACK, application
from tests.cdk.cli import CdkCli
from tests.parts.ministack import REGION, Ministack, clients, delete_schedules, running
from tests.sessions import new_session

START = datetime(2030, 1, 1, tzinfo=timezone.utc)
GIVEN = {"group": "train", "field_in_state_input": 42}


class Deployed:
    """An account in which the stack stands."""

    def __init__(self, server: Ministack, account: str, aws: Callable[[str], Any], cli: CdkCli) -> None:
        self.server, self.account, self.aws, self.cli = server, account, aws, cli
        self.states, self.cloudformation = aws("stepfunctions"), aws("cloudformation")
        self.outputs = self.read_outputs()
        keys = {"aws_access_key_id": account, "aws_secret_access_key": "test"}
        self.client = ss.SchedulerClient.from_stack(
            STACK,
            session=new_session(region_name=REGION, **keys),
            endpoint_url=server.endpoint_url,
            state_machine_output="SchedulerStepFunctionArn",
            table_output="SchedulerTableName",
        )

    def read_outputs(self) -> dict[str, str]:
        (found,) = self.cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}

    def run(self, machine: str, given: Any) -> dict[str, Any]:
        """Runs a machine of the user to its end."""
        arn = self.outputs[f"{machine}Arn"]
        execution = self.states.start_execution(stateMachineArn=arn, input=json.dumps(given))["executionArn"]
        self.server.settled(self.account)
        found: dict[str, Any] = self.states.describe_execution(executionArn=execution)
        return found

    def inputs_of_target(self) -> list[Any]:
        listed = self.states.list_executions(stateMachineArn=self.outputs["TargetArn"])["executions"]
        arns = [each["executionArn"] for each in listed]
        return [json.loads(self.states.describe_execution(executionArn=arn)["input"]) for arn in arns]


@pytest.fixture(scope="module")
def ministack() -> Iterator[Ministack]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def deployed(ministack: Ministack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The stack, deployed twice; it is destroyed by the last test."""
    folder, account = tmp_path_factory.mktemp("cdk"), ministack.new_account()
    cli = CdkCli(ministack, account, folder)
    application(folder / "cdk.out", account, REGION).synth()
    cli.run("bootstrap", f"aws://{account}/{REGION}")
    told = cli.run("deploy", "--app", "cdk.out", "--require-approval", "never")
    assert f"{STACK}.SchedulerTableName" in told
    with clients(ministack, account) as aws:
        made = Deployed(ministack, account, aws, cli)
        ministack.hold_waits(START)
        yield made
        delete_schedules(aws("scheduler"))
    ministack.release_waits()


@pytest.mark.parametrize(
    ("machine", "name", "due"),
    [
        pytest.param("JsonPath", "my-JsonPath-schedule-train", START + timedelta(hours=8), id="JSONPath"),
        pytest.param("Jsonata", "my-Jsonata-schedule-train", START + timedelta(hours=9), id="JSONata"),
    ],
)
def test_a_machine_of_the_user_schedules_another_one(
    deployed: Deployed, machine: str, name: str, due: datetime
) -> None:
    given = {**GIVEN, "path": {"to": {"cron": "cron(0 9 * * ? *)"}}}
    ran = deployed.run(machine, given)
    assert ran["status"] == "SUCCEEDED", ran
    assert json.loads(ran["output"]) == given
    record = deployed.client.get(name)
    assert (record.status, record.version) == (ss.JobStatus.ACTIVE, 1)
    assert record.job.input == {"static_input": "value", "nothing": None, "derived_input": 42}
    assert record.job.overlap is ss.Overlap.SKIP
    assert record.job.target == ss.StateMachineTarget(deployed.outputs["TargetArn"])
    assert deployed.client.repair() == []
