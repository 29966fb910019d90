"""The application of one-shot tasks over the backends of AWS: EventBridge on moto, Step Functions on
ministack."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

import stepsched as ss
from stepsched.http import one_shot_app
from stepsched.testing import FakeClock
from tests.contract.stepfunctions import Stack
from tests.parts.ministack import Ministack
from tests.unit.http.one_shot.asking import NOON, SECOND, SECRET, Service

ROLE = "arn:aws:iam::123456789012:role/scheduler"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:inbox"


@pytest.fixture
def scheduled() -> Iterator[Service]:
    """The application over EventBridge Scheduler."""
    with mock_aws():
        clock = FakeClock(NOON)
        session = boto3.Session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name="eu-west-1"
        )
        backend = ss.EventBridgeBackend(ROLE, session=session, clock=clock)
        client = ss.SchedulerClient(backend)
        yield Service(one_shot_app(client, secret=SECRET, target=ss.QueueTarget(QUEUE)), client, clock)
        backend.close()


@pytest.fixture
def stack(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> Iterator[Stack]:
    yield Stack(ministack, account, aws, FakeClock(NOON))
    ministack.release_waits()


@pytest.fixture
def waited(stack: Stack) -> Iterator[Service]:
    """The application over Step Functions."""
    backend = stack.backend()
    client = ss.SchedulerClient(backend)
    yield Service(one_shot_app(client, secret=SECRET, target=stack.inbox), client, stack.clock)
    backend.close()


def test_eventbridge_gets_the_event_at_the_next_whole_second(scheduled: Service) -> None:
    arn = scheduled.schedule(NOON + timedelta(seconds=90.25), {"name": "Luke"})
    (record,) = scheduled.client.list()
    assert arn == f"urn:stepsched:task:{record.name}"
    assert record.job.schedule == ss.OneTime(NOON + 91 * SECOND)
    assert record.job.input == {"timestamp": "2030-01-07T12:01:30.250000+00:00", "message": {"name": "Luke"}}
    assert scheduled.get("/tasks", {"x-secret": SECRET}).json()["tasks"][0]["due"] == "2030-01-07T12:01:31Z"


def test_a_past_instant_is_a_few_seconds_ahead_on_eventbridge(scheduled: Service) -> None:
    scheduled.schedule(NOON - timedelta(days=1))
    (record,) = scheduled.client.list()
    assert record.next_run == NOON + 2 * SECOND


def test_tasks_of_eventbridge_are_cancelled_and_repeated_by_key(scheduled: Service) -> None:
    at = NOON + timedelta(days=1)
    headers = {"idempotency-key": "k"}
    body = {"timestamp": at.isoformat(), "message": "m", "secret": SECRET}
    first, again = (scheduled.ask("/schedule", body, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert scheduled.ask("/schedule", {**body, "message": 1}, headers=headers).status_code == 422
    arn = first.json()["msg"]["executionArn"]
    assert [scheduled.cancel(arn).status_code for _ in range(2)] == [200, 404]
    assert scheduled.client.list() == []


def test_events_need_a_backend_that_records_them(scheduled: Service) -> None:
    answer = scheduled.get("/events", {"x-secret": SECRET})
    assert answer.status_code == 501
    assert "does not record events" in answer.json()["errors"][0]
    assert "200" not in scheduled.get("/openapi.json").json()["paths"]["/events"]["get"]["responses"]
    assert scheduled.get("/healthz").json() == {"status": "ok", "reason": None}


def test_a_backend_of_aws_needs_a_target(scheduled: Service) -> None:
    with pytest.raises(ss.UnsupportedError, match="AWS cannot invoke a Python function"):
        one_shot_app(scheduled.client)


def test_step_functions_delivers_the_event(waited: Service, stack: Stack) -> None:
    later = waited.schedule(NOON + 30 * SECOND, {"name": "Luke"})
    waited.schedule(NOON - 30 * SECOND, "past")
    kept = waited.schedule(NOON + timedelta(days=1), "tomorrow")
    stack.play(NOON + 10 * SECOND)
    assert [json.loads(each)["message"] for each in stack.messages()] == ["past"]
    stack.play(NOON + 60 * SECOND)
    event = {"timestamp": (NOON + 30 * SECOND).isoformat(), "message": {"name": "Luke"}}
    assert [json.loads(each) for each in stack.messages()] == [event]
    answer = waited.cancel(later)
    assert answer.status_code == 410
    assert "was delivered at 2030-01-07T12:00:30" in answer.json()["errors"][0]
    assert [waited.cancel(kept).status_code for _ in range(2)] == [200, 404]
    stack.play(NOON + timedelta(days=2))
    assert stack.messages() == []


def test_a_message_that_the_service_would_change_is_refused(scheduled: Service) -> None:
    body = {"timestamp": NOON.isoformat(), "message": "<aws.scheduler.execution-id>", "secret": SECRET}
    answer = scheduled.ask("/schedule", body)
    assert answer.status_code == 400
    assert "holds text that the service would replace" in answer.json()["errors"][0]
    assert scheduled.client.list() == []
