"""The AWS dialect as text: what is read, how it is written again, and how a refusal helps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.schedules.cron_fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    HOURS,
    MINUTES,
    MONTH,
    YEAR,
    parse_cron,
)
from stepsched.schedules.cron_items import Field
from stepsched.schedules.day_rules import (
    DayRule,
    DaysOfMonth,
    LastDay,
    LastWeekday,
    LastWeekdayOfMonth,
    NearestWeekday,
    NthWeekday,
    Weekdays,
)

DATA = Path(__file__).parents[2] / "data"


def members(field: Field, bits: int) -> list[int]:
    return [field.low + index for index in range(bits.bit_length()) if bits >> index & 1]


def refusal(expression: str) -> ss.InvalidScheduleError:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        parse_cron(expression)
    assert caught.value.expression == expression
    return caught.value


# -- plain fields ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("*", list(range(60)), id="star"),
        pytest.param("0", [0], id="one"),
        pytest.param("59", [59], id="highest"),
        pytest.param("05", [5], id="leading zero"),
        pytest.param("7,3,7", [3, 7], id="list in any order, repeats harmless"),
        pytest.param("8-8", [8], id="range of one"),
        pytest.param("10-12", [10, 11, 12], id="range"),
        pytest.param("58-2", [0, 1, 2, 58, 59], id="range over the end (P-05)"),
        pytest.param("*/25", [0, 25, 50], id="step from the lowest"),
        pytest.param("0/25", [0, 25, 50], id="step from nought"),
        pytest.param("7/25", [7, 32, 57], id="step to the highest"),
        pytest.param("59/1", [59], id="step from the highest"),
        pytest.param("10-20/5", [10, 15, 20], id="step inside a range"),
        pytest.param("10-19/5", [10, 15], id="step that misses the end of its range"),
        pytest.param("50-10/7", [4, 50, 57], id="step that counts on over the end (P-05)"),
        pytest.param("*/59", [0, 59], id="largest step (P-06)"),
        pytest.param("1,10-12,*/30", [0, 1, 10, 11, 12, 30], id="everything in one list"),
    ],
)
def test_minutes_take_values_ranges_steps_and_lists(text: str, expected: list[int]) -> None:
    assert members(MINUTES, parse_cron(f"{text} * * * ? *").minutes) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("20-2", [0, 1, 2, 20, 21, 22, 23], id="night"),
        pytest.param("0/7", [0, 7, 14, 21], id="step"),
        pytest.param("*/23", [0, 23], id="largest step"),
        pytest.param("22-3/2", [0, 2, 22], id="step through midnight"),
    ],
)
def test_hours_take_the_same(text: str, expected: list[int]) -> None:
    assert members(HOURS, parse_cron(f"0 {text} * * ? *").hours) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("JAN,feb,Mar", [1, 2, 3], id="names in any case (P-18)"),
        pytest.param("NOV-FEB", [1, 2, 11, 12], id="names over the year's end"),
        pytest.param("MAR/4", [3, 7, 11], id="step from a name"),
        pytest.param("MAR-9/3", [3, 6, 9], id="name and number in one range (P-18)"),
        pytest.param("*/12", [1], id="largest step"),
        pytest.param("06", [6], id="leading zero"),
        pytest.param("JUL", [7], id="a name with L"),
    ],
)
def test_months_take_names_too(text: str, expected: list[int]) -> None:
    assert members(MONTH, parse_cron(f"0 0 1 {text} ? *").months) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2025", [2025], id="one"),
        pytest.param("1970-1972", [1970, 1971, 1972], id="range"),
        pytest.param("2198/1", [2198, 2199], id="step to the last year"),
        pytest.param("*/229", [1970, 2199], id="largest step counts from 1970"),
        pytest.param("2030,2026", [2026, 2030], id="list"),
    ],
)
def test_years_reach_from_1970_to_2199(text: str, expected: list[int]) -> None:
    assert members(YEAR, parse_cron(f"0 0 1 1 ? {text}").years) == expected


def test_five_fields_mean_every_year() -> None:
    assert parse_cron("0 9 ? * MON-FRI") == parse_cron("0 9 ? * MON-FRI *")
    assert parse_cron("0 9 ? * MON-FRI").years == YEAR.full


def test_the_keyword_may_stand_around_in_any_case() -> None:
    bare = parse_cron("0 9 * * ? *")
    assert parse_cron("cron(0 9 * * ? *)") == parse_cron("CRON(0 9 * * ? *)") == bare


# -- the day fields --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "weekday", "rule", "text"),
    [
        pytest.param("*", "?", DaysOfMonth(DAY_OF_MONTH.full), "* * ?", id="every day"),
        pytest.param("?", "*", Weekdays(DAY_OF_WEEK.full), "? * *", id="every weekday"),
        pytest.param("1,31", "?", DaysOfMonth(1 | 1 << 30), "1,31 * ?", id="days"),
        pytest.param("30-2", "?", DaysOfMonth(0b11 | 0b11 << 29), "30-2 * ?", id="days over the end"),
        pytest.param("*/31", "?", DaysOfMonth(1), "*/31 * ?", id="largest step"),
        pytest.param("L", "?", LastDay(0), "L * ?", id="last day"),
        pytest.param("l-03", "?", LastDay(3), "L-3 * ?", id="days before the last"),
        pytest.param("L-30", "?", LastDay(30), "L-30 * ?", id="furthest before the last"),
        pytest.param("lw", "?", LastWeekday(), "LW * ?", id="last working day"),
        pytest.param("15w", "?", NearestWeekday(15), "15W * ?", id="nearest"),
        pytest.param("05W", "?", NearestWeekday(5), "5W * ?", id="nearest, leading zero"),
        pytest.param("?", "MON-FRI", Weekdays(0b0111110), "? * MON-FRI", id="working days"),
        pytest.param("?", "2-6", Weekdays(0b0111110), "? * 2-6", id="numbers"),
        pytest.param("?", "mon-6", Weekdays(0b0111110), "? * MON-FRI", id="mixed"),
        pytest.param("?", "SAT-SUN", Weekdays(0b1000001), "? * SAT-SUN", id="over the week's end"),
        pytest.param("?", "1,7", Weekdays(0b1000001), "? * 1,7", id="Sunday is 1, Saturday 7"),
        pytest.param("?", "wed", Weekdays(0b0001000), "? * WED", id="a name with W"),
        pytest.param("?", "L", Weekdays(0b1000000), "? * L", id="last day of the week (P-10)"),
        pytest.param("?", "6L", LastWeekdayOfMonth(5), "? * 6L", id="last Friday"),
        pytest.param("?", "fril", LastWeekdayOfMonth(5), "? * 6L", id="last Friday by name (P-10)"),
        pytest.param("?", "6#3", NthWeekday(5, 3), "? * 6#3", id="third Friday"),
        pytest.param("?", "sat#5", NthWeekday(6, 5), "? * 7#5", id="fifth Saturday by name (P-10)"),
        pytest.param("?", "02#01", NthWeekday(1, 1), "? * 2#1", id="leading zeros"),
    ],
)
def test_each_day_form_becomes_its_rule(day: str, weekday: str, rule: DayRule, text: str) -> None:
    fields = parse_cron(f"0 0 {day} * {weekday} *")
    assert fields.rules == (rule,)
    assert type(fields.rules[0]) is type(rule)
    assert fields.text == f"0 0 {text} *"


# -- canonical text --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        pytest.param("0 9 * * ?", "0 9 * * ? *", id="year added"),
        pytest.param("05 09 01 02 ? *", "5 9 1 2 ? *", id="zeros dropped"),
        pytest.param("0 0 ? jan-Mar mOn *", "0 0 ? JAN-MAR MON *", id="capitals"),
        pytest.param("0,5-07,*/08 1/06 * * ? 2025,2027/2", "0,5-7,*/8 1/6 * * ? 2025,2027/2", id="list"),
        pytest.param("0 0 1 jan/03 ? *", "0 0 1 JAN/3 ? *", id="name with step"),
        pytest.param("0 0 1 jan-6/03,12 ? *", "0 0 1 JAN-JUN/3,12 ? *", id="mixed range"),
        pytest.param("0 0 1 06 ? */4", "0 0 1 6 ? */4", id="year step"),
    ],
)
def test_it_is_written_again_in_one_way(given: str, canonical: str) -> None:
    assert parse_cron(given).text == canonical
    assert parse_cron(canonical) == parse_cron(given)


@pytest.mark.parametrize("wrapper", ["{}", "cron({})"])
def test_256_characters_are_read_and_257_refused(wrapper: str) -> None:
    room = 256 - len(wrapper.format("0 0 1 * ? *"))
    days = ",1" * (room // 2) if room % 2 == 0 else ",10" + ",1" * (room // 2 - 1)
    fits = wrapper.format(f"0 0 1{days} * ? *")
    assert len(fits) == 256
    assert len(parse_cron(fits).rules) == 1
    error = refusal(fits.replace("0 0 1", "0 0 01", 1))
    assert error.field == "expression"
    assert "got 257" in error.reason


# -- refusals --------------------------------------------------------------------------------------

REFUSED = [json.loads(line) for line in (DATA / "cron_refused.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    ("expression", "field"),
    [pytest.param(case["expr"], case["field"], id=f"{case['expr']!a} {case['reason']}") for case in REFUSED],
)
def test_what_other_readers_refuse_is_refused_by_the_name_of_its_field(expression: str, field: str) -> None:
    assert refusal(expression).field == field
    wrapped = refusal(f"cron({expression})")
    assert wrapped.field == field
    with pytest.raises(ss.InvalidScheduleError):
        ss.Cron(expression)


def test_no_refused_case_is_lost() -> None:
    assert len(REFUSED) == 126


@pytest.mark.parametrize(
    ("expression", "field", "hint"),
    [
        pytest.param("0 12 * * 1-5", "day-of-week", "Cron.from_crontab('0 12 * * 1-5')", id="Unix crontab"),
        pytest.param("*/5 * * * *", "day-of-week", "Cron.from_crontab('*/5 * * * *')", id="Unix stars"),
        pytest.param("0 0 * * 0", "day-of-week", "Cron.from_crontab('0 0 * * 0')", id="Unix Sunday"),
        pytest.param("0 0 * * 7", "day-of-week", "Cron.from_crontab('0 0 * * 7')", id="Unix Sunday again"),
        pytest.param("@daily", "expression", "Cron.from_crontab('@daily')", id="shortcut"),
        pytest.param("0 12 * * * *", "day-of-week", "write '* * ?' for every day", id="both stars"),
        pytest.param("0 12 * * MON *", "day-of-week", "write '?' for day-of-month", id="star and weekday"),
        pytest.param("0 12 1 * * *", "day-of-week", "write '?' for day-of-week", id="day and star"),
        pytest.param("0 12 1 * MON *", "day-of-week", "exactly one of the two must be '?'", id="both days"),
        pytest.param("0 12 ? * ? *", "day-of-month", "write '* * ?' for every day", id="? twice"),
        pytest.param("0 12 ? * 0 *", "day-of-week", "Sunday is 1 or SUN", id="Sunday 0"),
        pytest.param(
            "0 0 12 * * ? *",
            "expression",
            "AWS has no seconds field: if '0' is one, try '0 12 * * ? *'",
            id="seconds field",
        ),
        pytest.param("*/60 * * * ? *", "minutes", "use rate(60 minutes)", id="every 60 minutes"),
        pytest.param("0/90 * * * ? *", "minutes", "use rate(90 minutes)", id="every 90 minutes"),
        pytest.param("0 */24 * * ? *", "hours", "use rate(24 hours)", id="every 24 hours"),
        pytest.param("0 0 */32 * ? *", "day-of-month", "the step must be 1 to 31", id="every 32 days"),
        pytest.param("0 0 1 */13 ? *", "month", "the step must be 1 to 12", id="every 13 months"),
        pytest.param("0 0 1 1 ? */230", "year", "the step must be 1 to 229", id="every 230 years"),
        pytest.param(" 0 12 * * ? *", "expression", "write '0 12 * * ? *'", id="leading blank"),
        pytest.param("0 12 * * ? * ", "expression", "write '0 12 * * ? *'", id="trailing blank"),
        pytest.param("0  12 * * ? *", "expression", "write '0 12 * * ? *'", id="two blanks (P-15)"),
        pytest.param("0\t12 * * ? *", "expression", "write '0 12 * * ? *'", id="tab"),
        pytest.param("0 12 * * ? *\n", "expression", "write '0 12 * * ? *'", id="line end"),
        pytest.param("cron( 0 12 * * ? *)", "expression", "write '0 12 * * ? *'", id="blank inside"),
        pytest.param("", "expression", "it is empty", id="empty"),
        pytest.param("cron()", "expression", "it is empty", id="empty keyword"),
        pytest.param("0", "expression", "1 field in '0'", id="one field"),
        pytest.param("0 12 * *", "expression", "4 fields in '0 12 * *'", id="four fields"),
        pytest.param(
            "0 0 ? * 2/2 *", "day-of-week", "list the days, such as 'MON,WED,FRI'", id="weekday step"
        ),
        pytest.param("0 0 ? * 2#1,3#1 *", "day-of-week", "only one term with '#'", id="two #"),
        pytest.param("0 0 ? * 2#6 *", "day-of-week", "a number from 1 to 5", id="#6"),
        pytest.param("0 0 ? * #2 *", "day-of-week", "such as 6#3 or FRI#3", id="# alone"),
        pytest.param("0 0 L-0 * ? *", "day-of-month", "counts back 1 to 30", id="L-0"),
        pytest.param("0 0 L-31 * ? *", "day-of-month", "counts back 1 to 30", id="L-31"),
        pytest.param("0 0 L,15 * ? *", "day-of-month", "each on its own", id="L in a list (P-11)"),
        pytest.param("0 0 L-x * ? *", "day-of-month", "cannot be read", id="L-x"),
        pytest.param("0 0 ? * 2L,3 *", "day-of-week", "each on its own", id="2L in a list (P-11)"),
        pytest.param("0 0 1,* * ? *", "day-of-month", "'*' is allowed alone", id="star in a list"),
        pytest.param("005 12 * * ? *", "minutes", "write 5 without the leading zeros", id="005 (P-18)"),
        pytest.param("0 0 1 1 ? 02025", "year", "write 2025 without", id="02025"),
        pytest.param("0 0 1 1 ? 2030-2026", "year", "runs backwards", id="years never wrap (P-05)"),
        pytest.param("1-2-3 12 * * ? *", "minutes", "a range is written 0-59", id="range of three"),
        pytest.param("L 12 * * ? *", "minutes", "has no meaning in this field", id="L for minutes"),
        pytest.param("0 12\0 * * ? *", "expression", "characters that no field allows", id="nought"),
        pytest.param("0 0 ? * \u017fun *", "day-of-week", "nor one of SUN", id="a letter that looks like S"),
        pytest.param("0 0 1 DEZ ? *", "month", "nor one of JAN, FEB", id="unknown month"),
        pytest.param("0 0 1 1 ? MMXXV", "year", "whole number from 1970 to 2199", id="word for a year"),
    ],
)
def test_a_refusal_says_how_to_mend_it(expression: str, field: str, hint: str) -> None:
    error = refusal(expression)
    assert (error.field, hint in error.reason) == (field, True), error.reason
    assert str(error) == f"invalid schedule {expression!r}: {field}: {error.reason}"


WINDOW = "for steps of seconds use Windowed(start, every=Frequency(seconds={}))"


@pytest.mark.parametrize(
    ("expression", "field", "hint"),
    [
        pytest.param(
            "0 0 9 ? * MON-FRI", "month", "if '0' is one, try '0 9 ? * MON-FRI'; " + WINDOW, id="Quartz"
        ),
        pytest.param("0 0 12 * * ?", "year", "if '0' is one, try '0 12 * * ?'; " + WINDOW, id="Quartz noon"),
        pytest.param(
            "0 0/5 14 * * ?", "year", "if '0' is one, try '0/5 14 * * ?'; " + WINDOW, id="Quartz steps"
        ),
        pytest.param("0 0 9 * * *", "day-of-week", "try '0 9 * * ?'; " + WINDOW, id="Spring"),
        pytest.param("0 0 9 * * 2", "year", "try '0 9 ? * 2'; " + WINDOW, id="Spring, weekday"),
        pytest.param("*/10 * * * * ?", "year", WINDOW.format(10), id="every ten seconds"),
        pytest.param("0/5 * * ? * *", "month", WINDOW.format(5), id="every five seconds"),
        pytest.param("*/10 * * * * *", "day-of-week", WINDOW.format(10), id="every ten seconds in Spring"),
        pytest.param("* * * * * *", "day-of-week", WINDOW.format(1), id="every second"),
        pytest.param(
            "0/5 * * * * ? *", "expression", WINDOW.format(5), id="every five seconds, seven fields"
        ),
        pytest.param("*/10 0 9 ? * MON-FRI", "month", WINDOW, id="every ten seconds of a minute"),
        pytest.param("30 0 9 ? * MON-FRI", "month", WINDOW, id="at second 30"),
    ],
)
def test_a_field_of_seconds_is_pointed_to_what_has_seconds(expression: str, field: str, hint: str) -> None:
    for given in (expression, f"cron({expression})"):
        error = refusal(given)
        assert error.field == field
        assert "AWS has no seconds field: " in error.reason
        assert hint.format("...") in error.reason


@pytest.mark.parametrize(
    "expression", ["0 9 ? * MON/2 *", "*/60 * * * ? *", "10 10 10 10 10 10", "60 0 9 ? * MON", "0 12 1 * MON"]
)
def test_other_mistakes_are_not_told_of_seconds(expression: str) -> None:
    assert "seconds" not in refusal(expression).reason


def test_a_mistake_inside_a_day_field_is_named_before_the_clash_of_both() -> None:
    assert "32 is not between 1 and 31" in refusal("0 0 32 * MON *").reason
    assert "'FOO'" in refusal("0 0 1 * FOO *").reason


@pytest.mark.parametrize("field", [MINUTES, HOURS, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, YEAR])
def test_every_value_of_a_field_is_read_and_its_neighbours_are_not(field: Field) -> None:
    place = {"minutes": 0, "hours": 1, "day-of-month": 2, "month": 3, "day-of-week": 4, "year": 5}[field.name]

    def expression(value: int) -> str:
        parts = ["0", "0", "?" if field is DAY_OF_WEEK else "1", "1", "?", "*"]
        parts[place] = str(value)
        return " ".join(parts)

    for value in range(field.low, field.high + 1):
        assert parse_cron(expression(value)).text == expression(value)
    for value in (field.low - 1, field.high + 1):
        assert refusal(expression(value)).field == field.name
