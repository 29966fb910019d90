"""Results that are printed while they are computed, so that their number does not matter."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from stepsched.cli import stdio
from stepsched.cli.output.tables import Column, render
from stepsched.cli.output.views import View
from stepsched.cli.wording import visible_json

if TYPE_CHECKING:
    from stepsched.cli.session import Session

_AT_ONCE = 500
"""The number of rows that are laid out together."""


class Item(NamedTuple):
    """An item of a stream."""

    name: str
    """What ``-o name`` prints."""
    cells: Sequence[str]
    """The cells of the row in a table."""
    document: Any
    """What JSON and YAML show: values of JSON."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A result of any length."""

    items: Iterable[Item]
    columns: Sequence[Column]
    widths: Sequence[int]
    """The width that the cells of each column are expected to have."""
    empty: str = "nothing is there"
    """What a terminal shows if there is no item."""

    def show(self, session: Session) -> None:
        """Prints the items in the form that was asked for. YAML is printed at the end."""
        match session.format:
            case "json":
                parts = self._json()
            case "yaml":
                documents = [item.document for item in self.items]
                parts = iter([View(document=lambda: documents).to_yaml(is_ascii=not stdio.is_unicode())])
            case "name":
                parts = (f"{item.name}\n" for item in self.items)
            case _:
                parts = self._table(session.width, is_colored=session.is_colored)
        for part in parts:
            session.write(part)

    def _json(self) -> Iterator[str]:
        """Yields the text that ``json.dumps`` of a list of all documents with ``indent=2`` gives."""
        mark, is_ascii = "[", not stdio.is_unicode()
        for item in self.items:
            text = visible_json(json.dumps(item.document, indent=2, ensure_ascii=is_ascii, allow_nan=False))
            yield f"{mark}\n  " + text.replace("\n", "\n  ")
            mark = ","
        yield "[]\n" if mark == "[" else "\n]\n"

    def _table(self, width: int, *, is_colored: bool) -> Iterator[str]:
        items = iter(self.items)
        first = next(items, None)
        if first is None:
            yield f"{self.empty}\n"
            return
        items, has_header = chain([first], items), True
        while rows := [item.cells for item in islice(items, _AT_ONCE)]:
            yield render(
                self.columns,
                rows,
                width=width,
                is_colored=is_colored,
                least=self.widths,
                has_header=has_header,
            )
            has_header = False
