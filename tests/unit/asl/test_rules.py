"""Rules of a Choice, written as Python."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from stepsched import asl
from stepsched.asl import condition, variable
from stepsched.asl.rules import OPERATORS, And, Comparison, Condition, Not, Or, Test, read_test

ORDERS = [
    (operator.eq, "Equals"),
    (operator.lt, "LessThan"),
    (operator.le, "LessThanEquals"),
    (operator.gt, "GreaterThan"),
    (operator.ge, "GreaterThanEquals"),
]
NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
A = variable("$.a") == 1
B = variable("$.b") == "x"
C = variable("$.c").is_null()
WRITTEN_A = {"Variable": "$.a", "NumericEquals": 1}
WRITTEN_B = {"Variable": "$.b", "StringEquals": "x"}
WRITTEN_C = {"Variable": "$.c", "IsNull": True}


@pytest.mark.parametrize(("compare", "word"), ORDERS)
@pytest.mark.parametrize(
    ("value", "kind", "written"),
    [
        (3, "Numeric", 3),
        (1.5, "Numeric", 1.5),
        ("x", "String", "x"),
        (NOON, "Timestamp", "2030-01-01T12:00:00Z"),
        (NOON.astimezone(timezone(timedelta(hours=5, minutes=30))), "Timestamp", "2030-01-01T12:00:00Z"),
        (NOON.replace(microsecond=500), "Timestamp", "2030-01-01T12:00:00.000500Z"),
    ],
)
def test_a_value_is_compared_by_its_type(
    compare: Callable[..., Any], word: str, value: object, kind: str, written: object
) -> None:
    assert compare(variable("$.a"), value).to_dict() == {"Variable": "$.a", f"{kind}{word}": written}


@pytest.mark.parametrize(("compare", "word"), ORDERS)
@pytest.mark.parametrize("kind", ["Numeric", "String", "Timestamp"])
def test_two_variables_are_compared_by_their_type(compare: Callable[..., Any], word: str, kind: Any) -> None:
    written = {"Variable": "$.a", f"{kind}{word}Path": "$.b"}
    assert compare(variable("$.a", kind), variable("$.b")).to_dict() == written
    assert compare(variable("$.a"), variable("$.b", kind)).to_dict() == written


def test_booleans_are_equal_or_not() -> None:
    assert (variable("$.a") == True).to_dict() == {"Variable": "$.a", "BooleanEquals": True}  # noqa: E712 -- a test
    assert (variable("$.a", "Boolean") == variable("$.b")).to_dict()["BooleanEqualsPath"] == "$.b"
    for compare, _ in ORDERS[1:]:
        with pytest.raises(ValueError, match="booleans can only be tested for equality"):
            compare(variable("$.a"), True)
        with pytest.raises(ValueError, match="booleans can only be tested for equality"):
            compare(variable("$.a", "Boolean"), variable("$.b"))


@pytest.mark.parametrize(
    ("test", "written"),
    [
        (variable("$.a").is_present(), "IsPresent"),
        (variable("$.a").is_null(), "IsNull"),
        (variable("$.a").is_number(), "IsNumeric"),
        (variable("$.a").is_text(), "IsString"),
        (variable("$.a").is_boolean(), "IsBoolean"),
        (variable("$.a").is_timestamp(), "IsTimestamp"),
    ],
)
def test_questions(test: Comparison, written: str) -> None:
    assert test.to_dict() == {"Variable": "$.a", written: True}


def test_patterns() -> None:
    assert variable("$.a").matches("*.log").to_dict() == {"Variable": "$.a", "StringMatches": "*.log"}


def test_every_operator_can_be_said() -> None:
    values: dict[str, Any] = {"Numeric": 1, "String": "x", "Timestamp": NOON, "Boolean": True}
    said = {
        "StringMatches",
        *(f"Is{word}" for word in ("Null", "Present", "Numeric", "String", "Boolean", "Timestamp")),
    }
    for kind, value in values.items():
        for compare, _ in ORDERS[:1] if kind == "Boolean" else ORDERS:
            left: Any = kind
            said.add(compare(variable("$"), value).operator)
            said.add(compare(variable("$", left), variable("$")).operator)
    assert said == OPERATORS


@pytest.mark.parametrize(
    ("test", "written"),
    [
        (A & B, {"And": [WRITTEN_A, WRITTEN_B]}),
        (A & B & C, {"And": [WRITTEN_A, WRITTEN_B, WRITTEN_C]}),
        (A | B | C, {"Or": [WRITTEN_A, WRITTEN_B, WRITTEN_C]}),
        (A | B & C, {"Or": [WRITTEN_A, {"And": [WRITTEN_B, WRITTEN_C]}]}),
        ((A | B) & C, {"And": [{"Or": [WRITTEN_A, WRITTEN_B]}, WRITTEN_C]}),
        (~A, {"Not": WRITTEN_A}),
        (~~A, {"Not": {"Not": WRITTEN_A}}),
        (~(A & B), {"Not": {"And": [WRITTEN_A, WRITTEN_B]}}),
        (variable("$.a") != 1, {"Not": WRITTEN_A}),
        (
            And(tests=(A, B), comment="c") & C,
            {"And": [{"Comment": "c", "And": [WRITTEN_A, WRITTEN_B]}, WRITTEN_C]},
        ),
        (condition("$a") & condition("$b or $c"), {"Condition": "{% ($a) and ($b or $c) %}"}),
        (condition("$a") | condition("$b"), {"Condition": "{% ($a) or ($b) %}"}),
        (~condition("$a and $b"), {"Condition": "{% $not($a and $b) %}"}),
        (~Condition(condition=True), {"Condition": "{% $not(true) %}"}),
        (Condition(condition=False) & condition("$a"), {"Condition": "{% (false) and ($a) %}"}),
    ],
)
def test_tests_are_joined(test: Test, written: dict[str, Any]) -> None:
    assert test.to_dict() == written


@pytest.mark.parametrize("text", ["$a > 1", " $a > 1 ", "{% $a > 1 %}", "{%$a > 1%}", " {%  $a > 1 %} "])
def test_a_condition_is_given_with_or_without_its_marks(text: str) -> None:
    assert condition(text).condition == "{% $a > 1 %}"


def test_languages_do_not_mix() -> None:
    for join in (operator.and_, operator.or_):
        for left, right in ((A, condition("$a")), (condition("$a"), A)):
            with pytest.raises(ValueError, match="JSONata condition and a JSONPath comparison"):
                join(left, right)


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an aware datetime"):
        variable("$.a") < datetime(2030, 1, 1)  # noqa: B015 -- it raises


@pytest.mark.parametrize("value", [None, [], {}, timedelta(1), object(), b"x"])
def test_what_cannot_be_compared_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected a string, finite number"):
        variable("$.a") == value  # noqa: B015 -- it raises


def test_two_variables_of_no_type_are_refused() -> None:
    with pytest.raises(ValueError, match=r"use variable\('\$\.a', 'Numeric'\)"):
        variable("$.a") < variable("$.b")  # noqa: B015 -- it raises


def test_a_variable_does_not_hash_and_shows_its_path() -> None:
    assert repr(variable("$.a")) == "variable('$.a')"
    with pytest.raises(TypeError):
        hash(variable("$.a"))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: variable("$.a", "Numeric") < "x", "a given type says nothing beside a value"),
        (lambda: variable("$.a", "Numeric") < variable("$.b", "String"), "the right one's type is dropped"),
        (lambda: variable("$.a") < float("nan"), "JSON has no such number"),
        (lambda: 0 < variable("$.a") < 5, "Python drops the left test"),
        (
            lambda: A and B,
            "Python drops the left test",
        ),
        (
            lambda: not A,
            "Python gives False",
        ),
    ],
)
def test_what_would_say_something_else_is_refused(make: Callable[[], object], why: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        make()


def test_a_moment_may_be_text_where_the_type_says_so() -> None:
    test = variable("$.a", "Timestamp") < "2030-01-01T00:00:00Z"
    assert test.operator == "TimestampLessThan"


def test_only_tests_are_joined() -> None:
    with pytest.raises(TypeError):
        A & True  # type: ignore[operator]


# -- rules ----------------------------------------------------------------------------------------------


def test_a_test_becomes_a_rule() -> None:
    assert A.then("B").to_dict() == {**WRITTEN_A, "Next": "B"}
    rule = condition("$a").then("B", assign={"x": 1}, output={"y": None}, comment="c")
    assert rule.to_dict() == {
        "Condition": "{% $a %}",
        "Next": "B",
        "Assign": {"x": 1},
        "Output": {"y": None},
        "Comment": "c",
    }
    with pytest.raises(ValidationError, match="next"):
        A.then(5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [
        A,
        ~A,
        A & B,
        A | B,
        ~(A & (B | C)),
        condition("$a"),
        A.then("B", comment="c"),
        (A & B).then("X", assign={"y": 1}),
    ],
)
def test_rules_go_through_json(value: Any) -> None:
    again = type(value).model_validate_json(value.model_dump_json())
    assert again == value
    assert again.to_dict() == value.to_dict()


def test_a_rule_of_another_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="is no And"):
        And.model_validate({"Or": []})
    with pytest.raises(ValidationError):
        Not.model_validate({"Condition": "{% true %}"})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (5, "expected a choice rule"),
        ({}, "got nothing"),
        ({"Variable": "$"}, "Variable and one operator, got Variable"),
        ({"Variable": "$", "Like": "x"}, "Like, Variable"),
        ({"And": {}}, "expected a list of rules for And"),
        ({"Or": [5]}, "expected a choice rule"),
        ({"Not": {"Variable": "$"}}, "one operator"),
    ],
)
def test_what_is_no_rule_says_why(document: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_test(document)


def test_rules_are_read_with_their_comments() -> None:
    document = {"Comment": "a", "Or": [{"Comment": "b", "Not": {"Comment": "c", **WRITTEN_A}}]}
    test = read_test(document)
    assert isinstance(test, Or)
    assert test.to_dict() == document
    assert (
        asl.Choice.model_validate({"Type": "Choice", "Choices": [{**document, "Next": "B"}]}).choices[0].next
        == "B"
    )


def test_any_test_is_read_from_its_own_form() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Comparison)
    assert adapter.validate_python({"variable": "$.a", "operator": "NumericEquals", "value": 1}) == A
    assert adapter.validate_python(WRITTEN_A) == A
