"""A machine runs to its end on the emulator, over all generations that it starts of itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.parts.environments import PartFailedError
from tests.parts.ministack import PATIENCE, Ministack
from tests.parts.state_machines import run_machine


def machine(**states: Any) -> dict[str, Any]:
    return {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}


def task(resource: str, arguments: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Arguments": arguments, **fields}


def renewing(queue: str) -> dict[str, Any]:
    """Two turns a generation, each a message, and a new generation while there are fewer than four."""
    return machine(
        Init={
            "Type": "Pass",
            "Assign": {"turn": 0, "generation": "{% $states.input.generation %}"},
            "Next": "Wait",
        },
        Wait={"Type": "Wait", "Seconds": 86400, "Next": "Send"},
        Send=task(
            "sqs:sendMessage",
            {"QueueUrl": queue, "MessageBody": "{% $string($generation) & '.' & $string($turn) %}"},
            Assign={"turn": "{% $turn + 1 %}"},
            Next="More",
        ),
        More={
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $turn < 2 %}", "Next": "Wait"},
                {"Condition": "{% $generation < 3 %}", "Next": "Renew"},
            ],
            "Default": "Done",
        },
        Renew=task(
            "states:startExecution",
            {
                "StateMachineArn": "{% $states.context.StateMachine.Id %}",
                "Name": "{% 'job-' & $string($generation + 1) %}",
                "Input": {"generation": "{% $generation + 1 %}"},
            },
            End=True,
        ),
        Done={"Type": "Succeed"},
    )


def test_renewing_machine_is_followed_to_its_end(aws: Callable[[str], Any]) -> None:
    sqs = aws("sqs")
    queue = sqs.create_queue(QueueName="runs")["QueueUrl"]
    run = run_machine(aws("stepfunctions"), renewing(queue), {"generation": 0}, name="job-0")
    assert [(each.name, each.status, each.input) for each in run.executions] == [
        (f"job-{generation}", "SUCCEEDED", {"generation": generation}) for generation in range(4)
    ]
    assert all(
        each.output["ExecutionArn"].endswith(f":job-{i}") for i, each in enumerate(run.executions[:-1], 1)
    )
    assert received(sqs, queue) == [f"{generation}.{turn}" for generation in range(4) for turn in range(2)]


def test_failure_is_told(aws: Callable[[str], Any]) -> None:
    run = run_machine(aws("stepfunctions"), machine(Only={"Type": "Fail", "Error": "Mine", "Cause": "why"}))
    assert (run.last.status, run.last.output, run.last.error, run.last.cause) == (
        "FAILED",
        None,
        "Mine",
        "why",
    )
    assert [event["type"] for event in run.last.events] == [
        "ExecutionStarted",
        "FailStateEntered",
        "ExecutionFailed",
    ]


def test_endless_machine_is_stopped_and_deleted(aws: Callable[[str], Any]) -> None:
    stepfunctions = aws("stepfunctions")
    endless = machine(A={"Type": "Wait", "Seconds": 0, "Next": "B"}, B={"Type": "Pass", "Next": "A"})
    with pytest.raises(PartFailedError, match=r"still running after 0\.5 s.*\n.*WaitStateEntered"):
        run_machine(stepfunctions, endless, timeout=0.5)
    assert stepfunctions.list_state_machines()["stateMachines"] == []


def test_waits_take_the_part_of_their_time_that_is_set(
    ministack: Ministack, aws: Callable[[str], Any]
) -> None:
    # Longer than a machine is given to end, so it ends only where the wait is cut.
    run_machine(aws("stepfunctions"), waits(100 * PATIENCE))
    ministack.scale_waits(0.01)
    try:
        assert seconds(aws, waits(7 * PATIENCE)) >= 1
    finally:
        ministack.scale_waits(0)


def test_scale_that_is_refused_is_told(ministack: Ministack) -> None:
    with pytest.raises(PartFailedError, match="not scaled"):
        ministack.scale_waits(-1)


def waits(seconds: int) -> dict[str, Any]:
    return machine(Only={"Type": "Wait", "Seconds": seconds, "End": True})


def seconds(aws: Callable[[str], Any], definition: dict[str, Any]) -> float:
    began = time.monotonic()
    run_machine(aws("stepfunctions"), definition)
    return time.monotonic() - began


def received(sqs: Any, queue: str) -> list[str]:
    bodies = list[str]()
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return bodies
