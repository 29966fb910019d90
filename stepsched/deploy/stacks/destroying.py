"""Removes a stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from stepsched.aws.stacks import validate_stack_name
from stepsched.backends.stepfunctions.teardown import Teardown
from stepsched.core.errors import BackendError, ErrorCode
from stepsched.deploy.stacks.cloud import Cloud, Stack, refuse_foreign, refused, waited
from stepsched.deploy.stacks.events import Events, Tell
from stepsched.deploy.stacks.held import TABLE, held_by, teardowns
from stepsched.deploy.stacks.values import DestroyedStack
from stepsched.display.progress import telling

_OPERATION = "DeleteStack"


def destroy(
    name: str,
    *,
    keep_table: bool = True,
    force: bool = False,
    progress: bool | Callable[[str], object] = True,
    session: Any = None,
    endpoint_url: str | None = None,
) -> DestroyedStack:
    """Deletes a stack, and returns when CloudFormation has ended. Nothing that would be lost is deleted
    silently.

    The stack is not deleted while jobs wait in it (they are active, or paused and have runs left), an
    execution runs, a queue of it has messages, or a group of it has schedules. With ``force`` all active jobs
    are paused first, with their runs in progress, and all executions are stopped; then the stack is deleted,
    so that nothing fires half-way.

    The table is kept with all jobs and their history, and a new stack can use it; see ``table_name`` of
    :func:`stepsched.deploy.template`. The bucket for long templates is kept too.

    Args:
        name: The name of the stack.
        keep_table: Whether the tables of the stack are kept. False: they are deleted after the stack, with
            all jobs and their history.
        force: Whether the stack is deleted although jobs wait in it, or messages or schedules are lost.
        progress: Whether each step is told in a line on the standard error stream, if that is a terminal or a
            notebook; or a function that is called with each line.
        session: A ``boto3.Session``. None: the default session of boto3.
        endpoint_url: The endpoint of every service that is called. None: as boto3 is configured.

    Raises:
        TypeError: An argument has another type.
        ValueError: An argument is malformed.
        BackendError: There is no such stack (``NO_STACK``), it was not made from a template of this package
            (``FOREIGN_STACK``), is being changed (``STACK_BUSY``) or is protected (``STACK_PROTECTED``), jobs
            wait in it (``JOBS_WAITING``), its table is not of the stack, or a resource could not be deleted
            (``STACK_FAILED``).
        AccessDeniedError: The credentials do not allow the calls.
    """
    validate_stack_name(name)
    for argument, value in (("keep_table", keep_table), ("force", force)):
        if not isinstance(value, bool):
            raise TypeError(f"expected True or False for {argument}, got {value!r}")
    tell = telling(progress)
    with Cloud(session, endpoint_url) as cloud:
        stack = cloud.existing(name)
        _refuse(stack)
        resources = cloud.resources(stack.arn)
        tables = resources.get(TABLE, [])
        if not keep_table:
            _refuse_kept(cloud, stack, tables)
        ends = teardowns(cloud, stack)
        held = held_by(cloud, ends, resources)
        if held and not force:
            words = (
                f"stack {name!r} holds {'; '.join(held.lines())}. Cancel the jobs and empty the rest first, "
                "or use force=True: it pauses the jobs and stops what runs"
            )
            raise refused(ErrorCode.JOBS_WAITING, _OPERATION, words)
        paused = _end(ends, tell) if held else []
        _delete(cloud, stack, tell)
        for table in () if keep_table else tables:
            _delete_table(cloud, table, tell)
        return DestroyedStack(
            name=name,
            stack_id=stack.arn,
            paused_jobs=tuple(paused),
            kept_tables=tuple(tables) if keep_table else _foreign_tables(stack, tables),
            deleted_tables=() if keep_table else tuple(tables),
        )


def _foreign_tables(stack: Stack, tables: Sequence[str]) -> tuple[str, ...]:
    """The tables that the stack uses and has not created."""
    return tuple(sorted({each.table_name for each in stack.schedulers} - {*tables}))


def _refuse(stack: Stack) -> None:
    """Refuses a stack that cannot be deleted now."""
    if stack.is_busy:
        words = f"stack {stack.name!r} is being changed ({stack.status}); wait until that has ended"
        raise refused(ErrorCode.STACK_BUSY, _OPERATION, words)
    if stack.is_protected:
        words = f"stack {stack.name!r} is protected against deletion; remove its termination protection"
        raise refused(ErrorCode.STACK_PROTECTED, _OPERATION, words)
    if not stack.is_empty:
        refuse_foreign(stack, _OPERATION, cure="delete it with CloudFormation")


def _refuse_kept(cloud: Cloud, stack: Stack, tables: Sequence[str]) -> None:
    """Refuses to delete tables that are protected, or that the stack has not created."""
    others = _foreign_tables(stack, tables)
    if others:
        words = (
            f"table {others[0]!r} was not created by stack {stack.name!r} and is not deleted with it; use "
            "keep_table=True, and delete the table yourself"
        )
        raise refused(ErrorCode.STACK_PROTECTED, _OPERATION, words)
    for table in tables:
        found = _described(cloud, table)
        if found is not None and found.get("DeletionProtectionEnabled"):
            words = f"table {table!r} is protected against deletion; remove its deletion protection"
            raise refused(ErrorCode.STACK_PROTECTED, _OPERATION, words)


def _end(ends: Sequence[Teardown], tell: Tell) -> list[str]:
    tell("jobs are paused, and executions are stopped")
    return [name for each in ends for name in waited(each.end)]


def _delete(cloud: Cloud, stack: Stack, tell: Tell) -> None:
    events = Events(cloud, stack.arn)
    cloud.call(
        "cloudformation", "delete_stack", StackName=stack.arn, ClientRequestToken=f"stepsched-{uuid4().hex}"
    )
    after = None if stack.is_empty else events.wait(tell)
    if after is not None and after.status != "DELETE_COMPLETE":
        reason = events.cause() or after.reason or "no reason given"
        words = (
            f"stack {stack.name!r} could not be deleted: {reason.rstrip('.')}. The stack is {after.status}: "
            "remove what keeps the resource, and destroy the stack again"
        )
        raise refused(ErrorCode.STACK_FAILED, _OPERATION, words)


def _delete_table(cloud: Cloud, table: str, tell: Tell) -> None:
    tell(f"table {table} is being deleted")
    try:
        cloud.call("dynamodb", "delete_table", TableName=table)
    except BackendError as error:
        if error.code != "ResourceNotFoundException":
            raise
    waited(lambda: True if _described(cloud, table) is None else None)
    tell(f"table {table} is deleted")


def _described(cloud: Cloud, table: str) -> dict[str, Any] | None:
    try:
        return dict(cloud.call("dynamodb", "describe_table", TableName=table)["Table"])
    except BackendError as error:
        if error.code == "ResourceNotFoundException":
            return None
        raise
