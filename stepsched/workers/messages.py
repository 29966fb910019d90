"""The messages of a queue as handlers see them, and what a worker tells of them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast

from stepsched.core.clock import utc_now
from stepsched.core.enums import StrEnum
from stepsched.core.representation import line_of
from stepsched.display.results import DisplayedFields

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class _WorkerValue(DisplayedFields):
    """A value whose ``repr`` is one line, with the fields that differ from their default, without secrets."""

    __slots__ = ()

    def __repr_args__(self) -> Iterator[tuple[str, object]]:
        for each in fields(cast("DataclassInstance", self)):
            value = getattr(self, each.name)
            if value != (each.default if each.default_factory is MISSING else each.default_factory()):
                yield each.name, value

    def __repr__(self) -> str:
        return line_of(self)


@dataclass(frozen=True, slots=True, repr=False)
class QueueMessage(_WorkerValue):
    """A message of a queue. A handler whose parameter is annotated with this class gets it instead of the
    text."""

    body: str
    """The text of the message."""
    id: str
    """The ID that SQS gave to the message; it is the same in every delivery."""
    group: str | None = None
    """The message group; None: it has none."""
    attributes: Mapping[str, str | bytes] = field(default_factory=dict, hash=False)
    """The message attributes by name. Numbers are text; binary values are bytes."""
    receive_count: int = 1
    """How often the message has been delivered, with this delivery. SQS counts approximately."""
    sent_at: datetime | None = None
    """The instant at which the message was sent, in UTC. None: unknown."""
    deadline: datetime | None = None
    """The instant, in UTC, after which nothing keeps the message from other workers: 12 hours after the
    delivery, or the timeout of the Lambda function. None: there is no limit."""

    def remaining_time(self, now: datetime | None = None) -> timedelta | None:
        """Returns the time until :attr:`deadline`, at least zero; None: there is no limit.

        Args:
            now: The present instant, aware. None: of the machine's clock.
        """
        if self.deadline is None:
            return None
        return max(self.deadline - (utc_now() if now is None else now), timedelta(0))


class WorkerEventKind(StrEnum):
    """The kind of an event of a worker."""

    SUCCEEDED = "succeeded"
    """The handler returned, and the message was deleted from the queue."""
    FAILED = "failed"
    """The handler raised an exception. The queue delivers the message again, or moves it to its dead-letter
    queue."""
    RELEASED = "released"
    """The message was given back without a call of the handler: the worker stops, or an earlier message of
    its FIFO group has failed."""
    EXPIRED = "expired"
    """The queue no longer keeps the message for this worker, and may deliver it to another one; if its
    handler has returned, it was not deleted."""


@dataclass(frozen=True, slots=True, repr=False)
class WorkerEvent(_WorkerValue):
    """An event of a worker."""

    kind: WorkerEventKind
    at: datetime
    """The instant of the event, in UTC."""
    message: QueueMessage
    error: str | None = None
    """The exception of the handler, ``ValueError: ...``, or why the message has expired. None: neither."""
    delay: timedelta | None = None
    """The time after which the queue may deliver the message again; None after success and expiry."""


Listener = Callable[[WorkerEvent], object]


@dataclass(frozen=True, slots=True, repr=False)
class WorkSummary(_WorkerValue):
    """What a worker did between its start and its end."""

    received: int = 0
    """The number of deliveries."""
    succeeded: int = 0
    """The number of messages that were handled and deleted."""
    failed: int = 0
    """The number of calls of the handler that raised an exception."""
    released: int = 0
    """The number of messages that were given back without a call of the handler."""
    expired: int = 0
    """The number of messages that the queue did not keep for this worker until they were deleted."""
    unfinished: int = 0
    """The number of messages whose handler still ran at the end. The queue delivers them again when their
    visibility timeout has passed, unless the handler returns before."""


def received_message(answer: Mapping[str, Any], deadline: datetime) -> QueueMessage:
    """Reads a message of ``ReceiveMessage``."""
    own = answer.get("Attributes", {})
    attributes = {
        name: value["BinaryValue"] if "BinaryValue" in value else str(value.get("StringValue", ""))
        for name, value in answer.get("MessageAttributes", {}).items()
    }
    return _message(answer["Body"], answer["MessageId"], own, attributes, deadline)


def recorded_message(record: Mapping[str, Any], deadline: datetime | None) -> QueueMessage:
    """Reads a record of the event that Lambda passes to a function for a queue.

    The form: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    attributes = {
        name: b64decode(value["binaryValue"])
        if value.get("binaryValue") is not None
        else str(value.get("stringValue", ""))
        for name, value in record.get("messageAttributes", {}).items()
    }
    return _message(record["body"], record["messageId"], record.get("attributes", {}), attributes, deadline)


def _message(
    body: str,
    key: str,
    own: Mapping[str, str],
    attributes: Mapping[str, str | bytes],
    deadline: datetime | None,
) -> QueueMessage:
    sent = own.get("SentTimestamp")
    return QueueMessage(
        body=body,
        id=key,
        group=own.get("MessageGroupId"),
        attributes=attributes,
        receive_count=int(own.get("ApproximateReceiveCount", 1)),
        sent_at=None if sent is None else _EPOCH + timedelta(milliseconds=int(sent)),
        deadline=deadline,
    )
