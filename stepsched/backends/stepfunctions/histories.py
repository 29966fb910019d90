"""Reads from the history of an execution how its last run ended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from stepsched.machines.shared.history import CLAIMING, GIVEN_UP, RECORDING

_RECORDING = (*RECORDING, "Keep", "Leave out")
"""The recording states. The last two are names in earlier versions of the runner."""
_CALLED = ("TaskScheduled", "TaskStarted", "TaskSubmitted")
_FAILED = ("TaskFailed", "TaskTimedOut", "TaskStartFailed", "TaskSubmitFailed")


class Outcome(Enum):
    """The outcome of a run whose execution ended during the run."""

    DONE = "done"
    """The target was invoked, and nothing failed."""
    FAILED = "failed"
    """The run has failed for good."""
    UNKNOWN = "unknown"
    """The target may have been invoked."""
    NOT_BEGUN = "not begun"
    """The target was not invoked."""


class Ending(NamedTuple):
    """The outcome of a run, and its last failure."""

    outcome: Outcome
    error: str = ""
    cause: str = ""


def ending_of(history: Iterable[Mapping[str, Any]]) -> Ending:
    """How the run ended that an execution has claimed last.

    Args:
        history: The events of the execution, latest first. If they do not reach back to the claim, such as in
            a history that has expired, the outcome is unknown.
    """
    since = _since_claim(history)
    if since is None:
        return Ending(Outcome.UNKNOWN)
    outcome, error, cause = Outcome.NOT_BEGUN, "", ""
    for event in reversed(since):
        kind = event["type"]
        if _entered(event) == GIVEN_UP:
            return Ending(Outcome.FAILED, error, cause)
        if kind == "TaskSucceeded":
            return Ending(Outcome.DONE)
        if kind == "ExecutionFailed" and outcome is Outcome.NOT_BEGUN:
            # AWS refused the call before it was made, with an error that no state can catch: a retry would
            # fail too.
            return Ending(Outcome.FAILED, *_error_and_cause(event))
        if kind in _CALLED:
            outcome = Outcome.UNKNOWN
        elif kind in _FAILED:
            outcome = Outcome.UNKNOWN
            error, cause = _error_and_cause(event)
    return Ending(outcome)


def _error_and_cause(event: Mapping[str, Any]) -> tuple[str, str]:
    """The error and the cause of a failure event."""
    kind = event["type"]
    details: Mapping[str, Any] = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails", {})
    return details.get("error", ""), details.get("cause", "")[:4_000]


def _since_claim(history: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]] | None:
    """The events since the claim, latest first, without those of recording the run. None: there is no claim
    among the events."""
    since: list[Mapping[str, Any]] = []
    for event in history:
        name = _entered(event) or event.get("stateExitedEventDetails", {}).get("name")
        if name in CLAIMING:
            # If the claiming state did not exit, the claim was written all the same: the job's row holds it.
            return [] if event["type"] == "TaskStateEntered" else since
        since.append(event)
        if event["type"] == "TaskStateEntered" and name in _RECORDING:
            since.clear()
    return None


def _entered(event: Mapping[str, Any]) -> str | None:
    details = event.get("stateEnteredEventDetails", {})
    name: str | None = details.get("name")
    return name


def child_of(history: Iterable[Mapping[str, Any]]) -> str | None:
    """The ARN of the execution that the last task has started and waits for. None: there is none.

    Args:
        history: The events, latest first.
    """
    for event in history:
        if event["type"] == "TaskSubmitted":
            try:
                arn = json.loads(event["taskSubmittedEventDetails"]["output"])["ExecutionArn"]
            except (KeyError, ValueError, TypeError):
                return None
            return arn if isinstance(arn, str) else None
        if event["type"] in ("TaskSucceeded", "TaskStateExited", *_FAILED):
            return None
    return None
