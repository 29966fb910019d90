"""What a machine writes into its history, and what it costs.

The figures are those of AWS's histories: two events for each state that only decides or waits, five for a
call, one more for a call that submits, three for each retry.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from stepsched import asl
from stepsched.asl.budget import MAX_EVENTS, budget_of, way_through
from tests.unit.asl.corpus import FILES, INVALID, TEXTS, VALID

CALL = "arn:aws:states:::lambda:invoke"
JOB = "arn:aws:states:::batch:submitJob.sync"
NESTED = "arn:aws:states:::states:startExecution.sync:2"
TOKEN = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
PASS: dict[str, Any] = {"Type": "Pass"}
WAIT: dict[str, Any] = {"Type": "Wait", "Seconds": 1}
ENDS: dict[str, Any] = {"Type": "Succeed"}


def task(resource: str = CALL, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": resource, **fields}


def choice(*targets: str, default: str | None = None) -> dict[str, Any]:
    rules = [{"Condition": "{% true %}", "Next": target} for target in targets]
    return {"Type": "Choice", "Choices": rules, **({"Default": default} if default else {})}


def line(**states: dict[str, Any]) -> dict[str, Any]:
    """States that lead one to the next."""
    names = list(states)
    following: dict[str, Any] = {name: {"Next": after} for name, after in pairwise(names)}
    following[names[-1]] = {"End": True}
    linked = {
        name: state if state["Type"] in ("Choice", "Succeed", "Fail") else {**following[name], **state}
        for name, state in states.items()
    }
    return {"StartAt": names[0], "States": linked}


def turns(definition: dict[str, Any]) -> tuple[int, int]:
    """Events and transitions of the usual turn."""
    usual = budget_of(definition).usual
    return usual.events, usual.transitions


# -- states ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "events"),
    [
        (PASS, 2),
        (WAIT, 2),
        (ENDS, 2),
        (task(), 5),
        (task("arn:aws:states:::aws-sdk:sqs:sendMessage"), 5),
        (task("arn:aws:lambda:eu-west-1:123456789012:function:synchronise"), 5),
        (task(JOB), 6),
        (task(NESTED), 6),
        (task(TOKEN), 6),
        ({"Type": "Fail"}, 1),
        ({"Type": "Map", "ItemProcessor": {}}, 4),
        ({"Type": "Parallel", "Branches": []}, 4),
    ],
)
def test_events_of_a_state(state: dict[str, Any], events: int) -> None:
    assert turns(line(Only=state)) == (events, 1)


def test_a_parallel_is_its_branches_too() -> None:
    branches = [line(A=PASS, B=task()), line(C=task(JOB), D=ENDS)]
    budget = budget_of(line(Only={"Type": "Parallel", "Branches": branches}))
    assert (budget.usual.events, budget.usual.transitions) == (4 + 2 + 5 + 6 + 2, 1 + 4)
    assert budget.usual == budget.worst
    deeper = line(
        Outer={"Type": "Parallel", "Branches": [line(Only={"Type": "Parallel", "Branches": branches})]}
    )
    assert turns(deeper) == (4 + budget.usual.events, 1 + budget.usual.transitions)


def test_of_the_branches_of_a_parallel_the_longest_way_counts() -> None:
    branch = {
        "StartAt": "A",
        "States": {
            "A": choice("B", default="C"),
            "B": {"Type": "Pass", "End": True},
            "C": {**task(), "End": True},
        },
    }
    assert turns(line(Only={"Type": "Parallel", "Branches": [branch]})) == (4 + 2 + 5, 3)


@pytest.mark.parametrize(
    ("retry", "more"),
    [
        ([{"ErrorEquals": ["States.ALL"]}], 3),
        ([{"ErrorEquals": ["States.ALL"], "MaxAttempts": 0}], 0),
        ([{"ErrorEquals": ["A"], "MaxAttempts": 2}, {"ErrorEquals": ["States.ALL"], "MaxAttempts": 5}], 7),
    ],
)
def test_each_retry_is_three_events_and_a_transition(retry: list[Any], more: int) -> None:
    for resource, events in ((CALL, 5), (JOB, 6)):
        budget = budget_of(line(Only=task(resource, Retry=retry)))
        assert (budget.usual.events, budget.usual.transitions) == (events, 1)
        assert (budget.worst.events, budget.worst.transitions) == (events + 3 * more, 1 + more)


# -- loops ----------------------------------------------------------------------------------------------


def loop(*states: dict[str, Any]) -> dict[str, Any]:
    """States that go round, after a start and before an end that are not of the loop."""
    names = [f"S{number}" for number in range(len(states))]
    linked: dict[str, Any] = {"Init": {"Type": "Pass", "Next": names[0]}}
    for name, after, state in zip(names, [*names[1:], names[0]], states, strict=True):
        decides = state["Type"] == "Choice"
        linked[name] = {**state, "Default": after} if decides else {**state, "Next": after}
    return {"StartAt": "Init", "States": {**linked, "Done": ENDS}}


DECIDE = choice("Done")
FENCE = task("arn:aws:states:::dynamodb:updateItem")
THRICE = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 3}]


@pytest.mark.parametrize(
    ("definition", "events", "transitions", "most"),
    [
        pytest.param(loop(WAIT, task(), DECIDE), 9, 3, 2777, id="wait, task, choice"),
        pytest.param(loop(WAIT, task(JOB), DECIDE), 10, 3, 2499, id="the same with a job"),
        pytest.param(loop(PASS, DECIDE, WAIT, task()), 11, 4, 2272, id="plan, choice, wait, task"),
        pytest.param(loop(PASS, DECIDE, WAIT, FENCE, task(), FENCE), 21, 6, 1190, id="with fence and record"),
    ],
)
def test_known_loops(definition: dict[str, Any], events: int, transitions: int, most: int) -> None:
    budget = budget_of(definition)
    assert budget.loops
    assert (budget.usual.events, budget.usual.transitions) == (events, transitions)
    assert budget.fixed_events == 2 + 2 + 2
    assert budget.turns == (MAX_EVENTS - 6) // events
    assert abs(budget.turns - most) <= 1
    assert "Init" not in budget.usual.states


def test_the_worst_turn_has_every_retry() -> None:
    fence = {**FENCE, "Retry": THRICE}
    budget = budget_of(loop(PASS, DECIDE, WAIT, fence, task(JOB, Retry=THRICE), fence))
    assert (budget.worst.events, budget.worst.transitions) == (49, 15)
    assert (budget.usual.events, budget.usual.transitions) == (22, 6)
    assert budget.worst_turns == (MAX_EVENTS - 6) // 49
    assert abs(budget.worst_turns - 509) <= 1


def test_a_caught_failure_is_no_usual_way() -> None:
    caught: dict[str, Any] = {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Tell"}]}
    definition = {
        "StartAt": "Rest",
        "States": {
            "Rest": {**WAIT, "Next": "Run"},
            "Run": {**task(**caught), "Next": "More"},
            "Tell": {**task(), "Next": "More"},
            "More": choice("Rest", default="Done"),
            "Done": ENDS,
        },
    }
    budget = budget_of(definition)
    assert sorted(budget.usual.states) == ["More", "Rest", "Run"]
    assert budget.usual.events == 9
    assert sorted(budget.worst.states) == ["More", "Rest", "Run", "Tell"]
    assert budget.worst.events == 14
    assert budget.fixed_events == 2 + 2


@pytest.mark.parametrize("after", [{**WAIT, "Next": "Run"}, {**task(), "End": True}])
def test_what_only_failures_enter_is_neither_a_loop_nor_usual(after: dict[str, Any]) -> None:
    run = {**task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "After"}]), "End": True}
    budget = budget_of({"StartAt": "Run", "States": {"Run": run, "After": after}})
    assert not budget.loops
    assert (budget.usual.states, budget.usual.events) == (("Run",), 5)
    assert budget.worst.states == ("Run", "After")


def test_a_state_that_leads_to_itself_is_a_loop() -> None:
    budget = budget_of({"StartAt": "A", "States": {"A": choice("A", default="B"), "B": ENDS}})
    assert (budget.usual.states, budget.usual.events, budget.fixed_events) == (("A",), 2, 4)


def test_the_longer_of_two_loops_counts() -> None:
    definition = {
        "StartAt": "A",
        "States": {
            "A": choice("B", "C", default="Done"),
            "B": {**PASS, "Next": "A"},
            "C": {**task(), "Next": "A"},
            "Done": ENDS,
        },
    }
    budget = budget_of(definition)
    assert (sorted(budget.usual.states), budget.usual.events) == (["A", "C"], 7)


# -- no loop --------------------------------------------------------------------------------------------


def test_without_a_loop_the_longest_way_counts() -> None:
    definition = {
        "StartAt": "A",
        "States": {
            "A": choice("B", default="C"),
            "B": {**PASS, "Next": "D"},
            "C": {**task(), "Next": "D"},
            "D": {"Type": "Succeed"},
        },
    }
    budget = budget_of(definition)
    assert not budget.loops
    assert (budget.turns, budget.worst_turns, budget.fixed_events) == (None, None, 2)
    assert (budget.usual.states, budget.usual.events, budget.usual.transitions) == (("A", "C", "D"), 9, 3)


@pytest.mark.parametrize("definition", (VALID | INVALID).values(), ids=VALID | INVALID)
def test_any_definition_has_a_budget(definition: dict[str, Any]) -> None:
    budget = asl.parse(definition).budget()
    assert budget == budget_of(definition)
    assert budget.worst.events >= budget.usual.events
    assert asl.Budget.model_validate_json(budget.model_dump_json()) == budget


@pytest.mark.parametrize(
    "definition", [{}, {"States": None}, {"States": {"A": 5}}, {"StartAt": 5, "States": {"A": {}}}]
)
def test_what_says_nothing_costs_nothing(definition: dict[str, Any]) -> None:
    assert turns(definition) == (0, 0)


def test_files_of_the_corpus() -> None:
    budget = asl.parse(FILES["poll_a_job.asl"]).budget()
    assert sorted(budget.usual.states) == ["Ask", "Done?", "Rest"]
    assert budget.usual.events == 9
    assert len(TEXTS) > len(FILES)


# -- hostile --------------------------------------------------------------------------------------------


def complete(size: int) -> dict[str, Any]:
    """A machine in which every state leads to every other one."""
    names = [f"S{number}" for number in range(size)]
    return {"StartAt": "S0", "States": {name: choice(*names) for name in names}}


def ladder(size: int) -> dict[str, Any]:
    """A machine of two ways at each of many steps, and without a loop."""
    states: dict[str, Any] = {}
    for number in range(size):
        states[f"A{number}"] = choice(f"B{number}", default=f"C{number}")
        states[f"B{number}"] = {**PASS, "Next": f"A{number + 1}"}
        states[f"C{number}"] = {**task(), "Next": f"A{number + 1}"}
    return {"StartAt": "A0", "States": {**states, f"A{size}": ENDS}}


@pytest.mark.parametrize("size", [11, 14])
def test_of_many_ways_the_longest_counts(size: int) -> None:
    assert budget_of(ladder(size)).usual.events == size * (2 + 5) + 2


@pytest.mark.parametrize(
    "definition",
    [
        pytest.param(complete(30), id="complete graph"),
        pytest.param(complete(100), id="large complete graph"),
        pytest.param(ladder(200), id="ladder"),
        pytest.param(line(**{f"S{number}": PASS for number in range(2_000)}), id="long line"),
    ],
)
def test_many_ways_come_to_an_end(definition: dict[str, Any]) -> None:
    """Looking at every way would outlast the test's time."""
    budget = budget_of(definition)
    assert budget.usual.events > 0
    assert budget.worst.events >= budget.usual.events


# -- money ----------------------------------------------------------------------------------------------


def test_prices_are_those_of_the_list() -> None:
    prices = asl.Prices()
    assert (prices.per_thousand, prices.free_per_month, prices.currency) == (Decimal("0.025"), 4_000, "USD")
    assert prices.source.startswith("https://aws.amazon.com/step-functions/pricing")


@pytest.mark.parametrize(
    ("transitions", "runs", "gross", "net"),
    [
        (3, 365, "0.027375", "0"),
        (6, 365, "0.05475", "0"),
        (3, 8_760, "0.657", "0"),
        (6, 8_760, "1.314", "0.114"),
        (3, 525_600, "39.42", "38.22"),
        (6, 525_600, "78.84", "77.64"),
    ],
)
def test_what_turns_cost_in_a_year(transitions: int, runs: int, gross: str, net: str) -> None:
    states = {3: (WAIT, task(), DECIDE), 6: (PASS, DECIDE, WAIT, FENCE, task(), FENCE)}[transitions]
    budget = budget_of(loop(*states))
    assert budget.usual.cost(runs) == Decimal(gross)
    assert budget.cost_per_year(runs) == Decimal(net)
    assert isinstance(budget.cost_per_year(runs), Decimal)


def test_other_regions_have_other_prices() -> None:
    budget = budget_of(loop(WAIT, task(), DECIDE))
    dear = asl.Prices(per_thousand=Decimal("0.0375"), free_per_month=0)
    assert budget.usual.cost(1_000, dear) == Decimal("0.1125")
    assert budget.cost_per_year(1_000, dear) == Decimal("0.1125")
    assert budget.usual.cost() == Decimal("0.000075")
    assert budget.cost_per_year(0) == 0


WAYS: dict[str, dict[str, Any]] = {
    "Ask": {"Type": "Choice", "Choices": [{"Condition": True, "Next": "Call"}], "Default": "Wait"},
    "Call": {
        "Type": "Task",
        "Resource": "arn:aws:states:::ecs:runTask.sync",
        "Retry": [{"ErrorEquals": ["A"], "MaxAttempts": 0}, {"ErrorEquals": ["B"], "MaxAttempts": 4}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Wait"}],
        "End": True,
    },
    "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Ask"},
}


def test_a_way_is_counted_by_its_states() -> None:
    turn = way_through(WAYS, "Wait", "Ask", "Call", "Wait")
    assert (turn.states, turn.events, turn.transitions) == (("Wait", "Ask", "Call", "Wait"), 2 + 2 + 6 + 2, 4)
    worst = way_through(WAYS, "Ask", "Call", retries=True)
    assert (worst.events, worst.transitions) == (2 + 6 + 4 * 3, 2 + 4)


@pytest.mark.parametrize("way", [("Wait", "Call"), ("Call", "Ask"), ("Ask", "Ask")])
def test_a_way_that_the_machine_does_not_have_is_refused(way: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=f"state '{way[0]}' does not lead to '{way[1]}'"):
        way_through(WAYS, *way)
