"""The elements of pictures: one SVG element without scripts, references or IDs, which fits into any page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from stepsched.display.fitting import clean, shorten

if TYPE_CHECKING:
    from stepsched.display.results import Fragment

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_MARGIN = 22
_TITLE = 2000
"""The maximum number of characters of a tooltip."""


class Paint(NamedTuple):
    """The colors of texts and lines, and of the ground below them.

    Colors of areas and signs are the same on every ground: they have a contrast of at least 3:1 on white and
    on the darkest grounds of notebooks, and a sign or a word says the same as they do.
    """

    ink: str
    """The color of texts."""
    soft: str
    """The color of texts of less importance; at least 4.5:1 on the ground."""
    line: str
    """The color of thin lines."""
    ground: str
    """The color of the ground. ``none``: that of the page."""


SHEET = Paint("#0f172a", "#526077", "#dbe2ea", "#ffffff")
"""A light sheet of its own: for files, which may be shown anywhere."""
PAGE = Paint("currentColor", "currentColor", "color-mix(in srgb, currentColor 25%, transparent)", "none")
"""The colors of the page around it: for pictures inside the HTML of a notebook, light or dark."""
INK, SOFT = SHEET.ink, SHEET.soft
GOOD, BAD, WARN, BUSY, CALM = "#16a34a", "#e5484d", "#c2790a", "#3b82f6", "#8a8f98"
"""The colors of what has succeeded, failed, asks for attention, runs, and of everything else."""


class Svg(str):
    """The text of a picture, which a notebook shows as the picture, no wider than its column.

    Its representation is short; ``str()``, ``print`` and files get the whole text.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        found = re.search(r'width="(\d+)" height="(\d+)"', self)
        size = f"{found[1]} x {found[2]}, " if found else ""
        return f"<Svg {size}{-(-len(self.encode()) // 1_000)} KB>"

    def _repr_html_(self) -> str:
        return str(self)

    def _display_(self) -> Fragment:
        """Returns what marimo shows."""
        from stepsched.display.results import Fragment

        return Fragment(str(self))


def sheet(
    width: float, height: float, description: str, parts: Iterable[str], *, paint: Paint = SHEET
) -> Svg:
    """Returns the SVG element around drawn parts, with a margin.

    Args:
        width: The width of the parts in pixels, without the margin.
        height: Their height.
        description: What the picture shows, for people who cannot see it.
        parts: The elements, from the back to the front.
        paint: The colors. A ground has a border.
    """
    w, h = round(width) + 2 * _MARGIN, round(height) + 2 * _MARGIN
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label={quoteattr(clean(description))}'
    looks = f'viewBox="0 0 {w} {h}" font-family="{_FONT}" style="max-width:100%;height:auto"'
    ground = f'rx="12" fill="{paint.ground}" stroke="{paint.line}"'
    lines = [
        f'{head} width="{w}" height="{h}" {looks}>',
        *([] if paint.ground == "none" else [rect(0.5, 0.5, w - 1, h - 1, ground)]),
        f'<g transform="translate({_MARGIN} {_MARGIN})">',
        *parts,
        "</g>",
        "</svg>",
    ]
    return Svg("\n".join(lines) + "\n")


def number(value: float) -> str:
    """Returns a length with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def rect(x: float, y: float, w: float, h: float, rest: str) -> str:
    """Draws a rectangle; ``rest`` holds its other attributes."""
    return f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" height="{number(h)}" {rest}/>'


def text_at(x: float, y: float, text: str, rest: str) -> str:
    """Draws a text, escaped; nothing for an empty one. ``rest`` holds its other attributes."""
    return f'<text x="{number(x)}" y="{number(y)}" {rest}>{escape(text)}</text>' if text else ""


def tooltip(text: str) -> str:
    """Returns the tooltip of the element that it stands in, escaped; nothing for an empty text."""
    return f"<title>{escape(text if len(text) <= _TITLE else shorten(text, _TITLE))}</title>" if text else ""
