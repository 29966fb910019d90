"""A schedule that a machine reads is the one that Python reads, and both refuse the same.

The expressions of the states are evaluated by the reference implementation of the JSONata that AWS names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepsched.asl import Pass, StateMachine, Succeed
from stepsched.machines.shared.schedule_reading import (
    INVALID_SCHEDULE,
    NEEDS_ZONE,
    reading_states,
    zone_name,
)
from tests.parts.jsonata_engine import JsonataEngine

from .reading_cases import Given, crons, one_times, rates, stored_crons, stored_expressions, windows
from .reading_player import read_schedules

# Crons with weekdays 1-5, and starts in gaps, are among the examples.
pytestmark = pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")

DEEPEST = 60
"""Levels of evaluation that an expression may take: AWS gives up near 100."""
WINDOW = {"start": "2030-01-31T09:00", "every": {"months": 1}}


def check(engine: JsonataEngine, cases: Sequence[Given]) -> int:
    """How many of the cases can be read."""
    wrong, valid = [], 0
    for case, found in zip(cases, read_schedules(engine, [each.variables for each in cases]), strict=True):
        expected, found = case.expected(), {**found}
        end = found.pop("end")
        del found["reading"]
        if expected is None:
            is_right = end == "Refused" and found.keys() == {"problem"} and is_sentence(found["problem"])
        else:
            is_right, valid = end == "Next" and found == expected, valid + 1
        if not is_right:
            wrong.append((case, expected, end, found))
    assert not wrong, f"{len(wrong)} of {len(cases)}, the first {wrong[0]}"
    return valid


def is_sentence(problem: Mapping[str, Any]) -> bool:
    field, colon, rest = problem["cause"].partition(": ")
    known = (
        *("minutes", "hours", "day-of-month", "month", "day-of-week", "year"),
        *("at", "rate", "schedule", "start", "end", "every", "kind", "timezone"),
    )
    return problem["error"] == INVALID_SCHEDULE and field in known and colon != "" and ("; " in rest)


def test_stored_crons_are_read_as_python_reads_them(jsonata_engine: JsonataEngine) -> None:
    assert check(jsonata_engine, stored_crons()) > 300


def test_stored_expressions_are_read_as_python_reads_them(jsonata_engine: JsonataEngine) -> None:
    assert check(jsonata_engine, stored_expressions()) > 50


EDGES = (
    *("*/59 * * * ?", "*/60 * * * ?", "*/0 * * * ?", "*/005 * * * ?", "*/0005 * * * ?", "5/ * * * ?"),
    *(
        "007 9 * * ?",
        "07 9 * * ?",
        "0,*/20 9 * * ?",
        "0,* 9 * * ?",
        ", 9 * * ?",
        "1-2-3 9 * * ?",
        "1/2/3 9 * * ?",
    ),
    *("50-10 9 * * ?", "50-10/7 9 * * ?", "59-58/59 9 * * ?", "-5 9 * * ?", "5- 9 * * ?", "+5 9 * * ?"),
    *(
        "0 9 L * ?",
        "0 9 l-03 * ?",
        "0 9 L-30 2/1 ?",
        "0 9 L-28 2 ?",
        "0 9 L-29 2 ?",
        "0 9 L-0 * ?",
        "0 9 L-31 * ?",
    ),
    *(
        "0 9 L-003 * ?",
        "0 9 1w * ?",
        "0 9 031W * ?",
        "0 9 W * ?",
        "0 9 WL * ?",
        "0 9 31W 2-4/2 ?",
        "0 9 1,LW * ?",
    ),
    *("0 9 ? * L", "0 9 ? * LL", "0 9 ? * satL", "0 9 ? * 06L", "0 9 ? * 0L", "0 9 ? * L-2", "0 9 ? * 6#05"),
    *("0 9 ? * fri#3", "0 9 ? * 6#005", "0 9 ? * #3", "0 9 ? * 6#", "0 9 ? * 6#3#1", "0 9 ? * 6#3,2#1"),
    *(
        "0 9 ? * FRI-2",
        "0 9 ? * 6-mon",
        "0 9 ? * 1/2",
        "0 9 ? * SUN-SAT",
        "0 9 ? 3 MON-MON",
        "0 9 ? DEC-FEB/2 MON",
    ),
    *(
        "0 9 1 feb/4 ?",
        "0 9 1 13 ?",
        "0 9 29 2 ? 2100",
        "0 9 29 2 ? 2096-2104",
        "0 9 30,31 2,4 ?",
        "0 9 31 4-6/2 ?",
    ),
    *("0 9 1 1 ? 2030-2020", "0 9 1 1 ? 1970/229", "0 9 1 1 ? 02030", "0 9 1 1 ? */230", "0 9 1 1 ? 2199"),
)


def test_the_edges_of_every_field(jsonata_engine: JsonataEngine) -> None:
    valid = check(jsonata_engine, [Given(f"cron({text})") for text in EDGES])
    assert 20 < valid < len(EDGES) - 20


PARIS = "Europe/Paris"
PASSES = (
    "2030-10-27T00:30Z",
    "2030-10-27T01:30Z",
    "2030-10-27T02:30+01:00",
    "2030-10-27 02:30",
    "2030-03-31T02:30",
)
"""Both passes of a repeated hour, and a time in a gap."""
MOMENTS = (
    *(Given({"start": start, "every": {unit: 1}}, PARIS) for start in PASSES for unit in ("months", "hours")),
    *(Given({"start": "2030-01-01T00:00", "end": end, "every": {"days": 1}}, PARIS) for end in PASSES),
    *(Given({"start": start, "end": end, "every": {"days": 1}}, PARIS) for start in PASSES for end in PASSES),
    *(
        Given(f"at(2030-{time})", PARIS)
        for time in ("10-27T02:30", "10-27T02:30:59", "03-31T02:30", "03-31T03:00")
    ),
    *(Given(f"at({time})") for time in ("0001-01-01T00:00", "1969-12-31T23:59:59", "9999-12-31T23:59:59")),
    Given({"start": "1969-12-31T23:59:59", "every": {"quarters": 1}}),
    Given({"start": "0001-01-01T00:30+01:00", "every": {"weeks": 1}}),
    Given({"start": "9999-12-31T23:30-01:00", "every": {"weeks": 1}}),
    Given({"start": "2028-02-29T23:59:59.000-00:00", "end": "9999-12-31T23:59:59", "every": {"years": 1}}),
    Given({"start": "2030-04-07T01:45", "every": {"months": 1, "seconds": 90}}, "Australia/Lord_Howe"),
    Given({"start": "2030-01-01T00:00", "every": {"days": 3_652_500}}),
    Given({"start": "2030-01-01T00:00", "every": {"days": 3_652_500, "seconds": 1}}),
    Given("rate(1 minute)"),
    Given("rate(61 minutes)"),
    Given("rate(86399 minutes)"),
    Given("rate(999999999day)"),
    Given("rate(1439999999999 minutes)"),
    Given("rate(1440000000000 minutes)"),
    Given(f"rate({'0' * 200}7 HOURS)"),
    Given(f"rate({'9' * 200} hours)"),
)


def test_the_edges_of_windows_times_and_rates(jsonata_engine: JsonataEngine) -> None:
    assert 30 < check(jsonata_engine, MOMENTS) < len(MOMENTS)


@settings(max_examples=4)
@given(cases=st.lists(crons(), min_size=40, max_size=40))
def test_drawn_crons(jsonata_engine: JsonataEngine, cases: list[Given]) -> None:
    check(jsonata_engine, cases)


@settings(max_examples=4)
@given(cases=st.lists(st.one_of(windows(), windows(), one_times(), rates()), min_size=40, max_size=40))
def test_drawn_windows_times_and_rates(jsonata_engine: JsonataEngine, cases: list[Given]) -> None:
    check(jsonata_engine, cases)


# -- refusals -------------------------------------------------------------------------------------------

LONG = "cron(" + "0," * 200 + "0 9 * * ? *)"
REFUSED: tuple[tuple[Any, str], ...] = (
    (None, "schedule: expected text or an object with start and every, got null; use cron(0 9 ? *"),
    (5, "schedule: expected text or an object with start and every, got 5; use cron(0 9 ? *"),
    (["a"], 'schedule: expected text or an object with start and every, got ["a"]; use cron(0 9 ? *'),
    ("", "schedule: it is empty; use cron(0 9 ? * MON-FRI *), rate(5 minutes) or at(2030-01-01T09:00:00)"),
    ("daily", "schedule: 'daily' cannot be read; use cron(0 9 ? *"),
    (" rate(5 minutes)", "schedule: ' rate(5 minutes)' cannot be read; use cron(0 9 ? *"),
    (LONG, f"schedule: expected at most 256 characters, got 417: '{LONG[:100]}...'; use cron(0 9 ? *"),
    ("cron(0 9 ? * \u017fUN *)", "schedule: the character '\u017f' of 'cron(0 9 ? * \u017fUN *)' is not"),
    (
        "cron(0 9 * *)",
        "schedule: expected five or six fields with one blank between them, got 'cron(0 9 * *)'",
    ),
    ("cron(0  9 * * ?)", "schedule: expected five or six fields with one blank between them, got "),
    ("cron(60 9 * * ?)", "minutes: '60' cannot be read in 'cron(60 9 * * ?)'; use numbers from 0 to 59, "),
    ("cron(0 24 * * ?)", "hours: '24' cannot be read in 'cron(0 24 * * ?)'; use numbers from 0 to 23, "),
    (
        "cron(0 9 L,1 * ?)",
        "day-of-month: 'L,1' cannot be read in 'cron(0 9 L,1 * ?)'; use numbers from 1 to 31",
    ),
    (
        "cron(0 9 1 JAM ?)",
        "month: 'JAM' cannot be read in 'cron(0 9 1 JAM ?)'; use numbers from 1 to 12 or JAN",
    ),
    (
        "cron(0 9 ? * 0)",
        "day-of-week: '0' cannot be read in 'cron(0 9 ? * 0)'; use numbers from 1 to 7 (Sunday",
    ),
    (
        "cron(0 9 * * ? 1969)",
        "year: '1969' cannot be read in 'cron(0 9 * * ? 1969)'; use numbers from 1970 to",
    ),
    (
        "cron(0 9 ? * ?)",
        "day-of-month: both day fields of 'cron(0 9 ? * ?)' are ?, so no day is named; use *",
    ),
    (
        "cron(0 9 * * MON)",
        "day-of-week: 'MON' stands beside the day-of-month '*', and exactly one of the two",
    ),
    (
        "cron(0 9 31 2 ?)",
        "schedule: no date fits 'cron(0 9 31 2 ?)'; use a day that one of its months and ",
    ),
    (
        "rate(5 weeks)",
        "rate: expected a whole number of at least 1 and minutes, hours or days, got '5 weeks'; ",
    ),
    (
        "rate(1000000000 days)",
        "rate: expected at most 999,999,999 days, got '1000000000 days'; use a shorter",
    ),
    (
        "at(2030-02-29T09:00)",
        "at: expected a date and a time that exist, got '2030-02-29T09:00'; use the form",
    ),
    ({}, "start: it is missing in {}; use a date and a time such as 2030-01-31T09:00:00"),
    (
        WINDOW | {"start": 5},
        "start: expected a date and a time, got 5; use a form such as 2030-01-31T09:00:00",
    ),
    (
        WINDOW | {"start": "2030-01-31"},
        "start: expected a date and a time, got '2030-01-31'; use a form such",
    ),
    (
        WINDOW | {"start": "2030-01-31T09:00:00.5"},
        "start: '2030-01-31T09:00:00.5' has a fraction of a second",
    ),
    (
        WINDOW | {"end": "2029-01-01T00:00Z"},
        "end: expected a time at or after the start 2030-01-31T09:00:00,",
    ),
    (
        WINDOW | {"kind": "rate"},
        "kind: expected windowed, got 'rate'; use text for another schedule, such as",
    ),
    (
        WINDOW | {"timezone": 1},
        "timezone: expected the name of a zone, got 1; use a name such as Europe/Paris",
    ),
    (
        WINDOW | {"until": "2031"},
        "schedule: the field 'until' is unknown; use start, end, every and timezone",
    ),
    (
        {"start": "2030-01-31T09:00"},
        'every: expected an object such as {"months": 1}, got none; the units are',
    ),
    (WINDOW | {"every": "1 month"}, "every: expected an object such as {\"months\": 1}, got '1 month'; the"),
    (WINDOW | {"every": {"month": 1}}, "every: the unit 'month' is unknown; use years, quarters, months, "),
    (
        WINDOW | {"every": {"months": -1}},
        "every: expected a whole number of at least 0 for months, got -1; use",
    ),
    (
        WINDOW | {"every": {"hours": "1"}},
        "every: expected a whole number of at least 0 for hours, got '1'; use",
    ),
    (
        WINDOW | {"every": {"hours": True}},
        "every: expected a whole number of at least 0 for hours, got true; ",
    ),
    (
        WINDOW | {"every": {"days": 0}},
        'every: expected a step, got {"days":0}; use a number of at least 1 for',
    ),
    (
        WINDOW | {"every": {"years": 10_001}},
        'every: expected at most 10,000 years, got {"years":10001}; use a',
    ),
)
NARROWER = (
    (
        "at(2019-12-31T09:00)",
        "at: expected a time in the years 2020 to 9998, for which the machine has the offsets of Europe",
    ),
    (WINDOW | {"start": "2012-01-31T09:00Z"}, "start: expected a time in the years 2020 to 9998, for which "),
    (WINDOW | {"end": "9999-01-01T00:00"}, "end: expected a time in the years 2020 to 9998, for which the "),
    (
        WINDOW | {"start": "2030-01-31T24:00"},
        "start: expected a date and a time, got '2030-01-31T24:00'; use ",
    ),
    (
        WINDOW | {"start": "2030-01-31T09:00+02"},
        "start: expected a date and a time, got '2030-01-31T09:00+02'",
    ),
    (
        WINDOW | {"start": "2030-01-31T09:00[Asia/Tokyo]"},
        "start: expected a date and a time, got '2030-01-31",
    ),
)
"""What Python reads, and a machine refuses."""


@pytest.mark.parametrize("table", [REFUSED, NARROWER])
def test_a_refusal_names_the_field_the_value_and_what_to_use(
    jsonata_engine: JsonataEngine, table: Sequence[tuple[Any, str]]
) -> None:
    cases = [Given(schedule, "Europe/Paris") for schedule, _ in table]
    assert {case.expected() is None for case in cases} == {table is REFUSED}
    found = read_schedules(jsonata_engine, [case.variables for case in cases])
    for each, (schedule, sentence) in zip(found, table, strict=True):
        assert each["end"] == "Refused", schedule
        assert each["problem"]["cause"].startswith(sentence), (schedule, each["problem"]["cause"])
        assert is_sentence(each["problem"]), each["problem"]


def test_given_text_is_data_and_cut(jsonata_engine: JsonataEngine) -> None:
    hostile = "'; $error('x') & {% $states %} \"\\" + "x" * 300
    schedules = [hostile, {hostile: 1}, WINDOW | {"start": hostile}, WINDOW | {"every": {hostile: 1}}]
    found = read_schedules(jsonata_engine, [Given(each).variables for each in schedules])
    for each in found:
        assert hostile[:100] in each["problem"]["cause"]
        assert len(each["problem"]["cause"]) < 350


# -- the states -----------------------------------------------------------------------------------------


def test_null_is_as_if_it_was_not_given(jsonata_engine: JsonataEngine) -> None:
    given_null = Given(WINDOW | {"end": None, "timezone": None, "kind": None}).variables
    (found,) = read_schedules(jsonata_engine, [given_null])
    del found["reading"], found["end"]
    assert found == Given(WINDOW).expected()


def test_the_zone_is_that_of_the_window_and_matters_to_all_but_rates(jsonata_engine: JsonataEngine) -> None:
    schedules = [WINDOW | {"timezone": "Asia/Tokyo"}, WINDOW, "cron(0 9 ? * MON *)", "RATE(5 minutes)"]
    zones = jsonata_engine.evaluate_many([(zone_name("'UTC'"), {"schedule": each}) for each in schedules])
    assert zones == ["Asia/Tokyo", "UTC", "UTC", "UTC"]
    needs = jsonata_engine.evaluate_many([(NEEDS_ZONE, {"schedule": each}) for each in schedules])
    assert needs == [True, True, True, False]
    (found,) = read_schedules(jsonata_engine, [{"schedule": schedules[-1], "timezone": "UTC", "zone": {}}])
    assert found["plan"] == {"every": 300, "end": 253_402_300_799}


def test_the_states_are_a_sound_machine() -> None:
    given_variables = {name: f"{{% $states.input.{name} %}}" for name in ("schedule", "timezone", "zone")}
    states = {
        "Begin": Pass(assign=given_variables, next="Read schedule"),
        **reading_states(next="Next", refused="Refused"),
        "Next": Succeed(output=dict.fromkeys(("kind", "plan", "canonical"), "{% $plan %}")),
        "Refused": Succeed(output="{% $problem %}"),
    }
    machine = StateMachine(query_language="JSONata", states=states)
    assert machine.check() == []
    assert machine.to_json().isascii()
    assert not any(
        word in machine.to_json() for word in ("$eval", "$match", "$formatNumber", "$parseInteger")
    )


class Measuring:
    """The engine, which also notes how deep the evaluations were nested."""

    def __init__(self, engine: JsonataEngine) -> None:
        self.engine, self.deepest = engine, 0

    def evaluate_many(self, cases: Iterable[tuple[str, Mapping[str, Any] | None]]) -> list[Any]:
        found = [self.engine.measure(text, bindings) for text, bindings in cases]
        self.deepest = max(self.deepest, *(each.at_once for each in found))
        return [each.result for each in found]


@pytest.mark.parametrize(
    "schedule",
    [
        "cron(*/1,5-50/3,50-5/2 9-17 ? JAN-NOV,12 FRI#5 2020-2199/3,2021)",
        "cron(0 9 L-29 2,4 ? 1970/1)",
        "rate(90 minutes)",
        "at(2030-03-31T02:30:00)",
        {"start": "2030-10-27T01:30:00.000Z", "end": "2031-03-30T02:30", "every": {"months": 1, "hours": 2}},
    ],
)
def test_no_expression_is_nested_deeply(jsonata_engine: JsonataEngine, schedule: Any) -> None:
    measuring = Measuring(jsonata_engine)
    (found,) = read_schedules(measuring, [Given(schedule, "Europe/Paris").variables])
    assert found["end"] == "Next"
    assert 0 < measuring.deepest < DEEPEST


# -- longer proofs --------------------------------------------------------------------------------------


@pytest.mark.proof
@pytest.mark.timeout(1200)
@settings(max_examples=40)
@given(cases=st.lists(crons(), min_size=50, max_size=50))
def test_many_drawn_crons(jsonata_engine: JsonataEngine, cases: list[Given]) -> None:
    check(jsonata_engine, cases)


@pytest.mark.proof
@pytest.mark.timeout(1200)
@settings(max_examples=40)
@given(cases=st.lists(st.one_of(windows(), one_times()), min_size=50, max_size=50))
def test_many_drawn_windows_and_times(jsonata_engine: JsonataEngine, cases: list[Given]) -> None:
    check(jsonata_engine, cases)


@pytest.mark.proof
@pytest.mark.timeout(1200)
def test_the_first_days_that_a_machine_knows_in_every_zone(jsonata_engine: JsonataEngine) -> None:
    starts = ("2020-01-01T00:00", "2020-01-01T13:00", "2020-01-02T09:00Z", "9998-12-31T23:59:59")
    zones = sorted(available_timezones() - {"localtime", "Factory"})
    cases = [Given({"start": start, "every": {"days": 1}}, zone) for zone in zones for start in starts]
    assert check(jsonata_engine, cases) == len(cases)
