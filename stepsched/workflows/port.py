"""The port: the interface between :class:`WorkflowClient` and the backends that run workflows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from stepsched.core.errors import UnsupportedError
from stepsched.jobs.records import Repair, Trigger
from stepsched.workflows.model import Workflow
from stepsched.workflows.records import (
    StepPlan,
    TakenOver,
    WorkflowRun,
    WorkflowRunStatus,
    WorkflowVersion,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """The conditions of a list of runs; all given conditions must match."""

    workflow: str | None = None
    status: WorkflowRunStatus | None = None
    since: datetime | None = None
    """The earliest start, inclusive."""
    until: datetime | None = None
    """The latest start, inclusive."""
    limit: int | None = None
    """The maximum number of runs; the latest ones are returned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A run to start."""

    workflow: str
    version: int
    """The version of the stored definition."""
    run_id: str
    input: JsonValue
    trigger: Trigger = Trigger.MANUAL
    scheduled_for: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Changes of the steps of a run by an operator."""

    run: WorkflowRun
    """The run as it was read."""
    steps: Sequence[StepPlan]
    """The steps that change: each is written only while it is still as in ``before`` (status and attempt)."""
    restarts: bool
    """Whether the run runs again, or goes on. False: the status of an ended run stays as it is."""
    version: int
    """The version of the definition that the run follows from now on."""
    input: JsonValue
    """The input of the run from now on."""


class WorkflowStore(ABC):
    """What a backend does with workflows. Every method may raise :class:`BackendError`.

    A repeated call converges: it finds what an interrupted one has done, and does the rest. No step is
    started twice.
    """

    name: str
    """The name of the backend in errors."""
    first_pause: float = 0.005
    """The pause between the first two polls of ``wait``, in seconds; further pauses grow, up to a second."""

    @abstractmethod
    def now(self) -> datetime:
        """Returns the present instant on the backend's clock, in UTC."""

    @abstractmethod
    def check(self, workflow: Workflow) -> None:
        """Refuses a workflow that the backend cannot run exactly as defined.

        Raises:
            UnsupportedError: The error names the step, the reason and alternatives.
        """

    @abstractmethod
    def put(self, workflow: Workflow) -> WorkflowVersion:
        """Stores a definition: as the next version, or not at all if it equals the latest one."""

    @abstractmethod
    def definition(self, name: str, version: int | None = None) -> WorkflowVersion:
        """Returns a stored definition. ``version`` None: the latest.

        Raises:
            WorkflowNotFoundError: There is no such workflow or version.
        """

    @abstractmethod
    def definitions(self) -> Iterator[WorkflowVersion]:
        """Yields the latest definition of every workflow, by name."""

    @abstractmethod
    def start(self, start: Start) -> WorkflowRun:
        """Starts a run; if it exists, makes sure that it goes on if it has not ended, and returns it."""

    @abstractmethod
    def read(self, workflow: str, run_id: str) -> WorkflowRun:
        """Returns a run with all steps of its definition.

        Raises:
            RunNotFoundError: There is no such run.
        """

    @abstractmethod
    def runs(self, query: RunQuery) -> Iterator[WorkflowRun]:
        """Yields the matching runs with their steps, the earliest start first."""

    @abstractmethod
    def change(self, changes: Changes) -> WorkflowRun:
        """Changes steps of a run. Running steps that become skipped or succeeded are ended where the backend
        can; their outcome does not count any more.

        Raises:
            ConflictError: A step, or the run, has changed since it was read. Nothing of the last portion is
                changed.
        """

    @abstractmethod
    def cancel(self, run: WorkflowRun) -> WorkflowRun:
        """Cancels a run: no further step starts, running ones are ended where the backend can, and all steps
        that have not ended become cancelled. A run that has ended is returned unchanged."""

    def take_over(self, *, schedules_table: str, history_table: str | None = None) -> TakenOver:  # noqa: ARG002 -- the backend that can uses them
        """Stores the workflows and ended runs in the tables of an AWS Batch scheduler. A run that is stored
        already is not overwritten.

        Raises:
            UnsupportedError: The backend cannot read such tables.
        """
        reason = "it cannot read tables of DynamoDB"
        raise UnsupportedError("*", self.name, reason, ("StepFunctionsBackend",), "workflow")

    def restart_method(self, changes: Changes) -> str:  # noqa: ARG002 -- the backends use it
        """Returns how a restart goes on, in a few words: ``in place``, ``a new execution``."""
        return "in place"

    def repair(self) -> list[Repair]:
        """Finds runs that do not go on although they have not ended, and makes them go on."""
        return []

    def why_wait_is_endless(self) -> str | None:
        """As :meth:`Backend.why_wait_is_endless`."""
        return None
