"""What is sent for each kind of target is a request that the SDK itself takes, by its own validation."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest
from botocore.validate import ParamValidator

import stepsched as ss
from stepsched.backends.eventbridge.targets import write_target
from stepsched.machines.calls import Message, call_of
from stepsched.targets import AwsTarget, TemplateTarget, takes_input
from tests.parts.jsonata_engine import JsonataEngine
from tests.sessions import service_model
from tests.unit.test_target_kinds import SAMPLES, ids

SERVICES = {"states": "stepfunctions", "sfn": "stepfunctions", "eventbridge": "events"}
"""The names of services that are others in botocore."""
CALLED = [
    each for each in SAMPLES if isinstance(each, get_args(AwsTarget)) and not isinstance(each, TemplateTarget)
]


def api_names(shape: Any, value: Any) -> Any:
    """A request with the names of the API. Where text is wanted, anything else is JSON."""
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            members = {name.lower(): name for name in shape.members}
            names = {key: members[key.lower()] for key in value}
            given = {names[key]: api_names(shape.members[names[key]], item) for key, item in value.items()}
            # The SDK makes up a token where there is none.
            return dict.fromkeys(_tokens(shape), "t" * 40) | given
        case "map" if isinstance(value, dict):
            return {key: api_names(shape.value, item) for key, item in value.items()}
        case "list" if isinstance(value, list):
            return [api_names(shape.member, item) for item in value]
        case "string" | "blob" if not isinstance(value, str):
            return json.dumps(value)
    return value


def _tokens(shape: Any) -> list[str]:
    return [name for name, each in shape.members.items() if each.metadata.get("idempotencyToken")]


def problems(service: str, action: str, request: dict[str, Any]) -> str:
    """What the SDK finds wrong with a request."""
    model = service_model(SERVICES.get(service, service))
    shape = model.operation_model(action[:1].upper() + action[1:]).input_shape
    assert shape is not None
    report = ParamValidator().validate(api_names(shape, request), shape)
    return str(report.generate_report())


@pytest.mark.parametrize("target", CALLED, ids=ids)
@pytest.mark.parametrize("wait", [False, True], ids=["started", "waited for"])
def test_a_machine_makes_a_request_that_the_sdk_takes(
    jsonata_engine: JsonataEngine, target: ss.Target, wait: bool
) -> None:
    call = call_of(target, Message({}, "group/job", "job", "$due", {}), wait=wait)
    match = re.fullmatch(r"arn:aws:states:::(?:aws-sdk:)?([a-z]+):(\w+)(?:\.sync(?::2)?)?", call.resource)
    assert match is not None
    arguments = dict(call.arguments)
    if call.messages is not None:
        variables = {"due": "2030-01-01T00:00:00Z", **call.messages.variables("messages", "unsent")}
        arguments["Entries"] = jsonata_engine.evaluate(arguments["Entries"][2:-2], variables)
    assert problems(match[1], match[2], arguments) == ""


@pytest.mark.parametrize("target", CALLED, ids=ids)
def test_a_schedule_makes_a_request_that_the_sdk_takes(target: Any) -> None:
    given: Any = "equal" if takes_input(target) else {}
    wire = write_target(target, given, "job")
    _, is_call, call = wire.arn.partition(":aws-sdk:")
    if is_call:
        service, _, action = call.partition(":")
        request = json.loads(wire.input)
        if isinstance(target, ss.BatchTarget):  # its sample has the names of the API, which are refused here
            request.pop("ContainerOverrides")
        assert problems(service, action, request) == ""
    else:
        document = {"Arn": wire.arn, "RoleArn": "arn:aws:iam::123456789012:role/r", "Input": wire.input}
        schedule = {
            "Name": "job",
            "ScheduleExpression": "rate(1 hour)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": document | wire.blocks,
        }
        assert problems("scheduler", "createSchedule", schedule) == ""
