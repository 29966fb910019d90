"""What the runner has to know of a job, as JSON in the job's row: when, what, and by which policy.

It is data and never evaluated, so nothing in it needs to be escaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from stepsched.asl.render.attempts import whole_seconds
from stepsched.asl.render.tasks import Message, call_of, check_call, check_input, has_attributes
from stepsched.asl.render.timing import timing_of
from stepsched.backends.stepfunctions.runner import calls, events_left
from stepsched.context import SCHEDULED_TIME, find_look_alike
from stepsched.errors import UnsupportedError
from stepsched.jobs import CatchUp, Job, OnFailure, Overlap
from stepsched.targets import ParallelTarget

_SECOND = timedelta(seconds=1)
_KEPT = timedelta(days=30)
"""How long a run's row is kept."""


@dataclass(frozen=True, slots=True)
class _Data(Message):
    """A message as data: attributes are filled when the job runs."""

    def written(self, value: Any) -> Any:
        return value

    def own(self, value: Any) -> Any:
        return value

    def once(self) -> str:
        return sha256(self.key.encode()).hexdigest()[:32] + "/" + SCHEDULED_TIME


def order_of(job: Job, created_at: datetime) -> dict[str, Any]:
    """The order.

    Args:
        job: Any that the runner can run.
        created_at: Where the grid of a rate without start begins (P-12), in whole seconds.

    Raises:
        UnsupportedError: The runner cannot run it exactly; says why, and what would.
    """
    if isinstance(job.target, ParallelTarget) or job.notify is not None or job.dead_letter is not None:
        reason = "parallel targets, notify and dead_letter have no state in the shared machine"
        raise UnsupportedError(job.name, "stepfunctions", reason, ("render_asl(job)", "LocalBackend"))
    if job.max_run_time is not None:
        reason = f"max_run_time {job.max_run_time}: the shared machine does not watch how long a run takes"
        raise UnsupportedError(job.name, "stepfunctions", reason, ("render_asl(job)", "LocalBackend"))
    if job.catch_up is not CatchUp.ALL:
        reason = f"catch_up {job.catch_up.value!r}: an execution goes on after the last run that was claimed"
        raise UnsupportedError(job.name, "stepfunctions", reason, ("CatchUp.ALL", "LocalBackend"))
    try:
        return _order(job, created_at)
    except ValueError as error:
        raise UnsupportedError(job.name, "stepfunctions", str(error), ("LocalBackend",)) from error


def _order(job: Job, created_at: datetime) -> dict[str, Any]:
    check_input(job)
    timing = timing_of(job.anchored(created_at))
    wait = job.overlap is not Overlap.ALLOW or job.is_one_time
    key = f"{job.group}/{job.name}"
    call = call_of(job.target, _Data(job.input, key, job.name, "", {}), wait=wait)
    check_call(call)
    tail = call.resource.split(":::", 1)[1]
    if tail not in calls():
        raise ValueError(
            f"the shared machine has no state for {tail}; render_asl(job) gives a machine that has"
        )
    if not call.is_whole and job.overlap is not Overlap.ALLOW:
        raise ValueError(f"Step Functions cannot wait for what {tail} starts; use Overlap.ALLOW")
    fills = has_attributes(call.arguments)
    look_alike = find_look_alike(call.arguments, "the call") if fills else None
    if look_alike is not None:  # all of the call's text is filled at once
        raise ValueError(f"{look_alike} looks like a context attribute, beside real ones (P-23)")
    retry = job.retry
    return {
        "kind": timing.kind,
        "plan": timing.plan,
        "call": tail,
        "arguments": call.arguments,
        "fills": fills,
        "retry": {
            "attempts": retry.max_attempts,
            "age": whole_seconds("retry.max_age", retry.max_age),
            "first": retry.interval / _SECOND,
            "rate": retry.backoff_rate,
            "bound": (retry.max_age if retry.max_delay is None else retry.max_delay) / _SECOND,
        },
        "jitter": whole_seconds("jitter", job.jitter),
        "skips": job.overlap is Overlap.SKIP,
        "stops": job.on_failure is OnFailure.STOP and not job.is_one_time,
        "limit": events_left(retry.max_attempts),
        "keep": _KEPT // _SECOND,
    }
