"""Decides how to recover jobs and runs whose execution ended unexpectedly.

The functions are pure. :mod:`recovery` and :mod:`repairs` read the values and perform the decisions.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from stepsched.backends.stepfunctions.histories import Ending, Outcome
from stepsched.backends.stepfunctions.instructions import with_new_zone
from stepsched.backends.stepfunctions.rows import Claim, Row, RunRow, floor_second
from stepsched.backends.stepfunctions.service import Execution, generation_of
from stepsched.jobs import CatchUp, Completion, JobStatus, Problem, RunStatus

_SECOND = timedelta(seconds=1)
MAX_MISSED = 10_000
"""The maximum number of runs of a job that one recovery records as missed: the latest ones."""
_HANDOVER_TIME = timedelta(minutes=5)
"""The time that an execution may still run after its successor has started."""
_VISIBILITY_DELAY = timedelta(minutes=5)
"""The time after its start in which an execution that is not found counts as running: reads are eventually
consistent, and clocks differ."""


def is_running(claim: Claim, execution: Execution | None, now: datetime) -> bool:
    """Whether the execution of a claimed run is still running.

    Args:
        claim: The claim of the run.
        execution: The execution that has claimed the run. None: it was not found.
        now: The present.
    """
    if execution is None:
        return now - claim.started_at < _VISIBILITY_DELAY
    return execution.is_running


def is_suspect(row: Row, running_tokens: Container[str | None], running: Container[str]) -> bool:
    """Whether a job may need recovery, judged by its row and the list of running executions.

    Args:
        row: The current row of the job.
        running_tokens: The tokens of the running executions.
        running: The ARNs of the running executions.
    """
    is_idle = row.status is JobStatus.ACTIVE and row.token not in running_tokens
    is_cut_off = row.claim is not None and row.claim.execution not in running
    return row.owned and (is_idle or is_cut_off)


def is_outdated(row: Row) -> bool:
    """Whether an active job is stored with zone rules that are older than this machine's database."""
    is_active = row.owned and row.status is JobStatus.ACTIVE
    return is_active and with_new_zone(row.plan, row.job, anchor=row.anchor, cursor=row.cursor) is not None


# -- runs -----------------------------------------------------------------------------------------------


class RecordEnd(NamedTuple):
    """The decision to record the end of the run."""

    status: RunStatus
    ending: Ending
    remedy: str
    """The description of the repair."""


class StartAgain(NamedTuple):
    """The decision to start the run again in another execution."""

    may_have_begun: bool
    """Whether the target may have been invoked."""


_CANCELLED = Ending(Outcome.FAILED, "Stepsched.Cancelled", "the job was cancelled")


def run_action(ending: Ending, *, job_is_gone: bool = False) -> RecordEnd | StartAgain:
    """Decides about a run whose execution has ended.

    Args:
        ending: How the run ended, according to the history of the execution.
        job_is_gone: Whether the job no longer exists, so that the run cannot be started again.
    """
    match ending.outcome:
        case Outcome.DONE:
            remedy = "its history says that the target was invoked: recorded as succeeded"
            return RecordEnd(RunStatus.SUCCEEDED, ending, remedy)
        case Outcome.FAILED:
            remedy = "its history says that no attempt was left: recorded as failed"
            return RecordEnd(RunStatus.FAILED, ending, remedy)
    if job_is_gone:
        return RecordEnd(RunStatus.FAILED, _CANCELLED, "recorded as failed: the job is gone")
    return StartAgain(ending.outcome is Outcome.UNKNOWN)


class PendingAction(Enum):
    """The decision about pending runs that no running execution will start."""

    CLOSE = "close"
    """Record the runs as skipped: the job no longer exists."""
    START = "start"
    """Start one execution for all runs."""
    START_EACH = "start each"
    """Start one execution for each run: the job may end with its run."""


def pending_action(row: Row | None) -> PendingAction:
    """Decides about pending runs of a job that no running execution will start.

    Args:
        row: The current row of the job. None: the job no longer exists.
    """
    if row is None:
        return PendingAction.CLOSE
    return PendingAction.START_EACH if row.job.is_one_time else PendingAction.START


# -- jobs -----------------------------------------------------------------------------------------------


def is_finished(row: Row, last: RunRow | None) -> bool:
    """Whether a one-time job has succeeded and is to be deleted.

    Args:
        row: The current row of the job.
        last: The row of the run at the job's instant. None: there is none.
    """
    return (
        row.job.is_one_time
        and row.next_run is None
        and row.job.completion is Completion.DELETE
        and last is not None
        and last.run.status is RunStatus.SUCCEEDED
    )


class Continuation(NamedTuple):
    """The point from which a job continues that had no execution for a while."""

    cursor: datetime
    """The instant after which its runs are planned."""
    missed: list[datetime]
    """The runs that are recorded as missed, oldest first; at most the latest ``MAX_MISSED``."""


def continuation_of(row: Row, now: datetime) -> Continuation:
    """Decides by the ``catch_up`` of a job from which point it continues."""
    if row.job.catch_up is CatchUp.ALL:
        return Continuation(row.cursor, [])
    present = floor_second(now)
    late: list[datetime] = []
    for instant in row.job.anchored(row.anchor).runs(after=row.cursor, until=present):
        late.append(instant)
        if len(late) > 2 * MAX_MISSED:
            del late[:MAX_MISSED]
    if not late:
        return Continuation(row.cursor, [])
    if row.job.catch_up is CatchUp.ONE:
        return Continuation(late[-1] - _SECOND, late[:-1][-MAX_MISSED:])
    return Continuation(max(row.cursor, present), late[-MAX_MISSED:])


# -- executions -----------------------------------------------------------------------------------------


def why_stop(
    execution: Execution, row: Row | None, owner: Execution | None, now: datetime
) -> tuple[Problem, str] | None:
    """Decides whether a running execution is to be stopped.

    Args:
        execution: A running execution that has started no run with a row of its own.
        row: The current row of the job for which it was started. None: the job no longer exists.
        owner: The execution that the row names as the one that runs the job. None: the row names none, or it
            was not found.
        now: The present.

    Returns:
        The problem, and the state of the job in words. None: the execution is current.
    """
    if row is None:
        return Problem.ORPHANED, "is gone"
    if row.claim is not None and row.claim.execution == execution.arn:
        return None
    if row.token != execution.token:
        return Problem.ORPHANED, f"is {row.status.value}, and has another execution or none"
    if owner is None or owner.arn == execution.arn or owner.token != execution.token:
        return None  # it is the owner, or has not yet registered as the owner
    if not owner.is_running or generation_of(execution.arn) > generation_of(owner.arn):
        return None  # the owner has handed over to it
    if owner.started_at is None or now - owner.started_at < _HANDOVER_TIME:
        return None  # it has handed over to the owner and is about to end
    return Problem.DUPLICATE, f"has {owner.arn}"
