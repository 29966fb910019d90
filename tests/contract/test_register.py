"""Register makes, changes and deletes jobs as the client in Python does, on an emulator that executes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from tests.contract.register_stack import Pair
from tests.parts.ministack import Ministack, clients

NOW = datetime(2030, 1, 7, tzinfo=timezone.utc)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ACCOUNT = "eu-west-1:123456789012"
QUEUE = ss.QueueTarget(f"arn:aws:sqs:{ACCOUNT}:q")
TOPIC = ss.TopicTarget(f"arn:aws:sns:{ACCOUNT}:news.fifo")
FUNCTION = ss.LambdaTarget(f"arn:aws:lambda:{ACCOUNT}:function:f")
LATER = ss.Cron("0 9 1 6 ? *", timezone="Europe/Paris")


@pytest.fixture
def pair(ministack: Ministack) -> Iterator[Pair]:
    with ExitStack() as opened:

        def aws_of(account: str) -> Callable[[str], Any]:
            return opened.enter_context(clients(ministack, account))

        two = Pair(ministack, aws_of, NOW)
        opened.callback(ministack.reset_time)
        opened.callback(two.close)
        yield two


JOBS = {
    "cron": {"schedule": LATER, "target": FUNCTION, "input": {"a": [1, [2]], "b.$": None, "c": {}}},
    "once": {"schedule": ss.OneTime("2030-06-01T09:00", timezone="America/New_York"), "target": FUNCTION},
    "window": {
        "schedule": ss.Windowed("2030-02-28T09:00", every=ss.Frequency(months=1), timezone="Asia/Kolkata"),
        "target": ss.StateMachineTarget(f"arn:aws:states:{ACCOUNT}:stateMachine:m"),
        "input": 'text with "quotes" and \\u0061 {% 1 %}',
        "overlap": ss.Overlap.SKIP,
    },
    "rate": {"schedule": ss.parse_schedule("rate(5 minutes)"), "target": QUEUE, "input": "plain"},
    "told": {
        "schedule": LATER,
        "target": TOPIC,
        "input": [1.5, "é𝄞"],
        "dead_letter": QUEUE,
        "notify": TOPIC,
        "retry": ss.Retry(max_attempts=1),
        "tags": {"team": "a"},
        "jitter": MINUTE,
    },
    "batch": {
        "schedule": LATER,
        "target": ss.BatchTarget(
            job_queue=f"arn:aws:batch:{ACCOUNT}:job-queue/q",
            job_definition=f"arn:aws:batch:{ACCOUNT}:job-definition/d",
            parameters={"n": ss.context.SCHEDULED_TIME},
        ),
    },
    "disabled": {"schedule": LATER, "target": FUNCTION, "input": None, "enabled": False},
}


def test_the_rows_are_those_of_the_client(pair: Pair) -> None:
    """Every kind of schedule and of target, with all policies, has equal rows whoever writes them."""
    for name, fields in JOBS.items():
        pair.put(ss.Job(name=f"job {name} <é𝄞>" if name != "batch" else name, **fields))
        pair.compare(f"job {name} <é𝄞>" if name != "batch" else name)
