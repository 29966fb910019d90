"""What is said of the text of a definition, before its states are looked at."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest

from stepsched.asl.checks import check
from stepsched.asl.diagnostics import Diagnostic, Severity
from tests.unit.asl.checks.definitions import ENDS, PASS, VALID, jsonata, machine, parallel

INVALID = "INVALID_JSON_DESCRIPTION"


def only(definition: Any) -> Diagnostic:
    (found,) = check(definition)
    return found


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_text_is_a_missing_description(text: str) -> None:
    assert only(text).code == "MISSING_DESCRIPTION"


def test_what_is_not_json_is_refused_with_its_place() -> None:
    found = only('{\n  "StartAt": "A",\n  "States" {}\n}')
    assert (found.code, found.path) == (INVALID, "")
    assert "line 3, column 12" in found.message


@pytest.mark.parametrize(
    "definition",
    ["[]", "5", '"text"', "true", "null", "[1", "{'a': 1}", '{"a": NaN}', "9" * 5_000, 5, None, [], b"{}"],
)
def test_what_is_no_object_is_refused(definition: Any) -> None:
    assert only(definition).code == INVALID


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", float("nan"), float("inf")])
def test_values_that_json_lacks_are_refused(value: object) -> None:
    definition = machine({"A": {**PASS, "Result": value}})
    assert only(definition).code == INVALID


def test_a_circular_definition_is_refused() -> None:
    definition = machine({"A": {**PASS}})
    definition["States"]["A"]["Result"] = definition
    assert only(definition).code == INVALID


def test_any_mapping_will_do() -> None:
    assert check(MappingProxyType(machine({"A": MappingProxyType(PASS)}))) == []


def test_a_definition_is_at_most_a_mebibyte_of_utf_8() -> None:
    frame = len(json.dumps(machine({"A": {**PASS, "Comment": ""}})))
    assert check(json.dumps(machine({"A": {**PASS, "Comment": "x" * (1_048_576 - frame)}}))) == []
    found = only(json.dumps(machine({"A": {**PASS, "Comment": "x" * (1_048_577 - frame)}})))
    assert (found.code, found.path) == ("SCHEMA_VALIDATION_FAILED", "")
    assert "1,048,577" in found.message
    assert "bytes" in only(machine({"A": {**PASS, "Comment": "é" * 600_000}})).message


def test_a_state_that_is_given_twice_in_the_text_is_found() -> None:
    text = '{"StartAt": "A", "States": {"A": {"Type": "Fail"}, "A": {"Type": "Succeed"}}}'
    found = only(text)
    assert (found.code, found.path, found.severity) == ("DUPLICATE_STATE_NAME", "/States/A", Severity.ERROR)


def test_another_key_that_is_given_twice_is_a_warning() -> None:
    text = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": [{"x": 1, "x": 2}], "End": true}}}'
    found = only(text)
    assert (found.path, found.severity) == ("/States/A/Result/0/x", Severity.WARNING)
    assert "only the last one counts" in found.message


def test_a_repeated_key_in_what_is_dropped_is_not_reported_apart() -> None:
    text = '{"StartAt": "A", "States": {"A": {"Type": "Fail", "Type": "Fail"}, "A": {"Type": "Succeed"}}}'
    assert [found.path for found in check(text)] == ["/States/A"]


def test_findings_come_in_the_order_of_the_document() -> None:
    states = {
        "A": {"Type": "Pass", "Comment": 1, "Next": "Gone"},
        "B": {
            "Type": "Parallel",
            "Branches": [{"StartAt": "X", "States": {"C": {"Type": "Pass"}}}],
            "Next": "D",
        },
        "D": {"Type": "Succeed", "Foo": 1},
        "E/F": {"Type": "Succeed", "Foo": 1},
    }
    paths = [found.path for found in check({"Comment": 2, "StartAt": "A", "States": states})]
    assert paths == [
        "/Comment",
        "/States/A/Comment",
        "/States/A/Next",
        "/States/B",
        "/States/B/Branches/0",
        "/States/B/Branches/0/StartAt",
        "/States/B/Branches/0/States/C",
        "/States/D",
        "/States/D/Foo",
        "/States/E/F",
        "/States/E/F/Foo",
    ]


def test_the_object_that_is_given_stays_as_it_is() -> None:
    before = json.dumps(VALID)
    for definition in VALID.values():
        check(definition)
    assert json.dumps(VALID) == before


def nested(depth: int, kind: str) -> Any:
    """Something that is nested deeply."""
    value: Any = {"a": 1}
    for _ in range(depth):
        value = {"a": value} if kind == "object" else [value]
    return value


@pytest.mark.parametrize("kind", ["object", "list"])
@pytest.mark.parametrize("field", ["Output", "Assign"])
def test_a_deep_template_is_found_and_not_fallen_over(kind: str, field: str) -> None:
    for depth in (300, 10_000):
        definition = jsonata({"A": {**PASS, field: {"x": nested(depth, kind)}}})
        assert "TOO_DEEPLY_NESTED" in {found.code for found in check(definition)}


@pytest.mark.parametrize("kind", ["object", "list"])
def test_deep_parameters_are_found(kind: str) -> None:
    definition = machine({"A": {**PASS, "Parameters": {"x": nested(300, kind)}}})
    assert "TOO_DEEPLY_NESTED" in {found.code for found in check(definition)}


@pytest.mark.parametrize("depth", [300, 10_000, 100_000])
def test_deep_text_is_found(depth: int) -> None:
    text = (
        '{"StartAt":"A","States":{"A":{"Type":"Pass","End":true,"Parameters":'
        + '{"a":' * depth
        + "1"
        + "}" * depth
    )
    assert [found.code for found in check(text + "}}}")] == ["TOO_DEEPLY_NESTED"]


def test_deep_branches_are_found() -> None:
    definition = machine({"S": ENDS})
    for level in range(60):
        definition = machine({f"P{level}": parallel(definition)})
    assert "TOO_DEEPLY_NESTED" in {found.code for found in check(definition)}


def test_a_deep_rule_is_found() -> None:
    test: dict[str, Any] = {"Variable": "$.a", "IsNull": True}
    for _ in range(150):
        test = {"Not": test}
    definition = machine(
        {"A": {"Type": "Choice", "Choices": [{**test, "Next": "B"}], "Default": "B"}, "B": ENDS}
    )
    assert "TOO_DEEPLY_NESTED" in {found.code for found in check(definition)}


def test_a_machine_of_thousands_of_states_is_no_trouble() -> None:
    states: dict[str, Any] = {
        f"S{index}": {"Type": "Pass", "Next": f"S{index + 1}"} for index in range(3_000)
    }
    states["S3000"] = ENDS
    assert check(machine(states)) == []
