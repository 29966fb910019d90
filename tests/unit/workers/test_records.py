"""The handler of a worker inside AWS Lambda. The events are those of Lambda's documentation."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.workers import QueueMessage

ARN = "arn:aws:sqs:us-east-2:123456789012:my-queue"


def record(number: int, body: str, group: str | None = None, count: int = 1) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event"""
    fifo = {} if group is None else {"MessageGroupId": group, "SequenceNumber": "18849496460467696128"}
    return {
        "messageId": f"059f36b4-87a3-44ab-83d2-{number:012d}",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(count),
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
            **fifo,
        },
        "messageAttributes": {
            "kind": {"stringValue": "x", "binaryValue": None, "dataType": "String"},
            "size": {"stringValue": "3", "dataType": "Number"},
            "raw": {"binaryValue": "AP8=", "dataType": "Binary"},
        },
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": ARN + (".fifo" if fifo else ""),
        "awsRegion": "us-east-2",
    }


class Context:
    """What Lambda passes."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def failures(answer: dict[str, Any]) -> list[int]:
    assert set(answer) == {"batchItemFailures"}
    return [int(each["itemIdentifier"][-12:]) for each in answer["batchItemFailures"]]


class Handler:
    """Fails for texts that begin with ``bad``, in any way."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.seen: list[QueueMessage] = []
        self._error = error or ValueError("no")

    def __call__(self, message: QueueMessage) -> None:
        self.seen.append(message)
        if message.body.startswith("bad"):
            raise self._error


def handle(message: QueueMessage) -> None: ...


def test_a_message_has_what_the_record_has() -> None:
    seen = list[QueueMessage]()

    def note(message: QueueMessage) -> None:
        seen.append(message)

    answer = ss.QueueWorker(ARN, note).lambda_handler({"Records": [record(1, "a", count=2)]}, Context())
    assert failures(answer) == []
    (message,) = seen
    assert (message.body, message.receive_count, message.group) == ("a", 2, None)
    assert message.attributes == {"kind": "x", "size": "3", "raw": b"\x00\xff"}
    assert message.sent_at is not None
    assert message.sent_at.isoformat() == "2018-12-17T21:37:29.183000+00:00"
    left = message.remaining_time()
    assert left is not None
    assert timedelta(seconds=30) < left <= timedelta(seconds=60)


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), KeyboardInterrupt()])
def test_only_failed_messages_are_reported(error: BaseException) -> None:
    texts = ["a", "bad", "b", "bad", "c"]
    event = {"Records": [record(number, text) for number, text in enumerate(texts)]}
    handler = Handler(error)

    def call(message: QueueMessage) -> None:
        handler(message)

    worker = ss.QueueWorker(ARN, call)
    for _ in range(2):  # Lambda calls the same function again
        assert failures(worker.lambda_handler(event, None)) == [1, 3]
    assert [message.body for message in handler.seen] == texts * 2
    assert handler.seen[0].deadline is None


def test_a_batch_of_which_every_message_has_failed_is_reported_as_such() -> None:
    def fail() -> None:
        raise ValueError("no")

    event = {"Records": [record(number, "a") for number in range(3)]}
    assert failures(ss.QueueWorker(ARN, fail).lambda_handler(event, None)) == [0, 1, 2]


def test_a_group_stops_at_its_first_failure_and_the_others_go_on() -> None:
    given = [("a", "g"), ("b", "h"), ("bad", "g"), ("c", "h"), ("d", "g"), ("e", "h")]
    event = {"Records": [record(number, text, group) for number, (text, group) in enumerate(given)]}
    handler = Handler()

    def call(message: QueueMessage) -> None:
        handler(message)

    assert failures(ss.QueueWorker(f"{ARN}.fifo", call).lambda_handler(event, None)) == [2, 4]
    assert [message.body for message in handler.seen] == ["a", "b", "bad", "c", "e"]


def test_a_coroutine_is_awaited() -> None:
    seen = list[str]()

    async def note(text: str) -> None:
        seen.append(text)
        if text == "bad":
            raise ValueError("no")

    event = {"Records": [record(0, "a"), record(1, "bad")]}
    assert failures(ss.QueueWorker(ARN, note).lambda_handler(event, None)) == [1]
    assert seen == ["a", "bad"]


def test_an_empty_event_is_handled() -> None:
    assert ss.QueueWorker(ARN, handle).lambda_handler({"Records": []}, None) == {"batchItemFailures": []}


@pytest.mark.parametrize(
    "event",
    [{}, None, [], {"Records": None}, {"Records": [{"eventSource": "aws:s3"}]}, {"Records": [3]}],
    ids=str,
)
def test_an_event_of_something_else_is_refused(event: Any) -> None:
    with pytest.raises(ValueError, match="expected an event of an SQS queue"):
        ss.QueueWorker(ARN, handle).lambda_handler(event, None)


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("aws_lambda_powertools")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aws_lambda_powertools", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'stepsched\[powertools\]'"):
        ss.QueueWorker(ARN, handle).lambda_handler({"Records": []}, None)


def test_a_worker_in_lambda_makes_no_request_and_needs_no_session() -> None:
    class NoSession:
        def client(self, *_: object, **__: object) -> None:
            raise AssertionError("it connects")

    worker = ss.QueueWorker(ARN, handle, session=NoSession())
    assert failures(worker.lambda_handler({"Records": [record(1, "a")]}, None)) == []
