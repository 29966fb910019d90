"""Stores the definitions of workflows: steps first, then head and pointer in one transaction.

```
put      put the rows of the steps, whose name has the digest of the definition: equal definitions write
equal rows
         put head <n+1>, put the name, update the pointer from n to n+1      in one transaction
```

Of two concurrent writers, one gets the next number; their rows never mix. An interrupted ``put`` leaves rows
of steps that no definition refers to until it is repeated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from pydantic import ValidationError

from stepsched.backends import pool
from stepsched.backends.stepfunctions.rows import Item, key, read_instant, write_instant
from stepsched.backends.stepfunctions.table import Table
from stepsched.backends.stepfunctions.workflows.rows import (
    NAMES_END,
    STEPS_END,
    Outline,
    definition_key,
    read_definition,
    rows_of_workflow,
    write_definition,
)
from stepsched.core.errors import BackendError, ConflictError, ErrorCode, WorkflowNotFoundError
from stepsched.core.payloads import to_json
from stepsched.jobs.unreadable import why_unreadable
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import (
    DEFINITION,
    STEP,
    WORKFLOW_NAME,
    WORKFLOW_ROWS,
    write,
)
from stepsched.schedules.stored import reading_stored
from stepsched.workflows import Workflow, WorkflowVersion
from stepsched.workflows.machine.names import definition_digest, definition_name

_ATTEMPTS = 20
"""The maximum number of attempts to store a definition while others store theirs."""
_STEPS_AT_ONCE = 25
"""The maximum number of rows in a BatchWriteItem call."""


class Pointer(NamedTuple):
    """The row that points to the latest definition of a workflow."""

    number: int
    digest: str


class Translated(NamedTuple):
    """What the machine needs to know of a definition."""

    graph: str
    """The graph, as JSON."""
    plans: Mapping[str, str]
    """The instructions of each step, as JSON."""


class Definitions:
    """The definitions of the workflows of a table. Thread-safe."""

    def __init__(self, table: Table, workers: int) -> None:
        self._table = table
        self._workers = workers
        self._outlines = dict[tuple[str, str], Outline]()

    def names(self) -> Iterator[str]:
        """The names of all workflows, in order."""
        found = self._table.query(WORKFLOW_ROWS, WORKFLOW_NAME, NAMES_END, keys_only=True)
        return (item[schema.VERSION]["S"].removeprefix(WORKFLOW_NAME) for item in found)

    def pointer(self, name: str) -> Pointer | None:
        """The number and the digest of the latest definition. None: there is no such workflow."""
        item = self._table.item(rows_of_workflow(name), DEFINITION)
        return None if item is None else Pointer(int(item[schema.LATEST]["N"]), item[schema.DIGEST]["S"])

    def latest(self, name: str) -> Pointer:
        """As :meth:`pointer`.

        Raises:
            WorkflowNotFoundError: There is no such workflow.
        """
        found = self.pointer(name)
        if found is None:
            raise WorkflowNotFoundError(name)
        return found

    def digest(self, name: str, number: int) -> str:
        """The digest of a definition.

        Raises:
            WorkflowNotFoundError: There is no such definition.
        """
        return str(self._head(name, number)[schema.DIGEST]["S"])

    def find(self, name: str, digest: str) -> int | None:
        """The number of a stored definition with a digest, the latest of several. None: there is none."""
        heads = self._table.query(
            rows_of_workflow(name), f"{DEFINITION}#", f"{DEFINITION}$", latest_first=True
        )
        return next(
            (int(item[schema.LATEST]["N"]) for item in heads if item[schema.DIGEST]["S"] == digest), None
        )

    def find_equal(self, workflow: Workflow) -> int | None:
        """The number of an equal stored definition, the latest of several. None: there is none."""
        return self.find(workflow.name, definition_digest(workflow))

    def outline(self, name: str, number: int, digest: str) -> Outline:
        """The names of the steps of a definition in order, with their needs; kept in memory after the first
        read.

        Raises:
            BackendError: The definition cannot be read.
        """
        found = self._outlines.get((name, digest))
        if found is None:
            found = self._outline_in(self._head(name, number))
            self._outlines[name, digest] = found
        return found

    def read(self, name: str, number: int | None = None) -> WorkflowVersion:
        """A stored definition. ``number`` None: the latest.

        Raises:
            WorkflowNotFoundError: There is no such workflow or version.
            BackendError: The definition cannot be read.
        """
        if number is None:
            number = self.latest(name).number
        head = self._head(name, number)
        outline = self._outline_in(head)
        partition = definition_name(name, head[schema.DIGEST]["S"])
        steps = {
            item[schema.VERSION]["S"].removeprefix(STEP): json.loads(item[schema.JOB]["S"])
            for item in self._table.query(partition, STEP, STEPS_END)
        }
        missing = [step for step in outline.needs if step not in steps]
        if missing:
            raise _unreadable(
                name, number, f"it has no row of step {missing[0]!r}; restore the table from a backup"
            )
        text = json.dumps({**outline.fields, "steps": [steps[step] for step in outline.needs]})
        try:
            with reading_stored():
                workflow = Workflow.model_validate_json(text)
        except ValidationError as error:
            reason, remedy = why_unreadable(error)
            raise _unreadable(
                name, number, f"{reason}; {remedy or 'restore the table from a backup'}"
            ) from error
        return WorkflowVersion(
            name=name,
            version=number,
            definition=workflow,
            stored_at=read_instant(head[schema.WRITTEN_AT]["S"]),
        )

    def put(self, workflow: Workflow, translated: Translated, now: datetime) -> WorkflowVersion:
        """Stores a definition as the next version, unless it equals the latest one.

        Raises:
            ConflictError: Every attempt conflicted with that of another caller.
        """
        digest = definition_digest(workflow)
        pointer, are_steps_written = self.pointer(workflow.name), False
        for _ in range(_ATTEMPTS):
            if pointer is not None and pointer.digest == digest:
                return self.read(workflow.name, pointer.number)
            if not are_steps_written:
                self._put_steps(workflow, translated, digest)
                are_steps_written = True
            number = 1 if pointer is None else pointer.number + 1
            if self._put_head(workflow, translated, Pointer(number, digest), now):
                return WorkflowVersion(name=workflow.name, version=number, definition=workflow, stored_at=now)
            pointer = self.pointer(workflow.name)
        raise ConflictError(workflow.name, 0 if pointer is None else pointer.number, "workflow")

    def _put_steps(self, workflow: Workflow, translated: Translated, digest: str) -> None:
        partition = definition_name(workflow.name, digest)
        items = [
            {
                **key(partition, f"{STEP}{step.name}"),
                schema.JOB: {"S": step.model_dump_json()},
                schema.PLAN: {"S": translated.plans[step.name]},
            }
            for step in workflow.steps
        ]
        portions = (items[at : at + _STEPS_AT_ONCE] for at in range(0, len(items), _STEPS_AT_ONCE))
        for _ in pool.each(self._table.put_all, portions, workers=self._workers):
            pass

    def _put_head(self, workflow: Workflow, translated: Translated, new: Pointer, now: datetime) -> bool:
        """Writes the head of a definition, and points to it.

        Returns:
            False if another caller has stored a definition in the meantime.
        """
        name = rows_of_workflow(workflow.name)
        common = {
            schema.LATEST: {"N": str(new.number)},
            schema.DIGEST: {"S": new.digest},
            schema.WRITTEN_AT: {"S": write_instant(now)},
        }
        head = {
            **key(name, definition_key(new.number)),
            **common,
            schema.WORKFLOW: {"S": write_definition(workflow)},
            schema.GRAPH: {"S": translated.graph},
        }
        is_first = new.number == 1
        condition = (
            write(schema.IS_NEW)
            if is_first
            else write(schema.IS_LATEST, values={"old_latest": {"N": str(new.number - 1)}})
        )
        return self._table.transact(
            {"Put": {"Item": {**key(name, DEFINITION), **common}, **condition}},
            {"Put": {"Item": head}},
            {"Put": {"Item": key(WORKFLOW_ROWS, f"{WORKFLOW_NAME}{workflow.name}")}},
        )

    def _head(self, name: str, number: int) -> Item:
        item = self._table.item(rows_of_workflow(name), definition_key(number)) if number > 0 else None
        if item is None:
            self.latest(name)  # there is no such workflow at all
            raise WorkflowNotFoundError(name, number)
        return item

    def _outline_in(self, head: Item) -> Outline:
        try:
            return read_definition(head[schema.WORKFLOW]["S"])
        except (KeyError, ValueError) as error:
            name = head[schema.NAME]["S"].removeprefix(WORKFLOW_ROWS)
            raise _unreadable(name, int(head[schema.LATEST]["N"]), str(error)) from error


def head_size(workflow: Workflow, graph: str) -> int:
    """The size of the row of a definition, in bytes."""
    return (
        len(write_definition(workflow).encode()) + len(graph.encode()) + len(to_json(workflow.name).encode())
    )


def _unreadable(name: str, number: int, reason: str) -> BackendError:
    detail = f"version {number} of workflow {name!r} cannot be read: {reason}"
    return BackendError("dynamodb", "GetItem", ErrorCode.UNREADABLE, detail=detail)


def why_too_large(what: str, size: int, limit: int) -> str | None:
    """Why a text cannot be stored, with the cure. None: it can be."""
    if size <= limit:
        return None
    return (
        f"expected {what} of at most {limit:,} bytes, got {size:,}; use fewer steps or shorter names, "
        "or keep large data in S3 and pass its location"
    )
