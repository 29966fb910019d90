"""What the history of an execution tells of its last run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

_CLAIMS = ("Fence", "Claim")
"""The states after which a run is the execution's own."""
_RECORDS = ("Record", "Keep")
_SENT = ("TaskScheduled", "TaskStarted", "TaskSubmitted")
_FAILED = ("TaskFailed", "TaskTimedOut", "TaskStartFailed", "TaskSubmitFailed")


class Fate(Enum):
    """How far a run got whose execution has ended in the middle of it."""

    DONE = "done"
    """The target was invoked, and nothing failed."""
    UNKNOWN = "unknown"
    """The target may have been invoked."""
    NOT_BEGUN = "not begun"
    """The target was not invoked."""


def fate_of(history: Iterable[Mapping[str, Any]]) -> Fate:
    """How the run went that an execution has claimed last.

    Args:
        history: Its events, the latest first.
    """
    fate = Fate.NOT_BEGUN
    for event in reversed(list(_after_claim(history))):
        kind = event["type"]
        if kind in _SENT or kind in _FAILED:
            fate = Fate.UNKNOWN
        elif kind == "TaskSucceeded":
            return Fate.DONE
    return fate


def _after_claim(history: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """The events since the claim, the latest first, without those of the writing down."""
    waiting: list[Mapping[str, Any]] = []
    for event in history:
        waiting.append(event)
        name = event.get("stateEnteredEventDetails", event.get("stateExitedEventDetails", {})).get("name")
        if event["type"] == "TaskStateEntered" and name in _RECORDS:
            waiting.clear()
        if event["type"] in ("TaskStateExited", "TaskStateEntered") and name in _CLAIMS:
            if event["type"] == "TaskStateEntered":
                return  # it never got past it
            break
    yield from waiting


def child_of(history: Iterable[Mapping[str, Any]]) -> str | None:
    """The execution that the last task of a history has started and waits for; None where there is none.

    Args:
        history: The events, the latest first.
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
