"""Data frames of results: the same columns and types whatever is in them, and instants that are right."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pytest

import stepsched as ss
from stepsched.jobs.results import JobRecords

UTC = timezone.utc
PARIS = ZoneInfo("Europe/Paris")
NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
NINE = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
TOKYO = ss.Cron("0 9 * * ? *", timezone="Asia/Tokyo")
HOURLY = ss.Rate(every=timedelta(hours=1))


def client_of(*schedules: ss.Schedule) -> ss.SchedulerClient:
    client = ss.SchedulerClient(ss.LocalBackend(clock=ss.testing.FakeClock(NEW_YEAR)))
    target = ss.CommandTarget(["true"])
    client.create_many(
        ss.Job(name=f"job-{number}", schedule=schedule, target=target)
        for number, schedule in enumerate(schedules)
    )
    return client


def test_a_row_is_a_job_in_the_order_of_the_list() -> None:
    jobs = client_of(NINE, NINE, HOURLY).list()
    frame = jobs.to_pandas()
    assert list(frame["name"]) == [record.name for record in jobs]
    assert list(frame.index) == [0, 1, 2]
    assert isinstance(frame.index, pd.RangeIndex)
    assert frame["next_run"][0] == datetime(2030, 1, 1, 9, tzinfo=PARIS)
    assert list(frame["timezone"]) == ["Europe/Paris", "Europe/Paris", "UTC"]


def test_types_do_not_depend_on_the_rows() -> None:
    client = client_of(NINE)
    full, none = client.list().to_pandas(), client.list(status="ended").to_pandas(timezone="Europe/Paris")
    assert len(none) == 0
    assert dict(full.dtypes) == dict(none.dtypes)
    kinds = {name: str(kind) for name, kind in full.dtypes.items()}
    assert (kinds["name"], kinds["status"], kinds["version"]) == ("str", "category", "int64")
    assert kinds["next_run"] == kinds["last_run"] == "datetime64[us, Europe/Paris]"


@pytest.mark.parametrize(
    ("schedules", "zone"),
    [
        pytest.param([NINE, NINE], "Europe/Paris", id="one zone"),
        pytest.param([NINE, HOURLY], "Europe/Paris", id="one zone, and a rate that has none"),
        pytest.param([NINE, TOKYO], "UTC", id="two zones"),
        pytest.param([HOURLY], "UTC", id="none"),
    ],
)
def test_instants_are_in_the_zone_that_the_schedules_share(schedules: list[ss.Schedule], zone: str) -> None:
    client = client_of(*schedules)
    for frame in (client.list().to_pandas(), client.upcoming(limit=9).to_pandas()):
        at = frame["next_run" if "next_run" in frame else "at"]
        assert str(at.dt.tz) == zone
        assert str(at.dt.tz_convert("UTC")[0]) == str(pd.Timestamp(at[0]).tz_convert("UTC"))


def test_another_zone_may_be_asked_for() -> None:
    upcoming = client_of(NINE).upcoming(limit=2)
    frame = upcoming.to_pandas(timezone="America/New_York")
    assert str(frame["at"].dt.tz) == "America/New_York"
    assert list(frame["at"]) == [run.at for run in upcoming]
    with pytest.raises(ValueError, match="Mars/Olympus"):
        upcoming.to_pandas(timezone="Mars/Olympus")


def test_runs_can_be_counted_by_day_in_a_zone() -> None:
    client = client_of(HOURLY)
    week = client.upcoming(until=NEW_YEAR + timedelta(days=7)).to_pandas(timezone="Europe/Paris")
    assert list(week.groupby(week["at"].dt.date).size()) == [22, *[24] * 6, 2]


def test_what_is_missing_is_nothing_and_no_text() -> None:
    client = client_of(NINE)
    client.pause("job-0")
    (row,) = client.list().to_pandas().to_dict("records")
    assert pd.isna(row["next_run"])
    assert pd.isna(row["last_run"])
    assert pd.isna(row["pause_reason"])
    assert row["status"] == "paused"


def test_polars_reads_the_same_columns() -> None:
    jobs = client_of(NINE, HOURLY).list()
    frame = pl.from_dataframe(jobs)
    assert frame.columns == list(jobs.to_pandas().columns)
    assert frame.schema["next_run"] == pl.Datetime("us", "Europe/Paris")
    assert frame["next_run"].to_list() == [record.next_run for record in jobs]
    assert frame["status"].to_list() == ["active", "active"]
    assert pl.from_dataframe(JobRecords()).schema.names() == frame.columns


@pytest.mark.parametrize("year", [1, 1600, 2262, 2300, 9999])
def test_every_date_of_python_fits(year: int) -> None:
    moment = datetime(year, 1, 3, 12, tzinfo=UTC)
    record = client_of(NINE).get("job-0").replace(created_at=moment)
    frame = JobRecords([record]).to_pandas()
    assert frame["created_at"][0].tz_convert("UTC").to_pydatetime() == moment
    assert pl.from_dataframe(JobRecords([record]))["created_at"].to_list() == [moment]


def test_what_utf_8_cannot_hold_becomes_an_escape() -> None:
    record = client_of(NINE).get("job-0").replace(pause_reason="caf\xe9 \udc80")
    assert JobRecords([record]).to_pandas()["pause_reason"][0] == "caf\xe9 \\udc80"
    assert pl.from_dataframe(JobRecords([record]))["pause_reason"].to_list() == ["caf\xe9 \\udc80"]


def test_runs_of_a_schedule_and_timelines_are_frames() -> None:
    runs = NINE.upcoming(3, after=NEW_YEAR)
    assert list(runs.to_pandas()["run"]) == list(runs)
    assert str(runs.to_pandas()["run"].dt.tz) == "Europe/Paris"
    merged = ss.timeline([NINE, TOKYO], after=NEW_YEAR, until=NEW_YEAR + timedelta(days=2))
    frame = merged.to_pandas()
    assert list(frame["scheduled_for"]) == [run.scheduled_for for run in merged]
    assert list(frame["position"]) == [0, 1, 0, 1]
    with pytest.raises(ValueError, match="expected an end of the runs"):
        ss.timeline([NINE], after=NEW_YEAR).to_pandas()


def test_runs_are_rows_with_delay_and_duration() -> None:
    client = client_of(NINE)
    client.backend.run_until(NEW_YEAR + timedelta(days=2))  # type: ignore[attr-defined]
    frame = client.runs().to_pandas(timezone="Europe/Paris")
    assert [str(frame[name].dtype) for name in ("delay", "duration", "attempt", "restarted")] == [
        "timedelta64[us]",
        "timedelta64[us]",
        "int64",
        "bool",
    ]
    assert list(frame["scheduled_for"].dt.hour) == [9, 9]
    assert (frame["ended_at"] - frame["started_at"] == frame["duration"]).all()


# -- the index of a schedule ----------------------------------------------------------------------------


def walls(zone: ZoneInfo, since: datetime, until: datetime, minutes: int) -> list[datetime]:
    """Every wall time on a grid that exists in a zone, its first pass only, from a walk in UTC."""
    found, seen, at = [], set(), since
    while at <= until:
        wall = at.astimezone(zone).replace(tzinfo=None, fold=0)
        if wall.minute % minutes == 0 and wall.second == 0 and wall not in seen:
            seen.add(wall)
            found.append(at.astimezone(zone))
        at += timedelta(minutes=1)
    return found


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        pytest.param("Europe/Paris", datetime(2030, 3, 31), id="a gap"),
        pytest.param("Europe/Paris", datetime(2030, 10, 27), id="a fold"),
        pytest.param("Australia/Lord_Howe", datetime(2030, 4, 7), id="a fold of half an hour"),
        pytest.param("America/New_York", datetime(2030, 11, 3), id="a fold in the west"),
    ],
)
def test_an_index_is_right_over_a_clock_change(zone: str, day: datetime) -> None:
    schedule = ss.Cron("0/30 * * * ? *", timezone=zone)
    info = ZoneInfo(zone)
    after = (day - timedelta(hours=6)).replace(tzinfo=info).astimezone(UTC)
    until = (day + timedelta(hours=30)).replace(tzinfo=info).astimezone(UTC)
    index = schedule.to_index(after=after, until=until)
    expected = walls(info, after + timedelta(minutes=1), until, 30)
    assert [each.isoformat() for each in index] == [each.isoformat() for each in expected]
    assert (str(index.tz), index.freq, index.name, str(index.dtype)) == (
        zone,
        None,
        "run",
        f"datetime64[us, {zone}]",
    )


def test_both_passes_of_a_repeated_hour_are_told_apart() -> None:
    grid = ss.Windowed(start="2030-10-27T00:00", every=ss.Frequency(minutes=30), timezone="Europe/Paris")
    after = datetime(2030, 10, 26, 23, 59, tzinfo=UTC)
    index = grid.to_index(after=after, until=after + timedelta(hours=2, minutes=1))
    assert [each.isoformat()[11:] for each in index] == [
        "02:00:00+02:00",
        "02:30:00+02:00",
        "02:00:00+01:00",
        "02:30:00+01:00",
        "03:00:00+01:00",
    ]
    assert [each.fold for each in index] == [0, 0, 1, 1, 0]
    assert {later - earlier for earlier, later in pairwise(index)} == {timedelta(minutes=30)}


def test_an_index_may_be_empty_and_must_end() -> None:
    index = NINE.to_index(after=NEW_YEAR, until=NEW_YEAR)
    assert (len(index), str(index.dtype)) == (0, "datetime64[us, Europe/Paris]")
    with pytest.raises(TypeError, match="expected an aware datetime for until, got NoneType"):
        NINE.to_index(after=NEW_YEAR, until=None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="until is naive"):
        NINE.to_index(until=datetime(2031, 1, 1))


def test_a_hundred_thousand_runs_are_a_frame() -> None:
    runs = client_of(ss.Rate(every=timedelta(minutes=1))).upcoming(limit=100_000)
    frame = runs.to_pandas()
    assert len(frame) == 100_000
    assert frame["at"].diff().dropna().unique().tolist() == [timedelta(minutes=1)]
