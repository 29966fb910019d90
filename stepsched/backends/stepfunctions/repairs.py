"""Looking through all jobs, runs and executions for what does not go on as it should."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from stepsched.backends import pool
from stepsched.backends.stepfunctions.histories import Ending, Fate, ending_of
from stepsched.backends.stepfunctions.recovery import Recovery
from stepsched.backends.stepfunctions.rows import Item, Row, read_claimed
from stepsched.backends.stepfunctions.runs import Runs, is_readable
from stepsched.backends.stepfunctions.service import Execution
from stepsched.core.errors import BackendError, ErrorCode, JobNotFoundError
from stepsched.jobs import JobStatus, Problem, Repair, RunStatus


def repair(recovery: Recovery, runs: Runs, *, now: datetime, indexed: bool, workers: int) -> list[Repair]:
    """Mends what is wrong. Whatever looks wrong is looked at again by itself before anything is done.

    The running executions are held in memory, and of the jobs their tokens.

    Args:
        recovery: Mends.
        runs: The runs.
        now: The present.
        indexed: Whether the table has the index; without it, runs beside the schedule are not looked at.
        workers: How many calls go on at once.
    """
    job_executions = recovery.job_executions
    # Executions first: of those that begin meanwhile the rows are known.
    running: defaultdict[str, list[Execution]] = defaultdict(list)
    for each in job_executions.executions.running():
        if each.token is not None:
            running[each.token].append(each)
    going_on = {each.arn for group in running.values() for each in group}
    wanted = set[str | None]()
    suspects = list[str]()
    for row in job_executions.rows(None, indexed=indexed):
        wanted.add(row.token)
        rests = row.status is not JobStatus.ACTIVE or row.token in running
        is_told = row.claim is None or row.claim.execution in going_on
        if row.owned and not (rests and is_told):
            suspects.append(row.job.name)

    def look(name: str) -> list[Repair]:
        try:
            return recovery.recover(job_executions.table.read(name), now)
        except JobNotFoundError:
            return []

    found = [each for repairs in pool.each(look, suspects, workers=workers) for each in repairs]
    if indexed:
        found += _recover_waiting(recovery, runs, now, set(running))
        for item in _rows_of(recovery, RunStatus.RUNNING, set(running)):
            mended = _recover_running(recovery, item, now)
            found += [] if mended is None else [mended]
    for token, group in running.items():
        if token not in wanted or len(group) > 1:
            stopped = [recovery.stop_orphaned(execution, now) for execution in group]
            found += [each for each in stopped if each is not None]
    return found


def _rows_of(recovery: Recovery, status: RunStatus, running: set[str]) -> Iterator[Item]:
    """The rows of a status of which no running execution is known; with a warning, without those that cannot
    be read."""
    table = recovery.job_executions.table
    for item in table.items(table.listed(status.value)):
        is_known = item.get("token", {}).get("S") in running
        if item["status"]["S"] == status.value and not is_known and is_readable(item):
            yield item


def _recover_waiting(recovery: Recovery, runs: Runs, now: datetime, running: set[str]) -> list[Repair]:
    """Starts runs beside the schedule that wait, and have nobody to start them."""
    found = []
    by_job: defaultdict[str, list[Item]] = defaultdict(list)
    for item in _rows_of(recovery, RunStatus.PENDING, running):
        by_job[item["name"]["S"]].append(item)
    for name, items in by_job.items():
        row = _row(recovery, name)
        why = f"{len(items)} run{'s' * (len(items) > 1)} of the job wait, and no execution has them"
        if row is None:
            closed = [item for item in items if runs.close_one(item, now)]
            found += [_repair(name, why, "noted that the job is gone")] if closed else []
            continue
        if row is ErrorCode.UNREADABLE:
            continue
        assert isinstance(row, Row)
        if row.job.is_one_time:  # it may end with the run
            again = [
                _again(recovery, row, item, Fate.NOT_BEGUN) for item in items if not _waits(recovery, item)
            ]
            found += [_repair(name, why, "started again")] if any(again) else []
        elif recovery.job_executions.ensure(items):
            found.append(_repair(name, why, "started again"))
    return found


def _recover_running(recovery: Recovery, item: Item, now: datetime) -> Repair | None:
    """Mends a run that goes on by its row, and whose execution is gone."""
    name, claim = item["name"]["S"], read_claimed(item)
    if recovery.goes_on(claim, now):
        return None
    why = f"the run {claim.key} of the job goes on by its row, and no execution has it"
    ending = ending_of(recovery.job_executions.executions.history(claim.execution))
    remedy = recovery.settle_known(name, claim, now, ending)
    if remedy is not None:
        return _repair(name, why, remedy)
    row = _row(recovery, name)
    if row is None:
        gone = Ending(Fate.FAILED, "Stepsched.Cancelled", "the job was cancelled")
        settled = recovery.settle(name, claim, RunStatus.FAILED, now, gone)
        return _repair(name, why, "noted as failed: the job is gone") if settled else None
    is_known = ending.fate in (Fate.DONE, Fate.FAILED)  # and somebody else has written it down
    if is_known or not isinstance(row, Row) or not _again(recovery, row, item, ending.fate):
        return None
    return _repair(name, why, "started again")


def _row(recovery: Recovery, name: str) -> Row | ErrorCode | None:
    """A job's row; None where there is none, and ``UNREADABLE`` where it cannot be read."""
    try:
        return recovery.job_executions.table.read(name)
    except JobNotFoundError:
        return None
    except BackendError as error:
        if error.code != ErrorCode.UNREADABLE:
            raise
        return ErrorCode.UNREADABLE


def _waits(recovery: Recovery, item: Item) -> bool:
    """Whether an execution runs that will take a run which waits."""
    return recovery.job_executions.is_alive(item["name"]["S"], item["token"]["S"])


def _again(recovery: Recovery, row: Row, item: Item, fate: Fate) -> bool:
    """Lets a run wait again, if its row is as it was read."""
    values = {":seen": item["status"]}
    if "execution" in item:
        condition = "#status = :seen AND execution = :by AND attribute_not_exists(ended_at)"
        values[":by"] = item["execution"]
    else:
        condition, values[":old"] = "#status = :seen AND #token = :old", item["token"]
    version = item["version"]["S"]
    begun = fate is Fate.UNKNOWN
    return recovery.wait_again(row, version, condition, values, restarted=begun) is not None


def _repair(name: str, detail: str, remedy: str) -> Repair:
    return Repair(job=name, problem=Problem.UNFINISHED, detail=detail, remedy=remedy)
