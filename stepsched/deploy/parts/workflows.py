"""The state machine that runs workflows, and its role."""

from __future__ import annotations

from typing import Any

from stepsched.asl.machine import StateMachine
from stepsched.backends.stepfunctions.stacks import WORKFLOWS_OUTPUT
from stepsched.deploy.parts.base import StackPart, machine, output, role
from stepsched.deploy.parts.names import RUNNER, WORKFLOWS, Names
from stepsched.deploy.parts.runner import trust_policy


def workflows(
    names: Names, definition: StateMachine, policy: dict[str, Any], *, boundary: str | None
) -> StackPart:
    """The state machine, and its role.

    Args:
        names: The names of the stack.
        definition: The definition, with placeholders.
        policy: The policy of its role, with placeholders.
        boundary: The permissions boundary of the role. None: there is none.
    """
    return StackPart(
        {
            names.logical("WorkflowsRole"): role(
                names,
                "Lets the workflows submit Batch jobs, start the runner and record their runs in the table",
                trust=trust_policy(names, WORKFLOWS),
                policy=policy,
                boundary=boundary,
            ),
            names.logical("Workflows"): machine(
                "STANDARD",
                names.machine_name(WORKFLOWS),
                definition,
                role_arn=names.attribute("WorkflowsRole"),
                substitutions={
                    "TableName": (names.table, names.table_ref),
                    "RunnerArn": (names.machine_arn(RUNNER), names.ref("Runner")),
                },
            ),
        },
        {
            names.logical(WORKFLOWS_OUTPUT): output(
                "The state machine that runs workflows", names.ref("Workflows")
            )
        },
    )
