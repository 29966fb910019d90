"""The picture of a week: it counts every run of every job, and stays readable with many."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from math import inf
from zoneinfo import ZoneInfo

import pytest

import stepsched as ss
from stepsched.http.page.week import HOURS, LANES, Week, WeekCounter, has_lanes, picture
from stepsched.testing import FakeClock
from tests.unit.http.page.conftest import NOW, job
from tests.unit.http.visits import Page

WEEK = timedelta(days=7)
TICK = timedelta(microseconds=1)
SCHEDULES = [
    pytest.param(ss.Cron("0 9 * * ? *", timezone="Europe/Paris"), id="daily"),
    pytest.param(ss.Cron("*/7 9-17 ? * MON-FRI *", timezone="America/New_York"), id="office hours"),
    pytest.param(ss.Cron("* * * * ? *", timezone="Asia/Kolkata"), id="every minute"),
    pytest.param(ss.Rate(timedelta(minutes=45)), id="rate"),
    pytest.param(ss.OneTime(datetime(2030, 1, 9, 12, tzinfo=timezone.utc)), id="once"),
    pytest.param(ss.Cron("0 0 1 6 ? *", timezone="UTC"), id="not this week"),
]


def counter() -> WeekCounter:
    """A counter that is never short of time."""
    return WeekCounter(budget=inf)


def week_of(*jobs: ss.Job, now: datetime = NOW) -> Week:
    client = ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(now)))
    client.create_many(jobs)
    records = [record for record in client.list() if record.next_run is not None]
    return counter().count(records, now)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_run_is_counted_in_its_hour(schedule: ss.Schedule) -> None:
    week = week_of(job("x", schedule=schedule))
    ((record, runs),) = week.lanes
    begin = week.begin.astimezone(timezone.utc)
    wanted = [0] * HOURS
    for run in ss.jobs.Upcoming([record], after=NOW - TICK, until=begin + WEEK - TICK, limit=None):
        wanted[(run.at - begin) // timedelta(hours=1)] += 1
    assert list(runs.hours) == wanted


def test_equal_schedules_are_counted_once() -> None:
    week = week_of(*(job(f"job-{number}") for number in range(20)))
    assert len({id(runs) for _, runs in week.lanes}) == 1


def test_a_count_is_kept_until_the_job_changes() -> None:
    client = ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(NOW)))
    record, counting = client.create(job("x")), counter()
    ((_, first),) = counting.count([record], NOW).lanes
    ((_, again),) = counting.count([record], NOW).lanes
    assert again is first
    changed = client.update(record.job.replace(schedule=ss.Rate(timedelta(hours=1))))
    ((_, other),) = counting.count([changed], NOW).lanes
    assert sum(other.hours) == HOURS
    ((_, later),) = counting.count([record], NOW + timedelta(hours=1)).lanes
    assert later is not first


def test_what_there_is_no_time_for_is_counted_later() -> None:
    client = ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(NOW)))
    client.create_many([job(f"job-{number}") for number in range(LANES + 1)])
    week = WeekCounter(budget=0).count(client.list(), NOW)
    assert (list(week.lanes), week.uncounted) == ([], LANES + 1)
    assert len(Page(picture(week, {})).all("rect")) == HOURS


def test_more_than_one_run_a_minute_is_not_counted_but_shown() -> None:
    week = week_of(job("often", schedule=ss.Windowed(NOW, every=ss.Frequency(seconds=5))))
    ((_, runs),) = week.lanes
    assert runs.is_frequent
    assert "more than one run a minute" in picture(week, {})


def test_the_zone_is_that_of_most_jobs() -> None:
    rates = [job(f"rate-{number}", schedule=ss.Rate(timedelta(hours=1))) for number in range(9)]
    assert week_of(*rates, job("nightly")).begin.tzinfo == ZoneInfo("Europe/Paris")
    assert str(week_of(*rates).begin.tzinfo) == "UTC"


def test_few_jobs_have_lanes_with_links_and_marks() -> None:
    week = week_of(job("nightly"), job("other"))
    page = Page(picture(week, {"nightly": "/page/job?name=nightly"}))
    links = [each.attributes.get("href") for each in page.all("a")]
    assert links == ["/page/job?name=nightly", None]
    assert len(page.all("rect", "run")) == 14
    days = [each.text for each in page.all("text", "axis")]
    assert days[:2] == ["Mon 7 Jan", "Tue 8 Jan"]
    assert len(days) == 8


def test_many_jobs_are_added_up_by_the_hour() -> None:
    week = week_of(*(job(f"job-{number}") for number in range(LANES + 1)))
    assert not has_lanes(week)
    page = Page(picture(week, {}))
    assert [each.text for each in page.all("text", "count")] == [f"{LANES + 1}"] * 7
    titles = [each.text for each in page.all("title")]
    assert "Mon 7 Jan, 09:00: 41 runs" in titles
    assert len(page.all("rect")) == HOURS


def test_the_picture_of_many_jobs_is_bounded() -> None:
    few = len(picture(week_of(*(job(f"job-{number}") for number in range(LANES + 1))), {}))
    many = len(picture(week_of(*(job(f"job-{number}") for number in range(600))), {}))
    assert many < few * 1.1


def test_an_hour_that_comes_twice_is_added_up() -> None:
    now = datetime(2030, 10, 26, 22, tzinfo=timezone.utc)  # the clocks go back in Paris on the 27th
    hourly = ss.Rate(timedelta(hours=1))
    rates = [job(f"job-{number}", schedule=hourly) for number in range(LANES)]
    week = week_of(job("nightly"), *rates, now=now)
    titles = [each.text for each in Page(picture(week, {})).all("title")]
    assert f"Sun 27 Oct, 01:00: {LANES} runs" in titles
    assert f"Sun 27 Oct, 02:00: {2 * LANES} runs" in titles
