"""A calendar step: its units, its reading from documents, its words."""

from __future__ import annotations

import json
import pickle
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

import stepsched as ss
from stepsched.schedules.frequency import window_of_seconds


def test_units_add_up_to_months_days_and_seconds() -> None:
    step = ss.Frequency(years=1, quarters=2, months=3, weeks=4, days=5, hours=6, minutes=7, seconds=8)
    assert (step.total_months, step.total_days, step.total_seconds) == (21, 33, 367 * 60 + 8)


@pytest.mark.parametrize(
    ("counts", "field"),
    [
        pytest.param({}, "every", id="nothing"),
        pytest.param({"days": 0}, "every", id="nought"),
        pytest.param({"days": -1}, "days", id="negative"),
        pytest.param({"days": 1, "hours": -1}, "hours", id="one negative"),
        pytest.param({"days": 1.5}, "days", id="fraction"),
        pytest.param({"days": 1.0}, "days", id="float"),
        pytest.param({"days": "1"}, "days", id="text"),
        pytest.param({"days": True}, "days", id="truth"),
        pytest.param({"days": None}, "days", id="None"),
    ],
)
def test_a_step_is_made_of_whole_numbers_and_moves_forward(counts: dict[str, Any], field: str) -> None:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        ss.Frequency(**counts)
    assert caught.value.field == field
    assert caught.value.expression.startswith("Frequency(")


@pytest.mark.parametrize(
    "counts",
    [
        {"years": 10**8},
        {"minutes": 10**16},
        {"weeks": 521_786},
        {"months": 120_003},
        {"seconds": 3_652_500 * 86_400 + 1},
        {"days": 3_652_500, "seconds": 1},
        pytest.param({"seconds": 10**80}, id="far longer"),
    ],
    ids=str,
)
def test_a_step_longer_than_time_is_refused(counts: dict[str, int]) -> None:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        ss.Frequency(**counts)
    assert caught.value.reason == "the step is longer than 10,000 years"
    assert caught.value.field == "every"
    shown = ", ".join(f"{unit}={count}" for unit, count in counts.items())
    assert caught.value.expression == f"Frequency({shown})"


def test_a_count_that_python_cannot_print_is_refused_in_few_words() -> None:
    with pytest.raises(ss.InvalidScheduleError, match=r"seconds=a whole number of 16,610 bits\)") as caught:
        ss.Frequency(seconds=10**5000)
    assert caught.value.reason == "the step is longer than 10,000 years"
    with pytest.raises(ss.InvalidScheduleError, match="at most 10,000 years, got a whole number of"):
        ss.Frequency.from_document({"seconds": 10**5000})


def test_a_step_as_long_as_time_is_taken() -> None:
    assert ss.Frequency(seconds=3_652_500 * 86_400).total_seconds == 315_576_000_000
    assert ss.Frequency(months=120_002).total_months == 120_002  # of 30.44 days each
    assert ss.Frequency(years=10_000).total_months == 120_000


def test_refusals_of_seconds_point_to_a_window() -> None:
    assert window_of_seconds() == "Windowed(start, every=Frequency(seconds=...))"
    assert window_of_seconds(5) == "Windowed(start, every=Frequency(seconds=5))"


def test_an_empty_step_is_told_which_units_there_are() -> None:
    with pytest.raises(
        ss.InvalidScheduleError, match="years, quarters, months, weeks, days, hours, minutes, seconds"
    ):
        ss.Frequency()


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param({"minutes": 5}, ss.Frequency(minutes=5), id="plural"),
        pytest.param({"minute": 5}, ss.Frequency(minutes=5), id="singular"),
        pytest.param({"Month": 1, "HOURS": 2}, ss.Frequency(months=1, hours=2), id="any case"),
        pytest.param({"days": "3"}, ss.Frequency(days=3), id="text"),
        pytest.param({"days": " 3 "}, ss.Frequency(days=3), id="text with blanks"),
        pytest.param({"days": 3.0}, ss.Frequency(days=3), id="whole float"),
        pytest.param({"hours": 1.5}, ss.Frequency(minutes=90), id="hours and a half"),
        pytest.param({"hours": 0.1}, ss.Frequency(minutes=6), id="a decimal that binary cannot hold"),
        pytest.param({"days": 0.5, "minutes": 1}, ss.Frequency(minutes=721), id="half a day and a minute"),
        pytest.param({"weeks": 1.5, "hours": 2}, ss.Frequency(hours=2, minutes=15120), id="weeks and a half"),
        pytest.param({"hours": 0.25, "minutes": 0.0}, ss.Frequency(minutes=15), id="fraction and nought"),
        pytest.param({"hours": 0.05, "days": 0.5}, ss.Frequency(minutes=723), id="two fractions"),
        pytest.param({"seconds": 10}, ss.Frequency(seconds=10), id="seconds"),
        pytest.param({"Second": "90"}, ss.Frequency(seconds=90), id="second, text"),
        pytest.param({"minutes": 0.5}, ss.Frequency(seconds=30), id="half a minute"),
        pytest.param({"minutes": 1.5}, ss.Frequency(minutes=1, seconds=30), id="a minute and a half"),
        pytest.param({"hours": 0.01}, ss.Frequency(seconds=36), id="a hundredth of an hour"),
        pytest.param({"minutes": 0.25, "seconds": 50}, ss.Frequency(seconds=65), id="fraction and seconds"),
        pytest.param({"seconds": 0.5, "minute": 0.025}, ss.Frequency(seconds=2), id="fractions of seconds"),
        pytest.param({"milliseconds": 10_000}, ss.Frequency(seconds=10), id="milliseconds"),
        pytest.param(
            {"milliseconds": 500, "seconds": 1.5}, ss.Frequency(seconds=2), id="milliseconds and a fraction"
        ),
        pytest.param(
            {"days": 1, "milliseconds": 90_000}, ss.Frequency(days=1, minutes=1, seconds=30), id="ms"
        ),
        pytest.param({"years": 1, "quarter": 1}, ss.Frequency(years=1, quarters=1), id="calendar units"),
    ],
)
def test_documents_may_use_singular_plural_text_and_fractions(
    document: dict[str, Any], expected: ss.Frequency
) -> None:
    assert ss.Frequency.from_document(document) == expected


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(
            {"fortnights": 1},
            "unknown unit 'fortnights'; the units are years, quarters, months, weeks, days, hours, minutes, ",
            id="unknown unit",
        ),
        pytest.param({"microseconds": 30}, "unknown unit 'microseconds'", id="microseconds"),
        pytest.param({"weekss": 1}, "unknown unit 'weekss'", id="one s too many"),
        pytest.param({"days": "1e3"}, "'1e3' is not a positive number", id="exponent"),
        pytest.param(
            {"days": "1e999999999"},
            "is not a positive number",
            id="endless number",
        ),
        pytest.param(
            {"days": "9" * 16}, "days: expected a step of at most 10,000 years", id="sixteen digits"
        ),
        pytest.param({"days": 10**15}, "days: expected a step of at most 10,000 years", id="a long time"),
        pytest.param(
            {"hours": 1 / 3}, "fractions that come to 1199.9999999999998 s", id="a third as a float"
        ),
        pytest.param({"hours": 1e-9}, "fractions that come to 3.6e-06 s", id="a tiny float"),
        pytest.param({"": 1}, "unknown unit ''", id="no unit"),
        pytest.param({5: 1}, "unknown unit 5", id="number for a unit"),
        pytest.param({"day": 1, "days": 2}, "'days' is given twice", id="twice"),
        pytest.param({"days": "many"}, "'many' is not a positive number", id="word"),
        pytest.param({"days": -1}, "-1 is not a positive number", id="negative"),
        pytest.param({"days": True}, "True is not a positive number", id="truth"),
        pytest.param({"days": None}, "None is not a positive number", id="None"),
        pytest.param({"days": [1]}, "is not a positive number", id="list"),
        pytest.param(
            {"days": Decimal(1)},
            "is not a positive number",
            id="number of another kind",
        ),
        pytest.param({"days": float("inf")}, "inf is not a positive number", id="infinity"),
        pytest.param({"days": "1/0"}, "is not a positive number", id="divided by nought"),
        pytest.param({"months": 1.5}, "part of a month has no fixed length", id="part of a month"),
        pytest.param({"years": 0.5}, "part of a year has no fixed length", id="part of a year"),
        pytest.param(
            {"seconds": 0.5},
            "expected a step of whole seconds, got fractions that come to 0.5 s; use a whole number",
            id="part of a second",
        ),
        pytest.param({"milliseconds": 1500}, "whole seconds, got fractions that come to 1.5 s", id="ms"),
        pytest.param({"hours": 0.001}, "whole seconds, got fractions that come to 3.6 s", id="3.6 seconds"),
        pytest.param({"day": 1, "minutes": 0.01}, "fractions that come to 0.6 s", id="day and a fraction"),
        pytest.param({"millisecond": 1, "milliseconds": 999}, "'milliseconds' is given twice", id="ms twice"),
        pytest.param([5], "a mapping such as", id="list"),
        pytest.param("minutes", "a mapping such as", id="text"),
    ],
)
def test_a_document_that_is_no_step_is_refused(document: Any, words: str) -> None:
    with pytest.raises(ss.InvalidScheduleError, match=words) as caught:
        ss.Frequency.from_document(document)
    assert caught.value.field == "frequency"
    assert caught.value.expression == str(document)


@pytest.mark.parametrize("document", [{}, {"days": 0}])
def test_an_empty_document_never_moves(document: dict[str, Any]) -> None:
    with pytest.raises(ss.InvalidScheduleError, match="expected a step, got 0") as caught:
        ss.Frequency.from_document(document)
    assert (caught.value.field, caught.value.expression) == ("frequency", str(document))


@pytest.mark.parametrize(
    ("step", "words"),
    [
        pytest.param(ss.Frequency(months=1), "1 month", id="one"),
        pytest.param(ss.Frequency(months=2), "2 months", id="two"),
        pytest.param(ss.Frequency(weeks=2, days=1), "2 weeks and 1 day", id="two units"),
        pytest.param(
            ss.Frequency(years=1, quarters=1, months=1, weeks=1, days=1, hours=1, minutes=1, seconds=1),
            "1 year, 1 quarter, 1 month, 1 week, 1 day, 1 hour, 1 minute and 1 second",
            id="all units",
        ),
    ],
)
def test_it_reads_as_words(step: ss.Frequency, words: str) -> None:
    assert str(step) == words


def test_json_holds_the_units_that_count_and_comes_back() -> None:
    seconds = ss.Frequency(seconds=10)
    assert seconds.model_dump_json() == '{"seconds":10}'
    assert ss.Frequency.model_validate_json('{"seconds":10}') == seconds
    step = ss.Frequency(months=1, hours=12)
    assert step.model_dump_json() == '{"months":1,"hours":12}', "as it was before there were seconds"
    assert json.loads(step.model_dump_json()) == {"months": 1, "hours": 12}
    assert ss.Frequency.model_validate_json(step.model_dump_json()) == step
    assert ss.Frequency.model_validate(step.model_dump()) == step


def test_it_is_a_value() -> None:
    step = ss.Frequency(weeks=1)
    assert step == ss.Frequency(weeks=1)
    assert step != ss.Frequency(days=7)
    assert hash(step) == hash(ss.Frequency(weeks=1))
    assert pickle.loads(pickle.dumps(step)) == step
    assert step.replace(days=1) == ss.Frequency(weeks=1, days=1)
    with pytest.raises(ValidationError, match="frozen"):
        step.days = 2  # type: ignore[misc]
    with pytest.raises(ValueError, match=r"unknown.* fortnights"):
        ss.Frequency.model_validate({"fortnights": 1})
