"""A table of a notebook is sorted by clicks and keys, without a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page

from stepsched.display.markup import to_html
from stepsched.display.table import Cell, table_of

ROWS = [
    ("job-10", Cell("1,000", 1000), Cell("2030-01-07 09:00 +01:00", 200.0)),
    ("job-2", Cell("7", 7), Cell("-", float("inf"))),
    ("Job-1", Cell("20", 20), Cell("2030-01-07 08:30 +00:00", 230.0)),
]


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page with two outputs, as a notebook shows them; the second table has fewer columns."""
    wide = to_html(table_of(ROWS, ["name", "count", "next"], lambda row: row, total=len(ROWS)))
    narrow = to_html(table_of(ROWS, ["name", "count"], lambda row: row[:2], total=len(ROWS)))
    file = tmp_path / "notebook.html"
    file.write_text(f'<!doctype html><meta charset="utf-8"><title>t</title>{wide}{narrow}', "utf-8")
    page = browser.new_page(java_script_enabled=False)
    page.goto(file.as_uri())
    yield page
    page.close()


def names(page: Page, output: int = 0) -> list[str]:
    """The names in the order in which a reader sees them."""
    rows = page.locator("form").nth(output).locator("tbody tr").all()
    places = [(place_of(row), row.locator("td").first.inner_text()) for row in rows]
    return [name for _, name in sorted(places)]


def place_of(element: Locator) -> float:
    return float(box_of(element)["y"])


def box_of(element: Locator) -> Mapping[str, float]:
    """Where an element that is shown stands."""
    box: Mapping[str, float] | None = element.bounding_box()
    assert box is not None
    return box


def sort(page: Page, column: str, way: str, output: int = 0) -> Locator:
    return page.locator("form").nth(output).get_by_label(f"sort by {column}, {way}", exact=True)


def test_before_a_click_rows_stand_in_their_order(page: Page) -> None:
    assert names(page) == ["job-10", "job-2", "Job-1"]


@pytest.mark.parametrize(
    ("column", "ascending"),
    [
        pytest.param("name", ["Job-1", "job-2", "job-10"], id="texts, by the numbers in them"),
        pytest.param("count", ["job-2", "Job-1", "job-10"], id="numbers"),
        pytest.param("next", ["job-10", "Job-1", "job-2"], id="instants, not their texts"),
    ],
)
def test_a_click_sorts(page: Page, column: str, ascending: list[str]) -> None:
    sort(page, column, "ascending").check()
    assert names(page) == ascending
    sort(page, column, "descending").check()
    assert names(page) == ascending[::-1]


def test_columns_stay_aligned_when_rows_are_sorted(page: Page) -> None:
    sort(page, "count", "ascending").check()
    form = page.locator("form").first
    lefts = {
        tuple(round(box_of(cell)["x"]) for cell in row.locator("th,td").all())
        for row in form.locator("tr").all()
    }
    assert len(lefts) == 1
    assert all(
        len({place_of(cell) for cell in row.locator("td").all()}) == 1 for row in form.locator("tr").all()[1:]
    )


def test_two_outputs_are_sorted_independently(page: Page) -> None:
    sort(page, "name", "ascending").check()
    sort(page, "count", "descending", output=1).check()
    assert names(page) == ["Job-1", "job-2", "job-10"]
    assert names(page, 1) == ["job-10", "Job-1", "job-2"]


def test_keys_sort(page: Page) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert names(page) == ["Job-1", "job-2", "job-10"]
    page.keyboard.press("ArrowRight")
    assert names(page) == ["job-10", "job-2", "Job-1"]


def test_enter_leaves_the_page_and_the_order_as_they_are(page: Page) -> None:
    url = page.url
    sort(page, "name", "ascending").check()
    page.keyboard.press("Enter")
    assert page.url == url
    assert names(page) == ["Job-1", "job-2", "job-10"]


def test_the_focus_is_seen(page: Page) -> None:
    page.keyboard.press("Tab")
    focused = page.locator("input:focus-visible")
    assert focused.count() == 1
    assert focused.evaluate("each => getComputedStyle(each).outlineStyle") != "none"
