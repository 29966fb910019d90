"""Schedules as data: what the expressions of a machine read."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

import stepsched as ss
from stepsched.machines.next_run import LATEST_RUN, NEXT_RUN
from stepsched.machines.plan import LAST_SECOND, timing_of
from stepsched.machines.zones import FIRST_YEAR, zone_table
from tests.unit.asl.render.jobs import HOUR, NEW_YEAR, SCHEDULES

START = 1_893_456_000
"""2030-01-01T00:00:00Z."""


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_has_an_expression(name: str) -> None:
    timing = timing_of(SCHEDULES[name])
    assert timing.kind in NEXT_RUN
    assert timing.kind in LATEST_RUN
    assert timing.plan["end"] <= LAST_SECOND


def test_a_single_run_is_a_grid_of_one() -> None:
    kind, plan = timing_of(ss.OneTime("2030-01-01T01:00", timezone="Europe/Paris"))
    assert (kind, plan) == ("grid", {"origin": START, "every": 60, "end": START})


def test_a_rate_is_a_grid() -> None:
    assert timing_of(ss.Rate(HOUR)) == ("grid", {"every": 3_600, "end": LAST_SECOND})
    bounded = ss.Rate(HOUR, start=NEW_YEAR, end=NEW_YEAR + timedelta(hours=5, microseconds=1))
    assert timing_of(bounded).plan == {"origin": START, "every": 3_600, "end": START + 5 * 3_600}


def test_elapsed_time_is_a_grid() -> None:
    window = ss.Windowed("2030-01-01T01:00", every=ss.Frequency(hours=1, minutes=30), timezone="Europe/Paris")
    assert timing_of(window) == ("grid", {"origin": START, "every": 5_400, "end": LAST_SECOND})
    often = ss.Windowed("2030-01-01T01:00", every=ss.Frequency(seconds=10), timezone="Europe/Paris")
    assert timing_of(often) == ("grid", {"origin": START, "every": 10, "end": LAST_SECOND})
    mixed = ss.Windowed("2030-01-01T01:00", every=ss.Frequency(days=1, seconds=10), timezone="Europe/Paris")
    plan = timing_of(mixed).plan
    assert (plan["days"], plan["elapsed"], plan["mean"]) == (1, 10, 86_410)


def test_a_window_counts_from_its_start() -> None:
    kind, plan = timing_of(SCHEDULES["months"])
    assert kind == "calendar"
    assert (plan["month"], plan["day"], plan["time"]) == (2030 * 12, 31, 9_000)
    assert (plan["months"], plan["days"], plan["elapsed"], plan["mean"]) == (1, 0, 0, 2_629_746)
    assert plan["origin"] == START + 30 * 86_400 + 9_000 - 3_600
    assert plan["zone"] == zone_table("Europe/Paris", FIRST_YEAR)


@pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")
def test_a_start_that_clocks_skip_keeps_its_time() -> None:
    skipped = ss.Windowed("2030-03-31T02:30", every=ss.Frequency(days=1), timezone="Europe/Paris")
    plan = timing_of(skipped).plan
    assert plan["time"] == 9_000
    assert datetime.fromtimestamp(plan["origin"], timezone.utc) == datetime(
        2030, 3, 31, 1, 30, tzinfo=timezone.utc
    )


def test_a_cron_is_lists_of_numbers() -> None:
    kind, plan = timing_of(ss.Cron("0/20 9,17 ? 3-5 MON-FRI *"))
    assert kind == "cron"
    assert plan["minutes"] == [0, 20, 40]
    assert plan["hours"] == [9, 17]
    assert plan["months"] == [3, 4, 5]
    assert plan["days"] == list(range(1, 32))
    assert plan["weekdays"] == [1, 2, 3, 4, 5]
    assert plan["zone"] == {"offset": 0}
    assert "years" not in plan
    assert "shapes" not in plan


def test_rules_of_days_are_lists_for_each_shape_of_a_month() -> None:
    plan = timing_of(ss.Cron("0 9 L * ? *")).plan
    assert plan["shapes"] == {f"{first}/{length}": [length] for first in range(7) for length in range(28, 32)}
    either = timing_of(ss.Cron.from_crontab("0 9 13 * 5")).plan
    assert either["shapes"]["5/30"] == [1, 8, 13, 15, 22, 29]


def test_only_years_that_have_a_run_are_left() -> None:
    assert timing_of(ss.Cron("0 9 29 2 ? 2030-2041")).plan["years"] == [2032, 2036, 2040]


def test_bounds_of_a_cron_are_raised_and_cut_to_seconds() -> None:
    instant = NEW_YEAR + timedelta(microseconds=5)
    plan = timing_of(ss.Cron("0 9 * * ? *", start=instant, end=instant + HOUR)).plan
    assert plan["from"] == START + 1 - 1
    assert plan["end"] == START + 3_600
    assert timing_of(ss.Cron("0 9 * * ? *", start=NEW_YEAR)).plan["from"] == START - 1


@pytest.mark.parametrize(
    "schedule",
    [
        ss.Rate(HOUR, start=NEW_YEAR + timedelta(milliseconds=1)),
        ss.Windowed("2030-01-01T00:00:00.000001", every=ss.Frequency(months=1)),
    ],
)
def test_fractions_are_refused(schedule: ss.Schedule) -> None:
    with pytest.raises(
        ValueError, match=r"start 2030-01-01T00:00:00\.0.* fraction of a second.*use whole seconds"
    ):
        timing_of(schedule)


# -- zones ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("zone", "offset"), [("UTC", 0), ("Asia/Tokyo", 32_400), ("Asia/Kathmandu", 20_700)])
def test_a_zone_that_never_changes_is_a_number(zone: str, offset: int) -> None:
    assert zone_table(zone, FIRST_YEAR) == {"offset": offset}


def test_a_zone_of_one_law_is_14_kinds_of_year() -> None:
    table = zone_table("Europe/Paris", FIRST_YEAR)
    assert table.keys() == {"kinds"}
    assert set(table["kinds"]) == {str(kind) for kind in range(14)}
    for entry in table["kinds"].values():
        assert entry["offset"] == [3_600, 7_200, 3_600]
        assert all(0 < at < 366 * 86_400 for at in entry["at"])


def test_a_kind_of_year_is_twice_its_first_weekday_and_one_for_leap() -> None:
    kinds = zone_table("Europe/Paris", FIRST_YEAR)["kinds"]
    for year, kind, spring in (
        (2030, "4", "2030-03-31"),
        (2032, "9", "2032-03-28"),
        (2034, "0", "2034-03-26"),
    ):
        days = (datetime.fromisoformat(spring) - datetime(year, 1, 1)).days
        assert kinds[kind]["at"][0] == days * 86_400 + 3_600


def test_years_before_a_law_stand_for_themselves() -> None:
    assert "1996" not in zone_table("America/New_York", FIRST_YEAR).get("years", {})
    early = zone_table("America/New_York", 1996)
    assert len(early["years"]["1996"]["at"]) == 2
    assert early["kinds"] == zone_table("America/New_York", FIRST_YEAR)["kinds"]


def test_years_that_follow_the_moon_stand_for_themselves() -> None:
    assert "2030" in zone_table("Africa/Casablanca", FIRST_YEAR)["years"]
