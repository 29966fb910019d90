"""Notifies of a run that failed for good. A notification that cannot be sent does not end the schedule."""

from __future__ import annotations

import re
from typing import Any

from stepsched.asl.resources import integration
from stepsched.asl.states import Catcher, Retrier, State, Task
from stepsched.jobs import Job
from stepsched.machines.calls import Message, call_of, topic_arguments
from stepsched.machines.retries import ERRORS

_RETRIES = 3
_MAX_NAME = 88
"""The maximum length of a job's name in the subject of a notification."""
_ERROR_MESSAGE = "$replace($substring($failure.cause & ' ', 0, 1000), /[^ -~]/, ' ')"
"""The cause, limited to the characters that message attributes allow, and never empty."""


def notices(job: Job, message: Message, partition: str, following: str) -> dict[str, State]:
    """The states that notify of a failed run, in the order in which they follow each other.

    Args:
        job: The job, whose ``dead_letter`` and ``notify`` say which states there are.
        message: The message of the run, with the number of attempts that were made.
        partition: The partition of the state machine.
        following: The name of the state after the last one.
    """
    states: dict[str, State] = {}
    if job.notify is not None:
        arguments = {
            **topic_arguments(job.notify, notification_body(message.verbatim(job.name)), message),
            "Subject": message.verbatim(subject(job)),
        }
        states = {"Notify": notice(integration("sns", "publish", partition=partition), arguments, following)}
    if job.dead_letter is not None:
        arguments = {
            **call_of(job.dead_letter, message, wait=False).arguments,
            "MessageAttributes": DEAD_LETTER_ATTRIBUTES,
        }
        resource = integration("sqs", "sendMessage", partition=partition)
        states = {"Dead letter": notice(resource, arguments, next(iter(states), following)), **states}
    return states


def subject(job: Job) -> str:
    """The subject of a notification: fewer than 100 characters of ASCII. It has the beginning of a long name,
    and ``?`` for other characters and for the brackets of context attributes.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    name = re.sub(r"[^ -;=?-~]", "?", job.name)
    return f"Job {name if len(name) <= _MAX_NAME else f'{name[: _MAX_NAME - 3]}...'} failed"


def notification_body(job_name: str) -> dict[str, str]:
    """The body of the message to the topic of ``Job.notify``.

    Args:
        job_name: The name of the job, or the expression that gives it.
    """
    parts = {key: f"{{% $failure.{key} %}}" for key in ("attempts", "error", "cause")}
    return {"job": job_name, "scheduled_for": "{% $due %}", **parts}


def notice(resource: str, arguments: Any, following: str) -> Task:
    """A task that sends a notification. When it has failed for good, the machine continues with
    ``following``."""
    retrier = Retrier(error_equals=("States.ALL",), interval_seconds=5, max_attempts=_RETRIES, backoff_rate=3)
    return Task(
        resource=resource,
        arguments=arguments,
        retry=(retrier,),
        catch=tuple(Catcher(error_equals=(error,), next=following) for error in ERRORS),
        output={},
        next=following,
    )


def _attribute(expression: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": f"{{% {expression} %}}"}


DEAD_LETTER_ATTRIBUTES = {
    "ERROR_CODE": _attribute("$failure.error"),
    "ERROR_MESSAGE": _attribute(_ERROR_MESSAGE),
    "EXECUTION_ID": _attribute("$states.context.Execution.Id"),
    "RETRY_ATTEMPTS": _attribute("$string($failure.attempts - 1)"),
    "SCHEDULE_ARN": _attribute("$states.context.StateMachine.Id"),
    "SCHEDULED_TIME": _attribute("$due"),
}
"""The message attributes of a dead letter, the same as those of EventBridge Scheduler."""
