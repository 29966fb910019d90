"""Reads a definition as a graph of states. Defects of the definition become a part of the graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any, NamedTuple

from stepsched.asl.draw import words
from stepsched.display.fitting import clean, shorten

TYPES = ("Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map")
_NOTE, _LABEL = 60, 160
"""The maximum number of characters of a subtitle and of a label; titles have the whole text."""
_DEEPEST = 12
"""The maximum number of nesting levels that are drawn."""


class Edge(NamedTuple):
    """A transition."""

    source: str
    target: str
    kind: str
    """The kind: next, default, choice, catch, start or end."""
    label: str = ""
    """The condition of the transition, shortened."""
    title: str = ""
    """The condition at full length."""


class Node(NamedTuple):
    """A state, the start or the end of a flow, or a missing state that a transition names."""

    id: str
    """The ID, ``s1``, ``s2`` and so on, in document order; unique in the whole diagram."""
    name: str
    type: str
    """The type of the state, or start, end, missing or unknown."""
    subtitle: str = ""
    """The comment of the state, or else a description of its action."""
    title: str = ""
    """Name, type, comment and action at full length, one per line."""
    groups: tuple[Graph, ...] = ()
    """The branches of a Parallel, the processor of a Map."""


class Graph(NamedTuple):
    """A flow: the whole machine, or a branch. Edges do not leave it."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    name: str = ""
    """The name: the comment of the branch or machine, if it has one, otherwise ``branch 1`` or ``each
    item``."""


def graph(document: Mapping[str, Any]) -> Graph:
    """Returns the states and transitions of a definition, valid or not.

    >>> machine = {"StartAt": "Nap", "States": {"Nap": {"Type": "Wait", "Seconds": 60, "End": True}}}
    >>> [(node.name, node.subtitle) for node in graph(machine).nodes]
    [('', ''), ('Nap', '60 s'), ('', '')]
    >>> [(edge.source, edge.target, edge.kind) for edge in graph(machine).edges]
    [('s1', 's2', 'start'), ('s2', 's3', 'end')]
    """
    return _flow(document, "", count(1), 0)


def _by_target(catchers: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Groups the catchers by their target; each group is one edge."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for catcher in catchers:
        found.setdefault(repr(catcher.get("Next")), []).append(catcher)
    return list(found.values())


def _flow(document: object, name: str, ids: Iterator[int], depth: int) -> Graph:
    if not isinstance(document, Mapping):
        return Graph(name=name)
    return _Flow(document, ids, depth).read(words.comment(document) or name)


class _Flow:
    """Reads one scope; transitions lead only to states of the same scope."""

    def __init__(self, document: Mapping[str, Any], ids: Iterator[int], depth: int) -> None:
        states = document.get("States")
        self.states: Mapping[Any, Any] = states if isinstance(states, Mapping) else {}
        self.start_at = document.get("StartAt")
        self.ids = ids
        self.depth = depth
        self.known: dict[str, str] = {}
        self.missing: list[Node] = []
        self.edges: list[Edge] = []

    def read(self, name: str) -> Graph:
        nodes = []
        if isinstance(self.start_at, str):
            nodes.append(Node(self._id(), "", "start", title="start"))
        # All states first, as transitions may lead anywhere.
        drawn = [self._node(str(key), state) for key, state in self.states.items()]
        self.known = dict(zip(map(str, self.states), (node.id for node in drawn), strict=True))
        end = Node(self._id(), "", "end", title="end")
        if nodes:
            self._lead(nodes[0].id, self.start_at, "start")
        for node, state in zip(drawn, self.states.values(), strict=True):
            if isinstance(state, Mapping):
                self._leave(node.id, state, end.id)
        if any(edge.target == end.id for edge in self.edges):
            self.missing.append(end)
        return Graph((*nodes, *drawn, *self.missing), tuple(self.edges), name)

    def _id(self) -> str:
        return f"s{next(self.ids)}"

    def _node(self, key: str, state: object) -> Node:
        node_id, name = self._id(), clean(key)
        if not isinstance(state, Mapping):
            return Node(node_id, name, "unknown", "not a state", f"{name}\nnot a state")
        kind = state.get("Type")
        known = isinstance(kind, str) and kind in TYPES
        does = (
            words.does(state)
            if known
            else f"unknown type {words.say(kind)}"
            if "Type" in state
            else "no type"
        )
        said = words.comment(state)
        resource = words.say(state["Resource"]) if "Resource" in state else ""
        title = "\n".join(
            part for part in (name, words.say(kind) if known else "", said, does, resource) if part
        )
        return Node(
            node_id,
            name,
            str(kind) if known else "unknown",
            shorten((said or does) if known else does, _NOTE),
            title,
            self._groups(state) if known else (),
        )

    def _groups(self, state: Mapping[str, Any]) -> tuple[Graph, ...]:
        if self.depth >= _DEEPEST:
            return ()
        deeper = self.depth + 1
        if state["Type"] == "Parallel" and isinstance(state.get("Branches"), list):
            branches = enumerate(state["Branches"], 1)
            return tuple(_flow(branch, f"branch {number}", self.ids, deeper) for number, branch in branches)
        if state["Type"] == "Map":
            processor = state.get("ItemProcessor", state.get("Iterator"))
            if isinstance(processor, Mapping):
                return (_flow(processor, "each item", self.ids, deeper),)
        return ()

    def _leave(self, source: str, state: Mapping[str, Any], end: str) -> None:
        if "Next" in state:
            self._lead(source, state["Next"], "next")
        for rule in _objects(state.get("Choices")):
            text = words.condition(rule)
            said = words.comment(rule)
            self._lead(source, rule.get("Next"), "choice", said or text, f"{said}\n{text}" if said else text)
        if "Default" in state:
            self._lead(source, state["Default"], "default", "otherwise")
        for catchers in _by_target(_objects(state.get("Catch"))):
            texts = [words.errors(catcher) for catcher in catchers]
            said = ", ".join(filter(None, map(words.comment, catchers)))
            text = words.ANY if words.ANY in texts else ", ".join(texts)
            title = "\n".join(part for part in (said, *texts) if part)
            self._lead(source, catchers[0].get("Next"), "catch", said or text, title)
        if state.get("End") is True or state.get("Type") in ("Succeed", "Fail"):
            self.edges.append(Edge(source, end, "end"))

    def _lead(self, source: str, target: object, kind: str, label: str = "", title: str = "") -> None:
        name = target if isinstance(target, str) else words.say(target) if target is not None else "no target"
        if name not in self.known:
            self.known[name] = self._id()
            said = clean(name)
            self.missing.append(
                Node(self.known[name], said, "missing", "not defined", f"{said}\nnot defined")
            )
        self.edges.append(Edge(source, self.known[name], kind, shorten(label, _LABEL), title or label))


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
