"""Definitions to draw: good ones, broken ones, and random ones."""

from __future__ import annotations

import random
from typing import Any

HOSTILE = [
    "end", "subgraph", "direction LR", "default", "graph TD", "click s1 href", "style s1 fill:#f00;",
    '"quote"', 'a"];b["c', "x --> y", "<b>bold</b><img src=x onerror=alert(1)>",
    "</svg><script>alert(1)</script>", "]]>", "--><!--", "`back`", '"`md **b**`"', "line\nbreak\r\n\ttab",
    '%%{init: {"theme":"dark"}}%%', "1. list", "- item", "# head",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467", "什么都不做", "{% $x %}", "#35;", "#quot;", "ﬂ°°35¶ß",
    "&lt;b&gt;", "a|b", "\\", "\\N", "x" * 80, "\x00\x01\x1f", "\u202eabc", "\ud800", "\ufffe", "", "  ",
    "fa:fa-car", "[](javascript:alert(1))",
]  # fmt: skip

LAMBDA = "arn:aws:states:::lambda:invoke"
ANY = {"ErrorEquals": ["States.ALL"]}

LOOP: dict[str, Any] = {
    "Comment": "Runs a job every day",
    "StartAt": "Init",
    "States": {
        "Init": {"Type": "Pass", "Assign": {"cursor": 1, "turns": 0}, "Next": "Plan"},
        "Plan": {"Type": "Pass", "Assign": {"next": "{% $f() %}"}, "Next": "More?"},
        "More?": {
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $next = 'never' %}", "Next": "Done"},
                {"Condition": "{% $turns > 1000 %}", "Comment": "budget spent", "Next": "Renew"},
            ],
            "Default": "Wait",
        },
        "Wait": {"Type": "Wait", "Timestamp": "{% $next %}", "Next": "Run"},
        "Run": {
            "Type": "Task", "Resource": LAMBDA, "Next": "Plan",
            "Retry": [{**ANY, "MaxAttempts": 3}], "Catch": [{**ANY, "Next": "Failed"}],
        },
        "Failed": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Next": "Plan"},
        "Renew": {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution", "End": True},
        "Done": {"Type": "Succeed"},
    },
}  # fmt: skip
NESTED: dict[str, Any] = {
    "StartAt": "Both",
    "States": {
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": "Orders",
                    "States": {
                        "Orders": {
                            "Type": "Map", "Items": "{% $orders %}", "MaxConcurrency": 5, "End": True,
                            "ItemProcessor": {"StartAt": "Ship", "States": {"Ship": {"Type": "Succeed"}}},
                        },
                    },
                },
                {
                    "Comment": "the report",
                    "StartAt": "Report", "States": {"Report": {"Type": "Pass", "End": True}},
                },
            ],
            "Catch": [{**ANY, "Next": "Broken"}],
            "End": True,
        },
        "Broken": {"Type": "Fail", "Error": "Nightly", "Cause": "no orders"},
    },
}  # fmt: skip
CHAIN: dict[str, Any] = {
    "StartAt": "Step 1",
    "States": {
        f"Step {number}": {
            "Type": "Task", "Resource": LAMBDA, "Catch": [{**ANY, "Next": "Clean up"}],
            **({"Next": f"Step {number + 1}"} if number < 40 else {"End": True}),
        }
        for number in range(1, 41)
    } | {"Clean up": {"Type": "Fail"}},
}  # fmt: skip
BROKEN: dict[str, Any] = {
    "States": {
        "A": {"Type": "Task", "Next": "Gone"},
        "B": {"Type": "Loop", "Next": "A"},
        "C": 5,
        "D": {"Type": "Parallel", "Branches": [{}, {"StartAt": "x"}, 7], "Next": "D"},
        "E": {"Type": ["Task"], "Catch": {"Next": "A"}, "Choices": "none", "Next": None},
        "F": {"Type": "Map", "ItemProcessor": [], "Retry": [{"MaxAttempts": "many"}], "Next": {"a": 1}},
        7: {"Type": "Choice", "Choices": [{"Next": 3}, 4, {"And": [1, {"Not": []}]}], "Default": "D"},
    },
}
ODD: list[Any] = [
    {}, {"StartAt": 5}, {"States": []}, {"StartAt": "x", "States": None}, {"States": {"x": {}}},
    {"StartAt": "x", "States": {"x": {"Type": "Wait", "Seconds": 10**5000, "End": True}}},
    {"StartAt": "x", "States": {"x": {"Type": "Pass", "Assign": [object()], "Comment": 4, "End": 1}}},
    {"StartAt": "x", "States": {"x": {"Type": "Task", "Resource": 9, "Retry": [5], "Catch": [6]}}},
    {"StartAt": "x", "States": {"x": {"Type": "Task", "Resource": "arn:aws", "Catch": [{"Next": "x"}]}}},
]  # fmt: skip
NAMED = {"loop": LOOP, "nested": NESTED, "chain": CHAIN, "broken": BROKEN} | {
    f"odd {number}": document for number, document in enumerate(ODD)
}


def deep(levels: int) -> dict[str, Any]:
    """Maps in maps."""
    document: dict[str, Any] = {"StartAt": "x", "States": {"x": {"Type": "Succeed"}}}
    for _ in range(levels):
        document = {"StartAt": "x", "States": {"x": {"Type": "Map", "ItemProcessor": document, "End": True}}}
    return document


def hostile(text: str) -> dict[str, Any]:
    """A definition that says the text wherever one can be said."""
    state = {
        "Type": "Task", "Resource": text, "Comment": text,
        "Catch": [{"ErrorEquals": [text], "Next": text}], "Next": "choose",
    }  # fmt: skip
    choose = {"Type": "Choice", "Choices": [{"Condition": text, "Next": "both"}], "Default": text + "!"}
    branch = {"Comment": text, "StartAt": text, "States": {text: {"Type": "Fail", "Error": text}}}
    both = {"Type": "Parallel", "Branches": [branch], "Catch": [{"ErrorEquals": [text], "Next": "both"}]}
    return {"Comment": text, "StartAt": text, "States": {text: state, "choose": choose, "both": both}}


def random_definition(seed: int) -> dict[str, Any]:
    """Up to 60 states, some of them with branches, with transitions to anywhere."""
    dice = random.Random(seed)
    return _flow(dice, dice.randint(1, 60), 0)


def _flow(dice: random.Random, size: int, depth: int) -> dict[str, Any]:
    names = [dice.choice(["S", "A longer name ", "Überprüfung "]) + str(index) for index in range(size)]
    if dice.random() < 0.2:
        names[-1] = dice.choice(HOSTILE)
    states = {name: _state(dice, names, depth) for name in names}
    return {"StartAt": dice.choice(names), "States": states}


def _state(dice: random.Random, names: list[str], depth: int) -> dict[str, Any]:
    kinds = [
        "Task",
        "Task",
        "Pass",
        "Choice",
        "Choice",
        "Wait",
        "Succeed",
        "Fail",
        "Parallel",
        "Map",
        "Other",
    ]
    state: dict[str, Any] = {"Type": dice.choice(kinds), "Resource": LAMBDA, "Seconds": 5}
    if state["Type"] == "Choice":
        rules = range(dice.randint(0, 5))
        state["Choices"] = [
            {"Condition": f"{{% $count > {n * 10 ** dice.randint(0, 40)} %}}", "Next": dice.choice(names)}
            for n in rules
        ]
        state["Default"] = dice.choice([*names, "gone"])
    elif state["Type"] not in ("Succeed", "Fail"):
        state |= {"Next": dice.choice(names)} if dice.random() < 0.8 else {"End": True}
    if state["Type"] in ("Task", "Parallel", "Map") and dice.random() < 0.5:
        state["Catch"] = [
            {"ErrorEquals": ["States.ALL"], "Next": dice.choice(names)} for _ in range(dice.randint(1, 2))
        ]
    if depth < 2 and state["Type"] == "Parallel":
        state["Branches"] = [_flow(dice, dice.randint(1, 4), depth + 1) for _ in range(dice.randint(0, 3))]
    if depth < 2 and state["Type"] == "Map":
        state["ItemProcessor"] = _flow(dice, dice.randint(1, 4), depth + 1)
    return state
