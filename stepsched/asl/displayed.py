"""A definition in Amazon States Language as a table of its states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from stepsched.asl.draw import Edge, Graph, Node, graph
from stepsched.display.table import Cell, Table, table_of

_UNDRAWN = ("start", "end")
_DEFECTS = ("missing", "unknown")
_JOINTS = {"catch": "on ", "default": ""}
"""What stands before the condition of a transition, by its kind."""


class _Row(NamedTuple):
    node: Node
    name: str
    then: str


def machine_table(document: Mapping[str, Any]) -> Table:
    """Returns the states of a definition, valid or not: what each does, and what follows it.

    The states of a branch come after the state that has it, with its name before theirs.
    """
    drawn = graph(document)
    rows = list(_rows(drawn, ""))
    start = next((each.name for each in _led(drawn, "start")), None)
    count = f"{len(rows):,} state{'s' * (len(rows) != 1)}"
    return table_of(
        rows,
        ("state", "type", "does", "then"),
        lambda row: (
            row.name,
            Cell(row.node.type, tone="bad" if row.node.type in _DEFECTS else ""),
            row.node.subtitle,
            row.then,
        ),
        caption=f"{count}, starts with {start}" if start else count,
        total=len(rows),
        notes=[drawn.name] if drawn.name else [],
    )


def _rows(flow: Graph, before: str) -> Iterator[_Row]:
    names = {node.id: node.name or node.type for node in flow.nodes}
    ways: dict[str, list[str]] = {node.id: [] for node in flow.nodes}
    for edge in flow.edges:
        ways[edge.source].append(_way(edge, names))
    for node in flow.nodes:
        if node.type in _UNDRAWN:
            continue
        name = f"{before}{node.name}"
        yield _Row(node, name, "; ".join(ways[node.id]))
        for inner in node.groups:
            yield from _rows(inner, f"{name} / ")


def _way(edge: Edge, names: Mapping[str, str]) -> str:
    """Returns where a transition leads, and when."""
    target = names[edge.target]
    if not edge.label:
        return target
    return f"{target} {_JOINTS.get(edge.kind, 'if ')}{edge.label}"


def _led(flow: Graph, kind: str) -> Iterator[Node]:
    """Yields the states to which transitions of a kind lead."""
    nodes = {node.id: node for node in flow.nodes}
    return (nodes[edge.target] for edge in flow.edges if edge.kind == kind)
