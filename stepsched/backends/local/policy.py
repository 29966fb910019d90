"""What the embedded backend decides, as pure functions of values: the shell only performs it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import islice
from random import Random
from typing import NamedTuple

from pydantic import JsonValue

from stepsched.jobs import CatchUp, Job, OnFailure, Retry, Run, RunStatus, Trigger

RECORDED_AT_ONCE = 1_000
"""Runs of one job recorded in one transaction: a long downtime is caught up in such portions."""
_TICK = timedelta(microseconds=1)


class Due(NamedTuple):
    """One run to record."""

    scheduled_for: datetime
    status: RunStatus
    """Pending, or missed where ``CatchUp`` does not ask for it."""
    start_after: datetime
    error: str | None = None
    """Why it is missed, where more than ``CatchUp`` is to be said."""


class Plan(NamedTuple):
    """What to record for a job that is due."""

    runs: tuple[Due, ...]
    next_run: datetime | None
    """The first instant not recorded; None when the schedule has run out."""


def first_run(job: Job, created_at: datetime) -> datetime | None:
    """The first instant at which a job comes due: strictly after its creation, but for a rate without
    start, whose grid begins with a run at the creation itself (P-12)."""
    if job.starts_at_creation:
        return job.anchored(created_at).next_run(after=created_at - _TICK)
    return job.schedule.next_run(after=created_at)


def due_runs(job: Job, anchor: datetime, next_run: datetime, now: datetime, watched_since: datetime) -> Plan:
    """The runs of a job that are due, oldest first, and where it goes on.

    Args:
        job: The job.
        anchor: Where the grid of a rate without start begins.
        next_run: The earliest instant not recorded yet.
        now: The present; inclusive.
        watched_since: Since when some process has been there to start runs. What came due earlier
            is subject to ``CatchUp``.
    """
    schedule = job.anchored(anchor)
    instants: Iterator[datetime] = schedule.runs(after=next_run - _TICK, until=now)
    taken = list(islice(instants, RECORDED_AT_ONCE))
    if not taken:
        return Plan((), schedule.next_run(after=now))
    following = schedule.next_run(after=taken[-1])
    late = sum(1 for instant in taken if instant < watched_since)
    more_late = following is not None and following < watched_since
    runs = []
    for index, instant in enumerate(taken):
        missed = index < late and (
            job.catch_up is CatchUp.SKIP or (job.catch_up is CatchUp.ONE and (index < late - 1 or more_late))
        )
        start_after = instant + jitter(job, instant)
        error = too_late(job, start_after, now)
        status = RunStatus.MISSED if missed or error else RunStatus.PENDING
        runs.append(Due(instant, status, start_after, error))
    return Plan(tuple(runs), following)


def jitter(job: Job, instant: datetime) -> timedelta:
    """How long after its scheduled instant a run starts: the same for the same job and instant, so
    that every process gives one answer."""
    if not job.jitter:
        return timedelta(0)
    share = Random(f"{job.name} {instant.timestamp()}").random()  # noqa: S311 -- spreads load, keeps no secret
    return job.jitter * share


def too_late(job: Job, start_after: datetime, now: datetime) -> str | None:
    """Why a scheduled run must not begin any more; None while it may (``catch_up_within``, inclusive)."""
    limit = job.catch_up_within
    if limit is None or now - start_after <= limit:
        return None
    return f"it could not begin within {limit} of {start_after.isoformat()}"


def next_attempt(retry: Retry, failures: int, recorded_at: datetime, now: datetime) -> datetime | None:
    """When a failed run is tried again; None when it has failed for good.

    Args:
        retry: The job's policy.
        failures: Attempts that have failed so far, at least 1. Attempts that the end of their process cut off
            do not count.
        recorded_at: When the run came due; its age counts from here.
        now: The moment of the failure.
    """
    if failures > retry.max_attempts:
        return None
    at = now + retry.delay(failures)
    return at if at - recorded_at <= retry.max_age else None


def too_old(retry: Retry, recorded_at: datetime, now: datetime) -> bool:
    """Whether no further attempt of a run may start (``Retry.max_age``, inclusive)."""
    return now - recorded_at > retry.max_age


def cut_off(crashes: int) -> str:
    """What is said of a run whose process ended so often while it was running."""
    times = "once" if crashes == 1 else f"{crashes} times"
    return f"its process ended {times} while it was running"


def stops(job: Job, trigger: Trigger) -> bool:
    """Whether a run that failed for good stops its job: a scheduled one of a recurring job that wants it."""
    return job.on_failure is OnFailure.STOP and trigger is Trigger.SCHEDULE and not job.is_one_time


def notification_body(run: Run) -> dict[str, JsonValue]:
    """What the topic of a job gets when a run has failed for good.

    Args:
        run: Its ``error`` begins with the name of the exception's class, then a colon.
    """
    error, _, cause = (run.error or "").partition(": ")
    return {
        "job": run.job,
        "scheduled_for": f"{run.scheduled_for.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        "attempts": run.attempt,
        "error": error,
        "cause": cause,
    }
