"""The parts of a stack: for each, its resources and its outputs.

:func:`parts_of` puts the parts of one stack together. The modules of the parts do not know one another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from stepsched.deploy.parts.alarms import alarms
from stepsched.deploy.parts.base import StackPart, combined, output
from stepsched.deploy.parts.dashboard import dashboard
from stepsched.deploy.parts.group import group
from stepsched.deploy.parts.names import REGISTER, RUNNER, WATCH, Names, validate_prefix
from stepsched.deploy.parts.part import (
    OBSERVED,
    QUEUES,
    REGISTERS,
    Part,
    is_observed,
    validate_parts,
)
from stepsched.deploy.parts.queues import dead_letters, queue
from stepsched.deploy.parts.register import register
from stepsched.deploy.parts.runner import Calls, runner
from stepsched.deploy.parts.table import table
from stepsched.deploy.parts.topic import topic
from stepsched.deploy.parts.watch import watch, watch_definition
from stepsched.deploy.policies import (
    NamedTarget,
    Permissions,
    document,
    own_grants,
    role_policy,
)
from stepsched.machines.shared.metrics import NAMESPACE
from stepsched.machines.shared.register import register as register_machine
from stepsched.machines.shared.runner import CALLS
from stepsched.targets import QueueTarget, TopicTarget

METRIC_NAMESPACE = "MetricNamespace"
"""The output by which clients know that the stack has metrics."""


class Wanted(NamedTuple):
    """What a stack should consist of."""

    names: Names
    parts: frozenset[Part]
    permissions: Permissions
    """What decides on the permissions to invoke the targets of jobs."""
    called: tuple[NamedTarget, ...] = ()
    """The targets of jobs, without their dead letters and topics."""
    calls: Iterable[str] = ()
    """The calls for which the runner has a state."""
    boundary: str | None = None
    """The permissions boundary of all roles."""
    role_arn: str | None = None
    """The role of the runner. None: the stack has one."""


def parts_of(wanted: Wanted) -> StackPart:
    """All resources and outputs of a stack.

    Raises:
        ValueError: A policy is too long, or the permissions of a target do not follow from it.
    """
    names, parts, boundary = wanted.names, wanted.parts, wanted.boundary
    metrics = is_observed(parts)
    own = _own_targets(names, parts)
    permissions = wanted.permissions._replace(listed=(*wanted.permissions.listed, *own))
    runner_arn = names.machine_arn(RUNNER)
    policy = role_policy(permissions, machine_arn=runner_arn, table_name=names.table, metrics=metrics)
    calls = {*wanted.calls, *(call.name for each in _called(own) for call in each.calls(names.partition))}
    found = [
        table(names),
        runner(names, Calls(calls, policy), metrics=metrics, role_arn=wanted.role_arn, boundary=boundary),
    ]
    if parts & frozenset(REGISTERS):
        found.append(_register(wanted, calls, metrics=metrics))
    if Part.GROUP in parts:
        invoked = permissions.grants(runner_arn, waits=False)
        found.append(group(names, document(invoked), boundary=boundary))
    if Part.DEAD_LETTERS in parts:
        found.append(dead_letters(names))
    if parts & frozenset(QUEUES):
        found.append(queue(names, fifo=Part.FIFO_QUEUE in parts))
    if Part.TOPIC in parts:
        found.append(topic(names))
    if metrics:
        found.append(_watch(wanted))
    if Part.ALARMS in parts:
        found.append(alarms(names, has_topic=Part.TOPIC in parts))
    if Part.DASHBOARD in parts:
        found.append(dashboard(names))
    return combined(found)


def _own_targets(names: Names, parts: frozenset[Part]) -> tuple[NamedTarget, ...]:
    """The queues and the topic of the stack, which its jobs may use."""
    found = []
    if parts & frozenset(QUEUES):
        fifo = Part.FIFO_QUEUE in parts
        arn = names.queue_arn("Queue", fifo=fifo)
        found.append(NamedTarget("queue", QueueTarget(arn, message_group_id="jobs" if fifo else None)))
    if Part.DEAD_LETTERS in parts:
        found.append(NamedTarget("dead letters", QueueTarget(names.queue_arn("DeadLetters"))))
    if Part.TOPIC in parts:
        found.append(NamedTarget("topic", TopicTarget(names.topic_arn("Topic"))))
    return tuple(found)


def _called(own: Iterable[NamedTarget]) -> list[NamedTarget]:
    """Those that jobs invoke as their target."""
    return [each for each in own if each.argument == "queue"]


def _register(wanted: Wanted, calls: Iterable[str], *, metrics: bool) -> StackPart:
    names = wanted.names
    runner_arn = names.machine_arn(RUNNER)
    definition = register_machine(
        names.table, runner_arn, partition=names.partition, calls=sorted(calls), metrics=metrics
    )
    grants = own_grants(
        definition,
        machine_arn=names.machine_arn(REGISTER),
        table_name=names.table,
        runner_arn=runner_arn,
    )
    express = Part.EXPRESS_REGISTER in wanted.parts
    return register(names, definition, document(grants), express=express, boundary=wanted.boundary)


def _watch(wanted: Wanted) -> StackPart:
    names = wanted.names
    grants = own_grants(
        watch_definition(names),
        machine_arn=names.machine_arn(WATCH),
        table_name=names.table,
        runner_arn=names.machine_arn(RUNNER),
    )
    made = watch(names, document(grants), boundary=wanted.boundary)
    namespace = output("The namespace of the metrics of the jobs", NAMESPACE)
    return StackPart(made.resources, {names.logical(METRIC_NAMESPACE): namespace})


def scheduler_parts(
    *,
    prefix: str,
    parts: Iterable[Part | str] = (Part.REGISTER,),
    partition: str = "aws",
    permissions_boundary: str | None = None,
) -> StackPart:
    """The resources of a stack whose runner can make all calls, but is allowed to invoke no target.

    Whoever adds the resources to a stack allows targets on the role ``<Prefix>RunnerRole`` later. A
    definition with all calls is too long for a request of CloudFormation: the template must be uploaded.

    Args:
        prefix: The prefix of names, logical IDs and outputs; see :func:`stepsched.deploy.template`.
        parts: The optional parts.
        partition: The partition of the stack.
        permissions_boundary: The ARN of the permissions boundary of all roles. None: there is none.

    Raises:
        TypeError: ``parts`` is not a list.
        ValueError: An argument is malformed.
    """
    chosen = validate_parts(parts)
    validate_prefix(prefix, chosen, existing_table=False)
    return parts_of(
        Wanted(Names(prefix, partition), chosen, Permissions(()), calls=CALLS, boundary=permissions_boundary)
    )


__all__ = ["OBSERVED", "Part", "StackPart", "Wanted", "parts_of", "scheduler_parts"]
