"""What Amazon SQS and Amazon SNS require of a message, and the URLs of queues. Pure.

- https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
- https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from stepsched.aws.arns import Arn
from stepsched.core.quoting import quoted

QUEUE = Arn("sqs", "", r"[\w-]{1,75}(\.fifo)?", "<queue name>")
"""The form of the ARN of a queue."""
MAX_MESSAGE_BYTES = 1_048_576
"""The maximum size of a message in a queue, and of all messages of a batch together, in bytes of UTF-8."""
MAX_BATCH = 10
"""The maximum number of messages of one call of SendMessageBatch."""
MAX_GROUP_ID = 128
"""The maximum length of a message group ID."""
GROUP_ID = re.compile(r"""[A-Za-z0-9!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}""")
"""The form of a message group ID: letters and digits of ASCII, and its punctuation."""
_NOT_IN_QUEUES = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Domain(NamedTuple):
    partition: str
    name: str
    region: str
    """The pattern of the partition's Regions."""


# From botocore's file partitions.json. Two partitions share a domain, and the Region tells them apart.
_DOMAINS = (
    _Domain("aws-us-gov", "amazonaws.com", r"us-gov-\w+-\d+"),
    _Domain("aws", "amazonaws.com", r"[a-z]{2}-\w+-\d+"),
    _Domain("aws-cn", "amazonaws.com.cn", r"cn-\w+-\d+"),
    _Domain("aws-eusc", "amazonaws.eu", r"eusc-\w+-\w+-\d+"),
)
_URL = re.compile(
    r"https://sqs\.(?P<region>[a-z0-9-]+)\.(?P<domain>[a-z0-9.-]+)/(?P<account>\d+)/(?P<name>[^/]+)"
)


def queue_url(arn: str) -> str:
    """The URL of a queue, which the calls of Amazon SQS expect instead of its ARN.

    Raises:
        ValueError: The domain of the ARN's partition is not known.

    >>> queue_url("arn:aws-cn:sqs:cn-north-1:123456789012:orders.fifo")
    'https://sqs.cn-north-1.amazonaws.com.cn/123456789012/orders.fifo'
    """
    _, partition, _, region, account, name = arn.split(":", 5)
    domain = next((each.name for each in _DOMAINS if each.partition == partition), None)
    if domain is None:
        raise ValueError(
            f"the URL of {quoted(arn)} is not known for partition {partition!r}; use an ApiTarget"
        )
    return f"https://sqs.{region}.{domain}/{account}/{name}"


def queue_arn(url: str) -> str:
    """The ARN of a queue; the inverse of :func:`queue_url`.

    Raises:
        ValueError: The text is not such a URL.

    >>> queue_arn("https://sqs.us-gov-west-1.amazonaws.com/123456789012/orders")
    'arn:aws-us-gov:sqs:us-gov-west-1:123456789012:orders'
    """
    match = _URL.fullmatch(url)
    if match is not None:
        for domain in _DOMAINS:
            if domain.name == match["domain"] and re.fullmatch(domain.region, match["region"]):
                return f"arn:{domain.partition}:sqs:{match['region']}:{match['account']}:{match['name']}"
    raise ValueError(
        f"expected the URL of a queue, https://sqs.<region>.<domain>/<account>/<name>, got {quoted(url)}"
    )


def why_no_message(text: str) -> str | None:
    """Why Amazon SQS refuses a text as a message; None if it accepts it."""
    found = _NOT_IN_QUEUES.search(text)
    if found is None:
        return None
    return f"Amazon SQS does not allow the character {found[0]!r} in a message"


def is_fifo(arn: str) -> bool:
    """Whether the ARN of a queue or topic is that of a FIFO one."""
    return arn.endswith(".fifo")


def checked_group(group: str | None) -> str | None:
    """Returns a message group, or None, unchanged.

    Raises:
        ValueError: Amazon SQS does not allow a character of it.
    """
    if group is not None and not GROUP_ID.fullmatch(group):
        found = next(character for character in group if not GROUP_ID.fullmatch(character))
        raise ValueError(
            "expected a message group of ASCII letters, digits and punctuation, as Amazon SQS requires, "
            f"got the character {found!r} in {group!r}"
        )
    return group


def check_group_of(queue: str, group: str | None) -> None:
    """Refuses a FIFO queue without a message group, and a standard queue with one.

    Args:
        queue: The ARN of the queue.
        group: The message group; None if there is none.

    Raises:
        ValueError: The group is missing, or must not be there.
    """
    if is_fifo(queue) and group is None:
        raise ValueError(f"expected message_group_id for the FIFO queue {queue!r}, got None")
    if not is_fifo(queue) and group is not None:
        raise ValueError(f"expected no message_group_id for the standard queue {queue!r}")


_PLACES = {
    "sqs:sendMessage": ("QueueUrl", None),
    "sqs:sendMessageBatch": ("QueueUrl", "Entries"),
    "sns:publish": ("TopicArn", None),
    "sns:publishBatch": ("TopicArn", "PublishBatchRequestEntries"),
}
"""The parameters that name the queue or topic, and the list of messages, by call."""


def why_no_group(call: str, request: Mapping[str, Any]) -> str | None:
    """Why a FIFO queue or topic refuses a message of a request; None if nothing is known against it.

    Args:
        call: The name of the call, such as ``sqs:sendMessage``.
        request: The request, with the names of the SDK.
    """
    place, inside = _PLACES.get(call, ("", None))
    to = request.get(place)
    messages = request.get(inside) if inside is not None else [request]
    if not isinstance(to, str) or not to.endswith(".fifo") or not isinstance(messages, (list, tuple)):
        return None
    if all("MessageGroupId" in each for each in messages if isinstance(each, Mapping)):
        return None
    where = "the request" if inside is None else f"each of {inside}"
    return f"expected a MessageGroupId in {where} of {call} to {quoted(to)}, which is FIFO, got none"
