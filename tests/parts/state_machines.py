"""Runs state machines on an emulator, over all generations of a machine that renews itself.

What the emulator (1.5.33) does otherwise than AWS documents, so that a test does not rely on it:

- The entries of one ``Assign`` see each other: they are assigned in turn, not all at once.
- A Parallel state in JSONata ignores its own ``Arguments`` and ``Assign``. What a branch assigns
  is seen by the other branches and afterwards, and the branches share ``$states.context.State``.
- ``Output`` is ignored on Succeed, and on Choice for its ``Default``.
- Starting an execution under a used name always fails, also with the same input while it runs; the error is
  called ``ExecutionAlreadyExists``, or ``Sfn.ExecutionAlreadyExists`` through ``aws-sdk:sfn``. With
  ``startExecution.sync`` it never fails: the new execution takes the place of the old one.
- An execution that ``startExecution.sync`` waited for and that failed fails its task with its own error and
  cause, not with ``States.TaskFailed`` and its description.
- A function's exception is called ``Runtime.HandlerError``.
- Sizes, the length of the history, ``HeartbeatSeconds``, and unknown fields of ``Arguments`` are not
  checked. ``TimeoutSeconds`` of the machine is only while waits are held, and ``TimeoutSecondsPath`` never.
- Retry delays have no jitter.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from tests.parts.environments import PartFailedError
from tests.parts.ministack import PATIENCE

ROLE = "arn:aws:iam::000000000000:role/machine"


class Execution(NamedTuple):
    """One execution that has ended."""

    arn: str
    name: str
    status: str
    started_at: datetime
    input: Any
    output: Any
    """`None` if it did not succeed."""
    error: str | None
    cause: str | None
    events: list[dict[str, Any]]
    """Its history in the shape of boto3; the emulator's is shorter than that of AWS."""


class Run(NamedTuple):
    """All executions of a machine, in the order in which they were started."""

    machine_arn: str
    executions: list[Execution]

    @property
    def last(self) -> Execution:
        return self.executions[-1]


def run_machine(
    stepfunctions: Any,
    definition: str | Mapping[str, Any],
    input: str | Mapping[str, Any] = "{}",  # noqa: A002 -- the name that Step Functions gives it
    *,
    name: str | None = None,
    machine_name: str | None = None,
    timeout: float = PATIENCE,
) -> Run:
    """Creates the machine, starts one execution, and returns when no execution of the machine is running.

    That includes what the machine starts of itself; executions of other machines are neither waited for nor
    returned. The machine, and with it its executions, is gone afterwards, so that it cannot renew itself for
    ever.

    Args:
        stepfunctions: The boto3 client.
        definition: The machine, as text or as a value.
        input: Of the first execution, as text or as a value.
        name: Of the first execution; otherwise the emulator makes one up.
        machine_name: Otherwise one that no other machine has.
        timeout: Seconds after which it is stopped, and `PartFailedError` raised with what it did last.
    """
    machine = stepfunctions.create_state_machine(
        name=machine_name or f"machine-{uuid.uuid4()}", definition=_text(definition), roleArn=ROLE
    )["stateMachineArn"]
    try:
        named = {} if name is None else {"name": name}
        stepfunctions.start_execution(stateMachineArn=machine, input=_text(input), **named)
        deadline = time.monotonic() + timeout
        while running := _listed(stepfunctions, machine, statusFilter="RUNNING"):
            if time.monotonic() > deadline:
                told = _last_events(stepfunctions, running[0]["executionArn"])
                raise PartFailedError(f"still running after {timeout} s; the last of it first\n{told}")
            threading.Event().wait(0.02)
        ended = [_execution(stepfunctions, each["executionArn"]) for each in _listed(stepfunctions, machine)]
        return Run(machine, sorted(ended, key=lambda execution: execution.started_at))
    finally:
        _delete(stepfunctions, machine)


def _delete(stepfunctions: Any, machine: str) -> None:
    """Stops what runs first: the emulator would forget it, but let it run on."""
    for each in _listed(stepfunctions, machine, statusFilter="RUNNING"):
        stepfunctions.stop_execution(executionArn=each["executionArn"])
    stepfunctions.delete_state_machine(stateMachineArn=machine)


def _listed(stepfunctions: Any, machine: str, **only: str) -> list[dict[str, Any]]:
    pages = stepfunctions.get_paginator("list_executions").paginate(stateMachineArn=machine, **only)
    return [each for page in pages for each in page["executions"]]


def _execution(stepfunctions: Any, arn: str) -> Execution:
    told = stepfunctions.describe_execution(executionArn=arn)
    return Execution(
        arn,
        told["name"],
        told["status"],
        told["startDate"],
        json.loads(told["input"]),
        json.loads(told["output"]) if told["status"] == "SUCCEEDED" else None,
        told.get("error"),
        told.get("cause"),
        _events(stepfunctions, arn),
    )


def _events(stepfunctions: Any, arn: str) -> list[dict[str, Any]]:
    pages = stepfunctions.get_paginator("get_execution_history").paginate(executionArn=arn)
    return [event for page in pages for event in page["events"]]


def _last_events(stepfunctions: Any, execution: str) -> str:
    """Of an execution that is stopped first: one that never waits has the server busy."""
    stepfunctions.stop_execution(executionArn=execution)
    asked = {"executionArn": execution, "maxResults": 10, "reverseOrder": True}
    return json.dumps(stepfunctions.get_execution_history(**asked)["events"], default=str)


def _text(value: str | Mapping[str, Any]) -> str:
    return value if isinstance(value, str) else json.dumps(value)
