"""A crontab line runs where croniter itself says, whether AWS has an expression for it or not."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from croniter import CroniterBadDateError, croniter
from hypothesis import given, settings
from hypothesis import strategies as st

import stepsched as ss

from .strategies import CRONTABS

UTC = timezone.utc
moments = st.datetimes(datetime(1971, 1, 1), datetime(2140, 1, 1), timezones=st.just(UTC))


def croniter_runs(line: str, after: datetime, count: int) -> list[datetime]:
    """croniter's next runs; fewer where it finds none within 50 years."""
    walk, found = croniter(line, after), list[datetime]()
    try:
        while len(found) < count:
            found.append(walk.get_next(datetime))
    except CroniterBadDateError:
        pass
    return found


def check(line: str, after: datetime, count: int) -> None:
    fields, counted = croniter.expand(line)
    if counted and fields[2] != ["*"]:
        with pytest.raises(ss.InvalidScheduleError, match="use two jobs"):
            ss.Cron.from_crontab(line)
        return
    schedule = ss.Cron.from_crontab(line)
    expected = croniter_runs(line, after, count)
    assert schedule.upcoming(len(expected), after=after) == expected
    if len(expected) < count:
        run = schedule.next_run(expected[-1] if expected else after)
        assert run is None or run > after + timedelta(days=365 * 49)
    if expected and expected[0] > after + timedelta(minutes=1):
        assert schedule.previous_run(expected[0] + timedelta(seconds=1)) == expected[0]
    if schedule.expression is None:
        assert schedule.crontab == line
    else:
        assert schedule == ss.Cron(schedule.expression)
        assert schedule.crontab is None
    assert ss.Cron.model_validate_json(schedule.model_dump_json()) == schedule


@given(line=CRONTABS, after=moments)
def test_a_line_runs_where_croniter_says(line: str, after: datetime) -> None:
    check(line, after, count=3)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@settings(max_examples=4_000)
@given(line=CRONTABS, after=moments)
def test_a_line_runs_where_croniter_says_at_length(line: str, after: datetime) -> None:
    check(line, after, count=10)
