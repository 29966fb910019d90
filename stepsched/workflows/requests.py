"""What an operator asks a restart for: the arguments of the verbs, checked against the definition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from pydantic import JsonValue

from stepsched.core.payloads import read_payload, to_json, without_attributes
from stepsched.core.quoting import closest, quoted
from stepsched.core.values import items_of
from stepsched.workflows.model import MAX_OUTPUT, Step, Workflow

Names: TypeAlias = str | Step | Iterable[str | Step]
"""A step or its name, or several."""


@dataclass(frozen=True, slots=True)
class RestartRequest:
    """What an operator asks a restart for: names of steps that exist, each at most once."""

    from_: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    marked: Mapping[str, str | None] = field(default_factory=dict)
    """The steps that count as succeeded, each with its new output as JSON. None: its output stays."""
    now: datetime | None = None

    @property
    def fixed(self) -> AbstractSet[str]:
        """The steps that do not run, whatever else names them."""
        return {*self.skip, *self.marked}


def read_request(
    workflow: Workflow,
    from_: Names,
    only: Names,
    skip: Names,
    mark_succeeded: Names | Mapping[str, JsonValue],
    now: datetime | None,
) -> RestartRequest:
    """Returns the request of a restart; the arguments are those of :func:`plan_restart`.

    Raises:
        ValueError: A name is unknown, a step is named twice, ``from_`` and ``only`` are both given, or an
            output is too long.
    """
    outputs = mark_succeeded if isinstance(mark_succeeded, Mapping) else {}
    given = list(outputs) if isinstance(mark_succeeded, Mapping) else mark_succeeded
    named = {
        "from_": step_names(workflow, "from_", from_),
        "only": step_names(workflow, "only", only),
        "skip": step_names(workflow, "skip", skip),
        "mark_succeeded": step_names(workflow, "mark_succeeded", given),
    }
    places: dict[str, str] = {}
    for argument, names in named.items():
        for name in names:
            if name in places:
                raise ValueError(
                    f"expected step {name!r} once, got it in {places[name]} and {argument}; use one of them"
                )
            places[name] = argument
    if named["from_"] and named["only"]:
        raise ValueError("expected from_ or only, got both; use from_ for steps with all that need them")
    marked = {
        name: _output(name, outputs[name]) if name in outputs else None for name in named["mark_succeeded"]
    }
    return RestartRequest(named["from_"], named["only"], named["skip"], marked, now)


def step_names(workflow: Workflow, argument: str, given: object) -> tuple[str, ...]:
    """Returns the names of steps, each of which the workflow has."""
    values = [given] if isinstance(given, (str, Step)) else items_of(given, argument, '["load"]')
    names = [value.name if isinstance(value, Step) else value for value in values]
    known = workflow.by_name
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise ValueError(
                f"expected a step of workflow {workflow.name!r} for {argument}, got {quoted(name)}; "
                f"{closest(name, known)}"
            )
    return tuple(dict.fromkeys(names))


def _output(name: str, value: JsonValue) -> str:
    text = to_json(without_attributes(read_payload(value)))
    if len(text) >= MAX_OUTPUT:
        raise ValueError(
            f"expected less than {MAX_OUTPUT:,} characters of JSON as output of step {name!r}, "
            f"got {len(text):,}; write it elsewhere and pass its location"
        )
    return text
