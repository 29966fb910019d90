"""A definition is read and written back as it was; what cannot be read says why."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepsched import asl
from stepsched.core.errors import DefinitionError
from tests.unit.asl import corpus
from tests.unit.asl.corpus import COERCED, FILES, INVALID, TEXTS, VALID, jsonata, only, passes


def same(one: Any, other: Any) -> bool:
    """Equal to the letter: 1 is neither 1.0 nor true, and order says nothing."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def errors(found: list[asl.Diagnostic]) -> list[str]:
    return [str(each) for each in found if each.severity is asl.Severity.ERROR]


# -- there and back -------------------------------------------------------------------------------------


def test_the_corpus_is_large() -> None:
    assert len(TEXTS) > 200
    assert len(FILES) >= 4


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_read_is_written_back_as_it_was(text: str) -> None:
    document = json.loads(text)
    machine = asl.parse(text)
    assert same(machine.to_dict(), document)
    assert same(json.loads(machine.to_json()), document)
    assert same(json.loads(machine.to_json(indent=None)), document)
    assert sorted(map(str, machine.check())) == sorted(map(str, asl.check(text)))
    assert asl.parse(machine.to_json()) == machine


@pytest.mark.parametrize("document", VALID.values(), ids=VALID)
def test_what_is_valid_is_read_into_types(document: dict[str, Any]) -> None:
    assert errors(asl.check(document)) == []
    for state in asl.parse(document).states.values():
        assert not isinstance(state, asl.OtherState)


@pytest.mark.parametrize("document", INVALID.values(), ids=INVALID)
def test_what_is_invalid_is_told_all_the_same(document: dict[str, Any]) -> None:
    assert errors(asl.parse(document).check())


@pytest.mark.parametrize("document", COERCED.values(), ids=COERCED)
def test_nothing_is_taken_for_something_near_it(document: dict[str, Any]) -> None:
    try:
        machine = asl.parse(json.dumps(document))
    except DefinitionError:
        pytest.fail("a state is kept, whatever it is")
    assert same(machine.to_dict(), document)
    assert machine.check()


@pytest.mark.parametrize("document", (VALID | INVALID).values(), ids=VALID | INVALID)
def test_a_machine_goes_through_json_pickle_and_copies(document: dict[str, Any]) -> None:
    machine = asl.parse(document)
    assert pickle.loads(pickle.dumps(machine)) == machine
    assert copy.deepcopy(machine) == machine
    if machine.unknown is None:
        assert asl.StateMachine.model_validate_json(machine.model_dump_json()) == machine


def test_a_machine_of_unknown_fields_goes_through_json() -> None:
    machine = asl.parse({**passes(), "Foo": 1})
    assert asl.StateMachine.model_validate_json(machine.model_dump_json()) == machine


def test_any_mapping_is_read() -> None:
    assert asl.parse(MappingProxyType(passes())).to_dict() == passes()


def test_what_is_read_is_a_copy() -> None:
    document = only({"Type": "Pass", "End": True, "Result": [1]}, Foo=[1])
    machine = asl.parse(document)
    document["States"]["Only"]["Result"].append(2)
    document["Foo"].append(2)
    assert machine.to_dict() == only({"Type": "Pass", "End": True, "Result": [1]}, Foo=[1])


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({"Type": "Pass", "End": True, "Result": {"a": []}}, id="typed"),
        pytest.param(
            {"Type": "Loop", "Result": {"a": []}},
            id="other",
        ),
    ],
)
def test_what_is_written_is_a_copy(state: dict[str, Any]) -> None:
    machine = asl.parse(only(state))
    machine.to_dict()["States"]["Only"]["Result"]["a"].append(1)
    assert machine.to_dict() == only({**state, "Result": {"a": []}})


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_KEYS = st.sampled_from(
    ["Result", "Parameters", "Output", "Foo", "next", "Branch", "Arguments", "document", "type"]
)
_STATES = st.dictionaries(_KEYS | st.text(max_size=5), _JSON, max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text(max_size=5), _STATES, max_size=3))
def test_any_objects_as_states_are_kept(states: dict[str, Any]) -> None:
    machine = asl.parse({"StartAt": "A", "States": states})
    assert same(machine.to_dict(), {"StartAt": "A", "States": states})
    machine.check()


@settings(max_examples=100, deadline=None)
@given(_JSON)
def test_any_data_is_kept(value: Any) -> None:
    for document in (
        passes(Result=value),
        jsonata(passes(Output=value, Assign={"x": value})),
        corpus.rule(Variable="$.a", StringEquals=value),
        only({"Type": "Loop", "Data": value}),
    ):
        assert same(asl.parse(json.dumps(document)).to_dict(), document)


# -- what cannot be read --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("definition", "code"),
    [
        ("", "MISSING_DESCRIPTION"),
        ("{", "INVALID_JSON_DESCRIPTION"),
        ("[]", "INVALID_JSON_DESCRIPTION"),
        ("5", "INVALID_JSON_DESCRIPTION"),
        ("null", "INVALID_JSON_DESCRIPTION"),
        ([], "INVALID_JSON_DESCRIPTION"),
        (None, "INVALID_JSON_DESCRIPTION"),
        (5, "INVALID_JSON_DESCRIPTION"),
        (b"{}", "INVALID_JSON_DESCRIPTION"),
        ("[" * 100_000, "TOO_DEEPLY_NESTED"),
        ({}, "SCHEMA_VALIDATION_FAILED"),
        ({"StartAt": "A"}, "SCHEMA_VALIDATION_FAILED"),
        ({"StartAt": "A", "States": []}, "SCHEMA_VALIDATION_FAILED"),
        ({"start_at": "A", "states": {"A": {"Type": "Pass", "End": True}}}, "SCHEMA_VALIDATION_FAILED"),
    ],
)
def test_what_cannot_be_read_says_why(definition: Any, code: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        asl.parse(definition)
    assert code in [each.code for each in caught.value.diagnostics]
    assert list(caught.value.diagnostics) == asl.check(definition)
    assert isinstance(caught.value, ValueError)
    assert caught.value.reason
    assert "the definition of a state machine" in str(caught.value)


def test_the_error_pickles() -> None:
    with pytest.raises(DefinitionError) as caught:
        asl.parse("{")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.diagnostics, again.reason) == (caught.value.diagnostics, caught.value.reason)


# -- as text --------------------------------------------------------------------------------------------


def test_the_text_is_wide_where_it_is_short() -> None:
    machine = asl.StateMachine(
        comment="ü", states=asl.chain({"A": asl.Wait(seconds=1), "B": asl.Pass(result=["x" * 60, "y" * 60])})
    )
    assert machine.to_json(indent=4) == (
        "{\n"
        '    "Comment": "ü",\n'
        '    "StartAt": "A",\n'
        '    "States": {\n'
        '        "A": {"Type": "Wait", "Seconds": 1, "Next": "B"},\n'
        '        "B": {\n'
        '            "Type": "Pass",\n'
        '            "Result": [\n'
        f'                "{"x" * 60}",\n'
        f'                "{"y" * 60}"\n'
        "            ],\n"
        '            "End": true\n'
        "        }\n"
        "    }\n"
        "}"
    )
    assert machine.to_json(indent=None).count("\n") == 0
    assert ": " not in machine.to_json(indent=None)


def test_no_text_is_written_that_is_not_json() -> None:
    with pytest.raises(ValueError):
        asl.StateMachine(states={"A": asl.Pass(result=float("nan"), end=True)}).to_json()


# -- as a picture ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_a_notebook_shows_a_picture_above_the_states(text: str) -> None:
    machine = asl.parse(text)
    assert machine.to_svg().strip() in machine.to_html()
    assert machine.to_svg().rstrip().endswith("</svg>")
    assert machine.to_dot().startswith("digraph")
    assert machine.to_mermaid().startswith("flowchart")
    for name in machine.states:
        assert name.split()[0].rstrip("?") in machine.to_mermaid()
        assert name.split()[0] in machine.to_dot()


# -- the package ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", asl.__all__)
def test_every_name_of_the_package_is_there(name: str) -> None:
    assert getattr(asl, name) is not None


@pytest.mark.parametrize(
    ("program", "unwanted"),
    [
        ("import stepsched", ("stepsched.asl", "pydantic")),
        ("import stepsched.asl", ("boto3", "botocore", "asyncio", "sqlite3", "stepsched.client")),
        ("import stepsched; stepsched.render_asl", ("boto3", "botocore", "asyncio", "sqlite3")),
    ],
)
def test_an_import_loads_no_more_than_it_needs(program: str, unwanted: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert set(done.stdout.split()).isdisjoint(unwanted)


@pytest.mark.parametrize(
    "field",
    [{"StartAt": 5}, {"Comment": 5}, {"Version": 1.0}, {"TimeoutSeconds": 1.5}, {"QueryLanguage": "jsonata"}],
)
def test_a_field_of_another_kind_beside_the_states_is_kept(field: dict[str, Any]) -> None:
    definition = {**passes(), **field}
    machine = asl.parse(definition)
    assert same(machine.to_dict(), definition)
    assert machine.check() == asl.check(definition) != []


def test_errors_are_told_from_warnings() -> None:
    found = asl.check(
        {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}, "ProcessorConfig": {"Mode": "INLINE"}, "X": 1}
    )
    assert [(each.path, each.is_error) for each in found] == [("/ProcessorConfig", False), ("/X", True)]
