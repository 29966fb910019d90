"""What the states of the runner share: expressions and retriers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepsched.asl.states import Retrier
from stepsched.core.context import ATTEMPT_NUMBER, EXECUTION_ID, SCHEDULE_ARN, SCHEDULED_TIME
from stepsched.machines.literals import quoted
from stepsched.machines.shared.history import EVENTS_OF_A_RETRY
from stepsched.machines.shared.table_schema import RUN

CONDITION_FAILED = "DynamoDB.ConditionalCheckFailedException"
CANCELLED = "DynamoDb.TransactionCanceledException"
RETRY_TRANSIENT = Retrier(
    error_equals=("States.ALL",), interval_seconds=2, max_attempts=8, backoff_rate=2, max_delay_seconds=300
)
DO_NOT_RETRY_FAILED_CONDITION = Retrier(error_equals=(CONDITION_FAILED,), max_attempts=0)
NO_FAILURE = {"error": "", "cause": "", "attempts": 0}
DUE = "$substring($left[0], 4, 19) & 'Z'"
MAY_SKIP = f"($not($manual) or $length($left[0]) > {len(RUN) + 20})"
"""Those of ``backfill``, whose keys hold nothing but the instant, wait for their turn."""
REST = "{% [$filter($left, function($key, $index) { $index > 0 })] %}"
DELAY = "$ceil($round($min([$job.retry.bound, $job.retry.first * $power($job.retry.rate, $attempt - 1)]), 6))"
NOW = "$fromMillis($millis())"
PASSED = (
    "($job.overlap = 'skip' and $not($manual) and $outcome != 'skipped' and $ended > $toMillis($due)"
    " ? $substring($fromMillis($ended - 1), 0, 19) & 'Z' : $due)"
)
"""The instant up to which runs are done with: those that a longer run has passed over are left out."""
ME = "$states.context.Execution.Id"
_RETRIES = "$states.context.State.RetryCount"
RETRIED = f"{EVENTS_OF_A_RETRY} * ($exists({_RETRIES}) ? {_RETRIES} : 0)"
"""Events of a task's retries, which nobody has foreseen."""
SPENT_ON_RETRIES = {"spent": f"{{% $spent + {RETRIED} %}}"}


def filled(text: str) -> str:
    """The text of the call with the context attributes in their places."""
    values = {
        SCHEDULE_ARN: "$states.context.StateMachine.Id",
        SCHEDULED_TIME: "$due",
        EXECUTION_ID: "$states.context.Execution.Name & '/' & $due & '/' & $string($attempt + 1)",
        ATTEMPT_NUMBER: "$string($attempt + 1)",
    }
    for attribute, value in values.items():
        text = f"$replace({text}, {quoted(attribute)}, {value})"
    return text


def data_of(name: str) -> str:
    """What the order holds under a name, with the context attributes in their places."""
    return f"($job.fills ? $parse({filled(f'$string($job.{name})')}) : $job.{name})"


def given(name: str, otherwise: str) -> str:
    return f"{{% $exists($states.input.{name}) ? $states.input.{name} : {otherwise} %}}"


def written(value: Any) -> str:
    """A value with expressions in it, as one expression."""
    match value:
        case str():
            return f"({value[2:-2].strip()})" if value.startswith("{%") else quoted(value)
        case Mapping():
            return "{" + ", ".join(f"{quoted(key)}: {written(item)}" for key, item in value.items()) + "}"
    raise TypeError(f"{value!r} has no place in a transaction")
