"""A table as a value. How it looks in a notebook, in Markdown and on a terminal is said elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, NamedTuple, TypeVar

from stepsched.core.masking import text_without_secrets
from stepsched.core.quoting import shortened

MOST = 60
"""The maximum number of rows that are shown."""
_LONGEST = 200
"""The maximum number of characters of a cell."""
Tone = Literal["", "good", "bad", "warn", "busy"]
"""What a cell says of something: it has succeeded, failed, asks for attention, or runs."""
T = TypeVar("T")


class Cell(NamedTuple):
    """A text of a table, with what else is known of it."""

    text: str
    key: float | str | None = None
    """What rows are sorted by; numbers are aligned at the right. None: the text."""
    tone: Tone = ""
    """Adds a colored sign in a notebook. The text says the same."""


@dataclass(frozen=True)
class Table:
    """A table whose cells are short texts in one line: control characters are shown as escapes, and secrets
    as ``***``."""

    head: Sequence[str]
    """The titles of the columns. Empty: the first cell of each row is its title."""
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    more: int | None = 0
    """The number of rows that are left out. None: there are more, their number is unknown."""
    notes: Sequence[str] = field(default=())
    """Lines below the table."""

    @property
    def remarks(self) -> list[str]:
        """The lines below the table: how many rows are left out, and the notes."""
        if self.more == 0:
            return list(self.notes)
        return ["... more" if self.more is None else f"... {self.more:,} more", *self.notes]


def table_of(
    items: Iterable[T],
    head: Sequence[str],
    row: Callable[[T], Iterable[str | Cell]],
    *,
    caption: str = "",
    total: int | None = None,
    notes: Iterable[str] = (),
    most: int = MOST,
) -> Table:
    """Returns a table with a row for each of the first items.

    Args:
        items: The items; of a lazy iterable, no more than needed are read.
        head: The titles of the columns.
        row: Returns the cells of an item.
        caption: What the table shows.
        total: The number of items. None: unknown, as of an endless iterable.
        notes: Lines below the table.
        most: The maximum number of rows.
    """
    shown = list(islice(items, most + 1))
    more = (None if total is None else total - most) if len(shown) > most else 0
    rows = [[cell_of(cell) for cell in row(item)] for item in shown[:most]]
    return Table(
        [one_line(title) for title in head], rows, one_line(caption), more, list(map(one_line, notes))
    )


def table_by_title(
    items: Sequence[T], head: Sequence[str], cells: Callable[[T], Mapping[str, Cell]], *, caption: str = ""
) -> Table:
    """Returns a table of which each row has the cells of an item with the titles of the head.

    Args:
        items: The items.
        head: The titles.
        cells: Returns the cells of an item by their titles; it may have more.
        caption: What the table shows.
    """

    def row(item: T) -> list[Cell]:
        found = cells(item)
        return [found[title] for title in head]

    return table_of(items, head, row, caption=caption, total=len(items))


def record_table(
    pairs: Iterable[tuple[str, str | Cell]], *, caption: str = "", notes: Iterable[str] = ()
) -> Table:
    """Returns a table of titles and values, a pair a row."""
    rows = [[Cell(one_line(title)), cell_of(value)] for title, value in pairs]
    return Table((), rows, one_line(caption), 0, list(map(one_line, notes)))


def cell_of(value: str | Cell) -> Cell:
    """Returns a cell with its text on one line."""
    cell = value if isinstance(value, Cell) else Cell(value)
    return cell._replace(text=one_line(cell.text))


def one_line(text: str) -> str:
    """Returns text on one line, shortened, without secrets, and with control characters as escapes: it cannot
    steer a terminal."""
    return shortened(visible(" ".join(text_without_secrets(text).split())), _LONGEST)


def visible(text: str) -> str:
    """Returns text with control characters as escapes: it cannot steer a terminal."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode()
        for each in text
    )
