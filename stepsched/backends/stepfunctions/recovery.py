"""What is done about runs and jobs whose execution has died, or that nobody wants any more.

Everything here may be done twice, and by several at once: rows are changed only as they were read, a run's
and its job's together.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from stepsched.backends.stepfunctions.executions import JobExecutions, new_token
from stepsched.backends.stepfunctions.histories import Ending, Fate, child_of, ending_of
from stepsched.backends.stepfunctions.rows import (
    Claim,
    Row,
    floor_second,
    key,
    read_claimed,
    run_key,
    write_expiry,
    write_instant,
)
from stepsched.backends.stepfunctions.service import DISABLED, Execution, generation_of, token_of
from stepsched.core.errors import AccessDeniedError, BackendError, ErrorCode, JobNotFoundError
from stepsched.jobs import CatchUp, Completion, JobStatus, Problem, Repair, RunStatus
from stepsched.machines.shared.table_schema import CURRENT

_SECOND = timedelta(seconds=1)
_MOST_MISSED = 10_000
"""Runs of one job that are noted as missed at once, the latest ones."""
_HANDING_OVER = timedelta(minutes=5)
"""How long an execution may go on after its successor has begun."""
_UNSEEN = timedelta(minutes=5)
"""How long after its start nobody concludes from not seeing an execution that it is gone: reads follow starts
within moments, and clocks differ."""
_STILL_ITS_OWN = "attribute_not_exists(ended_at) AND (attribute_not_exists(execution) OR execution = :by)"
"""The run has not ended, and no other execution has taken it."""


class Recovery:
    """Mends the jobs of a table."""

    def __init__(self, job_executions: JobExecutions, keep: timedelta) -> None:
        """One for all jobs.

        Args:
            job_executions: Their executions.
            keep: How long the rows of runs are kept that have ended.
        """
        self.job_executions = job_executions
        self._table = job_executions.table
        self._executions = job_executions.executions
        self._keep = keep

    # -- runs ----------------------------------------------------------------------------------------------

    def settle(self, name: str, claim: Claim, status: RunStatus, now: datetime, ending: Ending) -> bool:
        """Writes the end of a run in place of the execution that has begun it, which is gone.

        Returns:
            Whether it was written; not where the run has ended, or another execution has it.
        """
        run = {
            "Key": key(name, claim.key),
            "ConditionExpression": _STILL_ITS_OWN,
            "UpdateExpression": "SET #status = :status, #due = if_not_exists(#due, :due),"
            " started_at = :started, ended_at = :ended, attempts = :one, #error = :error, cause = :cause,"
            " execution = :by, expires_at = :expires",
            "ExpressionAttributeNames": {"#status": "status", "#due": "due", "#error": "error"},
            "ExpressionAttributeValues": {
                ":status": {"S": status.value},
                ":due": {"S": claim.key[4:24]},
                ":started": {"S": write_instant(claim.started_at)},
                ":ended": {"S": write_instant(now)},
                ":one": {"N": "1"},
                ":error": {"S": ending.error},
                ":cause": {"S": ending.cause},
                ":by": {"S": claim.execution},
                ":expires": write_expiry(now + self._keep),
            },
        }
        job = {
            "Key": key(name),
            "ConditionExpression": "claimed_by = :by",
            "UpdateExpression": "SET #last = :key REMOVE claimed_by, claimed, started_at",
            "ExpressionAttributeNames": {"#last": "last"},
            "ExpressionAttributeValues": {":by": {"S": claim.execution}, ":key": {"S": claim.key}},
        }
        if self._table.update_all(run, job) or self._table.update_all(run):
            return True
        self._let_go(name, claim)
        return False

    def _let_go(self, name: str, claim: Claim) -> None:
        """Takes the claim of an execution that is gone from the job, where its run has ended."""
        item = self._table.item(name, claim.key)
        if item is not None and "ended_at" in item:
            self._table.write(
                name,
                CURRENT,
                "REMOVE claimed_by, claimed, started_at",
                "claimed_by = :by AND claimed = :key",
                {":by": {"S": claim.execution}, ":key": {"S": claim.key}},
            )

    def wait_again(
        self,
        row: Row,
        version: str,
        condition: str,
        values: Mapping[str, Any],
        *,
        restarted: bool = False,
    ) -> Row | None:
        """Lets a run wait, and starts an execution for it.

        A one-time job with nothing else to come ends with this run.

        Args:
            row: The job's.
            version: The run's key.
            condition: What must hold of the run's row; reserved words with a ``#``.
            values: What stands in the condition.
            restarted: Whether it may have been begun before.

        Returns:
            The job's row as it is then; None where the condition does not hold, or the job has changed.
        """
        token = new_token()
        mark = ", restarted = :yes" if restarted else ""
        run = {
            "Key": key(row.job.name, version),
            "ConditionExpression": condition,
            "UpdateExpression": "SET #status = :pending, #due = if_not_exists(#due, :due), #token = :token,"
            f" attempts = :none{mark} REMOVE execution, started_at, ended_at, expires_at, #error, cause",
            "ExpressionAttributeNames": {f"#{word}": word for word in ("status", "due", "token", "error")},
            "ExpressionAttributeValues": {
                **values,
                ":pending": {"S": RunStatus.PENDING.value},
                ":due": {"S": version[4:24]},
                ":token": {"S": token},
                ":none": {"N": "0"},
                **({":yes": {"S": "true"}} if restarted else {}),
            },
        }
        after = row
        if row.claim is not None and row.claim.key == version:
            after = row._replace(claim=None)
        is_over = row.job.is_one_time and row.job.schedule.next_run(after=row.cursor) is None
        if is_over and row.status is not JobStatus.PAUSED:
            after = after._replace(status=JobStatus.ACTIVE, token=token)
        job = () if after == row else (self._table.update_of(row, after),)
        if not self._table.update_all(run, *job):
            return None
        self.job_executions.start_unscheduled(row.job.name, [version], token)
        return after

    def stop_runs(self, row: Row, now: datetime, error: str, cause: str) -> None:
        """Stops the runs of a job that go on, with the executions that wait for them, and notes that they
        have failed. What these have started AWS stops where it can; a state machine is stopped here too,
        where that is allowed.

        Args:
            row: As it was before its token was taken away.
            now: The present.
            error: Why, as a code.
            cause: And in words.
        """
        name = row.job.name
        found = {} if row.claim is None else {row.claim.key: row.claim}
        for item in self._table.query(name):
            if item["status"]["S"] == RunStatus.RUNNING.value:
                claim = read_claimed(item)
                found[claim.key] = claim
        for claim in found.values():
            child = child_of(self._executions.history(claim.execution))
            # Noted first: what is stopped and not noted would be run again.
            self.settle(name, claim, RunStatus.FAILED, now, Ending(Fate.FAILED, error, cause))
            self._executions.stop(claim.execution, error, cause)
            if child is not None:
                try:
                    self._executions.stop(child, error, cause)
                except AccessDeniedError:
                    continue  # the machine's own role may, and AWS has it try

    # -- jobs ----------------------------------------------------------------------------------------------

    def recover(self, row: Row, now: datetime) -> list[Repair]:
        """Finds out whether a job comes due as it should, and mends it.

        Args:
            row: As it was read.
            now: The present.

        Returns:
            What was wrong, and what was done.
        """
        found: list[Repair] = []
        if row.claim is not None and not self.goes_on(row.claim, now):
            token = row.token
            row, settled = self._settle_claim(row, row.claim, now)
            found += settled
            if row.token != token:
                return found  # the run that was started again ends the job
        if row.status is not JobStatus.ACTIVE or row.token is None:
            return found
        if self.job_executions.is_alive(row.job.name, row.token, row.execution):
            return found
        if row.job.is_one_time and row.next_run is None and self._ends(row):
            why = "the run of the one-time job has succeeded, and the job was still there"
            return [*found, _repair(row.job.name, Problem.DEAD, why, "deleted it")]
        return [*found, *self._revive(row, now)]

    def goes_on(self, claim: Claim, now: datetime) -> bool:
        """Whether the execution of a run that has begun still runs."""
        execution = self._executions.find(claim.execution)
        if execution is None:
            return now - claim.started_at < _UNSEEN
        return execution.is_running

    def _settle_claim(self, row: Row, claim: Claim, now: datetime) -> tuple[Row, list[Repair]]:
        """Brings a run to its end whose execution is gone: noted where its history tells how it went, and
        else run again."""
        name = row.job.name
        ending = ending_of(self._executions.history(claim.execution))
        end = self._died(claim.execution)
        why = f"the run for {claim.key[4:24]} was claimed by {claim.execution}, which {end}"
        remedy = self.settle_known(name, claim, now, ending)
        if remedy is None and ending.fate not in (Fate.DONE, Fate.FAILED):
            begun = ending.fate is Fate.UNKNOWN
            by = {":by": {"S": claim.execution}}
            again = self.wait_again(row, claim.key, _STILL_ITS_OWN, by, restarted=begun)
            if again is not None:
                seen = "may have been" if begun else "had not been"
                remedy = f"the target {seen} invoked: started again"
                return again, [_repair(name, Problem.UNFINISHED, why, remedy)]
            self._let_go(name, claim)
        present = self._table.read(name)
        if remedy is None and present.claim != claim:
            remedy = "the run had ended: let go of it"
        found = [] if remedy is None else [_repair(name, Problem.UNFINISHED, why, remedy)]
        return present, found

    def settle_known(self, name: str, claim: Claim, now: datetime, ending: Ending) -> str | None:
        """Writes the end of a run of which the history says how it went.

        Returns:
            What was done; None where nothing was.
        """
        status = {Fate.DONE: RunStatus.SUCCEEDED, Fate.FAILED: RunStatus.FAILED}.get(ending.fate)
        if status is None or not self.settle(name, claim, status, now, ending):
            return None
        seen = "the target was invoked" if status is RunStatus.SUCCEEDED else "no attempt was left"
        return f"its history says that {seen}: noted as {status.value}"

    def _died(self, arn: str) -> str:
        execution = self._executions.find(arn)
        if execution is None:
            return "is not there any more"
        words = ": ".join(filter(None, (execution.error, execution.cause)))
        return f"has ended as {execution.status}" + (f" ({words})" if words else "")

    def _ends(self, row: Row) -> bool:
        """Whether a one-time job has run, and was only not deleted."""
        item = self._table.item(row.job.name, run_key(row.cursor))
        has_run = item is not None and item["status"]["S"] == RunStatus.SUCCEEDED.value
        return has_run and row.job.completion is Completion.DELETE and self._table.delete(row)

    def _revive(self, row: Row, now: datetime) -> list[Repair]:
        """Starts the execution of a job that has none."""
        name, token = row.job.name, row.token
        problem, why = Problem.MISSING, "no execution of the job was ever started"
        cursor, missed = self._caught_up(row, now)
        latest = row.execution
        if latest is None or token_of(latest) != token:
            if cursor == row.cursor and self.job_executions.start(row):
                return [_repair(name, problem, why, f"started {self.job_executions.execution_of(row)}")]
            if cursor == row.cursor and self.job_executions.is_alive(name, str(token)):
                return []  # somebody else has just started it
            latest = self._executions.arn(self.job_executions.execution_of(row))
        if self._executions.find(latest) is not None:
            problem, why = Problem.DEAD, f"{latest} {self._died(latest)}"
        after = row._replace(token=new_token(), cursor=cursor)
        while not self._table.change(row, after):
            try:
                row = self._table.read(name)
            except JobNotFoundError:
                return []
            if row.token != token:
                return []  # somebody else is at it
            # What has changed is a run beside the schedule, which has begun or ended.
            cursor, missed = self._caught_up(row, now)
            after = row._replace(token=after.token, cursor=cursor)
        for instant in missed:
            text = write_instant(now)
            self._table.put_new(
                {
                    **key(name, run_key(instant)),
                    "status": {"S": RunStatus.MISSED.value},
                    "due": {"S": run_key(instant)[4:]},
                    "recorded_at": {"S": text},
                    "ended_at": {"S": text},
                    "expires_at": write_expiry(now + self._keep),
                }
            )
        self.job_executions.start(after)
        noted = f", and noted {len(missed):,} run{'s' * (len(missed) > 1)} as missed" if missed else ""
        return [_repair(name, problem, why, f"started {self.job_executions.execution_of(after)}{noted}")]

    def _caught_up(self, row: Row, now: datetime) -> tuple[datetime, list[datetime]]:
        """Where a job goes on that had no execution for a while, and the runs that it leaves out."""
        if row.job.catch_up is CatchUp.ALL:
            return row.cursor, []
        schedule = row.job.anchored(row.anchor)
        present = floor_second(now)
        late: list[datetime] = []
        for instant in schedule.runs(after=row.cursor, until=present):
            late.append(instant)
            if len(late) > 2 * _MOST_MISSED:
                del late[:_MOST_MISSED]
        if not late:
            return row.cursor, []
        if row.job.catch_up is CatchUp.ONE:
            return late[-1] - _SECOND, late[:-1][-_MOST_MISSED:]
        return max(row.cursor, present), late[-_MOST_MISSED:]

    # -- executions ----------------------------------------------------------------------------------------

    def stop_orphaned(self, execution: Execution, now: datetime) -> Repair | None:
        """Stops an execution which no job wants. One that no job knows of is left alone.

        Args:
            execution: One that runs, as it seems.
            now: The present.

        Returns:
            What was done; None where it is wanted, or is in the middle of a run.
        """
        described = self._executions.find(execution.arn)
        name = None if described is None else described.given.get("name")
        if described is None or not described.is_running or not isinstance(name, str):
            return None
        if described.given.get("left"):
            return None  # it takes what waits in rows of their own, and stops by itself
        if self._has_a_run(execution, name):
            return None
        try:
            row = self._table.read(name)
        except JobNotFoundError:
            return self._stop(execution, name, Problem.ORPHANED, "is gone")
        except BackendError as error:
            if error.code != ErrorCode.UNREADABLE:
                raise
            return None  # whoever wrote it knows what it is for
        if row.claim is not None and row.claim.execution == execution.arn:
            return None
        if row.token != execution.token:
            state = f"is {row.status.value}, and has another execution or none"
            return self._stop(execution, name, Problem.ORPHANED, state)
        owner = None if row.execution is None else self._executions.find(row.execution)
        if owner is None or owner.arn == execution.arn or owner.token != execution.token:
            return None  # it is the one, or has only just begun
        if not owner.is_running or generation_of(execution.arn) > generation_of(owner.arn):
            return None  # the one has handed over to it
        if owner.started_at is None or now - owner.started_at < _HANDING_OVER:
            return None  # it has handed over, and is about to end
        return self._stop(execution, name, Problem.DUPLICATE, f"has {owner.arn}")

    def _stop(self, execution: Execution, name: str, problem: Problem, state: str) -> Repair:
        self._executions.stop(execution.arn, DISABLED, f"execution disabled for {name}")
        return _repair(name, problem, f"{execution.arn} runs, and the job {state}", "stopped it")

    def _has_a_run(self, execution: Execution, name: str) -> bool:
        """Whether an execution is in the middle of a run that has a row."""
        rows = self._table.query(name)
        return any(
            item.get("status") == {"S": RunStatus.RUNNING.value}
            and item.get("execution") == {"S": execution.arn}
            for item in rows
        )


def _repair(name: str, problem: Problem, detail: str, remedy: str) -> Repair:
    return Repair(job=name, problem=problem, detail=detail, remedy=remedy)
