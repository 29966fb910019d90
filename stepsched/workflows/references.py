"""References: values in the input of a step that are filled in when the step starts.

A reference is plain JSON, so that a workflow reads back from JSON as it was written:

- ``{"$output": "extract", "path": ["rows", 0]}`` is the output of the step ``extract``, or a part of it
- ``{"$input": ["date"]}`` is the input of the workflow's run, or a part of it

Only the inputs of steps hold references. Inputs of runs and outputs of steps are data: text of theirs that
looks like a reference stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from pydantic import JsonValue

from stepsched.core.payloads import to_json
from stepsched.core.quoting import quoted

OUTPUT, INPUT, PATH = "$output", "$input", "path"
Path: TypeAlias = tuple[str | int, ...]
"""The keys and positions that lead to a part of a JSON value; a position counts from 0."""


class Reference(NamedTuple):
    """A reference in the input of a step."""

    step: str | None
    """The step whose output it names. None: the input of the run."""
    path: Path
    """The part that it names. Empty: the whole value."""

    def __str__(self) -> str:
        whole = "the input of the run" if self.step is None else f"the output of step {self.step!r}"
        return f"{to_json(list(self.path))} of {whole}" if self.path else whole


class MissingValueError(ValueError):
    """A reference names a part that the value does not have."""


def output_of(step: str, *path: str | int) -> dict[str, JsonValue]:
    """Returns a reference to the output of a step.

    Args:
        step: The name of the step.
        *path: The keys and positions of the part. Empty: the whole output.
    """
    return {OUTPUT: step, PATH: list(path)}


def input_of(*path: str | int) -> dict[str, JsonValue]:
    """Returns a reference to the input of the workflow's run.

    Args:
        *path: The keys and positions of the part. Empty: the whole input.
    """
    return {INPUT: list(path)}


def read(value: Mapping[str, Any]) -> Reference | None:
    """Returns the reference that a JSON object is; None if it is plain data.

    Raises:
        ValueError: It has the keys of a reference, and is none.
    """
    if OUTPUT not in value and INPUT not in value:
        return None
    match value:
        case {"$output": str(step), "path": list(path)} if len(value) == 2 and is_path(path):
            return Reference(step, tuple(path))
        case {"$output": str(step)} if len(value) == 1:
            return Reference(step, ())
        case {"$input": list(path)} if len(value) == 1 and is_path(path):
            return Reference(None, tuple(path))
    raise ValueError(
        f"expected a reference such as {output_of('extract', 'rows')} or {input_of('date')}, "
        f"got {quoted(dict(value))}"
    )


def is_path(path: list[Any]) -> bool:
    """Returns whether these are keys and positions."""
    return all(isinstance(part, str) or (type(part) is int and part >= 0) for part in path)


def references(value: JsonValue) -> Iterator[Reference]:
    """Yields the references in the input of a step.

    Raises:
        ValueError: A JSON object has the keys of a reference, and is none.
    """
    match value:
        case dict():
            reference = read(value)
            if reference is not None:
                yield reference
                return
            for item in value.values():
                yield from references(item)
        case list():
            for item in value:
                yield from references(item)


def resolve(value: JsonValue, outputs: Mapping[str, JsonValue], given: JsonValue) -> JsonValue:
    """Returns the input of a step with its references filled in.

    Args:
        value: The input.
        outputs: The outputs of the steps that it names.
        given: The input of the run.

    Raises:
        MissingValueError: A value lacks the part that a reference names, or a step has no output. The error
            names both.
    """
    match value:
        case dict():
            reference = read(value)
            if reference is None:
                return {key: resolve(item, outputs, given) for key, item in value.items()}
            return part_of(reference, outputs, given)
        case list():
            return [resolve(item, outputs, given) for item in value]
    return value


def part_of(reference: Reference, outputs: Mapping[str, JsonValue], given: JsonValue) -> JsonValue:
    """Returns the value that a reference names.

    Raises:
        MissingValueError: As for :func:`resolve`.
    """
    if reference.step is not None and reference.step not in outputs:
        raise MissingValueError(
            f"step {reference.step!r} has no output; give it one by mark_succeeded of a restart"
        )
    value = given if reference.step is None else outputs[reference.step]
    for key in reference.path:
        match value, key:
            case dict(), str() if key in value:
                value = value[key]
            case list(), int() if key < len(value):
                value = value[key]
            case _:
                raise MissingValueError(f"there is no {reference}")
    return value
