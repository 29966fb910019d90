"""How an execution hands over to the next, before its history is full and before it is a year old.

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
OLDEST = 300 * 86_400
"""Seconds after which an execution hands over: of its own age, and of the time that it is planned to sleep.
AWS ends it after a year, and the last run may begin late and take its time."""
_RETRIES = 20
_TAKEN = ("StepFunctions.ExecutionAlreadyExistsException", "StepFunctions.ExecutionAlreadyExists")


def rest_rule() -> Rule:
    """What keeps an execution from sleeping too long. It looks at planned time, so that waits can be skipped
    in a test."""
    later = condition(f"$toMillis($due) > 1000 * ($since + {OLDEST})")
    return later.then("Rest", comment=f"more than {OLDEST // 86_400} days ahead")


def renew_rule(limit: int | str) -> Rule:
    """What ends an execution whose history is nearly full, or that has grown old because its runs lag.

    Args:
        limit: How many events may be spent, or the expression that says so.
    """
    old = f"$millis() - $toMillis({START}) > {1000 * OLDEST}"
    return condition(f"$spent > {limit} or {old}").then("Renew", comment="history nearly full, or old")


@cache
def renewal_events() -> int:
    """The events that handing over writes at most, the end of the execution with it."""
    states = {name: state.to_dict() for name, state in renewal_states("aws").items()}
    return way_through(states, "Rest", "Renew", "Renewed", retries=True).events + 1


def renewal_states(partition: str, also: Iterable[str] = ()) -> dict[str, State]:
    """The states that hand over. What is handed over, the first state of the next execution reads.

    Args:
        partition: The machine's.
        also: Further variables to hand over.
    """
    handed = {name: f"{{% ${name} %}}" for name in ("after", "begun", "series", "runs", *also)}
    # Before the first run, ``after`` says nothing about the present: it may have been given.
    ran = "$max([$since, $floor($toMillis($after) / 1000)])"
    handed |= {"since": f"{{% $runs > 0 ? {ran} : $since %}}", "generation": "{% $generation + 1 %}"}
    taken = Retrier(error_equals=_TAKEN, max_attempts=0)
    patient = Retrier(
        error_equals=("States.ALL",),
        interval_seconds=5,
        max_attempts=_RETRIES,
        backoff_rate=2,
        max_delay_seconds=900,
    )
    return {
        "Rest": Wait(
            comment="The next execution sleeps on: none may last a year",
            timestamp=f"{{% $fromMillis(1000 * ($since + {OLDEST})) %}}",
            assign={"since": f"{{% $since + {OLDEST} %}}"},
            next="Renew",
        ),
        "Renew": Task(
            comment="The next execution goes on where this one ends; its history is empty again",
            resource=integration("states", "startExecution", partition=partition),
            arguments={
                "StateMachineArn": "{% $states.context.StateMachine.Id %}",
                "Name": "{% $series & '-' & $string($generation + 1) %}",
                "Input": handed,
            },
            retry=(taken, patient),
            catch=(Catcher(error_equals=_TAKEN, next="Renewed"),),  # its answer was lost
            output={},
            next="Renewed",
        ),
        "Renewed": Succeed(),
    }
