"""The emulator part with waits held: executions live on a clock that stands still until it is moved."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.parts.environments import PartFailedError
from tests.parts.ministack import Ministack, clients, delete_schedules, running
from tests.parts.state_machines import ROLE, run_machine

START = datetime(2030, 1, 1, 9, tzinfo=timezone.utc)
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=seconds) for seconds in (1, 60, 3_600, 86_400))

State = dict[str, Any]


class Place:
    """An account with machines that are started at `START` and sleep until the clock is moved."""

    def __init__(self, server: Ministack, account: str, client: Callable[[str], Any]) -> None:
        self.server = server
        self.account = account
        self.client = client
        self.stepfunctions = client("stepfunctions")
        self._numbers = itertools.count()

    def create(self, *, language: str = "JSONata", fields: State | None = None, **states: State) -> str:
        definition = {"QueryLanguage": language, "StartAt": next(iter(states)), **(fields or {})}
        machine = self.stepfunctions.create_state_machine(
            name=f"machine-{next(self._numbers)}",
            definition=json.dumps({**definition, "States": states}),
            roleArn=ROLE,
        )
        return str(machine["stateMachineArn"])

    def start(self, machine: str, **given: Any) -> str:
        started = self.stepfunctions.start_execution(stateMachineArn=machine, input=json.dumps(given))
        return str(started["executionArn"])

    def told(self, execution: str) -> dict[str, Any]:
        return dict(self.stepfunctions.describe_execution(executionArn=execution))

    def status(self, execution: str) -> str:
        return str(self.told(execution)["status"])

    def output(self, execution: str) -> Any:
        told = self.told(execution)
        assert told["status"] == "SUCCEEDED", (told["error"], told["cause"])
        return json.loads(told["output"])

    def settled(self) -> list[datetime]:
        return self.server.settled(self.account)

    def move(self, instant: datetime) -> list[datetime]:
        """Moves the clock there, and says what is left to wake up."""
        self.server.move_time(instant)
        return self.settled()

    def children(self, machine: str) -> dict[str, str]:
        """The executions of a machine and how they are."""
        listed = self.stepfunctions.list_executions(stateMachineArn=machine)["executions"]
        return {each["executionArn"]: each["status"] for each in listed}


@pytest.fixture(scope="module")
def server() -> Iterator[Ministack]:
    with running() as server:
        yield server


@pytest.fixture
def place(server: Ministack) -> Iterator[Place]:
    account = server.new_account()
    with clients(server, account) as client:
        server.hold_waits(START)
        yield Place(server, account, client)
        delete_schedules(client("scheduler"))
        server.reset_time()


def wait(**fields: Any) -> State:
    return {"Type": "Wait", "End": True, **fields}


def nested(machine: str, **fields: Any) -> State:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Arguments": {"StateMachineArn": machine, "Input": {"of": "parent"}},
        "End": True,
        **fields,
    }


NOW: State = {
    "Type": "Pass",
    "Output": {
        "millis": "{% $millis() %}",
        "now": "{% $now() %}",
        "written": "{% $now('[H01]:[m01]', '+0100') %}",
        "started": "{% $states.context.Execution.StartTime %}",
        "entered": "{% $states.context.State.EnteredTime %}",
    },
    "End": True,
}


@pytest.mark.parametrize(
    ("language", "fields"),
    [
        ("JSONata", {"Seconds": 86_400}),
        ("JSONata", {"Seconds": "{% 24 * 3600 %}"}),
        ("JSONata", {"Timestamp": "2030-01-02T09:00:00Z"}),
        ("JSONata", {"Timestamp": "{% $fromMillis($millis() + 86400000) %}"}),
        ("JSONPath", {"Seconds": 86_400}),
        ("JSONPath", {"Timestamp": "2030-01-02T10:00:00+01:00"}),
        ("JSONPath", {"SecondsPath": "$.seconds"}),
        ("JSONPath", {"TimestampPath": "$.until"}),
    ],
)
def test_wait_ends_at_its_instant_and_not_before(place: Place, language: str, fields: dict[str, Any]) -> None:
    machine = place.create(language=language, Only=wait(**fields))
    execution = place.start(machine, seconds=86_400, until="2030-01-02T09:00:00Z")
    assert place.settled() == [START + DAY]
    assert place.move(START + DAY - timedelta(microseconds=1)) == [START + DAY]
    assert place.status(execution) == "RUNNING"
    assert place.move(START + DAY) == []
    told = place.told(execution)
    assert (told["status"], told["startDate"], told["stopDate"]) == ("SUCCEEDED", START, START + DAY)


@pytest.mark.parametrize("fields", [{"Seconds": 0}, {"Timestamp": "2030-01-01T09:00:00Z"}])
def test_wait_for_the_present_or_the_past_is_none(place: Place, fields: dict[str, Any]) -> None:
    execution = place.start(place.create(Only=wait(**fields)))
    assert place.settled() == []
    assert place.status(execution) == "SUCCEEDED"


def test_clock_stands_still(place: Place) -> None:
    assert place.server.now() == START
    assert place.server.settled() == []
    assert place.server.now() == START


def test_expressions_and_histories_tell_the_time_of_the_clock(place: Place) -> None:
    execution = place.start(place.create(Wait={"Type": "Wait", "Seconds": 3_600, "Next": "Now"}, Now=NOW))
    place.settled()
    place.move(START + HOUR)
    assert place.output(execution) == {
        "millis": int((START + HOUR).timestamp()) * 1_000,
        "now": "2030-01-01T10:00:00.000Z",
        "written": "11:00",
        "started": "2030-01-01T09:00:00.000Z",
        "entered": "2030-01-01T10:00:00.000Z",
    }
    events = place.stepfunctions.get_execution_history(executionArn=execution)["events"]
    assert {event["timestamp"] for event in events} == {START, START + HOUR}


def test_wakes_come_in_order(place: Place) -> None:
    until = place.create(Only=wait(Timestamp="{% $states.input.until %}"))
    later, sooner = (
        place.start(until, until=f"{START + after:%Y-%m-%dT%H:%M:%SZ}") for after in (2 * HOUR, HOUR)
    )
    assert place.settled() == [START + HOUR, START + 2 * HOUR]
    assert place.server.next_wake(place.account) == START + HOUR
    assert place.move(START + HOUR) == [START + 2 * HOUR]
    assert (place.status(later), place.status(sooner)) == ("RUNNING", "SUCCEEDED")
    assert place.move(START + 2 * HOUR) == []
    assert place.status(later) == "SUCCEEDED"
    assert place.server.next_wake(place.account) is None


def test_turns_follow_each_other_for_as_long_as_the_clock_is_moved(place: Place) -> None:
    execution = place.start(
        place.create(
            Init={"Type": "Pass", "Assign": {"seen": []}, "Next": "Wait"},
            Wait={"Type": "Wait", "Seconds": 1_800, "Next": "More"},
            More={
                "Type": "Choice",
                "Choices": [
                    {
                        "Condition": "{% $count($seen) < 20 %}",
                        "Assign": {"seen": "{% $append($seen, $millis()) %}"},
                        "Next": "Wait",
                    }
                ],
                "Default": "Done",
            },
            Done={"Type": "Pass", "Output": "{% $seen %}", "End": True},
        )
    )
    while wakes := place.settled():
        place.server.move_time(wakes[0])
    turns = [START + turn * 30 * MINUTE for turn in range(1, 21)]
    assert place.output(execution) == [int(turn.timestamp()) * 1_000 for turn in turns]


def test_parent_sleeps_while_its_child_does_and_goes_on_when_it_ends(place: Place) -> None:
    child = place.create(Wait={"Type": "Wait", "Seconds": 1_500, "Next": "Now"}, Now=NOW)
    parent = place.start(
        place.create(
            Child=nested(child, Output="{% $states.result.Output.now %}", Next="Again", End=None),
            Again=nested(child, Output="{% [$states.input, $states.result.Output.now] %}"),
        )
    )
    assert place.settled() == [START + 25 * MINUTE]
    assert list(place.children(child).values()) == ["RUNNING"]
    assert place.move(START + 25 * MINUTE) == [START + 50 * MINUTE]
    assert sorted(place.children(child).values()) == ["RUNNING", "SUCCEEDED"]
    assert place.move(START + 50 * MINUTE) == []
    assert place.output(parent) == ["2030-01-01T09:25:00.000Z", "2030-01-01T09:50:00.000Z"]


@pytest.mark.parametrize("seconds", [600, "{% 5 * 120 %}", "{% $states.input.limit %}"])
def test_child_is_timed_out_by_the_clock(place: Place, seconds: int | str) -> None:
    child = place.create(Only=wait(Seconds=1_500))
    caught: State = {"ErrorEquals": ["States.Timeout"], "Next": "Late"}
    parent = place.start(
        place.create(Child=nested(child, TimeoutSeconds=seconds, Catch=[caught]), Late=NOW), limit=600
    )
    assert place.settled() == [START + 10 * MINUTE]
    assert place.move(START + 10 * MINUTE) == []
    assert place.output(parent)["now"] == "2030-01-01T09:10:00.000Z"
    assert list(place.children(child).values()) == ["ABORTED"]


@pytest.mark.parametrize("seconds", [1_500, "{% 1600 %}"])
def test_child_that_ends_in_time_is_not_timed_out(place: Place, seconds: int | str) -> None:
    child = place.create(Only=wait(Seconds=1_500))
    parent = place.start(place.create(Child=nested(child, TimeoutSeconds=seconds)))
    assert place.settled() == [START + 25 * MINUTE]
    assert place.move(START + 25 * MINUTE) == []
    assert place.output(parent)["Status"] == "SUCCEEDED"


def test_timeout_that_is_no_number_can_be_caught(place: Place) -> None:
    child = place.create(Only=wait(Seconds=1_500))
    caught: State = {"ErrorEquals": ["States.QueryEvaluationError"], "Next": "Caught"}
    machine = place.create(Child=nested(child, TimeoutSeconds="{% 'soon' %}", Catch=[caught]), Caught=NOW)
    execution = place.start(machine)
    assert place.settled() == []
    assert place.status(execution) == "SUCCEEDED"
    assert place.children(child) == {}


def test_machine_is_timed_out_by_the_clock(place: Place) -> None:
    execution = place.start(place.create(fields={"TimeoutSeconds": 60}, Only=wait(Seconds=3_600)))
    assert place.settled() == [START + MINUTE]
    assert place.move(START + MINUTE) == []
    assert place.status(execution) == "TIMED_OUT"


def test_stopped_execution_does_nothing_more(place: Place) -> None:
    queue = place.client("sqs").create_queue(QueueName="runs")["QueueUrl"]
    execution = place.start(
        place.create(
            Wait={"Type": "Wait", "Seconds": 60, "Next": "Send"},
            Send={
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage",
                "Arguments": {"QueueUrl": queue, "MessageBody": "ran"},
                "End": True,
            },
        )
    )
    assert place.settled() == [START + MINUTE]
    place.stepfunctions.stop_execution(executionArn=execution)
    assert place.settled() == []
    assert place.move(START + HOUR) == []
    told = place.told(execution)
    assert (told["status"], told["stopDate"]) == ("ABORTED", START)
    assert "Messages" not in place.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=0)


def test_stopped_parent_stops_its_child(place: Place) -> None:
    child = place.create(Only=wait(Seconds=1_500))
    parent = place.start(place.create(Child=nested(child)))
    place.settled()
    place.stepfunctions.stop_execution(executionArn=parent)
    assert place.settled() == []
    assert (place.status(parent), *place.children(child).values()) == ("ABORTED", "ABORTED")


def test_stopped_child_fails_its_parent(place: Place) -> None:
    child = place.create(Only=wait(Seconds=1_500))
    parent = place.start(place.create(Child=nested(child)))
    place.settled()
    place.stepfunctions.stop_execution(executionArn=next(iter(place.children(child))))
    assert place.settled() == []
    told = place.told(parent)
    assert (told["status"], told["error"]) == ("FAILED", "States.TaskFailed")


def test_deleted_machine_wakes_up_no_more(place: Place) -> None:
    machine = place.create(Only=wait(Seconds=60))
    place.start(machine)
    assert place.settled() == [START + MINUTE]
    place.stepfunctions.delete_state_machine(stateMachineArn=machine)
    assert place.settled() == []


def test_retry_delays_are_as_long_as_written(place: Place) -> None:
    failing = nested("arn:aws:states:eu-west-1:000000000000:stateMachine:none")
    retried = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 100, "BackoffRate": 3, "MaxAttempts": 3}
    execution = place.start(place.create(Only={**failing, "Retry": [{**retried, "MaxDelaySeconds": 500}]}))
    seen = list[int]()
    while wakes := place.settled():
        seen.append((wakes[0] - START) // SECOND)
        place.server.move_time(wakes[0])
    assert seen == [100, 400, 900]
    assert place.status(execution) == "FAILED"


def test_branches_sleep_each_for_itself(place: Place) -> None:
    branches = [{"StartAt": "Only", "States": {"Only": wait(Seconds=each)}} for each in (60, 120, 60)]
    parallel = {"Type": "Parallel", "Branches": branches, "End": True}
    execution = place.start(place.create(language="JSONPath", All=parallel))
    assert place.settled() == [START + MINUTE, START + MINUTE, START + 2 * MINUTE]
    assert place.move(START + MINUTE) == [START + 2 * MINUTE]
    assert place.move(START + 2 * MINUTE) == []
    assert place.status(execution) == "SUCCEEDED"


def test_items_sleep_as_many_at_once_as_allowed(place: Place) -> None:
    processor = {"StartAt": "Only", "States": {"Only": wait(Seconds="{% $states.input %}")}}
    items: State = {"Type": "Map", "Items": [60, 120, 60], "MaxConcurrency": 2, "End": True}
    execution = place.start(place.create(All={**items, "ItemProcessor": processor}))
    assert place.settled() == [START + MINUTE, START + 2 * MINUTE]
    assert place.move(START + MINUTE) == [START + 2 * MINUTE, START + 2 * MINUTE]
    assert place.move(START + 2 * MINUTE) == []
    assert place.output(execution) == [60, 120, 60]


def test_stopped_branches_unwind(place: Place) -> None:
    branches = [{"StartAt": "Only", "States": {"Only": wait(Seconds=each)}} for each in (60, 120)]
    parallel = {"Type": "Parallel", "Branches": branches, "End": True}
    execution = place.start(place.create(language="JSONPath", All=parallel))
    place.settled()
    place.stepfunctions.stop_execution(executionArn=execution)
    assert place.settled() == []
    assert place.status(execution) == "ABORTED"


def test_stopped_branches_that_never_sleep_end_too(place: Place) -> None:
    turn: State = {"Type": "Pass", "Next": "Turn"}
    branch = {"StartAt": "Turn", "States": {"Turn": turn}}
    parallel: State = {"Type": "Parallel", "Branches": [branch], "End": True}
    execution = place.start(place.create(language="JSONPath", All=parallel))
    place.stepfunctions.stop_execution(executionArn=execution)
    assert place.settled() == []
    assert place.status(execution) == "ABORTED"


def test_answer_that_nobody_waited_for_is_passed_over(place: Place) -> None:
    place.start(place.create(Only=wait(Seconds=60)))
    asked = {"do": "settled", "account": place.account, "number": -1, "patience": 1}
    place.server._running.stdin.write(json.dumps(asked).encode() + b"\n")  # type: ignore[union-attr]
    assert place.server.next_wake(place.account) == START + MINUTE
    assert place.settled() == [START + MINUTE]


def test_callback_wakes_its_task_before_its_timeout(place: Place) -> None:
    sqs = place.client("sqs")
    queue = sqs.create_queue(QueueName="tokens")["QueueUrl"]
    machine = place.create(
        Only={
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Arguments": {"QueueUrl": queue, "MessageBody": "{% $states.context.Task.Token %}"},
            "TimeoutSeconds": "{% 3600 %}",
            "End": True,
        }
    )
    called, forgotten = place.start(machine), None
    assert place.settled() == [START + HOUR]
    token = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=0)["Messages"][0]["Body"]
    place.stepfunctions.send_task_success(taskToken=token, output='"done"')
    assert place.settled() == []
    assert place.output(called) == "done"
    forgotten = place.start(machine)
    place.settled()
    assert place.move(START + HOUR) == []
    assert place.told(forgotten)["error"] == "States.Timeout"


def test_schedule_starts_an_execution_at_exactly_its_time(place: Place) -> None:
    execution_role = {"RoleArn": ROLE, "Input": "{}"}
    machine = place.create(Only=NOW)
    place.client("scheduler").create_schedule(
        Name="once",
        ScheduleExpression="at(2030-01-01T12:00:00)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": machine, **execution_role},
    )
    place.server.set_time(START + 3 * HOUR)
    assert place.settled() == []
    (execution,) = place.children(machine)
    assert place.output(execution)["started"] == "2030-01-01T12:00:00.000Z"


def test_accounts_settle_apart(place: Place) -> None:
    other = place.server.new_account()
    place.start(place.create(Only=wait(Seconds=60)))
    assert place.server.settled(other) == []
    assert place.server.settled() == [START + MINUTE]


def test_what_does_not_settle_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.parts.server_part.PATIENCE", 0.1)
    turn: State = {"Type": "Pass", "Next": "Turn"}
    execution = place.start(place.create(Turn=turn))
    with pytest.raises(PartFailedError, match=rf"still busy after 0\.1 s: {execution}"):
        place.settled()
    place.stepfunctions.stop_execution(executionArn=execution)


def test_released_waits_are_skipped_again(server: Ministack) -> None:
    with clients(server, server.new_account()) as client:
        day = {"QueryLanguage": "JSONata", "StartAt": "Only", "States": {"Only": wait(Seconds=86_400)}}
        assert run_machine(client("stepfunctions"), day).last.status == "SUCCEEDED"
        server.hold_waits(START)
        with pytest.raises(PartFailedError, match="still running"):
            run_machine(client("stepfunctions"), day, timeout=0)
        held = Place(server, "", client)
        execution = held.start(held.create(Only=wait(Seconds=86_400)))
        server.release_waits()
        assert held.status(execution) == "ABORTED"
        assert START <= server.now() < START + MINUTE
        server.reset_time()
        last = run_machine(client("stepfunctions"), day).last
        assert last.status == "SUCCEEDED"
        assert last.started_at < START


def test_many_sleep_at_once(place: Place) -> None:
    machine = place.create(Only=wait(Seconds="{% $states.input.seconds %}"))
    for number in range(300):
        place.start(machine, seconds=60 + number % 2)
    assert place.settled() == [START + MINUTE] * 150 + [START + MINUTE + SECOND] * 150
    assert place.move(START + MINUTE + SECOND) == []
    assert set(place.children(machine).values()) == {"SUCCEEDED"}


def test_no_write_to_a_table_is_lost_between_tasks_and_clients(place: Place) -> None:
    """On AWS each write of an item is atomic; tasks run in threads of the emulator's own."""
    dynamodb = place.client("dynamodb")
    dynamodb.create_table(
        TableName="counts",
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"name": {"S": "all"}, **{f"padding{number}": {"S": "x" * 1_000} for number in range(100)}}
    dynamodb.put_item(TableName="counts", Item=item)

    def addition(name: str) -> dict[str, Any]:
        return {
            "TableName": "counts",
            "Key": {"name": {"S": "all"}},
            "UpdateExpression": "ADD #name :one",
            "ExpressionAttributeNames": {"#name": name},
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }

    machine = place.create(
        Add={
            "Type": "Map",
            "Items": "{% [1..100] %}",
            "MaxConcurrency": 4,
            "ItemProcessor": {
                "StartAt": "Once",
                "States": {
                    "Once": {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::dynamodb:updateItem",
                        "Arguments": addition("tasks"),
                        "End": True,
                    }
                },
            },
            "Output": {},
            "End": True,
        }
    )
    execution = place.start(machine)
    for _ in range(100):
        dynamodb.update_item(**addition("clients"))
    place.settled()
    assert place.status(execution) == "SUCCEEDED"
    found = dynamodb.get_item(TableName="counts", Key={"name": {"S": "all"}})["Item"]
    assert (found["tasks"], found["clients"]) == ({"N": "100"}, {"N": "100"})


def test_evaluations_at_once_do_not_time_each_other_out(place: Place) -> None:
    """One alone takes a fifth of the second that it may take, all together take several."""
    output = {"sum": "{% $sum([1..4000].($ % 7)) %}"}
    begin = {"Type": "Wait", "Seconds": 60, "Next": "Work"}
    machine = place.create(Begin=begin, Work={"Type": "Pass", "Output": output, "End": True})
    executions = [place.start(machine) for _ in range(40)]
    place.settled()
    place.move(START + MINUTE)
    assert {place.output(execution)["sum"] for execution in executions} == {11_997}


def test_evaluation_that_takes_too_long_fails(place: Place) -> None:
    machine = place.create(Only={"Type": "Pass", "Output": "{% $sum([1..400000].($ % 7)) %}", "End": True})
    execution = place.start(machine)
    place.settled()
    told = place.told(execution)
    assert (told["status"], told["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert "timeout after 1000 milliseconds" in told["cause"]
