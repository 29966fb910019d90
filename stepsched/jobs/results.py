"""The lists that the client returns. They show themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import tzinfo
from itertools import islice, zip_longest
from typing import TYPE_CHECKING

from stepsched.core.clock import utc_now
from stepsched.display.results import Results
from stepsched.jobs.records import JobRecord, JobVersion, Repair, Run
from stepsched.pictures.pictured import Pictured

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.frames import Column
    from stepsched.display.table import Table
    from stepsched.pictures.lateness import Lateness

_DRAWN = 1_000
"""The number of runs that are drawn above a table; of more the latest."""


class JobRecords(Results[JobRecord]):
    """A list of stored jobs. ``print()`` and notebooks show it as a table, of at most 60 jobs."""

    _noun = ("job", "jobs")

    def _name_of(self, item: JobRecord) -> str:
        return item.name

    def _shown_table(self) -> Table:
        from stepsched.display.table import MOST, table_by_title
        from stepsched.jobs.shown import record_cells

        now = self._now or utc_now()
        shown = self[:MOST]
        head = ["name", "group", "status", "schedule", "next", "in", "last", "outcome", "reason"]
        if len({record.job.group for record in shown}) < 2:
            head.remove("group")
        if not any(record.pause_reason for record in shown):
            head.remove("reason")
        return table_by_title(self, head, lambda record: record_cells(record, now), caption=self._caption())

    def _columns(self, timezone: str | tzinfo | None) -> list[Column]:
        from stepsched.jobs.frames import job_columns

        return job_columns(self, timezone)


class Runs(Pictured, Results[Run]):
    """A list of runs. ``print()`` and notebooks show it as a table, of the latest 60 runs. The instants have
    the offset of the zone of each job, and ``started`` tells how late the latest attempt began.

    The picture shows how late each run started, and which failed, were skipped or missed.
    """

    _noun = ("run", "runs")

    def _name_of(self, item: Run) -> str:
        return f"{item.job} {item.status.value}"

    def _picture(self) -> str:
        from stepsched.display.svg import PAGE

        return self._drawing(None, most=_DRAWN).to_svg(PAGE) if len(self) > 1 else ""

    def _drawing(self, timezone: str | tzinfo | None, *, most: int | None = None) -> Lateness:
        from stepsched.jobs.lateness import lateness_of

        return lateness_of(self, timezone, most=most)

    def _shown_table(self) -> Table:
        from stepsched.display.table import MOST, table_by_title
        from stepsched.jobs.shown import run_cells

        now = self._now or utc_now()
        shown = self[-MOST:]
        head = ["id", "job", "status", "scheduled", "started", "took", "attempt", "trigger", "error"]
        if all(run.trigger.value == "schedule" for run in shown):
            head.remove("trigger")
        if not any(run.error or run.pending_reason for run in shown):
            head.remove("error")
        table = table_by_title(shown, head, lambda run: run_cells(run, now), caption=self._caption())
        more = len(self) - len(shown)
        return replace(table, more=more, notes=["the latest are shown"]) if more else table

    def _columns(self, timezone: str | tzinfo | None) -> list[Column]:
        from stepsched.jobs.frames import run_columns

        return run_columns(self, timezone)


class JobVersions(Results[JobVersion]):
    """The earlier definitions of a job, oldest first. ``print()`` and notebooks show what was changed."""

    _noun = ("earlier version", "earlier versions")

    def _name_of(self, item: JobVersion) -> str:
        return str(item.version)

    def _shown_table(self) -> Table:
        from stepsched.display.table import Cell, table_of
        from stepsched.display.times import instant_text
        from stepsched.jobs.differences import describe_differences

        def row(pair: tuple[JobVersion, JobVersion | None]) -> list[Cell]:
            each, following = pair
            return [
                Cell(str(each.version), each.version),
                Cell(instant_text(each.replaced_at), each.replaced_at.timestamp()),
                Cell("-" if following is None else describe_differences(each.job, following.job)),
            ]

        head = ["version", "replaced at", "change to the next version"]
        pairs = zip_longest(self, islice(self, 1, None))
        return table_of(pairs, head, row, caption=self._caption(), total=len(self))

    def _columns(self, timezone: str | tzinfo | None) -> list[Column]:
        from stepsched.jobs.frames import version_columns

        return version_columns(self, timezone)


class Repairs(Results[Repair]):
    """The problems that ``repair`` has found. ``print()`` and notebooks show them as a table."""

    _noun = ("problem", "problems")

    def _name_of(self, item: Repair) -> str:
        return f"{item.job} {item.problem.value}"

    def _shown_table(self) -> Table:
        from stepsched.display.table import table_by_title
        from stepsched.jobs.shown import repair_cells

        head = ["job", "problem", "detail", "remedy"]
        return table_by_title(self, head, repair_cells, caption=self._caption())

    def _columns(self, timezone: str | tzinfo | None) -> list[Column]:
        from stepsched.jobs.frames import repair_columns

        return repair_columns(self, timezone)
