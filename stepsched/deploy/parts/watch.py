"""The watch: a state machine that counts late jobs, started every five minutes by EventBridge Scheduler."""

from __future__ import annotations

from typing import Any

from stepsched.deploy.parts.base import StackPart, machine, role
from stepsched.deploy.parts.group import scheduler_role
from stepsched.deploy.parts.names import WATCH, Names
from stepsched.deploy.parts.runner import trust_policy
from stepsched.machines.shared.watch import watch as watch_machine

PERIOD_MINUTES = 5
"""The time between two executions."""
_RUNNER_NAME = "n" * 80
"""The placeholder of the name of the state machine that runs the jobs."""


def watch(names: Names, policy: dict[str, Any], *, boundary: str | None) -> StackPart:
    """The state machine and its role, and the schedule that starts it with its group and role.

    Args:
        names: The names of the stack.
        policy: The policy of the machine's role, with placeholders.
        boundary: The permissions boundary of the roles. None: there is none.
    """
    start = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "StatesStartExecution",
                "Effect": "Allow",
                "Action": ["states:StartExecution"],
                "Resource": [names.machine_arn(WATCH)],
            }
        ],
    }
    return StackPart(
        {
            names.logical("WatchRole"): role(
                names,
                "Lets the watch count the late jobs of the table",
                trust=trust_policy(names, WATCH),
                policy=policy,
                boundary=boundary,
            ),
            # An Express workflow: at 288 executions a day it costs a hundredth of a Standard one.
            names.logical("Watch"): machine(
                "EXPRESS",
                names.machine_name(WATCH),
                watch_definition(names),
                role_arn=names.attribute("WatchRole"),
                substitutions={
                    "TableName": (names.table, names.table_ref),
                    "RunnerName": (_RUNNER_NAME, names.attribute("Runner", "Name")),
                },
            ),
            names.logical("WatchGroup"): {
                "Type": "AWS::Scheduler::ScheduleGroup",
                "Properties": names.explicit("Name", WATCH),
            },
            names.logical("WatchScheduleRole"): scheduler_role(
                names,
                "Lets the schedule of the watch start it",
                group_arn=names.attribute("WatchGroup"),
                policy=start,
                boundary=boundary,
            ),
            names.logical("WatchSchedule"): {
                "Type": "AWS::Scheduler::Schedule",
                "Properties": {
                    **names.explicit("Name", WATCH),
                    "GroupName": names.ref("WatchGroup"),
                    "Description": f"Counts the late jobs, every {PERIOD_MINUTES} minutes",
                    "ScheduleExpression": f"rate({PERIOD_MINUTES} minutes)",
                    "FlexibleTimeWindow": {"Mode": "OFF"},
                    "Target": {
                        "Arn": names.ref("Watch"),
                        "RoleArn": names.attribute("WatchScheduleRole"),
                        # A late count is of no use: the next one follows.
                        "RetryPolicy": {"MaximumEventAgeInSeconds": 120, "MaximumRetryAttempts": 2},
                    },
                },
            },
        }
    )


def watch_definition(names: Names) -> Any:
    """The definition of the state machine, with placeholders."""
    return watch_machine(names.table, _RUNNER_NAME, partition=names.partition)
