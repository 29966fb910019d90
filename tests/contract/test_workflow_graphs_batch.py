"""Random job graphs on the machine of workflows, with AWS Batch whose jobs are processes, beside the model of
:mod:`tests.property.workflow_scenarios`, which shares no code with the package."""

from __future__ import annotations

import json
import shlex
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

import stepsched as ss
from stepsched.core.clock import SystemClock
from stepsched.workflows import WorkflowRun
from tests.contract.known_batch import client_of
from tests.contract.workflow_runs import PATIENCE, Flows
from tests.parts.batch import shell
from tests.parts.batch_cloud import BatchCloud
from tests.parts.ministack import clients
from tests.property.workflow_scenarios import Ask, Scenario, expected, random_scenario

LOST, STOPPED = "lost", "stopped"
SCRIPT = """
cd {folder}
n=$(( $(cat {name}.n 2>/dev/null || echo 0) + 1 ))
echo $n > {name}.n
for need in {needs}; do test -e $need.live && echo "{name} beside $need" >> broken; done
touch {name}.live
trap 'rm -f {name}.live' EXIT
case $n in
{cases}
esac
"""
CASES = {
    "ok": "exit 0",
    "job": "exit 1",
    "platform": "rm -f {name}.live; touch $AWS_BATCH_JOB_ID.lost; sleep 600",
    "stopped": "rm -f {name}.live; touch $AWS_BATCH_JOB_ID.stopped; sleep 600",
}


RICH = (7, 17, 24, 30, 33, 50)
"""Small scenarios that have every status and every kind of failure."""


class Play:
    """A scenario with a script for each step, which counts its attempts in a folder."""

    def __init__(self, flows: Flows, folder: Path, scenario: Scenario) -> None:
        self.flows, self.folder = flows, folder
        folder.mkdir()
        # The output of a step on AWS Batch is the ID of its job, never 1.
        parts = tuple(part._replace(output=0) for part in scenario.parts)
        self.scenario = Scenario(parts, scenario.restarts)
        self.backend, self.client = client_of(flows)
        self.batch = flows.cloud.ministack.client("batch", flows.account)
        self.flow = self.scenario.workflow(self._target, name=folder.name)

    def _target(self, name: str) -> ss.BatchTarget:
        part = next(part for part in self.scenario.parts if part.name == name)
        cases = "".join(
            f"{number}) {CASES[outcome].format(name=name)};;\n"
            for number, outcome in enumerate(part.outcomes, start=1)
        )
        script = SCRIPT.format(
            folder=shlex.quote(str(self.folder)),
            name=name,
            needs=" ".join(part.needs),
            cases=cases + "*) exit 0;;",
        )
        return self.flows.job(shell(script))

    def calls(self) -> Counter[str]:
        found = Counter({part.name: 0 for part in self.scenario.parts})
        found.update({path.stem: int(path.read_text()) for path in self.folder.glob("*.n")})
        return found

    def settle(self, run: WorkflowRun) -> WorkflowRun:
        """The run when it has ended; meanwhile jobs that ask for it are taken away or stopped."""
        clock, waits = SystemClock(), threading.Event()
        late = clock.monotonic() + PATIENCE
        while not (present := self.client.status(run)).status.has_ended:
            assert clock.monotonic() < late, f"it has not ended:\n{present}"
            self._disturb()
            waits.wait(0.05)
        return present

    def _disturb(self) -> None:
        for path in self.folder.glob(f"*.{LOST}"):
            self.flows.cloud.batch.lose(self.flows.account, path.stem)
            path.unlink()
        for path in self.folder.glob(f"*.{STOPPED}"):
            self.batch.terminate_job(jobId=path.stem, reason="not today")
            path.unlink()

    def restart(self, run: WorkflowRun, ask: Ask) -> WorkflowRun:
        return self.client.restart(run, **ask.arguments())  # type: ignore[arg-type]


@pytest.fixture
def flows(batch_cloud: BatchCloud, batch_account: str) -> Iterator[Flows]:
    with clients(batch_cloud.ministack, batch_account) as client:
        yield Flows(batch_cloud, batch_account, client)


def play_as_expected(flows: Flows, folder: Path, seed: int, *, most_steps: int, most_restarts: int) -> int:
    """Plays a scenario through its restarts, and returns the number of processes."""
    scenario = random_scenario(Random(seed), most_steps=most_steps, most_restarts=most_restarts)
    play = Play(flows, folder, scenario)
    with play.backend:
        run: WorkflowRun | None = None
        for number, expectation in enumerate(expected(play.scenario)):
            if run is None:
                run = play.client.start(play.flow, run_id="r1")
            else:
                try:
                    run = play.restart(run, play.scenario.restarts[number - 1])
                except ss.InvalidTransitionError:  # nothing to restart
                    assert not expectation.ran
                    assert not expectation.refused
                except ValueError:
                    assert expectation.refused
                else:
                    assert not expectation.refused
            run = play.settle(run)
            where = f"seed {seed}, start {number}:\n{run}"
            assert {step.name: step.status.value for step in run.steps} == expectation.statuses, where
            assert play.calls() == expectation.calls, where
            assert run.status.value == expectation.status, where
        assert not (folder / "broken").exists(), (folder / "broken").read_text()
    submitted = flows.cloud.batch.submitted(flows.account)
    assert set(submitted.values()) <= {1}, "an attempt was submitted twice"
    return play.calls().total()


@pytest.mark.parametrize("seed", RICH)
def test_every_step_does_what_the_model_says_through_all_restarts(
    flows: Flows, tmp_path: Path, seed: int
) -> None:
    assert play_as_expected(flows, tmp_path / "graph", seed, most_steps=6, most_restarts=2) >= 0


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_many_graphs(flows: Flows, tmp_path: Path) -> None:
    processes = 0
    for seed in range(100, 130):
        processes += play_as_expected(flows, tmp_path / f"graph{seed}", seed, most_steps=9, most_restarts=5)
        flows.cloud.batch.settle(flows.account)
    print(f"30 graphs, {processes:,} processes")


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_a_thousand_steps(flows: Flows) -> None:
    """Ten rows of a hundred; what does not fit into variables travels through the table."""
    needs = {
        f"r{row}-c{column}": () if not row else (f"r{row - 1}-c{column}", f"r{row - 1}-c{(column + 1) % 100}")
        for row in range(10)
        for column in range(100)
    }
    flow = ss.Workflow(
        "thousand", steps=[ss.Step(name, target=flows.job(), needs=of) for name, of in needs.items()]
    )
    backend, client = client_of(flows)
    clock = SystemClock()
    began = clock.monotonic()
    with backend:
        run = client.wait(client.start(flow, run_id="r1"), timeout=1800)
    assert Counter(step.status.value for step in run.steps) == {"succeeded": 1000}
    took = clock.monotonic() - began
    submitted = flows.cloud.batch.submitted(flows.account)
    assert (len(submitted), set(submitted.values())) == (1000, {1})
    calls = flows.cloud.batch.calls_of(flows.account, "DescribeJobs")
    sizes = Counter(len(call.given["jobs"]) for call in calls)
    assert max(sizes) == 100
    executions = flows.states.list_executions(stateMachineArn=flows.driver_arn)["executions"]
    events = [flows.events(each["executionArn"]) for each in executions]
    assert max(events) < 25_000
    states = Counter(name for each in executions for name in flows.entered(each["executionArn"]))
    print(f"1,000 steps in {took:.0f} s: {events} events of executions, {len(calls)} DescribeJobs")
    print(json.dumps(states.most_common(12)))
