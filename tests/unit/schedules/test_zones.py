"""Wall times and instants, gaps and overlaps."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

import stepsched as ss
from stepsched.schedules.zones import Change, Zone, load_zone
from tests.unit.schedules.times import is_known_zone

from .times import UTC, show, utc

PARIS = load_zone("Europe/Paris")
APIA = load_zone("Pacific/Apia")
WINTER, SUMMER = timezone(timedelta(hours=1)), timezone(timedelta(hours=2))


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["UTC", "Europe/Paris", "US/Pacific", "Etc/GMT+12", "EST5EDT", "GMT"])
def test_iana_names_and_aliases_are_kept_as_given(key: str) -> None:
    """P-19."""
    assert load_zone(key).key == key
    assert is_known_zone(key)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        pytest.param("", "use an IANA name", id="empty"),
        pytest.param("europe/paris", "did you mean 'Europe/Paris'", id="lower case"),
        pytest.param("Europe/Pariss", "did you mean 'Europe/Paris'", id="typing error"),
        pytest.param("Mars/Olympus_Mons", "use an IANA name", id="no such planet"),
        pytest.param("Europe", "", id="a folder"),
        pytest.param("../../etc/passwd", "use an IANA name", id="a path"),
        pytest.param("/etc/passwd", "use an IANA name", id="an absolute path"),
        pytest.param("Europe/Paris\0", "", id="a nought"),
        pytest.param("tzdata.zi", "", id="another file of the database"),
        pytest.param("localtime", "", id="the machine's own zone"),
        pytest.param("posixrules", "", id="the machine's own rules"),
        pytest.param("Factory", "", id="no zone yet"),
        pytest.param("posix/Europe/Paris", "did you mean", id="a copy"),
        pytest.param("right/Europe/Paris", "", id="a copy with leap seconds"),
        pytest.param("+01:00", "or 'Etc/GMT-1' for this offset at all times", id="offset"),
        pytest.param("UTC+2", "or 'Etc/GMT-2' for this offset at all times", id="offset from UTC"),
        pytest.param("gmt-03:00", "or 'Etc/GMT+3' for this offset at all times", id="offset west of UTC"),
        pytest.param("UTC+15", "use an IANA name such as 'Europe/Paris'", id="offset of no zone"),
        pytest.param("CEST", "use an IANA name", id="abbreviation, near to that of another zone"),
    ],
)
def test_what_is_no_iana_zone_is_refused_with_a_hint(key: str, hint: str) -> None:
    with pytest.raises(ss.InvalidScheduleError, match="is not an IANA time zone") as caught:
        load_zone(key)
    assert (caught.value.field, caught.value.expression) == ("timezone", key)
    assert hint in caught.value.reason
    assert not is_known_zone(key)


def test_a_name_has_at_most_50_characters() -> None:
    with pytest.raises(ss.InvalidScheduleError, match="at most 50 characters"):
        load_zone("E" * 51)
    with pytest.raises(ss.InvalidScheduleError, match="is not an IANA time zone"):
        load_zone("E" * 50)


# -- wall time to instant and back --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        pytest.param(PARIS, "2025-01-01 09:00", "2025-01-01 09:00+01:00", id="winter"),
        pytest.param(PARIS, "2025-07-01 09:00", "2025-07-01 09:00+02:00", id="summer"),
        pytest.param(PARIS, "2025-03-30 01:59:59", "2025-03-30 01:59:59+01:00", id="before the gap"),
        pytest.param(PARIS, "2025-03-30 02:00", "2025-03-30 03:00+02:00", id="first of the gap (P-03)"),
        pytest.param(PARIS, "2025-03-30 02:59:59", "2025-03-30 03:59:59+02:00", id="last of the gap (P-03)"),
        pytest.param(PARIS, "2025-03-30 03:00", "2025-03-30 03:00+02:00", id="after the gap"),
        pytest.param(PARIS, "2025-10-26 01:59:59", "2025-10-26 01:59:59+02:00", id="before the overlap"),
        pytest.param(PARIS, "2025-10-26 02:00", "2025-10-26 02:00+02:00", id="first of the overlap (P-04)"),
        pytest.param(
            PARIS, "2025-10-26 02:59:59", "2025-10-26 02:59:59+02:00", id="last of the overlap (P-04)"
        ),
        pytest.param(PARIS, "2025-10-26 03:00", "2025-10-26 03:00+01:00", id="after the overlap"),
        pytest.param(APIA, "2011-12-30 12:00", "2011-12-31 12:00+14:00", id="a day that never was"),
        pytest.param(PARIS, "1911-03-10 23:55", "1911-03-10 23:55+00:09:21", id="seconds in the offset"),
        pytest.param(load_zone("UTC"), "2025-03-30 02:30", "2025-03-30 02:30+00:00", id="UTC"),
    ],
)
def test_a_wall_time_becomes_one_instant(zone: Zone, wall: str, instant: str) -> None:
    assert show(zone.to_instant(datetime.fromisoformat(wall))) == instant


def test_a_gap_has_no_first_pass() -> None:
    """P-02."""
    assert PARIS.first_pass(datetime(2025, 3, 30, 2, 30)) is None
    assert show(PARIS.first_pass(datetime(2025, 10, 26, 2, 30))) == "2025-10-26 02:30+02:00"


def test_an_instant_shows_its_wall_time_and_its_pass() -> None:
    first, second = PARIS.to_wall(utc("2025-10-26 00:30")), PARIS.to_wall(utc("2025-10-26 01:30"))
    assert first == second == datetime(2025, 10, 26, 2, 30)
    assert (first.fold, second.fold, first.tzinfo) == (0, 1, None)
    assert PARIS.to_wall(datetime(2025, 1, 1, tzinfo=SUMMER)) == datetime(2024, 12, 31, 23)


def test_a_localised_instant_carries_a_fixed_offset() -> None:
    local = PARIS.localise(utc("2025-07-01 07:00"))
    assert show(local) == "2025-07-01 09:00+02:00"
    assert local.tzinfo == SUMMER


@pytest.mark.parametrize(
    ("moment", "settled"),
    [
        pytest.param(datetime(2025, 10, 26, 2, 30), "2025-10-26 02:30", id="naive stays"),
        pytest.param(datetime(2025, 10, 26, 2, 30, fold=1), "2025-10-26 02:30", id="naive has no fold"),
        pytest.param(utc("2025-07-01 07:00"), "2025-07-01 09:00", id="aware becomes wall time"),
        pytest.param(utc("2025-10-26 00:30"), "2025-10-26 02:30", id="first pass becomes wall time"),
        pytest.param(utc("2025-10-26 01:30"), "2025-10-26 01:30+00:00", id="second pass stays aware"),
        pytest.param(
            datetime(2025, 10, 26, 2, 30, tzinfo=WINTER), "2025-10-26 01:30+00:00", id="second pass by offset"
        ),
    ],
)
def test_a_moment_settles_as_wall_time_wherever_that_says_the_same(moment: datetime, settled: str) -> None:
    kept = PARIS.settle(moment)
    assert (show(kept), kept.fold) == (settled, 0)
    if moment.tzinfo is not None:
        assert PARIS.moment(kept) == moment
        assert PARIS.moment(kept).utcoffset() == moment.astimezone(PARIS.info).utcoffset()


# -- changes ---------------------------------------------------------------------------------------


def test_the_changes_of_a_year_are_listed_with_both_wall_times() -> None:
    assert PARIS.year(2025).changes == (
        Change(datetime(2025, 3, 30, 2), datetime(2025, 3, 30, 3), WINTER, SUMMER),
        Change(datetime(2025, 10, 26, 3), datetime(2025, 10, 26, 2), SUMMER, WINTER),
    )
    assert PARIS.year(2025).last == WINTER


def test_a_zone_without_changes_has_one_span() -> None:
    for key in ("UTC", "Etc/GMT-14", "Asia/Kolkata"):
        year = load_zone(key).year(2024)
        assert year.changes == ()
        assert [span.end for span in year.spans] == [366]


def test_days_that_a_change_touches_have_no_base() -> None:
    march_30, october_26 = 31 + 28 + 29, 365 - 31 - 30 - 6
    assert PARIS.base(2025, march_30 - 1) == datetime(2025, 1, 1, tzinfo=WINTER)
    assert PARIS.base(2025, march_30) is None
    assert PARIS.base(2025, march_30 + 1) == datetime(2025, 1, 1, tzinfo=SUMMER)
    assert PARIS.base(2025, october_26) is None
    assert PARIS.base(2025, 364) == datetime(2025, 1, 1, tzinfo=WINTER)
    with pytest.raises(AssertionError, match="2025 has no day 365"):
        PARIS.base(2025, 365)


@pytest.mark.parametrize(
    ("key", "year", "untouched"),
    [
        pytest.param("Pacific/Apia", 2011, 365 - 3, id="change on 30 December and two in the year"),
        pytest.param("Pacific/Apia", 2012, 366 - 2, id="change before new year"),
        pytest.param("Africa/Monrovia", 1972, 366 - 1, id="change after new year"),
        pytest.param("Asia/Dhaka", 2009, 365 - 2, id="change at midnight of new year's eve"),
        pytest.param("Asia/Dhaka", 2010, 365, id="and its other side"),
        pytest.param("Pacific/Kiritimati", 1994, 365 - 1, id="no new year's eve"),
        pytest.param("Pacific/Kiritimati", 1995, 365, id="and its other side"),
        pytest.param("America/Danmarkshavn", 1996, 366 - 1, id="change in the first minute of a year"),
    ],
)
def test_every_day_has_a_span_around_changes_at_the_years_edge(key: str, year: int, untouched: int) -> None:
    zone = load_zone(key)
    length = zone.year(year).spans[-1].end
    assert length in (365, 366)
    bases = [zone.base(year, day) for day in range(length)]
    assert sum(base is not None for base in bases) == untouched
    for day, base in enumerate(bases):
        if base is not None:
            midnight = base + timedelta(days=day)
            assert midnight == zone.first_pass(datetime(year, 1, 1) + timedelta(days=day))
            assert midnight.utcoffset() == midnight.astimezone(zone.info).utcoffset()


def test_the_change_at_a_wall_time_is_that_of_its_gap_or_overlap() -> None:
    gap, overlap = PARIS.year(2025).changes
    for minute in (0, 30, 59):
        assert PARIS.change_at(datetime(2025, 3, 30, 2, minute)) == gap
        assert PARIS.change_at(datetime(2025, 10, 26, 2, minute)) == overlap
    for wall in (datetime(2025, 3, 30, 1, 59), datetime(2025, 3, 30, 3), datetime(2025, 10, 26, 3)):
        with pytest.raises(LookupError, match="occurs exactly once in Europe/Paris"):
            PARIS.change_at(wall)


def test_the_rule_of_later_years_goes_on_after_the_list_ends() -> None:
    assert [show(change.wall_before) for change in PARIS.year(2199).changes] == [
        "2199-03-31 02:00",
        "2199-10-27 03:00",
    ]


def test_instants_are_comparable_with_any_other() -> None:
    repeated = PARIS.to_instant(datetime(2025, 10, 26, 2, 30))
    assert repeated == utc("2025-10-26 00:30")
    assert repeated < utc("2025-10-26 01:30")
    assert repeated.astimezone(UTC) - utc("2025-10-26") == timedelta(minutes=30)
