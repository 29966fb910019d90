"""What was once answered wrongly."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

import stepsched as ss

UTC = timezone.utc
PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(("minute", "fold"), [("15 3", 0), ("45 1", 1)])
def test_after_may_be_a_wall_time_that_does_not_exist(minute: str, fold: int) -> None:
    cron = ss.Cron(f"{minute} * * ? *", timezone="Europe/Paris")
    after = datetime(2025, 3, 30, 2, 30, fold=fold, tzinfo=PARIS)
    instant = after.astimezone(UTC)
    following = cron.next_run(after)
    assert following is not None
    assert following == cron.next_run(instant)
    assert following > instant
    assert cron.previous_run(after) == cron.previous_run(instant)


def test_a_start_that_does_not_exist_moves_only_the_first_run() -> None:
    with pytest.warns(ss.ScheduleWarning, match="the run moves to 2025-03-30T03:30"):
        daily = ss.Windowed("2025-03-30T02:30", every=ss.Frequency(days=1), timezone="Europe/Paris")
    runs = daily.upcoming(3, after=datetime(2025, 1, 1, tzinfo=UTC))
    assert [f"{run:%d %H:%M}" for run in runs] == ["30 03:30", "31 02:30", "01 02:30"]


@pytest.mark.parametrize(("key", "year"), [("Pacific/Apia", 2011), ("Pacific/Kiritimati", 1994)])
def test_a_day_skipped_at_new_year_is_named_once(key: str, year: int) -> None:
    noon = ss.Cron("0 12 * * ? *", timezone=key)
    walls = list(noon.skipped(datetime(year, 6, 1, tzinfo=UTC), datetime(year + 1, 6, 1, tzinfo=UTC)))
    assert len(walls) == 1


def test_what_is_skipped_at_an_instant_is_not_skipped_before_it() -> None:
    cron = ss.Cron("30 2 * * ? *", timezone="Europe/Paris")
    start, gap = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 3, 30, 1, tzinfo=UTC)
    assert list(cron.skipped(start, gap - timedelta(microseconds=1))) == []
    assert list(cron.skipped(start, gap)) == [datetime(2025, 3, 30, 2, 30)]
    assert list(cron.skipped(gap, datetime(2025, 12, 1, tzinfo=UTC))) == []


def test_an_end_in_the_year_9999_is_an_end() -> None:
    rate = ss.Rate(timedelta(hours=1), start="2025-01-01T00:00Z", end="9999-01-01T00:30Z")
    assert rate.previous_run(datetime(9999, 6, 1, tzinfo=UTC)) == datetime(9999, 1, 1, tzinfo=UTC)


def test_summer_comes_in_the_year_9999_and_the_year_1_has_a_west() -> None:
    assert ss.OneTime("9999-07-01T12:00", timezone="Europe/Paris").instant == datetime(
        9999, 7, 1, 12, tzinfo=PARIS
    )
    assert ss.OneTime("0001-06-01T00:00", timezone="America/New_York").instant.year == 1


def test_a_moment_in_a_gap_is_kept_as_the_wall_time_that_is_meant() -> None:
    once = ss.OneTime(datetime(2025, 3, 30, 2, 30, fold=1, tzinfo=PARIS))
    assert once.expression == "at(2025-03-30T01:30:00)"
    assert ss.OneTime.model_validate_json(once.model_dump_json()) == once


def test_a_timeline_refuses_a_naive_instant_even_when_it_is_empty() -> None:
    with pytest.raises(ValueError, match="after is naive"):
        ss.timeline([], after=datetime(2030, 1, 1))


@pytest.mark.parametrize("day", ["\u017fun", "\u017funL", "\u017fun#2", "mon,\u017fun"])
def test_a_letter_that_becomes_ascii_in_upper_case_is_no_ascii(day: str) -> None:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        ss.Cron(f"0 0 ? * {day} *")
    assert caught.value.field == "day-of-week"


def test_a_star_inside_a_crontab_list_means_every_day() -> None:
    assert ss.Cron.from_crontab("0 9 *,15 * *").expression == "cron(0 9 * * ? *)"
