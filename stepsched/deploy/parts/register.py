"""The state machine that creates, changes, reads and cancels jobs for callers inside of AWS, and its role."""

from __future__ import annotations

from typing import Any

from stepsched.asl.machine import StateMachine
from stepsched.deploy.parts.base import StackPart, machine, output, role
from stepsched.deploy.parts.names import REGISTER, RUNNER, Names
from stepsched.deploy.parts.runner import trust_policy


def register(
    names: Names, definition: StateMachine, policy: dict[str, Any], *, express: bool, boundary: str | None
) -> StackPart:
    """The state machine, and its role.

    Args:
        names: The names of the stack.
        definition: The definition, with placeholders.
        policy: The policy of its role, with placeholders.
        express: Whether it is an Express workflow.
        boundary: The permissions boundary of the role. None: there is none.
    """
    runner_arn = names.machine_arn(RUNNER)
    return StackPart(
        {
            names.logical("RegisterRole"): role(
                names,
                "Lets the register change the jobs of the table and start their executions",
                trust=trust_policy(names, REGISTER),
                policy=policy,
                boundary=boundary,
            ),
            names.logical("Register"): machine(
                "EXPRESS" if express else "STANDARD",
                names.machine_name(REGISTER),
                definition,
                role_arn=names.attribute("RegisterRole"),
                substitutions={
                    "TableName": (names.table, names.table_ref),
                    "RunnerArn": (runner_arn, names.ref("Runner")),
                },
            ),
        },
        {
            names.logical("RegisterArn"): output(
                "The state machine that creates, changes and cancels jobs", names.ref("Register")
            )
        },
    )
