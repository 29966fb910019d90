"""User data that travels as JSON: copied in, checked, bounded."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, PlainSerializer, PlainValidator, ValidationInfo

from stepsched.core.context import JSON_KEY, revive, write

MAX_PAYLOAD_BYTES = 256 * 1024
"""What EventBridge Scheduler takes as input, as compact JSON in UTF-8."""


def to_json(value: JsonValue) -> str:
    """Compact JSON text, as it travels."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def read_payload(value: Any) -> JsonValue:
    """A deep copy of a JSON value; its context attributes stay what they are.

    Raises:
        ValueError: A part is no JSON, or the whole is larger than ``MAX_PAYLOAD_BYTES``.
    """
    copy = _Copier().copy(value, "input", 0)
    size = len(to_json(copy).encode())
    if size > MAX_PAYLOAD_BYTES:
        raise _too_large(f"{size:,} bytes")
    return copy


def _too_large(size: str) -> ValueError:
    return ValueError(
        f"it takes {size} as JSON; at most {MAX_PAYLOAD_BYTES:,} are allowed: "
        "keep large data elsewhere and pass where it is"
    )


class _Copier:
    """Copies one value. It counts as it goes: a small value may hold one part a billion times."""

    def __init__(self) -> None:
        self.parts = 0

    def copy(self, value: Any, place: str, depth: int) -> JsonValue:
        self.parts += 1
        if self.parts > MAX_PAYLOAD_BYTES:
            raise _too_large("far more bytes")
        if depth > 100:
            raise ValueError(f"{place} is nested deeper than 100 levels, or holds itself")
        match value:
            case None | bool() | int():
                return value
            case str():
                return _text(value, place)
            case float():
                if not math.isfinite(value):
                    raise ValueError(f"{place} is {value}, which JSON has no number for")
                return value
            case list() | tuple():
                return [self.copy(item, f"{place}[{n}]", depth + 1) for n, item in enumerate(value)]
            case Mapping() if value.keys() == {JSON_KEY}:  # data from elsewhere must not become one
                raise ValueError(
                    f"{place} has the one key {JSON_KEY!r}, which stands for a context attribute in JSON; "
                    "in Python use the constants of ss.context"
                )
            case Mapping():
                return {
                    _key(key, place): self.copy(item, f"{place}.{key}", depth + 1)
                    for key, item in value.items()
                }
        raise ValueError(
            f"{place} is a {type(value).__name__}, which is no JSON; "
            "use text, numbers, true, false, null, lists and mappings"
        )


def _key(key: object, place: str) -> str:
    if not isinstance(key, str):
        raise ValueError(f"{place} has the key {key!r}; keys of JSON are text")  # noqa: TRY004 -- pydantic collects ValueError
    return _text(key, f"a key of {place}")


def _text(text: str, place: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{place} holds half of a surrogate pair, which UTF-8 cannot carry")
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
"""Any JSON value up to 256 KiB, copied."""
JsonObject = Annotated[
    dict[str, JsonValue],
    PlainValidator(_read_object, json_schema_input_type=dict[str, JsonValue]),
    _writer,
]
"""A JSON object up to 256 KiB, copied."""
Text = Annotated[str, Field(strict=True), AfterValidator(lambda text: _text(text, "the text"))]
"""Text that UTF-8 can carry."""
