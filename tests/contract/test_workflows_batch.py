"""StepFunctionsBackend keeps the contract of workflows with steps on AWS Batch, whose containers are
processes."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

import stepsched as ss
from stepsched.core.clock import SystemClock
from stepsched.testing.contract.workflows import (
    TestCancel,
    TestDefinitions,
    TestFailures,
    TestOrder,
    TestRestart,
    TestRuns,
    TestSkip,
    TestWhen,
    flows,
)
from stepsched.testing.contract.workflows.lab import Fail, Hold, Outcome, WorkflowLab
from stepsched.workflows import WorkflowRun
from tests.contract.workflow_runs import PATIENCE, TABLE, Flows
from tests.parts.batch_cloud import BatchCloud
from tests.parts.ministack import REGION, clients
from tests.sessions import new_session

__all__ = [
    "TestCancel",
    "TestDefinitions",
    "TestFailures",
    "TestOrder",
    "TestRestart",
    "TestRuns",
    "TestSkip",
    "TestWhen",
    "flows",
]

IN_THE_GATE = frozenset(
    {
        "TestOrder::test_a_step_starts_after_all_that_it_needs",
        "TestWhen::test_failed_runs_after_a_failure",
        "TestFailures::test_a_step_is_retried",
        "TestFailures::test_a_step_that_takes_too_long_is_ended_and_fails",
        "TestSkip::test_a_running_step_is_skipped_and_its_outcome_does_not_count",
        "TestCancel::test_nothing_starts_any_more",
        "TestRestart::test_what_has_succeeded_is_not_run_again",
        "TestRestart::test_what_still_runs_is_awaited_and_not_doubled",
    }
)
"""The tests of the contract that the gate runs, some of each area; the others are proofs."""
ATTEMPT = """
n=$(( $(cat {name}.n 2>/dev/null || echo 0) + 1 ))
echo $n > {name}.n
echo {name} >> began
if [ $n -gt {most} ]; then n={most}; fi
"""
"""What each attempt of a step does first: ``n`` is its number, at most that of the last outcome."""


class BatchLab(WorkflowLab):
    """Steps are jobs of AWS Batch, whose commands write into a folder that they have begun."""

    has_outputs = False
    has_errors = False
    holds_back = True
    shortest_timeout = timedelta(seconds=60)  # which the emulator makes a second

    def __init__(self, flows: Flows, folder: Path) -> None:
        super().__init__()
        self.flows = flows
        self.folder = folder
        flows.cloud.batch.scale_timeouts(1 / 60)
        session = new_session(
            aws_access_key_id=flows.account, aws_secret_access_key="test", region_name=REGION
        )
        self.backend = ss.StepFunctionsBackend(
            state_machine_arn=flows.runner_arn,
            table_name=TABLE,
            workflows_arn=flows.driver_arn,
            session=session,
            endpoint_url=flows.cloud.ministack.endpoint_url,
            workers=4,
        )

    @property
    def began(self) -> list[tuple[str, JsonValue]]:
        path = self.folder / "began"
        return [(name, None) for name in path.read_text().split()] if path.exists() else []

    @began.setter
    def began(self, value: Any) -> None:
        """The attempts are in the folder."""

    def target(self, name: str, outcomes: tuple[Outcome, ...]) -> ss.Target:
        cases = "".join(
            f"{number}) {self._script(name, each)} ;;\n" for number, each in enumerate(outcomes, 1)
        )
        begin = ATTEMPT.format(name=name, most=len(outcomes))
        script = f"cd {shlex.quote(str(self.folder))}\n{begin}case $n in\n{cases}esac"
        return self.flows.job(["sh", "-c", script])

    def endless(self) -> ss.Target:
        return self.flows.job(["sleep", "600"])

    def release(self, name: str) -> None:
        (self.folder / f"{name}.released").touch()

    def until(self, run: WorkflowRun, is_so: Callable[[WorkflowRun], bool]) -> WorkflowRun:
        clock = SystemClock()
        late = clock.monotonic() + PATIENCE
        while not is_so(present := self.client.status(run)):
            assert clock.monotonic() < late, f"it has not become so:\n{present}"
            threading.Event().wait(0.05)
        return present

    def _script(self, name: str, outcome: Outcome) -> str:
        if isinstance(outcome, Hold):
            waits = f"while [ ! -e {name}.released ]; do sleep 0.05; done"
            return f"{waits}; {self._script(name, outcome.then)}"
        return f"echo {shlex.quote(outcome.error)} >&2; exit 1" if isinstance(outcome, Fail) else "exit 0"


@pytest.fixture
def lab(batch_cloud: BatchCloud, batch_account: str, tmp_path: Path) -> Iterator[BatchLab]:
    with clients(batch_cloud.ministack, batch_account) as client:
        lab = BatchLab(Flows(batch_cloud, batch_account, client), tmp_path)
        yield lab
        lab.backend.close()
        batch_cloud.batch.scale_timeouts(1)


def test_every_test_that_the_gate_names_exists() -> None:
    for name in IN_THE_GATE:
        group, _, test = name.partition("::")
        assert callable(getattr(globals()[group], test))
