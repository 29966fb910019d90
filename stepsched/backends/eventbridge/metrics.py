"""What CloudWatch counts of EventBridge Scheduler.

"Monitoring Amazon EventBridge Scheduler with CloudWatch",
https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
"""

from __future__ import annotations

from stepsched.core.enums import StrEnum

NAMESPACE = "AWS/Scheduler"
DIMENSION = "ScheduleGroup"
"""The only dimension: nothing is counted for a single schedule. All are counts, delivered at best effort."""


class Metric(StrEnum):
    """The names of the metrics, in the namespace ``AWS/Scheduler`` by ``ScheduleGroup``."""

    ATTEMPTS = "InvocationAttemptCount"
    """Attempts to invoke a target, the first ones and the retries."""
    TARGET_ERRORS = "TargetErrorCount"
    """Attempts that the target's API answered with an error."""
    TARGET_THROTTLED = "TargetErrorThrottledCount"
    """Attempts that the target's API throttled."""
    THROTTLED = "InvocationThrottleCount"
    """Attempts that waited because of the invocations quota: late, not lost."""
    DROPPED = "InvocationDroppedCount"
    """Runs that were given up after all their attempts. Without a dead-letter queue they are gone."""
    DEAD_LETTERS = "InvocationsSentToDeadLetterCount"
    """Runs that went to the dead-letter queue."""
    DEAD_LETTERS_TRUNCATED = "InvocationsSentToDeadLetterCount_Truncated_MessageSizeExceeded"
    """Those of which the payload was cut."""
    DEAD_LETTERS_FAILED = "InvocationsFailedToBeSentToDeadLetterCount"
    """Runs that the queue did not take; further metrics end in ``_`` and the queue's error code. Rising
    errors beside an empty queue mean that the queue itself cannot be written."""
