"""Processes that run the workflows of one file are killed at random instants, or told to end: every step
succeeds once, after its needs, and no call is made that the record does not know.

The steps are functions and commands that write their begin and their end into a log. A call that was cut off
by the end of its process is made again, which the record counts as a loss; a step that has succeeded is never
called again.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import JsonValue

import stepsched as ss
from stepsched.workflows import StepStatus, WorkflowRun, WorkflowRunStatus

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
_SCRIPT = 'echo "begin $1" >> "$2"; sleep "$3"; echo "end $1" >> "$2"'


class Report(NamedTuple):
    """What came of it."""

    ends: int
    """The processes that were killed or told to end."""
    steps: int
    losses: int
    """The calls that were cut off."""

    def __str__(self) -> str:
        return f"{self.ends} processes ended, {self.steps} steps, {self.losses} calls cut off"


class Worker:
    """A process that runs the workflows of a file."""

    def __init__(self, path: Path, errors: Path) -> None:
        self._errors = errors
        with errors.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.proof.workflow_worker", str(path)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def end(self, how: signal.Signals) -> None:
        self._process.send_signal(how)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.fail(f"a process does not end:\n{self._errors.read_text()[-20_000:]}")
        assert self._process.stdout is not None
        self._process.stdout.close()


def graph(chance: random.Random, steps: int, log: Path) -> ss.Workflow:
    """A random graph of functions and commands, each with up to three needs."""
    made = list[ss.Step]()
    for number in range(steps):
        needs = chance.sample(made, min(len(made), chance.choice((0, 1, 1, 2, 3))))
        name, pause = f"s{number}", round(chance.uniform(0.05, 0.3), 3)
        if chance.random() < 0.3:
            target: ss.Target = ss.CommandTarget(["sh", "-c", _SCRIPT, "sh", name, str(log), str(pause)])
            made.append(ss.Step(name, target=target, needs=needs))
            continue
        functions = [need for need in needs if isinstance(need.target, ss.HandlerTarget)]
        used = functions[0].output("number") if functions else number
        given: dict[str, JsonValue] = {
            "name": name,
            "log": str(log),
            "pause": pause,
            "number": number,
            "used": used,
        }
        target = ss.HandlerTarget("tests.proof.workflow_worker:step")
        made.append(ss.Step(name, target=target, needs=needs, input=given))
    chance.shuffle(made)
    return ss.Workflow("graph", steps=made)


def play(folder: Path, seed: int, *, steps: int, workers: int, most: int) -> Report:
    """Runs a graph while processes end, up to ``most`` times; checks the log and the record."""
    chance = random.Random(seed)
    path, log, errors = folder / "jobs.db", folder / "log", folder / "errors"
    flow = graph(chance, steps, log)
    ends = 0
    backend = ss.LocalBackend(path)
    flows = ss.WorkflowClient(backend)
    crew = [Worker(path, errors) for _ in range(workers)]
    run = flows.start(flow)
    try:
        ends_at = time.monotonic() + PATIENCE
        while not (run := flows.status(run)).status.has_ended:
            assert time.monotonic() < ends_at, f"the run hangs: {run}"
            threading.Event().wait(chance.uniform(0, 0.5))
            if ends == most:
                continue
            place = chance.randrange(workers)
            crew[place].end(chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)))
            ends += 1
            crew[place] = Worker(path, errors)
    finally:
        for worker in crew:
            worker.end(signal.SIGKILL)
    check(flow, run, log.read_text().splitlines())
    assert not list(backend.runs(ss.backends.RunQuery()))
    backend.close()
    return Report(ends, steps, sum(step.losses for step in run.steps))


def check(flow: ss.Workflow, run: WorkflowRun, lines: list[str]) -> None:
    assert run.status is WorkflowRunStatus.SUCCEEDED, run
    begun, ended = Counter[str](), Counter[str]()
    for line in lines:
        word, name = line.split()
        if word == "begin":
            assert all(ended[need] for need in flow.needs[name]), f"{name} began before its needs had ended"
            begun[name] += 1
        else:
            ended[name] += 1
    for step in run.steps:
        assert step.status is StepStatus.SUCCEEDED
        assert ended[step.name] >= 1
        assert begun[step.name] <= step.attempt, f"{step.name} was called behind the record's back"
        assert step.failures == 0
        if step.attempt == 1:
            assert (begun[step.name], ended[step.name]) == (1, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells that a process has died")
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("seed", "workers"), [(1, 1), (2, 2)])
def test_every_step_succeeds_once_while_processes_are_killed(tmp_path: Path, seed: int, workers: int) -> None:
    report = play(tmp_path, seed, steps=25, workers=workers, most=5)
    assert report.ends > 0


_FORK = """
import os, sys
import stepsched as ss

backend = ss.LocalBackend(sys.argv[1])
flows = ss.WorkflowClient(backend)
step = ss.Step("a", target=ss.HandlerTarget("os:getpid"))
again = ss.Step("b", target=ss.HandlerTarget("os:getpid"), needs=[step])
with backend:
    first = flows.wait(flows.start(ss.Workflow("f", steps=[step, again])), timeout=60)
    second = flows.start("f")
    child = os.fork()
    if not child:
        with backend:
            ended = flows.wait(flows.start("f"), timeout=60)
        os._exit(ended.status != "succeeded")
    _, code = os.waitpid(child, 0)
    second = flows.wait(second, timeout=60)
    print(code, first.status.value, second.status.value, len(flows.runs("f", status="succeeded")))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.timeout(120)
def test_a_child_of_a_fork_runs_workflows_beside_its_parent(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FORK, str(tmp_path / "jobs.db")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stdout.split() == ["0", "succeeded", "succeeded", "3"], done.stderr


@pytest.mark.proof
@pytest.mark.timeout(3_600)
def test_kills_for_a_long_time(tmp_path: Path) -> None:
    reports = list[Report]()
    for seed in range(100, 130):
        folder = tmp_path / str(seed)
        folder.mkdir()
        reports.append(play(folder, seed, steps=40, workers=seed % 2 + 1, most=10))
        print(f"{len(reports)} graphs: {Report(*map(sum, zip(*reports, strict=True)))}", flush=True)
