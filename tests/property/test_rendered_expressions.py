"""Every expression of a rendered machine says what Python says, and the machine as a whole does what the
embedded backend does."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from math import ceil
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stepsched as ss
from stepsched.asl.expressions import read_expression
from stepsched.backends.local import policy
from stepsched.machines.literals import literal
from stepsched.machines.single.loop import machine_of
from stepsched.testing import FakeClock
from tests.parts.jsonata_engine import JsonataEngine

from .machine_player import Answer, Called, Player, evaluated
from .next_run_cases import written

# Starts in gaps are among the examples: they move, with a warning (P-03).
pytestmark = pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")

UTC = timezone.utc
START = datetime(2030, 1, 7, tzinfo=UTC)
DAY, HOUR, MINUTE, SECOND = (
    timedelta(days=1),
    timedelta(hours=1),
    timedelta(minutes=1),
    timedelta(seconds=1),
)
YEAR = timedelta(days=365)
DEEPEST = 60
NAME = re.compile(r"[0-9A-Za-z_-]{1,80}")
LAMBDA = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report")
QUEUE = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:due")
FIFO = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:due.fifo", message_group_id="{%1%}")
TOPIC = ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:told")
MACHINE = ss.StateMachineTarget("arn:aws:states:eu-west-1:123456789012:stateMachine:other")
SIX = ss.ParallelTarget([LAMBDA, QUEUE, TOPIC, MACHINE, FIFO, LAMBDA])
QUARTERS = ss.Cron("*/15 * * * ? *")


def job(**changes: Any) -> ss.Job:
    return ss.Job(name="job", schedule=QUARTERS, target=LAMBDA).replace(**changes)


def expressions(value: Any) -> Iterator[str]:
    match value:
        case str() if value.startswith("{%"):
            yield value[2:-2]
        case list():
            for item in value:
                yield from expressions(item)
        case dict():
            for item in value.values():
                yield from expressions(item)


# -- all texts -----------------------------------------------------------------------------------------

SCHEDULES = [
    QUARTERS,
    ss.Cron("30 2 ? 3 SUN#5 2030/2", timezone="Africa/Casablanca"),
    ss.Windowed("2030-01-31T02:30", every=ss.Frequency(months=1), timezone="Europe/Paris"),
    ss.Windowed("2030-03-31T01:59:50", every=ss.Frequency(seconds=10), timezone="Europe/Paris"),
    ss.Windowed("2030-01-31T02:30", every=ss.Frequency(months=1, seconds=7), timezone="Europe/Paris"),
    ss.Rate(timedelta(minutes=1)),
    ss.Rate(timedelta(minutes=1), start="2030-01-01T00:00Z"),
    ss.OneTime("2031-05-05T05:05:05", timezone="Asia/Kolkata"),
]
HOSTILE = {
    "a": ["{% $eval('1') %}", "{%", "%}", "' & $states.context & '", "$$", "$.x", 1e-9, None, True, [[], {}]],
    "b.$": {"{% 1 %}": "$.x\\\"'\x00\x7f\u2028🦉"},
    "due": ss.context.SCHEDULED_TIME,
    "id": "x {%" + ss.context.EXECUTION_ID + "' %}" + ss.context.ATTEMPT_NUMBER + ss.context.SCHEDULE_ARN,
}
POLICIES: list[dict[str, Any]] = [
    {},
    {"overlap": ss.Overlap.SKIP, "catch_up": ss.CatchUp.SKIP, "retry": ss.Retry(interval=timedelta(0))},
    {"overlap": ss.Overlap.QUEUE, "catch_up": ss.CatchUp.ONE, "retry": ss.Retry(backoff_rate=1)},
    {"jitter": HOUR, "retry": ss.Retry(backoff_rate=1.5, max_delay=90 * SECOND, max_attempts=185)},
    {"notify": TOPIC, "dead_letter": QUEUE, "on_failure": ss.OnFailure.STOP, "input": HOSTILE},
    {"retry": ss.Retry(max_attempts=0), "input": "{% 'text' %}", "catch_up": ss.CatchUp.SKIP},
]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("policies", POLICIES)
@pytest.mark.parametrize("target", [LAMBDA, QUEUE, FIFO, TOPIC, MACHINE, SIX])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_machines_are_sound_and_their_expressions_keep_to_the_house_rules(
    schedule: Any, target: Any, policies: dict[str, Any]
) -> None:
    changes = {"schedule": schedule, "target": target, **policies}
    machine = machine_of(job(**changes))
    assert machine.check() == []
    found = set(expressions(machine.to_dict()))
    assert len(found) > 15
    for text in found:
        assert read_expression(text).findings == (), text
        assert not re.search(
            r"\$\$|\$(?=[\s.)\[,]|$)|\?:|\?\?|'\[", re.sub(r"'(?:[^'\\]|\\.)*'", "''", text)
        ), text
        assert text.isascii() or "🦉" in text


# -- user data -----------------------------------------------------------------------------------------

_TEXT = st.one_of(
    st.text(),
    st.text(alphabet="{%}'\"\\$.u0027 \n\x00\x7f🦉&()", max_size=12),
    st.sampled_from(["{% 1 %}", "{%", "%}", "{%%}", "a.$", "$", "{% $states %}", "\u2028", "%}{%"]),
)
_LARGEST = 2**53
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-_LARGEST, _LARGEST),
    st.floats(allow_nan=False, allow_infinity=False),
    _TEXT,
)
_KEYS = st.one_of(_TEXT, _TEXT.map(lambda text: f"{text}.$"))
PAYLOADS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=4)),
    max_leaves=12,
)


def _as_floats(value: Any) -> Any:
    """Numbers as the engine holds them: it writes whole ones without a point."""
    match value:
        case bool():
            return value
        case int():
            return float(value)
        case list():
            return [_as_floats(item) for item in value]
        case dict():
            return {key: _as_floats(item) for key, item in value.items()}
    return value


def check_literal(engine: JsonataEngine, payload: Any) -> None:
    piece = json.loads(json.dumps(literal(payload, {})))
    assert _as_floats(evaluated(engine, piece, {})) == _as_floats(payload)
    for text in expressions(piece):
        assert read_expression(text).findings == ()
        assert not {"{%", "%}"} & {text[place : place + 2] for place in range(len(text))}


@given(payload=PAYLOADS)
def test_user_data_arrives_as_it_is(jsonata_engine: JsonataEngine, payload: Any) -> None:
    check_literal(jsonata_engine, payload)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@settings(max_examples=5000)
@given(payload=PAYLOADS)
def test_user_data_arrives_as_it_is_at_length(jsonata_engine: JsonataEngine, payload: Any) -> None:
    check_literal(jsonata_engine, payload)


@pytest.mark.parametrize("number", [2**53 + 1, 10**25, -(10**400)], ids=["53 bits", "large", "huge"])
def test_whole_numbers_below_a_path_key_are_kept_or_refused(
    jsonata_engine: JsonataEngine, number: int
) -> None:
    """JSONata counts in floating point."""
    try:
        piece = literal({"a.$": number}, {})
    except ValueError:
        return
    assert evaluated(jsonata_engine, piece, {}) == {"a.$": number}


# -- retries -------------------------------------------------------------------------------------------


def retries(seed: int, count: int) -> Iterator[ss.Retry]:
    random = Random(seed)
    for _ in range(count):
        interval = random.choice([0, 1, 3, 10, 60, 0.5, 0.001, random.randint(1, 5000)]) * SECOND
        yield ss.Retry(
            max_attempts=random.randint(0, 185),
            max_age=random.choice([60, 3600, 86_400, random.randint(60, 86_400)]) * SECOND,
            interval=interval,
            backoff_rate=random.choice([1, 1.1, 1.5, 2, 10, round(random.uniform(1, 10), 3)]),
            max_delay=random.choice([None, interval, max(interval, HOUR), interval + 0.5 * SECOND]),
        )
        yield ss.Retry(
            pauses=[random.choice([0, 0.5, 5, 300, 86_400]) * SECOND for _ in range(random.randint(1, 12))],
            max_age=random.choice([HOUR, 4 * DAY, 14 * DAY]),
        )


def check_retry(engine: JsonataEngine, retry: ss.Retry, random: Random) -> None:
    states = machine_of(job(retry=retry)).to_dict()["States"]
    (rule,) = states["Try again?"]["Choices"]
    for attempt in sorted(
        {1, 2, 3, random.randint(1, 186), retry.max_attempts + 1, max(retry.max_attempts, 1)}
    ):
        pause = ceil(retry.delay(attempt) / SECOND)
        assert pause - 1 < retry.delay(attempt) / SECOND <= pause
        age = (
            retry.max_age
            - pause * SECOND
            + random.choice([-1000, -1, 0, 1, 1000]) * timedelta(milliseconds=1)
        )
        now = START + max(age, timedelta(0))
        bound = {"attempt": attempt, "due": written(START)}
        assert evaluated(engine, states["Pause"]["Seconds"], bound, now) == pause, (retry, attempt)
        expected = attempt <= retry.max_attempts and now + pause * SECOND <= START + retry.max_age
        assert evaluated(engine, rule["Condition"], bound, now) == expected, (retry, attempt, now)
        if retry.delay(attempt) == pause * SECOND:
            assert expected == (policy.next_attempt(retry, attempt, START, now) is not None)


def test_pauses_and_their_end_are_those_of_the_policy(jsonata_engine: JsonataEngine) -> None:
    for retry in retries(1, 60):
        check_retry(jsonata_engine, retry, Random(2))


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_pauses_at_length(jsonata_engine: JsonataEngine) -> None:
    for retry in retries(3, 2000):
        check_retry(jsonata_engine, retry, Random(4))


def test_a_pause_is_not_raised_by_a_rounding_error(jsonata_engine: JsonataEngine) -> None:
    """A hundred seconds times 1.1 are 110, and not 110.00000000000001."""
    retry = ss.Retry(interval=100 * SECOND, backoff_rate=1.1)
    states = machine_of(job(retry=retry)).to_dict()["States"]
    assert retry.delay(2) == 110 * SECOND
    assert evaluated(jsonata_engine, states["Pause"]["Seconds"], {"attempt": 2}) == 110


# -- the machine as a whole ----------------------------------------------------------------------------


def play(
    engine: JsonataEngine,
    wanted: ss.Job,
    length: timedelta,
    answer: Any = lambda _called: Answer(),
    *,
    max_events: int = 25_000,
    start: datetime = START,
    given: Any = None,
    name: str = "first",
) -> Player:
    """What must hold of every play is asserted here."""
    definition = machine_of(wanted, max_events=max_events).to_dict()
    player = Player(engine, definition, start, answer, name=name).play(start + length, given)
    for number, execution in enumerate(player.executions):
        assert execution.events <= max_events
        assert execution.lasted < YEAR
        assert number == 0 or NAME.fullmatch(execution.name)
    assert all(counted >= events for counted, events in player.accounts)
    names = [execution.name for execution in player.executions]
    assert len(set(names)) == len(names)
    assert {each.status for each in player.executions[:-1]} <= {"SUCCEEDED"}
    return player


def begun(player: Player, state: str = "Run") -> list[tuple[str, datetime]]:
    """The scheduled instant and the begin of every attempt."""
    return [(call.variables["due"], call.at) for call in player.calls if call.state == state]


def embedded(
    wanted: ss.Job, length: timedelta, answer: Any = lambda _called: Answer()
) -> list[tuple[str, datetime]]:
    """What the embedded backend does with the same job: its attempts."""
    clock = FakeClock(START)
    calls: list[tuple[str, datetime]] = []

    def handler(payload: object, run: ss.Run) -> None:
        calls.append((written(run.scheduled_for), clock.now()))
        took = answer(Called(clock.now(), "Run", payload, {"due": written(run.scheduled_for)}))
        clock.advance(took.takes)
        if took.error is not None:
            raise RuntimeError(took.error)

    backend = ss.LocalBackend(clock=clock)
    ss.SchedulerClient(backend).create(wanted.replace(target=ss.HandlerTarget(handler)))
    backend.run_until(START + length)
    backend.close()
    return [call for call in calls if call[1] < START + length]


class Nth:
    """Fails the first attempts of each run."""

    def __init__(self, failures: int, takes: timedelta = timedelta(0)) -> None:
        self.failures, self.takes = failures, takes
        self.seen: dict[object, int] = {}

    def __call__(self, called: Called) -> Answer:
        if not called.state.startswith("Run"):
            return Answer()
        key = called.state, called.variables["due"]
        self.seen[key] = self.seen.get(key, 0) + 1
        return Answer(self.takes, "Broken" if self.seen[key] <= self.failures else None)


LONG = Answer(25 * MINUTE)


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "schedule", [QUARTERS, ss.Rate(7 * MINUTE), ss.Cron("30 2 * * ? *", timezone="Europe/Paris")]
)
@pytest.mark.parametrize("overlap", list(ss.Overlap))
def test_quick_runs_are_those_of_the_embedded_backend(
    jsonata_engine: JsonataEngine, schedule: Any, overlap: ss.Overlap
) -> None:
    wanted = job(schedule=schedule, overlap=overlap)
    player = play(jsonata_engine, wanted, DAY, max_events=700)
    assert begun(player) == embedded(wanted, DAY)
    assert len(player.executions) > 1 or len(player.calls) < 10


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("start", "timezone"),
    [
        pytest.param("2030-01-06T23:59:55", "UTC", id="UTC"),
        pytest.param("2030-01-07T05:30:03", "Asia/Kolkata", id="Kolkata"),
        pytest.param("2020-02-29T00:00", "America/New_York", id="ten years before"),
    ],
)
@pytest.mark.parametrize("seconds", [1, 10, 59])
def test_runs_of_seconds_are_those_of_the_embedded_backend_over_many_executions(
    jsonata_engine: JsonataEngine, start: str, timezone: str, seconds: int
) -> None:
    often = ss.Windowed(start, every=ss.Frequency(seconds=seconds), timezone=timezone)
    wanted = job(schedule=often, overlap=ss.Overlap.QUEUE)
    length = 100 * seconds * SECOND
    player = play(jsonata_engine, wanted, length, max_events=500)
    assert begun(player) == embedded(wanted, length)
    assert 95 <= len(player.calls) <= 101
    assert len(player.executions) > 2


@pytest.mark.parametrize("takes", [12, 40])
def test_runs_of_seconds_are_skipped_while_one_goes_on(jsonata_engine: JsonataEngine, takes: int) -> None:
    often = ss.Windowed(START, every=ss.Frequency(seconds=10))
    wanted = job(schedule=often, overlap=ss.Overlap.SKIP)
    answer = lambda _called: Answer(takes * SECOND)  # noqa: E731 -- short
    player = play(jsonata_engine, wanted, 10 * MINUTE, answer, max_events=300)
    apart = -(-takes // 10) * 10  # the first instant at or after the end
    expected = [START + 10 * SECOND + n * apart * SECOND for n in range(600 // apart)]
    assert begun(player)[: len(expected)] == [(written(at), at) for at in expected]


def test_queued_runs_begin_as_in_the_embedded_backend(jsonata_engine: JsonataEngine) -> None:
    wanted = job(schedule=QUARTERS.replace(end=START + DAY), overlap=ss.Overlap.QUEUE)
    player = play(jsonata_engine, wanted, 3 * DAY, lambda _called: LONG, max_events=700)
    assert begun(player) == embedded(wanted, 3 * DAY, lambda _called: LONG)
    assert len(player.calls) == 96
    assert [at for _, at in begun(player)][:3] == [START + (15 + 25 * n) * MINUTE for n in range(3)]


def test_runs_are_skipped_while_one_goes_on(jsonata_engine: JsonataEngine) -> None:
    player = play(jsonata_engine, job(overlap=ss.Overlap.SKIP), 3 * DAY, lambda _called: LONG, max_events=700)
    expected = [START + 15 * MINUTE + 30 * n * MINUTE for n in range(2 * 72)]
    assert begun(player) == [(written(at), at) for at in expected]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("overlap", [ss.Overlap.SKIP, ss.Overlap.QUEUE])
@pytest.mark.parametrize("failures", [1, 2, 4])
def test_retries_occupy_the_job_as_in_the_embedded_backend(
    jsonata_engine: JsonataEngine, overlap: ss.Overlap, failures: int
) -> None:
    """A run between its attempts is one that goes on; with four failures it is given up."""
    retry = ss.Retry(interval=4 * MINUTE, backoff_rate=3, max_age=HOUR)
    wanted = job(overlap=overlap, retry=retry)
    length = DAY
    player = play(jsonata_engine, wanted, length, Nth(failures), max_events=900)
    if overlap is ss.Overlap.SKIP:
        assert begun(player) == embedded(wanted, length, Nth(failures))
    else:  # queued runs come due while nobody watches their age
        first = len([1 for due, _ in begun(player) if due == written(START + 15 * MINUTE)])
        assert begun(player)[:first] == embedded(wanted, length, Nth(failures))[:first]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("rate", [1, pytest.param(1.5, marks=pytest.mark.proof), 2])
@pytest.mark.parametrize("overlap", [ss.Overlap.SKIP, ss.Overlap.ALLOW])
def test_the_third_attempt_succeeds(jsonata_engine: JsonataEngine, rate: float, overlap: ss.Overlap) -> None:
    retry = ss.Retry(interval=10 * SECOND, backoff_rate=rate)
    wanted = job(retry=retry, overlap=overlap)
    player = play(jsonata_engine, wanted, DAY, Nth(2), max_events=900)
    assert begun(player) == embedded(wanted, DAY, Nth(2))
    assert len(begun(player)) == 3 * 95


def test_no_attempt_begins_beyond_its_age(jsonata_engine: JsonataEngine) -> None:
    retry = ss.Retry(interval=40 * SECOND, backoff_rate=1, max_attempts=100, max_age=3 * MINUTE)
    wanted = job(retry=retry, dead_letter=QUEUE, notify=TOPIC, overlap=ss.Overlap.SKIP)
    player = play(jsonata_engine, wanted, DAY, Nth(1000), max_events=1500)
    local = embedded(wanted.replace(dead_letter=None, notify=None), DAY, Nth(1000))
    assert begun(player) == local
    letters = begun(player, "Dead letter")
    assert len(letters) == len(begun(player, "Notify")) == 95
    told = next(call.arguments["Message"] for call in player.calls if call.state == "Notify")
    assert told == {
        "job": "job",
        "scheduled_for": written(START + 15 * MINUTE),
        "attempts": 5,
        "error": "Broken",
        "cause": "because",
    }


def test_the_first_failure_stops_the_job(jsonata_engine: JsonataEngine) -> None:
    wanted = job(on_failure=ss.OnFailure.STOP, retry=ss.Retry(max_attempts=1))
    player = play(jsonata_engine, wanted, DAY, Nth(2))
    assert player.executions[-1].status == "FAILED"
    assert player.executions[-1].output == ("Broken", "because")
    assert len(player.calls) == 2


# -- events and age ------------------------------------------------------------------------------------


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_a_rate_of_a_minute_goes_on_past_the_history_of_an_execution(jsonata_engine: JsonataEngine) -> None:
    wanted = job(schedule=ss.Rate(MINUTE), overlap=ss.Overlap.QUEUE)
    player = play(jsonata_engine, wanted, 39 * HOUR)
    assert [at for _, at in begun(player)] == [START + n * MINUTE for n in range(39 * 60)]
    assert len(player.executions) == 2
    assert 24_000 < player.executions[0].events <= 25_000


@pytest.mark.one_in(3)
@pytest.mark.parametrize("failures", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("target", [LAMBDA, MACHINE, SIX], ids=["lambda", "sync", "six"])
def test_events_are_kept_below_their_bound(jsonata_engine: JsonataEngine, target: Any, failures: int) -> None:
    """Whatever fails, and however often its failure has to be told."""
    overlap = ss.Overlap.QUEUE if target is not SIX else ss.Overlap.ALLOW
    wanted = job(target=target, overlap=overlap, dead_letter=QUEUE, notify=TOPIC)
    nth = Nth(failures)

    def answer(called: Called) -> Answer:
        if called.state.startswith("Run"):
            return nth(called)
        return Answer(retries=20 if called.state == "Renew" else 3)

    player = play(jsonata_engine, wanted, DAY / 4, answer, max_events=1000 if target is SIX else 500)
    assert len(player.executions) > 1 or not failures
    assert len({call.variables["due"] for call in player.calls}) == 23


@pytest.mark.parametrize(
    "schedule",
    [
        ss.Cron("0 9 29 2 ? *"),
        ss.Windowed("2030-02-28T12:00", every=ss.Frequency(years=1), timezone="Europe/Paris"),
        ss.Rate(400 * DAY, start="2030-02-01T00:00Z"),
        ss.Rate(200 * DAY),
    ],
)
@pytest.mark.parametrize("takes", [timedelta(0), 3 * HOUR, 60 * DAY])
def test_rare_runs_are_met_and_no_execution_grows_old(
    jsonata_engine: JsonataEngine, schedule: Any, takes: timedelta
) -> None:
    wanted = job(schedule=schedule, overlap=ss.Overlap.QUEUE)
    length = timedelta(days=366 * 12)
    player = play(jsonata_engine, wanted, length, lambda _called: Answer(takes))
    due = wanted.anchored(START).runs(after=START - SECOND, until=START + length)
    assert begun(player) == [(written(at), at) for at in due if at < START + length]


def test_a_one_time_run_in_ten_years(jsonata_engine: JsonataEngine) -> None:
    at = START + 3650 * DAY
    player = play(jsonata_engine, job(schedule=ss.OneTime(at)), 4000 * DAY)
    assert begun(player) == [(written(at), at)]
    assert player.executions[-1].status == "SUCCEEDED"


def test_no_execution_grows_old_where_runs_lag_behind(jsonata_engine: JsonataEngine) -> None:
    """Runs of two days every day: what is due is ever further behind the clock."""
    wanted = job(schedule=ss.Cron("0 0 * * ? *"), overlap=ss.Overlap.QUEUE)
    player = play(jsonata_engine, wanted, 501 * DAY, lambda _called: Answer(2 * DAY))
    assert len(begun(player)) == 250


def test_names_stay_in_their_bounds_whatever_the_first_is_called(jsonata_engine: JsonataEngine) -> None:
    wanted = job(schedule=ss.Rate(MINUTE), overlap=ss.Overlap.QUEUE)
    for name in ("a", "a" * 80, "3f2504e0-4f89-11d3-9a0c-0305e82c3301"):
        player = play(jsonata_engine, wanted, HOUR, max_events=300, name=name)
        assert len(player.executions) > 3


def test_a_large_generation_still_has_a_name(jsonata_engine: JsonataEngine) -> None:
    states = machine_of(job()).to_dict()["States"]
    bound = {"series": "a" * 50 + "-1893456000000", "generation": 10**14 - 2}
    name = evaluated(jsonata_engine, states["Renew"]["Arguments"]["Name"], bound)
    assert len(name) == 79
    assert NAME.fullmatch(name)


# -- where it begins -----------------------------------------------------------------------------------

LATER, EARLIER = START + 10 * DAY, START - 10 * HOUR


@pytest.mark.parametrize(
    ("catch_up", "after", "first", "count"),
    [
        pytest.param(ss.CatchUp.ALL, None, START + 15 * MINUTE, 3, id="all"),
        pytest.param(ss.CatchUp.ONE, None, START + 15 * MINUTE, 3, id="one"),
        pytest.param(ss.CatchUp.SKIP, None, START + 15 * MINUTE, 3, id="skip"),
        pytest.param(ss.CatchUp.ALL, EARLIER, EARLIER + 15 * MINUTE, 43, id="all, late"),
        pytest.param(ss.CatchUp.ONE, EARLIER, START, 4, id="one, late"),
        pytest.param(ss.CatchUp.SKIP, EARLIER, START + 15 * MINUTE, 3, id="skip, late"),
        pytest.param(ss.CatchUp.ALL, LATER, LATER + 15 * MINUTE, 3, id="all, to come"),
        pytest.param(ss.CatchUp.ONE, LATER, LATER + 15 * MINUTE, 3, id="one, to come"),
        pytest.param(ss.CatchUp.SKIP, LATER, LATER + 15 * MINUTE, 3, id="skip, to come"),
    ],
)
def test_the_input_says_from_when_on_runs_are_planned(
    jsonata_engine: JsonataEngine, catch_up: ss.CatchUp, after: datetime | None, first: datetime, count: int
) -> None:
    wanted = job(catch_up=catch_up)
    length = HOUR if after is not LATER else 10 * DAY + HOUR
    input_ = None if after is None else {"after": written(after)}
    player = play(jsonata_engine, wanted, length, given=input_, max_events=300)
    planned = [first + n * 15 * MINUTE for n in range(count)]
    assert begun(player) == [(written(at), max(at, START)) for at in planned]


def test_jitter_lies_within_its_bound(jsonata_engine: JsonataEngine) -> None:
    player = play(jsonata_engine, job(jitter=5 * MINUTE, overlap=ss.Overlap.QUEUE), 2 * DAY)
    late = [at - datetime.fromisoformat(due.replace("Z", "+00:00")) for due, at in begun(player)]
    assert len(late) >= 190
    assert timedelta(0) <= min(late) < 10 * SECOND
    assert 5 * MINUTE - 10 * SECOND < max(late) <= 5 * MINUTE


def test_hostile_input_reaches_the_target_with_its_attributes_filled(jsonata_engine: JsonataEngine) -> None:
    player = play(jsonata_engine, job(input=HOSTILE, retry=ss.Retry(max_attempts=1)), HOUR / 3, Nth(1))
    due = written(START + 15 * MINUTE)
    for number, call in enumerate(player.calls, 1):
        payload = call.arguments["Payload"]
        assert payload["a"] == HOSTILE["a"]
        assert payload["b.$"] == HOSTILE["b.$"]
        assert payload["due"] == due
        machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:machine"
        attempt = hashlib.sha256(f"first/{due}/{number}".encode()).hexdigest()[:20]
        assert payload["id"] == f"x {{%{attempt}' %}}{number}{machine}"
    assert len(player.calls) == 2


def test_failures_of_parts_with_long_causes_do_not_end_the_schedule(jsonata_engine: JsonataEngine) -> None:
    """What a Parallel state hands on may take 256 KiB, and a cause 32,768 characters."""
    parts = ss.ParallelTarget([LAMBDA] * 40)
    wanted = job(target=parts, retry=ss.Retry(max_attempts=0), schedule=ss.Cron("0 9 * * ? *"))
    failing = lambda _called: Answer(error="Broken", cause="x" * 32_768)  # noqa: E731 -- short
    player = play(jsonata_engine, wanted, DAY, failing)
    states = machine_of(wanted).to_dict()["States"]
    outputs = [
        evaluated(jsonata_engine, branch["States"][f"Given up {number}"]["Output"], bound)
        for number, branch in enumerate(states["Run"]["Branches"], 1)
        for bound in [{f"fault_{number}": {"error": "Broken", "cause": "x" * 32_768, "attempts": 1}}]
    ]
    assert len(player.calls) == 40
    assert len(json.dumps(outputs)) <= 262_144


def test_a_beginning_far_ahead_is_slept_to_in_many_executions(jsonata_engine: JsonataEngine) -> None:
    """No execution lasts a year, also before the first run."""
    ahead = START + 1100 * DAY
    wanted = job(schedule=ss.Cron("0 6 * * ? *", end=ahead + 3 * DAY))
    player = play(jsonata_engine, wanted, 1110 * DAY, given={"after": written(ahead)})
    assert begun(player) == [
        (written(ahead + n * DAY + 6 * HOUR), ahead + n * DAY + 6 * HOUR) for n in range(3)
    ]
    assert len(player.executions) >= 4
    assert all(execution.lasted < 365 * DAY for execution in player.executions)
