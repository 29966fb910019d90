"""Results about workflows as tables, JSON and names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from stepsched.cli.output.tables import Column
from stepsched.cli.output.times import distance_text, instant_text
from stepsched.cli.output.views import NAME, View
from stepsched.cli.wording import on_a_command_line

if TYPE_CHECKING:
    from stepsched.workflows import RestartPlan, WorkflowRun, WorkflowVersion

_ARGUMENTS = ("skipped by skip=", "by mark_succeeded=")
"""The ends of reasons that name an argument."""
_WHY = Column("WHY", least=len("because of …"))


def versions_view(found: Sequence[WorkflowVersion], now: datetime) -> View:
    """Returns the view of stored workflows. Its JSON is that of the records, with the definitions."""
    return View(
        document=lambda: [each.model_dump(mode="json") for each in found],
        names=[each.name for each in found],
        columns=[
            NAME,
            Column("VERSION", is_whole=True),
            Column("STEPS", is_whole=True),
            Column("STORED", leaves=1),
            Column("DESCRIPTION", leaves=2),
        ],
        rows=[
            (
                each.name,
                str(each.version),
                str(len(each.definition.steps)),
                distance_text(each.stored_at, now),
                each.definition.description,
            )
            for each in found
        ],
        empty="no workflow is stored here",
    )


def runs_view(runs: Sequence[WorkflowRun], now: datetime) -> View:
    """Returns the view of runs. ``-o name`` prints the keys that the other commands take."""
    from stepsched.display.times import took_text
    from stepsched.workflows.run_texts import counts_text

    return View(
        document=lambda: [run.model_dump(mode="json") for run in runs],
        names=[run.key for run in runs],
        columns=[
            Column("RUN", is_whole=True),
            Column("STATUS", is_whole=True),
            Column("STARTED", least=len("2030-01-07 09:00:00 +01:00…"), leaves=1),
            Column("TOOK"),
            Column("STEPS", least=len("12 succeeded…"), leaves=3),
            Column("RESTARTS", leaves=2),
        ],
        rows=[
            (
                run.key,
                run.status.value,
                instant_text(run.started_at),
                took_text(max((run.ended_at or now) - run.started_at, timedelta(0))),
                counts_text(run.steps),
                str(run.restarts) if run.restarts else "-",
            )
            for run in runs
        ],
        empty="no run is recorded that matches",
    )


def run_view(run: WorkflowRun, now: datetime) -> View:
    """Returns the view of one run: its steps as a table. Its JSON is the run."""
    from stepsched.workflows.run_texts import step_row

    return View(
        document=lambda: run.model_dump(mode="json"),
        names=[run.key],
        columns=[
            Column("STEP", is_whole=True),
            Column("STATUS", is_whole=True),
            Column("TOOK"),
            _WHY,
        ],
        rows=[tuple(_in_words(cell) or "-" for cell in step_row(step, now)) for step in run.steps],
    )


def _in_words(cell: str) -> str:
    """Returns a cell with the library's reasons in words of the command line; others are texts of users."""
    return on_a_command_line(cell) if cell.endswith(_ARGUMENTS) else cell


def plan_view(plan: RestartPlan) -> View:
    """Returns the view of what a restart would do. ``-o name`` prints the steps that run."""
    return View(
        document=lambda: plan.model_dump(mode="json"),
        names=[step.name for step in plan.steps if step.action.value == "run"],
        columns=[Column("STEP", is_whole=True), Column("ACTION", is_whole=True), _WHY],
        rows=[(step.name, step.action.value, on_a_command_line(step.reason)) for step in plan.steps],
    )
