"""The optional parts of a stack."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

from stepsched.core.enums import StrEnum
from stepsched.core.quoting import quoted


class Part(StrEnum):
    """A part that :func:`stepsched.deploy.template` adds to a stack."""

    REGISTER = "register"
    """A state machine that creates, changes, reads and cancels jobs, for callers inside of AWS. It is a
    Standard workflow: a caller starts it and may wait for its end."""
    EXPRESS_REGISTER = "express-register"
    """The same as an Express workflow, which is called synchronously and costs less."""
    HTTP = "http"
    """One-shot tasks over HTTP: an API, a state machine that takes its requests, and the topic to which tasks
    are delivered. It includes the Express register."""
    WORKFLOWS = "workflows"
    """A state machine that runs workflows. Their definitions and runs are in the table of jobs."""
    GROUP = "group"
    """A schedule group of EventBridge Scheduler, and the execution role for jobs with these targets."""
    DEAD_LETTERS = "dead-letters"
    """A queue for the dead letters of jobs."""
    TOPIC = "topic"
    """A topic for the notifications of jobs, and of the alarms."""
    QUEUE = "queue"
    """A standard queue that jobs may send to, with a queue for the messages that no consumer could
    process."""
    FIFO_QUEUE = "fifo-queue"
    """The same as a FIFO queue."""
    ALARMS = "alarms"
    """Alarms on runs that failed, on jobs that are late, on executions that failed, and on workflows that
    failed."""
    DASHBOARD = "dashboard"
    """A dashboard with the metrics of the jobs and of the state machine."""


REGISTERS = (Part.REGISTER, Part.EXPRESS_REGISTER)
QUEUES = (Part.QUEUE, Part.FIFO_QUEUE)
OBSERVED = (Part.ALARMS, Part.DASHBOARD)
"""The parts that need the metrics."""


def validate_parts(parts: Iterable[Part | str], *, http: bool = False) -> frozenset[Part]:
    """Validates the parts of a stack, and adds those that they need.

    Args:
        parts: The parts.
        http: Whether the part ``http`` is chosen too.

    Raises:
        TypeError: ``parts`` is a single value.
        ValueError: A part is unknown, or two exclude each other.
    """
    if isinstance(parts, str) or not isinstance(parts, Iterable):
        raise TypeError(f"expected parts to be a list, got {quoted(parts)}; use [Part.ALARMS]")
    found = frozenset([*map(_part, parts), *([Part.HTTP] if http else [])])
    exclusive = (*combinations(REGISTERS, 2), (Part.REGISTER, Part.HTTP), *combinations(QUEUES, 2))
    for one, other in exclusive:
        if {one, other} <= found:
            raise ValueError(f"expected one of {one.value!r} and {other.value!r} in parts, got both; use one")
    return found | {Part.EXPRESS_REGISTER} if Part.HTTP in found else found


def _part(value: Any) -> Part:
    try:
        return Part(value)
    except ValueError as error:
        known = ", ".join(f"{part.value!r}" for part in Part)
        raise ValueError(f"expected a part of {known}, got {quoted(value)}") from error


def is_observed(parts: Iterable[Part]) -> bool:
    """Whether the stack writes metrics."""
    return any(part in OBSERVED for part in parts)
