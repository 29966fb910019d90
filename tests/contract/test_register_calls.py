"""Calls of register: its errors, its races, and how other machines call it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched import asl
from stepsched.backends.stepfunctions.table import Table
from stepsched.backends.stepfunctions.zone_rows import renew_zone_rows, write_zone_rows
from stepsched.machines.shared.registration import registration
from stepsched.machines.shared.table_schema import DATABASE, OFFSETS
from stepsched.testing import FakeClock
from tests.contract.register_stack import RefusedError, RegisterStack
from tests.contract.stepfunctions import TABLE
from tests.parts.ministack import Ministack
from tests.parts.state_machines import ROLE

NOW = datetime(2030, 1, 7, tzinfo=timezone.utc)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
DAILY = "cron(0 9 * * ? *)"
ACCOUNT = "eu-west-1:123456789012"
BATCH = ss.targets.BatchTarget(
    job_queue=f"arn:aws:batch:{ACCOUNT}:job-queue/q",
    job_definition=f"arn:aws:batch:{ACCOUNT}:job-definition/d",
)


@pytest.fixture
def stack(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> RegisterStack:
    return RegisterStack(ministack, account, aws, FakeClock(NOW))


@pytest.fixture
def client(stack: RegisterStack) -> Iterator[ss.SchedulerClient]:
    backend = stack.backend()
    yield ss.SchedulerClient(backend)
    backend.close()


def sample(target: ss.targets.Target, **fields: Any) -> dict[str, Any]:
    return registration(ss.Job(name="sample", schedule=ss.Cron("* * * * ? *"), target=target, **fields))


def refusal(stack: RegisterStack, **call: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        stack.call(**{"name": "job", "schedule": DAILY, "registration": sample(stack.inbox), **call})
    assert caught.value.error.startswith("Stepsched."), caught.value
    return f"{caught.value.error.removeprefix('Stepsched.')}: {caught.value.cause}"


def test_each_error_names_the_field_the_value_and_the_cure(stack: RegisterStack) -> None:
    """Nothing is written by a call that is refused."""
    bus = ss.targets.EventBusTarget(f"arn:aws:events:{ACCOUNT}:event-bus/b", detail_type="d", source="s")
    fifo = ss.QueueTarget(f"arn:aws:sqs:{ACCOUNT}:q.fifo", message_group_id="g")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"name": " job"}, "InvalidName: name: expected 1 to 256 visible characters, .*got ' job'; use"),
        ({"name": 7}, "InvalidName: .*got 7;"),
        ({"name": "a\u200bb"}, "InvalidName"),
        ({"name": "a\u00a0b"}, "InvalidName"),
        ({"name": ".."}, "InvalidName"),
        ({"name": "x" * 257}, "InvalidName"),
        ({"name": None}, "InvalidName"),
        ({"name": "a b", "registration": sample(BATCH)}, "InvalidName: .*use job_name of the target"),
        ({"schedule": "cron(0 0 ? * 0 *)"}, "InvalidSchedule: day-of-week"),
        ({"schedule": 5}, "InvalidSchedule"),
        (
            {
                "schedule": {"start": "2019-01-31T00:00", "every": {"months": 1}, "timezone": "Europe/Paris"},
                "registration": sample(stack.inbox) | {"zone": sample_zone("Europe/Paris")},
            },
            "InvalidSchedule: start: .*use a time in these years",
        ),
        ({"schedule": "cron(0 0 1 1 ? 2020)"}, "NoRunLeft: .*has no run after 2030-01-07T00:00:00Z"),
        ({"schedule": "at(2020-01-01T00:00:00)"}, "NoRunLeft"),
        ({"timezone": "Mars/Base"}, "UnknownZone: timezone: 'Mars/Base' is not among the zones"),
        ({"timezone": 3}, "UnknownZone"),
        ({"input": 2**53 + 1}, "InvalidInput: input: the number 9.*; use text"),
        ({"input": {"a": [{"b": 0.30000000000000004}]}}, "InvalidInput: input: the number 0.3 may have"),
        ({"input": ""}, "InvalidInput: .*accepts as a message, got ''"),
        ({"input": "a\u0001b"}, "InvalidInput: .*Amazon SQS"),
        ({"input": {"a": {"$context": "<aws.scheduler.scheduled-time>"}}}, "InvalidInput: .*context"),
        ({"input": "<AWS.Scheduler.x>", "registration": sample(fifo)}, "InvalidInput: .*looks like"),
        ({"input": {"a": 1}, "registration": sample(BATCH)}, "InvalidInput: .*takes no input of the call"),
        ({"input": "text", "registration": sample(bus)}, "InvalidInput: input: expected a JSON object"),
        ({"input": ["x" * 60_000] * 2}, "InvalidInput: .*too large"),
        ({"enabled": "no"}, "InvalidInput: enabled: expected true or false, got 'no'"),
        ({"time_zone": "UTC"}, "InvalidInput: expected the members name, .*got 'time_zone'; remove it"),
        ({"action": "stop"}, "Unsupported: action: expected put, delete or read, got 'stop'"),
        ({"registration": None}, "Unsupported: registration: expected the literal of stepsched"),
        ({"registration": {"a": 1}}, "Unsupported: registration: expected the literal"),
        (
            {"registration": None, "state_machine": {"arn": "arn:x", "input": {}}},
            "InvalidInput: state_machine",
        ),
        (
            {"registration": sample(ss.ApiTarget("s3", "putObject", {"Bucket": "b", "Key": "k"}))},
            "Unsupported: registration: the runner of this stack cannot call aws-sdk:s3:putObject",
        ),
    ]
    wrong = [
        (call, got)
        for call, expected in cases
        for got in [refusal(stack, **call)]
        if re.match(expected, got) is None
    ]
    assert wrong == []
    assert stack.dynamodb.scan(TableName=TABLE)["Items"] == []


def test_what_cannot_be_read_is_named(stack: RegisterStack) -> None:
    """A literal that was changed by hand, and a row that another program has written."""
    literal = sample(stack.inbox)
    damages: list[dict[str, Any]] = [
        {"input": None},
        {"job": []},
        {"zone": "UTC"},
        {"instructions": [{}, 1, 2]},
    ]
    for damage in damages:
        message = refusal(stack, registration=literal | damage)
        assert message.startswith("Unsupported: registration: it, or the stored job 'job', cannot be read")
        assert message.endswith("cancel a job that is damaged with the client in Python")
    assert stack.dynamodb.scan(TableName=TABLE)["Items"] == []
    stack.call(name="job", schedule=DAILY, registration=literal)
    key = {"name": {"S": "job"}, "version": {"S": "v0"}}
    row = stack.dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
    stack.dynamodb.put_item(TableName=TABLE, Item=row | {"job": {"S": '{"name": '}})
    for call in ({"action": "read"}, {"action": "delete"}, {"schedule": "rate(1 hour)"}):
        assert refusal(stack, **call).startswith("Unsupported: registration: it, or the stored job 'job'")
    stack.dynamodb.put_item(TableName=TABLE, Item=row)
    assert stack.call(name="job", action="read")["version"] == 1


def sample_zone(name: str) -> dict[str, Any]:
    job = ss.Job(name="job", schedule=ss.Cron("* * * * ? *", timezone=name), target=BATCH)
    zone: dict[str, Any] = registration(job)["zone"]
    return zone


def test_what_register_has_made_can_be_read_and_deleted(
    stack: RegisterStack, client: ss.SchedulerClient
) -> None:
    """The answers have the same members, also of a job that does not exist."""
    made = stack.call(name="job", schedule=DAILY, input={"a": 1}, registration=sample(stack.inbox))
    assert made == {
        "name": "job",
        "status": "active",
        "schedule": DAILY,
        "input": {"a": 1},
        "version": 1,
        "next_run": "2030-01-07T09:00:00Z",
    }
    assert stack.call(name="job", action="read") == made
    client.pause("job")
    assert stack.call(name="job", action="read") == made | {"status": "paused", "next_run": None}
    gone = made | {"status": "cancelled", "next_run": None}
    assert stack.call(name="job", schedule="delete") == gone
    assert stack.call(name="job", action="delete") == gone | {"version": 0, "schedule": None, "input": None}
    assert stack.call(name="job", action="read") is None
    assert client.list() == []
    assert stack.executions() == []


def test_a_call_of_the_aws_solutions_scheduler_starts_a_machine(
    stack: RegisterStack, client: ss.SchedulerClient
) -> None:
    machine = stack.slow(HOUR)
    given = {"arn": machine.state_machine_arn, "input": {"a": 1}}
    stack.call(name="job", schedule="cron(*/15 * * * ? *)", state_machine=given)
    expected = ss.Job(
        name="job",
        schedule=ss.Cron("*/15 * * * ? *"),
        target=machine,
        input={"a": 1},
        overlap=ss.Overlap.SKIP,
    )
    assert client.get("job").job == expected
    stack.play(NOW + 16 * MINUTE)
    assert [json.loads(text) for text in stack.messages()] == [{"a": 1}]
    client.cancel("job", stop_run=True)


def test_everything_of_a_cancelled_job_ends(stack: RegisterStack, client: ss.SchedulerClient) -> None:
    """All versions are deleted, also beyond those of one transaction, and waiting runs are skipped."""
    job = ss.Job(name="job", schedule=ss.Cron("0 9 * * ? *"), target=stack.slow(24 * HOUR), overlap="queue")
    client.create(job)
    for number in range(12):
        client.update(job.replace(description=str(number)))
    stack.play(NOW + 10 * HOUR)
    client.backfill("job", since=NOW - 30 * HOUR, until=NOW)
    stack.server.settled(stack.account)
    answer = stack.call(name="job", schedule="delete")
    assert answer["version"] == 13
    items = stack.dynamodb.scan(TableName=TABLE)["Items"]
    assert sorted({item["version"]["S"][:1] for item in items}) == ["r"]
    statuses = sorted(run.status.value for run in client.runs("job"))
    assert statuses == ["running", "skipped"]
    assert client.repair() == []
    stack.play(NOW + 36 * HOUR)
    assert stack.executions() == []


def test_a_run_goes_on_when_its_job_changes(stack: RegisterStack, client: ss.SchedulerClient) -> None:
    literal = sample(stack.slow(HOUR), overlap=ss.Overlap.SKIP)
    stack.call(name="job", schedule="cron(10 * * * ? *)", registration=literal)
    stack.play(NOW + 20 * MINUTE)
    stack.call(name="job", schedule="cron(50 * * * ? *)", registration=literal)
    assert client.repair() == []
    assert [run.status.value for run in client.runs("job")] == ["running"]
    stack.play(NOW + 3 * HOUR)
    assert {run.status.value for run in client.runs("job")} <= {"succeeded", "running", "skipped"}
    client.cancel("job", stop_run=True)


def test_eight_callers_leave_one_execution_and_all_versions(
    stack: RegisterStack, client: ss.SchedulerClient
) -> None:
    literal = sample(stack.inbox)
    schedules = [f"cron({minute} 9 * * ? *)" for minute in range(8)]
    race(stack, [{"name": "job", "schedule": each, "registration": literal} for each in schedules])
    versions = [f"cron({each.job.schedule.expression[5:]}" for each in client.versions("job")]  # type: ignore[index]
    record = client.get("job")
    assert record.version == 8
    assert sorted([*versions, str(record.job.schedule)]) == sorted(schedules)
    assert len(stack.executions()) == 1
    assert client.repair() == []


def test_callers_that_put_and_delete_leave_a_whole_job_or_none(
    stack: RegisterStack, client: ss.SchedulerClient
) -> None:
    put = {"name": "job", "schedule": DAILY, "registration": sample(stack.inbox)}
    race(stack, [put, {"name": "job", "schedule": "delete"}] * 4)
    left = client.list()
    assert len(stack.executions()) == len(left) <= 1
    assert client.repair() == []


def race(stack: RegisterStack, calls: list[dict[str, Any]]) -> list[Any]:
    """Makes calls side by side, and returns their answers."""
    with ThreadPoolExecutor(len(calls)) as pool:
        arns = list(pool.map(lambda call: stack.begin(**call), calls))
    for _ in range(60):
        stack.server.settled(stack.account)
        ends = [stack.states.describe_execution(executionArn=arn)["status"] for arn in arns]
        if "RUNNING" not in ends:
            break
        stack.move(stack.clock.now() + timedelta(seconds=2))  # those that wait a moment go on
    return [stack.result(arn) for arn in arns]


def test_the_next_equal_call_starts_what_was_not_started(
    stack: RegisterStack, client: ss.SchedulerClient
) -> None:
    """Whether a call was interrupted after its write, or the execution was stopped by someone."""
    call = {"name": "job", "schedule": DAILY, "registration": sample(stack.inbox)}
    stack.call(**call)
    (first,) = stack.executions()
    arn = f"{stack.machine_arn.replace(':stateMachine:', ':execution:')}:{first}"
    stack.states.stop_execution(executionArn=arn)
    stack.call(**call)
    (second,) = stack.executions()
    assert second != first
    assert client.get("job").version == 1
    stack.call(**call)
    assert stack.executions() == [second]
    assert client.repair() == []


def test_zones_by_name_are_read_from_the_table(stack: RegisterStack, client: ss.SchedulerClient) -> None:
    """Their rows are written once, are in no list, and are renewed if they are older."""
    table = Table(stack.dynamodb, TABLE)
    assert renew_zone_rows(table, workers=2) == 0
    zones = ["Europe/Paris", "Africa/Casablanca"]
    assert write_zone_rows(table, zones, workers=2) == 3
    assert write_zone_rows(table, zones, workers=2) == 0
    job = ss.Job(name="job", schedule=ss.Cron("0 9 * * ? *", timezone="Europe/Paris"), target=stack.inbox)
    given = {"name": "job", "schedule": DAILY, "registration": sample(stack.inbox)}
    assert stack.call(**given, timezone="Europe/Paris")["next_run"] == "2030-01-07T08:00:00Z"
    assert client.get("job").job == job
    assert client.update(job.replace(description="x")).version == 2
    stored = table.item("zone#Europe/Paris", "zone")
    assert [record.name for record in client.list()] == ["job"]
    assert client.repair() == []
    for name in ("Europe/Paris", "UTC"):
        old = {"name": {"S": f"zone#{name}"}, "version": {"S": "zone"}}
        values = {DATABASE: {"S": "2001a"}, OFFSETS: {"S": "{}"}}
        stack.dynamodb.put_item(TableName=TABLE, Item=old | values)
    assert client.repair() == []
    assert table.item("zone#Europe/Paris", "zone") == stored
    assert table.item("zone#Asia/Tokyo", "zone") is None


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_another_machine_calls_it(stack: RegisterStack, client: ss.SchedulerClient, kind: str) -> None:
    """As Standard by ``startExecution.sync:2``, as Express by ``startSyncExecution``."""
    definition = stack.states.describe_state_machine(stateMachineArn=stack.register_arn)["definition"]
    arn = stack.states.create_state_machine(
        name=f"register-{kind}", definition=definition, roleArn=ROLE, type=kind
    )["stateMachineArn"]
    resource = (
        asl.integration("states", "startExecution", asl.Pattern.RUN_JOB_JSON)
        if kind == "STANDARD"
        else asl.sdk_integration("sfn", "startSyncExecution")
    )
    call = {"name": "{% 'job-' & $states.input.group %}", "schedule": DAILY, "input": {"x": 1}}
    prepare = asl.Pass(assign={"call": call | {"registration": sample(stack.inbox)}}, next="Call")
    text = "{% $call %}" if kind == "STANDARD" else "{% $string($call) %}"
    task = asl.Task(resource=resource, arguments={"StateMachineArn": arn, "Input": text}, end=True)
    caller = stack.states.create_state_machine(
        name="caller",
        definition=asl.StateMachine(
            query_language="JSONata", states={"Prepare": prepare, "Call": task}
        ).to_json(),
        roleArn=ROLE,
    )["stateMachineArn"]
    started = stack.states.start_execution(stateMachineArn=caller, input='{"group": "a"}')["executionArn"]
    stack.server.settled(stack.account)
    found = stack.states.describe_execution(executionArn=started)
    assert found["status"] == "SUCCEEDED", found.get("cause")
    output = json.loads(found["output"])["Output"]
    answer = json.loads(output) if isinstance(output, str) else output
    assert answer["next_run"] == "2030-01-07T09:00:00Z"
    assert client.get("job-a").job.input == {"x": 1}
