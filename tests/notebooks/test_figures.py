"""Figures by matplotlib: native axes, with the numbers of the pictures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes
from matplotlib.dates import num2date

import stepsched as ss
from stepsched.jobs.records import JobRecord, JobStatus
from stepsched.jobs.results import Runs
from stepsched.jobs.upcoming import Upcoming

UTC = timezone.utc
NOW = datetime(2030, 3, 27, 9, 40, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PARIS = "Europe/Paris"
HOSTILE = r"$\undefined{x$ <script> $"
TARGET = ss.CommandTarget(["true"])


@pytest.fixture(autouse=True, params=["default", "dark_background"])
def canvas(request: pytest.FixtureRequest) -> Iterator[None]:
    """A canvas without a window, in a light and in a dark style."""
    mpl.use("agg")
    with plt.style.context(request.param):
        yield
    plt.close("all")


def client_of(*schedules: ss.Schedule) -> ss.SchedulerClient:
    client = ss.SchedulerClient(ss.LocalBackend(clock=ss.testing.FakeClock(NOW)))
    client.create_many(
        ss.Job(name=f"{HOSTILE} {number}", schedule=schedule, target=TARGET)
        for number, schedule in enumerate(schedules)
    )
    return client


def run_of(number: int, status: ss.RunStatus, late: float | None) -> ss.Run:
    at = NOW + number * HOUR
    started = None if late is None else at + timedelta(seconds=late)
    return ss.Run(id=number, job=HOSTILE, scheduled_for=at, status=status, started_at=started)


def record_of(schedule: ss.Schedule, number: int, now: datetime) -> JobRecord:
    job = ss.Job(name=f"job-{number}", schedule=schedule, target=TARGET)
    stored = {"status": JobStatus.ACTIVE, "version": 1, "created_at": now, "updated_at": now}
    return JobRecord(job=job, next_run=schedule.next_run(after=now), **stored)


def drawn(ax: Axes) -> Axes:
    """Draws the figure: whatever warns is an error."""
    ax.figure.canvas.draw()
    return ax


def texts(ax: Axes) -> list[str]:
    return [label.get_text() for label in [*ax.get_xticklabels(), *ax.get_yticklabels()]]


def test_lanes_have_a_line_at_each_run_and_the_names_as_they_are() -> None:
    daily = ss.Cron("0 9 * * ? *", timezone=PARIS)
    upcoming = client_of(daily, ss.Rate(HOUR)).upcoming(until=NOW + 7 * DAY)
    ax = drawn(upcoming.plot())
    first, second = ax.collections
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"{HOSTILE} 0", f"{HOSTILE} 1"]
    at = [num2date(segment[0][0]) for segment in first.get_segments()]
    assert [each.replace(microsecond=0) for each in at] == daily.upcoming(7, after=NOW)
    assert len(second.get_segments()) == 7 * 24
    assert "Europe/Paris (+01:00 to +02:00)" in ax.get_xlabel()
    assert {"now", "clock +1 h"} == {text.get_text() for text in ax.get_legend().get_texts()}


def test_hours_of_many_jobs_are_cells_with_their_numbers() -> None:
    schedules = [ss.Cron(f"{number % 60} 9 ? * * *") for number in range(90)]
    ax = drawn(client_of(*schedules).upcoming(until=NOW + 2 * DAY).plot())
    (image,) = ax.images
    assert image.get_array().shape == (3, 24)
    assert image.get_array()[1, 9] == 90
    assert "90" in {text.get_text() for text in ax.texts}


def test_a_year_has_a_cell_for_each_day_in_its_weekday() -> None:
    ax = drawn(ss.Cron("0 8-18 ? * MON *", timezone=PARIS).plot(2030))
    (mesh,) = ax.collections
    rows = mesh.get_array().reshape(7, -1)
    assert rows[0].sum() == 52 * 11
    assert not rows[1:].sum()
    assert [label.get_text() for label in ax.get_xticklabels()][:3] == ["Jan", "Feb", "Mar"]
    job = ss.Job(name=HOSTILE, schedule=ss.Rate(HOUR), target=TARGET)
    assert drawn(job.plot(year=2030)).get_title(loc="left").startswith(HOSTILE)


def test_load_has_the_peaks_the_busiest_minutes_and_a_near_quota() -> None:
    target = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f")
    nine = ss.Cron("0 9 * * ? *")
    jobs = [ss.Job(name=f"job-{number}", schedule=nine, target=target) for number in range(50)]
    quotas = ss.estimates.QUOTAS.replace(invocations_per_second=1)
    ax = drawn(ss.estimate(jobs, NOW, NOW + 7 * DAY, quotas=quotas).plot(timezone=PARIS))
    assert ax.get_ylim()[1] >= 60
    labels = {text.get_text() for text in ax.get_legend().get_texts()}
    assert {"busiest minutes", "quota invocations_per_second", "average of its minutes"} <= labels
    (peaks,) = (line for line in ax.lines if line.get_marker() == "v")
    assert list(peaks.get_ydata()) == [50] * 7


def test_late_failed_and_missed_runs_have_markers_of_their_own() -> None:
    states = [
        (ss.RunStatus.SUCCEEDED, 0.2), (ss.RunStatus.SUCCEEDED, 60.0), (ss.RunStatus.FAILED, 10.0),
        (ss.RunStatus.MISSED, None), (ss.RunStatus.SKIPPED, None), (ss.RunStatus.PENDING, None),
        (ss.RunStatus.RUNNING, 1.0),
    ]  # fmt: skip
    runs = Runs(run_of(number, status, late) for number, (status, late) in enumerate(states))
    ax = drawn(runs.plot(timezone=PARIS))
    assert ax.get_yscale() == "log"
    assert {"≤ 1 s late", "10 s", "1 min", "not started"} <= set(texts(ax))
    seen = {points.get_label(): [y for _, y in points.get_offsets()] for points in ax.collections}
    assert seen["2 succeeded"] == [1, 60]
    assert seen["1 failed"] == [10]
    assert seen["1 missed"] == seen["1 skipped"] == seen["1 waiting"] == [0.4]


@pytest.mark.parametrize("count", [0, 1, 5_000])
def test_any_number_of_runs_is_drawn(count: int) -> None:
    drawn(Runs(run_of(number, ss.RunStatus.SUCCEEDED, number % 90) for number in range(count)).plot())


def test_given_axes_are_used_and_returned() -> None:
    _, (left, right) = plt.subplots(1, 2)
    upcoming = client_of(ss.Rate(HOUR)).upcoming(limit=3)
    assert upcoming.plot(left) is left
    assert ss.Rate(HOUR).plot(2030, ax=right) is right
    assert plt.get_fignums() == [1]


def test_drawing_svg_does_not_import_matplotlib() -> None:
    code = (
        "import sys, stepsched as ss; ss.Cron('0 9 * * ? *').to_svg(); assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("count", [1, 61], ids=["lanes", "many"])
@pytest.mark.parametrize("days", [1, 100])
def test_a_clock_change_at_midnight_is_drawn(days: int, count: int) -> None:
    santiago = "America/Santiago"
    end = datetime(2030, 9, 7, 18, tzinfo=ZoneInfo(santiago))
    records = [
        record_of(ss.Cron("0 9 * * ? *", timezone=santiago), number, end - days * DAY)
        for number in range(count)
    ]
    for until in (end, end + DAY):
        drawn(Upcoming(records, after=end - days * DAY, until=until, limit=None).plot())
    drawn(records[0].job.plot(year=2030))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_the_ends_of_the_calendar_are_drawn(zone: str) -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    for now in (first, NOW, last - 30 * DAY):
        never = record_of(ss.OneTime(at=last.replace(microsecond=0)), 1, now)
        drawn(Upcoming([never], after=now, until=None, limit=10).plot(timezone=zone))
    runs = [
        ss.Run(id=number, job="job", scheduled_for=at, status=ss.RunStatus.SUCCEEDED, started_at=at)
        for number, at in enumerate((first, last))
    ]
    drawn(Runs(runs).plot(timezone=zone))


@pytest.mark.parametrize(
    "given", [2030, True, "ax", plt, object(), plt.figure, [1]], ids=lambda given: type(given).__name__
)
def test_only_axes_are_drawn_on(given: object) -> None:
    with pytest.raises(TypeError, match=r"expected the Axes of matplotlib for ax, got .*; use plt.subplots"):
        ss.Cron("0 9 * * ? *").plot(ax=given)


def test_a_job_without_a_run_has_a_lane_without_marks() -> None:
    records = [record_of(ss.Cron("0 9 * * ? *"), 1, NOW), record_of(ss.Cron("0 9 1 1 ? 2040"), 2, NOW)]
    axes = Upcoming(records, after=NOW, until=NOW + DAY, limit=None).plot()
    drawn(axes)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["job-1", "job-2"]
