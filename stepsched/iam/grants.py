"""What IAM must allow for the calls that are made: grants, and the statements of a policy. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from stepsched.iam.actions import BY_PATH, iam_actions
from stepsched.targets.invocations import Invocation

Condition = tuple[str, str, str]
"""Operator, key and value."""


class Grant(NamedTuple):
    """One action that is allowed on one resource."""

    action: str
    resource: str
    condition: Condition | None = None


class Place(NamedTuple):
    """Where bare names live."""

    account: str | None
    region: str | None
    partition: str

    def check(self) -> None:
        """Refuses what is not of the form of an account, a Region or a partition.

        Raises:
            ValueError: Which, and its form.
        """
        check_place(self.account, self.region, self.partition)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource that is named alone.

        Raises:
            ValueError: The account or the Region is not known.
        """
        if self.account is None or self.region is None:
            raise ValueError(f"{resource!r} has no account and Region; give account= and region=, or an ARN")
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def check_place(account: str | None, region: str | None, partition: str) -> None:
    if account is not None and not (isinstance(account, str) and re.fullmatch(r"[0-9]{12}", account)):
        raise ValueError(f"account {account!r} is not an account's number: text of 12 digits")
    form = r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}"
    if region is not None and not (isinstance(region, str) and re.fullmatch(form, region)):
        raise ValueError(f"region {region!r} is not a Region's name; write it such as 'eu-west-1'")
    if not re.fullmatch(r"aws[a-z-]*", partition):
        raise ValueError(f"partition {partition!r} is none; write it such as 'aws', 'aws-cn' or 'aws-us-gov'")


# -- What a call needs -----------------------------------------------------------------------------------

_RULES = {
    "batch:submitJob": "StepFunctionsGetEventsForBatchJobsRule",
    "codebuild:startBuild": "StepFunctionsGetEventForCodeBuildStartBuildRule",
    "ecs:runTask": "StepFunctionsGetEventsForECSTaskRule",
    "sfn:startExecution": "StepFunctionsGetEventsForStepFunctionsExecutionRule",
}
"""The rule by which Step Functions hears that what it has started has ended."""


def grants_of(invocation: Invocation, place: Place) -> list[Grant]:
    """What a role must be allowed to make a call.

    Args:
        invocation: The call. What it acts on is ``*`` where nothing tells.
        place: Where bare names live.

    Raises:
        ValueError: The place is not known, or what IAM asks for the call.
    """
    if invocation.service in BY_PATH:
        raise ValueError(
            f"what IAM asks for {invocation.name} hangs on a path that the call does not tell; leave it out "
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
    """The call with the resources that are named for it, where nothing else tells them."""
    if invocation.resources or invocation.name not in named:
        return invocation
    return replace(invocation, resources=tuple(named[invocation.name]))


def role_grants(roles: Iterable[str]) -> list[Grant]:
    """What ECS asks for the roles that its tasks take."""
    passed = ("StringEquals", "iam:PassedToService", "ecs-tasks.amazonaws.com")
    return [Grant("iam:PassRole", role, passed) for role in roles]


def _tasks_of(cluster: str) -> str:
    """The tasks of a cluster, whose numbers nobody knows beforehand."""
    return f"{cluster.replace(':cluster/', ':task/', 1)}/*"


def can_wait(name: str) -> bool:
    """Whether it is known what Step Functions needs to follow a call, such as ``sfn:startExecution``."""
    return name in _RULES


def _waiting_grants(invocation: Invocation, started: str, place: Place) -> list[Grant]:
    """What ``.sync`` asks for besides what starts the work."""
    rule = place.arn("events", f"rule/{_RULES[invocation.name]}")
    grants = [Grant(f"events:{action}", rule) for action in ("DescribeRule", "PutRule", "PutTargets")]
    match invocation.name:
        case "batch:submitJob":
            # DescribeJobs has no resource; the number of a job is known only when it runs.
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
    """What is needed to follow and to stop the executions of a machine."""
    executions = f"{machine_arn.replace(':stateMachine:', ':execution:', 1)}:*"
    return [Grant(f"states:{verb}Execution", executions) for verb in ("Describe", "Stop")]


# -- A policy --------------------------------------------------------------------------------------------


def merged(grants: Iterable[Grant]) -> list[dict[str, Any]]:
    """One statement for each action under each condition."""
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
    """``cognito-idp:AdminCreateUser`` as ``CognitoIdpAdminCreateUser``."""
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
