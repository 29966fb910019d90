"""A stored next instant of older zone rules: it stays until the job is paused and resumed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.testing import FakeClock

START = datetime(2030, 1, 1, tzinfo=timezone.utc)
NINE = START.replace(hour=9)


@pytest.mark.parametrize("schedule", [ss.OneTime("2030-01-01T09:00"), ss.Cron("0 9 * * ? *")], ids=str)
@pytest.mark.parametrize("hours", [1, -1])
def test_pause_and_resume_compute_the_next_instant_anew(
    tmp_path: Path, schedule: ss.Schedule, hours: int
) -> None:
    with ss.LocalBackend(tmp_path / "jobs.db", clock=FakeClock(START)) as backend:
        client = ss.SchedulerClient(backend)
        client.create(ss.Job(name="a", schedule=schedule, target=ss.CommandTarget(["true"])))
        old = timedelta(hours=hours)  # by which the older rules differed
        backend._store._db.execute(
            "UPDATE jobs SET next_run = next_run + ?", (old // timedelta(microseconds=1),)
        )
        assert client.get("a").next_run == NINE + old
        client.pause("a")
        assert client.resume("a").next_run == NINE
