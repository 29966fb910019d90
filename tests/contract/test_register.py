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


STEPS: dict[str, list[tuple[str, Any]]] = {
    "a job changes, is paused, resumed and disabled": [
        ("put", {"schedule": LATER}),
        ("move", MINUTE),
        ("put", {"schedule": LATER, "input": {"a": 1}}),
        ("put", {"schedule": LATER, "input": {"a": 1}}),
        ("pause", "a while"),
        ("move", MINUTE),
        ("put", {"schedule": LATER, "input": {"a": 1}}),
        ("put", {"schedule": LATER, "input": {"a": 2}}),
        ("put", {"schedule": LATER, "input": {"a": 2}, "enabled": False}),
        ("move", MINUTE),
        ("put", {"schedule": LATER, "input": {"a": 2}, "enabled": True}),
        ("resume", None),
    ],
    "a rate keeps its grid, and another schedule begins anew": [
        ("put", {"schedule": ss.parse_schedule("rate(7 days)")}),
        ("move", 90 * MINUTE),
        ("put", {"schedule": ss.parse_schedule("rate(2 days)")}),
        ("put", {"schedule": ss.Windowed("2030-01-07T02:00", every=ss.Frequency(days=1))}),
        ("put", {"schedule": ss.parse_schedule("rate(2 days)")}),
        ("pause", None),
        ("move", 80 * MINUTE),
        ("put", {"schedule": ss.parse_schedule("rate(1 day)")}),
    ],
    "a one-time job becomes recurring, and the other way round": [
        ("put", {"schedule": ss.OneTime("2030-01-08T00:00")}),
        ("put", {"schedule": ss.Cron("0 0 8 1 ? *")}),
        ("put", {"schedule": ss.OneTime("2030-01-07T00:10")}),
        ("move", HOUR),
        ("put", {"schedule": ss.OneTime("2030-01-09T00:00")}),
        ("cancel", None),
        ("put", {"schedule": LATER}),
    ],
}


@pytest.mark.parametrize("title", STEPS)
def test_changes_leave_the_rows_of_the_client(pair: Pair, title: str) -> None:
    """After each step, the rows of the job and of its versions are equal."""
    play(pair, "job", STEPS[title])
    assert pair.our_client.repair() == []
    assert len(pair.ours.executions()) == len(pair.python.executions())


def play(pair: Pair, name: str, steps: list[tuple[str, Any]]) -> None:
    now = pair.ours.clock.now()
    for verb, given in steps:
        match verb:
            case "put":
                for stack, put in ((pair.python, pair.apply), (pair.ours, pair.ours.put)):
                    put(ss.Job(name=name, target=stack.inbox, **given))
            case "move":
                now += given
                pair.move(now)
            case "pause":
                pair.both(lambda client, why=given: client.pause(name, reason=why))
            case "resume":
                pair.both(lambda client: client.resume(name))
            case "cancel":
                pair.client.cancel(name)
                pair.ours.call(name=name, schedule="delete")
        pair.compare(name)
