"""Outputs of the stack of a construct."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import Construct


def add_outputs(scope: Construct, values: dict[str, tuple[str, str]]) -> None:
    """Adds outputs to the stack.

    The outputs of the first construct of a kind have exactly these names. Those of a further one in the same
    stack begin with its path.

    Args:
        scope: The construct that the outputs describe.
        values: The value and the description of each output, by name.
    """
    stack = cdk.Stack.of(scope)
    is_taken = any(stack.node.try_find_child(name) is not None for name in values)
    path = [each.node.id for each in scope.node.scopes if each.node.path.startswith(f"{stack.node.path}/")]
    for name, (value, description) in values.items():
        full = f"{''.join(path)}{name}" if is_taken else name
        cdk.CfnOutput(stack, full, value=value, description=description)
