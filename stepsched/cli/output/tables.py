"""Tables on a terminal. Names are never cut: other columns give way, and those of least use are left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import NamedTuple

from stepsched.core.masking import text_without_secrets
from stepsched.display.table import visible

_GAP = 2
_STYLES = {
    "active": "green",
    "paused": "yellow",
    "succeeded": "green",
    "failed": "bold red",
    "running": "cyan",
    "missed": "yellow",
    "skipped": "yellow",
}
"""The colors of words that stand alone in a cell. The word itself says the same."""


_LEAST = 8
_BLANK_END = re.compile(r"(?: |\x1b\[[0-9;]*m)+$")
"""Blanks at the end of a line, and the codes of colors around them."""


class Column(NamedTuple):
    """A column of a table."""

    title: str
    is_whole: bool = False
    """Whether its texts are never cut, for they are to be copied, such as names."""
    least: int = _LEAST
    """The least width to which it gives way, if its texts may be cut."""
    leaves: int = 0
    """Its place in the order, from the greatest number on, in which columns are left out where even the least
    widths are too wide. 0: it stays."""


def render(
    columns: Sequence[Column],
    rows: Iterable[Sequence[str]],
    *,
    width: int,
    is_colored: bool = False,
    least: Sequence[int] = (),
    has_header: bool = True,
) -> str:
    """Returns a table as text.

    Args:
        columns: The columns.
        rows: The cells of each row.
        width: The number of columns of the terminal. In a narrow one, columns that say nothing are left out,
            and then those that may leave, until the rest fits. The table is wider if the columns that stay
            need it.
        is_colored: Whether words for a status have colors.
        least: The least width of each column, before columns give way: tables with the same widths continue
            each other. Empty: the widths follow from the cells.
        has_header: Whether the titles stand above the rows.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[visible(text_without_secrets(cell)) for cell in row] for row in rows]
    natural = [
        max(cell_len(column.title), *(cell_len(row[at]) for row in cells))
        if cells
        else cell_len(column.title)
        for at, column in enumerate(columns)
    ]
    natural = [max(pair) for pair in zip(natural, least or natural, strict=True)]
    if cells and not least and not _fits(natural, width):
        kept = _without_leaving(columns, natural, _without_empty(columns, cells), width)
        columns, natural = [columns[at] for at in kept], [natural[at] for at in kept]
        cells = [[row[at] for at in kept] for row in cells]
    widths = _fitted(columns, natural, width)
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, show_edge=False, show_header=has_header)
    for column, size in zip(columns, widths, strict=True):
        table.add_column(
            Text(column.title), width=size, no_wrap=True, overflow="ellipsis", header_style="bold"
        )
    for row in cells:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    text = StringIO()
    console = Console(
        file=text,
        width=max(width, sum(widths) + _GAP * len(widths)),
        height=25,  # given too, for rich decides the width of a "dumb" terminal itself otherwise
        force_terminal=is_colored,
        color_system="standard" if is_colored else None,
        no_color=not is_colored,
        highlight=False,
        legacy_windows=False,
    )
    console.print(table)
    return "".join(f"{_BLANK_END.sub(_codes, line)}\n" for line in text.getvalue().splitlines())


def _codes(blank_end: re.Match[str]) -> str:
    """Returns the end of a line without its blanks: in the last column, they would break the line."""
    return blank_end[0].replace(" ", "")


def _fitted(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int]:
    """Returns the width of each column: the widest columns that may be cut give way first."""
    widths = list(natural)
    while not _fits(widths, width):
        cut = [at for at, column in enumerate(columns) if not column.is_whole and widths[at] > column.least]
        if not cut:
            break
        widths[max(cut, key=lambda at: widths[at])] -= 1
    return widths


def _fits(widths: Sequence[int], width: int) -> bool:
    return sum(widths) + _GAP * (len(widths) - 1) <= width


def _without_leaving(
    columns: Sequence[Column], natural: Sequence[int], kept: Sequence[int], width: int
) -> list[int]:
    """Returns the numbers of the columns that stay, of those that are kept so far."""
    staying = list(kept)
    leaving = sorted((at for at in kept if columns[at].leaves), key=lambda at: -columns[at].leaves)
    for at in leaving:
        if _fits([_least_of(columns[each], natural[each]) for each in staying], width):
            break
        staying.remove(at)
    return staying


def _least_of(column: Column, natural: int) -> int:
    """Returns the least width of a column."""
    return natural if column.is_whole else min(natural, column.least)


def _without_empty(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """Returns the numbers of the columns that say something."""
    return [
        at
        for at, column in enumerate(columns)
        if column.title == "NAME" or any(row[at] not in ("", "-") for row in rows)
    ]
