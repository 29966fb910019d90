"""Steps with scripted outcomes in an account of the emulator: each is a state machine that counts its
attempts."""

from __future__ import annotations

import json
from typing import Any

from stepsched.machines.literals import literal
from stepsched.testing.contract.workflows.lab import Fail, Hold, Ok, Outcome

LAB = "lab"
"""The table in which the attempts are recorded."""


def creation() -> dict[str, Any]:
    """The keyword arguments of ``create_table`` for the table of attempts."""
    return {
        "TableName": LAB,
        "KeySchema": [
            {"AttributeName": "step", "KeyType": "HASH"},
            {"AttributeName": "what", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "step", "AttributeType": "S"},
            {"AttributeName": "what", "AttributeType": "S"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }


def machine_of(step: str, outcomes: tuple[Outcome, ...]) -> str:
    """The definition of the machine of a step, as JSON."""
    states: dict[str, Any] = {
        "Count": _call(
            "updateItem",
            {
                "TableName": LAB,
                "Key": _key(step, "count"),
                "UpdateExpression": "ADD #n :one",
                "ExpressionAttributeNames": {"#n": "n"},
                "ExpressionAttributeValues": {":one": {"N": "1"}},
                "ReturnValues": "UPDATED_NEW",
            },
            Assign={
                "n": "{% $number($states.result.Attributes.n.N) %}",
                "given": "{% $string($states.input) %}",
            },
            Next="Record",
        ),
        "Record": _call(
            "putItem",
            {
                "TableName": LAB,
                "Item": {
                    "step": {"S": step},
                    "what": {"S": "{% 'began#' & $substring($string(1000 + $n), 1) %}"},
                    "at": {"S": "{% $states.context.State.EnteredTime %}"},
                    "input": {"S": "{% $given %}"},
                },
            },
            Next="Decide",
        ),
        "Decide": {
            "Type": "Choice",
            "Choices": [
                {"Condition": f"{{% $n = {number} %}}", "Next": f"Outcome {number}"}
                for number in range(1, len(outcomes))
            ],
            "Default": f"Outcome {len(outcomes)}",
        },
    }
    for number, outcome in enumerate(outcomes, start=1):
        states |= _outcome(step, f"Outcome {number}", outcome)
    return json.dumps({"QueryLanguage": "JSONata", "StartAt": "Count", "States": states})


def _outcome(step: str, name: str, outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Ok(output=output):
            return {name: {"Type": "Pass", "Output": literal(output, {}), "End": True}}
        case Fail(error=error):
            return {name: {"Type": "Fail", "Error": "RuntimeError", "Cause": error}}
        case Hold(then=then):
            look = _call("getItem", {"TableName": LAB, "Key": _key(step, "released")}, Next=f"{name}: ends?")
            look["Output"] = "{% $exists($states.result.Item) %}"
            choice = {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $states.input %}", "Next": f"{name}: end"}],
                "Default": f"{name}: wait",
            }
            wait = {"Type": "Wait", "Seconds": 10, "Next": name}
            return {
                name: look,
                f"{name}: ends?": choice,
                f"{name}: wait": wait,
                **_outcome(step, f"{name}: end", then),
            }


def _call(action: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    resource = f"arn:aws:states:::aws-sdk:dynamodb:{action}"
    return {"Type": "Task", "Resource": resource, "Arguments": arguments, **more}


def _key(step: str, what: str) -> dict[str, Any]:
    return {"step": {"S": step}, "what": {"S": what}}
