"""What the commands ask of a scheduler, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol


class Task(NamedTuple):
    """A scheduled task as ``describe`` prints it."""

    name: str
    schedule: str
    """The expression of the schedule as it is stored. A schedule without one: its description."""
    step_function: str | None
    """The ARN of the state machine that the task starts. None: the job invokes something else."""
    version: int
    is_active: bool

    def document(self) -> dict[str, Any]:
        """Returns the output of ``describe``, in the order of its keys."""
        return {
            "task": {
                "active": self.is_active,
                "name": self.name,
                "schedule": self.schedule,
                "step_function": self.step_function,
                "version": f"v{self.version}",
            }
        }


class Tasks(Protocol):
    """The tasks of a stack."""

    def names(self) -> Iterable[str]:
        """Returns the names of all tasks, in any order."""

    def read(self, name: str) -> Task | None:
        """Returns a task. None: it does not exist."""

    def activate(self, name: str) -> Task | None:
        """Makes a task run at its times, whether or not it is active. None: it does not exist."""

    def deactivate(self, name: str) -> Task | None:
        """Makes a task stop, if it is active. None: it does not exist."""
