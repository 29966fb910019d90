"""Tests exact firing: zones, the order within an instant, first and last instants, pauses."""

from __future__ import annotations

from datetime import timedelta

import stepsched as ss
from stepsched.backends.base import Backend
from stepsched.testing.contract.fixtures import MONDAY, Calls, MakeJob, Play, refused

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NINE = MONDAY + 9 * HOUR


def test_a_week_runs_by_its_zone_and_in_order(
    client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
) -> None:
    schedules: dict[str, ss.Schedule] = {
        "cron": ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris"),
        "windowed": ss.Windowed(MONDAY, every=ss.Frequency(days=2)),
        "rate": ss.Rate(6 * HOUR, start=MONDAY),
        "once": ss.OneTime(MONDAY + 3 * DAY),
    }
    for name, schedule in schedules.items():
        client.create(job(name, schedule=schedule))
    attempts = play(MONDAY + 7 * DAY)
    expected = [
        (name, run)
        for name, schedule in schedules.items()
        for run in schedule.runs(after=MONDAY, until=MONDAY + 7 * DAY)
    ]
    order = list(schedules)  # runs of one instant come in the order of creation
    assert calls == sorted(expected, key=lambda call: (call[1], order.index(call[0])))
    assert attempts == len(expected)


def test_a_step_of_seconds_runs_at_each_of_its_instants(
    client: ss.SchedulerClient,
    backend: Backend,
    job: MakeJob,
    play: Play,
    calls: Calls,
) -> None:
    often = ss.Windowed(MONDAY, end=MONDAY + MINUTE, every=ss.Frequency(seconds=10), timezone="Europe/Paris")
    if not backend.capabilities.seconds:
        with refused(backend, "job"):
            client.create(job(schedule=often))
        return
    client.create(job(schedule=often))
    play(MONDAY + 2 * MINUTE)
    assert calls == [("job", MONDAY + 10 * SECOND * k) for k in range(1, 7)]


def test_a_rate_without_start_runs_at_its_creation(
    client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
) -> None:
    client.create(job(schedule=ss.Rate(HOUR)))
    play(MONDAY + 2 * HOUR)
    assert [at for _, at in calls] == [MONDAY, MONDAY + HOUR, MONDAY + 2 * HOUR]


def test_the_end_of_a_window_is_inclusive(
    client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
) -> None:
    client.create(job(schedule=ss.Cron("0 9 * * ? *", end=NINE + DAY)))
    play(MONDAY + 5 * DAY)
    assert calls == [("job", NINE), ("job", NINE + DAY)]


def test_what_passed_while_a_job_was_paused_is_not_made_up(
    client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
) -> None:
    client.create(job())
    client.pause("job")
    play(MONDAY + 3 * DAY)
    client.resume("job")
    play(MONDAY + 4 * DAY)
    assert calls == [("job", NINE + 3 * DAY)]


def test_run_now_is_for_the_moment_of_the_call(
    client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
) -> None:
    client.create(job())
    client.pause("job")
    assert client.run_now("job").scheduled_for == MONDAY
    play(MONDAY)
    assert calls == [("job", MONDAY)]
