"""The fields of a value as a table, a field a row, with secrets masked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum

from stepsched.core.masking import text_without_secrets, without_secrets
from stepsched.core.quoting import quoted
from stepsched.core.values import Value
from stepsched.display.results import Displayed
from stepsched.display.table import Cell, Table, record_table
from stepsched.display.times import instant_text, took_text

_MOST_DIGITS = 60
"""The number of digits before or after the point up to which a decimal is written without exponent."""


def fields_table(value: object) -> Table:
    """Returns a table of the fields of a value of ours, a dataclass or a named tuple."""
    return record_table((name.replace("_", " "), field_cell(each)) for name, each in _fields_of(value))


def _fields_of(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Value):
        names = [*type(value).model_fields]
    elif is_dataclass(value):
        names = [each.name for each in fields(value)]
    else:
        names = [*getattr(value, "_fields", ())]
    return ((name, getattr(value, name)) for name in names)


def field_cell(value: object) -> Cell:
    """Returns the value of a field as people write it; ``-`` for None."""
    if isinstance(value, (int, float)) and not isinstance(value, (bool, Enum)):
        is_short = isinstance(value, float) or abs(value) < 10**_MOST_DIGITS
        return Cell(f"{value:,}" if is_short else quoted(value), value)
    return Cell(_text_of(value))


def _text_of(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case Enum():
            return str(value.value)
        case str():
            return text_without_secrets(value)
        case bytes():
            return f"{len(value):,} bytes"
        case datetime():
            return instant_text(value)
        case date():
            return value.isoformat()
        case timedelta():
            return took_text(value)
        case int():
            return quoted(value)
        case Decimal():
            return f"{value:,f}" if abs(value.adjusted()) < _MOST_DIGITS else str(value)
        case Mapping():
            known = without_secrets({key: _text_of(each) for key, each in value.items()})
            return ", ".join(f"{key}={text}" for key, text in known.items()) or "-"
        case list() | tuple():
            return ", ".join(map(_text_of, without_secrets(value))) or "-"
        case Displayed() if not isinstance(value, type):
            return text_without_secrets(value._shown_in_cell())  # noqa: SLF001 -- a hook of this package
        case _:
            return text_without_secrets(repr(value))
