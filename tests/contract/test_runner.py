"""The shared machine runs jobs of a table, on an emulator that really runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched import asl
from stepsched.backends.stepfunctions.orders import order_of
from stepsched.backends.stepfunctions.runner import runner
from tests.contract.test_job_table import dynamodb
from tests.contract.test_rendered_machines import Account, due, written
from tests.parts.asl_validators import asl_validator, cfn_lint
from tests.parts.state_machines import ROLE, Run, run_machine

START = datetime(2030, 1, 1, tzinfo=timezone.utc)


class Shared(Account):
    """An account with a table of jobs."""

    def __init__(self, aws: Callable[[str], Any], table: Any) -> None:
        super().__init__(aws)
        self.table = table

    def order(self, job: ss.Job, token: str = "1", **changes: Any) -> None:
        """Writes the row of a job that begins at ``START``."""
        order = order_of(job, START) | changes
        item = {
            "name": {"S": job.name},
            "version": {"S": "v0"},
            "token": {"S": token},
            "cursor": {"S": written(START)},
            "plan": {"S": json.dumps(order)},
        }
        self.table.put_item(TableName="jobs", Item=item)

    def run(self, name: str = "job", token: str = "1") -> Run:
        machine = runner("jobs")
        assert machine.check() == []
        return run_machine(self.states, machine.to_json(), {"name": name, "token": token}, timeout=60)

    def runs(self, name: str = "job") -> list[tuple[str, str]]:
        """The outcome of each run, in order."""
        items = self.table.query(
            TableName="jobs",
            KeyConditionExpression="#name = :name AND begins_with(version, :run)",
            ExpressionAttributeNames={"#name": "name"},
            ExpressionAttributeValues={":name": {"S": name}, ":run": {"S": "run#"}},
        )["Items"]
        return [(item["version"]["S"][4:], item["outcome"]["S"]) for item in items]


@pytest.fixture
def shared(aws: Callable[[str], Any], dynamodb: Any) -> Shared:
    return Shared(aws, dynamodb)


SCHEDULES = [
    pytest.param(
        ss.Windowed(
            "2030-01-31T02:30",
            end="2031-01-31T02:30",
            every=ss.Frequency(months=1),
            timezone="America/New_York",
        ),
        id="monthly from the 31st in New York",
    ),
    pytest.param(
        ss.Cron("30 2 ? 3,11 SUN *", timezone="Europe/Paris", end="2031-12-31T00:00Z"), id="cron in Paris"
    ),
    pytest.param(ss.Rate(timedelta(hours=7), start="2030-01-01T07:00Z", end="2030-01-08T00:00Z"), id="rate"),
    pytest.param(ss.OneTime("2032-05-05T05:05:05", timezone="Asia/Kolkata"), id="once"),
]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_run_happens_once_and_is_recorded(shared: Shared, schedule: Any) -> None:
    job = ss.Job(name="job", schedule=schedule, target=shared.queue(), input=ss.context.SCHEDULED_TIME)
    shared.order(job, limit=300)
    run = shared.run()
    wanted = due(schedule, START)
    assert shared.messages() == wanted
    assert shared.runs() == [(instant, "succeeded") for instant in wanted]
    assert [each.status for each in run.executions] == ["SUCCEEDED"] * len(run.executions)
    row = shared.table.get_item(TableName="jobs", Key={"name": {"S": "job"}, "version": {"S": "v0"}})["Item"]
    assert row["job_status"]["S"] == "ended"
    assert row["cursor"]["S"] == wanted[-1]


def daily(shared: Shared, target: ss.Target | None = None, **policies: Any) -> ss.Job:
    return ss.Job(
        name="job",
        schedule=ss.Cron("0 6 * * ? *", end=START + timedelta(days=4)),
        target=shared.queue() if target is None else target,
        input={"{% 1 %}": "{% $states %}", "a.$": "$.b", "quote": "'\"\\", "owl": "🦉"},
        **policies,
    )


def test_the_machine_is_accepted_by_every_validator() -> None:
    definition = runner("jobs").to_dict()
    assert asl.check(definition) == []
    assert asl_validator([definition]) == [[]]
    assert cfn_lint([definition]) == [[]]


def test_data_of_a_row_is_never_code(shared: Shared) -> None:
    job = daily(shared)
    shared.order(job)
    shared.run()
    assert [json.loads(each) for each in shared.messages()] == [job.input] * 4


def test_an_execution_with_another_token_runs_nothing(shared: Shared) -> None:
    shared.order(daily(shared), token="2")
    run = shared.run(token="1")
    assert run.last.status == "SUCCEEDED"
    assert shared.messages() == []


def test_a_second_execution_of_the_same_plan_runs_nothing_again(shared: Shared) -> None:
    """Eight at once: the conditional write lets each run through once."""
    shared.order(daily(shared))
    machine = shared.states.create_state_machine(
        name="runner", definition=runner("jobs").to_json(), roleArn=ROLE
    )["stateMachineArn"]
    given = json.dumps({"name": "job", "token": "1"})
    for number in range(8):
        shared.states.start_execution(stateMachineArn=machine, name=f"copy-{number}", input=given)
    wait_for(shared, machine)
    assert len(shared.messages()) == 4
    assert [outcome for _, outcome in shared.runs()] == ["succeeded"] * 4


def wait_for(shared: Shared, machine: str) -> None:
    import threading

    for _ in range(2_000):
        asked = {"stateMachineArn": machine, "statusFilter": "RUNNING"}
        if not shared.states.list_executions(**asked)["executions"]:
            return
        threading.Event().wait(0.02)
    raise AssertionError("still running")


def test_a_failed_run_is_recorded_and_the_next_one_comes(shared: Shared) -> None:
    nowhere = ss.QueueTarget(f"arn:aws:sqs:eu-west-1:{shared.number}:nowhere")
    shared.order(daily(shared, nowhere, retry=ss.Retry(max_attempts=2)))
    run = shared.run()
    assert [outcome for _, outcome in shared.runs()] == ["failed"] * 4
    assert sum(event["type"] == "TaskFailed" for event in run.last.events) == 12, "three attempts each"


def test_a_job_that_stops_is_paused_after_its_first_failure(shared: Shared) -> None:
    nowhere = ss.QueueTarget(f"arn:aws:sqs:eu-west-1:{shared.number}:nowhere")
    shared.order(daily(shared, nowhere, retry=ss.Retry(max_attempts=0), on_failure=ss.OnFailure.STOP))
    shared.run()
    assert [outcome for _, outcome in shared.runs()] == ["failed"]
    row = shared.table.get_item(TableName="jobs", Key={"name": {"S": "job"}, "version": {"S": "v0"}})["Item"]
    assert row["job_status"]["S"] == "paused"
    assert "token" not in row, "no execution of the old plan goes on"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": ss.HandlerTarget("a:b")}, "AWS cannot invoke"),
        (
            {"target": ss.ApiTarget("s3", "putObject", {"Bucket": "b", "Key": "k"}), "input": {}},
            "has no state for",
        ),
        (
            {"input": {"due": ss.context.SCHEDULED_TIME, "mine": "<aws.scheduler.execution-id>"}},
            "mine looks like a context attribute",
        ),
        ({"catch_up": ss.CatchUp.ONE}, "catch_up 'one'"),
        ({"max_run_time": timedelta(minutes=5)}, "max_run_time 0:05:00"),
        ({"retry": ss.Retry(max_age=timedelta(seconds=90.5))}, "whole seconds"),
        ({"notify": ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:t")}, "notify"),
    ],
)
def test_what_the_runner_cannot_do_is_refused_by_name(changes: dict[str, Any], words: str) -> None:
    target = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f")
    job = ss.Job(name="job", schedule=ss.Cron("0 6 * * ? *"), target=target).replace(**changes)
    with pytest.raises(ss.UnsupportedError, match=words):
        order_of(job, START)


def test_text_that_looks_like_an_attribute_stays_text() -> None:
    target = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f")
    job = ss.Job(name="job", schedule=ss.Cron("0 6 * * ? *"), target=target)
    plain = order_of(job.replace(input={"mine": "<aws.scheduler.execution-id>"}), START)
    assert (plain["fills"], plain["arguments"]["Payload"]) == (
        False,
        {"mine": "<aws.scheduler.execution-id>"},
    )
    assert order_of(job.replace(input={"due": ss.context.SCHEDULED_TIME}), START)["fills"]
