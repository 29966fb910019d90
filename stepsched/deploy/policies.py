"""The permissions of the runner, and of the application that creates its jobs. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, get_args

from stepsched.asl.machine import StateMachine
from stepsched.asl.states import Task
from stepsched.aws.arns import checked_arn
from stepsched.iam.documents import checked_resources, checked_roles
from stepsched.iam.grants import Grant, Place, grants_of, merged, role_grants, with_resources
from stepsched.iam.machines import invocation_of, machine_grants
from stepsched.machines.calls import Call, Message, call_of, check_call, places_of
from stepsched.machines.shared.runner import runner
from stepsched.machines.shared.table_schema import INDEX
from stepsched.targets import ApiTarget, QueueTarget, SingleTarget, Target, TopicTarget, parts_of
from stepsched.targets.invocations import Invocation, invocations

_MACHINE = r"stateMachine:[^\s:/*?$]{1,80}"


# -- What is given --------------------------------------------------------------------------------------


class NamedTarget(NamedTuple):
    """A target, and its place in the arguments, such as ``targets[0]``."""

    argument: str
    target: SingleTarget

    def calls(self, partition: str = "aws") -> list[Call]:
        """Returns the runner's calls for a job that does not wait for the end of the target, and for one that
        does.

        Raises:
            ValueError: The runner cannot call the target; the error says why.
        """
        try:
            found = [call_of(self.target, _ANY, wait=wait, partition=partition) for wait in (False, True)]
            if isinstance(self.target, ApiTarget):
                check_call(found[0])
        except ValueError as error:
            raise ValueError(f"{self.argument}: {error}") from error
        return found


_ANY = Message({}, "job", "job", "$due", {})
"""A placeholder: the message for a target does not affect the call."""


def checked_targets(targets: Iterable[Target]) -> list[NamedTarget]:
    """Returns the targets, with the parts of parallel targets separately.

    Raises:
        TypeError: ``targets`` is not a list of targets.
        ValueError: ``targets`` is empty, or AWS cannot invoke one of them; the error names it and says why.
    """
    listed = _listed("targets", targets, get_args(Target), "LambdaTarget(...)")
    if not listed:
        raise ValueError("expected at least one target, got none; use a list such as [LambdaTarget(...)]")
    found = [NamedTarget(place, part) for place, target in listed for part in parts_of(target)]
    for each in found:
        each.calls()
    return found


def checked_queues(dead_letters: Iterable[QueueTarget]) -> list[NamedTarget]:
    """Returns the queues with their places."""
    return [
        NamedTarget(*each)
        for each in _listed("dead_letters", dead_letters, (QueueTarget,), "QueueTarget(...)")
    ]


def checked_topics(topics: Iterable[TopicTarget]) -> list[NamedTarget]:
    """Returns the topics with their places."""
    return [NamedTarget(*each) for each in _listed("topics", topics, (TopicTarget,), "TopicTarget(...)")]


def _listed(word: str, values: Any, kinds: tuple[type[Any], ...], example: str) -> list[tuple[str, Any]]:
    """Returns the values with their places."""
    if isinstance(values, get_args(Target)):  # a value is iterable: it yields its fields
        raise TypeError(f"expected a list for {word}, got a {type(values).__name__}; use [{example}]")
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise TypeError(f"expected a list for {word}, got {values!r:.80}; use [{example}]")
    found = [(f"{word}[{index}]", value) for index, value in enumerate(values)]
    for place, value in found:
        if not isinstance(value, kinds):
            raise TypeError(f"expected a target in {place}, got {value!r:.80}; use {example}")
    return found


def partition_of(listed: Sequence[NamedTarget]) -> str:
    """Returns the partition of all targets; ``aws`` if no target has one.

    Raises:
        ValueError: The targets are in several partitions or Regions; a machine can only call its own.
    """
    places = {place: each for each in listed for place in places_of(each.target) if all(place)}
    if len(places) > 1:
        shown = " and ".join(
            f"{places[each].argument} in {each[1]} of {each[0]}" for each in sorted(places)[:2]
        )
        raise ValueError(
            f"{shown}: a machine can only call its own Region; use one stack for the targets of each Region"
        )
    return next(iter(places), ("aws", ""))[0]


# -- The runner -----------------------------------------------------------------------------------------


def runner_policy(
    listed: Sequence[NamedTarget],
    *,
    task_roles: Sequence[str],
    resources: Mapping[str, Sequence[str]],
    machine_arn: str,
    table_name: str,
) -> dict[str, Any]:
    """Returns the minimal permissions of the runner's role.

    The permissions for the table follow from the runner's states. Its other calls are in the rows of jobs, so
    their permissions follow from the targets.

    Args:
        listed: The targets, queues and topics that jobs may use.
        task_roles: As in :func:`stepsched.iam.machine_policy`.
        resources: As in :func:`stepsched.iam.policy_for`.
        machine_arn: The ARN of the runner.
        table_name: The name of the table, in the machine's account and Region.

    Raises:
        TypeError: A list is a string.
        ValueError: The permissions for a target cannot be determined, or an argument is malformed.
    """
    _, partition, _, region, account, _ = machine_arn.split(":", 5)
    place = Place(account, region, partition)
    apis = [invocations(each.target)[0] for each in listed if isinstance(each.target, ApiTarget)]
    known = sorted({call.name for call in apis})
    for name in resources:
        if name not in known:
            raise ValueError(
                f"expected calls of an ApiTarget in resources, got {name!r}; the calls are: "
                f"{', '.join(known) or 'none'}"
            )
    named = checked_resources(resources, apis)
    roles = checked_roles("task_roles", task_roles)
    grants = _own_grants(machine_arn, table_name)
    for each in listed:
        grants += _target_grants(each, named, machine_arn, place)
    if any(grant.action == "ecs:RunTask" for grant in grants):
        grants += role_grants(roles)
    return {"Version": "2012-10-17", "Statement": merged(grants)}


def _own_grants(machine_arn: str, table_name: str) -> list[Grant]:
    """Returns the permissions for the states whose calls are in the definition."""
    _, partition, _, region, account, _ = machine_arn.split(":", 5)
    states = {
        name: state
        for name, state in runner(table_name, partition=partition).states.items()
        if isinstance(state, Task) and not isinstance(state.arguments, str)  # text: they are in the row
    }
    text = json.dumps(StateMachine(states=states).to_dict())
    grants = []
    for grant in machine_grants(StateMachine(states=states), machine_arn=machine_arn):
        if grant.resource != "*":
            grants.append(grant)
            continue
        # The items of a transaction are those of the table, with the actions in their text.
        verb = grant.action.removeprefix("dynamodb:").removesuffix("Item")
        if re.search(rf"\b{verb}\b|:{verb.lower()}Item\b", text):
            table = f"arn:{partition}:dynamodb:{region}:{account}:table/{table_name}"
            grants.append(grant._replace(resource=table))
    return grants


def _target_grants(
    target: NamedTarget, named: Mapping[str, Sequence[str]], machine_arn: str, place: Place
) -> list[Grant]:
    """Returns the permissions for a target, for jobs that wait for its end and for others."""
    calls = target.calls(place.partition)
    try:
        (said,) = invocations(target.target)
        invocation = with_resources(said, named)
        if not invocation.resources:
            invocation = _of_request(invocation.name, calls[0], machine_arn)
        waits = any(".sync" in call.name for call in calls)
        return grants_of(replace(invocation, waits=waits), place)
    except ValueError as error:
        raise ValueError(f"{target.argument}: {error}") from error


def _of_request(name: str, call: Call, machine_arn: str) -> Invocation:
    """Returns an API call with the resources in its request."""
    found = invocation_of({"Resource": call.resource, "Arguments": call.arguments}, machine_arn)
    if found is None or not found.resources or "*" in found.resources:
        raise ValueError(
            f"the resources of {name} cannot be determined from its request; use "
            f"resources={{{name!r}: ['arn:...']}}, or ['*'] if the action has no resource"
        )
    return found


# -- The application ------------------------------------------------------------------------------------


def client_policy(*, table_arn: str, state_machine_arn: str) -> dict[str, Any]:
    """Returns the permissions of an application that creates, lists, changes and cancels jobs with the
    client.

    Transactions need the actions of the items that they write. Nothing is allowed on other tables and
    machines; the permissions to invoke targets belong to the machine's role. To find table and machine by the
    stack's name, add ``cloudformation:DescribeStacks`` on the stack.

    - https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
    - https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsstepfunctions.html

    Args:
        table_arn: The ARN of the stack's table, ``arn:aws:dynamodb:<region>:<account>:table/<name>``.
        state_machine_arn: The stack's output ``StateMachineArn``, without version or alias.

    Raises:
        ValueError: An argument is malformed, or the two are not in the same account and Region.

    >>> policy = client_policy(
    ...     table_arn="arn:aws:dynamodb:eu-west-1:123456789012:table/jobs",
    ...     state_machine_arn="arn:aws:states:eu-west-1:123456789012:stateMachine:jobs",
    ... )
    >>> [statement["Sid"] for statement in policy["Statement"]]
    ['Table', 'TableIndex', 'Runner', 'RunnerExecutions']
    """
    table = checked_arn(table_arn, "dynamodb", r"table/[\w.-]{3,255}", "table/<name>")
    machine = checked_arn(state_machine_arn, "states", _MACHINE, "stateMachine:<name>")
    if _home(table) != _home(machine):
        raise ValueError(
            f"expected table_arn and state_machine_arn of one stack, got {table!r} and {machine!r} of "
            "different accounts or Regions"
        )
    items = ("BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem")
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
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _home(arn: str) -> list[str]:
    _, partition, _, region, account, _ = arn.split(":", 5)
    return [partition, region, account]


def _allow(sid: str, service: str, actions: Iterable[str], resource: str) -> dict[str, Any]:
    listed = sorted(f"{service}:{action}" for action in actions)
    return {"Sid": sid, "Effect": "Allow", "Action": listed, "Resource": [resource]}
