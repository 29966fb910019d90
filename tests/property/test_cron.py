"""A cron runs exactly where a minute-by-minute walk over the zone's clocks finds it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stepsched as ss

from . import oracle
from .strategies import CRONS, CRONS_WITH_YEARS, SPECIAL_DAYS, Place, places

pytestmark = pytest.mark.filterwarnings("ignore:day-of-week .* Sunday to Thursday:stepsched.ScheduleWarning")

UTC = timezone.utc
TICK = timedelta(microseconds=1)
HORIZON = timedelta(days=800)
"""How far the walk looks for one run: past every month and one leap day in two."""
LIMIT = 200
"""How many runs of a stretch are compared."""

minutes_long = st.integers(120, 60 * 24 * 12).map(lambda minutes: timedelta(minutes=minutes))
offsets = st.one_of(st.none(), st.integers(-4000, 4000).map(lambda minutes: timedelta(minutes=minutes)))
proof = settings(max_examples=4_000)


def check_next(expression: str, place: Place) -> None:
    after = place.moment.astimezone(UTC)
    walk = oracle.cron_runs(oracle.read(expression), place.zone, after, after + HORIZON)
    expected = next(walk, None)
    run = ss.Cron(expression, timezone=place.key).next_run(place.moment)
    if expected is None:
        assert run is None or run > after + HORIZON
    else:
        assert run == expected
        assert run.utcoffset() == expected.astimezone(place.zone).utcoffset()


def check_previous(expression: str, place: Place) -> None:
    before = place.moment.astimezone(UTC)
    walk = oracle.cron_runs_back(oracle.read(expression), place.zone, before, before - HORIZON)
    expected = next(walk, None)
    run = ss.Cron(expression, timezone=place.key).previous_run(place.moment)
    if expected is None:
        assert run is None or run < before - HORIZON
    else:
        assert run == expected
        assert run.utcoffset() == expected.astimezone(place.zone).utcoffset()


def check_stretch(
    expression: str,
    place: Place,
    length: timedelta,
    start_offset: timedelta | None,
    end_offset: timedelta | None,
) -> None:
    after = place.moment.astimezone(UTC)
    until = after + length
    start = None if start_offset is None else (after + start_offset).replace(second=0, microsecond=0)
    end = None if end_offset is None else (until + end_offset).replace(second=0, microsecond=0)
    if start is not None and end is not None and start >= end:
        start = None
    cron = ss.Cron(expression, timezone=place.key, start=start, end=end)
    low = after if start is None else max(after, start - TICK)
    high = until if end is None else min(until, end)
    walk = oracle.cron_runs(oracle.read(expression), place.zone, low, high)
    expected = list(islice(walk, LIMIT))
    assert list(islice(cron.runs(after=place.moment, until=until), LIMIT)) == expected
    if expected:
        assert cron.next_run(place.moment) == expected[0]
        assert cron.upcoming(len(expected), after=place.moment) == expected
    if start is not None and end is not None and len(expected) < LIMIT:
        inside = list(oracle.cron_runs(oracle.read(expression), place.zone, start - TICK, end))
        assert cron.previous_run(datetime.max.replace(tzinfo=UTC)) == (inside[-1] if inside else None)


def check_mirror(expression: str, place: Place) -> None:
    cron = ss.Cron(expression, timezone=place.key)
    following, former = cron.next_run(place.moment), cron.previous_run(place.moment)
    if following is not None:
        assert following > place.moment
        assert cron.previous_run(following + TICK) == following
        at_most = cron.previous_run(following)
        assert at_most is None or at_most <= place.moment
    if former is not None:
        assert former < place.moment
        assert cron.next_run(former - TICK) == former
        at_least = cron.next_run(former)
        assert at_least is None or at_least >= place.moment


def check_text(expression: str) -> None:
    cron = ss.Cron(expression)
    again = ss.Cron(cron.expression)
    assert again == cron
    assert hash(again) == hash(cron)
    assert ss.parse_schedule(str(cron)) == cron
    assert cron.expression is not None
    assert oracle.read(cron.expression[5:-1])[:4] == oracle.read(expression)[:4]
    assert ss.Cron.model_validate_json(cron.model_dump_json()) == cron


def check_days(days: str, first_year: int, last_year: int) -> None:
    day_of_month, day_of_week = days.split(" ")
    expression = f"0 12 {day_of_month} * {day_of_week} *"
    after, until = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year, 1, 1, tzinfo=UTC)
    walk = oracle.cron_runs(oracle.read(expression), ZoneInfo("UTC"), after, until)
    assert list(ss.Cron(expression).runs(after=after, until=until)) == list(walk)


asked_next = given(expression=CRONS, place=places())
asked_stretch = given(
    expression=CRONS, place=places(), length=minutes_long, start_offset=offsets, end_offset=offsets
)
asked_years = given(expression=CRONS_WITH_YEARS, place=places())


@asked_next
def test_next_run_is_the_first_one_that_the_walk_finds(expression: str, place: Place) -> None:
    check_next(expression, place)


@asked_next
def test_previous_run_is_the_first_one_that_the_walk_back_finds(expression: str, place: Place) -> None:
    check_previous(expression, place)


@asked_stretch
def test_runs_are_all_that_the_walk_finds_inside_the_window(
    expression: str,
    place: Place,
    length: timedelta,
    start_offset: timedelta | None,
    end_offset: timedelta | None,
) -> None:
    check_stretch(expression, place, length, start_offset, end_offset)


@asked_years
def test_a_year_field_is_kept(expression: str, place: Place) -> None:
    check_next(expression, place)
    check_previous(expression, place)


@pytest.mark.parametrize("days", SPECIAL_DAYS)
def test_the_special_days_of_eight_years_are_those_of_the_calendar(days: str) -> None:
    check_days(days, 2020, 2028)


@given(expression=st.one_of(CRONS, CRONS_WITH_YEARS), place=places())
def test_previous_mirrors_next(expression: str, place: Place) -> None:
    check_mirror(expression, place)


@given(expression=st.one_of(CRONS, CRONS_WITH_YEARS))
def test_the_canonical_text_means_the_same_and_stays_the_same(expression: str) -> None:
    check_text(expression)


@given(
    expression=CRONS,
    place=places(("Europe/Paris", "Africa/Cairo", "Australia/Lord_Howe", "America/St_Johns", "UTC")),
    length=st.integers(0, 60 * 24 * 300).map(lambda minutes: timedelta(minutes=minutes)),
)
def test_skipped_lists_the_wall_times_in_the_gaps(expression: str, place: Place, length: timedelta) -> None:
    after = place.moment.astimezone(UTC)
    expected = oracle.skipped_walls(oracle.read(expression), place.key, after, after + length)
    assert list(ss.Cron(expression, timezone=place.key).skipped(after, after + length)) == expected


@pytest.mark.proof
@pytest.mark.timeout(3600)
@proof
@asked_next
def test_next_run_against_the_walk_at_length(expression: str, place: Place) -> None:
    check_next(expression, place)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@proof
@asked_next
def test_previous_run_against_the_walk_back_at_length(expression: str, place: Place) -> None:
    check_previous(expression, place)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@proof
@asked_stretch
def test_runs_against_the_walk_at_length(
    expression: str,
    place: Place,
    length: timedelta,
    start_offset: timedelta | None,
    end_offset: timedelta | None,
) -> None:
    check_stretch(expression, place, length, start_offset, end_offset)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@proof
@asked_years
def test_year_fields_and_the_mirror_at_length(expression: str, place: Place) -> None:
    check_next(expression, place)
    check_previous(expression, place)
    check_mirror(expression, place)
    check_text(expression)


@pytest.mark.proof
@pytest.mark.parametrize("days", SPECIAL_DAYS)
def test_the_special_days_of_every_shape_of_month_are_those_of_the_calendar(days: str) -> None:
    """After 28 years every weekday has begun a month of every length."""
    check_days(days, 1972, 2000)
