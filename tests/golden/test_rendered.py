"""Rendered machines, byte for byte, so that a change of what people deploy is seen and meant.

After a change that is meant, ``python -m tests.golden.test_rendered`` writes the files anew; the difference
belongs into the commit. Their schedules are in zones that never change, so no zone database has a say.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.machines.single import render_asl
from tests.unit.asl.render.jobs import HOUR, LAMBDA, NEW_YEAR, QUEUE, TARGETS, TOPIC, job

FOLDER = Path(__file__).parent
JOBS = {
    "hourly_lambda": job(input={"a": "{% b %}"}),
    "one_time_report": job(
        TARGETS["task on fargate"][0], input=TARGETS["task on fargate"][1], schedule=ss.OneTime(NEW_YEAR)
    ),
    "month_end_in_india": job(
        TARGETS["machine"][0],
        schedule=ss.Windowed("2030-01-31T09:00", every=ss.Frequency(months=1), timezone="Asia/Kolkata"),
        overlap=ss.Overlap.QUEUE,
        catch_up=ss.CatchUp.SKIP,
    ),
    "weekdays_with_everything": job(
        ss.LambdaTarget(LAMBDA),
        schedule=ss.Cron("30 9 ? * MON-FRI *", timezone="Asia/Tokyo", start=NEW_YEAR),
        overlap=ss.Overlap.SKIP,
        catch_up=ss.CatchUp.ONE,
        on_failure=ss.OnFailure.STOP,
        retry=ss.Retry(max_attempts=5, max_delay=timedelta(minutes=5)),
        max_run_time=HOUR,
        jitter=timedelta(minutes=1),
        dead_letter=ss.QueueTarget(QUEUE),
        notify=ss.TopicTarget(TOPIC),
        description="Everything that a job can say",
    ),
    "last_friday_side_by_side": job(
        TARGETS["parallel"][0],
        input={"a": [1]},
        schedule=ss.Cron("0 18 ? * 6L *", end=NEW_YEAR.replace(year=2031)),
    ),
}


def _file(name: str) -> Path:
    return FOLDER / f"{name}.asl.json"


@pytest.mark.parametrize("name", JOBS)
def test_a_job_is_rendered_as_before(name: str) -> None:
    assert render_asl(JOBS[name]).to_json() + "\n" == _file(name).read_text("utf-8")


def test_every_file_is_of_a_job() -> None:
    assert {path.name for path in FOLDER.glob("*.asl.json")} == {_file(name).name for name in JOBS}


def _renew() -> None:
    for name, each in JOBS.items():
        _file(name).write_text(render_asl(each).to_json() + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    _renew()
