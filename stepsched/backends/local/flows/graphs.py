"""Definitions of workflows as the engine uses them: graphs, and the documents of the jobs that run steps."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from functools import cached_property

from pydantic import JsonValue, ValidationError

from stepsched.backends.local.documents import encode
from stepsched.backends.local.flows.tables import Tables
from stepsched.core.context import write
from stepsched.core.errors import BackendError, ErrorCode
from stepsched.core.payloads import read_payload
from stepsched.jobs import Job, Overlap
from stepsched.jobs.policies import LONGEST_AGE, OnFailure, Retry
from stepsched.jobs.unreadable import why_unreadable
from stepsched.schedules import OneTime
from stepsched.schedules.stored import reading_stored
from stepsched.targets import HandlerTarget
from stepsched.workflows import references
from stepsched.workflows.model import Step, Workflow

_CACHED = 64
"""The number of definitions that are kept in memory, beside those with functions that only exist there."""
AT = OneTime("2000-01-01T00:00:00")
"""The schedule of hidden jobs, which is never asked: they have one unscheduled run."""


class Graph:
    """A definition, with what follows from it."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.steps = workflow.by_name
        self.below = workflow.dependents
        """The steps that need each step directly."""
        self.place = workflow.place
        """The position of each step in an order in which it follows its needs."""
        self.stops = workflow.on_failure is OnFailure.STOP
        self._templates: dict[str, _Template] = {}

    def template(self, name: str) -> _Template:
        found = self._templates.get(name)
        if found is None:
            found = self._templates[name] = _Template(self.steps[name])
        return found

    @property
    def is_live(self) -> bool:
        """Whether a function of it exists only in this process."""
        return any(is_live(step) for step in self.workflow.steps)


class _Template:
    """The hidden job of a step, up to its input."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.sources = tuple(
            {each.step for each in references.references(step.input) if each.step is not None}
        )
        """The steps whose output the input uses."""
        self.is_constant = next(references.references(step.input), None) is None
        self.uses_input = any(each.step is None for each in references.references(step.input))

    @cached_property
    def job(self) -> Job:
        """The job, with the input as it is defined, whose references are not filled in."""
        return job_of(self.step, self.step.input if self.is_constant else {})

    @cached_property
    def document(self) -> str:
        return encode(self.job)

    @cached_property
    def _members(self) -> dict[str, JsonValue]:
        members: dict[str, JsonValue] = json.loads(self.document)
        return members

    def with_input(self, given: JsonValue) -> tuple[Job, str]:
        """Returns the job with an input, and its document.

        Raises:
            ValueError: The input is too large, or no data.
        """
        own = read_payload(given)
        return (
            self.job.model_copy(update={"input": own}),
            json.dumps({**self._members, "input": write(own)}, separators=(",", ":")),
        )


def job_of(step: Step, given: JsonValue) -> Job:
    """Returns the job that runs a step once. Its pauses between attempts are those of the step; its age does
    not count."""
    return Job(
        name=step.name,
        schedule=AT,
        target=step.target,
        input=given,
        retry=_ageless(step.retry),
        max_run_time=step.timeout,
        overlap=Overlap.ALLOW,
    )


def _ageless(retry: Retry) -> Retry:
    """Returns retries with the same pauses, of which none is longer than the age."""
    if retry.pauses is None and retry.max_delay is None:  # the age bounds the pauses
        return retry
    return retry.replace(max_age=LONGEST_AGE)


def is_live(step: Step) -> bool:
    """Returns whether the function of a step exists only in this process."""
    return isinstance(step.target, HandlerTarget) and step.target.function is not None


class Graphs:
    """The stored definitions. A version never changes, so that each is read once."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._cached: OrderedDict[tuple[str, int], Graph] = OrderedDict()
        self._live: dict[tuple[str, int], Graph] = {}
        self._lock = threading.Lock()

    def reset_after_fork(self) -> None:
        """Replaces the lock, which a thread of the parent may have held."""
        self._lock = threading.Lock()

    def keep(self, workflow: Workflow, version: int) -> None:
        """Keeps a definition that this process has stored."""
        graph = Graph(workflow)
        if graph.is_live:
            self._live[workflow.name, version] = graph
        else:
            self._put((workflow.name, version), graph)

    def of(self, name: str, version: int) -> Graph:
        """Returns a stored definition.

        Raises:
            BackendError: It is not there, or this version of stepsched cannot read it.
        """
        key = (name, version)
        found = self._live.get(key) or self._cached.get(key)
        if found is not None:
            return found
        row = self._tables.definition(name, version)
        if row is None:
            what = f"version {version} of workflow {name!r}"
            detail = f"{what} is missing: the file is damaged; restore it from a copy"
            raise BackendError("sqlite", "read workflow", ErrorCode.UNREADABLE, detail=detail)
        graph = Graph(read(name, version, row[1]))
        self._put(key, graph)
        return graph

    def known(self, name: str, version: int, document: str) -> Workflow:
        """Returns a definition whose row has been read."""
        found = self._live.get((name, version)) or self._cached.get((name, version))
        return found.workflow if found is not None else read(name, version, document)

    def is_equal(self, workflow: Workflow, version: int, document: str) -> bool:
        """Returns whether a workflow equals a stored definition, the functions in memory included."""
        try:
            return self.known(workflow.name, version, document) == workflow
        except BackendError:  # a later stepsched has written it
            return False

    def _put(self, key: tuple[str, int], graph: Graph) -> None:
        with self._lock:
            self._cached[key] = graph
            while len(self._cached) > _CACHED:
                self._cached.popitem(last=False)


def read(name: str, version: int, document: str) -> Workflow:
    """Returns the definition of a document.

    Raises:
        BackendError: This version of stepsched cannot read it.
    """
    try:
        with reading_stored():
            return Workflow.model_validate_json(document)
    except ValidationError as error:
        reason, remedy = why_unreadable(error)
        remedy = remedy or "it is damaged; restore the file from a copy"
        detail = f"version {version} of workflow {name!r} cannot be read by this version ({reason}): {remedy}"
        raise BackendError("sqlite", "read workflow", ErrorCode.UNREADABLE, detail=detail) from error
