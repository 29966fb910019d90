"""``client.upcoming``: the runs to come of all jobs, in order, each with its job."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.testing import FakeClock

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)  # a Monday
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def job(name: str, schedule: ss.Schedule, **changes: object) -> ss.Job:
    return ss.Job(name=name, schedule=schedule, target=ss.HandlerTarget("builtins:print")).replace(**changes)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
def client(clock: FakeClock) -> Iterator[ss.SchedulerClient]:
    backend = ss.LocalBackend(clock=clock)
    yield ss.SchedulerClient(backend)
    backend.close()


def lines(runs: ss.jobs.Upcoming) -> list[tuple[str, str]]:
    return [(run.job.name, run.at.isoformat()) for run in runs]


SCHEDULES: dict[str, ss.Schedule] = {
    "cron": ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris"),
    "crontab": ss.Cron.from_crontab("30 8 1,8 * *", timezone="America/New_York"),
    "once": ss.OneTime("2030-01-09T12:00", timezone="Asia/Kolkata"),
    "rate": ss.Rate(7 * HOUR, start=T0 - DAY),
    "window": ss.Windowed("2030-01-07T18:30", every=ss.Frequency(days=2), timezone="Europe/Paris"),
}


def test_they_are_those_of_each_schedule_in_one_order(client: ss.SchedulerClient) -> None:
    for name, schedule in SCHEDULES.items():
        client.create(job(name, schedule))
    until = T0 + 10 * DAY
    expected = [
        (name, run) for name, schedule in SCHEDULES.items() for run in schedule.runs(after=T0, until=until)
    ]
    found = [(run.job.name, run.at) for run in client.upcoming(until=until)]
    assert found == sorted(expected, key=lambda each: (each[1], each[0]))
    assert {at.utcoffset() for name, at in found if name == "once"} == {timedelta(hours=5, minutes=30)}


def test_runs_of_one_instant_come_by_the_names_of_their_jobs(client: ss.SchedulerClient) -> None:
    for name in ("b", "c", "a"):
        client.create(job(name, ss.Cron("0 9 * * ? *")))
    assert [run.job.name for run in client.upcoming(limit=7)] == list("abcabca")


def test_until_is_inclusive_and_now_is_not(client: ss.SchedulerClient) -> None:
    client.create(job("job", ss.Rate(HOUR, start=T0)))
    assert [run.at for run in client.upcoming(until=T0 + 2 * HOUR)] == [T0 + HOUR, T0 + 2 * HOUR]
    just_before = T0 + 2 * HOUR - timedelta(microseconds=1)
    assert [run.at for run in client.upcoming(until=just_before)] == [T0 + HOUR]


def test_whichever_bound_is_met_first_ends_them(client: ss.SchedulerClient) -> None:
    client.create(job("job", ss.Rate(HOUR, start=T0)))
    assert len(list(client.upcoming(until=T0 + 5 * HOUR, limit=3))) == 3
    assert len(list(client.upcoming(until=T0 + 2 * HOUR, limit=3))) == 2
    assert list(client.upcoming(limit=0)) == []
    assert list(client.upcoming(until=T0 - DAY)) == []


def test_a_rate_without_start_goes_on_the_grid_that_its_creation_has_laid(
    client: ss.SchedulerClient, clock: FakeClock
) -> None:
    client.create(job("job", ss.Rate(7 * MINUTE)))
    clock.advance(10 * MINUTE)
    backend = client.backend
    assert isinstance(backend, ss.LocalBackend)
    first = client.get("job").next_run
    assert first == T0  # which nobody has run yet
    assert [run.at - T0 for run in client.upcoming(limit=3)] == [14 * MINUTE, 21 * MINUTE, 28 * MINUTE]
    backend.run_until(T0 + 10 * MINUTE)
    assert [run.at - T0 for run in client.upcoming(limit=3)] == [14 * MINUTE, 21 * MINUTE, 28 * MINUTE]
    client.update(client.get("job").job.replace(description="changed"))
    assert [run.at - T0 for run in client.upcoming(limit=1)] == [14 * MINUTE]


def test_the_last_run_of_a_rate_without_start_is_at_its_end(
    client: ss.SchedulerClient, clock: FakeClock
) -> None:
    client.create(job("job", ss.Rate(HOUR, end=T0 + 2 * HOUR)))
    backend = client.backend
    assert isinstance(backend, ss.LocalBackend)
    backend.run_until(T0 + HOUR)
    assert [run.at for run in client.upcoming(limit=5)] == [T0 + 2 * HOUR]


def test_paused_and_ended_jobs_have_none(client: ss.SchedulerClient) -> None:
    for name in ("active", "paused"):
        client.create(job(name, ss.Cron("0 9 * * ? *")))
    client.create(job("once", ss.OneTime(T0 + HOUR), completion=ss.Completion.KEEP))
    client.pause("paused")
    backend = client.backend
    assert isinstance(backend, ss.LocalBackend)
    backend.run_until(T0 + 2 * HOUR)
    assert {run.job.name for run in client.upcoming(limit=9)} == {"active"}
    client.resume("paused")
    assert {run.job.name for run in client.upcoming(limit=9)} == {"active", "paused"}


def test_jobs_are_chosen_as_in_a_list(client: ss.SchedulerClient) -> None:
    client.create(job("a-1", ss.Cron("0 9 * * ? *"), group="x", tags={"team": "one"}))
    client.create(job("a-2", ss.Cron("0 9 * * ? *"), group="y", tags={"team": "two"}))
    client.create(job("b-1", ss.Cron("0 9 * * ? *"), group="x"))
    for given, names in (
        ({"name_prefix": "a-"}, {"a-1", "a-2"}),
        ({"group": "x"}, {"a-1", "b-1"}),
        ({"tags": {"team": "two"}}, {"a-2"}),
    ):
        choice: Any = given
        assert {run.job.name for run in client.upcoming(limit=6, **choice)} == names


def test_they_can_be_read_again_and_a_change_since_then_is_not_seen(client: ss.SchedulerClient) -> None:
    client.create(job("job", ss.Cron("0 9 * * ? *")))
    runs = client.upcoming(limit=3)
    first = lines(runs)
    client.cancel("job")
    assert lines(runs) == first
    assert len(first) == 3


def test_they_are_worked_out_one_after_another(client: ss.SchedulerClient) -> None:
    """Each minute until the year 2100 would take far longer than a test may."""
    client.create(job("job", ss.Rate(MINUTE, start=T0)))
    far = datetime(2100, 1, 1, tzinfo=timezone.utc)
    runs = iter(client.upcoming(until=far))
    assert [run.at - T0 for run in itertools.islice(runs, 2)] == [MINUTE, 2 * MINUTE]


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({}, ValueError, r"use until=\.\.\., limit=\.\.\. or both"),
        ({"until": datetime(2030, 1, 1)}, ValueError, "until is naive"),
        ({"until": "2030-01-01"}, TypeError, "expected an aware datetime for until"),
        ({"limit": -1}, ValueError, "expected a whole number of at least 0 for limit"),
        ({"limit": "5"}, ValueError, "expected a whole number of at least 0 for limit"),
        ({"limit": 1, "tags": "a"}, TypeError, "expected a mapping"),
    ],
    ids=str,
)
def test_what_has_no_end_or_no_meaning_is_refused(
    client: ss.SchedulerClient, given: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        client.upcoming(**given)


class TestLooks:
    def test_a_text_has_a_line_a_run(self, client: ss.SchedulerClient) -> None:
        client.create(job("nightly", ss.Cron("0 2 * * ? *", timezone="Europe/Paris")))
        runs = client.upcoming(limit=2)
        assert str(runs).split("\n") == [
            "upcoming runs",
            "WHEN                                      IN          JOB",
            "Mon 2030-01-07 02:00 +01:00 Europe/Paris  in 1 h      nightly",
            "Tue 2030-01-08 02:00 +01:00 Europe/Paris  in 1 d 1 h  nightly",
        ]
        assert str(next(iter(runs))) == "Mon 2030-01-07 02:00:00 +0100  nightly"
        assert repr(next(iter(runs))) == "UpcomingRun(at='2030-01-07T02:00:00+01:00', job='nightly')"
        assert repr(runs) == "<Upcoming: runs of 1 job, at most 2>"
        until = T0 + DAY
        assert repr(client.upcoming(until=until)) == f"<Upcoming: runs of 1 job, until {until.isoformat()}>"

    def test_groups_are_shown_where_there_are_several(self, client: ss.SchedulerClient) -> None:
        client.create(job("nightly", ss.Rate(HOUR, start=T0), group="reports"))
        assert "GROUP" not in str(client.upcoming(limit=1))
        client.create(job("other", ss.Rate(HOUR, start=T0)))
        assert "reports" in str(client.upcoming(limit=1))

    def test_no_more_than_sixty_are_shown(self, client: ss.SchedulerClient) -> None:
        client.create(job("job", ss.Rate(MINUTE, start=T0)))
        assert str(client.upcoming(limit=60)).count("\n") == 61
        assert str(client.upcoming(limit=10**9)).splitlines()[62:] == ["... more"]

    def test_where_none_is_left_they_say_so(self, client: ss.SchedulerClient) -> None:
        assert str(client.upcoming(limit=5)) == "no run is left"
        assert "no run is left" in client.upcoming(limit=5).to_html()

    def test_a_run_is_a_tuple(self, client: ss.SchedulerClient) -> None:
        client.create(job("nightly", ss.Rate(HOUR, start=T0)))
        at, found = run = next(iter(client.upcoming(limit=1)))
        assert (at, found) == run
        assert pickle.loads(pickle.dumps(run)) == run
        assert type(run._replace(at=T0)) is ss.jobs.UpcomingRun


def test_a_job_whose_next_run_nobody_can_tell_is_left_out() -> None:
    record = ss.JobRecord(
        job=job("job", ss.Rate(HOUR)),
        status=ss.JobStatus.ACTIVE,
        version=1,
        created_at=T0,
        updated_at=T0,
        next_run=None,
    )
    assert list(ss.jobs.Upcoming([record], after=T0, until=T0 + DAY, limit=None)) == []
