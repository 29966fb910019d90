"""A calendar schedule runs at ``start + k × every``, as ``dateutil`` adds it from the start."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stepsched as ss

from . import oracle
from .strategies import Place, places, steps

# Starts in gaps are among the examples: they move, with a warning (P-03).
pytestmark = pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")

UTC = timezone.utc
TICK = timedelta(microseconds=1)
proof = settings(max_examples=4_000)


class Asked(NamedTuple):
    """A schedule in both readings, and a stretch of it."""

    schedule: ss.Windowed
    steps: oracle.Steps
    after: datetime
    until: datetime


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    place: Place = draw(places())
    counts = draw(steps())
    wall = place.moment.astimezone(place.zone).replace(tzinfo=None)
    far = place.moment.year > 2150  # leave room for the steps to come
    wall = wall.replace(year=1990, day=min(wall.day, 28)) if far else wall
    if draw(st.booleans()):
        wall = wall.replace(day=28) + timedelta(days=draw(st.integers(0, 3)))
    walk = oracle.Steps(wall, place.zone, **counts)
    low, length = draw(st.integers(0, 30)), draw(st.integers(0, 12))
    moved = st.sampled_from([-TICK, timedelta(0), TICK, timedelta(hours=1), -timedelta(days=400)])
    after = walk.run(low) + draw(moved)
    until = max(walk.run(low + length) + draw(moved), after)
    every = ss.Frequency(**counts)
    start = wall.replace(tzinfo=place.zone) if wall.fold else wall
    end = draw(st.sampled_from([None, walk.run(low + length), max(until + TICK, walk.run(0)), walk.run(0)]))
    return Asked(ss.Windowed(start, end=end, every=every, timezone=place.key), walk, after, until)


def check(asked: Asked) -> None:
    schedule, walk, after, until = asked
    end = datetime.max.replace(tzinfo=UTC)
    if schedule.end is not None:
        end = schedule.end.replace(tzinfo=schedule.end.tzinfo or walk.zone).astimezone(UTC)
    expected = walk.runs(after, min(until, end))
    runs = list(schedule.runs(after=after, until=until))
    assert runs == expected
    assert [run.utcoffset() for run in runs] == [run.astimezone(walk.zone).utcoffset() for run in expected]
    assert schedule.upcoming(len(expected), after=after) == expected
    if expected:
        assert schedule.next_run(after) == expected[0]
        assert schedule.previous_run(expected[-1] + TICK) == expected[-1]
    else:
        following = schedule.next_run(after)
        assert following is None or following > until
    earlier = walk.runs(walk.run(0) - TICK, min(after - TICK, end))
    assert schedule.previous_run(after) == (earlier[-1] if earlier else None)
    assert type(schedule).model_validate_json(schedule.model_dump_json()) == schedule


@given(
    key=st.sampled_from(["Pacific/Apia", "Pacific/Kiritimati"]),
    before=st.integers(0, 4),
    minute=st.integers(0, 24 * 60 - 1),
    counts=st.sampled_from([{"days": 1}, {"days": 2}, {"days": 1, "hours": 1}, {"weeks": 1}, {"hours": 8}]),
    asked_after=st.one_of(st.integers(-2, 8).map(lambda days: 24 * days), st.integers(-24, 24 * 8)),
    offset=st.sampled_from([-TICK, timedelta(0), TICK]),
)
def test_a_day_that_never_was_neither_loses_nor_repeats_a_run(
    key: str, before: int, minute: int, counts: dict[str, int], asked_after: int, offset: timedelta
) -> None:
    (gap,) = [
        change for change in oracle.transitions(key) if change.after - change.before == timedelta(days=1)
    ]
    missing = (gap.at + gap.before).replace(tzinfo=None)
    wall = missing - timedelta(days=before + 1) + timedelta(minutes=minute)
    walk = oracle.Steps(wall, ZoneInfo(key), **counts)
    schedule = ss.Windowed(wall, every=ss.Frequency(**counts), timezone=key)
    after = walk.run(0) + timedelta(hours=asked_after) + offset
    check(Asked(schedule, walk, after, after + timedelta(days=5)))


@given(asked=asked())
def test_runs_are_the_start_plus_whole_steps(asked: Asked) -> None:
    check(asked)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@proof
@given(asked=asked())
def test_runs_are_the_start_plus_whole_steps_at_length(asked: Asked) -> None:
    check(asked)
