"""What a restart, or a skip, does with every step of a run, and why. Pure: a plan is made, shown, and then
carried out.

What a restart runs:

1. Without ``only``: all steps that have not succeeded and were not skipped run, and those of ``from_`` with
   all that need them, directly or by others. Running steps are awaited.
2. A step with ``when`` ``DONE`` or ``FAILED`` that has succeeded speaks of an outcome of its needs. It runs
   again if one of them does, and so do the succeeded steps that need it (a policy of ours). The rules of
   :mod:`stepsched.workflows.decisions` then decide as in a first run: a step that reports failures is left
   out if there are none this time.
3. With ``only``: these steps and no others. All others keep their record, so the run may fail again because
   of them.
4. A step that was left out by a condition is pending again, unless nothing that it needs runs and the
   condition would leave it out again.
5. Steps of ``skip`` and ``mark_succeeded`` never run, whatever else names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

from pydantic import JsonValue

from stepsched.core.payloads import read_payload
from stepsched.core.quoting import quoted
from stepsched.workflows.conditions import When
from stepsched.workflows.decisions import LeftOut, first_failed, why_left_out
from stepsched.workflows.model import Step, Workflow
from stepsched.workflows.order import below
from stepsched.workflows.records import RestartAction, RestartPlan, StepPlan, StepRun, StepStatus, WorkflowRun
from stepsched.workflows.requests import Names, RestartRequest, read_request, step_names

_LEFT_OUT = (StepStatus.UPSTREAM_FAILED, StepStatus.UNMET)
_SKIPPED_BY = "skipped by skip="
_MARKED_BY = "marked as succeeded by mark_succeeded="


def plan_restart(
    workflow: Workflow,
    run: WorkflowRun,
    *,
    from_: Names = (),
    only: Names = (),
    skip: Names = (),
    mark_succeeded: Names | Mapping[str, JsonValue] = (),
    input: JsonValue = None,  # noqa: A002 -- the contract
    former: Workflow | None = None,
    now: datetime | None = None,
) -> RestartPlan:
    """Returns what a restart does with every step of a run, and why. Nothing is changed.

    Args:
        workflow: The definition that the run follows from now on. Its new steps run; steps that it lacks are
            dropped.
        run: The run, ended or not.
        from_: The steps that run again, with all that need them, directly or by others, even if they have
            succeeded or were skipped.
        only: The only steps that run. All others keep their record.
        skip: The steps that do not run, and count as done. Steps that have succeeded stay so.
        mark_succeeded: The steps that count as succeeded: names, or a mapping of names to their outputs.
        input: The input of the run from now on. None: it stays.
        former: The definition that the run has followed so far, to tell which steps have changed. None:
            ``workflow``.
        now: The instant recorded as the end of steps that are skipped or marked. None: none is.

    Raises:
        ValueError: The run is one of another workflow; a name is unknown; a step is named twice; ``from_`` or
            ``only`` name a step that still runs; a step of ``only`` could not start; or a running step is not
            in ``workflow``.
    """
    asked = read_request(workflow, from_, only, skip, mark_succeeded, now)
    _check_run(workflow, run, asked)
    known = run.by_name
    before = {step.name: known.get(step.name) or StepRun(name=step.name) for step in workflow.steps}
    new = before.keys() - known.keys()
    changed = _changed(workflow, former)
    plans = {name: _asked_plan(step, asked) for name, step in before.items() if name in asked.fixed}
    state = {name: plans[name].after if name in plans else step for name, step in before.items()}
    reasons = _only(run, before, asked) if asked.only else _reasons_to_run(workflow, state, asked, new)
    plans |= {
        name: _running_plan(step, reasons[name])
        if name in reasons
        else _kept_plan(step, changed=name in changed)
        for name, step in before.items()
        if name not in plans
    }
    if asked.only:
        _check_only(workflow, {name: plan.after for name, plan in plans.items()}, asked)
    return RestartPlan(
        workflow=workflow.name,
        run=run.id,
        revision=run.revision,
        steps=tuple(plans[name] for name in before),
        input=run.input if input is None else read_payload(input),
    )


def skip_plan(
    workflow: Workflow,
    run: WorkflowRun,
    step: str | Step,
    reason: str | None = None,
    *,
    now: datetime | None = None,
) -> RestartPlan:
    """Returns what it means to skip a step, which then counts as done.

    In a run that goes on, the steps that were left out because of it become pending. In a run that has ended
    only the step itself changes; a restart does the rest.

    Args:
        workflow: The definition that the run follows.
        run: The run.
        step: The step. A running one is ended where the backend can; its outcome does not count any more.
        reason: Why it is skipped, in a sentence. None: ``skipped by an operator``.
        now: The instant recorded as the end of the step. None: none is.

    Raises:
        TypeError: ``step`` is neither a step nor a name.
        ValueError: The run is one of another workflow, the step is unknown, or it has succeeded.
    """
    if not isinstance(step, (str, Step)):
        raise TypeError(
            f"expected a step or its name, got {quoted(step)}; use restart(skip=[...]) for several at once"
        )
    (name,) = step_names(workflow, "step", step)
    _check_run(workflow, run, RestartRequest(now=now))
    before = run.by_name
    if before[name].status is StepStatus.SUCCEEDED:
        raise ValueError(f"expected a step that has not succeeded, got {name!r}; it already counts as done")
    skipped = before[name].status is StepStatus.SKIPPED
    why = reason or "skipped by an operator"
    after = dict(before)
    if not skipped:
        after[name] = _done(before[name], StepStatus.SKIPPED, why, now)
    if not run.status.has_ended:
        after.update(_freed(workflow, before, after))
    return RestartPlan(
        workflow=workflow.name,
        run=run.id,
        revision=run.revision,
        steps=tuple(_skip_step_plan(before[each], after[each], name, why) for each in workflow.by_name),
        input=run.input,
    )


def _skip_step_plan(before: StepRun, after: StepRun, skipped: str, why: str) -> StepPlan:
    if before.name == skipped:
        return _plan(before, RestartAction.SKIP, why, after)
    if after.status is StepStatus.PENDING:
        waits = f"is free again: {skipped!r} counts as done"
        reason = waits if before.status is not after.status else "has not run yet"
        return _plan(before, RestartAction.RUN, reason, after)
    action = (
        RestartAction.REUSE
        if before.status in (StepStatus.SUCCEEDED, StepStatus.RUNNING)
        else RestartAction.SKIP
    )
    return _plan(before, action, f"stays {after.status}", after)


def _check_run(workflow: Workflow, run: WorkflowRun, asked: RestartRequest) -> None:
    """Refuses what would lose a running attempt, or run it twice."""
    if run.workflow != workflow.name:
        raise ValueError(f"expected a run of workflow {workflow.name!r}, got {run.key!r}")
    running = [step.name for step in run.steps if step.status is StepStatus.RUNNING]
    known = workflow.by_name
    lost = [name for name in running if name not in known]
    if lost:
        raise ValueError(
            f"expected step {lost[0]!r} in the definition, because it still runs; wait until it has ended, "
            "or cancel the run"
        )
    for argument, names in (("from_", asked.from_), ("only", asked.only)):
        wanted = {*names, *(below(workflow.needs, names) if argument == "from_" else ())} - asked.fixed
        for name in running:
            if name in wanted:
                raise ValueError(
                    f"expected steps that have ended for {argument}, got {name!r}; it still runs: wait until "
                    "it has ended, or name it in skip or mark_succeeded"
                )


def _only(run: WorkflowRun, before: Mapping[str, StepRun], asked: RestartRequest) -> dict[str, str]:
    """The steps that run because of ``only``, each with the reason. In a run that goes on, the others do
    too."""
    reasons = dict.fromkeys(asked.only, "named by only=")
    known = {} if run.status.has_ended else run.by_name
    waits = {name: step for name, step in before.items() if name in known and name not in reasons}
    return reasons | {
        name: _why_again(step) for name, step in waits.items() if step.status is StepStatus.PENDING
    }


def _reasons_to_run(
    workflow: Workflow, state: Mapping[str, StepRun], asked: RestartRequest, new: AbstractSet[str]
) -> dict[str, str]:
    """The steps that run without ``only``, each with the reason. ``again`` are those whose success does not
    count."""
    reasons, again = dict[str, str](), set[str]()
    named = set(asked.from_)
    under = below(workflow.needs, named)
    steps = workflow.by_name
    for name in workflow.order:
        step = steps[name]
        status = state[name].status
        cause = next((need for need in step.needs if need in again), None)
        ended = next((need for need in step.needs if need in reasons), None)
        if name in asked.fixed:
            continue
        if name in named:
            reasons[name] = "named by from_="
        elif name in under:
            cause = cause or ended or next(need for need in step.needs if need in named | under)
            reasons[name] = f"needs {cause!r}, which runs again" if cause in again else f"is below {cause!r}"
        elif status is StepStatus.SUCCEEDED and cause is not None:
            reasons[name] = f"needs {cause!r}, which runs again"
        elif status is StepStatus.SUCCEEDED and ended is not None and step.when in (When.DONE, When.FAILED):
            reasons[name] = f"follows the outcome of {ended!r}, which runs again"
        elif status.is_done or status is StepStatus.RUNNING or (ended is None and _is_unmet(step, state)):
            continue
        else:
            reasons[name] = "is new in the definition" if name in new else _why_again(state[name])
            if cause is None:
                continue
        again.add(name)
    return reasons


def _is_unmet(step: Step, state: Mapping[str, StepRun]) -> bool:
    """Whether a step was left out by a condition, and would be again."""
    found = why_left_out(step, state) if state[step.name].status is StepStatus.UNMET else None
    return found is not None and found.status is StepStatus.UNMET


def _why_again(step: StepRun) -> str:
    match step.status:
        case StepStatus.FAILED:
            return "failed"
        case StepStatus.UPSTREAM_FAILED:
            return f"did not run because of {step.caused_by!r}" if step.caused_by else "did not run"
        case StepStatus.UNMET:
            return "was left out by a condition, which is checked again"
        case StepStatus.CANCELLED:
            return "was cancelled"
    return "waits for its next attempt" if step.attempt else "has not run yet"


def _asked_plan(step: StepRun, asked: RestartRequest) -> StepPlan:
    """The plan of a step that is skipped or marked."""
    done = step.status is StepStatus.SUCCEEDED
    if step.name in asked.skip:
        if done:
            return _plan(step, RestartAction.REUSE, "has succeeded, and stays so: skip= names it")
        if step.status is StepStatus.SKIPPED:
            return _plan(step, RestartAction.SKIP, _SKIPPED_BY)
        return _plan(
            step, RestartAction.SKIP, _SKIPPED_BY, _done(step, StepStatus.SKIPPED, _SKIPPED_BY, asked.now)
        )
    output = asked.marked[step.name]
    if done and output is None:
        return _plan(step, RestartAction.REUSE, "has succeeded, and stays so: mark_succeeded= names it")
    after = _done(step, StepStatus.SUCCEEDED, _MARKED_BY, asked.now)
    return _plan(step, RestartAction.REUSE, _MARKED_BY, after.model_copy(update={"output": output}))


def _running_plan(step: StepRun, reason: str) -> StepPlan:
    """The plan of a step that runs."""
    return _plan(step, RestartAction.RUN, reason, _pending(step))


def _kept_plan(step: StepRun, *, changed: bool) -> StepPlan:
    """The plan of a step that keeps its record."""
    match step.status:
        case StepStatus.SUCCEEDED:
            reason = "has succeeded"
            if changed:
                reason = "has succeeded; its definition has changed since: from_= runs it again"
            return _plan(step, RestartAction.REUSE, reason)
        case StepStatus.RUNNING:
            return _plan(step, RestartAction.REUSE, "still runs, and is awaited")
        case StepStatus.SKIPPED:
            return _plan(step, RestartAction.SKIP, "was skipped before")
    if step.status is StepStatus.PENDING:  # it must not run, and must not count as done
        reason = "not in only="
        update = {"status": StepStatus.UPSTREAM_FAILED, "reason": reason}
        return _plan(step, RestartAction.SKIP, reason, step.model_copy(update=update))
    if step.status is StepStatus.UNMET:
        return _plan(step, RestartAction.SKIP, "was left out by a condition, and would be again")
    return _plan(step, RestartAction.SKIP, f"not in only=; stays {step.status}")


def _plan(step: StepRun, action: RestartAction, reason: str, after: StepRun | None = None) -> StepPlan:
    return StepPlan(name=step.name, action=action, reason=reason, before=step, after=after or step)


_OF_ATTEMPTS = {
    name: each.get_default()
    for name, each in StepRun.model_fields.items()
    if name not in ("name", "attempt", "needs")
}
"""What a step that runs again forgets."""


def _pending(step: StepRun) -> StepRun:
    """A step that runs again. Its attempts are counted on, so that none looks like an earlier one."""
    return step.model_copy(update=_OF_ATTEMPTS)


def _done(step: StepRun, status: StepStatus, reason: str, now: datetime | None) -> StepRun:
    """A step that an operator ends. What is known of its last attempt stays readable."""
    return step.model_copy(
        update={
            "status": status,
            "reason": reason,
            "retry_at": None,
            "ended_at": now,
            "caused_by": None,
            "output": None,
            "detail": None,
        }
    )


def _changed(workflow: Workflow, former: Workflow | None) -> set[str]:
    """The names of the steps that both definitions have, and that differ."""
    if former is None or former is workflow:
        return set()
    old = former.by_name
    return {
        step.name
        for step in workflow.steps
        if step.name in old and step.model_dump_json() != old[step.name].model_dump_json()
    }


def _check_only(workflow: Workflow, after: Mapping[str, StepRun], asked: RestartRequest) -> None:
    """Refuses steps of ``only`` that could not start, because of a step that is not among them."""
    for name in asked.only:
        step = workflow.by_name[name]
        found = why_left_out(step, after, first_failed(workflow, after))
        ended = [need for need in step.needs if after[need].status.has_ended]
        bad = [need for need in ended if not after[need].status.is_done]
        if step.when not in (When.DONE, When.FAILED) and bad:
            why = f"its need {bad[0]!r} is {after[bad[0]].status}"
        elif found is not None:
            why = found.reason
        else:
            continue
        raise ValueError(
            f"expected steps that can start for only, got {name!r}: {why}; use from_, or name what it needs "
            "in only, skip or mark_succeeded too"
        )


def _freed(
    workflow: Workflow, before: Mapping[str, StepRun], after: Mapping[str, StepRun]
) -> dict[str, StepRun]:
    """The steps that the rules left out before and do not any more, and those that have another cause now."""
    was, left = _left_out(workflow, before), _left_out(workflow, after)
    freed = dict[str, StepRun]()
    for name, found in was.items():
        step = before[name]
        now = left.get(name)
        if step.status not in _LEFT_OUT:
            continue
        if now is None:
            freed[name] = _pending(step)
        elif (now.status, now.caused_by) != (found.status, found.caused_by):
            freed[name] = step.model_copy(
                update={"status": now.status, "caused_by": now.caused_by, "reason": now.reason}
            )
    return freed


def _left_out(workflow: Workflow, steps: Mapping[str, StepRun]) -> dict[str, LeftOut]:
    """What the rules leave out, judged anew: as if the steps that are left out were pending."""
    state = {name: _pending(step) if step.status in _LEFT_OUT else step for name, step in steps.items()}
    stopped_by = first_failed(workflow, state)
    found = dict[str, LeftOut]()
    for name in workflow.order:
        if state[name].status is StepStatus.PENDING:
            left = why_left_out(workflow.by_name[name], state, stopped_by)
            if left is not None:
                found[name] = left
                state[name] = state[name].model_copy(
                    update={"status": left.status, "caused_by": left.caused_by}
                )
    return found
