"""An account of the emulator with a table of jobs and the runner, in virtual time."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import boto3

import stepsched as ss
from stepsched import asl
from stepsched.machines.shared import table_schema
from stepsched.machines.shared.runner import runner
from stepsched.testing import FakeClock
from tests.parts.ministack import REGION, Ministack
from tests.parts.state_machines import ROLE
from tests.rendered import runner_text
from tests.sessions import new_session

TABLE = "jobs"
UNLUCKY = """
import json
import os

import botocore.session


def handler(event, context):
    sqs = botocore.session.get_session().create_client(
        "sqs",
        region_name=os.environ["REGION"],
        endpoint_url=os.environ["ENDPOINT"],
        aws_access_key_id=os.environ["ACCOUNT"],
        aws_secret_access_key="test",
    )
    sqs.send_message(QueueUrl=os.environ["INBOX"], MessageBody=json.dumps(event))
    counts = sqs.get_queue_url(QueueName=os.environ["COUNTS"])["QueueUrl"]
    sqs.send_message(QueueUrl=counts, MessageBody="1")
    found = sqs.get_queue_attributes(QueueUrl=counts, AttributeNames=["ApproximateNumberOfMessages"])
    if int(found["Attributes"]["ApproximateNumberOfMessages"]) <= int(os.environ["TIMES"]):
        raise RuntimeError("no luck")
    return "third time lucky"
"""


class Stack:
    """The table, the runner and an inbox queue of an account."""

    def __init__(
        self,
        server: Ministack,
        account: str,
        aws: Callable[[str], Any],
        clock: FakeClock,
        **runner_options: Any,
    ) -> None:
        self.server, self.account, self.clock, self.aws = server, account, clock, aws
        self.dynamodb, self.states, self.sqs = aws("dynamodb"), aws("stepfunctions"), aws("sqs")
        self.dynamodb.create_table(**table_schema.creation(TABLE))
        self.machine_arn: str = self.states.create_state_machine(
            name="runner",
            definition=runner(TABLE, **runner_options).to_json() if runner_options else runner_text(TABLE),
            roleArn=ROLE,
        )["stateMachineArn"]
        self.inbox = self.queue("inbox")
        server.hold_waits(clock.now())

    def queue(self, name: str) -> ss.QueueTarget:
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return ss.QueueTarget(answer["Attributes"]["QueueArn"])

    def failing(self, times: int = 1_000) -> ss.LambdaTarget:
        """A function that sends its input to the inbox, and fails the given number of times."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("code.py", "")
            archive.writestr("unlucky.py", UNLUCKY)
        variables = {
            "REGION": REGION,
            "ENDPOINT": self.server.endpoint_url,
            "ACCOUNT": self.account,
            "INBOX": self.sqs.get_queue_url(QueueName="inbox")["QueueUrl"],
            "TIMES": str(times),
            "COUNTS": f"counts-{times}",
        }
        self.sqs.create_queue(QueueName=variables["COUNTS"])
        answer = self.aws("lambda").create_function(
            FunctionName=f"unlucky-{times}",
            Runtime="python3.12",
            Role=ROLE,
            Handler="unlucky.handler",
            Code={"ZipFile": packed.getvalue()},
            Timeout=10,
            Environment={"Variables": variables},
        )
        return ss.LambdaTarget(answer["FunctionArn"])

    def slow(self, length: timedelta, name: str = "slow") -> ss.StateMachineTarget:
        """A state machine that sends its input to the inbox, and then waits."""
        url = self.sqs.get_queue_url(QueueName="inbox")["QueueUrl"]
        tell = asl.Task(
            resource=asl.integration("sqs", "sendMessage"),
            arguments={"QueueUrl": url, "MessageBody": "{% $states.input %}"},
            next="Work",
        )
        states = {"Tell": tell, "Work": asl.Wait(seconds=int(length.total_seconds()), end=True)}
        machine = asl.StateMachine(query_language="JSONata", states=states)
        made = self.states.create_state_machine(name=name, definition=machine.to_json(), roleArn=ROLE)
        return ss.StateMachineTarget(made["stateMachineArn"])

    def session(self) -> boto3.Session:
        return new_session(aws_access_key_id=self.account, aws_secret_access_key="test", region_name=REGION)

    def backend(self, **options: Any) -> ss.StepFunctionsBackend:
        given: dict[str, Any] = {"clock": self.clock, "workers": 4, "session": self.session()} | options
        return ss.StepFunctionsBackend(
            state_machine_arn=self.machine_arn,
            table_name=TABLE,
            endpoint_url=self.server.endpoint_url,
            **given,
        )

    def play(self, until: datetime, arrived: Callable[[datetime], object] = lambda _: None) -> int:
        """Moves the clocks of the emulator and the backend from one due instant to the next.

        Args:
            until: The last instant, inclusive.
            arrived: Called at each instant, when the executions wait again.
        """
        moves = 0
        while True:
            wake = self.server.next_wake(self.account)
            arrived(self.clock.now())
            if wake is None or wake > until:
                break
            moves += 1
            self.move(max(wake, self.clock.now()))
        self.move(until)
        self.server.settled(self.account)
        arrived(until)
        return moves

    def move(self, instant: datetime) -> None:
        self.server.move_time(instant)
        self.clock.move_to(instant)

    def messages(self, name: str = "inbox") -> list[str]:
        """Receives and deletes the messages of a queue."""
        url = self.sqs.get_queue_url(QueueName=name)["QueueUrl"]
        bodies = list[str]()
        while found := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [each["Body"] for each in found]
            entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(found)]
            self.sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        return bodies

    def executions(self, status: str = "RUNNING") -> list[str]:
        """The names of the executions of the runner with a status, oldest first."""
        names = list[str]()
        asked = {"stateMachineArn": self.machine_arn, "statusFilter": status}
        while True:
            page = self.states.list_executions(**asked)
            names += [each["name"] for each in page["executions"]]
            if not page.get("nextToken"):
                return names[::-1]
            asked["nextToken"] = page["nextToken"]

    def item(self, name: str, version: str = "v0") -> dict[str, Any] | None:
        key = {"name": {"S": name}, "version": {"S": version}}
        item: dict[str, Any] | None = self.dynamodb.get_item(TableName=TABLE, Key=key).get("Item")
        return item

    def calls(self) -> list[tuple[str, Any]]:
        """The calls that have reached the inbox: the name of the job and the rest of its input."""
        return [(each["job"], each) for each in map(json.loads, self.messages())]
