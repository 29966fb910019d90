"""Tests that the definitions and runs of the AWS Batch scheduler are taken over from its tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from stepsched.core.errors import BackendError
from stepsched.workflows import StepStatus, WorkflowRunStatus
from tests.unit.stepfunctions.workflow_cloud import REGION, Cloud, cloud, restart

DATA = Path("tests/data/workflows")
SCHEDULES, HISTORY = "BatchSchedules", "BatchScheduleHistory"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with cloud() as found:
        for table, keys in ((SCHEDULES, ["scheduleId"]), (HISTORY, ["scheduleId", "startDateTime"])):
            found.dynamodb.create_table(
                TableName=table,
                KeySchema=[
                    {"AttributeName": name, "KeyType": kind}
                    for name, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
                BillingMode="PAY_PER_REQUEST",
            )
        yield found


def document(name: str) -> Any:
    found = json.loads((DATA / f"{name}.json").read_text().replace("us-east-1", REGION))
    return found.get("output", found)


def put(account: Cloud, table: str, item: Any) -> None:
    attributes = TypeSerializer().serialize(item)["M"]
    account.dynamodb.put_item(TableName=table, Item=attributes)


def test_definitions_and_runs_are_taken_over_once(account: Cloud) -> None:
    put(account, SCHEDULES, document("definition-nightly-warehouse"))
    put(account, SCHEDULES, document("definition-evening-load"))
    failed = document("history-failed")
    put(account, HISTORY, failed)
    store = account.store()
    taken = store.take_over(schedules_table=SCHEDULES, history_table=HISTORY)
    assert taken.left_out == ()
    assert len(taken.workflows) == 2
    assert taken.runs == (f"{failed['scheduleId']}/{failed['startDateTime']}",)
    before = account.rows()
    assert store.take_over(schedules_table=SCHEDULES, history_table=HISTORY) == taken
    assert account.rows() == before, "what is stored is not stored again"
    theirs = account.dynamodb.scan(TableName=HISTORY)["Items"]
    assert theirs == [TypeSerializer().serialize(failed)["M"]], "their tables are only read"


def test_a_failed_run_restarts_with_the_jobs_that_have_not_succeeded(account: Cloud) -> None:
    failed = document("history-failed")
    put(account, HISTORY, failed)
    store = account.store()
    store.take_over(history_table=HISTORY)
    workflow, run_id = failed["scheduleId"], failed["startDateTime"]
    run = store.read(workflow, run_id)
    assert run.status is WorkflowRunStatus.FAILED
    open_steps = [step.name for step in run.steps if step.status is not StepStatus.SUCCEEDED]
    kept = [step for step in run.steps if step.status is StepStatus.SUCCEEDED]
    restart(store, run_id, workflow=workflow)
    ended = account.drive(workflow, run_id)
    assert ended.status is WorkflowRunStatus.SUCCEEDED
    assert sorted(name for name, _ in account.started) == sorted(open_steps)
    assert [ended.by_name[step.name].job_id for step in kept] == [step.job_id for step in kept]


def test_a_passed_job_stays_passed_and_counts_as_done(account: Cloud) -> None:
    failed = document("history-failed")
    passed = next(job for job in failed["jobList"] if job["jobStatus"] == "FAILED")
    passed["jobStatus"] = "PASS"
    put(account, HISTORY, failed)
    store = account.store()
    store.take_over(history_table=HISTORY)
    workflow, run_id = failed["scheduleId"], failed["startDateTime"]
    restart(store, run_id, workflow=workflow)
    ended = account.drive(workflow, run_id)
    assert ended.status is WorkflowRunStatus.SUCCEEDED
    assert ended.by_name[passed["jobName"]].status is StepStatus.SKIPPED
    assert passed["jobName"] not in [name for name, _ in account.started]


def test_what_cannot_be_taken_over_is_named_and_the_rest_is_taken(account: Cloud) -> None:
    running = document("history-running")
    running["lastDateTime"] = "2030-01-01T11:00:00.000000"  # an hour ago
    put(account, HISTORY, running)
    put(account, HISTORY, document("history-succeeded"))
    bad = document("definition-evening-load")
    bad["jobList"][0]["jobDependencies"] = ["unknown"]
    put(account, SCHEDULES, bad)
    put(account, SCHEDULES, document("definition-nightly-warehouse"))
    taken = account.store().take_over(schedules_table=SCHEDULES, history_table=HISTORY)
    assert (len(taken.workflows), len(taken.runs)) == (1, 1)
    reasons = {each.name: each.reason for each in taken.left_out}
    assert "unknown" in reasons[bad["scheduleId"]]
    assert "still runs" in reasons[f"{running['scheduleId']}/{running['startDateTime']}"]


def test_the_record_of_a_dead_run_is_taken_over_as_failed_and_its_jobs_are_awaited(account: Cloud) -> None:
    """Any fault of the scheduler's machine leaves the record at RUNNING for ever."""
    dead = document("history-running")
    dead["lastDateTime"] = "2030-01-01T10:59:59.999999"
    put(account, HISTORY, dead)
    store = account.store()
    taken = store.take_over(history_table=HISTORY)
    workflow, run_id = dead["scheduleId"], dead["startDateTime"]
    assert (taken.runs, taken.left_out) == ((f"{workflow}/{run_id}",), ())
    run = store.read(workflow, run_id)
    assert (run.status, str(run.ended_at)) == (WorkflowRunStatus.FAILED, "2030-01-01 10:59:59.999999+00:00")
    assert run.error is not None
    assert "its execution has died" in run.error
    restart(store, run_id, workflow=workflow)
    ended = account.drive(workflow, run_id)
    assert ended.status is WorkflowRunStatus.SUCCEEDED
    submitted = {job["jobName"] for job in dead["jobList"] if "jobId" in job}
    assert submitted.isdisjoint(name for name, _ in account.started), "no job that may still run is doubled"


def test_a_table_that_does_not_exist_is_refused(account: Cloud) -> None:
    with pytest.raises(BackendError, match="ResourceNotFoundException"):
        account.store().take_over(schedules_table="nowhere")
    with pytest.raises(ValueError, match="name a table to take over"):
        account.store().take_over()
    assert account.rows() == []
