"""Expressions and retriers that several states of the runner use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepsched.asl.states import Retrier
from stepsched.core.context import ATTEMPT_NUMBER, EXECUTION_ID, SCHEDULE_ARN, SCHEDULED_TIME
from stepsched.machines.data import RUN_TOKEN
from stepsched.machines.literals import attempt_id, quoted
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
"""Whether a run may be skipped. Runs of ``backfill``, whose keys hold only the instant, wait instead."""
REMAINING = "{% [$filter($left, function($key, $index) { $index > 0 })] %}"
DELAY = (
    "($r := $job.retry; $exists($r.pauses) ? $r.pauses[$attempt - 1]"
    " : $ceil($round($min([$r.bound, $r.first * $power($r.rate, $attempt - 1)]), 6)))"
)
"""The pause after a failed attempt, in seconds. After the last one there may be none."""
NOW = "$fromMillis($millis())"
PASSED = (
    "($job.overlap = 'skip' and $not($manual) and $outcome != 'skipped' and $ended > $toMillis($due)"
    " ? $substring($fromMillis($ended - 1), 0, 19) & 'Z' : $due)"
)
"""The instant up to which scheduled runs are finished or, with ``Overlap.SKIP``, skipped because of this
run."""
TOKEN = f"$substring($key, {len(RUN) + 20})"
"""What distinguishes runs of one scheduled instant."""
ME = "$states.context.Execution.Id"
_RETRIES = "$states.context.State.RetryCount"
RETRIED = f"{EVENTS_OF_A_RETRY} * ($exists({_RETRIES}) ? {_RETRIES} : 0)"
"""The expression of the events that the retries of a task have written."""
SPENT_ON_RETRIES = {"spent": f"{{% $spent + {RETRIED} %}}"}


def fill_attributes(text: str) -> str:
    """The expression of a text in which the context attributes are replaced by their values."""
    values = {
        SCHEDULE_ARN: "$states.context.StateMachine.Id",
        SCHEDULED_TIME: "$due",
        EXECUTION_ID: attempt_id("$due", "$string($attempt + 1)"),
        ATTEMPT_NUMBER: "$string($attempt + 1)",
        RUN_TOKEN: TOKEN,
    }
    for attribute, value in values.items():
        text = f"$replace({text}, {quoted(attribute)}, {value})"
    return text


def data_of(name: str) -> str:
    """The expression of a member of the job's instructions, with the context attributes filled in."""
    return f"($job.fills ? $parse({fill_attributes(f'$string($job.{name})')}) : $job.{name})"


def input_or(name: str, otherwise: str) -> str:
    """The expression of a member of the input, or of another value where the input lacks it."""
    return f"{{% $exists($states.input.{name}) ? $states.input.{name} : {otherwise} %}}"


def expression_of(value: Any) -> str:
    """One expression for a value that contains expressions.

    Raises:
        TypeError: The value holds something else than texts and mappings.
    """
    match value:
        case str():
            return f"({value[2:-2].strip()})" if value.startswith("{%") else quoted(value)
        case Mapping():
            return (
                "{" + ", ".join(f"{quoted(key)}: {expression_of(item)}" for key, item in value.items()) + "}"
            )
    raise TypeError(f"expected text or a mapping, got {type(value).__name__}")
