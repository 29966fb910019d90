"""Reads the messages of a dead-letter queue.

The body of a message is the payload, its attributes describe the failure: "Configuring a dead-letter queue",
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from threading import Lock
from typing import TYPE_CHECKING, Any
from zlib import crc32

from stepsched.aws.sdk import Closed, mapped
from stepsched.backends.eventbridge.service import Service
from stepsched.backends.eventbridge.single_runs import read_run_name
from stepsched.core.errors import BackendError
from stepsched.jobs import Run, RunStatus, Trigger

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Table

_LOG = logging.getLogger(__name__)


class DeadLetter(Run, frozen=True):
    """A run that EventBridge Scheduler could not deliver, from its dead-letter queue."""

    schedule_arn: str
    """The ARN of the schedule."""
    group: str
    """The group of the schedule."""
    target_arn: str
    """The target, always in the universal form ``arn:aws:scheduler:::aws-sdk:<service>:<action>``."""
    error_code: str
    """The error code of the target; ``AWS.Scheduler.InternalServerError`` if the service itself failed."""
    error_message: str
    """The error message of the target."""
    execution_id: str
    """The service's ID of the attempt."""
    exhausted: str | None
    """Which limit was reached: ``MaximumRetryAttempts`` or ``MaximumEventAgeInSeconds``. None: the error
    cannot be retried."""
    payload: str
    """The payload for the target; for a FIFO queue or topic, as for an API call, the request as JSON."""
    truncated: bool
    """Whether the payload was too long for the queue, so that it cannot be sent again."""
    queue_arn: str
    """The queue that holds the message."""
    message_id: str
    """The ID of the message."""
    receipt_handle: str
    """The receipt handle, which is needed to delete the message."""

    def _shown_table(self) -> Table:
        from stepsched.display.fields import field_cell
        from stepsched.display.table import record_table
        from stepsched.jobs.shown import run_rows

        own = {
            "group": self.group,
            "target": self.target_arn,
            "limit reached": self.exhausted,
            "payload": self.payload,
            "payload is cut": self.truncated,
            "queue": self.queue_arn,
        }
        return record_table([*run_rows(self), *((name, field_cell(each)) for name, each in own.items())])


def read_dead_letter(message: dict[str, Any], queue_arn: str) -> DeadLetter | None:
    """Reads a message as a dead letter; returns None if it is not from the service."""
    attributes = {
        key: str(value.get("StringValue", "")) for key, value in message.get("MessageAttributes", {}).items()
    }
    arn = attributes.get("SCHEDULE_ARN", "")
    group, _, name = arn.partition(":schedule/")[2].partition("/")
    moment = _moment(attributes.get("SCHEDULED_TIME", ""))
    if not name or moment is None:
        return None
    run_of = read_run_name(name)
    sent = int(message.get("Attributes", {}).get("SentTimestamp", 0))
    code, words = attributes.get("ERROR_CODE", ""), attributes.get("ERROR_MESSAGE", "")
    return DeadLetter(
        id=sent * 1_000_000 + crc32(message["MessageId"].encode()) % 1_000_000,
        job=name if run_of is None else run_of,
        scheduled_for=moment,
        status=RunStatus.FAILED,
        trigger=Trigger.SCHEDULE if run_of is None else Trigger.MANUAL,
        attempt=_number(attributes.get("RETRY_ATTEMPTS", "")) + 1,
        ended_at=datetime.fromtimestamp(sent / 1000, timezone.utc) if sent else None,
        error=f"{code}: {words}",
        schedule_arn=arn,
        group=group,
        target_arn=attributes.get("TARGET_ARN", ""),
        error_code=code,
        error_message=words,
        execution_id=attributes.get("EXECUTION_ID", ""),
        exhausted=attributes.get("EXHAUSTED_RETRY_CONDITION"),
        payload=message.get("Body", ""),
        truncated=attributes.get("IS_PAYLOAD_TRUNCATED", "").lower() == "true",
        queue_arn=queue_arn,
        message_id=message["MessageId"],
        receipt_handle=message["ReceiptHandle"],
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _moment(text: str) -> datetime | None:
    from dateutil.parser import isoparse

    try:
        moment = isoparse(text)
        return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        return None


class DeadLetterQueue:
    """Reads and deletes dead letters."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._client: Any = None
        self._lock = Lock()

    def close(self) -> None:
        """Closes the connections. May be called more than once."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = Closed("sqs")

    def read(self, arn: str, limit: int | None) -> list[DeadLetter]:
        """Returns the queue's dead letters, oldest first; at the end all messages become visible again.

        Raises:
            BackendError: The queue cannot be read.
        """
        url = self._url(arn)
        letters: list[DeadLetter] = []
        handles: dict[str, str] = {}
        try:
            with mapped("sqs", "ReceiveMessage"):
                while limit is None or len(letters) < limit:
                    fresh = [each for each in self._receive(url) if each["MessageId"] not in handles]
                    if not fresh:
                        break
                    handles |= {message["MessageId"]: message["ReceiptHandle"] for message in fresh}
                    read = (read_dead_letter(message, arn) for message in fresh)
                    letters += [letter for letter in read if letter is not None]
        finally:
            self._show(url, list(handles.values()))
        return sorted(letters, key=lambda letter: letter.id)[:limit]

    def _show(self, url: str, handles: list[str]) -> None:
        """Makes messages visible again; on failure they become visible by themselves later."""
        for first in range(0, len(handles), 10):
            entries = [
                {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for number, handle in enumerate(handles[first : first + 10])
            ]
            try:
                with mapped("sqs", "ChangeMessageVisibility"):
                    self._sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
            except BackendError as error:
                _LOG.warning("messages of %s stay hidden for up to two minutes: %s", url, error)

    def _receive(self, url: str) -> list[dict[str, Any]]:
        answer = self._sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=120,
            WaitTimeSeconds=1,
            MessageAttributeNames=["All"],
            AttributeNames=["SentTimestamp"],
        )
        return list(answer.get("Messages", ()))

    def delete(self, letter: DeadLetter) -> None:
        """Deletes the message. It is not an error if it is already deleted."""
        url = self._url(letter.queue_arn)
        with mapped("sqs", "DeleteMessage"):
            self._sqs.delete_message(QueueUrl=url, ReceiptHandle=letter.receipt_handle)

    @property
    def _sqs(self) -> Any:
        with self._lock:  # a session must not be used by several threads at once
            if self._client is None:
                self._client = self._service.client("sqs")
            return self._client

    def _url(self, arn: str) -> str:
        account, name = arn.split(":")[4:6]
        try:
            with mapped("sqs", "GetQueueUrl"):
                answer = self._sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
        except BackendError as error:
            if "NonExistentQueue" not in error.code and error.code != "QueueDoesNotExist":
                raise
            words = f"there is no queue {arn}; create it, or correct its ARN"
            raise BackendError("sqs", "GetQueueUrl", error.code, error.request_id, detail=words) from error
        return str(answer["QueueUrl"])
