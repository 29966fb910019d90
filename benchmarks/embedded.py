"""What the embedded backend costs, beside the peers, in one run.

    pip install '.[bench]' && python benchmarks/embedded.py

APScheduler 4 (alpha) cannot share an environment with APScheduler 3, and Huey and DBOS are no dependencies of
ours: ``--apscheduler4 PYTHON``, ``--huey PYTHON`` and ``--dbos PYTHON`` name interpreters that have them.
Every answer is given by a process of its own, on a new SQLite file. Prints Markdown to the standard output
and its progress to the standard error. ``--quick`` takes fewer jobs, to see that everything works.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from measuring import Section, Target, duration, progress, table

HERE = Path(__file__).resolve().parent


class Size(NamedTuple):
    """How much is done."""

    jobs: int
    stream: int
    waiting: int
    """For stepsched; the peers, which add slowly, get ``peers_waiting``."""
    peers_waiting: int
    copies: int
    queued: int
    """Runs of one job that wait for one another."""
    idle: int
    left: int


FULL = Size(
    jobs=10_000,
    stream=1_000,
    waiting=100_000,
    peers_waiting=1_000,
    copies=1_000,
    queued=20_000,
    idle=10,
    left=200,
)
QUICK = Size(jobs=500, stream=200, waiting=5_000, peers_waiting=200, copies=20, queued=1_000, idle=2, left=50)


class Contender:
    """One library: asks its program, and keeps why it could not answer."""

    def __init__(self, name: str, program: str, python: str, folder: Path) -> None:
        self.name = name
        self._command = [python, str(HERE / program)]
        self._folder = folder / name.replace(" ", "")
        self._folder.mkdir()
        self.reasons = dict[str, str]()

    def file(self, name: str) -> Path:
        return self._folder / f"{name}.db"

    def ask(self, measure: str, *numbers: int, file: str | None = None) -> Any:
        """The answer; None when there is none."""
        progress(f"{self.name}: {measure} {' '.join(f'{number:,}' for number in numbers)}")
        command = [*self._command, measure, str(self.file(file or measure)), *map(str, numbers)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
        except OSError as error:
            self.reasons[measure] = f"no interpreter: {error.strerror}"
            return None
        if done.returncode:
            self.reasons[measure] = done.stderr.strip().rpartition("\n")[2] or f"exit {done.returncode}"
            return None
        return json.loads(done.stdout.strip().rpartition("\n")[2])

    def kill(self, left: int) -> Any:
        """Waiting jobs left and jobs in flight begun again, after ``kill -9`` amid eight of them."""
        progress(f"{self.name}: kill -9")
        command = [*self._command, "victim", str(self.file("kill")), str(left)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "HANG": "1"}
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line == "hanging 8\n":
                    break
            process.kill()
        return self.ask("after", file="kill")


Row = tuple[str, list[str]]
Rows = Callable[[str, Callable[[Contender], str]], Row]


# -- the questions -------------------------------------------------------------------------------------


def speed(contenders: list[Contender], size: Size) -> Section:
    """Adding and running, in jobs a second."""
    targets, adds, manys, bursts, used, runs = list[Target](), [], [], [], [], 0.0
    for contender in contenders:
        ours = contender.name == "stepsched"
        added = contender.ask("add", size.jobs)
        adds.append(f"{added[0] / added[1]:,.0f}/s" if added else "-")
        many = contender.ask("add_many", size.jobs) if ours else None
        manys.append(f"{many[0] / many[1]:,.0f}/s" if many else "-")
        burst = contender.ask("burst", size.jobs)
        bursts.append(f"{burst[0] / burst[1]:,.0f}/s, {burst[0]:,} ran" if burst else "-")
        used.append(duration(burst[2] / burst[0]) if burst and burst[0] else "-")
        if ours:
            rate, seconds, runs = added[0] / added[1], many[1], burst[0] / burst[1]
            whole = seconds * 10_000 / size.jobs
            by_cpu = burst[0] / burst[2]
            targets += [
                Target("add: 4,000 jobs/s, one by one", f"{rate:,.0f}/s", rate >= 4_000),
                Target("`create_many`: 10,000 jobs in under 0.5 s", duration(whole), whole < 0.5),
                Target(
                    "burst: 6,000 due runs/s",
                    f"{runs:,.0f}/s ({by_cpu:,.0f} per second of CPU)",
                    runs >= 6_000,
                ),
            ]
        elif contender.name == "APScheduler 3" and burst:
            times = runs / (burst[0] / burst[1])
            targets.append(Target("burst: 8 × APScheduler 3", f"{times:.1f} ×", times >= 8))
    queued = contenders[0].ask("queued", size.queued)
    if queued:
        drained = queued[0] / queued[1]
        targets.append(Target("a queue of one job: 2,000 runs/s", f"{drained:,.0f}/s", drained >= 2_000))
    rows = [
        [f"add {size.jobs:,} jobs, one by one", *adds],
        [f"add {size.jobs:,} at once: `create_many`", *manys],
        [f"start {size.jobs:,} due one-time jobs", *bursts],
        ["CPU of each of these runs", *used],
    ]
    note = (
        "\n\nA contender is cut off after 15 seconds, and what it did until then counts; the peers start "
        "what they could add in that time. stepsched records every run and its outcome; the peers keep "
        "no record of a run that succeeded."
    )
    return Section("Speed", table(["", *names(contenders)], rows) + note, targets)


def lateness(contenders: list[Contender], size: Size) -> Section:
    """How long after its instant a job starts, at a hundred a second."""
    rows, targets, ours = [], list[Target](), (float("inf"), float("inf"))
    for contender in contenders:
        for measure, words in (("late", ""), ("late_together", ", a hundred on each whole second")):
            if measure == "late_together" and contender.name != "stepsched":
                continue
            late = contender.ask(measure, size.stream)
            if not late:
                rows.append([contender.name + words, *"-----"])
                continue
            median, tail = statistics.median(late), statistics.quantiles(late, n=100, method="inclusive")[-1]
            figures = [f"{value * 1e3:.2f} ms" for value in (median, tail, min(late), max(late))]
            rows.append([contender.name + words, f"{len(late):,} of {size.stream:,}", *figures])
            if contender.name == "stepsched" and not words:
                ours = median, tail
                targets.append(Target("never early", figures[2], min(late) >= 0))
            elif contender.name == "APScheduler 3":
                for word, mine, theirs in (("median", ours[0], median), ("p99", ours[1], tail)):
                    promise = f"lateness at 100 jobs/s: {word} at most 1.2 × APScheduler 3's"
                    targets.append(Target(promise, f"{mine / theirs:.2f} ×", mine <= 1.2 * theirs))
    head = ["at 100 jobs a second", "ran", "median", "p99", "least", "most"]
    return Section("Lateness", table(head, rows), targets)


def footprint(contenders: list[Contender], size: Size) -> Section:
    """Bytes, and what it costs to have many jobs waiting."""
    rows, targets = [], list[Target]()
    for contender in contenders:
        ours = contender.name == "stepsched"
        count = size.waiting if ours else size.peers_waiting
        bare = contender.ask("fill", 0, file="bare")
        full = contender.ask("fill", count, file="full")
        if full is None or bare is None:
            rows.append([contender.name, *"------"])
            continue
        disk = (full - bare) / count
        least, most = contender.ask("memory", file="bare"), contender.ask("memory", file="full")
        memory = max(most - least, 0) / count
        cpu = contender.ask("idle", size.idle, file="full")
        contender.ask("fill", 1_000, file="due")
        few = contender.ask("next_due", file="due")
        many = contender.ask("multiply", size.copies, file="due") if few else None
        after = contender.ask("next_due", file="due") if many else None
        rows.append(
            [
                contender.name,
                f"{count:,}",
                f"{memory:,.0f} B",
                f"{disk:,.0f} B",
                duration(few) if few else "-",
                f"{duration(after)} ({many:,})" if after else "-",
                f"{cpu / size.idle:.2%}" if cpu is not None else "-",
            ]
        )
        if ours:
            targets += [
                Target("memory per waiting job: under 300 bytes", f"{memory:,.0f}", memory < 300),
                Target("disk per waiting job: under 600 bytes", f"{disk:,.0f}", disk < 600),
            ]
    head = [
        *("", "waiting jobs", "memory of each", "disk of each", "next due of 1,000"),
        *("next due of many", f"CPU of {size.idle} idle seconds, of one core"),
    ]
    note = (
        "\n\nMemory: by how much more of it a process holds that fires the file than one that fires an "
        "empty file. The many are copies made in the file itself. Huey's log is open, and counts."
    )
    return Section("Waiting jobs", table(head, rows) + note, targets)


def ends(contenders: list[Contender], size: Size) -> Section:
    """What a killed process leaves."""
    rows, targets = [], list[Target]()
    for contender in contenders:
        answer = contender.kill(size.left)
        if answer is None:
            rows.append([contender.name, *"--"])
            continue
        left, again = answer
        rows.append([contender.name, f"{size.left - left} of {size.left}", f"{again} of 8"])
        if contender.name == "stepsched":
            kept = left == size.left and again == 8
            targets.append(Target("kill -9 loses nothing", "nothing" if kept else "**lost**", kept))
    head = ["after `kill -9`", "waiting jobs lost", "jobs in flight started again"]
    return Section("The end of a process", table(head, rows), targets)


# -- the report ----------------------------------------------------------------------------------------


def names(contenders: list[Contender]) -> list[str]:
    return [contender.name for contender in contenders]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer jobs")
    parser.add_argument("--apscheduler4", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--huey", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--dbos", default=sys.executable, metavar="PYTHON")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        contenders = [
            Contender("stepsched", "embedded_stepsched.py", sys.executable, home),
            Contender("APScheduler 3", "embedded_apscheduler3.py", sys.executable, home),
            Contender("APScheduler 4", "embedded_apscheduler4.py", options.apscheduler4, home),
            Contender("Huey", "embedded_huey.py", options.huey, home),
        ]
        queues = [*contenders, Contender("DBOS", "embedded_dbos.py", options.dbos, home)]
        sections = [
            speed(queues, size),
            lateness(contenders, size),
            footprint(contenders, size),
            ends(contenders[:2], size),
        ]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{python}, {platform.system()} on {platform.machine()}, {os.cpu_count()} cores.\n")
    promises = [
        [target.promise, target.measured, "met" if target.met else "**missed**"]
        for section in sections
        for target in section.targets
    ]
    print(table(["target", "measured", ""], promises))
    for section in sections:
        print(f"\n### {section.title}\n\n{section.body}")
    for contender in queues:
        for measure, reason in contender.reasons.items():
            print(f"\n- {contender.name}, {measure}: {reason}")
    progress("done")


if __name__ == "__main__":
    main()
