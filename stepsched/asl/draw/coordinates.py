"""The order and horizontal position of cells in layers."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence

from stepsched.asl.draw.reading import Edge, Node

_ORDERINGS = 8
_EXCHANGES = 6
_PLACINGS = 12
_GAPS = (16.0, 22.0, 30.0)
"""The gaps between neighbours of which none, one or both have a width."""


class Cell:
    """A box, a label or a bend in a layer. ``x`` is its centre, ``y`` its upper side."""

    __slots__ = ("downs", "h", "home", "label", "layer", "node", "ups", "w", "x", "y")

    def __init__(
        self, layer: int, w: float = 0, h: float = 0, *, node: Node | None = None, label: Edge | None = None
    ) -> None:
        self.layer, self.w, self.h = layer, w, h
        self.node, self.label = node, label
        self.x = self.y = 0.0
        self.home = 0
        """The index in the layer."""
        self.ups: list[tuple[Cell, int]] = []
        self.downs: list[tuple[Cell, int]] = []
        """The neighbours in the layers above and below, with their weights."""

    @property
    def left(self) -> float:
        return self.x - self.w / 2

    @property
    def right(self) -> float:
        return self.x + self.w / 2


Layers = Sequence[list[Cell]]


def order(layers: Layers) -> None:
    """Sorts each layer so that few lines cross: by the mean position of the neighbours above and below in
    turn."""
    _begin(layers)
    best, fewest = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(_ORDERINGS):
        if not fewest:
            break
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            layer.sort(key=lambda cell: _mean_home(cell.ups if down else cell.downs, cell.home))
            _renumber(layer)
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    for layer, kept in zip(layers, best, strict=True):
        layer[:] = kept
    _number(layers)
    for _ in range(_EXCHANGES):
        if not any([_exchange(layer) for layer in layers]):  # noqa: C419 -- each of them, not up to the first
            break


def _begin(layers: Layers) -> None:
    """Sorts the layers in the order of a depth-first walk: the first successor of a state is on the left,
    with all its successors."""
    met: dict[int, int] = {}
    stack = [cell for layer in reversed(layers) for cell in reversed(layer)]
    while stack:
        cell = stack.pop()
        if id(cell) not in met:
            met[id(cell)] = len(met)
            stack += [below for below, _ in reversed(cell.downs)]
    for layer in layers:
        layer.sort(key=lambda cell: met[id(cell)])
    _number(layers)


def _exchange(layer: list[Cell]) -> bool:
    """Swaps neighbours if that reduces crossings; returns whether it did."""
    changed = False
    for at in range(len(layer) - 1):
        left, right = layer[at], layer[at + 1]
        gain = _crossed(left.ups, right.ups) + _crossed(left.downs, right.downs)
        if gain > _crossed(right.ups, left.ups) + _crossed(right.downs, left.downs):
            layer[at], layer[at + 1] = right, left
            right.home, left.home = at, at + 1
            changed = True
    return changed


def _crossed(left: list[tuple[Cell, int]], right: list[tuple[Cell, int]]) -> int:
    return sum(one.home > other.home for one, _ in left for other, _ in right)


def _number(layers: Layers) -> None:
    for layer in layers:
        _renumber(layer)


def _renumber(layer: list[Cell]) -> None:
    for home, cell in enumerate(layer):
        cell.home = home


def _mean_home(neighbours: list[tuple[Cell, int]], otherwise: int) -> float:
    if not neighbours:
        return otherwise
    return sum(cell.home for cell, _ in neighbours) / len(neighbours)


def _crossings(layers: Layers) -> int:
    total = 0
    for layer in layers:
        passed: list[int] = []
        for cell in layer:
            homes = [below.home for below, _ in cell.downs]
            total += sum(len(passed) - bisect_right(passed, home) for home in homes)
            for home in homes:
                insort(passed, home)
    return total


def place(layers: Layers) -> None:
    """Sets ``x`` of every cell: near its neighbours above and below, with a distance to those in the same
    layer."""
    for layer in layers:
        _settle(layer, [0.0] * len(layer), [1] * len(layer))
    for sweep in range(_PLACINGS):
        down, both = sweep % 2 == 0, sweep >= _PLACINGS // 2
        for layer in layers if down else reversed(layers):
            pulls = [(c.ups + c.downs if both else c.ups if down else c.downs) for c in layer]
            _settle(layer, [_wanted(c, pull) for c, pull in zip(layer, pulls, strict=True)], _weights(pulls))
    for _ in range(2):
        for chain in _chains(layers):
            _straighten(chain, layers)


def _wanted(cell: Cell, pulls: list[tuple[Cell, int]]) -> float:
    weight = sum(pull for _, pull in pulls)
    return sum(other.x * pull for other, pull in pulls) / weight if weight else cell.x


def _weights(pulls: Iterable[list[tuple[Cell, int]]]) -> list[int]:
    return [sum(pull for _, pull in each) or 1 for each in pulls]


def apart(left: Cell, right: Cell) -> float:
    """Returns the minimum distance between the centres of two neighbours."""
    return left.w / 2 + right.w / 2 + _GAPS[(left.w > 0) + (right.w > 0)]


def _settle(layer: list[Cell], wanted: list[float], weights: list[int]) -> None:
    least = [apart(left, right) for left, right in zip(layer, layer[1:])]  # noqa: B905, RUF007 -- pairs
    for cell, x in zip(layer, spread(wanted, weights, least), strict=True):
        cell.x = x


def spread(wanted: Sequence[float], weights: Sequence[float], least: Sequence[float]) -> list[float]:
    """Returns the positions nearest to the wanted ones, by weighted least squares, with minimum distances.

    After subtracting the distances this is isotonic regression: neighbours in the wrong order are pooled at
    their mean.

    >>> spread([5, 5, 9], [1, 1, 1], [2, 2])
    [4.0, 6.0, 9.0]
    """
    offset, offsets = 0.0, []
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for index, (want, weight) in enumerate(zip(wanted, weights, strict=True)):
        offset += least[index - 1] if index else 0
        offsets.append(offset)
        mean, mass, members = want - offset, float(weight), 1
        while pools and pools[-1][0] > mean:
            other, more, count = pools.pop()
            mean = (mean * mass + other * more) / (mass + more)
            mass, members = mass + more, members + count
        pools.append((mean, mass, members))
    means = [mean for mean, _, members in pools for _ in range(members)]
    return [mean + shift for mean, shift in zip(means, offsets, strict=True)]


def _chains(layers: Layers) -> list[list[Cell]]:
    """Returns chains of cells that should form a straight vertical line, longest first."""
    chains: list[list[Cell]] = []
    taken: set[int] = set()
    for layer in layers:
        for cell in layer:
            if id(cell) in taken:
                continue
            chain, below = [cell], _strongest(cell.downs)
            while below is not None and _strongest(below.ups) is chain[-1] and id(below) not in taken:
                chain.append(below)
                below = _strongest(below.downs)
            taken.update(map(id, chain))
            chains.append(chain)
    return sorted((chain for chain in chains if len(chain) > 1), key=len, reverse=True)


def _strongest(pulls: list[tuple[Cell, int]]) -> Cell | None:
    most = max((pull for _, pull in pulls), default=0)
    cells = [cell for cell, pull in pulls if pull == most]
    return cells[0] if len(cells) == 1 else None


def _straighten(chain: list[Cell], layers: Layers) -> None:
    """Sets the same ``x`` for parts of the chain, if the neighbours leave enough room."""
    run: list[Cell] = []
    low, high = float("-inf"), float("inf")
    for cell in chain:
        least, most = _room(cell, layers[cell.layer])
        if max(low, least) > min(high, most):
            _align(run, low, high)
            run, low, high = [], float("-inf"), float("inf")
        run.append(cell)
        low, high = max(low, least), min(high, most)
    _align(run, low, high)


def _room(cell: Cell, layer: list[Cell]) -> tuple[float, float]:
    at = cell.home
    least = layer[at - 1].x + apart(layer[at - 1], cell) if at else float("-inf")
    most = layer[at + 1].x - apart(cell, layer[at + 1]) if at + 1 < len(layer) else float("inf")
    # The position of the cell itself is valid, regardless of rounding.
    return min(least, cell.x), max(most, cell.x)


def _align(run: list[Cell], low: float, high: float) -> None:
    mean = sum(cell.x for cell in run) / len(run)
    for cell in run:
        cell.x = min(max(mean, low), high)
