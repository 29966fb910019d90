"""The records of workflows that backends return: runs, their steps, and what a restart will do."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import Field, JsonValue
from typing_extensions import Self

from stepsched.core.clock import utc_now
from stepsched.core.enums import StrEnum
from stepsched.core.payloads import Payload
from stepsched.core.values import Value
from stepsched.display.results import Displayed, DisplayedFields
from stepsched.jobs.records import Trigger
from stepsched.schedules.moments import PlainDatetime, aware
from stepsched.schedules.zones import shared_zone
from stepsched.workflows.model import MAX_OUTPUT, Workflow

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Table


class StepStatus(StrEnum):
    """The status of a step in a run."""

    PENDING = "pending"
    """The step waits for its needs, or for its next attempt."""
    RUNNING = "running"
    """An attempt has been claimed: it was started, or is about to be."""
    SUCCEEDED = "succeeded"
    """The step has succeeded, or an operator has marked it so."""
    FAILED = "failed"
    """The step has failed for good: no attempt is left."""
    SKIPPED = "skipped"
    """An operator has skipped the step. It counts as done (``PASS`` of the AWS Batch scheduler)."""
    UPSTREAM_FAILED = "upstream_failed"
    """The step does not run, because a step that it needs has not succeeded: ``caused_by``."""
    UNMET = "unmet"
    """The step does not run, because its condition (``when``) is not met, or that of a step that it needs."""
    CANCELLED = "cancelled"
    """The run was cancelled before the step ended."""

    @property
    def has_ended(self) -> bool:
        """Whether the step has ended. Only a restart makes an ended step pending again."""
        return self not in (StepStatus.PENDING, StepStatus.RUNNING)

    @property
    def is_done(self) -> bool:
        """Whether the step counts as done for the steps that need it."""
        return self in (StepStatus.SUCCEEDED, StepStatus.SKIPPED)


class FailureKind(StrEnum):
    """Why an attempt of a step failed."""

    JOB = "job"
    """The target itself failed, or took too long."""
    PLATFORM = "platform"
    """The platform took the target away: a reclaimed spot instance, an image that could not be pulled, a
    process that ended. Such attempts are repeated apart from ``retry``, up to three times."""
    STOPPED = "stopped"
    """Somebody stopped the target. It is not repeated."""


class WorkflowRunStatus(StrEnum):
    """The status of a run of a workflow."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    """Every step has succeeded, was skipped, or was left out by a condition."""
    FAILED = "failed"
    """A step has failed for good, or could not run because of one that has."""
    CANCELLED = "cancelled"
    """An operator has cancelled the run."""

    @property
    def has_ended(self) -> bool:
        """Whether the run has ended. Only a restart makes it run again."""
        return self is not WorkflowRunStatus.RUNNING


class StepRun(Displayed, Value, frozen=True):
    """A step in a run of a workflow."""

    name: str
    """The name of the step."""
    status: StepStatus = StepStatus.PENDING
    """The status of the step."""
    needs: tuple[str, ...] = ()
    """The names of the steps that it needs, in the definition that the run follows."""
    attempt: int = 0
    """The number of attempts started so far, in all restarts."""
    failures: int = 0
    """The number of attempts since the last restart that count against ``retry``."""
    losses: int = 0
    """The number of attempts since the last restart that the platform took away."""
    started_at: PlainDatetime | None = None
    """When the latest attempt was started, in UTC. None: none was."""
    ended_at: PlainDatetime | None = None
    """When the step ended, in UTC. None: it has not ended."""
    retry_at: PlainDatetime | None = None
    """The earliest instant of the next attempt, in UTC. None: no attempt is awaited."""
    output: str | None = None
    """The result of the step as text, truncated to 4,000 characters. None: there is none."""
    error: str | None = None
    """The error of the latest attempt. None: there is none."""
    failure: FailureKind | None = None
    """The kind of the latest failure. None: there was none."""
    caused_by: str | None = None
    """The step because of which this one did not run. None: there is none."""
    reason: str | None = None
    """Why the step has its status, in a sentence, such as who skipped it. None: the status says it."""
    job_id: str | None = None
    """What runs or ran the latest attempt: the ID of the AWS Batch job, the ARN of an execution, or the
    number of a run of the embedded backend. None: nothing was started."""
    detail: str | None = None
    """The status of the service while the step runs, such as ``RUNNABLE`` of AWS Batch. None: unknown."""
    link: str | None = None
    """The URL of the attempt in the provider's console. None: there is none."""

    @property
    def result(self) -> JsonValue:
        """The output as a value: decoded if it is JSON, otherwise the text itself. None: there is no
        output."""
        if self.output is None:
            return None
        try:
            value: JsonValue = json.loads(self.output)
        except (ValueError, RecursionError):
            return self.output
        return value

    def _shown_table(self) -> Table:
        from stepsched.workflows.displayed import step_run_table

        return step_run_table(self, utc_now())

    @property
    def is_truncated(self) -> bool:
        """Whether the output may have been truncated, so that other steps cannot use it."""
        return self.output is not None and len(self.output) >= MAX_OUTPUT


def too_long(step: str) -> str:
    """Returns why the output of a step cannot be used, if :attr:`StepRun.is_truncated`."""
    return (
        f"step {step!r}: its output is longer than {MAX_OUTPUT:,} characters; "
        "write it elsewhere and pass its location"
    )


class WorkflowRun(Displayed, Value, frozen=True):
    """A run of a workflow, with the state of its steps when it was read."""

    workflow: str
    """The name of the workflow."""
    id: str
    """The ID of the run, unique in its workflow: the instant of its start, so that later runs have later IDs,
    and a short token; or the ID that ``start`` was given."""
    status: WorkflowRunStatus
    """The status of the run."""
    version: int
    """The version of the definition that the run follows; a restart may change it."""
    started_at: PlainDatetime
    """When the run was first started, in UTC."""
    ended_at: PlainDatetime | None = None
    """When the run ended, in UTC. None: it has not ended."""
    scheduled_for: PlainDatetime | None = None
    """The scheduled instant of the job's run that started it. None: ``start`` did."""
    trigger: Trigger = Trigger.MANUAL
    """What started the run."""
    restarts: int = 0
    """How often the run was restarted."""
    revision: int = 0
    """The number of changes by operators and restarts, by which concurrent ones recognise one another."""
    input: Payload = Field(default_factory=dict)
    """The input of the run."""
    steps: tuple[StepRun, ...] = ()
    """The steps, in the order of the definition."""
    error: str | None = None
    """Why the run as a whole failed, if no step says it. None: the steps say it."""
    job_id: str | None = None
    """The ARN of the execution that drives the run. None: the embedded backend does."""
    link: str | None = None
    """The URL of the run in the provider's console. None: there is none."""

    @property
    def key(self) -> str:
        """The name of the workflow and the ID of the run, ``nightly/20300107T020000-k3f9``, as the verbs take
        it."""
        return f"{self.workflow}/{self.id}"

    @property
    def by_name(self) -> dict[str, StepRun]:
        """The steps by name."""
        return {step.name: step for step in self.steps}

    def _shown_table(self) -> Table:
        from stepsched.workflows.displayed import run_table

        return run_table(self, utc_now())

    def _picture(self) -> str:
        from stepsched.display.table import MOST

        return self.to_svg() if len(self.steps) <= MOST else ""  # as of Workflow

    def to_svg(self) -> str:
        """Returns the graph with the states of its steps as a self-contained SVG.

        ``Workflow.to_svg(run)`` also has the targets and conditions. For the size see there.
        """
        from stepsched.workflows.pictures import to_svg

        return to_svg(None, self, utc_now())

    def to_mermaid(self) -> str:
        """Returns the graph with the states of its steps in Mermaid's language."""
        from stepsched.workflows.pictures import to_mermaid

        return to_mermaid(None, self, utc_now())

    def to_dot(self) -> str:
        """Returns the graph with the states of its steps in Graphviz's language."""
        from stepsched.workflows.pictures import to_dot

        return to_dot(None, self, utc_now())

    def to_gantt(self, *, timezone: str = "UTC", now: datetime | None = None) -> str:
        """Returns when each step waited and ran, with the critical path, as a self-contained SVG.

        It shows the latest attempt of a step. Of more than 100 steps it shows those of the critical path,
        those that failed or run, and the longest.

        Args:
            timezone: The IANA name of the zone of the axis.
            now: Until when running steps are drawn. None: the present.

        Raises:
            ValueError: There is no such zone, or ``now`` is naive.
        """
        from stepsched.workflows.pictures import to_gantt

        return to_gantt(self, utc_now() if now is None else aware(now, "now"), shared_zone((), timezone))

    def to_gantt_text(self, *, timezone: str = "UTC", now: datetime | None = None, columns: int = 80) -> str:
        """Returns the chart of :meth:`to_gantt` as text, for terminals.

        Args:
            timezone: The IANA name of the zone of the axis.
            now: Until when running steps are drawn. None: the present.
            columns: The width of lines, at least 60; names are not cut.

        Raises:
            ValueError: There is no such zone, or ``now`` is naive.
        """
        from stepsched.workflows.pictures import to_gantt_text

        present = utc_now() if now is None else aware(now, "now")
        return to_gantt_text(self, present, shared_zone((), timezone), columns)

    def with_steps(self, steps: dict[str, StepRun]) -> Self:
        """Returns a copy with some steps replaced."""
        return self.model_copy(update={"steps": tuple(steps.get(each.name, each) for each in self.steps)})


class RestartAction(StrEnum):
    """What a restart does with a step."""

    REUSE = "reuse"
    """The step is not run again: it has succeeded, or it still runs and is awaited."""
    RUN = "run"
    """The step runs when its needs are done."""
    SKIP = "skip"
    """The step does not run."""


class StepPlan(Displayed, Value, frozen=True):
    """What a restart does with one step, and why."""

    name: str
    """The name of the step."""
    action: RestartAction
    """What the restart does with the step."""
    reason: str
    """The reason, such as ``failed``, ``needs 'load', which runs again``, or ``skipped by skip=``."""
    before: StepRun
    """The step before the restart. A step that is new in the definition is pending."""
    after: StepRun
    """The step as the restart writes it."""

    def _shown_table(self) -> Table:
        from stepsched.workflows.displayed import step_plan_table

        return step_plan_table(self)


class RestartPlan(Displayed, Value, frozen=True):
    """What a restart will do with every step of a run."""

    workflow: str
    """The name of the workflow."""
    run: str
    """The ID of the run."""
    revision: int
    """The revision of the run for which the plan was made; ``restart`` refuses it for another one."""
    steps: tuple[StepPlan, ...]
    """All steps of the definition, in its order."""
    input: Payload = Field(default_factory=dict)
    """The input of the run from now on."""
    definition: Workflow | None = None
    """The definition that the run follows from now on; ``restart`` stores it. None: that which it has."""
    method: str | None = None
    """How the backend would go on with the run at present: ``in place`` or by ``a new execution``. None: no
    backend was asked."""

    @property
    def changes(self) -> tuple[StepPlan, ...]:
        """The steps whose record changes."""
        return tuple(each for each in self.steps if each.before != each.after)

    def _shown_table(self) -> Table:
        from stepsched.workflows.displayed import plan_table

        return plan_table(self)

    def names(self, action: RestartAction | str) -> tuple[str, ...]:
        """Returns the names of the steps with an action, such as ``"run"``.

        Raises:
            ValueError: There is no such action.
        """
        wanted = RestartAction(action)
        return tuple(each.name for each in self.steps if each.action is wanted)


class WorkflowVersion(Displayed, Value, frozen=True):
    """A stored definition of a workflow."""

    name: str
    """The name of the workflow."""
    version: int
    """The number of the definition; the first is 1."""
    definition: Workflow
    """The definition."""
    stored_at: PlainDatetime
    """When the definition was stored, in UTC."""

    def _shown_table(self) -> Table:
        from stepsched.workflows.displayed import version_table

        return version_table(self)

    def _picture(self) -> str:
        return self.definition._picture()  # noqa: SLF001 -- its definition is what it shows


class LeftOutRecord(DisplayedFields, Value, frozen=True):
    """A record that was not taken over."""

    name: str
    """The ``scheduleId``, with ``/`` and the ``startDateTime`` of a run."""
    reason: str
    """Why, with what to do."""


class TakenOver(Displayed, Value, frozen=True):
    """What was taken over from the tables of the AWS Batch scheduler."""

    workflows: tuple[str, ...] = ()
    """The names of the workflows whose definition is stored now, in order."""
    runs: tuple[str, ...] = ()
    """The keys of the runs that are stored now, as ``WorkflowRun.key``, in order."""
    left_out: tuple[LeftOutRecord, ...] = ()
    """The records that were not taken over."""

    def _shown_table(self) -> Table:
        from stepsched.workflows.displayed import taken_over_table

        return taken_over_table(self)
