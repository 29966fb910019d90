"""The lists of targets in the arguments of templates and policies. The functions are pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, get_args

from stepsched.core.context import ATTRIBUTES
from stepsched.core.quoting import quoted
from stepsched.machines.calls import Call, Message, call_of, check_call, places_of
from stepsched.targets import (
    ApiTarget,
    BatchTarget,
    ParallelTarget,
    QueueTarget,
    SingleTarget,
    Target,
    TopicTarget,
    WorkflowTarget,
    parts_of,
)
from stepsched.workflows import Workflow


class NamedTarget(NamedTuple):
    """A target, with the argument that names it."""

    argument: str
    """The argument and the index, such as ``targets[0]``."""
    target: SingleTarget

    def calls(self, partition: str = "aws") -> list[Call]:
        """The calls of the runner for the target: for a job that does not wait for its end, and one that
        does.

        Raises:
            ValueError: The runner cannot invoke the target. The error names the reason.
        """
        try:
            found = [
                call_of(self.target, _ANY_MESSAGE, wait=wait, partition=partition) for wait in (False, True)
            ]
            if isinstance(self.target, ApiTarget):
                check_call(found[0])
        except ValueError as error:
            raise ValueError(f"{self.argument}: {error}") from error
        return found


_ANY_MESSAGE = Message({}, "job", "job", "$due", dict.fromkeys(ATTRIBUTES, "$due"))
"""A message for building calls. The content of a message does not change which call is made."""


class Targets(NamedTuple):
    """The targets of a stack, by the machine that invokes them."""

    called: list[NamedTarget]
    """What the runner invokes: the targets of jobs, and those of steps that are not Batch jobs."""
    submitted: list[NamedTarget]
    """The Batch targets, whose jobs the machine of the workflows submits for steps."""
    told: list[NamedTarget]
    """The topics that workflows name as ``notify``."""


def validate_targets(
    targets: Iterable[Target | Workflow], *, cure: str | None, may_be_empty: bool = False
) -> Targets:
    """Validates the targets. Parallel targets are replaced by their parts, and workflows by the targets of
    their steps.

    Args:
        targets: The targets, and workflows.
        cure: What to use if the list has a workflow and the stack has no machine for it. None: it has one.
        may_be_empty: Whether the list may be empty.

    Raises:
        TypeError: ``targets`` is not a list of targets.
        ValueError: The list is empty, AWS cannot invoke a target, or there is no machine for a workflow. The
            error names the target and the reason.
    """
    listed = _listed("targets", targets, (*get_args(Target), Workflow), "LambdaTarget(...)")
    if not listed and not may_be_empty:
        raise ValueError("expected at least one target, got an empty list; use [LambdaTarget(...)]")
    found = Targets([], [], [])
    for argument, value in listed:
        if cure is not None and isinstance(value, (Workflow, WorkflowTarget)):
            kind = type(value).__name__
            raise ValueError(f"{argument}: a {kind} needs the machine that runs workflows; use {cure}")
        if isinstance(value, Workflow):
            _add_steps(found, argument, value)
        elif not isinstance(
            value, WorkflowTarget
        ):  # the runner may start the machine of the workflows anyway
            found.called.extend(NamedTarget(argument, part) for part in parts_of(value))
    for each in (*found.called, *found.submitted):
        each.calls()
    if cure is None:
        found.submitted.extend(each for each in found.called if isinstance(each.target, BatchTarget))
    return found


def _add_steps(found: Targets, argument: str, workflow: Workflow) -> None:
    seen = set[str]()
    for step in workflow.steps:
        target = step.target
        assert not isinstance(target, ParallelTarget), "a step has a single target"
        is_batch = isinstance(target, BatchTarget)
        # Thousands of steps may differ only in the parameters of their jobs, which need no permission.
        key = target.model_dump_json(include={"job_definition", "job_queue"} if is_batch else None)
        if key not in seen:
            seen.add(key)
            named = NamedTarget(f"{argument} (step {step.name!r})", target)
            (found.submitted if is_batch else found.called).append(named)
    if workflow.notify is not None:
        found.told.append(NamedTarget(f"{argument} (notify)", workflow.notify))


def validate_queues(dead_letters: Iterable[QueueTarget]) -> list[NamedTarget]:
    """Validates the queues for dead letters.

    Raises:
        TypeError: ``dead_letters`` is not a list of QueueTargets.
    """
    return [
        NamedTarget(*each)
        for each in _listed("dead_letters", dead_letters, (QueueTarget,), "QueueTarget(...)")
    ]


def validate_topics(topics: Iterable[TopicTarget]) -> list[NamedTarget]:
    """Validates the topics for notifications.

    Raises:
        TypeError: ``topics`` is not a list of TopicTargets.
    """
    return [NamedTarget(*each) for each in _listed("topics", topics, (TopicTarget,), "TopicTarget(...)")]


def _listed(argument: str, values: Any, kinds: tuple[type[Any], ...], example: str) -> list[tuple[str, Any]]:
    """The values of an argument, each with its argument and index.

    Raises:
        TypeError: The argument is not a list, or holds a value of another type.
    """
    if isinstance(values, (*get_args(Target), Workflow)):  # iterating over a target would give its fields
        raise TypeError(f"expected {argument} to be a list, got one {type(values).__name__}; use [{example}]")
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise TypeError(f"expected {argument} to be a list, got {quoted(values)}; use [{example}]")
    found = [(f"{argument}[{index}]", value) for index, value in enumerate(values)]
    for name, value in found:
        if not isinstance(value, kinds):
            raise TypeError(f"expected {name} to be a target, got {quoted(value)}; use {example}")
    return found


def partition_of(listed: Sequence[NamedTarget]) -> str:
    """The partition of all targets; ``aws`` if no target has an ARN.

    Raises:
        ValueError: The targets are in several partitions or Regions.
    """
    places = {place: each for each in listed for place in places_of(each.target) if all(place)}
    if len(places) > 1:
        shown = " and ".join(
            f"{places[place].argument} in {place[1]} of {place[0]}" for place in sorted(places)[:2]
        )
        raise ValueError(
            f"expected targets in one Region, got {shown}; use one stack for the targets of each Region"
        )
    return next(iter(places), ("aws", ""))[0]
