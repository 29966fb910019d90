"""What a definition says, as nodes and edges."""

from __future__ import annotations

from typing import Any

import pytest

from stepsched.asl.draw import Graph, Node, graph
from tests.unit.asl.draw.definitions import (
    BROKEN,
    HOSTILE,
    LAMBDA,
    LOOP,
    NAMED,
    NESTED,
    deep,
    hostile,
    random_definition,
)


def _named(drawn: Graph) -> list[tuple[str, str, str, str]]:
    """Edges with names in place of ids."""
    names = {node.id: node.name or node.type for node in drawn.nodes}
    return [(names[edge.source], names[edge.target], edge.kind, edge.label) for edge in drawn.edges]


def _all(drawn: Graph) -> list[Node]:
    return [
        each for node in drawn.nodes for each in (node, *(n for group in node.groups for n in _all(group)))
    ]


def _state(state: dict[str, Any]) -> Node:
    return graph({"StartAt": "x", "States": {"x": state}}).nodes[1]


def test_a_loop_has_its_transitions_in_the_order_of_the_document() -> None:
    assert _named(graph(LOOP)) == [
        ("start", "Init", "start", ""),
        ("Init", "Plan", "next", ""),
        ("Plan", "More?", "next", ""),
        ("More?", "Done", "choice", "$next = 'never'"),
        ("More?", "Renew", "choice", "budget spent"),
        ("More?", "Wait", "default", "otherwise"),
        ("Wait", "Run", "next", ""),
        ("Run", "Plan", "next", ""),
        ("Run", "Failed", "catch", "any error"),
        ("Failed", "Plan", "next", ""),
        ("Renew", "end", "end", ""),
        ("Done", "end", "end", ""),
    ]


def test_branches_and_processors_are_groups_of_their_state() -> None:
    both, broken, end = graph(NESTED).nodes[1:]
    assert (both.type, broken.type, end.type) == ("Parallel", "Fail", "end")
    assert [group.name for group in both.groups] == ["branch 1", "the report"]
    orders = both.groups[0].nodes[1]
    assert (orders.name, orders.groups[0].name) == ("Orders", "each item")
    assert [node.name for node in orders.groups[0].nodes] == ["", "Ship", ""]


@pytest.mark.parametrize(
    ("state", "subtitle"),
    [
        ({"Type": "Wait", "Seconds": 60}, "60 s"),
        ({"Type": "Wait", "Seconds": "{% $pause %}"}, "$pause s"),
        ({"Type": "Wait", "Timestamp": "{% $next %}"}, "until $next"),
        ({"Type": "Wait", "TimestampPath": "$.at"}, "until $.at"),
        ({"Type": "Wait"}, ""),
        ({"Type": "Task", "Resource": LAMBDA}, "Lambda invoke"),
        (
            {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:report"},
            "Lambda report",
        ),
        ({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage"}, "SQS sendMessage"),
        ({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:dynamodb:putItem"}, "DynamoDB putItem"),
        (
            {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2"},
            "Step Functions startExecution, waits",
        ),
        (
            {"Type": "Task", "Resource": "arn:aws-cn:states:::sns:publish.waitForTaskToken"},
            "SNS publish, waits for its token",
        ),
        (
            {"Type": "Task", "Resource": "arn:aws:states:eu-west-1:123456789012:activity:sign"},
            "activity sign",
        ),
        ({"Type": "Task", "Resource": "arn:aws:states:::newthing:run"}, "newthing run"),
        ({"Type": "Task", "Resource": "{% $r %}"}, "$r"),
        (
            {"Type": "Task", "Resource": LAMBDA, "Retry": [{"ErrorEquals": ["X"]}]},
            "Lambda invoke · retries 3x",
        ),
        ({"Type": "Task", "Retry": [{"MaxAttempts": 0}, {"MaxAttempts": 5}]}, "retries 5x"),
        ({"Type": "Task", "Retry": [{"MaxAttempts": 0}]}, ""),
        ({"Type": "Pass", "Assign": {"a": 1, "b.$": "$.b"}}, "assigns a, b"),
        ({"Type": "Pass", "Result": 1, "ResultPath": "$.x"}, "sets $.x"),
        ({"Type": "Fail", "Error": "E", "Cause": "{% $why %}"}, "E: $why"),
        ({"Type": "Fail", "CausePath": "$.why"}, "$.why"),
        ({"Type": "Parallel", "Branches": [{}]}, "1 branch"),
        ({"Type": "Map", "ItemsPath": "$.xs", "MaxConcurrency": 5}, "each of $.xs, 5 at once"),
        (
            {
                "Type": "Map",
                "MaxConcurrency": 1,
                "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}},
            },
            "each item, one after another, distributed",
        ),
        ({"Type": "Task", "Resource": LAMBDA, "Comment": "Sends the bill"}, "Sends the bill"),
        ({"Type": "Loop"}, "unknown type Loop"),
        ({}, "no type"),
    ],
)
def test_a_subtitle_says_what_a_state_does(state: dict[str, Any], subtitle: str) -> None:
    assert _state(state).subtitle == subtitle


def test_a_comment_stands_before_what_a_state_does_and_both_are_in_the_title() -> None:
    node = _state({"Type": "Task", "Resource": LAMBDA, "Comment": "Sends the bill"})
    assert node.title == f"x\nTask\nSends the bill\nLambda invoke\n{LAMBDA}"


@pytest.mark.parametrize(
    ("rule", "label"),
    [
        ({"Condition": "{% $count > 3 %}"}, "$count > 3"),
        ({"Condition": True}, "true"),
        ({"Variable": "$.x", "NumericEquals": 3}, "$.x = 3"),
        ({"Variable": "$.x", "NumericGreaterThanEqualsPath": "$.y"}, "$.x ≥ $.y"),
        ({"Variable": "$.x", "StringEquals": "a b"}, '$.x = "a b"'),
        ({"Variable": "$.x", "StringMatches": "a*"}, '$.x matches "a*"'),
        ({"Variable": "$.x", "BooleanEquals": True}, "$.x = true"),
        ({"Variable": "$.x", "IsNull": False}, "not $.x is null"),
        (
            {
                "And": [
                    {"Variable": "$.x", "NumericEquals": 3},
                    {"Not": {"Variable": "$.y", "IsPresent": True}},
                ]
            },
            "$.x = 3 and not $.y present",
        ),
        (
            {
                "Not": {
                    "Or": [
                        {"Variable": "$.x", "IsString": True},
                        {"Variable": "$.y", "TimestampLessThan": "T"},
                    ]
                }
            },
            'not ($.x is a string or $.y < "T")',
        ),
        ({"Variable": "$.x"}, "$.x"),
        ({"And": [4]}, "…"),
        ({"Variable": "$.x", "IsNull": True, "Comment": "nothing there"}, "nothing there"),
    ],
)
def test_a_rule_is_said_in_operators_or_by_its_comment(rule: dict[str, Any], label: str) -> None:
    choice = {"Type": "Choice", "Choices": [{**rule, "Next": "x"}]}
    edge = graph({"StartAt": "x", "States": {"x": choice}}).edges[1]
    assert (edge.kind, edge.label) == ("choice", label)


def test_a_long_condition_is_shortened_and_its_title_is_whole() -> None:
    condition = " or ".join(f"$x = {number}" for number in range(40))
    choice = {"Type": "Choice", "Choices": [{"Condition": f"{{% {condition} %}}", "Next": "x"}]}
    edge = graph({"States": {"x": choice}}).edges[0]
    assert len(edge.label) <= 160
    assert edge.label.endswith("…")
    assert edge.title == condition


@pytest.mark.parametrize(
    ("taken", "label"),
    [
        (["States.ALL"], "any error"),
        (["States.Timeout", "Mine"], "Timeout, Mine"),
        ([], "error"),
        (4, "error"),
    ],
)
def test_a_catch_names_its_errors(taken: object, label: str) -> None:
    task = {"Type": "Task", "Catch": [{"ErrorEquals": taken, "Next": "x"}]}
    assert graph({"States": {"x": task}}).edges[0].label == label


def test_what_is_wrong_is_drawn() -> None:
    drawn = graph(BROKEN)
    assert [(n.name, n.type) for n in drawn.nodes] == [
        ("A", "Task"), ("B", "unknown"), ("C", "unknown"), ("D", "Parallel"), ("E", "unknown"), ("F", "Map"),
        ("7", "Choice"), ("Gone", "missing"), ("no target", "missing"),
        ('{"a": 1}', "missing"), ("3", "missing"),
    ]  # fmt: skip
    assert [(edge[0], edge[1]) for edge in _named(drawn) if edge[2] == "choice"] == [
        ("7", "3"),
        ("7", "no target"),
    ]


def test_a_target_in_another_branch_is_missing() -> None:
    branch = {"StartAt": "Broken", "States": {"in": {"Type": "Pass", "Next": "Broken"}}}
    document = {"States": {"both": {"Type": "Parallel", "Branches": [branch]}, "Broken": {"Type": "Fail"}}}
    inner = graph(document).nodes[0].groups[0]
    assert [(node.name, node.type) for node in inner.nodes] == [
        ("", "start"),
        ("in", "Pass"),
        ("Broken", "missing"),
    ]


@pytest.mark.parametrize("document", [*NAMED.values(), deep(30), deep(300)])
def test_ids_are_unique_and_edges_stay_in_their_group(document: dict[str, Any]) -> None:
    drawn = graph(document)
    ids = [node.id for node in _all(drawn)]
    assert len(set(ids)) == len(ids)
    _check_edges(drawn)


@pytest.mark.parametrize("seed", range(20))
def test_random_definitions_too(seed: int) -> None:
    _check_edges(graph(random_definition(seed)))


def _check_edges(drawn: Graph) -> None:
    ids = {node.id for node in drawn.nodes}
    assert all(edge.source in ids and edge.target in ids for edge in drawn.edges)
    for node in drawn.nodes:
        for group in node.groups:
            _check_edges(group)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_texts_are_single_lines_without_control_characters(text: str) -> None:
    for node in _all(graph(hostile(text))):
        said = node.name + node.subtitle + node.title.replace("\n", "")
        assert not any(ord(c) < 32 or c in "\u202e\ufffe\ud800" for c in said)
