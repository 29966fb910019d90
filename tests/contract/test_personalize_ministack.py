"""``import-dataset-group`` for a stack of stepsched, and the calls that its state machine makes.

The emulator has no Personalize. What its state machine would ask of it is sent to a queue, and then given to
the fake.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.cli.solutions.app import run
from stepsched.core.clock import utc_now
from tests.parts.ministack import REGION, Ministack
from tests.parts.personalize import FakePersonalize
from tests.sessions import new_session
from tests.unit.cli.conftest import Done
from tests.unit.cli.solutions_personalize import api_names, shop

WEEKLY, NIGHTLY = "cron(0 3 ? * 1 *)", "cron(0 3 * * ? *)"
FULL = "solution-maintenance-full-ranking"
GROUP = ("-d", "shop", "-p", "train/shop.json")
GIVEN = ("import-dataset-group", *GROUP, "-i", NIGHTLY)
PERMISSIONS = {
    f"personalize:{action}": [f"arn:aws:personalize:{REGION}:123456789012:{kind}/*"]
    for action, kind in (
        ("createDatasetImportJob", "dataset-import-job"),
        ("createSolutionVersion", "solution"),
    )
}


class Account:
    """An account with a stack of stepsched, and a dataset group ``shop``."""

    def __init__(self, server: Ministack, number: str, aws: Callable[[str], Any], capsys: Any) -> None:
        self.server, self.number, self.capsys = server, number, capsys
        self.cloudformation, self.states, self.sqs, self.dynamodb = map(
            aws, ("cloudformation", "stepfunctions", "sqs", "dynamodb")
        )
        self.session = new_session(aws_access_key_id=number, aws_secret_access_key="test", region_name=REGION)
        self.fake = FakePersonalize()
        self.fake.attach(self.session)
        self.made = shop(self.fake)
        server.hold_waits(utc_now())

    def make(self, targets: list[ss.Target], **options: Any) -> None:
        self.put("create_stack", targets, **options)

    def put(self, verb: str, targets: list[ss.Target], **options: Any) -> None:
        """Makes or updates the stack for targets."""
        body = json.dumps(ss.deploy.template(targets, **options))
        getattr(self.cloudformation, verb)(
            StackName="jobs", TemplateBody=body, Capabilities=["CAPABILITY_IAM"]
        )

    def put_task(self, name: str, schedule: str) -> None:
        """Writes a task as the AWS Solutions scheduler does."""
        (found,) = self.cloudformation.describe_stacks(StackName="jobs")["Stacks"]
        outputs = {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}
        item = {
            "name": {"S": name},
            "version": {"S": "v0"},
            "latest": {"N": "1"},
            "schedule": {"S": schedule},
            "state_machine_arn": {"S": outputs["StateMachineArn"]},
            "state_machine_input": {"M": {}},
        }
        self.dynamodb.put_item(TableName=outputs["TableName"], Item=item)

    def call(self, *arguments: str) -> Done:
        self.capsys.readouterr()
        code = run(["-s", "jobs", "-r", REGION, *arguments], session=self.session)
        self.server.settled(self.number)
        out, err = self.capsys.readouterr()
        return Done(code, out, err)

    def client(self) -> ss.SchedulerClient:
        return ss.SchedulerClient.from_stack(
            "jobs", session=self.session, endpoint_url=self.server.endpoint_url
        )

    def divert_calls(self) -> None:
        """Lets the state machine send what it asks of Personalize to a queue."""
        url = self.sqs.create_queue(QueueName="asked")["QueueUrl"]
        (machine,) = self.states.list_state_machines()["stateMachines"]
        arn = machine["stateMachineArn"]
        definition = json.loads(self.states.describe_state_machine(stateMachineArn=arn)["definition"])
        for name, state in definition["States"].items():
            if name.startswith("aws-sdk:personalize:"):
                body = {"action": name.rpartition(":")[2], "parameters": state["Arguments"]}
                state["Resource"] = "arn:aws:states:::sqs:sendMessage"
                state["Arguments"] = {"QueueUrl": url, "MessageBody": body}
        self.states.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))

    def asked(self) -> list[tuple[str, Any]]:
        """What the state machine has asked of Personalize: the action and the parameters."""
        url = self.sqs.get_queue_url(QueueName="asked")["QueueUrl"]
        messages = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        bodies = [json.loads(each["Body"]) for each in messages]
        return [(body["action"], body["parameters"]) for body in bodies]


@pytest.fixture
def stack(
    ministack: Ministack,
    account: str,
    aws: Callable[[str], Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Account:
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack.endpoint_url)
    return Account(ministack, account, aws, capsys)


def test_a_stack_that_cannot_call_personalize_says_what_it_needs(stack: Account, tmp_path: Path) -> None:
    stack.make([ss.QueueTarget(f"arn:aws:sqs:{REGION}:{stack.number}:q")])
    done = stack.call(*GIVEN)
    assert (done.code, done.out) == (1, "")
    assert "cannot call aws-sdk:personalize:createDatasetImportJob" in done.err
    assert "--dry-run" in done.err
    assert stack.call("list").document == {"tasks": []}
    needed = json.loads(re.search(r"resources=(\{.*\})", done.err).group(1))  # type: ignore[union-attr]

    path = tmp_path / "jobs.json"
    path.write_text(stack.call(*GIVEN, "--dry-run").out, encoding="utf-8")
    stack.put("update_stack", [job.target for job in ss.load_jobs(path)], resources=needed)
    done = stack.call(*GIVEN)
    assert (done.code, done.document["created"]) == (
        0,
        ["personalize-dataset-import-shop", "personalize-dataset-import-shop.users"],
    )


def test_the_jobs_are_tasks_whose_calls_personalize_takes(stack: Account) -> None:
    role = "arn:aws:iam::123456789012:role/personalize"
    source: dict[str, Any] = {
        "JobName": "j",
        "DatasetArn": "d",
        "DataSource": {"DataLocation": "s3://b"},
        "RoleArn": role,
    }
    training = ss.ApiTarget("personalize", "createSolutionVersion", {"SolutionArn": "s"})
    stack.make(
        [training, ss.ApiTarget("personalize", "createDatasetImportJob", source)], resources=PERMISSIONS
    )
    stack.divert_calls()
    done = stack.call(*GIVEN, "-f", f"ranking@{WEEKLY}")
    assert done.code == 0, done.err
    names = ["personalize-dataset-import-shop", "personalize-dataset-import-shop.users", FULL]
    assert done.document["created"] == names
    assert stack.call("list").document == {"tasks": names}
    task = stack.call("describe", "-t", FULL).document["task"]
    assert (task["active"], task["schedule"], task["version"]) == (True, WEEKLY, "v1")

    with stack.client() as client:
        for name in (*names, names[1]):
            client.run_now(name)
        stack.server.settled(stack.number)
        assert {run.status.value for run in client.runs()} == {"succeeded"}
    asked = stack.asked()
    assert sorted(action for action, _ in asked) == ["createDatasetImportJob"] * 3 + ["createSolutionVersion"]
    personalize = stack.fake.client()
    stack.fake.calls.clear()
    for action, parameters in asked:
        method = re.sub("([A-Z])", r"_\1", action).lower()
        getattr(personalize, method)(**api_names(parameters))
        stack.fake.advance()
    imports = stack.fake.requests("CreateDatasetImportJob")
    assert len({each["jobName"] for each in imports}) == 3
    assert {each["datasetArn"] for each in imports} == {stack.made["interactions"], stack.made["users"]}
    assert {each["trainingMode"] for each in stack.fake.requests("CreateSolutionVersion")} == {"FULL"}


def test_a_task_of_the_original_becomes_the_job_of_its_name(stack: Account) -> None:
    request = {"SolutionArn": stack.made["ranking"], "TrainingMode": "FULL"}
    training = ss.ApiTarget("personalize", "createSolutionVersion", request)
    stack.make([training], resources={"personalize:createSolutionVersion": [stack.made["ranking"]]})
    stack.put_task(FULL, NIGHTLY)
    done = stack.call("import-dataset-group", *GROUP, "-f", f"ranking@{WEEKLY}")
    assert (done.code, done.document["updated"]) == (0, [FULL]), done.err
    with stack.client() as client:
        job = client.get(FULL).job
    assert done.err == f"{FULL} stays paused; `activate -t {FULL}` resumes it\n"
    assert job.schedule == ss.Cron(WEEKLY)
    assert job.target == training
