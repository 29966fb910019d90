"""The JSONata that all states share that read a schedule."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from stepsched.machines.literals import quoted

DAY = 86_400
"""The number of seconds in a day."""
LONGEST_QUOTE = 100
"""The maximum number of characters of a given text in a sentence."""

DIGITS = """
$digits := function($t) {
  $t != '' and $not($exists($filter($split($t, ''), function($c) { $not($contains('0123456789', $c)) })[0]))
};
"""
"""``$digits``: whether a text has only ASCII digits, and at least one."""

SHOWN = f"""
$shown := function($value) {{(
  $text := $type($value) = 'string' ? $value : $string($value);
  $part := $length($text) > {LONGEST_QUOTE} ? $substring($text, 0, {LONGEST_QUOTE}) & '...' : $text;
  $type($value) = 'string' ? {quoted("'")} & $part & {quoted("'")} : $part
)}};
"""
"""``$shown``: a given value in a sentence; at most its first characters."""

ISO = "$iso := function($w) { $substring($fromMillis(1000 * $w), 0, 19) };"
"""``$iso``: the text of a wall time that is given in seconds."""


def fixed(name: str, value: Any) -> str:
    """The definition of a variable of an expression.

    Args:
        name: The name of the variable.
        value: A text, a number, or a list. A list is parsed as a whole: the members of a literal would be
            evaluated side by side, which counts towards the depth.
    """
    match value:
        case str():
            text = quoted(value)
        case int():
            text = str(value)
        case _:
            text = f"$parse({quoted(json.dumps(value, separators=(',', ':')))})"
    return f"${name} := {text};\n"


def new_year(year: int) -> int:
    """The number of seconds from 1970 to the beginning of a year, in UTC."""
    return (date(year, 1, 1) - date(1970, 1, 1)).days * DAY


def stage(*parts: str, then: bool = False) -> str:
    """The expression of a state that reads a schedule further.

    Args:
        parts: Its parts; the last one ends in its value.
        then: Whether another state has read the beginning: a problem that it has found stays as it is, and a
            schedule that it has read as a whole.
    """
    text = " ".join(line.strip() for part in parts for line in part.splitlines() if line.strip())
    return (
        f"{{% $exists($reading.problem) or $exists($reading.canonical) ? $reading : ( {text} ) %}}"
        if then
        else f"{{% ( {text} ) %}}"
    )
