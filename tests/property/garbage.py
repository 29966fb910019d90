"""What callers may pass by mistake or on purpose: any type, extremes, and valid values with a slip."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import stepsched as ss
from tests.unit.schedules.foreign import (
    Calendar,
    Failing,
    Fine,
    FineSpan,
    Fixed,
    Moment,
    NoTime,
    Span,
    Wandering,
    Word,
    like,
)

UTC = timezone.utc
NOON = datetime(2030, 1, 1, 12)
CHARACTERS = "0123456789*/,-?LW# ()abcdefghrotuMONSUNJAN:+.ZT[]{}%$!@_\t\n\"'\\\x00é٥ſ\u2028\U0001f600\ud800"
TEXTS = (
    "",
    " ",
    "None",
    "nan",
    "1e400",
    "-1",
    "rate(5 minutes)",
    "rate(1minute)",
    "cron(0 9 ? * MON-FRI *)",
    "0 9 * * *",
    "@daily",
    "at(2030-01-01T09:00:00)",
    "at(9999-12-31T23:59:59)",
    "2030-01-01T09:00",
    "2030-03-31T02:30+01:00[Europe/Paris]",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T24:00:00",
    "PT5M",
    "P1M",
    "Europe/Paris",
    "Factory",
    "../etc/passwd",
    "arn:aws:lambda:eu-west-1:123456789012:function:report",
    "arn:aws:sqs:eu-west-1:123456789012:work.fifo",
    "arn:::::",
    "builtins:print",
    "a:b:c",
    "active",
    "{% $states.input %}",
    "<aws.scheduler.scheduled-time>",
    '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
    "1" * 5_000,
    "(" * 5_000,
    "[" * 5_000,
    "x" * 2_000_000,
    "* " * 100_000,
)


class Colour(Enum):
    RED = "red"


class Loose:
    """An object of a class that nobody expects."""


def _loop() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    2**64,
    10**400,
    -(10**5_000),
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    3 + 4j,
    Decimal("NaN"),
    Decimal("1E+999999"),
    Fraction(1, 3),
    b"rate(5 minutes)",
    b"",
    bytearray(b"x"),
    (),
    [],
    {},
    set(),
    frozenset({1}),
    range(3),
    [None],
    [[[[]]]],
    _loop(),
    {"kind": "rate"},
    {"kind": "cron", "expression": 5},
    {"kind": "nothing"},
    {1: 2},
    {None: None},
    {"a": _loop()},
    {"minutes": 10**5_000},
    {"startDateTime": 5, "endDateTime": None, "frequency": []},
    object(),
    object,
    Loose(),
    Loose,
    Colour.RED,
    Colour,
    len,
    lambda: None,
    iter(()),
    date(2030, 1, 1),
    time(9),
    NOON,
    NOON.replace(tzinfo=UTC),
    NOON.replace(tzinfo=ZoneInfo("Europe/Paris")),
    datetime(2030, 3, 31, 2, 30, tzinfo=ZoneInfo("Europe/Paris")),
    datetime(2030, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Paris")),
    datetime.min,  # noqa: DTZ901 -- a wall time
    datetime.max,  # noqa: DTZ901 -- a wall time
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    datetime.max.replace(tzinfo=timezone(-timedelta(hours=12))),
    datetime.max.replace(tzinfo=ZoneInfo("America/New_York")),
    datetime.min.replace(tzinfo=ZoneInfo("Asia/Tokyo")),
    NoTime(2030, 1, 1),
    NOON.replace(tzinfo=Fixed("UTC", None)),
    NOON.replace(tzinfo=Fixed("UTC", timedelta(days=2))),
    NOON.replace(tzinfo=Wandering()),
    like(Moment, NOON.replace(tzinfo=UTC)),
    like(Fine, datetime.max),  # noqa: DTZ901 -- as above
    timedelta(0),
    timedelta(minutes=5),
    timedelta(seconds=-1),
    timedelta(microseconds=1),
    timedelta.max,
    timedelta.min,
    Span(minutes=5),
    FineSpan(timedelta.max.days, 86_399, 999_999),
    Calendar(days=30),
    ZoneInfo("Europe/Paris"),
    UTC,
    timezone(timedelta(hours=2)),
    Failing(),
    Word("Europe/Paris"),
    Word("rate(5 minutes)"),
    ss.Rate(timedelta(minutes=5)),
    ss.Cron("0 9 * * ? *"),
    ss.Frequency(months=1),
    ss.Frequency(years=10_000),
    ss.Retry(),
    ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report"),
    ss.HandlerTarget(print),
    ss.Job(name="a", schedule=ss.Rate(timedelta(minutes=5)), target=ss.HandlerTarget(print)),
    ss.Overlap.SKIP,
    ss.JobStatus.ACTIVE,
    ss.Rate,
    ss,
)
"""One of each kind."""
MOMENTS: tuple[Any, ...] = (NOON.replace(tzinfo=Failing()), like(Moment, NOON.replace(tzinfo=Failing())))
"""For a parameter that is a moment: an enum, for example, hashes them, and fails as their zone does."""


def garbage(random: Random, valid: object = None) -> Any:
    """Any of these values, a text of odd characters, or a valid text with a slip."""
    draw = random.random()
    if isinstance(valid, str) and 0.03 < draw < 0.5:
        return slipped(random, valid)
    if draw < 0.03 and (isinstance(valid, datetime) or (isinstance(valid, str) and valid.startswith("20"))):
        return random.choice(MOMENTS)
    if draw < 0.7:
        return random.choice(VALUES)
    if draw < 0.85:
        return random.choice(TEXTS)
    if draw < 0.93:
        return "".join(random.choices(CHARACTERS, k=random.randint(0, 40)))
    inside = [garbage(random) for _ in range(random.randint(0, 3))]
    return random.choice([inside, tuple(inside), {"a": inside}, dict.fromkeys("abc", inside)])


def slipped(random: Random, text: str) -> str:
    """The text with characters left out, put in or doubled."""
    for _ in range(random.randint(1, 4)):
        at = random.randint(0, len(text))
        head, tail, sign = text[:at], text[at:], random.choice(CHARACTERS)
        times = random.randint(2, 200)
        text = random.choice(
            [head + tail[1:], head + sign + tail, head + tail[:3] * times + tail[3:], head.swapcase() + tail]
        )
    return text
