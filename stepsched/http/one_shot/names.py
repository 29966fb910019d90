"""The names of tasks: of their jobs, and to callers. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from uuid import uuid4

from stepsched.jobs import JobRecord
from stepsched.machines.shared.one_shot_words import ARN, TASK, TASK_NAME
from stepsched.schedules import OneTime

NOTIFICATION = "sns-"
"""The prefix of the names of jobs that deliver notifications of SNS."""
_NAME = re.compile(f"{TASK_NAME}|{NOTIFICATION}[0-9a-f]{{32}}")


def task_name(key: str | None) -> str:
    """Returns the name of a new task.

    Args:
        key: The idempotency key, from which the name follows, so that no table of keys is needed. None: the
            name is random.
    """
    return f"{TASK}{uuid4().hex if key is None else _digest(key)}"


def notification_name(message_id: str) -> str:
    """Returns the name of the job of a notification, which follows from its ID: it is delivered once."""
    return f"{NOTIFICATION}{_digest(message_id)}"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def arn_of(name: str) -> str:
    """Returns the ``executionArn`` of a task."""
    return f"{ARN}{name}"


def name_in(arn: str) -> str | None:
    """Returns the name of the task with that ``executionArn``. None: it is not one of a task."""
    name = arn.removeprefix(ARN)
    return name if name != arn and is_task_name(name) else None


def is_task_name(text: str) -> bool:
    """Returns whether a text has the form of the name of a task."""
    return re.fullmatch(TASK_NAME, text) is not None


def has_event(name: str) -> bool:
    """Returns whether a job of that name may be a task or a notification."""
    return _NAME.fullmatch(name) is not None


def is_own(record: JobRecord) -> bool:
    """Returns whether a job is one that this application has made."""
    job = record.job
    is_whole = isinstance(job.input, Mapping) and (
        job.name.startswith(NOTIFICATION) or job.input.keys() == {"timestamp", "message"}
    )
    return record.owned and has_event(job.name) and isinstance(job.schedule, OneTime) and is_whole
