"""Tests how the outcome of a run is read from the history of an execution."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from stepsched.backends.stepfunctions.histories import _RECORDING, Ending, Outcome, child_of, ending_of

Events = list[dict[str, Any]]


def entered(name: str, kind: str = "Task") -> dict[str, Any]:
    return {"type": f"{kind}StateEntered", "stateEnteredEventDetails": {"name": name}}


def exited(name: str, kind: str = "Task") -> dict[str, Any]:
    return {"type": f"{kind}StateExited", "stateExitedEventDetails": {"name": name}}


def passed(name: str, kind: str = "Choice") -> Events:
    return [entered(name, kind), exited(name, kind)]


def task(name: str, *kinds: str, ends: bool = True) -> Events:
    return [entered(name), *({"type": kind} for kind in kinds), *([exited(name)] if ends else [])]


DONE = ("TaskScheduled", "TaskStarted", "TaskSucceeded")
FAILED = ("TaskScheduled", "TaskStarted", "TaskFailed")
CALL = "lambda:invoke"
BEGINNING = [
    {"type": "ExecutionStarted"},
    *task("Load", *DONE),
    *passed("Mine?"),
    *task("Take", *DONE),
    *passed("Plan", "Pass"),
    *passed("More?"),
    *passed("Sleep", "Wait"),
]
CLAIMED = [*BEGINNING, *task("Fence", *DONE), *passed("Route")]
ABORTED = [{"type": "ExecutionAborted"}]
REFUSED = [
    {
        "type": "ExecutionFailed",
        "executionFailedEventDetails": {"error": "States.Runtime", "cause": "no field FunctionName"},
    }
]
WHOLE = [*CLAIMED, *task(CALL, *DONE), *task("Record", *DONE)]
"""A run from its claim to its record."""
NEXT_RUN = [*passed("Plan", "Pass"), *passed("More?"), *passed("Sleep", "Wait")]


def outcome_of(*parts: Iterable[dict[str, Any]]) -> Outcome:
    return ending_of(iter([event for part in parts for event in part][::-1])).outcome


HISTORIES = [
    ("a history that is not kept any more", [], Outcome.UNKNOWN),
    ("a claim that is not kept any more", [*task(CALL, *DONE), *ABORTED], Outcome.UNKNOWN),
    ("claimed, and no more", [*CLAIMED, *ABORTED], Outcome.NOT_BEGUN),
    ("the call was entered", [*CLAIMED, *task(CALL, ends=False), *ABORTED], Outcome.NOT_BEGUN),
    ("AWS refused the call", [*CLAIMED, *task(CALL, ends=False), *REFUSED], Outcome.FAILED),
    ("AWS failed it after the call", [*CLAIMED, *task(CALL, *DONE), *REFUSED], Outcome.DONE),
    (
        "AWS failed it while it called",
        [*CLAIMED, *task(CALL, "TaskScheduled", ends=False), *REFUSED],
        Outcome.UNKNOWN,
    ),
    ("the call was scheduled", [*CLAIMED, *task(CALL, "TaskScheduled", ends=False)], Outcome.UNKNOWN),
    (
        "the call was started",
        [*CLAIMED, *task(CALL, "TaskScheduled", "TaskStarted", ends=False)],
        Outcome.UNKNOWN,
    ),
    (
        "it waits for what it started",
        [*CLAIMED, *task(CALL, *DONE[:2], "TaskSubmitted", ends=False)],
        Outcome.UNKNOWN,
    ),
    ("the call succeeded", [*CLAIMED, *task(CALL, *DONE, ends=False), *ABORTED], Outcome.DONE),
    ("the call succeeded, and was left", [*CLAIMED, *task(CALL, *DONE), *ABORTED], Outcome.DONE),
    (
        "while it wrote down",
        [*CLAIMED, *task(CALL, *DONE), *task("Record", *DONE[:2], ends=False)],
        Outcome.DONE,
    ),
    (
        "writing down failed",
        [*CLAIMED, *task(CALL, *DONE), *task("Record", *FAILED, ends=False)],
        Outcome.DONE,
    ),
    (
        "writing down failed twice",
        [
            *CLAIMED,
            *task(CALL, *DONE),
            *task("Record", *FAILED),
            *task("Record run only", *FAILED, ends=False),
        ],
        Outcome.DONE,
    ),
    ("the call failed", [*CLAIMED, *task(CALL, *FAILED), *passed("Try again?"), *ABORTED], Outcome.UNKNOWN),
    (
        "the call could not be started",
        [*CLAIMED, *task(CALL, "TaskScheduled", "TaskStartFailed"), *ABORTED],
        Outcome.UNKNOWN,
    ),
    (
        "it failed and failed to be written down",
        [*CLAIMED, *task(CALL, *FAILED), *passed("Try again?"), *task("Record", *FAILED, ends=False)],
        Outcome.UNKNOWN,
    ),
    (
        "the second attempt succeeded",
        [*CLAIMED, *task(CALL, *FAILED), *passed("Pause", "Wait"), *passed("Route"), *task(CALL, *DONE)],
        Outcome.DONE,
    ),
    (
        "no attempt was left, and the queue was notified",
        [
            *CLAIMED,
            *task(CALL, *FAILED),
            *passed("Try again?"),
            *passed("Given up", "Pass"),
            *task("Dead letter", *DONE),
            *task("Record", *FAILED, ends=False),
            *ABORTED,
        ],
        Outcome.FAILED,
    ),
    ("the run before was done", [*WHOLE, *NEXT_RUN, *task("Fence", *DONE), *ABORTED], Outcome.NOT_BEGUN),
    (
        "the claim was on its way",
        [*WHOLE, *NEXT_RUN, *task("Fence", *DONE[:2], ends=False)],
        Outcome.NOT_BEGUN,
    ),
    (
        "an unscheduled run",
        [*BEGINNING, *task("Claim", *DONE), *passed("Route"), *task(CALL, *DONE[:2], ends=False)],
        Outcome.UNKNOWN,
    ),
]


@pytest.mark.parametrize(
    ("events", "expected"), [each[1:] for each in HISTORIES], ids=[each[0] for each in HISTORIES]
)
def test_how_far_a_run_got(events: Events, expected: Outcome) -> None:
    assert outcome_of(events) is expected


def failed(kind: str, error: str, cause: str) -> dict[str, Any]:
    return {"type": kind, f"{kind[0].lower()}{kind[1:]}EventDetails": {"error": error, "cause": cause}}


GIVEN_UP = [*passed("Try again?"), *passed("Given up", "Pass"), *ABORTED]
ENDINGS = [
    pytest.param(
        [
            *CLAIMED,
            *[entered(CALL), failed("TaskFailed", "A", "first"), *passed("Pause", "Wait")],
            *[entered(CALL), failed("TaskTimedOut", "B", "second"), *GIVEN_UP],
        ],
        Ending(Outcome.FAILED, "B", "second"),
        id="the last failure counts",
    ),
    pytest.param(
        [*CLAIMED, entered(CALL), failed("TaskFailed", "A", "c" * 4_001), *GIVEN_UP],
        Ending(Outcome.FAILED, "A", "c" * 4_000),
        id="a long cause is cut",
    ),
    pytest.param(
        [*CLAIMED, entered(CALL), {"type": "TaskFailed"}, *GIVEN_UP],
        Ending(Outcome.FAILED, "", ""),
        id="nobody says why",
    ),
    pytest.param(
        [*CLAIMED, entered(CALL), {"type": "TaskFailed", "taskFailedEventDetails": {}}, *GIVEN_UP],
        Ending(Outcome.FAILED, "", ""),
        id="nothing is said",
    ),
    pytest.param(
        [*CLAIMED, *passed("Given up", "Pass")], Ending(Outcome.FAILED, "", ""), id="an unknown call"
    ),
    pytest.param(
        [*CLAIMED, *task(CALL, ends=False), *REFUSED],
        Ending(Outcome.FAILED, "States.Runtime", "no field FunctionName"),
        id="AWS refused the call",
    ),
    pytest.param(
        [*CLAIMED, entered(CALL), failed("TaskFailed", "A", "first"), *ABORTED],
        Ending(Outcome.UNKNOWN),
        id="it might be tried again",
    ),
]


@pytest.mark.parametrize(("events", "wanted"), ENDINGS)
def test_why_a_run_has_failed(events: Events, wanted: Ending) -> None:
    assert ending_of(iter(events[::-1])) == wanted


@pytest.mark.parametrize("record", _RECORDING)
def test_what_happens_while_a_run_is_written_down_is_not_of_the_run(record: str) -> None:
    """No success of the writing is one of the call, and no failure of it a failure."""
    assert outcome_of(CLAIMED, task(record, *DONE)) is Outcome.NOT_BEGUN
    assert outcome_of(CLAIMED, task(CALL, *DONE), task(record, *FAILED), ABORTED) is Outcome.DONE


def submitted(output: Any) -> dict[str, Any]:
    return {"type": "TaskSubmitted", "taskSubmittedEventDetails": {"output": output}}


CHILD = "arn:aws:states:eu-west-1:123456789012:execution:slow:one"
WAITS = [entered(CALL), {"type": "TaskScheduled"}, {"type": "TaskStarted"}]
GIVEN = submitted(json.dumps({"ExecutionArn": CHILD, "StartDate": 1}))
CHILDREN = [
    ("nothing", [], None),
    ("only scheduled", WAITS, None),
    ("submitted", [*WAITS, GIVEN], CHILD),
    ("submitted, and the execution was stopped", [*WAITS, GIVEN, *ABORTED], CHILD),
    ("it has ended", [*WAITS, GIVEN, {"type": "TaskSucceeded"}], None),
    ("it has failed", [*WAITS, GIVEN, {"type": "TaskFailed"}], None),
    ("it took too long", [*WAITS, GIVEN, {"type": "TaskTimedOut"}], None),
    ("the task was left", [*WAITS, GIVEN, exited(CALL)], None),
    ("another was submitted since", [*WAITS, submitted('{"ExecutionArn": "a"}'), GIVEN], CHILD),
    ("something else was submitted", [*WAITS, submitted('{"JobId": "1"}')], None),
    ("no object", [*WAITS, submitted("[]")], None),
    ("no text", [*WAITS, submitted('{"ExecutionArn": 1}')], None),
    ("no JSON", [*WAITS, submitted("{")], None),
    ("no output", [*WAITS, {"type": "TaskSubmitted", "taskSubmittedEventDetails": {}}], None),
]


@pytest.mark.parametrize(
    ("events", "expected"), [each[1:] for each in CHILDREN], ids=[each[0] for each in CHILDREN]
)
def test_which_execution_a_task_waits_for(events: Events, expected: str | None) -> None:
    assert child_of(iter(events[::-1])) == expected
