"""Converts targets to the form of EventBridge Scheduler (ARN, parameter blocks and input) and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from pydantic import ValidationError

from stepsched.aws.arns import ARN
from stepsched.backends.eventbridge.universal import (
    batch_request,
    fifo_request,
    is_fifo,
    is_universal,
    read_batch,
    read_fifo,
)
from stepsched.core.context import JSON_KEY, ContextText, recognise
from stepsched.core.payloads import to_json
from stepsched.targets import (
    SERVICE_TARGETS,
    ApiTarget,
    AwsTarget,
    BatchTarget,
    CommandTarget,
    EcsTaskTarget,
    EventBusTarget,
    FanOutTarget,
    HandlerTarget,
    HttpTarget,
    KinesisTarget,
    ParallelTarget,
    QueueTarget,
    SageMakerPipelineTarget,
    Target,
    TemplateTarget,
    TopicTarget,
    WorkflowTarget,
)
from stepsched.targets.base import ServiceTarget, arn_field, arn_of
from stepsched.targets.containers import CapacityProvider, Placement

UNIVERSAL = "arn:aws:scheduler:::aws-sdk:"
"""The prefix of the ARNs of API calls. In other partitions it has the name of the partition."""
_TEXT_SERVICES = ("sqs", "sns", "kinesis", "firehose")
"""The services whose messages are any text; the messages of the others are JSON."""
BLOCKS = {
    "codebuild": (),
    "codepipeline": (),
    "ecs": ("EcsParameters",),
    "events": (
        "EventBridgeParameters",
        "EventBridgePutEventsV2Parameters",
        "EventBridgePutRawEventsParameters",
    ),
    "firehose": (),
    "inspector": (),
    "kinesis": ("KinesisParameters",),
    "lambda": (),
    "sagemaker": ("SageMakerPipelineParameters",),
    "sns": (),
    "sqs": ("SqsParameters",),
    "states": (),
}
"""The templated targets and their parameter blocks."""
_FIFO = "fifo"
"""The metadata of a target that is a FIFO queue or topic, and not an :class:`ApiTarget`."""
_FAN_OUT = "fan_out"
"""The metadata of a target that sends several messages, and not an :class:`ApiTarget`."""
_KNOWN = {"Arn", "RoleArn", "Input", "RetryPolicy", "DeadLetterConfig"}


class Wire(NamedTuple):
    """The parts of a request that define the target."""

    arn: str
    blocks: dict[str, Any]
    input: str


def is_text(target: Target) -> bool:
    """Returns whether the message of the target is any text, and not only JSON."""
    return isinstance(target, ServiceTarget) and target.api_call.service in _TEXT_SERVICES


def write_target(target: AwsTarget, payload: Any, name: str, *, partition: str = "aws") -> Wire:
    """Returns ARN, parameter blocks and input.

    A queue, topic or stream gets a text input unchanged; every other input is sent as JSON. Without an input
    ``{}`` is sent instead of the service's own notification (P-22).

    Args:
        target: The target.
        payload: The job's input.
        name: The name of the job.
        partition: The partition of the schedule.

    Raises:
        ValueError: The target is a FIFO queue in a partition with an unknown domain.
    """
    call = universal_parts(target, payload, name)
    if call is not None:
        service, action, request = call
        prefix = UNIVERSAL.replace(":aws:", f":{partition}:", 1)
        return Wire(f"{prefix}{service}:{action}", {}, to_json(request))
    text = _text_of(target, payload)
    if isinstance(target, TemplateTarget):
        return Wire(target.target_arn, target.parameters, text)
    assert isinstance(target, ServiceTarget)
    return Wire(arn_of(target), _write_blocks(target), text)


def _text_of(target: AwsTarget, payload: Any) -> str:
    """Returns the message of a job."""
    return payload if is_text(target) and isinstance(payload, str) else to_json(payload)


def _write_blocks(target: ServiceTarget) -> dict[str, Any]:
    """Returns the parameter blocks for the fields of a target other than its ARN."""
    match target:
        case EventBusTarget(detail_type=kind, source=source):
            return {"EventBridgeParameters": {"DetailType": kind, "Source": source}}
        case KinesisTarget(partition_key=key):
            return {"KinesisParameters": {"PartitionKey": key}}
        case SageMakerPipelineTarget(parameters=parameters) if parameters:
            pairs = [{"Name": key, "Value": value} for key, value in parameters.items()]
            return {"SageMakerPipelineParameters": {"PipelineParameterList": pairs}}
        case EcsTaskTarget():
            return {"EcsParameters": _write_task(target)}
    return {}


def _batch_request(target: BatchTarget, name: str) -> dict[str, Any]:
    """Returns the request of the SubmitJob call."""
    request: dict[str, Any] = {
        "JobName": target.job_name or name,
        "JobQueue": target.job_queue,
        "JobDefinition": target.job_definition,
    }
    if target.parameters:
        request["Parameters"] = target.parameters
    if target.container_overrides:
        request["ContainerOverrides"] = target.container_overrides
    return request


def read_target(document: dict[str, Any], kept: dict[str, Any], name: str) -> tuple[AwsTarget, Any]:
    """Reads target and input from a stored ``Target``.

    Args:
        document: The ``Target`` of GetSchedule.
        kept: The data of the metadata suffix: ``target`` and ``text``.
        name: The name of the job.
    """
    arn, text = document["Arn"], document.get("Input")
    blocks = {key: value for key, value in document.items() if key not in _KNOWN}
    try:
        if is_universal(arn):
            return _read_universal(arn, text, kept, name)
        target = _read_templated(arn, blocks)
    except (ValidationError, ValueError, KeyError, RecursionError):
        target = TemplateTarget(arn, parameters=blocks)
    return target, _read_input(arn, text, is_string=kept.get("text") is True)


def _read_input(arn: str, text: str | None, *, is_string: bool) -> Any:
    if text is None:
        return {}
    if is_string or JSON_KEY in text:  # such an object would be read as an attribute
        return recognise(text)
    match = ARN.fullmatch(arn)
    takes_text = match is not None and match["service"] in _TEXT_SERVICES
    try:
        value = json.loads(text)
        to_json(value)
    except (ValueError, RecursionError):
        return recognise(text)
    return recognise(text) if takes_text and isinstance(value, str) else recognise(value)


def _read_universal(arn: str, text: str | None, kept: dict[str, Any], name: str) -> tuple[AwsTarget, Any]:
    service, _, action = arn.partition(":aws-sdk:")[2].partition(":")
    request = recognise(json.loads(text or "{}"))
    fifo = read_fifo(request, name) if kept.get("target") == _FIFO else None
    if fifo is not None:
        target, message = fifo
        return target, _read_input(arn_of(target), message, is_string=kept.get("text") is True)
    several = read_batch(request) if kept.get("target") == _FAN_OUT else None
    if several is not None:
        return several, {}
    if kept.get("target") == "batch" and service == "batch":
        named = request["JobName"]
        return BatchTarget(
            request["JobDefinition"],
            job_queue=request["JobQueue"],
            job_name=None if named == name and not kept.get("named") else named,
            parameters=request.get("Parameters"),
            container_overrides=request.get("ContainerOverrides"),
        ), {}
    try:
        return ApiTarget(service, action, request), {}
    except ValueError:
        return TemplateTarget(arn), request


def _read_templated(arn: str, blocks: dict[str, Any]) -> AwsTarget:
    match = ARN.fullmatch(arn)
    if match is None:
        raise ValueError(arn)
    plain = _plain_kinds().get(match["service"])
    if plain is not None and not blocks:
        return plain(arn)
    match match["service"], blocks:
        case "sqs", {**rest} if not rest:
            return QueueTarget(arn)
        case "sqs", {"SqsParameters": {"MessageGroupId": group, **more}, **rest} if not rest and not more:
            return QueueTarget(arn, message_group_id=group)
        case "events", {"EventBridgeParameters": {"DetailType": kind, "Source": source}, **rest} if not rest:
            return EventBusTarget(arn, detail_type=kind, source=source)
        case "kinesis", {"KinesisParameters": {"PartitionKey": key}, **rest} if not rest:
            return KinesisTarget(arn, partition_key=key)
        case "sagemaker", {**rest} if not rest:
            return SageMakerPipelineTarget(arn)
        case "sagemaker", {"SageMakerPipelineParameters": {"PipelineParameterList": pairs}}:
            return SageMakerPipelineTarget(arn, parameters={pair["Name"]: pair["Value"] for pair in pairs})
        case "ecs", {"EcsParameters": parameters, **rest} if not rest:
            return _read_task(arn, parameters)
    return TemplateTarget(arn, parameters=blocks)


@cache
def _plain_kinds() -> dict[str, Callable[[str], AwsTarget]]:
    """Returns the targets that consist of an ARN only, by the service in the ARN."""
    fields = {kind: kind.model_fields.keys() - {"kind"} for kind in SERVICE_TARGETS}
    plain: list[Any] = [kind for kind, names in fields.items() if len(names) == 1]
    return {arn_field(kind)[1].service: kind for kind in plain}


def _write_task(target: EcsTaskTarget) -> dict[str, Any]:
    block: dict[str, Any] = {"TaskDefinitionArn": target.task_definition_arn, "TaskCount": target.task_count}
    if target.launch_type is not None:
        block["LaunchType"] = target.launch_type
    if target.subnets:
        network: dict[str, Any] = {"Subnets": list(target.subnets)}
        if target.security_groups:
            network["SecurityGroups"] = list(target.security_groups)
        network["AssignPublicIp"] = "ENABLED" if target.assign_public_ip else "DISABLED"
        block["NetworkConfiguration"] = {"awsvpcConfiguration": network}
    if target.capacity_providers:
        block["CapacityProviderStrategy"] = [
            {"capacityProvider": provider.name, "base": provider.base, "weight": provider.weight}
            for provider in target.capacity_providers
        ]
    constraints = [rule for rule in target.placement if rule.is_constraint]
    strategies = [rule for rule in target.placement if not rule.is_constraint]
    if constraints:
        block["PlacementConstraints"] = [_rule(rule, "expression") for rule in constraints]
    if strategies:
        block["PlacementStrategy"] = [_rule(rule, "field") for rule in strategies]
    plain = {
        "PlatformVersion": target.platform_version,
        "Group": target.group,
        "ReferenceId": target.reference_id,
        "PropagateTags": "TASK_DEFINITION" if target.propagate_tags else None,
        "Tags": [{"key": key, "value": value} for key, value in target.tags.items()] or None,
        "EnableECSManagedTags": target.ecs_managed_tags or None,
        "EnableExecuteCommand": target.execute_command or None,
    }
    return block | {key: value for key, value in plain.items() if value is not None}


def _rule(rule: Placement, word: str) -> dict[str, str]:
    return {"type": rule.type, word: rule.value} if rule.value else {"type": rule.type}


def _read_task(arn: str, block: dict[str, Any]) -> AwsTarget:
    network = block.get("NetworkConfiguration", {}).get("awsvpcConfiguration", {})
    placement = [
        Placement(type=rule["type"], value=rule.get(word, ""))
        for key, word in (("PlacementConstraints", "expression"), ("PlacementStrategy", "field"))
        for rule in block.get(key, ())
    ]
    target = EcsTaskTarget(
        arn,
        task_definition_arn=block["TaskDefinitionArn"],
        task_count=block.get("TaskCount", 1),
        launch_type=block.get("LaunchType"),
        subnets=network.get("Subnets", ()),
        security_groups=network.get("SecurityGroups", ()),
        assign_public_ip=network.get("AssignPublicIp") == "ENABLED",
        platform_version=block.get("PlatformVersion"),
        capacity_providers=[
            CapacityProvider(
                name=each["capacityProvider"], base=each.get("base", 0), weight=each.get("weight", 0)
            )
            for each in block.get("CapacityProviderStrategy", ())
        ],
        placement=placement,
        group=block.get("Group"),
        reference_id=block.get("ReferenceId"),
        propagate_tags=block.get("PropagateTags") == "TASK_DEFINITION",
        tags={tag["key"]: tag["value"] for tag in block.get("Tags", ())},
        ecs_managed_tags=block.get("EnableECSManagedTags", False),
        execute_command=block.get("EnableExecuteCommand", False),
    )
    known = _write_task(target)
    unknown = block.keys() - known.keys() - {"EnableECSManagedTags", "EnableExecuteCommand"}
    return TemplateTarget(arn, parameters={"EcsParameters": block}) if unknown else target


def aws_target(target: Target) -> AwsTarget:
    """Returns the target, which must be one in AWS."""
    assert not isinstance(target, (ParallelTarget, HandlerTarget, HttpTarget, CommandTarget, WorkflowTarget))
    return target


def universal_parts(target: AwsTarget, payload: Any, name: str) -> tuple[str, str, dict[str, Any]] | None:
    """Returns service, action and request if the target is sent as an API call; None for other targets."""
    match target:
        case QueueTarget() | TopicTarget() if target.is_fifo:
            request = fifo_request(target, _text_of(target, payload), name)
            return target.api_call.service, target.api_call.action, request
        case FanOutTarget():
            return target.api_call.service, target.api_call.action, batch_request(target)
        case ApiTarget(service=service, action=action, request=request):
            return service, action, request
        case BatchTarget():
            return target.api_call.service, target.api_call.action, _batch_request(target, name)
    return None


def kept_of_target(target: AwsTarget, payload: Any, name: str) -> dict[str, Any]:
    """Returns the data of the metadata suffix that is needed to read the target and its input back."""
    kept: dict[str, Any] = {}
    if isinstance(target, BatchTarget):
        kept["target"] = "batch"
        if target.job_name == name:
            kept["named"] = True
    if is_fifo(target):
        kept["target"] = _FIFO
    if isinstance(target, FanOutTarget):
        kept["target"] = _FAN_OUT
    if is_text(target) and isinstance(payload, (str, ContextText)):
        kept["text"] = True
    return kept
