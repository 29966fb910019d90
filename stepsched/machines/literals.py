"""User data inside a JSONata definition, so that none of it is ever code.

A string that Step Functions would take for an expression, or refuse for looking like half of one, becomes
an expression of one string literal in which braces are escaped; an object with a key that ends in ``.$``
becomes an expression too, since nobody says what Step Functions does with such keys. All other data stands
as it is: it is never evaluated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stepsched.core.context import ATTRIBUTES, ContextText

_LARGEST = 2**53
_DEEPEST = 30
"""Levels below a key that ends in ``.$``: each is a level of evaluation, of which AWS allows about 100."""


def literal(value: Any, attributes: Mapping[ContextText, str]) -> Any:
    """The same value as a piece of a definition.

    Args:
        value: JSON, in which context attributes may stand.
        attributes: For each context attribute the expression that gives it.

    Raises:
        ValueError: A key that ends in ``.$`` has too much below it.
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
    """A string literal of JSONata that cannot end an expression: no brace and no single quote in it."""
    body = json.dumps(text, ensure_ascii=False)[1:-1]
    for character in "{}'":
        body = body.replace(character, f"\\u{ord(character):04x}")
    return f"'{body}'"


def _expression(value: Any, attributes: Mapping[ContextText, str], depth: int) -> str:
    if depth > _DEEPEST:
        raise ValueError(
            f"below a key that ends in '.$' the input is nested deeper than {_DEEPEST} levels, "
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
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError(
            f"below a key that ends in '.$' the number {value} would lose digits; pass it as text"
        )
    return json.dumps(value)


def _joined(text: ContextText, attributes: Mapping[ContextText, str]) -> str:
    """Plain parts and attributes, joined by ``&``."""
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
