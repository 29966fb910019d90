"""The calendar of a year shows the runs that the schedule has."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

import stepsched as ss
from stepsched.core.clock import utc_now
from stepsched.schedules import Schedule
from stepsched.schedules.year import year_picture
from tests.unit.pictures.drawn import read, tooltips, written

PARIS = "Europe/Paris"
SECONDS = ss.Windowed(start="2029-12-31T23:30", every=ss.Frequency(seconds=50_000), timezone=PARIS)


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param(ss.Cron("30 2,23 * * ? *", timezone=PARIS), id="gap and repeated hour"),
        pytest.param(ss.Cron("0 9 29 2 ? *", timezone=PARIS), id="no leap day"),
        pytest.param(ss.Cron("0/20 * ? * MON#1 *", timezone="America/Sao_Paulo"), id="first Mondays"),
        pytest.param(ss.Rate(timedelta(minutes=37), start="2030-02-01T00:00Z"), id="rate"),
        pytest.param(SECONDS, id="seconds"),
        pytest.param(ss.OneTime(at="2030-12-31T23:59:59", timezone="Asia/Kathmandu"), id="one time"),
    ],
)
def test_the_days_are_those_of_the_runs_in_the_zone(schedule: Schedule) -> None:
    zone = ZoneInfo(getattr(schedule, "timezone", "UTC"))
    begin, end = (datetime(year, 1, 1, tzinfo=zone) for year in (2030, 2031))
    runs = schedule.runs(after=begin - timedelta(seconds=1), until=end - timedelta(seconds=1))
    shown = year_picture(schedule, 2030)
    assert {day: found.runs for day, found in shown.runs.items()} == Counter(run.date() for run in runs)
    read(schedule.to_svg(year=2030))


def test_tooltips_tell_the_times_of_a_day() -> None:
    found = tooltips(read(ss.Cron("0 9,18 ? * MON *", timezone=PARIS).to_svg(year=2030)))
    assert "Mon 7 Jan: 2 runs, 09:00, 18:00" in found
    hourly = tooltips(read(ss.Cron("15 8-18 ? * MON *", timezone=PARIS).to_svg(year=2030)))
    assert "Mon 7 Jan: 11 runs, 08:15 to 18:15" in hourly


def test_the_title_is_the_description_with_the_number_of_runs_and_the_zone() -> None:
    seen = written(read(ss.Cron("0 9 ? * MON-FRI *", timezone=PARIS).to_svg(year=2030)))
    assert seen[:3] == [
        "At 09:00, Monday to Friday, Europe/Paris",
        "2030: 261 runs on 261 days",
        "Europe/Paris (+01:00 to +02:00)",
    ]


def test_a_job_has_the_calendar_of_its_schedule_with_its_name() -> None:
    job = ss.Job(name="report", schedule=ss.Rate(timedelta(hours=8)), target=ss.HandlerTarget(print))
    seen = written(read(job.to_svg(year=2030)))
    assert seen[:2] == ["report: Every 8 hours", "2030: 1,095 runs, every day"]
    assert "here from the new year" in seen[3]


def test_the_present_year_is_shown_with_today() -> None:
    shown = year_picture(ss.Cron("0 9 * * ? *"), None)
    assert shown.today is not None
    assert shown.months[0] == date(shown.today.year, 1, 1)
    assert abs(shown.today - utc_now().date()) <= timedelta(days=1)
    assert "today" in written(read(shown.to_svg()))


@pytest.mark.parametrize(
    ("year", "words"),
    [
        (1, "expected a year from 2 to 9998, got 1"),
        (9_999, "expected a year from 2 to 9998, got 9999"),
        ("2030", "for year, got '2030'"),
        (True, "for year, got True"),
    ],
)
def test_refuses_what_is_no_year(year: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ss.Cron("0 9 * * ? *").to_svg(year=year)


@pytest.mark.parametrize("year", [2, 9_998])
def test_the_first_and_last_year_are_drawn(year: int) -> None:
    read(ss.Cron("0 9 * * ? *", timezone="Asia/Tokyo").to_svg(year=year))
    read(ss.Windowed(start="0001-06-01T00:00", every=ss.Frequency(days=1), timezone=PARIS).to_svg(year=year))
