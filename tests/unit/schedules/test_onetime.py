"""One run, on a wall time in a zone or at an instant."""

from __future__ import annotations

import warnings
from datetime import date, datetime, timedelta, timezone
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import stepsched as ss

from .times import FIRST, LAST, UTC, show, shown, utc

PARIS = ZoneInfo("Europe/Paris")
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("at", "zone", "kept", "instant"),
    [
        pytest.param(
            "2030-01-01T09:00", None, "2030-01-01 09:00", "2030-01-01 09:00+00:00", id="naive is UTC"
        ),
        pytest.param(
            "2030-07-01T09:00",
            "Europe/Paris",
            "2030-07-01 09:00",
            "2030-07-01 09:00+02:00",
            id="naive in a zone",
        ),
        pytest.param(
            datetime(2030, 7, 1, 9),
            "Europe/Paris",
            "2030-07-01 09:00",
            "2030-07-01 09:00+02:00",
            id="naive datetime",
        ),
        pytest.param(
            "2030-07-01T09:00Z",
            "Europe/Paris",
            "2030-07-01 11:00",
            "2030-07-01 11:00+02:00",
            id="Z becomes wall time",
        ),
        pytest.param(
            "2030-07-01T09:00+05:30",
            None,
            "2030-07-01 03:30",
            "2030-07-01 03:30+00:00",
            id="offset without a zone",
        ),
        pytest.param(
            datetime(2030, 7, 1, 9, tzinfo=NEW_YORK),
            "Europe/Paris",
            "2030-07-01 15:00",
            "2030-07-01 15:00+02:00",
            id="another zone is asked for",
        ),
        pytest.param(
            datetime(2030, 7, 1, 9, tzinfo=timezone(timedelta(hours=2))),
            None,
            "2030-07-01 07:00",
            "2030-07-01 07:00+00:00",
            id="a fixed offset is no zone",
        ),
    ],
)
def test_a_moment_is_kept_as_wall_time_beside_its_zone(
    at: datetime | str, zone: str | None, kept: str, instant: str
) -> None:
    once = ss.OneTime(at, timezone=zone)
    assert (show(once.at), show(once.instant)) == (kept, instant)
    assert once.expression == str(once) == f"at({kept.replace(' ', 'T')}:00)"


def test_the_zone_of_an_aware_moment_becomes_the_timezone() -> None:
    once = ss.OneTime(datetime(2030, 7, 1, 9, tzinfo=NEW_YORK))
    assert once == ss.OneTime("2030-07-01T09:00", timezone="America/New_York")
    assert once.timezone == "America/New_York"


def test_a_zone_without_a_name_counts_as_an_offset() -> None:
    with files("tzdata.zoneinfo.Europe").joinpath("Paris").open("rb") as file:
        nameless = ZoneInfo.from_file(file)
    once = ss.OneTime(datetime(2030, 7, 1, 9, tzinfo=nameless))
    assert once.timezone == "UTC"


def test_it_runs_once() -> None:
    once = ss.OneTime("2030-01-01T09:00", timezone="Europe/Paris")
    run = utc("2030-01-01 08:00")
    tick = timedelta(microseconds=1)
    assert once.next_run(run - tick) == once.next_run(FIRST) == run
    assert once.next_run(run) is None
    assert once.previous_run(run + tick) == once.previous_run(LAST) == run
    assert once.previous_run(run) is None
    assert list(once.runs(after=FIRST)) == list(once.runs(after=FIRST, until=run)) == [run]
    assert list(once.runs(after=FIRST, until=run - tick)) == []
    assert once.upcoming(5, after=FIRST) == [run]


# -- gaps and overlaps -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "zone", "moved"),
    [
        pytest.param("2025-03-30T02:30", "Europe/Paris", "2025-03-30 03:30+02:00", id="an hour"),
        pytest.param("2025-03-30T02:00", "Europe/Paris", "2025-03-30 03:00+02:00", id="first minute"),
        pytest.param("2025-03-30T02:59:59", "Europe/Paris", "2025-03-30 03:59:59+02:00", id="last second"),
        pytest.param("2025-10-05T02:15", "Australia/Lord_Howe", "2025-10-05 02:45+11:00", id="half an hour"),
        pytest.param("2011-12-30T12:00", "Pacific/Apia", "2011-12-31 12:00+14:00", id="a day"),
        pytest.param("1972-01-07T00:10", "Africa/Monrovia", "1972-01-07 00:54:30+00:00", id="seconds"),
    ],
)
def test_a_wall_time_that_does_not_exist_moves_forward_by_the_gap_with_a_warning(
    at: str, zone: str, moved: str
) -> None:
    """P-03."""
    with pytest.warns(ss.ScheduleWarning, match=f"does not exist in {zone}") as caught:
        once = ss.OneTime(at, timezone=zone)
    assert show(once.next_run(FIRST)) == show(once.instant) == moved
    assert caught[0].filename == __file__
    assert once.expression == f"at({at if at.count(':') == 2 else at + ':00'})"


@pytest.mark.parametrize("at", ["2025-03-30T01:59:59", "2025-03-30T03:00", "2025-10-26T02:30"])
def test_a_wall_time_that_exists_gives_no_warning(at: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ss.ScheduleWarning)
        ss.OneTime(at, timezone="Europe/Paris")


def test_a_wall_time_that_occurs_twice_means_the_first_pass() -> None:
    """P-04."""
    once = ss.OneTime("2025-10-26T02:30", timezone="Europe/Paris")
    assert show(once.instant) == "2025-10-26 02:30+02:00"
    assert once == ss.OneTime(datetime(2025, 10, 26, 2, 30, tzinfo=PARIS))
    assert once == ss.OneTime(datetime(2025, 10, 26, 2, 30, fold=1), timezone="Europe/Paris")
    assert once == ss.OneTime("2025-10-26T00:30Z", timezone="Europe/Paris")


@pytest.mark.parametrize(
    ("at", "zone"),
    [
        pytest.param(datetime(2025, 10, 26, 2, 30, fold=1, tzinfo=PARIS), None, id="fold"),
        pytest.param("2025-10-26T02:30+01:00", "Europe/Paris", id="offset"),
        pytest.param("2025-10-26T01:30Z", "Europe/Paris", id="Z"),
    ],
)
def test_the_second_pass_is_kept_exactly_and_has_no_aws_expression(
    at: datetime | str, zone: str | None
) -> None:
    once = ss.OneTime(at, timezone=zone)
    assert once.timezone == "Europe/Paris"
    assert show(once.instant) == show(once.next_run(FIRST)) == "2025-10-26 02:30+01:00"
    assert once.at == utc("2025-10-26 01:30")
    assert once.at.tzinfo is UTC
    assert once.expression is None
    assert str(once) == "Once, on Sunday 26 October 2025 at 02:30 (+01:00), Europe/Paris"
    assert once != ss.OneTime("2025-10-26T02:30", timezone="Europe/Paris")
    assert ss.OneTime.model_validate_json(once.model_dump_json()) == once


# -- seconds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "kept"),
    [
        pytest.param(datetime(2030, 1, 1, 9, 0, 0, 1), "2030-01-01 09:00:01", id="up to the next second"),
        pytest.param(
            datetime(2030, 12, 31, 23, 59, 59, 999_999), "2031-01-01 00:00", id="up to the next year"
        ),
        pytest.param("2030-01-01T09:00:00.500Z", "2030-01-01 09:00:01", id="text"),
        pytest.param("2030-01-01T09:00:30", "2030-01-01 09:00:30", id="whole seconds stay (P-25)"),
    ],
)
def test_microseconds_are_rounded_up(at: datetime | str, kept: str) -> None:
    """P-24."""
    assert show(ss.OneTime(at).at) == kept


@pytest.mark.parametrize(
    ("at", "instant"),
    [
        pytest.param(
            datetime(2025, 10, 26, 2, 30, 0, 1, fold=1, tzinfo=PARIS),
            "2025-10-26 02:30:01+01:00",
            id="in the second pass",
        ),
        pytest.param(
            datetime(2025, 10, 26, 2, 59, 59, 500_000, tzinfo=PARIS),
            "2025-10-26 02:00+01:00",
            id="from the first pass into the second",
        ),
        pytest.param(
            datetime(2025, 3, 30, 1, 59, 59, 500_000, tzinfo=PARIS), "2025-03-30 03:00+02:00", id="over a gap"
        ),
    ],
)
def test_rounding_up_an_instant_keeps_its_pass(at: datetime, instant: str) -> None:
    assert show(ss.OneTime(at).instant) == instant


# -- exact -----------------------------------------------------------------------------------------


FRACTION = "2030-01-01T09:00:00.951"


def test_an_exact_schedule_keeps_its_fraction() -> None:
    """P-24."""
    exact = ss.OneTime(FRACTION, timezone="Europe/Paris", exact=True)
    assert show(exact.instant) == "2030-01-01 09:00:00.951000+01:00"
    assert exact.instant in exact
    assert exact.upcoming(2, after=exact.instant - timedelta(seconds=1)) == [exact.instant]
    assert exact.next_run(after=exact.instant) is None


def test_an_exact_schedule_has_no_expression_but_a_description() -> None:
    exact = ss.OneTime(FRACTION, exact=True)
    assert exact.expression is None
    assert str(exact) == exact.describe() == "Once, on Tuesday 1 January 2030 at 09:00:00.951000, UTC"


@pytest.mark.parametrize("at", [FRACTION, FRACTION + "Z", "2030-01-01T09:00:00.000001+05:30"])
def test_an_exact_schedule_survives_json(at: str) -> None:
    exact = ss.OneTime(at, timezone="Europe/Paris", exact=True)
    again = ss.OneTime.model_validate_json(exact.model_dump_json())
    assert again == exact
    assert again.instant == exact.instant
    assert exact.replace(timezone="Europe/Paris") == exact


def test_an_exact_schedule_of_whole_seconds_is_the_ordinary_one() -> None:
    whole = ss.OneTime("2030-01-01T09:00", exact=True)
    assert whole == ss.OneTime("2030-01-01T09:00")
    assert whole.expression == "at(2030-01-01T09:00:00)"
    assert "exact" not in whole.model_fields_set


def test_an_exact_instant_in_the_second_pass_keeps_its_pass() -> None:
    second = ss.OneTime(datetime(2025, 10, 26, 2, 30, 0, 250_000, fold=1, tzinfo=PARIS), exact=True)
    assert second.instant.isoformat() == "2025-10-26T02:30:00.250000+01:00"
    assert second.timezone == "Europe/Paris"


@pytest.mark.parametrize("exact", [1, 0, None, "yes"])
def test_exact_is_true_or_false(exact: Any) -> None:
    with pytest.raises(ss.InvalidScheduleError, match="exact"):
        ss.OneTime(FRACTION, exact=exact)


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "arguments", "field", "words"),
    [
        pytest.param("2030-01-01", {}, "at", "expected a date and a time", id="date"),
        pytest.param("tomorrow", {}, "at", "expected a date and a time", id="word"),
        pytest.param("2030-02-30T00:00", {}, "at", "expected ISO 8601", id="30 February"),
        pytest.param(date(2030, 1, 1), {}, "at", "a datetime or an ISO 8601 string", id="date value"),
        pytest.param(None, {}, "at", "a datetime or an ISO 8601 string", id="nothing"),
        pytest.param("2030-01-01T09:00", {"timezone": "Mars/Base"}, "timezone", "IANA", id="zone"),
        pytest.param("2030-01-01T09:00", {"timezone": 5}, "timezone", "the name of a zone", id="zone number"),
        pytest.param("2030-01-01T09:0\u0660", {}, "at", "expected a date and a time", id="other digits"),
        pytest.param("2030-01-01T09:00", {"kind": "rate"}, "kind", "one_time", id="another kind"),
        pytest.param(
            datetime(9999, 12, 31, 23, 59, 59, 1), {}, "at", "years 1 to 9999", id="rounded out of time"
        ),
        pytest.param(
            datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            {},
            "at",
            "years 1 to 9999",
            id="before time",
        ),
        pytest.param(
            datetime(9999, 12, 31, 23, tzinfo=UTC),
            {"timezone": "Asia/Tokyo"},
            "at",
            "years 1 to 9999",
            id="after time",
        ),
    ],
)
def test_what_is_no_moment_is_refused(at: Any, arguments: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(ss.InvalidScheduleError, match=words) as caught:
        ss.OneTime(at, **arguments)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        pytest.param("at(2030-01-01T00:00:00Z)", "use at(2030-01-01T00:00:00) and timezone=", id="Z"),
        pytest.param("at(2030-01-01T00:00:00+01:00)", "with an offset; use at(", id="offset"),
        pytest.param("at(2030-01-01T00:00:00-0500)", "with an offset; use at(", id="short offset"),
        pytest.param("at(2030-01-01T00:00:00.000)", "fraction of a second", id="fraction"),
        pytest.param("at(2030-01-01)", "write at(2030-01-01T00:00:00)", id="date only"),
        pytest.param("at(2030-01-01 00:00:00)", "write at(2030-01-01T00:00:00)", id="blank for T"),
        pytest.param("at(2030-13-01T00:00:00)", "month must be in 1..12", id="month 13"),
        pytest.param("at(2030-02-30T00:00:00)", "expected a date and a time, got", id="30 February"),
        pytest.param("at(2030-01-01T24:00:00)", "hour must be in 0..23", id="hour 24"),
        pytest.param("at(0000-01-01T00:00:00)", "expected a date and a time, got", id="year 0"),
        pytest.param("at(2030-1-1T00:00:00)", "the form is at(yyyy-mm-ddThh:mm:ss)", id="one digit"),
        pytest.param("at(next week)", "the form is at(yyyy-mm-ddThh:mm:ss)", id="words"),
        pytest.param("at(٢٠٣٠-01-01T00:00:00)", "the form is at(yyyy-mm-ddThh:mm:ss)", id="other digits"),
        pytest.param("at()", "the form is at(yyyy-mm-ddThh:mm:ss)", id="empty"),
    ],
)
def test_a_refused_expression_says_how_to_write_it(text: str, hint: str) -> None:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        ss.OneTime.from_expression(text)
    assert (caught.value.field, caught.value.expression) == ("at", text)
    assert hint in caught.value.reason


@pytest.mark.parametrize(
    "text", ["at(2030-01-01T09:00:00)", "at(2030-01-01T09:00)", "AT(2030-01-01T09:00:00)"]
)
def test_an_expression_with_or_without_seconds_is_read(text: str) -> None:
    assert ss.OneTime.from_expression(text, timezone="Europe/Paris") == ss.OneTime(
        "2030-01-01T09:00", timezone="Europe/Paris"
    )


def test_it_describes_itself() -> None:
    once = ss.OneTime("2030-01-01T09:00", timezone="Europe/Paris")
    assert once.describe() == "Once, on Tuesday 1 January 2030 at 09:00, Europe/Paris"
    precise = once.replace(at="2030-01-01T09:00:05")
    assert precise.describe() == "Once, on Tuesday 1 January 2030 at 09:00:05, Europe/Paris"


def test_runs_are_found_after_other_times_too() -> None:
    once = ss.OneTime("2030-01-01T09:00")
    assert shown(once.runs(after=utc("2029-12-31"), until=utc("2030-01-02"))) == ["2030-01-01 09:00+00:00"]
