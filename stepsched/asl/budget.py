"""How much history a machine writes, and what its transitions cost.

https://docs.aws.amazon.com/step-functions/latest/dg/bp-history-limit.html
https://aws.amazon.com/step-functions/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from stepsched.values import Value

MAX_EVENTS = 25_000
"""Events of an execution's history, after which AWS ends it."""
_MOST_LOOPS = 2_000
"""Ways around that are looked at; a machine that has more is judged by the longest of these."""


class Prices(Value, frozen=True):
    """What transitions of Standard workflows cost. The defaults carry their date; any can be replaced."""

    per_thousand: Decimal = Decimal("0.025")
    """Of us-east-1; some Regions ask up to a half more."""
    free_per_month: int = 4_000
    currency: str = "USD"
    as_of: date = date(2026, 11, 1)
    """When the figures were last read."""
    source: str = "https://aws.amazon.com/step-functions/pricing/"


PRICES = Prices()
"""The public price list, as of its date."""


class Turn(Value, frozen=True):
    """One way through the states: around a loop, or from start to end where there is none."""

    states: tuple[str, ...]
    """In order."""
    events: int
    transitions: int

    def cost(self, runs: int = 1, prices: Prices = PRICES) -> Decimal:
        """What so many turns cost, the free transitions not counted."""
        return prices.per_thousand * self.transitions * runs / 1000


class Budget(Value, frozen=True):
    """What a machine writes into its history."""

    usual: Turn
    """The longest way on which nothing fails."""
    worst: Turn
    """The longest way of all, with every retry that the states' own retriers make."""
    fixed_events: int
    """What stands in the history beside the turns, at most: start, end, and states outside the loop."""
    loops: bool
    """Whether the ways are turns of a loop."""

    @property
    def turns(self) -> int | None:
        """How many usual turns fit into one execution's history. None: there is no loop."""
        return max(MAX_EVENTS - self.fixed_events, 0) // self.usual.events if self.loops else None

    @property
    def worst_turns(self) -> int | None:
        """The same where every turn is the worst."""
        return max(MAX_EVENTS - self.fixed_events, 0) // self.worst.events if self.loops else None

    def cost_per_year(self, runs: int, prices: Prices = PRICES) -> Decimal:
        """What so many usual turns in a year cost, less each month's free transitions.

        Args:
            runs: Turns in the year, spread evenly over its months.
            prices: Those of the Region.
        """
        billed = max(self.usual.transitions * runs - 12 * prices.free_per_month, 0)
        return prices.per_thousand * billed / 1000


class _Weight:
    """Events and transitions of one state's visit."""

    __slots__ = ("events", "transitions", "worst_events", "worst_transitions")

    def __init__(self, state: Mapping[str, Any]) -> None:
        kind = state.get("Type")
        self.events = {"Fail": 1}.get(str(kind), 2)
        self.transitions = 1
        self.worst_events = self.worst_transitions = 0
        if kind == "Task":
            resource = str(state.get("Resource", ""))
            self.events = 6 if ".sync" in resource or resource.endswith(".waitForTaskToken") else 5
        elif kind == "Parallel":
            inner = [_longest(branch) for branch in _list(state.get("Branches"))]
            self.events = 4 + sum(usual.events for usual, _ in inner)
            self.transitions = 1 + sum(usual.transitions for usual, _ in inner)
            self.worst_events = sum(worst.events - usual.events for usual, worst in inner)
            self.worst_transitions = sum(worst.transitions - usual.transitions for usual, worst in inner)
        elif kind == "Map":
            self.events = 4
        retries = sum(_retries(retrier) for retrier in _list(state.get("Retry")))
        again = 3 if kind == "Task" else self.events
        self.worst_events = self.events + (self.worst_events) * (1 + retries) + retries * again
        self.worst_transitions = (self.transitions + self.worst_transitions) * (1 + retries)


def budget_of(definition: Mapping[str, Any]) -> Budget:
    """The budget of a definition.

    A Map counts as the state alone, for nobody knows its items; so does a loop inside a loop, for nobody
    knows its turns. What is only entered when something has failed is no loop.
    """
    states = _states(definition)
    weights = {name: _Weight(state) for name, state in states.items()}
    entered = _calm_states(states, definition.get("StartAt"))
    loops = [(way, calm) for way, calm in _cycles(states) if entered.intersection(way)]
    calm = [way for way, calm in loops if calm and entered.issuperset(way)]
    if not calm:
        usual, worst = _longest(definition)
        return Budget(usual=usual, worst=worst, fixed_events=2, loops=False)
    usual = _heaviest(calm, weights, worst=False)
    worst = _heaviest([way for way, _ in loops], weights, worst=True)
    around = {name for way, _ in loops for name in way}
    outside = sum(weight.worst_events for name, weight in weights.items() if name not in around)
    return Budget(usual=usual, worst=worst, fixed_events=2 + outside, loops=True)


def _calm_states(states: Mapping[str, Any], start: Any) -> set[str]:
    """The states that are entered although nothing fails."""
    found: set[str] = set()
    open_states = [start]
    while open_states:
        name = open_states.pop()
        if isinstance(name, str) and name in states and name not in found:
            found.add(name)
            open_states += [target for target, calm in _targets(states[name]) if calm]
    return found


def _longest(flow: Any) -> tuple[Turn, Turn]:
    """The heaviest ways from the start of a flow to an end: without failures, and of all."""
    states = _states(flow)
    weights = {name: _Weight(state) for name, state in states.items()}
    ways = list(_ways(states, flow.get("StartAt") if isinstance(flow, Mapping) else None))
    calm = [way for way, calm in ways if calm] or [way for way, _ in ways]
    return _heaviest(calm, weights, worst=False), _heaviest([way for way, _ in ways], weights, worst=True)


def _heaviest(ways: list[tuple[str, ...]], weights: Mapping[str, _Weight], *, worst: bool) -> Turn:
    turns = [Turn(states=(), events=0, transitions=0)]
    for way in ways:
        on = [weights[name] for name in way]
        events = sum(weight.worst_events if worst else weight.events for weight in on)
        transitions = sum(weight.worst_transitions if worst else weight.transitions for weight in on)
        turns.append(Turn(states=way, events=events, transitions=transitions))
    return max(turns, key=lambda turn: turn.events)


def _cycles(states: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Simple loops, each once, and whether nothing fails on the way. Walks from each state in turn, over
    those that come after it in the document."""
    order = {name: index for index, name in enumerate(states)}
    found = 0
    for start in states:
        for way, calm in _walk(states, start, lambda name, least=order[start]: order[name] >= least):
            for target, is_calm in _targets(states[way[-1]]):
                if target == start:
                    yield way, calm and is_calm
                    found += 1
                    if found == _MOST_LOOPS:
                        return


def _ways(states: Mapping[str, Any], start: Any) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Ways from a state to one that leads nowhere new."""
    if isinstance(start, str) and start in states:
        for number, (way, calm) in enumerate(_walk(states, start, lambda _name: True)):
            if all(target in way or target not in states for target, _ in _targets(states[way[-1]])):
                yield way, calm
            if number == _MOST_LOOPS:
                return


def _walk(states: Mapping[str, Any], start: str, allowed: Any) -> Iterator[tuple[tuple[str, ...], bool]]:
    stack: list[tuple[tuple[str, ...], bool]] = [((start,), True)]
    steps = 0
    while stack and steps < 20 * _MOST_LOOPS:
        way, calm = stack.pop()
        steps += 1
        yield way, calm
        for target, is_calm in _targets(states[way[-1]]):
            if target in states and target not in way and allowed(target):
                stack.append(((*way, target), calm and is_calm))


def _targets(state: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Where a state leads, and whether that is no failure."""
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
