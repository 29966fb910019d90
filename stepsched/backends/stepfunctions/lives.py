"""The executions of jobs: started, ended, and mended where one has died.

Everything here may be done twice, and by several at once: an execution is started under a name that its token
makes, and a row is changed only as it was read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from secrets import token_hex

from stepsched.backends.stepfunctions.histories import Fate, child_of, fate_of
from stepsched.backends.stepfunctions.rows import (
    CURRENT,
    Claim,
    Row,
    key,
    read_claimed,
    run_key,
    whole_second,
    write_expiry,
    write_instant,
)
from stepsched.backends.stepfunctions.service import (
    DISABLED,
    Execution,
    Executions,
    execution_name,
    successor_of,
    token_of,
)
from stepsched.backends.stepfunctions.table import UNREADABLE, Table
from stepsched.errors import BackendError, JobNotFoundError
from stepsched.jobs import CatchUp, Completion, JobStatus, Problem, Repair, RunStatus

_SECOND = timedelta(seconds=1)
_MOST_MISSED = 10_000
"""Runs of one job that are noted as missed at once, the latest ones."""
_LISTED = (JobStatus.ACTIVE, JobStatus.PAUSED, JobStatus.ENDED)


def new_token() -> str:
    """A token, which no other execution has."""
    return token_hex(6)


class Lives:
    """The executions of the jobs of a table."""

    def __init__(self, table: Table, executions: Executions, keep: timedelta) -> None:
        """Those of one machine.

        Args:
            table: Its table.
            executions: Its executions.
            keep: How long the rows of runs are kept that have ended.
        """
        self.table = table
        self.executions = executions
        self._keep = keep

    def execution_of(self, row: Row) -> str:
        """The name of the first execution with the row's token."""
        assert row.token is not None, "the job is active"
        return execution_name(row.job.name, row.token)

    def rows(self, status: JobStatus | None, prefix: str = "", *, indexed: bool = True) -> Iterator[Row]:
        """The current rows of jobs, those of each status by their next run."""
        if not indexed:
            rows = self.table.parse_many(self.table.scan())
            yield from (row for row in rows if row.job.name.startswith(prefix))
            return
        for each in _LISTED if status is None else (status,):
            names = (
                item["name"]["S"]
                for item in self.table.listed(each.value)
                if item["version"]["S"] == CURRENT and item["name"]["S"].startswith(prefix)
            )
            while portion := list(islice(names, 100)):
                found = {row.job.name: row for row in self.table.read_many(portion)}
                yield from (found[name] for name in portion if name in found)

    # -- to begin and to end -------------------------------------------------------------------------------

    def start(self, row: Row) -> bool:
        """Starts the execution of an active job.

        Returns:
            False where one of its token has been and has ended.
        """
        given = {"name": row.job.name, "token": row.token}
        return self.executions.start(self.execution_of(row), given)

    def start_apart(self, name: str, keys: Sequence[str], token: str, *, restarted: str = "") -> bool:
        """Starts an execution for runs beside the schedule.

        Args:
            name: The job's.
            keys: Of the runs' rows, which wait.
            token: Which these rows hold.
            restarted: The one of them that may have been begun before.
        """
        given = {"name": name, "token": token, "left": list(keys)}
        if restarted:
            given["restarted"] = restarted
        return self.executions.start(execution_name(name, token), given)

    def end(self, row: Row, error: str, cause: str, *, stop_run_at: datetime | None = None) -> None:
        """Ends the execution that had the job until now. One that is in the middle of a run is left to its
        end, after which it stops by itself.

        Args:
            row: As it was before its token was taken away.
            error: Why, as a code.
            cause: And in words.
            stop_run_at: The present, where runs that go on are stopped too.
        """
        if stop_run_at is not None:
            for claim in self._going_on(row):
                self._stop_run(row.job.name, claim, stop_run_at, error, cause)
        busy = None if row.claim is None else row.claim.execution
        known = [row.execution] if row.execution is not None else []
        if row.token is not None:
            first = self.executions.arn(self.execution_of(row))
            if row.execution is None or token_of(row.execution) != row.token:
                known.append(first)
        for arn in known:
            if arn != busy:
                self.executions.stop(arn, error, cause)

    def _going_on(self, row: Row) -> list[Claim]:
        """The runs of a job that go on, also those beside the schedule."""
        found = {} if row.claim is None else {row.claim.key: row.claim}
        for item in self.table.query(row.job.name):
            if item["status"]["S"] == RunStatus.RUNNING.value:
                claim = read_claimed(item)
                found[claim.key] = claim
        return list(found.values())

    def _stop_run(self, name: str, claim: Claim, now: datetime, error: str, cause: str) -> None:
        """Stops a run with the execution that waits for it, and notes that it has failed."""
        child = child_of(self.executions.history(claim.execution))
        self.executions.stop(claim.execution, error, cause)
        if child is not None:
            self.executions.stop(child, error, cause)
        self.settle(name, claim, RunStatus.FAILED, now, error=error, cause=cause)
        self.table.release(name, claim.execution)

    def settle(
        self,
        name: str,
        claim: Claim,
        status: RunStatus,
        ended_at: datetime,
        *,
        error: str = "",
        cause: str = "",
    ) -> bool:
        """Writes the end of a run in place of the execution that has begun it."""
        return self.table.write(
            name,
            claim.key,
            "SET #status = :status, #due = if_not_exists(#due, :due), started_at = :started,"
            " ended_at = :ended, attempts = :one, #error = :error, cause = :cause, execution = :by,"
            " expires_at = :expires",
            "attribute_not_exists(ended_at)",
            {
                ":expires": write_expiry(ended_at + self._keep),
                ":status": {"S": status.value},
                ":due": {"S": claim.key[4:24]},
                ":started": {"S": write_instant(claim.started_at)},
                ":ended": {"S": write_instant(ended_at)},
                ":one": {"N": "1"},
                ":error": {"S": error},
                ":cause": {"S": cause},
                ":by": {"S": claim.execution},
            },
        )

    # -- to mend -------------------------------------------------------------------------------------------

    def is_alive(self, name: str, token: str, latest: str | None = None) -> bool:
        """Whether an execution with a token runs: the latest that is known, or one after it."""
        if latest is None or token_of(latest) != token:
            latest = self.executions.arn(execution_name(name, token))
        execution = self.executions.find(latest)
        while execution is not None and not execution.is_running:
            execution = self.executions.find(self.executions.arn(successor_of(execution, name)))
        return execution is not None

    def mend(self, row: Row, now: datetime, running: Collection[str] = ()) -> list[Repair]:
        """Finds out whether a job comes due as it should, and mends it.

        Args:
            row: As it was read.
            now: The present.
            running: Tokens of which it is known that their executions run.

        Returns:
            What was wrong, and what was done.
        """
        found: list[Repair] = []
        if row.claim is not None and not self._goes_on(row.claim):
            row, settled = self._settle_claim(row, now)
            found += settled
        if row.status is not JobStatus.ACTIVE or row.token is None:
            return found
        if row.token in running or self.is_alive(row.job.name, row.token, row.execution):
            return found
        if row.job.is_one_time and row.next_run is None and self._ends(row):
            why = "the run of the one-time job has succeeded, and the job was still there"
            return [*found, _repair(row, Problem.DEAD, why, "deleted it")]
        return [*found, *self._revive(row, now)]

    def _goes_on(self, claim: Claim) -> bool:
        execution = self.executions.find(claim.execution)
        return execution is not None and execution.is_running

    def _settle_claim(self, row: Row, now: datetime) -> tuple[Row, list[Repair]]:
        """Brings a run to its end whose execution is gone: noted where its history tells how it went, and
        else run again."""
        assert row.claim is not None
        claim, name = row.claim, row.job.name
        fate = fate_of(self.executions.history(claim.execution))
        end = self._died(claim.execution)
        why = f"the run for {claim.key[4:24]} was claimed by {claim.execution}, which {end}"
        if fate is Fate.DONE:
            if not self.settle(name, claim, RunStatus.SUCCEEDED, now):
                return row, []
            remedy = "its history says that the target was invoked: noted as succeeded"
            after = row._replace(claim=None)
            if not self.table.change(row, after):
                return row, []
        else:
            begun = fate is Fate.UNKNOWN
            again = self.wait_again(row, claim.key, "attribute_not_exists(ended_at)", restarted=begun)
            if again is None:
                return row, []
            after = again
            remedy = f"the target {'may have been' if begun else 'had not been'} invoked: started again"
        return after, [_repair(row, Problem.UNFINISHED, why, remedy)]

    def wait_again(
        self, row: Row, version: str, condition: str, *, restarted: bool = False, seen: str = ""
    ) -> Row | None:
        """Lets a run wait, and starts an execution for it.

        A one-time job with nothing else to come ends with this run.

        Args:
            row: The job's.
            version: The run's key.
            condition: What must hold of the run's row, with ``:seen``.
            restarted: Whether it may have been begun before.
            seen: What ``:seen`` stands for.

        Returns:
            The job's row as it is then; None where the condition does not hold, or the job has changed.
        """
        token = new_token()
        values = {
            ":pending": {"S": RunStatus.PENDING.value},
            ":due": {"S": version[4:24]},
            ":token": {"S": token},
        }
        if seen:
            values[":seen"] = {"S": seen}
        after = row._replace(claim=None)
        if row.job.is_one_time and row.job.schedule.next_run(after=row.cursor) is None:
            after = after._replace(status=JobStatus.ACTIVE, token=token)
        waits = self.table.write(
            row.job.name,
            version,
            "SET #status = :pending, #due = if_not_exists(#due, :due), #token = :token, attempts = :none"
            " REMOVE execution, started_at, ended_at, expires_at, #error, cause",
            condition,
            values | {":none": {"N": "0"}},
        )
        if not waits or (after != row and not self.table.change(row, after)):
            return None
        self.start_apart(row.job.name, [version], token, restarted=version if restarted else "")
        return after

    def _died(self, arn: str) -> str:
        execution = self.executions.find(arn)
        if execution is None:
            return "is not there any more"
        words = ": ".join(filter(None, (execution.error, execution.cause)))
        return f"has ended as {execution.status}" + (f" ({words})" if words else "")

    def _ends(self, row: Row) -> bool:
        """Whether a one-time job has run, and was only not deleted."""
        item = self.table.item(row.job.name, run_key(row.cursor))
        has_run = item is not None and item["status"]["S"] == RunStatus.SUCCEEDED.value
        return has_run and row.job.completion is Completion.DELETE and self.table.delete(row)

    def _revive(self, row: Row, now: datetime) -> list[Repair]:
        """Starts the execution of a job that has none."""
        problem = Problem.MISSING
        why = "no execution of the job was ever started"
        cursor, missed = self._caught_up(row, now)
        latest = row.execution
        if latest is None or token_of(latest) != row.token:
            if cursor == row.cursor and self.start(row):
                return [_repair(row, problem, why, f"started {self.execution_of(row)}")]
            latest = self.executions.arn(self.execution_of(row))
        if self.executions.find(latest) is not None:
            problem, why = Problem.DEAD, f"{latest} {self._died(latest)}"
        after = row._replace(token=new_token(), cursor=cursor)
        token = row.token
        while not self.table.change(row, after):
            try:
                row = self.table.read(row.job.name)
            except JobNotFoundError:
                return []
            if row.token != token:
                return []  # somebody else is at it
            cursor, missed = self._caught_up(
                row, now
            )  # a run beside the schedule has begun or ended meanwhile
            after = row._replace(token=after.token, cursor=cursor)
        for instant in missed:
            text = write_instant(now)
            self.table.put_new(
                {
                    **key(row.job.name, run_key(instant)),
                    "status": {"S": RunStatus.MISSED.value},
                    "due": {"S": run_key(instant)[4:]},
                    "recorded_at": {"S": text},
                    "ended_at": {"S": text},
                    "expires_at": write_expiry(now + self._keep),
                }
            )
        self.start(after)
        noted = f", and noted {len(missed):,} runs as missed" if missed else ""
        return [_repair(row, problem, why, f"started {self.execution_of(after)}{noted}")]

    def _caught_up(self, row: Row, now: datetime) -> tuple[datetime, list[datetime]]:
        """Where a job goes on that had no execution for a while, and the runs that it leaves out."""
        if row.job.catch_up is CatchUp.ALL:
            return row.cursor, []
        schedule = row.job.anchored(row.anchor)
        present = whole_second(now)
        late: list[datetime] = []
        for instant in schedule.runs(after=row.cursor, until=present):
            late.append(instant)
            if len(late) > 2 * _MOST_MISSED:
                del late[:_MOST_MISSED]
        if row.job.catch_up is CatchUp.ONE and late:
            return late[-1] - _SECOND, late[:-1][-_MOST_MISSED:]
        return max(row.cursor, present), late[-_MOST_MISSED:]

    def stop_stale(self, execution: Execution) -> Repair | None:
        """Stops an execution which no job wants. One that no job knows of is left alone.

        Returns:
            What was done; None where it is wanted, or is in the middle of a run.
        """
        described = self.executions.find(execution.arn)
        name = None if described is None else described.given.get("name")
        if described is None or not described.is_running or not isinstance(name, str):
            return None
        if described.given.get("left"):
            return None  # it takes what waits in rows of their own, and stops by itself
        try:
            row = self.table.read(name)
        except JobNotFoundError:
            row = None
        except BackendError as error:
            if error.code != UNREADABLE:
                raise
            return None  # whoever wrote it knows what it is for
        if row is None and self._has_a_run(execution, name):
            return None
        if row is not None:
            if row.claim is not None and row.claim.execution == execution.arn:
                return None
            if row.token == execution.token and row.execution in (None, execution.arn):
                return None
            if row.token == execution.token and token_of(row.execution) != row.token:
                return None  # it has only just begun
        doubled = row is not None and row.token == execution.token
        problem = Problem.DOUBLED if doubled else Problem.STALE
        state = "is gone" if row is None else f"is {row.status.value}, and has another execution or none"
        why = f"{execution.arn} runs, and the job {state}"
        self.executions.stop(execution.arn, DISABLED, f"execution disabled for {name}")
        return Repair(job=name, problem=problem, detail=why, remedy="stopped it")

    def _has_a_run(self, execution: Execution, name: str) -> bool:
        """Whether an execution is in the middle of a run of a job that is gone."""
        for item in self.table.query(name):
            if item["status"]["S"] == RunStatus.RUNNING.value and item["execution"]["S"] == execution.arn:
                return True
        return False


def _repair(row: Row, problem: Problem, detail: str, remedy: str) -> Repair:
    return Repair(job=row.job.name, problem=problem, detail=detail, remedy=remedy)
