"""*What*, as a task: each target by the integration of Step Functions that invokes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from typing_extensions import assert_never

from stepsched.asl.diagnostics import Severity
from stepsched.asl.resources import Pattern, integration, sdk_integration
from stepsched.asl.services import check_arguments, check_resource
from stepsched.asl.services.optimised import ACTIONS
from stepsched.aws.arns import ARN
from stepsched.aws.services import integration_of
from stepsched.core.context import ATTRIBUTES, ContextText, find_look_alike
from stepsched.core.payloads import to_json
from stepsched.jobs import Job
from stepsched.machines.literals import literal, quoted
from stepsched.targets import (
    SERVICE_TARGETS,
    ApiTarget,
    BatchTarget,
    CodeBuildTarget,
    CodePipelineTarget,
    CommandTarget,
    EcsTaskTarget,
    EventBusTarget,
    FirehoseTarget,
    HandlerTarget,
    KinesisTarget,
    LambdaTarget,
    ParallelTarget,
    QueueTarget,
    SageMakerPipelineTarget,
    StateMachineTarget,
    Target,
    TemplateTarget,
    TopicTarget,
    parts_of,
    takes_input,
)
from stepsched.targets.base import ApiCall, ServiceTarget
from stepsched.targets.containers import Placement

_DOMAINS = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com"}


class Call(NamedTuple):
    """A call of a service, with its data as a piece of a definition."""

    resource: str
    arguments: dict[str, Any]
    waits_for_completion: bool = True
    """Whether the run has ended when the call has: false for what is only started."""
    because: str = ""
    """What keeps Step Functions from waiting for it, such as " with tags"."""

    @property
    def name(self) -> str:
        """What is called, such as ``sqs:sendMessage`` or ``aws-sdk:kinesis:putRecord``."""
        return self.resource.split(":::", 1)[1]


@dataclass(frozen=True, slots=True)
class Message:
    """What a run hands to its target."""

    payload: Any
    """The job's input; context attributes may stand in it."""
    key: str
    """Tells the job, and the part of a parallel target, from all others."""
    name: str
    """The job's name."""
    due: str
    """The expression that gives the scheduled instant."""
    attributes: Mapping[ContextText, str]
    """For each context attribute the expression that gives it."""

    def written(self, value: Any) -> Any:
        """A value in which attributes may stand, as a piece of the call."""
        return literal(value, self.attributes)

    def own(self, value: Any) -> Any:
        """A value of the target's own, in which none stand."""
        return literal(value, {})

    def data(self) -> Any:
        """The payload as JSON."""
        return self.written(self.payload)

    def text(self) -> Any:
        """The payload as text: text as it stands, everything else as compact JSON."""
        if isinstance(self.payload, str):
            if not self.payload:
                raise ValueError("the input is empty text, and no message may be empty; give some")
            return self.written(self.payload)
        return self.json_text()

    def json_text(self) -> Any:
        """The payload as compact JSON, text in quotes too."""
        text = to_json(self.payload)
        if not has_attributes(self.payload):
            return self.own(text)
        place = find_look_alike(self.payload)
        if place is not None:
            raise ValueError(
                f"{place} looks like a context attribute, beside real ones in one message (P-23)"
            )
        return self.written(ContextText(text))

    def once(self) -> str:
        """The expression of a text that is another one for each run."""
        digest = sha256(self.key.encode()).hexdigest()[:32]
        return f"{{% {quoted(digest + '/')} & {self.due} %}}"


def call_of(target: Target, message: Message, *, wait: bool, partition: str = "aws") -> Call:
    """The call that invokes a target.

    Args:
        target: Any that AWS invokes by itself; a parallel target is as many calls as it has parts.
        message: What it gets.
        wait: Whether the call ends with what it has started, where the service allows that.
        partition: Of the machine.

    Raises:
        ValueError: There is no such call; how to mend it.
    """
    data = message.data
    resource = (
        resource_of(target.api_call, wait=wait, partition=partition)
        if isinstance(target, ServiceTarget)
        else ""
    )
    match target:
        case LambdaTarget(function_arn=arn):
            how = {} if wait else {"InvocationType": "Event"}
            arguments = {"FunctionName": arn, "Payload": data(), **how}
            return Call(resource, arguments, wait)
        case StateMachineTarget(state_machine_arn=arn):
            given = message.payload
            payload = message.json_text() if isinstance(given, str) else data()
            return Call(resource, {"StateMachineArn": arn, "Input": payload}, wait)
        case QueueTarget():
            return _queue_call(target, message, resource)
        case TopicTarget():
            arguments = topic_arguments(target, message.text(), message)
            return Call(resource, arguments)
        case EventBusTarget(bus_arn=arn, detail_type=kind, source=source):
            if not isinstance(message.payload, dict):
                raise ValueError(  # noqa: TRY004 -- about the job
                    f"the detail of an event is a JSON object, and the input is {_kind(message)}"
                )
            entry = {"EventBusName": arn, "DetailType": message.own(kind), "Source": source, "Detail": data()}
            return Call(resource, {"Entries": [entry]})
        case KinesisTarget(stream_arn=arn, partition_key=key):
            arguments = {"StreamName": _name(arn), "PartitionKey": message.own(key), "Data": _blob(message)}
            return Call(resource, arguments)
        case FirehoseTarget(delivery_stream_arn=arn):
            arguments = {"DeliveryStreamName": _name(arn), "Record": {"Data": _blob(message)}}
            return Call(resource, arguments)
        case EcsTaskTarget():
            return _task_call(target, message, wait=wait, partition=partition)
        case CodeBuildTarget(project_arn=arn):
            return Call(resource, {**_overrides(message), "ProjectName": _name(arn)}, wait)
        case CodePipelineTarget(pipeline_arn=arn):
            name = arn.split(":", 5)[5]
            return Call(resource, {**_overrides(message), "Name": name}, waits_for_completion=False)
        case SageMakerPipelineTarget(pipeline_arn=arn, parameters=parameters):
            pairs = [{"Name": key, "Value": message.own(value)} for key, value in parameters.items()]
            given = {"PipelineParameters": pairs} if pairs else {}
            return Call(resource, {"PipelineName": arn, **given}, waits_for_completion=False)
        case BatchTarget():
            return Call(resource, _batch_arguments(target, message), wait)
        case ApiTarget(service=service, action=action, request=request):
            return Call(sdk_integration(service, action, partition=partition), message.written(request))
        case TemplateTarget(target_arn=arn):
            raise ValueError(
                f"a TemplateTarget is written as EventBridge Scheduler has it ({arn}); "
                "give the target's own class, or ApiTarget"
            )
        case HandlerTarget() | CommandTarget():
            what = "a Python function" if isinstance(target, HandlerTarget) else "a command"
            raise ValueError(
                f"AWS cannot invoke {what} of this process; give a LambdaTarget or another in AWS"
            )
        case ParallelTarget():
            raise ValueError("a parallel target does not hold another one")
        case other:
            assert_never(other)


def resource_of(call: ApiCall, *, wait: bool, partition: str) -> str:
    """The integration that makes a call: an optimised one, and one that waits, where there is one."""
    service, action, _ = call
    optimised = integration_of(service)
    patterns = ACTIONS.get(optimised, {}).get(action)
    if patterns is None:
        return sdk_integration(service, action, partition=partition)
    waiting = (each for each in (Pattern.RUN_JOB_JSON, Pattern.RUN_JOB) if wait and each.value in patterns)
    return integration(optimised, action, next(waiting, Pattern.REQUEST), partition=partition)


def all_calls() -> tuple[str, ...]:
    """The names of the calls of all targets whose class tells the call."""
    calls = [kind.api_call for kind in SERVICE_TARGETS]
    names = [
        Call(resource_of(call, wait=wait, partition="aws"), {}).name
        for call in calls
        for wait in (False, True)
    ]
    names.sort(key=lambda name: name.startswith("aws-sdk:"))
    # What the optimised integration of a task lacks goes by the plain one.
    return tuple(dict.fromkeys([*names, f"aws-sdk:{EcsTaskTarget.api_call.name}"]))


def topic_arguments(topic: TopicTarget, body: Any, message: Message) -> dict[str, Any]:
    """What publishes a body; a FIFO topic wants to know its order, and what to take once."""
    arguments = {"TopicArn": topic.topic_arn, "Message": body}
    if topic.topic_arn.endswith(".fifo"):
        arguments |= {"MessageGroupId": message.name, "MessageDeduplicationId": message.once()}
    return arguments


def _blob(message: Message) -> Any:
    """A record's bytes. Step Functions writes what it is given as JSON, text in quotes too."""
    if isinstance(message.payload, str):
        raise ValueError(  # noqa: TRY004 -- about the job
            "Step Functions would put the text into the record as JSON, in quotes; "
            "give a JSON object as input, or a LambdaTarget that puts the record"
        )
    return message.data()


_NOT_IN_MESSAGES = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html"""


def _queue_call(target: QueueTarget, message: Message, resource: str) -> Call:
    arn = target.queue_arn
    found = _NOT_IN_MESSAGES.search(message.payload) if isinstance(message.payload, str) else None
    if found is not None:
        raise ValueError(
            f"Amazon SQS takes no character {found[0]!r} in a message; give the input as a JSON object or "
            "list, in which it is escaped"
        )
    arguments = {"QueueUrl": queue_url(arn), "MessageBody": message.text()}
    if target.message_group_id is not None:
        arguments |= {
            "MessageGroupId": message.own(target.message_group_id),
            "MessageDeduplicationId": message.once(),
        }
    return Call(resource, arguments)


def queue_url(arn: str) -> str:
    """The URL of a queue, which Amazon SQS wants instead of its ARN.

    Raises:
        ValueError: Its partition has another domain than the three that are known.
    """
    _, partition, _, region, account, name = arn.split(":", 5)
    if partition not in _DOMAINS:
        raise ValueError(f"the URL of {arn!r} is not known for partition {partition!r}; use an ApiTarget")
    return f"https://sqs.{region}.{_DOMAINS[partition]}/{account}/{name}"


def _task_call(target: EcsTaskTarget, message: Message, *, wait: bool, partition: str) -> Call:
    """RunTask by the optimised integration, or by the plain one where it needs what the former lacks.

    https://docs.aws.amazon.com/step-functions/latest/dg/connect-ecs.html
    """
    plain = {
        "Count": target.task_count if target.task_count > 1 else None,
        "CapacityProviderStrategy": [
            {"CapacityProvider": each.name, "Base": each.base, "Weight": each.weight}
            for each in target.capacity_providers
        ],
        "ReferenceId": target.reference_id,
        "Tags": [{"Key": key, "Value": value} for key, value in target.tags.items()],
        "EnableECSManagedTags": target.ecs_managed_tags,
    }
    overrides = _overrides(message)
    more = {key: message.own(value) for key, value in plain.items() if value}
    arguments = message.own(_task_arguments(target)) | ({"Overrides": overrides} if overrides else {})
    if not more:
        return Call(resource_of(target.api_call, wait=wait, partition=partition), arguments, wait)
    words = {
        "Count": "task_count",
        "CapacityProviderStrategy": "capacity_providers",
        "ReferenceId": "reference_id",
        "Tags": "tags",
        "EnableECSManagedTags": "ecs_managed_tags",
    }
    because = f" with {', '.join(words[key] for key in more)}"
    resource = sdk_integration(target.api_call.service, target.api_call.action, partition=partition)
    return Call(resource, arguments | more, waits_for_completion=False, because=because)


def _task_arguments(target: EcsTaskTarget) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "Cluster": target.cluster_arn,
        "TaskDefinition": target.task_definition_arn,
    }
    if target.subnets:
        network: dict[str, Any] = {"Subnets": list(target.subnets)}
        if target.security_groups:
            network["SecurityGroups"] = list(target.security_groups)
        network["AssignPublicIp"] = "ENABLED" if target.assign_public_ip else "DISABLED"
        arguments["NetworkConfiguration"] = {"AwsvpcConfiguration": network}
    plain = {
        "LaunchType": target.launch_type,
        "PlacementConstraints": [
            _placed(rule, "Expression") for rule in target.placement if rule.is_constraint
        ],
        "PlacementStrategy": [_placed(rule, "Field") for rule in target.placement if not rule.is_constraint],
        "PlatformVersion": target.platform_version,
        "Group": target.group,
        "PropagateTags": "TASK_DEFINITION" if target.propagate_tags else None,
        "EnableExecuteCommand": target.execute_command,
    }
    return arguments | {key: value for key, value in plain.items() if value}


def _placed(rule: Placement, word: str) -> dict[str, str]:
    return {"Type": rule.type, **({word: rule.value} if rule.value else {})}


def _batch_arguments(target: BatchTarget, message: Message) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "JobName": target.job_name or _batch_name(message.name),
        "JobQueue": message.own(target.job_queue),
        "JobDefinition": message.own(target.job_definition),
    }
    if target.parameters:
        arguments["Parameters"] = message.written(target.parameters)
    if target.container_overrides:
        arguments["ContainerOverrides"] = message.written(_pascal(target.container_overrides))
    return arguments


def _batch_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(
            f"{name!r} is no name for a Batch job, which begins with a letter or digit and holds these, '-' "
            "and '_'; give the target a job_name"
        )
    return name


def _overrides(message: Message) -> dict[str, Any]:
    """The job's input as members of a call, which Step Functions writes in PascalCase."""
    if not isinstance(message.payload, dict):
        raise ValueError(  # noqa: TRY004 -- about the job
            f"the input holds what it overrides, by name, and is {_kind(message)}"
        )
    written = message.written(_pascal(message.payload))
    assert isinstance(written, (dict, str))
    if isinstance(written, str):
        raise ValueError("a member of a call has a name, which does not end in '.$'")  # noqa: TRY004 -- about the value
    return written


def _pascal(value: Any) -> Any:
    match value:
        case dict():
            written = {key[:1].upper() + key[1:]: _pascal(item) for key, item in value.items()}
            if len(written) < len(value):
                raise ValueError(
                    f"of the keys {', '.join(value)} two differ only in the case of the first letter"
                )
            return written
        case list():
            return [_pascal(item) for item in value]
    return value


def has_attributes(value: Any) -> bool:
    """Whether context attributes stand in it; text that only looks like one is none."""
    match value:
        case ContextText():
            return True
        case list():
            return any(map(has_attributes, value))
        case dict():
            return any(map(has_attributes, value.values()))
    return False


def _kind(message: Message) -> str:
    words = {list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return words.get(type(message.payload), "a number")


def places_of(target: Target) -> set[tuple[str, str]]:
    """The partitions and Regions that the ARNs of a target name; empty where it has none."""
    texts = [value for _, value in target if isinstance(value, str)]
    found = [match for text in texts if (match := ARN.fullmatch(text)) is not None]
    return {(match["partition"], match["region"]) for match in found}


def check_policies(job: Job) -> None:
    """Refuses the policies that no state machine keeps to.

    Raises:
        ValueError: Which, and what would.
    """
    if job.catch_up_within is not None:
        raise ValueError(
            f"catch_up_within {job.catch_up_within}: the machine leaves out no run for being late; "
            "leave it out, or run the job on LocalBackend, which does that"
        )


def check_input(job: Job) -> None:
    """Refuses what of a job's data would be lost or become something else.

    Raises:
        ValueError: What, and how to mend it.
    """
    parts = parts_of(job.target)
    unused = [part for part in parts if not takes_input(part)]
    if job.input != {} and len(unused) == len(parts):
        name = type(parts[0]).__name__
        raise ValueError(f"a {name} takes no input of the job; put it into the target's own fields")
    for part in parts:
        for field, value in part.model_dump().items():
            place = find_look_alike(value, field)
            if place is not None:
                raise ValueError(
                    f"{type(part).__name__}: {place} holds what looks like a context attribute, which is not "
                    "filled there; attributes belong into values of the input, a request or parameters"
                )
    place = _key_like_an_attribute(job.input)
    if place is not None:
        raise ValueError(f"the key {place!r} of the input holds a context attribute; only values are filled")


def _key_like_an_attribute(value: Any) -> str | None:
    match value:
        case dict():
            own = next((key for key in value if any(each in key for each in ATTRIBUTES)), None)
            return own or next(filter(None, map(_key_like_an_attribute, value.values())), None)
        case list():
            return next(filter(None, map(_key_like_an_attribute, value)), None)
    return None


def check_call(call: Call) -> None:
    """Refuses a call that AWS would not take.

    Raises:
        ValueError: What is wrong with it.
    """
    found = [("", finding) for finding in check_resource(call.resource)]
    if not found:
        found = check_arguments(call.resource, call.arguments, jsonata=True)
    for path, finding in found:
        if finding.severity is Severity.ERROR:
            raise ValueError(f"{call.resource}{path}: {finding.message}")


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]
