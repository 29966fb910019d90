"""Definitions for asl.py: jobs of every kind of schedule, and long machines."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import stepsched as ss

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:work"
_QUEUE = "arn:aws:sqs:eu-west-1:123456789012:failed"
_TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"


def jobs() -> dict[str, ss.Job]:
    """A job for each kind of schedule; the last one has every policy."""
    plain: dict[str, ss.Schedule] = {
        "`OneTime`": ss.OneTime("2030-01-31T18:00", timezone="Europe/Paris"),
        "`Rate`": ss.Rate(every=timedelta(minutes=5)),
        "`Windowed`, monthly": ss.Windowed(
            "2030-01-31T18:00", every=ss.Frequency(months=1), timezone="Europe/Paris"
        ),
        "`Cron`": ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris"),
        "`Cron`, from a crontab": ss.Cron.from_crontab("0 9 1,15 * 5", timezone="Europe/Paris"),
    }
    target = ss.LambdaTarget(FUNCTION)
    made = {kind: ss.Job(name="work", schedule=schedule, target=target) for kind, schedule in plain.items()}
    made["`Cron`, every policy"] = ss.Job(
        name="work",
        schedule=plain["`Cron`"],
        target=target,
        input={"ledger": "main"},
        overlap=ss.Overlap.SKIP,
        catch_up=ss.CatchUp.ONE,
        retry=ss.Retry(max_attempts=5),
        max_run_time=timedelta(minutes=10),
        jitter=timedelta(minutes=1),
        dead_letter=ss.QueueTarget(_QUEUE),
        notify=ss.TopicTarget(_TOPIC),
        on_failure=ss.OnFailure.STOP,
    )
    return made


def states_of(definition: dict[str, Any]) -> int:
    """Those inside others too."""
    return sum(
        1 + sum(states_of(branch) for branch in state.get("Branches", []))
        for state in definition["States"].values()
    )


def long_machine(states: int, language: str, *, mark: str = "") -> dict[str, Any]:
    """A right definition of so many states: waits, tasks with retries and catchers, choices; and an end.

    Args:
        states: A multiple of three, and one.
        language: ``JSONata`` or ``JSONPath``.
        mark: Letters that make its expressions and paths others than those of any other mark.
    """
    steps = _jsonata if language == "JSONata" else _jsonpath
    count = states // 3
    made: dict[str, Any] = {}
    for number in range(count):
        after = f"Wait {number + 1}" if number + 1 < count else "Done"
        made |= steps(number, after, f"{mark}{number}")
    made["Done"] = {"Type": "Succeed"}
    assert len(made) == states
    return {"QueryLanguage": language, "StartAt": "Wait 0", "States": made}


def _jsonata(number: int, after: str, mark: str) -> dict[str, Any]:
    count = f"count{mark}"
    return {
        f"Wait {number}": {
            "Type": "Wait",
            "Seconds": f"{{% $max([0, $floor(($toMillis($states.input.due{mark}) - $millis()) / 1000)]) %}}",
            "Assign": {count: 0},
            "Next": f"Run {number}",
        },
        f"Run {number}": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {
                "FunctionName": FUNCTION,
                "Payload": {"number": number, "order": f"{{% $states.input.orders[status = '{mark}'].id %}}"},
            },
            "Assign": {count: f"{{% ${count} + 1 %}}"},
            "Output": f"{{% $merge([$states.input, {{'again': $states.result.Payload.again{mark}}}]) %}}",
            "TimeoutSeconds": 300,
            "Retry": [_RETRIER],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.input %}", "Next": after}],
            "Next": f"Again {number}?",
        },
        f"Again {number}?": {
            "Type": "Choice",
            "Choices": [
                {
                    "Condition": f"{{% $states.input.again and ${count} < 3 %}}",
                    "Next": f"Wait {number}",
                }
            ],
            "Default": after,
        },
    }


def _jsonpath(number: int, after: str, mark: str) -> dict[str, Any]:
    return {
        f"Wait {number}": {"Type": "Wait", "TimestampPath": f"$.due{mark}", "Next": f"Run {number}"},
        f"Run {number}": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {
                "FunctionName": FUNCTION,
                "Payload": {
                    "number": number,
                    "order.$": f"$.orders[?(@.status == '{mark}')].id",
                    "text.$": f"States.Format('{{}} of {{}}', $.name{mark}, $$.Execution.Name)",
                },
            },
            "ResultSelector": {"again.$": f"$.Payload.again{mark}", "count.$": "$.Payload.count"},
            "ResultPath": f"$.answer{mark}",
            "TimeoutSeconds": 300,
            "Retry": [_RETRIER],
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": after}],
            "Next": f"Again {number}?",
        },
        f"Again {number}?": {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [
                        {"Variable": f"$.answer{mark}.again", "BooleanEquals": True},
                        {"Variable": f"$.answer{mark}.count", "NumericLessThan": 3},
                    ],
                    "Next": f"Wait {number}",
                }
            ],
            "Default": after,
        },
    }


_RETRIER = {
    "ErrorEquals": ["Lambda.TooManyRequestsException", "States.Timeout"],
    "IntervalSeconds": 2,
    "MaxAttempts": 5,
    "BackoffRate": 1.5,
    "MaxDelaySeconds": 60,
    "JitterStrategy": "FULL",
}
