"""The CloudWatch metrics of EventBridge Scheduler.

"Monitoring Amazon EventBridge Scheduler with CloudWatch",
https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
"""

from __future__ import annotations

from stepsched.core.enums import StrEnum

NAMESPACE = "AWS/Scheduler"
DIMENSION = "ScheduleGroup"
"""The only dimension; there are no metrics for single schedules. All metrics are counts, delivered at best
effort."""


class Metric(StrEnum):
    """The names of the metrics, in the namespace ``AWS/Scheduler`` by ``ScheduleGroup``."""

    ATTEMPTS = "InvocationAttemptCount"
    """Attempts to invoke a target, including retries."""
    TARGET_ERRORS = "TargetErrorCount"
    """Attempts for which the target's API returned an error."""
    TARGET_THROTTLED = "TargetErrorThrottledCount"
    """Attempts that the target's API throttled."""
    THROTTLED = "InvocationThrottleCount"
    """Attempts that waited because of the invocations quota: late, not lost."""
    DROPPED = "InvocationDroppedCount"
    """Runs that were dropped after all their attempts. Without a dead-letter queue they are lost."""
    DEAD_LETTERS = "InvocationsSentToDeadLetterCount"
    """Runs that were sent to the dead-letter queue."""
    DEAD_LETTERS_TRUNCATED = "InvocationsSentToDeadLetterCount_Truncated_MessageSizeExceeded"
    """Runs that were sent to the dead-letter queue with a truncated payload."""
    DEAD_LETTERS_FAILED = "InvocationsFailedToBeSentToDeadLetterCount"
    """Runs that could not be sent to the dead-letter queue; further metrics end in ``_`` and the queue's
    error code. If it rises while the queue is empty, the queue cannot be written."""
