"""The decisions of the embedded backend, as pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import islice
from random import Random
from typing import NamedTuple

from pydantic import JsonValue

from stepsched.jobs import CatchUp, Job, OnFailure, Retry, Run, RunStatus, Trigger

RECORDED_AT_ONCE = 1_000
"""The maximum number of runs of one job that are recorded in one transaction after a long downtime."""
_TICK = timedelta(microseconds=1)


class Due(NamedTuple):
    """A run to record."""

    scheduled_for: datetime
    status: RunStatus
    """The status: pending, or missed if ``catch_up`` excludes the run."""
    start_after: datetime
    error: str | None = None
    """Why the run is missed."""


class Plan(NamedTuple):
    """The runs to record for a due job."""

    runs: tuple[Due, ...]
    next_run: datetime | None
    """The first instant that is not recorded. None: the schedule has no run left."""


def first_run(job: Job, created_at: datetime) -> datetime | None:
    """Returns the first instant at which a job comes due: strictly after its creation, except for a rate
    without start, whose grid begins with a run at the creation (P-12)."""
    if job.starts_at_creation:
        return job.anchored(created_at).next_run(after=created_at - _TICK)
    return job.schedule.next_run(after=created_at)


def due_runs(job: Job, anchor: datetime, next_run: datetime, now: datetime, watched_since: datetime) -> Plan:
    """Returns the due runs of a job, oldest first, and its next instant.

    Args:
        job: The job.
        anchor: The start of the grid of a rate without start.
        next_run: The earliest instant that is not recorded yet.
        now: The present; inclusive.
        watched_since: The instant since which a worker has been running. Runs that came due earlier are
            subject to ``catch_up``.
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
        error = too_late(job, start_after, now) or (_left_out(job) if missed else None)
        status = RunStatus.MISSED if error else RunStatus.PENDING
        runs.append(Due(instant, status, start_after, error))
    return Plan(tuple(runs), following)


def _left_out(job: Job) -> str:
    return f"it came due while no process was running, and catch_up is {job.catch_up.value}"


def jitter(job: Job, instant: datetime) -> timedelta:
    """Returns the delay of a run after its scheduled instant. It is the same for the same job and instant, in
    every process."""
    if not job.jitter:
        return timedelta(0)
    share = Random(f"{job.name} {instant.timestamp()}").random()  # noqa: S311 -- spreads load, keeps no secret
    return job.jitter * share


def too_late(job: Job, start_after: datetime, now: datetime) -> str | None:
    """Returns why a scheduled run must not begin any more; None if it may (``catch_up_within``,
    inclusive)."""
    limit = job.catch_up_within
    if limit is None or now - start_after <= limit:
        return None
    return f"it could not begin within {limit} of {start_after.isoformat()}"


def next_attempt(
    retry: Retry,
    failures: int,
    recorded_at: datetime,
    now: datetime,
    retry_after: timedelta | None = None,
) -> datetime | None:
    """Returns the instant of the next attempt of a failed run; None if it has failed for good.

    Args:
        retry: The job's retry policy.
        failures: The number of failed attempts so far, at least 1. Attempts that were interrupted by the end
            of their process do not count.
        recorded_at: The instant at which the run came due, from which its age counts.
        now: The instant of the failure.
        retry_after: The pause that the receiver of the call asked for. If it is longer than that of the
            policy, it applies, up to ``max_delay`` and to the end of ``max_age``. None: it asked for none.
    """
    if failures > retry.max_attempts:
        return None
    at, last = now + retry.delay(failures), recorded_at + retry.max_age
    if at > last:
        return None
    if retry_after is None:
        return at
    pause = retry_after if retry.max_delay is None else min(retry_after, retry.max_delay)
    return max(at, min(now + pause, last))


def too_old(retry: Retry, recorded_at: datetime, now: datetime) -> bool:
    """Returns whether no further attempt of a run may start (``Retry.max_age``, inclusive)."""
    return now - recorded_at > retry.max_age


def cut_off(crashes: int) -> str:
    """Returns the error text of a run whose process ended this often while it was running."""
    times = "once" if crashes == 1 else f"{crashes} times"
    return f"its process ended {times} while it was running"


def stops(job: Job, trigger: Trigger) -> bool:
    """Returns whether a run that failed for good pauses its job: a scheduled run of a recurring job with
    ``OnFailure.STOP``."""
    return job.on_failure is OnFailure.STOP and trigger is Trigger.SCHEDULE and not job.is_one_time


def notification_body(run: Run) -> dict[str, JsonValue]:
    """Returns the notification about a run that has failed for good.

    Args:
        run: The run. Its ``error`` begins with the name of the exception's class and a colon.
    """
    error, _, cause = (run.error or "").partition(": ")
    return {
        "job": run.job,
        "scheduled_for": f"{run.scheduled_for.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        "attempts": run.attempt,
        "error": error,
        "cause": cause,
    }
