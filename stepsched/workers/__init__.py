"""Workers, which handle the messages of SQS queues: in a process of their own, and inside AWS Lambda."""

from stepsched.workers.messages import QueueMessage, WorkerEvent, WorkerEventKind, WorkSummary
from stepsched.workers.worker import QueueWorker

__all__ = ["QueueMessage", "QueueWorker", "WorkSummary", "WorkerEvent", "WorkerEventKind"]


def __dir__() -> list[str]:
    return __all__
