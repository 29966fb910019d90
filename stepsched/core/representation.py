"""The ``repr`` of values: one line without secrets, whatever they hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Protocol, runtime_checkable

from stepsched.core.durations import write_duration
from stepsched.core.masking import MASK, suggests_secret, text_without_secrets, without_secrets
from stepsched.core.quoting import quoted

LONGEST = 120
"""The maximum number of characters."""
_FIELD = 58
"""The number of characters that each field may take where not all of them fit."""
_LEAST = 12
"""The least number of characters for which the beginning of a field is shown."""
_MORE = "..."
_READ = 10_000
"""The number of characters of a text that are read."""


@runtime_checkable
class Represented(Protocol):
    """What has named fields, such as a model of pydantic."""

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]: ...


def line_of(value: Represented, longest: int = LONGEST) -> str:
    """Returns the name of the class with the fields, such as ``Retry(max_attempts=5)``.

    Secrets are ``***``. If that is too long, instants, durations and enumerations are written as the text
    that the field accepts too, and then long fields are shortened with ``...``. It takes no more time for
    large values.
    """
    for is_short in (False, True):
        text = _beginning(_pieces(value, is_short=is_short), longest)
        if len(text) <= longest:
            return text
    return _fitted(value, longest)


def _fitted(value: Represented, longest: int) -> str:
    """Returns the fields as far as they fit, the first ones first."""
    line, parts, end = f"{type(value).__name__}(", list[str](), f", {_MORE})"
    room = longest - len(line) - len(end)
    for label, each in _fields_of(value):
        name = f"{label}=" if label else ""
        limit = min(_FIELD, room) - len(name)
        if limit < _LEAST:
            parts.append(_MORE)
            break
        text = _beginning(_pieces(each, is_short=True), limit)
        if len(text) > limit and isinstance(each, Represented):
            text = _fitted(each, limit)
        elif len(text) > limit:
            text = text[: limit - len(_MORE)] + _MORE
        parts.append(name + text)
        room -= len(parts[-1]) + len(", ")
    return f"{line}{', '.join(parts)})"


def _beginning(pieces: Iterable[str], longest: int) -> str:
    """Returns the joined pieces; of a longer text only as much as shows that it is longer."""
    found, length = list[str](), 0
    for piece in pieces:
        found.append(piece)
        length += len(piece)
        if length > longest:
            break
    return "".join(found)


def _pieces(value: object, *, is_short: bool) -> Iterator[str]:
    """Yields the parts of a ``repr``, so that the rest of a long one is not made."""
    match value:
        case str() if not isinstance(value, Enum):
            yield repr(_beginning_of_text(value))
        case bytes():
            yield _beginning_of_text(repr(value[:_READ]))
        case Enum() if is_short:
            yield repr(value.value)
        case datetime() if is_short:
            yield repr(value.isoformat())
        case timedelta() if is_short:
            yield repr(write_duration(value))
        case int() if not isinstance(value, (bool, Enum)):
            yield quoted(value)
        case _ if type(value) in (list, tuple, dict):
            yield from _pieces_of_many(without_secrets(_beginning_of(value, iter(range(LONGEST)))), is_short)
        case Represented() if not isinstance(value, type):
            yield f"{type(value).__name__}("
            gap = ""
            for name, each in _fields_of(value):
                yield f"{gap}{name}=" if name else gap
                yield from _pieces(each, is_short=is_short)
                gap = ", "
            yield ")"
        case _:
            yield _beginning_of_text(repr(value))


def _fields_of(value: Represented) -> Iterator[tuple[str | None, Any]]:
    for name, each in value.__repr_args__():
        yield name, MASK if name and isinstance(each, str) and suggests_secret(name) else each


def _beginning_of(value: Any, room: Iterator[int]) -> Any:
    """Returns a value with as many items, on all levels together, as there is room for."""
    if type(value) is str:
        return _beginning_of_text(value)
    if type(value) is dict:
        return {key: _beginning_of(each, room) for (key, each), _ in zip(value.items(), room, strict=False)}
    if type(value) in (list, tuple):
        return type(value)(_beginning_of(each, room) for each, _ in zip(value, room, strict=False))
    return value


def _beginning_of_text(text: str) -> str:
    """Returns a text without secrets; of a longer one only as much as shows that it is longer."""
    shown = text_without_secrets(text[:_READ])
    is_whole = len(text) <= _READ or len(shown) > LONGEST  # else it would end where a secret is cut
    return shown[: LONGEST + 1] if is_whole else MASK


def _pieces_of_many(value: Any, is_short: bool) -> Iterator[str]:  # noqa: FBT001 -- of this module
    """Yields the parts of a list, a tuple or a dictionary without secrets."""
    signs = "{}" if isinstance(value, dict) else "[]" if isinstance(value, list) else "()"
    yield signs[0]
    gap = ""
    for each in value:
        yield gap
        yield from _pieces(each, is_short=is_short)
        if isinstance(value, dict):
            yield ": "
            yield from _pieces(value[each], is_short=is_short)
        gap = ", "
    yield f",{signs[1]}" if isinstance(value, tuple) and len(value) == 1 else signs[1]
