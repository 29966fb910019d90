"""The value: what a cron takes, keeps and answers."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.core.clock import utc_now
from stepsched.schedules.stored import reading_stored

from .times import FIRST, LAST, show, shown, utc

YEAR_2025 = utc("2025-01-01")


@pytest.mark.parametrize(
    "expression",
    ["0 9 ? * MON-FRI *", "0 9 ? * MON-FRI", "cron(0 9 ? * MON-FRI *)", "CRON(0 09 ? * mon-fri *)"],
)
def test_every_spelling_gives_one_value(expression: str) -> None:
    cron = ss.Cron(expression)
    assert cron == ss.Cron("0 9 ? * MON-FRI *")
    assert cron.expression == str(cron) == "cron(0 9 ? * MON-FRI *)"
    assert (cron.kind, cron.timezone, cron.crontab, cron.start, cron.end) == ("cron", "UTC", None, None, None)


@pytest.mark.parametrize(
    ("arguments", "field", "words"),
    [
        pytest.param({}, "expression", "either an AWS expression or a crontab line", id="neither"),
        pytest.param(
            {"expression": "0 9 * * ? *", "crontab": "0 9 * * *"}, "expression", "either", id="both texts"
        ),
        pytest.param({"expression": 5}, "expression", "expected a string, got int", id="number"),
        pytest.param({"expression": "0 9 * * ? *", "kind": "rate"}, "kind", "cron", id="another kind"),
        pytest.param({"expression": "0 9 * * ? *", "timezone": "Paris"}, "timezone", "IANA", id="zone"),
        pytest.param({"expression": "0 9 * * ? *", "timezone": ""}, "timezone", "IANA", id="empty zone"),
        pytest.param({"expression": "0 9 * * ? *", "timezone": None}, "timezone", "the name", id="no zone"),
        pytest.param(
            {"expression": "0 9 * * ? *", "timezone": timezone(timedelta(hours=2))},
            "timezone",
            "expected the name of a zone, such as 'Europe/Paris', or a ZoneInfo, got ",
            id="an offset for a zone",
        ),
        pytest.param({"crontab": "0 9 * *"}, "crontab", "expected five fields, .* got 4", id="crontab"),
        pytest.param({"crontab": 5}, "crontab", "expected a string, got int", id="crontab number"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(ss.InvalidScheduleError, match=words) as caught:
        ss.Cron(**arguments)
    assert caught.value.field == field


def test_next_and_previous_walk_the_same_runs_in_both_directions() -> None:
    cron = ss.Cron("30 9 ? * MON-FRI *", timezone="Europe/Paris")
    runs = cron.upcoming(5, after=utc("2025-03-27 12:00"))
    assert shown(runs) == [
        "2025-03-28 09:30+01:00",
        "2025-03-31 09:30+02:00",
        "2025-04-01 09:30+02:00",
        "2025-04-02 09:30+02:00",
        "2025-04-03 09:30+02:00",
    ]
    assert [cron.next_run(after) for after in runs[:-1]] == runs[1:]
    assert [cron.previous_run(before) for before in runs[1:]] == runs[:-1]


def test_seconds_of_the_question_neither_lose_nor_repeat_a_run() -> None:
    cron = ss.Cron("0 12 * * ? *")
    assert show(cron.next_run(utc("2025-01-01 11:59:59.999999"))) == "2025-01-01 12:00+00:00"
    assert show(cron.next_run(utc("2025-01-01 12:00"))) == "2025-01-02 12:00+00:00"
    assert show(cron.next_run(utc("2025-01-01 12:00:00.000001"))) == "2025-01-02 12:00+00:00"
    assert show(cron.previous_run(utc("2025-01-01 12:00:00.000001"))) == "2025-01-01 12:00+00:00"
    assert show(cron.previous_run(utc("2025-01-01 12:00"))) == "2024-12-31 12:00+00:00"
    assert show(cron.previous_run(utc("2025-01-01 11:59:59.999999"))) == "2024-12-31 12:00+00:00"


def test_the_end_is_an_instant_and_not_a_wall_time() -> None:
    cron = ss.Cron("0 20 * * ? *", timezone="America/New_York", end=utc("2025-01-03"))
    assert shown(cron.runs(after=utc("2025-01-01 02:00"))) == ["2025-01-01 20:00-05:00"]


def test_a_start_in_the_repeated_hour_waits_for_a_first_pass() -> None:
    second_pass = utc("2026-11-01 06:30")
    cron = ss.Cron("*/30 1 * * ? *", timezone="America/New_York", start=second_pass)
    assert shown(cron.upcoming(2, after=FIRST)) == ["2026-11-02 01:00-05:00", "2026-11-02 01:30-05:00"]


# -- the years of the dialect -------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York", "Pacific/Kiritimati"])
def test_the_first_run_is_in_1970_and_the_last_in_2199_on_the_zones_own_clocks(zone: str) -> None:
    cron = ss.Cron("59 23 * * ? *", timezone=zone)
    for early in (FIRST, utc("1900-06-01"), utc("1969-12-30")):
        assert (show(cron.next_run(early)) or "").startswith("1970-01-01 23:59")
        assert cron.previous_run(early) is None
    for late in (LAST, utc("5000-06-01"), utc("2200-01-02")):
        assert cron.next_run(late) is None
        assert (show(cron.previous_run(late)) or "").startswith("2199-12-31 23:59")
    assert next(cron.runs(after=FIRST)) == cron.next_run(FIRST)
    *_, last = cron.runs(after=utc("2199-12-25"))
    assert last == cron.previous_run(LAST)


def test_new_year_belongs_to_the_zone() -> None:
    tokyo = ss.Cron("0 0 1 1 ? 1970", timezone="Asia/Tokyo")
    assert shown([tokyo.next_run(FIRST), tokyo.next_run(utc("1969-12-31 15:00"))]) == [
        "1970-01-01 00:00+09:00",
        None,
    ]
    new_york = ss.Cron("59 23 31 12 ? 2199", timezone="America/New_York")
    assert show(new_york.next_run(utc("2200-01-01 04:58"))) == "2199-12-31 23:59-05:00"
    assert new_york.next_run(utc("2200-01-01 04:59")) is None
    assert show(new_york.previous_run(utc("2200-01-01 05:00"))) == "2199-12-31 23:59-05:00"
    assert new_york.previous_run(utc("2200-01-01 04:59")) is None


def test_until_may_lie_far_outside_the_years() -> None:
    cron = ss.Cron("0 0 1 1 ? *")
    assert len(list(cron.runs(after=FIRST, until=LAST))) == 230
    assert list(cron.runs(after=FIRST, until=utc("1969-01-01"))) == []
    assert list(cron.runs(after=utc("2300-01-01"), until=LAST)) == []
    assert len(list(cron.runs(after=utc("2198-06-01"), until=utc("2200-06-01")))) == 1


# -- skipped wall times (P-02) ------------------------------------------------------------------------


def test_skipped_lists_the_wall_times_that_never_were() -> None:
    cron = ss.Cron("*/20 2 * * ? *", timezone="Europe/Paris")
    assert list(cron.skipped(after=YEAR_2025, until=utc("2026-06-01"))) == [
        datetime(2025, 3, 30, 2, 0),
        datetime(2025, 3, 30, 2, 20),
        datetime(2025, 3, 30, 2, 40),
        datetime(2026, 3, 29, 2, 0),
        datetime(2026, 3, 29, 2, 20),
        datetime(2026, 3, 29, 2, 40),
    ]


def test_skipped_is_empty_where_nothing_is_skipped() -> None:
    assert list(ss.Cron("30 2 * * ? *").skipped(after=YEAR_2025)) == []
    assert list(ss.Cron("30 3 * * ? *", timezone="Europe/Paris").skipped(after=YEAR_2025)) == []
    assert list(ss.Cron("30 2 30 2 ? *", timezone="Europe/Paris").skipped(after=YEAR_2025)) == []
    assert list(ss.Cron("30 2 * * ? *", timezone="Europe/Paris").skipped(FIRST, utc("1960-01-01"))) == []


def test_skipped_keeps_to_the_window_and_to_until() -> None:
    cron = ss.Cron("30 2 * * ? *", timezone="Europe/Paris")
    gap = utc("2025-03-30 01:00")
    second = timedelta(seconds=1)
    assert list(cron.skipped(after=gap - second, until=gap)) == [datetime(2025, 3, 30, 2, 30)]
    assert list(cron.skipped(after=gap, until=gap + timedelta(days=300))) == []
    assert list(cron.skipped(after=YEAR_2025, until=gap - second)) == []
    late = cron.replace(start=utc("2025-06-01"), end=utc("2026-06-01"))
    assert list(late.skipped(after=YEAR_2025)) == [datetime(2026, 3, 29, 2, 30)]


@pytest.mark.parametrize("name", ["after", "until"])
def test_skipped_refuses_a_naive_instant(name: str) -> None:
    instants = {"after": YEAR_2025, "until": utc("2026-01-01"), name: datetime(2025, 1, 1)}
    with pytest.raises(ValueError, match=f"{name} is naive"):
        ss.Cron("30 2 * * ? *", timezone="Europe/Paris").skipped(**instants)


def test_skipped_begins_now_unless_told() -> None:
    cron = ss.Cron("30 2 * * ? *", timezone="Europe/Paris")
    assert next(cron.skipped()) >= utc_now().replace(tzinfo=None) - timedelta(hours=2)


def test_skipped_is_found_one_at_a_time_through_all_years() -> None:
    cron = ss.Cron("30 2 ? 3 * *", timezone="Europe/Paris")
    years = [wall.year for wall in cron.skipped(after=YEAR_2025)]
    assert years == list(range(2025, 2200))


def test_skipped_covers_a_day_that_never_was() -> None:
    cron = ss.Cron("0 */8 * * ? *", timezone="Pacific/Apia")
    assert list(cron.skipped(after=utc("2011-12-01"), until=utc("2011-12-31"))) == [
        datetime(2011, 12, 30, 0),
        datetime(2011, 12, 30, 8),
        datetime(2011, 12, 30, 16),
    ]


# -- words -------------------------------------------------------------------------------------------


def test_it_describes_itself_with_zone_and_window() -> None:
    cron = ss.Cron("0 9 ? * MON-FRI", timezone="Europe/Paris")
    assert cron.describe() == "At 09:00, Monday to Friday, Europe/Paris"
    bounded = cron.replace(start=utc("2030-01-01"), end=utc("2031-01-01 12:30"))
    assert bounded.describe() == (
        "At 09:00, Monday to Friday, Europe/Paris, "
        "from 1 January 2030 at 00:00 UTC, until 1 January 2031 at 12:30 UTC"
    )


@pytest.mark.parametrize("weekdays", ["1-5", "1,2,3,4,5", "5,1-4", "01-05"])
def test_the_working_week_of_a_crontab_is_warned_of(weekdays: str) -> None:
    with pytest.warns(ss.ScheduleWarning, match="write MON-FRI for Monday to Friday, or SUN-THU") as caught:
        cron = ss.Cron(f"0 9 ? * {weekdays} *")
    assert caught[0].filename == __file__
    assert {run.isoweekday() for run in cron.upcoming(10, after=utc("2025-01-01"))} == {7, 1, 2, 3, 4}
    with pytest.warns(ss.ScheduleWarning, match="Sunday to Thursday on AWS"):
        ss.parse_schedule(f"cron(0 9 ? * {weekdays} *)")
    with reading_stored():  # which warns of nothing
        assert ss.Cron.model_validate_json(cron.model_dump_json()) == cron


@pytest.mark.parametrize("weekdays", ["2-6", "SUN-THU", "MON-FRI", "1-THU", "1-4", "1-7", "1,7", "5"])
def test_other_weekdays_are_not_warned_of(weekdays: str) -> None:
    assert ss.Cron(f"0 9 ? * {weekdays} *").upcoming(1)
    assert ss.Cron.from_crontab("0 9 * * 1-5").upcoming(1)
