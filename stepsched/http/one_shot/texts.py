"""The sentences of the answers that have values in them, or that only the application gives."""

from __future__ import annotations

from datetime import datetime, timedelta

from stepsched.core.instants import utc_text
from stepsched.core.quoting import quoted
from stepsched.machines.shared import one_shot_words as words

FAILED = "Failed. Please see logs"
OTHER_SITE = "the request comes from a page of another site, which has to know the secret; set one"
NO_EVENTS = (
    "the backend of this service does not record events; use the embedded backend, or give the tasks a target"
)
_ENDS = {"succeeded": words.DELIVERED, "failed": "could not be delivered and was given up"}


def cancelled(arn: str) -> str:
    """Returns the answer to a cancellation."""
    return words.CANCELLED.format(arn=arn)


def bad_timestamp(reason: str) -> str:
    """Returns the error of a timestamp that cannot be read."""
    return words.BAD_TIMESTAMP.format(reason=reason)


def too_far(latest: datetime, horizon: timedelta, given: str) -> str:
    """Returns the error of a timestamp beyond the horizon."""
    until = utc_text(latest, "seconds")
    days = f"{horizon / timedelta(days=1):g}"
    return words.TOO_FAR.format(latest=until, days=days, given=quoted(given))


def bad_arn(given: object) -> str:
    """Returns the error of an ARN that is no text."""
    return words.BAD_ARN.format(given=quoted(given))


def unknown_task(arn: str) -> str:
    """Returns the error of a cancellation of something else than a task that waits or was kept."""
    return words.UNKNOWN_TASK.format(arn=quoted(arn))


def running_task(arn: str) -> str:
    """Returns the error of a cancellation that comes while the task is delivered."""
    return words.RUNNING_TASK.format(arn=quoted(arn))


def ended_task(arn: str, outcome: str, at: datetime | None) -> str:
    """Returns the error of a cancellation that comes too late."""
    end = _ENDS.get(outcome, words.ENDED) + ("" if at is None else f" at {at.isoformat()}")
    return words.ENDED_TASK.format(arn=quoted(arn), end=end)


def key_reused(key: str) -> str:
    """Returns the error of an idempotency key that came with another body before."""
    return words.KEY_REUSED.format(key=quoted(key))


def bad_key(key: str) -> str:
    """Returns the error of an idempotency key that is none."""
    return f"{words.BAD_KEY}, got {quoted(key)}"
