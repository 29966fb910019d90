"""A schedule group of EventBridge Scheduler, and the role that its schedules assume."""

from __future__ import annotations

from typing import Any

from stepsched.deploy.parts.base import StackPart, output, role
from stepsched.deploy.parts.names import ACCOUNT, JOBS, REGION, Names
from stepsched.iam import trust_policy

_GROUP = "Group"


def group(names: Names, policy: dict[str, Any], *, boundary: str | None) -> StackPart:
    """The schedule group, and the role.

    Args:
        names: The names of the stack.
        policy: The policy of the role, with placeholders.
        boundary: The permissions boundary of the role. None: there is none.
    """
    resources = {
        names.logical(_GROUP): {
            "Type": "AWS::Scheduler::ScheduleGroup",
            "Properties": names.explicit("Name", JOBS),
        },
        names.logical("SchedulerRole"): scheduler_role(
            names,
            "Lets the schedules of one group invoke the targets of jobs",
            group_arn=names.attribute(_GROUP),
            policy=policy,
            boundary=boundary,
        ),
    }
    outputs = {
        names.logical("GroupName"): output("The group of schedules", names.ref(_GROUP)),
        names.logical("SchedulerRoleArn"): output(
            "The role that schedules of the group assume", names.attribute("SchedulerRole")
        ),
    }
    return StackPart(resources, outputs)


def scheduler_role(
    names: Names, description: str, *, group_arn: Any, policy: dict[str, Any], boundary: str | None
) -> dict[str, Any]:
    """A role that EventBridge Scheduler assumes for the schedules of one group.

    Args:
        names: The names of the stack.
        description: The description of the role.
        group_arn: The reference to the ARN of the group.
        policy: The policy of the role, with placeholders.
        boundary: The permissions boundary of the role. None: there is none.
    """
    trust = trust_policy(account=ACCOUNT, region=REGION, group="group", partition=names.partition)
    made = role(names, description, trust=trust, policy=policy, boundary=boundary)
    (statement,) = made["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    statement["Condition"]["StringEquals"]["aws:SourceArn"] = group_arn
    return made
