"""What the history of an execution tells of its last run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from stepsched.machines.shared.history import CLAIMING, GIVEN_UP, RECORDING

_RECORDING = (*RECORDING, "Keep", "Leave out")
"""The last two are states of runners that were deployed earlier."""
_SENT = ("TaskScheduled", "TaskStarted", "TaskSubmitted")
_FAILED = ("TaskFailed", "TaskTimedOut", "TaskStartFailed", "TaskSubmitFailed")


class Fate(Enum):
    """How far a run got whose execution has ended in the middle of it."""

    DONE = "done"
    """The target was invoked, and nothing failed."""
    FAILED = "failed"
    """It has failed for good."""
    UNKNOWN = "unknown"
    """The target may have been invoked."""
    NOT_BEGUN = "not begun"
    """The target was not invoked."""


class Ending(NamedTuple):
    """How a run went, and the last failure in it."""

    fate: Fate
    error: str = ""
    cause: str = ""


def ending_of(history: Iterable[Mapping[str, Any]]) -> Ending:
    """How the run went that an execution has claimed last.

    Args:
        history: Its events, the latest first. Where they do not reach back to the claim, as in a history that
            is no longer kept, nobody knows.
    """
    since = _since_claim(history)
    if since is None:
        return Ending(Fate.UNKNOWN)
    fate, error, cause = Fate.NOT_BEGUN, "", ""
    for event in reversed(since):
        kind = event["type"]
        if _entered(event) == GIVEN_UP:
            return Ending(Fate.FAILED, error, cause)
        if kind == "TaskSucceeded":
            return Ending(Fate.DONE)
        if kind == "ExecutionFailed" and fate is Fate.NOT_BEGUN:
            # What AWS refuses of a call before it is made, and lets nobody catch, it will refuse again.
            return Ending(Fate.FAILED, *_words(event))
        if kind in _SENT:
            fate = Fate.UNKNOWN
        elif kind in _FAILED:
            fate = Fate.UNKNOWN
            error, cause = _words(event)
    return Ending(fate)


def _words(event: Mapping[str, Any]) -> tuple[str, str]:
    """Error and cause of a failure."""
    kind = event["type"]
    details: Mapping[str, Any] = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails", {})
    return details.get("error", ""), details.get("cause", "")[:4_000]


def _since_claim(history: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]] | None:
    """The events since the claim, the latest first, without those of the writing down; None where no claim is
    among them."""
    since: list[Mapping[str, Any]] = []
    for event in history:
        name = _entered(event) or event.get("stateExitedEventDetails", {}).get("name")
        if name in CLAIMING:
            # A claim that was entered and not left was written all the same: the job's row says so.
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
