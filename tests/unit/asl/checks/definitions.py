"""Definitions that are valid, one for each thing that the language can say."""

from __future__ import annotations

from typing import Any

LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:work"
INVOKE = "arn:aws:states:::lambda:invoke"
ENDS = {"Type": "Succeed"}
PASS = {"Type": "Pass", "End": True}
INNER = {"StartAt": "Inner", "States": {"Inner": PASS}}


def machine(states: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A JSONPath machine that starts at its first state."""
    return {"StartAt": next(iter(states)), "States": states, **more}


def jsonata(states: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The same in JSONata."""
    return {"QueryLanguage": "JSONata", **machine(states, **more)}


def task(**fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": LAMBDA, "End": True, **fields}


def invoke(**fields: Any) -> dict[str, Any]:
    """An optimised call in JSONata."""
    call = {"FunctionName": "work", "Payload": "{% $states.input %}"}
    return {"Type": "Task", "Resource": INVOKE, "Arguments": call, "End": True, **fields}


def choice(*rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Choice", "Choices": list(rules), "Default": "Done", **fields}


def each(**fields: Any) -> dict[str, Any]:
    return {"Type": "Map", "ItemProcessor": INNER, "End": True, **fields}


def distributed(
    execution: str = "STANDARD", inner: dict[str, Any] | None = None, **fields: Any
) -> dict[str, Any]:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": execution}
    return each(ItemProcessor={"ProcessorConfig": config, **(inner or INNER)}, **fields)


def parallel(*branches: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Parallel", "Branches": list(branches) or [INNER], "End": True, **fields}


def rule(**test: Any) -> dict[str, Any]:
    """A machine around one JSONPath rule."""
    return machine({"Pick": choice({"Next": "Done", **test}), "Done": ENDS})


TOKEN = {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/q"}
SEND = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"

VALID: dict[str, dict[str, Any]] = {
    "pass": machine({"A": PASS}),
    "top-level": machine(
        {"A": PASS}, Comment="c", Version="1.0", TimeoutSeconds=3600, QueryLanguage="JSONPath"
    ),
    "pass-paths": machine({"A": {**PASS, "InputPath": None, "OutputPath": "$.a", "ResultPath": None}}),
    "pass-context-input": machine({"A": {**PASS, "InputPath": "$$.Execution.Input"}}),
    "pass-result": machine({"A": {**PASS, "Result": {"a": [1, "b", None]}, "ResultPath": "$.x.y[0]"}}),
    "pass-parameters": machine(
        {
            "A": {
                **PASS,
                "Parameters": {
                    "a.$": "$.b[?(@.c > 1)].d",
                    "id.$": "$$.Execution.Id",
                    "list": [1, {"x.$": "States.Format('{} {}', $.a, States.UUID())"}],
                    "price": "$5",
                    "plain": "text",
                },
            }
        }
    ),
    "pass-jsonata": jsonata(
        {"A": {**PASS, "Output": {"a": "{% $states.input.a + 1 %}", "b": [True, None, 1.5]}}}
    ),
    "pass-jsonata-text": jsonata({"A": {**PASS, "Output": "plain"}}),
    "pass-jsonata-number": jsonata({"A": {**PASS, "Output": 5}}),
    "wait-seconds": machine({"A": {"Type": "Wait", "Seconds": 0, "End": True}}),
    "wait-most": machine({"A": {"Type": "Wait", "Seconds": 99_999_999, "End": True}}),
    "wait-timestamp": machine({"A": {"Type": "Wait", "Timestamp": "2028-02-29T23:59:59Z", "End": True}}),
    "wait-offset": machine(
        {"A": {"Type": "Wait", "Timestamp": "2026-03-14T01:59:00.123+05:30", "End": True}}
    ),
    "wait-seconds-path": machine({"A": {"Type": "Wait", "SecondsPath": "$.s", "End": True}}),
    "wait-timestamp-path": machine(
        {"A": {"Type": "Wait", "TimestampPath": "$$.Execution.StartTime", "End": True}}
    ),
    "wait-variable": machine(
        {
            "A": {"Type": "Pass", "Assign": {"s": 5}, "Next": "B"},
            "B": {"Type": "Wait", "SecondsPath": "$s", "End": True},
        }
    ),
    "wait-jsonata": jsonata(
        {
            "A": {
                "Type": "Wait",
                "Seconds": "{% $states.input.s %}",
                "Output": "{% $states.input %}",
                "End": True,
            }
        }
    ),
    "wait-jsonata-timestamp": jsonata(
        {"A": {"Type": "Wait", "Timestamp": "{% $states.input.t %}", "End": True}}
    ),
    "wait-jsonata-literal": jsonata(
        {"A": {"Type": "Wait", "Timestamp": "2026-01-01T00:00:00Z", "End": True}}
    ),
    "succeed": machine({"A": {"Type": "Succeed", "InputPath": "$.a", "OutputPath": None, "Comment": "c"}}),
    "succeed-output": jsonata({"A": {"Type": "Succeed", "Output": "{% $states.input.a %}"}}),
    "fail": machine({"A": {"Type": "Fail", "Error": "E", "Cause": "c"}}),
    "fail-empty": machine({"A": {"Type": "Fail"}}),
    "fail-paths": machine(
        {"A": {"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('{}', $.c)"}}
    ),
    "fail-jsonata": jsonata({"A": {"Type": "Fail", "Error": "{% $states.input.e %}", "Cause": "plain"}}),
    "task": machine({"A": task(TimeoutSeconds=60, HeartbeatSeconds=20)}),
    "task-paths": machine({"A": task(TimeoutSecondsPath="$.t", HeartbeatSecondsPath="$.h")}),
    "task-select": machine(
        {
            "A": task(
                Parameters={"a.$": "$"}, ResultSelector={"b.$": "$.c"}, ResultPath="$.r", OutputPath="$.r"
            )
        }
    ),
    "task-credentials": machine({"A": task(Credentials={"RoleArn.$": "$.role"})}),
    "task-activity": machine(
        {"A": {"Type": "Task", "Resource": "arn:aws:states:eu-west-1:123456789012:activity:a", "End": True}}
    ),
    "task-jsonata": jsonata({"A": invoke(TimeoutSeconds="{% $states.input.t %}", HeartbeatSeconds=5)}),
    "task-result": jsonata(
        {"A": invoke(Output="{% $states.result.Payload %}", Assign={"p": "{% $states.result %}"})}
    ),
    "task-credentials-jsonata": jsonata({"A": invoke(Credentials={"RoleArn": "{% $states.input.role %}"})}),
    "task-token": machine(
        {
            "A": {
                "Type": "Task",
                "Resource": SEND,
                "Parameters": {**TOKEN, "MessageBody": {"t.$": "$$.Task.Token"}},
                "End": True,
            }
        }
    ),
    "task-token-jsonata": jsonata(
        {
            "A": {
                "Type": "Task",
                "Resource": SEND,
                "Arguments": {**TOKEN, "MessageBody": {"t": "{% $states.context.Task.Token %}"}},
                "End": True,
            }
        }
    ),
    "retry": machine(
        {
            "A": task(
                Retry=[
                    {
                        "ErrorEquals": ["Lambda.TooManyRequestsException", "States.Timeout"],
                        "IntervalSeconds": 2,
                        "MaxAttempts": 0,
                        "BackoffRate": 1.0,
                        "MaxDelaySeconds": 30,
                        "JitterStrategy": "FULL",
                        "Comment": "c",
                    },
                    {"ErrorEquals": ["States.ALL"], "JitterStrategy": "NONE"},
                ]
            )
        }
    ),
    "retry-empty": machine({"A": task(Retry=[], Catch=[])}),
    "retry-http": machine({"A": task(Retry=[{"ErrorEquals": ["States.Http.StatusCode.429", "Custom"]}])}),
    "catch": machine(
        {
            "A": task(
                Catch=[
                    {"ErrorEquals": ["Custom"], "Next": "B", "ResultPath": "$.error", "Comment": "c"},
                    {"ErrorEquals": ["States.ALL"], "Next": "B", "Assign": {"e.$": "$.Error"}},
                ]
            ),
            "B": {"Type": "Fail", "ErrorPath": "$.error.Error"},
        }
    ),
    "catch-jsonata": jsonata(
        {
            "A": invoke(
                Catch=[
                    {
                        "ErrorEquals": ["States.ALL"],
                        "Next": "B",
                        "Output": "{% $states.errorOutput.Cause %}",
                        "Assign": {"e": "{% $states.errorOutput.Error %}"},
                    }
                ]
            ),
            "B": {"Type": "Fail", "Error": "{% $e %}"},
        }
    ),
    "choice": rule(Variable="$.a", StringEquals="x"),
    "choice-all-kinds": machine(
        {
            "Pick": choice(
                {"Variable": "$.a", "StringMatches": "a*", "Next": "Done"},
                {"Variable": "$.a", "StringLessThanEqualsPath": "$.b", "Next": "Done"},
                {"Variable": "$.a", "NumericGreaterThan": 1.5, "Next": "Done"},
                {"Variable": "$.a", "NumericEqualsPath": "$.b", "Next": "Done"},
                {"Variable": "$.a", "BooleanEquals": False, "Next": "Done"},
                {"Variable": "$.a", "BooleanEqualsPath": "$.b", "Next": "Done"},
                {"Variable": "$.a", "TimestampLessThan": "2026-01-01T00:00:00Z", "Next": "Done"},
                {
                    "Variable": "$.a",
                    "TimestampGreaterThanEqualsPath": "$$.Execution.StartTime",
                    "Next": "Done",
                },
                {"Variable": "$$.Execution.Name", "IsPresent": True, "Next": "Done"},
                {"Variable": "$.a", "IsNull": False, "Next": "Done"},
                {"Variable": "$.a", "IsTimestamp": True, "Next": "Done"},
            ),
            "Done": ENDS,
        }
    ),
    "choice-combined": rule(
        And=[
            {"Variable": "$.a", "IsNumeric": True, "Comment": "c"},
            {"Not": {"Or": [{"Variable": "$.a", "NumericLessThan": 1}, {"Variable": "$.a", "IsNull": True}]}},
        ],
        Comment="c",
    ),
    "choice-assign": machine(
        {
            "Pick": choice(
                {"Variable": "$.a", "IsPresent": True, "Next": "Use", "Assign": {"v.$": "$.a"}},
                Assign={"w": 1},
                Default="Other",
            ),
            "Use": {**PASS, "Parameters": {"v.$": "$v"}},
            "Other": {**PASS, "Parameters": {"w.$": "$w"}},
        }
    ),
    "choice-opposites": machine(
        {
            "Pick": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.a", "IsPresent": True, "Next": "Done"},
                    {"Variable": "$.a", "IsPresent": False, "Next": "Done"},
                ],
            },
            "Done": ENDS,
        }
    ),
    "choice-jsonata": jsonata(
        {
            "Pick": choice(
                {
                    "Condition": "{% $states.input.a = 1 %}",
                    "Next": "Done",
                    "Assign": {"x": "{% $states.input.a %}"},
                    "Output": {"a": 1},
                    "Comment": "c",
                },
                {"Condition": False, "Next": "Done"},
                Output="{% $states.input %}",
                Assign={"y": 2},
            ),
            "Done": ENDS,
        }
    ),
    "choice-always": jsonata(
        {"Pick": {"Type": "Choice", "Choices": [{"Condition": True, "Next": "Done"}]}, "Done": ENDS}
    ),
    "parallel": machine({"A": parallel(INNER, {"StartAt": "Z", "States": {"Z": ENDS}}, ResultPath="$.p")}),
    "parallel-full": machine(
        {
            "A": parallel(
                Parameters={"a.$": "$"},
                ResultSelector={"first.$": "$[0]"},
                Retry=[{"ErrorEquals": ["States.ALL"]}],
                Catch=[{"ErrorEquals": ["States.ALL"], "Next": "B"}],
            ),
            "B": ENDS,
        }
    ),
    "parallel-jsonata": jsonata(
        {
            "A": parallel(
                Arguments={"a": "{% $states.input %}"}, Output="{% $states.result[0] %}", Assign={"r": 1}
            )
        }
    ),
    "map": machine(
        {
            "A": each(
                ItemsPath="$.items",
                ItemSelector={"i.$": "$$.Map.Item.Value"},
                MaxConcurrency=0,
                ResultSelector={"r.$": "$"},
            )
        }
    ),
    "map-concurrency-path": machine({"A": each(MaxConcurrencyPath="$.n")}),
    "map-iterator": machine(
        {"A": {"Type": "Map", "Iterator": INNER, "Parameters": {"a.$": "$"}, "End": True}}
    ),
    "map-inline": machine({"A": each(ItemProcessor={"ProcessorConfig": {"Mode": "INLINE"}, **INNER})}),
    "map-jsonata": jsonata(
        {
            "A": each(
                Items="{% $states.input.items %}",
                ItemSelector={"i": "{% $states.context.Map.Item.Value %}"},
                MaxConcurrency="{% 2 %}",
                Output="{% $states.result %}",
            )
        }
    ),
    "map-jsonata-literal": jsonata({"A": each(Items=[1, "{% $states.input.b %}", {"c": 3}])}),
    "map-distributed": machine(
        {
            "A": distributed(
                ItemReader={
                    "Resource": "arn:aws:states:::s3:getObject",
                    "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItems": 10},
                    "Parameters": {"Bucket": "b", "Key.$": "$.key"},
                },
                ItemBatcher={
                    "MaxItemsPerBatch": 10,
                    "MaxInputBytesPerBatch": 1000,
                    "BatchInput": {"a.$": "$.a"},
                },
                ResultWriter={
                    "Resource": "arn:aws:states:::s3:putObject",
                    "Parameters": {"Bucket": "b", "Prefix": "p"},
                },
                Label="Items-1",
                ToleratedFailureCount=1,
                ToleratedFailurePercentage=12.5,
            )
        }
    ),
    "map-distributed-paths": machine(
        {
            "A": distributed(
                "EXPRESS",
                ItemBatcher={"MaxItemsPerBatchPath": "$.n"},
                ToleratedFailureCountPath="$.c",
                ToleratedFailurePercentagePath="$.p",
            )
        }
    ),
    "map-distributed-jsonata": jsonata(
        {
            "A": distributed(
                ItemReader={
                    "Resource": "arn:aws:states:::s3:listObjectsV2",
                    "Arguments": {"Bucket": "{% $states.input.bucket %}", "Prefix": "p"},
                    "ReaderConfig": {"MaxItems": "{% $states.input.n %}"},
                },
                ItemBatcher={"MaxItemsPerBatch": "{% $states.input.n %}", "BatchInput": {"a": 1}},
                ResultWriter={"WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSONL"}},
                ToleratedFailurePercentage="{% 5 %}",
            )
        }
    ),
    "mixed-languages": machine(
        {
            "A": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.input.a %}", "Next": "B"},
            "B": {"Type": "Pass", "Result": 1, "End": True},
        }
    ),
    "mixed-inside": machine(
        {
            "A": {
                **parallel({"StartAt": "Z", "States": {"Z": {**PASS, "Result": 1}}}),
                "QueryLanguage": "JSONata",
            }
        }
    ),
    "loop": jsonata(
        {
            "Init": {"Type": "Pass", "Assign": {"n": 0}, "Next": "More"},
            "More": choice({"Condition": "{% $n < 3 %}", "Next": "Work"}),
            "Work": invoke(Assign={"n": "{% $n + 1 %}", "last": "{% $states.result %}"}, End=True),
            "Done": {"Type": "Succeed"},
        }
    ),
    "loop-variable-set-later": jsonata(
        {
            "More": choice({"Condition": "{% $exists($seen) %}", "Next": "Done"}, Default="Work"),
            "Work": {"Type": "Pass", "Assign": {"seen": True}, "Next": "More"},
            "Done": ENDS,
        }
    ),
    "variables-inside": jsonata(
        {
            "Set": {"Type": "Pass", "Assign": {"x": 1}, "Next": "Each"},
            "Each": each(
                Items=[1],
                ItemProcessor={
                    "StartAt": "In",
                    "States": {
                        "In": {"Type": "Pass", "Assign": {"y": "{% $x %}"}, "Next": "Out"},
                        "Out": {**PASS, "Output": "{% $x + $y %}"},
                    },
                },
            ),
        }
    ),
    "variables-same-name-in-branches": jsonata(
        {
            "A": parallel(
                {"StartAt": "P", "States": {"P": {**PASS, "Assign": {"v": 1}}}},
                {"StartAt": "Q", "States": {"Q": {**PASS, "Assign": {"v": 2}}}},
            )
        }
    ),
    "variables-unicode": jsonata(
        {
            "A": {"Type": "Pass", "Assign": {"größe": 1, "_x": 2}, "Next": "B"},
            "B": {**PASS, "Output": "{% $größe + $_x %}"},
        }
    ),
    "jsonata-own-bindings": jsonata(
        {"A": {**PASS, "Output": "{% ($t := $states.input.a; $map($t, function($v){ $v * 2 })) %}"}}
    ),
    "jsonata-percent": jsonata({"A": {**PASS, "Output": "100%"}}),
    "names-odd": machine({"Hello, World/2 (é)": PASS}),
    "name-80": machine({"n" * 80: PASS}),
}
VALID["loop"]["States"]["Work"].pop("End")
VALID["loop"]["States"]["Work"]["Next"] = "More"
