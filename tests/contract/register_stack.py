"""An account of the emulator with *register*, beside one in which the client in Python does the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import stepsched as ss
from stepsched.machines.shared.register import register
from stepsched.machines.shared.registration import registration
from stepsched.testing import FakeClock
from tests.contract.stepfunctions import TABLE, Stack
from tests.parts.ministack import Ministack
from tests.parts.state_machines import ROLE


class RefusedError(Exception):
    """A call of register has failed; with the error and the cause of its execution."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


class RegisterStack(Stack):
    """A stack with the machine register."""

    def __init__(
        self, server: Ministack, account: str, aws: Callable[[str], Any], clock: FakeClock, **options: Any
    ) -> None:
        super().__init__(server, account, aws, clock)
        definition = register(TABLE, self.machine_arn, **options).to_json()
        self.register_arn: str = self.states.create_state_machine(
            name="register", definition=definition, roleArn=ROLE
        )["stateMachineArn"]

    def begin(self, **call: Any) -> str:
        """Starts a call, and returns the ARN of its execution."""
        arn: str = self.states.start_execution(stateMachineArn=self.register_arn, input=json.dumps(call))[
            "executionArn"
        ]
        return arn

    def result(self, arn: str) -> Any:
        """The answer of a call that has ended.

        Raises:
            RefusedError: It has failed.
        """
        found = self.states.describe_execution(executionArn=arn)
        assert found["status"] != "RUNNING", arn
        if found["status"] != "SUCCEEDED":
            words = json.loads(found["output"]) if found.get("output") else {}
            raise RefusedError(
                found.get("error") or words.get("Error", ""), found.get("cause") or words.get("Cause", "")
            )
        return json.loads(found["output"])

    def call(self, **call: Any) -> Any:
        """Makes a call, and returns its answer."""
        arn = self.begin(**call)
        self.server.settled(self.account)
        return self.result(arn)

    def put(self, job: ss.Job, **call: Any) -> Any:
        """Registers a job as it is, with its name, its schedule and its input."""
        given = json.loads(job.model_dump_json())
        schedule = job.schedule
        text = getattr(schedule, "expression", None)
        if isinstance(schedule, ss.OneTime):
            text = f"at({schedule.at:%Y-%m-%dT%H:%M:%S})"
        known = {
            "name": job.name,
            "schedule": text if isinstance(text, str) else given["schedule"],
            "registration": registration(job),
            "timezone": getattr(schedule, "timezone", None),
        }
        return self.call(**known, **call)

    def rows(self, name: str) -> dict[str, Any]:
        """The rows of a job by sort key, in a form in which those of two accounts are equal: without what
        differs by chance."""
        query = {":name": {"S": name}}
        found = self.dynamodb.query(
            TableName=TABLE,
            KeyConditionExpression="#n = :name",
            ExpressionAttributeNames={"#n": "name"},
            ExpressionAttributeValues=query,
        )["Items"]
        return {item["version"]["S"]: self._normal(item) for item in found}

    def _normal(self, item: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(item).replace(self.account, "<account>")
        normal: dict[str, Any] = json.loads(text)
        normal.pop("output", None)  # it holds the ID of a message
        for attribute in ("token", "execution", "claimed_by"):
            if attribute in normal:
                normal[attribute] = re.sub(r"[0-9a-f]{12}", "<token>", normal[attribute]["S"])
        for attribute in ("job", "plan"):
            if attribute in normal:
                normal[attribute] = json.loads(normal[attribute]["S"])
        return normal


class Pair:
    """Two accounts, in which register and the client in Python do the same."""

    def __init__(
        self, server: Ministack, aws_of: Callable[[str], Callable[[str], Any]], now: datetime
    ) -> None:
        self.server = server
        accounts = [server.new_account() for _ in range(2)]
        self.ours, self.python = (
            RegisterStack(server, account, aws_of(account), FakeClock(now)) for account in accounts
        )
        self.backends = [stack.backend() for stack in (self.ours, self.python)]
        self.our_client, self.client = map(ss.SchedulerClient, self.backends)

    def both(self, verb: Callable[[ss.SchedulerClient], object]) -> None:
        """Calls a verb of the clients of both accounts."""
        for client in (self.our_client, self.client):
            verb(client)

    def apply(self, job: ss.Job) -> None:
        self.client.apply([job])

    def put(self, job: ss.Job, **call: Any) -> None:
        self.apply(job)
        self.ours.put(job, **call)

    def compare(self, name: str) -> None:
        """The rows of a job are equal in both accounts."""
        self.settle()
        ours, python = self.ours.rows(name), self.python.rows(name)
        different = [
            (key, attribute, one.get(attribute), other.get(attribute))
            for key in sorted(ours.keys() | python.keys())
            for one, other in [(ours.get(key, {}), python.get(key, {}))]
            for attribute in sorted(one.keys() | other.keys())
            if one.get(attribute) != other.get(attribute)
        ]
        assert different == [], (name, different)

    def move(self, instant: datetime) -> None:
        self.server.move_time(instant)
        self.ours.clock.move_to(instant)
        self.python.clock.move_to(instant)
        self.settle()

    def settle(self) -> None:
        for stack in (self.ours, self.python):
            self.server.settled(stack.account)

    def close(self) -> None:
        for backend in self.backends:
            backend.close()
