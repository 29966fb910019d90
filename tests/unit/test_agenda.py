"""Pictures of upcoming runs: what they count is what iteration yields."""

from __future__ import annotations

import tracemalloc
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

import stepsched as ss
from stepsched.jobs import agenda
from stepsched.jobs.agenda import Agenda
from stepsched.jobs.records import JobRecord, JobStatus
from stepsched.jobs.upcoming import Upcoming
from stepsched.pictures.heat import Heat
from stepsched.pictures.lanes import MOST_LANES, Lanes
from stepsched.pictures.months import Months
from stepsched.schedules import Schedule
from tests.unit.pictures.drawn import HOSTILE, read, written

UTC = timezone.utc
NOW = datetime(2030, 3, 27, 9, 40, tzinfo=UTC)
"""Four days before the clocks in Paris change."""
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
TARGET = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f")


def record(name: str, schedule: Schedule, *, next_run: datetime | None = None) -> JobRecord:
    job = ss.Job(name=name, schedule=schedule, target=TARGET)
    return JobRecord(
        job=job,
        status=JobStatus.ACTIVE,
        version=1,
        created_at=NOW,
        updated_at=NOW,
        next_run=next_run or job.anchored(NOW).next_run(after=NOW),
    )


def mixed_records(count: int, zone: str = "Europe/Paris") -> list[JobRecord]:
    """Returns jobs of all kinds: crons over the change of clocks, rates with and without start, months."""
    kinds = (
        lambda number: ss.Cron(f"{number % 60} {number % 24} * * ? *", timezone=zone),
        lambda number: ss.Cron(f"*/{number % 29 + 7} 0-3 ? * SUN,MON *", timezone=zone),
        lambda number: ss.Rate(timedelta(minutes=number % 90 + 20)),
        lambda number: ss.Rate(timedelta(minutes=47), start=NOW + number * MINUTE),
        lambda number: ss.Windowed(start="2030-03-27T12:30", every=ss.Frequency(days=1), timezone=zone),
        lambda number: ss.OneTime(at="2030-03-31T03:30", timezone=zone),
    )
    return [record(f"job-{number:04}", kinds[number % len(kinds)](number)) for number in range(count)]


def upcoming(records: list[JobRecord], *, days: float | None = None, limit: int | None = None) -> Upcoming:
    until = None if days is None else NOW + days * DAY
    return Upcoming(records, after=NOW, until=until, limit=limit)


def seen(found: Upcoming, timezone: str | None = None) -> Agenda:
    drawn = found._drawing(timezone)
    read(drawn.to_svg())
    return drawn


@pytest.mark.parametrize("limit", [None, 1_000], ids=["until", "limit"])
def test_hours_count_what_iteration_yields_over_a_clock_change(limit: int | None) -> None:
    found = upcoming(mixed_records(200), days=7, limit=limit)
    drawn = seen(found)
    assert isinstance(drawn, Heat)
    walls = [run.at.astimezone(ZoneInfo("Europe/Paris")) for run in found]
    hours = Counter((wall.date(), wall.hour) for wall in walls)
    minutes = Counter(run.at.astimezone(UTC).replace(second=0, microsecond=0) for run in found)
    assert {at: hour.runs for at, hour in drawn.hours.items()} == hours
    assert max(hour.busiest for hour in drawn.hours.values()) == max(minutes.values())
    assert drawn.jobs == len({run.job.name for run in found})


def test_days_count_what_iteration_yields_over_half_a_year() -> None:
    found = upcoming(mixed_records(70), days=180)
    drawn = seen(found)
    assert isinstance(drawn, Months)
    days = Counter(run.at.astimezone(ZoneInfo("Europe/Paris")).date() for run in found)
    assert {day: each.runs for day, each in drawn.runs.items()} == days
    assert (drawn.months[0], drawn.months[-1]) == (date(2030, 3, 1), date(2030, 9, 1))


@pytest.mark.parametrize("days", [1, 7, 31, 400])
def test_lanes_count_what_iteration_yields(days: int) -> None:
    found = upcoming(mixed_records(12), days=days)
    drawn = seen(found)
    assert isinstance(drawn, Lanes)
    by_job = defaultdict[str, set[datetime]](set)
    for run in found:
        by_job[run.job.name].add(run.at)
    assert {lane.name: lane.runs for lane in drawn.lanes} == {
        lane.name: len(by_job[lane.name]) for lane in drawn.lanes
    }
    assert all(set(lane.marks) <= by_job[lane.name] for lane in drawn.lanes)


def test_the_marks_of_a_dense_lane_leave_no_gap() -> None:
    drawn = seen(upcoming([record("often", ss.Cron("* * * * ? *"))], days=30))
    assert isinstance(drawn, Lanes)
    (lane,) = drawn.lanes
    assert (lane.runs, len(lane.marks) < 500) == (30 * 1_440, True)
    ends = [NOW, *lane.marks, NOW + 30 * DAY]
    assert max(later - earlier for earlier, later in pairwise(ends)) < 3 * 30 * DAY / 360


@pytest.mark.parametrize("count", [1, 12, MOST_LANES + 1], ids=["dense lane", "lanes", "hours"])
def test_a_run_that_the_backend_has_put_off_is_not_shown(count: int) -> None:
    late = record("late", ss.Cron("*/10 * * * ? *"), next_run=NOW + 3 * DAY + 20 * MINUTE)
    others = [record(f"other-{number}", ss.Cron("0 0 * * ? *")) for number in range(count - 1)]
    found = upcoming([late, *others], days=8)
    drawn = seen(found)
    total = sum(1 for _ in found)
    if isinstance(drawn, Lanes):
        assert sum(lane.runs for lane in drawn.lanes) == total
        assert (
            min(mark for lane in drawn.lanes if lane.name == "late" for mark in lane.marks) == late.next_run
        )
    else:
        assert isinstance(drawn, Heat)
        assert sum(hour.runs for hour in drawn.hours.values()) == total


def test_the_zone_is_that_of_the_schedules_if_they_agree() -> None:
    paris, tokyo = (
        record(zone, ss.Cron("0 9 * * ? *", timezone=zone)) for zone in ("Europe/Paris", "Asia/Tokyo")
    )
    rate = record("rate", ss.Rate(HOUR))
    assert str(seen(upcoming([paris, rate], days=1)).zone) == "Europe/Paris"
    assert seen(upcoming([paris, tokyo], days=1)).zone is UTC
    assert seen(upcoming([rate], days=1)).zone is UTC
    assert "Asia/Tokyo (+09:00)" in upcoming([paris], days=1).to_svg(timezone="Asia/Tokyo")
    with pytest.raises(ValueError, match="Asia/Tokio"):
        upcoming([paris], days=1).to_svg(timezone="Asia/Tokio")


def test_jobs_without_runs_have_no_lane_if_there_are_many() -> None:
    records = [*mixed_records(5), *(record(f"idle-{n}", ss.Cron("0 9 1 1 ? *")) for n in range(1_000))]
    drawn = seen(upcoming(records, days=4))
    assert isinstance(drawn, Lanes)
    assert len(drawn.lanes) == 5
    assert "1,000 jobs have none of these runs." in drawn.notes


def test_more_work_than_a_person_waits_for_is_cut_and_says_so() -> None:
    records = [record(f"job-{number}", ss.Cron(f"{number % 60} * * * ? *")) for number in range(70)]
    asked = agenda.Asked(records, NOW, None, UTC, most=5_000)
    drawn = agenda.agenda_until(asked, NOW + 31 * DAY)
    assert isinstance(drawn, Heat)
    assert drawn.notes == ["Only the first 3 days of 31 are shown."]
    assert 3 * DAY <= drawn.until - NOW < 4 * DAY
    assert sum(hour.runs for hour in drawn.hours.values()) == pytest.approx(5_000 * 70 / 60, rel=0.1)


def test_of_many_runs_without_an_end_the_first_are_shown() -> None:
    found = upcoming([record("often", ss.Cron("* * * * ? *"))], limit=10**9)
    drawn = seen(found)
    assert isinstance(drawn, Lanes)
    assert drawn.notes == ["Only the first 100,000 runs are shown."]
    assert drawn.lanes[0].runs == 100_000


def test_ten_years_of_many_jobs_end_after_a_year() -> None:
    records = [record(f"job-{number}", ss.Cron("0 9 1 * ? *")) for number in range(70)]
    drawn = seen(upcoming(records, days=3_650))
    assert isinstance(drawn, Months)
    assert len(drawn.months) == 12
    assert "Only the first" in drawn.notes[-1]


@pytest.mark.parametrize(
    ("far", "limit", "days"),
    [
        pytest.param("2900-01-01T00:00Z", 100, None, id="limit"),
        pytest.param("2031-06-01T00:00Z", 100, None, id="limit, after a year"),
        pytest.param("2900-01-01T00:00Z", None, 400_000, id="until"),
    ],
)
def test_a_calendar_of_many_jobs_ends_after_a_year_and_counts_what_it_shows(
    far: str, limit: int | None, days: int | None
) -> None:
    dates = ["2030-06-01"] * MOST_LANES + ["2031-02-28"]
    near = [record(f"job-{n:02}", ss.OneTime(at=f"{each}T00:00Z")) for n, each in enumerate(dates)]
    found = upcoming([*near, record("far", ss.OneTime(at=far))], limit=limit, days=days)
    tracemalloc.start()
    drawn = seen(found)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(drawn, Months)
    assert (drawn.title, len(drawn.months)) == ("Runs of 61 jobs", 12)
    assert sum(each.runs for each in drawn.runs.values()) == 61
    assert drawn.notes[-1] == "1 job has none of these runs."
    wanted = "Only the first 61 runs are shown." if days is None else "Only the first 338 days of 400,000 are"
    assert drawn.notes[-2].startswith(wanted)
    assert most < 20_000_000


def test_few_jobs_have_lanes_however_far_ahead_their_runs_are() -> None:
    yearly = ss.Windowed(start="2030-06-01T00:00", every=ss.Frequency(years=1), timezone="Europe/Paris")
    records = [record(f"job-{number}", yearly) for number in range(3)]
    drawn = seen(upcoming([*records, record("far", ss.OneTime(at="2900-01-01T00:00Z"))], limit=3_010))
    assert isinstance(drawn, Lanes)
    assert [lane.runs for lane in drawn.lanes] == [1, 1_003, 1_003, 1_003]
    assert drawn.notes == []


@pytest.mark.parametrize(("until", "rows"), [("2030-09-07T18:00", 3), ("2030-09-08T12:00", 4)])
def test_hours_up_to_a_clock_change_at_midnight(until: str, rows: int) -> None:
    zone = ZoneInfo("America/Santiago")
    end = datetime.fromisoformat(until).replace(tzinfo=zone)
    cron = ss.Cron("0/30 * * * ? *", timezone="America/Santiago")
    records = [record(f"job-{number:02}", cron) for number in range(MOST_LANES + 1)]
    drawn = seen(Upcoming(records, after=end - (rows - 1) * DAY, until=end, limit=None))
    assert isinstance(drawn, Heat)
    assert {day.day for day, _ in drawn.hours} == {5, 6, 7, 8} if rows == 4 else {5, 6, 7}


@pytest.mark.parametrize("count", [1, MOST_LANES + 1], ids=["lanes", "many"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize(
    "now",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9990, 5, 1, tzinfo=UTC),
        datetime(9999, 12, 20, tzinfo=UTC),
        datetime(9999, 12, 31, 12, tzinfo=UTC),
    ],
    ids=str,
)
def test_the_ends_of_the_calendar_are_drawn(now: datetime, zone: str, count: int) -> None:
    schedules = (
        ss.Cron("*/30 * * * ? *", timezone=zone),
        ss.Rate(timedelta(minutes=40)),
        ss.OneTime(at="9999-12-31T20:30Z"),
    )
    last = datetime.max.replace(tzinfo=UTC)
    for schedule in schedules:
        records = [record(f"job-{n}", schedule, next_run=schedule_run(schedule, now)) for n in range(count)]
        for until, limit in ((last, None), (min(last - DAY, now) + DAY, None), (None, 100)):
            found = Upcoming(records, after=now, until=until, limit=limit)
            for drawn in (found._drawing(zone), found._drawing(None)):
                read(drawn.to_svg())
                if isinstance(drawn, Lanes) and not drawn.notes:
                    assert sum(lane.runs for lane in drawn.lanes) == sum(1 for _ in found)


def schedule_run(schedule: Schedule, now: datetime) -> datetime | None:
    return ss.Job(name="job", schedule=schedule, target=TARGET).anchored(now).next_run(after=now)


def test_no_run_is_a_picture_too_and_none_in_a_notebook() -> None:
    empty = upcoming([], days=7)
    assert "no run in this time" in written(read(empty.to_svg()))
    assert "<svg" not in empty.to_html()
    assert "<svg" in upcoming(mixed_records(3), days=7).to_html()


def test_names_are_escaped_in_the_page() -> None:
    hostile = record("job", ss.Cron("0 9 * * ? *"))
    drawn = upcoming([hostile], days=2)._drawing(None)
    assert isinstance(drawn, Lanes)
    lanes = [lane._replace(name=HOSTILE) for lane in drawn.lanes]
    assert "<script>" not in drawn._replace(lanes=lanes).to_svg()
