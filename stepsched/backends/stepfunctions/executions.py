"""The executions of jobs: started, ended, looked for.

To start one twice is to start it once: its name is made of the token that the job's row holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from secrets import token_hex

from stepsched.backends.stepfunctions.rows import Row, RunRow, key
from stepsched.backends.stepfunctions.service import Executions, execution_name, successor_of, token_of
from stepsched.backends.stepfunctions.table import Table
from stepsched.jobs import JobStatus, RunStatus
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import CURRENT, NAME, VERSION, write

_LISTED = (JobStatus.ACTIVE, JobStatus.PAUSED, JobStatus.ENDED)


def new_token() -> str:
    """A token, which no other execution has."""
    return token_hex(6)


class JobExecutions:
    """The executions of the jobs of a table."""

    def __init__(self, table: Table, executions: Executions) -> None:
        self.table = table
        self.executions = executions

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
                item[NAME]["S"]
                for item in self.table.listed(each.value)
                if item[VERSION]["S"] == CURRENT and item[NAME]["S"].startswith(prefix)
            )
            seen = set[str]()  # a job may move in the index while it is read
            while portion := list(islice(names, 100)):
                found = {row.job.name: row for row in self.table.read_many(portion)}
                fresh = [name for name in dict.fromkeys(portion) if name in found and name not in seen]
                seen.update(fresh)
                yield from (found[name] for name in fresh)

    # -- to begin and to end -------------------------------------------------------------------------------

    def start(self, row: Row) -> bool:
        """Starts the execution of an active job.

        Returns:
            False where one of its token has been and has ended.
        """
        given = {"name": row.job.name, "token": row.token}
        return self.executions.start(self.execution_of(row), given)

    def start_unscheduled(self, name: str, keys: Sequence[str], token: str) -> bool:
        """Starts an execution for runs beside the schedule.

        Args:
            name: The job's.
            keys: Of the runs' rows, which wait.
            token: Which these rows hold.

        Returns:
            False where one of its token has been and has ended.
        """
        given = {"name": name, "token": token, "left": list(keys)}
        return self.executions.start(execution_name(name, token), given)

    def end(self, row: Row, error: str, cause: str) -> None:
        """Ends the execution that had the job until now. One that is in the middle of a run is left to its
        end, after which it stops by itself.

        Args:
            row: As it was before its token was taken away.
            error: Why, as a code.
            cause: And in words.
        """
        busy = None if row.claim is None else row.claim.execution
        known = [] if row.execution is None else [row.execution]
        if row.token is not None and token_of(row.execution) != row.token:
            first = self.executions.arn(self.execution_of(row))
            if not row.job.is_one_time or not self._has_runs(first):
                known.append(first)
        for arn in known:
            if arn != busy:
                self.executions.stop(arn, error, cause)

    def _has_runs(self, arn: str) -> bool:
        """Whether an execution takes runs beside the schedule: that of a one-time job may."""
        execution = self.executions.find(arn)
        return execution is not None and bool(execution.given.get("left"))

    def is_alive(self, name: str, token: str, latest: str | None = None) -> bool:
        """Whether an execution with a token runs: the latest that is known, or one after it."""
        if latest is None or token_of(latest) != token:
            latest = self.executions.arn(execution_name(name, token))
        execution = self.executions.find(latest)
        while execution is not None and not execution.is_running:
            following = successor_of(execution, name)
            execution = None if following is None else self.executions.find(self.executions.arn(following))
        return execution is not None

    def ensure(self, rows: Iterable[RunRow]) -> int:
        """Makes sure that those runs of a job start which wait, also where an earlier call was cut off.

        Returns:
            How many had nobody to start them.
        """
        waiting: dict[tuple[str, str], list[str]] = {}
        for row in rows:
            if row.run.status is RunStatus.PENDING:
                waiting.setdefault((row.run.job, str(row.token)), []).append(row.key)
        started = 0
        for (name, token), keys in waiting.items():
            if self.is_alive(name, token):
                continue
            started += len(keys)
            if not self.start_unscheduled(name, sorted(keys), token):  # one of that name has ended
                self._hand_over(name, sorted(keys), token)
        return started

    def _hand_over(self, name: str, keys: Sequence[str], token: str) -> None:
        """Gives runs that wait to another execution, those that nobody has taken meanwhile."""
        fresh = new_token()
        taking = write(
            schema.HAS_STATUS,
            schema.HAS_TOKEN,
            values={"old_status": {"S": RunStatus.PENDING.value}, "old_token": {"S": token}},
            sets={schema.TOKEN: {"S": fresh}},
        )
        taken = [each for each in keys if self.table.update({"Key": key(name, each), **taking})]
        if taken:
            self.start_unscheduled(name, taken, fresh)
