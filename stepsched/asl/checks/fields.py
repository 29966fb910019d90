"""The table of the language: state type and query language to fields, and each field to its handler.

https://docs.aws.amazon.com/step-functions/latest/dg/statemachine-structure.html and
https://states-language.net/spec.html
"""

from __future__ import annotations

from typing import Any

from stepsched.asl.checks.choices import choices
from stepsched.asl.checks.graph import target
from stepsched.asl.checks.literals import (
    anything,
    is_true,
    limited_text,
    number,
    text,
    timestamp,
    version,
    whole,
    word,
)
from stepsched.asl.checks.maps import (
    NUMBER_PATH,
    item_batcher,
    item_reader,
    label,
    of_a_map,
    processor_config,
    processor_of,
    result_writer,
)
from stepsched.asl.checks.report import shown
from stepsched.asl.checks.retries import catch, retry
from stepsched.asl.checks.shapes import ELSEWHERE, Handler, Shape
from stepsched.asl.checks.tasks import credentials, resource
from stepsched.asl.checks.templates import (
    AT_ENTRY,
    WITH_RESULT,
    object_template,
    path_field,
    payload_template,
    reference_field,
    result_path,
    static_result,
    template,
)
from stepsched.asl.checks.variables import assign
from stepsched.asl.checks.visits import Visit

_LONGEST = 99_999_999
"""The longest wait or timeout, in seconds."""
_LONGEST_ERROR = 256
_LONGEST_CAUSE = 32_768


def _query_language(visit: Visit, path: str, key: str, value: Any) -> None:
    _QUERY_LANGUAGES(visit, path, key, value)
    if visit.jsonata and value == "JSONPath":
        visit.report.error(
            f"{path}/{key}",
            "the machine's QueryLanguage is JSONata, and a JSONata machine holds no JSONPath states; the "
            "reverse is allowed: set JSONPath for the machine and JSONata state by state",
        )


_QUERY_LANGUAGES = word("JSONPath", "JSONata")


def _no_query_language(visit: Visit, path: str, key: str, _value: Any) -> None:
    visit.report.error(
        f"{path}/{key}",
        "Field 'QueryLanguage' is not supported in a branch or processor: its states take the language of "
        "the whole machine, or their own",
    )


def _processor(visit: Visit, path: str, key: str, value: Any) -> None:
    distributed, express = processor_of(visit.body)
    visit.walk.check_machine(
        visit.walk, value, f"{path}/{key}", PROCESSOR, visit, distributed=distributed, express=express
    )


def _branches(visit: Visit, path: str, key: str, value: Any) -> None:
    where = f"{path}/{key}"
    if type(value) is not list or not value:
        visit.report.error(where, f"{key} is {shown(value)}; expected a list of at least one branch")
        return
    for index, branch in enumerate(value):
        visit.walk.check_machine(visit.walk, branch, f"{where}/{index}", BRANCH, visit)


# -- Fields that go together --------------------------------------------------------------------------

_ANY: dict[str, Handler] = {"Type": anything, "Comment": text, "QueryLanguage": _query_language}
_MOVES: dict[str, Handler] = {"Next": target, "End": is_true}
_ENTERS: dict[str, Handler] = {
    "InputPath": path_field(nullable=True),
    "OutputPath": path_field(nullable=True),
}
_SELECTS: dict[str, Handler] = {"ResultSelector": payload_template, "ResultPath": result_path}
_SETS: dict[str, Handler] = {"Assign": assign(None)}
_RECOVERS: dict[str, Handler] = {"Retry": retry, "Catch": catch}
_GIVES: dict[str, Handler] = {"Output": template(AT_ENTRY), "Assign": assign(AT_ENTRY)}
_GIVES_RESULT: dict[str, Handler] = {"Output": template(WITH_RESULT), "Assign": assign(WITH_RESULT)}
_SECONDS_PATH = reference_field(of_context=True)


def _map_fields(*, jsonata: bool) -> dict[str, Handler]:
    return {
        "ItemProcessor": _processor,
        "Iterator": _processor,
        "MaxConcurrency": whole(0, float("inf"), jsonata=jsonata),
        "ToleratedFailureCount": whole(0, float("inf"), jsonata=jsonata),
        "ToleratedFailurePercentage": number(0, 100, jsonata=jsonata),
        "ItemReader": item_reader,
        "ItemBatcher": item_batcher,
        "ResultWriter": result_writer,
        "Label": label,
    }


_FIELDS: dict[str, tuple[dict[str, Handler], dict[str, Handler]]] = {
    # type: (JSONPath, JSONata)
    "Task": (
        _ANY | _MOVES | _ENTERS | _SELECTS | _SETS | _RECOVERS | {
            "Resource": resource, "Parameters": payload_template, "Credentials": credentials,
            "TimeoutSeconds": whole(1, _LONGEST), "TimeoutSecondsPath": _SECONDS_PATH,
            "HeartbeatSeconds": whole(1, _LONGEST), "HeartbeatSecondsPath": _SECONDS_PATH,
        },
        _ANY | _MOVES | _GIVES_RESULT | _RECOVERS | {
            "Resource": resource, "Arguments": object_template(AT_ENTRY), "Credentials": credentials,
            "TimeoutSeconds": whole(1, _LONGEST, jsonata=True),
            "HeartbeatSeconds": whole(1, _LONGEST, jsonata=True),
        },
    ),
    "Pass": (
        _ANY | _MOVES | _ENTERS | _SETS | {
            "Parameters": payload_template, "Result": static_result, "ResultPath": result_path,
        },
        _ANY | _MOVES | _GIVES,
    ),
    "Wait": (
        _ANY | _MOVES | _ENTERS | _SETS | {
            "Seconds": whole(0, _LONGEST), "SecondsPath": _SECONDS_PATH,
            "Timestamp": timestamp(jsonata=False), "TimestampPath": _SECONDS_PATH,
        },
        _ANY | _MOVES | _GIVES | {
            "Seconds": whole(0, _LONGEST, jsonata=True), "Timestamp": timestamp(jsonata=True),
        },
    ),
    "Choice": (
        _ANY | _ENTERS | _SETS | {"Choices": choices, "Default": target},
        _ANY | _GIVES | {"Choices": choices, "Default": target},
    ),
    "Succeed": (_ANY | _ENTERS, _ANY | {"Output": template(AT_ENTRY)}),
    "Fail": (
        _ANY | {
            "Error": limited_text(_LONGEST_ERROR, jsonata=False), "ErrorPath": path_field(intrinsic=True),
            "Cause": limited_text(_LONGEST_CAUSE, jsonata=False), "CausePath": path_field(intrinsic=True),
        },
        _ANY | {
            "Error": limited_text(_LONGEST_ERROR, jsonata=True),
            "Cause": limited_text(_LONGEST_CAUSE, jsonata=True),
        },
    ),
    "Parallel": (
        _ANY | _MOVES | _ENTERS | _SELECTS | _SETS | _RECOVERS | {
            "Branches": _branches, "Parameters": payload_template,
        },
        _ANY | _MOVES | _GIVES_RESULT | _RECOVERS | {
            "Branches": _branches, "Arguments": template(AT_ENTRY),
        },
    ),
    "Map": (
        _ANY | _MOVES | _ENTERS | _SELECTS | _SETS | _RECOVERS | _map_fields(jsonata=False) | {
            "ItemsPath": reference_field(of_context=True),
            "ItemSelector": payload_template, "Parameters": payload_template,
            "MaxConcurrencyPath": NUMBER_PATH, "ToleratedFailureCountPath": NUMBER_PATH,
            "ToleratedFailurePercentagePath": NUMBER_PATH,
        },
        _ANY | _MOVES | _GIVES_RESULT | _RECOVERS | _map_fields(jsonata=True) | {
            "Items": template(AT_ENTRY, list, dict), "ItemSelector": object_template(AT_ENTRY),
        },
    ),
}  # fmt: skip

_REQUIRED = {"Task": ("Resource",), "Choice": ("Choices",), "Parallel": ("Branches",)}
_EXACTLY_ONE = {
    "Wait": (("Seconds", "SecondsPath", "Timestamp", "TimestampPath"),),
    "Map": (("ItemProcessor", "Iterator"),),
}
_EXCLUSIVE = {
    "Task": (("TimeoutSeconds", "TimeoutSecondsPath"), ("HeartbeatSeconds", "HeartbeatSecondsPath")),
    "Fail": (("Error", "ErrorPath"), ("Cause", "CausePath")),
    "Map": (
        ("ItemSelector", "Parameters"),
        ("MaxConcurrency", "MaxConcurrencyPath"),
        ("ToleratedFailureCount", "ToleratedFailureCountPath"),
        ("ToleratedFailurePercentage", "ToleratedFailurePercentagePath"),
    ),
}


def _state_shape(kind: str, *, jsonata: bool) -> Shape:
    fields, others = _FIELDS[kind][jsonata], _FIELDS[kind][not jsonata]

    def known(groups: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        kept = (tuple(key for key in group if key in fields) for group in groups)
        return tuple(group for group in kept if len(group) > 1)

    return Shape(
        f"a {kind} state",
        fields,
        required=_REQUIRED.get(kind, ()),
        exactly_one=known(_EXACTLY_ONE.get(kind, ()) + ((("Next", "End"),) if "End" in fields else ())),
        exclusive=known(_EXCLUSIVE.get(kind, ())),
        other_language=frozenset(others) - frozenset(fields),
    )


STATES: dict[bool, dict[str, Shape]] = {
    jsonata: {kind: _state_shape(kind, jsonata=jsonata) for kind in _FIELDS} for jsonata in (False, True)
}
"""The shapes of states, by whether the language is JSONata, then by type."""

ELSEWHERE.update(
    (field, tuple(kind for kind, pair in _FIELDS.items() if field in pair[0] or field in pair[1]))
    for field in {field for pair in _FIELDS.values() for fields in pair for field in fields}
)

_MACHINE: dict[str, Handler] = {"Comment": text, "StartAt": anything, "States": anything}
MACHINE = Shape(
    "a state machine",
    _MACHINE
    | {
        "QueryLanguage": _QUERY_LANGUAGES,
        "TimeoutSeconds": whole(0, _LONGEST, usual=(1, _LONGEST)),
        "Version": version,
        "ProcessorConfig": of_a_map,
    },
    required=("StartAt", "States"),
)
BRANCH = Shape("a branch", _MACHINE | {"QueryLanguage": _no_query_language}, required=("StartAt", "States"))
PROCESSOR = Shape(
    "the processor of a Map",
    _MACHINE | {"QueryLanguage": _no_query_language, "ProcessorConfig": processor_config},
    required=("StartAt", "States"),
)
