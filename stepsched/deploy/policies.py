"""The IAM policies of the runner and of the application that creates its jobs. The functions are pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from stepsched.asl.machine import StateMachine
from stepsched.asl.states import Task
from stepsched.aws.arns import validate_arn
from stepsched.deploy.listed import (
    NamedTarget,
    validate_queues,
    validate_targets,
    validate_topics,
)
from stepsched.iam.documents import validate_resources, validate_roles
from stepsched.iam.grants import Grant, Place, allow, grants_of, merged, role_grants, with_resources
from stepsched.iam.machines import invocation_of, machine_grants
from stepsched.iam.roles import MAX_INLINE_CHARACTERS
from stepsched.machines.calls import Call
from stepsched.machines.shared.metrics import NAMESPACE
from stepsched.machines.shared.runner import runner
from stepsched.machines.shared.table_schema import INDEX
from stepsched.targets import (
    ApiTarget,
    HttpTarget,
    QueueTarget,
    SingleTarget,
    StateMachineTarget,
    Target,
    TopicTarget,
)
from stepsched.targets.invocations import Invocation, invocations
from stepsched.workflows import Workflow

_MACHINE = r"stateMachine:[^\s:/*?$]{1,80}"
_PASSED_ROLE = {"personalize": "RoleArn"}
"""The parameter of a service's requests that names the role which the service takes on."""


# -- The runner -----------------------------------------------------------------------------------------


class Permissions(NamedTuple):
    """What decides on the permissions to invoke targets."""

    listed: Sequence[NamedTarget]
    """The targets, queues and topics of the jobs."""
    task_roles: Sequence[str] = ()
    """The roles of ECS task definitions; see :func:`stepsched.iam.machine_policy`."""
    resources: Mapping[str, Sequence[str]] = {}
    """The resources of ApiTarget calls; see :func:`stepsched.iam.policy_for`."""

    def grants(self, machine_arn: str, *, waits: bool) -> list[Grant]:
        """The grants to invoke the targets.

        Args:
            machine_arn: The ARN of a machine in the account and Region of targets that are given by name.
            waits: Whether the caller can wait for the end of a target.

        Raises:
            TypeError: An argument that should be a list is text.
            ValueError: The permissions of a target do not follow from it, or an argument is malformed.
        """
        apis = [invocations(each.target)[0] for each in self.listed if isinstance(each.target, ApiTarget)]
        known = sorted({call.name for call in apis})
        for name in self.resources:
            if name not in known:
                raise ValueError(
                    f"expected resources of calls of the ApiTargets ({', '.join(known) or 'there is none'}), "
                    f"got {name!r}"
                )
        named = validate_resources(self.resources, apis)
        roles = validate_roles("task_roles", self.task_roles)
        grants = [
            grant for each in self.listed for grant in _target_grants(each, named, machine_arn, waits=waits)
        ]
        return grants + (role_grants(roles) if any(each.action == "ecs:RunTask" for each in grants) else [])

    def of_schedules(self) -> Permissions:
        """The permissions of EventBridge Scheduler, which calls no URLs.

        Raises:
            ValueError: All targets are URLs.
        """
        listed = [each for each in self.listed if not isinstance(each.target, HttpTarget)]
        if self.listed and not listed:
            raise ValueError("group: EventBridge Scheduler calls no URL; leave the part out")
        return self._replace(listed=listed)

    def document(self, own: Sequence[Grant], machine_arn: str, *, waits: bool) -> dict[str, Any]:
        """The policy of a role that invokes the targets.

        Args:
            own: Further grants of the role.
            machine_arn: As for :meth:`grants`.
            waits: As for :meth:`grants`.

        Raises:
            TypeError: As for :meth:`grants`.
            ValueError: As for :meth:`grants`, or the policy is too long for IAM.
        """
        return self.checked(document([*own, *self.grants(machine_arn, waits=waits)]))

    def checked(self, policy: dict[str, Any]) -> dict[str, Any]:
        """The policy.

        Raises:
            ValueError: It is too long for IAM.
        """
        length = len(json.dumps(policy, separators=(",", ":")))
        if length > MAX_INLINE_CHARACTERS:
            raise ValueError(
                f"expected a policy of at most {MAX_INLINE_CHARACTERS:,} characters, got {length:,} for "
                f"{len(self.listed)} targets; use several stacks"
            )
        return policy


def role_policy(
    permissions: Permissions, *, machine_arn: str, table_name: str, metrics: bool = False
) -> dict[str, Any]:
    """The minimal policy of the runner's role.

    The states that access the table have constant arguments, from which their permissions follow. The other
    states read their arguments from the rows of jobs, so their permissions follow from the targets.

    Args:
        permissions: What decides on the permissions to invoke targets.
        machine_arn: The ARN of the runner.
        table_name: The name of the table, in the account and Region of the machine.
        metrics: Whether the runner writes metrics.

    Raises:
        TypeError: An argument that should be a list is text.
        ValueError: The permissions of a target do not follow from it, or an argument is malformed.
    """
    _, partition, *_ = machine_arn.split(":", 5)
    definition = runner(table_name, partition=partition, metrics=metrics)
    states = {
        name: state
        for name, state in definition.states.items()
        if isinstance(state, Task) and not isinstance(state.arguments, str)  # text: read from the row
    }
    own = own_grants(
        StateMachine(states=states), machine_arn=machine_arn, table_name=table_name, runner_arn=machine_arn
    )
    return permissions.document(own, machine_arn, waits=True)


def document(grants: Iterable[Grant]) -> dict[str, Any]:
    """The policy with these grants."""
    return {"Version": "2012-10-17", "Statement": merged(grants)}


def own_grants(machine: StateMachine, *, machine_arn: str, table_name: str, runner_arn: str) -> list[Grant]:
    """The grants of a machine of the stack, which uses only the table, the runner and the metrics of the
    stack.

    Calls of the SDK name their resources in many ways, so that their grants are on ``*`` at first.

    Args:
        machine: The definition.
        machine_arn: The ARN of the machine.
        table_name: The name of the table, in the account and Region of the machine.
        runner_arn: The ARN of the runner.
    """
    _, partition, _, region, account, _ = machine_arn.split(":", 5)
    table = f"arn:{partition}:dynamodb:{region}:{account}:table/{table_name}"
    words = frozenset(re.findall(r"\w+", json.dumps(machine.to_dict())))
    grants = []
    for grant in machine_grants(machine, machine_arn=machine_arn):
        service, _, action = grant.action.partition(":")
        if grant.resource != "*":
            grants.append(grant)
        elif service == "cloudwatch":
            grants.append(grant._replace(conditions=(OWN_METRICS,)))
        elif service == "states":
            executions = f"{runner_arn.replace(':stateMachine:', ':execution:', 1)}:*"
            grants.append(grant._replace(resource=executions if action in _ON_EXECUTIONS else runner_arn))
        elif action == "Query":
            grants.append(grant._replace(resource=f"{table}/index/{INDEX}" if INDEX in words else table))
        elif _is_written(action, words):
            grants.append(grant._replace(resource=table))
    return grants


OWN_METRICS = ("StringEquals", "cloudwatch:namespace", NAMESPACE)
"""The condition of writing only the metrics of stepsched: PutMetricData supports no resource.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html"""
_ON_EXECUTIONS = ("DescribeExecution", "GetExecutionHistory", "StopExecution")


def _is_written(action: str, words: frozenset[str]) -> bool:
    """Whether a definition uses an action of DynamoDB. A transaction may use all actions of items; those that
    it uses are in its arguments."""
    return action.removesuffix("Item") in words or f"{action[:1].lower()}{action[1:]}" in words


def _target_grants(
    named_target: NamedTarget, named: Mapping[str, Sequence[str]], machine_arn: str, *, waits: bool
) -> list[Grant]:
    """The grants for a target: also for jobs that wait for its end, if the caller can wait."""
    _, partition, _, region, account, _ = machine_arn.split(":", 5)
    place = Place(account, region, partition)
    calls = named_target.calls(partition)
    try:
        (found,) = invocations(named_target.target)
        invocation = with_resources(found, named)
        if not invocation.resources:
            invocation = _invocation_of_request(invocation.name, calls[0], machine_arn)
        waits = waits and any(".sync" in call.name for call in calls)
        grants = grants_of(replace(invocation, waits=waits), place)
        return grants + _passed_role_grants(named_target.target)
    except ValueError as error:
        raise ValueError(f"{named_target.argument}: {error}") from error


def _passed_role_grants(target: SingleTarget) -> list[Grant]:
    """The grant to pass the role that the request of an ApiTarget names, if its service is known to take one.

    Raises:
        ValueError: The name of the role is not an ARN.
    """
    if not isinstance(target, ApiTarget):
        return []
    role = target.request.get(_PASSED_ROLE.get(target.service, ""))
    if role is None:
        return []
    (arn,) = validate_roles("RoleArn", [str(role)])
    passed = ("StringEquals", "iam:PassedToService", f"{target.service}.amazonaws.com")
    return [Grant("iam:PassRole", arn, (passed,))]


def _invocation_of_request(name: str, call: Call, machine_arn: str) -> Invocation:
    """The call of an API, with the resources in its request.

    Raises:
        ValueError: The request does not name the resources.
    """
    found = invocation_of({"Resource": call.resource, "Arguments": call.arguments}, machine_arn)
    if found is None or not found.resources or "*" in found.resources:
        raise ValueError(
            f"the request of {name} does not name the resources that it acts on; use "
            f"resources={{{name!r}: ['arn:...']}}, or ['*'] if the call has no resource"
        )
    return found


def runner_policy(
    targets: Iterable[Target | Workflow],
    *,
    table_arn: str,
    state_machine_arn: str,
    workflows_arn: str | None = None,
    task_roles: Sequence[str] = (),
    dead_letters: Iterable[QueueTarget] = (),
    topics: Iterable[TopicTarget] = (),
    resources: Mapping[str, Sequence[str]] | None = None,
    metrics: bool = False,
) -> dict[str, Any]:
    """The minimal policy of a role that is given to :func:`template` as ``role_arn``.

    The trust policy of such a role is :func:`stepsched.iam.machine_trust_policy`.

    Args:
        targets: The targets that jobs may invoke, with the queue of the stack if it has one.
        table_arn: The ARN of the table; see the output ``TableArn``.
        state_machine_arn: The ARN of the machine, ``arn:aws:states:<region>:<account>:stateMachine:<name>``.
            Its name is that of the stack, or ``<prefix>-runner``.
        workflows_arn: The ARN of the machine of the workflows, if the stack has that part: the name of the
            stack and ``-workflows``, or ``<prefix>-workflows``. None: it has none.
        task_roles: As for :func:`template`.
        dead_letters: As for :func:`template`, with the queue of the stack if it has one.
        topics: As for :func:`template`, with the topic of the stack if it has one.
        resources: As for :func:`template`.
        metrics: Whether the stack has alarms or a dashboard, so that the machine writes metrics.

    Raises:
        TypeError: As for :func:`template`.
        ValueError: As for :func:`template`, or an ARN is malformed.

    >>> place = "eu-west-1:123456789012"
    >>> policy = runner_policy(
    ...     [QueueTarget(f"arn:aws:sqs:{place}:orders")],
    ...     table_arn=f"arn:aws:dynamodb:{place}:table/jobs",
    ...     state_machine_arn=f"arn:aws:states:{place}:stateMachine:jobs",
    ... )
    >>> [statement["Sid"] for statement in policy["Statement"]][-2:]
    ['SqsSendMessage', 'StatesStartExecution']
    """
    table, machine = _table_and_machine(table_arn, state_machine_arn)
    cure = "workflows_arn=" if workflows_arn is None else None
    called = validate_targets(targets, cure=cure, may_be_empty=True).called
    if workflows_arn is not None:
        _validate_workflows_arn(workflows_arn, machine)
        called.append(NamedTarget("workflows_arn", StateMachineTarget(workflows_arn)))
    listed = called + validate_queues(dead_letters) + validate_topics(topics)
    return role_policy(
        Permissions(listed, task_roles, resources or {}),
        machine_arn=machine,
        table_name=table.partition("table/")[2],
        metrics=metrics,
    )


# -- The application ------------------------------------------------------------------------------------


def client_policy(
    *,
    table_arn: str,
    state_machine_arn: str,
    metrics: bool = False,
    workflows_arn: str | None = None,
) -> dict[str, Any]:
    """The policy of an application that creates, lists, changes and cancels jobs through the client, and that
    runs workflows.

    It allows no other tables and state machines. Transactions need the actions of the items that they write.
    The role of the machine, and not this policy, allows what jobs invoke. To find the table and the machine
    by the name of the stack, add ``cloudformation:DescribeStacks`` on the stack; to take over the workflows
    of the AWS Batch scheduler, ``dynamodb:Scan`` on its two tables.

    - https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbatch.html
    - https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
    - https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsstepfunctions.html

    Args:
        table_arn: The output ``TableArn`` of the stack, ``arn:aws:dynamodb:<region>:<account>:table/<name>``.
        state_machine_arn: The output ``StateMachineArn`` of the stack, without version or alias.
        metrics: Whether the stack has alarms or a dashboard, so that the client writes metrics.
        workflows_arn: The output ``WorkflowsArn`` of the stack, for an application that uses
            :class:`WorkflowClient`. None: it does not.

    Raises:
        ValueError: An argument is malformed, or they are not in one account and Region.

    >>> policy = client_policy(
    ...     table_arn="arn:aws:dynamodb:eu-west-1:123456789012:table/jobs",
    ...     state_machine_arn="arn:aws:states:eu-west-1:123456789012:stateMachine:jobs",
    ... )
    >>> [statement["Sid"] for statement in policy["Statement"]]
    ['Table', 'TableIndex', 'Runner', 'RunnerExecutions']
    """
    table, machine = _table_and_machine(table_arn, state_machine_arn)
    items = ["BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem"]
    if workflows_arn is not None:
        items.append("ConditionCheckItem")
    executions = f"{machine.replace(':stateMachine:', ':execution:', 1)}:*"
    statements = [
        _allow("Table", "dynamodb", (*items, "DescribeTable", "Query", "Scan", "UpdateItem"), table),
        _allow("TableIndex", "dynamodb", ("Query",), f"{table}/index/{INDEX}"),
        _allow("Runner", "states", ("DescribeStateMachine", "ListExecutions", "StartExecution"), machine),
        _allow(
            "RunnerExecutions",
            "states",
            ("DescribeExecution", "GetExecutionHistory", "StopExecution"),
            executions,
        ),
        *([] if workflows_arn is None else _workflow_statements(workflows_arn, machine)),
        *(_metric_statements() if metrics else ()),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _workflow_statements(workflows_arn: str, state_machine_arn: str) -> list[dict[str, Any]]:
    """What :class:`WorkflowClient` does besides: it starts and stops the executions of workflows, and ends
    their Batch jobs. Listing Batch jobs supports no resource."""
    machine = _validate_workflows_arn(workflows_arn, state_machine_arn)
    executions = f"{machine.replace(':stateMachine:', ':execution:', 1)}:*"
    partition, region, account = _place_of(machine)
    jobs = f"arn:{partition}:batch:{region}:{account}:job/*"
    return [
        _allow("Workflows", "states", ("StartExecution",), machine),
        _allow("WorkflowExecutions", "states", ("DescribeExecution", "StopExecution"), executions),
        _allow("BatchJobs", "batch", ("TerminateJob",), jobs),
        _allow("BatchLists", "batch", ("ListJobs",), "*"),
    ]


def _metric_statements() -> list[dict[str, Any]]:
    return [allow("Metrics", ["cloudwatch:PutMetricData"], ["*"], OWN_METRICS)]


def _table_and_machine(table_arn: str, state_machine_arn: str) -> tuple[str, str]:
    """Validates the ARNs of a table and its machine.

    Raises:
        ValueError: One is malformed, or the two are not in one account and Region.
    """
    table = validate_arn(table_arn, "dynamodb", r"table/[\w.-]{3,255}", "table/<name>")
    machine = validate_arn(state_machine_arn, "states", _MACHINE, "stateMachine:<name>")
    if _place_of(table) != _place_of(machine):
        raise ValueError(
            "expected table_arn and state_machine_arn in one account and Region, "
            f"got {table!r} and {machine!r}; use the outputs of one stack"
        )
    return table, machine


def _validate_workflows_arn(arn: str, state_machine_arn: str) -> str:
    """Validates the ARN of the machine of the workflows.

    Raises:
        ValueError: It is malformed, or not in the account and Region of the runner.
    """
    machine = validate_arn(arn, "states", _MACHINE, "stateMachine:<name>")
    if _place_of(machine) != _place_of(state_machine_arn):
        raise ValueError(
            "expected workflows_arn and state_machine_arn in one account and Region, "
            f"got {machine!r} and {state_machine_arn!r}; use the outputs of one stack"
        )
    return machine


def _place_of(arn: str) -> list[str]:
    _, partition, _, region, account, _ = arn.split(":", 5)
    return [partition, region, account]


def _allow(sid: str, service: str, actions: Iterable[str], resource: str) -> dict[str, Any]:
    listed = sorted(f"{service}:{action}" for action in actions)
    return {"Sid": sid, "Effect": "Allow", "Action": listed, "Resource": [resource]}
