"""The states of the runner for one run: the call, its retries, and the notifications when it has failed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from stepsched.asl.resources import integration, sdk_integration
from stepsched.asl.rules import condition
from stepsched.asl.states import Catcher, Choice, Pass, State, Task, Wait
from stepsched.machines.fan_out import SEND_MESSAGES, after_call, data_arguments, first_positions
from stepsched.machines.notifications import DEAD_LETTER_ATTRIBUTES, notice, notification_body
from stepsched.machines.retries import ERRORS
from stepsched.machines.shared.expressions import (
    DELAY,
    NO_FAILURE,
    NOW,
    TOKEN,
    data_of,
    expression_of,
    fill_attributes,
)
from stepsched.machines.shared.history import ALL_SENT, COUNT_FAILURE, GIVEN_UP, ROUTE, Events
from stepsched.machines.shared.metrics import count_failure
from stepsched.targets import FanOutTarget
from stepsched.targets.endpoints import GONE, HTTP_INVOKE

_MESSAGES = "$job.arguments.Messages"
LONGEST_TIMEOUT = 99_999_999
"""The timeout in seconds of a task without ``max_run_time``: the default of AWS."""


def call_states(calls: Collection[str], partition: str, events: Events) -> dict[str, State]:
    """The states that call the targets, one for each call."""
    resources = {name: f"arn:{partition}:states:::{name}" for name in calls if name != SEND_MESSAGES}
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
    sending = _sending_states(partition, events, caught) if SEND_MESSAGES in calls else {}
    if sending:
        # A retry goes on with the messages that are left.
        unsent = f"{{% $attempt = 0 ? {first_positions(_MESSAGES)} : $unsent %}}"
        rule = condition(f"$job.call = '{SEND_MESSAGES}'")
        rules.append(rule.then(SEND_MESSAGES, assign={"unsent": unsent}))
    states: dict[str, State] = {ROUTE: Choice(choices=tuple(rules), default="Unknown call"), **sending}
    for name, resource in resources.items():
        states[name] = Task(
            resource=resource,
            arguments=f"{{% {_arguments(name)} %}}",
            timeout_seconds="{% $job.timeout %}",
            assign={
                "outcome": "succeeded",
                "failure": NO_FAILURE,
                "output": _output(name),
                "ended": "{% $millis() %}",
            },
            output={},
            catch=_catchers(caught),
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


def _sending_states(partition: str, events: Events, caught: Mapping[str, Any]) -> dict[str, State]:
    """The states that send the messages of a :class:`FanOutTarget`, one batch after another."""
    again = {name: caught[name] for name in ("attempt", "spent")}
    token = f"$due & {TOKEN}"
    return {
        SEND_MESSAGES: Task(
            resource=sdk_integration(*FanOutTarget.api_call[:2], partition=partition),
            arguments=data_arguments("$job.arguments", token, "unsent"),
            timeout_seconds="{% $job.timeout %}",
            assign={
                "outcome": "succeeded",
                **after_call(_MESSAGES, "failure", "attempt", "unsent"),
                "output": "",
                "ended": "{% $millis() %}",
                "spent": f"{{% $spent + {events.batch} %}}",
            },
            output={},
            catch=_catchers(caught),
            next=ALL_SENT,
        ),
        ALL_SENT: Choice(
            choices=(
                condition("$failure.error != ''").then(
                    "Try again?", assign=again, comment="a message was not accepted"
                ),
                condition("$count($unsent) > 0").then(SEND_MESSAGES, comment="the next batch"),
            ),
            default="Record",
        ),
    }


def _catchers(caught: Mapping[str, Any]) -> tuple[Catcher, ...]:
    return tuple(
        Catcher(error_equals=(error,), next="Try again?", assign=dict(caught), output={}) for error in ERRORS
    )


def _arguments(call: str) -> str:
    """The expression of the arguments of a call. Headers tell the receiver of a URL of the run."""
    given = data_of("arguments")
    if call != HTTP_INVOKE:
        return given
    headers = (
        f"{{'webhook-id': $given.Headers.`webhook-id` & $due & {TOKEN},"
        " 'stepsched-scheduled-for': $due, 'stepsched-attempt': $string($attempt + 1)}"
    )
    return f"($given := {given}; $merge([$given, {{'Headers': $merge([$given.Headers, {headers}])}}]))"


def _output(call: str) -> str:
    """The expression of the target's result, as JSON text; empty text where there is none."""
    parts = {
        "lambda:invoke": ".Payload",
        "states:startExecution.sync:2": ".Output",
        HTTP_INVOKE: ".ResponseBody",
    }
    part = parts.get(call, "")
    answer = f"$states.result{part}"
    text = f"$string({{'a': {answer}}})"
    return f"{{% $exists({answer}) ? $substring($substring({text}, 5, $length({text}) - 6), 0, 4000) : '' %}}"


def giving_up(
    calls: Collection[str], partition: str, events: Events, *, metrics: bool = False
) -> dict[str, State]:
    """The states after a failed attempt: a pause and the next attempt, or the notifications of the failure.

    Args:
        calls: The calls that the machine can make.
        partition: The partition of the machine.
        events: The events of the machine.
        metrics: Whether the failure of a run is counted in a metric.
    """
    wanted = f"$failure.error != '{GONE}' and " if HTTP_INVOKE in calls else ""
    in_time = f"$millis() + 1000 * {DELAY} <= $aging + 1000 * $job.retry.age"
    again = f"{wanted}$attempt <= $job.retry.attempts and {in_time}"
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
