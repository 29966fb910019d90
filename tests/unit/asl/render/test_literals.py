"""User data in a definition is data, whatever it looks like."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stepsched.core.context import ATTEMPT_NUMBER, SCHEDULED_TIME
from stepsched.machines.literals import literal, quoted
from tests.parts.jsonata_engine import JsonataEngine

ATTRIBUTES: Any = {SCHEDULED_TIME: "$due", ATTEMPT_NUMBER: "$string(1)"}


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        1.5,
        "",
        "text",
        "$.a",
        "$states.input",
        "States.Format('x')",
        "it's",
        "{ % }",
        "{}",
        [],
        {},
        {"a": ["$"]},
    ],
)
def test_what_is_never_evaluated_stands_as_it_is(value: Any) -> None:
    assert literal(value, ATTRIBUTES) == value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("{% $x %}", r"{% '\u007b% $x %\u007d' %}"),
        ("{%", r"{% '\u007b%' %}"),
        ("%}", r"{% '%\u007d' %}"),
        ("a {% b", r"{% 'a \u007b% b' %}"),
        (["{%"], [r"{% '\u007b%' %}"]),
        ({"{% k %}": "{%"}, {"{% k %}": r"{% '\u007b%' %}"}),
        ({"a.$": "$.x"}, "{% {'a.$': '$.x'} %}"),
        ({"b": {"a.$": [1, None, True, "}"]}}, {"b": r"{% {'a.$': [1, null, true, '\u007d']} %}"}),
        (SCHEDULED_TIME, "{% $due %}"),
        ("a " + SCHEDULED_TIME + " {%", r"{% 'a ' & $due & ' \u007b%' %}"),
        (SCHEDULED_TIME + ATTEMPT_NUMBER, "{% $due & $string(1) %}"),
        ({"a.$": SCHEDULED_TIME + "'"}, r"{% {'a.$': $due & '\u0027'} %}"),
        (str(SCHEDULED_TIME), "<aws.scheduler.scheduled-time>"),
    ],
)
def test_what_might_be_code_becomes_a_literal(value: Any, written: Any) -> None:
    assert literal(value, ATTRIBUTES) == written


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["{%", "%}", "{% $millis() %}", "'", '"', "\\", "\\'", "\u2028", "\x00", "' & $due & '", "*/", "/*"]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT | st.just("a.$"), inner, max_size=3),
    max_leaves=6,
)


def read(value: Any, engine: JsonataEngine) -> Any:
    """What Step Functions makes of a piece of a definition."""
    match value:
        case str() if value.startswith("{%") and value.endswith("%}"):
            return engine.evaluate(value[2:-2], {})
        case list():
            return [read(each, engine) for each in value]
        case dict():
            return {key: read(each, engine) for key, each in value.items()}
    return value


@settings(max_examples=150, deadline=None)
@given(_JSON)
def test_it_comes_out_as_it_went_in(jsonata_engine: JsonataEngine, value: Any) -> None:
    assume("__proto__" not in json.dumps(value))  # refused, see below
    assert read(literal(value, {}), jsonata_engine) == value


def test_a_key_that_would_be_lost_is_refused() -> None:
    with pytest.raises(ValueError, match="__proto__"):
        literal({"a.$": {"__proto__": 1}}, {})
    assert literal({"__proto__": "{% 1 %}"}, {}).keys() == {"__proto__"}


@settings(max_examples=100, deadline=None)
@given(_TEXT)
def test_a_quoted_text_cannot_end_an_expression(text: str) -> None:
    body = quoted(text)[1:-1]
    assert not set("{}'") & set(body)
    assert json.loads(f'"{body}"') == text


def test_no_half_expression_is_left() -> None:
    for text in ("{% a", "a %}", "{%{%", "%}%}"):
        written = literal({"k": text}, {})["k"]
        assert written.startswith("{% '")
        assert written.endswith("' %}")
        assert "{%" not in written[2:]
