"""User data in JSON: it is copied, validated and limited in size."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, PlainSerializer, PlainValidator, ValidationInfo

from stepsched.core.context import JSON_KEY, revive, write

MAX_PAYLOAD_BYTES = 256 * 1024
"""The maximum size of an input on EventBridge Scheduler, as compact JSON in UTF-8."""


def to_json(value: JsonValue) -> str:
    """Returns the compact JSON text of a value."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def read_payload(value: Any) -> JsonValue:
    """Returns a deep copy of a JSON value; its context attributes are kept.

    Raises:
        ValueError: A part is not JSON, or the value is larger than ``MAX_PAYLOAD_BYTES``.
    """
    copy = _Copier().copy(value, "input", 0)
    size = len(to_json(copy).encode())
    if size > MAX_PAYLOAD_BYTES:
        raise _too_large(f"{size:,} bytes")
    return copy


def without_attributes(value: JsonValue) -> JsonValue:
    """Returns a JSON value unchanged.

    Raises:
        ValueError: It has a context attribute, which nothing would fill in.
    """
    if write(value) != value:
        raise ValueError(
            "expected plain data, got a context attribute, which is filled in only in the input of a job or "
            "a step; use it there"
        )
    return value


def _too_large(size: str) -> ValueError:
    return ValueError(
        f"expected at most {MAX_PAYLOAD_BYTES:,} bytes of JSON, got {size}; "
        "store large data elsewhere and pass its location"
    )


class _Copier:
    """Copies one value and counts its size: a small value may refer to one part a billion times."""

    def __init__(self) -> None:
        self.parts = 0

    def copy(self, value: Any, place: str, depth: int) -> JsonValue:
        self.parts += 1
        if self.parts > MAX_PAYLOAD_BYTES:
            raise _too_large("far more")
        if depth > 100:
            raise ValueError(f"{place} is nested deeper than 100 levels, or contains itself")
        match value:
            case None | bool() | int():
                return value
            case str():
                return _text(value, place)
            case float():
                if not math.isfinite(value):
                    raise ValueError(f"{place} is {value}, which is not a number in JSON")
                return value
            case list() | tuple():
                return [self.copy(item, f"{place}[{n}]", depth + 1) for n, item in enumerate(value)]
            case Mapping() if value.keys() == {JSON_KEY}:  # data from outside must not become an attribute
                raise ValueError(
                    f"{place} has the only key {JSON_KEY!r}, which means a context attribute in JSON; "
                    "in Python use the constants of ss.context"
                )
            case Mapping():
                return {
                    _key(key, place): self.copy(item, f"{place}.{key}", depth + 1)
                    for key, item in value.items()
                }
        raise ValueError(
            f"{place} is a {type(value).__name__}, which is not JSON; "
            "use strings, numbers, True, False, None, lists and mappings"
        )


def _key(key: object, place: str) -> str:
    if not isinstance(key, str):
        raise ValueError(f"{place} has the key {key!r}; expected strings as keys")  # noqa: TRY004 -- pydantic collects ValueError
    return _text(key, f"a key of {place}")


def _text(text: str, place: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{place} contains half of a surrogate pair, which UTF-8 cannot encode")
    return text


def _read(value: Any, info: ValidationInfo) -> JsonValue:
    return read_payload(revive(value) if info.mode == "json" else value)


def _read_object(value: Any, info: ValidationInfo) -> dict[str, JsonValue]:
    copy = _read(value, info)
    if not isinstance(copy, dict):
        raise ValueError(f"expected a mapping, got {type(value).__name__}")  # noqa: TRY004 -- pydantic collects ValueError
    return copy


_writer = PlainSerializer(write, when_used="json")
Payload = Annotated[JsonValue, PlainValidator(_read, json_schema_input_type=JsonValue), _writer]
"""Any JSON value up to 256 KiB, which is copied."""
Data = Annotated[Payload, AfterValidator(without_attributes)]
"""A payload without context attributes."""
JsonObject = Annotated[
    dict[str, JsonValue],
    PlainValidator(_read_object, json_schema_input_type=dict[str, JsonValue]),
    _writer,
]
"""A JSON object up to 256 KiB, which is copied."""
Text = Annotated[str, Field(strict=True), AfterValidator(lambda text: _text(text, "the text"))]
"""Text that UTF-8 can encode."""
