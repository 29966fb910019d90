"""The states of one run: its attempts, and the pauses between them.

Retries are states, because the retriers of the States Language have no maximum age: no attempt starts later
than ``max_age`` after the scheduled instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from math import ceil
from typing import Any, NamedTuple

from stepsched.asl.rules import condition
from stepsched.asl.states import Catcher, Choice, Pass, State, Task, Wait
from stepsched.jobs import Retry
from stepsched.machines.calls import Call
from stepsched.machines.fan_out import after_call, batches_of
from stepsched.targets.endpoints import GONE, HTTP_INVOKE

_SECOND = timedelta(seconds=1)
_SHOWN = 4
"""The maximum number of pauses in a comment."""
ERRORS = ("States.DataLimitExceeded", "States.ALL")
"""The names that together match every error: ``States.ALL`` does not match ``States.DataLimitExceeded``."""


class Names(NamedTuple):
    """The names of the states and variables for the attempts of one target."""

    run: str = "Run"
    retry_choice: str = "Try again?"
    pause: str = "Pause"
    attempt: str = "attempt"
    failure: str = "failure"
    all_sent: str = "All sent?"
    sent: str = "Sent"
    messages: str = "messages"
    unsent: str = "unsent"

    @classmethod
    def of_part(cls, number: int) -> Names:
        """The names for a part of a parallel target, which begin at 1."""
        return cls(
            run=f"Run {number}",
            retry_choice=f"Try again {number}?",
            pause=f"Pause {number}",
            attempt=f"tries_{number}",
            failure=f"fault_{number}",
            all_sent=f"All sent {number}?",
            sent=f"Sent {number}",
            messages=f"messages_{number}",
            unsent=f"unsent_{number}",
        )


class Work(NamedTuple):
    """A call, with its retry policy and its timeout."""

    call: Call
    retry: Retry
    timeout: int | None
    """The maximum duration of an attempt in seconds. None: unlimited."""

    @property
    def batches(self) -> int:
        """The number of batches of messages that a run sends. 0: the call is made once."""
        return 0 if self.call.messages is None else batches_of(self.call.messages.target)

    def beginning(self, names: Names) -> dict[str, Any]:
        """The variables that must be set before the first attempt of each run."""
        messages = self.call.messages
        return {} if messages is None else messages.variables(names.messages, names.unsent)


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
        work: The call, with its retry policy.
        names: The names of the states and variables.
        done: Fields of the task for its success: ``next`` or ``end``, ``assign``, ``output``.
        given_up: Fields of the choice for when no attempt is left: ``default``, ``assign``, ``output``.
        on_failure: Further variables that each failure sets.
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
    wanted = f"${names.failure}.error != '{GONE}' and " if work.call.name == HTTP_INVOKE else ""
    again = condition(f"{wanted}{attempt} <= {retry.max_attempts} and {in_time}")
    arguments, messages, sending = work.call.arguments, work.call.messages, dict[str, State]()
    if messages is not None:
        arguments = messages.arguments(names.messages, names.unsent)
        failed = {names.attempt: caught[names.attempt], **on_failure}
        sending = {
            names.all_sent: Choice(
                choices=(
                    condition(f"${names.failure}.error != ''").then(
                        names.retry_choice, assign=failed, comment="a message was not accepted"
                    ),
                    condition(f"$count(${names.unsent}) > 0").then(names.run, comment="the next batch"),
                ),
                default=names.sent,
            ),
            names.sent: Pass(**done),
        }
        answered = after_call(f"${names.messages}", names.failure, names.attempt, names.unsent)
        done = {"assign": answered, "output": {}, "next": names.all_sent}
    run = Task(
        resource=work.call.resource,
        arguments=arguments,
        **({} if work.timeout is None else {"timeout_seconds": work.timeout}),
        catch=tuple(
            Catcher(error_equals=(error,), next=names.retry_choice, assign=caught, output={})
            for error in ERRORS
        ),
        **done,
    )
    return {
        names.run: run,
        **sending,
        names.retry_choice: Choice(
            choices=(again.then(names.pause, comment="a try is left, in time"),), **given_up
        ),
        names.pause: Wait(comment=_words(retry), seconds=f"{{% {delay} %}}", next=names.run),
    }


def _delay(retry: Retry, attempt: str) -> str:
    """The expression of the pause after a failed attempt, in seconds, rounded up. It grows up to its
    maximum."""
    if retry.pauses is not None:
        listed = pauses_of(retry.pauses)
        return str(listed[0]) if len(set(listed)) == 1 else f"{listed}[$min([{attempt}, {len(listed)}]) - 1]"
    bound = (retry.max_age if retry.max_delay is None else retry.max_delay) / _SECOND
    first = retry.interval / _SECOND
    if not first:
        return "0"
    if retry.backoff_rate == 1 or first >= bound:
        return str(ceil(min(first, bound)))
    grown = f"{first:.15g} * $power({retry.backoff_rate:.15g}, {attempt} - 1)"
    return f"$ceil($round($min([{bound:.15g}, {grown}]), 6))"


def _words(retry: Retry) -> str:
    """A description of the pauses, such as "1 s, then × 2 each time"."""
    if retry.pauses is not None:
        return ", ".join(f"{pause} s" for pause in pauses_of(retry.pauses)[:_SHOWN]) + (
            f" and {len(retry.pauses) - _SHOWN} more" if len(retry.pauses) > _SHOWN else ""
        )
    if not retry.interval:
        return "no pause"
    growth = f", then × {retry.backoff_rate:.15g} each time" if retry.backoff_rate > 1 else " each time"
    return f"{retry.interval / _SECOND:.15g} s{growth}"


def pauses_of(pauses: Sequence[timedelta]) -> list[int]:
    """Pauses in seconds, rounded up."""
    return [ceil(pause / _SECOND) for pause in pauses]


def whole_seconds(name: str, length: timedelta) -> int:
    """A duration in seconds.

    Raises:
        ValueError: The duration has a fraction of a second.
    """
    seconds, rest = divmod(length, _SECOND)
    if rest:
        raise ValueError(
            f"{name} {length} has a fraction of a second, which Step Functions cuts off; use whole seconds"
        )
    return seconds
