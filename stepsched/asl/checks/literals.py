"""Handlers of fields with plain values: strings, numbers, timestamps, constants."""

from __future__ import annotations

import re
from calendar import monthrange
from typing import Any

from stepsched.asl.checks.report import listed, shown
from stepsched.asl.checks.shapes import Handler
from stepsched.asl.checks.templates import AT_ENTRY, check_expression, check_template, is_expression
from stepsched.asl.checks.visits import Visit
from stepsched.asl.diagnostics import Doubt

_INSTANT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?"
    r"(?:Z|[+-]([0-9]{2}):([0-9]{2}))"
)


def refuse(visit: Visit, path: str, key: str, value: Any, wanted: str) -> None:
    visit.report.error(f"{path}/{key}", f"{key} is {shown(value)}; {wanted}")


def anything(visit: Visit, path: str, key: str, value: Any) -> None:
    """Accepts a field that is checked elsewhere."""


def text(visit: Visit, path: str, key: str, value: Any) -> None:
    if type(value) is not str:
        refuse(visit, path, key, value, "expected a string")


def is_whole(value: Any) -> bool:
    return type(value) is int or (type(value) is float and value.is_integer())


def whole(low: int, high: float, *, usual: tuple[int, float] | None = None, jsonata: bool = False) -> Handler:
    """Returns a handler for a whole number in a range, or an expression if the language has them.

    Args:
        low: The lowest number that AWS accepts.
        high: The highest one.
        usual: The range that AWS documents, if it accepts more than that.
        jsonata: Whether the language has expressions.
    """
    limits = f"from {low} to {high}" if high != float("inf") else f"of at least {low}"
    least, most = usual or (low, high)
    documented = f"from {least} to {most}" if most != float("inf") else f"of at least {least}"

    def handle(visit: Visit, path: str, key: str, value: Any) -> None:
        if type(value) is int and least <= value <= most:
            return
        if jsonata and type(value) is str:
            check_expression(visit, path, key, value, AT_ENTRY, f"a whole number {limits}")
        elif not is_whole(value) or not low <= value <= high:
            refuse(visit, path, key, value, f"expected a whole number {limits}")
        elif not least <= value <= most:
            visit.report.warning(
                f"{path}/{key}",
                f"{key} is {shown(value)}; AWS accepts it and documents a whole number {documented}",
                Doubt.DOUBTFUL_VALUE,
            )

    return handle


def number(low: float, high: float, *, jsonata: bool = False) -> Handler:
    """Returns a handler for a number in a range, or an expression if the language has them."""
    limits = f"of at least {low}" if high == float("inf") else f"from {low} to {high}"

    def handle(visit: Visit, path: str, key: str, value: Any) -> None:
        if jsonata and type(value) is str:
            check_expression(visit, path, key, value, AT_ENTRY, f"a number {limits}")
        elif type(value) not in (int, float) or not low <= value <= high:
            refuse(visit, path, key, value, f"expected a number {limits}")

    return handle


def word(*words: str) -> Handler:
    """Returns a handler for one of a few constants."""
    known = frozenset(words)

    def handle(visit: Visit, path: str, key: str, value: Any) -> None:
        if type(value) is not str or value not in known:
            names = listed(map(repr, words), "or")
            refuse(visit, path, key, value, f"expected {names}{visit.report.hint(value, words)}")

    return handle


def is_true(visit: Visit, path: str, key: str, value: Any) -> None:
    if value is not True:
        refuse(visit, path, key, value, f"{key} is true or left out")


def version(visit: Visit, path: str, key: str, value: Any) -> None:
    if type(value) is not str:
        refuse(visit, path, key, value, "expected a string, such as '1.0'")
    elif value != "1.0":
        refuse(visit, path, key, value, "the language has '1.0' only")


def limited_text(most: int, *, jsonata: bool) -> Handler:
    """Returns a handler for a string with a maximum length, such as Error and Cause."""

    def handle(visit: Visit, path: str, key: str, value: Any) -> None:
        if type(value) is not str:
            refuse(visit, path, key, value, "expected a string")
        elif jsonata and ("{%" in value or "%}" in value):
            check_template(visit, path, key, value, AT_ENTRY)
        elif is_expression(value):
            visit.report.error(
                f"{path}/{key}",
                f"{shown(value)} is a JSONata expression, and the state's QueryLanguage is JSONPath; set "
                f"QueryLanguage to 'JSONata', or use {key}Path",
                "INVALID_JSONATA_EXPRESSION",
            )
        elif len(value) > most:
            visit.report.error(f"{path}/{key}", f"{key} has {len(value):,} characters; at most {most:,}")

    return handle


def timestamp(*, jsonata: bool) -> Handler:
    """Returns a handler for a timestamp, or an expression if the language has them."""

    def handle(visit: Visit, path: str, key: str, value: Any) -> None:
        if type(value) is str:
            if jsonata and ("{%" in value or "%}" in value):
                check_expression(visit, path, key, value, AT_ENTRY, "an instant")
                return
            reason = timestamp_fault(value)
        else:
            reason = "expected a string, such as '2026-03-14T01:59:00Z'"
        if reason:
            refuse(visit, path, key, value, reason)

    return handle


def timestamp_fault(value: str) -> str:
    """Returns why a text is not a timestamp of RFC 3339 that AWS accepts; empty if it is one."""
    match = _INSTANT.fullmatch(value)
    if match is None:
        cure = "expected an RFC 3339 instant, with a capital T, and Z or an offset"
        return f"{cure}, such as '2026-03-14T01:59:00Z'"
    year, month, day, hour, minute, second, *offset = (int(part or 0) for part in match.groups())
    if not 1 <= month <= 12:
        return f"there is no month {month}"
    if year < 1 or not 1 <= day <= monthrange(year, month)[1]:
        return f"there is no day {value[:10]}"
    if hour > 23 or minute > 59 or second > 59:
        return f"there is no time {value[11:19]}"
    if offset[0] > 18 or offset[1] > 59:
        return f"there is no offset {value[-6:]}"
    return ""
