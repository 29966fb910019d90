"""Checks the parameters of a Task against the request of its Resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepsched.asl.diagnostics import Doubt, Severity
from stepsched.asl.expressions import Finding
from stepsched.asl.services.resources import expected_arguments, is_sdk
from stepsched.aws.requests import Caller, check_request

_CODE = "SCHEMA_VALIDATION_FAILED"

Findings = list[tuple[str, Finding]]


def check_arguments(resource: str, arguments: Mapping[str, Any], *, jsonata: bool) -> Findings:
    """Returns the problems of a Task's parameters, each with its path below them.

    Unknown, misspelt and missing parameters and literals of the wrong type are errors; a value that is
    missing in an enumeration of the model is a warning, since the model may be old. A computed value counts
    as present and of any type. The result is empty if the Resource itself is not valid or its parameters are
    not known.

    Args:
        resource: The Resource of the Task.
        arguments: The ``Arguments`` or ``Parameters`` of the Task.
        jsonata: Whether ``{% … %}`` marks computed values; otherwise keys that end with ``.$`` do.
    """
    shape = expected_arguments(resource)
    if shape is None:
        return []
    name = resource.partition(":states:")[2].partition(":")[2].partition(":")[2]
    caller = Caller(
        "Step Functions",
        name,
        "Arguments",
        is_exact=is_sdk(resource),
        converts=True,
        writes_json=is_sdk(resource),
        key=_jsonata_key if jsonata else _jsonpath_key,
        is_computed=_is_jsonata if jsonata else _is_placeholder,
        is_substituted=_is_substituted,
    )
    return [
        (
            problem.path,
            Finding(Severity.ERROR, _CODE, problem.message)
            if problem.is_error
            else Finding(Severity.WARNING, Doubt.UNKNOWN_VALUE.value, problem.message),
        )
        for problem in check_request(shape, arguments, caller)
    ]


def _jsonata_key(key: str) -> tuple[str, bool]:
    return key, False


def _jsonpath_key(key: str) -> tuple[str, bool]:
    return (key[:-2], True) if key.endswith(".$") else (key, False)


def _is_placeholder(text: str) -> bool:
    return "${" in text


def _is_jsonata(text: str) -> bool:
    return (text.startswith("{%") and text.endswith("%}")) or "${" in text


def _is_substituted(value: Any) -> bool:
    """Returns whether CloudFormation replaces the value."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    key = str(next(iter(value)))
    return key == "Ref" or key.startswith("Fn::")
