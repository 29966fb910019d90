"""Names that only the backend on EventBridge Scheduler uses."""

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
