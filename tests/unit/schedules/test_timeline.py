"""Many schedules as one stream."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import pytest

import stepsched as ss
from stepsched.core.clock import utc_now
from stepsched.schedules import Schedule

from .times import show, utc

NEW_YEAR = utc("2025-01-01")
HOUR = timedelta(hours=1)


def test_runs_come_oldest_first_with_their_schedule_and_its_place() -> None:
    daily = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
    once = ss.OneTime("2025-01-01T12:00")
    rate = ss.Rate(6 * HOUR, start=utc("2025-01-01 06:00"))
    stream = list(ss.timeline([daily, once, rate], after=NEW_YEAR, until=utc("2025-01-01 18:00")))
    assert [(show(item.scheduled_for), item.position) for item in stream] == [
        ("2025-01-01 06:00+00:00", 2),
        ("2025-01-01 09:00+01:00", 0),
        ("2025-01-01 12:00+00:00", 1),
        ("2025-01-01 12:00+00:00", 2),
        ("2025-01-01 18:00+00:00", 2),
    ]
    assert [item.schedule for item in stream] == [rate, daily, once, rate, rate]
    assert isinstance(stream[0], ss.schedules.Occurrence)


def test_equal_instants_come_in_input_order() -> None:
    zones = ["Asia/Tokyo", "UTC", "America/New_York", "Europe/Paris"]
    schedules = [ss.OneTime("2025-06-01T00:00Z", timezone=zone) for zone in zones]
    stream = list(ss.timeline([*schedules, schedules[0]], after=NEW_YEAR))
    assert [item.position for item in stream] == [0, 1, 2, 3, 4]
    assert len({item.scheduled_for for item in stream}) == 1
    twins = [ss.Cron("0 * * * ? *"), ss.Cron("0 * * * ? *")]
    assert [item.position for item in islice(ss.timeline(twins, after=NEW_YEAR), 6)] == [0, 1] * 3


def test_the_ends_bound_every_schedule_alike() -> None:
    hourly: list[Schedule] = [ss.Rate(HOUR, start=NEW_YEAR), ss.Cron("0 * * * ? *")]
    stream = ss.timeline(hourly, after=NEW_YEAR, until=NEW_YEAR + 2 * HOUR)
    assert [(show(item.scheduled_for), item.position) for item in stream] == [
        ("2025-01-01 01:00+00:00", 0),
        ("2025-01-01 01:00+00:00", 1),
        ("2025-01-01 02:00+00:00", 0),
        ("2025-01-01 02:00+00:00", 1),
    ]


def test_nothing_gives_nothing() -> None:
    assert list(ss.timeline([], after=NEW_YEAR)) == []
    over: list[Schedule] = [ss.OneTime("2020-01-01T00:00"), ss.Cron("0 0 30 2 ? *")]
    assert list(ss.timeline(over, after=NEW_YEAR)) == []


def test_now_is_the_same_for_all() -> None:
    low = utc_now()
    first, second = islice(ss.timeline([ss.Rate(HOUR), ss.Rate(HOUR)]), 2)
    assert low <= first.scheduled_for - HOUR <= utc_now()
    assert first.scheduled_for == second.scheduled_for


@pytest.mark.parametrize("name", ["after", "until"])
def test_a_naive_instant_is_refused_when_it_is_given(name: str) -> None:
    instants = {"after": NEW_YEAR, "until": NEW_YEAR, name: datetime(2025, 1, 1)}
    with pytest.raises(ValueError, match=f"{name} is naive"):
        ss.timeline([ss.Cron("0 * * * ? *")], **instants)


@pytest.mark.parametrize("nonsense", ["rate(5 minutes)", None, ss.Frequency(days=1)])
def test_what_is_no_schedule_is_refused_when_it_is_given(nonsense: Any) -> None:
    with pytest.raises(TypeError, match="expected a schedule"):
        ss.timeline([ss.Cron("0 * * * ? *"), nonsense], after=NEW_YEAR)


def test_it_takes_any_iterable_and_reads_it_once() -> None:
    def schedules() -> Iterator[Schedule]:
        yield ss.Cron("0 0 1 * ? *")
        yield ss.Windowed("2025-01-15T00:00", every=ss.Frequency(months=1))

    stream = list(ss.timeline(schedules(), after=NEW_YEAR, until=utc("2025-03-01")))
    assert [item.position for item in stream] == [1, 0, 1, 0]


@pytest.mark.timeout(10)
def test_an_endless_stream_is_read_one_run_at_a_time() -> None:
    endless: list[Schedule] = [ss.Cron("* * * * ? *"), ss.Rate(timedelta(minutes=1)), ss.Cron("0 0 29 2 ? *")]
    stream = ss.timeline(endless, after=NEW_YEAR)
    assert [item.position for item in islice(stream, 5)] == [0, 1, 0, 1, 0]


def test_thousands_of_schedules_are_merged_in_order_and_without_loss() -> None:
    schedules: list[Schedule] = []
    for index in range(2_000):
        zone = ("UTC", "Europe/Paris", "Asia/Kolkata", "America/New_York")[index % 4]
        schedules.append(ss.Cron(f"{index % 60} {index % 24} * * ? *", timezone=zone))
    until = utc("2025-01-04")
    stream = list(ss.timeline(schedules, after=NEW_YEAR, until=until))
    assert all(
        (one.scheduled_for, one.position) < (other.scheduled_for, other.position)
        for one, other in pairwise(stream)
    )
    expected = {
        (run, position)
        for position, schedule in enumerate(schedules)
        for run in schedule.runs(after=NEW_YEAR, until=until)
    }
    assert {(item.scheduled_for, item.position) for item in stream} == expected
    assert len(stream) == len(expected) > 5_900
