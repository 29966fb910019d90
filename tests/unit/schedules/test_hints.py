"""What a refusal proposes works when it is pasted, and what was given is quoted in few characters."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import stepsched as ss

NAMES = {
    **{
        name: getattr(ss, name)
        for name in ("Cron", "Rate", "OneTime", "Windowed", "Frequency", "parse_schedule")
    },
    "ZoneInfo": ZoneInfo,
    "timedelta": timedelta,
    "datetime": datetime,
    "time": time,
    "timezone": timezone,
    "start": "2030-01-01T09:00",
}
CODE = re.compile(
    r"\b(?:Cron|Rate|OneTime|Windowed|Frequency|parse_schedule|timedelta|ZoneInfo|datetime)\b[.\w]*\("
)
EXPRESSION = re.compile(r"\b(?:cron|rate|at)\([^()]*\)")


def code_in(text: str) -> list[str]:
    """The calls in a text, each up to its closing parenthesis."""
    found = []
    for match in CODE.finditer(text):
        depth, end = 1, match.end()
        while depth and end < len(text):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        found.append(text[match.start() : end])
    return found


REFUSED: list[Any] = [
    pytest.param(partial(ss.parse_schedule, text), id=text)
    for text in (
        "rate(1 month)",
        "rate(3 months)",
        "rate(2 quarters)",
        "rate(1 year)",
        "rate(2 weeks)",
        "rate(1 fortnight)",
        "rate(30 seconds)",
        "rate(0 seconds)",
        "rate(1.5 minutes)",
        "rate(1.5 hours)",
        "rate(5 parsecs)",
        "rate( 5 minutes)",
        "0 9 * * *",
        "0 9 * * ? *",
        "at(2030-01-01)",
        "at(2030-01-01 09:00)",
        "at(2030-01-01T09:00Z)",
        "at(2030-01-01T09:00+01:00[Europe/Paris])",
        "cron(*/60 * * * ? *)",
        "cron(*/10 * * * * ?)",
        "",
    )
] + [
    pytest.param(lambda: ss.Rate(timedelta(seconds=90)), id="90 seconds"),
    pytest.param(lambda: ss.Rate("P1M"), id="a month of ISO 8601"),
    pytest.param(lambda: ss.Windowed("2030-01-01T09:00", every="1 month"), id="a step as text"),  # type: ignore[arg-type]
    pytest.param(lambda: ss.Windowed("2030-01-01T09:00", every=timedelta(days=1)), id="a timedelta"),  # type: ignore[arg-type]
    pytest.param(lambda: ss.Cron("0 9 * * ? *", timezone="Europe/Pari"), id="a zone"),
    pytest.param(lambda: ss.Cron("0 9 * * ? *").next_run(datetime(2030, 1, 1)), id="naive"),
    pytest.param(lambda: ss.Cron("0 9 * * ? *").next_run(date(2030, 1, 1)), id="a date"),  # type: ignore[arg-type]
    pytest.param(lambda: ss.Cron("0 9 * * ? *").next_run(1_900_000_000), id="seconds"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("ask", REFUSED)
def test_the_code_in_a_refusal_runs(ask: Callable[[], object]) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        ask()
    text = getattr(caught.value, "reason", str(caught.value))
    text = text.partition("; ")[2] or text  # what was given stands before it
    after = {"after": date(2030, 1, 1) if "combine" in text else 1_900_000_000}
    for code in code_in(text.replace("…", "...")):
        if "..." not in code:
            eval(code, {**NAMES, **after})
    for expression in EXPRESSION.findall(text):
        if "yyyy" not in expression and "..." not in expression and expression[-2] != "(":
            ss.parse_schedule(expression)


def test_the_code_in_a_refusal_is_found() -> None:
    assert code_in("use Windowed(start, every=Frequency(months=1)), or Rate(timedelta(5))") == [
        "Windowed(start, every=Frequency(months=1))",
        "Frequency(months=1)",
        "Rate(timedelta(5))",
        "timedelta(5)",
    ]


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda text: ss.Cron(text), id="Cron"),
        pytest.param(lambda text: ss.Cron.from_crontab(text), id="from_crontab"),
        pytest.param(lambda text: ss.parse_schedule(text), id="parse_schedule"),
        pytest.param(lambda text: ss.Rate.from_expression(text), id="rate"),
        pytest.param(lambda text: ss.OneTime.from_expression(text), id="at"),
        pytest.param(lambda text: ss.OneTime(text), id="OneTime"),
        pytest.param(lambda text: ss.Rate(text), id="Rate"),
        pytest.param(lambda text: ss.Windowed(text, every=ss.Frequency(days=1)), id="Windowed"),
        pytest.param(lambda text: ss.Cron("0 9 * * ? *", timezone=text), id="timezone"),
        pytest.param(lambda text: ss.Frequency.from_document({"days": text}), id="days"),
        pytest.param(lambda text: ss.Frequency.from_document({text: 1}), id="unit"),
    ],
)
@pytest.mark.parametrize("text", ["x", "1", "* ", "rate(1", "2030-01-01T", "PT1"], ids=repr)
def test_a_text_of_megabytes_is_refused_in_few_words(ask: Callable[[str], object], text: str) -> None:
    with pytest.raises(ss.InvalidScheduleError) as caught:
        ask(text * 500_000)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda: ss.Rate.from_expression("cron(5 minutes)"), id="another wrapper"),
        pytest.param(lambda: ss.Rate.from_expression("abcde5 minutesX"), id="no wrapper"),
        pytest.param(lambda: ss.Rate.from_expression("rate(5 minutes"), id="no end"),
        pytest.param(lambda: ss.OneTime.from_expression("xyz2030-01-01T00:00:00!"), id="no wrapper of at"),
        pytest.param(lambda: ss.Rate.from_expression(5), id="a number"),  # type: ignore[arg-type]
        pytest.param(lambda: ss.OneTime.from_expression(None), id="None"),  # type: ignore[arg-type]
        pytest.param(lambda: ss.Rate.from_expression(f"rate({'1' * 5000} minutes)"), id="5,000 digits"),
        pytest.param(lambda: ss.Rate.from_expression(f"rate({'1' * 200} minutes)"), id="200 digits"),
        pytest.param(lambda: ss.Cron("0 9 * * ? *", crontab="0 9 * * *"), id="both dialects"),
        pytest.param(lambda: ss.Cron(5), id="a number for a cron"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_expression_is_refused(ask: Callable[[], object]) -> None:
    with pytest.raises(ss.InvalidScheduleError):
        ask()


class Index:
    """As ``numpy.int64``: a number that is no int."""

    def __index__(self) -> int:
        return 2


def test_a_count_is_any_whole_number_and_no_truth() -> None:
    daily = ss.Cron("0 9 * * ? *")
    assert len(daily.upcoming(Index(), after=datetime(2030, 1, 1, tzinfo=timezone.utc))) == 2  # type: ignore[arg-type]
    for count in (True, False, 1.0, "1", -1, None):
        with pytest.raises(ValueError, match="expected a whole number of at least 0 for count"):
            daily.upcoming(count)  # type: ignore[arg-type]


def test_a_cron_whose_dates_all_lie_in_gaps_says_so() -> None:
    only = ss.Cron("30 2 31 3 ? 2030", timezone="Europe/Paris")
    job = ss.Job(name="a", schedule=only, target=ss.HandlerTarget("builtins:print"))
    with pytest.raises(
        ss.InvalidScheduleError, match="such as 2030-03-31T02:30:00, do not exist in Europe/Paris"
    ):
        ss.SchedulerClient().create(job)


def test_the_lost_blank_of_a_rate_is_written_back() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ss.ScheduleWarning)
        assert str(ss.parse_schedule("rate(1minute)")) == "rate(1 minute)"
        assert str(ss.Rate.from_expression("rate(90minutes)")) == "rate(90 minutes)"
