"""The parameters of a Task, against what its Resource takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepsched.asl.diagnostics import Severity
from stepsched.asl.expressions import Finding
from stepsched.asl.services.resources import expected_arguments, is_sdk
from stepsched.aws.requests import Caller, check_request

_CODE = "SCHEMA_VALIDATION_FAILED"

Findings = list[tuple[str, Finding]]


def check_arguments(resource: str, arguments: Mapping[str, Any], *, jsonata: bool) -> Findings:
    """What is wrong with the parameters of a Task, each finding with its path below them.

    Unknown, misspelt and missing parameters and literals of the wrong type are errors; a value that the
    enumeration of the model lacks is a warning, for models age. What is computed counts as present and of any
    type. Nothing is said where the Resource is wrong itself or where nothing is known of its parameters.

    Args:
        resource: The Task's Resource.
        arguments: Its ``Arguments`` or ``Parameters``.
        jsonata: Whether ``{% … %}`` marks what is computed; otherwise keys that end with ``.$`` do.
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
            Finding(Severity.ERROR if problem.is_error else Severity.WARNING, _CODE, problem.message),
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
    """Whether CloudFormation puts something else in place of it."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    key = str(next(iter(value)))
    return key == "Ref" or key.startswith("Fn::")
