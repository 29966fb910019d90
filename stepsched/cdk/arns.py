"""ARNs that stand for resources of a CDK app until its templates are written.

A value of stepsched validates its ARNs, and the ARN of a CDK resource is a token that no rule accepts. So a
resource gets an ARN of its own in the form of its kind, and every text that contains it is written with the
token in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, get_args

import aws_cdk as cdk
from aws_cdk.region_info import RegionInfo
from pydantic import BaseModel

from stepsched.core.quoting import quoted
from stepsched.targets import (
    EventBusTarget,
    LambdaTarget,
    QueueTarget,
    SingleTarget,
    StateMachineTarget,
    Target,
    TopicTarget,
)

Model = TypeVar("Model", bound=BaseModel)
_NAME = "StepschedCdk"
_STANDING = re.compile(
    r"(?:arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]+:\d{12}:(?P<kind>[\w-]+[:/])?|(?P<url>https://[\w.-]+/\d{12}/))"
    rf"(?P<name>{_NAME}\d{{6}})z(?:\.fifo)?"
)


class Place(NamedTuple):
    """Where a stack is deployed, in the ARNs of its templates while they are made."""

    region: str = "xx-cdk-1"
    account: str = "000000000000"
    partition: str = "aws"


UNKNOWN = Place()
"""The place of a stack whose Region or account is known at deployment only."""
_UNKNOWN_PREFIX = re.compile(rf"arn:aws:(?P<service>[a-z0-9-]*):{UNKNOWN.region}:{UNKNOWN.account}:")
_LITERAL_PLACE = re.compile(r"arn:(aws[a-z-]*):[a-z0-9-]+:([a-z0-9-]+):(\d{12}):")


class _Stood(NamedTuple):
    """What an ARN stands for."""

    arn: str
    url: str


_stood: dict[str, _Stood] = {}
"""The tokens, by name. CDK keeps its tokens for the life of the process too."""
_given: dict[str, str] = {}
"""The ARNs that have been given, by token."""


class _Kind(NamedTuple):
    """A kind of construct that a job can invoke."""

    attribute: str
    """The property with its ARN."""
    service: str
    name: str
    target: Callable[[Any, str], SingleTarget]


_KINDS = (
    _Kind("function_arn", "lambda", "function:*", lambda _, arn: LambdaTarget(arn)),
    _Kind("state_machine_arn", "states", "stateMachine:*", lambda _, arn: StateMachineTarget(arn)),
    _Kind("queue_arn", "sqs", "*", lambda queue, arn: _queue_target(arn, is_fifo=queue.fifo)),
    _Kind("topic_arn", "sns", "*", lambda _, arn: TopicTarget(arn)),
    _Kind("event_bus_arn", "events", "event-bus/*", lambda _, arn: EventBusTarget(arn)),
)


def arn_of(resource: Any, *, service: str | None = None, name: str | None = None) -> str:
    """An ARN that stands for a CDK resource in targets, jobs and their policies.

    The constructs of this package write the resource's own ARN in its place. No other code can use it.

    Args:
        resource: A function, state machine, queue, topic or event bus of ``aws_cdk``, or the text of any ARN.
            A text without tokens is returned unchanged.
        service: The service of an ARN that is a token, such as ``ecs``. None: the resource is a construct.
        name: The form of the part after the account, with ``*`` in place of the name, such as
            ``cluster/*``. None: the resource is a construct.

    Raises:
        TypeError: The resource is none of these, or ``service`` and ``name`` are missing for a token.

    >>> arn_of("arn:aws:sqs:eu-west-1:123456789012:orders")
    'arn:aws:sqs:eu-west-1:123456789012:orders'
    """
    if isinstance(resource, str):
        if not cdk.Token.is_unresolved(resource):
            return resource
        if service is None or name is None:
            raise TypeError(
                "expected service= and name= for the ARN of a resource that is known at deployment only; use "
                "arn_of(cluster.cluster_arn, service='ecs', name='cluster/*'), or the construct itself"
            )
        return _standing(resource, "", service, name)
    kind = _kind_of(resource)
    arn = str(getattr(resource, kind.attribute))
    if not cdk.Token.is_unresolved(arn):
        return arn
    url = str(resource.queue_url) if kind.service == "sqs" else ""
    suffix = ".fifo" if kind.service in ("sqs", "sns") and getattr(resource, "fifo", False) else ""
    return _standing(arn, url, kind.service, kind.name + suffix)


def target_of(resource: Any) -> Target:
    """The target for a CDK resource; a target itself is returned unchanged.

    A message to a FIFO queue has the message group ``stepsched``; for another one use
    ``ss.QueueTarget(arn_of(queue), message_group_id=...)``.

    Raises:
        TypeError: The resource is neither a target nor a function, state machine, queue, topic or event bus.
    """
    if isinstance(resource, get_args(Target)):
        return resource  # type: ignore[no-any-return]
    return _kind_of(resource).target(resource, arn_of(resource))


def _kind_of(resource: Any) -> _Kind:
    for kind in _KINDS:
        if not isinstance(resource, str) and hasattr(resource, kind.attribute):
            return kind
    raise TypeError(
        "expected a function, state machine, queue, topic or event bus of aws_cdk, or a target, "
        f"got {quoted(resource)}; use ss.LambdaTarget('arn:...') or another target"
    )


def _queue_target(arn: str, *, is_fifo: bool) -> QueueTarget:
    return QueueTarget(arn, message_group_id="stepsched" if is_fifo else None)


def _standing(token: str, url: str, service: str, name: str) -> str:
    if token not in _given:
        key = f"{_NAME}{len(_given):06}"
        _stood[key] = _Stood(token, url)
        resource = name.replace("*", f"{key}z")
        _given[token] = f"arn:aws:{service}:{UNKNOWN.region}:{UNKNOWN.account}:{resource}"
    return _given[token]


def place_of(stack: cdk.Stack, *values: BaseModel) -> Place:
    """The place of a stack, by its environment or else by the first literal ARN in the values."""
    if not (cdk.Token.is_unresolved(stack.region) or cdk.Token.is_unresolved(stack.account)):
        return Place(stack.region, stack.account, RegionInfo.get(stack.region).partition or "aws")
    found = (match for value in values for match in _LITERAL_PLACE.finditer(value.model_dump_json()))
    literal = (Place(match[2], match[3], match[1]) for match in found)
    return next((place for place in literal if place != UNKNOWN), UNKNOWN)


def placed(value: Model, place: Place) -> Model:
    """The value with all ARNs that stand for resources in a place, as other ARNs of the stack are."""
    return type(value).model_validate_json(placed_arn(value.model_dump_json(exclude_unset=True), place))


def placed_arn(text: str, place: Place) -> str:
    """The text with all ARNs that stand for resources in a place."""
    return _UNKNOWN_PREFIX.sub(f"arn:{place.partition}:\\g<service>:{place.region}:{place.account}:", text)


def resolved(text: str) -> str:
    """The text with the tokens of CDK in place of the ARNs that stand for them."""
    text = _STANDING.sub(_token, text)
    place = f"arn:{cdk.Aws.PARTITION}:\\g<service>:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:"
    return _UNKNOWN_PREFIX.sub(place, text)


def resolved_in(value: Any) -> Any:
    """A copy of JSON in which every text is :func:`resolved`."""
    match value:
        case str():
            return resolved(value)
        case dict():
            return {key: resolved_in(item) for key, item in value.items()}
        case list():
            return [resolved_in(item) for item in value]
    return value


def _token(match: re.Match[str]) -> str:
    stood = _stood[match["name"]]
    if match["url"]:
        return stood.url
    return executions_of(stood.arn) if match["kind"] == "execution:" else stood.arn


def executions_of(state_machine_arn: str) -> str:
    """The ARN of the executions of a state machine, without the name of an execution."""
    if not cdk.Token.is_unresolved(state_machine_arn):
        return state_machine_arn.replace(":stateMachine:", ":execution:", 1)
    return cdk.Fn.join(":execution:", cdk.Fn.split(":stateMachine:", state_machine_arn, 2))
