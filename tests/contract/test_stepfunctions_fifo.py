"""On Step Functions each run of a job has a deduplication ID of its own, the same for all its attempts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.testing import FakeClock
from tests.contract.stepfunctions import Stack
from tests.parts.ministack import REGION, Ministack

T0 = datetime.fromisoformat("2030-01-07T00:00:00+00:00")
HOUR = timedelta(hours=1)


@pytest.fixture
def stack(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> Iterator[Stack]:
    stack = Stack(ministack, account, aws, FakeClock(T0))
    stack.sqs.create_queue(QueueName="due.fifo", Attributes={"FifoQueue": "true"})
    yield stack
    ministack.release_waits()


@pytest.fixture
def client(stack: Stack) -> Iterator[ss.SchedulerClient]:
    backend = stack.backend()
    yield ss.SchedulerClient(backend)
    backend.close()


def job(stack: Stack, **changes: Any) -> ss.Job:
    queue = ss.QueueTarget(f"arn:aws:sqs:{REGION}:{stack.account}:due.fifo", message_group_id="g")
    return ss.Job(name="job", schedule=ss.Cron("0 * * * ? *"), target=queue, input="equal").replace(**changes)


def received(stack: Stack) -> list[tuple[str, str]]:
    """Body and deduplication ID of each message."""
    url = stack.sqs.get_queue_url(QueueName="due.fifo")["QueueUrl"]
    found = list[tuple[str, str]]()
    while messages := stack.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]
    ).get("Messages"):
        for each in messages:
            found.append((each["Body"], each["Attributes"]["MessageDeduplicationId"]))
            stack.sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return found


def test_equal_messages_of_runs_at_one_instant_all_arrive(stack: Stack, client: ss.SchedulerClient) -> None:
    """Of the schedule, of ``run_now`` in the same second, and of a backfill."""
    client.create(job(stack))
    stack.play(T0 + HOUR)
    for _ in range(3):
        client.run_now("job")
    client.pause("job")
    filled = client.backfill("job", since=T0 - 2 * HOUR, until=T0)
    stack.play(T0 + HOUR)
    found = received(stack)
    assert [body for body, _ in found] == ["equal"] * (1 + 3 + len(filled))
    identifiers = [identifier for _, identifier in found]
    assert len(set(identifiers)) == len(found)
    form = r"[0-9a-f]{32}/20[0-9-]{8}T[0-9:]{8}Z(#[0-9a-f]+)?"
    assert all(re.fullmatch(form, each) and len(each) <= 128 for each in identifiers)


def test_an_input_with_attributes_is_filled_beside_them(stack: Stack, client: ss.SchedulerClient) -> None:
    client.create(job(stack, input={"at": ss.context.SCHEDULED_TIME}))
    stack.play(T0 + 2 * HOUR)
    assert [body for body, _ in received(stack)] == [
        '{"at":"2030-01-07T01:00:00Z"}',
        '{"at":"2030-01-07T02:00:00Z"}',
    ]
