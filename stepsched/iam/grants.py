"""The permissions that calls require: grants, and the statements of a policy. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from stepsched.iam.actions import BY_PATH, iam_actions
from stepsched.targets.invocations import Invocation

Condition = tuple[str, str, str]
"""The operator, key and value of a condition."""


class Grant(NamedTuple):
    """The permission for one action on one resource."""

    action: str
    resource: str
    condition: Condition | None = None


class Place(NamedTuple):
    """The account, Region and partition of resources that are given by name."""

    account: str | None
    region: str | None
    partition: str

    def check(self) -> None:
        """Refuses a malformed account, Region or partition.

        Raises:
            ValueError: One of them is malformed; the error names it and its form.
        """
        check_place(self.account, self.region, self.partition)

    def arn(self, service: str, resource: str) -> str:
        """Returns the ARN of a resource that is given by name.

        Raises:
            ValueError: The account or the Region is not known.
        """
        if self.account is None or self.region is None:
            raise ValueError(f"expected account and region for {resource!r}, got none; or use an ARN")
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def check_place(account: str | None, region: str | None, partition: str) -> None:
    if account is not None and not (isinstance(account, str) and re.fullmatch(r"[0-9]{12}", account)):
        raise ValueError(f"expected a string of 12 digits for account, got {account!r}")
    form = r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}"
    if region is not None and not (isinstance(region, str) and re.fullmatch(form, region)):
        raise ValueError(f"expected the name of a Region such as 'eu-west-1' for region, got {region!r}")
    if not re.fullmatch(r"aws[a-z-]*", partition):
        raise ValueError(f"expected a partition such as 'aws', 'aws-cn' or 'aws-us-gov', got {partition!r}")


# -- What a call needs -----------------------------------------------------------------------------------

_RULES = {
    "batch:submitJob": "StepFunctionsGetEventsForBatchJobsRule",
    "codebuild:startBuild": "StepFunctionsGetEventForCodeBuildStartBuildRule",
    "ecs:runTask": "StepFunctionsGetEventsForECSTaskRule",
    "sfn:startExecution": "StepFunctionsGetEventsForStepFunctionsExecutionRule",
}
"""The EventBridge rule by which Step Functions is notified of the end of a started job."""


def grants_of(invocation: Invocation, place: Place) -> list[Grant]:
    """Returns the permissions that a role needs to make a call.

    Args:
        invocation: The call. Its resource is ``*`` if the resources are not known.
        place: The account, Region and partition of resources that are given by name.

    Raises:
        ValueError: The account and Region, or the permissions of the call, are not known.
    """
    if invocation.service in BY_PATH:
        raise ValueError(
            f"the IAM action of {invocation.name} depends on a path that is not known here; leave it out "
            "and write its statement by hand"
        )
    actions = iam_actions(invocation.service, invocation.action)
    found = [_whole(actions[0], text, place) for text in invocation.resources or ("*",)]
    cluster = invocation.cluster
    bound: Condition | None = None if cluster is None else ("ArnEquals", "ecs:cluster", cluster)
    grants = [Grant(action, resource, bound) for action in actions for resource in found]
    if cluster is not None and invocation.is_tagged:
        tagging = ("StringEquals", "ecs:CreateAction", "RunTask")
        grants.append(Grant("ecs:TagResource", _tasks_of(cluster), tagging))
    grants += role_grants(invocation.pass_roles)
    return grants + (_waiting_grants(invocation, found[0], place) if invocation.waits else [])


def _whole(action: str, resource: str, place: Place) -> str:
    is_whole = resource == "*" or resource.startswith("arn:")
    return resource if is_whole else place.arn(action.partition(":")[0], resource)


def with_resources(invocation: Invocation, named: Mapping[str, Sequence[str]]) -> Invocation:
    """Returns the call with the resources given for it, if they are not known otherwise."""
    if invocation.resources or invocation.name not in named:
        return invocation
    return replace(invocation, resources=tuple(named[invocation.name]))


def role_grants(roles: Iterable[str]) -> list[Grant]:
    """Returns the permissions to pass roles to ECS tasks."""
    passed = ("StringEquals", "iam:PassedToService", "ecs-tasks.amazonaws.com")
    return [Grant("iam:PassRole", role, passed) for role in roles]


def _tasks_of(cluster: str) -> str:
    """Returns the pattern of the tasks of a cluster, whose IDs are not known in advance."""
    return f"{cluster.replace(':cluster/', ':task/', 1)}/*"


def can_wait(name: str) -> bool:
    """Returns whether the permissions are known with which Step Functions waits for a call, such as
    ``sfn:startExecution``."""
    return name in _RULES


def _waiting_grants(invocation: Invocation, started: str, place: Place) -> list[Grant]:
    """Returns the permissions that ``.sync`` requires in addition to those for starting."""
    rule = place.arn("events", f"rule/{_RULES[invocation.name]}")
    grants = [Grant(f"events:{action}", rule) for action in ("DescribeRule", "PutRule", "PutTargets")]
    match invocation.name:
        case "batch:submitJob":
            # DescribeJobs has no resource; the ID of a job is known only when it runs.
            jobs = place.arn("batch", "job/*")
            return [*grants, Grant("batch:DescribeJobs", "*"), Grant("batch:TerminateJob", jobs)]
        case "codebuild:startBuild":
            actions = ("codebuild:BatchGetBuilds", "codebuild:StopBuild")
            return grants + [Grant(action, started) for action in actions]
        case "ecs:runTask":
            tasks = _tasks_of(invocation.cluster or "")
            return [*grants, Grant("ecs:DescribeTasks", tasks), Grant("ecs:StopTask", tasks)]
        case _:
            return grants + execution_grants(started)


def execution_grants(machine_arn: str) -> list[Grant]:
    """Returns the permissions to describe and to stop the executions of a machine."""
    executions = f"{machine_arn.replace(':stateMachine:', ':execution:', 1)}:*"
    return [Grant(f"states:{verb}Execution", executions) for verb in ("Describe", "Stop")]


# -- A policy --------------------------------------------------------------------------------------------


def merged(grants: Iterable[Grant]) -> list[dict[str, Any]]:
    """Returns one statement for each action and condition."""
    resources: dict[tuple[str, Condition | None], set[str]] = {}
    for grant in grants:
        resources.setdefault((grant.action, grant.condition), set()).add(grant.resource)
    statements: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for action, condition in sorted(resources, key=lambda key: (key[0], key[1] or ())):
        arns = resources[action, condition]
        seen[action] = seen.get(action, 0) + 1
        sid = _sid(action) + (str(seen[action]) if seen[action] > 1 else "")
        statements.append(allow(sid, [action], ["*"] if "*" in arns else sorted(arns), condition))
    return statements


def _sid(action: str) -> str:
    """Returns the statement ID of an action: ``cognito-idp:AdminCreateUser`` is
    ``CognitoIdpAdminCreateUser``."""
    prefix, _, name = action.partition(":")
    return "".join(part[:1].upper() + part[1:] for part in prefix.split("-")) + name


def allow(
    sid: str, actions: list[str], resources: list[str], condition: Condition | None = None
) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    if condition is not None:
        operator, key, value = condition
        statement["Condition"] = {operator: {key: value}}
    return statement
