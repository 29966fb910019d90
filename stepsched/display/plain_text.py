"""A table as text, for terminals and logs, and as Markdown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import chain, zip_longest

from stepsched.display.table import Cell, Table

_GAP = 2
_UNBROKEN = 24
"""The length up to which a word is not broken."""
_MARKUP = re.compile(
    r"(?P<literal>\S*(?://|www\.|@)\S*|[\\$]+)"
    r"|(?P<entity>[&<>`])"
    r"|(?P<sign>[*_\[\]|~]|^[#+=-])"
    r"|^(?P<number>[0-9]+)(?P<point>[.)])(?=\s|$)",
    re.IGNORECASE,
)
"""What Markdown would read as more than text. Addresses, and the signs around formulas, are found by readers
even where they are escaped, but not in code."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "&#96;"}


def to_text(table: Table, *, width: int | None = None, least: Sequence[int] = ()) -> str:
    """Returns a table as lines with columns of equal width.

    Args:
        table: The table.
        width: The width in characters into which wider rows are broken, between words. A row that does not
            fit even so is wider. None: no limit, and a line for each row.
        least: The minimum widths of the first columns.
    """
    lines = [[cell.text for cell in row] for row in table.rows]
    rows = [[title.upper() for title in table.head], *lines] if table.head else lines
    widths = [max(map(width_of, column)) for column in zip(*rows, strict=False)]
    widths[: len(least)] = map(max, widths, least)
    if width is not None:
        widths = _fitted(widths, _least(rows), width)
    drawn = ["".join(_padded(line, widths)).rstrip() for row in rows for line in _broken(row, widths)]
    caption, *remarks = (_wrapped(text, width) for text in (table.caption, *table.remarks))
    shown = [*(caption if table.caption else []), *(drawn if lines else []), *chain(*remarks)]
    return "\n".join(shown)


def cut_to(text: str, columns: int) -> str:
    """Returns a line, or as much of it as fits into a number of columns, with an ellipsis."""
    if width_of(text) <= columns:
        return text
    return f"{text[: _taken(text, max(columns - 1, 1))].rstrip()}…"


def _least(rows: Sequence[Sequence[str]]) -> list[int]:
    """Returns the width of each column to which it may be broken; the first one has names."""
    words = [max(map(width_of, " ".join(column).split()), default=0) for column in zip(*rows, strict=False)]
    return [word if at == 0 else min(word, _UNBROKEN) for at, word in enumerate(words)]


def _fitted(widths: Sequence[int], least: Sequence[int], width: int) -> list[int]:
    """Returns the width of each column: the widest ones that can be broken give way first."""
    fitted = list(widths)
    excess = sum(fitted) + _GAP * (len(fitted) - 1) - width
    for _ in range(excess):
        wide = [at for at, each in enumerate(fitted) if each > least[at]]
        if not wide:
            break
        fitted[max(wide, key=lambda at: fitted[at])] -= 1
    return fitted


def _broken(row: Sequence[str], widths: Sequence[int]) -> list[list[str]]:
    """Returns the lines of a row."""
    cells = [_wrapped(text, width) for text, width in zip(row, widths, strict=True)]
    return [list(line) for line in zip_longest(*cells, fillvalue="")]


def _wrapped(text: str, width: int | None) -> list[str]:
    """Returns the lines of a cell. A word that is too long is broken itself. None: one line."""
    if width is None or width_of(text) <= width:
        return [text]
    lines = [""]
    for word in text.split():
        rest = word
        if lines[-1] and width_of(lines[-1]) + 1 + width_of(rest) <= width:
            lines[-1] += f" {rest}"
            continue
        lines += [""] if lines[-1] else []
        while rest:
            taken = _taken(rest, width)
            lines[-1], rest = rest[:taken], rest[taken:]
            lines += [""] if rest else []
    return lines


def _taken(word: str, width: int) -> int:
    """Returns the number of characters of a word that a line takes; at least one."""
    room, taken = width, 0
    for each in word:
        room -= width_of(each)
        if room < 0 and taken:
            break
        taken += 1
    return taken


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [text + " " * (width + _GAP - width_of(text)) for text, width in zip(row, widths, strict=True)]


def width_of(text: str) -> int:
    """Returns the number of columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def to_markdown(table: Table) -> str:
    """Returns a table as GitHub's Markdown; markup in its texts is escaped."""
    head = list(table.head) or ["", ""]
    lines = [f"**{_escaped(table.caption)}**", ""] if table.caption else []
    if table.rows:
        lines += [_line([Cell(title) for title in head]), f"|{' --- |' * len(head)}"]
        lines += [_line(row) for row in table.rows]
        lines += [""] if table.remarks else []
    return "\n".join([*lines, *(f"{_escaped(remark)}  " for remark in table.remarks)]).rstrip() + "\n"


def _line(row: Sequence[Cell]) -> str:
    return f"| {' | '.join(_escaped(cell.text, is_cell=True) for cell in row)} |"


def _escaped(text: str, *, is_cell: bool = False) -> str:
    """Returns Markdown that shows the text as it is."""

    def written(found: re.Match[str]) -> str:
        if found["literal"]:
            return _code(found["literal"].replace("|", "\\|") if is_cell else found["literal"])
        if found["number"]:
            return f"{found['number']}\\{found['point']}"
        return _ENTITIES.get(found[0], f"\\{found[0]}")

    return _MARKUP.sub(written, text)


def _code(text: str) -> str:
    """Returns a text as code, between more backticks than stand in it together."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    gap = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{gap}{text}{gap}{fence}"
