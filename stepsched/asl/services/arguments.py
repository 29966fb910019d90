"""The parameters of a Task, against what its Resource takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from stepsched.asl.diagnostics import Severity
from stepsched.asl.expressions import Finding
from stepsched.asl.services.models import Shape
from stepsched.asl.services.resources import closest, expected_arguments, is_sdk

_CODE = "SCHEMA_VALIDATION_FAILED"
_DEEPEST = 100
"""Levels; what lies deeper is not looked at."""
_WORDS = {
    "structure": "an object",
    "map": "an object",
    "list": "a list",
    "string": "a string",
    "number": "a number",
    "boolean": "true or false",
}
_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?")

Findings = list[tuple[str, Finding]]


class _Task(NamedTuple):
    """What the parameters belong to, and where findings go."""

    name: str
    jsonata: bool
    is_sdk: bool
    findings: Findings

    def error(self, path: str, message: str) -> None:
        self.findings.append((path, Finding(Severity.ERROR, _CODE, message)))

    def warn(self, path: str, message: str) -> None:
        self.findings.append((path, Finding(Severity.WARNING, _CODE, message)))


def check_arguments(resource: str, arguments: Mapping[str, Any], *, jsonata: bool) -> Findings:
    """What is wrong with the parameters of a Task, each finding with its path below them.

    Unknown and missing parameters and literals of the wrong type are errors; a value that the model's
    enumeration lacks is a warning, for models age. What is computed counts as present and of any type.
    Nothing is said where the Resource is wrong itself or where nothing is known of its parameters.

    Args:
        resource: The Task's Resource.
        arguments: Its ``Arguments`` or ``Parameters``.
        jsonata: Whether ``{% … %}`` marks what is computed; otherwise keys that end with ``.$`` do.
    """
    shape = expected_arguments(resource)
    findings: Findings = []
    if shape is not None:
        name = resource.partition(":states:")[2].partition(":")[2].partition(":")[2]
        task = _Task(name, jsonata, is_sdk(resource), findings)
        _check(shape, arguments, "", 0, task)
    return findings


def _check(shape: Shape, value: Any, path: str, depth: int, task: _Task) -> None:
    kind = shape.kind
    if kind == "any" or value is None or depth > _DEEPEST:
        return
    if type(value) is str:
        if kind != "string" or shape.enum:
            _check_text(shape, value, path, task)
    elif kind == "string" and task.is_sdk:
        return  # written as JSON text by Step Functions
    elif kind in ("structure", "map"):
        if not isinstance(value, Mapping):
            _refuse(shape, value, path, task)
        elif not _is_substituted(value):
            (_check_structure if kind == "structure" else _check_map)(shape, value, path, depth, task)
    elif kind == "list" and isinstance(value, list):
        for index, each in enumerate(value):
            _check(shape.element, each, f"{path}/{index}", depth + 1, task)
    elif not _is_of(kind, value):
        _refuse(shape, value, path, task)


def _is_of(kind: str, value: Any) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return _is_substituted(value)


def _is_substituted(value: Any) -> bool:
    """Whether CloudFormation puts something else in place of it."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    key = str(next(iter(value)))
    return key == "Ref" or key.startswith("Fn::")


def _is_computed(text: str, task: _Task) -> bool:
    return (task.jsonata and text.startswith("{%") and text.endswith("%}")) or "${" in text


def _check_text(shape: Shape, text: str, path: str, task: _Task) -> None:
    if _is_computed(text, task):
        return
    if shape.kind == "string":
        if text not in shape.enum:
            hint = closest(text, shape.enum)
            task.warn(path, f"{_last(path)!r} has no value {text!r} that the model knows{hint}")
    elif not (
        (shape.kind == "number" and _NUMBER.fullmatch(text))
        or (shape.kind == "boolean" and text.lower() in ("true", "false"))
    ):
        _refuse(shape, text, path, task)


def _refuse(shape: Shape, value: Any, path: str, task: _Task) -> None:
    if _is_substituted(value):
        return
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    task.error(path, f"{_last(path)!r} must be {_WORDS[shape.kind]}, not {shown}")


def _last(path: str) -> str:
    return path.rpartition("/")[2] or "Arguments"


def _check_map(shape: Shape, value: Mapping[str, Any], path: str, depth: int, task: _Task) -> None:
    element = shape.element
    if element.kind == "any":
        return
    for key, each in value.items():
        if task.jsonata or not str(key).endswith(".$"):
            _check(element, each, f"{path}/{key}", depth + 1, task)


def _check_structure(shape: Shape, value: Mapping[str, Any], path: str, depth: int, task: _Task) -> None:
    names = shape.names
    given = set()
    for key, each in value.items():
        name, is_computed = str(key), False
        if not task.jsonata and name.endswith(".$"):
            name, is_computed = name[:-2], True
        model_name = names.get(name)
        if model_name is None:
            _check_unknown(shape, name, f"{path}/{key}", task)
            given.add(name)
            continue
        proper = shape.proper(name)
        given.add(proper)
        # Attribute types of DynamoDB, such as SS, are seen in both spellings.
        if proper != name and task.is_sdk and not name.isupper() and proper.lower() == name.lower():
            task.warn(f"{path}/{key}", f"Step Functions writes {name!r} as {proper!r}")
        member = shape.member(name)
        if member is not None and not is_computed:
            _check(member, each, f"{path}/{key}", depth + 1, task)
    _check_missing(shape, given, path, task)


def _check_missing(shape: Shape, given: set[str], path: str, task: _Task) -> None:
    if not shape.either and given.issuperset(shape.required):
        return
    place = f"{_last(path)!r} of {task.name}" if path else task.name
    if any("${" in name for name in given):
        return
    lowered = {name.lower() for name in given}
    for name in shape.required:
        # A name in another case was reported as such, and is not missing as well.
        if name not in given and name.lower() not in lowered:
            task.error(path, f"{name!r} is missing, which {place} requires")
    if shape.either and not given.intersection(shape.either):
        task.error(path, f"{place} requires one of {', '.join(shape.either)}")


def _check_unknown(shape: Shape, name: str, path: str, task: _Task) -> None:
    if shape.is_open or "${" in name:
        return
    proper = {each: shape.proper(each) for each in shape.names}
    by_case = {each.lower(): each for each in proper.values()}
    same = by_case.get(name.lower())
    if same is not None:
        hint = f"; Step Functions writes parameters in Pascal case, {same!r}"
    elif name.endswith(".$"):
        hint = "; keys that end with '.$' are for JSONPath only, write '{% … %}' as the value"
    else:
        hint = closest(name, proper.values())
    task.error(path, f"{task.name} takes no {name!r} here{hint}")
