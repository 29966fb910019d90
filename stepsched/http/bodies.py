"""Request bodies, bounded in size and time, and the JSON objects in them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import anyio
from pydantic import JsonValue
from starlette.requests import ClientDisconnect, Request

from stepsched.core.quoting import quoted

MOST_BYTES = 262_144
"""The maximum size of a body in bytes."""
PATIENCE = 10.0
"""The longest time in seconds that a client may take to send a body."""
DEEPEST = 100
"""The maximum number of objects and lists around a value."""
_LONGEST_NUMBER = 100
"""The maximum number of characters of a number."""


class BodyError(Exception):
    """A body that is refused, before anything was done.

    Attributes:
        status: The HTTP status of the answer.
        reason: Why it is refused.
        headers: Headers that the answer needs: the connection is closed if the rest of the body may still
            come.
    """

    def __init__(self, status: int, reason: str, *, is_whole: bool = True) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers: dict[str, str] = {} if is_whole else {"Connection": "close"}


async def read_body(request: Request, *, most: int = MOST_BYTES, patience: float = PATIENCE) -> bytes:
    """Returns the body.

    Raises:
        BodyError: It has more than ``most`` bytes (413), did not come within ``patience`` seconds (408), or
            its sender has gone (400).
    """
    if _announced(request) > most:
        raise _too_large(most)
    parts, size = list[bytes](), 0
    with anyio.move_on_after(patience) as limit:
        try:
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise _too_large(most)
                parts.append(part)
        except ClientDisconnect as error:
            reason = "the connection was closed before the body was complete"
            raise BodyError(400, reason, is_whole=False) from error
    if limit.cancelled_caught:
        raise BodyError(408, f"expected the body within {patience:g} seconds", is_whole=False)
    return b"".join(parts)


def parse_object(body: bytes) -> dict[str, JsonValue]:
    """Returns the JSON object in a body.

    Raises:
        BodyError: It is not UTF-8, not JSON (with ``NaN`` and infinite numbers, which RFC 8259 excludes), not
            an object, has a key twice in one object, half of a surrogate pair, a number of more than 100
            characters, or more than 100 objects and lists around a value (400).
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BodyError(400, f"expected UTF-8, got another byte at position {error.start}") from error
    try:
        found = json.loads(
            text,
            object_pairs_hook=_without_repeats,
            parse_constant=_refuse_constant,
            parse_int=_whole_number,
            parse_float=_number,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BodyError(400, f"expected JSON: {error.msg[:1].lower()}{error.msg[1:]} at {place}") from error
    except ValueError as error:  # of the functions below
        raise BodyError(400, str(error)) from error
    except RecursionError as error:
        raise _too_deep() from error
    if not isinstance(found, dict):
        raise BodyError(400, f"expected a JSON object, got {_kind(found)}")
    for each in _texts(found):
        if not each.isascii() and any("\ud800" <= character <= "\udfff" for character in each):
            raise BodyError(400, "expected text that UTF-8 can encode, got half of a surrogate pair")
    return found


def _announced(request: Request) -> int:
    """Returns the size that the headers announce; 0 if they announce none."""
    given = request.headers.get("content-length", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < _LONGEST_NUMBER else 0


def _too_large(most: int) -> BodyError:
    return BodyError(413, f"expected a body of at most {most:,} bytes", is_whole=False)


def _too_deep() -> BodyError:
    return BodyError(400, f"expected at most {DEEPEST} objects and lists around a value")


def _without_repeats(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict[str, JsonValue]()
    for key, value in pairs:
        if key in found:
            raise ValueError(f"expected each key once in an object, got {quoted(key)} twice")
        found[key] = value
    return found


def _refuse_constant(text: str) -> JsonValue:
    raise ValueError(f"expected JSON, got {text}, which is not a number in JSON")


def _whole_number(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"expected numbers of at most {_LONGEST_NUMBER} characters, got {len(text):,}")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if len(text) > _LONGEST_NUMBER or not math.isfinite(value):
        raise ValueError(f"expected a number that a float can hold, got {quoted(text)}")
    return value


def _kind(value: JsonValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a string"
        case list():
            return "a list"
    return "a number"


def _texts(value: JsonValue) -> Iterator[str]:
    """Yields all strings and keys, without recursion.

    Raises:
        BodyError: The value nests too deeply.
    """
    left: list[tuple[JsonValue, int]] = [(value, 0)]
    while left:
        part, depth = left.pop()
        if depth > DEEPEST:
            raise _too_deep()
        match part:
            case str():
                yield part
            case dict():
                yield from part
                left.extend((each, depth + 1) for each in part.values())
            case list():
                left.extend((each, depth + 1) for each in part)
