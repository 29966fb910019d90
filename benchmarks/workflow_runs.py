"""What a run of a workflow costs on the embedded backend, beside the work of its steps.

    pip install . && python benchmarks/workflow_runs.py

Runs graphs of 1,000 steps that do nothing, on a new SQLite file and in memory: all steps side by side, one
after another, in layers where each step needs several of the layer before, and one step that needs all
others. The cost of a step is the time from the start to the end of the run, and the CPU time of the process
meanwhile, by the number of steps; the calls themselves take less than a microsecond. Prints Markdown.
``--quick`` takes fewer steps.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from measuring import table

import stepsched as ss
from stepsched.workflows.port import Start, WorkflowStore

PATIENCE = 120.0


def nothing() -> None:
    """The work of a step."""


def graph(name: str, needs: Callable[[int], list[int]], steps: int) -> ss.Workflow:
    return ss.Workflow(
        name,
        steps=[
            ss.Step(f"s{at}", target=ss.HandlerTarget(nothing), needs=[f"s{need}" for need in needs(at)])
            for at in range(steps)
        ],
    )


def graphs(steps: int) -> list[ss.Workflow]:
    chance = random.Random(7)
    width = 25

    def layers(at: int) -> list[int]:
        first = (at // width - 1) * width
        return [] if at < width else sorted(chance.sample(range(first, first + width), 4))

    return [
        graph("wide", lambda _: [], steps),
        graph("chain", lambda at: [at - 1] if at else [], steps),
        graph("layers", layers, steps),
        graph("join", lambda at: list(range(steps - 1)) if at == steps - 1 else [], steps),
    ]


def await_end(store: WorkflowStore, name: str, run: str) -> ss.workflows.WorkflowRun:
    """Waits for the end of a run; looks at it rarely, since a look reads all steps."""
    ends_at = time.monotonic() + PATIENCE
    while time.monotonic() < ends_at:
        found = store.read(name, run)
        if found.status.has_ended:
            return found
        threading.Event().wait(0.1)
    raise TimeoutError(f"run {run} of {name} did not end")


def cost(backend: ss.LocalBackend, workflow: ss.Workflow, rounds: int) -> tuple[float, float]:
    """Returns the milliseconds for each step, elapsed and of the CPU, the median of some runs."""
    store = backend.workflows()
    version = store.put(workflow).version
    taken, busy = list[float](), list[float]()
    for number in range(rounds):
        begun = time.process_time()
        store.start(Start(workflow=workflow.name, version=version, run_id=f"r{number}", input={}))
        run = await_end(store, workflow.name, f"r{number}")
        if run.status != "succeeded" or run.ended_at is None:
            raise RuntimeError(f"{run.key} {run.status}: {run.error}")
        busy.append((time.process_time() - begun) * 1_000 / len(workflow.steps))
        taken.append((run.ended_at - run.started_at) / timedelta(milliseconds=1) / len(workflow.steps))
    return statistics.median(taken), statistics.median(busy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--workers", type=int, default=8)
    given = parser.parse_args()
    steps, rounds = (100, 1) if given.quick else (1_000, 5)
    rows = []
    for workflow in graphs(steps):
        row = [workflow.name]
        with tempfile.TemporaryDirectory() as folder:
            for path in (None, Path(folder) / "jobs.db"):
                with ss.LocalBackend(path, workers=given.workers) as backend:
                    row += [f"{each:.2f}" for each in cost(backend, workflow, rounds)]
        print(f"{workflow.name} is measured", file=sys.stderr)
        rows.append(row)
    print(f"Python {platform.python_version()}, {steps:,} steps, median of {rounds} runs\n")
    print(table(["graph", "in memory, ms a step", "of the CPU", "on a file, ms a step", "of the CPU"], rows))


if __name__ == "__main__":
    main()
