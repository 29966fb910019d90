"""What shows itself: as a table in a notebook, in Markdown and by ``print``, always with the same cells."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex, TypeVar, overload

from typing_extensions import Self

from stepsched.core.masking import text_without_secrets
from stepsched.core.quoting import quoted
from stepsched.display.frames import Framed

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Table

T = TypeVar("T")
_NAME = 40
"""The number of characters of one name that the representation of a list shows."""
_NAMED = 70
"""The number of characters of names that the representation of a list shows."""


class Printer(Protocol):
    """The printer of IPython, as far as it is used."""

    def text(self, text: str) -> None: ...


class Displayed:
    """The forms of a value that has a table: a notebook shows it as HTML, ``print()`` as text, unless the
    class has a text of its own."""

    __slots__ = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # IPython goes through the bases, and takes a ``__repr__`` that it finds before a ``_repr_pretty_``.
        if "__repr__" in vars(cls) and "_repr_pretty_" not in vars(cls):
            cls._repr_pretty_ = Displayed._repr_pretty_  # type: ignore[method-assign]

    @abstractmethod
    def _shown_table(self) -> Table:
        """Returns the table that all forms show."""

    def _shown_in_cell(self) -> str:
        """Returns what stands in a cell of the table of another value."""
        return repr(self)

    def _picture(self) -> str:
        """Returns an SVG element above the table in a notebook; empty for none."""
        return ""

    def to_html(self) -> str:
        """Returns an HTML element without scripts and IDs, which fits into any page, light or dark."""
        from stepsched.display.markup import to_html

        return to_html(self._shown_table(), picture=self._picture())

    def to_markdown(self) -> str:
        """Returns a table in GitHub's Markdown."""
        from stepsched.display.plain_text import to_markdown

        return to_markdown(self._shown_table())

    def to_text(self, *, width: int | None = None) -> str:
        """Returns the table as text, with a line for each row.

        Args:
            width: The width in characters into which wider rows are broken, between words. None: no limit.
        """
        from stepsched.display.plain_text import to_text

        return to_text(self._shown_table(), width=width)

    def __str__(self) -> str:
        """Returns the table as text, which fits the terminal if the output is one."""
        return self.to_text(width=_terminal_width())

    def _repr_html_(self) -> str:
        return self.to_html()

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:  # noqa: FBT001 -- as IPython calls it
        """Prints the table in IPython; one line inside of another value, such as a list."""
        is_inside = len(getattr(printer, "stack", ())) > 1
        printer.text("..." if cycle else repr(self) if is_inside else self.to_text(width=_terminal_width()))

    def _display_(self) -> Fragment:
        """Returns what marimo shows."""
        return Fragment(self.to_html())


class DisplayedFields(Displayed):
    """What shows its fields, a field a row."""

    __slots__ = ()

    def _shown_table(self) -> Table:
        from stepsched.display.fields import fields_table

        return fields_table(self)


def _terminal_width() -> int | None:
    """Returns the width of the terminal in characters; None if the output is not a terminal."""
    from shutil import get_terminal_size

    try:
        return get_terminal_size().columns if sys.stdout.isatty() else None
    except (AttributeError, ValueError):  # there is no output, or it is closed
        return None


class Fragment:
    """HTML that marimo shows as it is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _mime_(self) -> tuple[str, str]:
        return "text/html", self._text


class Results(Displayed, Framed, list[T]):
    """A list of results that shows itself and becomes a data frame. It is a list in every other way; a slice
    shows itself too."""

    _noun = ("result", "results")
    """What one item and many items are called."""

    def __init__(self, items: Iterable[T] = (), *, now: datetime | None = None) -> None:
        """Creates the list.

        Args:
            items: The items.
            now: The present of the backend, for distances in time. None: that of this machine, when shown.
        """
        super().__init__(items)
        self._now = now

    @abstractmethod
    def _name_of(self, item: T) -> str:
        """Returns what one item is called in the representation of the list."""

    @overload
    def __getitem__(self, at: SupportsIndex, /) -> T: ...
    @overload
    def __getitem__(self, at: slice[Any, Any, Any], /) -> Self: ...
    def __getitem__(self, at: SupportsIndex | slice[Any, Any, Any], /) -> T | Self:
        if not isinstance(at, slice):
            return super().__getitem__(at)
        part = type(self).__new__(type(self))
        vars(part).update(vars(self))
        part.extend(super().__getitem__(at))
        return part

    def _caption(self) -> str:
        """Returns the number of items in words."""
        return f"{len(self):,} {self._noun[len(self) != 1]}" if self else f"no {self._noun[1]}"

    def _shown_name(self, item: T) -> str:
        """Returns the name of an item, or what else the list was given, without secrets."""
        try:
            return text_without_secrets(self._name_of(item))
        except (AttributeError, TypeError):  # it is a list, which takes anything
            return text_without_secrets(quoted(item))

    def __repr__(self) -> str:
        """Returns one line with the names of the first items."""
        named, room = list[str](), _NAMED
        for item in self:
            name = self._shown_name(item)
            name = name if len(name) <= _NAME else f"{name[: _NAME - 3]}..."
            if len(name) + 2 > room:
                named.append("...")
                break
            named.append(name)
            room -= len(name) + 2
        return f"<{self._caption()}{': ' if named else ''}{', '.join(named)}>"
