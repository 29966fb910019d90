"""The instructions of a job as this backend stores them: as JSON in the job's row."""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from stepsched.backends.capabilities import BUILT_IN, NAMES
from stepsched.backends.needs import alternatives_for, needs_of, others_for
from stepsched.core.errors import ScheduleWarning, UnsupportedError
from stepsched.core.payloads import to_json
from stepsched.jobs import Job, OnFailure, Overlap
from stepsched.machines.calls import (
    call_of,
)
from stepsched.machines.data import message_of
from stepsched.machines.plan import ZONE, timing_of
from stepsched.machines.shared.instructions import (
    KEEP,
    MissingCallError,
    build_instructions,
    is_once_in_a_zone,
)
from stepsched.schedules.zone_databases import timezone_database

NAME = NAMES["StepFunctionsBackend"]
"""The name of the backend in errors."""
_CLASS = "StepFunctionsBackend"
"""The name of the backend among the alternatives of errors."""
MAX_INSTRUCTIONS_BYTES = 255_000
"""The maximum size of the instructions as a JSON string, in bytes. Step Functions passes 262,144 in total."""
MAX_ROW_BYTES = 400_000
"""The maximum size of a row in bytes. The 400 KB of DynamoDB include the names of attributes."""


def instructions_of(
    job: Job, *, anchor: datetime, version: int, retention: timedelta, calls: Collection[str]
) -> dict[str, Any]:
    """The instructions of a job.

    Args:
        job: The job.
        anchor: The anchor of a rate without start (P-12), in whole seconds.
        version: The version of the job.
        retention: How long the rows of its runs are kept.
        calls: The calls for which the runner has a state.

    Raises:
        UnsupportedError: The runner cannot run the job exactly. The error names the reason and an
        alternative.
    """
    try:
        instructions = build_instructions(
            job, anchor=anchor, version=version, retention=retention, calls=calls
        )
        _check_size(job, instructions)
    except MissingCallError as error:
        raise UnsupportedError(job.name, NAME, str(error), alternatives_for(job, _CLASS)) from error
    except ValueError as error:
        raise UnsupportedError(job.name, NAME, str(error), _alternatives(job)) from error
    return instructions


def _alternatives(job: Job) -> tuple[str, ...]:
    """What runs a job that the machine cannot run. A fault of the job's data does not name the capability
    that would be needed, so only backends with every missing one are named."""
    lacking = BUILT_IN[_CLASS].missing
    if set(needs_of(job)).isdisjoint(lacking):
        return others_for(job, _CLASS, *lacking)
    return alternatives_for(job, _CLASS)


def instructions_text(instructions: dict[str, Any], job: Job, *, anchor: datetime, version: int) -> str:
    """The instructions as JSON text, with the final version and anchor of the job."""
    timing: dict[str, Any] = {}
    if job.starts_at_creation:
        found = timing_of(job.anchored(anchor))
        timing = {"kind": found.kind, "plan": found.plan}
    return to_json({**instructions, **timing, "version": version})


def with_retention_of(text: str, instructions: dict[str, Any]) -> dict[str, Any]:
    """The instructions with the retention of a stored job, which only an update changes.

    Args:
        text: The stored instructions, as JSON text. If they are damaged or empty, as in a row of the AWS
            Solutions scheduler, the instructions stay as they are.
        instructions: The new instructions.
    """
    try:
        keep = json.loads(text)[KEEP]
    except (LookupError, TypeError, ValueError):
        return instructions
    return {**instructions, KEEP: keep} if type(keep) is int else instructions


def with_new_zone(text: str, job: Job, *, anchor: datetime, cursor: datetime) -> str | None:
    """The instructions of a stored job with the zone rules of this machine's database.

    Args:
        text: The stored instructions, as JSON text.
        job: The job.
        anchor: The anchor of a rate without start (P-12).
        cursor: The scheduled instant of the last claimed run, or the instant after which runs are planned.

    Returns:
        The new text. None: the stored rules are the same, or of a newer database, or the version of this
        machine's database is not known, or the stored text is damaged. Also None for a one-time job that has
        been claimed, or whose instant by the new rules lies before ``cursor``, after which it would not run.
    """
    version = timezone_database().version
    try:
        stored = json.loads(text)
        before, written_by = stored["plan"], str(stored.get("zones") or "")
        rules, origin = before.get(ZONE), before.get("origin")
    except (AttributeError, LookupError, TypeError, ValueError):  # repair goes on with the other jobs
        return None
    is_once = isinstance(origin, int) and is_once_in_a_zone(job)
    if version is None or version < written_by or (rules is None and not is_once):
        return None
    plan = timing_of(job.anchored(anchor)).plan
    if is_once:
        is_kept = plan["origin"] == origin or cursor.timestamp() >= min(origin, plan["origin"])
    else:
        is_kept = plan.get(ZONE) == rules
    return None if is_kept else to_json({**stored, "plan": plan, "zones": version})


def warn_unobserved_failures(job: Job) -> None:
    """Warns of failure policies that do not see a failure of the target: if runs may overlap, the machine
    only starts the target and does not wait for its end."""
    policies = {
        "notify": job.notify is not None,
        "dead_letter": job.dead_letter is not None,
        "on_failure": job.on_failure is OnFailure.STOP,
    }
    named = [name for name, is_set in policies.items() if is_set]
    if not named or job.is_one_time or job.overlap is not Overlap.ALLOW:
        return
    if not call_of(job.target, message_of(job), wait=False).waits_for_completion:
        warnings.warn(
            f"the runs of job {job.name!r} may overlap, so the machine only starts its target: "
            f"{' and '.join(named)} will observe a failed start, but not a failed target; "
            "use Overlap.SKIP or QUEUE",
            ScheduleWarning,
            stacklevel=4,
        )


def _check_size(job: Job, instructions: dict[str, Any]) -> None:
    """Refuses instructions that are too large for Step Functions, or for a row of DynamoDB.

    Raises:
        ValueError: The instructions are too large.
    """
    text = to_json(instructions)
    passed, stored = len(to_json(text).encode()), len(text.encode()) + len(job.model_dump_json().encode())
    remedy = "keep large data elsewhere, such as in S3, and pass its location"
    if job.dead_letter is not None:
        remedy += " (the call and the dead letter each contain the input)"
    if passed > MAX_INSTRUCTIONS_BYTES:
        raise ValueError(
            f"expected instructions of at most {MAX_INSTRUCTIONS_BYTES:,} bytes, got {passed:,}; {remedy}"
        )
    if stored > MAX_ROW_BYTES:
        raise ValueError(f"expected a row of at most {MAX_ROW_BYTES:,} bytes, got {stored:,}; {remedy}")
