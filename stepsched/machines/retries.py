"""One run inside the machine: its attempts, the pauses between them, and giving up.

Retries are states of our own and not the States Language's retriers, for these know nothing of an age: here
no attempt starts later than ``max_age`` after the scheduled instant, as everywhere else.
"""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import Any, NamedTuple

from stepsched.asl.rules import condition
from stepsched.asl.states import Catcher, Choice, State, Task, Wait
from stepsched.jobs import Retry
from stepsched.machines.calls import Call

_SECOND = timedelta(seconds=1)
ERRORS = ("States.DataLimitExceeded", "States.ALL")
"""Every error: the latter does not hold an answer that is too large."""


class Names(NamedTuple):
    """What the states and variables of one target's attempts are called."""

    run: str = "Run"
    ask: str = "Try again?"
    pause: str = "Pause"
    attempt: str = "attempt"
    failure: str = "failure"


class Work(NamedTuple):
    """What is attempted."""

    call: Call
    retry: Retry
    timeout: int | None
    """Seconds that an attempt may take."""


def attempts(
    work: Work,
    names: Names,
    *,
    done: dict[str, Any],
    given_up: dict[str, Any],
    on_failure: dict[str, Any],
) -> dict[str, State]:
    """The states of a run.

    Args:
        work: What is attempted, and how often.
        names: Of states and variables.
        done: What the task has besides, when it succeeds: ``next`` or ``end``, ``assign``, ``output``.
        given_up: The same of the question, when no attempt is left: ``default``, ``assign``, ``output``.
        on_failure: Variables that every failure sets besides.
    """
    retry, attempt = work.retry, f"${names.attempt}"
    caught = {
        names.failure: {
            "error": "{% $states.errorOutput.Error %}",
            "cause": "{% $exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : '' %}",
            "attempts": f"{{% {attempt} + 1 %}}",
        },
        names.attempt: f"{{% {attempt} + 1 %}}",
        **on_failure,
    }
    delay = _delay(retry, attempt)
    age = whole_seconds("retry.max_age", retry.max_age)
    in_time = f"$millis() + 1000 * {delay} <= $toMillis($due) + {1000 * age}"
    again = condition(f"{attempt} <= {retry.max_attempts} and {in_time}")
    run = Task(
        resource=work.call.resource,
        arguments=work.call.arguments,
        **({} if work.timeout is None else {"timeout_seconds": work.timeout}),
        catch=tuple(
            Catcher(error_equals=(error,), next=names.ask, assign=caught, output={}) for error in ERRORS
        ),
        **done,
    )
    return {
        names.run: run,
        names.ask: Choice(choices=(again.then(names.pause, comment="a try is left, in time"),), **given_up),
        names.pause: Wait(comment=_words(retry), seconds=f"{{% {delay} %}}", next=names.run),
    }


def _delay(retry: Retry, attempt: str) -> str:
    """The pause after a failed attempt, in whole seconds, raised. It grows until its bound."""
    bound = (retry.max_age if retry.max_delay is None else retry.max_delay) / _SECOND
    first = retry.interval / _SECOND
    if not first:
        return "0"
    if retry.backoff_rate == 1 or first >= bound:
        return str(ceil(min(first, bound)))
    grown = f"{first:.15g} * $power({retry.backoff_rate:.15g}, {attempt} - 1)"
    return f"$ceil($round($min([{bound:.15g}, {grown}]), 6))"


def _words(retry: Retry) -> str:
    """The pauses, for people: "1 s, then × 2 each time"."""
    if not retry.interval:
        return "no pause"
    growth = f", then × {retry.backoff_rate:.15g} each time" if retry.backoff_rate > 1 else " each time"
    return f"{retry.interval / _SECOND:.15g} s{growth}"


def whole_seconds(name: str, length: timedelta) -> int:
    """A length of time in seconds.

    Raises:
        ValueError: It is not of whole seconds.
    """
    seconds, rest = divmod(length, _SECOND)
    if rest:
        raise ValueError(f"{name} {length} is not of whole seconds, which Step Functions counts; round it")
    return seconds
