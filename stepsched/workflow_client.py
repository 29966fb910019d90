"""The client of workflows: the verbs, implemented over the port :class:`WorkflowStore`."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue
from typing_extensions import Self

from stepsched.backends.base import Backend, backend_table, idle_reason
from stepsched.client import SchedulerClient
from stepsched.core.clock import SystemClock
from stepsched.core.durations import seconds_of
from stepsched.core.errors import (
    ConflictError,
    InvalidTransitionError,
    RunNotFoundError,
    UnsupportedError,
    WaitTimeoutError,
    WorkflowNotFoundError,
)
from stepsched.core.payloads import read_payload, without_attributes
from stepsched.core.quoting import quoted
from stepsched.core.values import whole_number
from stepsched.display.results import Displayed
from stepsched.jobs.names import is_name
from stepsched.jobs.records import checked_reason
from stepsched.jobs.results import Repairs
from stepsched.schedules.moments import aware
from stepsched.workflows import restarts
from stepsched.workflows.arguments import (
    LATEST,
    RestartArguments,
    checked_run_id,
    is_run_id,
    known_name,
    near,
    new_run_id,
    read_status,
)
from stepsched.workflows.model import Step, Workflow, no_workflow
from stepsched.workflows.port import Changes, RunQuery, Start, WorkflowStore
from stepsched.workflows.records import (
    RestartPlan,
    StepPlan,
    TakenOver,
    WorkflowRun,
    WorkflowRunStatus,
    WorkflowVersion,
)
from stepsched.workflows.requests import Names
from stepsched.workflows.results import WorkflowRuns, WorkflowVersions
from stepsched.workflows.showing import Shown

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Table

_LONGEST_PAUSE = 1.0
"""The longest pause between two polls of a run, in seconds, unless the backend asks for more."""
_PAUSES = (0.02, 0.04, 0.08, 0.16, 0.32)
"""The pauses, in seconds, before a change is planned anew because the run has changed meanwhile."""
_NEAR = 200
"""The number of runs among which an ID that is spelled alike is looked for."""


class WorkflowClient(Displayed):
    """Stores, starts, awaits, restarts and cancels workflows. The methods are the same on every backend that
    runs workflows.

    A run is given as a :class:`WorkflowRun`, or as its key: ``"nightly/20300107T020000Z-k3f9"``; the name
    alone, ``"nightly"``, means the latest run.

    As a context manager the client starts and ends its backend as :class:`SchedulerClient` does.

    Example:
        >>> import stepsched as ss
        >>> extract = ss.Step("extract", target=ss.HandlerTarget(lambda: {"rows": 3}))
        >>> load = ss.Step("load", target=ss.HandlerTarget(print), needs=[extract])
        >>> flows = WorkflowClient()
        >>> flows.put(ss.Workflow("nightly", steps=[extract, load])).version
        1
    """

    def __init__(self, backend: Backend | None = None) -> None:
        """Creates a client.

        Args:
            backend: The backend that stores and runs the workflows. None: a new :class:`LocalBackend` in
                memory.

        Raises:
            UnsupportedError: The backend does not run workflows.
        """
        self._client = SchedulerClient(backend)
        self._store: WorkflowStore = self._client.backend.workflows()

    @classmethod
    def from_stack(cls, name: str, **options: Any) -> Self:
        """Creates a client of the :class:`StepFunctionsBackend` of a CloudFormation stack that has the part
        ``workflows``; ``close`` closes the backend too.

        Args:
            name: The name of the stack.
            **options: Passed to :meth:`StepFunctionsBackend.from_stack`.

        Raises:
            BackendError: There is no such stack, or it has no outputs of ``stepsched.deploy.template``.
            UnsupportedError: The stack does not run workflows.
        """
        scheduler = SchedulerClient.from_stack(name, **options)
        try:
            client = cls(scheduler.backend)
        except UnsupportedError:
            scheduler.close()
            raise
        client._client = scheduler  # which knows that the backend is its own
        return client

    @property
    def backend(self) -> Backend:
        """The backend that stores and runs the workflows."""
        return self._client.backend

    def close(self, *, timeout: timedelta | float | None = None) -> None:
        """Closes or stops the backend, as :meth:`SchedulerClient.close` does. May be called more than once.

        Args:
            timeout: The longest time to wait for steps in progress, in seconds or as a timedelta. None: no
                limit.
        """
        self._client.close(timeout=timeout)

    # -- definitions -----------------------------------------------------------------------------------

    def put(self, workflow: Workflow) -> WorkflowVersion:
        """Stores a workflow: as the next version, or not at all if it equals the latest one. Runs that exist
        follow the definition that they have.

        Raises:
            UnsupportedError: The backend cannot run a step exactly as defined.
            TypeError: ``workflow`` is not a :class:`Workflow`.
        """
        if type(workflow) is not Workflow:  # a subclass would be read back as a Workflow
            raise no_workflow(workflow)
        self._store.check(workflow)
        return self._store.put(workflow)

    def get(self, name: str, version: int | None = None) -> WorkflowVersion:
        """Returns a stored workflow.

        Args:
            name: The name of the workflow.
            version: The number of the version. None: the latest.

        Raises:
            WorkflowNotFoundError: There is no such workflow or version.
        """
        if version is not None and whole_number(version, "version") == 0:
            raise ValueError("expected a version of at least 1, got 0")
        return self._definition(known_name(name), version)

    def list(self) -> WorkflowVersions:
        """Returns the latest version of every workflow, sorted by name: a list, which ``print()`` and
        notebooks show as a table."""
        found = sorted(self._store.definitions(), key=lambda each: each.name)
        return WorkflowVersions(found, now=self._store.now())

    def _definition(self, name: str, version: int | None = None) -> WorkflowVersion:
        try:
            return self._store.definition(name, version)
        except WorkflowNotFoundError as error:
            if version is not None or error.near:
                raise
            raise WorkflowNotFoundError(name, None, self._near_names(name)) from error

    def _near_names(self, name: str) -> tuple[str, ...]:
        return near(name, (each.name for each in self._store.definitions()))

    # -- runs ------------------------------------------------------------------------------------------

    def start(
        self,
        workflow: Workflow | str,
        *,
        input: JsonValue = None,  # noqa: A002 -- as the field of Workflow
        run_id: str | None = None,
    ) -> WorkflowRun:
        """Starts a run.

        Args:
            workflow: The workflow, which is stored first, or the name of a stored one, of which the latest
                version runs.
            input: The input of the run, to which steps refer. None: that of the definition.
            run_id: The ID of the run: 1 to 64 of ``A-Z a-z 0-9 - _ . :``, unique in the workflow. With an ID
                the call can be repeated: a run that exists is made to go on if it has not ended, and is
                returned, with its own input and definition. None: a new ID that begins with the present
                instant.

        Returns:
            The run.

        Raises:
            WorkflowNotFoundError: There is no workflow of this name.
            UnsupportedError: The backend cannot run a step exactly as defined.
            ValueError: ``run_id`` has other characters, or ``input`` is not JSON.
        """
        if run_id is not None:
            checked_run_id(run_id)
        given = None if input is None else without_attributes(read_payload(input))
        stored = self.put(workflow) if not isinstance(workflow, str) else self.get(workflow)
        return self._store.start(
            Start(
                workflow=stored.name,
                version=stored.version,
                run_id=run_id or new_run_id(self._store.now(), secrets.token_bytes(4)),
                input=stored.definition.input if given is None else given,
            )
        )

    def status(self, run: WorkflowRun | str) -> WorkflowRun:
        """Returns a run as it is now, with all its steps.

        Args:
            run: The run, its key, or the name of a workflow for its latest run.

        Raises:
            RunNotFoundError: There is no such run.
            WorkflowNotFoundError: There is no such workflow.
        """
        if isinstance(run, WorkflowRun):
            return self._store.read(run.workflow, run.id)
        if not isinstance(run, str):
            raise TypeError(f"expected a WorkflowRun or its key, such as 'nightly', got {quoted(run)}")
        name, slash, run_id = run.rpartition("/")
        if not slash or not is_run_id(run_id) or not is_name(name):
            return self._latest(name if slash and run_id == LATEST else run)
        try:
            return self._store.read(name, run_id)
        except (RunNotFoundError, WorkflowNotFoundError) as error:
            missing = error
        try:  # the name of a workflow may contain a slash
            return self._latest(run)
        except (WorkflowNotFoundError, RunNotFoundError):
            raise self._no_run(name, run_id) from missing

    def _latest(self, name: str) -> WorkflowRun:
        known_name(name)
        for found in self._store.runs(RunQuery(workflow=name, limit=1)):
            return found
        self._definition(name)  # says that there is no such workflow
        raise RunNotFoundError(name, LATEST)

    def _no_run(self, name: str, run_id: str) -> RunNotFoundError | WorkflowNotFoundError:
        found = [each.id for each in self._store.runs(RunQuery(workflow=name, limit=_NEAR))]
        if not found:
            try:
                self._definition(name)
            except WorkflowNotFoundError as error:
                return error
        return RunNotFoundError(name, run_id, near(run_id, found))

    def runs(
        self,
        name: str | None = None,
        *,
        status: WorkflowRunStatus | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> WorkflowRuns:
        """Returns the runs that match all given conditions, the earliest start first: a list, which
        ``print()`` and notebooks show as a table.

        Args:
            name: The name of the workflow. None: all workflows.
            status: A :class:`WorkflowRunStatus` or its value as a string.
            since: The earliest start; aware, inclusive.
            until: The latest start; aware, inclusive.
            limit: The maximum number of runs; the latest ones are returned.

        Raises:
            WorkflowNotFoundError: There is neither a workflow of this name nor a run of one.
            ValueError: ``status`` is not the value of a :class:`WorkflowRunStatus`, an instant is naive, or
                ``limit`` is negative.
        """
        query = RunQuery(
            workflow=None if name is None else known_name(name),
            status=None if status is None else read_status(status),
            since=None if since is None else aware(since, "since"),
            until=None if until is None else aware(until, "until"),
            limit=None if limit is None else whole_number(limit, "limit"),
        )
        found = [] if query.limit == 0 else [*self._store.runs(query)]
        if not found and name is not None and not any(self._store.runs(RunQuery(workflow=name, limit=1))):
            self._definition(name)
        return WorkflowRuns(found, now=self._store.now())

    def wait(
        self,
        run: WorkflowRun | str,
        *,
        timeout: timedelta | float | None = None,
        progress: Callable[[WorkflowRun], object] | None = None,
    ) -> WorkflowRun:
        """Waits until a run has ended, in this or in another process. Ctrl-C ends the wait; the run goes on.

        Args:
            run: The run, its key, or the name of a workflow for its latest run.
            timeout: The longest time to wait, in seconds or as a timedelta; zero polls once. None: no limit.
            progress: A function that is called with the run after each poll. None: a table of the steps,
                which is kept up to date, if the output is a terminal or a notebook; otherwise each change is
                logged as a line (logger ``stepsched.workflow_client``, level INFO).

        Returns:
            The ended run; ``.status`` is its outcome.

        Raises:
            WaitTimeoutError: The run has not ended within ``timeout``; it goes on.
            RunNotFoundError: There is no such run, or no longer.
            UnsupportedError: The backend has a fake clock, which does not advance during the wait.
        """
        looks, sleep = self._looks_at(run, timeout, progress), threading.Event().wait
        while not isinstance(look := next(looks), WorkflowRun):
            sleep(look)
        return look

    def _looks_at(
        self,
        run: WorkflowRun | str,
        timeout: timedelta | float | None,
        progress: Callable[[WorkflowRun], object] | None,
    ) -> Iterator[float | WorkflowRun]:
        """Polls a run until it has ended: yields the seconds to pause before each next poll, and finally the
        run."""
        seconds, clock = seconds_of(timeout, "timeout"), SystemClock()
        if progress is not None and not callable(progress):
            raise TypeError(f"expected a function or None for progress, got {quoted(progress)}")
        begun, pause, present = clock.monotonic(), self._store.first_pause, self.status(run)
        shown, is_first = Shown(self._store.now, progress), True
        try:
            while True:
                shown.show(present)
                if present.status.has_ended:
                    break
                reason = self._store.why_wait_is_endless()
                if reason is not None:
                    raise UnsupportedError(present.key, self._store.name, reason, (), "workflow run")
                if seconds is not None:
                    left = begun + seconds - clock.monotonic()
                    if left <= 0:
                        why, state = idle_reason(self.backend), present.status.value
                        raise WaitTimeoutError(present.workflow, present.id, state, seconds, why)
                    pause = min(pause, left)
                elif is_first and progress is None:  # otherwise the caller tells what goes on
                    self._warn_if_endless(present)
                yield pause
                pause, is_first = min(2 * pause, max(_LONGEST_PAUSE, self._store.first_pause)), False
                present = self._store.read(present.workflow, present.id)
        finally:
            shown.close()
        yield present

    def _warn_if_endless(self, run: WorkflowRun) -> None:
        reason = idle_reason(self.backend)
        if reason is not None:
            import logging

            logging.getLogger(__name__).warning("waiting without timeout for run %s: %s", run.key, reason)

    # -- restarts --------------------------------------------------------------------------------------

    def plan_restart(
        self,
        run: WorkflowRun | str,
        *,
        from_: Names = (),
        only: Names = (),
        skip: Names = (),
        mark_succeeded: Names | Mapping[str, JsonValue] = (),
        input: JsonValue = None,  # noqa: A002 -- as the field of Workflow
        workflow: Workflow | None = None,
    ) -> RestartPlan:
        """Returns what a restart would do with every step, and why. Nothing is changed. ``print`` and
        notebooks show a table.

        Without further arguments, steps that have succeeded or were skipped stay so, running ones are
        awaited, and all others run when their needs are done.

        Args:
            run: The run, its key, or the name of a workflow for its latest run.
            from_: Steps that run again, with all steps that need them, directly or by others.
            only: The steps that run again; all others keep what they have.
            skip: Steps that are skipped; they count as done.
            mark_succeeded: Steps that count as succeeded, such as because somebody has done their work by
                hand; as a mapping, with their outputs.
            input: The input of the run from now on. None: that which it has.
            workflow: A changed definition, of the same name, that the run follows from now on. None: that
                which it has.

        Raises:
            RunNotFoundError: There is no such run.
            UnsupportedError: The backend cannot run a step of ``workflow`` exactly as defined.
            ValueError: A step is unknown or still runs, or a step of ``only`` needs one that would not be
                done.
            InvalidTransitionError: The run has succeeded, and no argument says what to run again.
        """
        given = RestartArguments.of(from_, only, skip, mark_succeeded, input, workflow)
        present = self.status(run)
        plan = self._plan(present, given)
        version = present.version + (plan.definition is not None)  # any other number: it is not stored yet
        changes = Changes(run=present, steps=plan.changes, restarts=True, version=version, input=plan.input)
        return plan.model_copy(update={"method": self._store.restart_method(changes)})

    def _plan(self, run: WorkflowRun, given: RestartArguments) -> RestartPlan:
        if run.status is WorkflowRunStatus.SUCCEEDED and given.is_empty:
            raise _nothing_to_restart(run)
        former = self._definition(run.workflow, run.version).definition
        if given.workflow is not None:
            if given.workflow.name != run.workflow:
                name = given.workflow.name
                raise ValueError(f"expected a definition of workflow {run.workflow!r}, got one of {name!r}")
            self._store.check(given.workflow)
        plan = restarts.plan_restart(
            given.workflow or former,
            run,
            from_=given.from_,
            only=given.only,
            skip=given.skip,
            mark_succeeded=given.mark_succeeded,
            input=given.input,
            former=former,
            now=self._store.now(),
        )
        if run.status is WorkflowRunStatus.SUCCEEDED and not plan.changes and not plan.names("run"):
            raise _nothing_to_restart(run)
        return plan.model_copy(update={"definition": given.workflow})

    def restart(
        self,
        run_or_plan: WorkflowRun | RestartPlan | str,
        *,
        from_: Names = (),
        only: Names = (),
        skip: Names = (),
        mark_succeeded: Names | Mapping[str, JsonValue] = (),
        input: JsonValue = None,  # noqa: A002 -- as the field of Workflow
        workflow: Workflow | None = None,
    ) -> WorkflowRun:
        """Restarts a run where it failed, after any time: what has succeeded is not run again, and what still
        runs is awaited, never doubled. The run keeps its ID. A run that has not ended is made to go on, with
        what has failed so far.

        Args:
            run_or_plan: The run, its key, the name of a workflow for its latest run, or a plan of
                :meth:`plan_restart`, which is carried out as it is.
            from_: As for :meth:`plan_restart`, and so are all others; only without a plan.
            only: As for :meth:`plan_restart`.
            skip: As for :meth:`plan_restart`.
            mark_succeeded: As for :meth:`plan_restart`.
            input: As for :meth:`plan_restart`.
            workflow: As for :meth:`plan_restart`; it is stored first.

        Returns:
            The run, which goes on.

        Raises:
            ConflictError: The run has changed since the plan was made, or changes all the time.
            Exception: As for :meth:`plan_restart`.
        """
        given = RestartArguments.of(from_, only, skip, mark_succeeded, input, workflow)
        if isinstance(run_or_plan, RestartPlan):
            if not given.is_empty:
                raise ValueError(
                    "expected no further arguments with a plan; pass them to plan_restart, which makes it"
                )
            return self._carry_out(self._store.read(run_or_plan.workflow, run_or_plan.run), run_or_plan)

        def attempt(run: WorkflowRun) -> WorkflowRun:
            return self._carry_out(run, self._plan(run, given))

        return self._retried(run_or_plan, attempt)

    def _carry_out(self, run: WorkflowRun, plan: RestartPlan) -> WorkflowRun:
        if run.revision != plan.revision:
            raise ConflictError(run.key, plan.revision, "workflow run")
        version = run.version if plan.definition is None else self.put(plan.definition).version
        is_same = version == run.version and plan.input == run.input
        if not run.status.has_ended and not plan.changes and is_same:  # it only has to go on
            return self._store.start(
                Start(workflow=run.workflow, version=run.version, run_id=run.id, input=run.input)
            )
        return self._change(run, plan.changes, restarts=True, version=version, input=plan.input)

    def _change(
        self,
        run: WorkflowRun,
        steps: Iterable[StepPlan],
        *,
        restarts: bool,
        version: int,
        input: JsonValue,  # noqa: A002 -- as the field of Changes
    ) -> WorkflowRun:
        changes = Changes(run=run, steps=tuple(steps), restarts=restarts, version=version, input=input)
        try:
            return self._store.change(changes)
        except ConflictError as error:
            raise ConflictError(run.key, run.revision, "workflow run") from error

    def _retried(self, run: WorkflowRun | str, attempt: Callable[[WorkflowRun], WorkflowRun]) -> WorkflowRun:
        """Reads the run and attempts a change of it, anew while the run changes meanwhile."""
        present = self.status(run)
        for pause in _PAUSES:
            try:
                return attempt(present)
            except ConflictError:
                pass  # the run has changed meanwhile
            threading.Event().wait(pause)
            present = self.status(present)
        return attempt(present)

    def skip(self, run: WorkflowRun | str, step: str | Step, *, reason: str | None = None) -> WorkflowRun:
        """Skips a step: it counts as done for the steps that need it. A running step is ended where the
        backend can, and its outcome does not count any more. Steps that did not run because of it run after
        all, if the run has not ended; an ended run keeps its status until it is restarted.

        Args:
            run: The run, its key, or the name of a workflow for its latest run.
            step: The name of the step.
            reason: Why, for people: 1 to 200 visible characters on one line. None: none is given.

        Raises:
            RunNotFoundError: There is no such run.
            ValueError: There is no such step, or it has succeeded.
            ConflictError: The run changes all the time.
        """
        reason = checked_reason(reason)

        def attempt(present: WorkflowRun) -> WorkflowRun:
            definition = self._definition(present.workflow, present.version).definition
            plan = restarts.skip_plan(definition, present, step, reason, now=self._store.now())
            if not plan.changes:
                return present
            return self._change(
                present, plan.changes, restarts=False, version=present.version, input=present.input
            )

        return self._retried(run, attempt)

    def cancel(self, run: WorkflowRun | str) -> WorkflowRun:
        """Cancels a run: no further step starts, running ones are ended where the backend can, and all steps
        that have not ended become cancelled. A run that has ended is returned unchanged.

        Raises:
            RunNotFoundError: There is no such run.
        """
        return self._store.cancel(self.status(run))

    def repair(self) -> Repairs:
        """Finds runs that do not go on although they have not ended, such as after an outage, and makes them
        go on. It is safe at any time and from several callers at once.

        Returns:
            One entry for each problem, sorted by workflow; empty if there was none.
        """
        found = sorted(self._store.repair(), key=lambda each: each.job)
        return Repairs(found, now=self._store.now())

    def take_over(self, *, schedules_table: str, history_table: str | None = None) -> TakenOver:
        """Reads the tables of an AWS Batch scheduler: its schedules become workflows, and its history runs,
        which can be restarted. Nothing is written to these tables. A run whose record says that it runs, and
        was last written more than an hour ago, has died, and is taken over as a failed one.

        Args:
            schedules_table: The name of the table of schedules.
            history_table: The name of the table of the history. None: only the schedules are taken over.

        Returns:
            What was taken over, and what was left out with the reason.

        Raises:
            UnsupportedError: The backend has no such tables.
        """
        return self._store.take_over(schedules_table=schedules_table, history_table=history_table)

    def __repr__(self) -> str:
        return f"WorkflowClient({self.backend!r})"

    def _shown_table(self) -> Table:
        return backend_table(self.backend, type(self).__name__)

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _nothing_to_restart(run: WorkflowRun) -> InvalidTransitionError:
    cure = "there is nothing to restart; use from_= or only="
    return InvalidTransitionError(run.key, run.status.value, "restart", "workflow run", cure)
