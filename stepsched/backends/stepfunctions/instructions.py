"""What the runner has to know of a job, as JSON in the job's row: when, what, and by which policy.

It is data and never evaluated, so nothing in it needs to be escaped.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from stepsched.backends.capabilities import BUILT_IN, backends_with
from stepsched.core.context import SCHEDULED_TIME, find_look_alike
from stepsched.core.errors import ScheduleWarning, UnsupportedError
from stepsched.core.payloads import to_json
from stepsched.jobs import Completion, Job, OnFailure, Overlap
from stepsched.machines.calls import (
    Message,
    call_of,
    check_call,
    check_input,
    check_policies,
    has_attributes,
    topic_arguments,
)
from stepsched.machines.notifications import subject
from stepsched.machines.plan import timing_of
from stepsched.machines.retries import whole_seconds
from stepsched.machines.shared.calls import LONGEST_TIMEOUT
from stepsched.machines.shared.runner import event_limit
from stepsched.targets import ParallelTarget

NAME = "stepfunctions"
"""How the backend is called in errors."""
_ELSEWHERE = backends_with(*BUILT_IN["StepFunctionsBackend"].missing)
"""The backends that have all that this one is missing: the errors of machines do not say what a job needs."""
_SECOND = timedelta(seconds=1)
LARGEST_PLAN = 255_000
"""Bytes of the plan, as text in JSON. Step Functions hands over 262,144, with all that belongs to it."""
LARGEST_ROW = 400_000
"""Bytes of a row; DynamoDB's 400 KB count the names of attributes too."""


@dataclass(frozen=True, slots=True)
class _Data(Message):
    """A message as data: attributes are filled when the job runs."""

    def with_attributes(self, value: Any) -> Any:
        return value

    def verbatim(self, value: Any) -> Any:
        return value

    def deduplication_id(self) -> str:
        return sha256(self.key.encode()).hexdigest()[:32] + "/" + SCHEDULED_TIME


def instructions_of(
    job: Job, *, anchor: datetime, version: int, keep: timedelta, calls: Collection[str]
) -> dict[str, Any]:
    """The order.

    Args:
        job: Any that the runner can run.
        anchor: Where the grid of a rate without start begins (P-12), in whole seconds.
        version: The job's.
        keep: How long the rows of its runs are kept.
        calls: What the runner has a state for.

    Raises:
        UnsupportedError: The runner cannot run it exactly; says why, and what would.
    """
    try:
        order = _order(job, anchor, version, keep, calls)
        _weigh(job, order)
    except ValueError as error:
        raise UnsupportedError(job.name, NAME, str(error), _ELSEWHERE) from error
    return order


def text_of(order: dict[str, Any], job: Job, *, anchor: datetime, version: int) -> str:
    """An order of :func:`instructions_of` as text, for a version and an anchor that were not known then."""
    timing: dict[str, Any] = {}
    if job.starts_at_creation:
        found = timing_of(job.anchored(anchor))
        timing = {"kind": found.kind, "plan": found.plan}
    return to_json({**order, **timing, "version": version})


def warn_unobserved_failures(job: Job) -> None:
    """Warns of policies for failures of which nobody will hear: where runs may overlap, the machine only
    starts what its target starts."""
    wanted = {
        "notify": job.notify is not None,
        "dead_letter": job.dead_letter is not None,
        "on_failure": job.on_failure is OnFailure.STOP,
    }
    named = [name for name, is_wanted in wanted.items() if is_wanted]
    if not named or job.is_one_time or job.overlap is not Overlap.ALLOW:
        return
    if not call_of(job.target, _Data(job.input, job.name, job.name, "", {}), wait=False).waits_for_completion:
        warnings.warn(
            f"job {job.name!r} only starts its target, for its runs may overlap: {' and '.join(named)} will "
            "hear of a target that cannot be started, and not of one that fails; give Overlap.SKIP or QUEUE",
            ScheduleWarning,
            stacklevel=4,
        )


def _order(
    job: Job, anchor: datetime, version: int, keep: timedelta, calls: Collection[str]
) -> dict[str, Any]:
    if isinstance(job.target, ParallelTarget):
        raise ValueError("a run of several targets has no state in the shared machine; render_asl(job) has")  # noqa: TRY004 -- about the job
    check_policies(job)
    check_input(job)
    timing = timing_of(job.anchored(anchor))
    waits = job.overlap is not Overlap.ALLOW or job.is_one_time
    message = _Data(job.input, f"{job.group}/{job.name}", job.name, "", {})
    call = call_of(job.target, message, wait=waits)
    check_call(call)
    name = call.name
    if name not in calls:
        raise ValueError(
            f"the machine of this stack cannot call {name}; update the stack with deploy.template(...) of a "
            "longer list of targets, or give the job a machine of its own"
        )
    if not call.waits_for_completion:
        why = f"Step Functions cannot wait for what {name} starts{call.why_not}"
        if job.overlap is not Overlap.ALLOW:
            raise ValueError(f"overlap: {why}; use Overlap.ALLOW")
        if job.max_run_time is not None:
            raise ValueError(f"max_run_time: {why}; use Overlap.SKIP or QUEUE, or leave it out")
    texts = [call.arguments]
    letter: dict[str, Any] = {}
    if job.dead_letter is not None:
        letter = {"letter": call_of(job.dead_letter, message, wait=False).arguments}
        texts.append(letter["letter"])
    notice: dict[str, Any] = {}
    if job.notify is not None:
        published = topic_arguments(job.notify, "", message) | {"Subject": subject(job)}
        notice = {"notice": {key: value for key, value in published.items() if key != "Message"}}
    fills = any(has_attributes(text) for text in texts)
    for text in texts:
        _check_numbers(text, filled=fills)
    look_alike = next(filter(None, (find_look_alike(text, "the call") for text in texts)), None)
    if fills and look_alike is not None:  # all of the call's text is filled at once
        raise ValueError(f"{look_alike} looks like a context attribute, beside real ones (P-23)")
    retry = job.retry
    bound = retry.max_age if retry.max_delay is None else retry.max_delay
    limit = LONGEST_TIMEOUT
    if job.max_run_time is not None:
        limit = whole_seconds("max_run_time", job.max_run_time)
    return {
        "version": version,
        "kind": timing.kind,
        "plan": timing.plan,
        "call": name,
        "arguments": call.arguments,
        "fills": fills,
        **letter,
        **notice,
        "retry": {
            "attempts": retry.max_attempts,
            "age": whole_seconds("retry.max_age", retry.max_age),
            "first": retry.interval / _SECOND,
            "rate": retry.backoff_rate,
            "bound": bound / _SECOND,
        },
        "timeout": limit,
        "jitter": whole_seconds("jitter", job.jitter),
        "overlap": job.overlap.value,
        "stops": job.on_failure is OnFailure.STOP and not job.is_one_time,
        "gone": job.is_one_time and job.completion is Completion.DELETE,
        "limit": event_limit(retry.max_attempts),
        "keep": keep // _SECOND,
    }


_LARGEST_WHOLE = 2**53


def _check_numbers(value: Any, *, filled: bool) -> None:
    """Refuses numbers that would lose digits: JSONata's are floats of 64 bits, and where context attributes
    are filled in, all of the call becomes text on its way, with 15 digits of each number."""
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
            is_kept = isinstance(value, float) or abs(value) <= _LARGEST_WHOLE
            if is_kept and filled:
                is_kept = float(f"{value:.15g}") == value
            if not is_kept:
                raise ValueError(
                    f"the number {str(value)[:40]} would lose digits in the machine; pass it as text"
                )


def _weigh(job: Job, order: dict[str, Any]) -> None:
    """Refuses what would not fit on its way through Step Functions, or into its row."""
    text = to_json(order)
    carried, kept = len(to_json(text).encode()), len(text.encode()) + len(job.model_dump_json().encode())
    mend = "keep large data elsewhere, as in S3, and pass where it is"
    if job.dead_letter is not None:
        mend += " (the call and the dead letter hold the input each)"
    if carried > LARGEST_PLAN:
        raise ValueError(
            f"the job takes {carried:,} bytes on its way into the machine, and Step Functions hands over "
            f"262,144 with all that belongs to it: {mend}"
        )
    if kept > LARGEST_ROW:
        raise ValueError(
            f"the job takes {kept:,} bytes in its row, and DynamoDB stores 400 KB with all that belongs "
            f"to it: {mend}"
        )
