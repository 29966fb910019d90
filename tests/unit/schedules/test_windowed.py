"""The calendar window: run k is ``start + k × every``."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import stepsched as ss

from .times import FIRST, LAST, UTC, show, shown, utc

PARIS = ZoneInfo("Europe/Paris")
TICK = timedelta(microseconds=1)
MONTHLY = ss.Frequency(months=1)
DAILY = ss.Frequency(days=1)

DOCUMENT = {
    "id": "task",
    "startDateTime": "2021-02-22T03:05:00.000Z",
    "endDateTime": "2030-01-01T00:00:00.000Z",
    "frequency": {"minutes": 5},
    "context": {"name": "x"},
}


def days(schedule: ss.Windowed, count: int, after: datetime = FIRST) -> list[str]:
    return [f"{run:%Y-%m-%d}" for run in schedule.upcoming(count, after=after)]


# -- calendar steps --------------------------------------------------------------------------------


def test_the_31st_never_drifts() -> None:
    monthly = ss.Windowed("2023-12-31T09:00", every=MONTHLY)
    assert days(monthly, 6) == [
        "2023-12-31",
        "2024-01-31",
        "2024-02-29",
        "2024-03-31",
        "2024-04-30",
        "2024-05-31",
    ]
    assert shown([monthly.previous_run(utc("2024-03-31"))]) == ["2024-02-29 09:00+00:00"]


@pytest.mark.parametrize(
    ("start", "every", "expected"),
    [
        pytest.param(
            "2024-02-29T00:00",
            ss.Frequency(years=1),
            ["2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"],
            id="leap",
        ),
        pytest.param(
            "2024-11-30T00:00",
            ss.Frequency(quarters=1),
            ["2025-02-28", "2025-05-30", "2025-08-30"],
            id="quarters",
        ),
        pytest.param("2024-12-30T00:00", ss.Frequency(weeks=2), ["2025-01-13", "2025-01-27"], id="weeks"),
        pytest.param("2024-12-31T00:00", ss.Frequency(days=10), ["2025-01-10", "2025-01-20"], id="days"),
        pytest.param(
            "2025-01-31T00:00",
            ss.Frequency(months=1, days=1),
            ["2025-03-01", "2025-04-02", "2025-05-03"],
            id="month, then day",
        ),
        pytest.param(
            "2025-01-31T00:00",
            ss.Frequency(years=1, months=1),
            ["2026-02-28", "2027-03-31"],
            id="years and months",
        ),
        pytest.param(
            "2025-01-31T00:00",
            ss.Frequency(months=1, hours=36),
            ["2025-03-01", "2025-04-03"],
            id="months and hours",
        ),
        pytest.param(
            "2025-01-31T00:00", ss.Frequency(months=13), ["2026-02-28", "2027-03-31"], id="13 months"
        ),
    ],
)
def test_large_units_are_added_first_and_from_the_start_each_time(
    start: str, every: ss.Frequency, expected: list[str]
) -> None:
    schedule = ss.Windowed(start, every=every)
    assert days(schedule, len(expected) + 1) == [start[:10], *expected]
    runs = schedule.upcoming(len(expected) + 1, after=FIRST)
    assert [schedule.next_run(run) for run in runs[:-1]] == runs[1:]
    assert [schedule.previous_run(run) for run in runs[1:]] == runs[:-1]


def test_both_ends_are_inclusive() -> None:
    schedule = ss.Windowed("2025-01-01T12:00", end="2025-01-03T12:00", every=DAILY, timezone="Europe/Paris")
    inside = ["2025-01-01 12:00+01:00", "2025-01-02 12:00+01:00", "2025-01-03 12:00+01:00"]
    assert shown(schedule.runs(after=FIRST)) == inside
    end = utc("2025-01-03 11:00")
    assert schedule.next_run(end - TICK) == end
    assert schedule.next_run(end) is None
    assert schedule.previous_run(end + TICK) == schedule.previous_run(LAST) == end
    assert show(schedule.previous_run(end)) == inside[1]
    assert schedule.previous_run(utc("2025-01-01 11:00")) is None
    shorter = schedule.replace(end="2025-01-03T11:59:59")
    assert shown(shorter.runs(after=FIRST)) == inside[:-1]
    assert show(shorter.previous_run(LAST)) == inside[1]


def test_a_window_of_one_instant_has_one_run() -> None:
    schedule = ss.Windowed("2025-01-01T12:00", end="2025-01-01T12:00", every=DAILY)
    assert shown(schedule.runs(after=FIRST)) == ["2025-01-01 12:00+00:00"]


def test_without_an_end_it_goes_on_until_time_stops() -> None:
    yearly = ss.Windowed("9996-02-29T00:00", every=ss.Frequency(years=1))
    assert days(yearly, 9) == ["9996-02-29", "9997-02-28", "9998-02-28", "9999-02-28"]
    assert show(yearly.previous_run(LAST)) == "9999-02-28 00:00+00:00"
    assert yearly.next_run(utc("9999-02-28")) is None
    assert yearly.next_run(LAST) is None
    hourly = ss.Windowed("9999-12-31T20:00", every=ss.Frequency(hours=2))
    assert len(list(hourly.runs(after=FIRST))) == 2
    eastern = ss.Windowed("9999-11-30T20:00", every=MONTHLY, timezone="America/New_York")
    assert days(eastern, 3) == ["9999-11-30", "9999-12-30"]


# -- gaps and overlaps -----------------------------------------------------------------------------


def test_a_wall_time_in_a_gap_moves_forward_and_only_that_once() -> None:
    """P-03."""
    schedule = ss.Windowed("2025-03-28T02:30", every=DAILY, timezone="Europe/Paris")
    assert shown(schedule.upcoming(4, after=FIRST)) == [
        "2025-03-28 02:30+01:00",
        "2025-03-29 02:30+01:00",
        "2025-03-30 03:30+02:00",
        "2025-03-31 02:30+02:00",
    ]


def test_a_wall_time_in_an_overlap_means_the_first_pass() -> None:
    """P-04."""
    schedule = ss.Windowed("2025-10-25T02:30", every=DAILY, timezone="Europe/Paris")
    assert shown(schedule.upcoming(3, after=FIRST)) == [
        "2025-10-25 02:30+02:00",
        "2025-10-26 02:30+02:00",
        "2025-10-27 02:30+01:00",
    ]


def test_the_day_that_samoa_skipped_gives_one_run() -> None:
    schedule = ss.Windowed("2011-12-29T12:00", every=DAILY, timezone="Pacific/Apia")
    runs = ["2011-12-29 12:00-10:00", "2011-12-31 12:00+14:00", "2012-01-01 12:00+14:00"]
    assert shown(schedule.upcoming(3, after=FIRST)) == runs
    assert shown(schedule.runs(after=FIRST, until=utc("2011-12-31 22:00"))) == runs
    assert show(schedule.next_run(utc("2011-12-29 22:00"))) == runs[1]
    assert show(schedule.next_run(utc("2011-12-30 22:00"))) == runs[2]
    assert show(schedule.previous_run(utc("2011-12-30 22:00"))) == runs[0]
    assert show(schedule.previous_run(utc("2011-12-31 22:00"))) == runs[1]


def test_hours_and_minutes_are_elapsed_time_over_a_clock_change() -> None:
    schedule = ss.Windowed("2025-03-29T20:00", every=ss.Frequency(hours=6), timezone="Europe/Paris")
    assert shown(schedule.upcoming(3, after=FIRST)) == [
        "2025-03-29 20:00+01:00",
        "2025-03-30 03:00+02:00",
        "2025-03-30 09:00+02:00",
    ]
    every_half = ss.Windowed("2025-10-26T02:00", every=ss.Frequency(minutes=30), timezone="Europe/Paris")
    assert shown(every_half.upcoming(5, after=FIRST)) == [
        "2025-10-26 02:00+02:00",
        "2025-10-26 02:30+02:00",
        "2025-10-26 02:00+01:00",
        "2025-10-26 02:30+01:00",
        "2025-10-26 03:00+01:00",
    ]


@pytest.mark.parametrize(
    ("wall", "first_offset", "last_offset"),
    [
        pytest.param("2025-03-30T01:59:40", 1, 2, id="gap"),
        pytest.param("2025-10-26T02:59:40", 2, 1, id="overlap"),
    ],
)
def test_seconds_are_elapsed_time_over_a_clock_change(wall: str, first_offset: int, last_offset: int) -> None:
    schedule = ss.Windowed(wall, every=ss.Frequency(seconds=10), timezone="Europe/Paris")
    runs = schedule.upcoming(5, after=FIRST)
    assert [run - runs[0] for run in runs] == [timedelta(seconds=10 * k) for k in range(5)]
    offsets = [run.utcoffset() for run in runs]
    assert offsets == [*[timedelta(hours=first_offset)] * 2, *[timedelta(hours=last_offset)] * 3]


def test_days_and_seconds_together_move_the_wall_first_and_then_elapse() -> None:
    schedule = ss.Windowed("2025-03-29T12:00", every=ss.Frequency(days=1, seconds=1), timezone="Europe/Paris")
    runs = schedule.upcoming(3, after=FIRST)
    assert [run.isoformat() for run in runs] == [
        "2025-03-29T12:00:00+01:00",
        "2025-03-30T12:00:01+02:00",
        "2025-03-31T12:00:02+02:00",
    ]


def test_days_and_hours_together_move_the_wall_first_and_then_elapse() -> None:
    schedule = ss.Windowed("2025-03-29T12:00", every=ss.Frequency(days=1, hours=1), timezone="Europe/Paris")
    assert shown(schedule.upcoming(3, after=FIRST)) == [
        "2025-03-29 12:00+01:00",
        "2025-03-30 13:00+02:00",
        "2025-03-31 14:00+02:00",
    ]


def test_a_start_in_the_second_pass_is_kept_exactly() -> None:
    start = datetime(2025, 10, 26, 2, 30, fold=1, tzinfo=PARIS)
    daily = ss.Windowed(start, every=DAILY)
    assert daily.timezone == "Europe/Paris"
    assert daily.start == utc("2025-10-26 01:30")
    assert daily.start.tzinfo is UTC
    assert shown(daily.upcoming(2, after=FIRST)) == ["2025-10-26 02:30+01:00", "2025-10-27 02:30+01:00"]
    assert ss.Windowed.model_validate_json(daily.model_dump_json()) == daily
    hourly = ss.Windowed(start, every=ss.Frequency(hours=1))
    assert shown(hourly.upcoming(2, after=FIRST)) == ["2025-10-26 02:30+01:00", "2025-10-26 03:30+01:00"]


def test_an_end_in_the_second_pass_includes_it() -> None:
    end = datetime(2025, 10, 26, 2, 30, fold=1, tzinfo=PARIS)
    half_hourly = ss.Frequency(minutes=30)
    to_second = ss.Windowed("2025-10-26T02:00", end=end, every=half_hourly, timezone="Europe/Paris")
    to_first = ss.Windowed(
        "2025-10-26T02:00", end="2025-10-26T02:30", every=half_hourly, timezone="Europe/Paris"
    )
    assert (len(list(to_second.runs(FIRST))), len(list(to_first.runs(FIRST)))) == (4, 2)


# -- forms -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "zone", "kept"),
    [
        pytest.param("2030-01-01T09:00", None, ("2030-01-01 09:00", "UTC"), id="naive is UTC"),
        pytest.param("2030-01-01T09:00Z", "Europe/Paris", ("2030-01-01 10:00", "Europe/Paris"), id="Z"),
        pytest.param(
            datetime(2030, 1, 1, 9, tzinfo=PARIS),
            None,
            ("2030-01-01 09:00", "Europe/Paris"),
            id="zone of the start",
        ),
        pytest.param(
            datetime(2030, 1, 1, 9, tzinfo=PARIS), "Asia/Tokyo", ("2030-01-01 17:00", "Asia/Tokyo"), id="both"
        ),
    ],
)
def test_a_start_is_kept_as_wall_time_beside_its_zone(
    start: datetime | str, zone: str | None, kept: tuple[str, str]
) -> None:
    schedule = ss.Windowed(start, every=MONTHLY, timezone=zone)
    assert (show(schedule.start), schedule.timezone) == kept
    assert (schedule.expression, schedule.kind, schedule.end) == (None, "windowed", None)


@pytest.mark.parametrize(
    ("arguments", "field", "words"),
    [
        pytest.param({"start": "soon"}, "start", "expected a date and a time", id="start is a word"),
        pytest.param(
            {"start": date(2030, 1, 1)},
            "start",
            "or an ISO 8601 string",
            id="start is a date",
        ),
        pytest.param({"end": "2030-02-30T00:00"}, "end", "expected ISO 8601", id="end does not exist"),
        pytest.param(
            {"end": "2029-12-31T23:59:59"}, "end", "expected end at or after start", id="end before start"
        ),
        pytest.param(
            {"end": "2030-01-01T00:30+01:00"},
            "end",
            "expected end at or after start",
            id="end before start elsewhere",
        ),
        pytest.param({"timezone": "Mars/Base"}, "timezone", "IANA", id="zone"),
        pytest.param({"every": "monthly"}, "every", "a Frequency, got 'monthly'; use", id="every is a word"),
        pytest.param({"every": {"months": 0}}, "every", "expected a step, got 0", id="every is empty"),
        pytest.param(
            {"every": {"fortnights": 1}}, "every", "unknown fortnights", id="every has an unknown unit"
        ),
        pytest.param({"kind": "rate"}, "kind", "windowed", id="another kind"),
        pytest.param(
            {"start": FIRST, "timezone": "America/New_York"}, "start", "years 1 to 9999", id="before time"
        ),
        pytest.param({"end": LAST, "timezone": "Asia/Tokyo"}, "start", "years 1 to 9999", id="after time"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: dict[str, Any], field: str, words: str) -> None:
    given: dict[str, Any] = {"start": "2030-01-01T00:00", "every": MONTHLY, **arguments}
    with pytest.raises(ss.InvalidScheduleError, match=words) as caught:
        ss.Windowed(**given)
    assert caught.value.field == field


def test_a_step_may_be_given_as_its_document() -> None:
    schedule = ss.Windowed.model_validate({"start": "2030-01-01T00:00", "every": {"months": 1}})
    assert schedule == ss.Windowed("2030-01-01T00:00", every=MONTHLY)


# -- documents -------------------------------------------------------------------------------------


def test_an_interval_job_document_is_read() -> None:
    schedule = ss.Windowed.from_document(DOCUMENT)
    assert schedule == ss.Windowed(
        "2021-02-22T03:05", end="2030-01-01T00:00", every=ss.Frequency(minutes=5), timezone="UTC"
    )
    assert shown(schedule.upcoming(2, after=utc("2021-02-22 03:05"))) == [
        "2021-02-22 03:10+00:00",
        "2021-02-22 03:15+00:00",
    ]
    assert show(schedule.previous_run(LAST)) == "2030-01-01 00:00+00:00"


@pytest.mark.parametrize(
    ("frequency", "every"),
    [
        pytest.param({"seconds": 10}, ss.Frequency(seconds=10), id="seconds"),
        pytest.param({"second": "10"}, ss.Frequency(seconds=10), id="singular, text"),
        pytest.param({"minutes": 0.5}, ss.Frequency(seconds=30), id="half a minute"),
        pytest.param({"milliseconds": 2_000}, ss.Frequency(seconds=2), id="milliseconds"),
    ],
)
def test_an_interval_job_document_of_seconds_is_read(frequency: dict[str, Any], every: ss.Frequency) -> None:
    schedule = ss.Windowed.from_document({**DOCUMENT, "frequency": frequency})
    assert schedule == ss.Windowed("2021-02-22T03:05", end="2030-01-01T00:00", every=every)
    first, second = schedule.upcoming(2, after=FIRST)
    assert (first, second - first) == (
        utc("2021-02-22 03:05"),
        timedelta(seconds=every.total_seconds),
    )


def test_times_of_a_document_without_an_offset_are_utc() -> None:
    bare = {**DOCUMENT, "startDateTime": "2021-02-22T03:05:00", "endDateTime": "2030-01-01T00:00"}
    assert ss.Windowed.from_document(bare) == ss.Windowed.from_document(DOCUMENT)
    east = {**DOCUMENT, "startDateTime": "2021-02-22T04:05:00+01:00"}
    assert ss.Windowed.from_document(east) == ss.Windowed.from_document(DOCUMENT)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        pytest.param({"startDateTime": None}, "start", "or an ISO 8601 string", id="no start"),
        pytest.param(
            {"startDateTime": "2031-01-01T00:00:00Z"},
            "end",
            "expected end at or after start",
            id="start after end",
        ),
        pytest.param({"endDateTime": None}, "endDateTime", "expected an end, got null", id="end is null"),
        pytest.param({"endDateTime": "never"}, "end", "expected a date and a time", id="end is a word"),
        pytest.param({"frequency": {"eons": 1}}, "frequency", "unknown unit 'eons'", id="unknown unit"),
        pytest.param({"frequency": {}}, "frequency", "expected a step, got 0", id="expected a step, got 0"),
        pytest.param({"frequency": {"seconds": 0.5}}, "frequency", "come to 0.5 s", id="half a second"),
    ],
)
def test_a_bad_value_in_a_document_is_refused(change: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(ss.InvalidScheduleError, match=words) as caught:
        ss.Windowed.from_document({**DOCUMENT, **change})
    assert caught.value.field == field


@pytest.mark.parametrize("document", ["x", [1], None])
def test_a_document_is_a_mapping(document: Any) -> None:
    with pytest.raises(ss.InvalidScheduleError, match="expected a mapping"):
        ss.Windowed.from_document(document)


@pytest.mark.parametrize("key", ["startDateTime", "endDateTime", "frequency"])
def test_a_document_that_lacks_a_key_is_refused_by_its_name(key: str) -> None:
    document = {name: value for name, value in DOCUMENT.items() if name != key}
    with pytest.raises(ss.InvalidScheduleError, match=f"lacks {key}"):
        ss.Windowed.from_document(document)


# -- cost ------------------------------------------------------------------------------------------


@pytest.mark.timeout(10)  # walks of nine centuries take longer
@pytest.mark.parametrize(
    "every",
    [
        ss.Frequency(seconds=1),
        ss.Frequency(seconds=7),
        ss.Frequency(minutes=1),
        DAILY,
        MONTHLY,
        ss.Frequency(days=1, seconds=1),
        ss.Frequency(months=1, days=1, minutes=1),
    ],
    ids=str,
)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris"])
def test_a_far_run_costs_no_more_than_a_near_one(every: ss.Frequency, zone: str) -> None:
    schedule = ss.Windowed("1970-01-31T02:30", every=every, timezone=zone)
    far = utc("2900-06-01 00:00:30") + TICK
    run, former = schedule.next_run(far), schedule.previous_run(far)
    for _ in range(200):
        assert (schedule.next_run(far), schedule.previous_run(far)) == (run, former)
    assert run is not None
    assert former is not None
    assert former < far < run
    assert schedule.next_run(former) == run
    assert schedule.previous_run(run) == former


def test_runs_can_be_taken_from_anywhere() -> None:
    schedule = ss.Windowed("2025-01-31T09:00", every=MONTHLY)
    assert shown(islice(schedule.runs(after=utc("2100-01-31 09:00")), 2)) == [
        "2100-02-28 09:00+00:00",
        "2100-03-31 09:00+00:00",
    ]
    assert list(schedule.runs(after=utc("2025-02-01"), until=utc("2025-02-02"))) == []


def test_a_step_of_seconds_has_no_expression_and_describes_itself() -> None:
    often = ss.Windowed("2030-01-01T00:00", every=ss.Frequency(seconds=10), timezone="Europe/Paris")
    assert often.expression is None
    assert str(often) == "Every 10 seconds from 1 January 2030 at 00:00, Europe/Paris"
    text = often.model_dump_json()
    assert '"every":{"seconds":10}' in text
    assert ss.Windowed.model_validate_json(text) == often


def test_it_describes_itself() -> None:
    schedule = ss.Windowed("2030-01-31T09:00", end="2030-06-30T09:00", every=MONTHLY, timezone="Europe/Paris")
    assert (
        schedule.describe()
        == str(schedule)
        == ("Every month from 31 January 2030 at 09:00 until 30 June 2030 at 09:00, Europe/Paris")
    )
    assert schedule.replace(end=None).describe() == "Every month from 31 January 2030 at 09:00, Europe/Paris"
