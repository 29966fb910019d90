"""The parts of a stack: for each, its resources and its outputs.

:func:`parts_of` puts the parts of one stack together. The modules of the parts do not know one another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from stepsched.asl.machine import StateMachine
from stepsched.backends.stepfunctions.stacks import METRICS_OUTPUT
from stepsched.deploy.listed import NamedTarget
from stepsched.deploy.parts.alarms import alarms
from stepsched.deploy.parts.base import StackPart, combined, output
from stepsched.deploy.parts.dashboard import dashboard
from stepsched.deploy.parts.group import group
from stepsched.deploy.parts.http import HttpPart, http, http_definition
from stepsched.deploy.parts.names import HTTP, REGISTER, RUNNER, WATCH, WORKFLOWS, Names
from stepsched.deploy.parts.part import (
    QUEUES,
    REGISTERS,
    Part,
    is_observed,
)
from stepsched.deploy.parts.queues import dead_letters, queue
from stepsched.deploy.parts.register import register
from stepsched.deploy.parts.runner import Calls, runner
from stepsched.deploy.parts.table import table
from stepsched.deploy.parts.topic import topic
from stepsched.deploy.parts.watch import watch, watch_definition
from stepsched.deploy.parts.workflows import workflows
from stepsched.deploy.policies import (
    Permissions,
    document,
    own_grants,
    role_policy,
)
from stepsched.deploy.workflows import workflows_policy
from stepsched.iam.grants import Grant
from stepsched.machines.shared.metrics import NAMESPACE
from stepsched.machines.shared.register import register as register_machine
from stepsched.targets import QueueTarget, StateMachineTarget, TopicTarget
from stepsched.workflows.machine import workflow_machine


class Wanted(NamedTuple):
    """What a stack should consist of."""

    names: Names
    parts: frozenset[Part]
    called: Sequence[NamedTarget] = ()
    """The targets that the runner invokes."""
    dead_letters: Sequence[NamedTarget] = ()
    """The queues that jobs name as ``dead_letter``."""
    topics: Sequence[NamedTarget] = ()
    """The topics that jobs and workflows name as ``notify``."""
    submitted: Sequence[NamedTarget] = ()
    """The Batch targets of steps."""
    told: Sequence[NamedTarget] = ()
    """Further topics, which only workflows name."""
    task_roles: Sequence[str] = ()
    """The roles of ECS task definitions."""
    resources: Mapping[str, Sequence[str]] = {}
    """The resources of ApiTarget calls."""
    boundary: str | None = None
    """The permissions boundary of all roles."""
    role_arn: str | None = None
    """The role of the runner. None: the stack has one."""
    http: HttpPart = HttpPart()
    """How the API of one-shot tasks is made."""

    def with_own_targets(self) -> Wanted:
        """The same with the queues, the topic and the workflows of the stack, which its jobs may use."""
        names, parts = self.names, self.parts
        called, letters, topics = list(self.called), list(self.dead_letters), list(self.topics)
        if parts & frozenset(QUEUES):
            fifo = Part.FIFO_QUEUE in parts
            arn = names.queue_arn("Queue", fifo=fifo)
            target = QueueTarget(arn, message_group_id="jobs" if fifo else None)
            called.append(NamedTarget("the queue", target))
        if Part.WORKFLOWS in parts:
            target_machine = StateMachineTarget(names.machine_arn(WORKFLOWS))
            called.append(NamedTarget("the workflows", target_machine))
        if Part.HTTP in parts:
            topic_of_tasks = TopicTarget(names.topic_arn("HttpTopic"))
            called.append(NamedTarget("the topic of tasks", topic_of_tasks))
        if Part.DEAD_LETTERS in parts:
            queue_arn = names.queue_arn("DeadLetters")
            letters.append(NamedTarget("the queue for dead letters", QueueTarget(queue_arn)))
        if Part.TOPIC in parts:
            topics.append(NamedTarget("the topic", TopicTarget(names.topic_arn("Topic"))))
        return self._replace(called=called, dead_letters=letters, topics=topics)

    def call_names(self) -> list[str]:
        """The calls for which the runner has a state, sorted. With all calls its definition would be too
        long for a request."""
        return sorted({call.name for each in self.called for call in each.calls(self.names.partition)})

    def permissions(self, *, notifies: bool) -> Permissions:
        """What decides on the permissions to invoke the targets.

        Args:
            notifies: Whether the caller publishes to the topics.
        """
        topics = self.topics if notifies else ()
        return Permissions((*self.called, *self.dead_letters, *topics), self.task_roles, self.resources)


def parts_of(wanted: Wanted) -> StackPart:
    """All resources and outputs of a stack.

    Raises:
        ValueError: A policy is too long, or the permissions of a target do not follow from it.
    """
    wanted = wanted.with_own_targets()
    names, parts, boundary = wanted.names, wanted.parts, wanted.boundary
    metrics = is_observed(parts)
    found = [table(names), _runner(wanted, metrics=metrics)]
    if parts & frozenset(REGISTERS):
        found.append(_register(wanted, metrics=metrics))
    if Part.HTTP in parts:
        found.append(_http(wanted))
    if Part.WORKFLOWS in parts:
        found.append(_workflows(wanted))
    if Part.GROUP in parts:
        permissions = wanted.permissions(notifies=False).of_schedules()
        policy = permissions.document([], names.machine_arn(RUNNER), waits=False)
        found.append(group(names, policy, boundary=boundary))
    if Part.DEAD_LETTERS in parts:
        found.append(dead_letters(names))
    if parts & frozenset(QUEUES):
        found.append(queue(names, fifo=Part.FIFO_QUEUE in parts))
    if Part.TOPIC in parts:
        found.append(topic(names))
    if metrics:
        found.append(_watch(wanted))
    if Part.ALARMS in parts:
        has_workflows = Part.WORKFLOWS in parts
        found.append(alarms(names, has_topic=Part.TOPIC in parts, has_workflows=has_workflows))
    if Part.DASHBOARD in parts:
        found.append(dashboard(names))
    return combined(found)


def _runner(wanted: Wanted, *, metrics: bool) -> StackPart:
    names = wanted.names
    policy = role_policy(
        wanted.permissions(notifies=True),
        machine_arn=names.machine_arn(RUNNER),
        table_name=names.table,
        metrics=metrics,
    )
    return runner(
        names,
        Calls(wanted.call_names(), policy),
        metrics=metrics,
        role_arn=wanted.role_arn,
        boundary=wanted.boundary,
    )


def _register(wanted: Wanted, *, metrics: bool) -> StackPart:
    definition, grants = _register_of(wanted.names, tuple(wanted.call_names()), metrics=metrics)
    express = Part.EXPRESS_REGISTER in wanted.parts
    return register(wanted.names, definition, document(grants), express=express, boundary=wanted.boundary)


@lru_cache(maxsize=8)  # an app of the CDK asks for the same one again and again
def _register_of(
    names: Names, calls: tuple[str, ...], *, metrics: bool
) -> tuple[StateMachine, tuple[Grant, ...]]:
    """The definition of the register and its grants."""
    runner_arn = names.machine_arn(RUNNER)
    definition = register_machine(
        names.table, runner_arn, partition=names.partition, calls=calls, metrics=metrics
    )
    grants = own_grants(
        definition,
        machine_arn=names.machine_arn(REGISTER),
        table_name=names.table,
        runner_arn=runner_arn,
    )
    return definition, tuple(grants)


def _http(wanted: Wanted) -> StackPart:
    names = wanted.names
    definition = http_definition(names, wanted.http)
    grants = own_grants(
        definition,
        machine_arn=names.machine_arn(HTTP),
        table_name=names.table,
        runner_arn=names.machine_arn(RUNNER),
    )
    return http(names, wanted.http, definition, document(grants), boundary=wanted.boundary)


def _workflows(wanted: Wanted) -> StackPart:
    names = wanted.names
    runner_arn = names.machine_arn(RUNNER)
    definition = workflow_machine(names.table, runner_arn=runner_arn, partition=names.partition)
    policy = workflows_policy(
        definition,
        machine_arn=names.machine_arn(WORKFLOWS),
        table_name=names.table,
        runner_arn=runner_arn,
        submitted=wanted.submitted,
        topics=(*wanted.topics, *wanted.told),
    )
    return workflows(names, definition, policy, boundary=wanted.boundary)


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
    return StackPart(made.resources, {names.logical(METRICS_OUTPUT): namespace})


__all__ = ["HttpPart", "Part", "StackPart", "Wanted", "parts_of"]
