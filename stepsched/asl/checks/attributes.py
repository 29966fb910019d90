"""Attributes of DynamoDB in the optimised integration, where AWS takes plain text for an attribute.

Samples of AWS rely on it: curbside-pickup, human-task-reminder and quorum-with-parallel-pattern of
https://github.com/aws-samples/step-functions-workflows-collection.
"""

from __future__ import annotations

from typing import Any

from stepsched.asl.checks.templates import is_expression

_ATTRIBUTES = frozenset({"ExpressionAttributeValues", "Item", "Key"})
"""The parameters that are objects of attributes."""


def without_plain_attributes(arguments: dict[str, Any], *, jsonata: bool) -> tuple[dict[str, Any], list[str]]:
    """Returns the arguments with plain text written as an attribute, and the paths of the plain texts.

    Args:
        arguments: The parameters of a call.
        jsonata: Whether ``{% ... %}`` is computed, instead of keys that end with ``.$``.
    """
    plain: list[str] = []

    def attribute(value: Any, path: str) -> Any:
        match value:
            case str() if not (jsonata and is_expression(value)) and "${" not in value:
                plain.append(path)
                return {"S": value}
            case {"L": list() as items} if len(value) == 1:
                return {"L": [attribute(item, f"{path}/L/{index}") for index, item in enumerate(items)]}
            case {"M": dict() as items} if len(value) == 1:
                return {"M": attributes(items, f"{path}/M")}
        return value

    def attributes(items: dict[str, Any], path: str) -> dict[str, Any]:
        return {
            name: value if not jsonata and name.endswith(".$") else attribute(value, f"{path}/{name}")
            for name, value in items.items()
        }

    changed = {
        name: attributes(value, f"/{name}") if name in _ATTRIBUTES and type(value) is dict else value
        for name, value in arguments.items()
    }
    return changed, plain
