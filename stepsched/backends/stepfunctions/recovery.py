"""Recovers jobs and runs whose execution ended unexpectedly, and stops orphaned executions.

What is done is decided in :mod:`decisions`; here it is read for and performed. Everything may be done twice,
and by several at once: rows are changed only as they were read, a run's and its job's together.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from stepsched.backends.stepfunctions import decisions
from stepsched.backends.stepfunctions.decisions import Settle
from stepsched.backends.stepfunctions.executions import JobExecutions, new_token
from stepsched.backends.stepfunctions.histories import Ending, Fate, child_of, ending_of
from stepsched.backends.stepfunctions.rows import (
    Claim,
    Row,
    due_of,
    key,
    run_key,
    write_expiry,
    write_instant,
    write_missed,
)
from stepsched.backends.stepfunctions.service import DISABLED, Execution, token_of
from stepsched.core.errors import AccessDeniedError, BackendError, ErrorCode, JobNotFoundError
from stepsched.jobs import JobStatus, Problem, Repair, RunStatus
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import CLAIM, write


class Recovery:
    """Recovers the jobs of a table."""

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

    def settle(self, name: str, claim: Claim, settled: Settle, now: datetime) -> bool:
        """Writes the end of a run in place of the execution that has started it, which is gone.

        Returns:
            Whether it was written; not where the run has ended, or another execution has it.
        """
        by_execution = {"me": {"S": claim.execution}}
        run = {
            "Key": key(name, claim.key),
            **write(
                schema.IS_UNFINISHED,
                schema.IS_NOT_TAKEN,
                values=by_execution,
                sets={
                    schema.STATUS: {"S": settled.status.value},
                    schema.STARTED_AT: {"S": write_instant(claim.started_at)},
                    schema.ENDED_AT: {"S": write_instant(now)},
                    schema.ATTEMPTS: {"N": "1"},
                    schema.ERROR: {"S": settled.ending.error},
                    schema.CAUSE: {"S": settled.ending.cause},
                    schema.EXECUTION: {"S": claim.execution},
                    schema.TTL: write_expiry(now + self._keep),
                },
                keeps={schema.DUE: {"S": due_of(claim.key)}},
            ),
        }
        job = {
            "Key": key(name),
            **write(
                schema.IS_CLAIMED,
                values=by_execution,
                sets={schema.LAST: {"S": claim.key}},
                removes=CLAIM,
            ),
        }
        if self._table.update_all(run, job) or self._table.update_all(run):
            return True
        self._release(name, claim)
        return False

    def _release(self, name: str, claim: Claim) -> None:
        """Removes the claim of an execution that is gone from the job, where its run has ended."""
        row = self._table.run(name, claim.key)
        if row is not None and row.run.ended_at is not None:
            values = {"me": {"S": claim.execution}, "claimed_run": {"S": claim.key}}
            released = write(schema.IS_CLAIMED, schema.IS_CLAIMED_FOR, values=values, removes=CLAIM)
            self._table.update({"Key": key(name), **released})

    def wait_again(
        self,
        row: Row,
        version: str,
        *conditions: str,
        values: Mapping[str, Any],
        restarted: bool = False,
    ) -> Row | None:
        """Makes a run pending again, and starts an execution for it.

        A one-time job with nothing else to come ends with this run.

        Args:
            row: The job's.
            version: The run's key.
            conditions: What must hold of the run's row.
            values: The values in the conditions.
            restarted: Whether its target may have been invoked before.

        Returns:
            The job's row as it is then; None where a condition does not hold, or the job has changed.
        """
        token = new_token()
        sets = {
            schema.STATUS: {"S": RunStatus.PENDING.value},
            schema.TOKEN: {"S": token},
            schema.ATTEMPTS: {"N": "0"},
            **({schema.RESTARTED: {"S": "true"}} if restarted else {}),
        }
        run = {
            "Key": key(row.job.name, version),
            **write(
                *conditions,
                values=values,
                sets=sets,
                keeps={schema.DUE: {"S": due_of(version)}},
                removes=(
                    schema.EXECUTION,
                    schema.STARTED_AT,
                    schema.ENDED_AT,
                    schema.TTL,
                    schema.ERROR,
                    schema.CAUSE,
                ),
            ),
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
            row: The row as it was before its token was taken away.
            now: The present.
            error: The reason, as a code.
            cause: The reason, in words.
        """
        name = row.job.name
        found = {} if row.claim is None else {row.claim.key: row.claim}
        for run in self._table.runs(name):
            if run.run.status is RunStatus.RUNNING:
                found[run.key] = run.claim
        failed = Settle(RunStatus.FAILED, Ending(Fate.FAILED, error, cause), "")
        for claim in found.values():
            child = child_of(self._executions.history(claim.execution))
            # Noted first: what is stopped and not noted would be run again.
            self.settle(name, claim, failed, now)
            self._executions.stop(claim.execution, error, cause)
            if child is not None:
                try:
                    self._executions.stop(child, error, cause)
                except AccessDeniedError:
                    continue  # the machine's own role may, and AWS has it try

    # -- jobs ----------------------------------------------------------------------------------------------

    def recover(self, row: Row, now: datetime) -> list[Repair]:
        """Finds out whether a job comes due as it should, and recovers it.

        Args:
            row: The row as it was read.
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
        last = self._table.run(row.job.name, run_key(row.cursor)) if row.job.is_one_time else None
        if decisions.is_finished(row, last) and self._table.delete(row):
            why = "the run of the one-time job has succeeded, and the job was still there"
            return [*found, _repair(row.job.name, Problem.DEAD, why, "deleted it")]
        return [*found, *self._revive(row, now)]

    def goes_on(self, claim: Claim, now: datetime) -> bool:
        """Whether the execution of a run that has started still runs."""
        return decisions.goes_on(claim, self._executions.find(claim.execution), now)

    def ending_of(self, claim: Claim) -> Ending:
        """What the history of its execution says of a run."""
        return ending_of(self._executions.history(claim.execution))

    def _settle_claim(self, row: Row, claim: Claim, now: datetime) -> tuple[Row, list[Repair]]:
        """Brings a run to its end whose execution is gone: written where its history says how it went, and
        else started again."""
        name = row.job.name
        why = f"the run for {due_of(claim.key)} was claimed by {claim.execution}, which "
        why += self._died(claim.execution)
        decision = decisions.end_of(self.ending_of(claim))
        remedy = None
        if isinstance(decision, Settle):
            remedy = decision.remedy if self.settle(name, claim, decision, now) else None
        else:
            by_execution = {"me": {"S": claim.execution}}
            begun = decision.may_have_begun
            conditions = (schema.IS_UNFINISHED, schema.IS_NOT_TAKEN)
            again = self.wait_again(row, claim.key, *conditions, values=by_execution, restarted=begun)
            if again is not None:
                seen = "may have been" if begun else "had not been"
                remedy = f"the target {seen} invoked: started again"
                return again, [_repair(name, Problem.UNFINISHED, why, remedy)]
            self._release(name, claim)
        present = self._table.read(name)
        if remedy is None and present.claim != claim:
            remedy = "the run had ended: removed its claim"
        found = [] if remedy is None else [_repair(name, Problem.UNFINISHED, why, remedy)]
        return present, found

    def _died(self, arn: str) -> str:
        execution = self._executions.find(arn)
        if execution is None:
            return "is not there any more"
        words = ": ".join(filter(None, (execution.error, execution.cause)))
        return f"has ended as {execution.status}" + (f" ({words})" if words else "")

    def _revive(self, row: Row, now: datetime) -> list[Repair]:
        """Starts the execution of a job that has none."""
        name, token = row.job.name, row.token
        problem, why = Problem.MISSING, "no execution of the job was ever started"
        goes_on = decisions.continuation_of(row, now)
        latest = row.execution
        if latest is None or token_of(latest) != token:
            if goes_on.cursor == row.cursor and self.job_executions.start(row):
                return [_repair(name, problem, why, f"started {self.job_executions.execution_of(row)}")]
            if goes_on.cursor == row.cursor and self.job_executions.is_alive(name, str(token)):
                return []  # somebody else has just started it
            latest = self._executions.arn(self.job_executions.execution_of(row))
        if self._executions.find(latest) is not None:
            problem, why = Problem.DEAD, f"{latest} {self._died(latest)}"
        after = row._replace(token=new_token(), cursor=goes_on.cursor)
        while not self._table.change(row, after):
            try:
                row = self._table.read(name)
            except JobNotFoundError:
                return []
            if row.token != token:
                return []  # somebody else is at it
            # What has changed is an unscheduled run, which has started or ended.
            goes_on = decisions.continuation_of(row, now)
            after = row._replace(token=after.token, cursor=goes_on.cursor)
        for instant in goes_on.missed:
            self._table.put_new(write_missed(name, instant, now, self._keep))
        self.job_executions.start(after)
        count = len(goes_on.missed)
        noted = f", and noted {count:,} run{'s' * (count > 1)} as missed" if count else ""
        return [_repair(name, problem, why, f"started {self.job_executions.execution_of(after)}{noted}")]

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
            return None  # it takes pending runs that have rows of their own, and stops by itself
        if any(
            each.run.status is RunStatus.RUNNING and each.execution == execution.arn
            for each in self._table.runs(name)
        ):
            return None
        row: Row | None = None
        try:
            row = self._table.read(name)
        except JobNotFoundError:
            pass
        except BackendError as error:
            if error.code != ErrorCode.UNREADABLE:
                raise
            return None  # whoever wrote it knows what it is for
        owner = None if row is None or row.execution is None else self._executions.find(row.execution)
        found = decisions.why_stop(execution, row, owner, now)
        if found is None:
            return None
        problem, state = found
        self._executions.stop(execution.arn, DISABLED, f"execution disabled for {name}")
        return _repair(name, problem, f"{execution.arn} runs, and the job {state}", "stopped it")


def _repair(name: str, problem: Problem, detail: str, remedy: str) -> Repair:
    return Repair(job=name, problem=problem, detail=detail, remedy=remedy)
