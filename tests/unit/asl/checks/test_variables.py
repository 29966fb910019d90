"""Which variables can have a value where: what is certain is said, nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from stepsched.asl.checks import check
from tests.unit.asl.checks.definitions import (
    ENDS,
    PASS,
    choice,
    distributed,
    each,
    invoke,
    jsonata,
    machine,
    parallel,
)


def paths(definition: dict[str, Any]) -> list[str]:
    return [found.path for found in check(definition)]


def loop(work: dict[str, Any], **init: Any) -> dict[str, Any]:
    """Init, then Work until the input says so."""
    return jsonata(
        {
            "Init": {"Type": "Pass", "Next": "Work", **init},
            "Work": {"Type": "Pass", "Next": "More", **work},
            "More": choice({"Condition": "{% $states.input.more %}", "Next": "Work"}),
            "Done": ENDS,
        }
    )


@pytest.mark.parametrize(
    "text",
    [
        "{% $append($seen, 1) %}",
        "{% $exists($seen) ? $seen + 1 : 0 %}",
        "{% $seen = 3 %}",
        "{% [$seen, 1] %}",
        "{% $seen & 'x' %}",
        "{% true or $seen %}",
    ],
)
def test_a_loop_may_read_what_only_an_earlier_turn_assigns(text: str) -> None:
    assert check(loop({"Assign": {"seen": text}})) == []


@pytest.mark.parametrize("text", ["{% $seen %}", "{% $seen + 1 %}", "{% $seen.a.b %}", "{% 2 * $seen - 1 %}"])
def test_the_first_turn_of_a_loop_needs_a_value(text: str) -> None:
    assert paths(loop({"Assign": {"seen": text}})) == ["/States/Work/Assign/seen"]
    assert check(loop({"Assign": {"seen": text}}, Assign={"seen": 0})) == []


def test_a_choice_may_ask_whether_there_is_a_value() -> None:
    definition = machine(
        {
            "Ask": choice({"Variable": "$seen", "IsPresent": True, "Next": "Done"}, Default="Set"),
            "Set": {"Type": "Pass", "Assign": {"seen": 1}, "Next": "Ask"},
            "Done": ENDS,
        }
    )
    assert check(definition) == []


def test_a_path_needs_a_value_the_first_time() -> None:
    definition = machine(
        {
            "Use": {"Type": "Pass", "Parameters": {"a.$": "$n"}, "Assign": {"n": 1}, "Next": "More"},
            "More": choice({"Variable": "$.a", "IsNull": True, "Next": "Use"}),
            "Done": ENDS,
        }
    )
    assert paths(definition) == ["/States/Use/Parameters/a.$"]


def test_one_of_two_ways_may_assign() -> None:
    states = {
        "Pick": choice({"Condition": "{% $states.input.a %}", "Next": "Set"}, Default="Use"),
        "Set": {"Type": "Pass", "Assign": {"x": 1}, "Next": "Use"},
        "Use": {**PASS, "Output": "{% $x %}"},
    }
    assert check(jsonata(states)) == []


def test_a_catcher_assigns_on_its_own_way_only() -> None:
    states = {
        "Run": invoke(
            Assign={"ok": 1},
            Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Bad", "Assign": {"bad": 1}}],
            Next="Good",
        ),
        "Good": {**PASS, "Output": "{% $bad %}"},
        "Bad": {**PASS, "Output": "{% $ok %}"},
    }
    del states["Run"]["End"]
    assert paths(jsonata(states)) == ["/States/Good/Output", "/States/Bad/Output"]


def test_a_rule_without_assign_takes_that_of_the_state() -> None:
    states = {
        "Pick": choice({"Condition": "{% $states.input.a %}", "Next": "Use"}, Assign={"x": 1}, Default="Use"),
        "Use": {**PASS, "Output": "{% $x %}"},
    }
    assert check(jsonata(states)) == []


def inside(
    state: dict[str, Any], *, outer: dict[str, Any], after: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A Map with one inner state, after a state that assigns, before another one."""
    states: dict[str, Any] = {
        "Set": {"Type": "Pass", "Assign": outer, "Next": "Each"},
        "Each": each(
            Items=[1], ItemProcessor={"StartAt": "In", "States": {"In": {**PASS, **state}}}, Next="After"
        ),
        "After": {**PASS, **(after or {})},
    }
    del states["Each"]["End"]
    return jsonata(states)


def test_an_inner_scope_reads_what_is_outside_and_keeps_what_is_inside() -> None:
    assert check(inside({"Output": "{% $x %}", "Assign": {"y": "{% $x %}"}}, outer={"x": 1})) == []
    assert paths(inside({"Assign": {"y": 1}}, outer={"x": 1}, after={"Output": "{% $y %}"})) == [
        "/States/After/Output"
    ]
    assert paths(inside({"Output": "{% $z %}"}, outer={"x": 1}, after={"Assign": {"z": 1}})) == [
        "/States/Each/ItemProcessor/States/In/Output"
    ]


def test_an_inner_scope_may_not_assign_what_any_scope_around_it_does() -> None:
    shadowing = {"Assign": {"x": 2}}
    assert paths(inside(shadowing, outer={"x": 1})) == ["/States/Each/ItemProcessor/States/In/Assign/x"]
    assert paths(inside(shadowing, outer={"y": 1}, after={"Assign": {"x": 1}})) == [
        "/States/Each/ItemProcessor/States/In/Assign/x"
    ]


def test_two_levels_of_scopes_are_followed() -> None:
    core = {"StartAt": "Core", "States": {"Core": {**PASS, "Output": "{% $x + $y %}", "Assign": {"x": 1}}}}
    middle = {
        "StartAt": "Mid",
        "States": {"Mid": {"Type": "Pass", "Assign": {"y": 1}, "Next": "Deep"}, "Deep": parallel(core)},
    }
    definition = jsonata(
        {"Set": {"Type": "Pass", "Assign": {"x": 1}, "Next": "Out"}, "Out": parallel(middle)}
    )
    assert paths(definition) == ["/States/Out/Branches/0/States/Deep/Branches/0/States/Core/Assign/x"]


def test_children_of_a_distributed_map_are_a_world_of_their_own() -> None:
    inner = {
        "StartAt": "In",
        "States": {
            "In": {"Type": "Pass", "Assign": {"x": 1}, "Next": "Use"},
            "Use": {**PASS, "Output": "{% $x %}"},
        },
    }
    states = {
        "Set": {"Type": "Pass", "Assign": {"x": 1}, "Next": "Each"},
        "Each": distributed(inner=inner, Items=[1]),
    }
    assert check(jsonata(states)) == []


def test_what_cannot_be_reached_is_judged_by_names_alone() -> None:
    states = {
        "A": {"Type": "Pass", "Assign": {"x": 1}, "End": True},
        "Lost": {"Type": "Pass", "Output": "{% $x + $y %}", "Next": "Each"},
        "Each": each(
            Items=[1], ItemProcessor={"StartAt": "In", "States": {"In": {**PASS, "Output": "{% $x %}"}}}
        ),
    }
    found = check(jsonata(states))
    assert [each.path for each in found] == ["/States/Lost", "/States/Lost/Output", "/States/Each"]
    assert "$y is never assigned" in found[1].message


def test_a_missing_start_hides_the_order_and_not_the_names() -> None:
    definition = jsonata({"A": {**PASS, "Output": "{% $x + $y %}", "Assign": {"x": 1}}}) | {"StartAt": "B"}
    found = check(definition)
    assert [each.path for each in found] == ["/StartAt", "/States/A/Output"]
    assert "$y" in found[1].message


def test_a_rule_that_always_holds_needs_no_default() -> None:
    states = {
        "Pick": {"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Next": "Done"}]},
        "Done": ENDS,
    }
    assert check(jsonata(states)) == []


def test_a_rule_that_assigns_nothing_carries_what_the_state_assigns() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html: the Assign of a matched rule
    takes the place of the state's; without one there, nothing is assigned but by the state."""
    choose = choice({"Condition": "{% $states.input.a %}", "Next": "Read"}, Assign={"x": 1})
    read = {"Type": "Pass", "Output": "{% $x %}", "End": True}
    assert check(jsonata({"Pick": choose, "Read": read, "Done": ENDS})) == []
    choose["Choices"][0]["Assign"] = {"y": 1}
    assert paths(jsonata({"Pick": choose, "Read": read, "Done": ENDS})) == ["/States/Read/Output"]


def test_a_scope_behind_a_distributed_map_may_use_a_name_of_the_outside() -> None:
    """The children of a distributed Map are executions of their own."""
    inner = {
        "StartAt": "In",
        "States": {"In": parallel({"StartAt": "X", "States": {"X": {**PASS, "Assign": {"x": 2}}}})},
    }
    outside = {"Type": "Pass", "Assign": {"x": 1}, "Next": "Each"}
    assert check(jsonata({"Out": outside, "Each": distributed(inner=inner, Items=[1])})) == []
    local = each(ItemProcessor=inner, Items=[1])
    assert paths(jsonata({"Out": outside, "Each": local})) == [
        "/States/Each/ItemProcessor/States/In/Branches/0/States/X/Assign/x"
    ]


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [("Mine", True), ("States.Timeout", False), ("States.Permissions", False), ("States.TaskFailed", True)],
)
def test_a_retrier_for_failed_tasks_takes_every_error_but_those_of_the_language(
    name: str, is_taken: bool
) -> None:
    """States.TaskFailed: "a wildcard for any error except for States.Timeout", as AWS has it; the other
    errors of
    the language are told apart from it too."""
    retriers = [{"ErrorEquals": ["States.TaskFailed"]}, {"ErrorEquals": [name]}]
    found = paths(jsonata({"Work": invoke(Retry=retriers)}))
    assert found == (["/States/Work/Retry/1/ErrorEquals"] if is_taken else [])
