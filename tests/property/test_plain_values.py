"""A value of a subclass gets the answer of the plain value, from every parameter, and in either order."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import stepsched as ss
from stepsched.core.durations import seconds_of
from stepsched.schedules.equivalents import NoEquivalentError, aws_equivalent
from stepsched.testing import FakeClock, TimeTravel
from tests.unit.schedules.foreign import Frozen, Moment, Span, Stamp, is_plain, like

from .strategies import ZONES

UTC = timezone.utc
HOUR = timedelta(hours=1)
NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
DAILY = ss.Cron("30 2 * * ? *", timezone="Europe/Paris")
TARGET = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f")
HANDLER = ss.HandlerTarget("builtins:print")


def asked(schedule: ss.Schedule) -> list[Any]:
    """The schedule, and what it answers."""
    after = datetime(2031, 1, 1, tzinfo=UTC)
    return [
        schedule,
        schedule.upcoming(2, after=after),
        schedule.previous_run(before=after),
        schedule.describe(),
        schedule.model_dump_json(),
    ]


def equivalent(window: ss.Windowed) -> object:
    try:
        return aws_equivalent(window)
    except NoEquivalentError as error:
        return str(error)


def windowed(start: datetime, **every: int) -> list[Any]:
    window = ss.Windowed(start, every=ss.Frequency(**every))
    return [*asked(window), equivalent(window)]


def backfilled(since: datetime) -> list[Any]:
    client = ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(NEW_YEAR + 10 * HOUR)))
    with closing(client):
        client.create(ss.Job(name="a", schedule=ss.Rate(HOUR, start=NEW_YEAR), target=HANDLER))
        runs = client.backfill("a", since=min(since, NEW_YEAR), until=max(since, NEW_YEAR) + HOUR)
        found = client.runs(since=since, until=since + HOUR)
        return [[run.scheduled_for for run in each] for each in (runs, found)]


def upcoming(until: datetime) -> list[Any]:
    client = ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(NEW_YEAR)))
    with closing(client):
        client.create(ss.Job(name="a", schedule=DAILY, target=HANDLER))
        return [run.at for run in client.upcoming(until=until, limit=2)]


def travelled(start: datetime) -> list[Any]:
    with TimeTravel(start) as travel:
        attempts = travel.run_until(start + HOUR)
        return [attempts, travel.now]


def moved(instant: datetime) -> datetime:
    clock = FakeClock(datetime.min.replace(tzinfo=UTC))
    clock.move_to(instant)
    return clock.now()


WALLS: dict[str, Callable[[datetime], Any]] = {
    "OneTime": lambda at: asked(ss.OneTime(at)),
    "OneTime with zone": lambda at: asked(ss.OneTime(at, timezone="Asia/Tokyo")),
    "Windowed by months": lambda start: windowed(start, months=1),
    "Windowed by days": lambda start: windowed(start, days=1),
    "Windowed by hours": lambda start: windowed(start, hours=1),
    "end of Windowed": lambda end: asked(
        ss.Windowed(datetime(1969, 1, 1), end=end, every=ss.Frequency(days=1), timezone="Europe/Paris")
    ),
    "rendered": lambda start: ss.render_asl(
        ss.Job(
            name="a",
            schedule=ss.Windowed(start.replace(microsecond=0), every=ss.Frequency(days=1)),
            target=TARGET,
        )
    ).to_dict(),
}
INSTANTS: dict[str, Callable[[datetime], Any]] = {
    **WALLS,
    "start of Rate": lambda start: asked(ss.Rate(HOUR, start=start)),
    "end of Rate": lambda end: asked(ss.Rate(HOUR, start="1960-01-01T00:00Z", end=end)),
    "start of Cron": lambda start: asked(ss.Cron("30 2 * * ? *", start=start)),
    "end of Cron": lambda end: asked(ss.Cron("30 2 * * ? *", end=end)),
    "start of a crontab": lambda start: asked(ss.Cron.from_crontab("30 2 1 * 1", start=start)),
    "parse_schedule": lambda start: asked(ss.parse_schedule("rate(1 hour)", start=start)),
    "after": lambda after: [DAILY.next_run(after), DAILY.upcoming(2, after=after)],
    "after of a rate": lambda after: ss.Rate(HOUR).next_run(after),
    "before": lambda before: DAILY.previous_run(before),
    "runs": lambda after: list(DAILY.runs(after=after, until=after + 40 * HOUR)),
    "in": lambda instant: instant in DAILY,
    "localise": lambda instant: [DAILY.localise(instant), ss.Rate(HOUR).localise(instant)],
    "skipped": lambda after: next(DAILY.skipped(after=after, until=after + 20_000 * HOUR), None),
    "timeline": lambda after: [
        run.scheduled_for for run in ss.timeline([DAILY], after=after, until=after + 40 * HOUR)
    ],
    "Run": lambda at: ss.Run(
        id=1, job="a", scheduled_for=at, status=ss.RunStatus.FAILED, started_at=at, ended_at=at
    ),
    "FakeClock": lambda start: FakeClock(start).now(),
    "move_to": moved,
    "TimeTravel": travelled,
    "backfill": backfilled,
    "upcoming": upcoming,
    "estimate": lambda since: ss.estimate(
        [ss.Job(name="a", schedule=DAILY, target=TARGET)], since, since + 40 * HOUR
    ),
}


def advanced(step: timedelta) -> list[Any]:
    clock = FakeClock(NEW_YEAR)
    clock.advance(abs(step))
    with TimeTravel(NEW_YEAR) as travel:
        return [clock.now(), travel.advance(abs(step)), travel.now]


STEPS: dict[str, Callable[[timedelta], Any]] = {
    "Rate": lambda every: asked(ss.Rate(every, start=NEW_YEAR)),
    "max_age": lambda age: ss.Retry(max_age=age),
    "interval": lambda pause: [ss.Retry(interval=pause).interval, ss.Retry(interval=pause).delay(3)],
    "max_delay": lambda pause: ss.Retry(max_delay=pause),
    "catch_up_within": lambda within: job(catch_up_within=within),
    "jitter": lambda jitter: job(jitter=jitter),
    "max_run_time": lambda limit: job(max_run_time=limit),
    "timeout": lambda timeout: seconds_of(timeout, "timeout"),
    "advance": advanced,
    "retention": lambda age: repr(ss.LocalBackend(retention=age)._options["retention"]),
}


def job(**policies: Any) -> list[Any]:
    made = ss.Job(name="a", schedule=DAILY, target=TARGET, **policies)
    return [made, made.model_dump_json(), getattr(made, next(iter(policies)))]


def leaves(value: object) -> Iterator[object]:
    """All values in an answer: those of lists, and the fields of models."""
    if isinstance(value, BaseModel):
        value = [getattr(value, name) for name in type(value).model_fields]
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def answer(ask: Callable[[Any], Any], value: object) -> object:
    """The answer, whose datetimes and timedeltas must be plain. Of a refusal only its kind counts: it may
    quote the value."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = ask(value)
        except ValueError as error:
            return type(error)
    for leaf in leaves(found):
        assert not isinstance(leaf, (datetime, timedelta)) or is_plain(leaf), repr(leaf)
    return found, [str(warning.message) for warning in caught]


KINDS = st.sampled_from([Moment, Stamp, Frozen])
PLACES: st.SearchStrategy[tzinfo] = st.one_of(
    st.sampled_from(ZONES).map(ZoneInfo),
    st.integers(-720, 840).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
TIMES = st.datetimes(datetime(1971, 1, 1), datetime(2190, 1, 1))
FOLDS = st.integers(0, 1)


def check(ask: Callable[[Any], Any], plain: Any, foreign: Any, *, is_first: bool) -> None:
    """Asks with both values, in either order, and again: what is cached in between changes nothing."""
    order = [foreign, plain, foreign] if is_first else [plain, foreign, plain]
    answers = [answer(ask, value) for value in order]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("ask", [pytest.param(ask, id=name) for name, ask in INSTANTS.items()])
@given(kind=KINDS, time=TIMES, place=PLACES, fold=FOLDS, is_first=st.booleans())
def test_a_subclass_gets_the_answer_of_the_plain_datetime(
    ask: Callable[[Any], Any], kind: type[datetime], time: datetime, place: tzinfo, fold: int, is_first: bool
) -> None:
    plain = time.replace(tzinfo=place, fold=fold)
    check(ask, plain, like(kind, plain), is_first=is_first)


@pytest.mark.parametrize("ask", [pytest.param(ask, id=name) for name, ask in WALLS.items()])
@given(kind=KINDS, time=TIMES, is_first=st.booleans())
def test_a_subclass_gets_the_answer_of_the_plain_wall_time(
    ask: Callable[[Any], Any], kind: type[datetime], time: datetime, is_first: bool
) -> None:
    check(ask, time, like(kind, time), is_first=is_first)


@pytest.mark.parametrize("ask", [pytest.param(ask, id=name) for name, ask in STEPS.items()])
@given(
    step=st.one_of(
        st.integers(-1, 2000).map(lambda minutes: timedelta(minutes=minutes)),
        st.timedeltas(timedelta(0), timedelta(days=2)),
    ),
    is_first=st.booleans(),
)
def test_a_subclass_gets_the_answer_of_the_plain_timedelta(
    ask: Callable[[Any], Any], step: timedelta, is_first: bool
) -> None:
    check(ask, step, Span(step.days, step.seconds, step.microseconds), is_first=is_first)
