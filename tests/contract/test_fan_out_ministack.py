"""The messages of a FanOutTarget arrive at a queue: all of them, in order, as often as they are given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.testing import FakeClock
from tests.contract.stepfunctions import Stack
from tests.contract.test_eventbridge_ministack import Player, make_session
from tests.parts.ministack import REGION, Ministack, delete_schedules
from tests.parts.state_machines import run_machine

T0 = datetime.fromisoformat("2030-01-07T00:00:00+00:00")
HOUR = timedelta(hours=1)
EACH_HOUR = ss.Cron("0 * * * ? *")
MANY = [*(f"task {number}" for number in range(23)), "task 0", "task 22"]
"""25 messages; two of them stand twice."""
NEW_YEAR_S_EVE = ss.OneTime("2037-12-31T23:59:59", timezone="Asia/Taipei")
DUE = datetime.fromisoformat("2037-12-31T15:59:59+00:00")
GREETINGS = ["Hello from Lambda #1!", "Hello from Lambda #2!"]
Received = list[tuple[str, str | None, str | None]]
"""The body of each message, its group and its deduplication ID."""


@pytest.fixture
def sqs(aws: Callable[[str], Any]) -> Any:
    return aws("sqs")


@pytest.fixture
def stack(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> Iterator[Stack]:
    yield Stack(ministack, account, aws, FakeClock(T0))
    ministack.release_waits()


def queue(sqs: Any, account: str, name: str = "tasks.fifo") -> str:
    sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if name.endswith(".fifo") else {})
    return f"arn:aws:sqs:{REGION}:{account}:{name}"


def received(sqs: Any, name: str = "tasks.fifo") -> Received:
    """Receives and deletes all messages of a queue."""
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found = Received()
    while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]).get(
        "Messages"
    ):
        for each in got:
            attributes = each["Attributes"]
            ids = (attributes.get("MessageGroupId"), attributes.get("MessageDeduplicationId"))
            found.append((each["Body"], *ids))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return found


def bodies(messages: Received) -> list[str]:
    return [body for body, _, _ in messages]


def make_job(target: ss.Target, **changes: Any) -> ss.Job:
    return ss.Job(name="fan", schedule=EACH_HOUR, target=target).replace(**changes)


def check_ids(messages: Received) -> None:
    assert {group for _, group, _ in messages} == {"1337"}
    assert len({deduplication for _, _, deduplication in messages}) == len(messages)
    assert all(len(str(deduplication)) <= 128 for _, _, deduplication in messages)


# -- the runner ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tasks.fifo", "tasks"])
def test_every_run_of_the_runner_sends_all_in_order(stack: Stack, account: str, name: str) -> None:
    group = "1337" if name.endswith(".fifo") else None
    target = ss.FanOutTarget(queue(stack.sqs, account, name), MANY, message_group_id=group)
    with closing(stack.backend()) as backend:
        client = ss.SchedulerClient(backend)
        client.create(make_job(target))
        assert client.get("fan").job.target == target
        assert client.plan([make_job(target)]).unchanged == ("fan",)
        stack.play(T0 + 2 * HOUR)
        client.run_now("fan")
        stack.play(T0 + 2 * HOUR)
        assert [(run.status, run.attempt) for run in client.runs("fan")] == [(ss.RunStatus.SUCCEEDED, 1)] * 3
    found = received(stack.sqs, name)
    if group is None:
        assert sorted(bodies(found)) == sorted(MANY * 3)
        assert {(group, deduplication) for _, group, deduplication in found} == {(None, None)}
    else:
        assert bodies(found) == MANY * 3
        check_ids(found)


class Refusal:
    """A queue that refuses one message of 25, until it accepts large ones."""

    MESSAGES = (*MANY[:12], "large " * 300, *MANY[13:])

    def __init__(self, stack: Stack, account: str, name: str) -> None:
        self.sqs, self.name = stack.sqs, name
        group = "1337" if name.endswith(".fifo") else None
        arn = queue(self.sqs, account, name)
        self.target = ss.FanOutTarget(arn, self.MESSAGES, message_group_id=group)
        self.allow(1024)

    def allow(self, size: int) -> None:
        url = self.sqs.get_queue_url(QueueName=self.name)["QueueUrl"]
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"MaximumMessageSize": str(size)})

    def check_first(self) -> None:
        """The first attempt has sent two batches but for one message."""
        expected = [*self.MESSAGES[:12], *self.MESSAGES[13:20]]
        assert sorted(bodies(received(self.sqs, self.name))) == sorted(expected)

    def check_second(self) -> None:
        """Another attempt has sent what was left, once, and in order to a FIFO queue."""
        found, expected = bodies(received(self.sqs, self.name)), [self.MESSAGES[12], *self.MESSAGES[20:]]
        assert found == expected if self.target.is_fifo else sorted(found) == sorted(expected)


RETRY = ss.Retry(max_attempts=2, interval=timedelta(minutes=1), backoff_rate=1)


@pytest.mark.parametrize("name", ["tasks.fifo", "tasks"])
def test_the_runner_sends_again_what_was_not_accepted(stack: Stack, account: str, name: str) -> None:
    refusal = Refusal(stack, account, name)
    with closing(stack.backend()) as backend:
        client = ss.SchedulerClient(backend)
        client.create(make_job(refusal.target, retry=RETRY))
        stack.play(T0 + HOUR)
        refusal.check_first()
        refusal.allow(2048)
        stack.play(T0 + HOUR + timedelta(minutes=1))
        refusal.check_second()
        (run,) = client.runs("fan")
        assert (run.status, run.attempt) == (ss.RunStatus.SUCCEEDED, 2)


def test_a_run_fails_when_a_message_is_never_accepted(stack: Stack, account: str) -> None:
    """No message of a later batch overtakes it, and the next run begins with the first message again."""
    refusal = Refusal(stack, account, "tasks.fifo")
    with closing(stack.backend()) as backend:
        client = ss.SchedulerClient(backend)
        client.create(make_job(refusal.target, retry=RETRY, dead_letter=stack.queue("dead")))
        stack.play(T0 + HOUR + timedelta(minutes=10))
        refusal.check_first()
        (run,) = client.runs("fan")
        assert (run.status, run.attempt) == (ss.RunStatus.FAILED, 3)
        assert "Sqs." in str(run.error)
        assert "messages[12]: " in str(run.error)
        assert stack.messages("dead") == ["{}"]
        refusal.allow(2048)
        stack.play(T0 + 2 * HOUR)
        assert bodies(received(stack.sqs)) == list(refusal.MESSAGES)


def test_each_ten_messages_are_one_call(stack: Stack, account: str) -> None:
    target = ss.FanOutTarget(queue(stack.sqs, account), ["equal"] * 101, message_group_id="1337")
    with closing(stack.backend()) as backend:
        client = ss.SchedulerClient(backend)
        client.create(make_job(target))
        (name,) = stack.executions()
        stack.play(T0 + HOUR)
        arn = stack.machine_arn.replace(":stateMachine:", ":execution:") + f":{name}"
        pages = stack.states.get_paginator("get_execution_history").paginate(executionArn=arn)
        events = [event["type"] for page in pages for event in page["events"]]
        assert events.count("TaskStateEntered") == 4 + 11  # load, take, fence, 11 batches, record
        assert len(received(stack.sqs)) == 101


# -- the other backends -------------------------------------------------------------------------------------


def test_a_schedule_sends_a_batch_and_equal_messages_of_all_firings(
    ministack: Ministack, account: str, aws: Callable[[str], Any]
) -> None:
    target = ss.FanOutTarget(queue(aws("sqs"), account), ["a", "b", "b", "a"], message_group_id="1337")
    _schedule(ministack, account, aws, make_job(target), T0, T0 + 2 * HOUR)
    found = received(aws("sqs"))
    assert bodies(found) == ["a", "b", "b", "a"] * 2
    check_ids(found)


def _schedule(
    server: Ministack,
    account: str,
    aws: Callable[[str], Any],
    job: ss.Job,
    since: datetime,
    until: datetime,
) -> None:
    """Creates a job on EventBridge Scheduler and plays time."""
    server.set_time(since)
    clock = FakeClock(since)
    backend = ss.EventBridgeBackend(
        "arn:aws:iam::123456789012:role/scheduler",
        endpoint_url=server.endpoint_url,
        session=make_session(account),
        clock=clock,
        workers=2,
    )
    try:
        with closing(backend):
            client = ss.SchedulerClient(backend)
            client.create(job)
            assert client.get(job.name).job == job
            assert client.plan([job]).unchanged == (job.name,)
            stored = aws("scheduler").get_schedule(Name=job.name)
            assert stored["ScheduleExpression"] == job.schedule.expression
            assert stored["ScheduleExpressionTimezone"] == getattr(job.schedule, "timezone", None)
            assert stored["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:sqs:sendMessageBatch"
            Player(server, clock, client, aws("scheduler")).play(until, lambda _: None)
    finally:
        delete_schedules(aws("scheduler"))
        server.reset_time()


def test_a_rendered_machine_sends_all_in_order(aws: Callable[[str], Any], account: str) -> None:
    target = ss.FanOutTarget(queue(aws("sqs"), account), MANY, message_group_id="1337")
    job = make_job(target, schedule=EACH_HOUR.replace(end=T0 + 2.5 * HOUR))
    machine = ss.render_asl(job)
    assert machine.check() == []
    run_machine(aws("stepfunctions"), machine.to_json(), {"after": "2030-01-07T00:00:00Z"})
    found = received(aws("sqs"))
    assert bodies(found) == MANY * 2
    check_ids(found)


@pytest.mark.parametrize("parallel", [False, True], ids=["alone", "parallel"])
def test_a_rendered_machine_sends_again_what_was_not_accepted(
    stack: Stack, account: str, parallel: bool
) -> None:
    refusal = Refusal(stack, account, "tasks.fifo")
    other = ss.FanOutTarget(queue(stack.sqs, account, "others"), ["x"] * 11)
    target = ss.ParallelTarget([other, refusal.target]) if parallel else refusal.target
    machine = ss.render_asl(make_job(target, retry=RETRY))
    made = stack.states.create_state_machine(
        name="rendered", definition=machine.to_json(), roleArn="arn:aws:iam::123456789012:role/machine"
    )
    started = stack.states.start_execution(
        stateMachineArn=made["stateMachineArn"], input=json.dumps({"after": "2030-01-07T00:00:00Z"})
    )
    stack.play(T0 + HOUR)
    refusal.check_first()
    refusal.allow(2048)
    stack.play(T0 + HOUR + timedelta(minutes=1))
    refusal.check_second()
    assert bodies(received(stack.sqs, "others")) == ["x"] * 11 * parallel
    stack.states.stop_execution(executionArn=started["executionArn"])


# -- the lab: two greetings before the year 2038 ------------------------------------------------------------


def greeting(target: ss.Target) -> ss.Job:
    return ss.Job(name="cdklab", schedule=NEW_YEAR_S_EVE, target=target, completion=ss.Completion.KEEP)


@pytest.mark.parametrize("where", ["runner", "schedule", "machine"])
def test_two_greetings_arrive_on_new_year_s_eve(
    ministack: Ministack, account: str, aws: Callable[[str], Any], where: str
) -> None:
    target = ss.FanOutTarget(queue(aws("sqs"), account), GREETINGS, message_group_id="1337")
    job, before = greeting(target), DUE - HOUR
    if where == "schedule":
        taipei = timedelta(hours=8)  # the emulator reads one-time expressions in UTC
        _schedule(ministack, account, aws, job, before, DUE + taipei)
    elif where == "machine":
        run_machine(aws("stepfunctions"), ss.render_asl(job).to_json())
    else:
        stack = Stack(ministack, account, aws, FakeClock(before))
        try:
            with closing(stack.backend()) as backend:
                client = ss.SchedulerClient(backend)
                assert client.create(job).next_run == DUE
                stack.play(DUE - timedelta(seconds=1))
                assert received(stack.sqs) == []
                stack.play(DUE)
                (run,) = client.runs("cdklab")
                assert (run.scheduled_for, run.status) == (DUE, ss.RunStatus.SUCCEEDED)
        finally:
            ministack.release_waits()
    found = received(aws("sqs"))
    assert bodies(found) == GREETINGS
    check_ids(found)


def test_two_greetings_are_handled_in_this_process() -> None:
    handled = list[tuple[object, object, datetime]]()
    backend = ss.LocalBackend(clock=FakeClock(DUE - 400 * 24 * HOUR))
    backend.register(
        ss.FanOutTarget, lambda target, given, run: handled.append((target, given, run.scheduled_for))
    )
    target = ss.FanOutTarget(
        f"arn:aws:sqs:{REGION}:123456789012:tasks.fifo", GREETINGS, message_group_id="1337"
    )
    with closing(backend):
        ss.SchedulerClient(backend).create(greeting(target))
        backend.run_until(DUE - timedelta(seconds=1))
        assert handled == []
        backend.run_until(DUE)
    assert handled == [(target, text, DUE) for text in GREETINGS]
