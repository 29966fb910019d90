"""Places the states of a flow in layers from top to bottom. Only geometry: pixels, no colours.

The way of Sugiyama, Tagawa and Toda (1981): break cycles, give each state a layer, lead long transitions
through bends in the layers between, order each layer by barycentres, then choose coordinates. Of our own:

- Transitions to the same state share their bends, so that a hundred catches make one trunk and not a
  hundred lines.
- A label has a layer of its own below its source; it cannot lie on anything.
- Transitions that lead back run beside the layers which they pass.
"""

from __future__ import annotations

from collections.abc import Sequence

from stepsched.asl.draw.coordinates import Cell, order, place
from stepsched.asl.draw.picture import Box, Frame, Label, Picture, bounded, merged, moved
from stepsched.asl.draw.reading import Edge, Graph, Node
from stepsched.asl.draw.routing import Lane, Link, Router
from stepsched.display.fitting import width, wrapped

NAME_SIZE, NOTE_SIZE = 13.0, 11.0
HEIGHT = 46.0
STRIPE = 34.0
"""Width of the coloured field with the sign of the type."""
_DOT = 16.0
_HEAD = HEIGHT + 8
"""Above the frames of a box."""
_NARROWEST, _WIDEST = 128.0, 344.0
_LABEL_WIDEST = 250.0
_LABEL_PAD = 14.0
"""The width of a label beyond that of its text."""
_LABEL_LINES = 6
"""The maximum number of lines of a label."""
LINE_HEIGHT = 14.0
"""The height of a line of a label."""
_SHEET = 1_500.0
"""The width at which the frames of a box continue in a further row."""
_PAD = 14.0
_FRAME_TOP = 24.0
_PULL = {"start": 6, "next": 6, "choice": 3, "default": 3, "end": 2, "catch": 1}
"""How hard a transition draws its ends below each other: what usually happens becomes a straight line."""
_TRUNK_PULL = 8


def lay_out(graph: Graph) -> Picture:
    """Where everything of a flow stands, the flows inside included."""
    if not graph.nodes:
        return Picture(_NARROWEST, _DOT)
    flow = _Flow(graph)
    order(flow.layers)
    place(flow.layers)
    return flow.picture()


def _backward(graph: Graph) -> set[int]:
    """The edges that close a cycle: those that lead to a state on the way from the start to them."""
    leaving: dict[str, list[int]] = {node.id: [] for node in graph.nodes}
    for index, edge in enumerate(graph.edges):
        leaving[edge.source].append(index)
    found: set[int] = set()
    entered: set[str] = set()
    for root in graph.nodes:
        stack = [(root.id, iter(leaving[root.id]))] if root.id not in entered else []
        way = {root.id} if stack else set()
        entered.add(root.id)
        while stack:
            here, edges = stack[-1]
            for index in edges:
                target = graph.edges[index].target
                if target in way:
                    found.add(index)
                elif target not in entered:
                    entered.add(target)
                    way.add(target)
                    stack.append((target, iter(leaving[target])))
                    break
            else:
                stack.pop()
                way.discard(here)
    return found


def _ranks(graph: Graph, backward: set[int]) -> dict[str, int]:
    """By the longest way from the start, which alone has rank 0; the end stands below all others."""
    ranks = {node.id: 0 if node.type == "start" else 1 for node in graph.nodes}
    waiting = dict.fromkeys(ranks, 0)
    leaving: dict[str, list[str]] = {node_id: [] for node_id in ranks}
    for index, edge in enumerate(graph.edges):
        if index not in backward:
            leaving[edge.source].append(edge.target)
            waiting[edge.target] += 1
    ready = [node_id for node_id, count in waiting.items() if not count]
    while ready:
        here = ready.pop()
        for target in leaving[here]:
            ranks[target] = max(ranks[target], ranks[here] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    lowest = max(ranks.values())
    for node in graph.nodes:
        if node.type == "end":
            others = [rank for node_id, rank in ranks.items() if node_id != node.id]
            ranks[node.id] = max([lowest, *(rank + 1 for rank in others)])
    return ranks


class _Flow:
    """The cells of one flow in their layers, and the links between them."""

    def __init__(self, graph: Graph) -> None:
        backward = _backward(graph)
        ranks = _ranks(graph, backward)
        # States stand in the even layers and labels in the odd ones; then empty layers are left out.
        used = {2 * rank for rank in ranks.values()}
        used |= {2 * ranks[edge.source] + 1 for edge in graph.edges if edge.label}
        self.at = {layer: index for index, layer in enumerate(sorted(used))}
        self.layers: list[list[Cell]] = [[] for _ in used]
        self.links: list[Link] = []
        self.lanes: dict[tuple[str, str], Lane] = {}
        self.inner: dict[str, list[Picture]] = {}
        self.boxes = {node.id: self._box(node, self.at[2 * ranks[node.id]]) for node in graph.nodes}
        self.trunks: dict[tuple[str, str, int], Cell] = {}
        for index, edge in enumerate(graph.edges):
            self._lead(edge, backward=index in backward, below=self.at.get(2 * ranks[edge.source] + 1, -1))

    def _box(self, node: Node, layer: int) -> Cell:
        self.inner[node.id] = [lay_out(group) for group in node.groups]
        w, h = _size(node, self.inner[node.id])
        return self._stand(Cell(layer, w, h, node=node))

    def _stand(self, cell: Cell) -> Cell:
        self.layers[cell.layer].append(cell)
        return cell

    def _lead(self, edge: Edge, *, backward: bool, below: int) -> None:
        here, target = self.boxes[edge.source], self.boxes[edge.target]
        shared = "catch" if edge.kind == "catch" else "next"
        if edge.label:
            lines = label_lines(edge.label)
            w = max(width(line, NOTE_SIZE) for line in lines) + _LABEL_PAD
            label = self._stand(Cell(below, w, 6 + LINE_HEIGHT * len(lines), label=edge))
            self._link(here, label, edge.kind, _PULL[edge.kind])
            here = label
        if backward:
            lane = self.lanes.setdefault((edge.target, shared), Lane(target, edge.kind, []))
            lane.sources.append(here)
            return
        while here.layer + 1 < target.layer:
            key = (edge.target, shared, here.layer + 1)
            known = self.trunks.get(key)
            bend = known or self._stand(Cell(here.layer + 1))
            self.trunks[key] = bend
            self._link(here, bend, edge.kind, _PULL[edge.kind] if here.w else _TRUNK_PULL)
            if known:
                return
            here = bend
        self._link(here, target, edge.kind, _PULL[edge.kind] * (2 if here.label else 1))

    def _link(self, upper: Cell, lower: Cell, kind: str, pull: int) -> None:
        upper.downs.append((lower, pull))
        lower.ups.append((upper, pull))
        self.links.append(Link(upper, lower, kind))

    def picture(self) -> Picture:
        """What its placed cells come to, with the flows inside."""
        lines = Router(self.layers, self.links, list(self.lanes.values())).lines()
        cells = [cell for layer in self.layers for cell in layer]
        boxes = tuple(Box(c.node, c.left, c.y, c.w, c.h) for c in cells if c.node)
        labels = tuple(Label(c.label, c.left, c.y, c.w, c.h) for c in cells if c.label)
        framed = [pair for box in boxes for pair in _framed(box, self.inner[box.node.id])]
        frames = tuple(frame for frame, _ in framed)
        whole = Picture(0, 0, boxes, labels, frames, tuple(lines))
        return bounded(merged(whole, [picture for _, picture in framed]))


def label_lines(text: str) -> list[str]:
    """Returns the lines of a label."""
    return wrapped(text, NOTE_SIZE, _LABEL_WIDEST - _LABEL_PAD, most=_LABEL_LINES)


def _size(node: Node, inner: Sequence[Picture]) -> tuple[float, float]:
    if node.type in ("start", "end"):
        return _DOT, _DOT
    text = max(width(node.name, NAME_SIZE, bold=True), width(node.subtitle, NOTE_SIZE))
    w = min(max(STRIPE + 24 + text, _NARROWEST), _WIDEST)
    if not inner:
        return round(w), HEIGHT
    rows = _frame_rows(node.groups, inner)
    widest = max(sum(w for w, _ in row) + _PAD * (len(row) + 1) for row in rows)
    return max(w, widest), _HEAD + sum(_row_height(row) for row in rows)


_Row = list[tuple[float, tuple[Graph, Picture]]]
"""Frames side by side, each with its width."""


def _frame_rows(groups: Sequence[Graph], inner: Sequence[Picture]) -> list[_Row]:
    """Returns the frames of a box in rows, so that it is not much wider than a page; in their order."""
    rows: list[_Row] = [[]]
    for pair in zip(groups, inner, strict=True):
        w = max(pair[1].width, min(width(pair[0].name, NOTE_SIZE), _LABEL_WIDEST)) + 2 * _PAD
        if rows[-1] and sum(each + _PAD for each, _ in rows[-1]) + w > _SHEET:
            rows.append([])
        rows[-1].append((w, pair))
    return rows


def _row_height(row: _Row) -> float:
    """Returns the height of a row of frames, with the distance below it."""
    return _FRAME_TOP + max(picture.height for _, (_, picture) in row) + 2 * _PAD


def _framed(box: Box, inner: Sequence[Picture]) -> list[tuple[Frame, Picture]]:
    """The frames of a box in rows, and what is in them."""
    framed, y = list[tuple[Frame, Picture]](), box.y + _HEAD
    for row in _frame_rows(box.node.groups, inner) if inner else []:
        x = box.x + (box.w - sum(w for w, _ in row) - _PAD * (len(row) - 1)) / 2
        for w, (group, picture) in row:
            frame = Frame(group.name, x, y, w, _row_height(row) - _PAD)
            framed.append((frame, moved(picture, x + (w - picture.width) / 2, y + _FRAME_TOP)))
            x += w + _PAD
        y += _row_height(row)
    return framed
