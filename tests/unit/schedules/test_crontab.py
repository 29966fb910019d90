"""The Unix dialect: what becomes one AWS expression, what keeps its line, what is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

import stepsched as ss
from stepsched.schedules.crontab import parse_crontab
from stepsched.schedules.stored import reading_stored

from .times import shown, utc

YEAR_2025 = utc("2025-01-01")
CASES = (Path(__file__).parents[2] / "data" / "crontab_cases.tsv").read_text("utf-8").splitlines()
"""Lines, an instant, and the six runs after it as Debian's cron has them, by cronsim 2.8: the minutes from
one to the next."""


@pytest.mark.parametrize("first", range(0, 1_500, 100))
def test_lines_run_as_on_debian(first: int) -> None:
    assert [case for case in CASES[first : first + 100] if not _is_answered(case)] == []


def _is_answered(case: str) -> bool:
    line, after, minutes = case.split("\t")
    expected = [utc(after)]
    for passed in minutes.split():
        expected.append(expected[-1] + timedelta(minutes=int(passed)))
    cron = ss.Cron.from_crontab(line)
    runs, before = cron.upcoming(6, after=expected[0]), cron.previous_run(before=expected[2])
    return (runs, before) == (expected[1:], expected[1])


def test_no_case_is_lost() -> None:
    assert len(CASES) == 1_500


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
        pytest.param("0 0 * * 1#1,5", None, id="a count and a plain weekday"),
        pytest.param("0 0 * * LFRI,lfri", "0 0 ? * 6L *", id="last Friday by its name, twice"),
        pytest.param("0 0 * * 7#1", "0 0 ? * 1#1 *", id="first Sunday"),
        pytest.param("0 0 * * L7", "0 0 ? * 1L *", id="last Sunday"),
        pytest.param("@DAILY", "0 0 * * ? *", id="@DAILY"),
        # a range of one value is one value
        pytest.param("0 9-9 * * *", "0 9 * * ? *", id="9 to 9"),
        pytest.param("30-30 9 * * *", "30 9 * * ? *", id="minute 30 to 30"),
        pytest.param("0-0 0-0 * * *", "0 0 * * ? *", id="0 to 0"),
        pytest.param("0 0 5-5 * *", "0 0 5 * ? *", id="day 5 to 5"),
        pytest.param("0 0 1 3-MAR *", "0 0 1 3 ? *", id="March to March"),
        pytest.param("0 0 * * MON-1", "0 0 ? * MON *", id="Monday to Monday"),
        pytest.param("0 0 * * 0-0,7-7", "0 0 ? * SUN *", id="Sunday to Sunday, both ways"),
        # ranges wrap, and a step counts on through the end (P-05)
        pytest.param("0 0 1 11-2/3 *", "0 0 1 2,11 ? *", id="from November to February by three"),
        pytest.param("0 22-4/3 * * *", "0 1,4,22 * * ? *", id="from 22 to 4 by three"),
        pytest.param("50-10/5 * * * *", "0,5,10,50,55 * * * ? *", id="minutes over the end"),
        pytest.param("0 0 29-3/2 * *", "0 0 2,29,31 * ? *", id="days over the end"),
        pytest.param("0 0 * * FRI-MON", "0 0 ? * SUN,MON,FRI,SAT *", id="Friday to Monday"),
        pytest.param("0 0 * * SAT-SUN", "0 0 ? * SUN,SAT *", id="Saturday to Sunday"),
        pytest.param("0 0 * * 5-7", "0 0 ? * SUN,FRI,SAT *", id="5 to 7"),
        pytest.param("0 0 * * 7-2", "0 0 ? * SUN-TUE *", id="7 to 2"),
        pytest.param("0 0 * * 0-7", "0 0 * * ? *", id="0 to 7 is every day"),
        pytest.param("0 0 * * 1-7", "0 0 * * ? *", id="1 to 7 is every day"),
        pytest.param("0 0 * * 7-6", "0 0 * * ? *", id="7 to 6 is every day"),
        pytest.param("0 0 * * 5-7/2", "0 0 ? * SUN,FRI *", id="Friday and Sunday"),
        pytest.param("0 0 * * 6-2/2", "0 0 ? * MON,SAT *", id="weekdays over the end by two"),
        pytest.param("0 0 * * */7", "0 0 ? * SUN *", id="every seventh weekday"),
        # a step without a range goes to the end of the field
        pytest.param("0 23/2 * * *", "0 23 * * ? *", id="23 by two"),
        pytest.param("59/15 * * * *", "59 * * * ? *", id="59 by 15"),
        pytest.param("0 0 31/5 * *", "0 0 31 * ? *", id="31 by 5"),
        pytest.param("0 0 1 12/3 *", "0 0 1 12 ? *", id="December by 3"),
        pytest.param("0 0 * * 6/2", "0 0 ? * SAT *", id="Saturday by 2"),
        pytest.param("0 0 * * 2/2", "0 0 ? * TUE,THU,SAT *", id="Tuesday by 2"),
        # a bare star restricts nothing
        pytest.param("0 0 */1 * 1", "0 0 ? * MON *", id="every day by one, and Monday"),
        pytest.param("0 0 *,* * 1", "0 0 ? * MON *", id="two stars, and Monday"),
        pytest.param("0 0 13 * */1", "0 0 13 * ? *", id="13th, and every weekday by one"),
        pytest.param("0 0 */2 * *", "0 0 */2 * ? *", id="a step of days alone"),
        pytest.param("0 0 *,15 * *", "0 0 * * ? *", id="a star in a list alone"),
        pytest.param("005 09 * * *", "5 9 * * ? *", id="leading zeros"),
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


def refusal(line: str) -> ss.InvalidScheduleError:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        ss.Cron.from_crontab(line)
    assert caught.value.expression == line
    return caught.value


def codes(reason: str) -> list[ss.Cron]:
    """The crons of which a refusal gives the code, made by running it."""
    found = re.findall(r"Cron(?:\.from_crontab)?\([^()]*\)", reason)
    return [eval(code, {"Cron": ss.Cron}) for code in found]


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
        pytest.param("@reboot", "crontab", "names no time; call the command when", id="@reboot"),
        pytest.param("@REBOOT", "crontab", "names no time", id="@REBOOT"),
        pytest.param("60 * * * *", "minutes", "60 is not between 0 and 59", id="minute 60"),
        pytest.param("0 24 * * *", "hours", "24 is not between 0 and 23", id="hour 24"),
        pytest.param("0 0 0 * *", "day-of-month", "0 is not between 1 and 31", id="day 0"),
        pytest.param("0 0 32 * *", "day-of-month", "32 is not between 1 and 31", id="day 32"),
        pytest.param("0 0 * 13 *", "month", "13 is not between 1 and 12", id="month 13"),
        pytest.param("0 0 * * 8", "day-of-week", "0 and 7; 0 and 7 are Sunday", id="weekday 8"),
        pytest.param("0 0 * * 1#6", "day-of-week", "a number from 1 to 5", id="sixth Monday"),
        pytest.param("0 0 * * #2", "day-of-week", "such as 5#3 or FRI#3", id="count without a weekday"),
        pytest.param("0 0 * * L", "day-of-week", "such as L5 for the last Friday", id="L alone"),
        pytest.param("0 0 * * MONDAY", "day-of-week", "nor one of SUN, MON", id="full name"),
        pytest.param("0 0 1 JANUARY *", "month", "nor one of JAN, FEB", id="full name of a month"),
        pytest.param("x * * * *", "minutes", "'x' is not a whole number from 0 to 59", id="letter"),
        pytest.param("L * * * *", "minutes", "has no meaning in this field", id="L for minutes"),
        pytest.param("-1 * * * *", "minutes", "is not a range", id="sign"),
        pytest.param("1.5 * * * *", "minutes", "not a whole number", id="fraction"),
        pytest.param("1,,2 * * * *", "minutes", "an empty list item", id="empty item"),
        pytest.param("1-2-3 * * * *", "minutes", "a range is written 0-59", id="range of three"),
        pytest.param("\u0663 * * * *", "crontab", "characters that no field allows", id="Arabic digit"),
        pytest.param("0 9 * * *\0", "crontab", "characters that no field allows", id="NUL"),
    ],
)
def test_what_names_no_time_is_refused(line: str, field: str, words: str) -> None:
    with pytest.raises(ss.InvalidScheduleError, match=words) as caught:
        ss.Cron.from_crontab(line)
    assert caught.value.field == field
    assert caught.value.expression == line


FIRST_MONDAY = "Cron('0 0 ? * 2#1 *')"
TWO_READINGS = [
    pytest.param("0 0 */100,1-7 * 1", FIRST_MONDAY, "Cron.from_crontab('0 0 1-7 * 1')", id="first Monday"),
    pytest.param("5 8 */40,1-7 2 MON", "Cron('5 8 ? 2 2#1 *')", None, id="first Monday of February"),
    pytest.param("0 0 */90,29-31 * 1", "let the job check the weekday", None, id="the 1st is no whole week"),
    pytest.param(
        "0 0 */100,1-7,15-21 * 1,3",
        "Cron.from_crontab('0 0 * * 1#1,1#3,3#1,3#3')",
        "Cron.from_crontab('0 0 1-7,15-21 * 1,3')",
        id="Mondays and Wednesdays in two weeks",
    ),
    pytest.param(
        "0 0 */2 * 1",
        "Cron.from_crontab('0 0 1-31/2 * *'), and let the job check the weekday",
        "Cron.from_crontab('0 0 1-31/2 * 1')",
        id="a step of days",
    ),
    pytest.param(
        "0 0 13 * */2",
        "Cron.from_crontab('0 0 13 * *'), and let the job check the weekday",
        "Cron.from_crontab('0 0 13 * 0,2,4,6')",
        id="a step of weekdays",
    ),
    pytest.param("0 0 */2 * */3", "weekday", "Cron.from_crontab('0 0 1-31/2 * 0,3,6')", id="both steps"),
    pytest.param(
        "0 0 1,* * 1", "Cron.from_crontab('0 0 * * 1')", "Cron.from_crontab('0 0 * * *')", id="star last"
    ),
    pytest.param(
        "0 0 *,1 * 1", "Cron.from_crontab('0 0 * * 1')", "Cron.from_crontab('0 0 * * *')", id="star first"
    ),
    pytest.param(
        "0 0 1,15 * *,5", "Cron.from_crontab('0 0 1,15 * *')", "Cron.from_crontab('0 0 * * *')", id="weekday"
    ),
    pytest.param("0 0 5,*/2 * 1", "check the weekday", "'0 0 1-31/2 * 1'", id="a step in a list"),
    pytest.param(
        "0 0 */2 * 0-7", "Cron.from_crontab('0 0 1-31/2 * *')", "Cron.from_crontab('0 0 * * *')", id="all"
    ),
    pytest.param(
        "0 0 */9 * 5#3", "check the weekday", "two jobs, Cron.from_crontab('0 0 1-31/9 * *') and", id="count"
    ),
    pytest.param("0 0 L,*/9 * 5", "'0 0 1-31/9,L * *'", "'0 0 1-31/9,L * 5'", id="last day in a list"),
]


@pytest.mark.parametrize(("line", "both", "either"), TWO_READINGS)
def test_two_day_fields_and_a_star_are_refused_with_what_to_use_for_each_reading(
    line: str, both: str, either: str | None
) -> None:
    error = refusal(line)
    assert error.field == "day-of-month"
    assert "on days that match both, other tools on days that match either" in error.reason
    for_both, _, for_either = error.reason.partition("for both use ")[2].partition("; for either use ")
    assert both in for_both
    assert (either or "Cron.from_crontab(") in for_either


def days_of(text: str, low: int, high: int) -> set[int]:
    """The values of a list, as a daemon reads them; without names."""
    found: set[int] = set()
    for item in text.replace("MON", "1").split(","):
        body, _, step = item.partition("/")
        first, _, last = (f"{low}-{high}" if body == "*" else body).partition("-")
        found |= set(range(int(first), int(last or first) + 1, int(step or 1)))
    return found


@pytest.mark.parametrize(
    "line", [param.values[0] for param in TWO_READINGS if not set("#L") & set(str(param.values[0]))]
)
def test_what_is_named_for_each_reading_runs_on_the_days_of_that_reading(line: str) -> None:
    reason = refusal(line).reason
    for_both, _, for_either = reason.partition("for both use ")[2].partition("; for either use ")
    _, _, day, month, weekday = line.split()
    begin = datetime(2024, 1, 1)
    of_month, of_week = days_of(day, 1, 31), {each % 7 for each in days_of(weekday, 0, 7)}
    walk = [begin + timedelta(days=passed) for passed in range(4 * 365)]
    walk = [each for each in walk if month in ("*", str(each.month))]
    fits = [(each.day in of_month, each.isoweekday() % 7 in of_week) for each in walk]
    both = [each.date() for each, (one, other) in zip(walk, fits, strict=True) if one and other]
    either = [each.date() for each, (one, other) in zip(walk, fits, strict=True) if one or other]

    def runs(text: str) -> list[date]:
        (cron,) = codes(text)
        after = begin.replace(tzinfo=timezone.utc) - timedelta(seconds=1)
        return [run.date() for run in cron.runs(after=after, until=after + timedelta(days=4 * 365))]

    assert runs(for_either) == either
    assert runs(for_both) == both or ("check the weekday" in for_both and {*runs(for_both)} > {*both})


@pytest.mark.parametrize(
    ("line", "field", "instead"),
    [
        pytest.param("*/90 * * * *", "minutes", "use rate(90 minutes)", id="90 minutes"),
        pytest.param("*/60 * * * *", "minutes", "use rate(60 minutes)", id="60 minutes"),
        pytest.param("0/61 * * * *", "minutes", "use rate(61 minutes)", id="from 0 by 61"),
        pytest.param("5-10/99 * * * *", "minutes", "use rate(99 minutes)", id="in a range"),
        pytest.param("1,*/120 * * * *", "minutes", "use rate(120 minutes)", id="in a list"),
        pytest.param("0 */25 * * *", "hours", "use rate(25 hours)", id="25 hours"),
        pytest.param("0 */24 * * *", "hours", "use rate(24 hours)", id="24 hours"),
        pytest.param("0 0 */32 * *", "day-of-month", "use rate(32 days)", id="32 days"),
        pytest.param("0 0 1 */13 *", "month", "use Windowed(start, every=Frequency(months=13))", id="months"),
        pytest.param("0 0 * * */8", "day-of-week", "use rate(8 days)", id="8 days"),
        pytest.param("*/0 * * * *", "minutes", "the step must be 1 to 59", id="zero"),
        pytest.param("*/00 * * * *", "minutes", "the step must be 1 to 59", id="zeros"),
        pytest.param("*/x * * * *", "minutes", "expected a whole number after '/'", id="letter"),
        pytest.param("H/90 * * * *", "minutes", "use rate(90 minutes)", id="of H"),
        pytest.param("R/0 * * * *", "minutes", "the step must be 1 to 59", id="zero of R"),
        pytest.param(
            "H(30-59)/30 * * * *", "minutes", "the step must be 1 to 29", id="beyond the range of H"
        ),
        pytest.param("0 0 H/31 * *", "day-of-month", "the step must be 1 to 30", id="31 days from H"),
        pytest.param("0 0 * * H/7", "day-of-week", "the step must be 1 to 6", id="7 days from H"),
        pytest.param("H(30-10) * * * *", "minutes", "a range within 0-59 that runs forwards", id="backwards"),
        pytest.param("0 H(0-24) * * *", "hours", "a range within 0-23", id="beyond the field"),
    ],
)
def test_a_step_beyond_the_field_is_refused_with_what_to_use(line: str, field: str, instead: str) -> None:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        ss.Cron.from_crontab(line, hash_id="job")
    assert caught.value.field == field
    assert instead in caught.value.reason
    for rate in re.findall(r"rate\(.*?\)", caught.value.reason):
        assert str(ss.parse_schedule(rate)).startswith("rate(")


@pytest.mark.parametrize(
    ("line", "readings"),
    [
        pytest.param("0 0 13 * 5#3", ("'0 0 13 * *'", "'0 0 * * 5#3'"), id="a day and a count"),
        pytest.param("0 0 L * 1#1", ("'0 0 L * *'", "'0 0 * * 1#1'"), id="last day and a count"),
        pytest.param("0 0 29 2 L5", ("'0 0 29 2 *'", "'0 0 * 2 L5'"), id="a day and a last weekday"),
        pytest.param("0 0 * * 1/2", ("1-6/2", "1-7/2"), id="does it reach Sunday"),
        pytest.param("0 0 * * MON/3", ("1-6/3", "1-7/3"), id="does Monday by three reach Sunday"),
        pytest.param("0 0 * * 7/2", ("0-6/2", "7"), id="from Sunday as 7"),
        pytest.param("0 9-9/5 * * *", ("write 9 or", "9-23/5"), id="one value with a step"),
        pytest.param("0 0 * * MON-1/2", ("write MON or", "MON-7/2"), id="Monday to Monday with a step"),
    ],
)
def test_what_tools_read_in_two_ways_is_refused_with_both(line: str, readings: tuple[str, str]) -> None:
    error = refusal(line)
    assert all(reading in error.reason for reading in readings), error.reason


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        pytest.param("@every 5m", "use Rate(timedelta(minutes=5))", id="@every"),
        pytest.param("@every 1h30m", "use Rate(timedelta(minutes=90))", id="@every of two units"),
        pytest.param("@every 90s", "use Windowed(start, every=Frequency(seconds=90))", id="@every seconds"),
        pytest.param("@every", "use Rate(timedelta(minutes=5)) for every 5 minutes", id="@every alone"),
        pytest.param("@weekdays", "write '0 0 * * 1-5'", id="@weekdays"),
        pytest.param("@fortnightly", "expected @hourly, @daily", id="unknown shortcut"),
        pytest.param("@daily /bin/backup", "which load_crontab(path) reads", id="shortcut and command"),
        pytest.param("0 9 * * * /bin/backup", "which load_crontab(path) reads", id="command"),
        pytest.param("0 9 * * * backup -a", "which load_crontab(path) reads", id="command with an option"),
        pytest.param("0 9 * * *\n0 10 * * *", "load_crontab(path) reads a file", id="two lines"),
        pytest.param("0 9\u00a0* * *", "write '0 9 * * *'", id="no-break space"),
        pytest.param("0 9\u3000* * *", "write '0 9 * * *'", id="wide space"),
        pytest.param(
            "CRON_TZ=Europe/Paris 0 9 * * *",
            "use Cron.from_crontab('0 9 * * *', timezone='Europe/Paris')",
            id="CRON_TZ",
        ),
        pytest.param(
            "TZ='America/New_York' @daily",
            "use Cron.from_crontab('@daily', timezone='America/New_York')",
            id="TZ",
        ),
        pytest.param("cron(0 9 * * ? *)", "use Cron('cron(0 9 * * ? *)')", id="AWS text"),
        pytest.param("0 9 ? * MON-FRI", "write '*', or Cron('0 9 ? * MON-FRI')", id="? of AWS"),
        pytest.param("? 9 * * *", "a crontab has no '?'; write '*'", id="? for minutes"),
        pytest.param("0 9 15W * *", "use Cron('0 9 15W * ? *')", id="nearest weekday"),
        pytest.param("*/5 8-18 LW jan *", "use Cron('*/5 8-18 LW 1 ? *')", id="last working day"),
        pytest.param("0 9 L-3 * *", "use Cron('0 9 L-3 * ? *')", id="third day before the last"),
        pytest.param("0 9 32W * *", "a crontab has no such day", id="nearest weekday to no day"),
        pytest.param("0 0 * * 5L", "write L5 for the last Friday, or L4 if it is of Quartz", id="5L"),
        pytest.param("0 0 * * FRIL", "write L5 for the last Friday", id="FRIL"),
        pytest.param("0 0 9 * * *", "if the first is seconds, write '0 9 * * *'", id="seconds"),
        pytest.param("0 0 9 ? * MON *", "if the first is seconds, use Cron('0 9 ? * MON *')", id="Quartz"),
        pytest.param("0 9 * * * 2030", "for years use Cron('0 9 * * ? 2030')", id="year"),
        pytest.param("0~30 * * * *", "write R(0-30), or H", id="random range of cronie"),
        pytest.param("~ * * * *", "write R, or H", id="random value of cronie"),
        pytest.param("H * * * *", "use Cron.from_crontab('H * * * *', hash_id=", id="H without a name"),
        pytest.param("Hx * * * *", "H(0-29)", id="a form of H that is none"),
    ],
)
def test_what_other_tools_write_is_pointed_to_what_means_it(line: str, instead: str) -> None:
    assert instead in refusal(line).reason


def test_each_text_that_a_refusal_suggests_is_read() -> None:
    lines: list[str] = [
        "0 0 9 * * *",
        "@weekdays",
        "0 9 15W * *",
        "CRON_TZ=Asia/Tokyo 5 4 * * *",
        "0 9 * * * 2030",
    ]
    for line in [*lines, *(str(param.values[0]) for param in TWO_READINGS)]:
        reason = refusal(line).reason
        if not codes(reason):
            ss.Cron.from_crontab(re.findall(r"write '([^']+)'", reason)[0])


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("*," * 200_000 + "* * * * *", id="list"),
        pytest.param("1-" * 200_000, id="range"),
        pytest.param("0 " * 200_000, id="fields"),
        pytest.param("H " * 200_000, id="hashes"),
        pytest.param("9" * 5_000 + " * * * *", id="digits"),
        pytest.param("@every " + "9" * 400_000, id="interval"),
        pytest.param("0 0 * * " + "1," * 125, id="one more than 256"),
    ],
)
def test_a_line_has_at_most_256_characters(line: str) -> None:
    error = refusal(line)
    assert "expected at most 256 characters, got " in error.reason
    assert len(str(error)) < 500


def test_h_is_computed_from_a_name_and_frozen() -> None:
    nightly = ss.Cron.from_crontab("H H(2-4) * * *", hash_id="nightly")
    assert nightly == ss.Cron.from_crontab("h h(2-4) * * *", hash_id="nightly")
    assert nightly != ss.Cron.from_crontab("H H(2-4) * * *", hash_id="weekly")
    # CRC-32 of the name, shifted by the place of the field, modulo its values
    digest = crc32(b"nightly")
    assert nightly.expression == f"cron({digest % 60} {(digest >> 1) % 3 + 2} * * ? *)"
    either = ss.Cron.from_crontab("0 H 13,H(20-25) * 5", hash_id="x")
    assert either.crontab is not None
    assert "H" not in either.crontab
    assert ss.Cron.model_validate_json(either.model_dump_json()) == either


def test_h_and_r_stand_beside_other_items_and_in_steps() -> None:
    digest = crc32(b"x")
    first = digest % 15
    steps = ",".join(str(minute) for minute in range(first, 60, 15))
    assert ss.Cron.from_crontab("H/15 * * * *", hash_id="x") == ss.Cron.from_crontab(f"{steps} * * * *")
    assert ss.Cron.from_crontab("0 0 * * H,1", hash_id="x") == ss.Cron.from_crontab(
        f"0 0 * * {(digest >> 4) % 7},1"
    )
    drawn = {ss.Cron.from_crontab("R(5-6) * * * *").expression for _ in range(64)}
    assert drawn == {"cron(5 * * * ? *)", "cron(6 * * * ? *)"}
    assert ss.Cron.from_crontab("@daily", hash_id="x") == ss.Cron.from_crontab("@daily")


@pytest.mark.parametrize("hash_id", ["", 5, b"x", ["x"]])
def test_h_is_not_computed_from_what_is_no_name(hash_id: Any) -> None:
    with pytest.raises(ss.InvalidScheduleError, match="expected the name of a job"):
        ss.Cron.from_crontab("H * * * *", hash_id=hash_id)
    assert ss.Cron.from_crontab("H * * * *", hash_id="\ud800").expression


def test_a_line_with_h_is_never_kept() -> None:
    with pytest.raises(ss.InvalidScheduleError, match=r"Cron\.from_crontab replaces it by a value"):
        ss.Cron(crontab="0 H 13 * 5")


def test_a_stored_line_keeps_its_meaning_where_it_would_be_refused_now() -> None:
    old = {"kind": "cron", "timezone": "UTC", "crontab": "0 0 */2 * 1"}
    with pytest.raises(ValueError, match="days that match both"):
        ss.Cron.model_validate(old)
    with reading_stored():
        cron = ss.Cron.model_validate(old)
    assert shown(cron.runs(after=utc("2025-01-04"), until=utc("2025-01-08"))) == [
        f"2025-01-0{day} 00:00+00:00" for day in (5, 6, 7)
    ]
    assert cron.describe()
    assert cron.crontab == "0 0 */2 * 1"
    with reading_stored():
        steps = ss.Cron(crontab="*/90 0 13 * 1/2")
    assert shown(steps.runs(after=utc("2025-01-04"), until=utc("2025-01-11"))) == [
        f"2025-01-{day} 00:00+00:00" for day in ("06", "08", "10")
    ]


def test_croniter_is_loaded_only_for_h_and_r() -> None:
    program = (
        "import sys, stepsched as ss; ss.Cron.from_crontab('0 9 13 * 5').next_run();"
        "assert 'croniter' not in sys.modules;"
        "ss.Cron.from_crontab('H * * * *', hash_id='x'); assert 'croniter' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


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
