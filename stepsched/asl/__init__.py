"""Amazon States Language: typed states, parsing, checking, rendering, drawing.

    from stepsched import asl

    machine = asl.StateMachine(
        query_language="JSONata",
        states=asl.chain({
            "Rest": asl.Wait(seconds=60),
            "Tell": asl.Task(resource=asl.integration("sns", "publish"), arguments={...}),
        }),
    )
    machine.check()

``render_asl(job)`` returns the machine of a job.
"""

from __future__ import annotations

from stepsched.asl.budget import Budget, Prices, Turn
from stepsched.asl.checks import check
from stepsched.asl.diagnostics import Diagnostic, Diagnostics, Severity
from stepsched.asl.machine import StateMachine, parse
from stepsched.asl.resources import Pattern, integration, sdk_integration
from stepsched.asl.rules import Rule, condition, variable
from stepsched.asl.states import (
    Catcher,
    Choice,
    Fail,
    Flow,
    Map,
    OtherState,
    Parallel,
    Pass,
    Processor,
    Retrier,
    State,
    Succeed,
    Task,
    Wait,
    chain,
)

__all__ = [
    "Budget",
    "Catcher",
    "Choice",
    "Diagnostic",
    "Diagnostics",
    "Fail",
    "Flow",
    "Map",
    "OtherState",
    "Parallel",
    "Pass",
    "Pattern",
    "Prices",
    "Processor",
    "Retrier",
    "Rule",
    "Severity",
    "State",
    "StateMachine",
    "Succeed",
    "Task",
    "Turn",
    "Wait",
    "chain",
    "check",
    "condition",
    "integration",
    "parse",
    "sdk_integration",
    "variable",
]


def __dir__() -> list[str]:
    return __all__
