"""Definitions, their problems and their budget show themselves."""

from __future__ import annotations

import pickle

import pytest

from stepsched import asl
from stepsched.asl.diagnostics import Diagnostics
from stepsched.core.errors import DefinitionError
from stepsched.display.table import Table

BROKEN = {
    "StartAt": "Run",
    "States": {
        "Run": {"Type": "Pass", "Next": "Rum"},
        "Big?": {"Type": "Choice", "Choices": [{"Variable": "$.x", "NumericEquals": "3", "Next": "Run"}]},
    },
}
NESTED = {
    "Comment": "moves files",
    "StartAt": "Both",
    "States": {
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Copy", "States": {"Copy": {"Type": "Wait", "Seconds": 60, "End": True}}},
                {"StartAt": "Tell", "States": {"Tell": {"Type": "Pass", "End": True}}},
            ],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Lost"}],
            "Next": "Size?",
        },
        "Size?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.size", "NumericGreaterThan": 3, "Next": "Lost"}],
            "Default": "Done",
        },
        "Lost": {"Type": "Fail"},
        "Done": {"Type": "Succeed"},
    },
}


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_a_machine_shows_what_each_state_does_and_what_follows() -> None:
    table = asl.parse(NESTED)._shown_table()
    assert table.caption == "6 states, starts with Both"
    assert table.notes == ["moves files"]
    assert texts(table) == [
        ["Both", "Parallel", "2 branches", "Size?; Lost on any error"],
        ["Both / Copy", "Wait", "60 s", "end"],
        ["Both / Tell", "Pass", "", "end"],
        ["Size?", "Choice", "", "Lost if $.size > 3; Done otherwise"],
        ["Lost", "Fail", "", "end"],
        ["Done", "Succeed", "", "end"],
    ]


def test_a_broken_machine_shows_its_defects() -> None:
    table = asl.parse(BROKEN)._shown_table()
    assert texts(table)[-1] == ["Rum", "missing", "not defined", ""]
    assert [row[1].tone for row in table.rows] == ["", "", "bad"]


def test_a_large_machine_shows_60_states_and_no_picture() -> None:
    machine = asl.StateMachine(states=asl.chain({f"S{number}": asl.Pass() for number in range(500)}))
    assert machine._shown_table().more == 440
    assert "<svg" not in machine.to_html()


def test_a_check_shows_each_problem_with_its_place_and_its_cure() -> None:
    found = asl.check(BROKEN)
    assert found._shown_table().caption == "3 errors, 1 warning"
    assert texts(found._shown_table()) == [
        [
            "ERROR",
            "MISSING_END_STATE",
            "the whole definition",
            "Workflow has no terminal state: give one state 'End': true, or add a Succeed or Fail state",
            "",
        ],
        [
            "ERROR",
            "MISSING_TRANSITION_TARGET",
            "/States/Run/Next",
            "Missing 'Next' target: Rum",
            "did you mean 'Run'?",
        ],
        [
            "WARNING",
            "NO_DEFAULT",
            "/States/Big?",
            (
                "there is no Default: where no rule matches, the execution fails with "
                "States.NoChoiceMatched, which cannot be caught"
            ),
            "add one",
        ],
        [
            "ERROR",
            "SCHEMA_VALIDATION_FAILED",
            "/States/Big?/Choices/0/NumericEquals",
            'NumericEquals is "3"',
            "expected a number",
        ],
    ]
    assert [row[0].tone for row in found._shown_table().rows] == ["bad", "bad", "warn", "bad"]


@pytest.mark.parametrize(
    "made",
    [asl.check(BROKEN), asl.parse(BROKEN).check(), asl.check(BROKEN, ignore=["NO_DEFAULT"])],
    ids=["function", "method", "ignoring"],
)
def test_problems_are_a_list(made: Diagnostics) -> None:
    assert isinstance(made, list)
    assert made == [*made]
    assert isinstance(made[:1], Diagnostics)
    assert pickle.loads(pickle.dumps(made)) == made


def test_no_problem_is_said_in_words() -> None:
    found = asl.check({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    assert found == []
    assert (str(found), repr(found)) == ("no problems", "<no problems>")


def test_a_problem_is_printed_as_ignore_takes_it() -> None:
    found = asl.check(BROKEN)[2]
    assert str(found).startswith("WARNING NO_DEFAULT at /States/Big?: there is no Default")
    assert len(asl.check(BROKEN, ignore=[str(found).removeprefix("WARNING ").partition(": ")[0]])) == 3
    with pytest.raises(DefinitionError, match=r"\n  ERROR MISSING_DESCRIPTION: "):
        asl.parse("")


def test_a_budget_shows_its_turns_and_how_many_fit() -> None:
    states = {
        "Work": {"Type": "Wait", "Seconds": 60, "Next": "Again?"},
        "Again?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.n", "NumericGreaterThan": 1, "Next": "Work"}],
            "Default": "Done",
        },
        "Done": {"Type": "Succeed"},
    }
    budget = asl.parse({"StartAt": "Work", "States": states}).budget()
    row = texts(budget._shown_table())[0]
    assert row == ["usual", "Work > Again?", "4", "2", f"{budget.turns:,}"]


def test_the_cure_of_a_problem_is_its_last_clause() -> None:
    found = asl.Diagnostic(severity=asl.Severity.ERROR, code="X", message="'a; b' is wrong; use 'c'", path="")
    assert [row[1].text for row in found._shown_table().rows][3:] == ["'a; b' is wrong", "use 'c'"]
