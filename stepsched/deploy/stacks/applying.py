"""Makes the changes of a plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepsched.backends.stepfunctions.table import Table
from stepsched.backends.stepfunctions.zone_rows import write_zone_rows
from stepsched.core.errors import BackendError, ErrorCode
from stepsched.deploy.stacks.cloud import Cloud, Stack, refused
from stepsched.deploy.stacks.events import Events, Tell
from stepsched.deploy.stacks.planning import checked_plan
from stepsched.deploy.stacks.values import DeployedStack, StackPlan
from stepsched.display.progress import telling

_WORKERS = 8
"""The number of concurrent calls that write time zones; boto3 keeps 10 connections."""
_DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_CURES = {
    "ROLLBACK_COMPLETE": "nothing of it is left but its name; destroy it with "
    "stepsched.deploy.destroy({name!r}), and plan again",
    "UPDATE_ROLLBACK_COMPLETE": "it is as it was before; correct the template, and plan again",
    "UPDATE_ROLLBACK_FAILED": "continue its rollback (cloudformation:ContinueUpdateRollback), and plan again",
}
"""What to do about a stack that a failed change has left in a status."""
_OTHER_CURE = "look at what is left of it, destroy it with stepsched.deploy.destroy({name!r}), and plan again"


def apply(
    plan: StackPlan,
    *,
    progress: bool | Callable[[str], object] = True,
    session: Any = None,
    endpoint_url: str | None = None,
) -> DeployedStack:
    """Makes the changes of a plan, and returns the stack when CloudFormation has ended.

    Applying a plan again has no effect. If the stack has the machine *register*, the rows of all time zones
    are written to its table. If the first creation of a stack fails, everything that it has
    created is deleted again, the table too; if a change fails, the stack becomes what it was.

    Args:
        plan: The plan.
        progress: Whether each step is told in a line on the standard error stream, if that is a terminal or a
            notebook; or a function that is called with each line.
        session: A ``boto3.Session``. None: the default session of boto3. The Region is that of the plan.
        endpoint_url: The endpoint of every service that is called. None: as boto3 is configured.

    Raises:
        TypeError: An argument has another type.
        BackendError: The stack has been changed or deleted since the plan was made (``STALE_PLAN``), or a
            resource has failed (``STACK_FAILED``). The error names the resource, the reason that AWS gives,
            the status of the stack, and what to do.
        AccessDeniedError: The credentials do not allow the calls.
    """
    checked_plan(plan)
    tell = telling(progress)
    with Cloud(session, endpoint_url, region=plan.region) as cloud:
        stack = cloud.find(plan.stack_id)
        if stack is None or stack.status == "DELETE_COMPLETE":
            raise _stale(plan, "was deleted")
        state = "APPLIED" if plan.change_set_id is None else _state(cloud, plan.change_set_id, stack)
        match state:
            case "AVAILABLE":
                events = Events(cloud, plan.stack_id)
                _execute(cloud, plan)
            case "EXECUTE_IN_PROGRESS":
                events = Events(cloud, plan.stack_id, is_running=True)
            case "APPLIED":
                _write_zones(cloud, stack, tell)  # an earlier call may have ended before it did
                return _deployed(stack, is_changed=False)
            case _:
                raise _stale(plan, "has been changed")
        after = events.wait(tell)
        if after.status not in _DONE:
            raise _failed(plan, after, events.cause())
        _write_zones(cloud, after, tell)
        return _deployed(after, is_changed=True)


def _state(cloud: Cloud, change_set_id: str, stack: Stack) -> str:
    """Returns the state of the execution of a change set; ``APPLIED`` if it was the last one, and ``GONE`` if
    CloudFormation has dropped it, as it does when the stack is changed."""
    try:
        found = cloud.call(
            "cloudformation", "describe_change_set", ChangeSetName=change_set_id, StackName=stack.arn
        )
        state = str(found["ExecutionStatus"])
    except BackendError as error:
        if error.code not in ("ChangeSetNotFound", "ChangeSetNotFoundException"):
            raise
        state = "EXECUTE_COMPLETE" if stack.change_set_id == change_set_id else "GONE"
    is_last = stack.change_set_id in (None, change_set_id)
    is_applied = state == "EXECUTE_COMPLETE" and is_last and stack.status in _DONE
    return "APPLIED" if is_applied else state


def _execute(cloud: Cloud, plan: StackPlan) -> None:
    assert plan.change_set_id is not None
    try:
        cloud.call(
            "cloudformation",
            "execute_change_set",
            ChangeSetName=plan.change_set_id,
            StackName=plan.stack_id,
            ClientRequestToken=plan.change_set_id.rpartition("/")[2],
            RetainExceptOnCreate=True,  # or a table would be left of a stack that could not be created
        )
    except BackendError as error:
        if error.code in ("InvalidChangeSetStatus", "ChangeSetNotFound"):
            raise _stale(plan, "has been changed") from error
        raise


def _write_zones(cloud: Cloud, stack: Stack, tell: Tell) -> None:
    """Writes the rows of time zones that the machine *register* reads, if the stack has one."""
    for name in stack.registered_tables:
        count = write_zone_rows(Table(cloud.client("dynamodb"), name), workers=_WORKERS, tell=tell)
        if count:
            zones = "1 time zone is" if count == 1 else f"{count:,} time zones are"
            tell(f"{zones} written to table {name}")


def _deployed(stack: Stack, *, is_changed: bool) -> DeployedStack:
    return DeployedStack(
        name=stack.name,
        stack_id=stack.arn,
        status=stack.status,
        outputs=stack.outputs,
        is_changed=is_changed,
    )


def _stale(plan: StackPlan, what: str) -> BackendError:
    words = f"stack {plan.stack!r} {what} since the plan was made; plan again, and look at the new plan"
    return refused(ErrorCode.STALE_PLAN, "ExecuteChangeSet", words)


def _failed(plan: StackPlan, stack: Stack, cause: str) -> BackendError:
    verb = "created" if plan.is_new else "changed"
    reason = (cause or stack.reason or "no reason given").rstrip(".")
    cure = _CURES.get(stack.status, _OTHER_CURE).format(name=plan.stack)
    words = f"stack {plan.stack!r} could not be {verb}: {reason}. The stack is {stack.status}: {cure}"
    return refused(ErrorCode.STACK_FAILED, "ExecuteChangeSet", words)
