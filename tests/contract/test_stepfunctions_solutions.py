"""Tests the behaviour of tasks of the AWS Solutions scheduler, and the rows that it has written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.testing import FakeClock
from stepsched.testing.contract.fixtures import MONDAY
from tests.contract.stepfunctions import Stack
from tests.parts.ministack import Ministack

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def stack(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> Stack:
    return Stack(ministack, account, aws, FakeClock(MONDAY))


@pytest.fixture
def client(stack: Stack) -> ss.SchedulerClient:
    return ss.SchedulerClient(stack.backend())


@pytest.fixture
def machine(stack: Stack) -> ss.StateMachineTarget:
    return stack.slow(timedelta(minutes=25))


def task(machine: ss.StateMachineTarget, schedule: str = "cron(* * * * ? *)", name: str = "test") -> ss.Job:
    return ss.Job(name=name, schedule=ss.parse_schedule(schedule), target=machine, input={"job": name})


def ended(stack: Stack, name: str) -> tuple[str, str, str]:
    arn = f"{stack.machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
    found = stack.states.describe_execution(executionArn=arn)
    return found["status"], found["error"], found["cause"]


def test_the_life_of_a_task(stack: Stack, client: ss.SchedulerClient, machine: ss.StateMachineTarget) -> None:
    client.create(task(machine))
    stack.server.settled(stack.account)
    current, first = stack.item("test"), stack.item("test", "v1")
    assert current is not None
    assert first is not None
    assert current["latest"] == {"N": "1"}
    (one,) = stack.executions()

    client.update(task(machine, "cron(10 * * * ? *)"))
    stack.server.settled(stack.account)
    current = stack.item("test")
    assert current is not None
    assert current["latest"] == {"N": "2"}
    assert stack.item("test", "v1") == first, "a version is never changed"
    assert stack.item("test", "v2") is not None
    (two,) = stack.executions()
    assert ended(stack, one) == ("ABORTED", "301", f"execution superseded by {two}")
    assert client.get("test").job.schedule == ss.Cron("10 * * * ? *")

    client.pause("test")
    assert stack.executions() == []
    assert ended(stack, two) == ("ABORTED", "410", "execution disabled for test")

    client.resume("test")
    stack.server.settled(stack.account)
    assert len(stack.executions()) == 1
    assert [each.version for each in client.versions("test")] == [1]

    client.cancel("test")
    assert stack.executions() == []
    assert stack.dynamodb.scan(TableName="jobs")["Items"] == []
    with pytest.raises(ss.JobNotFoundError):
        client.cancel("test")


def test_an_identical_update_writes_nothing(
    stack: Stack, client: ss.SchedulerClient, machine: ss.StateMachineTarget
) -> None:
    client.create(task(machine))
    client.update(task(machine))
    client.create(task(machine))
    stack.server.settled(stack.account)
    assert client.get("test").version == 1
    assert len(stack.executions()) == 1


def test_a_name_as_long_as_can_be(
    stack: Stack, client: ss.SchedulerClient, machine: ss.StateMachineTarget
) -> None:
    names = ["n" * 256, "n" * 255 + "m"]
    for name in names:
        client.create(task(machine, name=name).replace(schedule=ss.Rate(HOUR, start=MONDAY)))
    stack.play(MONDAY + 3 * HOUR)
    assert sorted(name for name, _ in stack.calls()) == sorted(names * 3)
    assert client.repair() == []


def put_theirs(dynamodb: Any, table: str, machine: ss.StateMachineTarget, name: str = "theirs") -> None:
    """Writes a task as the library of the AWS Solutions scheduler does, at its second version."""
    fields = {
        "name": {"S": name},
        "schedule": {"S": "cron(0 9 ? * 2-6 *)"},
        "state_machine_arn": {"S": machine.state_machine_arn},
        "state_machine_input": {
            "M": {
                "job": {"S": "theirs"},
                "whole": {"N": "3"},
                "part": {"N": "2.50"},
                "deep": {"L": [{"NULL": True}, {"BOOL": False}]},
            }
        },
    }
    dynamodb.put_item(TableName=table, Item=fields | {"version": {"S": "v0"}, "latest": {"N": "2"}})
    for number in (1, 2):
        dynamodb.put_item(TableName=table, Item=fields | {"version": {"S": f"v{number}"}})


INPUT = {"job": "theirs", "whole": 3, "part": 2.5, "deep": [None, False]}


def test_a_row_of_theirs_is_read_and_taken_over(
    stack: Stack, client: ss.SchedulerClient, machine: ss.StateMachineTarget
) -> None:
    put_theirs(stack.dynamodb, "jobs", machine)
    record = client.get("theirs")
    assert (record.status, record.version, record.owned) == (ss.JobStatus.PAUSED, 2, False)
    assert record.job == ss.Job(name="theirs", schedule=ss.Cron("0 9 ? * 2-6 *"), target=machine, input=INPUT)
    with pytest.raises(ss.UnsupportedError, match=r"resume\(name\) takes it over"):
        client.run_now("theirs")
    before = stack.dynamodb.scan(TableName="jobs")["Items"]
    with pytest.raises(ss.UnsupportedError, match=r"resume\(name\) takes it over"):
        client.pause("theirs", reason="closing")
    assert client.pause("theirs").pause_reason is None
    assert stack.dynamodb.scan(TableName="jobs")["Items"] == before
    taken = client.resume("theirs")
    assert (taken.status, taken.version, taken.next_run) == (ss.JobStatus.ACTIVE, 2, MONDAY + 9 * HOUR)
    assert client.get("theirs").owned
    stack.play(MONDAY + DAY)
    assert [call for _, call in stack.calls()] == [INPUT]
    assert [record.name for record in client.list()] == ["theirs"]
    assert client.cancel("theirs").status is ss.JobStatus.CANCELLED
    assert client.list() == []
    assert {item["version"]["S"][:4] for item in stack.dynamodb.scan(TableName="jobs")["Items"]} == {"run#"}


LONG = "solution-maintenance-full-" + "n" * 63 + "x"
"""A solution of Amazon Personalize may have a name of 63 characters."""


@pytest.mark.parametrize("name", [LONG, "my task", "batch/inference: é"], ids=["long", "blank", "signs"])
def test_a_task_of_theirs_may_have_any_name(
    stack: Stack, client: ss.SchedulerClient, machine: ss.StateMachineTarget, name: str
) -> None:
    put_theirs(stack.dynamodb, "jobs", machine, name)
    put_theirs(stack.dynamodb, "jobs", machine, other := f"{name}2")
    record = client.get(name)
    assert (record.name, record.status, record.version, record.owned) == (name, ss.JobStatus.PAUSED, 2, False)
    assert client.pause(name).owned is False, "a task of theirs is already paused"
    assert client.versions(name) == []
    assert client.runs(name) == []
    with pytest.raises(ss.UnsupportedError, match="takes it over"):
        client.run_now(name)
    assert client.update(record.job.replace(description="ours")).version == 3
    assert client.resume(name).next_run == MONDAY + 9 * HOUR
    assert client.resume(other).owned
    assert [each.name for each in client.list(name_prefix=name)] == [name, other]
    run = client.run_now(name)
    stack.play(MONDAY + DAY)
    assert [call for _, call in stack.calls()] == [INPUT] * 3
    assert {each.status for each in client.runs(name)} == {ss.RunStatus.SUCCEEDED}
    assert client.runs(name)[0].id == run.id
    assert client.repair() == []
    for each in (name, other):
        assert client.cancel(each).status is ss.JobStatus.CANCELLED
    assert client.list() == []
    assert stack.executions() == []


@pytest.mark.parametrize("name", [LONG, "my task"], ids=["long", "blank"])
def test_an_execution_of_any_name_hands_over(
    stack: Stack, client: ss.SchedulerClient, machine: ss.StateMachineTarget, name: str
) -> None:
    """The job sleeps for longer than an execution does."""
    due = MONDAY + 400 * DAY
    client.create(task(machine, name=name).replace(schedule=ss.OneTime(due), completion="keep"))
    stack.play(due - HOUR)
    (successor,) = stack.executions()
    assert re.fullmatch(rf"{re.sub('[^a-zA-Z-]', '-', name[:55])}-[0-9a-f]{{12}}-2", successor)
    assert client.repair() == []
    stack.play(due + HOUR)
    assert [call for call, _ in stack.calls()] == [name]
    assert [run.status for run in client.runs(name)] == [ss.RunStatus.SUCCEEDED]


def test_a_task_whose_name_no_job_can_have_is_left_out_with_a_warning(
    stack: Stack, client: ss.SchedulerClient, machine: ss.StateMachineTarget
) -> None:
    put_theirs(stack.dynamodb, "jobs", machine, name := "n" * 257)
    client.create(task(machine))
    with pytest.warns(ss.ScheduleWarning, match=f"row '{name}' of the table cannot be read as a job"):
        assert [row.job.name for row in stack.backend()._table.read_many([name, "test"])] == ["test"]
    with pytest.raises(ss.JobNotFoundError):
        client.get(name)


def test_an_update_takes_it_over_too(
    stack: Stack, client: ss.SchedulerClient, machine: ss.StateMachineTarget
) -> None:
    put_theirs(stack.dynamodb, "jobs", machine)
    assert client.update(client.get("theirs").job).version == 3, (
        "theirs becomes ours, though it says the same"
    )
    record = client.update(client.get("theirs").job.replace(schedule=ss.Cron("0 10 * * ? *")))
    assert (record.status, record.version, record.owned) == (ss.JobStatus.PAUSED, 4, True)
    assert client.resume("theirs").next_run == MONDAY + 10 * HOUR
    stack.play(MONDAY + DAY)
    assert [call for _, call in stack.calls()] == [INPUT]


def test_a_table_of_theirs_has_no_index_and_is_listed_all_the_same(
    stack: Stack, machine: ss.StateMachineTarget
) -> None:
    from stepsched.machines.shared.runner import runner
    from tests.parts.state_machines import ROLE

    stack.dynamodb.create_table(
        TableName="tasks",
        KeySchema=[
            {"AttributeName": "name", "KeyType": "HASH"},
            {"AttributeName": "version", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "name", "AttributeType": "S"},
            {"AttributeName": "version", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    made = stack.states.create_state_machine(name="tasks", definition=runner("tasks").to_json(), roleArn=ROLE)
    client = ss.SchedulerClient(
        ss.StepFunctionsBackend(
            state_machine_arn=made["stateMachineArn"],
            table_name="tasks",
            clock=stack.clock,
            session=stack.session(),
            endpoint_url=stack.server.endpoint_url,
        )
    )
    put_theirs(stack.dynamodb, "tasks", machine)
    ours = task(machine, name="ours")
    client.create(ours)
    assert [(record.name, record.owned) for record in client.list()] == [("ours", True), ("theirs", False)]
    assert [record.name for record in client.list(status="active")] == ["ours"]
    assert [record.name for record in client.list(name_prefix="the")] == ["theirs"]
    for name in (LONG, "my task"):
        put_theirs(stack.dynamodb, "tasks", machine, name)
        assert [record.name for record in client.list(name_prefix=name)] == [name]
        assert client.resume(name).owned
        client.cancel(name)
    plan = client.plan([ours], prune=True)
    assert plan.cancel == (), "what others have made is never pruned"
    client.resume("theirs")
    assert client.repair() == []
    assert [record.owned for record in client.list()] == [True, True]
    with pytest.raises(ss.UnsupportedError, match="no index 'by_status'"):
        client.runs()
    assert client.runs("ours") == []


def test_numbers_come_back_as_they_were(stack: Stack, client: ss.SchedulerClient) -> None:
    given = {
        "job": "numbers",
        "float": 0.1,
        "third": 1 / 3,
        "tiny": 5e-324,
        "whole float": 1.0,
        "large": 2**53 + 1,
        "larger": 10**30,
        "negative": -0.0,
        "nested": [1, 1.0, True, None, {"1": 1}],
    }
    job = ss.Job(name="numbers", schedule=ss.OneTime(MONDAY + HOUR), target=stack.inbox, input=given)
    client.create(job)
    assert client.get("numbers").job == job
    assert client.list()[0].job == job
    assert json.dumps(client.get("numbers").job.input) == json.dumps(given)
    stack.play(MONDAY + HOUR)
    (message,) = stack.messages()
    assert json.loads(message) == given


@pytest.mark.parametrize("number", [2**53 + 1, 2**60, 10**400])
def test_a_number_that_would_lose_digits_is_refused(
    client: ss.SchedulerClient, machine: ss.StateMachineTarget, number: int
) -> None:
    """Text in a message of a queue keeps every digit. JSONata reads the input of a machine, and may lose
    digits."""
    with pytest.raises(ss.UnsupportedError, match="would lose digits"):
        client.create(task(machine).replace(input={"deep": [number]}))
    client.create(task(machine).replace(input={"deep": [2**53, 0.1, str(number)]}))
