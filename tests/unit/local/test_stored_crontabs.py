"""Jobs of a file with crontab lines that are refused now run on as they did when they were stored."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import stepsched as ss
from stepsched.testing import FakeClock

START = datetime(2025, 1, 4, tzinfo=timezone.utc)  # a Saturday


def test_a_stored_line_that_is_refused_now_runs_on(tmp_path: Path) -> None:
    backend = ss.LocalBackend(tmp_path / "jobs.db", clock=FakeClock(START))
    client = ss.SchedulerClient(backend)
    schedule = ss.Cron.from_crontab("0 0 1-31/2 * 1")
    client.create(ss.Job(name="old", schedule=schedule, target=ss.CommandTarget(["true"])))
    backend._store._db.execute("UPDATE jobs SET document = replace(document, '1-31/2', '*/2')")
    backend.close()

    backend = ss.LocalBackend(tmp_path / "jobs.db", clock=FakeClock(START))
    client = ss.SchedulerClient(backend)
    record = client.get("old")
    assert record.job.schedule.expression is None
    assert "*/2" in record.job.schedule.model_dump_json()
    backend.run_until(START + timedelta(days=4))
    assert [f"{run.scheduled_for:%a %d}" for run in client.runs("old")] == [
        "Sun 05",
        "Mon 06",
        "Tue 07",
    ]
    client.pause("old")
    client.resume("old")
    client.update(record.job.replace(description="changed"))
    assert client.get("old").job.schedule == record.job.schedule
    backend.close()
