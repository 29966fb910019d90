"""Converts a definition, text or object, to plain JSON, and reports problems of the text itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stepsched.asl.checks.report import SCHEMA, Report
from stepsched.asl.diagnostics import Doubt

LARGEST = 1_048_576
"""The maximum size of a definition in bytes of UTF-8.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""

_INVALID = "INVALID_JSON_DESCRIPTION"
_TOO_DEEP = "TOO_DEEPLY_NESTED"


def read_document(definition: object, report: Report) -> dict[str, Any] | None:
    """Returns the definition as plain JSON; None if it cannot be checked further."""
    if isinstance(definition, str):
        return _read_text(definition, report)
    if isinstance(definition, Mapping):
        return _read_mapping(definition, report)
    to_dict = getattr(definition, "to_dict", None)
    if callable(to_dict):  # a StateMachine
        return _read_mapping(to_dict(), report)
    kind = type(definition).__name__
    report.error("", f"a definition is JSON text or an object, not of type {kind}", _INVALID)
    return None


def _read_text(text: str, report: Report) -> dict[str, Any] | None:
    if not text.strip():
        report.error("", "the definition is empty; expected StartAt and States", "MISSING_DESCRIPTION")
        return None
    _check_size(text, report)
    repeated: list[tuple[dict[str, Any], str]] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            seen: set[str] = set()
            for name, _ in pairs:
                if name in seen:
                    repeated.append((value, name))
                seen.add(name)
        return value

    try:
        document = json.loads(text, object_pairs_hook=collect, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        report.error("", f"the definition is not JSON: {error.msg} at {place}", _INVALID)
        return None
    except ValueError as error:
        report.error("", f"the definition is not JSON: {error}", _INVALID)
        return None
    except RecursionError:
        report.error("", "the definition is nested too deeply to be read", _TOO_DEEP)
        return None
    if not isinstance(document, dict):
        kind = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}.get(
            type(document), "a number"
        )
        report.error("", f"the definition is {kind}; expected an object with StartAt and States", _INVALID)
        return None
    if repeated:
        _report_repeated(document, repeated, report)
    return document


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _read_mapping(definition: Mapping[Any, Any], report: Report) -> dict[str, Any] | None:
    """Converts a mapping to JSON and back, which leaves plain values only and refuses everything else."""
    try:
        text = json.dumps(definition, ensure_ascii=False, allow_nan=False, default=_plain)
        _check_size(text, report)
        document: dict[str, Any] = json.loads(text)
    except RecursionError:
        report.error("", "the definition is nested too deeply to be read", _TOO_DEEP)
    except (TypeError, ValueError) as error:
        report.error("", f"the definition holds what JSON does not: {error}", _INVALID)
    else:
        return document
    return None


def _plain(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__}")


def _check_size(text: str, report: Report) -> None:
    if len(text) * 4 <= LARGEST:
        return
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > LARGEST:
        report.error("", f"the definition has {size:,} bytes; AWS takes at most {LARGEST:,}", SCHEMA)


def _report_repeated(document: Any, repeated: list[tuple[dict[str, Any], str]], report: Report) -> None:
    """Reports duplicate keys: parsers silently keep the last one."""
    paths: dict[int, tuple[str, bool]] = {}
    todo: list[tuple[Any, str, bool]] = [(document, "", False)]
    while todo:
        value, path, holds_states = todo.pop()
        if isinstance(value, dict):
            paths[id(value)] = (path, holds_states)
            is_machine = "StartAt" in value and isinstance(value.get("States"), dict)
            todo.extend(
                (item, f"{path}/{name}", is_machine and name == "States") for name, item in value.items()
            )
        elif isinstance(value, list):
            todo.extend((item, f"{path}/{index}", False) for index, item in enumerate(value))
    for value, name in dict.fromkeys((id(value), name) for value, name in repeated):
        if value not in paths:  # dropped together with a duplicate object
            continue
        path, holds_states = paths[value]
        if holds_states:
            report.error(
                f"{path}/{name}",
                f"two states are named {name!r}; the names of states are unique in the whole machine",
                "DUPLICATE_STATE_NAME",
            )
        else:
            report.warning(
                f"{path}/{name}",
                f"the key {name!r} is given more than once; only the last one counts, remove the others",
                Doubt.DUPLICATE_KEY,
            )
