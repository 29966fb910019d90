"""What all pictures have around what they show: a title with lines below it, texts, and legends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from xml.sax.saxutils import escape

from stepsched.display.fitting import clean, cut, width
from stepsched.display.svg import Paint, number, rect, text_at, tooltip

TITLE, SMALL, TINY = 14, 11, 9
"""The sizes of texts in pixels."""
BAND = 0.06
"""The opacity of bands behind a picture, such as of weekends, which texts name too."""


def heading(title: str, lines: Sequence[str], wide: float, paint: Paint) -> Iterator[str]:
    """Yields the title and the lines below it, each cut to the width of the picture."""
    yield text_at(0, 13, cut(clean(title), TITLE, wide, bold=True), look(TITLE, paint.ink, bold=True))
    for place, line in enumerate(lines):
        yield text_at(0, 31 + 16 * place, cut(clean(line), SMALL, wide), look(SMALL, paint.soft))


def heading_height(lines: Sequence[str]) -> float:
    """Returns the height of a heading."""
    return 22.0 + 16 * len(lines)


def look(size: int, color: str, *, bold: bool = False, anchor: str = "") -> str:
    """Returns the attributes of a text."""
    weight = ' font-weight="600"' if bold else ""
    return f'font-size="{size}" fill="{color}"{weight}' + (f' text-anchor="{anchor}"' if anchor else "")


def group(parts: Iterable[str], attributes: str) -> str:
    """Returns elements with the same attributes; nothing for no element."""
    drawn = "".join(parts)
    return f"<g {attributes}>{drawn}</g>" if drawn else ""


def texts(at: Iterable[tuple[float, float, str]], attributes: str) -> str:
    """Returns texts of the same look, in little space; each is at its left, middle or right end."""
    spans = (f'<tspan x="{number(x)}" y="{number(y)}">{escape(text)}</tspan>' for x, y, text in at if text)
    drawn = "".join(spans)
    return f"<text {attributes}>{drawn}</text>" if drawn else ""


def box(x: float, y: float, w: float, h: float) -> str:
    """Returns the path of a rectangle, shorter than its element."""
    return f"M{number(x)} {number(y)}h{number(w)}v{number(h)}H{number(x)}z"


def path(drawn: str, title: str = "", attributes: str = "") -> str:
    """Returns a path with its tooltip."""
    given = f" {attributes}" if attributes else ""
    return f'<path d="{drawn}"{given}>{tooltip(title)}</path>' if title else f'<path d="{drawn}"{given}/>'


def band(x: float, y: float, w: float, h: float, paint: Paint) -> str:
    """Returns a pale band behind a picture."""
    return rect(x, y, w, h, f'fill="{paint.ink}" fill-opacity="{BAND}"')


def line(x: float, y: float, to_x: float, to_y: float, color: str, rest: str = "") -> str:
    """Returns a straight line of one pixel."""
    ends = f'x1="{number(x)}" y1="{number(y)}" x2="{number(to_x)}" y2="{number(to_y)}"'
    return f'<line {ends} stroke="{color}"{f" {rest}" if rest else ""}/>'


Sign = tuple[str, str]
"""A sign of a legend, drawn in a square of 10 pixels from (0, 0) to (10, 10), and its text."""


def legend(entries: Iterable[Sign], x: float, y: float, wide: float, paint: Paint) -> Iterator[str]:
    """Yields signs with their texts in rows.

    Args:
        entries: The signs.
        x: The left end.
        y: The upper end.
        wide: The width of the rows.
        paint: The colors.
    """
    for place, row in enumerate(_rows_of(entries, wide)):
        at, top = x, y + 16 * place
        for sign, text in row:
            yield f'<g transform="translate({number(at)} {number(top)})">{sign}</g>'
            yield text_at(at + 15, top + 9, text, look(SMALL, paint.soft))
            at += _entry_width(text)


def legend_height(entries: Iterable[Sign], wide: float) -> float:
    """Returns the height of a legend."""
    return 16.0 * len(_rows_of(entries, wide))


def _rows_of(entries: Iterable[Sign], wide: float) -> list[list[Sign]]:
    rows, end = list[list[Sign]](), wide + 1
    for entry in entries:
        if end + _entry_width(entry[1]) > wide + 18:
            rows.append([])
            end = 0
        rows[-1].append(entry)
        end += _entry_width(entry[1])
    return rows


def _entry_width(text: str) -> float:
    return 15 + width(text, SMALL) + 18


def counted(number_of: int, one: str, many: str = "") -> str:
    """Returns a number with its noun, such as ``1 run`` or ``1,200 runs``."""
    return f"{number_of:,} {one if number_of == 1 else many or one + 's'}"
