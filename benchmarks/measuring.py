"""CPU time of contenders side by side, and Markdown for the answers."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple


class Timing(NamedTuple):
    """Seconds of CPU for one operation."""

    best: float
    median: float


class Effort(NamedTuple):
    """How long to measure."""

    rounds: int
    seconds: float
    """CPU time that one contender may take before it drops out of the rounds."""


QUICK = Effort(rounds=3, seconds=0.1)
FULL = Effort(rounds=7, seconds=1.5)
# Shorter passes are repeated within a round, so that the clock's grain does not show.
_SHORTEST_PASS = 0.01
_BEGUN = time.perf_counter()

Contender = Callable[[int], int]
"""One pass: takes the number of the round, 0 for the warm-up; returns how many operations it did."""


def measure(
    contenders: Mapping[str, Contender], effort: Effort, *, repeatable: bool = True
) -> dict[str, Timing]:
    """Times every contender in turn, round after round.

    The first pass of each warms it up. One that takes longer than the time allowed counts as it
    is and is not repeated; a contender that has used up the time leaves after its second round.

    Args:
        contenders: The passes by name.
        effort: How long.
        repeatable: Whether a pass may run again in the same round; False where it needs
            inputs that nobody has seen before.
    """
    passes: dict[str, int] = {}
    seconds: dict[str, list[float]] = {}
    spent: dict[str, float] = {}
    for name, contender in contenders.items():
        taken, done = _pass(contender, 0, 1)
        spent[name] = taken
        if taken > effort.seconds:
            seconds[name] = [taken / done]
            continue
        seconds[name] = []
        passes[name] = int(_SHORTEST_PASS / taken) + 1 if repeatable and taken else 1
    for number in range(1, effort.rounds + 1):
        for name, repeats in passes.items():
            if spent[name] > effort.seconds and len(seconds[name]) >= 2:
                continue
            taken, done = _pass(contenders[name], number, repeats)
            spent[name] += taken
            seconds[name].append(taken / done)
    return {name: Timing(min(all_), statistics.median(all_)) for name, all_ in seconds.items()}


def calls_of(call: Callable[[Any], object], asked: Sequence[Any]) -> Contender:
    """A pass that asks one question after the other."""

    def contender(_: int) -> int:
        for question in asked:
            call(question)
        return len(asked)

    return contender


def _pass(contender: Contender, number: int, repeats: int) -> tuple[float, int]:
    gc.collect()
    gc.disable()
    try:
        done = 0
        begun = time.process_time()
        for _ in range(repeats):
            done += contender(number)
        return time.process_time() - begun, done
    finally:
        gc.enable()


class Target(NamedTuple):
    """What was promised, and what came of it."""

    promise: str
    measured: str
    met: bool


class Section(NamedTuple):
    """One part of the report."""

    title: str
    body: str
    targets: list[Target]


# -- words ---------------------------------------------------------------------------------------


def progress(what: str) -> None:
    print(f"{time.perf_counter() - _BEGUN:4.0f} s  {what}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Such as ``2.1 µs``."""
    for factor, unit in ((1e9, "ns"), (1e6, "µs"), (1e3, "ms")):
        value = seconds * factor
        if value < 999.5:
            return f"{value:.0f} {unit}" if value >= 99.5 or unit == "ns" else f"{value:.1f} {unit}"
    return f"{seconds:.1f} s"


def times(ratio: float) -> str:
    """Such as ``930×`` or ``0.16×``."""
    if ratio >= 9.95:
        return f"{ratio:,.0f}×"
    return f"{ratio:.1f}×" if ratio >= 0.995 else f"{ratio:.2f}×"


def peer_cells(
    timings: Mapping[str, Timing], names: Iterable[str], wrong: Mapping[str, object] | None = None
) -> list[str]:
    """The peers' cells of a row: cost, and how many times that of stepsched; ``-`` for no answer.

    A dagger marks a peer in ``wrong``.
    """
    ours = timings["stepsched"].best
    cells = []
    for name in names:
        if name not in timings:
            cells.append("-")
            continue
        best = timings[name].best
        mark = " †" if wrong and wrong.get(name) else ""
        cells.append(f"{duration(best)} ({times(best / ours)}){mark}")
    return cells


def spread(timings: Mapping[str, Timing]) -> float:
    """By how much the worst median of a row exceeds its best round, 0.05 for 5 %."""
    return max(timing.median / timing.best for timing in timings.values()) - 1


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, text_columns: int = 1) -> str:
    """A Markdown table; columns after the first few are numbers."""
    rule = ["---"] * text_columns + ["--:"] * (len(head) - text_columns)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))
