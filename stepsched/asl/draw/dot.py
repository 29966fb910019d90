"""Draws a graph in the language of Graphviz. https://graphviz.org/doc/info/lang.html"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stepsched.asl.draw.palette import LINE, LINES, STATES, Look
from stepsched.asl.draw.reading import Graph, Node, graph
from stepsched.display.fitting import shorten

_FONT = 'fontname="Helvetica,Arial,sans-serif"'
_NAME = 80
"""The maximum number of characters of a name."""


def to_dot(document: Mapping[str, Any]) -> str:
    """Returns the text of a graph; the same document results in the same text.

    Branches are clusters. A state with branches is drawn twice: where its branches begin, and where they end.

    Args:
        document: A definition, valid or not.
    """
    return write_dot(graph(document), STATES, "definition")


def write_dot(drawn: Graph, look: Look, kind: str) -> str:
    """Returns the text of a graph.

    Args:
        drawn: The graph.
        look: The colours of its nodes.
        kind: What it is a graph of, as its name: a letter, and then letters and digits.
    """
    lines = [
        f"digraph {kind} {{",
        f"    graph [rankdir=TB, newrank=true, nodesep=0.35, ranksep=0.45, {_FONT}, fontsize=11]",
        f'    node [shape=box, style="rounded,filled", {_FONT}, fontsize=12, margin="0.2,0.08"]',
        f'    edge [{_FONT}, fontsize=10, color="{LINE}"]',
        *_flow(drawn, look, 1),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _quoted(*lines: str) -> str:
    """Returns a string literal of the language, in which backslashes are escapes and ``&`` begins a character
    reference."""
    harmless = (
        line.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in lines if line
    )
    return '"' + "\\n".join(harmless) + '"'


def _flow(drawn: Graph, look: Look, depth: int) -> Iterator[str]:
    indent = "    " * depth
    leaving: dict[str, str] = {}
    for node in drawn.nodes:
        if any(group.nodes for group in node.groups):
            leaving[node.id] = f"{node.id}out"
            yield from _cluster(node, look, depth)
        else:
            yield f"{indent}{node.id} [{_looks(node, look)}]"
    for edge in drawn.edges:
        colour = LINES.get(edge.kind, LINE)
        style = f', style=dashed, fontcolor="{colour}"' if edge.kind == "catch" else ""
        label = f", label={_quoted(edge.label)}" if edge.label else ""
        source = leaving.get(edge.source, edge.source)
        yield f'{indent}{source} -> {edge.target} [color="{colour}"{style}{label}]'


def _looks(node: Node, look: Look) -> str:
    colour, tint = look.colours[node.type]
    if node.type in ("start", "end"):
        shape = "circle" if node.type == "start" else "doublecircle"
        return f'shape={shape}, style=filled, label="", width=0.16, fillcolor="{colour}", color="{colour}"'
    style = ', style="rounded,dashed"' if node.type == "missing" else ""
    label = _quoted(shorten(node.name, _NAME), node.subtitle)
    tooltip = _quoted(*node.title.split("\n"))
    return f'label={label}, tooltip={tooltip}, color="{colour}", fillcolor="{tint}"{style}'


def _cluster(node: Node, look: Look, depth: int) -> Iterator[str]:
    colour, tint = look.colours[node.type]
    indent = "    " * depth
    yield f"{indent}subgraph cluster_{node.id} {{"
    yield f'{indent}    graph [style="rounded,filled", label="", color="{colour}", fillcolor="{tint}"]'
    yield f"{indent}    {node.id} [{_looks(node, look)}]"
    yield f'{indent}    {node.id}out [shape=point, width=0.08, color="{colour}"]'
    joins = []
    for number, group in enumerate(node.groups, 1):
        if not group.nodes:
            continue
        joins.append(f"{node.id} -> {group.nodes[0].id}")
        joins.append(f"{group.nodes[-1].id} -> {node.id}out")
        yield f"{indent}    subgraph cluster_{node.id}g{number} {{"
        looks = f'style="rounded,dashed,filled", label={_quoted(group.name)}, fillcolor="#ffffff"'
        yield f"{indent}        graph [{looks}]"
        yield from _flow(group, look, depth + 2)
        yield f"{indent}    }}"
    yield from (f'{indent}    {join} [color="{colour}"]' for join in joins)
    yield f"{indent}}}"
