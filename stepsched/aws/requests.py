"""Checks the request of an API call against the model of the API. Step Functions and EventBridge Scheduler
use the same names, and differ in how they convert values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from stepsched.aws.models import Shape
from stepsched.aws.services import closest

_MAX_DEPTH = 100
"""The maximum number of levels. Deeper ones are not checked."""
_DESCRIPTIONS = {
    "structure": "an object",
    "map": "an object",
    "list": "a list",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "blob": "a string",
    "timestamp": "a string or a number",
}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "blob": (str,),
    "timestamp": (str, int, float),
}
_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?")


class Problem(NamedTuple):
    """A problem of a request, with its location."""

    path: str
    """A JSON pointer into the request, such as ``/Entries/0/Detail``; empty for the request itself."""
    message: str
    is_error: bool = True
    """Whether the request is wrong. False: the model may be too old to know a value."""


class Caller(NamedTuple):
    """The service that makes the call, and how it converts values."""

    name: str
    """The name of the calling service, such as ``EventBridge Scheduler``."""
    call: str
    """The name of the call, such as ``sqs:sendMessage``."""
    root: str = "request"
    """The name of the request in messages."""
    is_exact: bool = True
    """Whether only names of the SDK for Java are accepted. Optimised integrations accept those of the API
    too."""
    names: str = "in Pascal case"
    """How the calling service writes the names of parameters."""
    converts: bool = False
    """Whether text is accepted for a number and null for an absent member, and blobs and timestamps are not
    checked."""
    writes_json: bool = False
    """Whether any other value is converted to JSON text where a string is expected."""
    key: Callable[[str], tuple[str, bool]] = lambda key: (key, False)
    """Returns the name of the member for a key, and whether its value is computed."""
    is_computed: Callable[[str], bool] = lambda _text: False
    """Returns whether a text is replaced by a computed value later."""
    is_substituted: Callable[[Any], bool] = lambda _value: False
    """Returns whether a value is replaced before the request is made, such as by CloudFormation."""


def check_request(shape: Shape, request: Any, caller: Caller) -> list[Problem]:
    """The problems of a request; empty if there are none.

    Unknown, missing and misspelt members and values of a wrong type are errors. A value that is not in the
    enumeration of the model is not an error, because the model may be old. A computed member counts as
    present, with any type.

    Args:
        shape: The shape of the request.
        request: The members by name.
        caller: The service that makes the call.
    """
    checker = _Checker(caller)
    checker.check(shape, request, "", 0)
    return checker.problems


class _Checker:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.problems: list[Problem] = []

    def check(self, shape: Shape, value: Any, path: str, depth: int) -> None:
        kind = shape.kind
        if kind == "any" or depth > _MAX_DEPTH or self._is_unchecked(shape, value):
            return
        if kind in ("structure", "map") and isinstance(value, Mapping):
            (self._check_structure if kind == "structure" else self._check_map)(shape, value, path, depth)
        elif kind == "list" and isinstance(value, list):
            for index, each in enumerate(value):
                self.check(shape.element, each, f"{path}/{index}", depth + 1)
        elif not self._is_of(kind, value):
            shown = repr(value)
            shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
            self._error(path, f"{self._last(path)!r} must be {_DESCRIPTIONS[kind]}, not {shown}")
        elif shape.enum and value not in shape.enum:
            hint = closest(value, shape.enum)
            message = f"{self._last(path)!r} has no value {value!r} that the model knows{hint}"
            self.problems.append(Problem(path, message, is_error=False))

    def _is_unchecked(self, shape: Shape, value: Any) -> bool:
        """Whether a value cannot be checked."""
        caller = self._caller
        if isinstance(value, str):
            return caller.is_computed(value)
        if value is None or shape.kind in ("blob", "timestamp"):
            return caller.converts
        return (shape.kind == "string" and caller.writes_json) or caller.is_substituted(value)

    def _is_of(self, kind: str, value: Any) -> bool:
        if self._caller.converts:
            if isinstance(value, str) and kind in ("integer", "number"):
                return _NUMBER.fullmatch(value) is not None
            if isinstance(value, str) and kind == "boolean":
                return value.lower() in ("true", "false")
            kind = "number" if kind == "integer" else kind
        types = _TYPES.get(kind, ())
        return isinstance(value, types) and (not isinstance(value, bool) or bool in types)

    def _error(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))

    def _place(self, path: str) -> str:
        return f"{self._last(path)!r} of {self._caller.call}" if path else self._caller.call

    def _last(self, path: str) -> str:
        return path.rpartition("/")[2] or self._caller.root

    def _check_map(self, shape: Shape, value: Mapping[str, Any], path: str, depth: int) -> None:
        for key, each in value.items():
            if not self._caller.key(str(key))[1]:
                self.check(shape.element, each, f"{path}/{key}", depth + 1)

    def _check_structure(self, shape: Shape, value: Mapping[str, Any], path: str, depth: int) -> None:
        present, nulls = set[str](), 0
        for key, each in value.items():
            place = f"{path}/{key}"
            name, is_computed = self._caller.key(str(key))
            member = shape.member(name)
            if member is None:
                self._check_unknown(shape, name, place)
                present.add(name)
                continue
            present.add(shape.proper(name))
            nulls += each is None and self._caller.converts
            if self._caller.is_exact and shape.is_misspelt(name):
                self._error(place, f"{self._caller.name} expects {shape.proper(name)!r}, not {name!r}")
            if not is_computed:
                self.check(member, each, place, depth + 1)
        self._check_members(shape, present, path)
        if shape.is_union and len(value) - nulls != 1 and not any(map(self._caller.is_computed, present)):
            names = ", ".join(sorted({shape.proper(name) for name in shape.names}))
            self._error(path, f"{self._place(path)} takes exactly one of {names}")

    def _check_members(self, shape: Shape, present: set[str], path: str) -> None:
        place = self._place(path)
        if any(self._caller.is_computed(name) for name in present):
            return
        lowered = {name.lower() for name in present}
        for name in shape.required:
            # A name in another case has been reported as misspelt, and is not reported as missing too.
            if name not in present and name.lower() not in lowered:
                self._error(path, f"{name!r} is missing, which {place} requires")
        if shape.either and not present.intersection(shape.either):
            self._error(path, f"{place} requires one of {', '.join(shape.either)}")

    def _check_unknown(self, shape: Shape, name: str, path: str) -> None:
        if shape.is_open or self._caller.is_computed(name):
            return
        proper = [shape.proper(each) for each in shape.names]
        same = {each.lower(): each for each in proper}.get(name.lower())
        if same is not None:
            hint = f"; {self._caller.name} writes parameters {self._caller.names}, {same!r}"
        elif name.endswith(".$"):
            hint = "; keys that end with '.$' are for JSONPath only, write '{% … %}' as the value"
        else:
            hint = closest(name, proper)
        self._error(path, f"{self._caller.call} takes no {name!r} here{hint}")
