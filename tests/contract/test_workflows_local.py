"""The embedded backend keeps the contract of workflows, in memory and in a file, with threads and the real
clock."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import JsonValue

import stepsched as ss
from stepsched.core.clock import SystemClock
from stepsched.testing.contract.workflows import *
from stepsched.testing.contract.workflows.lab import Fail, Hold, Outcome, WorkflowLab
from stepsched.workflows import WorkflowRun

PREFIX = "arn:aws:lambda:eu-west-1:123456789012:function:"


class LocalLab(WorkflowLab):
    """Steps are Lambda functions that a function of the test handles, so that a file can hold them."""

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self.backend = ss.LocalBackend(path, handlers={ss.LambdaTarget: self._handle})
        self._lock = threading.Lock()
        self._scripts: dict[str, tuple[Outcome, ...]] = {}
        self._count: dict[str, int] = {}
        self._gates: dict[str, threading.Event] = {}

    def target(self, name: str, outcomes: tuple[Outcome, ...]) -> ss.Target:
        self._scripts[name] = outcomes
        self._gates[name] = threading.Event()
        return ss.LambdaTarget(PREFIX + name)

    def endless(self) -> ss.Target:
        return ss.CommandTarget([sys.executable, "-c", "import threading; threading.Event().wait()"])

    def release(self, name: str) -> None:
        self._gates[name].set()

    def until(self, run: WorkflowRun, is_so: Callable[[WorkflowRun], bool]) -> WorkflowRun:
        clock = SystemClock()
        late = clock.monotonic() + 30
        while not is_so(present := self.client.status(run)):
            assert clock.monotonic() < late, f"it has not become so:\n{present}"
            threading.Event().wait(0.005)
        return present

    def close(self) -> None:
        for gate in self._gates.values():
            gate.set()
        self.backend.close(timeout=10)

    def _handle(self, target: ss.LambdaTarget, given: JsonValue) -> JsonValue:
        name = target.function_arn.removeprefix(PREFIX)
        with self._lock:
            self._count[name] = self._count.get(name, 0) + 1
            self.began.append((name, given))
            script = self._scripts[name]
            outcome = script[min(self._count[name], len(script)) - 1]
        if isinstance(outcome, Hold):
            self._gates[name].wait(30)
            outcome = outcome.then
        if isinstance(outcome, Fail):
            raise RuntimeError(outcome.error)  # noqa: TRY004 -- the scripted failure
        return outcome.output


@pytest.fixture(params=["memory", "file"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalLab]:
    lab = LocalLab(tmp_path / "jobs.db" if request.param == "file" else None)
    lab.backend.start()
    yield lab
    lab.close()
