"""What a command line costs, beside those of other programs.

    python benchmarks/cli.py [--quick] [--environments FOLDER]

Prints Markdown. Each program lives in an environment of its own, which pip makes; all take turns.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from asl_environments import Environment, Environments, MissingError
from measuring import Section, Target, duration, progress, table, times

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"stepsched": [f"{ROOT}[cli]"], "awscli": ["awscli"], "celery": ["celery"], "rq": ["rq"]}
"""What pip installs for each program."""
SECONDS_FOR_HELP, SECONDS_FOR_RUNS = 0.15, 0.3
"""What is promised, in seconds of a calm machine."""
JOBS = """\
- name: nightly-report
  schedule: cron(0 2 ? * MON-FRI *)
  timezone: Europe/Paris
  target: [python, report.py]
- name: cleanup
  schedule: rate(6 hours)
  target: [python, cleanup.py]
"""


class Line(NamedTuple):
    """A command line that is measured."""

    program: str
    """The name of its environment."""
    words: Sequence[str]
    """The script and its arguments; none: an empty interpreter."""

    @property
    def text(self) -> str:
        """How a person writes it."""
        quoted = [f"'{each}'" if set(each) & set(" (*") else each for each in self.words]
        return f"`{' '.join(quoted)}`" if self.words else "an empty interpreter"


LINES = [
    Line("stepsched", []),
    Line("stepsched", ["stepsched", "--help"]),
    Line("stepsched", ["stepsched", "next", "--help"]),
    Line("stepsched", ["stepsched", "next", "rate(5 minutes)", "-n", "1000"]),
    Line("stepsched", ["stepsched", "check", "jobs.yaml"]),
    Line("stepsched", ["stepsched", "list", "--backend", "local:jobs.db"]),
    Line("stepsched", ["stepsched", "list", "--backend", "local:jobs.db", "-o", "table"]),
    Line("awscli", ["aws", "--version"]),
    Line("awscli", ["aws", "scheduler", "help"]),
    Line("celery", ["celery", "--help"]),
    Line("rq", ["rq", "--help"]),
]


class Cost(NamedTuple):
    """What one process has taken, in seconds."""

    cpu: float
    wall: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument(
        "--environments", type=Path, help="where the environments are kept; if not given, nowhere"
    )
    given = parser.parse_args()
    rounds = 5 if given.quick else 20
    with tempfile.TemporaryDirectory() as folder:
        found = made(Environments(given.environments or Path(folder) / "environments"))
        work = Path(folder) / "work"
        work.mkdir()
        (work / "jobs.yaml").write_text(JOBS)
        start = Line("stepsched", ["stepsched", "apply", "jobs.yaml", "--backend", "local:jobs.db"])
        cost_of(start, found, work)
        costs = measured([line for line in LINES if line.program in found], found, work, rounds)
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} on ", end="")
    print(f"{platform.machine()}; load {', '.join(f'{each:.1f}' for each in os.getloadavg())}.\n")
    section = report(costs, found)
    print(f"### {section.title}\n\n{section.body}\n")
    rows = [[each.promise, each.measured, "met" if each.met else "missed"] for each in section.targets]
    print(table(["target", "measured", ""], rows))


def made(environments: Environments) -> dict[str, Environment]:
    """The environments of all programs that can be installed."""
    found: dict[str, Environment] = {}
    for name, packages in PACKAGES.items():
        try:
            found[name] = environments.python(name, packages)
        except MissingError as error:  # noqa: PERF203 -- each may be missing for itself
            print(f"{name} is left out: {error}", file=sys.stderr)
    return found


def measured(
    lines: Sequence[Line], found: Mapping[str, Environment], folder: Path, rounds: int
) -> dict[Line, list[Cost]]:
    """Starts each in turn, round after round, after one round that warms up."""
    costs: dict[Line, list[Cost]] = {}
    for number in range(rounds + 1):
        progress(f"round {number} of {rounds}")
        for line in lines:
            cost = cost_of(line, found, folder)
            if number:
                costs.setdefault(line._replace(words=tuple(line.words)), []).append(cost)
    return costs


def cost_of(line: Line, found: Mapping[str, Environment], folder: Path) -> Cost:
    home = found[line.program]
    python = Path(home.program)
    command = [str(python.parent / line.words[0]), *line.words[1:]] if line.words else [str(python), "-c", ""]
    variables = {**home.variables, "AWS_PAGER": "", "PAGER": "cat"}
    used, begun = _children(), time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    cost = Cost(_children() - used, time.perf_counter() - begun)
    assert done.returncode == 0, f"{line.text} ends with {done.returncode}: {done.stderr[-300:]}"
    return cost


def report(costs: Mapping[Line, list[Cost]], found: Mapping[str, Environment]) -> Section:
    best = {line: Cost(*(min(values) for values in zip(*all_, strict=True))) for line, all_ in costs.items()}
    help_ = next(line for line in best if line.words[1:] == ("--help",) and line.program == "stepsched")
    runs = next(line for line in best if line.words[1:2] == ("next",) and "1000" in line.words)
    rows = [
        [
            line.text if line.words else f"{line.text} of Python",
            f"{line.program} {found[line.program].version}" if line.words else "-",
            duration(cost.cpu),
            duration(statistics.median(each.cpu for each in costs[line])),
            duration(cost.wall),
            times(cost.cpu / best[help_].cpu),
        ]
        for line, cost in best.items()
    ]
    head = ["command line", "of", "CPU, best", "CPU, median", "wall, best", "of `stepsched --help`"]
    targets = [
        Target(
            "`stepsched --help`: at most 150 ms",
            duration(best[help_].wall),
            best[help_].wall <= SECONDS_FOR_HELP,
        ),
        Target(
            "`stepsched next -n 1000`: at most 300 ms",
            duration(best[runs].wall),
            best[runs].wall <= SECONDS_FOR_RUNS,
        ),
    ]
    aws = next((line for line in best if line.words[1:] == ("--version",)), None)
    if aws is not None:
        ratio = best[help_].cpu / best[aws].cpu
        targets.append(Target("`stepsched --help`: less than `aws --version`", times(ratio), ratio < 1))
    return Section("The command line", table(head, rows, text_columns=2), targets)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
