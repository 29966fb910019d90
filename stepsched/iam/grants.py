"""The IAM grants that calls require, and the statements of a policy. The functions are pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from stepsched.core.quoting import quoted
from stepsched.iam.actions import AUTHORISED_BY_PATH, iam_actions
from stepsched.targets.invocations import Invocation

Condition = tuple[str, str, str]
"""The operator, key and value of a condition."""


class Grant(NamedTuple):
    """One action that is allowed on one resource."""

    action: str
    resource: str
    conditions: tuple[Condition, ...] = ()
    """The conditions under which it is allowed. Empty: always."""


class Place(NamedTuple):
    """The account, Region and partition of resources that are given by name."""

    account: str | None
    region: str | None
    partition: str

    def validate(self) -> None:
        """Validates the account, the Region and the partition.

        Raises:
            ValueError: One of them is malformed. The error names it and the expected form.
        """
        validate_place(self.account, self.region, self.partition)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource that is given by name.

        Raises:
            ValueError: The account or the Region is unknown.
        """
        if self.account is None or self.region is None:
            raise ValueError(f"{resource!r} has no account and Region; use account= and region=, or an ARN")
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def validate_place(account: str | None, region: str | None, partition: str) -> None:
    """Validates an account, a Region and a partition. None is accepted as unknown.

    Raises:
        ValueError: One of them is malformed. The error names it and the expected form.
    """
    if account is not None and not (isinstance(account, str) and re.fullmatch(r"[0-9]{12}", account)):
        raise ValueError(f"expected account to be text of 12 digits, got {quoted(account)}")
    form = r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}"
    if region is not None and not (isinstance(region, str) and re.fullmatch(form, region)):
        raise ValueError(
            f"expected region to be the name of a Region such as 'eu-west-1', got {quoted(region)}"
        )
    if not (isinstance(partition, str) and re.fullmatch(r"aws[a-z-]*", partition)):
        raise ValueError(
            f"expected partition to be such as 'aws', 'aws-cn' or 'aws-us-gov', got {quoted(partition)}"
        )


# -- The permissions of a call ---------------------------------------------------------------------------

_RULES = {
    "batch:submitJob": "StepFunctionsGetEventsForBatchJobsRule",
    "codebuild:startBuild": "StepFunctionsGetEventForCodeBuildStartBuildRule",
    "ecs:runTask": "StepFunctionsGetEventsForECSTaskRule",
    "sfn:startExecution": "StepFunctionsGetEventsForStepFunctionsExecutionRule",
}
"""The EventBridge rule by which Step Functions learns that a started target has ended."""


def grants_of(invocation: Invocation, place: Place) -> list[Grant]:
    """The grants that a call requires.

    Args:
        invocation: The call. Without resources, it is allowed on ``*``.
        place: The account, Region and partition of resources that are given by name.

    Raises:
        ValueError: The place of a name is unknown, or the IAM actions of the call are.
    """
    if invocation.service in AUTHORISED_BY_PATH:
        raise ValueError(
            f"the IAM action for {invocation.name} depends on an HTTP path, which is not known from the "
            "call; leave it out and write its statement by hand"
        )
    if invocation.endpoint is not None:
        return _http_grants(*invocation.endpoint, invocation.resources[0])
    actions = iam_actions(invocation.service, invocation.action)
    found = [_full_arn(actions[0], text, place) for text in invocation.resources or ("*",)]
    cluster = invocation.cluster
    bound: tuple[Condition, ...] = () if cluster is None else (("ArnEquals", "ecs:cluster", cluster),)
    grants = [Grant(action, resource, bound) for action in actions for resource in found]
    if cluster is not None and invocation.is_tagged:
        tagging = ("StringEquals", "ecs:CreateAction", "RunTask")
        grants.append(Grant("ecs:TagResource", _tasks_of(cluster), (tagging,)))
    grants += role_grants(invocation.pass_roles)
    return grants + (_waiting_grants(invocation, found[0], place) if invocation.waits else [])


def _http_grants(method: str, url: str, connection_arn: str) -> list[Grant]:
    """The grants to call a URL from a state machine, with the secret that EventBridge made for the
    connection. The reference of the action names no resource, so its conditions restrict it.

    https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html#connect-http-task-permissions
    """
    _, partition, _, region, account, resource = connection_arn.split(":", 5)
    # The ID of the secret is another one than that of the connection.
    name = resource.split("/")[1]
    secret = f"arn:{partition}:secretsmanager:{region}:{account}:secret:events!connection/{name}/*"
    bound = (("StringEquals", "states:HTTPEndpoint", url), ("StringEquals", "states:HTTPMethod", method))
    return [
        Grant("events:RetrieveConnectionCredentials", connection_arn),
        Grant("secretsmanager:DescribeSecret", secret),
        Grant("secretsmanager:GetSecretValue", secret),
        Grant("states:InvokeHTTPEndpoint", "*", bound),
    ]


def _full_arn(action: str, resource: str, place: Place) -> str:
    is_whole = resource == "*" or resource.startswith("arn:")
    return resource if is_whole else place.arn(action.partition(":")[0], resource)


def with_resources(invocation: Invocation, named: Mapping[str, Sequence[str]]) -> Invocation:
    """The call with the resources in ``named``, unless it has resources already."""
    if invocation.resources or invocation.name not in named:
        return invocation
    return replace(invocation, resources=tuple(named[invocation.name]))


def role_grants(roles: Iterable[str]) -> list[Grant]:
    """The grants to pass roles to ECS tasks."""
    passed = ("StringEquals", "iam:PassedToService", "ecs-tasks.amazonaws.com")
    return [Grant("iam:PassRole", role, (passed,)) for role in roles]


def _tasks_of(cluster: str) -> str:
    """The ARN pattern of all tasks of a cluster. The ID of a task is not known in advance."""
    return f"{cluster.replace(':cluster/', ':task/', 1)}/*"


def can_wait(name: str) -> bool:
    """Whether the permissions to wait for a call, such as ``sfn:startExecution``, are known."""
    return name in _RULES


def _waiting_grants(invocation: Invocation, started: str, place: Place) -> list[Grant]:
    """The further grants that the pattern ``.sync`` requires."""
    rule = place.arn("events", f"rule/{_RULES[invocation.name]}")
    grants = [Grant(f"events:{action}", rule) for action in ("DescribeRule", "PutRule", "PutTargets")]
    match invocation.name:
        case "batch:submitJob":
            # DescribeJobs supports no resource. The ID of a job is known only when it runs.
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
    """The grants to observe and stop the executions of a state machine."""
    executions = f"{machine_arn.replace(':stateMachine:', ':execution:', 1)}:*"
    return [Grant(f"states:{verb}Execution", executions) for verb in ("Describe", "Stop")]


# -- Statements ------------------------------------------------------------------------------------------


def merged(grants: Iterable[Grant]) -> list[dict[str, Any]]:
    """The statements of grants: one for each action and its conditions, sorted, with sorted unique
    resources."""
    resources: dict[tuple[str, tuple[Condition, ...]], set[str]] = {}
    for grant in grants:
        resources.setdefault((grant.action, grant.conditions), set()).add(grant.resource)
    statements: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for action, conditions in sorted(resources):
        arns = resources[action, conditions]
        seen[action] = seen.get(action, 0) + 1
        sid = _sid(action) + (str(seen[action]) if seen[action] > 1 else "")
        statements.append(allow(sid, [action], ["*"] if "*" in arns else sorted(arns), *conditions))
    return statements


def _sid(action: str) -> str:
    """The ID of a statement: ``CognitoIdpAdminCreateUser`` for ``cognito-idp:AdminCreateUser``."""
    prefix, _, name = action.partition(":")
    return "".join(part[:1].upper() + part[1:] for part in prefix.split("-")) + name


def allow(sid: str, actions: list[str], resources: list[str], *conditions: Condition) -> dict[str, Any]:
    """A statement of a policy, which applies if all conditions are true."""
    statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    if conditions:
        found: dict[str, dict[str, str]] = {}
        for operator, key, value in conditions:
            found.setdefault(operator, {})[key] = value
        statement["Condition"] = found
    return statement
