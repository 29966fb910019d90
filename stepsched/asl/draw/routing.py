"""Routes lines between placed cells: down through the gaps between layers, and back up at the sides."""

from __future__ import annotations

from typing import NamedTuple

from stepsched.asl.draw.coordinates import Cell, Layers, spread
from stepsched.asl.draw.picture import Line, Point

_GAP = 28.0
_RUN = 34.0
"""The maximum growth of a gap."""
_LANE = 16.0
_PORTS = 14.0
_CORNER = 18.0
"""The minimum distance of a line's start from a corner of its box."""
_BESIDE = 14.0
"""The distance of the start or end of a backward line from the upper or lower side of its box."""


class Link(NamedTuple):
    """A line through one gap between layers."""

    upper: Cell
    lower: Cell
    kind: str


class Lane(NamedTuple):
    """The backward route to a state, shared by all its transitions."""

    target: Cell
    kind: str
    sources: list[Cell]


class _Way(NamedTuple):
    """A lane with its position; ``side`` is 1 on the right and -1 on the left."""

    lane: Lane
    side: int
    x: float


class Router:
    """Stacks the layers, then draws the lines of one flow."""

    def __init__(self, layers: Layers, links: list[Link], lanes: list[Lane]) -> None:
        self.layers = layers
        self.links = links
        self.lanes = lanes
        self.tops: list[float] = []
        self.bottoms: list[float] = []
        self._stack()
        self.ways = self._ways()
        self.used: dict[tuple[object, ...], int] = {}

    def lines(self) -> list[Line]:
        """Returns all lines; backward lines are on top."""
        ports = self._ports()
        drawn = [self._line(link, ports) for link in self.links]
        for way in self.ways:
            drawn += self._back(way, ports)
        return drawn

    def _stack(self) -> None:
        """Sets the positions of the layers; a gap grows with the horizontal distance of the lines in it."""
        widest = [0.0] * (len(self.layers) + 1)
        for link in self.links:
            widest[link.upper.layer] = max(widest[link.upper.layer], abs(link.upper.x - link.lower.x))
        for lane in self.lanes:
            for gap in (lane.target.layer - 1, *(source.layer for source in lane.sources)):
                widest[gap] = max(widest[gap], 200.0)
        y = 0.0
        for layer, reach in zip(self.layers, widest, strict=False):
            self.tops.append(y)
            self.bottoms.append(y + max(cell.h for cell in layer))
            for cell in layer:
                cell.y = y
            y = self.bottoms[-1] + _GAP + min(reach * 0.06, _RUN)

    def _free(self, cell: Cell, side: int) -> bool:
        """Returns whether there are only lines at this side of the cell."""
        layer = self.layers[cell.layer]
        beside = layer[cell.home + 1 :] if side > 0 else layer[: cell.home]
        return not any(other.w for other in beside)

    def _ways(self) -> list[_Way]:
        """Chooses the side with fewer obstacles; short lanes are inside long ones."""
        ways: list[_Way] = []
        spans = [(lane, max(source.layer for source in lane.sources)) for lane in self.lanes]
        taken: list[tuple[int, int, int, float]] = []
        for lane, last in sorted(spans, key=lambda span: span[1] - span[0].target.layer):
            ends = [lane.target, *lane.sources]
            side = min((1, -1), key=lambda side: sum(not self._free(end, side) for end in ends))
            first = lane.target.layer
            passed = [
                cell.right if side > 0 else -cell.left
                for layer in self.layers[first : last + 1]
                for cell in layer
            ]
            passed += [
                x for other, low, high, x in taken if other == side and low <= last + 1 and first <= high + 1
            ]
            x = max(passed) + _LANE
            taken.append((side, first, last, x))
            ways.append(_Way(lane, side, side * x))
        return ways

    def _ports(self) -> dict[tuple[object, ...], float]:
        """Returns where lines touch the lower and upper sides of boxes, in the order of their other ends."""
        ends: dict[tuple[int, str], list[tuple[float, tuple[object, ...], Cell, bool]]] = {}
        for link in self.links:
            straight = link.upper.node is None or link.lower.node is None
            lower = (link.lower.x, (id(link.upper), id(link.lower), "down"), link.upper, straight)
            ends.setdefault((id(link.upper), "down"), []).append(lower)
            upper = (link.upper.x, (id(link.upper), id(link.lower), "up"), link.lower, straight)
            ends.setdefault((id(link.lower), "up"), []).append(upper)
        for number, way in enumerate(self.ways):
            for cell, side in [(way.lane.target, "up"), *((source, "down") for source in way.lane.sources)]:
                if not self._free(cell, way.side):
                    ends.setdefault((id(cell), side), []).append(
                        (way.x, (number, id(cell), side), cell, False)
                    )
        ports: dict[tuple[object, ...], float] = {}
        for group in ends.values():
            ports.update(_touching(group))
        return ports

    def _line(self, link: Link, ports: dict[tuple[object, ...], float]) -> Line:
        upper, lower = link.upper, link.lower
        start = ports[id(upper), id(lower), "down"]
        end = ports[id(upper), id(lower), "up"]
        # A bend has no height, so the outgoing line draws the vertical part at its layer, and only once.
        points = [(start, upper.y + upper.h), (start, self.bottoms[upper.layer]), (end, lower.y)]
        return Line(link.kind, _tidy(points), arrow=lower.node is not None)

    def _back(self, way: _Way, ports: dict[tuple[object, ...], float]) -> list[Line]:
        number = self.ways.index(way)
        entry = self._entry(way, ports.get((number, id(way.lane.target), "up")))
        exits = [
            self._exit(way, source, ports.get((number, id(source), "down"))) for source in way.lane.sources
        ]
        lowest = max(exits, key=lambda points: points[-1][1])
        lines = [Line(way.lane.kind, _tidy([*lowest, *entry]), arrow=True)]
        for points in exits:
            if points is not lowest:
                x, y = points[-1]
                lines.append(Line(way.lane.kind, _tidy([*points, (x, y - 10)]), arrow=False))
        return lines

    def _entry(self, way: _Way, port: float | None) -> list[Point]:
        target = way.lane.target
        if port is None:
            y = target.y + _BESIDE + 6 * self._turn(id(target), way.side, "in")
            return [(way.x, y), (target.x + way.side * target.w / 2, y)]
        y = self.tops[target.layer] - 13 - 5 * self._turn(target.layer, "above")
        return [(way.x, y), (port, y), (port, target.y)]

    def _exit(self, way: _Way, source: Cell, port: float | None) -> list[Point]:
        if port is None:
            y = source.y + source.h - _BESIDE - 6 * self._turn(id(source), way.side, "out")
            y = y if source.node else source.y + source.h / 2
            return [(source.x + way.side * source.w / 2, y), (way.x, y)]
        y = self.bottoms[source.layer] + 9 + 5 * self._turn(source.layer, "below")
        return [(port, source.y + source.h), (port, y), (way.x, y)]

    def _turn(self, *key: object) -> int:
        """Returns the number of earlier lines at the same position; there are three before they repeat."""
        self.used[key] = self.used.get(key, -1) + 1
        return self.used[key] % 3


def _touching(
    group: list[tuple[float, tuple[object, ...], Cell, bool]],
) -> list[tuple[tuple[object, ...], float]]:
    cell = group[0][2]
    if cell.node is None or (len(group) == 1 and not group[0][3]):
        return [(key, cell.x) for _, key, _, _ in group]
    group = sorted(group, key=lambda end: end[0])
    room = max(cell.w / 2 - _CORNER, 0)
    wanted = []
    for x, _, _, straight in group:
        away = x - cell.x
        wanted.append(away if straight and abs(away) <= room else max(-room, min(away * 0.4, room)))
    last = len(group) - 1
    apart = min(_PORTS, 2 * room / max(last, 1))
    offsets = spread(wanted, [1] * len(group), [apart] * last)
    ports = []
    for index, (offset, end) in enumerate(zip(offsets, group, strict=True)):
        # Each keeps enough distance from the corners to leave room for the lines beyond it.
        within = max(index * apart - room, min(offset, room - (last - index) * apart))
        ports.append((end[1], cell.x + within))
    return ports


def _tidy(points: list[Point]) -> tuple[Point, ...]:
    """Removes points that repeat the previous one."""
    kept = points[:1]
    for point in points[1:]:
        if abs(point[0] - kept[-1][0]) > 0.05 or abs(point[1] - kept[-1][1]) > 0.05:
            kept.append(point)
    return tuple(kept)
