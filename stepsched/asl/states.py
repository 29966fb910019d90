"""The states of Amazon States Language, as frozen values.

Fields carry the States Language's names in snake_case; in a definition they are written in PascalCase.
Which of them a state may have depends on its query language: :func:`stepsched.asl.check` tells.

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

QueryLanguage: TypeAlias = Literal["JSONata", "JSONPath"]
Seconds: TypeAlias = int | str
"""A whole number, or a JSONata expression that gives one."""
Number: TypeAlias = int | float | str
"""A number, or a JSONata expression that gives one."""
_DATA = frozenset({"input_path", "output_path", "result_path", "output", "arguments", "result", "items"})


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, (str, AslValue)) else value


def _rules(value: Any) -> Any:
    values = _listed(value)
    for each in values if isinstance(values, (list, tuple)) else ():
        if isinstance(each, Test):
            raise ValueError(f"{each!r} is a test; .then('Next state') makes it a rule")  # noqa: TRY004 -- pydantic collects ValueError
    return values


ErrorNames = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Retrier(AslValue, frozen=True):
    """Tries a failed state again. The first retrier that names the error counts."""

    error_equals: ErrorNames
    """Error names; ``States.ALL`` is any and stands alone, in the last retrier."""
    interval_seconds: int | None = None
    """The pause before the first retry. None: 1."""
    max_attempts: int | None = None
    """Retries, not counting the first attempt; 0: never. None: 3."""
    backoff_rate: float | int | None = None
    """What each further pause is multiplied by, at least 1. None: 2."""
    max_delay_seconds: int | None = None
    """No pause is longer."""
    jitter_strategy: Literal["FULL", "NONE"] | None = None
    comment: str | None = None


class Catcher(AslValue, frozen=True):
    """Goes elsewhere when a state has failed for good."""

    error_equals: ErrorNames
    """Error names; ``States.ALL`` is any and stands alone, in the last catcher."""
    next: str
    assign: dict[str, JsonValue] | None = None
    """Instead of the state's own."""
    output: JsonValue = None
    """JSONata only."""
    result_path: str | None = None
    """JSONPath only. None, where given: the error is dropped."""
    comment: str | None = None

    nullable = _DATA


class _State(AslValue, frozen=True):
    """What every state may have."""

    comment: str | None = None
    query_language: QueryLanguage | None = None
    """None: the machine's."""
    unknown: dict[str, JsonValue] | None = None
    """Fields that the States Language does not know, kept as they were read; ``check`` names them."""
    nullable = _DATA


class _Flow(_State, frozen=True):
    """A state that another one follows."""

    assign: dict[str, JsonValue] | None = None
    """Variables, seen from the next state on."""
    output: JsonValue = None
    """JSONata: what the next state gets. Left out: the result, or the input where there is none."""
    input_path: str | None = None
    """JSONPath. None, where given: an empty object."""
    output_path: str | None = None
    """JSONPath. None, where given: an empty object."""
    next: str | None = None
    end: bool | None = None


class _Work(_Flow, frozen=True):
    """A state that has a result and may fail."""

    arguments: JsonValue = None
    """JSONata: what the work is given. Left out: the input."""
    parameters: JsonValue = None
    """JSONPath: the same, in which a key ending in ``.$`` holds a path or an intrinsic function."""
    result_selector: JsonValue = None
    """JSONPath: what is kept of the result."""
    result_path: str | None = None
    """JSONPath: where the result is put into the input. None, where given: the input goes on."""
    retry: Annotated[tuple[Retrier, ...] | None, BeforeValidator(_listed)] = None
    catch: Annotated[tuple[Catcher, ...] | None, BeforeValidator(_listed)] = None


class Task(_Work, frozen=True):
    """Has another service do something."""

    type: Literal["Task"] = "Task"
    resource: str
    """What is called: see :func:`stepsched.asl.integration` and :func:`stepsched.asl.sdk_integration`."""
    credentials: JsonValue = None
    timeout_seconds: Seconds | None = None
    timeout_seconds_path: str | None = None
    heartbeat_seconds: Seconds | None = None
    heartbeat_seconds_path: str | None = None


class Pass(_Flow, frozen=True):
    """Does nothing but shape data."""

    type: Literal["Pass"] = "Pass"
    result: JsonValue = None
    """JSONPath: the output, never evaluated."""
    parameters: JsonValue = None
    result_path: str | None = None


class Wait(_Flow, frozen=True):
    """Waits for a time or until a moment; one of the four says which."""

    type: Literal["Wait"] = "Wait"
    seconds: Seconds | None = None
    """0 to 99,999,999."""
    timestamp: str | None = None
    """RFC 3339, such as ``2030-01-01T09:00:00Z``. A moment that is past is no wait."""
    seconds_path: str | None = None
    timestamp_path: str | None = None


class Choice(_State, frozen=True):
    """Goes where the first rule that holds leads."""

    type: Literal["Choice"] = "Choice"
    choices: Annotated[tuple[Rule, ...], BeforeValidator(_rules)]
    default: str | None = None
    """Where no rule holds. None: the execution then fails."""
    assign: dict[str, JsonValue] | None = None
    """On the way of ``default``."""
    output: JsonValue = None
    input_path: str | None = None
    output_path: str | None = None


class Succeed(_State, frozen=True):
    """Ends the execution, or its branch, well."""

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
    """A state that fits no type, kept as it is written; ``check`` says what is wrong with it."""

    type: Literal["Other"] = "Other"
    document: JsonValue

    @model_validator(mode="before")
    @classmethod
    def _as_it_is(cls, data: Any) -> Any:
        given = isinstance(data, Mapping) and "document" in data and data.keys() <= {"type", "document"}
        return data if given else {"document": data}

    def to_dict(self) -> Any:
        """The state as it is written."""
        return write(self.document)


class Flow(AslValue, frozen=True):
    """States that run from one to the next: a branch of a Parallel."""

    start_at: str | None = None
    """None: the first of the states. A definition that lacks it is kept so."""
    states: dict[str, State]
    comment: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _starts_at_the_first(cls, data: Any) -> Any:
        if (
            isinstance(data, Mapping)
            and not is_written(data)
            and "start_at" not in data
            and data.get("states")
        ):
            return {**data, "start_at": next(iter(data["states"]))}
        return data


class Processor(Flow, frozen=True):
    """What a Map does with each item."""

    processor_config: JsonValue = None
    """``{"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}``; left out: inline."""


class Parallel(_Work, frozen=True):
    """Runs branches side by side; its result is the list of theirs."""

    type: Literal["Parallel"] = "Parallel"
    branches: tuple[Flow, ...]


class Map(_Work, frozen=True):
    """Runs the same states for each of many items."""

    type: Literal["Map"] = "Map"
    items: JsonValue = None
    """JSONata: the items, or an expression that gives them."""
    items_path: str | None = None
    item_processor: Processor | None = None
    iterator: Flow | None = None
    """The older word for ``item_processor``."""
    item_selector: JsonValue = None
    item_reader: JsonValue = None
    item_batcher: JsonValue = None
    result_writer: JsonValue = None
    label: str | None = None
    max_concurrency: Seconds | None = None
    """0: no bound."""
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
    raise ValueError(f"{value!r} is no state; give one such as Pass(), or a definition's own with its Type")


State: TypeAlias = Annotated[
    Annotated[
        Task | Pass | Wait | Choice | Succeed | Fail | Parallel | Map | OtherState,
        Field(discriminator="type"),
    ],
    BeforeValidator(_read_state),
]
"""Any state; told apart by ``type``."""

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
    """A state as it stands in a definition; one that fits no type to the letter is kept as it is written."""
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
    """The same states, each leading to the one after it; the last one ends.

    States that say themselves where they lead, and those that lead nowhere, stay as they are.

    Args:
        states: By name, in order.

    Example:
        >>> chain({"Rest": Wait(seconds=60), "Go": Pass()})["Rest"].next
        'Go'
    """
    if not isinstance(states, Mapping):
        raise TypeError(f"expected states by name, such as {{'Go': Pass()}}, got {type(states).__name__}")
    wrong = next((name for name, state in states.items() if not isinstance(state, AslValue)), None)
    if wrong is not None:
        raise TypeError(f"{wrong}: expected a state such as Pass(), got {type(states[wrong]).__name__}")
    names: list[str | None] = [*states, None]
    following = dict(pairwise(names))
    linked = {}
    for name, state in states.items():
        if isinstance(state, _Flow) and state.next is None and not state.end:
            target = following[name]
            state = state.replace(end=True) if target is None else state.replace(next=target)  # noqa: PLW2901 -- the linked one
        linked[name] = state
    return linked
