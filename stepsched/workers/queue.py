"""The requests of a worker to Amazon SQS.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Any, NamedTuple
from uuid import uuid4

from stepsched.aws.arns import ARN, validate_arn
from stepsched.aws.sdk import mapped
from stepsched.core.errors import BackendError
from stepsched.core.quoting import quoted
from stepsched.workers.desk import LONGEST_VISIBILITY
from stepsched.workers.messages import QueueMessage, received_message

BATCH = 10
"""The maximum number of messages of one request."""
_URL = re.compile(r"https?://[^\s/?#@]+/[^\s?#]*?(?P<name>[\w-]{1,80}(\.fifo)?)", re.ASCII)
_HOST = re.compile(
    r"https?://(?:sqs\.(?P<region>[a-z0-9-]+)|(?P<legacy>[a-z0-9-]+)\.queue)\.amazonaws\.", re.ASCII
)
_MISSING = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
_NEEDS = (
    "a worker needs the actions sqs:GetQueueAttributes, sqs:ReceiveMessage, sqs:DeleteMessage and "
    "sqs:ChangeMessageVisibility on its queue, and sqs:GetQueueUrl if the queue is given by its ARN"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a queue is."""

    name: str
    region: str | None
    """None: the Region of the session."""
    url: str | None = None
    """None: it is looked up by name and account."""
    account: str | None = None

    @property
    def is_fifo(self) -> bool:
        return self.name.endswith(".fifo")


def address_of(queue: object) -> Address:
    """Reads the address of a queue: its URL, its ARN, or a target with a ``queue_arn``.

    Raises:
        TypeError: ``queue`` is none of them.
        ValueError: The URL or ARN is malformed.
    """
    given = getattr(queue, "queue_arn", queue)
    if not isinstance(given, str):
        raise TypeError(f"expected queue to be a URL, an ARN or a QueueTarget, got {quoted(queue)}")
    if given.startswith("arn:"):
        validate_arn(given, "sqs", r"[\w-]{1,80}(\.fifo)?", "<queue name>")
        parts = ARN.fullmatch(given)
        assert parts is not None, "the ARN has been validated"
        return Address(parts["rest"], parts["region"], account=parts["account"])
    match = _URL.fullmatch(given)
    if match is None:
        raise ValueError(
            "expected queue to be such as 'https://sqs.eu-west-1.amazonaws.com/123456789012/orders' or "
            f"'arn:aws:sqs:eu-west-1:123456789012:orders', got {quoted(queue)}"
        )
    host = _HOST.match(given)
    return Address(match["name"], host and (host["region"] or host["legacy"]), url=given)


class Attributes(NamedTuple):
    """What a worker needs to know of a queue."""

    visibility: int
    """The visibility timeout in seconds."""
    max_receives: int | None
    """The number of deliveries before a message is moved to the dead-letter queue. None: there is none."""
    dead_letters: str | None
    """The name of the dead-letter queue."""
    retention: timedelta


class Refusal(NamedTuple):
    """Why an entry of a batch has failed."""

    reason: str
    is_final: bool
    """Whether the same request cannot succeed later."""


Call = Callable[[], "list[Refusal | None]"]
"""A request for several messages. It returns for each why it has failed; None: it has succeeded."""


class Queue:
    """A queue. Thread-safe; it belongs to one process."""

    def __init__(self, address: Address, session: Any, endpoint_url: str | None, wait: float) -> None:
        """Opens the clients of SQS. It makes no request.

        Raises:
            BackendError: There is no Region.
        """
        self.name = address.name
        self._address = address
        self._wait = ceil(wait)
        with mapped("sqs", "connect"):
            session = session or _new_session()
            options = {"region_name": address.region, "endpoint_url": endpoint_url}
            self._receiver, self._client = (
                session.client("sqs", config=_config(timeout), **options) for timeout in (self._wait + 10, 10)
            )
        self.region = self._client.meta.region_name
        self._url = address.url or ""

    def close(self) -> None:
        """Closes the connections."""
        self._receiver.close()
        self._client.close()

    def attributes(self) -> Attributes:
        """Looks up the queue.

        Raises:
            AccessDeniedError: A permission is missing.
            BackendError: The queue does not exist, or SQS cannot be reached.
        """
        if not self._url:
            found = self._call(
                "get_queue_url", QueueName=self.name, QueueOwnerAWSAccountId=self._address.account
            )
            self._url = found["QueueUrl"]
        names = ["VisibilityTimeout", "RedrivePolicy", "MessageRetentionPeriod"]
        answer = self._call("get_queue_attributes", QueueUrl=self._url, AttributeNames=names)
        own = answer.get("Attributes", {})
        redrive = json.loads(own.get("RedrivePolicy") or "{}")
        most = redrive.get("maxReceiveCount")
        return Attributes(
            int(own.get("VisibilityTimeout", 30)),
            None if most is None else int(most),
            redrive.get("deadLetterTargetArn", "").rpartition(":")[2] or None,
            timedelta(seconds=int(own.get("MessageRetentionPeriod", 345_600))),
        )

    def receive(
        self, count: int, visibility: int, now: Callable[[], datetime], *, wait: bool = True
    ) -> list[tuple[QueueMessage, str]]:
        """Receives messages.

        Args:
            count: The maximum number of messages, up to 10.
            visibility: The time in seconds for which SQS hides them.
            now: Returns the present instant, in UTC.
            wait: Whether SQS waits for messages if there is none.

        Returns:
            The messages with their receipt handles; of a FIFO queue in the order of each group.
        """
        request: dict[str, Any] = {"QueueUrl": self._url, "MaxNumberOfMessages": count}
        if self._address.is_fifo:  # an answer that was lost on its way is given again to the SDK's next try
            request["ReceiveRequestAttemptId"] = uuid4().hex
        answer = self._call(
            "receive_message",
            client=self._receiver,
            VisibilityTimeout=visibility,
            WaitTimeSeconds=self._wait if wait else 0,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            **request,
        )
        deadline = now() + timedelta(seconds=LONGEST_VISIBILITY)
        return [
            (received_message(each, deadline), each["ReceiptHandle"]) for each in answer.get("Messages", ())
        ]

    def delete(self, receipts: Sequence[str]) -> Call:
        """Returns the request that deletes messages, up to 10."""
        entries = [{"Id": str(at), "ReceiptHandle": receipt} for at, receipt in enumerate(receipts)]
        return partial(self._batch, "delete_message_batch", entries)

    def hide(self, changes: Sequence[tuple[str, int]]) -> Call:
        """Returns the request that hides messages, up to 10, for so many seconds; 0: they are visible
        again."""
        entries = [
            {"Id": str(at), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
            for at, (receipt, seconds) in enumerate(changes)
        ]
        return partial(self._batch, "change_message_visibility_batch", entries)

    def _batch(self, method: str, entries: list[dict[str, Any]]) -> list[Refusal | None]:
        answer = self._call(method, QueueUrl=self._url, Entries=entries)
        found: list[Refusal | None] = [None] * len(entries)
        for each in answer.get("Failed", ()):
            reason = f"{each.get('Code', '')}: {each.get('Message', '')}".strip(": ")
            found[int(each["Id"])] = Refusal(reason, bool(each.get("SenderFault")))
        return found

    def _call(self, method: str, *, client: Any = None, **request: Any) -> Any:
        operation = "".join(word.capitalize() for word in method.split("_"))
        try:
            with mapped("sqs", operation):
                return getattr(client or self._client, method)(**request)
        except BackendError as error:
            if is_missing(error):
                where = f"there is no queue {self.name!r} in {self.region}"
                mend = "check its name, account and Region"
                raise BackendError(
                    "sqs", operation, error.code, error.request_id, detail=f"{where}; {mend}"
                ) from error
            raise


def is_missing(error: Exception) -> bool:
    """Returns whether a request failed because there is no queue, and so no message either."""
    return isinstance(error, BackendError) and error.code in _MISSING


def needs_of_worker() -> str:
    """Returns the sentence about the permissions of a worker, for errors."""
    return _NEEDS


def _new_session() -> Any:
    import boto3

    return boto3.Session()


def _config(read_timeout: int) -> Any:
    from botocore.config import Config

    return Config(
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=10,
        read_timeout=read_timeout,
        user_agent_extra="stepsched",
    )
