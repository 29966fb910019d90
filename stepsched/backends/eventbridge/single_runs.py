"""Single runs of a job: the separate schedules of ``run_now`` and ``redrive``. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from stepsched.backends.eventbridge.documents import Stored
from stepsched.core.context import SCHEDULE_ARN, SCHEDULED_TIME, ContextText
from stepsched.schedules.zones import UTC

RUN_PREFIX = "stepsched-run-"
"""The prefix of the names of single runs; no job may have such a name."""
_RUN_WORDS = "a single run of "
_KEY = 16
_KEYED = len(RUN_PREFIX) + _KEY


def run_name(name: str, key: str) -> str:
    """Returns the name of a single run of a job, with a unique key. A long name of a job is replaced by a
    digest."""
    whole = f"{RUN_PREFIX}{sha256(key.encode()).hexdigest()[:_KEY]}-{name}"
    return whole if len(whole) <= 64 else f"{whole[:_KEYED]}.{_name_digest(name)}"


def read_run_name(run: str) -> str | None:
    """Returns the name of the job of a single run; the run's own name if that has only a digest; None if it
    is not a single run."""
    if re.fullmatch(rf"{RUN_PREFIX}[0-9a-f]{{{_KEY}}}[-.].+", run) is None:
        return None
    return run[_KEYED + 1 :] if run[_KEYED] == "-" else run


def is_run_of(run: str, name: str) -> bool:
    """Returns whether a single run, by the result of :func:`read_run_name`, belongs to the job of that
    name."""
    return run == name or run[_KEYED:] == f".{_name_digest(name)}"


def _name_digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:32]


def is_single_run(document: dict[str, Any]) -> bool:
    """Returns whether a stored schedule is a single run of stepsched."""
    is_named = read_run_name(document["Name"]) is not None
    return is_named and str(document.get("Description", "")).startswith(_RUN_WORDS)


def write_run(stored: Stored, key: str, *, scheduled_for: datetime, now: datetime) -> dict[str, Any]:
    """Returns the request for a single run of a job: a separate schedule with the same target, role, retries
    and dead-letter queue, which deletes itself.

    The service's precision is the minute, so it starts within the minute after the next full minute; an
    instant that has passed when the request arrives might never run.
    """
    at = (now.astimezone(UTC) + timedelta(seconds=65)).replace(second=0, microsecond=0, tzinfo=None)
    request = {
        key: value for key, value in stored.document.items() if key in ("GroupName", "Target", "KmsKeyArn")
    }
    attributes = {
        SCHEDULE_ARN: stored.document.get("Arn", ""),
        SCHEDULED_TIME: f"{scheduled_for.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    text = request["Target"].get("Input", "{}")
    return request | {
        "Name": run_name(stored.job.name, key),
        "Description": f"{_RUN_WORDS}{stored.job.name}, by stepsched",
        "ScheduleExpression": f"at({at.isoformat(timespec='seconds')})",
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "ActionAfterCompletion": "DELETE",
        "Target": {**request["Target"], "Input": ContextText(text).filled(attributes)},
    }
