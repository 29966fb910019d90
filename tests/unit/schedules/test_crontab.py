"""The Unix dialect: what becomes one AWS expression, what keeps its line, what is refused."""

from __future__ import annotations

import pytest

import stepsched as ss
from stepsched.schedules.crontab import parse_crontab

from .times import shown, utc

YEAR_2025 = utc("2025-01-01")


@pytest.mark.parametrize(
    ("line", "expression"),
    [
        pytest.param("* * * * *", "* * * * ? *", id="every minute"),
        pytest.param("*/5 * * * *", "*/5 * * * ? *", id="step"),
        pytest.param("0-59/15 * * * *", "*/15 * * * ? *", id="step written as a range"),
        pytest.param("7-59/25 * * * *", "7/25 * * * ? *", id="step from a value"),
        pytest.param("10-30/10 * * * *", "10-30/10 * * * ? *", id="step inside a range"),
        pytest.param("0 9 * * *", "0 9 * * ? *", id="daily"),
        pytest.param("0 9-17 * * *", "0 9-17 * * ? *", id="hours"),
        pytest.param("0 9,10,12 * * *", "0 9,10,12 * * ? *", id="two neighbours stay a list"),
        pytest.param("0 7,8,9,20 * * *", "0 7-9,20 * * ? *", id="three neighbours become a range"),
        pytest.param("0 0 1 * *", "0 0 1 * ? *", id="monthly"),
        pytest.param("0 0 */10 * *", "0 0 */10 * ? *", id="day step"),
        pytest.param("0 0 1-31 * *", "0 0 * * ? *", id="all days"),
        pytest.param("0 0 L * *", "0 0 L * ? *", id="last day"),
        pytest.param("0 0 1 1-12/3 *", "0 0 1 */3 ? *", id="quarters"),
        pytest.param("0 0 1 jan,jul *", "0 0 1 1,7 ? *", id="month names"),
        pytest.param("*/5 9-17 * * 1-5", "*/5 9-17 ? * MON-FRI *", id="working hours"),
        pytest.param("0 0 * * 0", "0 0 ? * SUN *", id="Sunday is 0"),
        pytest.param("0 0 * * 7", "0 0 ? * SUN *", id="and 7"),
        pytest.param("0 0 * * 6,7", "0 0 ? * SUN,SAT *", id="week-end"),
        pytest.param("0 0 * * mon,wed,fri", "0 0 ? * MON,WED,FRI *", id="weekday names"),
        pytest.param("0 0 * * */2", "0 0 ? * SUN,TUE,THU,SAT *", id="weekday step becomes a list"),
        pytest.param("0 0 * * 0-6", "0 0 * * ? *", id="all weekdays"),
        pytest.param("0 0 * * 1#2", "0 0 ? * 2#2 *", id="second Monday"),
        pytest.param("0 0 * * L5", "0 0 ? * 6L *", id="last Friday"),
        pytest.param("@hourly", "0 * * * ? *", id="@hourly"),
        pytest.param("@daily", "0 0 * * ? *", id="@daily"),
        pytest.param("@midnight", "0 0 * * ? *", id="@midnight"),
        pytest.param("@weekly", "0 0 ? * SUN *", id="@weekly"),
        pytest.param("@monthly", "0 0 1 * ? *", id="@monthly"),
        pytest.param("@yearly", "0 0 1 1 ? *", id="@yearly"),
        pytest.param("@annually", "0 0 1 1 ? *", id="@annually"),
        pytest.param("  0 9 * * *  ", "0 9 * * ? *", id="blanks around"),
        pytest.param("0   9 *\t* *", "0 9 * * ? *", id="blanks between"),
        pytest.param("0 0 1-31 * 1", "0 0 * * ? *", id="all days or Monday is all days"),
        pytest.param("0 0 13 * 0-6", "0 0 ? * * *", id="13th or all weekdays is all days"),
        pytest.param("0 0 28,L 2 *", None, id="two rules"),
        pytest.param("0 0 31,L * *", "0 0 L * ? *", id="a rule that contains the other"),
        pytest.param("0 0 * * 1#1,1#2", None, id="two counts"),
    ],
)
def test_a_line_becomes_the_aws_expression_that_means_the_same(line: str, expression: str | None) -> None:
    cron = ss.Cron.from_crontab(line)
    if expression is None:
        assert (cron.expression, cron.crontab) == (None, line)
    else:
        assert cron == ss.Cron(expression)
        assert cron.crontab is None


EITHER = [
    pytest.param(
        "0 0 13 * 5",
        ["2025-01-03", "2025-01-10", "2025-01-13", "2025-01-17", "2025-01-24"],
        id="13th or Friday",
    ),
    pytest.param(
        "0 0 1,15 * 1", ["2025-01-06", "2025-01-13", "2025-01-15", "2025-01-20"], id="1st, 15th, Monday"
    ),
    pytest.param("0 0 1,L 2 *", ["2025-02-01", "2025-02-28", "2026-02-01"], id="first or last day"),
    pytest.param("0 0 * * 1#1,3#2", ["2025-01-06", "2025-01-08", "2025-02-03"], id="two counted weekdays"),
]


@pytest.mark.parametrize(("line", "expected"), EITHER)
def test_where_either_day_field_suffices_the_line_is_kept_and_aws_has_no_expression(
    line: str, expected: list[str]
) -> None:
    cron = ss.Cron.from_crontab(line, timezone="Asia/Tokyo")
    assert cron.expression is None
    assert cron.crontab == line
    assert cron == ss.Cron(crontab=line, timezone="Asia/Tokyo")
    runs = cron.upcoming(len(expected), after=YEAR_2025)
    assert [f"{run:%Y-%m-%d}" for run in runs] == expected
    assert cron.previous_run(runs[-1]) == runs[-2]
    assert str(cron) == cron.describe()
    assert " or " in cron.describe()


def test_the_longest_lists_still_fit_into_the_256_characters_of_aws() -> None:
    pairs = [
        ",".join(str(n) for n in range(low, high) if n % 3 != 2 + low) for low, high in ((0, 60), (0, 24))
    ]
    days = ",".join(str(day) for day in range(1, 32) if day % 3)
    cron = ss.Cron.from_crontab(f"{pairs[0]} {pairs[1]} {days} 1,2,4,5,7,8,10,11 *")
    assert cron.expression == f"cron({pairs[0]} {pairs[1]} {days} 1,2,4,5,7,8,10,11 ? *)"
    assert len(cron.expression) <= 256
    assert ss.parse_schedule(cron.expression) == cron


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        pytest.param("", "crontab", "expected five fields, .* got 0", id="empty"),
        pytest.param("0 9 * *", "crontab", "expected five fields, .* got 4", id="four fields"),
        pytest.param("0 0 9 * * *", "crontab", "expected five fields", id="seconds or a year"),
        pytest.param(
            "*/10 * * * * *",
            "crontab",
            r"for steps of seconds use Windowed\(start, every=Frequency\(seconds=...\)\)",
            id="seconds",
        ),
        pytest.param("cron(0 9 * * ? *)", "crontab", "expected five fields", id="AWS text"),
        pytest.param("@reboot", "crontab", "names no time", id="@reboot"),
        pytest.param("@REBOOT", "crontab", "names no time", id="@REBOOT"),
        pytest.param("R * * * *", "crontab", "name no fixed time", id="random minute"),
        pytest.param("r(0-30) * * * *", "crontab", "name no fixed time", id="random minute in a range"),
        pytest.param("0 H * * *", "crontab", "name no fixed time", id="hashed hour"),
        pytest.param("0 9 15W * *", "day-of-month", "of the AWS dialect does", id="nearest weekday"),
        pytest.param("0 9 LW * *", "day-of-month", "of the AWS dialect does", id="last weekday"),
        pytest.param("60 * * * *", "crontab", "croniter refuses it", id="minute 60"),
        pytest.param("0 24 * * *", "crontab", "croniter refuses it", id="hour 24"),
        pytest.param("0 0 32 * *", "crontab", "croniter refuses it", id="day 32"),
        pytest.param("0 0 * 13 *", "crontab", "croniter refuses it", id="month 13"),
        pytest.param("0 0 * * 8", "crontab", "croniter refuses it", id="weekday 8"),
        pytest.param("0 0 * * 1#6", "crontab", "croniter refuses it", id="sixth Monday"),
        pytest.param("0 0 * * 1#1,5", "crontab", "croniter refuses it", id="counted and plain weekday"),
        pytest.param("x * * * *", "crontab", "croniter refuses it", id="letter"),
        pytest.param("0 0 L * 1#1", "day-of-month", "use two jobs", id="last day beside a counted weekday"),
        pytest.param("0 0 29 2 L5", "day-of-month", "use two jobs", id="day beside a last weekday"),
        pytest.param("@fortnightly", "crontab", "croniter refuses it", id="unknown shortcut"),
    ],
)
def test_what_names_no_time_is_refused(line: str, field: str, words: str) -> None:
    with pytest.raises(ss.InvalidScheduleError, match=words) as caught:
        ss.Cron.from_crontab(line)
    assert caught.value.field == field
    assert caught.value.expression == line


def test_the_text_of_aws_is_not_told_of_seconds() -> None:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        ss.Cron.from_crontab("cron(0 9 * * ? *)")
    assert "seconds" not in caught.value.reason


def test_zone_and_window_stand_beside_a_line_as_beside_an_expression() -> None:
    cron = ss.Cron.from_crontab(
        "0 9 13 * 5", timezone="Europe/Paris", start=utc("2025-06-01"), end="2025-06-14T00:00Z"
    )
    assert shown(cron.runs(after=YEAR_2025)) == ["2025-06-06 09:00+02:00", "2025-06-13 09:00+02:00"]
    with pytest.raises(ss.InvalidScheduleError, match="IANA"):
        ss.Cron.from_crontab("0 9 * * *", timezone="Nowhere")


def test_gaps_and_overlaps_are_those_of_every_cron() -> None:
    cron = ss.Cron.from_crontab("30 2 30 * 0", timezone="Europe/Paris")
    assert shown(cron.runs(after=utc("2025-03-24"), until=utc("2025-04-07"))) == ["2025-04-06 02:30+02:00"]
    assert shown(cron.runs(after=utc("2025-10-25"), until=utc("2025-10-27"))) == ["2025-10-26 02:30+02:00"]


def test_a_reading_without_aws_text_says_so() -> None:
    assert parse_crontab("0 0 13 * 5").text == ""
    assert parse_crontab("0 0 13 * *").text == "0 0 13 * ? *"
