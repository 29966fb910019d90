"""Quotes given values in errors: short, whatever was given."""

from __future__ import annotations

from collections.abc import Iterable
from reprlib import Repr

_LONGEST = 100
"""The maximum number of characters of a quoted value."""
_MOST_BITS = 300
"""The size from which a whole number is described; Python refuses to print numbers of thousands of digits."""


class _Quoter(Repr):
    """Shortens values by their type, without a complete ``repr`` of long texts and collections."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = _LONGEST
        self.maxlevel = 3

    def repr_int(self, value: int, level: int) -> str:  # noqa: ARG002 -- as the base calls it
        bits = value.bit_length()
        return repr(value) if bits <= _MOST_BITS else f"a whole number of {bits:,} bits"


_QUOTER = _Quoter()


def quoted(value: object) -> str:
    """Returns the ``repr`` of a value in at most 100 characters; the middle of a long one is left out."""
    text = _QUOTER.repr(value)
    return text if len(text) <= _LONGEST else f"{text[:70]} … {text[-26:]}"


def shortened(text: str, longest: int = _LONGEST) -> str:
    """Returns the text in at most that many characters; the middle of a long one is left out."""
    return text if len(text) <= longest else f"{text[: longest - 30]} … {text[-26:]}"


def given_text(value: object) -> str:
    """Returns a text unchanged, and any other value quoted: what an error says was given."""
    return str.__str__(value) if isinstance(value, str) else quoted(value)


def closest(value: object, known: Iterable[str]) -> str:
    """Returns what to use instead of an unknown name: the most similar known one, or some of them."""
    from difflib import get_close_matches  # only a refusal needs it

    names = list(known)
    near = get_close_matches(value, names, n=1) if isinstance(value, str) else []
    if near:
        return f"use {near[0]!r}"
    some = ", ".join(map(repr, names[:10]))
    return f"use one of {some}{', ...' if len(names) > 10 else ''}"
