"""The call of a job as data, whose context attributes the runner fills in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from stepsched.core.context import SCHEDULED_TIME, ContextText, find_look_alike
from stepsched.jobs import Job
from stepsched.machines.calls import (
    Call,
    Message,
    call_of,
    check_call,
    check_input,
    has_attributes,
    waits_for_runs,
)

RUN_TOKEN = ContextText("<aws.scheduler.run-token>")
"""An attribute of the runner, not of jobs: the text that distinguishes runs of one scheduled instant, such as
two of ``run_now``. Runners of earlier versions leave it as it is, so that it distinguishes nothing there."""

_MAX_SAFE_INTEGER = 2**53


@dataclass(frozen=True, slots=True)
class DataMessage(Message):
    """A message whose context attributes the runner fills in."""

    def with_attributes(self, value: Any) -> Any:
        return value

    def verbatim(self, value: Any) -> Any:
        return value

    def run_headers(self) -> dict[str, str]:
        return {"webhook-id": self.digest() + "/"}  # the runner completes them

    def deduplication_id(self) -> str:
        return self.digest() + "/" + SCHEDULED_TIME + RUN_TOKEN


class CallData(NamedTuple):
    """The call of a job, and the arguments of the call for its dead letters."""

    call: Call
    letter: dict[str, Any] | None
    fills: bool
    """Whether the runner fills in context attributes."""


def message_of(job: Job) -> DataMessage:
    """The message of every run of a job."""
    return DataMessage(job.input, f"{job.group}/{job.name}", job.name, "$due", {})


def call_data(job: Job) -> CallData:
    """The call of a job as data.

    Raises:
        ValueError: The runner cannot make the call exactly. The error names an alternative.
    """
    check_input(job)
    message = message_of(job)
    call = call_of(job.target, message, wait=waits_for_runs(job))
    check_call(call)
    if call.messages is not None:
        call = call._replace(arguments=call.messages.data())
    letter = None if job.dead_letter is None else call_of(job.dead_letter, message, wait=False).arguments
    texts = [call.arguments, *([] if letter is None else [letter])]
    fills = any(has_attributes(text) for text in texts)
    for text in texts:
        _check_numbers(text, filled=fills)
    look_alike = next(filter(None, (find_look_alike(text, "the call") for text in texts)), None)
    if fills and look_alike is not None:  # the runner fills in the whole call at once
        raise ValueError(f"{look_alike} looks like a context attribute, beside real ones (P-23)")
    return CallData(call, letter, fills)


def _check_numbers(value: Any, *, filled: bool) -> None:
    """Refuses numbers that would lose digits. JSONata has 64-bit floats, and if context attributes are filled
    in, the whole call is converted to text with 15 digits of each number.

    Raises:
        ValueError: A number would lose digits.
    """
    match value:
        case dict():
            for item in value.values():
                _check_numbers(item, filled=filled)
        case list():
            for item in value:
                _check_numbers(item, filled=filled)
        case bool():
            return
        case int() | float():
            is_kept = isinstance(value, float) or abs(value) <= _MAX_SAFE_INTEGER
            if is_kept and filled:
                is_kept = float(f"{value:.15g}") == value
            if not is_kept:
                raise ValueError(f"the number {str(value)[:40]} would lose digits in the machine; use text")
