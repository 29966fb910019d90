"""What the embedded backend decides, without a store or a clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

import stepsched as ss
from stepsched.backends.local import policy

T0 = datetime(2030, 1, 1, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def job(**changes: object) -> ss.Job:
    schedule = ss.Rate(HOUR, start=T0)
    return ss.Job(name="j", schedule=schedule, target=ss.HandlerTarget("m:f")).replace(**changes)


def test_a_rate_without_start_first_runs_at_its_creation() -> None:
    assert policy.first_run(job(schedule=ss.Rate(HOUR)), T0) == T0


def test_everything_else_first_runs_strictly_after_its_creation() -> None:
    assert policy.first_run(job(), T0) == T0 + HOUR
    assert policy.first_run(job(schedule=ss.OneTime(T0)), T0) is None


def test_what_is_due_is_taken_oldest_first_and_the_job_moves_on() -> None:
    plan = policy.due_runs(job(), T0, T0 + HOUR, T0 + 3 * HOUR, T0)
    assert [due.scheduled_for for due in plan.runs] == [T0 + HOUR, T0 + 2 * HOUR, T0 + 3 * HOUR]
    assert {due.status for due in plan.runs} == {ss.RunStatus.PENDING}
    assert plan.next_run == T0 + 4 * HOUR


def test_nothing_due_moves_the_job_on() -> None:
    plan = policy.due_runs(job(), T0, T0 + HOUR, T0 + HOUR / 2, T0)
    assert plan == policy.Plan((), T0 + HOUR)


def test_a_portion_is_bounded_and_the_rest_stays_due() -> None:
    often = job(schedule=ss.Rate(timedelta(minutes=1), start=T0), catch_up=ss.CatchUp.ONE)
    now = T0 + timedelta(days=7)
    plan = policy.due_runs(often, T0, T0, now, now)
    assert len(plan.runs) == policy.RECORDED_AT_ONCE
    assert plan.next_run == plan.runs[-1].scheduled_for + timedelta(minutes=1)
    assert {due.status for due in plan.runs} == {ss.RunStatus.MISSED}  # the latest comes in a later portion


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        pytest.param(ss.CatchUp.ALL, "pppp", id="all"),
        pytest.param(ss.CatchUp.ONE, "mmpp", id="the latest late one, and those on time"),
        pytest.param(ss.CatchUp.SKIP, "mmmp", id="those on time"),
    ],
)
def test_catch_up_speaks_only_of_what_came_due_unwatched(catch_up: ss.CatchUp, expected: str) -> None:
    watched_since = T0 + 3 * HOUR + HOUR / 2
    plan = policy.due_runs(job(catch_up=catch_up), T0, T0 + HOUR, T0 + 4 * HOUR, watched_since)
    assert "".join(due.status.value[0] for due in plan.runs) == expected


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [pytest.param(ss.CatchUp.ONE, "mpp", id="one"), pytest.param(ss.CatchUp.SKIP, "mmp", id="skip")],
)
def test_what_came_due_in_the_very_moment_that_somebody_was_there_is_on_time(
    catch_up: ss.CatchUp, expected: str
) -> None:
    plan = policy.due_runs(job(catch_up=catch_up), T0, T0 + HOUR, T0 + 3 * HOUR, T0 + 3 * HOUR)
    assert "".join(due.status.value[0] for due in plan.runs) == expected


def test_the_latest_late_one_may_be_the_last_of_its_portion() -> None:
    """What comes next is on time, in the very moment that somebody was there."""
    minute = timedelta(minutes=1)
    often = job(schedule=ss.Rate(minute, start=T0), catch_up=ss.CatchUp.ONE)
    watched_since = T0 + policy.RECORDED_AT_ONCE * minute
    plan = policy.due_runs(often, T0, T0, watched_since, watched_since)
    assert plan.next_run == watched_since
    assert [due.status for due in plan.runs[-2:]] == [ss.RunStatus.MISSED, ss.RunStatus.PENDING]


def test_the_grid_of_a_rate_without_start_begins_at_the_anchor() -> None:
    anchor = T0 + timedelta(minutes=7)
    plan = policy.due_runs(job(schedule=ss.Rate(HOUR)), anchor, anchor, anchor + HOUR, T0)
    assert [due.scheduled_for for due in plan.runs] == [anchor, anchor + HOUR]
    assert plan.next_run == anchor + 2 * HOUR


def test_a_run_starts_as_long_after_its_instant_as_its_jitter_says() -> None:
    spread = job(jitter=HOUR)
    plan = policy.due_runs(spread, T0, T0 + HOUR, T0 + 3 * HOUR, T0)
    assert [due.start_after - due.scheduled_for for due in plan.runs] == [
        policy.jitter(spread, T0 + number * HOUR) for number in (1, 2, 3)
    ]


def test_jitter_is_the_same_for_the_same_run_and_within_bounds() -> None:
    spread = job(jitter=HOUR)
    delays = [policy.jitter(spread, T0 + n * HOUR) for n in range(100)]
    assert delays == [policy.jitter(spread, T0 + n * HOUR) for n in range(100)]
    assert all(timedelta(0) <= delay < HOUR for delay in delays)
    assert max(delays) - min(delays) > HOUR * 0.8
    assert policy.jitter(job(), T0) == timedelta(0)


@pytest.mark.parametrize(
    ("failures", "pause"),
    [
        pytest.param(1, 1, id="first"),
        pytest.param(2, 2, id="doubled"),
        pytest.param(4, 8, id="doubled twice more"),
        pytest.param(9, 60, id="bounded"),
        pytest.param(185, 60, id="far beyond"),
    ],
)
def test_pauses_grow_to_a_bound(failures: int, pause: int) -> None:
    retry = ss.Retry(max_attempts=185, max_delay=timedelta(minutes=1))
    assert policy.next_attempt(retry, failures, T0, T0) == T0 + timedelta(seconds=pause)


def test_no_attempt_comes_after_the_last_or_beyond_the_age() -> None:
    retry = ss.Retry(max_attempts=2, max_age=timedelta(minutes=1), interval=timedelta(seconds=10))
    assert policy.next_attempt(retry, 3, T0, T0) is None
    assert policy.next_attempt(retry, 1, T0, T0 + timedelta(seconds=50)) == T0 + timedelta(seconds=60)
    assert policy.next_attempt(retry, 1, T0, T0 + timedelta(seconds=51)) is None


def test_a_pause_beyond_the_age_is_no_pause() -> None:
    retry = ss.Retry(max_attempts=185, backoff_rate=10)
    assert policy.next_attempt(retry, 185, T0, T0 + timedelta(seconds=1)) is None


def test_pauses_one_by_one_are_those_that_are_waited() -> None:
    retry = ss.Retry.webhook()
    now, begun = T0, 1
    while (at := policy.next_attempt(retry, begun, T0, now)) is not None:
        now, begun = at, begun + 1
    assert (begun, now - T0) == (10, timedelta(hours=75, minutes=35, seconds=5))


def test_no_pause_is_possible() -> None:
    retry = ss.Retry(interval=timedelta(0))
    assert policy.next_attempt(retry, 2, T0, T0) == T0


def test_what_is_too_old_is_not_tried_again_and_the_age_is_inclusive() -> None:
    retry = ss.Retry(max_age=HOUR)
    assert not policy.too_old(retry, T0, T0 + HOUR)
    assert policy.too_old(retry, T0, T0 + HOUR + timedelta(microseconds=1))


@pytest.mark.parametrize(("crashes", "says"), [(1, "once"), (2, "2 times"), (4, "4 times")])
def test_a_run_whose_process_ended_says_how_often(crashes: int, says: str) -> None:
    assert policy.cut_off(crashes) == f"its process ended {says} while it was running"


def test_how_late_a_run_may_begin_is_inclusive_and_without_bound_unless_it_is_asked_for() -> None:
    assert policy.too_late(job(), T0, T0 + timedelta(days=999)) is None
    within = job(catch_up_within=HOUR)
    assert policy.too_late(within, T0, T0 + HOUR) is None
    late = policy.too_late(within, T0, T0 + HOUR + timedelta(microseconds=1))
    assert late == "it could not begin within 1:00:00 of 2030-01-01T00:00:00+00:00"


def test_what_is_too_late_by_the_time_it_is_recorded_is_missed_and_says_why() -> None:
    within = job(catch_up_within=HOUR)
    plan = policy.due_runs(within, T0, T0 + HOUR, T0 + 3 * HOUR, T0)
    assert [(due.status.value, due.error is None) for due in plan.runs] == [
        ("missed", False),
        ("pending", True),
        ("pending", True),
    ]


@pytest.mark.parametrize(
    ("changes", "trigger", "stops"),
    [
        pytest.param({"on_failure": ss.OnFailure.STOP}, ss.jobs.Trigger.SCHEDULE, True, id="stop"),
        pytest.param({}, ss.jobs.Trigger.SCHEDULE, False, id="continue"),
        pytest.param({"on_failure": ss.OnFailure.STOP}, ss.jobs.Trigger.MANUAL, False, id="run now"),
        pytest.param({"on_failure": ss.OnFailure.STOP}, ss.jobs.Trigger.BACKFILL, False, id="backfill"),
        pytest.param(
            {"on_failure": ss.OnFailure.STOP, "schedule": ss.OneTime(T0)},
            ss.jobs.Trigger.SCHEDULE,
            False,
            id="one-time",
        ),
    ],
)
def test_only_a_scheduled_run_of_a_recurring_job_stops_it(
    changes: dict[str, object], trigger: ss.jobs.Trigger, *, stops: bool
) -> None:
    assert policy.stops(job(**changes), trigger) is stops


@pytest.mark.parametrize(
    ("text", "error", "cause"),
    [
        pytest.param("RuntimeError: no luck", "RuntimeError", "no luck", id="plain"),
        pytest.param("LookupError: a: b", "LookupError", "a: b", id="a colon in the message"),
        pytest.param("TimeoutError: ", "TimeoutError", "", id="no message"),
        pytest.param(None, "", "", id="none"),
    ],
)
def test_a_notification_says_which_run_failed_and_why(text: str | None, error: str, cause: str) -> None:
    late = T0 + timedelta(hours=9, milliseconds=999)
    run = ss.Run(
        id=1, job="j", scheduled_for=T0 + 9 * HOUR, status=ss.RunStatus.FAILED, attempt=4, error=text
    )
    expected = {
        "job": "j",
        "scheduled_for": "2030-01-01T09:00:00Z",
        "attempts": 4,
        "error": error,
        "cause": cause,
    }
    assert (
        policy.notification_body(run) == policy.notification_body(run.replace(scheduled_for=late)) == expected
    )


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own zone is not UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_notification_tells_instants_in_utc_wherever_the_machine_is(in_tokyo: None) -> None:
    run = ss.Run(
        id=1, job="j", scheduled_for=T0, status=ss.RunStatus.FAILED, attempt=2, error="OSError: a: b"
    )
    assert policy.notification_body(run) == {
        "job": "j",
        "scheduled_for": "2030-01-01T00:00:00Z",
        "attempts": 2,
        "error": "OSError",
        "cause": "a: b",
    }
