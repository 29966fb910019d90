"""A table as HTML for notebooks: no script, no ID, nothing loaded from anywhere, readable on light and dark.

Colors are those of the page around it. The style stands in the element and names only its classes. A click on
a sign in the head sorts the rows, by style alone; where forms are removed, such as in a notebook that is not
trusted, the table stays.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from stepsched.display.svg import BAD, BUSY, GOOD, WARN
from stepsched.display.table import Cell, Table

_STYLE = (
    ".stepsched{overflow-x:auto;color:inherit}"
    ".stepsched table{border-collapse:collapse;margin:.3em 0}"
    ".stepsched caption{text-align:left;font-weight:600;color:inherit;padding:.2em .6em;white-space:nowrap}"
    ".stepsched :is(th,td){text-align:left!important;vertical-align:top;padding:.25em .6em;max-width:48ch;"
    "overflow-wrap:anywhere;border:0;border-bottom:1px solid color-mix(in srgb,currentColor 22%,transparent)}"
    ".stepsched :is(thead,tr){background:none!important}"
    ".stepsched :is(th,.whole){white-space:nowrap}"
    ".stepsched .num{text-align:right!important}"
    ".stepsched p{margin:.2em .6em}"
    # They are hidden where this style is taken away, as in a notebook that is not trusted; JupyterLab takes
    # away attributes without a value too.
    ".stepsched input{appearance:none;display:inline!important;color:inherit;cursor:pointer;"
    "margin:0 0 0 .3em;font:inherit;opacity:.75}"
    ".stepsched input+input{margin:0}"
    ".stepsched input:is(:checked,:hover,:focus-visible){opacity:1}"
    '.stepsched input::before{content:"\\25B4"}'
    '.stepsched input+input::before{content:"\\25BE"}'
)
_TONES = {"good": (GOOD, "\\2713"), "bad": (BAD, "\\2717"), "warn": (WARN, "!"), "busy": (BUSY, "\\25B8")}
_NUMBER = re.compile(r"-?[0-9][0-9,.]*")
_DIGITS = re.compile(r"([0-9]+)")
_COMPARED = 200
"""The number of characters by which texts are sorted."""
_UNBROKEN = 32
"""The length up to which a text is not broken into lines."""


def to_html(table: Table, *, picture: str = "", is_sortable: bool = True) -> str:
    """Returns the element of a table.

    Args:
        table: The table.
        picture: An SVG element above it.
        is_sortable: Whether a click sorts the rows; not where the element is replaced all the time.
    """
    is_sorted = is_sortable and bool(table.head) and len(table.rows) > 1
    ranks = [_ranks(column) for column in zip(*table.rows, strict=False)] if is_sorted else []
    style = _STYLE + "".join(
        f'.stepsched .{tone}::before{{content:"{sign}\\A0";color:{color};font-weight:700}}'
        for tone, (color, sign) in _TONES.items()
        if any(cell.tone == tone for row in table.rows for cell in row)
    )
    parts = [
        '<form class="stepsched" method="dialog"><style>',
        style + _sorting(len(ranks)),
        "</style>",
        picture.strip(),
        f'<table style="--columns:{len(ranks)}">' if ranks else "<table>",
        f"<caption>{html.escape(table.caption)}</caption>" if table.caption else "",
        _head(table.head, table.rows, is_sorted=is_sorted) if table.head else "",
        "<tbody>",
        *(_row(row, [column[at] for column in ranks], bool(table.head)) for at, row in enumerate(table.rows)),
        "</tbody></table>",
        *(f"<p>{html.escape(remark)}</p>" for remark in table.remarks),
        "</form>",
    ]
    return "".join(parts)


def _head(head: Sequence[str], rows: Sequence[Sequence[Cell]], *, is_sorted: bool) -> str:
    cells = list[str]()
    for at, title in enumerate(head):
        name = html.escape(title)
        look = ' class="num"' if rows and _is_number(rows[0][at]) else ""
        signs = "".join(
            f'<input hidden="hidden" type="radio" name="sort" value="{value}"'
            f' aria-label="sort by {name}, {way}">'
            for value, way in ((f"{at}", "ascending"), (f"-{at}", "descending"))
        )
        cells.append(f"<th{look}>{name}{signs if is_sorted and title else ''}</th>")
    return f"<thead><tr>{''.join(cells)}</tr></thead>"


def _row(row: Sequence[Cell], ranks: Sequence[int], has_head: bool) -> str:  # noqa: FBT001 -- of this module
    order = ";".join(f"--{at}:{rank}" for at, rank in enumerate(ranks))
    cells = [_cell(cell, "td" if has_head or at else "th") for at, cell in enumerate(row)]
    return f"<tr{f' style={chr(34)}{order}{chr(34)}' if order else ''}>{''.join(cells)}</tr>"


def _cell(cell: Cell, tag: str) -> str:
    looks = [
        *([cell.tone] if cell.tone else []),
        *(["num"] if _is_number(cell) else ["whole"] if len(cell.text) <= _UNBROKEN else []),
    ]
    look = f' class="{" ".join(looks)}"' if looks else ""
    return f"<{tag}{look}>{html.escape(cell.text)}</{tag}>"


def _is_number(cell: Cell) -> bool:
    return isinstance(cell.key, (int, float)) and _NUMBER.fullmatch(cell.text) is not None


def _ranks(column: Sequence[Cell]) -> list[int]:
    """Returns the place of each cell of a column in its order: texts after numbers, ``job-2`` before
    ``job-10``."""

    def key(at: int) -> tuple[bool, float, list[tuple[int, str]]]:
        found = column[at].text if column[at].key is None else column[at].key
        if not isinstance(found, str):
            return False, found or 0.0, []
        parts = _DIGITS.split(found[:_COMPARED].casefold())
        # Digits stand at the odd places.
        return True, 0.0, [(int(each), "") if at % 2 else (0, each) for at, each in enumerate(parts)]

    order = sorted(range(len(column)), key=key)
    ranks = [0] * len(order)
    for rank, at in enumerate(order):
        ranks[at] = rank
    return ranks


def _sorting(columns: int) -> str:
    """Returns the style that sorts rows by the chosen column: a grid, whose rows have an order. It holds for
    all tables of the page, so each tells its number of columns itself."""
    if not columns:
        return ""
    chosen = ".stepsched:has(input:checked)"
    rules = [
        f"{chosen} table{{display:grid;justify-content:start}}",
        f"{chosen} table{{grid-template-columns:repeat(var(--columns),auto)}}",
        f"{chosen} :is(thead,tbody,tr){{display:grid;grid-column:1/-1;grid-template-columns:subgrid}}",
        f"{chosen} caption{{grid-column:1/-1}}",
    ]
    for at in range(columns):
        rules.append(f'.stepsched:has([value="{at}"]:checked) tbody tr{{order:var(--{at})}}')
        rules.append(f'.stepsched:has([value="-{at}"]:checked) tbody tr{{order:calc(-1*var(--{at}))}}')
    return "".join(rules)
