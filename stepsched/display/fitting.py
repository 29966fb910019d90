"""Sanitises, measures and truncates text for pictures and tables."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from stepsched.core.masking import text_without_secrets

_DROPPED = {"Cc", "Cs", "Cn", "Co"}
_TURNING = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks of writing direction: they would affect the text after them."""
_WIDTHS = {
    **dict.fromkeys("ijl.,:;'|!I`", 0.3),
    **dict.fromkeys('ftr()[]{}-/\\" *^', 0.42),
    **dict.fromkeys("mwMW%@<>=+~#≤≥", 0.9),
    **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ&$", 0.7),
}
_BOLD = 1.1


@lru_cache(maxsize=4096)
def clean(text: str) -> str:
    """Returns one line without control characters, surrogates, marks of direction, and secrets."""
    text = text_without_secrets(text)
    if not text.isprintable():
        text = "".join(" " if char.isspace() else char for char in text)
        text = "".join(c for c in text if c not in _TURNING and unicodedata.category(c) not in _DROPPED)
    return " ".join(text.split())


@lru_cache(maxsize=1024)
def _char_width(char: str) -> float:
    if char in _WIDTHS:
        return _WIDTHS[char]
    if ord(char) < 0x300:
        return 0.6
    if unicodedata.combining(char):
        return 0.0
    # Characters beyond the usual alphabets are from unknown fonts and are assumed to be square.
    return 0.7 if ord(char) < 0x1100 else 1.1


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Estimates the width in pixels in a sans-serif font; too large rather than too small."""
    return sum(map(_char_width, text)) * size * (_BOLD if bold else 1)


def cut(text: str, size: float, limit: float, *, bold: bool = False) -> str:
    """Returns the text, or the part that fits into ``limit`` pixels with an ellipsis."""
    if width(text, size, bold=bold) <= limit:
        return text
    kept = _fitting(text, limit / (size * (_BOLD if bold else 1)) - 1.1)
    return text[:kept].rstrip() + "…"


def wrapped(text: str, size: float, limit: float, *, most: int) -> list[str]:
    """Returns the text in lines of at most ``limit`` pixels, broken between words and after punctuation, or
    inside a word that is longer than a line. Of more than ``most`` lines the last one ends with an ellipsis.

    >>> wrapped("one two three", 10, 45, most=2)
    ['one two', 'three']
    """
    lines, rest = list[str](), text
    while len(lines) < most - 1 and width(rest, size) > limit:
        kept = max(_fitting(rest, limit / size), 1)
        ends = [rest.rfind(" ", 0, kept + 1), *(rest.rfind(mark, 0, kept) + 1 for mark in ".,:/_-")]
        # Rather than leave a line less than a third full, a word is broken.
        end = max(ends) if max(ends) > kept // 3 else kept
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*lines, cut(rest, size, limit)]


def _fitting(text: str, room: float) -> int:
    """Returns the number of characters that fit into a width, given in units of the font size."""
    for kept, char in enumerate(text):
        room -= _char_width(char)
        if room < 0:
            return kept
    return len(text)


def shorten(text: str, length: int) -> str:
    """Returns the text, truncated with an ellipsis to at most ``length`` characters."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
