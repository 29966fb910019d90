"""Where AWS is said to have an expression for a calendar window, it has the same runs, every one."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

import stepsched as ss
from stepsched.schedules.equivalents import NoEquivalentError, aws_equivalent

from . import oracle

# Starts in gaps are among the examples: they move, with a warning (P-03).
pytestmark = pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")

UTC = timezone.utc
TICK = timedelta(microseconds=1)
proof = settings(max_examples=4_000)
ZONES = (
    "Europe/Paris",
    "UTC",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # half an hour, southern
    "America/Santiago",  # gaps at midnight, southern
    "Pacific/Auckland",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Europe/Dublin",
    "Asia/Tehran",
    "Pacific/Apia",  # no 30 December 2011
)
STEPS: tuple[dict[str, int], ...] = (
    *({"months": n} for n in (1, 2, 3, 4, 6, 12, 24, 5)),
    *({"quarters": n} for n in (1, 2, 4)),
    *({"years": n} for n in (1, 2, 3, 4)),
    *({"days": n} for n in (1, 2, 3, 7, 30)),
    *({"weeks": n} for n in (1, 2)),
    *({"hours": n} for n in (1, 7, 24, 720)),
    *({"minutes": n} for n in (45, 1440, 10_000)),
    *({"seconds": n} for n in (600, 86_400, 3601)),
    {"months": 1, "days": 1},
    {"days": 1, "hours": 1},
)
"""Those that AWS may have a word for, and a few that it has not."""


class Drawn(NamedTuple):
    """A window in both readings."""

    window: ss.Windowed
    steps: oracle.Steps
    until: datetime


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    """A window of up to eight years, often near a change of the clocks or a month's end."""
    key = draw(st.sampled_from(ZONES))
    zone = ZoneInfo(key)
    counts = draw(st.sampled_from(STEPS))
    changes = [change for change in oracle.transitions(key) if 1985 <= change.at.year <= 2035]
    if draw(st.booleans()) and changes:
        change = draw(st.sampled_from(changes))
        wall = (change.at + change.before).replace(tzinfo=None)  # where the gap or the overlap begins
        wall += timedelta(minutes=15 * draw(st.integers(-8, 8)))
        wall -= timedelta(days=draw(st.sampled_from([0, 0, 1, 7, 31])))
    else:
        year, month = draw(st.integers(1985, 2040)), draw(st.integers(1, 12))
        late = draw(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 14]))  # days before the month's end
        day = (datetime(year + month // 12, month % 12 + 1, 1) - timedelta(days=1 + late)).day
        wall = datetime(year, month, day, draw(st.integers(0, 23)), draw(st.sampled_from([0, 30, 59])))
    wall = wall.replace(fold=0) + timedelta(seconds=draw(st.sampled_from([0, 0, 0, 0, 30])))
    steps = oracle.Steps(wall, zone, **counts)
    number = draw(st.sampled_from([None, None, 0, 1, 5, 40]))
    end = (
        None
        if number is None
        else steps.run(number) + draw(st.sampled_from([-TICK, TICK * 0, TICK * 60_000_000]))
    )
    if end is not None and end < steps.run(0):
        end = None
    dense = bool(steps.hours or steps.minutes or steps.seconds)
    until = steps.run(0) + timedelta(days=90 if dense else 8 * 366)
    window = ss.Windowed(wall, end=end, every=ss.Frequency(**counts), timezone=key)
    return Drawn(window, steps, until)


def check(drawn: Drawn) -> None:
    window, steps, until = drawn
    try:
        said = aws_equivalent(window)
    except NoEquivalentError as error:
        event(f"refused: {str(error).split(' ', 1)[0]}")
        return
    event(f"said as {said.kind}")
    last = until if window.end is None else min(until, oracle_end(window))
    expected = steps.runs(steps.run(0) - TICK, last)
    assert oracle_runs(said, steps.run(0) - timedelta(days=400), until) == expected
    assert list(said.runs(after=steps.run(0) - timedelta(days=400), until=until)) == expected


def oracle_end(window: ss.Windowed) -> datetime:
    assert window.end is not None
    return window.end.replace(tzinfo=window.end.tzinfo or ZoneInfo(window.timezone)).astimezone(UTC)


def oracle_runs(said: ss.Cron | ss.Rate, after: datetime, until: datetime) -> list[datetime]:
    """The runs of what AWS would be sent, walked without the engine."""
    assert said.start is not None
    assert said.expression is not None
    last = until if said.end is None else min(until, said.end)
    if isinstance(said, ss.Rate):
        found = []
        run = said.start
        while run <= last:
            found.append(run)
            run += said.every
        return found
    fields = oracle.read(said.expression[5:-1])
    return list(oracle.cron_runs(fields, ZoneInfo(said.timezone), max(after, said.start - TICK), last))


@given(drawn=drawn())
def test_an_equivalent_has_the_very_same_runs(drawn: Drawn) -> None:
    check(drawn)


@given(
    day=st.integers(28, 31),
    month=st.integers(1, 12),
    year=st.integers(2027, 2029),
    step=st.sampled_from([1, 2, 3, 4, 6, 12, 24, 48]),
)
def test_ends_of_months_and_leap_days_are_said_exactly_or_not_at_all(
    day: int, month: int, year: int, step: int
) -> None:
    first = datetime(year, month, 1) + timedelta(days=day - 1)
    assume(first.month == month)
    steps = oracle.Steps(first.replace(hour=9), ZoneInfo("UTC"), months=step)
    window = ss.Windowed(first.replace(hour=9), every=ss.Frequency(months=step))
    check(Drawn(window, steps, steps.run(0) + timedelta(days=9 * 366)))


@settings(max_examples=100)
@given(
    key=st.sampled_from([key for key in ZONES if key not in ("UTC", "Asia/Kolkata")]),
    place=st.integers(0, 10_000),
    minute=st.integers(-30, 90),
    counts=st.sampled_from([{"days": 1}, {"weeks": 1}, {"months": 1}, {"quarters": 1}, {"years": 1}]),
    number=st.sampled_from([1, 5, 40]),
)
def test_a_window_that_begins_at_a_change_of_the_clocks_is_said_exactly_or_not_at_all(
    key: str, place: int, minute: int, counts: dict[str, int], number: int
) -> None:
    changes = [change for change in oracle.transitions(key) if 1985 <= change.at.year <= 2035]
    change = changes[place % len(changes)]
    wall = (change.at + min(change.before, change.after)).replace(tzinfo=None, second=0)
    steps = oracle.Steps(wall + timedelta(minutes=minute), ZoneInfo(key), **counts)
    window = ss.Windowed(steps.wall, end=steps.run(number), every=ss.Frequency(**counts), timezone=key)
    check(Drawn(window, steps, steps.run(0) + timedelta(days=4 * 366)))


@pytest.mark.proof
@pytest.mark.timeout(3600)
@proof
@given(drawn=drawn())
def test_an_equivalent_has_the_very_same_runs_at_length(drawn: Drawn) -> None:
    check(drawn)
