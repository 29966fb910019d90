"""Which calendar windows AWS can say, and why not the others."""

from __future__ import annotations

import warnings
from datetime import timedelta

import pytest

import stepsched as ss
from stepsched.schedules.equivalents import NoEquivalentError, aws_equivalent

from .times import utc

PARIS = "Europe/Paris"
YEAR_END = "2031-01-01T00:00"


def windowed(start: str, *, end: str | None = None, zone: str = "UTC", **every: int) -> ss.Windowed:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ss.ScheduleWarning)  # of a start in a gap
        return ss.Windowed(start, end=end, every=ss.Frequency(**every), timezone=zone)


@pytest.mark.parametrize(
    ("window", "expression"),
    [
        pytest.param(windowed("2030-01-01T09:00", minutes=5), "rate(5 minutes)", id="minutes"),
        pytest.param(windowed("2030-01-01T09:00:30", hours=36), "rate(36 hours)", id="hours, with seconds"),
        pytest.param(windowed("2030-01-01T09:00", zone=PARIS, hours=24), "rate(1 day)", id="24 hours"),
        pytest.param(windowed("2030-01-01T09:00", days=1), "cron(0 9 * * ? *)", id="days"),
        pytest.param(windowed("2030-01-01T09:00", days=3), "rate(3 days)", id="3 days in UTC"),
        pytest.param(windowed("2030-01-01T09:00", zone="Asia/Tokyo", weeks=2), "rate(14 days)", id="2 weeks"),
        pytest.param(
            windowed("2030-04-01T09:00", end="2030-10-01T00:00", zone=PARIS, days=3),
            "rate(3 days)",
            id="3 days between two changes",
        ),
        pytest.param(
            windowed("2030-01-01T09:00", zone=PARIS, days=1), "cron(0 9 * * ? *)", id="days in Paris"
        ),
        pytest.param(windowed("2030-01-01T09:00", zone=PARIS, weeks=1), "cron(0 9 ? * TUE *)", id="weeks"),
        pytest.param(windowed("2030-01-06T09:00", days=7), "cron(0 9 ? * SUN *)", id="7 days"),
        pytest.param(windowed("2030-01-28T09:00", months=1), "cron(0 9 28 * ? *)", id="28th"),
        pytest.param(windowed("2030-01-31T09:00", months=1), "cron(0 9 L * ? *)", id="31st"),
        pytest.param(
            windowed("2030-02-15T09:05", quarters=1), "cron(5 9 15 FEB,MAY,AUG,NOV ? *)", id="quarters"
        ),
        pytest.param(windowed("2030-03-30T09:00", months=3), "cron(0 9 30 MAR,JUN,SEP,DEC ? *)", id="30th"),
        pytest.param(windowed("2030-08-31T09:00", months=3), "cron(0 9 L FEB,MAY,AUG,NOV ? *)", id="31st, 3"),
        pytest.param(windowed("2030-01-30T09:00", months=6), "cron(0 9 30 JAN,JUL ? *)", id="half years"),
        pytest.param(windowed("2030-04-30T09:00", years=1), "cron(0 9 30 APR ? *)", id="years"),
        pytest.param(windowed("2028-02-29T09:00", years=1), "cron(0 9 L FEB ? *)", id="leap day"),
        pytest.param(windowed("2028-02-29T09:00", years=4), "cron(0 9 L FEB ? 2028/4)", id="leap years"),
        pytest.param(windowed("2030-02-28T09:00", months=24), "cron(0 9 28 FEB ? 2030/2)", id="24 months"),
        pytest.param(
            windowed("2030-04-01T02:30", end="2031-03-01T00:00", zone=PARIS, days=1),
            "cron(30 2 * * ? *)",
            id="02:30, between two gaps",
        ),
        pytest.param(
            windowed("2030-10-27T02:30", end=YEAR_END, zone=PARIS, weeks=1),
            "cron(30 2 ? * SUN *)",
            id="overlap",
        ),
    ],
)
def test_what_aws_can_say_becomes_that(window: ss.Windowed, expression: str) -> None:
    said = aws_equivalent(window)
    assert said.expression == expression
    first = window.upcoming(1, after=utc("1990-01-01"))
    assert said.upcoming(1, after=utc("1990-01-01")) == first
    assert said.start == first[0]


def test_the_window_and_the_zone_stay() -> None:
    said = aws_equivalent(windowed("2030-01-01T09:00", end="2030-06-01T09:00", zone=PARIS, days=1))
    assert said == ss.Cron("0 9 * * ? *", timezone=PARIS, start="2030-01-01T08:00Z", end="2030-06-01T07:00Z")


@pytest.mark.parametrize(
    ("step", "expression"),
    [
        pytest.param({"seconds": 60}, "rate(1 minute)", id="60"),
        pytest.param({"seconds": 5400}, "rate(90 minutes)", id="5400"),
        pytest.param({"minutes": 1, "seconds": 60}, "rate(2 minutes)", id="with minutes"),
        pytest.param({"seconds": 86_400}, "rate(1 day)", id="a day"),
    ],
)
def test_seconds_that_make_whole_minutes_are_a_rate(step: dict[str, int], expression: str) -> None:
    window = ss.Windowed("2030-01-01T09:00:07", every=ss.Frequency(**step), timezone=PARIS)
    said = aws_equivalent(window)
    assert said.expression == expression
    after = utc("1990-01-01")
    assert said.upcoming(50, after=after) == window.upcoming(50, after=after)


@pytest.mark.parametrize(
    ("window", "reason"),
    [
        pytest.param(
            windowed("2030-01-01T09:00", seconds=10),
            "EventBridge Scheduler has no step of 10 seconds: its steps are whole minutes, one at least, "
            "and it starts a run within the minute",
            id="10 seconds",
        ),
        pytest.param(windowed("2030-01-01T09:00", seconds=90), "no step of 90 seconds", id="90 seconds"),
        pytest.param(
            windowed("2030-01-01T09:00", hours=1, seconds=1),
            "no step of 1 hour and 1 second",
            id="hour and 1",
        ),
        pytest.param(
            windowed("2030-01-01T09:00", days=1, seconds=60),
            "no step of 1 day and 60 seconds",
            id="day and 60",
        ),
        pytest.param(
            windowed("2030-01-01T09:00", end="2030-01-01T09:00", days=1),
            "a single run; use OneTime",
            id="one run",
        ),
        pytest.param(
            windowed("2030-01-01T09:00", months=1, days=1),
            "no step of 1 month and 1 day",
            id="months and days",
        ),
        pytest.param(
            windowed("2030-01-01T09:00", days=1, hours=1), "no step of 1 day and 1 hour", id="days and hours"
        ),
        pytest.param(
            windowed("2030-01-30T09:00", months=1), "no expression for the 30th or, in February", id="30th"
        ),
        pytest.param(
            windowed("2030-01-29T09:00", months=1), "no expression for the 29th or, in February", id="29th"
        ),
        pytest.param(
            windowed("2030-08-29T09:00", months=6), "no expression for the 29th", id="29th, twice a year"
        ),
        pytest.param(
            windowed("2030-01-01T09:00", months=5), "5 months, which does not divide a year", id="5 months"
        ),
        pytest.param(windowed("2030-01-01T09:00", months=18), "no step of 18 months", id="18 months"),
        pytest.param(
            windowed("2030-01-01T09:00", zone=PARIS, days=3), "3 days where the clocks change", id="3 days"
        ),
        pytest.param(
            windowed("2030-01-01T09:00:30", days=1), r"its start has seconds \(09:00:30\)", id="seconds"
        ),
        pytest.param(
            windowed("2030-01-01T02:30", zone=PARIS, days=1),
            "2030-03-31T02:30:00 does not exist in Europe/Paris",
            id="gap",
        ),
        pytest.param(
            windowed("2030-10-27T02:30+01:00", zone=PARIS, weeks=1),
            "the second pass of a repeated hour",
            id="second pass",
        ),
        pytest.param(windowed("2200-01-01T09:00", days=1), "starts after 2199", id="late"),
        pytest.param(
            windowed("2011-12-01T09:00", zone="Pacific/Apia", days=1),
            "2011-12-30T09:00:00 does not exist",
            id="a lost day",
        ),
    ],
)
def test_what_would_differ_on_a_single_run_is_refused_with_the_reason(
    window: ss.Windowed, reason: str
) -> None:
    with pytest.raises(NoEquivalentError, match=reason):
        aws_equivalent(window)


@pytest.mark.parametrize(
    "window",
    [
        pytest.param(windowed("2030-03-31T02:30", end=YEAR_END, zone=PARIS, days=1), id="days"),
        pytest.param(windowed("2030-03-31T02:30", end=YEAR_END, zone=PARIS, weeks=1), id="weeks"),
        pytest.param(windowed("2030-03-31T02:30", end=YEAR_END, zone=PARIS, months=1), id="months"),
    ],
)
def test_a_first_run_in_a_gap_is_not_lost(window: ss.Windowed) -> None:
    expected = window.upcoming(300, after=utc("2030-01-01"))
    try:
        said = aws_equivalent(window)
    except NoEquivalentError:
        return
    assert said.upcoming(300, after=utc("2030-01-01")) == expected


@pytest.mark.parametrize(
    "window",
    [
        pytest.param(windowed("2030-01-01T09:00", years=230), id="more years than a cron has"),
        pytest.param(windowed("1960-01-01T09:00", years=2), id="years from before the dialect's"),
        pytest.param(windowed("1960-01-01T09:00", months=1), id="months from before the dialect's"),
        pytest.param(
            windowed("2030-01-01T09:00", end="9999-12-31T00:00", zone="Asia/Tokyo", days=2),
            id="to the end of time",
        ),
        pytest.param(
            windowed("0001-01-03T09:00", zone="Asia/Tokyo", days=2), id="from the beginning of time"
        ),
    ],
)
def test_a_window_out_of_the_dialects_years_is_refused_or_said_exactly(window: ss.Windowed) -> None:
    try:
        said = aws_equivalent(window)
    except NoEquivalentError:
        return
    start = window.start.replace(tzinfo=utc("2000-01-01").tzinfo) - timedelta(days=1)
    assert said.upcoming(200, after=start) == window.upcoming(200, after=start)


def test_asking_twice_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ss.ScheduleWarning)
        first = aws_equivalent(windowed("2030-01-01T09:00", days=1))
        assert aws_equivalent(windowed("2030-01-01T09:00", days=1)) == first
