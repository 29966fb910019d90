"""Reads runs of workflows and the states of their steps, and writes both under conditions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from stepsched.backends.stepfunctions.rows import Item, key
from stepsched.backends.stepfunctions.service import Executions
from stepsched.backends.stepfunctions.table import Table
from stepsched.backends.stepfunctions.workflows.definitions import Definitions
from stepsched.backends.stepfunctions.workflows.rows import (
    FLOWS_END,
    STEPS_END,
    TO_BE_ENDED,
    RunRow,
    read_flow,
    read_step,
    rows_of_run,
    rows_of_workflow,
    write_step,
)
from stepsched.core.errors import BackendError, ErrorCode, RunNotFoundError, ScheduleWarning
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import FLOW, STEP, write
from stepsched.workflows import StepRun, StepStatus, WorkflowRun

Read = TypeVar("Read")
AT_ONCE = 90
"""The maximum number of steps in a transaction, which DynamoDB limits to 100 items."""


class Written(NamedTuple):
    """The rows of the steps of a run."""

    steps: dict[str, StepRun]
    """The steps that have a row, by name; also those that the definition no longer has."""
    expiring: frozenset[str]
    """The names of those whose row has a time after which it may be deleted."""


class Flows:
    """The runs of the workflows of a table. Thread-safe."""

    def __init__(self, table: Table, definitions: Definitions, runner: Executions) -> None:
        self.table = table
        self._definitions = definitions
        self._runner = runner

    def row(self, workflow: str, run_id: str) -> RunRow:
        """The row of a run, by a consistent read.

        Raises:
            RunNotFoundError: There is no such run.
            BackendError: The row cannot be read.
        """
        found = self.find(workflow, run_id)
        if found is None:
            raise RunNotFoundError(workflow, run_id)
        return found

    def find(self, workflow: str, run_id: str) -> RunRow | None:
        """As :meth:`row`; None if there is no such run."""
        item = self.table.item(rows_of_workflow(workflow), f"{FLOW}{run_id}")
        return None if item is None else _readable(read_flow, item)

    def rows(self, workflow: str) -> Iterator[RunRow]:
        """The rows of all runs of a workflow, in the order of their IDs. Rows that cannot be read are
        skipped with a :class:`ScheduleWarning`."""
        for item in self.table.query(rows_of_workflow(workflow), FLOW, FLOWS_END):
            try:
                yield read_flow(item)
            except ValueError as error:  # noqa: PERF203 -- each row may fail on its own
                warnings.warn(f"left out: {error}", ScheduleWarning, stacklevel=2)

    def written(self, workflow: str, run_id: str) -> Written:
        """The rows of the steps of a run, by a consistent read."""
        items = list(self.table.query(rows_of_run(workflow, run_id), STEP, STEPS_END))
        steps = (_readable(read_step, item) for item in items)
        expiring = (item[schema.VERSION]["S"].removeprefix(STEP) for item in items if schema.TTL in item)
        return Written({step.name: step for step in steps}, frozenset(expiring))

    def run(self, row: RunRow) -> WorkflowRun:
        """The run of a row with its steps, in the order of the definition that it follows."""
        run = row.run
        written = self.written(run.workflow, run.id).steps
        needs = self._definitions.outline(run.workflow, run.version, row.digest).needs
        steps = tuple(
            written.get(name, StepRun(name=name)).model_copy(
                update={"needs": of, "link": self._link(written.get(name))}
            )
            for name, of in needs.items()
        )
        link = None if run.job_id is None else self._runner.link(run.job_id)
        return run.model_copy(update={"steps": steps, "link": link})

    def _link(self, step: StepRun | None) -> str | None:
        """The URL of the console page of the latest attempt of a step."""
        if step is None or step.job_id is None:
            return None
        if step.job_id.startswith("arn:"):
            return self._runner.link(step.job_id)
        return batch_link(self._runner, step.job_id)


def batch_link(executions: Executions, job_id: str) -> str:
    """The URL of the console page of a job of AWS Batch."""
    return f"{executions.console}/batch/home?region={executions.region}#jobs/detail/{job_id}"


def check_of(row: RunRow, *, marks: bool = False) -> dict[str, Any]:
    """The member of a transaction by which it fails if the run has ended, or was changed by an operator,
    since it was read.

    Args:
        row: The row of the run.
        marks: Whether it also records in the row that work of a step is still to be ended.
    """
    where = key(rows_of_workflow(row.run.workflow), f"{FLOW}{row.run.id}")
    state = row.has_state
    sets = {schema.DETAIL: {"S": TO_BE_ENDED}} if marks else None
    expressions = write(*state["conditions"], values=state["values"], sets=sets)
    return {"Update" if marks else "ConditionCheck": {"Key": where, **expressions}}


def update_of(row: RunRow, *, sets: Mapping[str, Any], removes: Iterable[str] = ()) -> dict[str, Any]:
    """The update of a run's row, as a member of a transaction, if the run has neither ended, nor been
    changed by an operator, since it was read."""
    where = key(rows_of_workflow(row.run.workflow), f"{FLOW}{row.run.id}")
    state = row.has_state
    return {
        "Update": {
            "Key": where,
            **write(*state["conditions"], values=state["values"], sets=sets, removes=removes),
        }
    }


def step_update(
    run: WorkflowRun, before: StepRun, after: StepRun, *, expires: Mapping[str, str] | None
) -> dict[str, Any]:
    """The update of a step, as a member of a transaction, if the step is still as it was read: its status,
    and the number of its attempts.

    Args:
        run: The run.
        before: The step as it was read.
        after: The step from now on. Work that is still to be ended is recorded in it.
        expires: The time after which the row may be deleted, as an attribute. None: it is kept.
    """
    sets, removes = write_step(after)
    if before.status is StepStatus.RUNNING and after.status is not StepStatus.RUNNING:
        sets[schema.DETAIL] = {"S": TO_BE_ENDED}
        sets.pop(schema.JOB_ID, None)  # the driver may have written it since
        removes = [name for name in removes if name not in (schema.DETAIL, schema.JOB_ID)]
    if expires is None:
        removes.append(schema.TTL)
    else:
        sets[schema.TTL] = dict(expires)
    is_untouched = before.status is StepStatus.PENDING and not before.attempt
    as_read = f"{schema.HAS_STATE} AND {attempts_as_read(before)}"
    conditions = [f"({schema.IS_UNTOUCHED} OR ({as_read}))"] if is_untouched else [as_read]
    values = {"old_state": {"S": before.status.value}, "old_attempts": {"N": str(before.attempt)}}
    where = key(rows_of_run(run.workflow, run.id), f"{STEP}{after.name}")
    return {"Update": {"Key": where, **write(*conditions, values=values, sets=sets, removes=removes)}}


def attempts_as_read(step: StepRun) -> str:
    """The condition that no attempt of a step has been claimed since it was read. A step that was never
    started may have no number of attempts."""
    return schema.HAS_ATTEMPTS if step.attempt else schema.HAS_NO_ATTEMPTS


def expiry_update(run: WorkflowRun, step: str, expires: Mapping[str, str] | None) -> dict[str, Any]:
    """The update of the time after which the row of a step may be deleted, as a member of a transaction. It
    fails if the row has been deleted already."""
    where = key(rows_of_run(run.workflow, run.id), f"{STEP}{step}")
    sets = {} if expires is None else {schema.TTL: dict(expires)}
    removes = [schema.TTL] if expires is None else []
    return {"Update": {"Key": where, **write(schema.IS_WRITTEN, sets=sets, removes=removes)}}


def step_key(run: WorkflowRun, step: str) -> dict[str, Any]:
    """The key of the row of a step of a run."""
    return key(rows_of_run(run.workflow, run.id), f"{STEP}{step}")


def portions(items: Sequence[Read]) -> Iterator[Sequence[Read]]:
    """Yields the items in portions that fit into a transaction."""
    return (items[at : at + AT_ONCE] for at in range(0, len(items), AT_ONCE))


def _readable(read: Callable[[Item], Read], item: Item) -> Read:
    try:
        return read(item)
    except ValueError as error:
        raise BackendError("dynamodb", "Query", ErrorCode.UNREADABLE, detail=str(error)) from error
