"""Hours of days: every number is written where it belongs, and the busiest are named."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from stepsched.display.svg import BUSY, Paint
from stepsched.pictures import heat
from stepsched.pictures.heat import MOST_DAYS, Heat, Hour
from tests.unit.pictures.drawn import (
    HOSTILE,
    MARGIN,
    PAINTS,
    SVG,
    colors,
    contrast,
    mixed,
    read,
    texts,
    titled,
    tooltips,
    written,
)

UTC = timezone.utc
PARIS, SANTIAGO = ZoneInfo("Europe/Paris"), ZoneInfo("America/Santiago")
MONDAY = datetime(2030, 1, 7, tzinfo=UTC)
DAY = timedelta(days=1)


def full(days: int, runs: int = 9_999) -> heat.Hours:
    dates = [(MONDAY + number * DAY).date() for number in range(days)]
    return {(day, hour): Hour(runs - hour, runs // 10) for day in dates for hour in range(24)}


def test_a_number_is_in_the_cell_of_its_hour() -> None:
    hours = {(date(2030, 1, 9), 9): Hour(1_234, 40), (date(2030, 1, 7), 23): Hour(3, 1)}
    root = read(Heat(hours, 70, MONDAY, MONDAY + 7 * DAY, UTC).to_svg())
    by_text = {text.text: text for text in reversed(texts(root))}
    number = next(text for text in texts(root) if text.text == "1.2k" and text.size == 10)
    # Cells are 32 pixels wide, from 84 on; the third row is 52 pixels below the first.
    assert number.x == 84 + 9.5 * 32
    assert by_text["Wed 9 Jan"].y - by_text["Mon 7 Jan"].y == 52
    assert abs(number.y - by_text["Wed 9 Jan"].y) <= 2
    assert by_text["1,234"].y == by_text["Wed 9 Jan"].y
    cell = titled(root)["Mon 7 Jan 23:00: 3 runs, at most 1 in one minute"]
    assert cell.startswith(f"M{84 + 23 * 32 + 0.5:g} ")


def test_the_bar_of_a_cell_and_of_an_hour_of_all_days_is_as_long_as_its_share() -> None:
    hours = {
        (date(2030, 1, 7), 9): Hour(100, 1),
        (date(2030, 1, 8), 9): Hour(25, 1),
        (date(2030, 1, 8), 5): Hour(50, 1),
    }
    root = read(Heat(hours, 3, MONDAY, MONDAY + DAY, UTC).to_svg())
    (bars,) = (
        each.attrib["d"] for each in root.iter(f"{SVG}path") if each.attrib.get("stroke-width") == "2.5"
    )
    assert [part.partition("h")[2] for part in bars.split("M")[1:]] == ["31", "15.5", "7.8"]
    heights = {
        title: drawn.split("v")[1].split("H")[0]
        for title, drawn in titled(root).items()
        if "at most" not in title
    }
    assert heights == {"05:00: 50 runs": "12.8", "09:00: 125 runs": "32"}


def test_the_title_the_busiest_hours_and_the_legend_say_what_is_seen() -> None:
    hours = {(date(2030, 1, 7), hour): Hour(hour + 1, 2) for hour in range(10)}
    seen = written(read(Heat(hours, 70, MONDAY, MONDAY + DAY, UTC, notes=["a note"]).to_svg()))
    assert seen[:4] == [
        "55 runs of 70 jobs: runs in each hour",
        "Mon 7 Jan 2030 00:00 to Tue 8 Jan 2030 00:00, UTC",
        "a note",
        (
            "Busiest hours (framed): Mon 7 Jan 09:00, 10 · Mon 7 Jan 08:00, 9 · Mon 7 Jan 07:00, 8. "
            "Busiest minute: 2 runs."
        ),
    ]
    assert {"1-2 an hour", "7-10 an hour"} <= set(seen)


def test_a_clock_change_is_marked_in_its_row() -> None:
    since = datetime(2030, 3, 30, 12, tzinfo=UTC)
    root = read(Heat(full(0), 1, since, since + 2 * DAY, PARIS).to_svg())
    assert "clock +1 h at Sun 31 Mar 2030 03:00 +02:00" in tooltips(root)
    assert "clock change" in written(root)


@pytest.mark.parametrize(("until", "marked"), [("2030-09-07T18:00", 0), ("2030-09-08T12:00", 1)])
def test_a_clock_change_at_midnight_is_marked_in_the_day_that_begins_with_it(until: str, marked: int) -> None:
    end = datetime.fromisoformat(until).replace(tzinfo=SANTIAGO)
    root = read(Heat({(date(2030, 9, 7), 9): Hour(70, 9)}, 70, end - DAY, end, SANTIAGO).to_svg())
    assert tooltips(root).count("clock +1 h at Sun 8 Sep 2030 01:00 -03:00") == marked
    rows = {text.text: text.y for text in texts(root) if "Sep" in text.text and text.x == 0}
    # The sign is at the upper end of the row, 17 pixels above the base of its name.
    signs = [d for d in (each.attrib["d"] for each in root.iter(f"{SVG}path")) if d.endswith("h7l-7 7z")]
    heights = [float(each.split("h")[0].split(" ")[1]) for each in signs[1::2]]
    assert heights[:marked] == [y - 17 for name, y in rows.items() if name == "Sun 8 Sep"]


@pytest.mark.parametrize("paint", PAINTS, ids=["sheet", "page"])
@pytest.mark.parametrize("days", [1, 7, MOST_DAYS])
def test_the_largest_pictures_are_small_and_their_texts_inside(days: int, paint: Paint) -> None:
    for runs in (60, 9_999, 999_999_999):
        shown = Heat(full(days, runs), 5_000, MONDAY, MONDAY + (days - 1) * DAY, UTC, notes=[HOSTILE])
        assert colors(read(shown.to_svg(paint))) <= {paint.ink, paint.soft}


def test_no_run_says_so() -> None:
    assert "no run in this time" in written(read(Heat({}, 0, MONDAY, MONDAY + DAY, UTC).to_svg()))


@pytest.mark.parametrize(
    ("ground", "ink"),
    [("#ffffff", "#0f172a"), ("#ffffff", "#3b3b3b"), ("#111111", "#d4d4d4"), ("#1e1e1e", "#cccccc")],
)
def test_numbers_are_readable_on_the_deepest_cell(ground: str, ink: str) -> None:
    for depth in heat._DEPTHS:
        assert contrast(ink, mixed(BUSY, ground, depth)) >= 4.5


def test_the_margin_is_that_of_the_sheet() -> None:
    assert f'<g transform="translate({MARGIN} {MARGIN})">' in Heat({}, 0, MONDAY, MONDAY, UTC).to_svg()
