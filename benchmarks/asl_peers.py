"""One peer of asl.py, in its own environment: builds or checks definitions, and tells how long it took.

    python asl_peers.py NAME              answers requests, one JSON a line
    python asl_peers.py NAME UNITS        prints one definition, and ends

What all build is the same, in the plainest States Language: for each unit a Wait, a Task and a Choice that
goes back to the Wait or on to the next unit; then a Succeed. Only the standard library is imported here.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:work"
_SHORTEST_PASS = 0.02

Build = Callable[[int], str]
Check = Callable[[Any], "list[str]"]


def names(number: int, units: int) -> tuple[str, str, str, str]:
    """The states of a unit, and the one after it."""
    after = f"Wait {number + 1}" if number + 1 < units else "Done"
    return f"Wait {number}", f"Run {number}", f"Again {number}?", after


# -- what builds ---------------------------------------------------------------------------------------


def stepsched_builds(units: int) -> str:
    from stepsched import asl

    states: dict[str, Any] = {}
    for number in range(units):
        wait, run, again, after = names(number, units)
        states[wait] = asl.Wait(seconds_path="$.wait", next=run)
        states[run] = asl.Task(resource=FUNCTION, next=again)
        rule = (asl.variable("$.again") == True).then(wait)  # noqa: E712 -- a rule, not an answer
        states[again] = asl.Choice(choices=[rule], default=after)
    states["Done"] = asl.Succeed()
    return asl.StateMachine(start_at="Wait 0", states=states).to_json(indent=None)


def stepsched_builds_and_checks(units: int) -> str:
    from stepsched import asl

    text = stepsched_builds(units)
    assert asl.check(text) == []
    return text


def cdk_builds(units: int) -> str:
    from aws_cdk import App, Stack
    from aws_cdk import aws_lambda as functions
    from aws_cdk import aws_stepfunctions as sfn
    from aws_cdk import aws_stepfunctions_tasks as tasks

    stack = Stack(App(), "Stack")
    function = functions.Function.from_function_arn(stack, "Function", FUNCTION)
    following: Any = sfn.Succeed(stack, "Done")
    for number in reversed(range(units)):
        name, run, again, _ = names(number, units)
        wait = sfn.Wait(stack, name, time=sfn.WaitTime.seconds_path("$.wait"))
        task = tasks.LambdaInvoke(
            stack,
            run,
            lambda_function=function,
            payload_response_only=True,
            retry_on_service_exceptions=False,
        )
        choice = sfn.Choice(stack, again)
        choice.when(sfn.Condition.boolean_equals("$.again", value=True), wait).otherwise(following)
        wait.next(task).next(choice)
        following = wait
    return json.dumps(sfn.StateGraph(following, "the loop").to_graph_json())


def data_science_sdk_builds(units: int) -> str:
    from stepfunctions.steps import choice_rule, states

    waits = [states.Wait(names(number, units)[0], seconds_path="$.wait") for number in range(units)]
    end = states.Succeed("Done")
    for number, wait in enumerate(waits):
        _, run, again, _ = names(number, units)
        choice = states.Choice(again)
        choice.add_choice(choice_rule.ChoiceRule.BooleanEquals(variable="$.again", value=True), wait)
        choice.default_choice(waits[number + 1] if number + 1 < units else end)
        wait.next(states.Task(run, resource=FUNCTION)).next(choice)
    return str(states.Graph(waits[0]).to_json())


def sfn_builder_builds(units: int) -> str:
    from aws_sfn_builder import Choice, ChoiceRule, Machine, Succeed, Task, Wait
    from aws_sfn_builder.choice_rules import Operator

    states: dict[str, Any] = {}
    for number in range(units):
        wait, run, again, after = names(number, units)
        states[wait] = Wait(name=wait, seconds_path="$.wait", next=run)
        states[run] = Task(name=run, resource=FUNCTION, next=again)
        operator = Operator(name="BooleanEquals", variable="$.again", value=True)
        rule = ChoiceRule(variable="$.again", operator=operator, next=wait)
        states[again] = Choice(name=again, choices=[rule], default=after)
    states["Done"] = Succeed(name="Done")
    return str(Machine(start_at="Wait 0", states=states).to_json({"indent": None}))


def py_asl_builds(units: int) -> str:
    from py_asl import ChoiceState, StateMachine, SucceedState, TaskState, WaitState

    machine = StateMachine(StartAt="Wait 0")
    for number in range(units):
        wait, run, again, after = names(number, units)
        rule = {"Variable": "$.again", "BooleanEquals": True, "Next": wait}
        machine.States += [
            WaitState(wait, SecondsPath="$.wait", Next=run),
            TaskState(run, Resource=FUNCTION, Next=again),
            ChoiceState(again, Choices=[rule], Default=after),
        ]
    machine.States.append(SucceedState("Done"))
    return str(machine.dumps())


def stairstep_builds(units: int) -> str:
    from stairstep import (
        ChoiceExpression,
        StairStep,
        StateChoice,
        StateSucceed,
        StateTask,
        StateWait,
    )

    class Rule(ChoiceExpression):  # type: ignore[misc]  # the package has no rule of one comparison
        def export(self) -> dict[str, Any]:
            return {**super().export(), "Next": self.next}

    machine = StairStep(startAt="Wait 0")
    for number in range(units):
        wait, run, again, after = names(number, units)
        rule = Rule(operator="BooleanEquals", variable="$.again", value=True)
        rule.next = wait
        machine.addState(StateWait(name=wait, secondspath="$.wait", snext=run))
        machine.addState(StateTask(name=run, resource=FUNCTION, snext=again))
        machine.addState(StateChoice(name=again, choices=[rule], default=after))
    machine.addState(StateSucceed(name="Done"))
    return str(machine.json())


def stepscribe_builds(units: int) -> str:
    """In JSONata: it has nothing else."""
    from stepscribe import ChoiceRule, StateMachine, Succeed, Task, Wait
    from stepscribe.state_models import Choice

    states: list[Any] = []
    for number in range(units):
        wait, run, again, after = names(number, units)
        rule = ChoiceRule(Condition="{% $states.input.again %}", Next=wait)
        states += [
            Wait(Name=wait, Seconds="{% $states.input.wait %}", Next=run),
            Task(Name=run, Resource=FUNCTION, Arguments={}, Next=again),
            Choice(Name=again, Choices=[rule], Default=after),
        ]
    states.append(Succeed(Name="Done"))
    return str(StateMachine(StartAt="Wait 0", States=states).to_asl_json(indent=None))


# -- what checks ---------------------------------------------------------------------------------------


def stepsched_checks(definition: Any) -> list[str]:
    from stepsched import asl

    return [found.code for found in asl.check(definition)]


def statelint_checks(definition: Any) -> list[str]:
    from statelint.linter import Linter

    return list(Linter.validate(definition))


def cfn_lint_checks(definition: Any) -> list[str]:
    """As part of a template that holds nothing else."""
    from cfnlint.config import ConfigMixIn
    from cfnlint.runner import Runner

    properties = {"RoleArn": "arn:aws:iam::123456789012:role/machine", "Definition": definition}
    machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    runner = Runner(ConfigMixIn([], regions=["eu-west-1"]))
    return [match.message for match in runner.validate_template({"Resources": {"Machine": machine}})]


BUILDS: dict[str, Build] = {
    "stepsched": stepsched_builds,
    "stepsched, and checked": stepsched_builds_and_checks,
    "aws-cdk-lib": cdk_builds,
    "stepfunctions": data_science_sdk_builds,
    "aws-sfn-builder": sfn_builder_builds,
    "py-asl": py_asl_builds,
    "stairstep": stairstep_builds,
    "stepscribe": stepscribe_builds,
}
CHECKS: dict[str, Check] = {
    "stepsched": stepsched_checks,
    "statelint": statelint_checks,
    "cfn-lint": cfn_lint_checks,
}


# -- requests ------------------------------------------------------------------------------------------


def answer(name: str, request: dict[str, Any]) -> dict[str, Any]:
    """The seconds of one call, of the clock, and what the last one gave."""
    call: Callable[[], Any]
    if "units" in request:
        build, units = BUILDS[name], request["units"]
        call = lambda: build(units)  # noqa: E731
    else:
        check, definition = CHECKS[name], request["definition"]
        call = lambda: check(definition)  # noqa: E731
    gc.collect()
    gc.disable()
    try:
        done, begun = 0, time.perf_counter()
        while True:
            given = call()
            done += 1
            taken = time.perf_counter() - begun
            if taken >= _SHORTEST_PASS:
                return {"seconds": taken / done, "answer": given}
    finally:
        gc.enable()


def main() -> None:
    name, *rest = sys.argv[1:]
    if rest:
        print(BUILDS[name](int(rest[0])))
        return
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # what a peer prints is no answer
        for line in sys.stdin:
            try:
                answers.write(json.dumps(answer(name, json.loads(line))))
            except Exception as error:  # noqa: BLE001 -- the report tells it
                answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"}))
            answers.write("\n")
            answers.flush()


if __name__ == "__main__":
    main()
