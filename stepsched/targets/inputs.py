"""Checks what becomes the request of an API call: a job's input, and overrides in the target. Pure.

Amazon EventBridge passes such an input on as it is, with the names of the API:
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html
"""

from __future__ import annotations

from typing import Any

from stepsched.aws.models import Shape, api_request
from stepsched.aws.requests import Caller, check_request
from stepsched.core.payloads import to_json
from stepsched.core.quoting import quoted
from stepsched.targets import (
    BatchTarget,
    CodeBuildTarget,
    CodePipelineTarget,
    EcsTaskTarget,
    EventBusTarget,
    FanOutTarget,
    QueueTarget,
    Target,
    TopicTarget,
)
from stepsched.targets.messages import why_no_message

MAX_OVERRIDES = 8192
"""The maximum number of characters of overrides: the documentation of RunTask in the model of Amazon ECS."""


def why_not_input(target: Target, payload: Any, *, lenient: bool = False) -> str | None:
    """Why every run of a target with an input would fail at its service; None if nothing is known against it.

    Requests of an :class:`ApiTarget` are not checked here.

    Args:
        target: The target.
        payload: The job's input.
        lenient: Whether what only Step Functions accepts is accepted too: names of parameters in Pascal case,
            and text for numbers.
    """
    match target:
        case EventBusTarget() if not isinstance(payload, dict):
            words = "the input of an EventBusTarget is the detail of an event, a JSON object"
            return f"{words}; got {quoted(payload)}"
        case FanOutTarget() if payload != {}:
            return "a FanOutTarget takes no input of the job; put the data into messages of the target"
        case QueueTarget() | TopicTarget() if payload == "":
            return "input is an empty string, and the service requires a character"
        case QueueTarget() if isinstance(payload, str):
            return why_no_message(payload)
        case EcsTaskTarget():
            return _why_no_overrides(payload, lenient=lenient)
        case CodeBuildTarget():
            shape = api_request("codebuild", "StartBuild")
            return _why_no_request(shape, payload, "codebuild:startBuild", "projectName", lenient=lenient)
        case CodePipelineTarget():
            shape = api_request("codepipeline", "StartPipelineExecution")
            call = "codepipeline:startPipelineExecution"
            return _why_no_request(shape, payload, call, "name", lenient=lenient)
        case BatchTarget(container_overrides=overrides):
            fields = api_request("batch", "SubmitJob").member("containerOverrides")
            assert fields is not None
            given = _camel_case(overrides)
            return _problems(fields, given, "batch:submitJob", "container_overrides", lenient=True)
    return None


def _why_no_overrides(payload: Any, *, lenient: bool) -> str | None:
    shape = api_request("ecs", "RunTask").member("overrides")
    assert shape is not None
    if not isinstance(payload, dict):
        return "the input of an EcsTaskTarget holds overrides, as an object"
    given = _camel_case(payload) if lenient else payload
    unknown = [key for key in given if key not in shape.names]
    if unknown:
        known = ", ".join(sorted(shape.names))
        return f"input has {unknown[0]!r}, which RunTask does not override; it does {known}"
    size = len(to_json(payload))
    if size > MAX_OVERRIDES:
        return f"expected overrides of at most {MAX_OVERRIDES:,} characters for RunTask, got {size:,}"
    return _problems(shape, given, "ecs:runTask", lenient=lenient)


def _why_no_request(shape: Shape, payload: Any, call: str, resource: str, *, lenient: bool) -> str | None:
    """The same for an input that holds further parameters of a call.

    Args:
        shape: The request of the call.
        payload: The job's input.
        call: The name of the call.
        resource: The required parameter that the target gives.
        lenient: As for :func:`why_not_input`.
    """
    if not isinstance(payload, dict):
        return f"the input is an object with parameters of {call}, got {quoted(payload)}"
    given = _camel_case(payload) if lenient else payload
    if resource in given:
        return f"input has {resource!r}, which the target gives"
    return _problems(shape, {resource: "name", **given}, call, lenient=lenient)


def _problems(shape: Shape, request: Any, call: str, root: str = "input", *, lenient: bool) -> str | None:
    caller = Caller("AWS", call, root, names="in this case", converts=lenient)
    problems = check_request(shape, request, caller)
    found = [f"{root}{each.path}: {each.message}" for each in problems if each.is_error]
    return "; ".join(found[:3]) or None


def _camel_case(value: Any) -> Any:
    match value:
        case dict():
            return {key[:1].lower() + key[1:]: _camel_case(item) for key, item in value.items()}
        case list():
            return [_camel_case(item) for item in value]
    return value
