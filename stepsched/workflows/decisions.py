"""What happens next in a run: which steps start, which are left out, and whether the run has ended. Pure.

The embedded backend and the state machine follow the same rules; tests compare the two.

1. A pending step whose needs are all done (succeeded or skipped) starts; its next attempt not before
   ``retry_at``.
2. A pending step of which a need has failed for good, did not run because of a failure, or was cancelled
   becomes ``upstream_failed`` at once, caused by the step that failed first in the chain. One of which all
   needs have ended and one is ``unmet`` becomes ``unmet``. So a failure counts before an unmet condition,
   whichever ends first.
3. ``when=DONE`` waits until all needs have ended, and starts. ``when=FAILED`` does so too, and starts if a
   need has failed, did not run because of a failure, or was cancelled; otherwise it becomes ``unmet``.
4. ``when=Condition`` is rule 1 and 2, and then the condition decides between start and ``unmet``. About an
   output that may have been truncated it cannot decide: the step becomes ``upstream_failed``.
5. With ``OnFailure.STOP``, once a step has failed for good, every pending step of rules 1, 2 and 4 becomes
   ``upstream_failed``, caused by that step.
6. The run ends when all steps have ended: cancelled if a step is cancelled, otherwise failed if a step has
   failed or did not run because of a failure, otherwise succeeded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush

from stepsched.jobs.policies import OnFailure
from stepsched.workflows.conditions import Condition, When
from stepsched.workflows.model import Step, Workflow
from stepsched.workflows.records import FailureKind, StepRun, StepStatus, WorkflowRunStatus, too_long

MAX_LOSSES = 3
"""How often a step that the platform took away is started again, apart from its retries."""
_BROKEN = (StepStatus.FAILED, StepStatus.UPSTREAM_FAILED, StepStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A pending step that does not run."""

    name: str
    status: StepStatus
    """``UPSTREAM_FAILED`` or ``UNMET``."""
    caused_by: str | None
    """The step that failed, or whose condition is not met. None: the reason says it."""
    reason: str


@dataclass(frozen=True, slots=True)
class Advance:
    """What happens next in a run."""

    starts: tuple[str, ...] = ()
    """The pending steps that may start now, each after its needs."""
    left_out: tuple[LeftOut, ...] = ()
    """The pending steps that do not run, in an order in which each follows its cause."""
    status: WorkflowRunStatus | None = None
    """The status of the run that has ended. None: it goes on."""
    wakes_at: datetime | None = None
    """The earliest ``retry_at`` that is awaited. None: none is."""


def advance(
    workflow: Workflow,
    steps: Mapping[str, StepRun],
    now: datetime,
    *,
    changed: Iterable[str] | None = None,
) -> Advance:
    """Returns what happens next in a run.

    Args:
        workflow: The definition.
        steps: The state of every step.
        now: The present.
        changed: The steps whose state has changed since the last call, so that only those are looked at that
            depend on them; a step that is pending again counts as one. None: all are looked at.
    """
    state = dict(steps)
    left_out = list[LeftOut]()
    by_name = workflow.by_name
    stopped_by = first_failed(workflow, state)
    queue = _Queue(workflow, None if stopped_by is not None else changed)
    seen = list[str]()
    for name in queue:
        if state[name].status is not StepStatus.PENDING:
            continue
        found = why_left_out(by_name[name], state, stopped_by)
        if found is None:
            seen.append(name)
            continue
        left_out.append(found)
        queue.add_dependents(name)
        state[name] = state[name].model_copy(
            update={"status": found.status, "caused_by": found.caused_by, "reason": found.reason}
        )
    starts, waits = list[str](), list[datetime]()
    for name in seen:
        if is_ready(by_name[name], state):
            retry_at = state[name].retry_at
            if retry_at is not None and retry_at > now:
                waits.append(retry_at)
            else:
                starts.append(name)
    return Advance(tuple(starts), tuple(left_out), final_status(state.values()), min(waits, default=None))


class _Queue:
    """The steps to look at, each after its needs: all of them, or those that depend on changed ones."""

    def __init__(self, workflow: Workflow, changed: Iterable[str] | None) -> None:
        self._workflow = workflow
        self._places: list[int] = []
        self._queued: set[str] | None = None if changed is None else set()
        for name in changed or ():
            self._add(name)
            self.add_dependents(name)

    def add_dependents(self, name: str) -> None:
        for each in self._workflow.dependents[name]:
            self._add(each)

    def _add(self, name: str) -> None:
        if self._queued is not None and name not in self._queued:
            self._queued.add(name)
            heappush(self._places, self._workflow.place[name])

    def __iter__(self) -> Iterator[str]:
        if self._queued is None:
            yield from self._workflow.order
        while self._places:
            yield self._workflow.order[heappop(self._places)]


def first_failed(workflow: Workflow, state: Mapping[str, StepRun]) -> str | None:
    """Returns the step that stops the run: with ``OnFailure.STOP`` the failed step that ended first; None if
    the run goes on."""
    if workflow.on_failure is not OnFailure.STOP:
        return None
    failed = [step for step in state.values() if step.status is StepStatus.FAILED]
    if not failed:
        return None
    ended = [step for step in failed if step.ended_at is not None]
    return min(ended, key=lambda step: (step.ended_at, step.name)).name if ended else failed[0].name


def is_ready(step: Step, state: Mapping[str, StepRun]) -> bool:
    """Returns whether the needs of a pending step let it start; :func:`why_left_out` comes first."""
    if step.when in (When.DONE, When.FAILED):
        return all(state[need].status.has_ended for need in step.needs)
    return all(state[need].status.is_done for need in step.needs)


def why_left_out(step: Step, state: Mapping[str, StepRun], stopped_by: str | None = None) -> LeftOut | None:
    """Returns why a pending step does not run; None if it may still run.

    Args:
        step: The step.
        state: The state of every step.
        stopped_by: The failed step that stops the run. None: the run goes on.
    """
    needs = [state[need] for need in step.needs]
    if step.when in (When.DONE, When.FAILED):
        ended = all(need.status.has_ended for need in needs)
        if step.when is When.DONE or not ended or any(need.status in _BROKEN for need in needs):
            return None
        return LeftOut(step.name, StepStatus.UNMET, None, "no step that it needs has failed")
    for need in needs:
        if need.status in _BROKEN:
            cause = _cause(need)
            return LeftOut(
                step.name, StepStatus.UPSTREAM_FAILED, cause, f"step {cause!r} {_what(state, cause)}"
            )
    if stopped_by is not None:
        return LeftOut(
            step.name, StepStatus.UPSTREAM_FAILED, stopped_by, f"the run stops: step {stopped_by!r} failed"
        )
    if not all(need.status.has_ended for need in needs):
        return None
    for need in needs:
        if need.status is StepStatus.UNMET:
            cause = need.caused_by or need.name
            return LeftOut(
                step.name, StepStatus.UNMET, cause, f"step {cause!r} was left out by its condition"
            )
    if isinstance(step.when, Condition) and all(need.status.is_done for need in needs):
        return _condition(step, step.when, state[step.when.step])
    return None


def _condition(step: Step, condition: Condition, need: StepRun) -> LeftOut | None:
    if need.status is StepStatus.SUCCEEDED and need.is_truncated:
        return LeftOut(step.name, StepStatus.UPSTREAM_FAILED, None, too_long(need.name))
    if need.status is StepStatus.SUCCEEDED and condition.is_met(need.result):
        return None
    part = f"{list(condition.path)} of " if condition.path else ""
    reason = f"expected {part}the output of {condition.step!r} {condition.operator} {condition.value!r}"
    return LeftOut(step.name, StepStatus.UNMET, step.name, f"its condition is not met: {reason}")


def _cause(need: StepRun) -> str:
    return need.caused_by if need.status is StepStatus.UPSTREAM_FAILED and need.caused_by else need.name


def _what(state: Mapping[str, StepRun], cause: str) -> str:
    known = state.get(cause)
    return "was cancelled" if known is not None and known.status is StepStatus.CANCELLED else "failed"


def final_status(steps: Iterable[StepRun]) -> WorkflowRunStatus | None:
    """Returns the status of a run whose steps have all ended; None if one has not."""
    statuses = {step.status for step in steps}
    if not all(status.has_ended for status in statuses):
        return None
    if StepStatus.CANCELLED in statuses:
        return WorkflowRunStatus.CANCELLED
    broken = statuses & {StepStatus.FAILED, StepStatus.UPSTREAM_FAILED}
    return WorkflowRunStatus.FAILED if broken else WorkflowRunStatus.SUCCEEDED


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed."""

    kind: FailureKind
    error: str
    at: datetime
    more: Mapping[str, object] = field(default_factory=dict)
    """Further fields of the record, such as ``detail``."""


def after_failure(step: Step, run: StepRun, failure: Failure) -> StepRun:
    """Returns a running step after a failed attempt: pending again if it may be repeated, otherwise failed.

    An attempt that the platform took away is repeated at once, up to :data:`MAX_LOSSES` times, and does not
    count against the retries. An attempt that was stopped is not repeated. All others are repeated by
    ``step.retry``: ``max_attempts`` and ``delay``. ``max_age`` does not apply: a step's age is its own
    running time.
    """
    failures, losses, retry_at = run.failures, run.losses, None
    repeats = False
    if failure.kind is FailureKind.PLATFORM:
        losses += 1
        repeats, retry_at = losses <= MAX_LOSSES, failure.at
    elif failure.kind is FailureKind.JOB:
        failures += 1
        repeats = failures <= step.retry.max_attempts
        retry_at = failure.at + step.retry.delay(failures)
    return run.model_copy(
        update={
            "status": StepStatus.PENDING if repeats else StepStatus.FAILED,
            "failures": failures,
            "losses": losses,
            "retry_at": retry_at if repeats else None,
            "ended_at": None if repeats else failure.at,
            "error": failure.error,
            "failure": failure.kind,
            **failure.more,
        }
    )
