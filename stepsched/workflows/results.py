"""The lists of workflows and runs that the client returns. They show themselves."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING

from stepsched.core.clock import utc_now
from stepsched.display.results import Results
from stepsched.jobs.records import Trigger
from stepsched.workflows.records import WorkflowRun, WorkflowRunStatus, WorkflowVersion

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.frames import Column
    from stepsched.display.table import Table


class WorkflowVersions(Results[WorkflowVersion]):
    """A list of stored workflows. ``print()`` and notebooks show it as a table, of at most 60 workflows."""

    _noun = ("workflow", "workflows")

    def _name_of(self, item: WorkflowVersion) -> str:
        return item.name

    def _shown_table(self) -> Table:
        from stepsched.workflows.displayed import versions_table

        return versions_table(self, self._caption())

    def _columns(self, timezone: str | tzinfo | None) -> list[Column]:
        from stepsched.display.frames import instants, texts, whole_numbers
        from stepsched.schedules.zones import shared_zone

        return [
            texts("name", (each.name for each in self)),
            whole_numbers("version", (each.version for each in self)),
            whole_numbers("steps", (len(each.definition.steps) for each in self)),
            instants("stored_at", (each.stored_at for each in self), shared_zone((), timezone)),
        ]


class WorkflowRuns(Results[WorkflowRun]):
    """A list of runs of workflows. ``print()`` and notebooks show it as a table, of the latest 60 runs."""

    _noun = ("run", "runs")

    def _name_of(self, item: WorkflowRun) -> str:
        return item.key

    def _shown_table(self) -> Table:
        from stepsched.workflows.displayed import runs_table

        return runs_table(self, self._now or utc_now(), self._caption())

    def _columns(self, timezone: str | tzinfo | None) -> list[Column]:
        from stepsched.display.frames import between, choices, instants, lengths, texts, whole_numbers
        from stepsched.schedules.zones import shared_zone

        zone = shared_zone((), timezone)
        return [
            texts("workflow", (run.workflow for run in self)),
            texts("id", (run.id for run in self)),
            choices("status", (run.status for run in self), WorkflowRunStatus),
            choices("trigger", (run.trigger for run in self), Trigger),
            instants("scheduled_for", (run.scheduled_for for run in self), zone),
            instants("started_at", (run.started_at for run in self), zone),
            instants("ended_at", (run.ended_at for run in self), zone),
            lengths("duration", (between(run.started_at, run.ended_at) for run in self)),
            whole_numbers("version", (run.version for run in self)),
            whole_numbers("restarts", (run.restarts for run in self)),
            whole_numbers("steps", (len(run.steps) for run in self)),
            texts("error", (run.error for run in self)),
            texts("link", (run.link for run in self)),
        ]
