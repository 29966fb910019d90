"""Stacks with all parts, made by the CloudFormation of an emulator, and jobs that run in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.deploy import Part
from stepsched.testing import FakeClock
from tests.contract.deployed import Deployed, made
from tests.parts.ministack import Ministack

MONDAY = datetime(2030, 1, 7, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
OTHERS = {Part.EXPRESS_REGISTER, Part.FIFO_QUEUE, Part.HTTP}
ALL = [part for part in Part if part not in OTHERS]


@pytest.fixture
def account_of(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> Deployed:
    return Deployed(ministack, account, aws, FakeClock(MONDAY))


def merged(*documents: dict[str, Any]) -> dict[str, Any]:
    """One template with the resources and outputs of several."""
    whole = {**documents[0], "Resources": {}, "Outputs": {}}
    for document in documents:
        for section in ("Resources", "Outputs"):
            assert not whole[section].keys() & document[section].keys()
            whole[section] |= document[section]
    return whole


def test_every_part_is_created_and_neither_two_prefixes_nor_two_stacks_collide(account_of: Deployed) -> None:
    express = [Part.EXPRESS_REGISTER, Part.FIFO_QUEUE, *(part for part in ALL if part is not Part.REGISTER)]
    express.remove(Part.QUEUE)
    targets = [account_of.inbox]
    plain = account_of.create("one", made(targets, *ALL))
    account_of.create("two", made(targets, *ALL))
    both = merged(
        made(targets, *express, prefix="blue"),
        made(targets, *ALL, prefix="team-b", permissions_boundary=None),
    )
    prefixed = account_of.create("three", both)
    assert set(plain) == {
        "TableName",
        "TableArn",
        "StateMachineArn",
        "RegisterArn",
        "WorkflowsArn",
        "GroupName",
        "SchedulerRoleArn",
        "DeadLetterQueueArn",
        "TopicArn",
        "QueueUrl",
        "QueueArn",
        "DashboardName",
        "MetricNamespace",
    }
    assert set(prefixed) == {f"{prefix}{name}" for prefix in ("Blue", "TeamB") for name in plain}
    assert prefixed["BlueTableName"] == "blue-jobs"
    assert prefixed["BlueQueueArn"].endswith(":blue-queue.fifo")
    assert prefixed["TeamBStateMachineArn"].endswith(":team-b-runner")
    machines = account_of.states.list_state_machines()["stateMachines"]
    kinds = {each["name"]: each["type"] for each in machines}
    assert kinds == {
        **dict.fromkeys(("one", "two", "blue-runner", "team-b-runner"), "STANDARD"),
        **dict.fromkeys(("one-register", "two-register", "team-b-register"), "STANDARD"),
        "blue-register": "EXPRESS",
        **dict.fromkeys([f"{each}-workflows" for each in ("one", "two", "blue", "team-b")], "STANDARD"),
        **dict.fromkeys(("one-watch", "two-watch", "blue-watch", "team-b-watch"), "EXPRESS"),
    }
    for each in machines:
        found = account_of.states.describe_state_machine(stateMachineArn=each["stateMachineArn"])
        assert "${" not in found["definition"], each["name"]
    for prefix, name, outputs in (("", "one", plain), ("Blue", "blue-runner", prefixed)):
        _queues_are_right(account_of, outputs, prefix)
        _alarms_are_right(account_of, outputs[f"{prefix}TopicArn"], name)
        body = account_of.cloudwatch.get_dashboard(DashboardName=outputs[f"{prefix}DashboardName"])
        widgets = json.loads(body["DashboardBody"])["widgets"]
        assert {each["properties"]["region"] for each in widgets} == {"eu-west-1"}
        assert {each["properties"]["metrics"][0][3] for each in widgets} == {
            name,
            outputs[f"{prefix}StateMachineArn"],
        }
    _roles_are_right(account_of, plain)


def _queues_are_right(account_of: Deployed, outputs: dict[str, str], prefix: str) -> None:
    def attributes(arn: str) -> dict[str, str]:
        url = account_of.sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        found: dict[str, str] = account_of.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
            "Attributes"
        ]
        return found

    letters = attributes(outputs[f"{prefix}DeadLetterQueueArn"])
    assert int(letters["MessageRetentionPeriod"]) == 14 * 86_400
    queue = attributes(outputs[f"{prefix}QueueArn"])
    assert int(queue["MessageRetentionPeriod"]) >= 4 * 86_400
    assert int(queue["VisibilityTimeout"]) == 6 * 60
    redrive = json.loads(queue["RedrivePolicy"])
    assert redrive["maxReceiveCount"] == 5
    second = attributes(redrive["deadLetterTargetArn"])
    assert int(second["MessageRetentionPeriod"]) == 14 * 86_400
    assert second["QueueArn"] not in (queue["QueueArn"], letters["QueueArn"])
    assert {each.get("SqsManagedSseEnabled") for each in (letters, queue, second)} == {"true"}
    is_fifo = queue["QueueArn"].endswith(".fifo")
    assert {each.get("FifoQueue") for each in (queue, second)} == {"true" if is_fifo else None}


def _alarms_are_right(account_of: Deployed, topic: str, machine: str) -> None:
    alarms = account_of.cloudwatch.describe_alarms()["MetricAlarms"]
    own = [each for each in alarms if each["AlarmActions"] == [topic]]
    shown = {
        (
            each["MetricName"],
            each["Namespace"],
            each["Dimensions"][0]["Value"].rpartition(":")[2],
            each["TreatMissingData"],
        )
        for each in own
    }
    assert shown == {
        ("RunsFailed", "stepsched", machine, "notBreaching"),
        ("JobsLate", "stepsched", machine, "breaching"),
        ("ExecutionsFailed", "AWS/States", machine, "notBreaching"),
        ("ExecutionsFailed", "AWS/States", f"{machine.removesuffix('-runner')}-workflows", "notBreaching"),
    }


def _roles_are_right(account_of: Deployed, outputs: dict[str, str]) -> None:
    """Each role is assumed by one service, for one machine or one group of the stack."""
    root = f"arn:aws:{{}}:eu-west-1:{account_of.account}:"
    iam, roles = account_of.aws("iam"), account_of.resources("one")
    group = account_of.resources("one")["WatchGroup"]
    sources = {
        "RunnerRole": root.format("states") + "stateMachine:one",
        "RegisterRole": root.format("states") + "stateMachine:one-register",
        "WorkflowsRole": root.format("states") + "stateMachine:one-workflows",
        "WatchRole": root.format("states") + "stateMachine:one-watch",
        "SchedulerRole": root.format("scheduler") + f"schedule-group/{outputs['GroupName']}",
        "WatchScheduleRole": root.format("scheduler") + f"schedule-group/{group}",
    }
    assert sources.keys() == {name for name in roles if name.endswith("Role")}
    for name, source in sources.items():
        document = iam.get_role(RoleName=roles[name])["Role"]["AssumeRolePolicyDocument"]
        (trust,) = document["Statement"]
        assert trust["Condition"]["StringEquals"]["aws:SourceAccount"] == account_of.account
        given = {value["aws:SourceArn"] for value in trust["Condition"].values() if "aws:SourceArn" in value}
        assert given == {source}, name
    policy = iam.get_role_policy(RoleName=roles["SchedulerRole"], PolicyName="stepsched")["PolicyDocument"]
    statement, starting = policy["Statement"]
    assert (starting["Action"], starting["Resource"]) == (
        ["states:StartExecution"],
        [outputs["WorkflowsArn"]],
    )
    arns = {outputs["QueueArn"], outputs["DeadLetterQueueArn"], account_of.inbox.queue_arn}
    assert (statement["Action"], set(statement["Resource"])) == (["sqs:SendMessage"], arns)


def test_a_job_lives_in_the_stack_and_the_stack_changes_while_it_runs(account_of: Deployed) -> None:
    slow = account_of.slow(25 * MINUTE)
    targets: list[ss.Target] = [account_of.inbox, slow]
    outputs = account_of.create("jobs", made(targets, Part.ALARMS))
    client = account_of.client("jobs")
    client.create_many([_job("short", account_of.inbox), _job("long", slow)])
    assert account_of.total("JobsCreated", "jobs") == (2, 1)  # written once
    account_of.play(MONDAY + HOUR + 5 * MINUTE)
    assert sorted(account_of.calls_of()) == ["long", "short"]
    (running,) = [each for each in account_of.executions() if each.startswith("long-")]

    before = account_of.resources("jobs")
    changes = account_of.change("jobs", made([*targets, ss.LambdaTarget(_function(account_of))], *ALL))
    modified = {name for name, each in changes.items() if each["Action"] == "Modify"}
    assert modified >= {"Runner", "RunnerRole"}
    assert {each["Action"] for each in changes.values()} == {"Modify", "Add"}
    # What refers to a changed resource is replaced if the reference changes, which it does not.
    assert {changes[name]["Replacement"] for name in modified} <= {"False", "Conditional"}
    assert account_of.resources("jobs").items() >= before.items()
    assert account_of.outputs("jobs", "UPDATE_COMPLETE").items() >= outputs.items()
    assert running in account_of.executions()
    account_of.play(MONDAY + 2 * HOUR + 5 * MINUTE)
    assert sorted(account_of.calls_of()) == ["long", "short"]

    client.pause("short")
    account_of.play(MONDAY + 3 * HOUR + 5 * MINUTE)
    assert account_of.calls_of() == ["long"]
    client.resume("short")
    account_of.play(MONDAY + 4 * HOUR + 5 * MINUTE)
    assert sorted(account_of.calls_of()) == ["long", "short"]
    client.cancel_many(name_prefix="short")
    client.cancel("long", stop_run=True)
    assert account_of.total("JobsDeleted", "jobs") == (2, 2)
    account_of.server.settled(account_of.account)
    assert account_of.executions() == []
    client.create(_job("kept", account_of.inbox, enabled=False))
    client.close()

    account_of.cloudformation.delete_stack(StackName="jobs")
    assert account_of.states.list_state_machines()["stateMachines"][0]["name"] == "slow"
    assert account_of.aws("iam").list_roles()["Roles"] == []
    assert account_of.dynamodb.scan(TableName=outputs["TableName"])["Count"] >= 1


def test_late_jobs_and_failed_runs_are_counted(account_of: Deployed) -> None:
    failing = account_of.failing()
    slow = account_of.slow(50 * MINUTE)
    names = account_of.create("jobs", made([failing, slow, account_of.inbox], Part.DASHBOARD))
    assert set(names) >= {"MetricNamespace", "DashboardName"}
    watch = account_of.resources("jobs")["Watch"]
    client = account_of.client("jobs")
    once = ss.Retry(max_attempts=0)
    client.create_many(
        [
            _job("stopped", account_of.inbox),
            _job("long", slow),
            _job("fails", failing, retry=once),
            _job("jittered", account_of.inbox, jitter=30 * MINUTE),
            _job("paused", account_of.inbox, enabled=False),
        ]
    )
    account_of.server.settled(account_of.account)
    assert account_of.late(watch) == 0
    assert account_of.total("JobsLate", "jobs") == (0, 1)
    for name in account_of.executions():
        if name.startswith(("stopped-", "jittered-")):
            arn = account_of.machine_arn.replace(":stateMachine:", ":execution:") + f":{name}"
            account_of.states.stop_execution(executionArn=arn)
    account_of.play(MONDAY + HOUR + 9 * MINUTE)
    assert account_of.late(watch) == 0
    account_of.play(MONDAY + HOUR + 10 * MINUTE)
    assert account_of.late(watch) == 1  # neither the long run nor the paused job
    account_of.play(MONDAY + HOUR + 40 * MINUTE)
    assert account_of.late(watch) == 2
    assert account_of.total("RunsFailed", "jobs") == (1, 1)
    assert [run.job for run in client.runs(status="failed")] == ["fails"]
    client.repair()
    account_of.server.settled(account_of.account)
    assert account_of.late(watch) == 0
    client.cancel_many(status="active")
    client.close()


@pytest.mark.parametrize("size", [100, 7], ids=["pages", "small portions"])
def test_the_watch_reads_every_page(account_of: Deployed, size: int) -> None:
    outputs = account_of.create("jobs", made([account_of.inbox], Part.ALARMS))
    due = (MONDAY - HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")

    def row(name: str, **more: str) -> dict[str, Any]:
        attributes = {"name": name, "version": "v0", "status": "active", "due": due, "plan": '{"jitter": 0}'}
        item = {key: {"S": value} for key, value in {**attributes, **more}.items()}
        return {"PutRequest": {"Item": item}}

    rows = [row(f"job-{number}") for number in range(205)]
    rows += [row("running", claimed_by="an execution"), row("soon", due="2030-01-07T00:00:00Z")]
    rows += [row("jittered", plan='{"jitter": 86400}'), row("ended", status="ended", due="never")]
    for first in range(0, len(rows), 25):
        account_of.dynamodb.batch_write_item(RequestItems={outputs["TableName"]: rows[first : first + 25]})
    watch = account_of.resources("jobs")["Watch"]
    found = account_of.states.describe_state_machine(stateMachineArn=watch)["definition"]
    assert found.count('"size": 100') == 1
    account_of.states.update_state_machine(
        stateMachineArn=watch, definition=found.replace('"size": 100', f'"size": {size}')
    )
    assert account_of.late(watch) == 205


@pytest.mark.parametrize("part", [Part.REGISTER, Part.EXPRESS_REGISTER])
def test_the_register_of_the_stack_makes_jobs_that_the_client_sees(account_of: Deployed, part: Part) -> None:
    slow = account_of.slow(MINUTE)
    outputs = account_of.create("jobs", made([slow], part, Part.ALARMS))
    task = {"arn": slow.state_machine_arn, "input": {"job": "task"}}
    for schedule, metric in (("cron(0 * * * ? *)", "JobsCreated"), ("delete", "JobsDeleted")):
        call = {"name": "task", "schedule": schedule, "state_machine": task}
        started = account_of.states.start_execution(
            stateMachineArn=outputs["RegisterArn"], input=json.dumps(call)
        )
        account_of.server.settled(account_of.account)
        found = account_of.states.describe_execution(executionArn=started["executionArn"])
        assert found["status"] == "SUCCEEDED", found.get("cause")
        assert account_of.total(metric, "jobs") == (1, 1)
        with account_of.client("jobs") as client:
            assert [record.job.name for record in client.list()] == ["task"] * (schedule != "delete")
        if schedule != "delete":
            account_of.play(MONDAY + HOUR + 2 * MINUTE)
            assert account_of.calls_of() == ["task"]
    assert account_of.executions() == []


def test_the_schedule_starts_the_watch(account_of: Deployed) -> None:
    account_of.create("jobs", made([account_of.inbox], Part.ALARMS))
    for minutes in (6, 12):
        account_of.server.set_time(MONDAY + minutes * MINUTE)
        account_of.server.settled(account_of.account)
    assert account_of.total("JobsLate", "jobs") == (0, 2)


def _job(name: str, target: ss.Target, **more: Any) -> ss.Job:
    return ss.Job(name=name, schedule=ss.Cron("0 * * * ? *"), target=target, input={"job": name}, **more)


def _function(account_of: Deployed) -> str:
    return f"arn:aws:lambda:eu-west-1:{account_of.account}:function:report"
