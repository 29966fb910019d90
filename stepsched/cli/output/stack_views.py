"""Plans of stacks, and stacks, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepsched.cli.output.views import View
from stepsched.display.table import visible

if TYPE_CHECKING:
    from stepsched.deploy import DeployedStack, DestroyedStack, StackPlan


def plan_text(plan: StackPlan) -> str:
    """Returns a plan as lines for people."""
    return _lines(plan)


def plan_view(plan: StackPlan) -> View:
    """Returns the view of a plan."""
    return View(
        document=lambda: plan.model_dump(mode="json"),
        names=[change.name for change in plan.changes],
        text=_lines(plan),
    )


def deployed_view(stack: DeployedStack) -> View:
    """Returns the view of a stack that is ready."""
    return View(
        document=lambda: stack.model_dump(mode="json"), names=[f"stack:{stack.name}"], text=_lines(stack)
    )


def destroyed_view(stack: DestroyedStack) -> View:
    """Returns the view of a stack that was deleted."""
    return View(document=lambda: stack.model_dump(mode="json"), names=[stack.name], text=_lines(stack))


def _lines(value: object) -> str:
    return "\n".join(map(visible, str(value).split("\n")))
