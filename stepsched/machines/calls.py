"""Maps each target to the Step Functions integration that invokes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import quote

from typing_extensions import assert_never

from stepsched.asl.diagnostics import Severity
from stepsched.asl.resources import Pattern, integration, sdk_integration
from stepsched.asl.services import check_arguments, check_resource
from stepsched.asl.services.optimised import ACTIONS
from stepsched.aws.arns import ARN
from stepsched.aws.services import integration_of
from stepsched.core.context import ATTEMPT_NUMBER, ATTRIBUTES, ContextText, find_look_alike
from stepsched.core.payloads import to_json
from stepsched.jobs import Job, Overlap
from stepsched.jobs.names import distinct
from stepsched.machines.fan_out import SEND_MESSAGES, Messages
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
    FanOutTarget,
    FirehoseTarget,
    HandlerTarget,
    HttpTarget,
    KinesisTarget,
    LambdaTarget,
    ParallelTarget,
    QueueTarget,
    SageMakerPipelineTarget,
    StateMachineTarget,
    Target,
    TemplateTarget,
    TopicTarget,
    WorkflowTarget,
    parts_of,
    takes_input,
)
from stepsched.targets.base import ApiCall, ServiceTarget
from stepsched.targets.containers import Placement
from stepsched.targets.endpoints import HTTP_INVOKE, endpoint_of, why_not_by_step_functions
from stepsched.targets.inputs import MAX_OVERRIDES
from stepsched.targets.messages import MAX_GROUP_ID, queue_url, why_no_group, why_no_message


class Call(NamedTuple):
    """A call of an AWS service, with its arguments in the form of a definition."""

    resource: str
    arguments: dict[str, Any]
    waits_for_completion: bool = True
    """Whether the run has ended when the call returns. False where the call only starts the target."""
    why_not: str = ""
    """Why Step Functions cannot wait for the target, such as " with tags"; may be empty."""
    messages: Messages | None = None
    """The messages of a :class:`FanOutTarget`, for which the call is repeated. None: it is made once."""

    @property
    def name(self) -> str:
        """The name of the call, such as ``sqs:sendMessage`` or ``aws-sdk:kinesis:putRecord``."""
        return SEND_MESSAGES if self.messages is not None else self.resource.split(":::", 1)[1]


@dataclass(frozen=True, slots=True)
class Message:
    """The message that a run passes to its target."""

    payload: Any
    """The job's input, which may contain context attributes."""
    key: str
    """A text that is unique to the job and the part of a parallel target."""
    name: str
    """The job's name."""
    due: str
    """The expression that gives the scheduled instant."""
    attributes: Mapping[ContextText, str]
    """The expression that gives the value of each context attribute."""

    def with_attributes(self, value: Any) -> Any:
        """The value in the form of a definition, with its context attributes replaced by their
        expressions."""
        return literal(value, self.attributes)

    def verbatim(self, value: Any) -> Any:
        """The value in the form of a definition. Text that looks like a context attribute stays as it is."""
        return literal(value, {})

    def data(self) -> Any:
        """The payload as JSON."""
        return self.with_attributes(self.payload)

    def text(self) -> Any:
        """The payload as text: a string unchanged, any other value as compact JSON.

        Raises:
            ValueError: The payload is an empty string.
        """
        if isinstance(self.payload, str):
            if not self.payload:
                raise ValueError("expected a message that is not empty, got an empty input; use some text")
            return self.with_attributes(self.payload)
        return self.json_text()

    def json_text(self) -> Any:
        """The payload as compact JSON; a string is quoted too."""
        text = to_json(self.payload)
        if not has_attributes(self.payload):
            return self.verbatim(text)
        place = find_look_alike(self.payload)
        if place is not None:
            raise ValueError(
                f"{place} looks like a context attribute, beside real ones in one message (P-23)"
            )
        return self.with_attributes(ContextText(text))

    def run_headers(self) -> dict[str, str]:
        """The headers of the call of a URL that depend on the run and its attempt."""
        attempt = self.attributes.get(ATTEMPT_NUMBER, "'1'")
        return {
            "webhook-id": self.deduplication_id(),
            "stepsched-scheduled-for": f"{{% {self.due} %}}",
            "stepsched-attempt": f"{{% {attempt} %}}",
        }

    def deduplication_id(self) -> str:
        """The expression of a text that is unique to each run."""
        return f"{{% {quoted(self.digest() + '/')} & {self.due} %}}"

    def digest(self) -> str:
        """A text that is unique to the job and the part of a parallel target, with 32 characters."""
        return sha256(self.key.encode()).hexdigest()[:32]


def call_of(target: Target, message: Message, *, wait: bool, partition: str = "aws") -> Call:
    """The call that invokes a target.

    Args:
        target: A target in AWS. A parallel target needs one call for each of its parts.
        message: The message that the target receives.
        wait: Whether the call waits until the target has ended, where the service supports that.
        partition: The partition of the state machine.

    Raises:
        ValueError: Step Functions cannot invoke the target. The error names an alternative.
    """
    data = message.data
    waits = waits_for_end(target, wait=wait)
    resource = (
        resource_of(target.api_call, wait=wait, partition=partition)
        if isinstance(target, ServiceTarget)
        else ""
    )
    match target:
        case LambdaTarget(function_arn=arn):
            how = {} if wait else {"InvocationType": "Event"}
            arguments = {"FunctionName": arn, "Payload": data(), **how}
            return Call(resource, arguments, waits)
        case StateMachineTarget(state_machine_arn=arn):
            given = message.payload
            payload = message.json_text() if isinstance(given, str) else data()
            return Call(resource, {"StateMachineArn": arn, "Input": payload}, waits)
        case QueueTarget():
            return _queue_call(target, message, resource)
        case FanOutTarget():
            messages = Messages(target, message.digest(), message.due)
            return Call(resource, messages.arguments("messages", "unsent"), messages=messages)
        case TopicTarget():
            arguments = topic_arguments(target, message.text(), message)
            return Call(resource, arguments)
        case EventBusTarget(bus_arn=arn, detail_type=kind, source=source):
            if not isinstance(message.payload, dict):
                raise ValueError(  # noqa: TRY004 -- about the job
                    f"expected a JSON object as input for the detail of an event, got {_input_kind(message)}"
                )
            entry = {
                "EventBusName": arn,
                "DetailType": message.verbatim(kind),
                "Source": source,
                "Detail": data(),
            }
            return Call(resource, {"Entries": [entry]})
        case KinesisTarget(stream_arn=arn, partition_key=key):
            arguments = {
                "StreamName": _name(arn),
                "PartitionKey": message.verbatim(key),
                "Data": _record_data(message),
            }
            return Call(resource, arguments)
        case FirehoseTarget(delivery_stream_arn=arn):
            arguments = {"DeliveryStreamName": _name(arn), "Record": {"Data": _record_data(message)}}
            return Call(resource, arguments)
        case EcsTaskTarget():
            return _task_call(target, message, wait=wait, partition=partition)
        case CodeBuildTarget(project_arn=arn):
            return Call(resource, {**_overrides(message), "ProjectName": _name(arn)}, waits)
        case CodePipelineTarget(pipeline_arn=arn):
            name = arn.split(":", 5)[5]
            return Call(resource, {**_overrides(message), "Name": name}, waits)
        case SageMakerPipelineTarget(pipeline_arn=arn, parameters=parameters):
            pairs = [{"Name": key, "Value": message.verbatim(value)} for key, value in parameters.items()]
            given = {"PipelineParameters": pairs} if pairs else {}
            return Call(resource, {"PipelineName": arn, **given}, waits)
        case BatchTarget():
            return Call(resource, _batch_arguments(target, message), waits)
        case ApiTarget(service=service, action=action, request=request):
            reason = why_no_group(f"{service}:{action}", request)
            if reason is not None:
                raise ValueError(f"{reason}; use a QueueTarget or TopicTarget, which give one")
            return Call(
                sdk_integration(service, action, partition=partition), message.with_attributes(request)
            )
        case HttpTarget():
            return _http_call(target, message, partition)
        case TemplateTarget(target_arn=arn):
            raise ValueError(
                f"a TemplateTarget has the form of EventBridge Scheduler ({arn}); "
                "use the class of the target, or ApiTarget"
            )
        case HandlerTarget() | CommandTarget():
            what = "a Python function" if isinstance(target, HandlerTarget) else "a command"
            raise ValueError(
                f"AWS cannot invoke {what} of this process; use a LambdaTarget or another target in AWS"
            )
        case WorkflowTarget():
            raise ValueError(
                "a workflow runs in a backend that stores it; use StepFunctionsBackend or LocalBackend"
            )
        case ParallelTarget():
            raise ValueError(
                "a ParallelTarget cannot contain another ParallelTarget; use one list of targets"
            )
        case other:
            assert_never(other)


def waits_for_runs(job: Job) -> bool:
    """Whether a machine waits for the end of a job's runs where the service supports that: runs may not
    overlap, or there is only one."""
    return job.overlap is not Overlap.ALLOW or job.is_one_time


def waits_for_end(target: Target, *, wait: bool) -> bool:
    """Whether the call of a target ends with the target. If not, the call only starts it.

    Args:
        target: The target.
        wait: Whether the call waits where the service supports that.
    """
    match target:
        case CodePipelineTarget() | SageMakerPipelineTarget():
            return False
        case EcsTaskTarget():
            return wait and not _sdk_options(target)
        case LambdaTarget() | StateMachineTarget() | CodeBuildTarget() | BatchTarget():
            return wait
    return True


def resource_of(call: ApiCall, *, wait: bool, partition: str) -> str:
    """The integration that makes a call: the optimised one where it exists, in its waiting form if
    ``wait``."""
    service, action, _ = call
    optimised = integration_of(service)
    patterns = ACTIONS.get(optimised, {}).get(action)
    if patterns is None:
        return sdk_integration(service, action, partition=partition)
    waiting = (each for each in (Pattern.RUN_JOB_JSON, Pattern.RUN_JOB) if wait and each.value in patterns)
    return integration(optimised, action, next(waiting, Pattern.REQUEST), partition=partition)


def all_calls() -> tuple[str, ...]:
    """The names of the calls of all target classes that always make the same call."""
    calls = [kind.api_call for kind in SERVICE_TARGETS if kind is not FanOutTarget]
    names = [
        Call(resource_of(call, wait=wait, partition="aws"), {}).name
        for call in calls
        for wait in (False, True)
    ]
    names.sort(key=lambda name: name.startswith("aws-sdk:"))
    # A task with options that the optimised integration lacks is started by the SDK integration.
    further = (HTTP_INVOKE, f"aws-sdk:{EcsTaskTarget.api_call.name}", SEND_MESSAGES)
    return tuple(dict.fromkeys([*names, *further]))


def topic_arguments(topic: TopicTarget, body: Any, message: Message) -> dict[str, Any]:
    """The arguments that publish a body. For a FIFO topic they include a group and a deduplication ID.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    arguments = {"TopicArn": topic.topic_arn, "Message": body}
    if topic.topic_arn.endswith(".fifo"):
        arguments |= {
            "MessageGroupId": distinct(message.name, MAX_GROUP_ID),
            "MessageDeduplicationId": message.deduplication_id(),
        }
    return arguments


def _record_data(message: Message) -> Any:
    """The data of a record. Step Functions writes it as JSON and would put a string in quotes.

    Raises:
        ValueError: The payload is a string.
    """
    if isinstance(message.payload, str):
        raise ValueError(  # noqa: TRY004 -- about the job
            "expected a JSON object as input, got text, which Step Functions would write in quotes; "
            "use a JSON object, or a LambdaTarget that puts the record"
        )
    return message.data()


def _http_call(target: HttpTarget, message: Message, partition: str) -> Call:
    """The call of a URL, whose failures are ``States.Http.StatusCode.<status>``.

    https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html
    """
    reason = why_not_by_step_functions(target)
    if reason is not None:
        raise ValueError(reason)
    url, parameters = endpoint_of(target.url)
    arguments: dict[str, Any] = {
        "ApiEndpoint": url,
        "Method": target.method,
        "Authentication": {"ConnectionArn": target.connection_arn},
        "Headers": {
            **{name: message.verbatim(value) for name, value in target.headers.items()},
            "stepsched-job": quote(message.name, safe="!'()*"),  # as $encodeUrlComponent
            **message.run_headers(),
        },
    }
    if parameters:
        arguments["QueryParameters"] = message.verbatim(parameters)
    if takes_input(target):
        if not isinstance(message.payload, dict):
            raise ValueError(
                f"expected a JSON object as input for the body of a call, got {_input_kind(message)}"
            )
        arguments["RequestBody"] = message.data()
    service, action = HTTP_INVOKE.split(":")
    return Call(integration(service, action, partition=partition), arguments)


def _queue_call(target: QueueTarget, message: Message, resource: str) -> Call:
    arn = target.queue_arn
    reason = why_no_message(message.payload) if isinstance(message.payload, str) else None
    if reason is not None:
        raise ValueError(f"{reason}; use a JSON object or list as input, in which it is escaped")
    arguments = {"QueueUrl": queue_url(arn), "MessageBody": message.text()}
    if target.message_group_id is not None:
        arguments |= {
            "MessageGroupId": message.verbatim(target.message_group_id),
            "MessageDeduplicationId": message.deduplication_id(),
        }
    return Call(resource, arguments)


def _task_call(target: EcsTaskTarget, message: Message, *, wait: bool, partition: str) -> Call:
    """RunTask by the optimised integration, or by the SDK integration where an option needs it.

    https://docs.aws.amazon.com/step-functions/latest/dg/connect-ecs.html
    """
    overrides = _overrides(message)
    size = len(to_json(message.payload))
    if size > MAX_OVERRIDES:
        raise ValueError(f"expected overrides of at most {MAX_OVERRIDES:,} characters, got {size:,}")
    more = {key: message.verbatim(value) for key, value in _sdk_options(target).items()}
    arguments = message.verbatim(_task_arguments(target)) | ({"Overrides": overrides} if overrides else {})
    if not more:
        return Call(resource_of(target.api_call, wait=wait, partition=partition), arguments, wait)
    words = {
        "Count": "task_count",
        "CapacityProviderStrategy": "capacity_providers",
        "ReferenceId": "reference_id",
        "Tags": "tags",
        "EnableECSManagedTags": "ecs_managed_tags",
    }
    why_not = f" with {', '.join(words[key] for key in more)}"
    resource = sdk_integration(target.api_call.service, target.api_call.action, partition=partition)
    return Call(resource, arguments | more, waits_for_completion=False, why_not=why_not)


def _sdk_options(target: EcsTaskTarget) -> dict[str, Any]:
    """The options of a task that the optimised integration lacks."""
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
    return {key: value for key, value in plain.items() if value}


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
            _placement(rule, "Expression") for rule in target.placement if rule.is_constraint
        ],
        "PlacementStrategy": [
            _placement(rule, "Field") for rule in target.placement if not rule.is_constraint
        ],
        "PlatformVersion": target.platform_version,
        "Group": target.group,
        "PropagateTags": "TASK_DEFINITION" if target.propagate_tags else None,
        "EnableExecuteCommand": target.execute_command,
    }
    return arguments | {key: value for key, value in plain.items() if value}


def _placement(rule: Placement, word: str) -> dict[str, str]:
    return {"Type": rule.type, **({word: rule.value} if rule.value else {})}


def _batch_arguments(target: BatchTarget, message: Message) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "JobName": target.job_name or _batch_name(message.name),
        "JobQueue": message.verbatim(target.job_queue),
        "JobDefinition": message.verbatim(target.job_definition),
    }
    if target.parameters:
        arguments["Parameters"] = message.with_attributes(target.parameters)
    if target.container_overrides:
        arguments["ContainerOverrides"] = message.with_attributes(pascal_case(target.container_overrides))
    return arguments


def _batch_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", name):
        raise ValueError(
            "expected the name of a Batch job (up to 128 letters, digits, '-' and '_', the first a letter or "
            f"digit), got {name!r}; use job_name of the target"
        )
    return name


def _overrides(message: Message) -> dict[str, Any]:
    """The job's input as overrides in the arguments of a call, whose names Step Functions writes in
    PascalCase."""
    if not isinstance(message.payload, dict):
        raise ValueError(  # noqa: TRY004 -- about the job
            f"expected a JSON object of overrides as input, got {_input_kind(message)}"
        )
    written = message.with_attributes(pascal_case(message.payload))
    assert isinstance(written, (dict, str))
    if isinstance(written, str):
        raise ValueError("the name of an override must not end in '.$'")  # noqa: TRY004 -- about the value
    return written


def pascal_case(value: Any) -> Any:
    match value:
        case dict():
            written = {key[:1].upper() + key[1:]: pascal_case(item) for key, item in value.items()}
            if len(written) < len(value):
                raise ValueError(
                    f"two of the keys {', '.join(value)} differ only in the case of the first letter"
                )
            return written
        case list():
            return [pascal_case(item) for item in value]
    return value


def has_attributes(value: Any) -> bool:
    """Whether a value contains context attributes. Text that only looks like one does not count."""
    match value:
        case ContextText():
            return True
        case list():
            return any(map(has_attributes, value))
        case dict():
            return any(map(has_attributes, value.values()))
    return False


def _input_kind(message: Message) -> str:
    words = {list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return words.get(type(message.payload), "a number")


def places_of(target: Target) -> set[tuple[str, str]]:
    """The partitions and Regions in the ARNs of a target; empty where it has no ARN."""
    texts = [value for _, value in target if isinstance(value, str)]
    found = [match for text in texts if (match := ARN.fullmatch(text)) is not None]
    return {(match["partition"], match["region"]) for match in found}


def check_policies(job: Job) -> None:
    """Refuses the policies that a state machine cannot follow.

    Raises:
        ValueError: The job has such a policy. The error names it and an alternative.
    """
    if job.catch_up_within is not None:
        raise ValueError(
            f"catch_up_within {job.catch_up_within}: the machine cannot skip runs because they are late; "
            "leave it out, or run the job on LocalBackend"
        )


def check_input(job: Job) -> None:
    """Refuses data of a job that would be lost or changed.

    Raises:
        ValueError: The job has such data. The error names it and an alternative.
    """
    parts = parts_of(job.target)
    unused = [part for part in parts if not takes_input(part)]
    if job.input != {} and len(unused) == len(parts):
        name = type(parts[0]).__name__
        raise ValueError(f"a {name} takes no input of the job; put the data into the fields of the target")
    for part in parts:
        for field, value in part.model_dump().items():
            place = find_look_alike(value, field)
            if place is not None:
                raise ValueError(
                    f"{type(part).__name__}: {place} contains text that looks like a context attribute, "
                    "which is not filled there; use them in values of the input, a request or parameters"
                )
    place = _key_with_attribute(job.input)
    if place is not None:
        raise ValueError(
            f"the key {place!r} of the input contains a context attribute; only values are filled"
        )


def _key_with_attribute(value: Any) -> str | None:
    match value:
        case dict():
            found = next((key for key in value if any(each in key for each in ATTRIBUTES)), None)
            return found or next(filter(None, map(_key_with_attribute, value.values())), None)
        case list():
            return next(filter(None, map(_key_with_attribute, value)), None)
    return None


def check_call(call: Call) -> None:
    """Refuses a call that AWS would refuse.

    Raises:
        ValueError: The resource or an argument is invalid. The error names it.
    """
    found = [("", finding) for finding in check_resource(call.resource)]
    if not found:
        found = check_arguments(call.resource, call.arguments, jsonata=True)
    for path, finding in found:
        if finding.severity is Severity.ERROR:
            raise ValueError(f"{call.resource}{path}: {finding.message}")


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]
