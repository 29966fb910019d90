"""The text of a template, and what CloudFormation has to be told about it. The functions are pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from stepsched.aws.stacks import MAX_INLINE_TEMPLATE_BYTES, MAX_TEMPLATE_BYTES
from stepsched.core.quoting import quoted
from stepsched.deploy.parts.names import MAX_MACHINE_NAME, STACK_NAME

_NAMED = {
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
}
"""The property of an IAM resource with which it needs CAPABILITY_NAMED_IAM.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html"""


class Document(NamedTuple):
    """A template as it is sent."""

    text: str
    """Compact JSON."""
    size: int
    """The size of the text in bytes."""
    digest: str
    """The SHA-256 digest of the text, in hexadecimal."""
    capabilities: tuple[str, ...]
    """The capabilities that the template requires."""
    roles: tuple[str, ...]
    """The logical IDs of the IAM resources, for which they are required."""

    @property
    def is_inline(self) -> bool:
        """Whether the template fits in a request."""
        return self.size <= MAX_INLINE_TEMPLATE_BYTES


def read_template(template: Mapping[str, Any]) -> Document:
    """Writes a template as compact JSON.

    Raises:
        TypeError: ``template`` is not a dict, or holds a value that JSON does not have.
        ValueError: It has no resources, or is too long for CloudFormation.
    """
    if not isinstance(template, Mapping):
        raise TypeError(
            f"expected template to be a dict, got {quoted(template)}; use stepsched.deploy.template([...])"
        )
    resources = template.get("Resources")
    if not isinstance(resources, Mapping) or not resources:
        raise ValueError(
            "expected a template with Resources, got one without; use stepsched.deploy.template([...])"
        )
    try:
        text = json.dumps(template, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        data = text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"expected a template that is JSON, got one with another value: {error}") from error
    if len(data) > MAX_TEMPLATE_BYTES:
        raise ValueError(
            f"expected a template of at most {MAX_TEMPLATE_BYTES:,} bytes, got {len(data):,}; "
            "use several stacks"
        )
    identities = {
        name: each for name, each in resources.items() if str(each.get("Type", "")).startswith("AWS::IAM::")
    }
    named = any(
        _NAMED.get(each["Type"], "") in (each.get("Properties") or {}) for each in identities.values()
    )
    needed = ("CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM",) if identities else ()
    return Document(text, len(data), sha256(data).hexdigest(), needed, tuple(sorted(identities)))


def refuse_long_names(stack: str, template: Mapping[str, Any]) -> None:
    """Refuses the name of a stack with which the name of a state machine of the template is too long.

    Raises:
        ValueError: It is too long.
    """
    for each in template["Resources"].values():
        match each:
            case {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {"StateMachineName": {"Fn::Sub": str(text)}},
            } if text.startswith(STACK_NAME) and "$" not in (ending := text.removeprefix(STACK_NAME)):
                most = MAX_MACHINE_NAME - len(ending)
                if len(stack) > most:
                    raise ValueError(
                        f"expected a name of at most {most} characters for a stack with the state machine "
                        f"<name>{ending}, got {len(stack)}: {quoted(stack)}; use a shorter one, or prefix="
                    )
