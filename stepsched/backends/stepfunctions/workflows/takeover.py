"""Takes over the definitions and the runs of the AWS Batch scheduler from its two tables, which are only
read.

A run follows the definition in its own record, which the scheduler has copied when the run started.
Definitions that are stored already, whatever their number, are not stored again; so a repetition stores what
is new.

The record of a run whose execution has died says for ever that it runs. A live one writes its record at every
poll, each minute; so a run whose record was not written for :data:`DEAD_AFTER` is taken over as a failed one.
Its jobs that had not ended by the record are awaited when it is restarted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Protocol

from stepsched.backends.stepfunctions.rows import Item, plain
from stepsched.backends.stepfunctions.table import Table
from stepsched.core.errors import StepschedError
from stepsched.core.quoting import quoted
from stepsched.workflows import Workflow, WorkflowRun, WorkflowRunStatus
from stepsched.workflows.histories import run_from_document, written_at
from stepsched.workflows.records import LeftOutRecord, TakenOver

DEFINITIONS, RUNS = "BatchSchedules", "BatchScheduleHistory"
"""The names of the tables, as the AWS Batch scheduler names them."""
DEAD_AFTER = timedelta(hours=1)
"""How long after its ``lastDateTime`` the record of a running run is that of a dead one: 60 polls."""


class Store(Protocol):
    """Where definitions and runs are stored."""

    def now(self) -> datetime:
        """The present."""

    def put_once(self, workflow: Workflow) -> int:
        """Stores a definition, unless an equal one is stored, and returns its number."""

    def adopt(self, run: WorkflowRun) -> WorkflowRun:
        """Stores an ended run, unless it is stored."""


def take_over(store: Store, schedules: Table | None, history: Table | None) -> TakenOver:
    """Takes over what two tables hold.

    Args:
        store: Where it is stored.
        schedules: The table of definitions. None: none is read.
        history: The table of runs. None: none is read.
    """
    workflows, runs, left_out = set[str](), set[str](), list[LeftOutRecord]()
    # Runs come first, so that the present definition of a workflow is its latest one.
    for document in _documents(history, left_out, ("scheduleId", "startDateTime")):
        try:
            runs.add(_take_run(store, document))
        except (ValueError, StepschedError) as error:  # noqa: PERF203 -- each record may fail
            left_out.append(LeftOutRecord(name=_name_of(document), reason=str(error)))
    for document in _documents(schedules, left_out, ("scheduleId",)):
        try:
            workflow = Workflow.from_document(document)
            store.put_once(workflow)
            workflows.add(workflow.name)
        except (ValueError, StepschedError) as error:  # noqa: PERF203 -- each record may fail
            left_out.append(LeftOutRecord(name=_name_of(document), reason=str(error)))
    return TakenOver(workflows=tuple(sorted(workflows)), runs=tuple(sorted(runs)), left_out=tuple(left_out))


def _take_run(store: Store, document: Any) -> str:
    workflow = Workflow.from_document(document)
    run = run_from_document(document)
    if not run.status.has_ended:
        run = _dead(run, written_at(document), store.now())
    version = store.put_once(workflow)
    return store.adopt(run.model_copy(update={"version": version})).key


def _dead(run: WorkflowRun, written: datetime, now: datetime) -> WorkflowRun:
    """The run of a record that says that it runs, as a failed one.

    Raises:
        ValueError: It may still run.
    """
    if now - written <= DEAD_AFTER:
        raise ValueError("its record says that it still runs; take it over again when it has ended")
    error = f"its execution has died: its record says RUNNING, and was last written at {written.isoformat()}"
    died = {"status": WorkflowRunStatus.FAILED, "ended_at": written, "error": error}
    return run.model_copy(update=died)


def _documents(table: Table | None, left_out: list[LeftOutRecord], order: Iterable[str]) -> Iterator[Any]:
    """The documents of a table, in the order of their keys."""
    found = list[Any]()
    for item in () if table is None else table.everything():
        try:
            found.append({name: plain(value) for name, value in item.items()})
        except ValueError as error:  # noqa: PERF203 -- each record may fail
            left_out.append(LeftOutRecord(name=_key_of(item), reason=str(error)))
    names = tuple(order)
    return iter(sorted(found, key=lambda document: [str(document.get(name)) for name in names]))


def _key_of(item: Item) -> str:
    return "/".join(item[name]["S"] for name in ("scheduleId", "startDateTime") if "S" in item.get(name, {}))


def _name_of(document: Any) -> str:
    names = (document.get("scheduleId"), document.get("startDateTime"))
    return "/".join(name for name in names if isinstance(name, str)) or quoted(document)
