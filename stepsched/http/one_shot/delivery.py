"""The target of tasks whose delivery is their event."""

from __future__ import annotations

from stepsched.targets import HandlerTarget


def deliver() -> None:
    """Does nothing: that the run has succeeded is recorded as an event, which ``/events`` sends."""


DELIVERY = HandlerTarget(f"{__name__}:{deliver.__name__}")
"""The target. The function is imported by its name, so a file and other processes can name it too."""
