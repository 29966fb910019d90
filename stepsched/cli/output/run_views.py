"""Results about runs as tables, JSON and names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import stepsched as ss
from stepsched.cli.output.tables import Column
from stepsched.cli.output.times import distance_text, instant_text, length_text, zoned
from stepsched.cli.output.views import View

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
    return View(
        document=lambda: [run.model_dump(mode="json") for run in runs],
        names=[str(run.id) for run in runs],
        columns=[
            _ID,
            _JOB,
            Column("STATUS", is_whole=True),
            _SCHEDULED,
            Column("STARTED", least=len("after 5 min 10 s"), leaves=1),
            Column("TOOK", least=len("59 min …")),
            Column("ATTEMPT", leaves=2),
            Column("TRIGGER", leaves=3),
            _ERROR,
        ],
        rows=[_cells(run, now, zones) for run in runs],
        empty=empty,
    )


def run_view(run: Run, now: datetime, zones: Mapping[str, str | None]) -> View:
    """Returns the view of one run. Its JSON is the run itself, not a list."""
    view = runs_view([run], now, zones)
    return View(
        document=lambda: run.model_dump(mode="json"), names=view.names, columns=view.columns, rows=view.rows
    )


def _cells(run: Run, now: datetime, zones: Mapping[str, str | None]) -> tuple[str, ...]:
    return (
        str(run.id),
        run.job,
        run.status.value,
        instant_text(zoned(run.scheduled_for, zones.get(run.job))),
        _delay_text(run),
        took_text(run, now),
        str(run.attempt),
        run.trigger.value,
        run.error or run.pending_reason or "-",
    )


def _delay_text(run: Run) -> str:
    """Returns how long after its scheduled instant the latest attempt of a run started; ``-`` if none has."""
    if run.started_at is None:
        return "-"
    delay = run.started_at - run.scheduled_for
    return f"after {length_text(delay)}" if delay.total_seconds() >= 1 else "on time"


def took_text(run: Run, now: datetime) -> str:
    """Returns how long the latest attempt of a run took, or has taken so far; ``-`` if it has not started."""
    if run.started_at is None or (run.ended_at is None and run.status is not ss.RunStatus.RUNNING):
        return "-"
    length = (run.ended_at or now) - run.started_at
    return length_text(length) if length.total_seconds() >= 1 else f"{length.total_seconds() * 1000:.0f} ms"


def dead_letters_view(runs: Sequence[Run], now: datetime, zones: Mapping[str, str | None]) -> View:
    """Returns the view of the runs that have failed for good."""
    return View(
        document=lambda: [run.model_dump(mode="json") for run in runs],
        names=[str(run.id) for run in runs],
        columns=[_ID, _JOB, _SCHEDULED, Column("FAILED"), Column("ATTEMPT", leaves=1), _ERROR],
        rows=[
            (
                str(run.id),
                run.job,
                instant_text(zoned(run.scheduled_for, zones.get(run.job))),
                distance_text(run.ended_at, now),
                str(run.attempt),
                run.error or "-",
            )
            for run in runs
        ],
        empty="no run has failed for good",
    )


def upcoming_view(runs: Sequence[UpcomingRun], now: datetime, *, empty: str = "no run is left") -> View:
    """Returns the view of the upcoming runs of jobs."""
    has_groups = len({run.job.group for run in runs}) > 1
    return View(
        document=lambda: [
            {"at": run.at.isoformat(), "job": run.job.name, "group": run.job.group} for run in runs
        ],
        names=[run.job.name for run in runs],
        columns=[
            Column("WHEN", is_whole=True),
            Column("IN", is_whole=True),
            _JOB,
            *([Column("GROUP", is_whole=True)] if has_groups else []),
        ],
        rows=[
            (
                f"{run.at:%a} {instant_text(zoned(run.at, getattr(run.job.schedule, 'timezone', None)))}",
                distance_text(run.at, now),
                run.job.name,
                *([run.job.group] if has_groups else []),
            )
            for run in runs
        ],
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
    return View(
        document=lambda: [repair.model_dump(mode="json") for repair in repairs],
        names=[repair.job for repair in repairs],
        columns=[_JOB, Column("PROBLEM", is_whole=True), Column("DETAIL"), Column("REMEDY")],
        rows=[(repair.job, repair.problem.value, repair.detail, repair.remedy) for repair in repairs],
        empty="no problem found",
    )
