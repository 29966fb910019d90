"""What to do about jobs and runs whose execution has ended unexpectedly: decisions on values.

Nothing here reads or writes. :mod:`recovery` and :mod:`repairs` read, ask here, and perform the answer.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from stepsched.backends.stepfunctions.histories import Ending, Fate
from stepsched.backends.stepfunctions.rows import Claim, Row, RunRow, floor_second
from stepsched.backends.stepfunctions.service import Execution, generation_of
from stepsched.jobs import CatchUp, Completion, JobStatus, Problem, RunStatus

_SECOND = timedelta(seconds=1)
MOST_MISSED = 10_000
"""Runs of one job that are recorded as missed at once, the latest ones."""
_HANDING_OVER = timedelta(minutes=5)
"""How long an execution may go on after its successor has begun."""
_UNSEEN = timedelta(minutes=5)
"""How long after the start of an execution it is not concluded from its absence that it is gone: reads follow
starts within moments, and clocks differ."""


def goes_on(claim: Claim, execution: Execution | None, now: datetime) -> bool:
    """Whether a run that was claimed is still at work.

    Args:
        claim: The run's.
        execution: The execution that has claimed it. None: it is not found.
        now: The present.
    """
    if execution is None:
        return now - claim.started_at < _UNSEEN
    return execution.is_running


def is_suspect(row: Row, running_tokens: Container[str | None], running: Container[str]) -> bool:
    """Whether a job has to be looked at, by what is known of all jobs and executions together.

    Args:
        row: The job's.
        running_tokens: The tokens of the executions that run.
        running: Their ARNs.
    """
    is_idle = row.status is JobStatus.ACTIVE and row.token not in running_tokens
    is_cut_off = row.claim is not None and row.claim.execution not in running
    return row.owned and (is_idle or is_cut_off)


# -- runs -----------------------------------------------------------------------------------------------


class Settle(NamedTuple):
    """Write the end of the run."""

    status: RunStatus
    ending: Ending
    remedy: str
    """What is done, in words."""


class StartAgain(NamedTuple):
    """Let another execution take the run."""

    may_have_begun: bool
    """Whether the target may have been invoked."""


_CANCELLED = Ending(Fate.FAILED, "Stepsched.Cancelled", "the job was cancelled")


def end_of(ending: Ending, *, job_is_gone: bool = False) -> Settle | StartAgain:
    """What to do about a run whose execution is gone.

    Args:
        ending: What the history of the execution says of the run.
        job_is_gone: Whether the job is gone, so that nobody can take the run.
    """
    match ending.fate:
        case Fate.DONE:
            remedy = "its history says that the target was invoked: noted as succeeded"
            return Settle(RunStatus.SUCCEEDED, ending, remedy)
        case Fate.FAILED:
            remedy = "its history says that no attempt was left: noted as failed"
            return Settle(RunStatus.FAILED, ending, remedy)
    if job_is_gone:
        return Settle(RunStatus.FAILED, _CANCELLED, "noted as failed: the job is gone")
    return StartAgain(ending.fate is Fate.UNKNOWN)


class Pending(Enum):
    """What to do about pending runs that no execution takes."""

    CLOSE = "close"
    """The job is gone: they will not start."""
    START = "start"
    """Start one execution for all of them."""
    START_EACH = "start each"
    """Start an execution for each: the job may end with the run."""


def pending_of(row: Row | None) -> Pending:
    """What to do about pending runs of a job that no execution takes.

    Args:
        row: The job's. None: it is gone.
    """
    if row is None:
        return Pending.CLOSE
    return Pending.START_EACH if row.job.is_one_time else Pending.START


# -- jobs -----------------------------------------------------------------------------------------------


def is_finished(row: Row, last: RunRow | None) -> bool:
    """Whether a one-time job has run and is only not deleted yet.

    Args:
        row: The job's.
        last: The run of its instant. None: there is none.
    """
    return (
        row.job.is_one_time
        and row.next_run is None
        and row.job.completion is Completion.DELETE
        and last is not None
        and last.run.status is RunStatus.SUCCEEDED
    )


class Continuation(NamedTuple):
    """Where a job goes on that had no execution for a while."""

    cursor: datetime
    """The instant after which its runs are planned."""
    missed: list[datetime]
    """The runs that it leaves out, oldest first; of very many the latest ones."""


def continuation_of(row: Row, now: datetime) -> Continuation:
    """Where a job goes on that had no execution for a while, as its ``catch_up`` says."""
    if row.job.catch_up is CatchUp.ALL:
        return Continuation(row.cursor, [])
    present = floor_second(now)
    late: list[datetime] = []
    for instant in row.job.anchored(row.anchor).runs(after=row.cursor, until=present):
        late.append(instant)
        if len(late) > 2 * MOST_MISSED:
            del late[:MOST_MISSED]
    if not late:
        return Continuation(row.cursor, [])
    if row.job.catch_up is CatchUp.ONE:
        return Continuation(late[-1] - _SECOND, late[:-1][-MOST_MISSED:])
    return Continuation(max(row.cursor, present), late[-MOST_MISSED:])


# -- executions -----------------------------------------------------------------------------------------


def why_stop(
    execution: Execution, row: Row | None, owner: Execution | None, now: datetime
) -> tuple[Problem, str] | None:
    """Why a running execution is to be stopped: the problem, and what is the matter with the job.

    Args:
        execution: One that runs, and that is in the middle of no run that has a row.
        row: The job that it was started for. None: it is gone.
        owner: The execution that says that it runs the job. None: none does, or it is not found.
        now: The present.

    Returns:
        None where it is wanted.
    """
    if row is None:
        return Problem.ORPHANED, "is gone"
    if row.claim is not None and row.claim.execution == execution.arn:
        return None
    if row.token != execution.token:
        return Problem.ORPHANED, f"is {row.status.value}, and has another execution or none"
    if owner is None or owner.arn == execution.arn or owner.token != execution.token:
        return None  # it is the one, or has only just begun
    if not owner.is_running or generation_of(execution.arn) > generation_of(owner.arn):
        return None  # the owner has handed over to it
    if owner.started_at is None or now - owner.started_at < _HANDING_OVER:
        return None  # it has handed over to the owner, and is about to end
    return Problem.DUPLICATE, f"has {owner.arn}"
