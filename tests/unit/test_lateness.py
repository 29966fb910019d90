"""The picture of runs: of which ones, in which zone."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

import stepsched as ss
from stepsched.jobs.lateness import lateness_of
from stepsched.jobs.results import Runs
from stepsched.pictures.lateness import State
from tests.unit.pictures.drawn import read, tooltips, written

UTC = timezone.utc
MONDAY = datetime(2030, 1, 7, 9, tzinfo=ZoneInfo("Europe/Paris"))


def run(number: int, status: ss.RunStatus = ss.RunStatus.SUCCEEDED, zone: str = "Europe/Paris") -> ss.Run:
    at = (MONDAY + timedelta(hours=number)).astimezone(ZoneInfo(zone))
    started = at + timedelta(seconds=90)
    return ss.Run(
        id=number, job="export", scheduled_for=at, status=status, started_at=started, error="no bucket"
    )


def test_every_status_has_a_state_of_its_own() -> None:
    points = lateness_of([run(number, status) for number, status in enumerate(ss.RunStatus)], None).points
    assert {point.state for point in points} == set(State)


def test_lateness_is_from_the_scheduled_instant_to_the_latest_start() -> None:
    (point,) = lateness_of([run(1)], None).points
    assert point.late == 90


@pytest.mark.parametrize(
    ("zones", "wanted", "shown"),
    [
        (["Europe/Paris"], None, "UTC+01:00"),
        (["Europe/Paris", "Asia/Tokyo"], None, "UTC"),
        (["UTC"], None, "UTC"),
        (["UTC"], "Asia/Tokyo", "Asia/Tokyo"),
    ],
)
def test_the_zone_is_the_one_asked_for_or_the_offset_of_all(
    zones: list[str], wanted: str | None, shown: str
) -> None:
    runs = [run(number, zone=zone) for number, zone in enumerate(zones)]
    assert str(lateness_of(runs, wanted).zone) == shown


def test_a_file_has_all_runs_and_a_notebook_the_latest() -> None:
    runs = Runs(run(number) for number in range(1_200))
    assert written(read(runs.to_svg()))[0] == "1,200 runs: how late they started"
    shown = runs.to_html()
    assert "The latest 1,000 of 1,200 runs." in shown
    assert "<svg" not in Runs([run(1)]).to_html()


def test_why_a_run_failed_is_in_its_tooltip() -> None:
    found = tooltips(read(Runs([run(1, ss.RunStatus.FAILED), run(2)]).to_svg(timezone="Europe/Paris")))
    assert "export, Mon 7 Jan 2030 10:00 +01:00\nfailed, started 1 min 30 s late\nno bucket" in found


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="Europe/Pari"):
        Runs([run(1)]).to_svg(timezone="Europe/Pari")
