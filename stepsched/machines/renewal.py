"""Hands an execution over to its successor, before its history is full and before it is a year old.

https://docs.aws.amazon.com/step-functions/latest/dg/tutorial-continue-new.html
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from stepsched.asl.budget import way_through
from stepsched.asl.resources import integration
from stepsched.asl.rules import Rule, condition
from stepsched.asl.states import Catcher, Retrier, State, Succeed, Task, Wait

START = "$states.context.Execution.StartTime"
MAX_AGE = 300 * 86_400
"""The age in seconds at which an execution hands over, and the longest time that it plans to sleep. AWS ends
an execution after a year, so 65 days remain for a last run that begins late."""
_RETRIES = 20
ALREADY_EXISTS = ("StepFunctions.ExecutionAlreadyExistsException", "StepFunctions.ExecutionAlreadyExists")
"""The errors of a start whose name another execution has: the response of an earlier attempt was lost."""


def rest_rule() -> Rule:
    """The rule that bounds the time for which an execution sleeps. It compares planned instants and not the
    clock, so that waits can be skipped in a test."""
    later = condition(f"$toMillis($due) > 1000 * ($since + {MAX_AGE})")
    return later.then("Rest", comment=f"more than {MAX_AGE // 86_400} days ahead")


def renew_rule(limit: int | str) -> Rule:
    """The rule by which an execution hands over when its history is nearly full, or when it is too old
    because its runs are late.

    Args:
        limit: The number of events after which it hands over, or the expression that gives it.
    """
    old = f"$millis() - $toMillis({START}) > {1000 * MAX_AGE}"
    return condition(f"$spent > {limit} or {old}").then("Renew", comment="history nearly full, or old")


@cache
def renewal_events() -> int:
    """The maximum number of events of a renewal, including the end of the execution."""
    states = {name: state.to_dict() for name, state in renewal_states("aws").items()}
    return way_through(states, "Rest", "Renew", "Renewed", retries=True).events + 1


def renewal_states(partition: str, also: Iterable[str] = ()) -> dict[str, State]:
    """The states that hand over to the successor, whose first state reads the variables from its input.

    Args:
        partition: The partition of the state machine.
        also: Further variables to hand over.
    """
    variables = {name: f"{{% ${name} %}}" for name in ("after", "begun", "series", "runs", *also)}
    # Before the first run, ``after`` may come from the input and then has no relation to the present.
    ran = "$max([$since, $floor($toMillis($after) / 1000)])"
    variables |= {"since": f"{{% $runs > 0 ? {ran} : $since %}}", "generation": "{% $generation + 1 %}"}
    already_exists = Retrier(error_equals=ALREADY_EXISTS, max_attempts=0)
    transient = Retrier(
        error_equals=("States.ALL",),
        interval_seconds=5,
        max_attempts=_RETRIES,
        backoff_rate=2,
        max_delay_seconds=900,
    )
    return {
        "Rest": Wait(
            comment="The next execution sleeps on: none may last a year",
            timestamp=f"{{% $fromMillis(1000 * ($since + {MAX_AGE})) %}}",
            assign={"since": f"{{% $since + {MAX_AGE} %}}"},
            next="Renew",
        ),
        "Renew": Task(
            comment="The next execution goes on where this one ends; its history is empty again",
            resource=integration("states", "startExecution", partition=partition),
            arguments={
                "StateMachineArn": "{% $states.context.StateMachine.Id %}",
                "Name": "{% $series & '-' & $string($generation + 1) %}",
                "Input": variables,
            },
            retry=(already_exists, transient),
            catch=(
                Catcher(error_equals=ALREADY_EXISTS, next="Renewed"),
            ),  # the response of an attempt was lost
            output={},
            next="Renewed",
        ),
        "Renewed": Succeed(),
    }
