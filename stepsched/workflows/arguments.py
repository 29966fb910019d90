"""The arguments of the client of workflows: names, IDs of runs, and what a restart is to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from difflib import get_close_matches
from typing import NamedTuple

from pydantic import JsonValue
from typing_extensions import Self

from stepsched.core.errors import WorkflowNotFoundError
from stepsched.core.payloads import read_payload, without_attributes
from stepsched.core.quoting import quoted
from stepsched.core.values import items_of
from stepsched.jobs.names import is_name
from stepsched.workflows.model import Step, Workflow, no_workflow
from stepsched.workflows.records import WorkflowRun, WorkflowRunStatus, WorkflowVersion
from stepsched.workflows.requests import Names

LATEST = "@latest"
"""In place of the ID of a run: the latest run."""
_RUN_ID = re.compile(r"[0-9A-Za-z_.:-]{1,64}")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Letters and digits of tokens, without those that look alike: i, l, o and u."""


def is_run_id(text: str) -> bool:
    """Returns whether a text can be the ID of a run."""
    return _RUN_ID.fullmatch(text) is not None


def checked_run_id(value: object) -> str:
    """Returns the ID of a run unchanged.

    Raises:
        TypeError: The value is not a string.
        ValueError: It is not 1 to 64 of ``A-Z a-z 0-9 - _ . :``.
    """
    if not isinstance(value, str):
        raise TypeError(f"expected a string for run_id, got {quoted(value)}")
    if not is_run_id(value):
        raise ValueError(f"expected 1 to 64 of A-Z a-z 0-9 - _ . : for run_id, got {quoted(value)}")
    return str.__str__(value)


def new_run_id(now: datetime, random: bytes) -> str:
    """Returns an ID for a run: the second of its start and four letters and digits,
    ``20300107T020000Z-k3f9``.

    Args:
        now: The start.
        random: Four random bytes.
    """
    token = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in random[:4])
    return f"{now.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}-{token}"


def known_name(value: object) -> str:
    """Returns the name of a workflow.

    Raises:
        TypeError: The value is not a string.
        WorkflowNotFoundError: No workflow can have this name.
    """
    if isinstance(value, (Workflow, WorkflowVersion, WorkflowRun)):
        kind = type(value).__name__
        field = "workflow" if isinstance(value, WorkflowRun) else "name"
        raise TypeError(f"expected the name of a workflow, got a {kind}; use its .{field}")
    if not isinstance(value, str):
        raise TypeError(f"expected the name of a workflow, got {quoted(value)}")
    if not is_name(value):
        raise WorkflowNotFoundError(value)
    return str.__str__(value)


def near(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """Returns the names that are spelled alike, at most three, the closest first."""
    return tuple(get_close_matches(name[:256], list(names), n=3, cutoff=0.6))


def read_status(value: object) -> WorkflowRunStatus:
    """Returns a status of runs.

    Raises:
        ValueError: The value is not one.
    """
    try:
        return WorkflowRunStatus(value)
    except ValueError as error:
        words = ", ".join(WorkflowRunStatus)
        raise ValueError(f"expected one of {words} for status, got {quoted(value)}") from error


class RestartArguments(NamedTuple):
    """The arguments of ``restart`` beside the run, in a form that can be read repeatedly."""

    from_: tuple[str | Step, ...]
    only: tuple[str | Step, ...]
    skip: tuple[str | Step, ...]
    mark_succeeded: tuple[str | Step, ...] | Mapping[str, JsonValue]
    input: JsonValue
    workflow: Workflow | None

    @classmethod
    def of(
        cls,
        from_: Names,
        only: Names,
        skip: Names,
        mark_succeeded: Names | Mapping[str, JsonValue],
        given: JsonValue,
        workflow: Workflow | None,
    ) -> Self:
        """Returns the arguments, checked but not against a definition.

        Raises:
            TypeError: An argument has another type.
            ValueError: The input is not JSON.
        """
        if workflow is not None and type(workflow) is not Workflow:
            raise no_workflow(workflow)
        marked = (
            dict(mark_succeeded)
            if isinstance(mark_succeeded, Mapping)
            else _several(mark_succeeded, "mark_succeeded")
        )
        return cls(
            _several(from_, "from_"),
            _several(only, "only"),
            _several(skip, "skip"),
            marked,
            None if given is None else without_attributes(read_payload(given)),
            workflow,
        )

    @property
    def is_empty(self) -> bool:
        """Whether no argument was given."""
        return not (self.from_ or self.only or self.skip or self.mark_succeeded) and (
            self.input is None and self.workflow is None
        )


def _several(value: Names, argument: str) -> tuple[str | Step, ...]:
    if isinstance(value, (str, Step)):
        return (value,)
    return tuple(items_of(value, argument, "['load', 'report']"))
