"""The queues: one for dead letters, and one for messages that jobs send to consumers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from stepsched.deploy.parts.base import StackPart, output
from stepsched.deploy.parts.names import DEAD_LETTERS, QUEUE, QUEUE_DEAD_LETTERS, Names

_DAY = timedelta(days=1)
_DEAD_LETTER_RETENTION = 14 * _DAY
"""The maximum: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html"""
_RETENTION = 4 * _DAY
HANDLER_TIMEOUT = timedelta(minutes=1)
"""The default of the longest time that a consumer works on a message."""
_RECEIVES = 5
"""The number of receives after which a message is moved to the other queue."""


def dead_letters(names: Names) -> StackPart:
    """The queue for dead letters of jobs."""
    return StackPart(
        {names.logical("DeadLetters"): _queue(names, DEAD_LETTERS, retention=_DEAD_LETTER_RETENTION)},
        {
            names.logical("DeadLetterQueueArn"): output(
                "The queue for dead letters of jobs", names.attribute("DeadLetters")
            )
        },
    )


def queue(names: Names, *, fifo: bool, handler_timeout: timedelta = HANDLER_TIMEOUT) -> StackPart:
    """A queue for messages of jobs, and a queue for messages that no consumer could process.

    A message becomes visible again after six times the timeout of a consumer, as AWS recommends:
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html

    Args:
        names: The names of the stack.
        fifo: Whether the queues keep the order of messages. Equal messages within five minutes are one,
            unless their sender gives each an ID.
        handler_timeout: The longest time that a consumer works on a message.
    """
    redrive = {"deadLetterTargetArn": names.attribute("QueueDeadLetters"), "maxReceiveCount": _RECEIVES}
    order = {"FifoQueue": True, "ContentBasedDeduplication": True} if fifo else {}
    visibility = {"VisibilityTimeout": 6 * int(handler_timeout.total_seconds()), "RedrivePolicy": redrive}
    return StackPart(
        {
            names.logical("QueueDeadLetters"): _queue(
                names, QUEUE_DEAD_LETTERS, retention=_DEAD_LETTER_RETENTION, **order
            ),
            names.logical("Queue"): _queue(names, QUEUE, retention=_RETENTION, **order, **visibility),
        },
        {
            names.logical("QueueUrl"): output("The queue for messages of jobs", names.ref("Queue")),
            names.logical("QueueArn"): output("The ARN of the queue", names.attribute("Queue")),
        },
    )


def _queue(names: Names, name: str, *, retention: timedelta, **properties: Any) -> dict[str, Any]:
    ending = ".fifo" if "FifoQueue" in properties else ""
    return {
        "Type": "AWS::SQS::Queue",
        "Properties": {
            **names.explicit("QueueName", name + ending),
            "SqsManagedSseEnabled": True,
            "MessageRetentionPeriod": int(retention.total_seconds()),
            **properties,
        },
    }
