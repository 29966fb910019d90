"""Recovers jobs and runs whose execution ended unexpectedly, and stops orphaned executions.

:mod:`decisions` decides; this module reads the values and performs the decisions. Every operation may be
repeated and may run concurrently: a row is changed only if it is still as it was read, and a run is changed
in one transaction with its job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from stepsched.backends.stepfunctions import decisions
from stepsched.backends.stepfunctions.decisions import RecordEnd
from stepsched.backends.stepfunctions.executions import JobExecutions, new_token
from stepsched.backends.stepfunctions.histories import Ending, Outcome, child_of, ending_of
from stepsched.backends.stepfunctions.instructions import with_new_zone
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
from stepsched.backends.stepfunctions.service import DISABLED, SUPERSEDED, Execution, token_of
from stepsched.core.errors import AccessDeniedError, BackendError, ErrorCode, JobNotFoundError
from stepsched.jobs import JobStatus, Problem, Repair, RunStatus
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import CLAIM, write
from stepsched.schedules.zone_databases import timezone_database

_MISSED_AT_ONCE = 90
"""The maximum number of missed runs that one transaction records; DynamoDB accepts 100 items."""


class Recovery:
    """Recovers the jobs of a table."""

    def __init__(self, job_executions: JobExecutions, retention: timedelta) -> None:
        """A recovery for the jobs of one table.

        Args:
            job_executions: The executions of the jobs.
            retention: How long the rows of ended runs are kept.
        """
        self.job_executions = job_executions
        self._table = job_executions.table
        self._executions = job_executions.executions
        self._retention = retention

    # -- runs ----------------------------------------------------------------------------------------------

    def record_end(self, name: str, claim: Claim, decision: RecordEnd, now: datetime) -> bool:
        """Records the end of a run whose execution has ended.

        Returns:
            Whether it was recorded. False: the run has already ended, or another execution has taken it.
        """
        by_execution = {"me": {"S": claim.execution}}
        run = {
            "Key": key(name, claim.key),
            **write(
                schema.IS_UNFINISHED,
                schema.IS_NOT_TAKEN,
                values=by_execution,
                sets={
                    schema.STATUS: {"S": decision.status.value},
                    schema.STARTED_AT: {"S": write_instant(claim.started_at)},
                    schema.ENDED_AT: {"S": write_instant(now)},
                    schema.ATTEMPTS: {"N": "1"},
                    schema.ERROR: {"S": decision.ending.error},
                    schema.CAUSE: {"S": decision.ending.cause},
                    schema.EXECUTION: {"S": claim.execution},
                    schema.TTL: write_expiry(now + self._retention),
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
        """Removes the claim of an ended execution from the job, if its run has ended."""
        row = self._table.run(name, claim.key)
        if row is not None and row.run.ended_at is not None:
            values = {"me": {"S": claim.execution}, "claimed_run": {"S": claim.key}}
            released = write(schema.IS_CLAIMED, schema.IS_CLAIMED_FOR, values=values, removes=CLAIM)
            self._table.update({"Key": key(name), **released})

    def make_pending(
        self,
        row: Row,
        version: str,
        *conditions: str,
        values: Mapping[str, Any],
        restarted: bool = False,
    ) -> Row | None:
        """Makes a run pending again, and starts an execution for it.

        A one-time job without a further run ends with this run.

        Args:
            row: The current row of the job.
            version: The key of the run.
            conditions: The conditions on the row of the run.
            values: The values in the conditions.
            restarted: Whether the target may have been invoked before.

        Returns:
            The new row of the job. None: a condition does not hold, or the job has changed.
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

    def stop_runs(
        self,
        row: Row,
        now: datetime,
        error: str,
        cause: str,
        cancel: Callable[[Row, str, str | None], object],
    ) -> None:
        """Stops the running runs of a job with their executions, and records them as failed. AWS stops the
        started targets where it can; an execution of a StateMachineTarget is stopped here too, if permitted.

        Args:
            row: The row as it was before its token was removed.
            now: The present.
            error: The reason, as a code.
            cause: The reason, in words.
            cancel: Cancels what a run has started and what would go on without it, by the row of the job, the
                key of the run, and the execution that the run has started and waits for.
        """
        name = row.job.name
        found = {} if row.claim is None else {row.claim.key: row.claim}
        for run in self._table.runs(name):
            if run.run.status is RunStatus.RUNNING:
                found[run.key] = run.claim
        failed = RecordEnd(RunStatus.FAILED, Ending(Outcome.FAILED, error, cause), "")
        for claim in found.values():
            child = child_of(self._executions.history(claim.execution))
            cancel(row, claim.key, child)  # before the end, after which a repetition does not find the run
            # The end is recorded first: a run that is stopped and not recorded would be started again.
            self.record_end(name, claim, failed, now)
            self._executions.stop(claim.execution, error, cause)
            if child is not None:
                with suppress(
                    AccessDeniedError
                ):  # Step Functions tries to stop it with the role of the machine
                    self._executions.stop(child, error, cause)
            cancel(row, claim.key, child)  # it may have been started in the meantime

    # -- jobs ----------------------------------------------------------------------------------------------

    def recover(self, row: Row, now: datetime) -> list[Repair]:
        """Recovers a job whose execution ended unexpectedly.

        Args:
            row: The current row as it was read.
            now: The present.

        Returns:
            The repairs; empty if the job needed none.
        """
        found: list[Repair] = []
        if row.claim is not None and not self.is_running(row.claim, now):
            token = row.token
            row, repairs = self._recover_claim(row, row.claim, now)
            found += repairs
            if row.token != token:
                return found  # the restarted run is the last run of the job
        if row.status is not JobStatus.ACTIVE or row.token is None:
            return found
        if self.job_executions.is_running(row.job.name, row.token, row.execution):
            return found
        last = self._table.run(row.job.name, run_key(row.cursor)) if row.job.is_one_time else None
        if decisions.is_finished(row, last) and self._table.delete(row):
            why = "the run of the one-time job has succeeded, and the job still existed"
            return [*found, _repair(row.job.name, Problem.DEAD, why, "deleted it")]
        return [*found, *self._restart(row, now)]

    def is_running(self, claim: Claim, now: datetime) -> bool:
        """Whether the execution of a claimed run is still running."""
        return decisions.is_running(claim, self._executions.find(claim.execution), now)

    def ending_of(self, claim: Claim) -> Ending:
        """How a claimed run ended, according to the history of its execution."""
        return ending_of(self._executions.history(claim.execution))

    def _recover_claim(self, row: Row, claim: Claim, now: datetime) -> tuple[Row, list[Repair]]:
        """Recovers a run whose execution has ended: records its end if the history says how it ended, and
        starts it again otherwise."""
        name = row.job.name
        why = f"the run for {due_of(claim.key)} was claimed by {claim.execution}, which "
        why += self._describe_end(claim.execution)
        decision = decisions.run_action(self.ending_of(claim))
        remedy = None
        if isinstance(decision, RecordEnd):
            remedy = decision.remedy if self.record_end(name, claim, decision, now) else None
        else:
            by_execution = {"me": {"S": claim.execution}}
            begun = decision.may_have_begun
            conditions = (schema.IS_UNFINISHED, schema.IS_NOT_TAKEN)
            again = self.make_pending(row, claim.key, *conditions, values=by_execution, restarted=begun)
            if again is not None:
                invoked = "may have been" if begun else "had not been"
                remedy = f"the target {invoked} invoked: started again"
                return again, [_repair(name, Problem.UNFINISHED, why, remedy)]
            self._release(name, claim)
        present = self._table.read(name)
        if remedy is None and present.claim != claim:
            remedy = "the run had ended: removed its claim"
        found = [] if remedy is None else [_repair(name, Problem.UNFINISHED, why, remedy)]
        return present, found

    def _describe_end(self, arn: str) -> str:
        """How an execution has ended, in words."""
        execution = self._executions.find(arn)
        if execution is None:
            return "no longer exists"
        words = ": ".join(filter(None, (execution.error, execution.cause)))
        return f"has ended as {execution.status}" + (f" ({words})" if words else "")

    def _restart(self, row: Row, now: datetime) -> list[Repair]:
        """Starts a new execution for an active job that has none."""
        name, token = row.job.name, row.token
        problem, why = Problem.MISSING, "no execution of the job was ever started"
        continuation = decisions.continuation_of(row, now)
        latest = row.execution
        if latest is None or token_of(latest) != token:
            if continuation.cursor == row.cursor and self.job_executions.start(row):
                return [_repair(name, problem, why, f"started {self.job_executions.execution_of(row)}")]
            if continuation.cursor == row.cursor and self.job_executions.is_running(name, str(token)):
                return []  # another caller has just started it
            latest = self._executions.arn(self.job_executions.execution_of(row))
        if self._executions.find(latest) is not None:
            problem, why = Problem.DEAD, f"{latest} {self._describe_end(latest)}"
        after, count = self._continue(row, now)
        if after is None:
            return []
        self.job_executions.start(after)
        recorded = f", and recorded {count:,} run{'s' * (count > 1)} as missed" if count else ""
        return [_repair(name, problem, why, f"started {self.job_executions.execution_of(after)}{recorded}")]

    def _continue(self, row: Row, now: datetime) -> tuple[Row | None, int]:
        """Gives a job a new token, and records the runs that its ``catch_up`` leaves out. The job passes a
        run in the transaction that records it as missed, so that an interrupted recovery loses no record.

        Returns:
            The new row, and the number of recorded runs. None: another caller has replaced the execution, or
            the job is gone.
        """
        name, token, new, count = row.job.name, row.token, new_token(), 0
        while row.token == token:
            continuation = decisions.continuation_of(row, now)
            missed = continuation.missed[:_MISSED_AT_ONCE]
            if is_last := len(missed) == len(continuation.missed):
                after = row._replace(token=new, cursor=continuation.cursor)
            else:
                after = row._replace(cursor=missed[-1])
            known = {item[schema.VERSION]["S"] for item in self._table.items(_keys(name, missed))}
            fresh = [instant for instant in missed if run_key(instant) not in known]
            numbered = enumerate(fresh, start=count)  # recorded in this order
            runs = [
                write_missed(name, instant, now + timedelta(milliseconds=number), self._retention)
                for number, instant in numbered
            ]
            if self._table.change(row, after, *runs):
                count += len(fresh)
                if is_last:
                    return after, count
                row = after
                continue
            try:  # an unscheduled run has started or ended in the meantime, or another caller was faster
                row = self._table.read(name)
            except JobNotFoundError:
                break
        return None, count

    def renew_zone(self, row: Row) -> list[Repair]:
        """Writes the zone rules of this machine's database to an active job that is stored with older ones,
        and replaces its execution, which has read those.

        A run that is running goes on. The next run follows the new rules.

        Args:
            row: The current row as it was read.

        Returns:
            The repair; empty if the rules are current, or another caller has changed the job.
        """
        text = with_new_zone(row.plan, row.job, anchor=row.anchor, cursor=row.cursor)
        if text is None or row.status is not JobStatus.ACTIVE or row.token is None:
            return []
        after = row._replace(plan=text, token=new_token())
        if not self._table.change(row, after):
            return []
        started = self.job_executions.execution_of(after)
        self.job_executions.end(row, SUPERSEDED, f"execution superseded by {started}")
        self.job_executions.start(after)
        why = f"its zone rules are older than the time zone database {timezone_database().version}"
        remedy = f"wrote the new rules, and started {started}"
        return [_repair(row.job.name, Problem.OUTDATED, why, remedy)]

    # -- executions ----------------------------------------------------------------------------------------

    def stop_orphaned(self, execution: Execution, now: datetime) -> Repair | None:
        """Stops an orphaned or duplicate execution. An execution that was not started for a job is ignored.

        Args:
            execution: An execution from the list of running executions.
            now: The present.

        Returns:
            The repair. None: the execution is current, or is in a run.
        """
        described = self._executions.find(execution.arn)
        name = None if described is None else described.input.get("name")
        if described is None or not described.is_running or not isinstance(name, str):
            return None
        if described.input.get("left"):
            return None  # it was started for unscheduled runs, and ends by itself
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
            return None  # the job may have been written by a newer version
        owner = None if row is None or row.execution is None else self._executions.find(row.execution)
        found = decisions.why_stop(execution, row, owner, now)
        if found is None:
            return None
        problem, state = found
        self._executions.stop(execution.arn, DISABLED, f"execution disabled for {name}")
        return _repair(name, problem, f"{execution.arn} is running, and the job {state}", "stopped it")


def _keys(name: str, instants: Iterable[datetime]) -> Iterator[dict[str, Any]]:
    return (key(name, run_key(instant)) for instant in instants)


def _repair(name: str, problem: Problem, detail: str, remedy: str) -> Repair:
    return Repair(job=name, problem=problem, detail=detail, remedy=remedy)
