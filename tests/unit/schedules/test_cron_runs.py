"""The runs of a cron: cases of other engines and of AWS's documentation, sparse ones, clock changes."""

from __future__ import annotations

import json
from calendar import isleap
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

import stepsched as ss

from .times import FIRST, LAST, shown, utc

DATA = Path(__file__).parents[2] / "data"
CASES = [json.loads(line) for line in (DATA / "cron_cases.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "runs"),
    [
        pytest.param(case["expr"], case["tz"], case["after"], case["next"], id=f"{case['expr']} {case['tz']}")
        for case in CASES
    ],
)
def test_it_runs_where_independent_engines_agree(
    expression: str, zone: str, after: str, runs: list[str]
) -> None:
    cron = ss.Cron(expression, timezone=zone)
    expected = [utc(run) for run in runs]
    assert cron.upcoming(5, after=utc(after)) == expected
    following = [utc(after), *expected]
    assert [cron.next_run(moment) for moment in following[:-1]] == expected
    if len(expected) < 5:
        assert cron.next_run(following[-1]) is None
    for earlier, later in pairwise(expected):
        assert cron.previous_run(later) == earlier
        assert list(cron.runs(after=earlier, until=later)) == [later]


def test_no_case_is_lost() -> None:
    assert len(CASES) == 400
    assert len({case["tz"] for case in CASES}) == 10


# -- never and seldom ----------------------------------------------------------------------------------

NEVER = [
    pytest.param("0 0 30 2 ? *", id="30 February (P-17)"),
    pytest.param("0 0 31 4,6,9,11 ? *", id="31st of the short months"),
    pytest.param("0 0 29 2 ? 2100", id="29 February 2100"),
    pytest.param("0 0 29 2 ? 2025-2027", id="29 February of common years"),
    pytest.param("0 0 L-30 2 ? *", id="30 days before the end of February"),
    pytest.param("0 0 30W 2 ? *", id="weekday nearest 30 February"),
    pytest.param("0 0 ? 2 1#5 2021-2023", id="fifth Sunday of February"),
]


@pytest.mark.timeout(10)  # a walk over the minutes of 230 years takes longer
@pytest.mark.parametrize("expression", NEVER)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris"])
def test_an_unreachable_cron_answers_none_at_once(expression: str, zone: str) -> None:
    cron = ss.Cron(expression, timezone=zone)
    assert cron.next_run(FIRST) is None
    assert cron.previous_run(LAST) is None
    assert list(cron.runs(after=FIRST)) == []
    assert cron.upcoming(1, after=utc("2025-01-01")) == []


def test_a_cron_of_past_years_is_over() -> None:
    cron = ss.Cron("0 0 1 1 ? 1970-1972")
    assert cron.next_run(utc("2025-01-01")) is None
    assert shown([cron.previous_run(utc("2025-01-01"))]) == ["1972-01-01 00:00+00:00"]


@pytest.mark.timeout(10)  # two hundred walks of nineteen years take longer
def test_a_sparse_cron_costs_no_more_than_a_dense_one() -> None:
    sparse = ss.Cron("0 0 ? 2 2#5 *", timezone="Europe/Paris")  # Monday 29 February
    assert shown([sparse.next_run(utc("2025-01-01"))]) == ["2044-02-29 00:00+01:00"]
    for _ in range(200):
        sparse.next_run(utc("2025-01-01"))


def test_29_february_on_a_monday_is_found_in_every_year_that_has_one() -> None:
    cron = ss.Cron("0 0 ? 2 2#5 *")
    years = [year for year in range(1970, 2200) if isleap(year) and date(year, 2, 29).weekday() == 0]
    assert [run.year for run in cron.runs(after=FIRST)] == years
    found, before = [], LAST
    while (run := cron.previous_run(before)) is not None:
        found.append(run.year)
        before = run
    assert found == years[::-1]


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        pytest.param("0 0 29 2 ? *", "2096-03-01", ["2104-02-29", "2108-02-29"], id="no leap day in 2100"),
        pytest.param("0 0 31 12 ? 2199", "2025-01-01", ["2199-12-31"], id="last day of the dialect"),
        pytest.param("0 0 ? * 1#5 *", "2025-01-01", ["2025-03-30", "2025-06-29", "2025-08-31"], id="#5"),
        pytest.param(
            "0 0 1/2 * ? *", "2025-01-30", ["2025-01-31", "2025-02-01", "2025-02-03"], id="odd days"
        ),
        pytest.param(
            "0 0 1 1 ? 2026/50", "2025-01-01", ["2026-01-01", "2076-01-01", "2126-01-01"], id="years"
        ),
    ],
)
def test_seldom_runs_are_found(expression: str, after: str, expected: list[str]) -> None:
    runs = ss.Cron(expression).upcoming(len(expected), after=utc(after))
    assert [f"{run:%Y-%m-%d}" for run in runs] == expected


def test_runs_of_a_whole_decade_are_those_found_one_by_one() -> None:
    cron = ss.Cron("30 2 L */2 ? *", timezone="America/New_York")
    after, until = utc("2019-06-30 06:30"), utc("2029-06-30 06:30")
    listed = list(cron.runs(after=after, until=until))
    walked, moment = [], after
    while (run := cron.next_run(moment)) is not None and run <= until:
        walked.append(run)
        moment = run
    assert listed == walked
    assert len(listed) == 60


def test_a_year_field_with_holes_is_walked_year_by_year() -> None:
    cron = ss.Cron("0 0 1,2 1 ? 2020,2022,2025-2026")
    days = ["01-01", "01-02"]
    expected = [f"{year}-{day} 00:00+00:00" for year in (2020, 2022, 2025, 2026) for day in days]
    assert shown(cron.runs(after=FIRST)) == expected
    assert shown(cron.runs(after=utc("2020-01-01"), until=utc("2025-01-01"))) == expected[1:5]
    assert shown(cron.runs(after=utc("2021-01-01"), until=utc("2021-12-31"))) == []


# -- clock changes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        pytest.param(
            "0 2 * * ? *",
            "America/New_York",
            "2026-03-07 12:00",
            ["2026-03-09 02:00-04:00"],
            id="the gap's first minute is skipped",
        ),
        pytest.param(
            "59 1 * * ? *", "America/New_York", "2026-03-08 00:00", ["2026-03-08 01:59-05:00"], id="before it"
        ),
        pytest.param(
            "0 3 * * ? *", "America/New_York", "2026-03-08 00:00", ["2026-03-08 03:00-04:00"], id="after it"
        ),
        pytest.param(
            "0 * * * ? *",
            "America/New_York",
            "2026-03-08 05:30",
            ["2026-03-08 01:00-05:00", "2026-03-08 03:00-04:00"],
            id="hourly through the gap is contiguous",
        ),
        pytest.param(
            "30 1 * * ? *",
            "America/New_York",
            "2026-10-31 12:00",
            ["2026-11-01 01:30-04:00", "2026-11-02 01:30-05:00"],
            id="once in the repeated hour, on the first pass",
        ),
        pytest.param(
            "0 * * * ? *",
            "America/New_York",
            "2026-11-01 04:30",
            ["2026-11-01 01:00-04:00", "2026-11-01 02:00-05:00", "2026-11-01 03:00-05:00"],
            id="a wildcard too (P-01)",
        ),
        pytest.param(
            "*/20 * * * ? *",
            "America/New_York",
            "2026-11-01 06:10",
            ["2026-11-01 02:00-05:00"],
            id="asked in the second pass",
        ),
        pytest.param(
            "15 2 * * ? *",
            "Australia/Lord_Howe",
            "2025-10-03 18:00",
            ["2025-10-06 02:15+11:00"],
            id="half an hour",
        ),
        pytest.param(
            "0 0 * * ? *", "Africa/Cairo", "2025-04-23 22:30", ["2025-04-26 00:00+03:00"], id="no midnight"
        ),
        pytest.param(
            "0 12 * * ? *",
            "Pacific/Apia",
            "2011-12-29 00:00",
            ["2011-12-29 12:00-10:00", "2011-12-31 12:00+14:00"],
            id="no 30 December",
        ),
        pytest.param(
            "15,45 0 7 1 ? 1972",
            "Africa/Monrovia",
            "1972-01-01 00:00",
            ["1972-01-07 00:45+00:00"],
            id="a gap that ends in the middle of a minute",
        ),
        pytest.param(
            "30 8 * * ? *",
            "America/New_York",
            "2026-03-07 00:00",
            ["2026-03-07 08:30-05:00", "2026-03-08 08:30-04:00"],
            id="the wall time stays over a change",
        ),
        pytest.param(
            "30 23 ? * FRI *",
            "America/Los_Angeles",
            "2025-01-01 00:00",
            ["2025-01-03 23:30-08:00"],
            id="local day",
        ),
        pytest.param(
            "0 12 * * ? *", "Etc/GMT+5", "2025-01-01 00:00", ["2025-01-01 12:00-05:00"], id="Etc sign"
        ),
    ],
)
def test_clock_changes(expression: str, zone: str, after: str, expected: list[str]) -> None:
    cron = ss.Cron(expression, timezone=zone)
    runs = cron.upcoming(len(expected), after=utc(after))
    assert shown(runs) == expected
    assert shown(cron.runs(after=utc(after), until=runs[-1])) == expected
    assert shown([cron.previous_run(runs[-1] + timedelta(microseconds=1))]) == expected[-1:]


def test_a_yearly_run_in_the_gap_waits_for_a_year_that_has_it() -> None:
    cron = ss.Cron("30 2 30 3 ? *", timezone="Europe/Paris")
    assert shown(cron.upcoming(2, after=utc("2025-01-01"))) == [
        "2026-03-30 02:30+02:00",
        "2027-03-30 02:30+02:00",
    ]
    assert shown([cron.previous_run(utc("2025-12-01"))]) == ["2024-03-30 02:30+01:00"]


def test_previous_run_looks_over_a_gap_and_an_overlap() -> None:
    cron = ss.Cron("30 2 * * ? *", timezone="Europe/Paris")
    assert shown([cron.previous_run(utc("2025-03-30 12:00"))]) == ["2025-03-29 02:30+01:00"]
    for second_pass in (utc("2025-10-26 01:00"), utc("2025-10-26 01:15"), utc("2025-10-26 01:45")):
        assert shown([cron.previous_run(second_pass)]) == ["2025-10-26 02:30+02:00"]
    assert shown([cron.previous_run(utc("2025-10-26 00:30"))]) == ["2025-10-25 02:30+02:00"]


def test_every_minute_of_a_day_with_a_gap_and_of_one_with_an_overlap() -> None:
    cron = ss.Cron("* * * * ? *", timezone="Europe/Paris")
    for first, last, length in (
        ("2025-03-29 22:59", "2025-03-30 21:59", 23 * 60),
        ("2025-10-25 21:59", "2025-10-26 22:59", 24 * 60),  # 25 hours, one of them silent
    ):
        assert len(list(cron.runs(after=utc(first), until=utc(last)))) == length


def test_an_until_inside_the_repeated_hour_ends_with_the_first_pass() -> None:
    cron = ss.Cron("*/30 * * * ? *", timezone="Europe/Paris")
    runs = cron.runs(after=utc("2025-10-25 23:59"), until=utc("2025-10-26 01:40"))
    assert shown(runs) == [
        "2025-10-26 02:00+02:00",
        "2025-10-26 02:30+02:00",
    ]


def test_offsets_with_seconds_are_kept_exactly() -> None:
    cron = ss.Cron("0 0 * * ? *", timezone="Africa/Monrovia")
    run = cron.next_run(utc("1971-06-01 12:00"))
    assert run == datetime.fromisoformat("1971-06-02T00:00:00-00:44:30")
