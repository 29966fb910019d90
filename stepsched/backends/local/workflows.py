"""The workflows of the embedded backend: the verbs of the port."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime

from stepsched.backends.local.commands import end_in_flight
from stepsched.backends.local.engine import Engine
from stepsched.backends.local.flows.graphs import job_of
from stepsched.backends.local.flows.progress import Flows
from stepsched.backends.local.flows.tables import FlowRow
from stepsched.backends.local.invoke import NAME, Invoker
from stepsched.backends.local.process import end_commands
from stepsched.core.clock import Clock
from stepsched.core.errors import (
    BackendError,
    ConflictError,
    ErrorCode,
    RunNotFoundError,
    UnsupportedError,
    WorkflowNotFoundError,
)
from stepsched.core.outcomes import one_line
from stepsched.workflows import references
from stepsched.workflows.model import Step, Workflow
from stepsched.workflows.port import Changes, RunQuery, Start, WorkflowStore
from stepsched.workflows.records import StepRun, WorkflowRun, WorkflowRunStatus, WorkflowVersion

_log = logging.getLogger("stepsched.local")


class LocalWorkflows(WorkflowStore):
    """Stores and runs workflows in the file, or the memory, of an embedded backend.

    Args:
        flows: The runs.
        engine: The engine that runs their steps.
        invoker: What knows which targets can be called here.
        clock: The backend's clock.
        why_wait_is_endless: As that of the backend.
    """

    name = NAME

    def __init__(
        self,
        flows: Flows,
        engine: Engine,
        invoker: Invoker,
        clock: Clock,
        *,
        shared: bool,
        why_wait_is_endless: Callable[[], str | None],
    ) -> None:
        self._flows = flows
        self._tables = flows.tables
        self._engine = engine
        self._invoker = invoker
        self._clock = clock
        self._shared = shared
        self._why_endless = why_wait_is_endless

    def now(self) -> datetime:
        return self._clock.now()

    def why_wait_is_endless(self) -> str | None:
        return self._why_endless()

    def check(self, workflow: Workflow) -> None:
        for step in workflow.steps:
            try:
                self._check(step)
            except UnsupportedError as error:
                reason = f"step {step.name!r}: {error.reason}"
                raise UnsupportedError(workflow.name, NAME, reason, error.alternatives, "workflow") from error
        if workflow.notify is not None:
            self._invoker.check(job_of(Step("notify", target=workflow.notify), {}), shared=self._shared)

    def _check(self, step: Step) -> None:
        is_constant = next(references.references(step.input), None) is None
        job = job_of(step, step.input if is_constant else {})
        self._invoker.check(job, shared=self._shared)
        if is_constant:
            self._invoker.check_data(job)

    # -- definitions -----------------------------------------------------------------------------------

    def put(self, workflow: Workflow) -> WorkflowVersion:
        self.check(workflow)
        with self._engine.transaction("put workflow"):
            now, latest = self.now(), self._tables.definition(workflow.name, None)
            if latest is not None:
                version, stored, at = latest
                if self._flows.graphs.is_equal(workflow, version, stored):
                    return WorkflowVersion(
                        name=workflow.name, version=version, definition=workflow, stored_at=at
                    )
            version = 1 if latest is None else latest[0] + 1
            self._tables.insert_definition(workflow.name, version, workflow.model_dump_json(), now)
            self._flows.graphs.keep(workflow, version)
        return WorkflowVersion(name=workflow.name, version=version, definition=workflow, stored_at=now)

    def definition(self, name: str, version: int | None = None) -> WorkflowVersion:
        found = self._tables.definition(name, version)
        if found is None:
            raise WorkflowNotFoundError(name, version)
        number, document, at = found
        workflow = self._flows.graphs.known(name, number, document)
        return WorkflowVersion(name=name, version=number, definition=workflow, stored_at=at)

    def definitions(self) -> Iterator[WorkflowVersion]:
        for name in self._tables.names():
            try:
                yield self.definition(name)
            except BackendError as error:
                if error.code != ErrorCode.UNREADABLE:
                    raise
                why = one_line(str(error))
                _log.error("workflow %s is left out of the list: %s", one_line(name), why)

    # -- runs ------------------------------------------------------------------------------------------

    def start(self, start: Start) -> WorkflowRun:
        self.definition(start.workflow, start.version)
        with self._engine.flow_change("start workflow") as all_ends:
            now = self.now()
            run = WorkflowRun(
                workflow=start.workflow,
                id=start.run_id,
                status=WorkflowRunStatus.RUNNING,
                version=start.version,
                started_at=now,
                scheduled_for=start.scheduled_for,
                trigger=start.trigger,
                input=start.input,
            )
            row, ended = self._flows.begin(run, now)
            all_ends.extend(ended)
            return self._read(row.run.workflow, row.run.id)

    def read(self, workflow: str, run_id: str) -> WorkflowRun:
        return self._read(workflow, run_id)

    def _row(self, workflow: str, run_id: str) -> FlowRow:
        row = self._tables.flow(workflow, run_id)
        if row is None:
            raise RunNotFoundError(workflow, run_id)
        return row

    def _read(self, workflow: str, run_id: str) -> WorkflowRun:
        return self._flows.read(self._row(workflow, run_id))

    def runs(self, query: RunQuery) -> Iterator[WorkflowRun]:
        for row in self._tables.flows(query):
            present = self._tables.flow_by_key(row.id)  # it may have gone on, or be forgotten, since
            if present is not None:
                yield self._flows.read(present)

    def change(self, changes: Changes) -> WorkflowRun:
        run = changes.run
        with self._engine.flow_change("change workflow") as all_ends:
            row = self._row(run.workflow, run.id)
            present = self._flows.read(row)
            steps = present.by_name
            is_same = (row.run.revision, row.status.has_ended) == (run.revision, run.status.has_ended)
            for each in changes.steps:
                step = steps.get(each.name) or StepRun(name=each.name)
                is_same &= (step.status, step.attempt) == (each.before.status, each.before.attempt)
            if not is_same:
                raise ConflictError(run.key, run.revision, "workflow run")
            ended, markers = self._flows.change(row, changes, self.now())
            all_ends.extend(ended)
            found = self._read(run.workflow, run.id)
        _end_commands(markers)
        return found

    def cancel(self, run: WorkflowRun) -> WorkflowRun:
        markers = list[str]()
        with self._engine.flow_change("cancel workflow") as all_ends:
            row = self._row(run.workflow, run.id)
            if not row.status.has_ended:
                ended, markers = self._flows.cancel(row, self.now())
                all_ends.extend(ended)
            found = self._read(run.workflow, run.id)
        _end_commands(markers)
        return found


def _end_commands(markers: list[str]) -> None:
    """Ends the commands of steps that do not count any more, in this process and in others."""
    if markers:
        wanted = set(markers)
        end_in_flight(wanted)
        end_commands(lambda marker: marker in wanted)
