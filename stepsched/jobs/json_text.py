"""Reads JSON, and finds the lines of its values. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from stepsched.jobs.written import Place, Problem

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}:,]|[^][{}:,"\s]+')
"""A token of a text that is JSON: a text, a bracket or a mark, or another value."""


class JsonError(ValueError):
    """A text is not JSON.

    Attributes:
        line: The number of the line. None: it has none.
        text: What is wrong, without the line.
    """

    def __init__(self, error: ValueError) -> None:
        super().__init__(f"it is not JSON: {error}")
        self.line, self.text = None, str(self)
        if isinstance(error, json.JSONDecodeError):
            self.line = error.lineno
            self.text = f"it is not JSON: {error.msg}, at column {error.colno}"

    line: int | None
    text: str


class FoundJson(NamedTuple):
    """The content of a JSON text."""

    document: Any
    problems: list[Problem]
    """The duplicate keys."""
    lines: dict[Place, int]
    """The lines of the values, as far as they have been looked for."""
    text: str

    def line(self, place: Place) -> int | None:
        """Returns the number of the line with the value at a place, or with the nearest one around it."""
        if not self.lines:
            self.lines.update(_places(self.text))
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place)


def read_json(text: str) -> FoundJson:
    """Reads a JSON document.

    Raises:
        JsonError: The text is not JSON.
        RecursionError: It nests too deeply.
    """
    has_repeats = False

    def noting_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal has_repeats
        found = dict(pairs)
        has_repeats = has_repeats or len(found) < len(pairs)
        return found

    try:
        document = json.loads(text, object_pairs_hook=noting_repeats)
    except ValueError as error:
        raise JsonError(error) from error
    counts = Counter(place for place, _ in _places(text)) if has_repeats else Counter[Place]()
    problems = [
        Problem(place, f"duplicate key in one object: {place[-1]!r}")
        for place, count in counts.items()
        if count > 1 and not any(counts[place[:depth]] > 1 for depth in range(len(place)))
    ]
    return FoundJson(document, problems, {}, text)


def _places(text: str) -> Iterator[tuple[Place, int]]:
    """Yields the place and the line of each value of a JSON text, in the order of the text."""
    line, position = 1, 0
    place: list[str | int] = []
    """The place of the value that is expected; the last part is an index in a list, a key in an object."""
    is_key = False
    for token in _TOKEN.finditer(text):
        line += text.count("\n", position, token.start())
        position, mark = token.start(), token[0]
        if is_key and mark[0] == '"':
            place[-1], is_key = json.loads(mark), False
        elif mark in ("]", "}"):
            place.pop()
            is_key = False
        elif mark == ",":
            last = place[-1]
            is_key = isinstance(last, str)
            place[-1] = last if isinstance(last, str) else last + 1
        elif mark != ":":
            yield tuple(place), line
            if mark in ("[", "{"):
                place.append(0 if mark == "[" else "")
                is_key = mark == "{"
