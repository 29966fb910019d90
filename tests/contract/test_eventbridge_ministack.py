"""EventBridge Scheduler keeps the contract on the emulator, which really fires, on a clock that is moved.

Not imported, for the emulator cannot show it:

- ``exact``: it ignores zones; a rate's first run is a whole interval after the creation; its clock is some
  seconds ahead, so that nothing fires at the very end of a window; and a job that is resumed may fire at once
  for what passed meanwhile.
- ``history`` and ``events``: they need a backend that keeps runs; that this one refuses is in ``refusals``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest

import stepsched as ss
from stepsched.testing import FakeClock
from stepsched.testing.contract.bulk import *  # noqa: F403
from stepsched.testing.contract.enabling import *  # noqa: F403
from stepsched.testing.contract.firing import *  # noqa: F403
from stepsched.testing.contract.fixtures import *  # noqa: F403
from stepsched.testing.contract.fixtures import MONDAY, Calls, MakeForeign, Play
from stepsched.testing.contract.foreign import *  # noqa: F403
from stepsched.testing.contract.names import *  # noqa: F403
from stepsched.testing.contract.pausing import *  # noqa: F403
from stepsched.testing.contract.refusals import *  # noqa: F403
from stepsched.testing.contract.verbs import *  # noqa: F403
from stepsched.testing.contract.zones import *  # noqa: F403
from tests.parts.ministack import REGION, Ministack
from tests.sessions import new_session

ROLE = "arn:aws:iam::123456789012:role/scheduler"
RUNS = "stepsched-run-"
ON_MOTO_TOO = ("bulk", "enabling", "foreign", "names", "pausing", "refusals", "verbs", "zones")
ONE_IN = {f"stepsched.testing.contract.{name}": 3 for name in ON_MOTO_TOO}
"""The gate plays all of ``firing`` here, and of what test_eventbridge_moto.py plays whole a share."""


def make_session(account: str) -> boto3.Session:
    return new_session(aws_access_key_id=account, aws_secret_access_key="test", region_name=REGION)


class Inbox:
    """A queue of the account, to be read to its end."""

    def __init__(self, sqs: Any, name: str, **attributes: str) -> None:
        self._sqs = sqs
        self.url: str = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        answer = sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn: str = answer["Attributes"]["QueueArn"]

    def read(self, *, wait: int = 0) -> list[str]:
        """The messages that have come, which are then deleted.

        Args:
            wait: Seconds to wait for the first one.
        """
        bodies = list[str]()
        while messages := self._sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=0 if bodies else wait
        ).get("Messages"):
            for message in messages:
                bodies.append(message["Body"])
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return bodies


class Player:
    """Moves the clocks of the emulator and of a backend together, from one due instant to the next.

    The emulator's clock runs on at its usual speed between the moves, and a move goes as far as that of the
    backend's: so it is always a little ahead, and an interval that is counted from a firing is over.
    """

    def __init__(
        self, server: Ministack, clock: FakeClock, client: ss.SchedulerClient, scheduler: Any
    ) -> None:
        self._server, self._clock, self._client, self._scheduler = server, clock, client, scheduler

    def play(self, until: datetime, arrived: Callable[[datetime], object]) -> None:
        """Plays time.

        Args:
            until: Inclusive.
            arrived: Called after each move, and before the first, with the instant that it is then.
        """
        arrived(self._clock.now())
        while True:
            instant = min((stop for stop in self._stops() if stop <= until), default=until)
            ahead = self._server.now() - self._clock.now()
            self._server.set_time(instant + ahead)
            self._clock.move_to(instant)
            arrived(instant)
            if instant == until:
                return

    def _stops(self) -> set[datetime]:
        """What is due later: next runs, single runs, and the starts of windows, which the emulator must not
        jump over, for it knows no earlier time of a cron than the first at which it saw it within."""
        stops = set[datetime]()
        for record in self._client.list():
            stops.update(each for each in (record.next_run, _start(record.job)) if each is not None)
        for entry in self._scheduler.list_schedules(NamePrefix=RUNS)["Schedules"]:
            found = self._scheduler.get_schedule(Name=entry["Name"], GroupName=entry["GroupName"])
            match = re.fullmatch(r"at\((.*)\)", found["ScheduleExpression"])
            assert match is not None
            stops.add(datetime.fromisoformat(match[1]).replace(tzinfo=timezone.utc))
        return {stop for stop in stops if stop > self._clock.now()}


def _start(job: ss.Job) -> datetime | None:
    return None if isinstance(job.schedule, ss.OneTime | ss.Windowed) else job.schedule.start


@pytest.fixture
def inbox(aws: Callable[[str], Any]) -> Inbox:
    return Inbox(aws("sqs"), "inbox")


@pytest.fixture
def backend(ministack: Ministack, account: str, clock: FakeClock) -> Iterator[ss.EventBridgeBackend]:
    ministack.set_time(MONDAY)
    backend = ss.EventBridgeBackend(
        ROLE,
        endpoint_url=ministack.endpoint_url,
        session=make_session(account),
        clock=clock,
        workers=4,
    )
    yield backend
    backend.close()


@pytest.fixture
def run_now_within() -> timedelta:
    return timedelta(minutes=2)


@pytest.fixture
def target(inbox: Inbox) -> ss.Target:
    return ss.QueueTarget(inbox.arn)


@pytest.fixture
def calls() -> Calls:
    return []


@pytest.fixture
def play(
    ministack: Ministack,
    clock: FakeClock,
    client: ss.SchedulerClient,
    aws: Callable[[str], Any],
    inbox: Inbox,
    calls: Calls,
) -> Play:
    player = Player(ministack, clock, client, aws("scheduler"))

    def arrived(instant: datetime) -> None:
        calls.extend((json.loads(body)["job"], instant) for body in inbox.read())

    return lambda until: player.play(until, arrived)


@pytest.fixture
def tolerance() -> timedelta:
    """The emulator's clock runs on while the backend's stands still."""
    return timedelta(minutes=2)


@pytest.fixture
def many() -> int:
    """The emulator's list drops what exceeds a hundred."""
    return 90


@pytest.fixture
def foreign(aws: Callable[[str], Any], inbox: Inbox) -> MakeForeign:
    def make(name: str) -> None:
        aws("scheduler").create_schedule(
            Name=name,
            ScheduleExpression="cron(0 9 * * ? *)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": inbox.arn, "RoleArn": "arn:aws:iam::123456789012:role/theirs", "Input": "{}"},
        )

    return make
