"""Looks through all jobs, runs and executions for what does not go on as it should."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from enum import Enum

from stepsched.backends import pool
from stepsched.backends.stepfunctions import decisions
from stepsched.backends.stepfunctions.decisions import Pending, Settle
from stepsched.backends.stepfunctions.recovery import Recovery
from stepsched.backends.stepfunctions.rows import Row, RunRow, readable
from stepsched.backends.stepfunctions.runs import Runs
from stepsched.backends.stepfunctions.service import Execution
from stepsched.core.errors import BackendError, ErrorCode, JobNotFoundError
from stepsched.jobs import Problem, Repair, RunStatus
from stepsched.machines.shared import table_schema as schema


def repair(recovery: Recovery, runs: Runs, *, now: datetime, indexed: bool, workers: int) -> list[Repair]:
    """Repairs what is wrong. Whatever looks wrong is looked at again by itself before anything is done.

    The running executions are held in memory, and of the jobs their tokens.

    Args:
        recovery: Recovers one job or run.
        runs: The runs.
        now: The present.
        indexed: Whether the table has the index; without it, unscheduled runs are not looked at.
        workers: How many calls go on at once.
    """
    job_executions = recovery.job_executions
    # Executions first: of those that begin meanwhile the rows are known.
    running: defaultdict[str | None, list[Execution]] = defaultdict(list)
    for each in job_executions.executions.running():
        if each.token is not None:
            running[each.token].append(each)
    going_on = {each.arn for group in running.values() for each in group}
    wanted = set[str | None]()
    suspects = list[str]()
    for row in job_executions.rows(None, indexed=indexed):
        wanted.add(row.token)
        if decisions.is_suspect(row, running, going_on):
            suspects.append(row.job.name)

    def look(name: str) -> list[Repair]:
        try:
            return recovery.recover(job_executions.table.read(name), now)
        except JobNotFoundError:
            return []

    found = [each for repairs in pool.each(look, suspects, workers=workers) for each in repairs]
    if indexed:
        found += _recover_pending(recovery, runs, now, set(running))
        for run in _runs_of(recovery, RunStatus.RUNNING, set(running)):
            recovered = _recover_running(recovery, run, now)
            found += [] if recovered is None else [recovered]
    for token, group in running.items():
        if token not in wanted or len(group) > 1:
            stopped = [recovery.stop_orphaned(execution, now) for execution in group]
            found += [each for each in stopped if each is not None]
    return found


def _runs_of(recovery: Recovery, status: RunStatus, running: set[str | None]) -> Iterator[RunRow]:
    """The runs of a status of which no running execution is known; with a warning, without those that cannot
    be read."""
    table = recovery.job_executions.table
    for row in readable(table.items(table.listed(status.value))):
        if row.run.status is status and (row.token is None or row.token not in running):
            yield row


def _recover_pending(recovery: Recovery, runs: Runs, now: datetime, running: set[str | None]) -> list[Repair]:
    """Starts unscheduled runs that are pending, and that no execution takes."""
    found = []
    by_job: defaultdict[str, list[RunRow]] = defaultdict(list)
    for each in _runs_of(recovery, RunStatus.PENDING, running):
        by_job[each.run.job].append(each)
    for name, pending in by_job.items():
        row = _row(recovery, name)
        if isinstance(row, _Unreadable):
            continue
        match decisions.pending_of(row):
            case Pending.CLOSE:
                done, remedy = [runs.close_one(each, now) for each in pending], "noted that the job is gone"
            case Pending.START_EACH if row is not None:
                lost = [each for each in pending if not _is_taken(recovery, each)]
                done, remedy = [_start_again(recovery, row, each) for each in lost], "started again"
            case _:
                done, remedy = [recovery.job_executions.ensure(pending) > 0], "started again"
        if any(done):
            what = f"{len(pending)} pending run{'s' * (len(pending) > 1)} of the job"
            found.append(_repair(name, f"no execution takes {what}", remedy))
    return found


def _recover_running(recovery: Recovery, run: RunRow, now: datetime) -> Repair | None:
    """Recovers a run that goes on by its row, and whose execution is gone."""
    name, claim = run.run.job, run.claim
    if recovery.goes_on(claim, now):
        return None
    why = f"the run {claim.key} of the job goes on by its row, and no execution has it"
    row = _row(recovery, name)
    decision = decisions.end_of(recovery.ending_of(claim), job_is_gone=row is None)
    if isinstance(decision, Settle):
        return _repair(name, why, decision.remedy) if recovery.settle(name, claim, decision, now) else None
    if not isinstance(row, Row) or not _start_again(recovery, row, run, begun=decision.may_have_begun):
        return None
    return _repair(name, why, "started again")


class _Unreadable(Enum):
    """A job's row that cannot be read: whoever wrote it knows what it is for."""

    ROW = "row"


def _row(recovery: Recovery, name: str) -> Row | _Unreadable | None:
    """A job's row; None where there is none."""
    try:
        return recovery.job_executions.table.read(name)
    except JobNotFoundError:
        return None
    except BackendError as error:
        if error.code != ErrorCode.UNREADABLE:
            raise
        return _Unreadable.ROW


def _is_taken(recovery: Recovery, row: RunRow) -> bool:
    """Whether an execution runs that will take a pending run."""
    return recovery.job_executions.is_alive(row.run.job, str(row.token))


def _start_again(recovery: Recovery, job: Row, row: RunRow, *, begun: bool = False) -> bool:
    """Makes a run pending again, if its row is as it was read."""
    conditions, values = [schema.HAS_STATUS], {"old_status": {"S": row.run.status.value}}
    if row.execution is not None:
        conditions += [schema.HAS_EXECUTION, schema.IS_UNFINISHED]
        values["me"] = {"S": row.execution}
    else:
        conditions += [schema.HAS_TOKEN]
        values["old_token"] = {"S": str(row.token)}
    return recovery.wait_again(job, row.key, *conditions, values=values, restarted=begun) is not None


def _repair(name: str, detail: str, remedy: str) -> Repair:
    return Repair(job=name, problem=Problem.UNFINISHED, detail=detail, remedy=remedy)
