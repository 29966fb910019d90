"""An account as users of the AWS Batch scheduler have it: its tables, its start messages and its topic."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeSerializer

import stepsched as ss
from stepsched.core.clock import SystemClock
from stepsched.workflows import WorkflowRun
from stepsched.workflows.histories import run_to_document
from tests.contract.workflow_runs import PATIENCE, TABLE, Flows
from tests.parts.ministack import REGION
from tests.sessions import new_session

DATA = Path(__file__).parent.parent / "data" / "workflows"
SCHEDULES, HISTORY, TOPIC = "BatchSchedules", "BatchScheduleHistory", "told"
CLEAN = {"startDateTime": " ", "scheduleStatus": " "}
PENDING = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")


class Known:
    """The tables of the scheduler beside the machines of stepsched, and a queue that hears its topic."""

    def __init__(self, flows: Flows) -> None:
        self.flows = flows
        self.batch, self.account = flows.cloud.batch, flows.account
        self.topic_arn = flows.topic(TOPIC).topic_arn
        for table, keys in ((SCHEDULES, ("scheduleId",)), (HISTORY, ("scheduleId", "startDateTime"))):
            self.flows.dynamodb.create_table(
                TableName=table,
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind}
                    for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
                ProvisionedThroughput={"ReadCapacityUnits": 10, "WriteCapacityUnits": 10},
            )
        self.backend, self.client = client_of(flows)

    # -- its documents ----------------------------------------------------------------------------------

    def document(self, name: str, commands: Mapping[str, list[str]] | None = None) -> dict[str, Any]:
        """A document without its wrapper, with the queue, the definition and the topic of this account.

        Args:
            name: The name of its file.
            commands: What the containers of some jobs run, as ``containerOverrides``.
        """
        text = (DATA / f"{name}.json").read_text()
        for pattern, arn in (
            (r"arn:aws:batch:[^\"]+:job-queue/[^\"]+", self.flows.place.queue),
            (r"arn:aws:batch:[^\"]+:job-definition/[^\"]+", self.flows.place.definition),
            (r"arn:aws:sns:[^\"]+", self.topic_arn),
        ):
            text = re.sub(pattern, arn, text)
        document: dict[str, Any] = json.loads(text)
        document = document.get("output", document)
        for job, command in (commands or {}).items():
            job_of(document, job)["containerOverrides"] = {"command": command}
        return document

    def put_definition(self, document: Mapping[str, Any]) -> None:
        """Stores a definition as its users do: by hand, in the table."""
        self._put(SCHEDULES, document)

    def put_record(self, document: Mapping[str, Any]) -> None:
        """Stores the record of a run, or changes it."""
        self._put(HISTORY, document)

    def _put(self, table: str, document: Mapping[str, Any]) -> None:
        item = {key: TypeSerializer().serialize(value) for key, value in document.items()}
        self.flows.dynamodb.put_item(TableName=table, Item=item)

    def take_over(self) -> Any:
        return self.client.take_over(schedules_table=SCHEDULES, history_table=HISTORY)

    def define(self, document: Mapping[str, Any]) -> str:
        """Stores a definition in the table, takes it over, and returns its ``scheduleId``."""
        self.put_definition(document)
        taken = self.take_over()
        assert (taken.workflows, taken.left_out) == ((document["scheduleId"],), ())
        return str(document["scheduleId"])

    # -- its runs -----------------------------------------------------------------------------------------

    def start(self, message: Mapping[str, Any] | str) -> str:
        """Starts the machine with a message, or with the clean one of a schedule."""
        return self.flows.begin({"scheduleId": message, **CLEAN} if isinstance(message, str) else message)

    def run(self, message: Mapping[str, Any] | str) -> dict[str, Any]:
        """Starts the machine, and returns the execution when it has ended."""
        return self.flows.end_of(self.start(message))

    def restart(self, schedule: str, start: str) -> dict[str, Any]:
        return self.run({"scheduleId": schedule, "startDateTime": start, "scheduleStatus": "RESTART"})

    def record(self, run: WorkflowRun | str) -> dict[str, Any]:
        """The record of a run as the scheduler writes it. A name alone: its latest run."""
        found = self.client.status(run)
        workflow = self.client.get(found.workflow, found.version).definition
        return run_to_document(workflow, found)

    def words(self, run: WorkflowRun | str) -> dict[str, str]:
        """The ``jobStatus`` of each job."""
        return {job["jobName"]: job["jobStatus"] for job in self.record(run)["jobList"]}

    def submitted(self) -> list[tuple[str, list[str]]]:
        """The jobs in the order of their submission, each with those that it depends on."""
        runs = self.batch.runs_of(self.account)
        names = {run.id: run.name.rpartition("-")[0] or run.name for run in runs}
        return [(names[run.id], [names[each] for each in run.depends_on]) for run in runs]

    def until(self, is_so: Callable[[], bool]) -> None:
        clock, waits = SystemClock(), threading.Event()
        late = clock.monotonic() + PATIENCE
        while not is_so():
            assert clock.monotonic() < late, "it has not become so"
            waits.wait(0.05)

    def told(self) -> list[dict[str, Any]]:
        """What the topic has sent since the last look."""
        return [json.loads(body) for body in self.flows.received(TOPIC)]


def client_of(flows: Flows) -> tuple[ss.StepFunctionsBackend, ss.WorkflowClient]:
    """A client of the machines of an account, and its backend, which is to be closed."""
    session = new_session(aws_access_key_id=flows.account, aws_secret_access_key="test", region_name=REGION)
    backend = ss.StepFunctionsBackend(
        state_machine_arn=flows.runner_arn,
        table_name=TABLE,
        workflows_arn=flows.driver_arn,
        session=session,
        endpoint_url=flows.cloud.ministack.endpoint_url,
        workers=4,
    )
    return backend, ss.WorkflowClient(backend)


def job_of(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    job: dict[str, Any] = next(job for job in document["jobList"] if job["jobName"] == name)
    return job


def needs_of(document: Mapping[str, Any]) -> dict[str, list[str]]:
    return {job["jobName"]: job["jobDependencies"] for job in document["jobList"]}
