"""Looking through all jobs, runs and executions for what does not go on as it should."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from stepsched.backends import pool
from stepsched.backends.stepfunctions.histories import Fate, fate_of
from stepsched.backends.stepfunctions.lives import Lives
from stepsched.backends.stepfunctions.rows import Item, read_claimed
from stepsched.backends.stepfunctions.runs import Runs
from stepsched.backends.stepfunctions.service import Execution, token_of
from stepsched.backends.stepfunctions.table import UNREADABLE
from stepsched.errors import BackendError, JobNotFoundError
from stepsched.jobs import JobStatus, Problem, Repair, RunStatus


def repair(lives: Lives, runs: Runs, *, now: datetime, indexed: bool, workers: int) -> list[Repair]:
    """Mends what is wrong. Whatever looks wrong is looked at again by itself before anything is done.

    Args:
        lives: The executions.
        runs: The runs.
        now: The present.
        indexed: Whether the table has the index; without it, runs beside the schedule are not looked at.
        workers: How many calls go on at once.
    """
    # Executions first: of those that begin meanwhile the rows are known.
    running: defaultdict[str, list[Execution]] = defaultdict(list)
    for each in lives.executions.running():
        if each.token is not None:
            running[each.token].append(each)
    going_on = {each.arn for group in running.values() for each in group}
    wanted = set[str | None]()
    suspects = list[str]()
    for row in lives.rows(None, indexed=indexed):
        wanted.add(row.token)
        rests = row.status is not JobStatus.ACTIVE or row.token in running
        is_told = row.claim is None or row.claim.execution in going_on
        if row.owned and not (rests and is_told):
            suspects.append(row.job.name)

    def look(name: str) -> list[Repair]:
        try:
            return lives.mend(lives.table.read(name), now)
        except JobNotFoundError:
            return []

    found = [each for repairs in pool.each(look, suspects, workers=workers) for each in repairs]
    if indexed:
        for status in (RunStatus.PENDING, RunStatus.RUNNING):
            for item in lives.table.items(lives.table.listed(status.value)):
                if item.get("token", {}).get("S") not in running:
                    mended = _mend_run(lives, runs, item, now)
                    found += [] if mended is None else [mended]
    for token, group in running.items():
        if token not in wanted or len(group) > 1:
            stopped = map(lives.stop_stale, group)
            found += [each for each in stopped if each is not None]
    return found


def _mend_run(lives: Lives, runs: Runs, item: Item, now: datetime) -> Repair | None:
    """Mends a run beside the schedule that waits, or goes on, and whose execution is gone."""
    name, version = item["name"]["S"], item["version"]["S"]
    status = RunStatus(item["status"]["S"])
    begun = status is RunStatus.RUNNING
    latest = item["execution"]["S"] if begun else None
    token = item["token"]["S"] if "token" in item else str(token_of(latest))
    if lives.is_alive(name, token, latest):
        return None
    why = f"the run {version} of the job is {status.value}, and no execution has it"
    claim = None
    if begun:
        claim = read_claimed(item)
        if fate_of(lives.executions.history(claim.execution)) is Fate.DONE:
            settled = lives.settle(name, claim, RunStatus.SUCCEEDED, now)
            remedy = "its history says that the target was invoked: noted as succeeded"
            return _repair(name, why, remedy) if settled else None
    try:
        row = lives.table.read(name)
    except BackendError as error:
        if error.code != UNREADABLE:
            raise
        return None
    except JobNotFoundError:
        if claim is None:
            return _repair(name, why, "noted that the job is gone") if runs.close_one(item, now) else None
        words = {"error": "Stepsched.Cancelled", "cause": "the job was cancelled"}
        settled = lives.settle(name, claim, RunStatus.FAILED, now, **words)
        return _repair(name, why, "noted as failed: the job is gone") if settled else None
    again = lives.wait_again(row, version, "#status = :seen", restarted=begun, seen=status.value)
    return None if again is None else _repair(name, why, "started again")


def _repair(name: str, detail: str, remedy: str) -> Repair:
    return Repair(job=name, problem=Problem.UNFINISHED, detail=detail, remedy=remedy)
