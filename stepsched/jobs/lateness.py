"""How late runs started, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timezone as fixed_offset
from datetime import tzinfo

from stepsched.jobs.records import Run, RunStatus
from stepsched.pictures.lateness import Lateness, Point, State
from stepsched.schedules.zones import UTC, shared_zone

_STATES = {
    RunStatus.PENDING: State.WAITING,
    RunStatus.RUNNING: State.RUNNING,
    RunStatus.SUCCEEDED: State.SUCCEEDED,
    RunStatus.FAILED: State.FAILED,
    RunStatus.SKIPPED: State.SKIPPED,
    RunStatus.MISSED: State.MISSED,
}


def lateness_of(runs: Sequence[Run], timezone: str | tzinfo | None, *, most: int | None = None) -> Lateness:
    """Returns the picture of runs.

    A run that was started again counts from its scheduled instant to its latest start.

    Args:
        runs: The runs.
        timezone: The zone of the picture. None: UTC, or the offset that all runs have.
        most: The number of runs to draw; of more the latest. None: all.
    """
    total = len(runs)
    runs = runs if most is None else runs[-most:]
    notes = [] if len(runs) == total else [f"The latest {len(runs):,} of {total:,} runs."]
    if timezone is not None:
        zone: tzinfo = shared_zone((), timezone)
    else:
        offsets = {run.scheduled_for.utcoffset() for run in runs}
        offset = offsets.pop() if len(offsets) == 1 else None
        zone = fixed_offset(offset) if offset else UTC
    points = [
        Point(
            run.scheduled_for,
            run.started_at,
            _STATES[run.status],
            run.job,
            run.error or run.pending_reason or "",
        )
        for run in runs
    ]
    return Lateness(points, zone, notes)
