"""Plans as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepsched.cli.output.views import View
from stepsched.display.table import visible

if TYPE_CHECKING:
    from stepsched.jobs import Plan

_WORDS = (
    ("; use prune to move it", "; use --prune to move it"),
    ("; use prune=[...]", "; use --prune-group NAME"),
)
"""Words of a plan about Python, and what a command line says instead."""


def plan_text(plan: Plan) -> str:
    """Returns a plan as lines for people."""
    return "\n".join(visible(_on_a_command_line(line)) for line in str(plan).split("\n"))


def _on_a_command_line(line: str) -> str:
    if line.startswith("! "):
        for words, instead in _WORDS:
            line = line.replace(words, instead)
    return line


def plan_view(plan: Plan) -> View:
    """Returns the view of a plan. Its JSON is what ``stepsched apply`` takes."""
    return View(document=lambda: plan.model_dump(mode="json"), names=_changed(plan), text=plan_text(plan))


def applied_view(plan: Plan) -> View:
    """Returns the view of a plan that has been applied."""
    counts = (len(plan.create), len(plan.update), len(plan.cancel), len(plan.unchanged))
    return View(
        document=lambda: plan.model_dump(mode="json"),
        names=_changed(plan),
        text="{} created, {} updated, {} cancelled, {} unchanged".format(*counts),
    )


def _changed(plan: Plan) -> list[str]:
    gone = [record.name for record in plan.cancel]
    return [job.name for job in plan.create] + [change.name for change in plan.update] + gone
