"""The state machine that runs the jobs, and its role."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from stepsched.deploy.parts.base import StackPart, machine, output, role
from stepsched.deploy.parts.names import RUNNER, Names
from stepsched.iam import machine_trust_policy
from stepsched.machines.shared.runner import runner as runner_machine

# cfn-lint takes only a plain number as TimeoutSeconds, and the definition computes it.
_COMPUTES_TIMEOUTS = {"cfn-lint": {"config": {"ignore_checks": ["E3601"]}}}


class Calls(NamedTuple):
    """What the runner can call."""

    names: Iterable[str]
    """The calls for which it has a state."""
    policy: dict[str, Any]
    """The policy of its role, with placeholders."""


def runner(
    names: Names, calls: Calls, *, metrics: bool, role_arn: str | None, boundary: str | None
) -> StackPart:
    """The state machine, and its role.

    Args:
        names: The names of the stack.
        calls: What the machine can call.
        metrics: Whether it counts the runs that failed.
        role_arn: The ARN of an existing role. None: the part has a role.
        boundary: The permissions boundary of the role. None: there is none.
    """
    definition = runner_machine(
        names.table, partition=names.partition, calls=sorted(set(calls.names)), metrics=metrics
    )
    resources = {
        names.logical("Runner"): machine(
            "STANDARD",
            names.machine_name(RUNNER),
            definition,
            role_arn=names.attribute("RunnerRole") if role_arn is None else role_arn,
            substitutions={"TableName": (names.table, names.table_ref)},
            metadata=_COMPUTES_TIMEOUTS,
        ),
    }
    if role_arn is None:
        own = role(
            names,
            "Lets the state machine of stepsched run the jobs of its table",
            trust=trust_policy(names, RUNNER),
            policy=calls.policy,
            boundary=boundary,
        )
        resources = {names.logical("RunnerRole"): own, **resources}
    arn = output("The state machine that runs the jobs", names.ref("Runner"))
    return StackPart(resources, {names.logical("StateMachineArn"): arn})


def trust_policy(names: Names, machine_kind: str) -> dict[str, Any]:
    """The trust policy of the role of one state machine of the stack, with placeholders."""
    arn = names.machine_arn(machine_kind)
    return machine_trust_policy(account=arn.split(":")[4], machine_arn=arn)
