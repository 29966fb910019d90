"""The history events that a machine writes, and the cost of its transitions.

https://docs.aws.amazon.com/step-functions/latest/dg/bp-history-limit.html
https://aws.amazon.com/step-functions/pricing/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from stepsched.core.plain import Day
from stepsched.core.values import Value
from stepsched.display.results import Displayed, DisplayedFields

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Cell, Table

MAX_EVENTS = 25_000
"""The maximum number of events in the history of an execution, after which AWS ends it."""
_MOST_STEPS = 5_000
"""The maximum number of steps in the search for the heaviest loop."""


class Prices(DisplayedFields, Value, frozen=True):
    """The prices of state transitions of Standard workflows. The defaults have a date and can be replaced."""

    per_thousand: Decimal = Decimal("0.025")
    """The price of a thousand transitions. Some Regions cost up to a half more."""
    free_per_month: int = 4_000
    """The number of free transitions in each calendar month, of all machines of the account."""
    region: str = "us-east-1"
    """The Region of the prices."""
    currency: str = "USD"
    as_of: Day = date(2026, 11, 1)
    """The date on which the values were last read."""
    source: str = "https://aws.amazon.com/step-functions/pricing/"


PRICES = Prices()
"""The public price list, at its date."""


class Turn(DisplayedFields, Value, frozen=True):
    """One path through the states: around a loop, or from start to end if there is no loop."""

    states: tuple[str, ...]
    """The names of the states, in order."""
    events: int
    transitions: int

    def cost(self, runs: int = 1, prices: Prices = PRICES) -> Decimal:
        """Returns the cost of a number of turns, without subtracting free transitions."""
        return prices.per_thousand * self.transitions * runs / 1000


class Budget(Displayed, Value, frozen=True):
    """The history events and transitions of a machine."""

    usual: Turn
    """The longest path without a failure."""
    worst: Turn
    """The longest path, with all retries by the states' retriers."""
    fixed_events: int
    """The maximum number of events outside the turns: start, end, and states outside the loop."""
    loops: bool
    """Whether the paths are turns of a loop."""

    @property
    def turns(self) -> int | None:
        """The number of usual turns that fit into the history of one execution. None: there is no loop."""
        return max(MAX_EVENTS - self.fixed_events, 0) // self.usual.events if self.loops else None

    @property
    def worst_turns(self) -> int | None:
        """The number of worst turns that fit into the history of one execution. None: there is no loop."""
        return max(MAX_EVENTS - self.fixed_events, 0) // self.worst.events if self.loops else None

    def _shown_table(self) -> Table:
        from stepsched.display.table import table_of

        shown = {"usual": (self.usual, self.turns), "worst": (self.worst, self.worst_turns)}
        return table_of(
            shown.items(),
            ("turn" if self.loops else "path", "states", "events", "transitions", "in one execution"),
            _row_of,
            caption=f"{MAX_EVENTS:,} events in one execution, {self.fixed_events:,} of them fixed",
            total=len(shown),
        )

    def cost_per_year(self, runs: int, prices: Prices = PRICES) -> Decimal:
        """Returns the cost of a number of usual turns in a year, after each month's free transitions.

        Args:
            runs: The number of turns in the year, spread evenly over the months.
            prices: The prices of the Region.
        """
        billed = max(self.usual.transitions * runs - 12 * prices.free_per_month, 0)
        return prices.per_thousand * billed / 1000


def _row_of(named: tuple[str, tuple[Turn, int | None]]) -> tuple[str | Cell, ...]:
    from stepsched.display.fields import field_cell

    name, (turn, times) = named
    return name, " > ".join(turn.states), *map(field_cell, (turn.events, turn.transitions, times))


class _Weight:
    """The events and transitions of one visit of a state."""

    __slots__ = ("events", "transitions", "worst_events", "worst_transitions")

    def __init__(self, state: Mapping[str, Any]) -> None:
        kind = state.get("Type")
        self.events = {"Fail": 1}.get(str(kind), 2)
        self.transitions = 1
        more = more_transitions = 0  # in addition to the usual ones, inside the state
        if kind == "Task":
            resource = str(state.get("Resource", ""))
            self.events = 6 if ".sync" in resource or resource.endswith(".waitForTaskToken") else 5
        elif kind == "Parallel":
            inner = [_Flow(branch).longest() for branch in _list(state.get("Branches"))]
            self.events = 4 + sum(usual.events for usual, _ in inner)
            self.transitions = 1 + sum(usual.transitions for usual, _ in inner)
            more = sum(worst.events - usual.events for usual, worst in inner)
            more_transitions = sum(worst.transitions - usual.transitions for usual, worst in inner)
        elif kind == "Map":
            self.events = 4
        retries = sum(_retries(retrier) for retrier in _list(state.get("Retry")))
        again = 3 if kind == "Task" else self.events
        self.worst_events = self.events + more * (1 + retries) + retries * again
        self.worst_transitions = (self.transitions + more_transitions) * (1 + retries)


def way_through(states: Mapping[str, Mapping[str, Any]], *names: str, retries: bool = False) -> Turn:
    """Returns the events and transitions of a path through a machine.

    Args:
        states: The states as JSON, by name.
        names: The states of the path, in order.
        retries: Whether the retriers of these states make all their attempts.

    Raises:
        ValueError: A state does not lead to the next one.
    """
    for before, after in pairwise(names):
        if after not in {target for target, _ in _targets(states[before])}:
            raise ValueError(f"state {before!r} does not lead to {after!r}")
    return _turn([(name, _Weight(states[name])) for name in names], worst=retries)


def _turn(way: Iterable[tuple[str, _Weight]], *, worst: bool) -> Turn:
    on = list(way)
    return Turn(
        states=tuple(name for name, _ in on),
        events=sum(weight.worst_events if worst else weight.events for _, weight in on),
        transitions=sum(weight.worst_transitions if worst else weight.transitions for _, weight in on),
    )


def budget_of(definition: Mapping[str, Any]) -> Budget:
    """Returns the budget of a definition.

    A Map counts as one state, since the number of its items is not known; a nested loop counts once, since
    the number of its turns is not known. States that are entered only after a failure do not count as a loop.
    """
    flow = _Flow(definition)
    calm = flow.graph(calm=True)
    loops = [part for part in _components(calm) if _turns(calm, part)]
    if not loops:
        usual, worst = flow.longest()
        return Budget(usual=usual, worst=worst, fixed_events=2, loops=False)
    loop = max(loops, key=lambda part: sum(flow.weights[name].events for name in part))
    graph = flow.graph(calm=False)
    (wide,) = (part for part in _components(graph) if loop[0] in part)
    outside = sum(weight.worst_events for name, weight in flow.weights.items() if name not in wide)
    return Budget(
        usual=flow.around(calm, loop, worst=False),
        worst=flow.around(graph, wide, worst=True),
        fixed_events=2 + outside,
        loops=True,
    )


_Graph: TypeAlias = dict[str, list[str]]


class _Flow:
    """The states of a machine or a branch, with their events and transitions."""

    def __init__(self, flow: Any) -> None:
        self.states = _states(flow)
        self.start = flow.get("StartAt") if isinstance(flow, Mapping) else None
        self.weights = {name: _Weight(state) for name, state in self.states.items()}

    def graph(self, *, calm: bool) -> _Graph:
        """Returns the transitions of all states that are reachable from the start: without failures, or
        all."""
        found: _Graph = {}
        waiting = [self.start]
        while waiting:
            name = waiting.pop()
            if isinstance(name, str) and name in self.states and name not in found:
                targets = [target for target, is_calm in _targets(self.states[name]) if is_calm or not calm]
                found[name] = [target for target in dict.fromkeys(targets) if target in self.states]
                waiting += found[name]
        return found

    def turn(self, way: Iterable[str], *, worst: bool) -> Turn:
        return _turn(((name, self.weights[name]) for name in way), worst=worst)

    def longest(self) -> tuple[Turn, Turn]:
        """Returns the heaviest paths from the start: without failures, and with them. Each state of a loop
        counts once, as if one path led through all of them."""
        return self._longest(calm=True), self._longest(calm=False)

    def _longest(self, *, calm: bool) -> Turn:
        graph = self.graph(calm=calm)
        best: dict[str, tuple[int, tuple[str, ...]]] = {}
        for part in _components(graph):  # the successors of a component come before it
            inside = set(part)
            beyond = [best[target] for name in part for target in graph[name] if target not in inside]
            events, way = max(beyond, default=(0, ()), key=lambda each: each[0])
            own = self.turn(part, worst=not calm).events
            for name in part:
                best[name] = (own + events, (*part, *way))
        way = best[self.start][1] if isinstance(self.start, str) and self.start in best else ()
        return self.turn(way, worst=not calm)

    def around(self, graph: _Graph, part: list[str], *, worst: bool) -> Turn:
        """Returns the heaviest simple loop in a component; if there are too many, all its states once
        each."""
        inside = set(part)
        heaviest = self.turn((), worst=worst)
        steps = 0
        for index, start in enumerate(part):
            later = set(part[index:])
            stack: list[tuple[str, ...]] = [(start,)]
            while stack:
                way = stack.pop()
                steps += 1
                if steps > _MOST_STEPS:
                    return self.turn(part, worst=worst)
                for target in graph[way[-1]]:
                    if target == start:
                        heaviest = max(heaviest, self.turn(way, worst=worst), key=lambda turn: turn.events)
                    elif target in later and target in inside and target not in way:
                        stack.append((*way, target))
        return heaviest


def _turns(graph: _Graph, part: list[str]) -> bool:
    return len(part) > 1 or part[0] in graph[part[0]]


def _components(graph: _Graph) -> list[list[str]]:
    """Returns the strongly connected components (Tarjan), each after its successors."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    held: list[str] = []
    on_hold: set[str] = set()
    found: list[list[str]] = []
    for root in graph:
        if root in number:
            continue
        number[root] = low[root] = len(number)
        held.append(root)
        on_hold.add(root)
        work = [(root, iter(graph[root]))]
        while work:
            name, targets = work[-1]
            for target in targets:
                if target not in number:
                    number[target] = low[target] = len(number)
                    held.append(target)
                    on_hold.add(target)
                    work.append((target, iter(graph[target])))
                    break
                if target in on_hold:
                    low[name] = min(low[name], number[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == number[name]:
                    at = held.index(name)
                    found.append(held[at:])
                    on_hold.difference_update(held[at:])
                    del held[at:]
    return found


def _targets(state: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yields the transitions of a state, and whether each is taken without a failure."""
    for calm, places in (
        (True, [state, *_list(state.get("Choices"))]),
        (False, _list(state.get("Catch"))),
    ):
        for place in places:
            for key in ("Next", "Default"):
                if isinstance(place, Mapping) and isinstance(place.get(key), str):
                    yield place[key], calm


def _retries(retrier: Any) -> int:
    attempts = retrier.get("MaxAttempts", 3) if isinstance(retrier, Mapping) else 0
    return attempts if isinstance(attempts, int) else 0


def _states(flow: Any) -> dict[str, Mapping[str, Any]]:
    states = flow.get("States") if isinstance(flow, Mapping) else None
    pairs = states.items() if isinstance(states, Mapping) else ()
    return {name: state for name, state in pairs if isinstance(state, Mapping)}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
