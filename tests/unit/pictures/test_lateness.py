"""Lateness: how late runs started, and a sign for each other outcome."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

import pytest

from stepsched.display.svg import BAD, BUSY, CALM, GOOD, WARN, Paint
from stepsched.pictures.lateness import _SIGNS, MOST_POINTS, MOST_SIGNS, Lateness, Point, State
from tests.unit.pictures.drawn import (
    HOSTILE,
    PAINTS,
    SVG,
    colors,
    contrast,
    read,
    texts,
    titled,
    tooltips,
    written,
)

UTC = timezone.utc
MONDAY = datetime(2030, 1, 7, tzinfo=UTC)
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)


def late(seconds: float, state: State = State.SUCCEEDED, after: timedelta = DAY * 0) -> Point:
    return Point(MONDAY + after, MONDAY + after + seconds * SECOND, state, "job")


def not_started(state: State, after: timedelta = DAY * 0) -> Point:
    return Point(MONDAY + after, None, state, "job", "why")


def heights(points: Iterable[Point]) -> list[float]:
    drawn = titled(read(Lateness(list(points), UTC).to_svg()))
    return [float(each.split(" ")[1].split("h")[0]) for each in drawn.values() if each.endswith("h0")]


def test_the_scale_is_logarithmic_from_one_second() -> None:
    # 60 seconds are at the top of 206 pixels, and their square root in the middle.
    top, middle, bottom = heights([late(60), late(60**0.5, after=DAY), late(1, after=2 * DAY)])
    assert (round(bottom - top, 1), round(bottom - middle, 1)) == (206, 103)


def test_what_is_early_or_at_once_is_at_the_bottom() -> None:
    assert (
        len(set(heights([late(-5), late(0, after=DAY), late(0.9, after=2 * DAY), late(1, after=3 * DAY)])))
        == 1
    )


def test_marks_are_readable_lengths_of_time() -> None:
    assert {"≤ 1 s late", "10 s", "1 min", "10 min", "1 h"} <= set(
        written(read(Lateness([late(3_000)], UTC).to_svg()))
    )


def test_every_state_has_a_sign_of_its_own_a_count_and_a_tooltip() -> None:
    started = (State.SUCCEEDED, State.RUNNING, State.FAILED)
    points = [late(5, state, number * DAY) for number, state in enumerate(started)]
    points += [not_started(state, 5 * DAY) for state in State if state not in started]
    root = read(Lateness(points, UTC).to_svg())
    assert {f"1 {state}" for state in State} | {"not started"} <= set(written(root))
    shapes = {sign(0, 0) for sign, _ in _SIGNS.values()}
    assert len(shapes) == len(State)
    assert "job, Wed 9 Jan 2030 00:00 +00:00\nfailed, started 5 s late" in tooltips(root)
    assert "job, Sat 12 Jan 2030 00:00 +00:00\nskipped\nwhy" in tooltips(root)


def test_of_many_runs_those_that_need_attention_keep_their_signs_and_tooltips() -> None:
    points = [late(number % 50, after=number * MINUTE) for number in range(MOST_POINTS + 1)]
    root = read(Lateness([*points, late(9, State.FAILED)], UTC).to_svg())
    assert any("failed" in title for title in tooltips(root))
    assert f"{MOST_POINTS + 1:,} succeeded; at most" in "".join(tooltips(root))


def test_many_failed_runs_are_bars_over_time_with_their_name() -> None:
    points = [late(1, State.FAILED, number * MINUTE) for number in range(MOST_SIGNS + 1)]
    root = read(Lateness([late(1), *points], UTC).to_svg())
    assert "failed" in written(root)
    assert any(title.startswith(f"{MOST_SIGNS + 1} failed; at most") for title in tooltips(root))


@pytest.mark.parametrize("paint", PAINTS, ids=["sheet", "page"])
@pytest.mark.parametrize("count", [0, 1, 2, 300, 1_000, 1_001, 20_000])
def test_any_number_of_runs_is_small_and_inside(count: int, paint: Paint) -> None:
    states = [*[State.SUCCEEDED] * 10, *State]
    points = list[Point]()
    for number in range(count):
        at, state = MONDAY + number * MINUTE, states[number % len(states)]
        is_started = state in (State.SUCCEEDED, State.RUNNING, State.FAILED)
        started = at + number**2 % 99_991 * SECOND if is_started else None
        points.append(Point(at, started, state, HOSTILE, HOSTILE))
    root = read(Lateness(points, UTC, [HOSTILE]).to_svg(paint))
    assert colors(root) <= {paint.ink, paint.soft}
    assert texts(root)


@pytest.mark.parametrize("offset", [-5, 0, 9])
def test_runs_at_the_ends_of_the_calendar_are_drawn(offset: int) -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    for instants in ([first], [last], [first, last], [MONDAY, last]):
        points = [Point(at, at, State.SUCCEEDED, f"job {at.year}") for at in instants]
        root = read(Lateness(points, timezone(timedelta(hours=offset))).to_svg())
        assert all(any(point.name in title for title in tooltips(root)) for point in points)


def test_the_areas_are_seen_on_white_and_on_dark_grounds() -> None:
    for color in (GOOD, BAD, WARN, BUSY, CALM):
        assert contrast(color, "#ffffff") >= 3
        assert contrast(color, "#111111") >= 3


def test_no_run_says_so() -> None:
    root = read(Lateness([], UTC).to_svg())
    assert "no run in this time" in written(root)
    assert not list(root.iter(f"{SVG}circle"))
