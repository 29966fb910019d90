"""Random job graphs on the embedded backend, on played time, beside the model of :mod:`workflow_scenarios`,
which shares no code with the package."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import stepsched as ss
from stepsched.testing import FakeClock
from stepsched.workflows import StepStatus, WorkflowRun
from stepsched.workflows.decisions import advance
from stepsched.workflows.port import Changes
from stepsched.workflows.restarts import plan_restart

from .workflow_scenarios import T0, Ask, Scenario, expected, random_scenario

HOUR = timedelta(hours=1)


class Play:
    """A scenario on the embedded backend. Each call of a step also looks at the whole run: whatever follows
    from the ends so far must have been done, as the pure rules see it."""

    def __init__(
        self, scenario: Scenario, path: str | None = None, *, delay: timedelta = timedelta()
    ) -> None:
        self.scenario = scenario
        self.calls = {part.name: 0 for part in scenario.parts}
        self.outputs = {part.name: part.output for part in scenario.parts}
        self.backend = ss.LocalBackend(path, clock=FakeClock(T0))
        self.backend.register(ss.QueueTarget, self._call)
        self.client = ss.WorkflowClient(self.backend)
        self.flow = scenario.workflow(_queue, delay=delay)
        self.problems = list[AssertionError]()

    def _call(self, target: ss.QueueTarget) -> int:
        name = target.queue_arn.rpartition(":")[2]
        self.calls[name] += 1
        try:
            self._look(name)
        except AssertionError as error:  # which would be an outcome of the step
            self.problems.append(error)
        if self.scenario.outcome(name, self.calls[name]) == "ok":
            return self.outputs[name]
        raise RuntimeError("it failed")

    def _look(self, name: str) -> None:
        run = self.client.status("random")
        state = run.by_name
        assert state[name].status is StepStatus.RUNNING
        assert state[name].attempt == self.calls[name]
        found = advance(self.flow, state, self.backend.now())
        assert not found.left_out, "a step that cannot run still waits"
        assert found.status is None
        again = {each.name for each in run.steps if each.retry_at is not None}
        assert set(found.starts) <= again, "a step that can start still waits"

    def start(self) -> WorkflowRun:
        self.client.start(self.flow, run_id="r1")
        return self.play()

    def restart(self, ask: Ask) -> None:
        """Restarts as the client does, which refuses to restart a run that has succeeded."""
        run = self.client.status("random/r1")
        plan = plan_restart(self.flow, run, now=self.backend.now(), **ask.arguments())  # type: ignore[arg-type]
        changes = Changes(run=run, steps=plan.changes, restarts=True, version=1, input=run.input)
        self.backend.workflows().change(changes)

    def play(self) -> WorkflowRun:
        self.backend.advance(HOUR)
        if self.problems:
            raise self.problems[0]
        return self.client.status("random/r1")


def _queue(name: str) -> ss.QueueTarget:
    return ss.QueueTarget(f"arn:aws:sqs:eu-west-1:123456789012:{name}")


def play_as_expected(seed: int, path: str | None = None) -> int:
    """Plays a scenario through its restarts; returns the number of calls."""
    random = Random(seed)
    scenario = random_scenario(random, outcomes=("job",))
    play = Play(scenario, path, delay=timedelta(seconds=random.choice((0, 30))))
    for number, expectation in enumerate(expected(scenario)):
        calls = dict(play.calls)
        if number == 0:
            run = play.start()
        else:
            ask = scenario.restarts[number - 1]
            if expectation.refused:
                with pytest.raises(ValueError, match="expected"):
                    play.restart(ask)
                continue
            play.restart(ask)
            run = play.play()
        assert {step.name: step.status.value for step in run.steps} == expectation.statuses
        assert play.calls == expectation.calls
        assert run.status.value == expectation.status
        assert {name for name in calls if play.calls[name] > calls[name]} == expectation.ran
        assert {step.name: step.attempt for step in run.steps} == play.calls
        assert not list(play.backend._store._rows("SELECT 1 FROM runs UNION ALL SELECT 1 FROM jobs"))
    play.backend.close()
    return sum(play.calls.values())


@settings(deadline=None)
@given(st.integers(0, 2**32))
@example(7)
def test_every_step_does_what_the_model_says_through_all_restarts(seed: int) -> None:
    play_as_expected(seed)


def play_one_that_stops(seed: int) -> None:
    random = Random(seed)
    play = Play(random_scenario(random, outcomes=("job",), stops=True), delay=timedelta(seconds=30))
    run = play.start()
    assert run.status.has_ended
    assert all(step.status.has_ended for step in run.steps)
    assert all(step.reason for step in run.steps if step.status is StepStatus.UPSTREAM_FAILED)


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_a_run_that_stops_at_the_first_failure_goes_on_as_the_rules_say(seed: int) -> None:
    play_one_that_stops(seed)


@pytest.mark.proof
@pytest.mark.timeout(1800)
def test_thousands_of_graphs() -> None:
    calls = 0
    for seed in range(1_500):
        calls += play_as_expected(seed)
        play_one_that_stops(seed)
    for seed in range(100):
        with TemporaryDirectory() as folder:
            calls += play_as_expected(seed, f"{folder}/jobs.db")
    print(f"1,600 graphs, {calls:,} calls of steps")
