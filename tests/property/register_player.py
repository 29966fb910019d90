"""Plays the machine register by the reference engine of JSONata, on the DynamoDB and Step Functions of moto.

All expressions of a state see the variables as they were when it was entered, and each must have a value, as
on AWS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from stepsched.asl.machine import StateMachine
from tests.parts.jsonata_engine import UNDEFINED, JsonataEngine


class RefusedError(Exception):
    """The machine has ended in a Fail state."""


class _CaughtError(Exception):
    def __init__(self, error: str, cause: str) -> None:
        super().__init__(error, cause)
        self.output = {"Error": error, "Cause": cause}


class RegisterPlayer:
    """Plays one execution after another."""

    def __init__(self, engine: JsonataEngine, machine: StateMachine, dynamodb: Any, sfn: Any) -> None:
        self.engine, self.dynamodb, self.sfn = engine, dynamodb, sfn
        definition = machine.to_dict()
        (branch,) = definition["States"][definition["StartAt"]]["Branches"]
        self.states, self.first = branch["States"], branch["StartAt"]

    def call(self, now: datetime, call: Mapping[str, Any]) -> Any:
        """The answer of a call."""
        self.now = now
        variables: dict[str, Any] = {}
        name, value = self.first, dict(call)
        while True:
            state = self.states[name]
            states: dict[str, Any] = {"input": value, "context": {"Execution": {"Id": "arn:me"}}}
            chosen = state
            match state["Type"]:
                case "Fail":
                    words = self._filled([state["Error"], state["Cause"]], variables, states)
                    raise RefusedError(": ".join(words))
                case "Choice":
                    chosen = self._chosen(state, variables, states)
                case "Task":
                    try:
                        arguments = self._filled(state["Arguments"], variables, states)
                        states["result"] = self._performed(state["Resource"], arguments)
                    except _CaughtError as error:
                        states["errorOutput"] = error.output
                        chosen = next(
                            each
                            for each in state["Catch"]
                            if {error.output["Error"], "States.ALL"} & set(each["ErrorEquals"])
                        )
            assigned = self._filled(chosen.get("Assign", {}), variables, states)
            if "Output" in chosen:
                value = self._filled(chosen["Output"], variables, states)
            elif "result" in states:
                value = states["result"]
            variables = {**variables, **assigned}
            if state.get("End"):
                return value
            name = chosen["Next"]

    def _chosen(self, state: dict[str, Any], variables: dict[str, Any], states: dict[str, Any]) -> Any:
        for rule in state["Choices"]:
            if self._filled(rule["Condition"], variables, states) is True:
                return rule
        return {**{key: state[key] for key in ("Assign", "Output") if key in state}, "Next": state["Default"]}

    def _filled(self, template: Any, variables: dict[str, Any], states: dict[str, Any]) -> Any:
        """A template in which the values of the expressions stand."""
        codes = list[str]()

        def collect(value: Any) -> None:
            match value:
                case dict():
                    for each in value.values():
                        collect(each)
                case list():
                    for each in value:
                        collect(each)
                case str() if value.startswith("{%"):
                    codes.append(value[2:-2])

        collect(template)
        bindings = {**variables, "states": states}
        found = self.engine.evaluate_many([(code, bindings) for code in codes], now=self.now)
        for code, each in zip(codes, found, strict=True):
            assert not isinstance(each, Exception), f"{each} in {code}"
            assert each is not UNDEFINED, f"no value of {code}"
        values = iter(found)

        def fill(value: Any) -> Any:
            match value:
                case dict():
                    return {key: fill(each) for key, each in value.items()}
                case list():
                    return [fill(each) for each in value]
                case str() if value.startswith("{%"):
                    return next(values)
            return value

        return fill(template)

    def _performed(self, resource: str, arguments: dict[str, Any]) -> Any:
        calls = {
            "dynamodb:getItem": (self.dynamodb.get_item, "DynamoDB"),
            "aws-sdk:dynamodb:transactWriteItems": (self.dynamodb.transact_write_items, "DynamoDb"),
            "aws-sdk:dynamodb:query": (self.dynamodb.query, "DynamoDb"),
            "states:startExecution": (self.sfn.start_execution, "StepFunctions"),
            "aws-sdk:sfn:describeExecution": (self.sfn.describe_execution, "Sfn"),
            "aws-sdk:sfn:stopExecution": (self.sfn.stop_execution, "Sfn"),
        }
        function, service = calls[resource.split(":::")[1]]
        if service in ("StepFunctions", "Sfn"):
            arguments = {f"{key[0].lower()}{key[1:]}": value for key, value in arguments.items()}
            if "input" in arguments:
                arguments["input"] = json.dumps(arguments["input"])
        try:
            answer: dict[str, Any] = function(**arguments)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            suffix = "" if code.endswith("Exception") else "Exception"
            raise _CaughtError(f"{service}.{code}{suffix}", error.response["Error"]["Message"]) from error
        answer.pop("ResponseMetadata")
        if service == "Sfn":
            answer = {f"{key[0].upper()}{key[1:]}": value for key, value in answer.items()}
        return json.loads(json.dumps(answer, default=str))
