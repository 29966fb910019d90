"""What all parts of a stack have in common: their form, and their roles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from stepsched.asl.machine import StateMachine
from stepsched.deploy.parts.names import Names


class StackPart(NamedTuple):
    """Resources of a stack by logical ID, and its outputs by name."""

    resources: dict[str, Any] = {}  # noqa: RUF012 -- never changed
    outputs: dict[str, Any] = {}  # noqa: RUF012


def combined(parts: Iterable[StackPart]) -> StackPart:
    """One part with the resources and outputs of all."""
    whole = StackPart({}, {})
    for part in parts:
        whole.resources.update(part.resources)
        whole.outputs.update(part.outputs)
    return whole


def output(description: str, value: Any) -> dict[str, Any]:
    """An output of a stack."""
    return {"Description": description, "Value": value}


def role(
    names: Names,
    description: str,
    *,
    trust: Mapping[str, Any],
    policy: Mapping[str, Any],
    boundary: str | None,
) -> dict[str, Any]:
    """A role with one inline policy.

    Args:
        names: The names of the stack.
        description: The description of the role.
        trust: The trust policy, with placeholders.
        policy: The inline policy, with placeholders.
        boundary: The ARN of the permissions boundary. None: there is none.
    """
    limit = {} if boundary is None else {"PermissionsBoundary": boundary}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "Description": description,
            "AssumeRolePolicyDocument": names.with_references(trust),
            "Policies": [{"PolicyName": "stepsched", "PolicyDocument": names.with_references(policy)}],
            **limit,
        },
    }


def _without_nulls(value: Any) -> Any:
    """A copy of a definition in which null is an expression: CloudFormation accepts no null in a template."""
    match value:
        case None:
            return "{% null %}"
        case dict():
            return {key: _without_nulls(item) for key, item in value.items()}
        case list():
            return [_without_nulls(item) for item in value]
    return value


def machine(
    machine_type: str,
    name: Any,
    definition: StateMachine,
    *,
    role_arn: Any,
    substitutions: Mapping[str, tuple[str, Any]],
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A state machine.

    Args:
        machine_type: ``STANDARD`` or ``EXPRESS``.
        name: The name, or a reference to it.
        definition: The definition, with placeholders.
        role_arn: The ARN of its role, or a reference to it.
        substitutions: For each name of a substitution, the placeholder in the definition and its value.
        metadata: The metadata of the resource. None: there is none.
    """
    # A placeholder is replaced in the JSON text, because it is also inside of expressions that escape braces.
    text = json.dumps(_without_nulls(definition.to_dict()))
    assert "${" not in text, "CloudFormation would read it as a reference"
    for key, (placeholder, _) in substitutions.items():
        text = text.replace(placeholder, f"${{{key}}}")
    return {
        "Type": "AWS::StepFunctions::StateMachine",
        **({} if metadata is None else {"Metadata": dict(metadata)}),
        "Properties": {
            "StateMachineName": name,
            "StateMachineType": machine_type,
            "RoleArn": role_arn,
            "Definition": json.loads(text),
            "DefinitionSubstitutions": {key: value for key, (_, value) in substitutions.items()},
        },
    }
