"""Lanes: a mark for each run, where it is."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from stepsched.display.svg import BUSY, PAGE, Paint
from stepsched.pictures.lanes import MOST_LANES, Lane, Lanes
from tests.unit.pictures.drawn import HOSTILE, PAINTS, SVG, colors, read, texts, titled, tooltips, written

UTC = timezone.utc
PARIS = ZoneInfo("Europe/Paris")
MONDAY = datetime(2030, 1, 7, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def lane(name: str, *marks: datetime) -> Lane:
    return Lane(name, "", marks, len(marks))


def test_a_mark_is_where_its_instant_is() -> None:
    # Eight days of 100 pixels each: 06:00 of the third day is 225 pixels from the left end of the axis.
    shown = Lanes([lane("job", MONDAY + 2 * DAY + 6 * HOUR)], MONDAY, MONDAY + 8 * DAY - HOUR, UTC)
    root = read(shown.to_svg())
    first = min(float(line.attrib["x1"]) for line in root.iter(f"{SVG}line") if line.attrib["x1"] != "0")
    assert titled(root)["Wed 9 Jan 2030 06:00 +00:00"].startswith(f"M{first + 225 - 1.5:g} ")


def test_names_days_times_and_counts_are_readable() -> None:
    marks = [MONDAY + day * DAY + 8 * HOUR for day in range(5)]
    root = read(Lanes([lane("nightly-report", *marks)], MONDAY, MONDAY + 7 * DAY, PARIS).to_svg())
    seen = written(root)
    assert seen[:2] == [
        "5 runs of 1 job",
        "Mon 7 Jan 2030 01:00 to Mon 14 Jan 2030 01:00, Europe/Paris (+01:00)",
    ]
    assert {"Mon 7 Jan", "Sun 13 Jan", "nightly-report", "5 runs"} <= set(seen)
    assert seen.count("09:00") == 5
    assert "Tue 8 Jan 2030 09:00 +01:00" in tooltips(root)


def test_runs_too_near_to_be_told_apart_are_one_block() -> None:
    hourly = [MONDAY + hour * HOUR for hour in range(9, 18)]
    root = read(Lanes([lane("job", *hourly)], MONDAY, MONDAY + 8 * DAY - HOUR, UTC).to_svg())
    (title,) = (each for each in titled(root) if each.startswith("Mon"))
    assert title == "Mon 7 Jan 2030 09:00 +00:00 to Mon 7 Jan 2030 17:00 +00:00"
    # Eight hours of 100/24 pixels, and the width of a mark.
    assert f"h{8 * 100 / 24 + 3:.1f}v" in titled(root)[title]


def test_weekends_the_present_and_clock_changes_are_marked() -> None:
    since = datetime(2030, 3, 29, 12, tzinfo=UTC)
    root = read(Lanes([lane("job", since)], since, since + 6 * DAY, PARIS, now=since).to_svg())
    assert len([each for each in root.iter(f"{SVG}rect") if each.attrib.get("fill-opacity") == "0.06"]) == 2
    assert {"now", "clock +1 h"} <= set(written(root))
    assert "clock +1 h at Sun 31 Mar 2030 03:00 +02:00" in tooltips(root)


@pytest.mark.parametrize("paint", PAINTS, ids=["sheet", "page"])
def test_texts_have_the_colors_of_the_paint_and_escape_what_users_write(paint: Paint) -> None:
    shown = Lanes([Lane(HOSTILE, HOSTILE, [MONDAY], 1)], MONDAY, MONDAY + DAY, UTC, notes=[HOSTILE])
    root = read(shown.to_svg(paint))
    assert colors(root) <= {paint.ink, paint.soft}
    assert not any("\u202e" in text for text in [*written(root), *tooltips(root)])
    assert any("<script>" in text for text in written(root))


@pytest.mark.parametrize(
    "name", ["a-name-of-forty-characters-" + "x" * 13, "週末の集計と請求書の作成と送信" * 3]
)
def test_long_names_are_cut_and_whole_in_the_tooltip(name: str) -> None:
    root = read(Lanes([lane(name, MONDAY)], MONDAY, MONDAY + DAY, UTC).to_svg())
    assert name in tooltips(root)
    assert max(text.right for text in texts(root) if text.text[0] == name[0]) <= 245


@pytest.mark.parametrize("days", [0, 1, 2, 7, 31, 70, 366, 3_653])
@pytest.mark.parametrize("jobs", [0, 1, 12, 30, MOST_LANES])
def test_any_number_of_runs_over_any_span_is_small_and_inside(jobs: int, days: int) -> None:
    length = max(days * DAY, timedelta(seconds=1))
    marks = [MONDAY + length * (number / 800) for number in range(800)]
    lanes = [Lane("n" * 60, "", marks[:: number % 9 + 1], 1_000_000) for number in range(jobs)]
    for paint in PAINTS:
        read(Lanes(lanes, MONDAY, MONDAY + length, PARIS, now=MONDAY).to_svg(paint))


def test_no_run_says_so() -> None:
    assert "no run in this time" in written(read(Lanes([], MONDAY, MONDAY + DAY, UTC).to_svg()))


def test_equal_values_are_drawn_equally_without_a_ground_on_a_page() -> None:
    shown = Lanes([lane("job", MONDAY)], MONDAY, MONDAY + DAY, UTC)
    assert shown.to_svg() == shown._replace().to_svg()
    assert "#ffffff" not in shown.to_svg(PAGE)
    assert BUSY in shown.to_svg(PAGE)
