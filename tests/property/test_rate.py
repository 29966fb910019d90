"""A rate is ``start + k × every`` of elapsed time, whatever the clocks do."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stepsched as ss

from .strategies import Place, places

UTC = timezone.utc
TICK = timedelta(microseconds=1)

intervals = st.one_of(
    st.integers(1, 90), st.integers(1, 100).map(lambda n: n * 60), st.integers(1, 400).map(lambda n: n * 1440)
)
moved = st.one_of(st.integers(-300, 300), st.integers(-40_000, 40_000))
ends = st.one_of(st.none(), st.integers(1, 60_000))


def check_rate(place: Place, minutes: int, ahead: int, length: int, end_after: int | None) -> None:
    every = timedelta(minutes=minutes)
    start = place.moment.astimezone(UTC)
    after = (start + timedelta(minutes=ahead)).astimezone(place.moment.tzinfo)
    until = after.astimezone(UTC) + length * every + TICK
    end = None if end_after is None else start + timedelta(minutes=end_after)
    rate = ss.Rate(every, start=place.moment, end=end)
    grid = []
    run = start
    while run <= until and (end is None or run <= end):
        grid.append(run)
        run += every
    expected = [run for run in grid if run > after]
    earlier = [run for run in grid if run < after]
    assert list(rate.runs(after=after, until=until)) == expected
    assert rate.upcoming(len(expected), after=after) == expected
    assert rate.previous_run(after) == (earlier[-1] if earlier else None)
    if expected:
        assert rate.next_run(after) == expected[0]
        assert rate.previous_run(expected[-1] + TICK) == expected[-1]
    if end is not None and grid and grid[-1] + every > end:
        assert rate.next_run(grid[-1]) is None
        assert rate.previous_run(datetime.max.replace(tzinfo=UTC)) == grid[-1]


asked = given(place=places(), minutes=intervals, ahead=moved, length=st.integers(0, 30), end_after=ends)


@asked
def test_runs_lie_on_the_grid_of_the_start(
    place: Place, minutes: int, ahead: int, length: int, end_after: int | None
) -> None:
    check_rate(place, minutes, ahead, length, end_after)


@given(place=places(), minutes=intervals, count=st.integers(0, 20))
def test_without_a_start_it_counts_from_the_instant_asked(place: Place, minutes: int, count: int) -> None:
    every = timedelta(minutes=minutes)
    rate = ss.Rate(every)
    instant = place.moment.astimezone(UTC)
    assert rate.upcoming(count, after=place.moment) == [instant + (k + 1) * every for k in range(count)]
    assert rate.previous_run(place.moment) is None


@given(minutes=st.integers(1, 600_000))
def test_its_text_is_read_back_as_the_same_interval(minutes: int) -> None:
    rate = ss.Rate(timedelta(minutes=minutes))
    assert ss.parse_schedule(str(rate)) == rate
    assert ss.Rate.model_validate_json(rate.model_dump_json()) == rate


@pytest.mark.proof
@pytest.mark.timeout(3600)
@settings(max_examples=10_000)
@asked
def test_runs_lie_on_the_grid_of_the_start_at_length(
    place: Place, minutes: int, ahead: int, length: int, end_after: int | None
) -> None:
    check_rate(place, minutes, ahead, length, end_after)
