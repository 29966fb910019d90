"""A table as text: lines of a terminal."""

from __future__ import annotations

import pytest

from stepsched.display.plain_text import to_text
from stepsched.display.table import Table, record_table, table_of

ROWS = [
    ("nightly-report", "At 09:00, Monday to Friday, Europe/Paris", "2030-01-07 09:00 +01:00 Europe/Paris"),
    ("日本語の仕事", "Every 30 minutes", "-"),
]


def table() -> Table:
    return table_of(ROWS, ["name", "schedule", "next"], lambda row: row, caption="2 jobs", total=2)


def test_each_row_is_a_line_with_columns_below_each_other() -> None:
    assert to_text(table()).split("\n") == [
        "2 jobs",
        "NAME            SCHEDULE                                  NEXT",
        "nightly-report  At 09:00, Monday to Friday, Europe/Paris  2030-01-07 09:00 +01:00 Europe/Paris",
        "日本語の仕事    Every 30 minutes                          -",
    ]


def test_a_narrow_terminal_breaks_between_words() -> None:
    assert to_text(table(), width=60).split("\n") == [
        "2 jobs",
        "NAME            SCHEDULE               NEXT",
        "nightly-report  At 09:00, Monday to    2030-01-07 09:00",
        "                Friday, Europe/Paris   +01:00 Europe/Paris",
        "日本語の仕事    Every 30 minutes       -",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_nothing_is_cut(width: int) -> None:
    text = to_text(table(), width=width)
    for row in ROWS:
        assert all(word in text for cell in row for word in cell.split())


@pytest.mark.parametrize("width", [50, 60, 80, 100])
def test_lines_are_no_wider_than_the_terminal(width: int) -> None:
    lines = to_text(table(), width=width).split("\n")
    assert max(map(len, lines)) <= width


def test_names_are_never_broken() -> None:
    shown = to_text(table_of([("x" * 90, "y")], ["name", "value"], lambda row: row, total=1), width=20)
    assert "x" * 90 in shown


def test_a_long_word_elsewhere_is_broken() -> None:
    shown = to_text(record_table([("arn", "a" * 30 + "b" * 30)]), width=40)
    assert shown.split("\n") == ["arn  " + "a" * 30 + "b" * 5, "     " + "b" * 25]


def test_a_table_without_rows_is_its_caption() -> None:
    assert to_text(table_of([], ["name"], lambda _: (), caption="no jobs", total=0)) == "no jobs"
