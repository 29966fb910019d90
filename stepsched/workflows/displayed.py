"""Workflows, runs, plans and their parts as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from stepsched.core.masking import without_secrets
from stepsched.core.payloads import to_json
from stepsched.display.plain_text import to_text
from stepsched.display.table import MOST, Cell, Table, Tone, record_table, table_of
from stepsched.display.times import instant_text, length_text, took_text
from stepsched.workflows.conditions import Condition
from stepsched.workflows.model import Step, Workflow
from stepsched.workflows.pictures import words
from stepsched.workflows.pictures.drawn import description
from stepsched.workflows.records import (
    RestartAction,
    RestartPlan,
    StepPlan,
    StepRun,
    StepStatus,
    TakenOver,
    WorkflowRun,
    WorkflowRunStatus,
    WorkflowVersion,
)
from stepsched.workflows.run_texts import counts_text, note_of, run_line, step_row

_URGENT = (
    StepStatus.FAILED,
    StepStatus.RUNNING,
    StepStatus.CANCELLED,
    StepStatus.UPSTREAM_FAILED,
    StepStatus.PENDING,
    StepStatus.SKIPPED,
    StepStatus.UNMET,
    StepStatus.SUCCEEDED,
)
"""The statuses in the order in which steps are shown where not all can be."""
_ACTIONS = (RestartAction.RUN, RestartAction.SKIP, RestartAction.REUSE)
"""The actions in the order in which steps are shown where not all can be."""
STEP_TONES: dict[StepStatus, Tone] = {
    StepStatus.RUNNING: "busy",
    StepStatus.SUCCEEDED: "good",
    StepStatus.FAILED: "bad",
    StepStatus.SKIPPED: "warn",
    StepStatus.UPSTREAM_FAILED: "warn",
    StepStatus.CANCELLED: "warn",
}
RUN_TONES: dict[WorkflowRunStatus, Tone] = {
    WorkflowRunStatus.RUNNING: "busy",
    WorkflowRunStatus.SUCCEEDED: "good",
    WorkflowRunStatus.FAILED: "bad",
    WorkflowRunStatus.CANCELLED: "warn",
}
_ACTION_TONES: dict[RestartAction, Tone] = {RestartAction.RUN: "busy", RestartAction.SKIP: "warn"}


# -- definitions -----------------------------------------------------------------------------------


def workflow_table(flow: Workflow) -> Table:
    """Returns the steps of a workflow: what each invokes, and which steps it needs."""
    return table_of(
        flow.steps,
        ("step", "target", "needs"),
        lambda step: (step.name, words.kind_text(step.target), _needs(step)),
        caption=description(flow, None),
        total=len(flow.steps),
        notes=[flow.description] if flow.description else [],
    )


def version_table(version: WorkflowVersion) -> Table:
    """Returns the steps of a stored workflow."""
    table = workflow_table(version.definition)
    stored = f"version {version.version}, stored {instant_text(version.stored_at)}"
    return replace(table, notes=[stored, *table.notes])


def versions_table(versions: Sequence[WorkflowVersion], caption: str) -> Table:
    """Returns stored workflows, one a row."""
    return table_of(
        versions,
        ("workflow", "version", "steps", "stored", "description"),
        lambda each: (
            each.name,
            Cell(str(each.version), each.version),
            Cell(f"{len(each.definition.steps):,}", len(each.definition.steps)),
            _instant(each.stored_at),
            each.definition.description,
        ),
        caption=caption,
        total=len(versions),
    )


def step_table(step: Step) -> Table:
    """Returns what a step is, a thing a row."""
    return record_table(_facts_of(step), caption=f"step {step.name}")


def _facts_of(step: Step) -> Iterator[tuple[str, str]]:
    yield "target", words.kind_text(step.target)
    yield "needs", _needs(step) or "-"
    if step.input:
        yield "input", to_json(without_secrets(step.input))
    if step.retry.max_attempts:
        yield "retries", f"{step.retry.max_attempts:,}"
    if step.timeout is not None:
        yield "timeout", length_text(step.timeout)


def _needs(step: Step) -> str:
    needs = ", ".join(step.needs)
    if isinstance(step.when, Condition):
        return f"{needs}; only if {step.when.step}: {words.condition_text(step.when)}"
    return f"{needs}; {words.when_text(step)}" if words.when_text(step) else needs


# -- runs ------------------------------------------------------------------------------------------


def run_table(run: WorkflowRun, now: datetime, *, most: int = MOST) -> Table:
    """Returns the steps of a run.

    Args:
        run: The run.
        now: The present, for how long running steps have taken so far.
        most: The maximum number of steps. Of more, those that failed or run come first.
    """
    steps = list(run.steps)
    if len(steps) > most:
        steps.sort(key=lambda step: _URGENT.index(step.status))

    def row(step: StepRun) -> list[str | Cell]:
        name, status, length, note = step_row(step, now)
        return [name, Cell(status, tone=STEP_TONES.get(step.status, "")), _began(step, run), length, note]

    return table_of(
        steps,
        ("step", "status", "began", "took", "why"),
        row,
        caption=run_line(run, now),
        total=len(steps),
        most=most,
        notes=[f"started {instant_text(run.started_at)}"],
    )


def _began(step: StepRun, run: WorkflowRun) -> Cell:
    """Returns when a step began, after the start of its run."""
    if step.started_at is None:
        return Cell("-", float("inf"))
    after = max(step.started_at - run.started_at, timedelta(0))
    return Cell(f"+ {took_text(after)}", after.total_seconds())


def live_text(run: WorkflowRun, now: datetime, lines: int) -> str:
    """Returns a run as text of at most that many lines, at least five."""
    most = max(lines - 4, 1)  # less the run, the head, "... 3 more", and the start
    return to_text(run_table(run, now, most=most))


def runs_table(runs: Sequence[WorkflowRun], now: datetime, caption: str) -> Table:
    """Returns runs, one a row; of many the latest."""
    shown = runs[-MOST:]
    table = table_of(
        shown,
        ("run", "status", "started", "took", "steps", "why"),
        lambda run: (
            run.key,
            Cell(run.status.value, tone=RUN_TONES[run.status]),
            _instant(run.started_at),
            _length(run.started_at, run.ended_at or now),
            counts_text(run.steps),
            _why(run),
        ),
        caption=caption,
    )
    more = len(runs) - len(shown)
    return replace(table, more=more, notes=["the latest are shown"]) if more else table


def _why(run: WorkflowRun) -> str:
    """Returns why a run has failed: its own error, or that of the first step that has failed."""
    if run.error:
        return run.error
    return next((f"{s.name}: {note_of(s)}" for s in run.steps if s.status is StepStatus.FAILED), "")


def step_run_table(step: StepRun, now: datetime) -> Table:
    """Returns what is known of a step in a run, a thing a row."""
    return record_table(_outcome_of(step, now), caption=f"step {step.name}")


def _outcome_of(step: StepRun, now: datetime) -> Iterator[tuple[str, str | Cell]]:
    yield "status", Cell(step.status.value, tone=STEP_TONES.get(step.status, ""))
    known = {
        "needs": ", ".join(step.needs),
        "attempts": f"{step.attempt:,}" if step.attempt else "",
        "started": instant_text(step.started_at) if step.started_at else "",
        "ended": instant_text(step.ended_at) if step.ended_at else "",
        "took": step_row(step, now)[2],
        "next attempt": instant_text(step.retry_at) if step.retry_at else "",
        "because of": step.caused_by,
        "why": step.reason,
        "error": step.error,
        "output": None if step.output is None else to_json(without_secrets(step.result)),
        "service": step.detail,
        "runs as": step.job_id,
        "link": step.link,
    }
    yield from ((title, text) for title, text in known.items() if text)


# -- restarts --------------------------------------------------------------------------------------


def plan_table(plan: RestartPlan) -> Table:
    """Returns what a restart does with each step. Of many, those that run again come first."""
    steps = list(plan.steps)
    if len(steps) > MOST:
        steps.sort(key=lambda each: _ACTIONS.index(each.action))
    return table_of(
        steps, ("step", "action", "now", "why"), _row_of, caption=_title_of(plan), total=len(steps)
    )


def _title_of(plan: RestartPlan) -> str:
    counts = {action: len(plan.names(action)) for action in sorted(RestartAction)}
    totals = ", ".join(f"{action.value} {count:,}" for action, count in counts.items() if count)
    way = "" if plan.method in (None, "in place") else f"; by {plan.method}"
    return f"restart of {plan.workflow}/{plan.run}: {totals}{way}"


def _row_of(each: StepPlan) -> tuple[str | Cell, ...]:
    now = each.before.status
    return (
        each.name,
        Cell(each.action.value, tone=_ACTION_TONES.get(each.action, "")),
        Cell(now.value, tone=STEP_TONES.get(now, "")),
        each.reason,
    )


def step_plan_table(each: StepPlan) -> Table:
    """Returns what a restart does with one step, a thing a row."""
    name, *cells = _row_of(each)
    return record_table(zip(("action", "now", "why"), cells, strict=True), caption=f"step {name}")


def taken_over_table(taken: TakenOver) -> Table:
    """Returns what was taken over, and first what was not."""
    rows = [
        *((each.name, Cell("left out", tone="warn"), each.reason) for each in taken.left_out),
        *((name, Cell("workflow", tone="good"), "") for name in taken.workflows),
        *((key, Cell("run", tone="good"), "") for key in taken.runs),
    ]
    counts = f"{len(taken.workflows):,} workflows and {len(taken.runs):,} runs"
    caption = f"{counts} taken over, {len(taken.left_out):,} records left out"
    return table_of(rows, ("name", "what", "why"), lambda row: row, caption=caption, total=len(rows))


def _instant(instant: datetime) -> Cell:
    return Cell(instant_text(instant), instant.timestamp())


def _length(start: datetime, end: datetime) -> Cell:
    length = max(end - start, timedelta(0))
    return Cell(took_text(length), length.total_seconds())
