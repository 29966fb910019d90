"""The real command line of the CDK deploys an app into the emulator; machines of the user make jobs in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from tests.cdk.applications import MESSAGES, STACK, application
from tests.cdk.cli import CdkCli
from tests.parts.ministack import REGION, Ministack, clients, delete_schedules, running
from tests.sessions import new_session

pytestmark = pytest.mark.timeout(400)  # setting up runs the command line twice, on a machine that may be busy
START = datetime(2030, 1, 1, tzinfo=timezone.utc)
GIVEN = {"group": "train", "field_in_state_input": 42}


class Deployed:
    """An account in which the stack stands."""

    def __init__(self, server: Ministack, account: str, aws: Callable[[str], Any], cli: CdkCli) -> None:
        self.server, self.account, self.aws, self.cli = server, account, aws, cli
        self.states, self.cloudformation = aws("stepfunctions"), aws("cloudformation")
        self.outputs = self.read_outputs()
        keys = {"aws_access_key_id": account, "aws_secret_access_key": "test"}
        self.session = new_session(region_name=REGION, **keys)
        self.client, self.blue = self.client_of(""), self.client_of("Blue")

    def client_of(self, prefix: str) -> ss.SchedulerClient:
        """The client of one of the schedulers."""
        return ss.SchedulerClient.from_stack(
            STACK,
            session=self.session,
            endpoint_url=self.server.endpoint_url,
            state_machine_output=f"{prefix}SchedulerStepFunctionArn",
            table_output=f"{prefix}SchedulerTableName",
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


def test_the_job_runs_with_the_input_that_was_resolved_at_its_creation(deployed: Deployed) -> None:
    for due in (START + timedelta(hours=8), START + timedelta(hours=9)):
        assert deployed.server.next_wake(deployed.account) == due
        deployed.server.move_time(due)
        deployed.server.settled(deployed.account)
    resolved = {"static_input": "value", "nothing": None, "derived_input": 42}
    assert deployed.inputs_of_target() == [resolved] * 2
    (run,) = deployed.client.runs("my-JsonPath-schedule-train")
    assert (run.status, run.scheduled_for) == (ss.RunStatus.SUCCEEDED, START + timedelta(hours=8))


@pytest.mark.parametrize("machine", ["JsonPath", "Jsonata"])
def test_a_schedule_that_is_missing_changes_nothing(deployed: Deployed, machine: str) -> None:
    before = {each.name: each.version for each in deployed.client.list()}
    ran = deployed.run(machine, GIVEN)
    assert (ran["status"], json.loads(ran["output"])) == ("SUCCEEDED", GIVEN)
    assert {each.name: each.version for each in deployed.client.list()} == before


@pytest.mark.parametrize("machine", ["JsonPath", "Jsonata"])
def test_a_schedule_that_cannot_be_read_fails_the_machine_of_the_user(
    deployed: Deployed, machine: str
) -> None:
    ran = deployed.run(machine, {**GIVEN, "path": {"to": {"cron": "cron(0 0 ? * 0 *)"}}})
    assert ran["status"] == "FAILED"
    assert "Stepsched.InvalidSchedule" in ran["error"] + ran["cause"]


def test_an_equal_call_writes_nothing_and_another_one_a_version(deployed: Deployed) -> None:
    name = "my-JsonPath-schedule-train"
    for cron, version in (("cron(0 9 * * ? *)", 1), ("cron(0 10 * * ? *)", 2)):
        deployed.run("JsonPath", {**GIVEN, "path": {"to": {"cron": cron}}})
        assert deployed.client.get(name).version == version


@pytest.mark.parametrize("machine", ["JsonPath", "Jsonata"])
def test_the_value_delete_removes_the_job(deployed: Deployed, machine: str) -> None:
    name = f"my-{machine}-schedule-train"
    assert name in {each.name for each in deployed.client.list()}
    for _ in range(2):
        assert deployed.run(machine, {**GIVEN, "path": {"to": {"cron": "delete"}}})["status"] == "SUCCEEDED"
        assert name not in {each.name for each in deployed.client.list()}


@pytest.mark.parametrize("language", ["JsonPath", "Jsonata"])
def test_a_machine_calls_the_express_register_of_another_scheduler(deployed: Deployed, language: str) -> None:
    name, given = f"my-Express{language}-schedule-train", {**GIVEN, "path": {"to": {"cron": "rate(1 day)"}}}
    ran = deployed.run(f"Express{language}", given)
    assert (ran["status"], json.loads(ran["output"])) == ("SUCCEEDED", given), ran
    record = deployed.blue.get(name)
    assert record.job.input == {"static_input": "value", "nothing": None, "derived_input": 42}
    assert record.job.overlap is ss.Overlap.ALLOW
    assert name not in {each.name for each in deployed.client.list()}
    given["path"] = {"to": {"cron": "cron(0 0 ? * 0 *)"}}
    ran = deployed.run(f"Express{language}", given)
    assert (ran["status"], ran["error"]) == ("FAILED", "Stepsched.InvalidSchedule"), ran
    assert ran["cause"].startswith("day-of-week: ")
    assert deployed.blue.repair() == []
    deployed.blue.cancel(name)


@pytest.mark.parametrize("machine", ["Tasks", "ExpressTasks"])
def test_states_create_read_and_delete_a_job(deployed: Deployed, machine: str) -> None:
    ran = deployed.run(machine, {"schedule": "cron(0 12 * * ? *)"})
    assert ran["status"] == "SUCCEEDED", ran
    told = json.loads(ran["output"])
    created, read, deleted = told["created"]["Output"], told["read"], told["deleted"]["Output"]
    assert read == {"state": "read", "status": "SUCCEEDED", "answer": created}
    assert (created["name"], created["status"], created["version"]) == ("by-task", "active", 1)
    assert created["next_run"] == "2030-01-01T11:00:00Z"  # noon in Paris
    assert deleted["status"] == "cancelled"
    assert told["again"]["Output"] is None
    assert "Stepsched.InvalidName" in json.dumps(told["statesError"])
    assert "by-task" not in {each.name for each in deployed.client.list()}


def test_a_job_of_the_app_is_made_and_comes_back(deployed: Deployed) -> None:
    """JobSchedule with a scheduler: a schedule hands the job to the register."""
    inbox = deployed.outputs["InboxUrl"].rpartition("/")[2]
    arn = f"arn:aws:sqs:{REGION}:{deployed.account}:{inbox}"
    for minutes in (16, 32):
        deployed.server.set_time(START + timedelta(hours=10, minutes=minutes))
        deployed.server.settled(deployed.account)
        record = deployed.client.get("known")
        assert record.job.schedule == ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
        assert (record.job.target, record.job.input) == (ss.QueueTarget(arn), {"n": None})
        assert record.job.overlap is ss.Overlap.ALLOW
        assert record.version == 1
        deployed.client.cancel("known")


def test_a_job_on_eventbridge_is_one_of_its_client(deployed: Deployed) -> None:
    keys = {"aws_access_key_id": deployed.account, "aws_secret_access_key": "test"}
    session = new_session(region_name=REGION, **keys)
    with ss.EventBridgeBackend(session=session, endpoint_url=deployed.server.endpoint_url) as backend:
        record = ss.SchedulerClient(backend).get("nightly")
    assert record.owned
    assert (record.status, record.job.input) == (ss.JobStatus.ACTIVE, {"n": None})
    assert isinstance(record.job.target, ss.QueueTarget)


def test_a_fan_out_sends_its_messages_when_its_schedule_fires(deployed: Deployed) -> None:
    schedules, sqs = deployed.aws("scheduler"), deployed.aws("sqs")
    target = schedules.get_schedule(Name="lab-send")["Target"]
    assert target["Arn"] == "arn:aws:scheduler:::aws-sdk:sqs:sendMessageBatch"
    url = deployed.outputs["QueueUrl"]
    sqs.purge_queue(QueueUrl=url)  # it fired when tests moved the clock
    deployed.server.set_time(deployed.server.now() + timedelta(minutes=11))
    got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [each["Body"] for each in got] == MESSAGES


def test_a_second_deployment_changes_nothing(deployed: Deployed) -> None:
    assert "(no changes)" in deployed.cli.run("deploy", "--app", "cdk.out", "--require-approval", "never")


def test_destroy_leaves_only_the_table(deployed: Deployed) -> None:
    """The last test."""
    tables = {deployed.outputs[f"{prefix}SchedulerTableName"] for prefix in ("", "Blue")}
    deployed.cli.run("destroy", "--app", "cdk.out", "--force")
    assert set(deployed.aws("dynamodb").list_tables()["TableNames"]) == tables
    assert deployed.states.list_state_machines()["stateMachines"] == []
    assert deployed.aws("scheduler").list_schedules()["Schedules"] == []
