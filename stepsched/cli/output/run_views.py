"""Results about runs as tables, JSON and names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import stepsched as ss
from stepsched.cli.output.tables import Column
from stepsched.cli.output.times import instant_text
from stepsched.cli.output.views import View, texts_of
from stepsched.jobs.shown import repair_cells, run_cells, upcoming_cells

if TYPE_CHECKING:
    from stepsched.jobs import JobRecord, JobVersion, Repair, Run, UpcomingRun

_SCHEDULED = Column("SCHEDULED", least=len("2030-01-07 09:00:00 +01:00…"))
"""The name of the zone may be cut, the offset not."""
_ID = Column("ID", is_whole=True)
_JOB = Column("JOB", is_whole=True)
_ERROR = Column("ERROR", least=len("exit code 1: …"))


def runs_view(
    runs: Sequence[Run], now: datetime, zones: Mapping[str, str | None], *, empty: str = "no run is recorded"
) -> View:
    """Returns the view of runs.

    Args:
        runs: The runs.
        now: The present, for how long runs in progress have taken so far.
        zones: The time zones of the jobs by their names, as far as they are known.
        empty: What a terminal shows if there is none.
    """
    columns = [
        _ID,
        _JOB,
        Column("STATUS", is_whole=True),
        _SCHEDULED,
        Column("STARTED", least=len("after 5 min 10 s"), leaves=1),
        Column("TOOK", least=len("59 min …")),
        Column("ATTEMPT", leaves=2),
        Column("TRIGGER", leaves=3),
        _ERROR,
    ]
    return _view_of_runs(runs, columns, now, zones, empty)


def _view_of_runs(
    runs: Sequence[Run],
    columns: Sequence[Column],
    now: datetime,
    zones: Mapping[str, str | None],
    empty: str,
) -> View:
    return View(
        document=lambda: [run.model_dump(mode="json") for run in runs],
        names=[str(run.id) for run in runs],
        columns=columns,
        rows=[texts_of(columns, run_cells(run, now, zones.get(run.job))) for run in runs],
        empty=empty,
    )


def run_view(run: Run, now: datetime, zones: Mapping[str, str | None]) -> View:
    """Returns the view of one run. Its JSON is the run itself, not a list."""
    view = runs_view([run], now, zones)
    return View(
        document=lambda: run.model_dump(mode="json"), names=view.names, columns=view.columns, rows=view.rows
    )


def dead_letters_view(runs: Sequence[Run], now: datetime, zones: Mapping[str, str | None]) -> View:
    """Returns the view of the runs that have failed for good."""
    columns = [_ID, _JOB, _SCHEDULED, Column("FAILED"), Column("ATTEMPT", leaves=1), _ERROR]
    return _view_of_runs(runs, columns, now, zones, "no run has failed for good")


def upcoming_view(runs: Sequence[UpcomingRun], now: datetime, *, empty: str = "no run is left") -> View:
    """Returns the view of the upcoming runs of jobs."""
    has_groups = len({run.job.group for run in runs}) > 1
    columns = [
        Column("WHEN", is_whole=True),
        Column("IN", is_whole=True),
        _JOB,
        *([Column("GROUP", is_whole=True)] if has_groups else []),
    ]
    return View(
        document=lambda: [
            {"at": run.at.isoformat(), "job": run.job.name, "group": run.job.group} for run in runs
        ],
        names=[run.job.name for run in runs],
        columns=columns,
        rows=[texts_of(columns, upcoming_cells(run.at, run.job, now)) for run in runs],
        empty=empty,
    )


def versions_view(versions: Sequence[JobVersion], record: JobRecord) -> View:
    """Returns the view of the earlier definitions of a job.

    Args:
        versions: The earlier definitions, oldest first.
        record: The present record of the job.
    """
    jobs = [*(version.job for version in versions), record.job]
    return View(
        document=lambda: [version.model_dump(mode="json") for version in versions],
        names=[str(version.version) for version in versions],
        columns=[
            Column("VERSION", is_whole=True),
            Column("REPLACED AT", is_whole=True),
            Column("CHANGE TO THE NEXT VERSION", is_whole=True),
        ],
        rows=[
            (
                str(version.version),
                instant_text(version.replaced_at),
                str(ss.jobs.Change(before=before, after=after, version=version.version)),
            )
            for version, (before, after) in zip(versions, pairwise(jobs), strict=True)
        ],
        empty=f"job {record.name} was never changed: it is at version {record.version}",
    )


def repairs_view(repairs: Sequence[Repair]) -> View:
    """Returns the view of what ``repair`` found and did."""
    columns = [_JOB, Column("PROBLEM", is_whole=True), Column("DETAIL"), Column("REMEDY")]
    return View(
        document=lambda: [repair.model_dump(mode="json") for repair in repairs],
        names=[repair.job for repair in repairs],
        columns=columns,
        rows=[texts_of(columns, repair_cells(repair)) for repair in repairs],
        empty="no problem found",
    )
