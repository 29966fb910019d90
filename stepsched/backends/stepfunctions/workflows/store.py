"""Stores and runs workflows on Step Functions: definitions, runs and steps are rows in the table of jobs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from pydantic import JsonValue

from stepsched.backends.stepfunctions.rows import key
from stepsched.backends.stepfunctions.service import Executions
from stepsched.backends.stepfunctions.table import Table
from stepsched.backends.stepfunctions.workflows.changes import Changer
from stepsched.backends.stepfunctions.workflows.checks import Checker
from stepsched.backends.stepfunctions.workflows.definitions import Definitions
from stepsched.backends.stepfunctions.workflows.drivers import Drivers
from stepsched.backends.stepfunctions.workflows.flows import Flows, step_key
from stepsched.backends.stepfunctions.workflows.rows import (
    RunRow,
    expiry,
    rows_of_workflow,
    write_flow,
    write_step,
)
from stepsched.backends.stepfunctions.workflows.takeover import take_over
from stepsched.backends.stepfunctions.workflows.work import Work
from stepsched.core.clock import Clock
from stepsched.core.errors import BackendError, ErrorCode, ScheduleWarning, UnsupportedError
from stepsched.core.payloads import to_json
from stepsched.jobs import Problem, Repair
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import FLOW
from stepsched.workflows import Workflow, WorkflowRun, WorkflowRunStatus, WorkflowVersion
from stepsched.workflows.arguments import checked_run_id
from stepsched.workflows.machine.instructions import MAX_INPUT, SMALLER_INPUT
from stepsched.workflows.port import Changes, RunQuery, Start, WorkflowStore
from stepsched.workflows.records import TakenOver


class StepFunctionsWorkflows(WorkflowStore):
    """The workflows of a :class:`StepFunctionsBackend`. Thread-safe.

    Every run is driven by an execution of the machine of the stack's part ``workflows``. All state is in the
    table, so executions may be stopped, and started again, at any time.
    """

    first_pause = 1.0

    def __init__(
        self,
        *,
        name: str,
        table: Table,
        runner: Executions,
        machine: Executions,
        calls: Callable[[bool], frozenset[str]],
        connect_batch: Callable[[], Any],
        connect_table: Callable[[str], Table],
        clock: Clock,
        retention: timedelta,
        workers: int,
    ) -> None:
        """The workflows of one table.

        Args:
            name: The name of the backend in errors.
            table: The table of jobs.
            runner: The executions of the runner, which runs all steps but those on AWS Batch.
            machine: The executions of the machine that runs workflows.
            calls: Returns the calls of the runner; with True, as they are now.
            connect_batch: Makes a client of AWS Batch.
            connect_table: Gives another table of the same account and Region.
            clock: The clock that gives the present.
            retention: How long the rows of ended runs are kept.
            workers: The maximum number of concurrent calls.
        """
        self.name = name
        self._table = table
        self._machine = machine
        self._connect_table = connect_table
        self._clock = clock
        self._retention = retention
        self._workers = workers
        self._definitions = Definitions(table, workers)
        self._flows = Flows(table, self._definitions, runner)
        self._drivers = Drivers(machine, table)
        self._work = Work(table, runner, connect_batch)
        self._changer = Changer(self._flows, self._definitions, self._drivers, self._work, retention)
        self._checker = Checker(name, runner, calls, retention)

    @property
    def machine_arn(self) -> str:
        """The ARN of the state machine that runs workflows."""
        return self._machine.machine_arn

    def close(self) -> None:
        """Closes the connections that belong to workflows alone; closing again has no effect."""
        self._work.close()

    def now(self) -> datetime:
        return self._clock.now()

    # -- definitions ----------------------------------------------------------------------------------------

    def check(self, workflow: Workflow) -> None:
        self._checker.translate(workflow)

    def put(self, workflow: Workflow) -> WorkflowVersion:
        return self._definitions.put(workflow, self._checker.translate(workflow), self.now())

    def definition(self, name: str, version: int | None = None) -> WorkflowVersion:
        return self._definitions.read(name, version)

    def definitions(self) -> Iterator[WorkflowVersion]:
        for name in self._definitions.names():
            try:
                yield self._definitions.read(name)
            except BackendError as error:  # noqa: PERF203 -- each may fail on its own
                if error.code != ErrorCode.UNREADABLE:
                    raise
                warnings.warn(f"left out: {error.detail}", ScheduleWarning, stacklevel=2)

    def require(self, name: str) -> None:
        """Makes sure that there is a workflow.

        Raises:
            WorkflowNotFoundError: There is none of that name.
        """
        self._definitions.latest(name)

    # -- runs -----------------------------------------------------------------------------------------------

    def start(self, start: Start) -> WorkflowRun:
        run = WorkflowRun(
            workflow=start.workflow,
            id=checked_run_id(start.run_id),
            status=WorkflowRunStatus.RUNNING,
            version=start.version,
            started_at=self.now(),
            scheduled_for=start.scheduled_for,
            trigger=start.trigger,
            input=start.input,
        )
        self.check_input(run.workflow, run.input)
        digest = self._definitions.digest(run.workflow, run.version)
        first = self._drivers.first_arn(run.workflow, run.id, 0)
        self._table.put_new({**_flow_key(run), **write_flow(run, digest, first)})
        row = self._flows.row(run.workflow, run.id)
        if not row.run.status.has_ended:
            self._drivers.ensure(row)
        return self._flows.run(row)

    def check_input(self, name: str, value: JsonValue, kind: str = "workflow") -> None:
        """Refuses an input that is too large for the machine.

        Args:
            name: The name of the workflow, or of the job that starts it.
            value: The input.
            kind: What has the name.

        Raises:
            UnsupportedError: The input is larger than :data:`MAX_INPUT`.
        """
        size = len(to_json(value).encode())
        if size > MAX_INPUT:
            reason = f"expected an input of at most {MAX_INPUT:,} bytes, got {size:,}"
            raise UnsupportedError(name, self.name, reason, (SMALLER_INPUT,), kind)

    def read(self, workflow: str, run_id: str) -> WorkflowRun:
        return self._flows.run(self._flows.row(workflow, run_id))

    def runs(self, query: RunQuery) -> Iterator[WorkflowRun]:
        names = self._definitions.names() if query.workflow is None else [query.workflow]
        rows = chain.from_iterable(map(self._flows.rows, names))
        found = sorted((row for row in rows if _matches(row.run, query)), key=_start_of)
        if query.limit is not None:
            found = found[max(0, len(found) - query.limit) :]
        return map(self._flows.run, found)

    def change(self, changes: Changes) -> WorkflowRun:
        self.check_input(changes.run.workflow, changes.input)
        return self._flows.run(self._changer.change(changes, self.now()))

    def cancel(self, run: WorkflowRun) -> WorkflowRun:
        return self._flows.run(self._changer.cancel(run, self.now()))

    def cancel_started(self, workflow: str | None, run_id: str, driver: str | None) -> None:
        """Cancels the run that a job has started. No effect if there is none, or if it has ended.

        Args:
            workflow: The workflow that the job starts now. None: it starts none.
            run_id: The ID of the run.
            driver: The execution that the run of the job has started and waits for. None: unknown.
        """
        if driver is not None and self._drivers.is_mine(driver):  # the job may have changed since
            workflow = self._drivers.workflow_of(driver) or workflow
        row = None if workflow is None else self._flows.find(workflow, run_id)
        if row is not None:
            self._changer.cancel(row.run, self.now())

    def restart_method(self, changes: Changes) -> str:
        return self._changer.method(changes)

    def adopt(self, run: WorkflowRun) -> WorkflowRun:
        checked_run_id(run.id)
        self.check_input(run.workflow, run.input)
        if self._flows.find(run.workflow, run.id) is None:
            digest = self._definitions.digest(run.workflow, run.version)
            expires = expiry(self.now(), self._retention)
            steps = [
                {**step_key(run, step.name), **write_step(step)[0], schema.TTL: expires} for step in run.steps
            ]
            self._table.put_all(steps)  # before their run, so that an interrupted call can be repeated
            self._table.put_new({**_flow_key(run), **write_flow(run, digest, None), schema.TTL: expires})
        return self.read(run.workflow, run.id)

    def take_over(self, *, schedules_table: str | None = None, history_table: str | None = None) -> TakenOver:
        """Stores the definitions and the runs of the tables of the AWS Batch scheduler. The tables are only
        read. Repeating it stores what is new.

        Args:
            schedules_table: The name of the table of definitions, such as ``BatchSchedules``. None: none is
                read.
            history_table: The name of the table of runs, such as ``BatchScheduleHistory``. None: none is
                read.

        Raises:
            ValueError: Neither table is given.
            BackendError: A table does not exist, or cannot be read.
        """
        if schedules_table is None and history_table is None:
            raise ValueError(
                "expected schedules_table or history_table, got neither; name a table to take over"
            )
        schedules = None if schedules_table is None else self._connect_table(schedules_table)
        history = None if history_table is None else self._connect_table(history_table)
        return take_over(self, schedules, history)

    def put_once(self, workflow: Workflow) -> int:
        """Stores a definition unless an equal one is stored, whatever its number.

        Returns:
            The number of the definition.
        """
        found = self._definitions.find_equal(workflow)
        return self.put(workflow).version if found is None else found

    # -- repairs --------------------------------------------------------------------------------------------

    def repair(self) -> list[Repair]:
        """Starts an execution for every run that has none, also to tell an end that was not told, and
        finishes interrupted cancellations and skips. It is safe at any time, also beside the executions, and
        from several callers at once."""
        rows = chain.from_iterable(map(self._flows.rows, self._definitions.names()))
        return [found for row in rows if _may_need_repair(row) and (found := self._repair(row)) is not None]

    def _repair(self, row: RunRow) -> Repair | None:
        found = self._flows.find(row.run.workflow, row.run.id)  # it may have ended since it was listed
        if found is None or not _may_need_repair(found):
            return None
        run, now = found.run, self.now()
        if run.status is WorkflowRunStatus.CANCELLED:
            self._changer.finish_cancelling(found, now)
            return _report(run, "its cancellation was interrupted", "finished it")
        remedies = list[str]()
        if found.is_ending and (count := self._changer.end_work(found, now)):
            remedies.append(
                f"ended the work of {count} step{'s' * (count > 1)} that no longer run{'s' * (count == 1)}"
            )
        if run.status is WorkflowRunStatus.RUNNING or found.is_untold:
            done = None if self._drivers.is_driven(found) else self._drivers.ensure(found)
            remedies += [] if done is None else [done]
        if not remedies:
            return None
        detail = "the run has not ended, or its steps have not, as they should"
        if found.is_untold:
            detail = "the run has ended, and its end may not have been told"
        return _report(run, detail, "; ".join(remedies))


def _report(run: WorkflowRun, detail: str, remedy: str) -> Repair:
    return Repair(job=run.key, problem=Problem.UNFINISHED, detail=detail, remedy=remedy)


def _may_need_repair(row: RunRow) -> bool:
    status = row.run.status
    is_half_cancelled = status is WorkflowRunStatus.CANCELLED and row.expires_at is None
    return status is WorkflowRunStatus.RUNNING or row.is_ending or row.is_untold or is_half_cancelled


def _flow_key(run: WorkflowRun) -> dict[str, Any]:
    return key(rows_of_workflow(run.workflow), f"{FLOW}{run.id}")


def _start_of(row: RunRow) -> tuple[datetime, str, str]:
    return row.run.started_at, row.run.workflow, row.run.id


def _matches(run: WorkflowRun, query: RunQuery) -> bool:
    return (
        query.status in (None, run.status)
        and (query.since is None or run.started_at >= query.since)
        and (query.until is None or run.started_at <= query.until)
    )
