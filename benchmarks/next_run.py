"""What next runs cost, beside the peers, in one run.

    pip install '.[bench]' && python benchmarks/next_run.py

Prints Markdown to the standard output and its progress to the standard error. All figures are CPU
time: the best of several rounds in which the contenders take turns. ``--quick`` takes fewer and
shorter rounds, to see that everything works.
"""

from __future__ import annotations

import argparse
import platform
import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from calendar_steps import calendar_steps
from cases import CASES, CHANGES, NEW_YORK, UTC, ZONES, right_runs
from imports import imports
from measuring import (
    FULL,
    QUICK,
    Contender,
    Effort,
    Section,
    Target,
    calls_of,
    duration,
    measure,
    peer_cells,
    progress,
    spread,
    table,
    times,
)
from peers import PEERS, VERSIONS, nexts, runs
from reading import reading
from timelines import timelines

_RANDOM = random.Random(2026)


# -- the answers -------------------------------------------------------------------------------


def _differences(given_runs: Iterable[datetime], right_ones: Iterable[datetime]) -> str:
    """How many runs are too many and too few; empty when all is right."""
    given = Counter(run.astimezone(UTC) for run in given_runs)
    right = Counter(right_ones)
    too_many, too_few = (given - right).total(), (right - given).total()
    return " ".join(f"{sign}{count}" for sign, count in (("+", too_many), ("−", too_few)) if count)


def answers() -> Section:
    """Who follows AWS's rule where the clocks change, and who answers in the past."""
    rows = []
    ours_right = True
    for case in CHANGES:
        progress(f"answers: {case.name}")
        right = list(right_runs(case, "America/New_York"))
        streams = runs(case, "America/New_York")
        found = {name: _differences(stream(), right) for name, stream in streams.items()}
        ours_right &= not found["stepsched"]
        cells = [found[name] or "right" if name in found else "-" for name in ("stepsched", *PEERS)]
        rows.append([case.name, f"{len(right):,}", *cells])
    rows.append(["01:30 daily, asked in the second pass", "60 answers", *_answers_in_the_past()])
    head = ["New York, all of 2026", "runs", "stepsched", *PEERS]
    note = (
        "\n\n+1: one run that AWS would not start. 02:30 is skipped on 8 March, 01:30 comes once on "
        "1 November. For wildcards in the repeated hour AWS documents nothing; counted is the "
        "policy P-01. The peers follow rules of their own, some on purpose."
    )
    target = Target("right at every change of the clocks", "all" if ours_right else "no", ours_right)
    return Section("Answers where the clocks change", table(head, rows) + note, [target])


def _answers_in_the_past() -> list[str]:
    second_pass = datetime(2026, 11, 1, 6, 0, 30, tzinfo=UTC)
    asked = [(second_pass + timedelta(minutes=n)).astimezone(NEW_YORK) for n in range(60)]
    calls = nexts(CHANGES[1], "America/New_York")
    cells = []
    for name in ("stepsched", *PEERS):
        if name not in calls:
            cells.append("-")
            continue
        call, prepare = calls[name]
        late = 0
        for after in asked:
            run = call(prepare(after))
            late += run is not None and run.astimezone(UTC) <= after.astimezone(UTC)
        cells.append(f"{late} in the past")
    return cells


# -- many runs of one cron ---------------------------------------------------------------------


def _exhaust(stream: Callable[[], Iterable[datetime]], count: int) -> Contender:
    def contender(_: int) -> int:
        for _run in stream():
            pass
        return count

    return contender


def _bare(built: list[datetime]) -> Contender:
    """Merely constructs the same datetimes."""
    parts = [(r.year, r.month, r.day, r.hour, r.minute, r.tzinfo) for r in built]

    def contender(_: int) -> int:
        for year, month, day, hour, minute, zone in parts:
            datetime(year, month, day, hour, minute, tzinfo=zone)
        return len(parts)

    return contender


def many_runs(effort: Effort) -> Section:
    """The cost of a run in a long stream, beside the bare construction of the same datetimes."""
    rows, worst = [], 0.0
    spreads: list[float] = []
    faults: list[str] = []
    for case in CASES:
        for zone_name in ZONES:
            progress(f"runs(): {case.name}, {zone_name}")
            streams = runs(case, zone_name)
            right = list(right_runs(case, zone_name))
            given = {name: list(stream()) for name, stream in streams.items()}
            wrong = {name: _differences(given[name], right) for name in given}
            assert not wrong["stepsched"], (case.name, zone_name, wrong)
            faults += [f"{peer}, {case.name}, {zone_name}: {what}" for peer, what in wrong.items() if what]
            contenders = {name: _exhaust(stream, len(given[name])) for name, stream in streams.items()}
            contenders["bare"] = _bare(given["stepsched"])
            timings = measure(contenders, effort)
            ours, bare = timings["stepsched"].best, timings["bare"].best
            worst = max(worst, ours / bare)
            spreads.append(spread(timings))
            rows.append(
                [
                    f"{case.name}, {zone_name}",
                    f"{len(right):,}",
                    duration(bare),
                    duration(ours),
                    times(ours / bare),
                    *peer_cells(timings, PEERS, wrong),
                ]
            )
    head = ["cron", "runs", "bare `datetime(…)`", "stepsched", "of bare", *PEERS]
    note = (
        f"\n\n† runs too many or too few: {'; '.join(faults) or 'nobody'}. The median round was at "
        f"most {max(spreads):.0%} above the best."
    )
    target = Target(
        "a run of `runs()`: at most 2.5 × the bare datetime", f"at most {times(worst)}", worst <= 2.5
    )
    return Section("A run in a long stream: `runs()`", table(head, rows) + note, [target])


# -- one next run ------------------------------------------------------------------------------


def one_next_run(effort: Effort) -> Section:
    """The cost of ``next_run`` of a parsed cron, from instants all over 2026."""
    rows, slowest, against_cronsim = [], float("inf"), float("inf")
    instants = [
        datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC) + timedelta(minutes=_RANDOM.randrange(525_600))
        for _ in range(200)
    ]
    for case in CASES:
        for zone_name, zone in ZONES.items():
            progress(f"next_run(): {case.name}, {zone_name}")
            asked = [instant.astimezone(zone) for instant in instants]
            calls = nexts(case, zone_name)
            contenders = {
                name: calls_of(call, [prepare(after) for after in asked])
                for name, (call, prepare) in calls.items()
            }
            timings = measure(contenders, effort)
            ours = timings["stepsched"].best
            slowest = min(slowest, timings["croniter"].best / ours)
            against_cronsim = min(against_cronsim, timings["cronsim"].best / ours)
            cells = peer_cells(timings, PEERS)
            rows.append([f"{case.name}, {zone_name}", duration(ours), *cells])
    targets = [
        Target(
            "`next_run`: at least 10 times faster than croniter",
            f"at least {times(slowest)}",
            slowest >= 10,
        ),
        Target(
            "`next_run`: faster than cronsim",
            f"at least {times(against_cronsim)}",
            against_cronsim > 1,
        ),
    ]
    body = table(["cron", "stepsched", *PEERS], rows)
    return Section("One next run of a parsed cron: `next_run()`", body, targets)


# -- the report --------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    quick = parser.parse_args().quick
    effort = QUICK if quick else FULL
    sections = [
        answers(),
        many_runs(effort),
        one_next_run(effort),
        reading(effort),
        calendar_steps(effort, 5 if quick else 50),
        timelines(20_000 if quick else 100_000),
        imports(5 if quick else 25),
    ]
    versions = ", ".join(f"{name} {number}" for name, number in VERSIONS.items())
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{python}, {platform.system()} on {platform.machine()}; {versions}.\n")
    promises = [
        [target.promise, target.measured, "met" if target.met else "**missed**"]
        for section in sections
        for target in section.targets
    ]
    print(table(["target", "measured", ""], promises))
    for section in sections:
        print(f"\n### {section.title}\n\n{section.body}")
    progress("done")


if __name__ == "__main__":
    main()
