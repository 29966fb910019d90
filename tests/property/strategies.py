"""What hypothesis draws from: crons, crontab lines, zones with moments near their changes, steps."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from .oracle import Transition, transitions

UTC = timezone.utc

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

ZONES = (
    "Europe/Paris",
    "America/New_York",
    "Africa/Cairo",  # gaps at midnight
    "Africa/Casablanca",  # two changes around Ramadan, winter time below standard
    "Africa/Monrovia",  # 44 minutes and 30 seconds in 1972
    "America/Havana",
    "America/Nuuk",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",  # changes at 00:01, once of two hours
    "Antarctica/Troll",  # two hours
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Australia/Lord_Howe",  # half an hour
    "Europe/Dublin",  # winter time is the daylight saving
    "Europe/London",
    "Pacific/Apia",  # no 30 December 2011
    "Pacific/Chatham",
    "Pacific/Kiritimati",  # no 31 December 1994
    "Asia/Kolkata",
    "Etc/GMT+12",
    "UTC",
)
"""Zones of every temper. Hypothesis leans to the first ones."""

# -- cron text -------------------------------------------------------------------------------------


def _value(low: int, high: int, names: tuple[str, ...] = ()) -> SearchStrategy[str]:
    numbers = st.integers(low, high)
    texts = st.one_of(numbers.map(str), numbers.map(lambda number: f"{number:02d}"))
    if not names:
        return texts
    return st.one_of(texts, st.sampled_from(names), st.sampled_from(names).map(str.capitalize))


def _field(
    low: int, high: int, *, names: tuple[str, ...] = (), step: int = 0, wraps: bool = True
) -> SearchStrategy[str]:
    """A star, a step, or up to three values, ranges and steps."""
    value = _value(low, high, names)
    spans = st.tuples(value, value).map("-".join)
    if not wraps:
        pairs = st.tuples(st.integers(low, high), st.integers(low, high))
        spans = pairs.map(lambda pair: f"{min(pair)}-{max(pair)}")
    items = st.one_of(value, spans)
    stars = st.just("*")
    if step:
        steps = st.integers(1, step).map(str)
        items = st.one_of(items, st.tuples(st.one_of(stars, value, spans), steps).map("/".join))
        stars = st.one_of(stars, st.just("*/5"))
    lists = st.lists(items, min_size=1, max_size=3).map(",".join)
    return st.one_of(stars, value, lists)


_EVERY_WEEKDAY = [*map(str, range(1, 8)), *WEEKDAYS]
SPECIAL_DAYS = [
    *("L ?", "LW ?", "lw ?", "? L"),
    *(f"{day}W ?" for day in range(1, 32)),
    *(f"L-{back} ?" for back in range(1, 31)),
    *(f"? {day}L" for day in _EVERY_WEEKDAY),
    *(f"? {day}#{nth}" for day in _EVERY_WEEKDAY for nth in range(1, 6)),
]
"""Day-of-month and day-of-week, in every special form there is."""


def _day_fields() -> SearchStrategy[tuple[str, str]]:
    return st.one_of(
        st.tuples(st.one_of(_field(1, 31, step=31), st.just("*")), st.just("?")),
        st.tuples(st.just("?"), st.one_of(_field(1, 7, names=WEEKDAYS), st.sampled_from(["*", "MON-FRI"]))),
        st.sampled_from(SPECIAL_DAYS).map(lambda days: (days.split(" ")[0], days.split(" ")[1])),
    )


def _join(parts: tuple[str, str, tuple[str, str], str, str | None]) -> str:
    minutes, hours, (day_of_month, day_of_week), months, year = parts
    fields = [minutes, hours, day_of_month, months, day_of_week, year]
    return " ".join(field for field in fields if field)


def _cron(year: SearchStrategy[str | None]) -> SearchStrategy[str]:
    return st.tuples(
        _field(0, 59, step=59),
        _field(0, 23, step=23),
        _day_fields(),
        st.one_of(st.just("*"), _field(1, 12, names=MONTHS, step=12)),
        year,
    ).map(_join)


_DENSE = st.tuples(
    st.one_of(st.just("*"), st.just("30"), _field(0, 59, step=59)),
    st.one_of(st.just("*"), _field(0, 23, step=23), _field(0, 4)),
    st.sampled_from([("*", "?"), ("?", "*"), ("?", "SAT-SUN"), ("1/1", "?")]),
    st.just("*"),
    st.sampled_from(["*", None]),
).map(_join)
CRONS = st.one_of(_DENSE, _cron(st.sampled_from(["*", None])), _DENSE)
"""Five or six fields of the AWS dialect, in every year; most of them meet every gap and overlap."""
CRONS_WITH_YEARS = _cron(_field(1970, 2199, step=229, wraps=False))


def _unix_field(
    low: int, high: int, names: tuple[str, ...] = (), *, may_wrap: bool = False
) -> SearchStrategy[str]:
    numbers = st.integers(low, high)
    value = st.one_of(numbers.map(str), st.sampled_from(names).map(str.lower)) if names else numbers.map(str)
    pairs = st.tuples(numbers, numbers)
    if not may_wrap:
        pairs = pairs.map(lambda pair: (min(pair), max(pair)))
    spans = pairs.map(lambda pair: f"{pair[0]}-{pair[1]}")
    steps = st.tuples(st.one_of(st.just("*"), spans, value), st.integers(1, high).map(str)).map("/".join)
    items = st.one_of(value, spans, steps)
    lists = st.lists(items, min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), value, lists)


def _crontabs(*, may_wrap: bool = False) -> SearchStrategy[str]:
    weekday = st.one_of(
        st.just("*"),
        _unix_field(0, 7, WEEKDAYS, may_wrap=may_wrap),
        st.tuples(st.integers(0, 7), st.integers(1, 5)).map(lambda pair: f"{pair[0]}#{pair[1]}"),
        st.integers(0, 7).map(lambda day: f"L{day}"),
        st.sampled_from(["5#3,1", "L5,2#1", "*/2", "*,1"]),
    )
    return st.tuples(
        _unix_field(0, 59, may_wrap=may_wrap),
        _unix_field(0, 23, may_wrap=may_wrap),
        st.one_of(st.just("*"), _unix_field(1, 31, may_wrap=may_wrap), st.sampled_from(["L", "1,L", "*/1"])),
        st.one_of(st.just("*"), _unix_field(1, 12, MONTHS, may_wrap=may_wrap)),
        weekday,
    ).map(" ".join)


CRONTABS = _crontabs()
"""Five fields of the Unix dialect, both day fields set among them."""
WRAPPING_CRONTABS = _crontabs(may_wrap=True)
"""The same with ranges that run over the end of their field, which most daemons refuse."""

# -- places and moments ----------------------------------------------------------------------------


class Place(NamedTuple):
    """A zone and an instant that matters there."""

    key: str
    moment: datetime

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.key)


_FRACTIONS = st.sampled_from([0, 0, 0, 1, 999_999])


@cache
def _changes(key: str) -> tuple[Transition, ...]:
    return transitions(key)


@st.composite
def places(draw: st.DrawFn, zones: tuple[str, ...] = ZONES) -> Place:
    """An instant near one of the zone's changes, or anywhere from 1969 to 2200; written in UTC, in
    the zone, or at a fixed offset."""
    key = draw(st.sampled_from(zones))
    changes = _changes(key)
    anywhere = st.datetimes(datetime(1969, 11, 20), datetime(2200, 2, 10), timezones=st.just(UTC))
    if changes and draw(st.integers(0, 5)) < 5:
        close = st.integers(-240, 240).map(lambda minutes: timedelta(minutes=minutes))
        near = st.integers(-2 * 86_400, 2 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
        moment = draw(st.sampled_from(changes[::-1])).at + draw(st.one_of(close, near))
    else:
        moment = draw(anywhere).replace(microsecond=0)
    moment += timedelta(microseconds=draw(_FRACTIONS))
    written: list[tzinfo] = [UTC, ZoneInfo(key), timezone(timedelta(hours=-9, minutes=-30))]
    return Place(key, moment.astimezone(draw(st.sampled_from(written))))


UNITS = ("years", "quarters", "months", "weeks", "days", "hours", "minutes", "seconds")


@st.composite
def steps(draw: st.DrawFn) -> dict[str, int]:
    """A frequency of one to three units."""
    units = draw(st.lists(st.sampled_from(UNITS), min_size=1, max_size=3, unique=True))
    large = {"years": 3, "quarters": 5, "months": 14, "weeks": 9, "days": 45, "hours": 60, "minutes": 3000}
    large |= {"seconds": 200}
    return {unit: draw(st.integers(1, large[unit])) for unit in units}
