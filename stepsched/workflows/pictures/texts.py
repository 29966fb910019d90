"""The graph in the languages of Mermaid and Graphviz: always all steps and needs."""

from __future__ import annotations

from datetime import datetime

from stepsched.asl.draw.dot import write_dot
from stepsched.asl.draw.mermaid import write_mermaid
from stepsched.workflows.model import Workflow
from stepsched.workflows.pictures.drawn import drawn_steps, graph
from stepsched.workflows.pictures.statuses import LOOK
from stepsched.workflows.records import WorkflowRun


def to_mermaid(flow: Workflow | None, run: WorkflowRun | None, now: datetime) -> str:
    """Returns the text of a Mermaid flowchart; the arguments are those of ``to_svg``."""
    return write_mermaid(graph(drawn_steps(flow, run), now), LOOK)


def to_dot(flow: Workflow | None, run: WorkflowRun | None, now: datetime) -> str:
    """Returns the text of a Graphviz graph; the arguments are those of ``to_svg``."""
    return write_dot(graph(drawn_steps(flow, run), now), LOOK, "workflow")
