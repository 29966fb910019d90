"""A store of workflows in memory, as small as the rules allow: it shares no code with the backends, except
the rules of what happens next."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

from pydantic import JsonValue

import stepsched as ss
from stepsched.core.errors import ConflictError, RunNotFoundError, WorkflowNotFoundError
from stepsched.testing import FakeClock
from stepsched.workflows import FailureKind, StepRun, StepStatus, Workflow, WorkflowRun, WorkflowRunStatus
from stepsched.workflows.decisions import Failure, advance, after_failure
from stepsched.workflows.port import Changes, RunQuery, Start, WorkflowStore
from stepsched.workflows.records import WorkflowVersion
from stepsched.workflows.references import MissingValueError, references, resolve

START = datetime(2030, 1, 7, 2, tzinfo=timezone.utc)


class Running:
    """The outcome of an attempt that has not ended."""


class AttemptError(Exception):
    """The outcome of an attempt that has failed."""

    def __init__(self, error: str, kind: FailureKind = FailureKind.JOB) -> None:
        super().__init__(error, kind)
        self.error = error
        self.kind = kind


Work = Callable[[str, str, int, JsonValue], JsonValue | Running]
"""Plays an attempt: called with the ID of the run, the step, the number of the attempt, and the input, at
each look at it. It returns the output or :class:`Running`, or raises :class:`AttemptError`."""


class MemoryStore(WorkflowStore):
    """Runs move by one turn whenever they are read."""

    name = "memory"

    def __init__(self, work: Work, clock: FakeClock | None = None) -> None:
        self.work = work
        self.clock = clock or FakeClock(START)
        self.kept: dict[str, list[WorkflowVersion]] = {}
        self.records: dict[tuple[str, str], WorkflowRun] = {}
        self.began: dict[tuple[str, str, str], datetime] = {}
        self.refused: Callable[[Workflow], None] = lambda _: None
        self.changes: list[Changes] = []

    def now(self) -> datetime:
        return self.clock.now()

    def check(self, workflow: Workflow) -> None:
        self.refused(workflow)

    def put(self, workflow: Workflow) -> WorkflowVersion:
        versions = self.kept.setdefault(workflow.name, [])
        if not versions or versions[-1].definition != workflow:
            number = len(versions) + 1
            versions.append(
                WorkflowVersion(name=workflow.name, version=number, definition=workflow, stored_at=self.now())
            )
        return versions[-1]

    def definition(self, name: str, version: int | None = None) -> WorkflowVersion:
        versions = self.kept.get(name, [])
        if not versions or not 1 <= (version or 1) <= len(versions):
            raise WorkflowNotFoundError(name, version if versions else None)
        return versions[-1 if version is None else version - 1]

    def definitions(self) -> Iterator[WorkflowVersion]:
        yield from (self.kept[name][-1] for name in sorted(self.kept))

    def start(self, start: Start) -> WorkflowRun:
        key = (start.workflow, start.run_id)
        if key not in self.records:
            flow = self._flow(start.workflow, start.version)
            self.records[key] = WorkflowRun(
                workflow=start.workflow,
                id=start.run_id,
                status=WorkflowRunStatus.RUNNING,
                version=start.version,
                started_at=self.now(),
                trigger=start.trigger,
                scheduled_for=start.scheduled_for,
                input=start.input,
                steps=tuple(StepRun(name=step.name) for step in flow.steps),
            )
        return self.records[key]

    def read(self, workflow: str, run_id: str) -> WorkflowRun:
        if (workflow, run_id) not in self.records:
            raise RunNotFoundError(workflow, run_id)
        return self.turn(self.records[workflow, run_id])

    def runs(self, query: RunQuery) -> Iterator[WorkflowRun]:
        found = [
            run
            for run in self.records.values()
            if query.workflow in (None, run.workflow)
            and query.status in (None, run.status)
            and (query.since is None or run.started_at >= query.since)
            and (query.until is None or run.started_at <= query.until)
        ]
        yield from found if query.limit is None else found[max(len(found) - query.limit, 0) :]

    def change(self, changes: Changes) -> WorkflowRun:
        self.changes.append(changes)
        run = self.records[changes.run.workflow, changes.run.id]
        steps = run.by_name
        if run.revision != changes.run.revision or any(
            (each.before.status, each.before.attempt)
            != ((now := steps.get(each.name, StepRun(name=each.name))).status, now.attempt)
            for each in changes.steps
        ):
            raise ConflictError(run.key, changes.run.revision)
        flow = self._flow(run.workflow, changes.version)
        after = {each.name: each.after for each in changes.steps}
        update: dict[str, object] = {
            "version": changes.version,
            "input": changes.input,
            "revision": run.revision + 1,
            "steps": tuple(after.get(name) or steps.get(name) or StepRun(name=name) for name in flow.by_name),
        }
        if changes.restarts:
            update |= {
                "status": WorkflowRunStatus.RUNNING,
                "ended_at": None,
                "restarts": run.restarts + 1,
                "error": None,
            }
        return self._keep(run.model_copy(update=update))

    def cancel(self, run: WorkflowRun) -> WorkflowRun:
        run = self.records[run.workflow, run.id]
        if run.status.has_ended:
            return run
        update = {"status": StepStatus.CANCELLED, "ended_at": self.now()}
        left = {each.name: each.model_copy(update=update) for each in run.steps if not each.status.has_ended}
        return self.turn(self._keep(run.with_steps(left).model_copy(update={"revision": run.revision + 1})))

    # -- what a backend does by itself ---------------------------------------------------------------

    def settle(self, run: WorkflowRun) -> WorkflowRun:
        """Plays a run until nothing happens any more, whatever the time."""
        while True:
            before = self.records[run.workflow, run.id]
            after = self.turn(before)
            if after.status.has_ended:
                return after
            waits = [step.retry_at for step in after.steps if step.retry_at is not None]
            late = [at for at in waits if at > self.now()]
            if after == before and not late:
                return after
            if after == before:
                self.clock.move_to(min(late))

    def turn(self, run: WorkflowRun) -> WorkflowRun:
        """Plays one turn: looks at what runs, leaves out, starts, ends."""
        if run.status.has_ended:
            return run
        flow = self._flow(run.workflow, run.version)
        steps = run.by_name
        for step in flow.steps:
            if steps[step.name].status is StepStatus.RUNNING:
                steps[step.name] = self._looked_at(run, step, steps)
        decided = advance(flow, steps, self.now())
        for out in decided.left_out:
            steps[out.name] = steps[out.name].model_copy(
                update={
                    "status": out.status,
                    "caused_by": out.caused_by,
                    "reason": out.reason,
                    "ended_at": self.now(),
                }
            )
        for name in decided.starts:
            steps[name] = self._begun(run, flow.by_name[name], steps)
        run = run.with_steps(steps)
        if decided.status is not None:
            run = run.model_copy(update={"status": decided.status, "ended_at": self.now()})
        return self._keep(run)

    def _begun(self, run: WorkflowRun, step: ss.Step, steps: dict[str, StepRun]) -> StepRun:
        began = {"status": StepStatus.RUNNING, "started_at": self.now(), "retry_at": None, "ended_at": None}
        before = steps[step.name].model_copy(update={**began, "attempt": steps[step.name].attempt + 1})
        try:
            self._input(run, step, steps)
        except MissingValueError as error:
            failed = {"status": StepStatus.FAILED, "ended_at": self.now(), "failure": FailureKind.JOB}
            return before.model_copy(update={**failed, "error": str(error)})
        return before

    def _input(self, run: WorkflowRun, step: ss.Step, steps: dict[str, StepRun]) -> JsonValue:
        for each in references(step.input):
            if each.step is not None and steps[each.step].is_truncated:
                raise MissingValueError(
                    f"step {each.step!r}: its output is longer than 4,000 characters; write it elsewhere "
                    "and pass its location"
                )
        outputs = {name: each.result for name, each in steps.items() if each.output is not None}
        return resolve(step.input, outputs, run.input)

    def _looked_at(self, run: WorkflowRun, step: ss.Step, steps: dict[str, StepRun]) -> StepRun:
        state = steps[step.name]
        assert state.started_at is not None
        late = step.timeout is not None and self.now() - state.started_at >= step.timeout
        try:
            outcome = (
                self._late(step)
                if late
                else self.work(run.id, step.name, state.attempt, self._input(run, step, steps))
            )
        except AttemptError as error:
            return after_failure(step, state, Failure(error.kind, error.error, self.now()))
        if isinstance(outcome, Running):
            return state
        text = None if outcome is None else json.dumps(outcome)[:4_000]
        ended = {"status": StepStatus.SUCCEEDED, "ended_at": self.now(), "output": text, "error": None}
        return state.model_copy(update=ended)

    def _late(self, step: ss.Step) -> JsonValue:
        raise AttemptError(f"timed out after {step.timeout}")

    def _flow(self, name: str, version: int) -> Workflow:
        flow = self.definition(name, version).definition
        assert isinstance(flow, Workflow)
        return flow

    def _keep(self, run: WorkflowRun) -> WorkflowRun:
        self.records[run.workflow, run.id] = run
        return run


class MemoryBackend(ss.LocalBackend):
    """A backend whose workflows are in such a store."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self.store = store

    def workflows(self) -> Any:
        return self.store
