"""A workflow, or a run, as a graph to draw. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from stepsched.asl.draw.reading import Edge, Graph, Node
from stepsched.display.fitting import clean, shorten
from stepsched.workflows.conditions import When
from stepsched.workflows.model import Step, Workflow
from stepsched.workflows.pictures import words
from stepsched.workflows.pictures.statuses import DEFINED
from stepsched.workflows.records import StepRun, WorkflowRun
from stepsched.workflows.run_texts import counts_text

_NOTE, _LABEL = 60, 160
"""The maximum number of characters of a subtitle and of a label; titles have the whole text."""
_BRIEF = 30
"""The number of steps from which those with a state do not say what they invoke: their tooltips do."""
_EDGES = {When.SUCCEEDED: "next", When.DONE: "default", When.FAILED: "catch"}


class Drawn(NamedTuple):
    """A step to draw."""

    name: str
    needs: tuple[str, ...]
    step: Step | None
    """The definition. None: only the run is known."""
    run: StepRun | None
    """The state. None: there is no run, or the step is not in it."""


def drawn_steps(flow: Workflow | None, run: WorkflowRun | None) -> list[Drawn]:
    """Returns the steps of a definition with their state in a run; without a definition those of the run.

    A step that the run does not have is drawn without a state.
    """
    states = run.by_name if run is not None else {}
    if flow is not None:
        return [Drawn(step.name, step.needs, step, states.get(step.name)) for step in flow.steps]
    return [
        Drawn(name, tuple(need for need in step.needs if need in states), None, step)
        for name, step in states.items()
    ]


def description(flow: Workflow | None, run: WorkflowRun | None) -> str:
    """Returns what a picture shows, in one line: the name, and the status or the number of steps."""
    if run is None:
        count = len(flow.steps) if flow is not None else 0
        name = shorten(clean(flow.title or flow.name), 200) if flow is not None else ""
        return f"{name}, 1 step" if count == 1 else f"{name}, {count:,} steps"
    counts = counts_text(run.steps)
    return f"{shorten(clean(run.key), 200)}, {run.status}: {counts or 'no steps'}"


def graph(steps: Sequence[Drawn], now: datetime) -> Graph:
    """Returns the graph: a node for each step, an edge for each need."""
    ids = {each.name: f"s{number}" for number, each in enumerate(steps, 1)}
    is_brief = len(steps) > _BRIEF
    nodes = tuple(_node(ids[each.name], each, now, is_brief=is_brief) for each in steps)
    edges = tuple(_edge(ids, each, need) for each in steps for need in each.needs)
    return Graph(nodes, edges)


def _node(node_id: str, each: Drawn, now: datetime, *, is_brief: bool) -> Node:
    small = shorten(clean(words.subtitle(each.step, each.run, now, is_brief=is_brief)), _NOTE)
    title = "\n".join(map(clean, words.details(*each, now).split("\n")))
    return Node(node_id, clean(each.name), DEFINED if each.run is None else each.run.status, small, title)


def _edge(ids: dict[str, str], each: Drawn, need: str) -> Edge:
    source, target = ids[need], ids[each.name]
    when = When.SUCCEEDED if each.step is None else each.step.when
    if isinstance(when, When):
        return Edge(source, target, _EDGES[when])
    if when.step != need:
        return Edge(source, target, "next")
    text = clean(words.condition_text(when))
    return Edge(source, target, "choice", shorten(text, _LABEL), text)
