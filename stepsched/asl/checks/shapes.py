"""The shape of an object of the language: its allowed, required and mutually exclusive fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stepsched.asl.checks.report import listed, shown
from stepsched.asl.checks.visits import Visit
from stepsched.asl.diagnostics import Doubt

Handler = Callable[[Visit, str, str, Any], None]
"""Checks the value of a field. The arguments are the visit, the path of the object, the field's name, its
value."""


class Shape:
    """The fields of one type of object."""

    __slots__ = ("exactly_one", "exclusive", "fields", "is_open", "name", "other_language", "required")

    def __init__(
        self,
        name: str,
        fields: Mapping[str, Handler],
        *,
        required: tuple[str, ...] = (),
        exactly_one: tuple[tuple[str, ...], ...] = (),
        exclusive: tuple[tuple[str, ...], ...] = (),
        other_language: frozenset[str] = frozenset(),
        is_open: bool = False,
    ) -> None:
        self.name = name
        """The name in a sentence, such as ``a Task state``."""
        self.fields = fields
        self.required = required
        self.exactly_one = exactly_one
        self.exclusive = exclusive
        self.other_language = other_language
        """The fields that it has only in the other query language."""
        self.is_open = is_open
        """Whether AWS may have fields that the table lacks: they cause a warning, not an error."""


def check_fields(visit: Visit, path: str, body: dict[str, Any], shape: Shape) -> None:
    """Applies a shape to an object."""
    fields = shape.fields
    for key, value in body.items():
        handler = fields.get(key)
        if handler is None:
            _report_unknown(visit, path, key, shape)
        else:
            handler(visit, path, key, value)
    for key in shape.required:
        if key not in body:
            visit.report.error(path, f"{shape.name} needs the field {key!r}")
    for group in shape.exactly_one:
        _check_group(visit, path, body, shape, group, needed=True)
    for group in shape.exclusive:
        _check_group(visit, path, body, shape, group, needed=False)


def _check_group(
    visit: Visit, path: str, body: dict[str, Any], shape: Shape, group: tuple[str, ...], *, needed: bool
) -> None:
    given = 0
    for key in group:
        if key in body:
            given += 1
    if given == 1 or (not given and not needed):
        return
    if not given:
        visit.report.error(path, f"{shape.name} needs one of {listed(map(repr, group), 'or')}; it has none")
        return
    present = [key for key in body if key in group]
    rule = "exactly one" if needed else "at most one"
    names = listed(map(repr, present))
    visit.report.error(
        f"{path}/{present[-1]}", f"{shape.name} takes {rule} of {names}; it has {given}, leave one"
    )


ELSEWHERE: dict[str, tuple[str, ...]] = {}
"""All fields of states with the types that have them; filled by the table of fields."""

_IN_OTHER_LANGUAGE = {
    "Parameters": "Arguments", "ResultSelector": "Output", "ResultPath": "Output", "OutputPath": "Output",
    "InputPath": "Arguments", "Result": "Output", "ItemsPath": "Items", "Arguments": "Parameters",
    "Output": "ResultSelector or ResultPath", "Items": "ItemsPath", "ErrorPath": "Error",
    "CausePath": "Cause",
    "SecondsPath": "Seconds", "TimestampPath": "Timestamp", "TimeoutSecondsPath": "TimeoutSeconds",
    "HeartbeatSecondsPath": "HeartbeatSeconds", "MaxConcurrencyPath": "MaxConcurrency",
    "ToleratedFailureCountPath": "ToleratedFailureCount",
    "ToleratedFailurePercentagePath": "ToleratedFailurePercentage", "MaxItemsPath": "MaxItems",
    "MaxItemsPerBatchPath": "MaxItemsPerBatch", "MaxInputBytesPerBatchPath": "MaxInputBytesPerBatch",
}  # fmt: skip


def _report_unknown(visit: Visit, path: str, key: str, shape: Shape) -> None:
    where = f"{path}/{key}"
    if key in shape.other_language:
        own, other = ("JSONata", "JSONPath") if visit.jsonata else ("JSONPath", "JSONata")
        stand_in = _IN_OTHER_LANGUAGE.get(key)
        cure = f"; use {stand_in}, or set QueryLanguage" if stand_in in shape.fields else ""
        visit.report.error(
            where,
            f"The QueryLanguage is set to '{own}', but field '{key}' is only supported for the '{other}' "
            f"QueryLanguage{cure}",
        )
        return
    near = visit.report.hint(key, shape.fields)
    if not near and key in ELSEWHERE:
        near = f"; {listed(ELSEWHERE[key])} states have it"
    message = f"Field {shown(key)[1:-1]!r} is not supported in {shape.name}{near}"
    if shape.is_open:
        visit.report.warning(where, message, Doubt.UNKNOWN_FIELD)
    else:
        visit.report.error(where, message)
