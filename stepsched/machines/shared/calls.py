"""The states of the runner for one run: the call, its retries, and the notifications when it has failed."""

from __future__ import annotations

from collections.abc import Iterable

from stepsched.asl.resources import integration
from stepsched.asl.rules import condition
from stepsched.asl.states import Catcher, Choice, Pass, State, Task, Wait
from stepsched.machines.notifications import DEAD_LETTER_ATTRIBUTES, notice, notification_body
from stepsched.machines.retries import ERRORS
from stepsched.machines.shared.expressions import (
    DELAY,
    NO_FAILURE,
    NOW,
    data_of,
    expression_of,
    fill_attributes,
)
from stepsched.machines.shared.history import COUNT_FAILURE, GIVEN_UP, ROUTE, Events
from stepsched.machines.shared.metrics import count_failure

LONGEST_TIMEOUT = 99_999_999
"""The timeout in seconds of a task without ``max_run_time``: the default of AWS."""


def call_states(calls: Iterable[str], partition: str, events: Events) -> dict[str, State]:
    """The states that call the targets, one for each call."""
    resources = {name: f"arn:{partition}:states:::{name}" for name in calls}
    caught = {
        "failure": {
            "error": "{% $states.errorOutput.Error %}",
            "cause": "{% $exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : '' %}",
            "attempts": "{% $attempt + 1 %}",
        },
        "attempt": "{% $attempt + 1 %}",
        "spent": f"{{% $spent + {events.retry} %}}",
    }
    rules = [condition(f"$job.call = '{name}'").then(name) for name in resources]
    states: dict[str, State] = {ROUTE: Choice(choices=tuple(rules), default="Unknown call")}
    for name, resource in resources.items():
        states[name] = Task(
            resource=resource,
            arguments=f"{{% {data_of('arguments')} %}}",
            timeout_seconds="{% $job.timeout %}",
            assign={
                "outcome": "succeeded",
                "failure": NO_FAILURE,
                "output": _output(name),
                "ended": "{% $millis() %}",
            },
            output={},
            catch=tuple(
                Catcher(error_equals=(error,), next="Try again?", assign=caught, output={})
                for error in ERRORS
            ),
            next="Record",
        )
    states["Unknown call"] = Pass(
        comment="The job was written for a newer runner",
        assign={
            "failure": {
                "error": "Stepsched.UnknownCall",
                "cause": "{% 'the runner has no state for ' & $job.call %}",
                "attempts": 1,
            },
        },
        next=GIVEN_UP,
    )
    return states


def _output(call: str) -> str:
    """The expression of the target's result, as JSON text; empty text where there is none."""
    part = {"lambda:invoke": ".Payload", "states:startExecution.sync:2": ".Output"}.get(call, "")
    answer = f"$states.result{part}"
    text = f"$string({{'a': {answer}}})"
    return f"{{% $exists({answer}) ? $substring($substring({text}, 5, $length({text}) - 6), 0, 4000) : '' %}}"


def giving_up(partition: str, events: Events, *, metrics: bool = False) -> dict[str, State]:
    """The states after a failed attempt: a pause and the next attempt, or the notifications of the failure.

    Args:
        partition: The partition of the machine.
        events: The events of the machine.
        metrics: Whether the failure of a run is counted in a metric.
    """
    again = (
        f"$attempt <= $job.retry.attempts and $millis() + 1000 * {DELAY} <= $aging + 1000 * $job.retry.age"
    )
    letter = {"MessageAttributes": DEAD_LETTER_ATTRIBUTES}
    body = {"Message": notification_body("{% $name %}")}
    counted = {COUNT_FAILURE: count_failure(partition, "Letter?")} if metrics else {}
    return {
        "Try again?": Choice(
            choices=(condition(again).then("Pause", comment="a try is left, in time"),), default=GIVEN_UP
        ),
        "Pause": Wait(seconds=f"{{% {DELAY} %}}", assign={"started_at": f"{{% {NOW} %}}"}, next="Route"),
        GIVEN_UP: Pass(
            assign={
                "outcome": "failed",
                "output": "",
                "ended": "{% $millis() %}",
                "spent": f"{{% $spent + {events.notification} %}}",
            },
            next=next(iter(counted), "Letter?"),
        ),
        **counted,
        "Letter?": Choice(
            choices=(condition("$exists($job.letter)").then("Dead letter"),), default="Notice?"
        ),
        "Dead letter": notice(
            integration("sqs", "sendMessage", partition=partition),
            f"{{% $merge([{data_of('letter')}, {expression_of(letter)}]) %}}",
            "Notice?",
        ),
        "Notice?": Choice(choices=(condition("$exists($job.notice)").then("Notify"),), default="Record"),
        "Notify": notice(
            integration("sns", "publish", partition=partition),
            f"{{% $merge([$parse({fill_attributes('$string($job.notice)')}), {expression_of(body)}]) %}}",
            "Record",
        ),
    }
