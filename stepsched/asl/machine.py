"""A whole definition."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue, ValidationError

from stepsched.asl.budget import Budget, budget_of
from stepsched.asl.checks import check
from stepsched.asl.diagnostics import Diagnostic
from stepsched.asl.documents import WIRE, Named, write
from stepsched.asl.draw import to_dot, to_mermaid, to_svg
from stepsched.asl.states import Flow, QueryLanguage, Seconds
from stepsched.core.errors import DefinitionError
from stepsched.core.payloads import to_json


class StateMachine(Flow, frozen=True):
    """A state machine: states by name, and where to start.

    ``to_dict`` and ``to_json`` write the definition; what was read by :func:`parse` is written back
    unchanged in meaning. In a notebook it is shown as a picture.
    """

    query_language: QueryLanguage | None = None
    """None: JSONPath."""
    timeout_seconds: Seconds | None = None
    version: str | None = None
    unknown: dict[str, JsonValue] | None = None
    """Fields that the States Language does not know, kept as they were read; ``check`` names them."""

    def to_json(self, *, indent: int | None = 2) -> str:
        """The definition as text, as ``CreateStateMachine`` takes it.

        Args:
            indent: Blanks a level. None: all in one line.
        """
        document = self.to_dict()
        return to_json(document) if indent is None else _indented(document, " " * indent, "")

    def check(self) -> list[Diagnostic]:
        """What AWS would refuse or what would fail, in order of the document; empty when nothing is found."""
        return check(self.to_dict())

    def budget(self) -> Budget:
        """Events and transitions of a turn, and how many turns one execution holds."""
        return budget_of(self.to_dict())

    def to_mermaid(self) -> str:
        """A diagram in Mermaid's language."""
        return to_mermaid(self.to_dict())

    def to_dot(self) -> str:
        """A diagram in Graphviz's language."""
        return to_dot(self.to_dict())

    def to_svg(self) -> str:
        """A picture that needs nothing but itself."""
        return to_svg(self.to_dict())

    def _repr_svg_(self) -> str:
        return self.to_svg()


def _indented(value: Any, step: str, margin: str) -> str:
    """JSON over several lines, in which what is short stays on one."""
    inside = margin + step
    match value:
        case dict() if value:
            lines = [
                f"{json.dumps(key, ensure_ascii=False)}: {_indented(item, step, inside)}"
                for key, item in value.items()
            ]
            brackets = "{}"
        case list() if value:
            lines = [_indented(item, step, inside) for item in value]
            brackets = "[]"
        case _:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)
    short = ", ".join(lines)
    if len(short) + len(margin) < _WIDTH and "\n" not in short:
        return brackets[0] + short + brackets[1]
    body = f",\n{inside}".join(lines)
    return f"{brackets[0]}\n{inside}{body}\n{margin}{brackets[1]}"


_WIDTH = 100


def parse(definition: str | Mapping[str, Any]) -> StateMachine:
    """Reads a definition, valid or not.

    A state that fits no type is kept as it is (:class:`OtherState`), so that ``check`` can say what is
    wrong with it, and ``to_dict`` writes it back.

    Args:
        definition: Its text, or the JSON object.

    Raises:
        DefinitionError: It is no JSON object with an object ``States``; with what :func:`check` says.
    """
    try:
        document = _load(definition) if isinstance(definition, str) else write(definition)
        if not isinstance(document, dict) or not isinstance(document.get("States"), dict):
            raise DefinitionError(check(definition), "expected a JSON object with an object States")
        strange = {key: value for key, value in document.items() if not _is_known(key, value)}
        known = {name: None if key in strange else document.get(key) for key, name in _NAMES.items()}
        named = Named(known | ({"unknown": strange} if strange else {}))
        return StateMachine.model_validate(named, context=WIRE)
    except (ValueError, RecursionError) as error:
        if isinstance(error, DefinitionError):
            raise
        raise DefinitionError(check(definition), _first(error)) from error


def _load(text: str) -> Any:
    """JSON, in which no two states of one place have one name, and which has no numbers beyond JSON's."""
    repeated = False

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        value = dict(pairs)
        repeated = repeated or len(value) < len(pairs)
        return value

    document = json.loads(text, object_pairs_hook=collect, parse_constant=_refuse, parse_float=_finite)
    if repeated and any(each.code == "DUPLICATE_STATE_NAME" for each in check(text)):
        raise ValueError("two states have one name, and only the last would be kept")
    return document


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is larger than any number here")
    return number


_NAMES = {
    "Comment": "comment",
    "QueryLanguage": "query_language",
    "StartAt": "start_at",
    "States": "states",
    "TimeoutSeconds": "timeout_seconds",
    "Version": "version",
}


def _is_known(key: str, value: Any) -> bool:
    """Whether a machine has the field, with such a value."""
    match key:
        case "States":
            return True
        case "QueryLanguage":
            return value in ("JSONata", "JSONPath")
        case "TimeoutSeconds":
            return isinstance(value, (int, str)) and not isinstance(value, bool)
        case "Comment" | "StartAt" | "Version":
            return isinstance(value, str)
    return False


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'/'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)
