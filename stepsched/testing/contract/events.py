"""Tests the events that listeners receive, on a backend with ``listen``."""

from __future__ import annotations

from datetime import timedelta

import pytest

import stepsched as ss
from stepsched.testing.contract.fixtures import MONDAY, Calls, MakeJob, Play

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NINE = MONDAY + 9 * HOUR


def kinds(events: list[ss.jobs.Event]) -> list[str]:
    return [event.kind.value for event in events]


@pytest.fixture
def heard(backend: ss.LocalBackend) -> list[ss.jobs.Event]:
    heard = list[ss.jobs.Event]()
    backend.listen(heard.append)
    return heard


def test_the_life_of_a_job_and_its_runs(
    client: ss.SchedulerClient,
    backend: ss.LocalBackend,
    job: MakeJob,
    play: Play,
    heard: list[ss.jobs.Event],
    calls: Calls,
) -> None:
    client.create(job(schedule=ss.Cron("0 9 * * ? *", end=MONDAY + DAY)))
    play(NINE)
    client.update(client.get("job").job.replace(input=1, schedule=ss.Cron("0 9 * * ? *")))
    client.pause("job")
    client.resume("job")
    client.run_now("job")
    client.cancel("job")
    assert kinds(heard) == [
        *("created", "due", "started", "succeeded", "ended"),
        *("updated", "paused", "resumed", "due", "cancelled"),
    ]
    assert {event.job for event in heard} == {"job"}
    (succeeded,) = (event for event in heard if event.kind is ss.jobs.EventKind.SUCCEEDED)
    assert succeeded.run == client.runs("job")[0]


def test_an_update_that_disables_or_enables_a_job_pauses_or_resumes_it(
    client: ss.SchedulerClient, job: MakeJob, heard: list[ss.jobs.Event]
) -> None:
    client.create(job(enabled=False))
    client.update(job())
    client.update(job(enabled=False))
    client.update(job(enabled=False, input=1))
    assert kinds(heard) == ["created", "updated", "resumed", "updated", "paused", "updated"]


def test_failure_retry_and_dead_letter(
    client: ss.SchedulerClient,
    backend: ss.LocalBackend,
    job: MakeJob,
    play: Play,
    heard: list[ss.jobs.Event],
    calls: Calls,
) -> None:
    backend.register(ss.QueueTarget, lambda: None)
    client.create(
        job(
            target=ss.HandlerTarget("stepsched.testing.contract.handlers:fail"),
            retry=ss.Retry(max_attempts=1),
            dead_letter=ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:dead"),
        )
    )
    play(NINE + HOUR)
    assert kinds(heard)[1:] == ["due", "started", "retried", "started", "failed", "dead_lettered"]
    retried = heard[3].run
    assert retried is not None
    assert (retried.status, retried.error) == (ss.RunStatus.PENDING, "RuntimeError: no luck")


def test_a_listener_hears_only_what_it_asks_for(
    client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, play: Play, calls: Calls
) -> None:
    heard = list[ss.jobs.Event]()
    backend.listen(heard.append, ["succeeded", ss.jobs.EventKind.FAILED])
    client.create(job())
    play(NINE)
    assert kinds(heard) == ["succeeded"]
    with pytest.raises(ValueError, match="exploded"):
        backend.listen(heard.append, ["exploded"])


def test_a_listener_that_fails_stops_nothing(
    client: ss.SchedulerClient,
    backend: ss.LocalBackend,
    job: MakeJob,
    play: Play,
    calls: Calls,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(event: ss.jobs.Event) -> None:
        raise RuntimeError(event.kind.value)

    backend.listen(broken, ["started"])
    client.create(job())
    play(NINE)
    assert [run.status.value for run in client.runs()] == ["succeeded"]
    assert "a listener failed on started of job job" in caplog.text


def test_a_recorded_change_can_be_read_by_its_listener(
    client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, play: Play, calls: Calls
) -> None:
    statuses = list[tuple[str, str]]()
    backend.listen(
        lambda event: statuses.append((event.kind.value, client.runs("job")[-1].status.value)),
        ["started", "succeeded"],
    )
    client.create(job())
    play(NINE)
    assert statuses == [("started", "running"), ("succeeded", "succeeded")]
