"""Tests that the units of an estimate are those that the runner uses, on an emulator of machines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched import asl
from stepsched.backends.stepfunctions.service import execution_name
from stepsched.estimates import Prices, TablePrices
from stepsched.estimates.usage import STEP_FUNCTIONS, usage_of
from stepsched.machines.shared.runner import runs_per_execution, transitions
from stepsched.testing import FakeClock
from stepsched.testing.contract.fixtures import MONDAY
from tests.contract.stepfunctions import Stack
from tests.contract.test_runner import SMALL_LIMIT, START, TOKEN, Shared, daily
from tests.parts.ministack import Ministack

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def stack(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> Stack:
    return Stack(ministack, account, aws, FakeClock(MONDAY))


def entered(stack: Stack) -> int:
    """The number of states that all executions of the runner have entered."""
    listed = stack.states.get_paginator("list_executions")
    history = stack.states.get_paginator("get_execution_history")
    return sum(
        "stateEnteredEventDetails" in event
        for page in listed.paginate(stateMachineArn=stack.machine_arn)
        for execution in page["executions"]
        for events in history.paginate(executionArn=execution["executionArn"])
        for event in events["events"]
    )


SCHEDULES = {
    "one time": (ss.OneTime(MONDAY + HOUR), 2 * HOUR, 0),
    "one time, kept": (ss.OneTime(MONDAY + HOUR), 2 * HOUR, 0),
    "with an end": (ss.Cron("0 6 * * ? *", end=MONDAY + 4 * DAY), 5 * DAY, 0),
    "without an end": (ss.Rate(HOUR, start=MONDAY + HOUR), 5 * HOUR, 1),
    "far ahead": (ss.OneTime(MONDAY + 700 * DAY), 701 * DAY, 0),
    "not yet": (ss.OneTime(MONDAY + 700 * DAY), 650 * DAY, 1),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_transitions_are_those_of_the_histories(stack: Stack, name: str) -> None:
    schedule, length, sleeping = SCHEDULES[name]
    completion = ss.Completion.KEEP if "kept" in name else ss.Completion.DELETE
    job = ss.Job(name=name, schedule=schedule, target=stack.inbox, completion=completion)
    ss.SchedulerClient(stack.backend()).create(job)
    stack.play(MONDAY + length)
    found = ss.estimate([job], MONDAY, MONDAY + length, backend=STEP_FUNCTIONS)
    counted = {each.units: each.count for each in found.services[0].charges}
    # An execution that sleeps has already planned the next run, in the states Plan, More? and Sleep.
    assert counted["state transitions"] == entered(stack) - 3 * sleeping
    assert found.invocations == len(stack.messages())


@pytest.mark.parametrize("retries", [0, 2])
def test_the_transitions_of_failing_runs_are_those_of_the_histories(stack: Stack, retries: int) -> None:
    job = ss.Job(
        name="job",
        schedule=ss.Cron("0 6 * * ? *", end=MONDAY + 2 * DAY),
        target=ss.QueueTarget(stack.inbox.queue_arn.replace("inbox", "nowhere")),
        retry=ss.Retry(max_attempts=retries, interval=MINUTE),
        dead_letter=stack.inbox,
    )
    ss.SchedulerClient(stack.backend()).create(job)
    stack.play(MONDAY + 3 * DAY)
    prices = Prices(
        transitions=asl.Prices(per_thousand="1000", free_per_month=0),
        table=TablePrices(per_million_writes=0, per_million_reads=0),
    )
    found = ss.estimate([job], MONDAY, MONDAY + 3 * DAY, backend=STEP_FUNCTIONS, prices=prices)
    assert found.services[0].cost_if_all_fail == entered(stack)
    assert len(stack.messages()) == 2


def test_the_written_rows_have_the_sizes_of_the_estimate(stack: Stack) -> None:
    """The sizes are computed once more, from the rows, that of the job while a run is running: names and
    strings in bytes of UTF-8, numbers in half a byte a digit and two.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    client = ss.SchedulerClient(stack.backend())
    target = stack.slow(25 * MINUTE)
    for name, size in {"small": 0, "large": 900}.items():
        job = ss.Job(
            name=name,
            schedule=ss.OneTime(stack.clock.now() + HOUR),
            target=target,
            input={"job": "é" * size},
            completion="keep",
        )
        client.create(job)
        stack.play(stack.clock.now() + HOUR + MINUTE)
        current = stack.item(name)
        stack.play(stack.clock.now() + HOUR)
        (run,) = client.runs(name)
        row = stack.item(name, f"run#{run.scheduled_for:%Y-%m-%dT%H:%M:%SZ}")
        assert current is not None
        assert row is not None
        assert "claimed_by" in current
        wide, narrow = kilobytes(current), kilobytes(row)
        assert (wide > 4) == bool(size)
        assert narrow == 1
        # The claim, and a transaction of the run and the job; in the index a put for the run, a delete and a
        # put for the job.
        assert usage_of(job, STEP_FUNCTIONS, MONDAY).run.write_units == wide + 2 * (narrow + wide) + 1 + 2


def kilobytes(item: dict[str, Any]) -> int:
    size = 0.0
    for name, value in item.items():
        ((kind, text),) = value.items()
        assert kind in ("S", "N")
        size += len(name.encode()) + (len(text.encode()) if kind == "S" else 2 + len(text) / 2)
    return -int(-size // 1_024)


def test_an_execution_hands_over_after_the_runs_of_the_estimate(
    ministack: Ministack, account: str, aws: Callable[[str], Any]
) -> None:
    """The limit is smaller here, and the rule the same."""
    shared = Shared(ministack, account, aws, FakeClock(START))
    shared.put_job(daily(shared), limit=SMALL_LIMIT)
    shared.start()
    shared.play_until(START + 4 * DAY)
    of = transitions()
    assert runs_per_execution(3) == 1_031
    assert (SMALL_LIMIT - 13) // 24 == 1, "a run in each execution"
    assert shared.executions("SUCCEEDED")[0] == execution_name("job", TOKEN)
    assert entered(shared) == of.start + 4 * of.run + 3 * of.renewal + of.end
