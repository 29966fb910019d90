"""Tests a set of jobs over a year: the runner has the same runs as the embedded backend."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import pytest

import stepsched as ss
from stepsched.testing import FakeClock
from tests.contract.stepfunctions import Stack
from tests.parts.ministack import Ministack

START = datetime(2031, 12, 15, tzinfo=timezone.utc)
"""The year from this instant includes a leap day and all changes of the clocks."""
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WORK = timedelta(minutes=25)


class RecordedRun(NamedTuple):
    """The compared fields of a run."""

    job: str
    due: datetime
    status: ss.RunStatus
    started_at: datetime | None


def fleet(busy_days: int) -> dict[str, dict[str, Any]]:
    """The schedules and policies. The job with a long target is limited in time, because it runs every half
    hour."""
    return {
        "month-end": {
            "schedule": ss.Windowed(
                "2031-12-31T02:30", every=ss.Frequency(months=1), timezone="America/New_York"
            )
        },
        "window": {
            "schedule": ss.Windowed(START + 9 * HOUR, end=START + 33 * HOUR, every=ss.Frequency(hours=1))
        },
        "leap-day": {"schedule": ss.Cron("0 12 29 2 ? *", timezone="Europe/Paris")},
        "spring": {"schedule": ss.Cron("30 2 ? 3 SUN *", timezone="Europe/Paris")},
        "mondays": {"schedule": ss.Cron("0 9 ? * MON#1 *", timezone="Asia/Kolkata")},
        "quarters": {
            "schedule": ss.Windowed(
                "2031-11-30T00:00", every=ss.Frequency(months=3), timezone="Australia/Lord_Howe"
            )
        },
        "rate": {"schedule": ss.Rate(timedelta(hours=175))},
        "either": {"schedule": ss.Cron.from_crontab("0 0 13 * 5", timezone="Africa/Casablanca")},
        "once": {"schedule": ss.OneTime("2032-07-04T12:00", timezone="America/New_York")},
        "busy": {
            "schedule": ss.Cron("*/15 * * * ? *", end=START + busy_days * DAY),
            "overlap": ss.Overlap.SKIP,
        },
        "queued": {
            "schedule": ss.Windowed(START, end=START + 6 * HOUR, every=ss.Frequency(minutes=20)),
            "overlap": ss.Overlap.QUEUE,
        },
    }


SLOW = ("busy", "queued")


def machine_runs(stack: Stack, busy_days: int) -> tuple[list[RecordedRun], list[tuple[str, str]]]:
    """The runs that the runner has recorded, and the calls that have reached the inbox."""
    backend = stack.backend(retention=timedelta(days=3_000))
    client = ss.SchedulerClient(backend)
    slow = stack.slow(WORK)
    for name, changes in fleet(busy_days).items():
        given = {"job": name, "due": ss.context.SCHEDULED_TIME}
        target = slow if name in SLOW else stack.inbox
        client.create(ss.Job(name=name, target=target, input=given, **changes))
    stack.play(START + 367 * DAY)
    calls = [(name, call["due"]) for name, call in stack.calls()]
    recorded = [RecordedRun(run.job, run.scheduled_for, run.status, run.started_at) for run in client.runs()]
    backend.close()
    return recorded, calls


def embedded_runs(busy_days: int) -> list[RecordedRun]:
    """The runs that the embedded backend has recorded. A long run moves its clock."""
    recorded = list[RecordedRun]()
    # Each job has its own backend, because functions run one after another and a long run would delay others.
    for name, changes in fleet(busy_days).items():
        clock = FakeClock(START)
        backend = ss.LocalBackend(clock=clock, retention=timedelta(days=3_000))

        client = ss.SchedulerClient(backend)
        work = ss.HandlerTarget(working(clock, WORK if name in SLOW else timedelta(0)))
        client.create(ss.Job(name=name, target=work, **changes))
        backend.run_until(START + 367 * DAY)
        recorded += [
            RecordedRun(run.job, run.scheduled_for, run.status, run.started_at) for run in client.runs()
        ]
        backend.close()
    return recorded


def working(clock: FakeClock, length: timedelta) -> Callable[[object], None]:
    def work(_: object) -> None:
        clock.move_to(clock.now() + length)

    return work


def compare(ministack: Ministack, account: str, aws: Callable[[str], Any], busy_days: int) -> None:
    stack = Stack(ministack, account, aws, FakeClock(START))
    ran, calls = machine_runs(stack, busy_days)
    wanted = embedded_runs(busy_days)
    for name in fleet(busy_days):
        assert [run for run in sorted(ran) if run.job == name] == [
            run for run in sorted(wanted) if run.job == name
        ], name
    begun = [(run.job, run.due.astimezone(timezone.utc)) for run in ran if run.started_at is not None]
    invoked = sorted((name, f"{due:%Y-%m-%dT%H:%M:%SZ}") for name, due in begun)
    assert sorted(calls) == invoked, "each run has invoked its target once"


@pytest.mark.proof
def test_a_year_of_a_fleet(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> None:
    compare(ministack, account, aws, busy_days=1)


def test_runs_of_every_ten_seconds(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> None:
    """The window includes the repeated hour of Paris, which does not affect elapsed time."""
    begin = datetime(2031, 10, 26, 0, 58, 30, tzinfo=timezone.utc)
    until = begin + timedelta(minutes=4)
    often = ss.Windowed("2031-10-26T02:58:35", every=ss.Frequency(seconds=10), timezone="Europe/Paris")
    stack = Stack(ministack, account, aws, FakeClock(begin))
    backend = stack.backend()
    client = ss.SchedulerClient(backend)
    given = {"job": "often", "due": ss.context.SCHEDULED_TIME}
    client.create(ss.Job(name="often", schedule=often, target=stack.inbox, input=given))
    stack.play(until)
    ran = [
        RecordedRun(run.job, run.scheduled_for, run.status, run.started_at) for run in client.runs("often")
    ]
    next_run = client.get("often").next_run
    backend.close()

    clock = FakeClock(begin)
    local = ss.LocalBackend(clock=clock)
    client = ss.SchedulerClient(local)
    work = ss.HandlerTarget(working(clock, timedelta(0)))
    client.create(ss.Job(name="often", schedule=often, target=work))
    local.run_until(until)
    wanted = [
        RecordedRun(run.job, run.scheduled_for, run.status, run.started_at) for run in client.runs("often")
    ]
    assert next_run == client.get("often").next_run
    local.close()

    instants = [begin + timedelta(seconds=5 + 10 * k) for k in range(24)]
    assert ran == wanted == [RecordedRun("often", at, ss.RunStatus.SUCCEEDED, at) for at in instants]
    assert sorted(call["due"] for _, call in stack.calls()) == [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in instants]


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_a_year_of_a_fleet_that_is_busy_all_the_time(
    ministack: Ministack, account: str, aws: Callable[[str], Any]
) -> None:
    compare(ministack, account, aws, busy_days=366)
