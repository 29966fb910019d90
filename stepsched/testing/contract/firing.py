"""Tests which targets are called, and when. All times are in UTC, for an emulator that has no zones."""

from __future__ import annotations

from datetime import timedelta

import pytest

import stepsched as ss
from stepsched.backends.base import Backend
from stepsched.testing.contract.fixtures import MONDAY, Calls, MakeJob, Play, refused
from stepsched.testing.contract.names import NAMES

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NINE = MONDAY + 9 * HOUR


def test_a_week_is_exactly_the_runs_that_the_schedules_say(
    client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
) -> None:
    schedules: dict[str, ss.Schedule] = {
        "cron": ss.Cron("0 9 ? * MON-FRI *"),
        "windowed": ss.Windowed(MONDAY, every=ss.Frequency(days=2)),
        "rate": ss.Rate(12 * HOUR, start=MONDAY),
        "once": ss.OneTime(MONDAY + 3 * DAY),
        "crontab": ss.Cron.from_crontab("0 18 * * 6"),
    }
    for name, schedule in schedules.items():
        client.create(job(name, schedule=schedule))
    play(MONDAY + 7 * DAY)
    expected = [
        (name, run)
        for name, schedule in schedules.items()
        for run in schedule.runs(after=MONDAY, until=MONDAY + 7 * DAY)
    ]
    assert sorted(calls) == sorted(expected)


def test_nothing_runs_outside_of_the_window(
    client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
) -> None:
    client.create(job(schedule=ss.Cron("0 9 * * ? *", start=MONDAY + DAY, end=MONDAY + 3 * DAY)))
    play(MONDAY + 6 * DAY)
    assert calls == [("job", NINE + DAY), ("job", NINE + 2 * DAY)]


def test_an_update_does_not_run_an_instant_again(
    client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
) -> None:
    client.create(job())
    play(NINE)
    client.update(job(description="changed"))
    play(NINE + HOUR)
    assert calls == [("job", NINE)]


def test_an_updated_job_runs_by_its_new_schedule_only(
    client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
) -> None:
    client.create(job())
    client.update(job(schedule=ss.Cron("0 10 * * ? *")))
    play(MONDAY + DAY)
    assert calls == [("job", NINE + HOUR)]


def test_a_paused_job_does_not_run(
    client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
) -> None:
    client.create(job("cron"))
    client.create(job("rate", schedule=ss.Rate(DAY, start=MONDAY + HOUR)))
    client.create(job("once", schedule=ss.OneTime(NINE)))
    client.create(job("on"))
    for name in ("cron", "rate", "once"):
        client.pause(name)
    client.update(job("cron", description="still paused"))
    play(MONDAY + DAY)
    assert calls == [("on", NINE)]


def test_a_disabled_job_runs_from_the_update_that_enables_it(
    client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
) -> None:
    client.create_many([job("off", enabled=False), job("later", enabled=False), job("until")])
    play(MONDAY + DAY)
    assert calls == [("until", NINE)]
    client.update(job("later"))
    client.update(job("until", enabled=False))
    play(MONDAY + 2 * DAY)
    assert calls == [("until", NINE), ("later", NINE + DAY)]


def test_a_resumed_job_runs(client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls) -> None:
    client.create(job())
    client.pause("job")
    play(MONDAY + HOUR)
    client.resume("job")
    play(MONDAY + DAY)
    assert calls == [("job", NINE)]


def test_a_cancelled_job_does_not_run(
    client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
) -> None:
    client.create_many([job("gone"), job("on"), job("pruned")])
    client.cancel("gone")
    client.apply([job("on")], prune=True)
    play(MONDAY + DAY)
    assert calls == [("on", NINE)]


class TestFiredOnce:
    def test_it_runs_once_and_is_gone(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
    ) -> None:
        client.create(job(schedule=ss.OneTime(NINE)))
        play(NINE)
        assert client.list() == []
        play(MONDAY + 2 * DAY)
        assert calls == [("job", NINE)]

    def test_it_runs_once_and_stays_where_it_is_kept(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls
    ) -> None:
        client.create(job(schedule=ss.OneTime(NINE), completion=ss.Completion.KEEP))
        play(MONDAY + 2 * DAY)
        assert calls == [("job", NINE)]
        assert client.get("job").status is ss.JobStatus.ENDED


class TestFiredAtOnce:
    def test_runs_independently_of_the_schedule(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls, run_now_within: timedelta
    ) -> None:
        client.create(job())
        client.run_now("job")
        play(NINE)
        (first, at), second = calls
        assert first == "job"
        assert timedelta(0) <= at - MONDAY <= run_now_within
        assert second == ("job", NINE)
        assert client.get("job").next_run == NINE + DAY

    def test_runs_a_paused_job_too(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls, run_now_within: timedelta
    ) -> None:
        client.create(job())
        client.pause("job")
        client.run_now("job")
        play(MONDAY + run_now_within)
        assert [name for name, _ in calls] == ["job"]
        assert client.get("job").status is ss.JobStatus.PAUSED

    def test_runs_each_time_that_it_is_asked(
        self, client: ss.SchedulerClient, job: MakeJob, play: Play, calls: Calls, run_now_within: timedelta
    ) -> None:
        client.create(job())
        client.run_now("job")
        client.run_now("job")
        play(MONDAY + run_now_within)
        assert [name for name, _ in calls] == ["job", "job"]
        play(MONDAY + HOUR)
        assert len(calls) == 2


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_each_of_several_names_runs_its_own_job(
    client: ss.SchedulerClient, backend: Backend, job: MakeJob, play: Play, calls: Calls, name: str
) -> None:
    """Also if they differ only at their end, or only where a service allows no difference."""
    names = [name, name[:-1] + "?", name[:-1] + "!"]
    for each in names:
        wanted = job(each, schedule=ss.Rate(HOUR, start=MONDAY + HOUR))
        if not backend.capabilities.any_name:
            with refused(backend, each):
                client.create(wanted)
            return
        client.create(wanted)
    play(MONDAY + 2 * HOUR)
    assert sorted(calls) == sorted((each, MONDAY + HOUR * turn) for each in names for turn in (1, 2))
    assert client.repair() == []
