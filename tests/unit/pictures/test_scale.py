"""Axes: days of a zone, clock changes, round marks."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from stepsched.pictures import scale
from stepsched.pictures.scale import TimeScale

PARIS = ZoneInfo("Europe/Paris")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("zone", "day", "begin", "hours"),
    [
        pytest.param("Europe/Paris", "2030-03-30", "2030-03-29T23:00", 24, id="usual"),
        pytest.param("Europe/Paris", "2030-03-31", "2030-03-30T23:00", 23, id="spring"),
        pytest.param("Europe/Paris", "2030-10-27", "2030-10-26T22:00", 25, id="autumn"),
        pytest.param("Australia/Lord_Howe", "2030-10-06", "2030-10-05T13:30", 23.5, id="half an hour"),
        pytest.param("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00", 23, id="no midnight"),
    ],
)
def test_a_day_is_as_long_as_the_clock_makes_it(zone: str, day: str, begin: str, hours: float) -> None:
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(zone))
    (found,) = scale.days(noon, noon, ZoneInfo(zone))
    assert found.begin == utc(begin)
    assert (found.end - found.begin) == timedelta(hours=hours)


def test_the_days_of_a_span_are_those_it_touches() -> None:
    found = scale.days(utc("2030-01-04T22:59"), utc("2030-01-06T23:00"), PARIS)
    assert [(str(day.date), day.is_weekend) for day in found] == [
        ("2030-01-04", False), ("2030-01-05", True), ("2030-01-06", True), ("2030-01-07", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("since", "until"),
    [
        pytest.param("2006-10-29T02:30:30", "2006-10-29T12:00", id="it begins just before"),
        pytest.param("2006-10-28T12:00", "2006-10-29T02:45", id="it ends just after"),
        pytest.param("2006-10-29T02:30:30", "2006-10-29T02:45", id="both"),
    ],
)
def test_a_clock_that_goes_back_over_midnight_comes_to_the_day_before_once_more(
    since: str, until: str
) -> None:
    """In St. John's it went from 00:01 to 23:01 of the day before until 2011, at 02:31 in UTC."""
    zone = ZoneInfo("America/St_Johns")
    walls = {at.astimezone(zone).date() for at in (utc("2006-10-29T02:30:30"), utc("2006-10-29T02:45"))}
    assert walls == {date(2006, 10, 28), date(2006, 10, 29)}
    found = scale.days(utc(since), utc(until), zone)
    assert [day.date for day in found] == sorted(walls)


@pytest.mark.parametrize(
    ("zone", "wanted"),
    [
        pytest.param(
            "Europe/Paris",
            [("2030-03-31T01:00", "clock +1 h"), ("2030-10-27T01:00", "clock -1 h")],
            id="an hour",
        ),
        pytest.param(
            "Australia/Lord_Howe",
            [("2030-04-06T15:00", "clock -30 min"), ("2030-10-05T15:30", "clock +30 min")],
            id="half an hour",
        ),
        pytest.param("Asia/Tokyo", [], id="none"),
    ],
)
def test_clock_changes_are_found_to_the_second(zone: str, wanted: list[tuple[str, str]]) -> None:
    info = ZoneInfo(zone)
    found = scale.changes(scale.days(utc("2030-01-02T00:00"), utc("2030-12-30T00:00"), info), info)
    assert [(change.at, change.text) for change in found] == [(utc(at), text) for at, text in wanted]


@pytest.mark.parametrize(
    ("zone", "at", "day"),
    [
        pytest.param("America/Santiago", "2030-09-08T04:00", "2030-09-08", id="forward at midnight"),
        pytest.param("America/Santiago", "2030-04-07T03:00", "2030-04-06", id="back at midnight"),
        pytest.param("America/Havana", "2030-03-10T05:00", "2030-03-10", id="Havana"),
        pytest.param("Asia/Beirut", "2030-03-30T22:00", "2030-03-31", id="Beirut"),
        pytest.param("Pacific/Apia", "2011-12-30T10:00", "2011-12-31", id="a day that does not exist"),
        pytest.param("Europe/Paris", "2030-03-31T01:00", "2030-03-31", id="at night"),
    ],
)
def test_a_clock_change_is_on_the_axis_of_its_day_only(zone: str, at: str, day: str) -> None:
    info, wanted = ZoneInfo(zone), date.fromisoformat(day)
    for first, last in ((-2, -1), (-2, 0), (0, 0), (0, 2), (1, 2)):
        noon = datetime.combine(wanted, time(12), info).astimezone(timezone.utc)
        since, until = (noon + timedelta(days=n) for n in (first, last))
        found = scale.changes(scale.days(since, until, info), info)
        assert [(each.at, each.day) for each in found] == [(utc(at), wanted)] * (first <= 0 <= last)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York", "Pacific/Kiritimati"])
def test_the_axis_ends_with_the_calendar(zone: str) -> None:
    info = ZoneInfo(zone)
    first, last = datetime.min.replace(tzinfo=timezone.utc), datetime.max.replace(tzinfo=timezone.utc)
    for since, until in ((first, utc("0001-01-03T00:00")), (utc("9999-12-30T00:00"), last)):
        found = scale.days(since, until, info)
        assert (found[0].begin <= since, found[-1].end >= until) == (True, True)
        assert all(one.end == other.begin for one, other in pairwise(found))
        assert scale.changes(found, info) == []
        assert TimeScale(since, until, info, 0, 800).ticks()


def test_positions_are_shares_of_the_width() -> None:
    axis = TimeScale(utc("2030-01-07T00:00"), utc("2030-01-17T00:00"), PARIS, 50, 1_000)
    assert axis.x(utc("2030-01-07T00:00")) == 50
    assert axis.x(utc("2030-01-08T12:00")) == 200
    assert axis.x(utc("2030-01-17T00:00")) == 1_050


@pytest.mark.parametrize(
    ("since", "until", "wanted"),
    [
        pytest.param("2030-01-07T09:00", "2030-01-07T09:02", "10:00, 10:01, 10:02", id="minutes"),
        pytest.param(
            "2030-01-07T21:30",
            "2030-01-08T01:00",
            "22:30, 23:00, 23:30, Tue 8 Jan, 00:30, 01:00, 01:30, 02:00",
            id="over midnight",
        ),
        pytest.param(
            "2030-03-31T00:00",
            "2030-03-31T04:00",
            "01:00, 01:30, 03:00, 03:30, 04:00, 04:30, 05:00, 05:30, 06:00",
            id="no hour of a gap",
        ),
        pytest.param(
            "2030-03-29T12:00",
            "2030-04-03T12:00",
            "Sat 30 Mar, Sun 31 Mar, Mon 1 Apr, Tue 2 Apr, Wed 3 Apr",
            id="days over a change",
        ),
        pytest.param(
            "2030-01-02T00:00",
            "2030-02-02T00:00",
            "Mon 7 Jan, Mon 14 Jan, Mon 21 Jan, Mon 28 Jan",
            id="weeks",
        ),
        pytest.param(
            "2029-12-15T00:00",
            "2030-12-15T00:00",
            "Jan 2030, Mar 2030, May 2030, Jul 2030, Sep 2030, Nov 2030",
            id="months",
        ),
        pytest.param(
            "2030-01-01T00:00",
            "2060-01-01T00:00",
            "Jan 2034, Jan 2038, Jan 2042, Jan 2046, Jan 2050, Jan 2054, Jan 2058",
            id="years",
        ),
    ],
)
def test_marks_are_round_in_the_zone(since: str, until: str, wanted: str) -> None:
    ticks = TimeScale(utc(since), utc(until), PARIS, 0, 800).ticks()
    assert ", ".join(text for _, text in ticks) == wanted
    for at, _ in ticks:
        wall = at.astimezone(PARIS)
        assert (wall.second, wall.minute % 30 if wall.minute > 7 else 0) == (0, 0)


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [
        pytest.param([], [], id="none"),
        pytest.param([0, 5, 5], [(5, 5)], id="one"),
        pytest.param([1, 2, 3, 9], [(1, 1), (2, 2), (3, 3), (9, 9)], id="few"),
        pytest.param(range(1, 33), [(1, 2), (3, 4), (5, 8), (9, 16), (17, 32)], id="many"),
    ],
)
def test_levels_hold_every_count_once(counts: list[int], wanted: list[tuple[int, int]]) -> None:
    ranges = scale.levels(counts)
    assert ranges == wanted
    for count in set(counts) - {0}:
        low, high = ranges[scale.level_of(count, ranges)]
        assert low <= count <= high


def test_months_and_weekdays_are_english_in_every_locale() -> None:
    assert scale.day_text(date(2030, 3, 31)) == "Sun 31 Mar"
