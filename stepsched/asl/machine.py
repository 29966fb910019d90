"""State machines, and the parser of definitions."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue, ValidationError

from stepsched.asl.budget import Budget, budget_of
from stepsched.asl.checks import MachineType, check
from stepsched.asl.diagnostics import Diagnostics
from stepsched.asl.documents import WIRE, Named, write
from stepsched.asl.draw import to_dot, to_mermaid, to_svg
from stepsched.asl.states import Flow, QueryLanguage, Seconds
from stepsched.core.errors import DefinitionError
from stepsched.core.payloads import to_json
from stepsched.display.results import Displayed

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Table


class StateMachine(Displayed, Flow, frozen=True):
    """A state machine: states by name, and the first state.

    ``to_dict`` and ``to_json`` return the definition; that of a parsed machine is equal to its source, with
    the fields of states in the usual order. ``print()`` shows its states, a notebook a diagram too.
    """

    query_language: QueryLanguage | None = None
    """The query language of the machine. None: JSONPath."""
    timeout_seconds: Seconds | None = None
    version: str | None = None
    unknown: dict[str, JsonValue] | None = None
    """Fields that are not part of the States Language, kept unchanged; ``check`` reports them."""

    def to_json(self, *, indent: int | None = 2) -> str:
        """Returns the definition as JSON text for ``CreateStateMachine``.

        Args:
            indent: The number of blanks per level. None: everything in one line.
        """
        document = self.to_dict()
        return to_json(document) if indent is None else _indented(document, " " * indent, "")

    def check(
        self,
        *,
        type: MachineType = "STANDARD",  # noqa: A002 -- the name in AWS's API
        ignore: Iterable[str] = (),
    ) -> Diagnostics:
        """Returns the errors and warnings of the definition, in document order: a list, which ``print()`` and
        notebooks show as a table; empty if there are none.

        The arguments are those of :func:`stepsched.asl.check`.
        """
        return check(self.to_dict(), type=type, ignore=ignore)

    def budget(self) -> Budget:
        """Returns the events and transitions of a turn, and the number of turns in one execution."""
        return budget_of(self.to_dict())

    def to_mermaid(self) -> str:
        """Returns a diagram in Mermaid's language."""
        return to_mermaid(self.to_dict())

    def to_dot(self) -> str:
        """Returns a diagram in Graphviz's language."""
        return to_dot(self.to_dict())

    def to_svg(self) -> str:
        """Returns a diagram as a self-contained SVG."""
        return to_svg(self.to_dict())

    def _shown_table(self) -> Table:
        from stepsched.asl.displayed import machine_table

        return machine_table(self.to_dict())

    def _picture(self) -> str:
        from stepsched.display.table import MOST

        return self.to_svg() if len(self.states) <= MOST else ""  # a large one would hide the table


def _indented(value: Any, step: str, margin: str) -> str:
    """Formats JSON over several lines, in which short values stay on one line."""
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
    """Parses a definition, valid or not.

    A state that matches no type is kept unchanged (:class:`OtherState`), so that ``check`` can report its
    problems and ``to_dict`` can write it back.

    Args:
        definition: The definition as text or as a JSON object.

    Raises:
        DefinitionError: It is not a JSON object with an object ``States``; the error has the diagnostics of
            :func:`check`.
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
    """Parses JSON; refuses duplicate state names, and numbers that are not part of JSON."""
    repeated = False

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        value = dict(pairs)
        repeated = repeated or len(value) < len(pairs)
        return value

    document = json.loads(text, object_pairs_hook=collect, parse_constant=_refuse, parse_float=_finite)
    if repeated and any(each.code == "DUPLICATE_STATE_NAME" for each in check(text)):
        raise ValueError("duplicate state name: only the last state would be kept")
    return document


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is too large a number")
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
    """Returns whether a machine has such a field, with a value of this type."""
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
