"""Several messages to one queue, sent in every run of a job."""

from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator
from typing_extensions import Self

from stepsched.core.payloads import Text
from stepsched.core.quoting import quoted
from stepsched.core.text_files import path_of, read_text
from stepsched.core.values import whole_number
from stepsched.targets.base import ApiCall, ServiceTarget
from stepsched.targets.messages import (
    MAX_BATCH,
    MAX_GROUP_ID,
    MAX_MESSAGE_BYTES,
    QUEUE,
    check_group_of,
    checked_group,
    is_fifo,
    why_no_message,
)

MAX_MESSAGES = 10_000
"""The maximum number of messages of a target."""


class FanOutTarget(ServiceTarget, frozen=True):
    """Sends several messages to an SQS queue, in order. The job's input is not used.

    Equal messages are sent as often as they are given: each message to a FIFO queue has a deduplication ID of
    its run and its position.
    """

    api_call: ClassVar = ApiCall("sqs", "sendMessageBatch")
    follows_from_arn: ClassVar = False  # an ARN of a queue is that of a QueueTarget
    takes_input: ClassVar = False
    kind: Literal["fan_out"] = "fan_out"
    queue_arn: Annotated[str, QUEUE]
    """The queue: ``arn:aws:sqs:<region>:<account>:<name>``; the name of a FIFO queue ends in ``.fifo``."""
    messages: tuple[Text, ...] = Field(min_length=1, max_length=MAX_MESSAGES)
    """The messages in order: 1 to 10,000 texts, each of 1 byte to 1 MiB in UTF-8."""
    message_group_id: str | None = Field(default=None, min_length=1, max_length=MAX_GROUP_ID)
    """The message group of all messages: 1 to 128 ASCII letters, digits and punctuation characters. It is
    required for a FIFO queue and refused for a standard queue."""

    def __init__(
        self,
        queue_arn: str,
        messages: Iterable[str],
        *,
        message_group_id: str | None = None,
        kind: Literal["fan_out"] = "fan_out",
    ) -> None:
        if isinstance(messages, PathLike):
            raise ValueError(  # noqa: TRY004 -- pydantic collects ValueError
                f"expected a list of texts for messages, got the path {fspath(messages)!r}; use "
                "FanOutTarget.from_file(queue_arn, path)"
            )
        if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Iterable):
            raise ValueError(f"expected a list of texts for messages, got {quoted(messages)}")  # noqa: TRY004 -- as above
        self._assign(
            queue_arn=queue_arn, messages=tuple(messages), message_group_id=message_group_id, kind=kind
        )
        check_group_of(self.queue_arn, self.message_group_id)

    @classmethod
    def from_file(
        cls, queue_arn: str, path: str | PathLike[str], *, message_group_id: str | None = None
    ) -> Self:
        """Creates a target whose messages are the lines of a file in UTF-8.

        Lines of white space are left out. Every other line is a message as it stands, without its line
        ending.

        Args:
            queue_arn: The queue.
            path: The path of the file. It is read once, now.
            message_group_id: The message group of all messages.

        Raises:
            JobFileError: The file cannot be read, or is not UTF-8.
            ValueError: A message is refused, or there is none.
        """
        action = "read messages from"
        given = fspath(path) if isinstance(path, PathLike) else path
        text = read_text(path_of(given, "the path of a file", action), action)
        lines = [line for line in text.split("\n") if line.strip()]
        return cls(queue_arn, lines, message_group_id=message_group_id)

    @property
    def is_fifo(self) -> bool:
        """Whether the queue is a FIFO queue."""
        return is_fifo(self.queue_arn)

    def batches(self, size: int = MAX_BATCH) -> list[Self]:
        """Returns targets that together send the same messages in the same order.

        Args:
            size: The maximum number of messages of each target, 1 or more. The default is the maximum of one
                call of Amazon SQS, which a schedule of EventBridge Scheduler makes.

        Raises:
            ValueError: ``size`` is not a whole number of at least 1.

        >>> target = FanOutTarget("arn:aws:sqs:eu-west-1:123456789012:tasks", ["a", "b", "c"])
        >>> [part.messages for part in target.batches(2)]
        [('a', 'b'), ('c',)]
        """
        count = whole_number(size, "size")
        if count < 1:
            raise ValueError(f"expected a whole number of at least 1 for size, got {count}")
        return [
            self.replace(messages=self.messages[first : first + count])
            for first in range(0, len(self.messages), count)
        ]

    @field_validator("message_group_id")
    @classmethod
    def _is_group_id(cls, group: str | None) -> str | None:
        return checked_group(group)

    @field_validator("messages")
    @classmethod
    def _are_messages(cls, messages: tuple[str, ...]) -> tuple[str, ...]:
        for number, text in enumerate(messages):
            size = len(text.encode())
            if not 1 <= size <= MAX_MESSAGE_BYTES:
                place = f"messages[{number}]"
                raise ValueError(
                    f"expected messages of 1 to {MAX_MESSAGE_BYTES:,} bytes, got {size:,} in {place}"
                )
            reason = why_no_message(text)
            if reason is not None:
                raise ValueError(f"messages[{number}]: {reason}; leave the character out")
        return messages
