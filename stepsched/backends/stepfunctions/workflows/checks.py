"""Refuses workflows that the machine cannot run, and translates the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from pydantic import JsonValue

from stepsched.backends.stepfunctions.service import Executions
from stepsched.backends.stepfunctions.workflows.definitions import Translated, head_size, why_too_large
from stepsched.core.errors import UnsupportedError
from stepsched.core.payloads import to_json
from stepsched.machines.calls import places_of
from stepsched.machines.shared.instructions import MissingCallError
from stepsched.targets import Target
from stepsched.workflows import Step, Workflow
from stepsched.workflows.machine.instructions import graph_of, step_instructions

MAX_ROW_BYTES = 390_000
"""The maximum size of a row, in bytes. The 400 KB of DynamoDB include the names of attributes."""


class Checker:
    """Translates workflows for the machine."""

    def __init__(
        self,
        backend: str,
        runner: Executions,
        calls: Callable[[bool], frozenset[str]],
        retention: timedelta,
    ) -> None:
        """A checker.

        Args:
            backend: The name of the backend in errors.
            runner: The executions of the runner.
            calls: Returns the calls of the runner; with True, as they are now.
            retention: How long the rows of ended runs are kept.
        """
        self._backend = backend
        self._runner = runner
        self._calls = calls
        self._retention = retention

    def translate(self, workflow: Workflow) -> Translated:
        """What the machine needs to know of a workflow.

        Raises:
            UnsupportedError: The machine cannot run it exactly as defined. The error names the step.
        """
        plans = {step.name: to_json(self._plan(workflow, step)) for step in workflow.steps}
        if workflow.notify is not None:
            self._check_place(workflow, "notify", workflow.notify)
        try:
            graph = graph_of(workflow, retention=self._retention)
        except ValueError as error:
            raise self._refusal(workflow, str(error)) from error
        sizes = [why_too_large("a definition", head_size(workflow, graph), MAX_ROW_BYTES)]
        for step in workflow.steps:
            size = len(step.model_dump_json().encode()) + len(plans[step.name].encode())
            found = why_too_large("a row", size, MAX_ROW_BYTES)
            sizes.append(None if found is None else f"step {step.name!r}: {found}")
        reason = next(filter(None, sizes), None)
        if reason is not None:
            raise self._refusal(workflow, reason)
        return Translated(graph, plans)

    def _plan(self, workflow: Workflow, step: Step) -> JsonValue:
        self._check_place(workflow, f"step {step.name!r}", step.target)
        try:
            try:
                return self._instructions(workflow, step, is_fresh=False)
            except MissingCallError:
                return self._instructions(
                    workflow, step, is_fresh=True
                )  # the machine may have been updated since
        except ValueError as error:
            raise self._refusal(workflow, f"step {step.name!r}: {error}") from error

    def _instructions(self, workflow: Workflow, step: Step, *, is_fresh: bool) -> JsonValue:
        calls = self._calls(is_fresh)
        return step_instructions(workflow, step, calls=calls, retention=self._retention)

    def _check_place(self, workflow: Workflow, what: str, target: Target) -> None:
        home = (self._runner.partition, self._runner.region)
        elsewhere = places_of(target) - {home, (home[0], "")}
        if elsewhere:
            (partition, region), *_ = sorted(elsewhere)
            reason = f"{what}: the machine in {home[1]} cannot invoke a target in {region} ({partition})"
            raise self._refusal(workflow, reason, "a machine in that Region")

    def _refusal(self, workflow: Workflow, reason: str, *alternatives: str) -> UnsupportedError:
        return UnsupportedError(workflow.name, self._backend, reason, alternatives, "workflow")
