"""The order of a graph: topological order, cycles, the steps below and above a step, the critical path.

A graph is a mapping of each step to the steps that it needs. All functions take time in proportion to the
number of needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeAlias

Needs: TypeAlias = Mapping[str, Sequence[str]]


def order_of(needs: Needs) -> tuple[str, ...]:
    """Returns the steps, each after its needs; of several that could follow, the first in the mapping.

    Raises:
        ValueError: The graph has a cycle.
    """
    place = {name: number for number, name in enumerate(needs)}
    left = {name: len(of) for name, of in needs.items()}
    below = dependents(needs)
    ready = [place[name] for name, count in left.items() if not count]
    heapify(ready)
    names, order = list(needs), list[str]()
    while ready:
        name = names[heappop(ready)]
        order.append(name)
        for each in below[name]:
            left[each] -= 1
            if not left[each]:
                heappush(ready, place[each])
    if len(order) < len(names):
        raise ValueError(f"expected needs without a cycle, got {' needs '.join(find_cycle(needs) or ())}")
    return tuple(order)


def dependents(needs: Needs) -> dict[str, list[str]]:
    """Returns the steps that need each step directly, in the order of the mapping."""
    below: dict[str, list[str]] = {name: [] for name in needs}
    for name, of in needs.items():
        for need in of:
            below[need].append(name)
    return below


def find_cycle(needs: Needs) -> tuple[str, ...] | None:
    """Returns a cycle as the steps that need one another, with the first step again at the end; None if there
    is none."""
    left = {name: len(of) for name, of in needs.items()}
    below = dependents(needs)
    ready = [name for name, count in left.items() if not count]
    while ready:
        for each in below[ready.pop()]:
            left[each] -= 1
            if not left[each]:
                ready.append(each)
    tangled = {name for name, count in left.items() if count}
    if not tangled:
        return None
    path, name = list[str](), next(each for each in needs if each in tangled)
    seen = dict[str, int]()
    while name not in seen:  # each tangled step needs another one
        seen[name] = len(path)
        path.append(name)
        name = next(need for need in needs[name] if need in tangled)
    return (*path[seen[name] :], name)


def below(needs: Needs, names: Iterable[str]) -> set[str]:
    """Returns all steps that need one of these steps, directly or by others; without these steps themselves,
    unless one needs another."""
    direct = dependents(needs)
    found, left = set[str](), list(names)
    while left:
        for each in direct[left.pop()]:
            if each not in found:
                found.add(each)
                left.append(each)
    return found


def critical_path(needs: Needs, durations: Mapping[str, float] | None = None) -> tuple[str, ...]:
    """Returns the longest chain of steps, first step first: what the run cannot be shorter than. Of several,
    it is one with the most steps.

    Args:
        needs: The graph.
        durations: The duration of each step, in any unit; steps that are missing count 0. None: each step
            counts 1.
    """
    longest, before = dict[str, tuple[float, int]](), dict[str, str | None]()
    for name in order_of(needs):
        best = max(needs[name], key=lambda need: longest[need], default=None)
        length, steps = (0.0, 0) if best is None else longest[best]
        own = 1.0 if durations is None else durations.get(name, 0.0)
        longest[name] = (length + own, steps + 1)
        before[name] = best
    last: str | None = max(longest, key=lambda each: longest[each], default=None)
    path = list[str]()
    while last is not None:
        path.append(last)
        last = before[last]
    return tuple(reversed(path))
