"""What the runner may do, and what the application that creates its jobs may do. Pure."""

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


class Told(NamedTuple):
    """A target, and where the caller has named it, such as ``targets[0]``."""

    place: str
    target: SingleTarget

    def calls(self, partition: str = "aws") -> list[Call]:
        """How the runner calls it for a job that does not wait for the end, and for one that does.

        Raises:
            ValueError: It cannot; says why.
        """
        try:
            found = [call_of(self.target, _ANY, wait=wait, partition=partition) for wait in (False, True)]
            if isinstance(self.target, ApiTarget):
                check_call(found[0])
        except ValueError as error:
            raise ValueError(f"{self.place}: {error}") from error
        return found


_ANY = Message({}, "job", "job", "$due", {})
"""What a target gets does not change what is called."""


def checked_targets(targets: Iterable[Target]) -> list[Told]:
    """The targets, those of parallel ones on their own.

    Raises:
        TypeError: It is no list of targets.
        ValueError: It is empty, or AWS cannot invoke one of them; says which, and why.
    """
    listed = _listed("targets", targets, get_args(Target), "LambdaTarget(...)")
    if not listed:
        raise ValueError("targets is empty; name what the jobs may invoke, such as [LambdaTarget(...)]")
    found = [Told(place, part) for place, target in listed for part in parts_of(target)]
    for told in found:
        told.calls()
    return found


def checked_queues(dead_letters: Iterable[QueueTarget]) -> list[Told]:
    """The queues."""
    return [Told(*each) for each in _listed("dead_letters", dead_letters, (QueueTarget,), "QueueTarget(...)")]


def checked_topics(topics: Iterable[TopicTarget]) -> list[Told]:
    """The topics."""
    return [Told(*each) for each in _listed("topics", topics, (TopicTarget,), "TopicTarget(...)")]


def _listed(word: str, values: Any, kinds: tuple[type[Any], ...], example: str) -> list[tuple[str, Any]]:
    """The values with their places."""
    if isinstance(values, get_args(Target)):  # the fields of a value can be iterated over
        raise TypeError(f"{word} is one {type(values).__name__}; give a list, such as [{example}]")
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise TypeError(f"{word} is {values!r:.80}; give a list, such as [{example}]")
    found = [(f"{word}[{index}]", value) for index, value in enumerate(values)]
    for place, value in found:
        if not isinstance(value, kinds):
            raise TypeError(f"{place} is {value!r:.80}; give {example}")
    return found


def partition_of(listed: Sequence[Told]) -> str:
    """The partition that all targets are in; ``aws`` where none tells.

    Raises:
        ValueError: They are in several partitions or Regions, and a machine reaches its own.
    """
    places = {place: told for told in listed for place in places_of(told.target) if all(place)}
    if len(places) > 1:
        shown = " and ".join(f"{places[each].place} in {each[1]} of {each[0]}" for each in sorted(places)[:2])
        raise ValueError(
            f"{shown}: a machine reaches its own Region; give the targets of each Region a stack of their own"
        )
    return next(iter(places), ("aws", ""))[0]


# -- The runner -----------------------------------------------------------------------------------------


def runner_policy(
    listed: Sequence[Told],
    *,
    task_roles: Sequence[str],
    resources: Mapping[str, Sequence[str]],
    machine_arn: str,
    table_name: str,
) -> dict[str, Any]:
    """The least that the runner's role must be allowed.

    The runner's own states say what they do with the table. What its other states call stands in the rows of
    jobs, so the targets say it.

    Args:
        listed: What jobs may invoke, and tell.
        task_roles: As in :func:`stepsched.iam.machine_policy`.
        resources: As in :func:`stepsched.iam.policy_for`.
        machine_arn: The runner's own.
        table_name: The table, in the machine's account and Region.

    Raises:
        TypeError: A list is text.
        ValueError: What a target needs cannot be told from it, or an argument is not of its form.
    """
    _, partition, _, region, account, _ = machine_arn.split(":", 5)
    place = Place(account, region, partition)
    apis = [invocations(told.target)[0] for told in listed if isinstance(told.target, ApiTarget)]
    known = sorted({call.name for call in apis})
    for name in resources:
        if name not in known:
            raise ValueError(
                f"resources names {name!r}, which no ApiTarget calls: {', '.join(known) or 'there is none'}"
            )
    named = checked_resources(resources, apis)
    roles = checked_roles("task_roles", task_roles)
    grants = _own_grants(machine_arn, table_name)
    for told in listed:
        grants += _target_grants(told, named, machine_arn, place)
    if any(grant.action == "ecs:RunTask" for grant in grants):
        grants += role_grants(roles)
    return {"Version": "2012-10-17", "Statement": merged(grants)}


def _own_grants(machine_arn: str, table_name: str) -> list[Grant]:
    """What the states need that say themselves what they call."""
    _, partition, _, region, account, _ = machine_arn.split(":", 5)
    states = {
        name: state
        for name, state in runner(table_name, partition=partition).states.items()
        if isinstance(state, Task) and not isinstance(state.arguments, str)  # text: the row says it
    }
    text = json.dumps(StateMachine(states=states).to_dict())
    grants = []
    for grant in machine_grants(StateMachine(states=states), machine_arn=machine_arn):
        if grant.resource != "*":
            grants.append(grant)
            continue
        # A transaction may be of any items; these are of the table, and do what their text says.
        verb = grant.action.removeprefix("dynamodb:").removesuffix("Item")
        if re.search(rf"\b{verb}\b|:{verb.lower()}Item\b", text):
            table = f"arn:{partition}:dynamodb:{region}:{account}:table/{table_name}"
            grants.append(grant._replace(resource=table))
    return grants


def _target_grants(
    told: Told, named: Mapping[str, Sequence[str]], machine_arn: str, place: Place
) -> list[Grant]:
    """What the runner needs for a target, of jobs that wait for its end and of others."""
    calls = told.calls(place.partition)
    try:
        (said,) = invocations(told.target)
        invocation = with_resources(said, named)
        if not invocation.resources:
            invocation = _of_request(invocation.name, calls[0], machine_arn)
        waits = any(".sync" in call.name for call in calls)
        return grants_of(replace(invocation, waits=waits), place)
    except ValueError as error:
        raise ValueError(f"{told.place}: {error}") from error


def _of_request(name: str, call: Call, machine_arn: str) -> Invocation:
    """The call of an API with what its request says that it acts on."""
    found = invocation_of({"Resource": call.resource, "Arguments": call.arguments}, machine_arn)
    if found is None or not found.resources or "*" in found.resources:
        raise ValueError(
            f"what {name} acts on cannot be told from its request; give it by ARN, as in "
            f"resources={{{name!r}: ['arn:...']}}, or ['*'] where AWS knows no resource"
        )
    return found


# -- The application ------------------------------------------------------------------------------------


def client_policy(*, table_arn: str, state_machine_arn: str) -> dict[str, Any]:
    """What whoever creates, lists, changes and cancels jobs through the client must be allowed.

    Transactions need the actions of the items that they write. Nothing is allowed on other tables and
    machines; what jobs may invoke is the affair of the machine's role. To find table and machine by the
    stack's name, ``cloudformation:DescribeStacks`` on the stack has to be added.

    - https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
    - https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsstepfunctions.html

    Args:
        table_arn: ``arn:aws:dynamodb:<region>:<account>:table/<name>``, of the stack's table.
        state_machine_arn: The stack's output ``StateMachineArn``, without version or alias.

    Raises:
        ValueError: An argument is not of its form, or the two are not in one account and Region.

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
            f"table_arn {table!r} and state_machine_arn {machine!r} are not in one account and Region; "
            "give those of one stack"
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
