"""Writes user data into a JSONata definition, so that it is never evaluated as code.

A string that contains the beginning or the end of an expression becomes an expression of one string literal,
in which braces are escaped. An object with a key that ends in ``.$`` becomes an expression too, because the
behaviour of Step Functions for such keys is not documented. All other data is written unchanged: Step
Functions does not evaluate it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stepsched.core.context import ATTRIBUTES, ContextText

_MAX_SAFE_INTEGER = 2**53
_MAX_DEPTH = 30
"""The maximum nesting below a key that ends in ``.$``. Each level is evaluated; AWS allows about 100."""


def literal(value: Any, attributes: Mapping[ContextText, str]) -> Any:
    """The value in the form of a definition.

    Args:
        value: JSON, which may contain context attributes.
        attributes: The expression that gives the value of each context attribute.

    Raises:
        ValueError: The value below a key that ends in ``.$`` is nested too deeply.
    """
    match value:
        case ContextText():
            return f"{{% {_expression(value, attributes, 0)} %}}"
        case str():
            return f"{{% {quoted(value)} %}}" if "{%" in value or "%}" in value else value
        case list():
            return [literal(item, attributes) for item in value]
        case dict():
            if any(key.endswith(".$") for key in value):
                return f"{{% {_expression(value, attributes, 0)} %}}"
            return {key: literal(item, attributes) for key, item in value.items()}
    return value


def quoted(text: str) -> str:
    """A JSONata string literal that cannot end an expression: braces and single quotes are escaped."""
    body = json.dumps(text, ensure_ascii=False)[1:-1]
    for character in "{}'":
        body = body.replace(character, f"\\u{ord(character):04x}")
    return f"'{body}'"


def attempt_id(due: str, number: str) -> str:
    """The expression of the ID of an attempt: 20 hexadecimal digits, so that it can be part of any name, as
    on EventBridge Scheduler.

    Args:
        due: The expression of a text that no other run of the execution has.
        number: The expression of the attempt's number, as text.
    """
    return (
        f"$substring($hash($states.context.Execution.Name & '/' & {due} & '/' & {number}, 'SHA-256'), 0, 20)"
    )


def _expression(value: Any, attributes: Mapping[ContextText, str], depth: int) -> str:
    if depth > _MAX_DEPTH:
        raise ValueError(
            f"below a key that ends in '.$' the input is nested deeper than {_MAX_DEPTH} levels, "
            "more than Step Functions can evaluate; rename the key, or pass that part as text"
        )
    match value:
        case ContextText():
            return _joined(value, attributes)
        case str():
            return quoted(value)
        case list():
            return f"[{', '.join(_expression(item, attributes, depth + 1) for item in value)}]"
        case dict():
            if "__proto__" in value:
                raise ValueError(
                    "the key '__proto__' would be lost beside or below a key that ends in '.$'; rename one"
                )
            pairs = (
                f"{quoted(key)}: {_expression(item, attributes, depth + 1)}" for key, item in value.items()
            )
            return f"{{{', '.join(pairs)}}}"
    if isinstance(value, int) and abs(value) > _MAX_SAFE_INTEGER:
        raise ValueError(
            f"below a key that ends in '.$' the number {value} would lose digits; pass it as text"
        )
    return json.dumps(value)


def _joined(text: ContextText, attributes: Mapping[ContextText, str]) -> str:
    """An expression that joins the plain parts and the attributes of a text with ``&``."""
    parts: list[tuple[str, bool]] = [(str(text), False)]
    for attribute in ATTRIBUTES:
        split: list[tuple[str, bool]] = []
        for part, done in parts:
            if done:
                split.append((part, True))
                continue
            plain, *rest = part.split(attribute)
            split.append((plain, False))
            for piece in rest:
                split += [(attributes[attribute], True), (piece, False)]
        parts = split
    return " & ".join(part if done else quoted(part) for part, done in parts if done or part)
