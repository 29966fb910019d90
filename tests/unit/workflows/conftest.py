"""A laboratory of workflows whose store is in memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from pydantic import JsonValue

import stepsched as ss
from stepsched.testing.contract.workflows import Fail, Hold, Outcome, WorkflowLab
from stepsched.workflows import StepStatus, WorkflowRun
from tests.unit.workflows.memory_store import AttemptError, MemoryBackend, MemoryStore, Running


class MemoryLab(WorkflowLab):
    """Plays runs by the rules of what happens next, on a clock that moves to what is awaited."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore(self._work)
        self.backend = MemoryBackend(self.store)
        self._scripts: dict[str, tuple[Outcome, ...]] = {}
        self._seen: set[tuple[str, str, int]] = set()
        self._count: dict[str, int] = {}
        self._released: set[str] = set()

    def target(self, name: str, outcomes: tuple[Outcome, ...]) -> ss.Target:
        self._scripts[name] = outcomes
        return ss.HandlerTarget(f"tests.parts:{name.replace('-', '_')}")

    def endless(self) -> ss.Target:
        return ss.HandlerTarget("tests.parts:endless")

    def release(self, name: str) -> None:
        self._released.add(name)

    def until(self, run: WorkflowRun, is_so: Callable[[WorkflowRun], bool]) -> WorkflowRun:
        present = self.client.status(run)
        for _ in range(100):
            if is_so(present):
                return present
            if self.client.status(run) == present and not self._is_held(present):
                self.store.clock.advance(timedelta(seconds=1))
            present = self.client.status(run)
        raise AssertionError(f"it has not become so: {present}")

    def _is_held(self, run: WorkflowRun) -> bool:
        """Whether something runs that ends when it is released."""
        running = {step.name for step in run.steps if step.status is StepStatus.RUNNING}
        return bool(running & self._scripts.keys() - self._released)

    def _work(self, run: str, name: str, attempt: int, given: JsonValue) -> JsonValue | Running:
        if name not in self._scripts:
            return Running()
        if (run, name, attempt) not in self._seen:
            self._seen.add((run, name, attempt))
            self._count[name] = self._count.get(name, 0) + 1
            self.began.append((name, given))
        script = self._scripts[name]
        outcome = script[min(self._count[name], len(script)) - 1]
        if isinstance(outcome, Hold):
            if name not in self._released:
                return Running()
            outcome = outcome.then
        if isinstance(outcome, Fail):
            raise AttemptError(outcome.error)
        return outcome.output


@pytest.fixture
def lab() -> MemoryLab:
    return MemoryLab()
