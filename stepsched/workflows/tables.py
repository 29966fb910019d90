"""Runs and plans of workflows as text for people: a line for each step, in columns."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from stepsched.core.quoting import shortened
from stepsched.display.times import took_text
from stepsched.workflows.records import StepRun, StepStatus, WorkflowRun

if TYPE_CHECKING:
    from stepsched.workflows.records import RestartPlan

_NAMES, _NARROWEST = 28, 60
_NOTE = 200
"""The maximum number of characters of the note beside a step."""
_URGENT = (
    StepStatus.RUNNING,
    StepStatus.FAILED,
    StepStatus.CANCELLED,
    StepStatus.PENDING,
    StepStatus.UPSTREAM_FAILED,
    StepStatus.SUCCEEDED,
    StepStatus.SKIPPED,
    StepStatus.UNMET,
)
"""The statuses in the order in which steps are shown where not all can be."""


def run_text(
    run: WorkflowRun, now: datetime | None = None, *, most: int | None = None, columns: int | None = None
) -> str:
    """Returns a run as text: a line about the run, then one for each step.

    Args:
        run: The run.
        now: The present, for how long running steps have taken so far. None: that is not said.
        most: The maximum number of steps; running and failed ones come first. None: all.
        columns: The width at which lines are wrapped, at least 60. None: each step has one line.
    """
    shown, left = _chosen(run.steps, most)
    rows = [step_row(step, now) for step in shown]
    more = [f"and {counts_text(left)} more"] if left else []
    return "\n".join([*wrapped(run_line(run, now), columns), *aligned(rows, columns), *more])


def run_line(run: WorkflowRun, now: datetime | None = None) -> str:
    """Returns a run in one line: its key, its status, the numbers of its steps, and its length so far."""
    parts = [f"{one_line(run.key)}  {run.status.value}", counts_text(run.steps)]
    length = _length(run.started_at, run.ended_at or now)
    if length is not None:
        parts.append(length)
    if run.restarts:
        parts.append(f"restarted {run.restarts} time{'' if run.restarts == 1 else 's'}")
    if run.error:
        parts.append(one_line(run.error))
    return ", ".join(filter(None, parts))


def step_row(step: StepRun, now: datetime | None = None) -> tuple[str, str, str, str]:
    """Returns the cells of a step: its name, its status, its length and a note."""
    end = step.ended_at or (now if step.status is StepStatus.RUNNING else None)
    return step.name, step.status.value, _length(step.started_at, end) or "", note_of(step)


def note_of(step: StepRun) -> str:
    """Returns what there is to say about a step beside its status: attempts, the service's status, why."""
    parts = list[str]()
    if step.attempt > 1 or (step.status is StepStatus.PENDING and step.attempt):
        parts.append(f"attempt {step.attempt}")
    if step.status is StepStatus.RUNNING and step.detail:
        parts.append(step.detail)
    if step.status is StepStatus.PENDING and step.retry_at is not None:
        parts.append(f"again at {step.retry_at:%H:%M:%S} UTC")
    if step.reason:
        parts.append(step.reason)
    elif step.caused_by and step.caused_by != step.name:
        parts.append(f"because of {step.caused_by}")
    if step.error and step.status in (StepStatus.FAILED, StepStatus.PENDING, StepStatus.RUNNING):
        parts.append(step.error)
    return one_line(", ".join(parts))


def changes_between(before: WorkflowRun | None, after: WorkflowRun) -> Iterator[str]:
    """Yields a line for each step whose status or attempt has changed, and one if the run's status has."""
    known = {} if before is None else before.by_name
    for step in after.steps:
        old = known.get(step.name)
        was = (StepStatus.PENDING, 0) if old is None else (old.status, old.attempt)
        if was != (step.status, step.attempt):
            note = note_of(step)
            yield f"{after.key}: step {step.name}: {step.status.value}{f', {note}' if note else ''}"
    if after.status.has_ended and (before is None or before.status != after.status):
        yield run_line(after).replace("  ", " is ", 1)


def plan_text(plan: RestartPlan, *, columns: int | None = None) -> str:
    """Returns a plan as text: a line for each step with the action and the reason, and the totals.

    Args:
        plan: The plan.
        columns: As for :func:`run_text`.
    """
    rows = [(step.name, step.action.value, one_line(step.reason)) for step in plan.steps]
    counts = Counter(step.action for step in plan.steps)
    totals = ", ".join(f"{action.value} {count}" for action, count in sorted(counts.items()))
    title = f"restart of {plan.workflow}/{plan.run}: {totals}"
    if plan.method not in (None, "in place"):
        title += f"; by {plan.method}"
    return "\n".join([*wrapped(title, columns), *aligned(rows, columns)])


def aligned(rows: Iterable[Sequence[str]], columns: int | None = None) -> list[str]:
    """Returns rows as lines with columns of equal width.

    Args:
        rows: The cells of each row: a name, short texts, a sentence.
        columns: The width of lines, at least 60: longer sentences continue on further lines, and longer names
            have lines of their own. Nothing is cut. None: each row is one line.
    """
    cells = [[*row] for row in rows]
    if not cells:
        return []
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if columns is None:
        return [
            "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
    widths[0] = min(widths[0], _NAMES)
    return [line for row in cells for line in _wrapped_row(row, widths, max(columns, _NARROWEST))]


def _wrapped_row(row: Sequence[str], widths: Sequence[int], columns: int) -> Iterator[str]:
    name, *cells, sentence = row
    if len(name) > widths[0]:
        yield name
        name = ""
    start = "  ".join(cell.ljust(size) for cell, size in zip((name, *cells), widths, strict=False))
    if len(start) + 2 + len(sentence) <= columns:
        yield f"{start}  {sentence}".rstrip()
        return
    yield start.rstrip()
    yield from textwrap.wrap(sentence, columns, initial_indent="    ", subsequent_indent="    ")


def wrapped(text: str, columns: int | None) -> list[str]:
    """Returns text in lines of at most that width, at least 60. None: in one line."""
    if columns is None:
        return [text]
    return textwrap.wrap(text, max(columns, _NARROWEST), subsequent_indent="    ")


def one_line(text: str) -> str:
    """Returns text on one line, shortened, with control characters as escapes: it cannot steer a terminal."""
    flat = " ".join(text.split())
    safe = "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode()
        for each in flat
    )
    return shortened(safe, _NOTE)


def counts_text(steps: Iterable[StepRun]) -> str:
    """Returns how many steps have each status, of those that occur: ``2 succeeded, 1 failed``."""
    counts = Counter(step.status for step in steps)
    return ", ".join(f"{counts[status]:,} {status.value}" for status in StepStatus if counts[status])


def _chosen(steps: Sequence[StepRun], most: int | None) -> tuple[list[StepRun], list[StepRun]]:
    """Returns the steps to show, in their order, and the others."""
    if most is None or len(steps) <= most:
        return list(steps), []
    urgent = sorted(steps, key=lambda step: _URGENT.index(step.status))
    chosen = {step.name for step in urgent[: max(most - 1, 0)]}
    shown = [step for step in steps if step.name in chosen]
    return shown, [step for step in steps if step.name not in chosen]


def _length(start: datetime | None, end: datetime | None) -> str | None:
    return None if start is None or end is None else took_text(max(end - start, timedelta(0)))
