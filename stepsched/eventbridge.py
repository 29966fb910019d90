"""What only the backend on EventBridge Scheduler has."""

from stepsched.backends.eventbridge import (
    DeadLetter,
    EventBridgeBackend,
    Metric,
)

__all__ = [
    "DeadLetter",
    "EventBridgeBackend",
    "Metric",
]


def __dir__() -> list[str]:
    return __all__
