"""Collects findings, and formats values and suggestions in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from stepsched.asl.diagnostics import Diagnostic, Diagnostics, Doubt, Severity
from stepsched.asl.expressions import Finding

SCHEMA = "SCHEMA_VALIDATION_FAILED"
"""AWS's code for problems without a specific code."""


class TooDeepError(Exception):
    """The definition is nested deeper than the walk follows."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


_MOST = 1_000
"""The maximum number of findings; AWS returns 100."""
_MOST_HINTS = 20


class _Entry(NamedTuple):
    path: str
    severity: Severity
    code: str
    message: str


class Report:
    """The findings of one check, in the order in which they are found."""

    __slots__ = ("_entries", "_hints", "places")

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._hints = 0
        self.places: dict[str, str] | None = None
        """The path of each state in the whole definition, computed on demand. None: not computed yet."""

    def error(self, path: str, message: str, code: str = SCHEMA) -> None:
        self._keep(_Entry(path, Severity.ERROR, code, message))

    def warning(self, path: str, message: str, code: Doubt) -> None:
        self._keep(_Entry(path, Severity.WARNING, code.value, message))

    def add(self, path: str, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self._keep(_Entry(path, *finding))

    def _keep(self, entry: _Entry) -> None:
        if len(self._entries) < _MOST:
            self._entries.append(entry)

    def hint(self, word: Any, known: Iterable[str]) -> str:
        """Returns a text such as ``; did you mean 'Next'?``, or an empty one. Only the first mistakes get
        one, since the search is slow."""
        if not isinstance(word, str) or len(word) > 200 or self._hints >= _MOST_HINTS:
            return ""
        self._hints += 1
        by_case: Mapping[str, str] = {name.casefold(): name for name in sorted(known)}
        near = get_close_matches(word.casefold(), by_case, n=1, cutoff=0.6)
        return f"; did you mean {by_case[near[0]]!r}?" if near else ""

    def diagnostics(self, document: Any) -> Diagnostics:
        """Returns every finding once, in document order; the finding of a whole before those of its parts."""
        entries = list(dict.fromkeys(self._entries))
        if len(entries) > 1:
            entries.sort(key=lambda entry: _position(document, entry.path))
        return Diagnostics(
            Diagnostic(severity=entry.severity, code=entry.code, message=entry.message, path=entry.path)
            for entry in entries
        )


def _position(document: Any, path: str) -> list[int]:
    """Returns the position of a path among its siblings, level by level."""
    position: list[int] = []
    rest = path
    while rest:
        for index, (key, value) in enumerate(_children(document)):
            # Names may contain slashes, so a path is followed key by key, never split.
            step = f"/{key}"
            if rest == step or rest.startswith(f"{step}/"):
                position.append(index)
                document, rest = value, rest[len(step) :]
                break
        else:
            break
    return position


def _children(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def shown(value: Any) -> str:
    """Formats a value as JSON; a long one is truncated."""
    if isinstance(value, dict):
        return "an object" if value else "{}"
    if isinstance(value, list):
        return "a list" if value else "[]"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def listed(names: Iterable[str], word: str = "and") -> str:
    """Returns a text such as ``A, B and C``."""
    texts = list(names)
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {word} {texts[-1]}"
