"""The base class of the parts of a definition: snake_case in Python, PascalCase in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from pydantic import ValidationInfo, model_serializer, model_validator
from pydantic.alias_generators import to_pascal

from stepsched.core.values import Value


class AslValue(Value, frozen=True, alias_generator=to_pascal, validate_by_name=True, validate_by_alias=True):
    """A part of a definition. Given fields are written, others are not."""

    __hash__ = None  # type: ignore[assignment]  # dictionaries do not hash

    def __eq__(self, other: object) -> bool:
        """Returns whether both parts have the same JSON form: ``1`` is not ``true``."""
        related = isinstance(other, type(self)) or isinstance(self, type(other))
        return isinstance(other, AslValue) and related and same(self.to_dict(), other.to_dict())

    nullable: ClassVar[frozenset[str]] = frozenset()
    """Fields in which null has a meaning; in others None means that the field is not given."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the part as plain JSON in the States Language."""
        document: dict[str, Any] = {}
        unknown: dict[str, Any] = {}
        given = self.model_fields_set
        for name, alias in _order(type(self)):
            if name in given or name == "type":
                value = getattr(self, name)
                if name == "unknown":
                    unknown = write(value) or {}
                elif value is not None or name in self.nullable:
                    document[alias] = write(value)
        return document | unknown

    @model_validator(mode="before")
    @classmethod
    def _unknown_apart(cls, data: Any, info: ValidationInfo) -> Any:
        if type(data) is Named or not is_wire(info) or "unknown" not in cls.model_fields:
            return data
        return split_unknown(cls, data) if isinstance(data, Mapping) else data

    @model_serializer(mode="plain")
    def _as_written(self) -> dict[str, Any]:
        return self.to_dict()


_FIRST = ("type", "comment", "query_language", "start_at", "resource", "arguments", "parameters")
_LAST = ("assign", "output", "retry", "catch", "default", "next", "end", "states")


@cache
def _order(model: type[AslValue]) -> list[tuple[str, str]]:
    """Returns a model's fields with their names in JSON, in the usual order."""

    def rank(name: str) -> tuple[int, int]:
        if name in _FIRST:
            return (0, _FIRST.index(name))
        return (2, _LAST.index(name)) if name in _LAST else (1, 0)

    fields = model.model_fields
    return [(name, fields[name].alias or name) for name in sorted(fields, key=rank)]


def split_unknown(model: type[AslValue], document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the document with unknown fields moved into the field ``unknown``."""
    aliases = _aliases(model)
    if document.keys() <= aliases:
        return dict(document)
    unknown = {key: value for key, value in document.items() if key not in aliases}
    return {key: value for key, value in document.items() if key in aliases} | {"Unknown": unknown}


class Named(dict[str, Any]):
    """Fields by their names in Python, while a definition is parsed."""


WIRE = {"wire": True}
"""The validation context while a definition is parsed, of which everything must be kept."""


def is_wire(info: ValidationInfo) -> bool:
    """Returns whether a definition is parsed, rather than a constructor called."""
    return info.mode == "json" or info.context is WIRE


def same(one: Any, other: Any) -> bool:
    """Returns whether two JSON values are equal, except for the order of keys."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@cache
def _aliases(model: type[AslValue]) -> frozenset[str]:
    return frozenset(alias for name, alias in _order(model) if name != "unknown")


def is_written(value: Any) -> bool:
    """Returns whether a document is from a definition, rather than from a constructor's keywords."""
    if type(value) is not dict and not isinstance(value, Mapping):
        return False
    return any(isinstance(key, str) and key[:1].isupper() for key in value)


def write(value: Any) -> Any:
    """Returns a copy as plain JSON."""
    kind = type(value)
    if kind in _LEAVES:
        return value
    if kind is dict or isinstance(value, Mapping):
        return {key: write(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [write(item) for item in value]
    return value.to_dict() if isinstance(value, AslValue) else value


_LEAVES = frozenset({str, int, bool, float, type(None)})
