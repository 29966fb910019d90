"""Writes HTML and SVG. Every text is escaped; only what this module has made is markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypeAlias


class Markup(str):
    """A piece of HTML, which is written as it is."""

    __slots__ = ()


Child: TypeAlias = "str | int | Iterable[Child] | None"
"""What stands within an element: markup, a text, which is escaped, a number, nothing, or several of them."""
_VOID = frozenset(("br", "input", "link", "meta"))
"""The elements of HTML without content, which have no end tag."""


def element(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """Returns an element.

    Args:
        name: The name of the element.
        *children: Its content, in order.
        **attributes: Its attributes. A trailing ``_`` is left out and ``_`` is written ``-``, as in
            ``class_`` and ``aria_label``. True: the attribute without a value. None or False: no attribute.
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    end = "" if name in _VOID else f"{inside(children)}</{name}>"
    return Markup(f"<{name}{written}>{end}")


def inside(child: Child) -> Markup:
    """Returns the content of an element as markup."""
    if child is None:
        return Markup("")
    if isinstance(child, Markup):
        return child
    if isinstance(child, (str, int)):
        return Markup(escape(str(child)))
    return Markup("".join(map(inside, child)))
