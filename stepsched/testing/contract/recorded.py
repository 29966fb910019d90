"""Tests the events that are recorded, on a backend that keeps them (``keeps_events``) and is played."""

from __future__ import annotations

from datetime import timedelta

import pytest

import stepsched as ss
from stepsched.backends.base import Backend
from stepsched.testing.clock import FakeClock
from stepsched.testing.contract.fixtures import MONDAY, Calls, MakeJob, Play

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NINE = MONDAY + 9 * HOUR
FAILS = ss.HandlerTarget("stepsched.testing.contract.handlers:fail")


def recorded(backend: Backend, after: int = 0) -> list[tuple[str, timedelta]]:
    """The kinds of the events after a position, with their time since the beginning."""
    return [(event.kind.value, event.at - MONDAY) for event in backend.events(after=after)]


def test_the_life_of_a_job_and_its_runs_is_recorded(
    client: ss.SchedulerClient, backend: Backend, clock: FakeClock, job: MakeJob, play: Play, calls: Calls
) -> None:
    client.create(job(schedule=ss.Cron("0 9 * * ? *", end=MONDAY + DAY)))
    play(NINE)
    for verb in (
        lambda: client.update(client.get("job").job.replace(input=1, schedule=ss.Cron("0 9 * * ? *"))),
        lambda: client.pause("job"),
        lambda: client.resume("job"),
        lambda: client.run_now("job"),
        lambda: client.cancel("job"),
    ):
        clock.advance(HOUR)
        verb()
    run, manual = (each.id for each in client.runs())
    events = backend.events(after=0)
    assert [(each.kind.value, (each.at - MONDAY) / HOUR, each.job, each.run) for each in events] == [
        ("created", 0, "job", None),
        ("due", 9, "job", run),
        ("started", 9, "job", run),
        ("succeeded", 9, "job", run),
        ("ended", 9, "job", None),
        ("updated", 10, "job", None),
        ("paused", 11, "job", None),
        ("resumed", 12, "job", None),
        ("due", 13, "job", manual),
        ("cancelled", 14, "job", None),
        ("skipped", 14, "job", manual),
    ]


def test_positions_are_consecutive_and_events_can_be_read_in_portions(
    client: ss.SchedulerClient, backend: Backend, job: MakeJob
) -> None:
    assert backend.last_event() == 0
    client.create_many([job("a"), job("b"), job("c")])
    events = backend.events(after=0)
    assert [each.job for each in events] == ["a", "b", "c"]
    first = events[0].id
    assert [each.id for each in events] == [first, first + 1, first + 2]
    assert backend.last_event() == first + 2
    assert backend.events(after=0, limit=2) == events[:2]
    assert backend.events(after=first + 1) == events[2:]
    assert backend.events(after=first + 2) == backend.events(after=10**30) == []


@pytest.mark.parametrize(("after", "limit"), [(-1, 1), (0, 0), (0, -1)])
def test_positions_and_limits_that_cannot_be_are_refused(backend: Backend, after: int, limit: int) -> None:
    with pytest.raises(ValueError, match="expected a position of at least 0 and a limit of at least 1"):
        backend.events(after=after, limit=limit)


def test_an_attempt_that_is_followed_by_another_is_retried_when_it_failed(
    client: ss.SchedulerClient, backend: Backend, job: MakeJob, play: Play, calls: Calls
) -> None:
    retry = ss.Retry(max_attempts=1, interval=timedelta(minutes=5))
    client.create(job(target=FAILS, retry=retry))
    play(NINE + HOUR)
    assert recorded(backend)[1:] == [
        ("due", 9 * HOUR),
        ("started", 9 * HOUR),
        ("retried", 9 * HOUR),
        ("started", 9 * HOUR + timedelta(minutes=5)),
        ("failed", 9 * HOUR + timedelta(minutes=5)),
    ]


def test_a_run_that_is_redriven_is_due_again(
    client: ss.SchedulerClient, backend: Backend, job: MakeJob, play: Play, calls: Calls
) -> None:
    client.create(job(schedule=ss.OneTime(NINE), target=FAILS))
    play(NINE + HOUR)
    known = backend.last_event()
    client.redrive(client.runs("job")[0])
    assert recorded(backend, known) == [("due", 10 * HOUR)]


@pytest.mark.parametrize(
    ("completion", "kinds"),
    [
        (ss.Completion.DELETE, ["succeeded", "ended"]),
        (ss.Completion.KEEP, ["succeeded", "ended", "cancelled"]),
    ],
)
def test_a_one_time_job_that_ends_is_told_apart_from_one_that_is_cancelled(
    client: ss.SchedulerClient,
    backend: Backend,
    job: MakeJob,
    play: Play,
    calls: Calls,
    completion: ss.Completion,
    kinds: list[str],
) -> None:
    client.create(job(schedule=ss.OneTime(NINE), completion=completion))
    play(NINE + HOUR)
    if completion is ss.Completion.KEEP:
        client.cancel("job")
    assert [kind for kind, _ in recorded(backend)[3:]] == kinds
    assert recorded(backend)[4] == ("ended", 9 * HOUR)


def test_a_one_time_job_that_is_cancelled_while_its_run_waits_is_cancelled(
    client: ss.SchedulerClient, backend: Backend, clock: FakeClock, job: MakeJob, play: Play, calls: Calls
) -> None:
    retry = ss.Retry(max_attempts=1, interval=timedelta(minutes=30))
    client.create(job(schedule=ss.OneTime(NINE), target=FAILS, retry=retry))
    play(NINE + timedelta(minutes=10))
    known = backend.last_event()
    client.cancel("job")
    at = clock.now() - MONDAY
    assert recorded(backend, known) == [("cancelled", at), ("failed", at)]


def test_a_refused_verb_records_nothing(client: ss.SchedulerClient, backend: Backend, job: MakeJob) -> None:
    client.create(job())
    known = backend.last_event()
    with pytest.raises(ss.JobExistsError):
        client.create(job(input=1))
    client.update(job())
    client.resume("job")
    assert backend.last_event() == known
