"""Load: heights are numbers of runs, and the busiest minutes are numbered and named."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from stepsched.display.svg import PAGE, Paint
from stepsched.pictures.load import Limit, Load, Parts, Peak
from tests.unit.pictures.drawn import HOSTILE, PAINTS, SVG, colors, read, texts, tooltips, written

UTC = timezone.utc
MONDAY = datetime(2030, 1, 7, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def test_parts_are_as_wide_as_they_last_and_as_high_as_their_peaks() -> None:
    parts = Parts(MONDAY, MONDAY + 3 * HOUR, HOUR, [0, 10, 5], [0, 2.5, 2.5])
    root = read(Load(parts, UTC, "x").to_svg())
    heights = {text.text: text.y - 3.5 for text in texts(root) if text.anchor == "end"}
    base = heights["0"]
    assert base - heights["10"] == 210
    peaks, averages = (
        each.attrib["d"] for each in root.iter(f"{SVG}path") if each.attrib["d"].endswith(f"V{base:g}z")
    )
    assert peaks == f"M46 {base:g}V{base:g}H326V{base - 210:g}H606V{base - 105:g}H886V{base:g}z"
    assert averages == f"M46 {base:g}V{base:g}H326V{base - 52.5:g}H886V{base:g}z"


def test_busy_minutes_are_numbered_above_their_place_and_listed() -> None:
    parts = Parts(MONDAY, MONDAY + 10 * HOUR, HOUR, [9] * 10, [1.0] * 10)
    peaks = [Peak(MONDAY + 5 * HOUR, 9, ["a", "b"]), Peak(MONDAY + 5 * HOUR + MINUTE, 2, ["a", "b"])]
    root = read(Load(parts, UTC, "x", peaks).to_svg())
    assert "Mon 7 Jan 2030 05:00 +00:00: 9 runs: a, b and 7 more" in written(root)
    assert "Mon 7 Jan 2030 05:01 +00:00: 2 runs: a, b" in written(root)
    first, second = (float(each.attrib["cx"]) for each in list(root.iter(f"{SVG}circle"))[:2])
    assert second - first == 18  # side by side, with stems to their places


def test_every_listed_minute_has_a_sign_of_its_own() -> None:
    parts = Parts(MONDAY, MONDAY + 7 * DAY, HOUR, [2] * 168, [1.0] * 168)
    peaks = [Peak(MONDAY + number * MINUTE, 2, ["a", "b"]) for number in range(10)]
    root = read(Load(parts, UTC, "x", peaks).to_svg())
    signs = sorted(
        float(each.attrib["cx"]) for each in root.iter(f"{SVG}circle") if each.attrib["r"] == "7.5"
    )
    assert len(signs) == 10
    assert all(right - left == 18 for left, right in pairwise(signs))
    assert signs[0] >= 46


@pytest.mark.parametrize(
    ("share", "said", "has_line"),
    [(0.8, "80.0%", True), (0.2, "20.0%", True), (0.19, "19.0%", False), (0.0001, "less than 0.1%", False)],
)
def test_a_limit_that_is_near_has_a_line(share: float, said: str, has_line: bool) -> None:
    parts = Parts(MONDAY, MONDAY + HOUR, HOUR, [100], [1.0])
    limit = Limit(100 / share, "invocations_per_second", share)
    seen = written(read(Load(parts, UTC, "x", limit=limit).to_svg()))
    assert f"The busiest minute uses {said} of the quota invocations_per_second." in seen
    assert any(text.endswith("a minute") for text in seen) == has_line


@pytest.mark.parametrize("paint", PAINTS, ids=["sheet", "page"])
def test_the_largest_picture_is_small_and_its_texts_inside(paint: Paint) -> None:
    numbers = [(7_919 * number) % 50_000 for number in range(400)]
    peaks = [Peak(MONDAY + number * DAY, 50_000, [HOSTILE, "週末の集計" * 20] * 5) for number in range(60)]
    parts = Parts(MONDAY, MONDAY + 400 * DAY, DAY, numbers, [each / 3 for each in numbers])
    root = read(Load(parts, UTC, HOSTILE, peaks, Limit(60_000, "q", 0.9), [HOSTILE]).to_svg(paint))
    assert colors(root) <= {paint.ink, paint.soft}
    assert any("<script>" in title for title in tooltips(root))


def test_a_clock_change_is_marked() -> None:
    since = datetime(2030, 3, 30, tzinfo=UTC)
    shown = Load(Parts(since, since + 2 * DAY, DAY, [1, 1], [1.0, 1.0]), ZoneInfo("Europe/Paris"), "x")
    assert "clock +1 h at Sun 31 Mar 2030 03:00 +02:00" in tooltips(read(shown.to_svg()))


def test_a_span_without_length_is_drawn() -> None:
    read(Load(Parts(MONDAY, MONDAY, MINUTE, [0], [0.0]), UTC, "no run").to_svg(PAGE))


def test_the_last_part_ends_with_the_calendar() -> None:
    since = datetime(9999, 12, 31, 23, tzinfo=UTC)
    parts = Parts(since, since + 30 * MINUTE, 40 * MINUTE, [1, 2], [1.0, 1.0])
    assert "Fri 31 Dec 9999 23:00" in "".join(
        written(read(Load(parts, ZoneInfo("Asia/Tokyo"), "x").to_svg()))
    )
