"""Tables for notebooks: plain HTML with escaped text and without external resources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(rows: Iterable[Sequence[object]], *, head: Sequence[str] = (), caption: str = "") -> str:
    """Returns an HTML table; the last cell of a short row spans the remaining columns."""
    import html  # imported on use, since every use of the package loads this module

    lines = [[str(cell) for cell in row] for row in rows]
    width = max([len(head), *map(len, lines)])
    titles = "".join(f"<th>{html.escape(title)}</th>" for title in head)
    return (
        "<table>"
        + (f"<caption>{html.escape(caption)}</caption>" if caption else "")
        + (f"<thead><tr>{titles}</tr></thead>" if head else "")
        + "<tbody>"
        + "".join(f"<tr>{_cells(line, width)}</tr>" for line in lines)
        + "</tbody></table>"
    )


def _cells(line: Sequence[str], width: int) -> str:
    import html

    wide = f' colspan="{width - len(line) + 1}"' if len(line) < width else ""
    style = 'style="text-align:left"'
    last = len(line) - 1
    return "".join(
        f"<td {style}{wide if number == last else ''}>{html.escape(cell)}</td>"
        for number, cell in enumerate(line)
    )
