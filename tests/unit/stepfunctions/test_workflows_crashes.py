"""Tests a client that stops at any call of a verb of workflows, before its request or after it: a repetition
leads to the same state as a call that was not interrupted, and no step runs twice.

The property is checked for every call of every verb, in the gate for some of them; the driver is a model of
the real one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

import pytest

from stepsched.backends.stepfunctions.workflows.store import StepFunctionsWorkflows
from stepsched.workflows import WorkflowRun, WorkflowRunStatus
from tests.unit.stepfunctions.workflow_cloud import (
    Cloud,
    StoppedError,
    cancel,
    cloud,
    nightly,
    restart,
    skip,
    start,
)

SUCCEEDED, CANCELLED = WorkflowRunStatus.SUCCEEDED, WorkflowRunStatus.CANCELLED


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with cloud() as found:
        yield found


class Case(NamedTuple):
    """A verb, in a state in which it has an effect."""

    begin: Callable[[Cloud, StepFunctionsWorkflows, str], object]
    verb: Callable[[StepFunctionsWorkflows, str], WorkflowRun]
    ends: WorkflowRunStatus
    """How the run ends when it has been driven on."""
    calls: int
    """The minimum number of calls of the verb."""


def _nothing(_account: Cloud, _store: StepFunctionsWorkflows, _run_id: str) -> None: ...


def _running(account: Cloud, store: StepFunctionsWorkflows, run_id: str) -> None:
    start(store, run_id)
    account.drive("nightly", run_id, holds=("clean", "count"))


def _failed(account: Cloud, store: StepFunctionsWorkflows, run_id: str) -> None:
    start(store, run_id)
    account.drive("nightly", run_id, fails=("count",))


CASES = {
    "start": Case(_nothing, start, SUCCEEDED, 5),
    "restart": Case(_failed, restart, SUCCEEDED, 8),
    "skip": Case(_running, lambda store, run_id: skip(store, "clean", run_id), SUCCEEDED, 8),
    "skip a function": Case(_running, lambda store, run_id: skip(store, "count", run_id), SUCCEEDED, 8),
    "cancel": Case(_running, cancel, CANCELLED, 10),
}


IN_THE_GATE = {("start", True): 3, ("restart", False): 6, ("cancel", True): 6}
"""What the gate runs, and of how many calls it stops at one; the proofs stop at each."""


@pytest.mark.parametrize(
    ("name", "sends", "apart"),
    [
        pytest.param(name, sends, apart, id=f"{name} {'after' if sends else 'before'} some calls")
        for (name, sends), apart in IN_THE_GATE.items()
    ]
    + [
        pytest.param(
            name,
            sends,
            1,
            marks=[pytest.mark.proof, pytest.mark.timeout(600)],
            id=f"{name} {'after' if sends else 'before'}",
        )
        for name in CASES
        for sends in (False, True)
    ],
)
def test_a_verb_that_stops_at_any_call_converges_when_it_is_repeated(
    account: Cloud, name: str, sends: bool, apart: int
) -> None:
    case = CASES[name]
    steady = account.store()
    steady.put(nightly())
    wanted = _play(account, case, steady, "whole", stop=None)
    for number in count(apart, apart):
        found = _play(account, case, steady, f"run-{number}", stop=(number, sends))
        if found is None:
            break
        assert found == wanted, number
    assert number > case.calls, "every call was met"


def _play(
    account: Cloud,
    case: Case,
    steady: StepFunctionsWorkflows,
    run_id: str,
    *,
    stop: tuple[int, bool] | None,
) -> Any:
    """Plays a run, and interrupts the verb at a call.

    Returns:
        What is left in the end; None if the verb has fewer calls.
    """
    account.started.clear()
    account.ended.clear()
    case.begin(account, steady, run_id)
    faulty = account.store()
    if stop is not None:
        account.session.stop_at(stop[0], sends=stop[1])
    is_stopped = False
    try:
        case.verb(faulty, run_id)
    except StoppedError:
        is_stopped = True
    finally:
        account.session.stop_at(None)
    if stop is not None and not is_stopped:
        cancel(steady, run_id)
        return None
    if is_stopped:
        case.verb(steady, run_id)
    steady.repair()
    assert steady.repair() == [], "one repair is enough"
    if case.ends is SUCCEEDED:
        account.drive("nightly", run_id)
    assert account.drivers() == []
    run = steady.read("nightly", run_id)
    assert run.status is case.ends
    assert max(Counter(account.started).values()) == 1, "no attempt is started twice"
    steps = {
        step.name: (step.status, step.attempt, step.failures, step.detail, step.reason) for step in run.steps
    }
    return run.status, run.restarts, steps, sorted(account.started), sorted(set(account.ended))


def test_a_driver_that_is_stopped_at_any_turn_is_replaced_and_nothing_runs_twice(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    for turns in (1, 2, 4):
        run_id = f"run-{turns}"
        start(store, run_id)
        for _ in range(30):
            run = account.drive("nightly", run_id, turns=turns)
            if run.status.has_ended:
                break
            for arn in account.drivers():
                account.stop(arn)
            assert [each.job for each in store.repair()] == [f"nightly/{run_id}"]
        assert store.read("nightly", run_id).status is SUCCEEDED
        assert Counter(account.started) == Counter((name, 1) for name in nightly().by_name)
        account.started.clear()


def test_a_definition_that_is_stored_half_is_stored_whole_by_a_repetition(account: Cloud) -> None:
    for sends in (False, True):
        for number in count(1):
            flow = nightly(description=f"{number}-{sends}")
            account.session.stop_at(number, sends=sends)
            try:
                account.store().put(flow)
            except StoppedError:
                account.session.stop_at(None)
            else:
                account.session.stop_at(None)
                break
            stored = account.store().put(flow)
            assert account.store().definition("nightly").definition == flow
            assert account.store().put(flow).version == stored.version
        assert number > 5, "every call was met"
