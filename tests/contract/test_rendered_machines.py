"""Rendered machines run on an emulator that really runs them, and do exactly what ``runs()`` says.

Waits are skipped, so that years of runs, and all the executions that they take, pass in seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.asl.render.loop import machine_of
from tests.parts.state_machines import Run, run_machine

UTC = timezone.utc
START = datetime(2030, 1, 1, tzinfo=UTC)
Clients = Callable[[str], Any]


class Account:
    """The emulator's account of one test: its queues, and what they got."""

    def __init__(self, aws: Clients) -> None:
        self.sqs, self.states = aws("sqs"), aws("stepfunctions")
        self.number = aws("sts").get_caller_identity()["Account"]
        self.urls: dict[str, str] = {}

    def queue(self, name: str = "due") -> ss.QueueTarget:
        attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        self.urls[name] = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return ss.QueueTarget(
            f"arn:aws:sqs:us-east-1:{self.number}:{name}", message_group_id="all" if attributes else None
        )

    def messages(self, name: str = "due") -> list[str]:
        """All bodies, in the order in which they were sent."""
        found: list[tuple[int, str]] = []
        while True:
            got = self.sqs.receive_message(
                QueueUrl=self.urls[name], MaxNumberOfMessages=10, AttributeNames=["All"]
            ).get("Messages", [])
            if not got:
                return [body for _, body in sorted(found, key=lambda pair: pair[0])]
            for message in got:
                found.append((int(message["Attributes"]["SentTimestamp"]), message["Body"]))
                self.sqs.delete_message(QueueUrl=self.urls[name], ReceiptHandle=message["ReceiptHandle"])

    def play(self, job: ss.Job, after: datetime = START, *, max_events: int = 25_000) -> Run:
        machine = machine_of(job, max_events=max_events)
        assert machine.check() == []
        return run_machine(self.states, machine.to_json(), {"after": written(after)})


@pytest.fixture
def account(aws: Clients) -> Account:
    return Account(aws)


def written(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def due(schedule: Any, after: datetime, until: datetime | None = None) -> list[str]:
    return [written(run) for run in schedule.runs(after=after, until=until)]


SCHEDULES = [
    pytest.param(
        ss.Windowed(
            "2030-01-31T02:30", end="2031-03-31T02:30", every=ss.Frequency(months=1), timezone="Europe/Paris"
        ),
        id="monthly from the 31st in Paris",
    ),
    pytest.param(
        ss.Cron("30 2 ? 3,11 SUN *", timezone="America/New_York", end="2032-12-31T00:00Z"),
        id="cron about the changes in New York",
    ),
    pytest.param(
        ss.Cron("15 9 LW * ? *", timezone="Australia/Lord_Howe", end="2031-01-01T00:00Z"),
        id="last weekday of the month on Lord Howe",
    ),
    pytest.param(
        ss.Rate(timedelta(hours=7), start="2030-01-01T00:00Z", end="2030-01-12T00:00Z"),
        id="every seven hours",
    ),
    pytest.param(ss.OneTime("2031-05-05T05:05:05", timezone="Asia/Kolkata"), id="once"),
    pytest.param(
        ss.Windowed("2030-02-28T12:00", end="2040-01-01T00:00", every=ss.Frequency(years=1, days=1)),
        id="every year and a day",
    ),
]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_run_happens_once_over_many_executions(account: Account, schedule: Any) -> None:
    job = ss.Job(name="job", schedule=schedule, target=account.queue(), input=ss.context.SCHEDULED_TIME)
    run = account.play(job, max_events=300)
    assert account.messages() == due(schedule, START)
    assert [each.status for each in run.executions] == ["SUCCEEDED"] * len(run.executions)
    if not job.is_one_time:
        assert len(run.executions) >= 3, "it renewed itself twice at least"
