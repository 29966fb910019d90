"""Months: the days with runs are filled, in the right weekday."""

from __future__ import annotations

from datetime import date, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from stepsched.display.svg import BUSY, Paint
from stepsched.pictures import months
from stepsched.pictures.months import DayRuns, Months, month_begins
from tests.unit.pictures.drawn import (
    HOSTILE,
    PAINTS,
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
YEAR = month_begins(date(2030, 1, 1), date(2030, 12, 1))


def test_a_day_is_filled_in_its_week_and_weekday() -> None:
    # 1 January 2030 is a Tuesday, so that the 7th is the first day of the second week.
    shown = Months(
        {date(2030, 1, 1): DayRuns(1, "09:00"), date(2030, 1, 7): DayRuns(1, "09:00")}, YEAR, UTC, "x"
    )
    found = titled(read(shown.to_svg()))
    first, second = (
        found[each].lstrip("M").split("h")[0].split(" ") for each in ("Tue 1 Jan: 09:00", "Mon 7 Jan: 09:00")
    )
    assert (float(first[0]) - float(second[0]), float(second[1]) - float(first[1])) == (28, 24)
    assert float(second[0]) == 1


def test_every_day_of_the_year_stands_below_its_weekday() -> None:
    root = read(Months({}, YEAR, UTC, "x").to_svg())
    heads = {
        text.x: text.text for text in texts(root) if text.text in ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
    }
    numbers = [text for text in texts(root) if text.text.isdigit()]
    assert len(numbers) == 365
    found = sorted((heads[text.x], int(text.text)) for text in numbers)
    days = [date(2030, 1, 1) + timedelta(days=number) for number in range(365)]
    assert found == sorted((day.strftime("%a")[:2], day.day) for day in days)


def test_the_number_of_runs_stands_in_days_if_it_differs() -> None:
    same = written(
        read(Months({date(2030, 1, 1): DayRuns(24), date(2030, 1, 2): DayRuns(24)}, YEAR, UTC, "x").to_svg())
    )
    assert "2030: 48 runs on 2 days" in same
    assert "24 runs a day" in same
    differs = {date(2030, 1, 1): DayRuns(1_440), date(2030, 1, 2): DayRuns(36)}
    assert {"1.4k", "36", "1,440 runs a day"} <= set(written(read(Months(differs, YEAR, UTC, "x").to_svg())))


def test_clock_changes_and_today_are_marked() -> None:
    root = read(Months({}, YEAR, ZoneInfo("Europe/Paris"), "x", today=date(2030, 3, 14)).to_svg())
    assert {"today", "clock change: 31 Mar +1 h, 27 Oct -1 h"} <= set(written(root))
    assert "clock -1 h at Sun 27 Oct 2030 02:00 +01:00" in tooltips(root)
    assert "today" not in written(read(Months({}, YEAR, UTC, "x", today=date(2031, 3, 14)).to_svg()))


@pytest.mark.parametrize(("month", "changed"), [(9, ""), (10, "clock change: 1 Oct +1 h")])
def test_a_clock_change_at_the_first_midnight_of_a_month_is_in_that_month(month: int, changed: str) -> None:
    root = read(Months({}, [date(2017, month, 1)], ZoneInfo("America/Asuncion"), "x").to_svg())
    assert [each for each in written(root) if "clock" in each] == [changed] * bool(changed)
    assert ("clock +1 h at Sun 1 Oct 2017 01:00 -03:00" in tooltips(root)) is bool(changed)


def test_the_last_month_of_the_calendar_is_drawn() -> None:
    seen = written(read(Months({date.max: DayRuns(2)}, [date(9999, 12, 1)], UTC, "x").to_svg()))
    assert {"Dec 9999: 2 runs on 1 day", "31"} <= set(seen)


@pytest.mark.parametrize(
    ("first", "last", "wanted"),
    [
        ("2030-01", "2030-12", "2030"),
        ("2030-02", "2030-02", "Feb 2030"),
        ("2030-11", "2031-02", "Nov 2030 to Feb 2031"),
    ],
)
def test_the_months_are_named(first: str, last: str, wanted: str) -> None:
    shown = Months({}, month_begins(*(date.fromisoformat(f"{each}-05") for each in (first, last))), UTC, "x")
    assert f"{wanted}: no run" in written(read(shown.to_svg()))


@pytest.mark.parametrize("paint", PAINTS, ids=["sheet", "page"])
def test_the_largest_picture_is_small_and_its_texts_inside(paint: Paint) -> None:
    days = [date(2030, 1, 1) + timedelta(days=number) for number in range(365)]
    runs = {day: DayRuns(1_000 + 7 * number, "00:00 to 23:59") for number, day in enumerate(days)}
    shown = Months(runs, YEAR, ZoneInfo("Europe/Paris"), HOSTILE, today=days[3], notes=[HOSTILE])
    assert colors(read(shown.to_svg(paint))) <= {paint.ink, paint.soft}


@pytest.mark.parametrize(
    ("ground", "ink"),
    [("#ffffff", "#0f172a"), ("#ffffff", "#3b3b3b"), ("#111111", "#d4d4d4"), ("#1e1e1e", "#cccccc")],
)
def test_numbers_are_readable_on_the_deepest_day(ground: str, ink: str) -> None:
    for depth in months._DEPTHS:
        assert contrast(ink, mixed(BUSY, ground, depth)) >= 4.5
