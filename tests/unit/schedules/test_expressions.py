"""AWS text to a schedule: the cases of AWS's documentation and of measured answers."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss

from .times import FIRST, shown, utc

DATA = Path(__file__).parents[2] / "data"
CASES: list[dict[str, Any]] = [
    json.loads(line) for line in (DATA / "expressions.jsonl").read_text("utf-8").splitlines()
]
READ = [pytest.param(case, id=case["id"]) for case in CASES if "field" not in case]
REFUSED = [pytest.param(case, id=case["id"]) for case in CASES if "field" in case]


@pytest.mark.parametrize("case", READ)
def test_what_the_service_accepts_runs_when_the_service_runs_it(case: dict[str, Any]) -> None:
    schedule = ss.parse_schedule(
        case["expression"], timezone=case["timezone"], start=case.get("start"), end=case.get("end")
    )
    expected = [utc(run) for run in case["next"]]
    assert schedule.upcoming(len(expected), after=utc(case["after"])) == expected
    if case["last"]:
        assert schedule.next_run(expected[-1] if expected else utc(case["after"])) is None
    again = ss.parse_schedule(
        str(schedule), timezone=case["timezone"], start=case.get("start"), end=case.get("end")
    )
    assert again == schedule


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_service_refuses_is_refused_by_the_name_of_its_field(case: dict[str, Any]) -> None:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        ss.parse_schedule(case["expression"], timezone=case["timezone"])
    assert (caught.value.field, caught.value.expression) == (case["field"], case["expression"])
    assert caught.value.reason


def test_no_case_is_lost() -> None:
    assert (len(READ), len(REFUSED)) == (76, 33)


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        pytest.param("at(2030-01-01T09:00:00)", ss.OneTime("2030-01-01T09:00"), id="at"),
        pytest.param("rate(5 minutes)", ss.Rate(timedelta(minutes=5)), id="rate"),
        pytest.param("cron(0 9 ? * MON-FRI *)", ss.Cron("0 9 ? * MON-FRI *"), id="cron"),
        pytest.param("AT(2030-01-01T09:00)", ss.OneTime("2030-01-01T09:00"), id="AT"),
        pytest.param("Rate(5 MINUTES)", ss.Rate(timedelta(minutes=5)), id="Rate"),
        pytest.param("CRON(0 9 ? * mon-fri)", ss.Cron("0 9 ? * MON-FRI *"), id="CRON"),
    ],
)
def test_each_keyword_gives_its_kind_in_any_case(text: str, schedule: ss.Schedule) -> None:
    assert ss.parse_schedule(text) == schedule


def test_at_takes_the_zone_and_ignores_the_window() -> None:
    once = ss.parse_schedule(
        "at(2030-01-01T09:00:00)",
        timezone="Europe/Paris",
        start=utc("2031-01-01"),
        end="2032-01-01T00:00Z",
    )
    assert once == ss.OneTime("2030-01-01T09:00", timezone="Europe/Paris")
    assert shown(once.runs(after=FIRST)) == ["2030-01-01 09:00+01:00"]


def test_rate_takes_the_window_and_ignores_the_zone() -> None:
    rate = ss.parse_schedule(
        "rate(1 day)", timezone="Europe/Paris", start=utc("2030-01-01"), end=utc("2030-02-01")
    )
    assert rate == ss.Rate(timedelta(days=1), start=utc("2030-01-01"), end=utc("2030-02-01"))


def test_what_has_no_meaning_may_still_not_be_nonsense() -> None:
    with pytest.raises(ss.InvalidScheduleError, match="naive") as caught:
        ss.parse_schedule("at(2030-01-01T09:00:00)", start="2031-01-01T00:00")
    assert caught.value.field == "start"
    with pytest.raises(ss.InvalidScheduleError, match="IANA") as caught:
        ss.parse_schedule("rate(5 minutes)", timezone="Mars/Base")
    assert caught.value.field == "timezone"


def test_cron_takes_zone_and_window() -> None:
    cron = ss.parse_schedule(
        "cron(0 9 * * ? *)", timezone="Europe/Paris", start="2030-01-01T00:00Z", end=utc("2030-02-01")
    )
    assert cron == ss.Cron(
        "0 9 * * ? *", timezone="Europe/Paris", start=utc("2030-01-01"), end=utc("2030-02-01")
    )


def test_at_in_a_gap_warns_as_the_value_does() -> None:
    with pytest.warns(ss.ScheduleWarning, match="does not exist in Europe/Paris"):
        ss.parse_schedule("at(2025-03-30T02:30:00)", timezone="Europe/Paris")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        pytest.param("", "it is empty; the forms are at(", id="empty"),
        pytest.param("   ", "it is empty", id="blanks"),
        pytest.param(" rate(5 minutes)", "write 'rate(5 minutes)'", id="leading blank"),
        pytest.param("rate(5 minutes) ", "write 'rate(5 minutes)'", id="trailing blank"),
        pytest.param("rate(5 minutes)\n", "write 'rate(5 minutes)'", id="trailing line end"),
        pytest.param("rate (5 minutes)", "write 'rate(5 minutes)'", id="blank before the parenthesis"),
        pytest.param("cron( 0 9 * * ? * )", "write 'cron(0 9 * * ? *)'", id="blanks inside"),
        pytest.param("0 9 * * 1-5", "Cron.from_crontab('0 9 * * 1-5')", id="Unix crontab"),
        pytest.param("@daily", "Cron.from_crontab('@daily')", id="Unix shortcut"),
        pytest.param("0 9 ? * MON-FRI *", "write 'cron(0 9 ? * MON-FRI *)'", id="no wrapper"),
        pytest.param("every(5 minutes)", "the forms are at(", id="another keyword"),
        pytest.param("rate(5 minutes);", "the forms are at(", id="trailing text"),
        pytest.param("rate 5 minutes", "the forms are at(", id="no parentheses"),
        pytest.param("rate(5 minutes", "is missing; write 'rate(5 minutes)'", id="one parenthesis"),
        pytest.param("\u017fchedule(5 minutes)", "the forms are at(", id="letters beyond ASCII"),
        pytest.param("rate(5\nminutes)", "the forms are at(", id="two lines"),
    ],
)
def test_a_refusal_says_how_to_mend_it(text: str, hint: str) -> None:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        ss.parse_schedule(text)
    assert (caught.value.field, caught.value.expression) == ("expression", text)
    assert hint in caught.value.reason


def test_an_expression_has_at_most_256_characters() -> None:
    with pytest.raises(ss.InvalidScheduleError, match="expected at most 256 characters, as on AWS, got 257"):
        ss.parse_schedule("rate(" + "0" * 242 + "5 minutes)")
    assert ss.parse_schedule("rate(" + "0" * 241 + "5 minutes)") == ss.Rate(timedelta(minutes=5))


@pytest.mark.parametrize("value", [None, 5, b"rate(5 minutes)"])
def test_what_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(ss.InvalidScheduleError, match=f"expected a string, got {type(value).__name__}"):
        ss.parse_schedule(value)
