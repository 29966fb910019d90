"""An account of the emulator with stacks of templates, in virtual time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import stepsched as ss
from stepsched.deploy import template
from stepsched.testing import FakeClock
from tests.contract.stepfunctions import Stack
from tests.parts.ministack import REGION, Ministack

CAPABILITIES = ["CAPABILITY_IAM"]


class Deployed(Stack):
    """An account with an inbox queue and a bucket for templates."""

    def __init__(self, server: Ministack, account: str, aws: Callable[[str], Any], clock: FakeClock) -> None:
        self.server, self.account, self.clock, self.aws = server, account, clock, aws
        self.dynamodb, self.states, self.sqs = aws("dynamodb"), aws("stepfunctions"), aws("sqs")
        self.cloudformation, self.cloudwatch = aws("cloudformation"), aws("cloudwatch")
        place = {"LocationConstraint": REGION}
        self.bucket = f"templates-{account}"  # the names of all accounts are distinct
        aws("s3").create_bucket(Bucket=self.bucket, CreateBucketConfiguration=place)
        self.inbox = self.queue("inbox")
        server.hold_waits(clock.now())

    def upload(self, document: dict[str, Any]) -> str:
        """Uploads a template, and returns its URL."""
        self.aws("s3").put_object(Bucket=self.bucket, Key="template.json", Body=json.dumps(document).encode())
        return f"{self.server.endpoint_url}/{self.bucket}/template.json"

    def create(self, name: str, document: dict[str, Any]) -> dict[str, str]:
        """Creates a stack, and returns its outputs."""
        self.cloudformation.create_stack(
            StackName=name, TemplateURL=self.upload(document), Capabilities=CAPABILITIES
        )
        return self.outputs(name, "CREATE_COMPLETE")

    def change(self, name: str, document: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Updates a stack by a change set, and returns the changes of resources by logical ID."""
        given = {"StackName": name, "ChangeSetName": "change"}
        self.cloudformation.create_change_set(
            **given, TemplateURL=self.upload(document), Capabilities=CAPABILITIES
        )
        found = self.cloudformation.describe_change_set(**given)["Changes"]
        self.cloudformation.execute_change_set(**given)
        self.outputs(name, "UPDATE_COMPLETE")
        return {each["ResourceChange"]["LogicalResourceId"]: each["ResourceChange"] for each in found}

    def outputs(self, name: str, status: str) -> dict[str, str]:
        (found,) = self.cloudformation.describe_stacks(StackName=name)["Stacks"]
        assert found["StackStatus"] == status, found.get("StackStatusReason")
        outputs = {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}
        self.machine_arn = next(outputs[key] for key in outputs if key.endswith("StateMachineArn"))
        return outputs

    def resources(self, name: str) -> dict[str, str]:
        """The physical IDs of the resources of a stack, by logical ID."""
        found = self.cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}

    def client(self, name: str, **options: Any) -> ss.SchedulerClient:
        return ss.SchedulerClient.from_stack(
            name,
            session=self.session(),
            endpoint_url=self.server.endpoint_url,
            clock=self.clock,
            workers=4,
            **options,
        )

    def calls_of(self) -> list[str]:
        """The names of the jobs that have sent to the inbox."""
        return [name for name, _ in self.calls()]

    def total(self, metric: str, machine: str) -> tuple[int, int]:
        """The sum of a metric of the machine, and how often it was written."""
        found = self.cloudwatch.get_metric_statistics(
            Namespace="stepsched",
            MetricName=metric,
            Dimensions=[{"Name": "StateMachine", "Value": machine}],
            StartTime=datetime(2020, 1, 1),
            EndTime=datetime(2040, 1, 1),
            Period=10 * 365 * 86_400,
            Statistics=["Sum", "SampleCount"],
        )["Datapoints"]
        return int(sum(each["Sum"] for each in found)), int(sum(each["SampleCount"] for each in found))

    def late(self, watch_arn: str) -> int:
        """Runs the watch once, and returns the number of late jobs that it counted."""
        started = self.states.start_execution(stateMachineArn=watch_arn)["executionArn"]
        self.server.settled(self.account)
        found = self.states.describe_execution(executionArn=started)
        assert found["status"] == "SUCCEEDED", found.get("cause")
        return int(json.loads(found["output"])["late"])


def made(targets: Iterable[ss.Target], *parts: ss.deploy.Part, **options: Any) -> dict[str, Any]:
    """A template with parts."""
    return template(targets, parts=parts, **options)
