"""Elapsed time on a grid."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import stepsched as ss

from .times import FIRST, LAST, UTC, show, shown, utc

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
START = utc("2025-01-01 00:00:30")


@pytest.mark.parametrize(
    ("every", "expression"),
    [
        pytest.param(MINUTE, "rate(1 minute)", id="one"),
        pytest.param(5 * MINUTE, "rate(5 minutes)", id="minutes"),
        pytest.param(60 * MINUTE, "rate(1 hour)", id="60 minutes are an hour"),
        pytest.param(90 * MINUTE, "rate(90 minutes)", id="90 minutes are not whole hours"),
        pytest.param(6 * HOUR, "rate(6 hours)", id="hours"),
        pytest.param(24 * HOUR, "rate(1 day)", id="24 hours are a day"),
        pytest.param(36 * HOUR, "rate(36 hours)", id="36 hours are not whole days"),
        pytest.param(7 * DAY, "rate(7 days)", id="days"),
        pytest.param("PT5M", "rate(5 minutes)", id="text of JSON"),
        pytest.param("P1DT2H", "rate(26 hours)", id="longer text of JSON"),
        pytest.param("P365D", "rate(365 days)", id="a common year of days"),
    ],
)
def test_it_is_written_in_the_largest_unit_that_divides(every: timedelta | str, expression: str) -> None:
    rate = ss.Rate(every)
    assert rate.expression == str(rate) == expression
    assert ss.Rate.from_expression(expression) == rate


@pytest.mark.parametrize(
    ("text", "every"),
    [
        pytest.param("rate(1 minutes)", MINUTE, id="one, plural"),
        pytest.param("rate(2 minute)", 2 * MINUTE, id="two, singular"),
        pytest.param("RATE(3 HOURS)", 3 * HOUR, id="capitals"),
        pytest.param("rate(007 days)", 7 * DAY, id="leading zeros"),
    ],
)
def test_the_service_checks_neither_number_nor_case_and_nor_do_we(text: str, every: timedelta) -> None:
    assert ss.Rate.from_expression(text) == ss.Rate(every)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        pytest.param("rate(0 minutes)", "at least 1, got 0", id="zero"),
        pytest.param("rate(-10 minutes)", "at least 1, got -10", id="negative"),
        pytest.param("rate(1.5 minutes)", "every=Frequency(seconds=90)", id="one and a half minutes"),
        pytest.param("rate(1.5 hours)", "write rate(90 minutes)", id="one and a half hours"),
        pytest.param("rate(0.5 days)", "write rate(720 minutes)", id="half a day"),
        pytest.param("rate(0.001 hours)", "the form is rate(5 minutes)", id="a moment"),
        pytest.param("rate(foo minutes)", "'foo' is not a whole number", id="word"),
        pytest.param("rate()", "'' is not a whole number", id="empty"),
        pytest.param("rate(5)", "the unit '' is unknown", id="no unit"),
        pytest.param("rate(5\tminutes)", "'5\\tminutes' is not a whole number", id="a tab"),
        pytest.param("rate(5  minutes)", "the unit ' minutes' is unknown", id="two blanks"),
        pytest.param("rate(10 minutess)", "the unit 'minutess' is unknown", id="typing error"),
        pytest.param("rate(30 seconds)", "use Windowed(start, every=Frequency(seconds=30))", id="seconds"),
        pytest.param("rate(1 SECOND)", "use Windowed(start, every=Frequency(seconds=1))", id="one second"),
        pytest.param("rate(0 seconds)", "whole minutes, hours or days, got seconds", id="no seconds"),
        pytest.param(
            "rate(0.5 minutes)", "use Windowed(start, every=Frequency(seconds=30))", id="half a minute"
        ),
        pytest.param("rate(0.01 minutes)", "the form is rate(5 minutes)", id="part of a second"),
        pytest.param("rate(2 weeks)", "write rate(14 days)", id="weeks"),
        pytest.param("rate(1 fortnight)", "write rate(14 days)", id="fortnight"),
        pytest.param(
            "rate(3 months)",
            "a month has no fixed length of time; use Windowed(start, every=Frequency(months=3))",
            id="months",
        ),
        pytest.param(
            "rate(1 year)",
            "a year has no fixed length of time; use Windowed(start, every=Frequency(years=1))",
            id="years",
        ),
        pytest.param("rate(5 minutes and 3 seconds)", "is unknown", id="more words"),
        pytest.param("rate(5 minute\u017f)", "is unknown", id="a letter that looks like s"),
        pytest.param("rate(٥ minutes)", "is not a whole number", id="other digits"),
        pytest.param("rate(999999999999 days)", "longer than a timedelta", id="beyond all time"),
    ],
)
def test_a_refused_expression_says_how_to_write_it(text: str, hint: str) -> None:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        ss.Rate.from_expression(text)
    assert (caught.value.field, caught.value.expression) == ("rate", text)
    assert hint in caught.value.reason


@pytest.mark.parametrize(
    ("arguments", "field", "words"),
    [
        pytest.param(
            {"every": timedelta(seconds=90)},
            "every",
            "expected a positive number of whole minutes, got 0:01:30; use timedelta(minutes=2), which is "
            "the nearest, or Windowed(start, every=Frequency(seconds=90))",
            id="90 s",
        ),
        pytest.param(
            {"every": timedelta(seconds=1)},
            "every",
            "use timedelta(minutes=1), which is the nearest, or Windowed(start, every=Frequency(seconds=1))",
            id="1 s",
        ),
        pytest.param({"every": MINUTE + timedelta(microseconds=1)}, "every", "whole minutes", id="1 µs over"),
        pytest.param({"every": timedelta(0)}, "every", "positive", id="nought"),
        pytest.param({"every": -HOUR}, "every", "positive", id="negative"),
        pytest.param({"every": 5}, "every", "expected a timedelta", id="number"),
        pytest.param({"every": None}, "every", "expected a timedelta", id="nothing"),
        pytest.param({"every": "5 minutes"}, "every", "expected a timedelta", id="words"),
        pytest.param({"every": "P1M"}, "every", "without months and years", id="a month is no length"),
        pytest.param({"every": "P1Y"}, "every", "without months and years", id="a year is no length"),
        pytest.param({"every": "00:05:00"}, "every", "expected a timedelta", id="clock"),
        pytest.param({"every": HOUR, "kind": "cron"}, "kind", "rate", id="another kind"),
    ],
)
def test_an_interval_is_a_positive_number_of_whole_minutes(
    arguments: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        ss.Rate(**arguments)
    assert caught.value.field == field
    assert words in caught.value.reason


@pytest.mark.parametrize("every", [timedelta(milliseconds=500), timedelta(0), -timedelta(seconds=30)])
def test_what_no_step_of_seconds_can_be_is_not_pointed_to_one(every: timedelta) -> None:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        ss.Rate(every)
    assert "Windowed" not in caught.value.reason


@pytest.mark.parametrize("days", [30, 365, 366, 3650])
def test_days_that_come_to_months_or_years_survive_json(days: int) -> None:
    rate = ss.Rate(days * DAY)
    assert ss.Rate.model_validate_json(rate.model_dump_json()) == rate


# -- the grid --------------------------------------------------------------------------------------


def test_the_first_run_is_the_start_and_seconds_are_kept() -> None:
    """P-12."""
    rate = ss.Rate(5 * MINUTE, start=START)
    assert shown(rate.upcoming(3, after=utc("2025-01-01 00:00:29"))) == [
        "2025-01-01 00:00:30+00:00",
        "2025-01-01 00:05:30+00:00",
        "2025-01-01 00:10:30+00:00",
    ]
    assert show(rate.next_run(FIRST)) == "2025-01-01 00:00:30+00:00"
    assert show(rate.next_run(START)) == "2025-01-01 00:05:30+00:00"
    assert show(rate.previous_run(utc("2025-01-01 00:05:30"))) == "2025-01-01 00:00:30+00:00"
    assert rate.previous_run(START) is None
    assert rate.previous_run(FIRST) is None


def test_a_day_is_24_hours_over_a_clock_change() -> None:
    rate = ss.Rate(DAY, start=utc("2025-03-07 15:00"))
    new_york = [
        run.astimezone(ZoneInfo("America/New_York"))
        for run in rate.upcoming(3, after=utc("2025-03-07 16:00"))
    ]
    assert shown(new_york) == ["2025-03-08 10:00-05:00", "2025-03-09 11:00-04:00", "2025-03-10 11:00-04:00"]


def test_runs_are_in_utc() -> None:
    rate = ss.Rate(HOUR, start="2025-01-01T00:00+05:30")
    run = rate.next_run(utc("2025-01-01 00:00+05:30"))
    assert show(run) == "2024-12-31 19:30+00:00"
    assert run is not None
    assert run.tzinfo is UTC
    bare = ss.Rate(HOUR).next_run(utc("2025-01-01 00:00+05:30"))
    assert show(bare) == "2024-12-31 19:30+00:00"


def test_without_a_start_it_counts_from_the_instant_asked_and_has_no_past() -> None:
    rate = ss.Rate(5 * MINUTE)
    assert shown(rate.upcoming(2, after=START)) == ["2025-01-01 00:05:30+00:00", "2025-01-01 00:10:30+00:00"]
    assert rate.previous_run(START) is None
    ending = ss.Rate(5 * MINUTE, end=utc("2025-01-01 00:10:30"))
    assert len(list(ending.runs(after=START))) == 2
    assert ending.next_run(utc("2025-01-01 00:06")) is None


def test_it_stops_at_its_end() -> None:
    rate = ss.Rate(6 * HOUR, start=utc("2025-01-01"), end=utc("2025-01-01 20:00"))
    assert shown(rate.runs(after=utc("2025-01-01"))) == [
        "2025-01-01 06:00+00:00",
        "2025-01-01 12:00+00:00",
        "2025-01-01 18:00+00:00",
    ]
    assert rate.next_run(utc("2025-01-01 18:00")) is None
    assert show(rate.previous_run(utc("2025-06-01"))) == "2025-01-01 18:00+00:00"
    assert show(rate.previous_run(utc("2025-01-01 18:00"))) == "2025-01-01 12:00+00:00"


def test_it_stops_where_time_does() -> None:
    rate = ss.Rate(400 * DAY, start=utc("9998-01-01"))
    assert shown(rate.runs(after=FIRST)) == ["9998-01-01 00:00+00:00", "9999-02-05 00:00+00:00"]
    assert rate.next_run(utc("9999-02-05")) is None
    assert ss.Rate(HOUR).next_run(LAST) is None
    assert ss.Rate(timedelta(days=999_999_999)).next_run(START) is None


def test_far_runs_cost_nothing() -> None:
    rate = ss.Rate(MINUTE, start=utc("0001-01-02"))
    assert show(rate.next_run(utc("9000-01-01 00:00:01"))) == "9000-01-01 00:01+00:00"
    assert show(rate.previous_run(LAST)) == "9999-12-31 23:59+00:00"
    assert shown(islice(rate.runs(after=utc("9000-01-01")), 2)) == [
        "9000-01-01 00:01+00:00",
        "9000-01-01 00:02+00:00",
    ]


def test_it_describes_itself() -> None:
    assert ss.Rate(5 * MINUTE).describe() == "Every 5 minutes"
    assert ss.Rate(HOUR, start=START).describe() == "Every hour, from 1 January 2025 at 00:00:30 UTC"
