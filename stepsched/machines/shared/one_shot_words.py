"""The names and sentences of one-shot tasks over HTTP, which the machine and the application share.

A sentence has ``{name}`` where a value stands.
"""

from __future__ import annotations

from datetime import timedelta

SCHEDULE, CANCEL = PATHS = ("/schedule", "/cancel")
HORIZON = timedelta(days=365)
"""The default of how far ahead a timestamp may be."""
TASK = "task-"
"""The beginning of the name of a task. 32 hexadecimal digits follow."""
TASK_NAME = f"{TASK}[0-9a-f]{{32}}"
"""The pattern of the name of a task."""
ARN = "urn:stepsched:task:"
"""What precedes the name of a task in ``executionArn``."""
KEY = "[!-~]{1,255}"
"""The pattern of an ``Idempotency-Key``: visible ASCII characters."""

# -- sentences of the known interface, to the letter ----------------------------------------------------

SECRET_DIFFERS = "Secret on incoming request doesn't match the configured secret"  # noqa: S105 -- a text
NO_TIMESTAMP = (
    "No timestamp included in payload. Please provide an ISO8601 timestamp in the 'timestamp' field"
)
NO_MESSAGE = "No message passed in payload"
NO_ARN = "No executionArn included in payload"
CANCELLED = "Cancelled scheduled task for {arn}"
NOT_SCHEDULED = "Failed to schedule task. Please see logs"
NOT_CANCELLED = "Failed to cancel task. Please see logs"

# -- sentences of this package --------------------------------------------------------------------------

BAD_TIMESTAMP = "Timestamp isn't a valid ISO 8601 string: {reason}"
TOO_FAR = (
    "Timestamp is beyond the horizon: expected an instant up to {latest}, which is {days} days from now, got "
    "{given}"
)
BAD_ARN = "expected text for executionArn, got {given}"
BAD_KEY = "expected an Idempotency-Key of 1 to 255 visible ASCII characters"
KEY_REUSED = "The Idempotency-Key {key} came with another timestamp or message before; use a new key"
UNKNOWN_TASK = (
    "No task {arn} is known here: it was cancelled, it was delivered so long ago that it is forgotten, or it "
    "is not a task of this service"
)
RUNNING_TASK = "Task {arn} is being delivered, so it cannot be cancelled any more"
ENDED_TASK = "Task {arn} {end}, so it cannot be cancelled"
DELIVERED, ENDED = "was delivered", "has ended"
"""How a task ends."""
