"""The states of Amazon States Language, as frozen values.

Fields have the names of the States Language in snake_case; a definition has them in PascalCase. Which fields
a state may have depends on its query language; :func:`stepsched.asl.check` reports others.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
https://states-language.net/spec.html
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, JsonValue, ValidationError, ValidationInfo, model_validator

from stepsched.asl.documents import WIRE, AslValue, is_wire, is_written, same, write
from stepsched.asl.rules import Rule, Test
from stepsched.core.quoting import quoted

QueryLanguage: TypeAlias = Literal["JSONata", "JSONPath"]
Seconds: TypeAlias = int | str
"""A whole number, or a JSONata expression that returns one."""
Number: TypeAlias = int | float | str
"""A number, or a JSONata expression that returns one."""
_DATA = frozenset({"input_path", "output_path", "result_path", "output", "arguments", "result", "items"})


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, (str, AslValue)) else value


def _rules(value: Any) -> Any:
    values = _listed(value)
    for each in values if isinstance(values, (list, tuple)) else ():
        if isinstance(each, Test):
            raise ValueError(f"expected a rule, got the test {quoted(each)}; use .then('Next state')")  # noqa: TRY004 -- pydantic collects ValueError
    return values


ErrorNames = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Retrier(AslValue, frozen=True):
    """Retries a failed state. The first retrier that matches the error applies."""

    error_equals: ErrorNames
    """The matching error names. ``States.ALL`` matches any error; it must be alone and in the last
    retrier."""
    interval_seconds: int | None = None
    """The pause before the first retry, in seconds. None: 1."""
    max_attempts: int | None = None
    """The maximum number of retries; 0: none. None: 3."""
    backoff_rate: float | int | None = None
    """The factor by which each further pause is longer, at least 1. None: 2."""
    max_delay_seconds: int | None = None
    """The longest pause, in seconds. None: no limit."""
    jitter_strategy: Literal["FULL", "NONE"] | None = None
    comment: str | None = None


class Catcher(AslValue, frozen=True):
    """Continues with another state when a state has failed for good."""

    error_equals: ErrorNames
    """The matching error names. ``States.ALL`` matches any error; it must be alone and in the last
    catcher."""
    next: str
    assign: dict[str, JsonValue] | None = None
    """The variables to assign, instead of those of the state."""
    output: JsonValue = None
    """The output (JSONata only)."""
    result_path: str | None = None
    """The path at which the error is put into the input (JSONPath only). An explicit None: the error is
    dropped."""
    comment: str | None = None

    nullable = _DATA


class _State(AslValue, frozen=True):
    """The fields that every state may have."""

    comment: str | None = None
    query_language: QueryLanguage | None = None
    """The query language of the state. None: that of the machine."""
    unknown: dict[str, JsonValue] | None = None
    """Fields that are not part of the States Language, kept unchanged; ``check`` reports them."""
    nullable = _DATA


class _Flow(_State, frozen=True):
    """A state with a following state."""

    assign: dict[str, JsonValue] | None = None
    """The variables to assign; they are visible from the next state on."""
    output: JsonValue = None
    """The input of the next state (JSONata). If not given: the result, or the input if there is no result."""
    input_path: str | None = None
    """The part of the input that is used (JSONPath). An explicit None: an empty object."""
    output_path: str | None = None
    """The part of the output that is passed on (JSONPath). An explicit None: an empty object."""
    next: str | None = None
    end: bool | None = None


class _Work(_Flow, frozen=True):
    """A state with a result, which may fail."""

    arguments: JsonValue = None
    """The arguments (JSONata). If not given: the input."""
    parameters: JsonValue = None
    """The arguments (JSONPath). The value of a key ending in ``.$`` is a path or an intrinsic function."""
    result_selector: JsonValue = None
    """The part of the result that is kept (JSONPath)."""
    result_path: str | None = None
    """The path at which the result is put into the input (JSONPath). An explicit None: the input is passed
    on."""
    retry: Annotated[tuple[Retrier, ...] | None, BeforeValidator(_listed)] = None
    catch: Annotated[tuple[Catcher, ...] | None, BeforeValidator(_listed)] = None


class Task(_Work, frozen=True):
    """Calls another service."""

    type: Literal["Task"] = "Task"
    resource: str
    """The call: see :func:`stepsched.asl.integration` and :func:`stepsched.asl.sdk_integration`."""
    credentials: JsonValue = None
    timeout_seconds: Seconds | None = None
    timeout_seconds_path: str | None = None
    heartbeat_seconds: Seconds | None = None
    heartbeat_seconds_path: str | None = None


class Pass(_Flow, frozen=True):
    """Transforms data, without a call."""

    type: Literal["Pass"] = "Pass"
    result: JsonValue = None
    """The output, which is never evaluated (JSONPath)."""
    parameters: JsonValue = None
    result_path: str | None = None


class Wait(_Flow, frozen=True):
    """Waits for a duration or until an instant, given by exactly one of the four fields."""

    type: Literal["Wait"] = "Wait"
    seconds: Seconds | None = None
    """The duration in seconds: 0 to 99,999,999."""
    timestamp: str | None = None
    """The instant in RFC 3339, such as ``2030-01-01T09:00:00Z``. An instant that has passed causes no
    wait."""
    seconds_path: str | None = None
    timestamp_path: str | None = None


class Choice(_State, frozen=True):
    """Continues with the state of the first matching rule."""

    type: Literal["Choice"] = "Choice"
    choices: Annotated[tuple[Rule, ...], BeforeValidator(_rules)]
    default: str | None = None
    """The next state if no rule matches. None: the execution fails."""
    assign: dict[str, JsonValue] | None = None
    """The variables to assign if ``default`` is taken."""
    output: JsonValue = None
    input_path: str | None = None
    output_path: str | None = None


class Succeed(_State, frozen=True):
    """Ends the execution, or its branch, successfully."""

    type: Literal["Succeed"] = "Succeed"
    output: JsonValue = None
    input_path: str | None = None
    output_path: str | None = None


class Fail(_State, frozen=True):
    """Ends the execution with an error."""

    type: Literal["Fail"] = "Fail"
    error: str | None = None
    cause: str | None = None
    error_path: str | None = None
    cause_path: str | None = None


class OtherState(AslValue, frozen=True):
    """A state that matches no type, kept unchanged; ``check`` reports its problems."""

    type: Literal["Other"] = "Other"
    document: JsonValue

    @model_validator(mode="before")
    @classmethod
    def _as_it_is(cls, data: Any) -> Any:
        given = isinstance(data, Mapping) and "document" in data and data.keys() <= {"type", "document"}
        return data if given else {"document": data}

    def to_dict(self) -> Any:
        """Returns the state unchanged."""
        return write(self.document)


class Flow(AslValue, frozen=True):
    """A group of states with a start: a branch of a Parallel."""

    start_at: str | None = None
    """The name of the first state. None: the first of ``states``; a parsed definition without it is kept
    so."""
    states: dict[str, State]
    comment: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _starts_at_the_first(cls, data: Any) -> Any:
        if (
            isinstance(data, Mapping)
            and not is_written(data)
            and "start_at" not in data
            and isinstance(data.get("states"), Mapping)
            and data["states"]
        ):
            return {**data, "start_at": next(iter(data["states"]))}
        return data


class Processor(Flow, frozen=True):
    """The states that a Map runs for each item."""

    processor_config: JsonValue = None
    """The configuration, such as ``{"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}``. If not given:
    inline."""


class Parallel(_Work, frozen=True):
    """Runs branches in parallel; its result is the list of their results."""

    type: Literal["Parallel"] = "Parallel"
    branches: tuple[Flow, ...]


class Map(_Work, frozen=True):
    """Runs the same states for each item."""

    type: Literal["Map"] = "Map"
    items: JsonValue = None
    """The items, or an expression that returns them (JSONata)."""
    items_path: str | None = None
    item_processor: Processor | None = None
    iterator: Flow | None = None
    """The older name of ``item_processor``."""
    item_selector: JsonValue = None
    item_reader: JsonValue = None
    item_batcher: JsonValue = None
    result_writer: JsonValue = None
    label: str | None = None
    max_concurrency: Seconds | None = None
    """The maximum number of items that are processed at once; 0: no limit."""
    max_concurrency_path: str | None = None
    tolerated_failure_count: Seconds | None = None
    tolerated_failure_count_path: str | None = None
    tolerated_failure_percentage: Number | None = None
    tolerated_failure_percentage_path: str | None = None


def _read_state(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, AslValue):
        return value
    if is_wire(info) or is_written(value):
        return read_state(value)
    raise ValueError(
        f"expected a state such as Pass(), or the JSON object of one with Type, got {quoted(value)}"
    )


State: TypeAlias = Annotated[
    Annotated[
        Task | Pass | Wait | Choice | Succeed | Fail | Parallel | Map | OtherState,
        Field(discriminator="type"),
    ],
    BeforeValidator(_read_state),
]
"""Any state; the field ``type`` distinguishes them."""

for _model in (Flow, Processor, Parallel, Map):
    _model.model_rebuild()
_TYPES: dict[str, type[Task | Pass | Wait | Choice | Succeed | Fail | Parallel | Map]] = {
    "Task": Task,
    "Pass": Pass,
    "Wait": Wait,
    "Choice": Choice,
    "Succeed": Succeed,
    "Fail": Fail,
    "Parallel": Parallel,
    "Map": Map,
}


def read_state(document: Any) -> Any:
    """Reads a state of a definition; a state that does not exactly match a type is kept unchanged."""
    kind = document.get("Type") if isinstance(document, Mapping) else None
    if isinstance(kind, str) and kind in _TYPES:
        try:
            state = _TYPES[kind].model_validate(document, by_alias=True, by_name=False, context=WIRE)
            if same(state.to_dict(), document):
                return state
        except (ValidationError, RecursionError):
            pass  # it is kept below
    return OtherState.model_construct({"document"}, document=document)


def chain(states: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the states with ``next`` set to the following state; the last one gets ``end``.

    States that already have ``next`` or ``end``, and Choice, Succeed and Fail, are not changed.

    Args:
        states: The states by name, in order.

    Example:
        >>> chain({"Rest": Wait(seconds=60), "Go": Pass()})["Rest"].next
        'Go'
    """
    if not isinstance(states, Mapping):
        raise TypeError(f"expected states by name, such as {{'Go': Pass()}}, got {type(states).__name__}")
    wrong = next((name for name, state in states.items() if not isinstance(state, AslValue)), None)
    if wrong is not None:
        raise TypeError(
            f"{quoted(wrong)}: expected a state such as Pass(), got {type(states[wrong]).__name__}"
        )
    names: list[str | None] = [*states, None]
    following = dict(pairwise(names))
    linked = {}
    for name, state in states.items():
        if isinstance(state, _Flow) and state.next is None and not state.end:
            target = following[name]
            state = state.replace(end=True) if target is None else state.replace(next=target)  # noqa: PLW2901 -- the linked one
        linked[name] = state
    return linked
