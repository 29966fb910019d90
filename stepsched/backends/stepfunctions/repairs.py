"""Finds and repairs problems of all jobs, runs and executions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from itertools import chain

from stepsched.backends import pool
from stepsched.backends.stepfunctions import decisions
from stepsched.backends.stepfunctions.decisions import PendingAction, RecordEnd
from stepsched.backends.stepfunctions.recovery import Recovery
from stepsched.backends.stepfunctions.rows import Row, RunRow, read_run_rows
from stepsched.backends.stepfunctions.runs import Runs
from stepsched.backends.stepfunctions.service import Execution
from stepsched.core.errors import BackendError, ErrorCode, JobNotFoundError
from stepsched.display.progress import reported, reporting
from stepsched.jobs import Problem, Repair, RunStatus
from stepsched.machines.shared import table_schema as schema


def repair(recovery: Recovery, runs: Runs, *, now: datetime, indexed: bool, workers: int) -> list[Repair]:
    """Repairs all problems. A suspected problem is verified with fresh reads before it is repaired.

    The running executions and the tokens of all jobs are held in memory.

    Args:
        recovery: The recovery of single jobs and runs.
        runs: The runs of the table.
        now: The present.
        indexed: Whether the table has the index. Without it, unscheduled runs are not repaired.
        workers: The maximum number of concurrent calls.
    """
    job_executions = recovery.job_executions
    # Executions are listed first: the rows of those that start in the meantime are read afterwards.
    running: defaultdict[str | None, list[Execution]] = defaultdict(list)
    for each in job_executions.executions.running():
        if each.token is not None:
            running[each.token].append(each)
    running_arns = {each.arn for group in running.values() for each in group}
    job_tokens = set[str | None]()
    suspects, outdated = list[str](), list[str]()
    with reporting(None, None) as tell:
        for row in reported(job_executions.rows(None, indexed=indexed), tell):
            job_tokens.add(row.token)
            if decisions.is_outdated(row):
                outdated.append(row.job.name)
            if decisions.is_suspect(row, running, running_arns):
                suspects.append(row.job.name)

    def recover(name: str) -> list[Repair]:
        row = _read_job_row(recovery, name)
        return recovery.recover(row, now) if isinstance(row, Row) else []

    def renew_zone(name: str) -> list[Repair]:
        row = _read_job_row(recovery, name)
        return recovery.renew_zone(row) if isinstance(row, Row) else []

    steps = chain(
        pool.each(recover, suspects, workers=workers), pool.each(renew_zone, outdated, workers=workers)
    )
    with reporting(None, len(suspects) + len(outdated)) as tell:
        found = [each for repairs in reported(steps, tell) for each in repairs]
    if indexed:
        found += _recover_pending(recovery, runs, now, set(running))
        for run in _runs_without_execution(recovery, RunStatus.RUNNING, set(running)):
            recovered = _recover_running(recovery, run, now)
            found += [] if recovered is None else [recovered]
    for token, group in running.items():
        if token not in job_tokens or len(group) > 1:
            stopped = [recovery.stop_orphaned(execution, now) for execution in group]
            found += [each for each in stopped if each is not None]
    return found


def _runs_without_execution(
    recovery: Recovery, status: RunStatus, running: set[str | None]
) -> Iterator[RunRow]:
    """The runs of a status without a running execution. Rows that cannot be read are skipped with a
    warning."""
    table = recovery.job_executions.table
    for row in read_run_rows(table.items(table.keys_by_status(status.value))):
        if row.run.status is status and (row.token is None or row.token not in running):
            yield row


def _recover_pending(recovery: Recovery, runs: Runs, now: datetime, running: set[str | None]) -> list[Repair]:
    """Recovers pending unscheduled runs that no running execution will start."""
    found = []
    by_job: defaultdict[str, list[RunRow]] = defaultdict(list)
    for each in _runs_without_execution(recovery, RunStatus.PENDING, running):
        by_job[each.run.job].append(each)
    for name, pending in by_job.items():
        row = _read_job_row(recovery, name)
        if isinstance(row, _Unreadable):
            continue
        match decisions.pending_action(row):
            case PendingAction.CLOSE:
                done = [runs.close_one(each, now) for each in pending]
                remedy = "recorded as skipped: the job is gone"
            case PendingAction.START_EACH if row is not None:
                lost = [each for each in pending if not _is_taken(recovery, each)]
                done, remedy = [_start_again(recovery, row, each) for each in lost], "started again"
            case _:
                done, remedy = [recovery.job_executions.start_pending(pending) > 0], "started again"
        if any(done):
            what = f"{len(pending)} pending run{'s' * (len(pending) > 1)} of the job"
            found.append(_repair(name, f"no execution will start {what}", remedy))
    return found


def _recover_running(recovery: Recovery, run: RunRow, now: datetime) -> Repair | None:
    """Recovers a run that its row says is running, but whose execution has ended."""
    name, claim = run.run.job, run.claim
    if recovery.is_running(claim, now):
        return None
    why = f"the row of run {claim.key} of the job says that it is running, and no execution runs it"
    row = _read_job_row(recovery, name)
    decision = decisions.run_action(recovery.ending_of(claim), job_is_gone=row is None)
    if isinstance(decision, RecordEnd):
        return (
            _repair(name, why, decision.remedy) if recovery.record_end(name, claim, decision, now) else None
        )
    if not isinstance(row, Row) or not _start_again(recovery, row, run, begun=decision.may_have_begun):
        return None
    return _repair(name, why, "started again")


class _Unreadable(Enum):
    """A job's row that cannot be read. It may have been written by a newer version, so it is not changed."""

    ROW = "row"


def _read_job_row(recovery: Recovery, name: str) -> Row | _Unreadable | None:
    """The current row of a job. None: the job does not exist."""
    try:
        return recovery.job_executions.table.read(name)
    except JobNotFoundError:
        return None
    except BackendError as error:
        if error.code != ErrorCode.UNREADABLE:
            raise
        return _Unreadable.ROW


def _is_taken(recovery: Recovery, row: RunRow) -> bool:
    """Whether a running execution will start a pending run."""
    return recovery.job_executions.is_running(row.run.job, str(row.token))


def _start_again(recovery: Recovery, job: Row, row: RunRow, *, begun: bool = False) -> bool:
    """Makes a run pending again, if its row is still as it was read."""
    conditions, values = [schema.HAS_STATUS], {"old_status": {"S": row.run.status.value}}
    if row.execution is not None:
        conditions += [schema.HAS_EXECUTION, schema.IS_UNFINISHED]
        values["me"] = {"S": row.execution}
    else:
        conditions += [schema.HAS_TOKEN]
        values["old_token"] = {"S": str(row.token)}
    return recovery.make_pending(job, row.key, *conditions, values=values, restarted=begun) is not None


def _repair(name: str, detail: str, remedy: str) -> Repair:
    return Repair(job=name, problem=Problem.UNFINISHED, detail=detail, remedy=remedy)
