"""The events of a stack: told in words while it changes, and searched for the cause of a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from stepsched.deploy.stacks.cloud import Cloud, Stack, waited

Tell = Callable[[str], object]
_STACK = "AWS::CloudFormation::Stack"
_STARTS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
"""The events of a stack with which an operation begins."""
_CONSEQUENCES = ("Resource creation cancelled", "Resource update cancelled", "Resource deletion cancelled")
"""The reasons of resources that have failed only because another one has."""
_WORDS = {
    "CREATE_IN_PROGRESS": "is being created",
    "CREATE_COMPLETE": "is created",
    "UPDATE_IN_PROGRESS": "is being changed",
    "UPDATE_COMPLETE": "is changed",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "is changed; what is left over is being deleted",
    "DELETE_IN_PROGRESS": "is being deleted",
    "DELETE_COMPLETE": "is deleted",
    "DELETE_SKIPPED": "is kept",
    "ROLLBACK_IN_PROGRESS": "is being rolled back",
    "ROLLBACK_COMPLETE": "is rolled back",
    "UPDATE_ROLLBACK_IN_PROGRESS": "is being rolled back",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "is rolled back; what is left over is being deleted",
    "UPDATE_ROLLBACK_COMPLETE": "is rolled back",
}
Event = Mapping[str, Any]


class Events:
    """The events of the latest operation on a stack."""

    def __init__(self, cloud: Cloud, stack_id: str, *, is_running: bool = False) -> None:
        """Reads where the events stand.

        Args:
            cloud: The account.
            stack_id: The ARN of the stack.
            is_running: Whether the operation has begun already, so that its events so far belong to it.
        """
        self._cloud, self._stack_id = cloud, stack_id
        self._old: set[str] = set() if is_running else {each["EventId"] for each in self._latest()}
        self._told: set[str] = set()

    def _latest(self) -> Iterator[Event]:
        """The events of the latest operation, latest first."""
        for each in self._cloud.pages(
            "cloudformation", "describe_stack_events", "StackEvents", StackName=self._stack_id
        ):
            yield each
            if self._is_of_stack(each) and each["ResourceStatus"] in _STARTS:
                return

    def _is_of_stack(self, event: Event) -> bool:
        return event["ResourceType"] == _STACK and event.get("PhysicalResourceId") == self._stack_id

    def wait(self, tell: Tell) -> Stack:
        """Waits until the operation has ended, tells its events, and returns the stack as it is then."""
        return waited(lambda: self._look(tell))

    def _look(self, tell: Tell) -> Stack | None:
        """Tells what has happened since the last look. The stack, if the operation has ended."""
        stack, events = self._cloud.existing(self._stack_id), self._new()
        for each in events:
            if each["EventId"] not in self._told:
                self._told.add(each["EventId"])
                tell(words_of(each))
        is_at_rest = not stack.status.endswith("_IN_PROGRESS")
        return stack if is_at_rest and self._has_ended(events, stack.status) else None

    def _has_ended(self, events: Sequence[Event], status: str) -> bool:
        """Whether the status is that of the operation, and not the one from before it."""
        return any(self._is_of_stack(each) and each["ResourceStatus"] == status for each in events)

    def _new(self) -> list[Event]:
        """The events of the operation so far, in their order."""
        return [each for each in self._latest() if each["EventId"] not in self._old][::-1]

    def cause(self) -> str:
        """Returns what has failed first in the operation, and the reason that AWS gives."""
        for each in self._new():
            reason = each.get("ResourceStatusReason") or ""
            if (
                each["ResourceStatus"].endswith("_FAILED")
                and not self._is_of_stack(each)
                and not reason.startswith(_CONSEQUENCES)
            ):
                return f"{each['LogicalResourceId']} ({each['ResourceType']}): {reason or 'no reason given'}"
        return ""


def words_of(event: Event) -> str:
    """Returns an event as a line."""
    status, reason = event["ResourceStatus"], event.get("ResourceStatusReason") or ""
    if event["ResourceType"] == _STACK:
        name = f"stack {event['LogicalResourceId']}"
    else:
        name = event["LogicalResourceId"]
    verb, _, state = status.rpartition("_")
    words = f"failed ({verb.lower().replace('_', ' ')})" if state == "FAILED" else None
    words = words or _WORDS.get(status, status.lower().replace("_", " "))
    return f"{name} {words}: {reason}" if reason and state == "FAILED" else f"{name} {words}"
