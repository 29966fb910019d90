"""A crontab line runs where Debian's cron and croniter run it, or is refused because they differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from itertools import islice

import pytest
from croniter import CroniterBadDateError, croniter
from cronsim import CronSim, CronSimError
from hypothesis import given, settings
from hypothesis import strategies as st

import stepsched as ss

from .strategies import CRONTABS, WRAPPING_CRONTABS

UTC = timezone.utc
moments = st.datetimes(datetime(1971, 1, 1), datetime(2140, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(second=0, microsecond=0)
)
FIELDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12)}
LONG = timedelta(days=365 * 49)
"""Almost as far as both witnesses look for a run."""


# -- the witnesses ---------------------------------------------------------------------------------


def cronsim_runs(line: str, after: datetime) -> Iterator[datetime]:
    """Those of Debian's cron; fewer where it finds none within 50 years. It writes ``L5`` as ``5L``."""
    *others, weekdays = line.split()
    quartz = re.sub(r"\bL(\d)", r"\1L", weekdays)
    try:
        yield from CronSim(" ".join([*others, quartz]), after)
    except CronSimError:  # a day that no month has
        return


def croniter_runs(line: str, after: datetime) -> Iterator[datetime]:
    """croniter's; fewer where it finds none within 50 years."""
    walk = croniter(line, after)
    try:
        while True:
            yield walk.get_next(datetime)
    except CroniterBadDateError:
        return


# -- where they differ -----------------------------------------------------------------------------


def items(field: str) -> Iterator[tuple[str, str, str]]:
    """The first value, the last one and the step of each item of a field."""
    for item in field.split(","):
        body, _, step = item.partition("/")
        first, _, last = body.partition("-")
        yield first, last, step


def why_refused(line: str) -> set[str]:
    """The reasons for which a line is refused, since tools read it in two ways."""
    fields = line.upper().split()
    day, weekday = fields[2], fields[4]
    reasons = set()
    stars = [set(field.split(",")) <= {"*", "*/1"} for field in (day, weekday)]
    if "*" in day + weekday and not any(stars):
        reasons.add("a star in one of two day fields")
    if not stars[0] and re.search("[#L]", weekday):
        reasons.add("a day of the month and a counted weekday")
    for first, last, step in (each for field in fields for each in items(field)):
        if last and number(first) == number(last) and step not in ("", "1"):
            reasons.add("one value with a step")
    for first, last, step in items(weekday):
        begin = number(first)
        if step and not last and begin and (7 - begin) % int(step) == 0:
            reasons.add("a step from a weekday to Sunday or before it")
    return reasons


def number(text: str) -> int | None:
    """The value of a number, or of a name of a weekday or month; None for any other text."""
    names = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
    months = ["-", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
    for known in (names, months):
        if text in known:
            return known.index(text)
    return int(text) if text.isdigit() else None


def why_croniter_differs(line: str) -> set[str]:
    """The reasons for which croniter 7 reads a line otherwise than cron daemons do."""
    fields = line.upper().split()
    reasons = set()
    for first, last, _ in (each for field in fields for each in items(field)):
        if last and number(first) == number(last):
            reasons.add("a range of one value is the whole field")
    if "*/1" in fields[2] or "*/1" in fields[4]:
        reasons.add("*/1 restricts a day field")
    if re.search("[#L]", fields[4]) and "," in fields[4]:
        reasons.add("a counted weekday in a list is refused, or all of them are")
    return reasons


# -- the comparison --------------------------------------------------------------------------------


def check(line: str, after: datetime, count: int) -> None:
    reasons = why_refused(line)
    if reasons:
        with pytest.raises(ss.InvalidScheduleError):
            ss.Cron.from_crontab(line)
        return
    schedule = ss.Cron.from_crontab(line)
    check_runs(schedule, list(islice(cronsim_runs(line, after), count)), after, count)
    if not why_croniter_differs(line):
        check_runs(schedule, list(islice(croniter_runs(line, after), count)), after, count)
    if schedule.expression is None:
        assert schedule.crontab == line
    else:
        assert schedule == ss.Cron(schedule.expression)
        assert schedule.crontab is None
    assert ss.Cron.model_validate_json(schedule.model_dump_json()) == schedule


def check_runs(schedule: ss.Cron, expected: list[datetime], after: datetime, count: int) -> None:
    assert schedule.upcoming(len(expected), after=after) == expected
    if len(expected) < count:
        run = schedule.next_run(expected[-1] if expected else after)
        assert run is None or run > after + LONG
    if expected and expected[0] > after + timedelta(minutes=1):
        assert schedule.previous_run(expected[0] + timedelta(seconds=1)) == expected[0]


@given(line=CRONTABS, after=moments)
def test_a_line_runs_where_the_witnesses_say(line: str, after: datetime) -> None:
    check(line, after, count=3)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@settings(max_examples=4_000)
@given(line=CRONTABS, after=moments)
def test_a_line_runs_where_the_witnesses_say_at_length(line: str, after: datetime) -> None:
    check(line, after, count=10)


# -- ranges over the end ---------------------------------------------------------------------------


@given(field=st.sampled_from([*FIELDS]), data=st.data())
def test_a_range_over_the_end_counts_on_through_it(field: str, data: st.DataObject) -> None:
    low, high = FIELDS[field]
    first, last = (data.draw(st.integers(low, high)) for _ in range(2))
    step = data.draw(st.integers(1, high))
    if first == last:
        return
    size = high - low + 1
    walk = range(0, (last - first) % size + 1, step)
    expected = sorted({(first - low + passed) % size + low for passed in walk})
    texts = {name: {"minute": "0", "hour": "0", "day": "1", "month": "1"}[name] for name in FIELDS}
    stepped, listed = (
        texts | {field: text} for text in (f"{first}-{last}/{step}", ",".join(map(str, expected)))
    )
    assert ss.Cron.from_crontab(" ".join([*stepped.values(), "*"])) == ss.Cron.from_crontab(
        " ".join([*listed.values(), "*"])
    )


@given(first=st.integers(0, 7), last=st.integers(0, 7), step=st.integers(1, 7))
def test_a_range_of_weekdays_over_saturday_counts_on(first: int, last: int, step: int) -> None:
    if first == last:
        return
    walk = range(first, (last if last > first else last + 7) + 1, step)
    listed = ",".join(str(day % 7) for day in walk)
    assert ss.Cron.from_crontab(f"0 0 * * {first}-{last}/{step}") == ss.Cron.from_crontab(f"0 0 * * {listed}")


@given(line=WRAPPING_CRONTABS, after=moments)
def test_a_line_with_ranges_over_the_end_is_read_back_as_the_same(line: str, after: datetime) -> None:
    try:
        schedule = ss.Cron.from_crontab(line)
    except ss.InvalidScheduleError:
        assert why_refused(line)
        return
    run = schedule.next_run(after)
    assert run is None or run > after
    assert ss.Cron.model_validate_json(schedule.model_dump_json()) == schedule


@given(text=st.text(max_size=60) | st.text("0123456789*,-/#LWHR?~@()= \t", max_size=60))
def test_any_text_is_read_or_refused_by_its_own_error(text: str) -> None:
    with suppress(ss.InvalidScheduleError):
        ss.Cron.from_crontab(text, hash_id="x").next_run()
