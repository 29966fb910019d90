"""The check of definitions never raises, whatever it is given."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stepsched.asl.checks import check
from tests.unit.asl.checks.test_hostile import KEYS

WORDS = [
    "",
    "A",
    "Pass",
    "Task",
    "Map",
    "Choice",
    "JSONata",
    "JSONPath",
    "$",
    "$.a",
    "$$",
    "$x",
    "{% $x %}",
    "{%",
    "%}",
    "{% $states.result %}",
    "States.Format('{}', $.a)",
    "States.ALL",
    "2026-01-01T00:00:00Z",
    "\ud800",
    "a/b",
    ".$",
    "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "arn:aws:states:::dynamodb:putItem",
    "DISTRIBUTED",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*KEYS, "ErrorEquals", "Variable", "And", "Not", "x.$"]), inner, max_size=5
        )
    ),
    max_leaves=12,
)


@given(VALUES)
def test_any_value_is_taken_for_a_definition(value: Any) -> None:
    assert isinstance(check(value), list)
    assert isinstance(check({"StartAt": "A", "States": value}), list)
    assert isinstance(check({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": value}}), list)


@given(st.text(max_size=40))
def test_any_text_is_taken_for_a_definition(text: str) -> None:
    assert isinstance(check(text), list)
