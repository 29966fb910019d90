"""An account of the emulator with a table, the runner, the machine of workflows, and AWS Batch."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any

import stepsched as ss
from stepsched.core.payloads import to_json
from stepsched.machines.shared import table_schema as schema
from stepsched.workflows.machine import graph_of, step_instructions, workflow_machine
from stepsched.workflows.machine.names import definition_name
from tests.parts.batch_cloud import BatchCloud
from tests.parts.state_machines import ROLE
from tests.rendered import runner_text

TABLE = "jobs"
PATIENCE = 60


class Flows:
    """Writes definitions as a client does, starts the driver and reads the rows."""

    def __init__(self, cloud: BatchCloud, account: str, aws: Callable[[str], Any]) -> None:
        self.cloud, self.account, self.aws = cloud, account, aws
        self.dynamodb, self.states, self.sqs, self.sns = map(aws, ("dynamodb", "stepfunctions", "sqs", "sns"))
        self.dynamodb.create_table(**schema.creation(TABLE))
        self.runner_arn = self._machine("runner", runner_text(TABLE))
        self.driver_arn = self._machine(
            "workflows", workflow_machine(TABLE, runner_arn=self.runner_arn).to_json()
        )
        self.place = cloud.batch.make_place(account)
        cloud.ministack.scale_waits(0.002)  # a minute is 0.12 s

    def _machine(self, name: str, definition: str) -> str:
        made = self.states.create_state_machine(name=name, definition=definition, roleArn=ROLE)
        arn: str = made["stateMachineArn"]
        return arn

    def queue(self, name: str) -> ss.QueueTarget:
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return ss.QueueTarget(found["Attributes"]["QueueArn"])

    def topic(self, name: str) -> ss.TopicTarget:
        """A topic whose messages go to a queue of the same name."""
        arn = self.sns.create_topic(Name=name)["TopicArn"]
        self.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=self.queue(name).queue_arn)
        return ss.TopicTarget(arn)

    def function(self, name: str) -> ss.LambdaTarget:
        """A function that returns ``{"got": <its input>}``."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("code.py", "")
            archive.writestr("echo.py", "def handler(event, context):\n    return {'got': event}\n")
        answer = self.aws("lambda").create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=ROLE,
            Handler="echo.handler",
            Code={"ZipFile": packed.getvalue()},
            Timeout=PATIENCE,
        )
        return ss.LambdaTarget(answer["FunctionArn"])

    def received(self, name: str) -> list[str]:
        """Receives and deletes the messages of a queue."""
        url, bodies = self.sqs.get_queue_url(QueueName=name)["QueueUrl"], list[str]()
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(message["Body"])
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def job(self, command: list[str] | None = None, **environment: str) -> ss.BatchTarget:
        overrides: dict[str, Any] = {
            "environment": [{"name": key, "value": value} for key, value in environment.items()]
        }
        more = overrides | ({} if command is None else {"command": command})
        return ss.BatchTarget(self.place.definition, job_queue=self.place.queue, container_overrides=more)

    def put(self, workflow: ss.Workflow, number: int = 1) -> str:
        """Writes the rows of a definition, and returns its digest."""
        digest = sha256(workflow.canonical().encode()).hexdigest()[:16]
        name = f"{schema.WORKFLOW_ROWS}{workflow.name}"
        for step in workflow.steps:
            self.put_row(
                definition_name(workflow.name, digest),
                f"{schema.STEP}{step.name}",
                {schema.PLAN: to_json(step_instructions(workflow, step))},
            )
        head: dict[str, str | int] = {schema.LATEST: number, schema.DIGEST: digest}
        self.put_row(name, f"definition#{number:06d}", {**head, schema.GRAPH: graph_of(workflow)})
        self.put_row(name, schema.DEFINITION, head)
        return digest

    def put_row(self, name: str, version: str, values: Mapping[str, str | int]) -> None:
        item = {"name": name, "version": version, **values}
        self.dynamodb.put_item(TableName=TABLE, Item={key: _attribute(value) for key, value in item.items()})

    def begin(self, message: Mapping[str, Any], **more: Any) -> str:
        started = self.states.start_execution(
            stateMachineArn=self.driver_arn, input=json.dumps(message), **more
        )
        arn: str = started["executionArn"]
        return arn

    def end_of(self, arn: str) -> dict[str, Any]:
        """The execution when it has ended, with its output as a value."""
        waits = threading.Event()
        for _ in range(PATIENCE * 50):
            found: dict[str, Any] = self.states.describe_execution(executionArn=arn)
            if found["status"] != "RUNNING":
                output = found.get("output")
                return {**found, "output": None if output is None else json.loads(output)}
            waits.wait(0.02)
        raise AssertionError(f"the execution has not ended; it was in {self.entered(arn)[-12:]}")

    def run(self, message: Mapping[str, Any] | str) -> dict[str, Any]:
        return self.end_of(self.begin({"workflow": message} if isinstance(message, str) else message))

    def entered(self, arn: str) -> list[str]:
        """The states that an execution has entered."""
        found = list[str]()
        for page in self.states.get_paginator("get_execution_history").paginate(executionArn=arn):
            details = [event.get("stateEnteredEventDetails") for event in page["events"]]
            found += [each["name"] for each in details if each is not None]
        return found

    def events(self, arn: str) -> int:
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=arn)
        return sum(len(page["events"]) for page in pages)

    def rows(self, name: str) -> list[dict[str, Any]]:
        found = self.dynamodb.query(
            TableName=TABLE,
            KeyConditionExpression="#name = :name",
            ExpressionAttributeNames={"#name": "name"},
            ExpressionAttributeValues={":name": {"S": name}},
        )["Items"]
        return [{key: next(iter(value.values())) for key, value in item.items()} for item in found]

    def steps(self, workflow: str, run: str) -> dict[str, dict[str, Any]]:
        """The rows of the steps of a run by name."""
        rows = self.rows(f"{schema.WORKFLOW_ROWS}{workflow}#{run}")
        return {row["version"].removeprefix(schema.STEP): row for row in rows}

    def states_of(self, workflow: str, run: str) -> dict[str, str]:
        return {name: row["state"] for name, row in self.steps(workflow, run).items()}

    def change_row(self, workflow: str, run: str, step: str, **values: str) -> None:
        """Changes the row of a step as an operator does."""
        (row,) = (
            row
            for row in self.rows(f"{schema.WORKFLOW_ROWS}{workflow}#{run}")
            if row["version"] == f"step#{step}"
        )
        self.dynamodb.update_item(
            TableName=TABLE,
            Key={key: {"S": row[key]} for key in ("name", "version")},
            UpdateExpression="SET " + ", ".join(f"#{key} = :{key}" for key in values),
            ExpressionAttributeNames={f"#{key}": key for key in values},
            ExpressionAttributeValues={f":{key}": {"S": value} for key, value in values.items()},
        )

    def change_run(self, workflow: str, run: str, **values: str | int) -> None:
        """Changes the row of a run as an operator does."""
        self.dynamodb.update_item(
            TableName=TABLE,
            Key={"name": {"S": f"workflow#{workflow}"}, "version": {"S": f"flow#{run}"}},
            UpdateExpression="SET " + ", ".join(f"#{key} = :{key}" for key in values),
            ExpressionAttributeNames={f"#{key}": key for key in values},
            ExpressionAttributeValues={f":{key}": _attribute(value) for key, value in values.items()},
        )

    def put_run(self, workflow: str, run: str) -> None:
        """Writes the row of a run that nobody drives, of the first definition."""
        (head,) = (row for row in self.rows(f"workflow#{workflow}") if row["version"] == schema.DEFINITION)
        values: dict[str, str | int] = {
            schema.STATE: "running",
            schema.DIGEST: head["digest"],
            schema.LATEST: 1,
            schema.STARTED_AT: "2030-01-01T00:00:00.000Z",
            schema.REVISION: 0,
            schema.RESTARTS: 0,
            schema.INPUT: "{}",
        }
        self.put_row(f"workflow#{workflow}", f"flow#{run}", values)

    def waiting_machine(self) -> ss.StateMachineTarget:
        """A state machine whose executions do not end by themselves in a test."""
        waiting = ss.asl.StateMachine(
            query_language="JSONata", states={"Work": ss.asl.Wait(seconds=90_000_000, end=True)}
        )
        return ss.StateMachineTarget(self._machine("waiting", waiting.to_json()))

    def until_ended(self, workflow: str, run: str) -> None:
        waits = threading.Event()
        for _ in range(PATIENCE * 50):
            if self.flow(workflow, run)["state"] != "running":
                return
            waits.wait(0.02)
        raise AssertionError(f"the run has not ended: {self.states_of(workflow, run)}")

    def stop_at(self, arn: str, state: str) -> None:
        """Stops an execution as soon as it has entered a state, if it does before it ends."""
        while self.states.describe_execution(executionArn=arn)["status"] == "RUNNING":
            if state in self.entered(arn):
                with suppress(self.states.exceptions.ValidationException):  # it has just ended
                    self.states.stop_execution(executionArn=arn)
                return

    def until_entered(self, arn: str, state: str) -> None:
        waits = threading.Event()
        for _ in range(PATIENCE * 50):
            if state in self.entered(arn):
                return
            waits.wait(0.02)
        raise AssertionError(f"the execution has not entered {state}")

    def flow(self, workflow: str, run: str) -> dict[str, Any]:
        """The row of a run."""
        rows = self.rows(f"{schema.WORKFLOW_ROWS}{workflow}")
        return next(row for row in rows if row["version"] == f"{schema.FLOW}{run}")


def _attribute(value: str | int) -> dict[str, str]:
    return {"S": value} if isinstance(value, str) else {"N": str(value)}
