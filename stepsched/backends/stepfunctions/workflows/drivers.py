"""Starts, looks up and stops the executions that drive runs of workflows.

All state of a run is in its rows, so a run may have any number of drivers at any time: the one whose ARN is
the token of the run's row claims steps, the others wait for the end of the run. The names of drivers follow
from the run, so that an interrupted start can be repeated: the first of each restart is
``<run>-<restarts>``, further ones ``<run>-<restarts>-<number>``.

A driver that has died is replaced, never redriven. A redriven execution goes on in the state that it died in,
with the variables that it had then: one that died while it submitted a job would submit it again, though AWS
Batch may have it, or though an operator has skipped the step since. A new one reads all rows, and looks for
the jobs of claimed steps first.
"""

from __future__ import annotations

from hashlib import sha256

from stepsched.backends.stepfunctions.rows import key
from stepsched.backends.stepfunctions.service import DISABLED, Execution, Executions
from stepsched.backends.stepfunctions.table import Table
from stepsched.backends.stepfunctions.workflows.rows import RunRow, rows_of_workflow
from stepsched.core.errors import BackendError, ErrorCode
from stepsched.jobs.names import narrowed
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import FLOW, write

_MAX_DRIVERS = 100
"""The maximum number of drivers of one restart that are looked for."""


class Drivers:
    """The executions of the machine that runs workflows."""

    def __init__(self, executions: Executions, table: Table) -> None:
        self.executions = executions
        self._table = table

    def first_name(self, workflow: str, run_id: str, restarts: int) -> str:
        """The name of the first driver of a run, or of a restart of it; at most 70 characters."""
        digest = sha256(f"{workflow}/{run_id}".encode()).hexdigest()[:16]
        return f"{narrowed(workflow, 40)}-{digest}-{restarts}"

    def first_arn(self, workflow: str, run_id: str, restarts: int) -> str:
        """The ARN of the execution with that name."""
        return self.executions.arn(self.first_name(workflow, run_id, restarts))

    def latest(self, row: RunRow) -> Execution | None:
        """The execution that drives a run, or has driven it last: a running one if there is any. None: there
        is none."""
        found = [self.executions.find(arn) for arn in dict.fromkeys(filter(None, (row.token, row.execution)))]
        known = [each for each in found if each is not None]
        return next((each for each in known if each.is_running), known[0] if known else None)

    def is_mine(self, arn: str) -> bool:
        """Whether an execution is one of the machine that runs workflows."""
        return arn.rpartition(":")[0] == self.executions.arn("").rpartition(":")[0]

    def workflow_of(self, arn: str) -> str | None:
        """The workflow with which an execution was started. None: it is unknown."""
        found = self.executions.find(arn)
        name = None if found is None else found.input.get("workflow")
        return name if isinstance(name, str) else None

    def is_driven(self, row: RunRow) -> bool:
        """Whether an execution drives a run."""
        found = self.latest(row)
        return found is not None and found.is_running

    def ensure(self, row: RunRow) -> str | None:
        """Makes sure that an execution drives a run that has not ended, or whose end is still to be told.

        Args:
            row: The row of the run.

        Returns:
            What was done, in a few words. None: one drove it already.
        """
        last = self.latest(row)
        if last is not None and last.is_running:
            return None
        return f"started {self._start(row, last)}"

    def _start(self, row: RunRow, last: Execution | None) -> str:
        run = row.run
        first = self.first_name(run.workflow, run.id, run.restarts)
        for number in range(_MAX_DRIVERS):
            name = f"{first}-{number}" if number else first
            arn = self.executions.arn(name)
            if not self.executions.start(name, {"workflow": run.workflow, "run": run.id}):
                found = self.executions.find(arn)
                if found is None or not found.is_running or _was_replaced(found, last):
                    continue
            if arn != row.execution:
                self._record(row, arn)
            return arn
        detail = f"{_MAX_DRIVERS} executions of run {run.key!r} have ended, and the run has not"
        raise BackendError("states", "StartExecution", ErrorCode.UNKNOWN, detail=detail)

    def _record(self, row: RunRow, arn: str) -> None:
        """Records the execution that was started, by which it is found before it has taken the run."""
        state = row.has_state
        sets = {schema.EXECUTION: {"S": arn}}
        where = key(rows_of_workflow(row.run.workflow), f"{FLOW}{row.run.id}")
        self._table.update({"Key": where, **write(*state["conditions"], values=state["values"], sets=sets)})

    def stop(self, row: RunRow, cause: str) -> None:
        """Stops the executions that may drive a run."""
        for arn in dict.fromkeys(filter(None, (row.token, row.execution))):
            self.executions.stop(arn, DISABLED, cause)


def _was_replaced(execution: Execution, last: Execution | None) -> bool:
    """Whether an execution only waits for the end of the run, because a later one has taken it over."""
    if last is None or execution.started_at is None or last.started_at is None:
        return False
    return execution.arn != last.arn and execution.started_at < last.started_at
