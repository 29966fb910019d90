"""Tests that every verb returns the instants of a schedule in the zone of the schedule."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

import pytest

import stepsched as ss
from stepsched.backends.base import Backend
from stepsched.testing.contract.fixtures import MONDAY, MakeJob, Play

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TOKYO = timezone(9 * HOUR)
NIGHTLY = ss.Cron("0 2 * * ? *", timezone="Asia/Tokyo")
DUE = datetime(2030, 1, 8, 2, tzinfo=TOKYO)
"""The first run, which in UTC is on the day before."""


def in_tokyo(instants: Iterable[datetime | None]) -> list[str]:
    """The wall times of instants, which must have the fixed offset of Tokyo."""
    shown = list(instants)
    assert shown
    for instant in shown:
        assert instant is not None
        assert instant.tzinfo == TOKYO
    return [f"{instant:%d %b %H:%M}" for instant in shown if instant]


def test_the_next_run_is_given_in_the_zone_of_the_schedule(client: ss.SchedulerClient, job: MakeJob) -> None:
    nightly = job(schedule=NIGHTLY)
    records = [
        client.create(nightly),
        client.create(nightly),
        client.get("job"),
        *client.list(),
        client.update(job(schedule=NIGHTLY, input=1)),
        client.update(job(schedule=NIGHTLY, input=1)),
        *client.create_many([nightly.replace(name="other")]),
    ]
    client.pause("job")
    records += [client.resume("job"), client.resume("job"), *client.list(name_prefix="o")]
    assert in_tokyo(record.next_run for record in records) == ["08 Jan 02:00"] * 10


@pytest.mark.parametrize(
    ("schedule", "offset"),
    [
        pytest.param(ss.Rate(2 * HOUR), 0 * HOUR, id="rate"),
        pytest.param(ss.Rate(2 * HOUR, start=DUE), 0 * HOUR, id="rate from an instant of Tokyo"),
        pytest.param(ss.Cron("0 9 * * ? *"), 0 * HOUR, id="utc"),
        pytest.param(ss.OneTime("2030-07-01T09:00", timezone="Europe/Paris"), 2 * HOUR, id="one time"),
        pytest.param(
            ss.Windowed("2030-01-31T09:00", every=ss.Frequency(months=1), timezone="Asia/Tokyo"),
            9 * HOUR,
            id="calendar",
        ),
    ],
)
def test_every_kind_of_schedule_is_given_in_its_own_zone(
    client: ss.SchedulerClient, job: MakeJob, schedule: ss.Schedule, offset: timedelta
) -> None:
    created = client.create(job(schedule=schedule)).next_run
    assert created is not None
    assert created.utcoffset() == offset
    stored = client.get("job").next_run
    assert stored is not None
    assert stored.tzinfo == timezone(offset)  # it may have run in the meantime


def test_a_run_of_the_moment_is_given_in_the_zone_of_the_schedule(
    client: ss.SchedulerClient, job: MakeJob
) -> None:
    client.create(job(schedule=NIGHTLY))
    run = client.run_now("job")
    assert in_tokyo([run.scheduled_for]) == ["07 Jan 09:00"]
    assert run.scheduled_for == MONDAY
    client.update(job(schedule=ss.Rate(HOUR)))
    assert client.run_now("job").scheduled_for.tzinfo == timezone.utc


def test_recorded_runs_are_given_in_the_zone_of_the_schedule(
    client: ss.SchedulerClient, backend: Backend, job: MakeJob, play: Play
) -> None:
    if not backend.capabilities.keeps_runs:
        return  # ``refusals`` tests this
    client.create(job(schedule=NIGHTLY))
    backfilled = client.backfill("job", since=MONDAY - 2 * DAY, until=MONDAY)
    assert in_tokyo(run.scheduled_for for run in backfilled) == ["06 Jan 02:00", "07 Jan 02:00"]
    play(DUE + HOUR)
    runs = client.runs("job")
    expected = ["06 Jan 02:00", "07 Jan 02:00", "08 Jan 02:00"]
    assert in_tokyo(run.scheduled_for for run in runs) == expected
    assert in_tokyo(run.scheduled_for for run in client.runs()) == expected
    assert in_tokyo(run.scheduled_for for run in client.runs("job", since=DUE, until=DUE)) == expected[-1:]
    for record in (client.get("job"), *client.list()):
        assert record.last_run is not None
        assert in_tokyo([record.last_run.scheduled_for, record.next_run])[1] == "09 Jan 02:00"


def test_failed_runs_are_given_in_the_zone_of_the_schedule(
    client: ss.SchedulerClient,
    backend: Backend,
    job: MakeJob,
    play: Play,
    request: pytest.FixtureRequest,
) -> None:
    if not backend.capabilities.keeps_runs:
        return  # such a backend may not observe failures either
    client.create(job(schedule=NIGHTLY, target=request.getfixturevalue("failing")))
    play(DUE + HOUR)
    (letter,) = client.dead_letters("job")
    again = client.redrive(letter)
    assert in_tokyo([letter.scheduled_for, again.scheduled_for]) == ["08 Jan 02:00"] * 2


def test_runs_of_a_cancelled_job_are_still_listed(
    client: ss.SchedulerClient, backend: Backend, job: MakeJob, play: Play
) -> None:
    if not backend.capabilities.keeps_runs:
        return
    client.create(job(schedule=NIGHTLY))
    play(DUE + HOUR)
    client.cancel("job")
    assert [run.scheduled_for for run in client.runs("job")] == [DUE]
