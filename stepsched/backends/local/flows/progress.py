"""How runs of workflows go on: each end of a step is recorded with everything that follows from it.

The decisions are those of :mod:`stepsched.workflows.decisions`. At the end of a step only the steps that need
it are looked at, each once it can be decided, so that a run of many steps takes time in proportion to its
needs; the whole run is looked at when it starts, after a change by an operator, and at the failure that stops
it.

Everything here runs inside a transaction of the caller.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from heapq import heappop, heappush
from typing import NamedTuple

from pydantic import JsonValue

from stepsched.backends.local.documents import encode
from stepsched.backends.local.flows.graphs import AT, Graph, Graphs, is_live
from stepsched.backends.local.flows.notices import notice
from stepsched.backends.local.flows.tables import DEFAULTS, FlowRow, Head, Need, StepEnd, Tables
from stepsched.backends.local.invoke import filled
from stepsched.backends.local.rows import flow_of, made
from stepsched.core.errors import BackendError, ErrorCode, WorkflowNotFoundError
from stepsched.core.outcomes import indented, one_line, words
from stepsched.jobs import Job, Overlap, Run, Trigger
from stepsched.jobs.names import distinct
from stepsched.targets import WorkflowTarget
from stepsched.workflows import references
from stepsched.workflows.conditions import Condition, When
from stepsched.workflows.decisions import (
    LeftOut,
    advance,
    final_status,
    is_ready,
    why_left_out,
)
from stepsched.workflows.model import Step
from stepsched.workflows.port import Changes
from stepsched.workflows.records import (
    FailureKind,
    StepRun,
    StepStatus,
    WorkflowRun,
    WorkflowRunStatus,
    too_long,
)
from stepsched.workflows.restarts import plan_restart

_log = logging.getLogger("stepsched.local")
_GIVEN = frozenset({"name", "status", "caused_by"})
_NAMED = 5
"""The number of failed steps that the error of a job's run names."""


class FlowEnd(NamedTuple):
    """A run that has ended."""

    key: int
    run: WorkflowRun
    """The run, without its steps."""
    error: str | None
    """Why it has not succeeded. None: it has."""
    is_new: bool = True
    """Whether it ends now, rather than that it has ended before."""


class Flows:
    """The runs of workflows.

    Args:
        tables: The statements.
        keep: Keeps the job of a hidden job whose function exists only in this process, by its ID.
        forget: Forgets it.
    """

    def __init__(
        self,
        tables: Tables,
        keep: Callable[[int, Job], object] = lambda _key, _job: None,
        forget: Callable[[int], object] = lambda _key: None,
    ) -> None:
        self.tables = tables
        self.graphs = Graphs(tables)
        self.forget = forget
        self._keep = keep
        self.started = 0
        """The number of steps that have started since the engine has set it to 0."""

    # -- runs ------------------------------------------------------------------------------------------

    def read(self, row: FlowRow) -> WorkflowRun:
        """Returns a run with its steps, as they are at the same instant."""
        mark, present = self.tables.snapshot(row.id)
        while present and mark != row.mark:  # it has changed since its row was read
            row = self.tables.flow_by_key(row.id) or row
            mark, present = self.tables.snapshot(row.id)
        graph = self._graph(row.run.workflow, row.run.version)
        if graph is None:
            return row.run.model_copy(update={"steps": tuple(present.values())})
        steps = {name: present.get(name) or StepRun(name=name) for name in graph.steps}
        for name, step in steps.items():
            step.__dict__["needs"] = graph.steps[name].needs  # values of ours, which nobody else has
        return row.run.model_copy(update={"steps": tuple(steps.values())})

    def _graph(self, workflow: str, version: int) -> Graph | None:
        """Returns a stored definition; None if this version of stepsched cannot read it."""
        try:
            return self.graphs.of(workflow, version)
        except BackendError as error:
            if error.code != ErrorCode.UNREADABLE:
                raise
            return None

    def change(self, row: FlowRow, changes: Changes, now: datetime) -> tuple[list[FlowEnd], list[str]]:
        """Changes steps of a run, and goes on with it.

        Returns:
            The end of the run, if it has ended; and the markers of the commands that do not count any more.
        """
        graph, key = self.graphs.of(row.run.workflow, changes.version), row.id
        markers = self.withdraw(key, [each.name for each in changes.steps])
        known = self.tables.steps(key)
        for each in changes.steps:
            self.tables.put_step(key, each.after.model_copy(update={"name": each.name}))
        for name in graph.steps:
            if name not in known:
                self.tables.put_step(key, StepRun(name=name))
        dropped = [name for name in known if name not in graph.steps]
        markers += self.withdraw(key, dropped)
        self.tables.drop_steps(key, dropped)
        goes_on = changes.restarts or not row.status.has_ended
        run = row.run.model_copy(
            update={
                "version": changes.version,
                "input": changes.input,
                "revision": row.run.revision + 1,
                "restarts": row.run.restarts + changes.restarts,
                "status": WorkflowRunStatus.RUNNING if goes_on else row.status,
                "ended_at": None if goes_on else row.run.ended_at,
                "error": None if goes_on else row.run.error,
            }
        )
        self.tables.update_run(key, run)
        return (self.go_on(FlowRow(key, run), now) if goes_on else []), markers

    def cancel(self, row: FlowRow, now: datetime) -> tuple[list[FlowEnd], list[str]]:
        """Cancels a run that has not ended. Returns what :meth:`change` does."""
        return self._end_all(row, WorkflowRunStatus.CANCELLED, None, now)

    def _end_all(
        self, row: FlowRow, status: WorkflowRunStatus, error: str | None, now: datetime
    ) -> tuple[list[FlowEnd], list[str]]:
        """Ends a run, and cancels its steps that have not ended. Returns what :meth:`change` does."""
        steps = [step for step in self.read(row).steps if not step.status.has_ended]
        markers = self.withdraw(row.id, [step.name for step in steps])
        for step in steps:
            cancelled = {"status": StepStatus.CANCELLED, "ended_at": now, "retry_at": None}
            self.tables.end_step(row.id, step.model_copy(update=cancelled))
        self.tables.set_open(row.id, 0, ())
        run = row.run.model_copy(
            update={
                "status": status,
                "ended_at": now,
                "error": error,
                "revision": row.run.revision + 1,
            }
        )
        self.tables.update_run(row.id, run)
        return [self.end_of(FlowRow(row.id, run), run.status, now)], markers

    def begin_for(self, job: Job, run: Run, follows: int | None, now: datetime) -> tuple[int, list[FlowEnd]]:
        """Begins the run of a workflow for the run of a job, or restarts it where it failed.

        Args:
            job: The job, whose target is a workflow.
            run: The run of the job.
            follows: The run of the workflow that an earlier attempt has begun. None: none has.
            now: The present.

        Returns:
            The key of the run; and its end, if it has ended.

        Raises:
            WorkflowNotFoundError: There is no such workflow.
            BackendError: Its definition cannot be read.
        """
        assert isinstance(job.target, WorkflowTarget)
        row = None if follows is None else self.tables.flow_by_key(follows)
        if row is None:
            return self._begin_new(job, job.target.workflow, run, now)
        if row.status in (WorkflowRunStatus.FAILED, WorkflowRunStatus.CANCELLED):
            return row.id, self.restart(row, now)
        again = self.end_again(row.id)
        return (row.id, self.go_on(row, now)) if again is None else (row.id, [again])

    def end_again(self, key: int) -> FlowEnd | None:
        """Returns the end of a run that has ended before; None if it has not ended, or is gone."""
        row = self.tables.flow_by_key(key)
        if row is None or not row.status.has_ended:
            return None
        return FlowEnd(key, row.run, self._error(key, row.run), is_new=False)

    def _begin_new(self, job: Job, workflow: str, run: Run, now: datetime) -> tuple[int, list[FlowEnd]]:
        found = self.tables.definition(workflow, None)
        if found is None:
            raise WorkflowNotFoundError(workflow)
        graph, given = self.graphs.of(workflow, found[0]), filled(job, run)
        run_id = _run_id(job, run)
        if self.tables.flow(workflow, run_id) is not None:  # of an earlier job of this name
            run_id = f"{run_id[:40]}-{run.id}"
        row, ends = self.begin(
            WorkflowRun(
                workflow=workflow,
                id=run_id,
                status=WorkflowRunStatus.RUNNING,
                version=found[0],
                started_at=now,
                scheduled_for=run.scheduled_for.astimezone(timezone.utc),
                trigger=run.trigger,
                input=graph.workflow.input if given == {} else given,
            ),
            now,
        )
        return row.id, ends

    def restart(self, row: FlowRow, now: datetime) -> list[FlowEnd]:
        """Restarts a run where it failed."""
        run = self.read(row)
        plan = plan_restart(self.graphs.of(run.workflow, run.version).workflow, run, now=now)
        changes = Changes(run=run, steps=plan.changes, restarts=True, version=run.version, input=plan.input)
        return self.change(row, changes, now)[0]

    def notify(self, end: FlowEnd) -> None:
        """Records that the topic of a workflow is to be told the end of a run."""
        run = end.run
        graph = self._graph(run.workflow, run.version) if end.is_new else None
        if graph is None or graph.workflow.notify is None:
            return
        workflow = graph.workflow
        failed = self.tables.named(end.key, StepStatus.FAILED, len(workflow.steps))
        job = Job(
            name=run.workflow,
            schedule=AT,
            target=graph.workflow.notify,
            input=notice(workflow, run, failed),
            overlap=Overlap.ALLOW,
        )
        name = f"/notice-{run.revision}"
        self.tables.begin_hidden(end.key, name, run.workflow, encode(job), run.ended_at or run.started_at)
        self.started += 1

    def begin(self, run: WorkflowRun, now: datetime) -> tuple[FlowRow, list[FlowEnd]]:
        """Stores a run and starts its first steps; one that exists goes on."""
        graph = self.graphs.of(run.workflow, run.version)
        key = self.tables.insert_run(run, len(graph.steps))
        if key is not None:
            self.tables.insert_steps(key, [(name, len(step.needs)) for name, step in graph.steps.items()])
        row = self.tables.flow(run.workflow, run.id)
        assert row is not None
        ends = [] if row.status.has_ended else self.go_on(row, now)
        return row, ends

    def go_on(self, row: FlowRow, now: datetime) -> list[FlowEnd]:
        """Looks at a whole run: starts what can start, leaves out what cannot run, ends what has ended."""
        key, graph = row.id, self.graphs.of(row.run.workflow, row.run.version)
        while True:
            steps = self._steps(key, graph)
            found = advance(graph.workflow, steps, now)
            self.withdraw(key, [each.name for each in found.left_out])  # they wait for another attempt
            for each in found.left_out:
                left = {"status": each.status, "caused_by": each.caused_by, "reason": each.reason}
                ended = {**left, "ended_at": now, "retry_at": None}
                self.tables.end_step(key, steps[each.name].model_copy(update=ended))
            failed = False
            for name in found.starts:
                if steps[name].retry_at is None:  # otherwise its hidden run starts it
                    failed |= not self._start(row.head, graph, name, now)
            if not failed:
                break
        self._count_anew(key, graph)
        return self._end_if_over(key, self.tables.count_down(key, 0), now)

    def _steps(self, key: int, graph: Graph) -> dict[str, StepRun]:
        present = self.tables.steps(key)
        return {name: present.get(name) or StepRun(name=name) for name in graph.steps}

    def _count_anew(self, key: int, graph: Graph) -> None:
        steps = self._steps(key, graph)
        ended = {name for name, step in steps.items() if step.status.has_ended}
        self.tables.set_open(
            key,
            len(steps) - len(ended),
            [(sum(need not in ended for need in step.needs), name) for name, step in graph.steps.items()],
        )

    def _end_if_over(self, key: int, left: int, now: datetime) -> list[FlowEnd]:
        row = None if left > 0 else self.tables.flow_by_key(key)
        if row is None:
            return []
        status = final_status(
            [StepRun(name=status.value, status=status) for status in self.tables.statuses(key)]
        )
        if status is None:  # a count was wrong
            return self.go_on(row, now)
        self.tables.end_run(key, status, now)
        return [self.end_of(row, status, now)]

    def _go_on(self, key: int, now: datetime) -> list[FlowEnd]:
        row = self.tables.flow_by_key(key)
        return [] if row is None else self.go_on(row, now)

    def end_of(self, row: FlowRow, status: WorkflowRunStatus, now: datetime) -> FlowEnd:
        """Returns the end of a run, and logs it."""
        run = row.run.model_copy(update={"status": status, "ended_at": now})
        error = self._error(row.id, run)
        level = logging.ERROR if status is WorkflowRunStatus.FAILED else logging.INFO
        fields = {"workflow": run.workflow, "workflow_run": run.id, "status": status.value}
        _log.log(level, "%s", one_line(error or f"run {run.key} {status.value}"), extra=fields)
        return FlowEnd(row.id, run, error)

    def _error(self, key: int, run: WorkflowRun) -> str | None:
        if run.status is WorkflowRunStatus.SUCCEEDED:
            return None
        if run.status is WorkflowRunStatus.CANCELLED:
            return f"run {run.key} was cancelled"
        if run.error is not None:
            return f"run {run.key} failed: {run.error}"
        names = self.tables.named(key, StepStatus.FAILED, _NAMED + 1)
        listed = ", ".join(map(repr, names[:_NAMED])) + (" and others" if len(names) > _NAMED else "")
        steps = "step" if len(names) == 1 else "steps"
        return f"run {run.key} failed: {steps} {listed}" if names else f"run {run.key} failed"

    # -- steps -----------------------------------------------------------------------------------------

    def end_step(self, key: int, name: str, end: StepEnd) -> list[FlowEnd]:
        """Records the end of a running step, and what follows from it."""
        head = self.tables.head(key)
        if head is None:
            return []
        self.tables.finish_step(key, name, end)
        if end.status is StepStatus.FAILED:
            _log.error(
                "step %s of run %s/%s failed: %s%s",
                name,
                head.workflow,
                head.run,
                one_line(end.error or ""),
                "" if end.traceback is None else indented(end.traceback),
                extra={"workflow": head.workflow, "workflow_run": head.run, "step": name},
            )
        try:
            graph = self.graphs.of(head.workflow, head.version)
        except BackendError as error:
            if error.code != ErrorCode.UNREADABLE:
                raise
            return self._give_up(key, words(error), end.at)
        return self._after(head, graph, name, end.status, end.at)

    def _give_up(self, key: int, reason: str, now: datetime) -> list[FlowEnd]:
        """Fails a run whose definition cannot be read, so that all others go on. Commands of its steps that
        run at present end by themselves; their outcome does not count any more."""
        row = self.tables.flow_by_key(key)
        if row is None or row.status.has_ended:
            return []
        return self._end_all(row, WorkflowRunStatus.FAILED, reason, now)[0]

    def stopped_by(self, key: int, name: str) -> str | None:
        """Returns the failed step because of which a step is not attempted again; None if it is."""
        head = self.tables.head(key)
        if head is None:
            return None
        graph = self._graph(head.workflow, head.version)
        step = None if graph is None else graph.steps.get(name)
        if graph is None or not graph.stops or step is None or step.when in (When.DONE, When.FAILED):
            return None
        return next(iter(self.tables.named(key, StepStatus.FAILED, 1)), None)

    def _after(self, head: Head, graph: Graph, name: str, status: StepStatus, now: datetime) -> list[FlowEnd]:
        """Does what follows from the end of a step."""
        if name not in graph.place:  # the definition has changed since
            return self._go_on(head.key, now)
        walk = _Walk(self.tables, graph, head.key)
        walk.ended(name, status)
        stops = status is StepStatus.FAILED and graph.stops and self._is_first_failure(head.key)
        while not stops:
            for found in walk.left_out():
                self.tables.leave_out(head.key, found, now)
            if not walk.starts:
                return self._end_if_over(head.key, self.tables.count_down(head.key, walk.count), now)
            for each in sorted(walk.starts, key=graph.place.__getitem__):
                if not self._start(head, graph, each, now):
                    walk.ended(each, StepStatus.FAILED)
                    stops = graph.stops  # several may fail at once, so that none is the only failure
            walk.starts.clear()
        return self._go_on(head.key, now)

    def _is_first_failure(self, key: int) -> bool:
        """Returns whether a run stops now: after an earlier failure nothing is left that would have to be."""
        return len(self.tables.named(key, StepStatus.FAILED, 2)) < 2

    def _start(self, head: Head, graph: Graph, name: str, now: datetime) -> bool:
        """Starts a step; returns False if it has failed, since its input cannot be made."""
        try:
            job, document = self._job(head, graph, name)
        except ValueError as error:
            failed = StepEnd(StepStatus.FAILED, now, 0, error=str(error), failure=FailureKind.JOB)
            self.tables.finish_step(head.key, name, failed)
            return False
        label = f"{head.workflow}/{name}"
        job_id = self.tables.begin_step(head.key, name, label, document, now)
        self.started += 1
        if is_live(graph.steps[name]):
            self._keep(job_id, job)
        return True

    def _job(self, head: Head, graph: Graph, name: str) -> tuple[Job, str]:
        """Returns the hidden job of a step and its document.

        Raises:
            ValueError: Its input cannot be made.
        """
        template = graph.template(name)
        if template.is_constant:
            return template.job, template.document
        outputs = dict[str, JsonValue]()
        for source, status, output in self.tables.outputs(head.key, template.sources):
            step = StepRun(name=source, status=StepStatus(status), output=output)
            if step.is_truncated:
                raise ValueError(too_long(source))
            if step.status is StepStatus.SUCCEEDED or output is not None:
                outputs[source] = step.result
        given = self.tables.input(head.key) if template.uses_input else None
        return template.with_input(references.resolve(template.step.input, outputs, given))

    def withdraw(self, key: int, names: Iterable[str]) -> list[str]:
        """Takes running steps back, so that their outcomes do not count; returns the markers of the commands
        that they may run."""
        names = list(names)
        markers = list[str]()
        for held in self.tables.held(key, names).values() if names else ():
            self.tables.withdraw(held.run_id, held.job_id)
            self.forget(held.job_id)
            if held.worker is not None:
                markers.append(f"{held.worker}#{held.run_id}.{held.attempt}")
        return markers


def _run_id(job: Job, run: Run) -> str:
    """Returns the ID of the workflow's run for a run of a job."""
    at = run.scheduled_for.astimezone(timezone.utc)
    form = "%Y%m%dT%H%M%S.%fZ" if run.trigger is Trigger.MANUAL else "%Y%m%dT%H%M%SZ"
    return f"{at:{form}}-{distinct(job.name, 40)}"


class _Walk:
    """What follows from the ends of steps: a walk along the steps that need them, each after its needs."""

    def __init__(self, tables: Tables, graph: Graph, key: int) -> None:
        self._tables = tables
        self._graph = graph
        self._key = key
        self._known: dict[str, Need] = {}
        """The steps that this walk has ended or started."""
        self._heap: list[tuple[int, str]] = []
        self.count = 0
        """The number of steps that have ended."""
        self.starts = list[str]()
        """The steps to start."""

    def ended(self, name: str, status: StepStatus, caused_by: str | None = None) -> None:
        """Looks at the steps that need a step which has ended."""
        self.count += 1
        self._known[name] = Need(status, caused_by)
        below = self._graph.below[name]
        if not below:
            return
        for each, left in self._tables.end_need(self._key, below):
            if left <= 0 or not status.is_done:
                heappush(self._heap, (self._graph.place[each], each))

    def left_out(self) -> list[LeftOut]:
        """Decides about the steps that can be decided; returns those that do not run."""
        found = list[LeftOut]()
        while self._heap:
            _, name = heappop(self._heap)
            if name in self._known:
                continue
            step = self._graph.steps[name]
            state = self._state(step)
            left = why_left_out(step, state)
            if left is not None:
                found.append(left)
                self.ended(name, left.status, left.caused_by)
            elif is_ready(step, state):
                self._known[name] = Need(StepStatus.RUNNING, None)
                self.starts.append(name)
        return found

    def _state(self, step: Step) -> dict[str, StepRun]:
        """Returns the needs of a step."""
        names = set(step.needs)
        state = {name: _small(name, *known) for name in names if (known := self._known.get(name)) is not None}
        state |= self._read(names - state.keys())
        if isinstance(step.when, Condition):
            state |= self._with_output(step.when.step, state[step.when.step])
        causes = {need.caused_by for need in state.values() if need.status is StepStatus.UPSTREAM_FAILED}
        return state | self._read({cause for cause in causes if cause is not None} - state.keys())

    def _read(self, names: Iterable[str]) -> dict[str, StepRun]:
        found = self._tables.needs(self._key, names)
        return {name: _small(name, *need) for name, need in found.items()}

    def _with_output(self, name: str, step: StepRun) -> dict[str, StepRun]:
        ((_, _, output),) = self._tables.outputs(self._key, [name])
        return {name: step.model_copy(update={"output": output})}


def _small(name: str, status: StepStatus, caused_by: str | None) -> StepRun:
    """Returns a step with what others need to know of it."""
    return made(StepRun, {**DEFAULTS, "name": name, "status": status, "caused_by": caused_by}, _GIVEN)


def step_name(job_name: str) -> str:
    """Returns the name of the step of a hidden job, as its row calls it; empty if it is not a step."""
    name = job_name.partition("/")[2] if flow_of(job_name) is not None else ""
    return "" if "/" in name else name
