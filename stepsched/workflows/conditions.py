"""When a step starts: which outcomes of its needs let it, and conditions on their outputs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, JsonValue, model_validator
from typing_extensions import Self

from stepsched.core.enums import StrEnum
from stepsched.core.payloads import Data, Text
from stepsched.core.quoting import closest, quoted
from stepsched.core.values import Value
from stepsched.workflows import references


class When(StrEnum):
    """Which outcomes of the needs let a step start. Skipped needs count as succeeded."""

    SUCCEEDED = "succeeded"
    """All needs have succeeded. If one fails, the step does not run: ``upstream_failed``. If one was left out
    by its condition, the step is left out too: ``unmet``."""
    DONE = "done"
    """All needs have ended, whatever their outcome: for steps that clean up."""
    FAILED = "failed"
    """All needs have ended, and at least one has not succeeded: for steps that mend or report. Otherwise the
    step is left out: ``unmet``."""


def read_when(value: Any) -> Any:
    """Returns the value of ``when`` of a step unchanged, for pydantic to read.

    Raises:
        ValueError: The value is neither a :class:`When`, nor a :class:`Condition` or its fields.
    """
    if isinstance(value, (When, Condition, Mapping)):
        return value
    known = [each.value for each in When]
    if value in known:
        return value
    raise ValueError(f"expected a When or a Condition for when, got {quoted(value)}; {closest(value, known)}")


def _read_step(value: Any) -> Any:
    if isinstance(value, Value):
        name = getattr(value, "name", "extract")
        raise ValueError(f"expected the name of a step, got a {type(value).__name__}; use {quoted(name)}")  # noqa: TRY004 -- pydantic collects ValueError
    return value


Operator = Literal["==", "!=", "<", "<=", ">", ">="]
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _read_path(value: Any) -> tuple[Any, ...]:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise ValueError(  # noqa: TRY004 -- pydantic collects ValueError
            f"expected a list of keys and positions for path, got {quoted(value)}; use path=[{quoted(value)}]"
        )
    path = [*value]
    if not references.is_path(path):
        raise ValueError(f"expected keys as text and positions from 0 for path, got {quoted(path)}")
    return tuple(path)


class Condition(Value, frozen=True):
    """A condition on the output of a step: the step that has it runs only if it is met, and all its needs
    have succeeded. Otherwise it is left out (``unmet``), and so are the steps that need it."""

    step: Annotated[str, BeforeValidator(_read_step)]
    """The name of the step whose output is looked at; it must be among the needs. About an output that may
    have been truncated nothing can be said: the step that has the condition becomes ``upstream_failed``."""
    path: Annotated[tuple[Text | int, ...], BeforeValidator(_read_path)] = ()
    """The keys and positions of the part that is compared. Empty: the whole output. A missing part makes the
    condition unmet."""
    operator: Operator = "=="
    """The comparison. ``<``, ``<=``, ``>`` and ``>=`` compare numbers; the condition is unmet for anything
    else."""
    value: Data = True
    """What the part is compared with."""

    @model_validator(mode="after")
    def _is_comparable(self) -> Self:
        if self.operator not in ("==", "!=") and not is_number(self.value):
            raise ValueError(f"expected a number as value for {self.operator}, got {quoted(self.value)}")
        return self

    def is_met(self, output: JsonValue) -> bool:
        """Returns whether an output of the step meets the condition."""
        try:
            part = references.part_of(references.Reference(self.step, self.path), {self.step: output}, None)
        except references.MissingValueError:
            return False
        if self.operator in ("==", "!="):
            return _same(part, self.value) == (self.operator == "==")
        return is_number(part) and _COMPARE[self.operator](part, self.value)


def _same(one: JsonValue, other: JsonValue) -> bool:
    """Whether two values are equal in JSON: ``1`` is ``1.0``, and is not ``true``."""
    if is_number(one) and is_number(other):
        return one == other
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(_same(item, other[key]) for key, item in one.items())
        case list(), list():
            return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and one == other


def is_number(value: object) -> bool:
    """Returns whether a JSON value is a number; ``true`` is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
