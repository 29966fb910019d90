"""When the steps of a run waited and ran: what a Gantt chart shows. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from stepsched.workflows.order import critical_path
from stepsched.workflows.pictures import words
from stepsched.workflows.pictures.axis import Axis
from stepsched.workflows.records import StepRun, StepStatus, WorkflowRun

MOST_BARS = 100
"""The maximum number of steps in a chart."""


class Bar(NamedTuple):
    """A step in a chart."""

    run: StepRun
    ready: datetime | None
    """When its needs had ended: from then on it waited. None: it did not wait."""
    start: datetime | None
    """When its latest attempt started. None: none did."""
    end: datetime | None
    """When it ended; of a running step the present. None: none started."""
    is_critical: bool
    """Whether it is on the critical path."""

    @property
    def took(self) -> timedelta:
        """How long the latest attempt took, so far."""
        return self.end - self.start if self.start is not None and self.end is not None else timedelta(0)


class Chart(NamedTuple):
    """What a Gantt chart shows."""

    bars: tuple[Bar, ...]
    """The steps: those that started in the order of their starts, then the others."""
    left_out: int
    """The number of steps that are not in the chart, since it shows at most 100."""
    axis: Axis
    """Where instants are."""
    critical: timedelta
    """The length of the critical path: how long its steps took in all."""


def chart(run: WorkflowRun, now: datetime) -> Chart:
    """Returns what a Gantt chart of a run shows.

    The critical path is the chain of steps, each needing the one before, that took longest in all. Of more
    than 100 steps its steps come first, then those that failed or run, then those that took longest.

    Args:
        run: The run.
        now: The present, for running steps.
    """
    spans = {step.name: _span(step, now) for step in run.steps}
    lengths = {name: (span[1] - span[0]).total_seconds() for name, span in spans.items() if span is not None}
    needs = {step.name: tuple(need for need in step.needs if need in spans) for step in run.steps}
    path = {name for name in critical_path(needs, lengths) if name in lengths} if lengths else set[str]()
    ended = {step.name: step.ended_at for step in run.steps}
    bars = list[Bar]()
    for step in run.steps:
        ends = [at for at in (ended[need] for need in needs[step.name]) if at is not None]
        bars.append(_bar(step, max([run.started_at, *ends]), spans[step.name], is_critical=step.name in path))
    kept = sorted(bars, key=_importance)[:MOST_BARS]
    kept.sort(key=lambda bar: (bar.start is None, bar.start or run.started_at, bar.end or run.started_at))
    ends = [bar.end for bar in bars if bar.end is not None]
    last = max([run.started_at, *ends, *([run.ended_at] if run.ended_at else [])])
    last = last if run.status.has_ended else max(last, now)
    critical = timedelta(seconds=sum(lengths[name] for name in path))
    start = min([run.started_at, *(bar.start for bar in bars if bar.start is not None)])
    axis = Axis.of(start, last, [(bar.start, bar.end) for bar in bars if bar.start and bar.end])
    return Chart(tuple(kept), len(bars) - len(kept), axis, critical)


def _span(step: StepRun, now: datetime) -> tuple[datetime, datetime] | None:
    lasted = words.took(step, now)
    return None if step.started_at is None or lasted is None else (step.started_at, step.started_at + lasted)


def _bar(step: StepRun, ready: datetime, span: tuple[datetime, datetime] | None, *, is_critical: bool) -> Bar:
    if span is None:
        return Bar(step, None, None, None, is_critical)
    return Bar(step, ready if ready < span[0] else None, *span, is_critical)


def _importance(bar: Bar) -> tuple[bool, bool, float]:
    quiet = bar.run.status not in (StepStatus.FAILED, StepStatus.RUNNING)
    return not bar.is_critical, quiet, -bar.took.total_seconds()
