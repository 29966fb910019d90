"""What each tool would send to EventBridge Scheduler, read from a template by their documentation.

These readers share no code with what writes templates. That of CloudFormation replaces references, and spells
properties as botocore's model does. That of Terraform follows the documentation of the provider's resource,
and unescapes text by its own rules of templates.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from botocore.model import ListShape, Shape, StructureShape

from tests.sessions import service_model

ACCOUNT, REGION = "123456789012", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/made"

# -- CloudFormation ---------------------------------------------------------------------------------------


def cloudformation_requests(text: str) -> dict[str, dict[str, Any]]:
    """Returns the parameters of CreateSchedule by logical ID. A name that CloudFormation chooses is the
    logical ID."""
    resources = json.loads(text)["Resources"]
    return {
        id_: _spelled(
            {"Name": id_, **resolved(resource["Properties"], resources)}, _shape_of("CreateSchedule")
        )
        for id_, resource in resources.items()
        if resource["Type"] == "AWS::Scheduler::Schedule"
    }


def resolved(value: Any, resources: Mapping[str, Any]) -> Any:
    """Returns a part of a template as CloudFormation passes it to a service."""
    pseudo = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT}
    match value:
        case {"Ref": name, **rest} if not rest:
            return pseudo[name] if name in pseudo else _name(name, resources)
        case {"Fn::GetAtt": [name, "Arn"], **rest} if not rest:
            if resources[name]["Type"] == "AWS::IAM::Role":
                return ROLE
            group = _name(name, resources)
            return f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/{group}"
        case {"Fn::Sub": text, **rest} if not rest:
            found = re.sub(r"\$\{([^!}][^}]*)\}", lambda match: pseudo[match[1]], text)
            return found.replace("${!", "${")
        case dict():
            assert not any(key.startswith("Fn::") for key in value)
            return {key: resolved(item, resources) for key, item in value.items()}
        case list():
            return [resolved(item, resources) for item in value]
    if isinstance(value, str):
        assert "{{resolve:" not in value
    return value


def _name(id_: str, resources: Mapping[str, Any]) -> str:
    return str(resources[id_].get("Properties", {}).get("Name", id_))


def _shape_of(operation: str) -> Shape:
    shape = service_model("scheduler").operation_model(operation).input_shape
    assert shape is not None
    return shape


def _spelled(value: Any, shape: Shape) -> Any:
    """Returns a value with the members of the API, which differ in case; an unknown one is an error."""
    match shape:
        case StructureShape():
            members = {name.lower(): name for name in shape.members}
            assert all(key[0].isupper() for key in value), "CloudFormation spells all properties like this"
            return {
                members[key.lower()]: _spelled(item, shape.members[members[key.lower()]])
                for key, item in value.items()
            }
        case ListShape():
            return [_spelled(item, shape.member) for item in value]
    if shape.type_name == "timestamp":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value)
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return value


# -- Terraform --------------------------------------------------------------------------------------------

_GROUP = "aws_scheduler_schedule_group"


def terraform_requests(text: str) -> dict[str, dict[str, Any]]:
    """Returns the parameters of CreateSchedule by the name of the resource. A name that Terraform chooses is
    that name."""
    found = json.loads(text)["resource"]
    return {
        label: terraform_request(label, body, found)
        for label, body in found["aws_scheduler_schedule"].items()
    }


def terraform_request(label: str, body: dict[str, Any], resources: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what the provider sends for a resource; an argument that it does not have is an error."""
    given = dict(body)
    given.pop("depends_on", None)
    assert ("name" in given) != ("name_prefix" in given)
    prefix = given.pop("name_prefix", None)
    assert prefix is None or 1 <= len(prefix) <= 38

    def read(value: Any) -> Any:
        return evaluated(value, resources)

    request = {
        "Name": read(given.pop("name", label)),
        "ScheduleExpression": read(given.pop("schedule_expression")),
        "ScheduleExpressionTimezone": read(given.pop("schedule_expression_timezone", "UTC")),
        "State": read(given.pop("state", "ENABLED")),
        "ActionAfterCompletion": read(given.pop("action_after_completion", "NONE")),
        "GroupName": read(given.pop("group_name", "default")),
        "FlexibleTimeWindow": _window(given.pop("flexible_time_window")),
        "Target": _target(given.pop("target"), read),
    }
    for name, member in (("description", "Description"), ("kms_key_arn", "KmsKeyArn")):
        if name in given:
            request[member] = read(given.pop(name))
    for name, member in (("start_date", "StartDate"), ("end_date", "EndDate")):
        if name in given:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", given[name])
            request[member] = datetime.fromisoformat(given.pop(name).replace("Z", "+00:00"))
    assert not given
    return request


def _window(block: dict[str, Any]) -> dict[str, Any]:
    names = {"mode": "Mode", "maximum_window_in_minutes": "MaximumWindowInMinutes"}
    return {names[key]: value for key, value in block.items()}


def _target(block: dict[str, Any], read: Any) -> dict[str, Any]:
    plain = {"arn": "Arn", "role_arn": "RoleArn", "input": "Input"}
    blocks = {
        "dead_letter_config": ("DeadLetterConfig", {"arn": "Arn"}),
        "eventbridge_parameters": (
            "EventBridgeParameters",
            {"detail_type": "DetailType", "source": "Source"},
        ),
        "kinesis_parameters": ("KinesisParameters", {"partition_key": "PartitionKey"}),
        "sqs_parameters": ("SqsParameters", {"message_group_id": "MessageGroupId"}),
        "retry_policy": (
            "RetryPolicy",
            {
                "maximum_event_age_in_seconds": "MaximumEventAgeInSeconds",
                "maximum_retry_attempts": "MaximumRetryAttempts",
            },
        ),
    }
    made = dict[str, Any]()
    for key, value in block.items():
        if key in plain:
            made[plain[key]] = read(value)
        elif key in blocks:
            member, names = blocks[key]
            made[member] = {names[name]: read(item) for name, item in value.items()}
        elif key == "sagemaker_pipeline_parameters":
            (pairs,) = value.values()
            assert list(value) == ["pipeline_parameter"]
            listed = [{"Name": read(pair["name"]), "Value": read(pair["value"])} for pair in pairs]
            made["SageMakerPipelineParameters"] = {"PipelineParameterList": listed}
        else:
            assert key == "ecs_parameters"
            made["EcsParameters"] = _task(value, read)
    return made


def _task(block: dict[str, Any], read: Any) -> dict[str, Any]:
    names = {
        "enable_ecs_managed_tags": "EnableECSManagedTags",
        "enable_execute_command": "EnableExecuteCommand",
        "group": "Group",
        "launch_type": "LaunchType",
        "platform_version": "PlatformVersion",
        "propagate_tags": "PropagateTags",
        "reference_id": "ReferenceId",
        "task_count": "TaskCount",
        "task_definition_arn": "TaskDefinitionArn",
    }
    lists = {
        "capacity_provider_strategy": (
            "CapacityProviderStrategy",
            {"capacity_provider": "capacityProvider", "base": "base", "weight": "weight"},
        ),
        "placement_constraints": (
            "PlacementConstraints",
            {"type": "type", "expression": "expression"},
        ),
        "placement_strategy": ("PlacementStrategy", {"type": "type", "field": "field"}),
    }
    # What the provider sends although it is not given.
    made: dict[str, Any] = {"EnableECSManagedTags": False, "EnableExecuteCommand": False, "TaskCount": 1}
    for key, value in block.items():
        if key in names:
            made[names[key]] = read(value)
        elif key in lists:
            member, fields = lists[key]
            made[member] = [{fields[name]: read(item) for name, item in each.items()} for each in value]
        elif key == "tags":
            made["Tags"] = [{"key": read(name), "value": read(item)} for name, item in value.items()]
        else:
            assert key == "network_configuration"
            assert value.keys() <= {"assign_public_ip", "security_groups", "subnets"}
            network: dict[str, Any] = {
                "AssignPublicIp": "ENABLED" if value.get("assign_public_ip", False) else "DISABLED",
                "Subnets": [read(item) for item in value["subnets"]],
            }
            if value.get("security_groups"):
                network["SecurityGroups"] = [read(item) for item in value["security_groups"]]
            made["NetworkConfiguration"] = {"awsvpcConfiguration": network}
    return made


def evaluated(value: Any, resources: Mapping[str, Any]) -> Any:
    """Returns the value of an expression in JSON: a text is a template, read from left to right."""
    if not isinstance(value, str):
        return value
    made, at = list[str](), 0
    while at < len(value):
        if value[at : at + 3] in ("$${", "%%{"):
            made.append(value[at + 1 : at + 3])
            at += 3
        elif value[at : at + 2] == "${":
            end = value.index("}", at)
            made.append(_reference(value[at + 2 : end], resources))
            at = end + 1
        else:
            assert value[at : at + 2] != "%{", "a directive"
            made.append(value[at])
            at += 1
    return "".join(made)


def _reference(text: str, resources: Mapping[str, Any]) -> str:
    match text.split("."):
        case ["aws_iam_role", label, "arn"]:
            assert label in resources["aws_iam_role"]
            return ROLE
        case ["aws_iam_role", label, "id"]:
            assert label in resources["aws_iam_role"]
            return "made"
        case [kind, label, attribute] if kind == _GROUP:
            name = str(resources[_GROUP][label].get("name", label))
            arn = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/{name}"
            return {"name": name, "arn": arn}[attribute]
        case ["data", kind, _, attribute]:
            known = {
                ("aws_caller_identity", "account_id"): ACCOUNT,
                ("aws_region", "region"): REGION,
                ("aws_partition", "partition"): "aws",
            }
            return known[kind, attribute]
    raise AssertionError(f"an unknown reference: {text}")
