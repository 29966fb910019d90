"""Workflows, runs and plans as tables: HTML for notebooks, text for terminals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from stepsched.asl.draw.text import clean
from stepsched.display.notebook import table
from stepsched.workflows.conditions import Condition
from stepsched.workflows.model import Step, Workflow
from stepsched.workflows.pictures import words
from stepsched.workflows.pictures.drawn import description
from stepsched.workflows.records import RestartAction, RestartPlan, StepStatus, WorkflowRun
from stepsched.workflows.tables import aligned, run_line, step_row, wrapped

_ROWS = 50
"""The maximum number of rows of an HTML table."""
_URGENT = (
    StepStatus.FAILED, StepStatus.RUNNING, StepStatus.UPSTREAM_FAILED, StepStatus.CANCELLED,
    StepStatus.PENDING, StepStatus.SKIPPED, StepStatus.UNMET, StepStatus.SUCCEEDED,
)  # fmt: skip


def workflow_text(flow: Workflow, columns: int = 80) -> str:
    """Returns the steps of a workflow as text: what each invokes, and which steps it needs.

    Args:
        flow: The workflow.
        columns: The width of lines, at least 60. Names are not cut.
    """
    return "\n".join([*wrapped(clean(description(flow, None)), columns), *aligned(_steps(flow), columns)])


def _steps(flow: Workflow) -> list[tuple[str, ...]]:
    return [(step.name, clean(words.kind_text(step.target)), clean(_needs(step))) for step in flow.steps]


def _needs(step: Step) -> str:
    needs = ", ".join(step.needs)
    if isinstance(step.when, Condition):
        return f"{needs}; only if {step.when.step}: {words.condition_text(step.when)}"
    return f"{needs}; {words.when_text(step)}" if words.when_text(step) else needs


def workflow_html(flow: Workflow) -> str:
    """Returns the steps of a workflow as an HTML table of at most 50 rows."""
    return _html(("step", "target", "needs"), _steps(flow), description(flow, None))


def run_html(run: WorkflowRun, *, now: datetime) -> str:
    """Returns a run as an HTML table of at most 50 rows: of more, those that have not succeeded come first.

    Args:
        run: The run.
        now: The present, for running steps.
    """
    steps = list(run.steps)
    if len(steps) > _ROWS:
        steps.sort(key=lambda step: _URGENT.index(step.status))
    started = {step.name: step.started_at for step in steps}
    rows = list[tuple[str, ...]]()
    for name, status, length, note in (step_row(step, now) for step in steps):
        at = started[name]
        rows.append((name, status, "" if at is None else at.isoformat(" ", "seconds"), length, note))
    return _html(("step", "status", "started", "took", "why"), rows, run_line(run, now))


def plan_html(plan: RestartPlan) -> str:
    """Returns what a restart does with each step as an HTML table of at most 50 rows: of more, those that run
    again come first."""
    steps = list(plan.steps)
    if len(steps) > _ROWS:
        order = (RestartAction.RUN, RestartAction.SKIP, RestartAction.REUSE)
        steps.sort(key=lambda each: order.index(each.action))
    rows = [(each.name, each.action.value, each.before.status.value, each.reason) for each in steps]
    totals = ", ".join(f"{len(plan.names(action)):,} {action.value}" for action in RestartAction)
    return _html(("step", "action", "now", "why"), rows, f"restart of {plan.workflow}/{plan.run}: {totals}")


def _html(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    more = len(rows) - _ROWS
    shown = [tuple(map(clean, row)) for row in rows[:_ROWS]]
    return table(shown + ([(f"and {more:,} more",)] if more > 0 else []), head=head, caption=clean(caption))
