"""The backend on EventBridge Scheduler: the service stores each job as one schedule."""

from stepsched.backends.eventbridge.backend import EventBridgeBackend
from stepsched.backends.eventbridge.dead_letters import DeadLetter
from stepsched.backends.eventbridge.metrics import Metric

__all__ = ["DeadLetter", "EventBridgeBackend", "Metric"]


def __dir__() -> list[str]:
    return __all__
