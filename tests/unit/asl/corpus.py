"""Definitions to be read and written back: every state and field, valid and not.

The larger ones stand in ``tests/data/definitions``; those there that begin with ``bad_`` are invalid.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stepsched.asl.rules import OPERATORS
from tests.unit.asl.checks import definitions

FOLDER = Path(__file__).parents[2] / "data" / "definitions"
FILES = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.asl.json"))}

ENDS = {"Type": "Succeed"}
INNER = {"StartAt": "Inner", "States": {"Inner": {"Type": "Pass", "End": True}}}
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:work"
MANY: dict[str, Any] = {"ErrorEquals": ["States.ALL"]}


def only(state: Any, **machine: Any) -> dict[str, Any]:
    """A machine of one state."""
    return {"StartAt": "Only", "States": {"Only": state}, **machine}


def before_the_end(state: dict[str, Any], **machine: Any) -> dict[str, Any]:
    """A machine of a state that leads to another one."""
    return {"StartAt": "Only", "States": {"Only": state, "Done": ENDS}, **machine}


def passes(**fields: Any) -> dict[str, Any]:
    return only({"Type": "Pass", "End": True, **fields})


def task(**fields: Any) -> dict[str, Any]:
    return only({"Type": "Task", "Resource": FUNCTION, "End": True, **fields})


def waits(**fields: Any) -> dict[str, Any]:
    return only({"Type": "Wait", "End": True, **fields})


def each(**fields: Any) -> dict[str, Any]:
    return only({"Type": "Map", "ItemProcessor": INNER, "End": True, **fields})


def side_by_side(*branches: Any, **fields: Any) -> dict[str, Any]:
    return only({"Type": "Parallel", "Branches": list(branches) or [INNER], "End": True, **fields})


def decides(*rules: Any, **fields: Any) -> dict[str, Any]:
    return before_the_end({"Type": "Choice", "Choices": list(rules), "Default": "Done", **fields})


def rule(**test: Any) -> dict[str, Any]:
    return decides({"Next": "Done", **test})


def jsonata(definition: dict[str, Any]) -> dict[str, Any]:
    return {"QueryLanguage": "JSONata", **definition}


def _operand(operator: str) -> Any:
    if operator.endswith("Path"):
        return "$.limit"
    if operator.startswith(("Is", "Boolean")):
        return True
    if operator.startswith("Numeric"):
        return 1.5
    return "2030-01-01T00:00:00Z" if operator.startswith("Timestamp") else "a*"


def _nested(depth: int) -> dict[str, Any]:
    flow: dict[str, Any] = INNER
    for level in range(depth):
        inner = {"Type": "Parallel", "Branches": [flow], "End": True}
        if level % 2:
            inner = {"Type": "Map", "ItemProcessor": flow, "End": True}
        flow = {"StartAt": f"L{level}", "States": {f"L{level}": inner}}
    return flow


_DISTRIBUTED = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}, **INNER}

VALID: dict[str, dict[str, Any]] = {
    "pass": passes(),
    "pass with everything": passes(
        Comment="c",
        InputPath="$.a",
        Parameters={"b.$": "$.b"},
        ResultPath="$.c",
        OutputPath="$.c",
        Assign={"x": 1},
    ),
    "null paths": passes(InputPath=None, OutputPath=None, ResultPath=None),
    "empty objects": passes(Parameters={}, Assign={}, Result={}),
    "result null": passes(Result=None),
    "result of all kinds": passes(
        Result=[0, -1, 1.5, 100.0, 1e-7, 10**30, "", "ü☃𝄞", True, False, None, {"": []}]
    ),
    "result that looks like code": passes(Result={"a": "$.b", "c.$": 5, "d": "{% x %}"}),
    "a state's own language": only(
        {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% 1 %}", "End": True}
    ),
    "machine with everything": {
        **passes(),
        "Comment": "c",
        "Version": "1.0",
        "TimeoutSeconds": 60,
        "QueryLanguage": "JSONPath",
    },
    "unicode names": {"StartAt": "Début ☃", "States": {"Début ☃": {"Type": "Pass", "Next": "𝄞"}, "𝄞": ENDS}},
    "names like fields": {
        "StartAt": "States",
        "States": {"States": {"Type": "Pass", "Next": "Next"}, "Next": {"Type": "Pass", "End": True}},
    },
    "task": task(),
    "task in jsonpath": task(
        InputPath="$",
        Parameters={"a.$": "$.a", "b": 1},
        ResultSelector={"c.$": "$.c"},
        ResultPath="$.r",
        OutputPath="$.r",
        TimeoutSeconds=10,
        HeartbeatSeconds=5,
    ),
    "task with paths": task(TimeoutSecondsPath="$.t", HeartbeatSecondsPath="$.h", ResultPath=None),
    "task in jsonata": jsonata(
        task(
            Arguments={"a": "{% 1 %}"},
            Output="{% $states.result %}",
            Assign={"x": None},
            TimeoutSeconds="{% 60 %}",
        )
    ),
    "task with credentials": task(Credentials={"RoleArn": "arn:aws:iam::123456789012:role/other"}),
    "retriers": task(
        Retry=[
            {"ErrorEquals": ["A", "B"], "IntervalSeconds": 1, "MaxAttempts": 0, "BackoffRate": 1},
            {
                "ErrorEquals": ["States.ALL"],
                "BackoffRate": 1.5,
                "MaxDelaySeconds": 9,
                "JitterStrategy": "FULL",
            },
        ]
    ),
    "retriers and catchers that are none": task(Retry=[], Catch=[]),
    "catchers in jsonpath": before_the_end(
        {
            "Type": "Task",
            "Resource": FUNCTION,
            "Next": "Done",
            "Catch": [
                {"ErrorEquals": ["A"], "Next": "Done", "ResultPath": "$.e"},
                {"ErrorEquals": ["States.ALL"], "Next": "Done", "ResultPath": None, "Assign": {"x": 1}},
            ],
        }
    ),
    "catchers in jsonata": jsonata(
        before_the_end(
            {
                "Type": "Task",
                "Resource": FUNCTION,
                "Next": "Done",
                "Catch": [{**MANY, "Next": "Done", "Assign": {"x": 1}, "Output": None, "Comment": "c"}],
            }
        )
    ),
    "wait seconds": waits(Seconds=0),
    "wait timestamp": waits(Timestamp="2030-01-01T09:00:00Z"),
    "wait seconds path": waits(SecondsPath="$.s"),
    "wait timestamp path": waits(TimestampPath="$.t", InputPath="$", OutputPath=None),
    "wait in jsonata": jsonata(
        waits(Seconds="{% 1 + 1 %}", Assign={"a": [1, "{% 2 %}"]}, Output={"a": None})
    ),
    "succeed": only({"Type": "Succeed", "Comment": "c", "InputPath": "$.a", "OutputPath": None}),
    "succeed in jsonata": jsonata(only({"Type": "Succeed", "Output": {"a": "{% $states.input %}"}})),
    "succeed with nothing": jsonata(only({"Type": "Succeed", "Output": None})),
    "fail": only({"Type": "Fail", "Error": "E", "Cause": "c"}),
    "fail without words": only({"Type": "Fail"}),
    "fail with paths": only({"Type": "Fail", "ErrorPath": "$.e", "CausePath": "$.c"}),
    "choice in jsonata": jsonata(
        decides(
            {
                "Condition": "{% $states.input.a > 1 %}",
                "Next": "Done",
                "Assign": {"x": 1},
                "Output": {"y": 1},
            },
            {"Condition": "{% true %}", "Next": "Done", "Comment": "c", "Output": None},
            Assign={"z": 1},
            Output="{% $states.input %}",
        )
    ),
    "choice of joined rules": decides(
        {
            "And": [
                {"Variable": "$.a", "IsPresent": True},
                {
                    "Or": [
                        {"Not": {"Variable": "$.b", "IsNull": True}},
                        {"Variable": "$.c", "StringMatches": "*.log"},
                    ]
                },
            ],
            "Next": "Done",
            "Comment": "c",
        },
        {"Not": {"And": [{"Variable": "$.a", "BooleanEquals": False}]}, "Next": "Done", "Assign": {"x": 1}},
        InputPath="$.a",
        OutputPath="$.b",
    ),
    "map": each(),
    "map in jsonpath": each(
        ItemsPath="$.items",
        ItemSelector={"i.$": "$$.Map.Item.Index"},
        MaxConcurrency=2,
        ResultPath="$.r",
        ResultSelector={"a.$": "$"},
        Retry=[MANY],
    ),
    "map in jsonata": jsonata(
        each(
            Items="{% [1..3] %}",
            ItemSelector={"v": "{% $states.context.Map.Item.Value %}"},
            MaxConcurrency="{% 1 %}",
        )
    ),
    "map over a list": jsonata(each(Items=[1, "{% 2 %}", None])),
    "map in the older words": only(
        {"Type": "Map", "Iterator": INNER, "Parameters": {"a.$": "$"}, "End": True}
    ),
    "distributed map": each(
        ItemProcessor=_DISTRIBUTED,
        Label="files",
        ToleratedFailurePercentage=12.5,
        ToleratedFailureCount=3,
        ItemReader={
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": {"Bucket": "b", "Key.$": "$.key"},
        },
        ItemBatcher={"MaxItemsPerBatch": 10, "BatchInput": {"a": 1}},
        ResultWriter={
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": "b", "Prefix": "p"},
        },
    ),
    "distributed map with paths": each(
        ItemProcessor=_DISTRIBUTED,
        MaxConcurrencyPath="$.a",
        ToleratedFailureCountPath="$.b",
        ToleratedFailurePercentagePath="$.c",
    ),
    "inline map that says so": each(ItemProcessor={"ProcessorConfig": {"Mode": "INLINE"}, **INNER}),
    "parallel": side_by_side(),
    "parallel with everything": side_by_side(
        {"Comment": "c", **INNER},
        {"StartAt": "O", "States": {"O": {"Type": "Pass", "End": True}}},
        Parameters={},
        ResultSelector={"a.$": "$[0]"},
        ResultPath=None,
        OutputPath="$",
        Retry=[MANY],
    ),
    "nested": _nested(7),
    **{f"rule {name}": rule(Variable="$.a", **{name: _operand(name)}) for name in sorted(OPERATORS)},
}
"""Nothing in them is an error."""

INVALID: dict[str, dict[str, Any]] = {
    "no type": only({}),
    "unknown type": only({"Type": "Loop", "End": True, "Body": [1]}),
    "type of another kind": only({"Type": 5}),
    "type in another case": only({"Type": "pass", "End": True}),
    "our own word for a type": only({"Type": "Other", "Document": {"a": 1}}),
    "unknown field": passes(Until=5),
    "fields in snake case": only({"type": "Pass", "end": True}),
    "one field in snake case": only({"Type": "Pass", "end": True}),
    "our own class in snake case": only({"type": "Other", "document": {"Type": "Pass", "End": True}}),
    "retrier in snake case": task(Retry=[{"error_equals": ["States.ALL"]}]),
    "catcher in snake case": task(Catch=[{"error_equals": ["States.ALL"], "next": "Only"}]),
    "branch in snake case": side_by_side({"start_at": "Inner", "states": INNER["States"]}),
    "rule in snake case": decides(
        {"test": {"variable": "$", "operator": "IsNull", "value": True}, "next": "Done"}
    ),
    "rule in half snake case": decides(
        {"Test": {"variable": "$", "operator": "IsNull", "value": True}, "Next": "Done"}
    ),
    "rule of our own words": decides({"Variable": "$", "Operator": "IsNull", "Value": True, "Next": "Done"}),
    "text for a list": task(Retry="x"),
    "list for an object": passes(Assign=[1]),
    "number for a path": passes(InputPath=5),
    "object for text": task(Resource={"a": 1}),
    "fraction for a whole number": task(TimeoutSeconds=1.5),
    "no resource": only({"Type": "Task", "End": True}),
    "no choices": only({"Type": "Choice"}),
    "empty choices": decides(),
    "no branches": only({"Type": "Parallel", "End": True}),
    "empty branches": only({"Type": "Parallel", "Branches": [], "End": True}),
    "no processor": only({"Type": "Map", "End": True}),
    "empty processor": each(ItemProcessor={}),
    "processor with a language": each(ItemProcessor={"QueryLanguage": "JSONata", **INNER}),
    "configured iterator": only({"Type": "Map", "Iterator": _DISTRIBUTED, "End": True, "Foo": 1}),
    "branch that is a number": side_by_side(5),
    "branch without states": side_by_side({"StartAt": "A"}),
    "branch without start": side_by_side({"States": INNER["States"]}),
    "state of a branch of no type": side_by_side({"StartAt": "A", "States": {"A": {"Type": "Loop"}}}),
    "state of a branch that is a number": side_by_side({"StartAt": "A", "States": {"A": 5}}),
    "rule without operator": rule(Variable="$.a"),
    "rule of two operators": rule(Variable="$.a", IsNull=True, IsPresent=True),
    "rule of an unknown operator": rule(Variable="$.a", NumericNotEquals=1),
    "rule without variable": rule(IsNull=True),
    "rule that leads nowhere": decides({"Variable": "$.a", "IsNull": True}),
    "rule inside that leads on": rule(And=[{"Variable": "$.a", "IsNull": True, "Next": "Done"}]),
    "rule of two kinds": rule(And=[], Or=[]),
    "rule that is text": decides("x"),
    "rule that is null": decides(None),
    "and of an object": rule(And={"Variable": "$.a", "IsNull": True}),
    "not of a list": rule(Not=[]),
    "comparison with an object": rule(Variable="$.a", StringEquals={"a": 1}),
    "next and end": only({"Type": "Pass", "Next": "Only", "End": True}),
    "neither next nor end": only({"Type": "Pass"}),
    "end is false": only({"Type": "Pass", "End": False}),
    "next leads nowhere": only({"Type": "Pass", "Next": "Nowhere"}),
    "both languages": jsonata(passes(InputPath="$")),
    "jsonata in jsonpath": passes(Output={"a": 1}),
    "no waiting time": waits(),
    "two waiting times": waits(Seconds=1, Timestamp="2030-01-01T00:00:00Z"),
    "start is missing": {"States": {"Only": {"Type": "Pass", "End": True}}},
    "start leads nowhere": {**passes(), "StartAt": "Nowhere"},
    "no states": {"StartAt": "A", "States": {}},
    "unknown field of the machine": {**passes(), "Foo": {"Bar": [1, None]}},
    "field of the machine in snake case": {**passes(), "start_at": "Only", "query_language": "JSONata"},
    "our own word as a field": {**passes(), "Unknown": {"a": 1}},
    "our own word as a field, in snake case": {**passes(), "unknown": 5},
    "comment of another kind in a branch": side_by_side({"Comment": 5, **INNER}),
}
"""In each of them something is an error, and all of it is kept."""

COERCED: dict[str, dict[str, Any]] = {
    "null next": passes(Next=None),
    "null end": only({"Type": "Pass", "End": None}),
    "null comment": passes(Comment=None),
    "null parameters": passes(Parameters=None),
    "null assign": passes(Assign=None),
    "null retry": task(Retry=None),
    "null attempts": task(Retry=[{**MANY, "MaxAttempts": None}]),
    "null selector": task(ResultSelector=None),
    "null credentials": task(Credentials=None),
    "null error": only({"Type": "Fail", "Error": None}),
    "null processor": only({"Type": "Map", "ItemProcessor": None, "Iterator": INNER, "End": True}),
    "null configuration": each(ItemProcessor={"ProcessorConfig": None, **INNER}),
    "null start of a processor": each(ItemProcessor={**INNER, "StartAt": None}),
    "null comment of a branch": side_by_side({"Comment": None, **INNER}),
    "null comment of a rule": rule(Variable="$.a", IsNull=True, Comment=None),
    "null comment in a rule": rule(Not={"Variable": "$.a", "IsNull": True, "Comment": None}),
    "null comment of the machine": {**passes(), "Comment": None},
    "null start": {**passes(), "StartAt": None},
    "true for a number": task(TimeoutSeconds=True),
    "true for a rate": task(Retry=[{**MANY, "BackoffRate": True}]),
    "text for a number": task(Retry=[{**MANY, "IntervalSeconds": "1"}]),
    "text for a rate": task(Retry=[{**MANY, "BackoffRate": "1.5"}]),
    "text for true": only({"Type": "Pass", "End": "true"}),
    "number for true": only({"Type": "Pass", "End": 1}),
    "number for a condition": jsonata(rule(Condition=1)),
    "true for seconds of the machine": {**passes(), "TimeoutSeconds": True},
    "number for a state": {"StartAt": "Only", "States": {"Only": 5}},
    "list for a state": {"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": True}, "Other": []}},
}
"""What a reader might take for something near it."""

TEXTS: dict[str, str] = {
    **FILES,
    **{name: json.dumps(document) for name, document in (VALID | INVALID).items()},
    **{f"check {name}": json.dumps(document) for name, document in definitions.VALID.items()},
    "numbers as they are written": json.dumps(passes(Result="?")).replace(
        '"?"', "[1e2, 1E+2, -0.0, 0.10, 123456789012345678901234567890, 1.0]"
    ),
    "escapes": json.dumps(passes(Result="?")).replace('"?"', r'"\u0041\ud834\udd1e\/\"\\"'),
    "blanks": "\n\t " + json.dumps(passes(), indent=7) + " \r\n",
}
"""All that comes back as it was."""
