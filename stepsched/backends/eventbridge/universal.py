"""Universal targets: API calls. The messages to FIFO queues and topics are sent by them."""

from __future__ import annotations

import json
import re
from typing import Any

from stepsched.core.context import EXECUTION_ID, ContextText
from stepsched.core.payloads import to_json
from stepsched.targets import FanOutTarget, QueueTarget, Target, TopicTarget
from stepsched.targets.messages import queue_arn, queue_url

_BODIES = {"sqs": "MessageBody", "sns": "Message"}
"""The parameters that hold the message, by the service."""
_FIFO_REQUESTS = {
    frozenset((place, body, "MessageGroupId", "MessageDeduplicationId")): body
    for place, body in (("QueueUrl", _BODIES["sqs"]), ("TopicArn", _BODIES["sns"]))
}
"""The parameters of the requests of :func:`fifo_request`, and the one that holds the message."""


def is_universal(arn: str) -> bool:
    """Returns whether the ARN of a target is that of an API call, in any partition."""
    return re.match(r"arn:aws[a-z-]*:scheduler:::aws-sdk:", arn) is not None


def is_fifo(target: Target) -> bool:
    """Returns whether the target is a FIFO queue or a FIFO topic.

    The service has no parameter for the deduplication ID of a message, and none for the message group of a
    topic, so its messages are sent by API calls:
    https://docs.aws.amazon.com/scheduler/latest/APIReference/API_SqsParameters.html
    """
    return isinstance(target, (QueueTarget, TopicTarget)) and target.is_fifo


def fifo_request(target: QueueTarget | TopicTarget, text: str, name: str) -> dict[str, Any]:
    """Returns the request that sends a message to a FIFO queue or topic, with its own deduplication ID for
    each run."""
    message = ContextText(text)  # attributes in it are replaced, also within JSON text
    if isinstance(target, QueueTarget):
        place = {"QueueUrl": queue_url(target.queue_arn), _BODIES["sqs"]: message}
        group = target.message_group_id
    else:
        place = {"TopicArn": target.topic_arn, _BODIES["sns"]: message}
        group = name  # the name of a schedule is a valid ID
    return place | {"MessageGroupId": group, "MessageDeduplicationId": EXECUTION_ID}


def read_fifo(request: dict[str, Any], name: str) -> tuple[QueueTarget | TopicTarget, str] | None:
    """Returns the FIFO queue or topic of a request, and its message; None if :func:`fifo_request` would write
    another request.

    Args:
        request: The request.
        name: The name of the job.
    """
    target: QueueTarget | TopicTarget
    try:
        match request:
            case {"QueueUrl": str(url), "MessageBody": str(text), "MessageGroupId": group}:
                target = QueueTarget(queue_arn(url), message_group_id=group)
            case {"TopicArn": str(arn), "Message": str(text)}:
                target = TopicTarget(arn)
            case _:
                return None
    except ValueError:
        return None
    return (target, text) if target.is_fifo and fifo_request(target, text, name) == request else None


def batch_request(target: FanOutTarget) -> dict[str, Any]:
    """Returns the request that sends all messages of a target, which must be those of one batch."""
    entries: list[dict[str, Any]] = []
    for number, text in enumerate(target.messages):
        entry: dict[str, Any] = {"Id": str(number), "MessageBody": text}
        if target.message_group_id is not None:
            # The position keeps equal messages apart; another attempt of the service has the same IDs.
            entry |= {
                "MessageGroupId": target.message_group_id,
                "MessageDeduplicationId": ContextText(f"{EXECUTION_ID}-{number}"),
            }
        entries.append(entry)
    return {"QueueUrl": queue_url(target.queue_arn), "Entries": entries}


def read_batch(request: dict[str, Any]) -> FanOutTarget | None:
    """Returns the target of a request; None if :func:`batch_request` would write another request."""
    try:
        entries = request["Entries"]
        target = FanOutTarget(
            queue_arn(request["QueueUrl"]),
            [entry["MessageBody"] for entry in entries],
            message_group_id=entries[0].get("MessageGroupId"),
        )
    except (AttributeError, LookupError, TypeError, ValueError):
        return None
    return target if batch_request(target) == request else None


def message_of(payload: str) -> str:
    """Returns the message that the payload of a dead letter delivers: of a request of :func:`fifo_request`
    the message in it, of any other payload the payload itself."""
    request = _read_request(payload)
    body = _FIFO_REQUESTS.get(frozenset(request or ()))
    return payload if request is None or body is None else str(request[body])


def with_message(document: dict[str, Any], target: Target, payload: str) -> str:
    """Returns the ``Input`` with which a stored target delivers the payload of a dead letter, whatever form
    the target had when the run failed.

    Args:
        document: The stored ``Target``.
        target: The target of the job.
        payload: The payload of the dead letter.
    """
    if not isinstance(target, (QueueTarget, TopicTarget)):
        return payload
    if not is_universal(document["Arn"]):
        return message_of(payload)
    request = json.loads(document["Input"])
    body = _BODIES[target.api_call.service]
    return to_json(request | {body: message_of(payload), "MessageDeduplicationId": EXECUTION_ID})


def _read_request(text: str) -> dict[str, Any] | None:
    """Returns the request in an input; None if there is none."""
    try:
        request = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return request if isinstance(request, dict) else None
