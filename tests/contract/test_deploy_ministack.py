"""The stack, made by the CloudFormation of an emulator, and jobs that run in it.

The emulator (1.5.33) takes no notice of a table's time to live and recovery, nor of what a role may do; for
those the template speaks in tests/unit/test_deploy.py.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.stepfunctions.instructions import instructions_of
from stepsched.deploy import template
from stepsched.machines.shared import table_schema
from stepsched.machines.shared.runner import CALLS, runner
from tests.contract.test_rendered_machines import Account, due, written

START = datetime(2030, 1, 1, tzinfo=timezone.utc)


class Stack(Account):
    """An account with a stack whose jobs may send to a queue and start a machine."""

    def __init__(self, aws: Callable[[str], Any]) -> None:
        super().__init__(aws)
        self.cloudformation, self.table, self.iam = aws("cloudformation"), aws("dynamodb"), aws("iam")
        self.targets: list[ss.Target] = [
            self.queue(),
            ss.StateMachineTarget(f"arn:aws:states:eu-west-1:{self.number}:stateMachine:close"),
        ]
        self.put(template(self.targets), self.cloudformation.create_stack)

    def put(self, made: dict[str, Any], verb: Callable[..., Any]) -> None:
        verb(StackName="jobs", TemplateBody=json.dumps(made), Capabilities=["CAPABILITY_IAM"])
        (found,) = self.cloudformation.describe_stacks(StackName="jobs")["Stacks"]
        assert found["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        self.outputs = {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}
        self.table_name, self.machine = self.outputs["TableName"], self.outputs["StateMachineArn"]

    @property
    def definition(self) -> dict[str, Any]:
        found = self.states.describe_state_machine(stateMachineArn=self.machine)
        return dict(json.loads(found["definition"]))

    @property
    def policy(self) -> dict[str, set[str]]:
        """What the role of the machine may do, and on what."""
        found = self.states.describe_state_machine(stateMachineArn=self.machine)
        name = found["roleArn"].rpartition("/")[2]
        document = self.iam.get_role_policy(RoleName=name, PolicyName="stepsched")["PolicyDocument"]
        return {entry["Action"][0]: set(entry["Resource"]) for entry in document["Statement"]}

    def run(self, job: ss.Job) -> None:
        """Writes the job's row, and waits until all its executions have ended."""
        instructions = instructions_of(
            job, anchor=START, version=1, retention=timedelta(days=30), calls=CALLS
        )
        item = {
            "name": {"S": job.name},
            "version": {"S": "v0"},
            "latest": {"N": "1"},
            "status": {"S": "active"},
            "due": {"S": written(START)},
            "token": {"S": "1"},
            "cursor": {"S": written(START)},
            "plan": {"S": json.dumps(instructions)},
        }
        self.table.put_item(TableName=self.table_name, Item=item)
        given = json.dumps({"name": job.name, "token": "1"})
        self.states.start_execution(stateMachineArn=self.machine, name=f"{job.name}-1", input=given)
        asked = {"stateMachineArn": self.machine, "statusFilter": "RUNNING"}
        for _ in range(1_000):
            if not self.states.list_executions(**asked)["executions"]:
                return
            threading.Event().wait(0.02)
        raise AssertionError("still running")


@pytest.fixture
def stack(aws: Callable[[str], Any]) -> Iterator[Stack]:
    made = Stack(aws)
    yield made
    made.cloudformation.delete_stack(StackName="jobs")


def test_the_table_has_the_shape_that_the_api_would_give_it(stack: Stack) -> None:
    asked = table_schema.creation("by-hand")
    stack.table.create_table(**asked)
    stack.table.update_time_to_live(TableName="by-hand", TimeToLiveSpecification=table_schema.time_to_live())
    told = stack.table.describe_time_to_live(TableName="by-hand")["TimeToLiveDescription"]
    assert (told["AttributeName"], told["TimeToLiveStatus"]) == ("expires_at", "ENABLED")
    made, by_hand = (
        stack.table.describe_table(TableName=name)["Table"] for name in (stack.table_name, "by-hand")
    )
    for table in (made, by_hand):
        assert table["KeySchema"] == asked["KeySchema"]
        assert table["AttributeDefinitions"] == asked["AttributeDefinitions"]
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        (index,) = table["GlobalSecondaryIndexes"]
        assert asked["GlobalSecondaryIndexes"] == [
            {key: index[key] for key in ("IndexName", "KeySchema", "Projection")}
        ]


def test_the_machine_runs_the_jobs_of_the_stack_s_table(stack: Stack) -> None:
    assert stack.machine == f"arn:aws:states:eu-west-1:{stack.number}:stateMachine:jobs"
    whole = runner(stack.table_name).to_dict()
    definition = stack.definition
    assert (
        definition["States"].items()
        >= {
            name: whole["States"][name] for name in ("Load", "Fence", "Record", "Renew", "sqs:sendMessage")
        }.items()
    )
    assert "${" not in json.dumps(definition)
    assert {rule["Next"] for rule in definition["States"]["Route"]["Choices"]} == {
        "sqs:sendMessage",
        "states:startExecution",
        "states:startExecution.sync:2",
    }


def test_its_role_names_what_is_there(stack: Stack) -> None:
    table = f"arn:aws:dynamodb:eu-west-1:{stack.number}:table/{stack.table_name}"
    rule = "StepFunctionsGetEventsForStepFunctionsExecutionRule"
    rules = {f"arn:aws:events:eu-west-1:{stack.number}:rule/{rule}"}
    other = f"arn:aws:states:eu-west-1:{stack.number}:stateMachine:close"
    executions = {other.replace(":stateMachine:", ":execution:") + ":*"}
    assert stack.policy == {
        "dynamodb:DeleteItem": {table},
        "dynamodb:GetItem": {table},
        "dynamodb:UpdateItem": {table},
        "events:DescribeRule": rules,
        "events:PutRule": rules,
        "events:PutTargets": rules,
        "sqs:SendMessage": {f"arn:aws:sqs:eu-west-1:{stack.number}:due"},
        "states:DescribeExecution": executions,
        "states:StartExecution": {stack.machine, other},
        "states:StopExecution": executions,
    }
    role = stack.states.describe_state_machine(stateMachineArn=stack.machine)["roleArn"].rpartition("/")[2]
    (trust,) = stack.iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": stack.number}
    assert trust["Condition"]["ArnLike"] == {"aws:SourceArn": stack.machine}


def test_a_job_runs_in_the_stack(stack: Stack) -> None:
    schedule = ss.Cron("0 6 * * ? *", end=START + timedelta(days=3))
    job = ss.Job(name="job", schedule=schedule, target=stack.queue(), input=ss.context.SCHEDULED_TIME)
    stack.run(job)
    assert stack.messages() == due(schedule, START)


def test_another_target_changes_the_stack_in_place(stack: Stack) -> None:
    before = dict(stack.outputs)
    stack.table.put_item(
        TableName=stack.table_name, Item={"name": {"S": "job"}, "version": {"S": "v0"}, "latest": {"N": "1"}}
    )
    topic = f"arn:aws:sns:eu-west-1:{stack.number}:news"
    stack.put(template([*stack.targets, ss.TopicTarget(topic)]), stack.cloudformation.update_stack)
    assert stack.outputs == before
    assert stack.policy["sns:Publish"] == {topic}
    assert "sns:publish" in stack.definition["States"]
    assert stack.table.scan(TableName=stack.table_name)["Count"] == 1


def test_the_table_outlives_the_stack(stack: Stack) -> None:
    stack.table.put_item(TableName=stack.table_name, Item={"name": {"S": "job"}, "version": {"S": "v0"}})
    stack.cloudformation.delete_stack(StackName="jobs")
    assert stack.table.scan(TableName=stack.table_name)["Count"] == 1
    assert stack.states.list_state_machines()["stateMachines"] == []
    assert stack.iam.list_roles()["Roles"] == []
