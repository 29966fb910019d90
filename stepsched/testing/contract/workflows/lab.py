"""What a backend's tests provide: steps with scripted outcomes, and a way to let time pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from pydantic import JsonValue

import stepsched as ss
from stepsched.backends.base import Backend
from stepsched.workflows import (
    StepStatus,
    WorkflowRun,
)


@dataclass(frozen=True)
class Ok:
    """An attempt that succeeds."""

    output: JsonValue = None


@dataclass(frozen=True)
class Fail:
    """An attempt that fails."""

    error: str = "no luck"


@dataclass(frozen=True)
class Hold:
    """An attempt that runs until :meth:`WorkflowLab.release`, and ends so."""

    then: Ok | Fail = Ok()


Outcome = Ok | Fail | Hold


class WorkflowLab(ABC):
    """Scripts the steps of one backend, and lets time pass."""

    backend: Backend
    name = "flow"
    """The name of the workflow of the test, unique in the backend."""
    has_outputs = True
    """Whether the outputs of scripted steps are those that the script says, and inputs are seen by
    ``inputs``. Where they are not, as of jobs of AWS Batch, ``TestInputs``, ``TestConditions`` and
    ``TestRestartInputs`` do not apply."""
    has_errors = True
    """Whether the error of an attempt contains the text that the script says."""
    holds_back = False
    """Whether a step whose needs run may be ``running`` already, because the service holds it back until they
    have ended."""
    shortest_timeout = timedelta(seconds=1)
    """The shortest timeout of a step that is :meth:`endless`."""

    def __init__(self) -> None:
        self.began: list[tuple[str, JsonValue]] = []
        """The attempts that have begun: the step and its input."""

    @property
    def client(self) -> ss.WorkflowClient:
        """A client of the backend."""
        return ss.WorkflowClient(self.backend)

    @abstractmethod
    def target(self, name: str, outcomes: tuple[Outcome, ...]) -> ss.Target:
        """Returns a target whose attempts have these outcomes, in order; further attempts have the last one.
        The lab adds each attempt to ``began``."""

    @abstractmethod
    def endless(self) -> ss.Target:
        """Returns a target that does not end by itself, but can be ended by a timeout."""

    @abstractmethod
    def release(self, name: str) -> None:
        """Ends the held attempt of a step, and all further ones."""

    @abstractmethod
    def until(self, run: WorkflowRun, is_so: Callable[[WorkflowRun], bool]) -> WorkflowRun:
        """Lets time pass until the run, as the client reads it, is as expected, and returns it.

        Raises:
            AssertionError: It has not become so within the time that the backend needs at most.
        """

    def step(self, name: str, *outcomes: Outcome, **fields: object) -> ss.Step:
        """Returns a step whose attempts have these outcomes; none: it succeeds."""
        target = self.target(name, outcomes or (Ok(),))
        return ss.Step(name, target=target, **fields)  # type: ignore[arg-type]

    def flow(self, *steps: ss.Step, **fields: object) -> ss.Workflow:
        """Returns the workflow of the test."""
        return ss.Workflow(self.name, steps=steps, **fields)  # type: ignore[arg-type]

    def settle(self, run: WorkflowRun) -> WorkflowRun:
        """Lets time pass until the run has ended."""
        return self.until(run, lambda present: present.status.has_ended)

    def until_running(self, run: WorkflowRun, *names: str) -> WorkflowRun:
        """Lets time pass until exactly these steps run, and their attempts have begun."""

        def is_so(present: WorkflowRun) -> bool:
            found = {step.name for step in present.steps if step.status is StepStatus.RUNNING}
            return found & {*self.calls} == {*names}

        return self.until(run, is_so)

    def play(self, *steps: ss.Step, **fields: object) -> WorkflowRun:
        """Starts the workflow of these steps, and returns its ended run."""
        return self.settle(self.client.start(self.flow(*steps, **fields)))

    @property
    def calls(self) -> list[str]:
        """The steps of the attempts that have begun, in order."""
        return [name for name, _ in self.began]

    def inputs(self, name: str) -> list[JsonValue]:
        """The inputs of the attempts of a step that have begun."""
        return [given for each, given in self.began if each == name]


def statuses(run: WorkflowRun) -> dict[str, str]:
    """The status of each step."""
    return {step.name: step.status.value for step in run.steps}


def is_(name: str, status: str) -> Callable[[WorkflowRun], bool]:
    """Whether a step has the status."""
    return lambda run: run.by_name[name].status.value == status


@pytest.fixture
def flows(lab: WorkflowLab) -> ss.WorkflowClient:
    """A client of the backend under test."""
    return lab.client


RETRY_AT_ONCE = ss.Retry(max_attempts=2, interval=timedelta(0))
