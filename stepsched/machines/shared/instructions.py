"""Builds the instructions of a job for the runner: its schedule, call and policies, as data.

Instructions are data that is never evaluated, so nothing in them is escaped.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from stepsched.jobs import Completion, Job, OnFailure, Overlap, Retry
from stepsched.machines.calls import check_policies, topic_arguments, waits_for_end
from stepsched.machines.data import call_data, message_of
from stepsched.machines.fan_out import batches_of
from stepsched.machines.notifications import subject
from stepsched.machines.plan import ZONE, timing_of
from stepsched.machines.retries import pauses_of, whole_seconds
from stepsched.machines.shared.calls import LONGEST_TIMEOUT
from stepsched.machines.shared.runner import event_limit
from stepsched.schedules import OneTime
from stepsched.schedules.zone_databases import timezone_database
from stepsched.targets import ParallelTarget

DEFAULT_RETENTION = timedelta(days=30)
"""How long the history of an ended run is kept, if nothing else is said."""
NO_LISTED_PAUSES = "no listed pauses"
"""Stands among the calls of a runner of an earlier version, which does not know ``Retry.pauses``."""
KEEP = "keep"
"""The retention of ended runs in the instructions, in seconds."""
_SECOND = timedelta(seconds=1)


class MissingCallError(ValueError):
    """The runner of the stack has no state for the call of a job, or does not know its pauses."""


def build_instructions(
    job: Job, *, anchor: datetime, version: int, retention: timedelta, calls: Collection[str] | None
) -> dict[str, Any]:
    """The instructions of a job.

    Args:
        job: The job.
        anchor: The anchor of a rate without start (P-12), in whole seconds.
        version: The version of the job.
        retention: How long the rows of its runs are kept.
        calls: The calls for which the runner has a state. None: all calls.

    Raises:
        MissingCallError: The runner has no state for the call of the job.
        ValueError: The runner cannot run the job exactly. The error names the reason.
    """
    if isinstance(job.target, ParallelTarget):
        raise ValueError("the runner does not support a ParallelTarget")  # noqa: TRY004 -- about the job
    check_policies(job)
    timing = timing_of(job.anchored(anchor))
    call, letter, fills = call_data(job)
    name = call.name
    if calls is not None and name not in calls:
        raise MissingCallError(
            f"the machine of this stack cannot call {name}; update the stack with the template of "
            "deploy.template(...) for this target too"
        )
    if calls is not None and job.retry.pauses is not None and NO_LISTED_PAUSES in calls:
        raise MissingCallError(
            "retry: the machine of this stack does not know pauses one by one; update the stack with the "
            "template of this version"
        )
    if not call.waits_for_completion:
        why = f"Step Functions cannot wait for what {name} starts{call.why_not}"
        if job.overlap is not Overlap.ALLOW:
            raise ValueError(f"overlap: {why}; use Overlap.ALLOW")
        if job.max_run_time is not None:
            can_wait = waits_for_end(job.target, wait=True) and not job.is_one_time
            remedy = "use Overlap.SKIP or QUEUE, or leave it out" if can_wait else "leave it out"
            raise ValueError(f"max_run_time: {why}; {remedy}")
    notice: dict[str, Any] = {}
    if job.notify is not None:
        published = topic_arguments(job.notify, "", message_of(job)) | {"Subject": subject(job)}
        notice = {"notice": {key: value for key, value in published.items() if key != "Message"}}
    retry = job.retry
    limit = LONGEST_TIMEOUT
    if job.max_run_time is not None:
        limit = whole_seconds("max_run_time", job.max_run_time)
    return {
        "version": version,
        "kind": timing.kind,
        "plan": timing.plan,
        **({"zones": timezone_database().version} if ZONE in timing.plan or is_once_in_a_zone(job) else {}),
        "call": name,
        "arguments": call.arguments,
        "fills": fills,
        **({} if letter is None else {"letter": letter}),
        **notice,
        "retry": {
            "attempts": retry.max_attempts,
            "age": whole_seconds("retry.max_age", retry.max_age),
            **_pauses(retry),
        },
        "timeout": limit,
        "jitter": whole_seconds("jitter", job.jitter),
        "overlap": job.overlap.value,
        "stops": job.on_failure is OnFailure.STOP and not job.is_one_time,
        "gone": job.is_one_time and job.completion is Completion.DELETE,
        "limit": event_limit(retry.max_attempts, batches_of(job.target)),
        KEEP: retention // _SECOND,
    }


def _pauses(retry: Retry) -> dict[str, Any]:
    """The pauses between attempts, in seconds."""
    if retry.pauses is not None:
        return {"pauses": pauses_of(retry.pauses)}
    bound = retry.max_age if retry.max_delay is None else retry.max_delay
    return {"first": retry.interval / _SECOND, "rate": retry.backoff_rate, "bound": bound / _SECOND}


def is_once_in_a_zone(job: Job) -> bool:
    """Whether the only run of a job is at a wall time, whose instant depends on the rules of a zone."""
    schedule = job.schedule
    return isinstance(schedule, OneTime) and schedule.at.tzinfo is None and schedule.timezone != "UTC"
