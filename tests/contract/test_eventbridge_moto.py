"""EventBridge Scheduler keeps the contract, as far as moto can show: it stores, and nothing ever fires.

Not imported, for moto cannot show it:

- ``firing`` and ``exact``: nothing fires, and a one-time job is not deleted after its time.
- ``history`` and ``events``: they need a backend that keeps runs; that this one refuses is in ``refusals``.

moto checks hardly anything of a request, so the documented bounds of dates and lengths are checked here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

import stepsched as ss
from stepsched.backends.eventbridge.single_runs import run_name
from stepsched.testing import FakeClock
from stepsched.testing.contract.bulk import *  # noqa: F403
from stepsched.testing.contract.enabling import *  # noqa: F403
from stepsched.testing.contract.fixtures import *  # noqa: F403
from stepsched.testing.contract.fixtures import GROUPS, MONDAY, MakeForeign, MakeJob, Play
from stepsched.testing.contract.foreign import *  # noqa: F403
from stepsched.testing.contract.names import *  # noqa: F403
from stepsched.testing.contract.pausing import *  # noqa: F403
from stepsched.testing.contract.refusals import *  # noqa: F403
from stepsched.testing.contract.verbs import *  # noqa: F403
from stepsched.testing.contract.zones import *  # noqa: F403
from tests.sessions import new_session

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
REGION = "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/scheduler"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:inbox"


class Bounds:
    """What AWS documents of a schedule's dates and lengths, for every request that is sent."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def __call__(self, params: dict[str, Any], **_: object) -> None:
        start, end = params.get("StartDate"), params.get("EndDate")
        if start is not None:
            assert start >= self._clock.now() - timedelta(minutes=5), "StartDate lies in the past"
            assert not start.microsecond
            assert end is None or start < end, "StartDate does not lie before EndDate"
        assert end is None or not end.microsecond
        assert len(params["Description"]) <= 512
        assert len(params["ScheduleExpression"]) <= 256
        assert 1 <= len(params.get("ClientToken", "the SDK makes one")) <= 64
        assert 1 <= len(params["Target"]["Input"].encode()) <= 262_144
        assert params["FlexibleTimeWindow"].get("MaximumWindowInMinutes", 1) in range(1, 1_441)


@pytest.fixture
def session(clock: FakeClock) -> Iterator[boto3.Session]:
    """A session of an empty account that has the suite's groups: moto answers a missing one with a failure of
    its own, which looks like an outage of the service."""
    with mock_aws():
        session = new_session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        for operation in ("CreateSchedule", "UpdateSchedule"):
            session.events.register(f"provide-client-params.scheduler.{operation}", Bounds(clock))
        scheduler = session.client("scheduler")
        for group in GROUPS:
            scheduler.create_schedule_group(Name=group)
        yield session


@pytest.fixture
def backend(session: boto3.Session, clock: FakeClock) -> Iterator[ss.EventBridgeBackend]:
    backend = ss.EventBridgeBackend(ROLE, session=session, clock=clock, workers=4)
    yield backend
    backend.close()


@pytest.fixture
def target() -> ss.Target:
    return ss.QueueTarget(QUEUE)


@pytest.fixture
def play(clock: FakeClock) -> Play:
    """Nothing fires: time alone passes."""
    return clock.move_to


@pytest.fixture
def tolerance() -> timedelta:
    """moto dates by the machine's clock, which is years behind the suite's."""
    return timedelta(days=365 * 20)


@pytest.fixture
def many() -> int:
    """More than a page of the service's list."""
    return 120


@pytest.fixture
def foreign(session: boto3.Session) -> MakeForeign:
    scheduler = session.client("scheduler")

    def make(name: str) -> None:
        scheduler.create_schedule(
            Name=name,
            Description="Somebody's own",
            ScheduleExpression="cron(0 9 * * ? *)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": QUEUE, "RoleArn": "arn:aws:iam::123456789012:role/theirs", "Input": "{}"},
        )

    return make


@pytest.mark.parametrize(
    "schedule",
    [
        ss.Cron("0 9 * * ? *", start=MONDAY + HOUR),
        ss.Cron("0 9 * * ? *", start=MONDAY - HOUR, end=MONDAY + 9 * DAY),
        ss.Rate(HOUR),
        ss.Rate(HOUR, end=MONDAY + 9 * DAY),
        ss.Rate(HOUR, start=MONDAY - 9 * DAY - HOUR / 2, end=MONDAY + 9 * DAY),
        ss.OneTime("2030-07-01T09:00+05:30"),
        ss.Windowed(MONDAY - DAY, every=ss.Frequency(days=2), end=MONDAY + 9 * DAY),
    ],
    ids=str,
)
def test_the_longest_description_that_is_not_refused_has_room_at_all_times(
    client: ss.SchedulerClient, job: MakeJob, play: Play, schedule: ss.Schedule
) -> None:
    """With Bounds in the way: a job of any age is created, paused, resumed and changed."""

    def accepted(length: int) -> bool:
        try:
            client.backend.check(job(schedule=schedule, description="d" * length))
        except ss.UnsupportedError:
            return False
        return True

    longest = next(length for length in range(512, 0, -1) if accepted(length))
    whole = job(schedule=schedule, description="d" * longest)
    client.create(whole)
    for day in range(3):
        play(MONDAY + day * DAY + HOUR / 4)
        client.pause("job")
        client.resume("job")
        assert client.get("job").job == whole
        client.update(whole.replace(input=day))
        assert client.get("job").job == whole.replace(input=day)
        client.update(whole)


Letter = Callable[[str], None]


@pytest.fixture
def letter(session: boto3.Session) -> Letter:
    """Puts a message into the queue, as the service does of a run at 17:00 UTC that it could not deliver."""
    sqs = session.client("sqs")
    url = sqs.create_queue(QueueName=QUEUE.rpartition(":")[2])["QueueUrl"]

    def put(name: str) -> None:
        attributes = {
            "SCHEDULE_ARN": f"arn:aws:scheduler:{REGION}:123456789012:schedule/default/{name}",
            "SCHEDULED_TIME": "2030-01-31T17:00:00Z",
            "ERROR_CODE": "AccessDenied",
        }
        typed: Any = {key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()}
        sqs.send_message(QueueUrl=url, MessageBody="{}", MessageAttributes=typed)

    return put


def test_letters_are_told_in_the_zone_of_their_schedule(
    client: ss.SchedulerClient, backend: ss.EventBridgeBackend, job: MakeJob, letter: Letter
) -> None:
    tokyo = ss.Cron("0 2 * * ? *", timezone="Asia/Tokyo")
    client.create(job("tokyo", schedule=tokyo))
    client.create(job("utc"))
    for name in ("tokyo", "utc", "gone", run_name("tokyo", "key")):
        letter(name)
    found = {each.schedule_arn.rpartition("/")[2]: each for each in backend.dead_letters(QUEUE)}
    told = {name: each.scheduled_for.isoformat() for name, each in found.items()}
    assert told == {
        "tokyo": "2030-02-01T02:00:00+09:00",
        "utc": "2030-01-31T17:00:00+00:00",
        "gone": "2030-01-31T17:00:00+00:00",
        run_name("tokyo", "key"): "2030-02-01T02:00:00+09:00",
    }
    again = client.redrive(found["tokyo"])
    assert again.scheduled_for.isoformat() == "2030-02-01T02:00:00+09:00"
    assert [each.job for each in backend.dead_letters(QUEUE, limit=9)].count("tokyo") == 1


def test_letters_are_told_where_the_schedule_cannot_be_read(
    session: boto3.Session, backend: ss.EventBridgeBackend, foreign: MakeForeign, letter: Letter
) -> None:
    foreign("odd")
    letter("odd")

    def unreadable(parsed: dict[str, Any], **_: object) -> None:
        parsed["ScheduleExpression"] = "moon(full)"

    session.events.register("after-call.scheduler.GetSchedule", unreadable)
    (found,) = backend.dead_letters(QUEUE)
    assert found.scheduled_for.isoformat() == "2030-01-31T17:00:00+00:00"


def test_a_disabled_job_is_created_disabled_by_one_request(
    session: boto3.Session, clock: FakeClock, job: MakeJob
) -> None:
    sent = list[tuple[str, str]]()

    def note(request: Any, **_: object) -> None:
        if request.method != "GET":
            sent.append((request.method, json.loads(request.body)["State"]))

    session.events.register_first("before-send.scheduler", note)
    with ss.EventBridgeBackend(ROLE, session=session, clock=clock) as backend:
        client = ss.SchedulerClient(backend)
        client.create(job(enabled=False))
        client.update(job())
        client.update(job(enabled=False))
    assert sent == [("POST", "DISABLED"), ("PUT", "ENABLED"), ("PUT", "DISABLED")]
