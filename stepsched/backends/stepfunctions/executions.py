"""Starts, stops and looks up the executions of jobs.

To start an execution is idempotent: its name contains the token of the job's row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from secrets import token_hex

from stepsched.backends.stepfunctions.rows import Item, Row, RunRow, key
from stepsched.backends.stepfunctions.service import (
    Executions,
    execution_name,
    series_of,
    successor_of,
    token_of,
)
from stepsched.backends.stepfunctions.table import Table
from stepsched.jobs import JobStatus, RunStatus
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import CURRENT, NAME, VERSION, write

_LISTED = (JobStatus.ACTIVE, JobStatus.PAUSED, JobStatus.ENDED)


def new_token() -> str:
    """A new unique token."""
    return token_hex(6)


class JobExecutions:
    """The executions of the jobs of a table."""

    def __init__(self, table: Table, executions: Executions) -> None:
        self.table = table
        self.executions = executions

    def execution_of(self, row: Row) -> str:
        """The name of the first execution with the token of a row."""
        assert row.token is not None, "the job must be active"
        return execution_name(row.job.name, row.token)

    def rows(self, status: JobStatus | None, prefix: str = "", *, indexed: bool = True) -> Iterator[Row]:
        """The current rows of jobs. With the index, they are grouped by status and ordered by next run."""
        if not indexed:
            rows = self.table.parse_many(self.table.scan())
            yield from (row for row in rows if row.job.name.startswith(prefix))
            return
        for each in _LISTED if status is None else (status,):
            names = (
                item[NAME]["S"]
                for item in self.table.keys_by_status(each.value)
                if item[VERSION]["S"] == CURRENT and item[NAME]["S"].startswith(prefix)
            )
            seen = set[str]()  # a job may move in the index while it is read
            while portion := list(islice(names, 100)):
                found = {row.job.name: row for row in self.table.read_many(portion)}
                fresh = [name for name in dict.fromkeys(portion) if name in found and name not in seen]
                seen.update(fresh)
                yield from (found[name] for name in fresh)

    # -- start and stop ------------------------------------------------------------------------------------

    def start(self, row: Row) -> bool:
        """Starts the execution of an active job.

        Returns:
            False if an execution with this token has already ended.
        """
        assert row.token is not None, "the job must be active"
        input_data = {"name": row.job.name, "token": row.token, **series_of(row.job.name, row.token)}
        return self.executions.start(self.execution_of(row), input_data)

    def start_unscheduled(self, name: str, keys: Sequence[str], token: str) -> bool:
        """Starts an execution for unscheduled runs.

        Args:
            name: The name of the job.
            keys: The keys of the pending rows of the runs.
            token: The token in these rows.

        Returns:
            False if an execution with this token has already ended.
        """
        input_data = {"name": name, "token": token, "left": list(keys), **series_of(name, token)}
        return self.executions.start(execution_name(name, token), input_data)

    def end(self, row: Row, error: str, cause: str) -> None:
        """Stops the execution of a job. An execution that is in a run is not stopped: it ends by itself after
        the run.

        Args:
            row: The row as it was before its token was removed.
            error: The error code of the stopped execution.
            cause: The reason in words.
        """
        busy = None if row.claim is None else row.claim.execution
        known = [] if row.execution is None else [row.execution]
        if row.token is not None and token_of(row.execution) != row.token:
            first = self.executions.arn(self.execution_of(row))
            if not row.job.is_one_time or not self._runs_unscheduled(first):
                known.append(first)
        for arn in known:
            if arn != busy:
                self.executions.stop(arn, error, cause)

    def end_unreadable(self, item: Item, error: str, cause: str, *, stop_run: bool) -> None:
        """Stops the execution of a job whose row cannot be read, as :meth:`end` does.

        Args:
            item: The row.
            error: The error code of the stopped execution.
            cause: The reason in words.
            stop_run: Whether to stop an execution that is in a run, too.
        """
        texts = {name: item.get(name, {}).get("S") for name in (schema.EXECUTION, schema.TOKEN)}
        known, token = texts[schema.EXECUTION], texts[schema.TOKEN]
        if known is None and token is not None:
            first = self.executions.arn(execution_name(item[NAME]["S"], token))
            known = None if self._runs_unscheduled(first) else first
        if known is not None and (stop_run or known != item.get(schema.CLAIMED_BY, {}).get("S")):
            self.executions.stop(known, error, cause)

    def _runs_unscheduled(self, arn: str) -> bool:
        """Whether an execution was started for unscheduled runs. That of a one-time job may have been."""
        execution = self.executions.find(arn)
        return execution is not None and bool(execution.input.get("left"))

    def is_running(self, name: str, token: str, latest: str | None = None) -> bool:
        """Whether an execution with a token is running: the latest known one, or a successor of it."""
        if latest is None or token_of(latest) != token:
            latest = self.executions.arn(execution_name(name, token))
        execution = self.executions.find(latest)
        while execution is not None and not execution.is_running:
            following = successor_of(execution, name)
            execution = None if following is None else self.executions.find(self.executions.arn(following))
        return execution is not None

    def start_pending(self, rows: Iterable[RunRow]) -> int:
        """Starts an execution for the pending runs among ``rows`` that no running execution will start.

        Returns:
            The number of runs for which an execution was started.
        """
        waiting: dict[tuple[str, str], list[str]] = {}
        for row in rows:
            if row.run.status is RunStatus.PENDING:
                waiting.setdefault((row.run.job, str(row.token)), []).append(row.key)
        started = 0
        for (name, token), keys in waiting.items():
            if self.is_running(name, token):
                continue
            started += len(keys)
            if not self.start_unscheduled(name, sorted(keys), token):  # an execution of that name has ended
                self._reassign(name, sorted(keys), token)
        return started

    def _reassign(self, name: str, keys: Sequence[str], token: str) -> None:
        """Assigns pending runs to a new execution, unless they have been taken in the meantime."""
        token_of_new = new_token()
        taking = write(
            schema.HAS_STATUS,
            schema.HAS_TOKEN,
            values={"old_status": {"S": RunStatus.PENDING.value}, "old_token": {"S": token}},
            sets={schema.TOKEN: {"S": token_of_new}},
        )
        taken = [each for each in keys if self.table.update({"Key": key(name, each), **taking})]
        if taken:
            self.start_unscheduled(name, taken, token_of_new)
