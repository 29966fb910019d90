"""What a dead-letter queue holds, read back as runs."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.eventbridge.dead_letters import read_dead_letter
from stepsched.backends.eventbridge.single_runs import run_name

UTC = timezone.utc
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:dead"
ARN = "arn:aws:scheduler:eu-west-1:123456789012:schedule/reports/nightly"
TARGET = "arn:aws:scheduler:::aws-sdk:lambda:invoke"
ATTRIBUTES = {
    "ERROR_CODE": "AWS.Scheduler.InternalServerError",
    "ERROR_MESSAGE": "Unexpected error occurred while processing the request",
    "EXECUTION_ID": "d32c5kddcf5bb8c3",
    "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
    "IS_PAYLOAD_TRUNCATED": "false",
    "RETRY_ATTEMPTS": "3",
    "SCHEDULED_TIME": "2030-01-07T12:00:00Z",
    "SCHEDULE_ARN": ARN,
    "TARGET_ARN": TARGET,
}


def message(**attributes: str | None) -> dict[str, Any]:
    given = {key: value for key, value in (ATTRIBUTES | attributes).items() if value is not None}
    return {
        "MessageId": "m-1",
        "ReceiptHandle": "receipt",
        "Body": '{"a":1}',
        "Attributes": {"SentTimestamp": "1893974400123"},
        "MessageAttributes": {
            key: {"StringValue": value, "DataType": "String"} for key, value in given.items()
        },
    }


def letter(**attributes: str | None) -> ss.eventbridge.DeadLetter:
    found = read_dead_letter(message(**attributes), QUEUE)
    assert found is not None
    return found


def test_all_nine_attributes_are_told() -> None:
    found = letter()
    assert found == ss.eventbridge.DeadLetter(
        id=found.id,
        job="nightly",
        scheduled_for=datetime(2030, 1, 7, 12, tzinfo=UTC),
        status=ss.RunStatus.FAILED,
        trigger=ss.jobs.Trigger.SCHEDULE,
        attempt=4,
        ended_at=datetime(2030, 1, 7, 0, 0, 0, 123_000, tzinfo=UTC),
        error="AWS.Scheduler.InternalServerError: Unexpected error occurred while processing the request",
        schedule_arn=ARN,
        group="reports",
        target_arn=TARGET,
        error_code="AWS.Scheduler.InternalServerError",
        error_message="Unexpected error occurred while processing the request",
        execution_id="d32c5kddcf5bb8c3",
        exhausted="MaximumRetryAttempts",
        payload='{"a":1}',
        truncated=False,
        queue_arn=QUEUE,
        message_id="m-1",
        receipt_handle="receipt",
    )


@pytest.mark.parametrize(
    ("missing", "field", "value"),
    [
        pytest.param("ERROR_CODE", "error_code", "", id="code"),
        pytest.param("ERROR_MESSAGE", "error_message", "", id="message"),
        pytest.param("EXECUTION_ID", "execution_id", "", id="execution"),
        pytest.param("EXHAUSTED_RETRY_CONDITION", "exhausted", None, id="permanent error"),
        pytest.param("IS_PAYLOAD_TRUNCATED", "truncated", False, id="truncation"),
        pytest.param("RETRY_ATTEMPTS", "attempt", 1, id="attempts"),
        pytest.param("TARGET_ARN", "target_arn", "", id="target"),
    ],
)
def test_an_attribute_that_is_missing_is_told_as_nothing(missing: str, field: str, value: object) -> None:
    found = letter(**{missing: None})
    assert getattr(found, field) == value
    assert found.job == "nightly"


@pytest.mark.parametrize(
    ("text", "truncated"), [("true", True), ("True", True), ("false", False), ("", False)]
)
def test_a_truncated_payload_is_told(text: str, truncated: bool) -> None:
    assert letter(IS_PAYLOAD_TRUNCATED=text).truncated is truncated


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"SCHEDULE_ARN": None}, id="no schedule"),
        pytest.param(
            {"SCHEDULE_ARN": "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/a"}, id="a group"
        ),
        pytest.param({"SCHEDULE_ARN": "arn:aws:scheduler:eu-west-1:123456789012:schedule/a"}, id="no name"),
        pytest.param({"SCHEDULED_TIME": None}, id="no time"),
        pytest.param({"SCHEDULED_TIME": "soon"}, id="no moment"),
        pytest.param({"SCHEDULED_TIME": "0001-01-01T00:00:00+10:00"}, id="before the beginning of time"),
    ],
)
def test_a_message_that_is_not_the_services_is_none(attributes: dict[str, str | None]) -> None:
    assert read_dead_letter(message(**attributes), QUEUE) is None


def test_a_message_of_others_without_any_attribute_is_none() -> None:
    assert read_dead_letter({"MessageId": "m", "ReceiptHandle": "r", "Body": "hello"}, QUEUE) is None


@pytest.mark.parametrize("number", ["", "x", "-1", "1.5", "²"])
def test_a_number_that_is_none_counts_as_no_retry(number: str) -> None:
    assert letter(RETRY_ATTEMPTS=number).attempt == 1


@pytest.mark.parametrize(
    "text", ["2030-01-07T12:00:00Z", "2030-01-07T12:00:00", "2030-01-07T13:00:00+01:00"], ids=str
)
def test_the_scheduled_instant_is_in_utc(text: str) -> None:
    found = letter(SCHEDULED_TIME=text)
    assert found.scheduled_for == datetime(2030, 1, 7, 12, tzinfo=UTC)
    assert found.scheduled_for.tzinfo is UTC


def test_a_single_run_belongs_to_its_job_and_was_asked_for() -> None:
    found = letter(SCHEDULE_ARN=ARN.replace("nightly", run_name("nightly", "key")))
    assert (found.job, found.trigger, found.group) == ("nightly", ss.jobs.Trigger.MANUAL, "reports")


def test_without_the_moment_of_sending_no_end_is_known() -> None:
    bare = message()
    del bare["Attributes"]
    found = read_dead_letter(bare, QUEUE)
    assert found is not None
    assert found.ended_at is None


def test_later_messages_have_larger_numbers_and_no_two_the_same() -> None:
    def number(identity: str, sent: int) -> int:
        it = message() | {"MessageId": identity, "Attributes": {"SentTimestamp": str(sent)}}
        found = read_dead_letter(it, QUEUE)
        assert found is not None
        return found.id

    assert number("a", 1_000) < number("b", 1_001)
    assert len({number(str(n), 1_000) for n in range(100)}) == 100


def test_a_dead_letter_survives_its_json() -> None:
    assert ss.eventbridge.DeadLetter.model_validate_json(letter().model_dump_json()) == letter()
