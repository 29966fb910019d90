"""Every question has an answer at the ends of time, in every zone."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest

import stepsched as ss

from .times import FIRST, LAST, UTC, is_known_zone

HOUR = timedelta(hours=1)
STARTS = (
    datetime(1, 1, 1),
    datetime(1, 1, 2, 13),
    datetime(2199, 12, 31, 23, 59),
    datetime(9999, 12, 30, 12),
    LAST.replace(tzinfo=None),
)
STEPS = (
    ss.Frequency(years=9999),
    ss.Frequency(months=1, seconds=1),
    ss.Frequency(days=1),
    ss.Frequency(hours=1),
    ss.Frequency(weeks=500_000),
)
WINDOWS = (
    (None, None),
    (FIRST, LAST),
    (FIRST + 13 * HOUR, None),
    (None, LAST - 13 * HOUR),
    (LAST - HOUR, LAST),
)
ZONES = (
    "UTC",
    "Asia/Tokyo",
    "America/New_York",
    "Etc/GMT+12",
    "Etc/GMT-14",
    "Pacific/Apia",
    "Africa/Casablanca",
)


def taken(make: Callable[[], ss.Schedule]) -> Iterator[ss.Schedule]:
    """The schedule, if its ends are instants in the zone."""
    with suppress(ss.InvalidScheduleError):
        yield make()


def schedules(zone: str) -> Iterator[ss.Schedule]:
    for start in STARTS:
        yield from taken(lambda: ss.OneTime(start, timezone=zone))  # noqa: B023 -- made at once
        for every in STEPS:
            for end in (None, STARTS[-1]):
                yield from taken(lambda: ss.Windowed(start, every=every, end=end, timezone=zone))  # noqa: B023
    window: tuple[datetime | None, datetime | None]
    for window in WINDOWS:
        begin, end = window
        for text in ("0 0 * * ? *", "59 23 31 12 ? 2199", "0 0 1 1 ? 1970"):
            yield ss.Cron(text, timezone=zone, start=begin, end=end)
        yield ss.Cron.from_crontab("0 0 1 * 1", timezone=zone, start=begin, end=end)
        if zone == "UTC":
            yield ss.Rate(timedelta(minutes=1), start=begin, end=end)
            yield ss.Rate(
                timedelta.max - timedelta(hours=23, minutes=59, seconds=59, microseconds=999_999), end=end
            )


def moments(zone: str) -> list[datetime]:
    return [
        FIRST,
        LAST,
        datetime.min.replace(tzinfo=timezone(14 * HOUR)),
        datetime.max.replace(tzinfo=timezone(-12 * HOUR)),
        datetime.min.replace(tzinfo=ZoneInfo(zone)),
        datetime.max.replace(tzinfo=ZoneInfo(zone)),
        datetime(1, 1, 2, 13, tzinfo=UTC),
        datetime(2200, 1, 1, 5, tzinfo=UTC),
        datetime(9999, 12, 30, 11, tzinfo=UTC),
    ]


def ask_all(schedule: ss.Schedule, zone: str) -> None:
    read: Any = type(schedule).model_validate_json(schedule.model_dump_json())
    assert read == schedule
    assert all((str(schedule), repr(schedule), schedule.describe(), schedule._repr_html_()))
    for moment in moments(zone):
        runs = schedule.upcoming(2, after=moment)
        assert runs == sorted(set(runs))
        assert schedule.next_run(after=moment) == (runs[0] if runs else None)
        before = schedule.previous_run(before=moment)
        assert before is None or before <= moment
        assert schedule.localise(moment).utcoffset() is not None
        assert list(islice(schedule.runs(after=moment, until=LAST), 2)) == runs
        merged = islice(ss.timeline([schedule], after=moment), 2)
        assert [run.scheduled_for for run in merged] == runs
        if not isinstance(schedule, ss.Rate) or schedule.start is not None:
            assert all(run in schedule for run in runs), runs
        if isinstance(schedule, ss.Cron) and moment is LAST:
            assert list(schedule.skipped(after=moment)) == []


def check(zone: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ss.ScheduleWarning)  # some start in a gap of the zone
        for schedule in schedules(zone):
            ask_all(schedule, zone)


@pytest.mark.parametrize("zone", ZONES)
def test_every_question_is_answered_at_the_ends_of_time(zone: str) -> None:
    check(zone)


@pytest.mark.proof
@pytest.mark.timeout(3_600)
def test_every_question_is_answered_at_the_ends_of_time_in_all_zones() -> None:
    zones = sorted(filter(is_known_zone, available_timezones()))
    for zone in zones:
        check(zone)
    print(f"{len(zones)} zones")
    assert len(zones) > 590


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_the_last_runs_are_the_last_of_the_calendar(zone: str) -> None:
    daily = ss.Windowed("9999-12-01T00:00", every=ss.Frequency(days=1), timezone=zone)
    runs = list(daily.runs(after=datetime(9999, 11, 1, tzinfo=UTC)))
    assert [run.day for run in runs] == list(range(1, runs[-1].day + 1))
    assert runs[-1].day >= 30
