"""Changes of runs by operators: restarts, skips and cancellations.

```
change   in portions of 90 steps, each one transaction:
           the run is as it was read (status, revision) + each step is as it was read (status, attempts)
         the last portion updates the run: its revision, and for a restart its status, version and input
         end the work of steps that no longer run, make sure of a driver
cancel   update the run: cancelled, without token: from here on no driver claims a step
         stop its drivers, cancel its steps in portions as above, end the work of those that ran
```

The status of a run changes in the last portion, so a driver never sees half a restart; and the work to be
ended is recorded in the rows before it is ended. So every operation can be interrupted anywhere and repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from stepsched.backends.stepfunctions.rows import key, write_instant
from stepsched.backends.stepfunctions.workflows.definitions import Definitions
from stepsched.backends.stepfunctions.workflows.drivers import Drivers
from stepsched.backends.stepfunctions.workflows.flows import (
    Flows,
    Written,
    attempts_as_read,
    check_of,
    expiry_update,
    portions,
    step_key,
    step_update,
    update_of,
)
from stepsched.backends.stepfunctions.workflows.rows import (
    TO_BE_ENDED,
    RunRow,
    expiry,
    rows_of_workflow,
    write_step,
)
from stepsched.backends.stepfunctions.workflows.work import Work
from stepsched.core.errors import ConflictError
from stepsched.core.payloads import to_json
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import FLOW, write
from stepsched.workflows import StepPlan, StepRun, StepStatus, Workflow, WorkflowRun, WorkflowRunStatus
from stepsched.workflows.decisions import final_status
from stepsched.workflows.port import Changes

_ATTEMPTS = 20
"""The maximum number of attempts to cancel steps while a driver changes them."""
_FORGET_AFTER = timedelta(minutes=1)
"""How long after the start of a step its work is looked for if it is not found. A driver starts it at once
after it has claimed the step, and no longer once it is stopped."""
_SKIPPED, _CANCELLED = "the step was skipped", "the run was cancelled"


class Changer:
    """Changes the runs of the workflows of a table."""

    def __init__(
        self,
        flows: Flows,
        definitions: Definitions,
        drivers: Drivers,
        work: Work,
        retention: timedelta,
    ) -> None:
        self._flows = flows
        self._table = flows.table
        self._definitions = definitions
        self._drivers = drivers
        self._work = work
        self._retention = retention

    # -- restarts and skips ---------------------------------------------------------------------------------

    def change(self, changes: Changes, now: datetime) -> RunRow:
        """Changes steps of a run.

        Returns:
            The row of the run after the change.

        Raises:
            ConflictError: A step, or the run, has changed since it was read.
        """
        row = self._flows.row(changes.run.workflow, changes.run.id)
        read = changes.run
        if (row.run.status, row.run.revision) != (read.status, read.revision):
            raise ConflictError(read.key, read.revision, "workflow run")
        if self._is_done(changes, row):
            return self._go_on(row, now)
        written = self._flows.written(read.workflow, read.id)
        expires = self._expires(row, changes)
        changed = [plan for plan in changes.steps if _is_change(plan)]
        if expires is None:
            self._keep(row, written, {plan.name for plan in changed})
        dropped = self._dropped(changes, row, written)
        marks = any(_is_ended(plan.before, plan.after) for plan in changed)
        writes = [step_update(read, plan.before, plan.after, expires=expires) for plan in changed]
        writes += [{"Delete": {"Key": step_key(read, name)}} for name in dropped]
        self._write(row, writes, self._last(row, changes, marks=marks), marks=marks)
        return self._go_on(self._flows.row(read.workflow, read.id), now)

    def _is_done(self, changes: Changes, row: RunRow) -> bool:
        """Whether there is nothing to change: the call repeats one whose response was lost."""
        run = row.run
        return (
            not any(map(_is_change, changes.steps))
            and (changes.version, to_json(changes.input)) == (run.version, to_json(run.input))
            and (not changes.restarts or run.status is WorkflowRunStatus.RUNNING)
        )

    def _go_on(self, row: RunRow, now: datetime) -> RunRow:
        if row.is_ending:
            self.end_work(row, now)
        if row.run.status is WorkflowRunStatus.RUNNING:
            self._drivers.ensure(row)
        return row

    def _expires(self, row: RunRow, changes: Changes) -> Mapping[str, str] | None:
        """The expiry of changed rows: none of a run that goes on, that of its run otherwise."""
        if changes.restarts or row.run.status is WorkflowRunStatus.RUNNING or row.expires_at is None:
            return None
        return {"N": str(row.expires_at)}

    def _keep(self, row: RunRow, written: Written, changed: set[str]) -> None:
        """Removes the expiry of all other rows of steps. A row that is deleted while its run goes on would
        be read as a pending step."""
        kept = [expiry_update(row.run, name, None) for name in sorted(written.expiring - changed)]
        for portion in portions(kept):
            self._transact(row, [check_of(row), *portion])

    def _dropped(self, changes: Changes, row: RunRow, written: Written) -> list[str]:
        """The names of the rows of steps that the new definition does not have, and ends their work. Their
        rows are
        deleted: a later definition may have a step of that name."""
        if changes.version == row.run.version:
            return []
        run = row.run
        names = self._definitions.outline(
            run.workflow, changes.version, self._definitions.digest(run.workflow, changes.version)
        ).needs
        dropped = [name for name in written.steps if name not in names]
        running = [name for name in dropped if written.steps[name].status is StepStatus.RUNNING]
        if running:
            steps = self._definition(row).by_name
            for name in running:
                self._work.end(run.workflow, run.id, steps[name], written.steps[name], _SKIPPED)
        return dropped

    def _last(self, row: RunRow, changes: Changes, *, marks: bool) -> dict[str, Any]:
        """The update of the run."""
        run = row.run
        sets: dict[str, Any] = {
            schema.REVISION: {"N": str(run.revision + 1)},
            schema.LATEST: {"N": str(changes.version)},
            schema.DIGEST: {"S": row.digest},
            schema.INPUT: {"S": to_json(changes.input)},
        }
        if changes.version != run.version:
            sets[schema.DIGEST] = {"S": self._definitions.digest(run.workflow, changes.version)}
        if marks:
            sets[schema.DETAIL] = {"S": TO_BE_ENDED}
        removes = list[str]()
        if changes.restarts:
            sets[schema.STATE] = {"S": WorkflowRunStatus.RUNNING.value}
            sets[schema.RESTARTS] = {"N": str(run.restarts + 1)}
            removes = [schema.ENDED_AT, schema.ERROR, schema.TTL, schema.NOTICE]
        if changes.restarts and run.status.has_ended:
            first = self._drivers.first_arn(run.workflow, run.id, run.restarts + 1)
            sets[schema.EXECUTION] = {"S": first}
            removes.append(schema.TOKEN)
        return update_of(row, sets=sets, removes=removes)

    def _write(
        self, row: RunRow, writes: Sequence[dict[str, Any]], last: dict[str, Any], *, marks: bool
    ) -> None:
        *first, final = list(portions(writes)) or [()]
        for portion in first:
            self._transact(row, [check_of(row, marks=marks), *portion])
        self._transact(row, [last, *final])

    def _transact(self, row: RunRow, writes: Sequence[dict[str, Any]]) -> None:
        if not self._table.transact(*writes):
            raise ConflictError(row.run.key, row.run.revision, "workflow run")

    def method(self, changes: Changes) -> str:
        """How a restart goes on."""
        row = self._flows.row(changes.run.workflow, changes.run.id)
        goes_on = not row.run.status.has_ended and self._drivers.is_driven(row)
        return "in place" if goes_on else "a new execution"

    # -- cancellation ---------------------------------------------------------------------------------------

    def cancel(self, run: WorkflowRun, now: datetime) -> RunRow:
        """Cancels a run.

        Raises:
            ConflictError: Every attempt conflicted with another change.
        """
        row = self._fence(run, now)
        if row.run.status is not WorkflowRunStatus.CANCELLED or (
            row.expires_at is not None and not row.is_ending
        ):
            return row
        return self.finish_cancelling(row, now)

    def finish_cancelling(self, row: RunRow, now: datetime) -> RunRow:
        """Does what is left to do of a cancellation."""
        run = row.run
        self._drivers.stop(row, _CANCELLED)
        expires = expiry(run.ended_at or now, self._retention)
        self._cancel_steps(row, now, expires)
        self.end_work(row, now)
        left = self._flows.written(run.workflow, run.id)
        missing = [expiry_update(run, name, expires) for name in left.steps if name not in left.expiring]
        for portion in portions(missing):
            self._transact(row, [check_of(row), *portion])
        sets = {schema.TTL: expires, schema.STATE: {"S": self._status_of(row).value}}
        self._transact(row, [update_of(row, sets=sets)])
        return self._flows.row(run.workflow, run.id)

    def _status_of(self, row: RunRow) -> WorkflowRunStatus:
        """The status of a cancelled run: if all its steps had ended before, that to which they have led."""
        return final_status(self._flows.run(row).steps) or WorkflowRunStatus.CANCELLED

    def _fence(self, run: WorkflowRun, now: datetime) -> RunRow:
        """Records that a run is cancelled, so that no driver claims a further step of it."""
        for _ in range(_ATTEMPTS):
            row = self._flows.row(run.workflow, run.id)
            if row.run.status.has_ended:
                return row
            sets: dict[str, Any] = {
                schema.STATE: {"S": WorkflowRunStatus.CANCELLED.value},
                schema.ENDED_AT: {"S": write_instant(now)},
                schema.REVISION: {"N": str(row.run.revision + 1)},
                schema.DETAIL: {"S": TO_BE_ENDED},
            }
            if row.token is not None:
                sets[schema.EXECUTION] = {"S": row.token}  # by which a repetition finds the driver
            if self._table.transact(self._fencing(row, sets)):
                return self._flows.row(run.workflow, run.id)
        raise ConflictError(run.key, run.revision, "workflow run")

    def _fencing(self, row: RunRow, sets: Mapping[str, Any]) -> dict[str, Any]:
        """The update of :meth:`_fence`. It fails if another driver has taken the run since it was read."""
        state = row.has_state
        is_same = schema.is_as_read(schema.TOKEN, absent=row.token is None)
        values = dict(state["values"])
        if row.token is not None:
            values[f"old_{schema.TOKEN}"] = {"S": row.token}
        expressions = write(*state["conditions"], is_same, values=values, sets=sets, removes=[schema.TOKEN])
        where = key(rows_of_workflow(row.run.workflow), f"{FLOW}{row.run.id}")
        return {"Update": {"Key": where, **expressions}}

    def _cancel_steps(self, row: RunRow, now: datetime, expires: Mapping[str, str]) -> None:
        for _ in range(_ATTEMPTS):
            run = self._flows.run(row)
            open_steps = [step for step in run.steps if not step.status.has_ended]
            writes = [step_update(run, step, _cancelled(step, now), expires=expires) for step in open_steps]
            if all(self._table.transact(check_of(row), *portion) for portion in portions(writes)):
                return
        raise ConflictError(row.run.key, row.run.revision, "workflow run")

    # -- work -----------------------------------------------------------------------------------------------

    def end_work(self, row: RunRow, now: datetime) -> int:
        """Ends the work of steps that were skipped or cancelled while they ran.

        Returns:
            The number of steps whose work has been ended.
        """
        run = row.run
        steps = self._flows.written(run.workflow, run.id).steps.values()
        marked = [each for each in steps if each.detail == TO_BE_ENDED and each.status.has_ended]
        definitions = self._definition(row).by_name if marked else {}
        ended, left = 0, False
        for state in marked:
            step = definitions.get(state.name)
            reason = _CANCELLED if state.status is StepStatus.CANCELLED else _SKIPPED
            is_found = step is None or self._work.end(run.workflow, run.id, step, state, reason)
            is_old = state.started_at is None or now - state.started_at > _FORGET_AFTER
            if is_found or is_old:
                ended += self._unmark(run, state)
            else:
                left = True
        if not left:
            done = write(
                schema.HAS_REVISION,
                values={"old_revision": {"N": str(run.revision)}},
                removes=[schema.DETAIL],
            )
            self._table.update({"Key": key(rows_of_workflow(run.workflow), f"{FLOW}{run.id}"), **done})
        return ended

    def _unmark(self, run: WorkflowRun, state: StepRun) -> bool:
        """Records that the work of a step has been ended, unless the step has been restarted in the
        meantime."""
        done = write(
            schema.HAS_STATE,
            attempts_as_read(state),
            values={"old_state": {"S": state.status.value}, "old_attempts": {"N": str(state.attempt)}},
            removes=[schema.DETAIL],
        )
        return self._table.update({"Key": step_key(run, state.name), **done})

    def _definition(self, row: RunRow) -> Workflow:
        definition: Workflow = self._definitions.read(row.run.workflow, row.run.version).definition
        return definition


def _is_change(plan: StepPlan) -> bool:
    """Whether a plan changes what is stored of a step."""
    return write_step(plan.before) != write_step(plan.after)


def _is_ended(before: StepRun, after: StepRun) -> bool:
    """Whether the work of a step is to be ended."""
    return before.status is StepStatus.RUNNING and after.status is not StepStatus.RUNNING


def _cancelled(step: StepRun, now: datetime) -> StepRun:
    return step.model_copy(update={"status": StepStatus.CANCELLED, "ended_at": now, "retry_at": None})
