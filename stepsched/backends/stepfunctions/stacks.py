"""Finds the table and the state machine of a CloudFormation stack by its outputs."""

from __future__ import annotations

from typing import Any, NamedTuple

from stepsched.aws.sdk import mapped, validate_connection
from stepsched.core.errors import BackendError, ErrorCode
from stepsched.machines.shared.metrics import NAMESPACE

STATE_MACHINE_OUTPUT, TABLE_OUTPUT, METRICS_OUTPUT = "StateMachineArn", "TableName", "MetricNamespace"
WORKFLOWS_OUTPUT = "WorkflowsArn"
"""The outputs of a stack, without prefix."""
CONSTRUCT_OUTPUT = "StepFunctionArn"
"""The ending of the output of the machine in stacks of the construct, as AWS Solutions names it."""


class Stack(NamedTuple):
    """The resources that the outputs of a stack name."""

    state_machine_arn: str
    table_name: str
    metrics: bool
    """Whether the stack has metrics."""
    workflows_arn: str | None = None
    """The state machine that runs workflows. None: the stack has none."""


def find_stack(
    name: str,
    *,
    state_machine_output: str,
    table_output: str,
    session: Any,
    endpoint_url: str | None,
) -> Stack:
    """Finds the table and the state machine of a stack.

    Raises:
        ValueError: An argument is not a string, or is empty.
        BackendError: The stack does not exist, or lacks an output. The error names it and a remedy.
        AccessDeniedError: The credentials may not describe the stack.
    """
    for argument, text in (
        ("name", name),
        ("state_machine_output", state_machine_output),
        ("table_output", table_output),
    ):
        if not isinstance(text, str) or not text:
            raise ValueError(f"expected a string for {argument}, got {text!r}")
    validate_connection(session, endpoint_url)
    import boto3

    with mapped("cloudformation", "connect"):
        session = boto3.Session() if session is None else session
        client = session.client("cloudformation", endpoint_url=endpoint_url)
    region = client.meta.region_name
    try:
        with mapped("cloudformation", "DescribeStacks"):
            found = client.describe_stacks(StackName=name)["Stacks"]
    except BackendError as error:
        if "does not exist" not in error.detail:
            raise
        words = (
            f"there is no stack {name!r} in {region}; correct the name or the Region, or create the stack of "
            "stepsched.deploy.template(...)"
        )
        raise BackendError(
            "cloudformation", error.operation, ErrorCode.NO_STACK, error.request_id, detail=words
        ) from error
    finally:
        client.close()
    if not found:
        raise BackendError(
            "cloudformation", "DescribeStacks", ErrorCode.NO_STACK, detail=f"no stack {name!r} in {region}"
        )
    stack = found[0]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", ())}
    missing = [each for each in (state_machine_output, table_output) if each not in outputs]
    if missing:
        has = ", ".join(sorted(outputs)) or "none"
        words = (
            f"stack {name!r} in {region} ({stack.get('StackStatus')}) has no output "
            f"{' and no '.join(missing)}; it has: {has}. Use the stack of stepsched.deploy.template(...), "
            "or the names of its outputs as state_machine_output and table_output"
        )
        raise BackendError("cloudformation", "DescribeStacks", ErrorCode.NO_OUTPUT, detail=words)
    return Stack(
        outputs[state_machine_output],
        outputs[table_output],
        metrics=outputs.get(metrics_output(state_machine_output)) == NAMESPACE,
        workflows_arn=outputs.get(_beside(state_machine_output, WORKFLOWS_OUTPUT)),
    )


def metrics_output(state_machine_output: str) -> str:
    """The name of the output with the namespace of the metrics. It has the same prefix as the machine's."""
    return _beside(state_machine_output, METRICS_OUTPUT)


def _beside(state_machine_output: str, name: str) -> str:
    """The name of another output with the prefix of the machine's."""
    endings = (STATE_MACHINE_OUTPUT, CONSTRUCT_OUTPUT)
    ending = next((each for each in endings if state_machine_output.endswith(each)), "")
    return state_machine_output.removesuffix(ending) + name
