"""Texts about runs of workflows and their steps, each on one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from stepsched.display.table import one_line
from stepsched.display.times import took_text
from stepsched.workflows.records import StepRun, StepStatus, WorkflowRun


def run_line(run: WorkflowRun, now: datetime | None = None) -> str:
    """Returns a run in one line: its key, its status, the numbers of its steps, and its length so far."""
    return f"{one_line(run.key)}: {_state_of(run, now)}"


def _state_of(run: WorkflowRun, now: datetime | None = None) -> str:
    parts = [run.status.value, counts_text(run.steps)]
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
        yield f"{after.key} is {_state_of(after)}"


def counts_text(steps: Iterable[StepRun]) -> str:
    """Returns how many steps have each status, of those that occur: ``2 succeeded, 1 failed``."""
    counts = Counter(step.status for step in steps)
    return ", ".join(f"{counts[status]:,} {status.value}" for status in StepStatus if counts[status])


def _length(start: datetime | None, end: datetime | None) -> str | None:
    return None if start is None or end is None else took_text(max(end - start, timedelta(0)))
