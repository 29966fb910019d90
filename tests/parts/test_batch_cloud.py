"""Machines in the emulator that submit jobs, look at them, wait for them and end them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.parts.batch import Batch, Place, overrides, shell, when
from tests.parts.batch_cloud import BatchCloud
from tests.parts.ministack import clients
from tests.parts.state_machines import ROLE, run_machine

SUBMIT = "arn:aws:states:::batch:submitJob"
SDK = "arn:aws:states:::aws-sdk:batch:"
START = datetime(2030, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def place(batch_cloud: BatchCloud, batch_account: str) -> Place:
    return batch_cloud.batch.make_place(batch_account)


@pytest.fixture
def aws(batch_cloud: BatchCloud, batch_account: str) -> Iterator[Callable[[str], Any]]:
    with clients(batch_cloud.ministack, batch_account) as client:
        yield client


@pytest.fixture
def batch(batch_cloud: BatchCloud) -> Batch:
    return batch_cloud.batch


def task(resource: str, arguments: Any, **more: Any) -> dict[str, Any]:
    state = {"Type": "Task", "Resource": resource, "Arguments": arguments, "End": True, **more}
    return {"QueryLanguage": "JSONata", "StartAt": "Only", "States": {"Only": state}}


def job(place: Place, **more: Any) -> dict[str, Any]:
    return {"JobName": "job", "JobQueue": place.queue, "JobDefinition": place.definition, **more}


def command(text: str) -> Any:
    return {"ContainerOverrides": {"Command": shell(text)}}


def end_of(aws: Callable[[str], Any], machine: Any, given: Any = None) -> Any:
    return run_machine(aws("stepfunctions"), machine, given or {}).last


def test_a_client_of_the_emulator_uses_batch(
    batch: Batch, batch_account: str, place: Place, aws: Callable[[str], Any]
) -> None:
    client = aws("batch")
    submitted = client.submit_job(jobName="job", jobQueue="jobs", jobDefinition="jobs")
    batch.settle(batch_account)
    (found,) = client.describe_jobs(jobs=[submitted["jobId"]])["jobs"]
    assert (found["status"], found["jobQueue"]) == ("SUCCEEDED", place.queue)
    with pytest.raises(ClientError, match=r"ClientException.*queue unknown"):
        client.submit_job(jobName="job", jobQueue="unknown", jobDefinition="jobs")


def test_a_task_submits_a_job(
    batch: Batch, batch_account: str, place: Place, aws: Callable[[str], Any]
) -> None:
    told = job(place, Parameters={"someKey": "v"}, Tags={"aTag": "t"}, **command("echo Ref::someKey"))
    output = end_of(aws, task(SUBMIT, told)).output
    assert sorted(output) == ["JobArn", "JobId", "JobName"]
    batch.settle(batch_account)
    (found,) = end_of(aws, task(SDK + "describeJobs", {"Jobs": [output["JobId"]]})).output["Jobs"]
    assert (found["Status"], found["Container"]["ExitCode"]) == ("SUCCEEDED", 0)
    assert (found["Parameters"], found["Tags"]) == ({"someKey": "v"}, {"aTag": "t"})
    assert isinstance(found["CreatedAt"], int)


def test_a_task_waits_for_its_job(place: Place, aws: Callable[[str], Any]) -> None:
    good = end_of(aws, task(SUBMIT + ".sync", job(place)))
    assert good.output["Status"] == "SUCCEEDED"
    bad = end_of(aws, task(SUBMIT + ".sync", job(place, **command("exit 4"))))
    assert (bad.status, bad.error) == ("FAILED", "States.TaskFailed")
    cause = json.loads(bad.cause)
    assert (cause["Status"], cause["Container"]["ExitCode"]) == ("FAILED", 4)
    assert cause["StatusReason"] == "Essential container in task exited"


@pytest.mark.parametrize("how", ["stopped", "late"])
def test_a_task_that_ends_before_its_job_terminates_it(
    how: str,
    batch_cloud: BatchCloud,
    batch: Batch,
    batch_account: str,
    place: Place,
    aws: Callable[[str], Any],
    tmp_path: Path,
) -> None:
    batch_cloud.ministack.hold_waits(START)
    endless = {"ContainerOverrides": {"Command": when(tmp_path / "never")}}
    machine = task(SUBMIT + ".sync", job(place, **endless), TimeoutSeconds=60)
    states = aws("stepfunctions")
    arn = states.create_state_machine(name="one", definition=json.dumps(machine), roleArn=ROLE)[
        "stateMachineArn"
    ]
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    wait_until(lambda: batch.submitted(batch_account) == {"job": 1})
    if how == "stopped":
        states.stop_execution(executionArn=execution)
    else:
        batch_cloud.ministack.move_time(START + timedelta(minutes=1))
    batch_cloud.ministack.settled(batch_account)
    batch.settle(batch_account)
    (run,) = batch.runs_of(batch_account)
    assert (run.status, run.reason) == ("FAILED", "The execution that has submitted the job has ended")
    ended = states.describe_execution(executionArn=execution)
    assert ended["status"] == ("ABORTED" if how == "stopped" else "FAILED")


@pytest.mark.parametrize(
    ("resource", "code", "error"),
    [
        (SUBMIT, "ClientException", "Batch.ClientException"),
        (SDK + "submitJob", "ServerException", "Batch.ServerException"),
        (SUBMIT, "TooManyRequestsException", "Batch.AWSBatchException"),
        (SDK + "submitJob", "TooManyRequestsException", "Batch.BatchException"),
    ],
)
def test_errors_have_the_names_of_step_functions(
    resource: str,
    code: str,
    error: str,
    batch: Batch,
    batch_account: str,
    place: Place,
    aws: Callable[[str], Any],
) -> None:
    batch.refuse(batch_account, "SubmitJob", code)
    assert end_of(aws, task(resource, job(place))).error == error
    batch.refuse(batch_account, "SubmitJob", code)
    retried = task(resource, job(place), Retry=[{"ErrorEquals": [error]}])
    assert end_of(aws, retried).status == "SUCCEEDED"


@pytest.mark.parametrize("arguments", [{"Jobname": "job"}, {"JobName": 1}], ids=["unknown name", "type"])
def test_what_the_model_does_not_know_is_refused(
    arguments: Any, place: Place, aws: Callable[[str], Any]
) -> None:
    refused = end_of(aws, task(SUBMIT, {**job(place), **arguments}))
    assert refused.error == "States.Runtime"


def test_a_task_lists_and_ends_jobs(
    batch: Batch, batch_account: str, place: Place, aws: Callable[[str], Any], tmp_path: Path
) -> None:
    client = aws("batch")
    told = {"jobQueue": place.queue, "jobDefinition": place.definition}
    first = client.submit_job(
        jobName="first", containerOverrides=overrides(when(tmp_path / "never")), **told
    )["jobId"]
    second = client.submit_job(jobName="second", dependsOn=[{"jobId": first}], **told)["jobId"]
    by_name = {"JobQueue": "jobs", "Filters": [{"Name": "JOB_NAME", "Values": ["fir*"]}]}
    (found,) = end_of(aws, task(SDK + "listJobs", by_name)).output["JobSummaryList"]
    assert found["JobId"] == first
    end_of(aws, task(SDK + "cancelJob", {"JobId": second, "Reason": "cancelled"}))
    ended = end_of(aws, task(SDK + "terminateJob", {"JobId": first, "Reason": "terminated"}))
    assert ended.output == {}
    batch.settle(batch_account)
    assert [run.reason for run in batch.runs_of(batch_account)] == ["terminated", "cancelled"]


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"Message": {"default": "d", "sqs": "for the queue"}}, "SUCCEEDED"),
        ({"Message": {"email": "e"}}, "FAILED"),
        ({"Message": "no JSON"}, "FAILED"),
        ({"Message": {"default": "d"}, "Subject": "s" * 101}, "FAILED"),
        ({"Message": {"default": "d"}, "Subject": "two\nlines"}, "FAILED"),
    ],
)
def test_a_notice_needs_a_text_for_all_protocols_and_a_subject_of_one_line(
    told: dict[str, Any], status: str, aws: Callable[[str], Any]
) -> None:
    topic = aws("sns").create_topic(Name="notices")["TopicArn"]
    notice = {"TopicArn": topic, "MessageStructure": "json", **told}
    assert end_of(aws, task("arn:aws:states:::sns:publish", notice)).status == status


GRAPH = {
    "QueryLanguage": "JSONata",
    "StartAt": "Begin",
    "States": {
        "Begin": {
            "Type": "Pass",
            "Assign": {"steps": "{% $states.input.steps %}", "ids": "{% $states.input.ids %}", "i": 0},
            "Next": "More?",
        },
        "More?": {
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $i >= $count($steps) %}", "Next": "Rest"},
                {
                    "Condition": "{% $exists($lookup($ids, $steps[$i].name)) %}",
                    "Next": "More?",
                    "Assign": {"i": "{% $i + 1 %}"},
                },
            ],
            "Default": "Submit",
        },
        "Submit": {
            "Type": "Task",
            "Resource": SUBMIT,
            "Arguments": {
                "JobName": "{% $steps[$i].name %}",
                "JobQueue": "jobs",
                "JobDefinition": "jobs",
                "ContainerOverrides": {"Command": "{% $steps[$i].command %}"},
                "DependsOn": "{% [$steps[$i].needs.{'JobId': $lookup($ids, $)}] %}",
            },
            "Assign": {
                "ids": "{% $merge([$ids, {$steps[$i].name: $states.result.JobId}]) %}",
                "i": "{% $i + 1 %}",
            },
            "Next": "More?",
        },
        "Rest": {"Type": "Wait", "Seconds": 60, "Next": "Poll"},
        "Poll": {
            "Type": "Task",
            "Resource": SDK + "describeJobs",
            "Arguments": {"Jobs": "{% [$ids.*] %}"},
            "Assign": {"jobs": "{% [$states.result.Jobs.{'name': JobName, 'status': Status}] %}"},
            "Next": "Ended?",
        },
        "Ended?": {
            "Type": "Choice",
            "Choices": [
                {
                    "Condition": "{% $count($jobs[$not(status in ['SUCCEEDED', 'FAILED'])]) > 0 %}",
                    "Next": "Rest",
                }
            ],
            "Default": "Report",
        },
        "Report": {
            "Type": "Pass",
            "Output": "{% {'ids': $ids, 'statuses': $merge($jobs.{name: status})} %}",
            "End": True,
        },
    },
}


def test_a_machine_drives_a_graph_and_goes_on_where_it_failed(
    batch_cloud: BatchCloud,
    batch: Batch,
    batch_account: str,
    place: Place,
    aws: Callable[[str], Any],
    tmp_path: Path,
) -> None:
    mended = tmp_path / "mended"
    steps = [
        {"name": "A1", "command": ["true"], "needs": []},
        {"name": "B1", "command": ["true"], "needs": ["A1"]},
        {"name": "C1", "command": shell(f"test -e {mended}"), "needs": ["A1"]},
        {"name": "D1", "command": ["true"], "needs": ["B1", "C1"]},
    ]
    server, states = batch_cloud.ministack, aws("stepfunctions")
    server.hold_waits(START)
    arn = states.create_state_machine(name="graph", definition=json.dumps(GRAPH), roleArn=ROLE)[
        "stateMachineArn"
    ]

    def play(ids: Any) -> Any:
        given = json.dumps({"steps": steps, "ids": ids})
        execution = states.start_execution(stateMachineArn=arn, input=given)["executionArn"]
        while server.settled(batch_account):
            batch.settle(batch_account)
            server.move_time(server.now() + timedelta(minutes=1))
        return json.loads(states.describe_execution(executionArn=execution)["output"])

    one = play({})
    assert one["statuses"] == {"A1": "SUCCEEDED", "B1": "SUCCEEDED", "C1": "FAILED", "D1": "FAILED"}
    mended.touch()
    two = play({name: one["ids"][name] for name in ("A1", "B1")})
    assert set(two["statuses"].values()) == {"SUCCEEDED"}
    assert batch.submitted(batch_account) == {"A1": 1, "B1": 1, "C1": 2, "D1": 2}
    assert batch.ran(batch_account) == {"A1": 1, "B1": 1, "C1": 2, "D1": 1}
    last = batch.calls_of(batch_account, "SubmitJob")[-1].given
    assert last["dependsOn"] == [{"jobId": two["ids"]["B1"]}, {"jobId": two["ids"]["C1"]}]


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.01)
