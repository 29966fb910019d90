"""The next run that a state machine computes is the one that the engine computes, and brute force finds.

The expressions are evaluated by the reference implementation of the JSONata that AWS names.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import islice
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import stepsched as ss
from stepsched.asl.expressions import read_expression
from stepsched.machines.next_run import LATEST_RUN, NEVER, NEXT_RUN, next_run_of
from stepsched.machines.plan import LAST_SECOND, timing_of
from stepsched.machines.zones import FIRST_YEAR, zone_table
from tests.parts.jsonata_engine import JsonataEngine

from . import oracle
from .next_run_cases import ZONES, Case, cases, changes, written

# Starts in gaps are among the examples: they move, with a warning (P-03).
pytestmark = pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")

UTC = timezone.utc
SECOND = timedelta(seconds=1)
DEEPEST = 60
"""Levels of evaluation that an expression may take: AWS gives up near 100. Nobody has said whether it counts
those side by side, so here they count."""
CHUNKS = 4
_AT_ONCE = 200


def code(expression: str) -> str:
    """What stands between the braces."""
    assert expression.startswith("{%")
    assert expression.endswith("%}")
    return expression[2:-2]


NEXT = {kind: code(text) for kind, text in NEXT_RUN.items()}
LATEST = {kind: code(text) for kind, text in LATEST_RUN.items()}


def answers(engine: JsonataEngine, asked: Sequence[Case]) -> list[Any]:
    """The next run of each case."""
    return many(engine, [(NEXT[case.timing.kind], case.bindings) for case in asked])


def many(engine: JsonataEngine, asked: Sequence[tuple[str, dict[str, Any]]]) -> list[Any]:
    """In portions, as one call has only so much time."""
    found = []
    for start in range(0, len(asked), _AT_ONCE):
        found += engine.evaluate_many(asked[start : start + _AT_ONCE])
    return found


def check_next(engine: JsonataEngine, asked: Sequence[Case]) -> None:
    wrong = [
        (case, answer)
        for case, answer in zip(asked, answers(engine, asked), strict=True)
        if answer != written(case.schedule.next_run(after=case.after))
    ]
    assert not wrong, f"{len(wrong)} of {len(asked)}, the first {wrong[0]}"


# -- against the engine --------------------------------------------------------------------------------


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "chunk", [0, 1, *(pytest.param(n, marks=pytest.mark.proof) for n in range(2, CHUNKS))]
)
def test_next_run_is_the_engine_s(jsonata_engine: JsonataEngine, chunk: int) -> None:
    asked = list(cases(chunk, 400))
    kinds = Counter(type(case.schedule).__name__ for case in asked)
    assert min(kinds[name] for name in ("Cron", "Windowed", "Rate", "OneTime")) >= 10
    check_next(jsonata_engine, asked)


def test_the_text_for_any_kind_gives_the_same(jsonata_engine: JsonataEngine) -> None:
    asked = list(cases(200, 250))
    shared = code(next_run_of("$job.kind", "$after"))
    found = many(
        jsonata_engine, [(shared, {"job": {"kind": case.timing.kind}, **case.bindings}) for case in asked]
    )
    assert found == answers(jsonata_engine, asked)
    assert found == [written(case.schedule.next_run(after=case.after)) for case in asked]


@pytest.mark.one_in(2)
@pytest.mark.parametrize("chunk", range(2))
def test_thirty_runs_from_one_to_the_next_are_those_of_the_engine(
    jsonata_engine: JsonataEngine, chunk: int
) -> None:
    check_chains(jsonata_engine, list(cases(100 + chunk, 20)))


def check_chains(engine: JsonataEngine, begun: list[Case], length: int = 30) -> int:
    """All at once, a step of each at a time; how many steps were made."""
    walked: defaultdict[int, list[str]] = defaultdict(list)
    walking = dict(enumerate(begun))
    steps = 0
    for _ in range(length):
        found = answers(engine, list(walking.values()))
        steps += len(found)
        for number, answer in zip(list(walking), found, strict=True):
            if answer == NEVER:
                del walking[number]
            else:
                walked[number].append(answer)
                walking[number] = walking[number]._replace(after=instant(answer))
    for number, case in enumerate(begun):
        runs = islice(case.schedule.runs(after=case.after), length)
        assert walked[number] == [written(run) for run in runs], case
    return steps


def instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


# -- against brute force -------------------------------------------------------------------------------

HORIZON = timedelta(days=800)


def cron_by_brute_force(case: Case) -> datetime | None:
    """The first run within the horizon, found minute by minute."""
    cron = case.schedule
    low, high = case.after, case.after + HORIZON
    if cron.start is not None:
        low = max(low, cron.start - timedelta(microseconds=1))
        high = low + HORIZON
    if cron.end is not None:
        high = min(high, cron.end)
    return next(
        oracle.cron_runs(oracle.read(cron.expression[5:-1]), ZoneInfo(cron.timezone), low, high), None
    )


def windowed_by_brute_force(case: Case) -> datetime | None:
    """The first run, found by adding step after step to the start."""
    schedule = case.schedule
    zone = ZoneInfo(schedule.timezone)
    counts = {
        unit: value
        for unit in ("years", "quarters", "months", "weeks", "days", "hours", "minutes", "seconds")
        if (value := getattr(schedule.every, unit))
    }
    assert counts
    start = schedule.start
    steps = oracle.Steps(start.replace(tzinfo=None, fold=start.tzinfo is not None), zone, **counts)
    step = 0
    while (run := steps.run(step)) <= case.after:
        step += 1
    if schedule.end is None:
        return run
    end = schedule.end
    return run if run <= end.replace(tzinfo=end.tzinfo or zone).astimezone(UTC) else None


def in_reach(case: Case) -> bool:
    """Whether brute force finds it in time."""
    match case.schedule:
        case ss.Cron(expression=text):
            return text is not None and case.after.year < 2190
        case ss.Windowed(start=start, every=every):
            days = (case.after.replace(tzinfo=None) - start.replace(tzinfo=None)).days
            calendar = every.total_months or every.total_days
            return days < 5000 and (bool(calendar) or days * 86_400 // every.total_seconds < 200_000)
    return False


def check_against_brute_force(engine: JsonataEngine, asked: list[Case]) -> None:
    for case, answer in zip(asked, answers(engine, asked), strict=True):
        if isinstance(case.schedule, ss.Windowed):
            assert answer == written(windowed_by_brute_force(case)), case
            continue
        expected = cron_by_brute_force(case)
        if expected is None:
            assert answer == NEVER or instant(answer) > case.after + HORIZON, case
        else:
            assert answer == written(expected), case


@pytest.mark.one_in(2)
@pytest.mark.parametrize("chunk", range(2))
def test_next_run_is_what_brute_force_finds(jsonata_engine: JsonataEngine, chunk: int) -> None:
    asked = list(islice(filter(in_reach, cases(200 + chunk, 10_000)), 120))
    check_against_brute_force(jsonata_engine, asked)


# -- steps of seconds ----------------------------------------------------------------------------------

_LARGE_UNITS = [{}, {}, {}, {"days": 1}, {"months": 1}, {"minutes": 1}, {"hours": 2}]


def seconds_about_changes(seed: int, count: int) -> Iterator[Case]:
    """Windows that step by seconds, alone or with larger units, in the hours around changes of the clocks."""
    random = Random(seed)
    while count:
        key = random.choice([key for key in ZONES if changes(key)])
        change = random.choice(changes(key)).at
        start = change + timedelta(seconds=random.randint(-5_000, 5_000))
        every = ss.Frequency(
            **random.choice(_LARGE_UNITS), seconds=random.choice([1, 7, 10, 30, 59, 90, 3_601])
        )
        wall = start.astimezone(ZoneInfo(key)).replace(tzinfo=None, fold=0)
        runs = ss.Windowed(wall, every=every, timezone=key).upcoming(40, after=change - timedelta(seconds=61))
        beside = timedelta(seconds=random.choice([-1, 0, 0, 1]))
        end = random.choice([None, runs[-1], runs[-1] - SECOND])
        yield Case(
            ss.Windowed(wall, every=every, end=end, timezone=key),
            random.choice(runs).astimezone(UTC) + beside,
        )
        count -= 1


@pytest.mark.one_in(2)
@pytest.mark.parametrize("chunk", range(2))
def test_steps_of_seconds_about_changes_of_the_clocks(jsonata_engine: JsonataEngine, chunk: int) -> None:
    asked = list(seconds_about_changes(500 + chunk, 300))
    check_next(jsonata_engine, asked)
    check_against_brute_force(jsonata_engine, asked)
    shared = code(next_run_of("$job.kind", "$after"))
    bound = [(shared, {"job": {"kind": case.timing.kind}, **case.bindings}) for case in asked]
    assert many(jsonata_engine, bound) == answers(jsonata_engine, asked)


def test_chains_of_seconds_over_changes_of_the_clocks(jsonata_engine: JsonataEngine) -> None:
    assert check_chains(jsonata_engine, list(seconds_about_changes(510, 40))) > 500


def test_of_runs_of_seconds_that_are_late_the_latest_is_found(jsonata_engine: JsonataEngine) -> None:
    asked = [
        (case, case.after + timedelta(seconds=100 * number))
        for number, case in enumerate(seconds_about_changes(520, 60))
    ]
    check_latest(jsonata_engine, asked)


# -- the latest of those that are late -----------------------------------------------------------------


def late(seed: int, count: int) -> Iterator[tuple[Case, datetime]]:
    """Cases and when the execution began: from long before the cursor to years after it."""
    random = Random(seed)
    for case in cases(seed, count):
        length = random.choice([3600, 86_400, 30 * 86_400, 366 * 86_400, 3 * 366 * 86_400])
        begun = case.after + timedelta(seconds=random.randint(-length // 9, length))
        following = case.schedule.upcoming(random.randint(1, 9), after=case.after)
        if following and random.random() < 0.5:  # on a run, or just beside it
            begun = following[-1].astimezone(UTC) + random.choice([-1, 0, 1]) * SECOND
        yield case, begun


def latest(case: Case, begun: datetime) -> datetime | None:
    following: datetime | None = case.schedule.next_run(after=case.after)
    if following is None or following > begun:
        return following
    found: datetime | None = case.schedule.previous_run(before=begun + SECOND)
    return found


def check_latest(engine: JsonataEngine, asked: list[tuple[Case, datetime]]) -> None:
    bound = [
        (LATEST[case.timing.kind], case.bindings | {"begun": f"{begun:%Y-%m-%dT%H:%M:%S}.250Z"})
        for case, begun in asked
    ]
    wrong = [
        (case, begun, answer)
        for (case, begun), answer in zip(asked, many(engine, bound), strict=True)
        if answer != written(latest(case, begun))
    ]
    assert not wrong, f"{len(wrong)} of {len(asked)}, the first {wrong[0]}"


@pytest.mark.one_in(4)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_of_runs_that_are_late_the_latest_is_found(jsonata_engine: JsonataEngine, chunk: int) -> None:
    asked = list(late(300 + chunk, 80))
    assert sum(latest(*each) != each[0].schedule.next_run(after=each[0].after) for each in asked) > 10
    check_latest(jsonata_engine, asked)


# -- depth ---------------------------------------------------------------------------------------------

HARD = [
    pytest.param(ss.Cron("0 0 29 2 ? *"), "2096-03-01T00:00", id="29 February over 2100"),
    pytest.param(ss.Cron.from_crontab("0 0 29 2 1"), "2024-03-01T00:00", id="29 February or Mondays"),
    pytest.param(ss.Cron("0 0 29 2 ? 2024/28"), "2024-03-01T00:00", id="29 February on a Thursday"),
    pytest.param(ss.Cron("0 0 ? * L *", timezone="Europe/Paris"), "2030-01-31T23:59", id="last Saturday"),
    pytest.param(ss.Cron("0 0 ? 2 SAT#5 *"), "2026-01-01T00:00", id="fifth Saturday of February"),
    pytest.param(ss.Cron("0 0 30 2 ? *"), "2026-01-01T00:00", id="never"),
    pytest.param(ss.Cron("0 0 30 2 ? *", timezone="Africa/Casablanca"), "2026-01-01T00:00", id="never there"),
    pytest.param(ss.Cron("0 0 1 1 ? 2199"), "2026-01-01T00:00", id="in 173 years"),
    pytest.param(ss.Cron("59 23 31 12 ? 2198"), "2026-01-01T00:00", id="in 172 years, on the last day"),
    pytest.param(ss.Cron("0 0 1 1 ? 2020"), "2026-01-01T00:00", id="over"),
    pytest.param(
        ss.Cron("* * * * ? *", timezone="Europe/Paris"), "2030-03-31T00:59:59", id="each minute at a gap"
    ),
    pytest.param(
        ss.Cron("* 2 * * ? *", timezone="Europe/Paris"), "2030-03-31T00:59:59", id="each minute of the gap"
    ),
    pytest.param(
        ss.Cron("* * * * ? *", timezone="Europe/Paris"),
        "2030-10-27T01:00:00",
        id="each minute, repeated hour",
    ),
    pytest.param(
        ss.Cron("* * * * ? *", timezone="Antarctica/Troll"), "2030-10-27T01:00:00", id="two repeated hours"
    ),
    pytest.param(
        ss.Cron("30 2 ? 3 SUN#5 *", timezone="Europe/Paris"), "2026-03-29T00:00", id="a gap for years"
    ),
    pytest.param(
        ss.Cron("*/5 2-3 ? * * 2026/2", timezone="Africa/Casablanca"), "2027-01-31T00:00", id="Casablanca"
    ),
    pytest.param(
        ss.Cron("0 2 ? 3 * 2087", timezone="Africa/Casablanca"), "2026-01-31T00:00", id="Casablanca far"
    ),
    pytest.param(
        ss.Windowed("2020-02-29T02:30", every=ss.Frequency(years=1), timezone="Africa/Casablanca"),
        "2090-01-01T00:00",
        id="leap day in Casablanca",
    ),
    pytest.param(
        ss.Windowed("1975-01-31T02:30", every=ss.Frequency(minutes=1, days=1), timezone="Asia/Gaza"),
        "2080-01-01T00:00",
        id="38,000 steps",
    ),
    pytest.param(ss.Rate(timedelta(minutes=1), start="1970-01-01T00:00Z"), "2199-01-01T00:00", id="minutes"),
    pytest.param(
        ss.Windowed("1970-01-01T00:00", every=ss.Frequency(seconds=1), timezone="Africa/Casablanca"),
        "2199-01-01T00:00",
        id="seconds",
    ),
]


SLOW = {"a gap for years", "two repeated hours", "each minute of the gap", "each minute, repeated hour"}
"""Looking at the depth takes seconds there."""


def check_depth(engine: JsonataEngine, schedule: Any, after: str) -> None:
    case = Case(schedule, datetime.fromisoformat(after).replace(tzinfo=UTC))
    measured = engine.measure(NEXT[case.timing.kind], case.bindings)
    assert measured.result == written(schedule.next_run(after=case.after))
    assert measured.at_once <= DEEPEST


def check_depth_of_latest(engine: JsonataEngine, schedule: Any, after: str) -> None:
    case = Case(schedule, datetime.fromisoformat(after).replace(tzinfo=UTC))
    begun = case.after + timedelta(days=40)
    measured = engine.measure(LATEST[case.timing.kind], case.bindings | {"begun": written(begun)})
    assert measured.result == written(latest(case, begun))
    assert measured.at_once <= DEEPEST


@pytest.mark.parametrize(("schedule", "after"), [each for each in HARD if each.id not in SLOW])
def test_depth_stays_far_below_what_aws_allows(
    jsonata_engine: JsonataEngine, schedule: Any, after: str
) -> None:
    check_depth(jsonata_engine, schedule, after)


@pytest.mark.parametrize(("schedule", "after"), HARD[:5])
def test_depth_of_the_latest_stays_far_below_what_aws_allows(
    jsonata_engine: JsonataEngine, schedule: Any, after: str
) -> None:
    check_depth_of_latest(jsonata_engine, schedule, after)


def test_depth_of_random_cases(jsonata_engine: JsonataEngine) -> None:
    for case in cases(400, 25):
        measured = jsonata_engine.measure(NEXT[case.timing.kind], case.bindings)
        assert measured.at_once <= DEEPEST, case


@pytest.mark.proof
@pytest.mark.parametrize(("schedule", "after"), HARD)
def test_depth_where_looking_at_it_takes_long(
    jsonata_engine: JsonataEngine, schedule: Any, after: str
) -> None:
    check_depth(jsonata_engine, schedule, after)
    check_depth_of_latest(jsonata_engine, schedule, after)


def test_nothing_runs_after_the_last_year_of_the_dialect(jsonata_engine: JsonataEngine) -> None:
    """Wherever the search begins."""
    asked = [
        Case(schedule, datetime(year, month, 1, tzinfo=UTC))
        for schedule in (
            ss.Cron("0 9 * * ? *"),
            ss.Cron("0 9 L 12 ? *", timezone="Europe/Paris"),
            ss.Cron("0 9 1 1 ? *", start="2200-02-01T00:00Z"),
        )
        for year, month in ((2199, 12), (2200, 1), (2200, 7), (2250, 1))
    ]
    check_next(jsonata_engine, asked)


# -- house rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [*NEXT_RUN.values(), *LATEST_RUN.values(), next_run_of("$plan.kind", "$after")]
)
def test_the_text_keeps_to_the_house_rules(text: str) -> None:
    reading = read_expression(code(text))
    assert reading.findings == ()
    assert reading.variables <= {"plan", "after", "begun"}
    assert reading.states == frozenset()
    assert text.isascii()
    assert not [word for word in ("$$", "$ ", "$)", "$.", "$[", "?:", "??", "'[") if word in text]


# -- the table of a zone -------------------------------------------------------------------------------

TABLES = sorted(
    {
        *ZONES,
        "Africa/El_Aaiun",
        "Africa/Johannesburg",
        "America/Asuncion",
        "America/Chicago",
        "America/Halifax",
        "America/Mexico_City",
        "America/Miquelon",
        "America/Port-au-Prince",
        "America/Scoresbysund",
        "America/Tijuana",
        "Asia/Jerusalem",
        "Asia/Kabul",
        "Asia/Tokyo",
        "Atlantic/Azores",
        "Australia/Adelaide",
        "Australia/Eucla",
        "Etc/GMT+12",
        "Europe/Chisinau",
        "Europe/Lisbon",
        "Pacific/Fiji",
        "Pacific/Marquesas",
        "Pacific/Norfolk",
        "Pacific/Tongatapu",
    }
)


def looked_up(table: dict[str, Any], moment: datetime) -> int:
    """The offset as the expressions look it up."""
    if "offset" in table:
        return int(table["offset"])
    first = moment.replace(month=1, day=1, hour=0, minute=0, second=0)
    leap = (first.replace(year=first.year + 1) - first).days - 365
    own = table.get("years", {}).get(str(moment.year))
    entry = own or table["kinds"][str(2 * ((first.weekday() + 1) % 7) + leap)]
    into = (moment - first) // SECOND
    return int(entry["offset"][sum(at <= into for at in entry["at"])])


def moments(key: str, last_year: int) -> Iterator[datetime]:
    """Every hour of the four days around each change, the seconds beside it, and some of every year."""
    for change in oracle.transitions(key, last_year):
        if change.at.year >= FIRST_YEAR:
            yield from (change.at + timedelta(hours=hour) for hour in range(-48, 49))
            yield from (change.at + timedelta(seconds=second) for second in (-1, 1))
    for year in range(FIRST_YEAR, last_year + 1):
        new_year = datetime(year, 1, 1, tzinfo=UTC)
        yield from (
            new_year,
            new_year - SECOND,
            new_year + timedelta(days=50),
            new_year + timedelta(days=200),
        )


def check_table(key: str, last_year: int) -> int:
    table, zone = zone_table(key, FIRST_YEAR), ZoneInfo(key)
    count = 0
    for moment in moments(key, last_year):
        offset = moment.astimezone(zone).utcoffset()
        assert offset is not None
        assert looked_up(table, moment) == offset // SECOND, (key, moment)
        count += 1
    return count


@pytest.mark.parametrize("key", TABLES)
def test_the_table_of_a_zone_gives_its_offsets(key: str) -> None:
    check_table(key, 2050)


def test_the_text_of_the_look_up_gives_the_offsets(jsonata_engine: JsonataEngine) -> None:
    """`$offset` itself, cut out of the expression in which it stands."""
    random = Random(5)
    text = NEXT["cron"]
    functions = text[text.index("$civil :=") : text.index("$pass :=")]
    lookup = f"( {functions} $map($asked, function($t) {{ $offset($t) }}) )"
    for key in ZONES:
        chosen = random.sample(sorted(moments(key, 2199)), 25)
        asked = [int(moment.timestamp()) for moment in chosen]
        plan = {"zone": zone_table(key, FIRST_YEAR)}
        found = jsonata_engine.evaluate(lookup, {"plan": plan, "asked": asked})
        zone = ZoneInfo(key)
        assert found == [int(moment.astimezone(zone).utcoffset() / SECOND) for moment in chosen], key  # type: ignore[operator]


# -- what cannot be planned ----------------------------------------------------------------------------


def test_a_schedule_without_end_ends_with_the_years_of_a_date() -> None:
    assert timing_of(ss.Cron("0 0 * * ? *")).plan["end"] == LAST_SECOND


@pytest.mark.parametrize(
    "schedule",
    [
        ss.Rate(timedelta(minutes=1), start="2030-01-01T00:00:00.25Z"),
        ss.Windowed("2030-01-01T00:00:00.000001", every=ss.Frequency(days=1)),
    ],
)
def test_fractions_of_a_second_are_refused(schedule: Any) -> None:
    with pytest.raises(ValueError, match="whole seconds"):
        timing_of(schedule)


# -- at length -----------------------------------------------------------------------------------------


@pytest.mark.proof
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("chunk", range(2))
def test_next_run_at_length(
    jsonata_engine: JsonataEngine, chunk: int, capsys: pytest.CaptureFixture[str]
) -> None:
    count = 0
    for seed in range(1000 + 100 * chunk, 1025 + 100 * chunk):
        asked = list(cases(seed, 1000))
        check_next(jsonata_engine, asked)
        count += len(asked)
    seeds = range(1030 + 100 * chunk, 1035 + 100 * chunk)
    steps = sum(check_chains(jsonata_engine, list(cases(seed, 20))) for seed in seeds)
    with capsys.disabled():
        print(f"\nnext run: {count:,} cases and {steps:,} steps of chains, none wrong")


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_next_run_against_brute_force_at_length(
    jsonata_engine: JsonataEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = list(islice(filter(in_reach, cases(2000, 100_000)), 5000))
    check_against_brute_force(jsonata_engine, asked)
    with capsys.disabled():
        print(f"\nnext run against brute force: {len(asked):,} cases, none wrong")


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_latest_run_at_length(jsonata_engine: JsonataEngine, capsys: pytest.CaptureFixture[str]) -> None:
    asked = list(late(3000, 2000))
    for first in range(0, len(asked), 100):  # a call of the engine takes a minute at most
        check_latest(jsonata_engine, asked[first : first + 100])
    with capsys.disabled():
        print(f"\nlatest run: {len(asked):,} cases, none wrong")


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_what_it_takes(jsonata_engine: JsonataEngine, capsys: pytest.CaptureFixture[str]) -> None:
    """Reports depth and time; only the depth is held."""
    figures: defaultdict[str, list[tuple[float, int, Case]]] = defaultdict(list)
    hard = [
        Case(schedule, datetime.fromisoformat(str(after)).replace(tzinfo=UTC))
        for schedule, after in (each.values for each in HARD)
    ]
    for case in [*hard, *cases(4000, 500)]:
        measured = jsonata_engine.measure(NEXT[case.timing.kind], case.bindings)
        figures[case.timing.kind].append((measured.milliseconds, measured.depth, case))
    for case, begun in late(4001, 60):
        bindings = case.bindings | {"begun": written(begun)}
        measured = jsonata_engine.measure(LATEST[case.timing.kind], bindings)
        figures[f"{case.timing.kind}, latest"].append((measured.milliseconds, measured.depth, case))
    with capsys.disabled():
        for name, taken in sorted(figures.items()):
            times = [milliseconds for milliseconds, _, _ in taken]
            depth = max(depth for _, depth, _ in taken)
            worst = max(taken, key=lambda each: each[0])
            print(
                f"\n{name}: {len(taken)} cases, depth {depth}, "
                f"{sum(times) / len(times):.2f} ms, worst {worst[0]:.0f} ms: {worst[2]!r}"
            )
    assert max(depth for taken in figures.values() for _, depth, _ in taken) <= DEEPEST


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_tables_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    count = sum(check_table(key, 2199) for key in TABLES)
    with capsys.disabled():
        print(f"\ntables: {count:,} offsets of {len(TABLES)} zones, none wrong")
