"""Tests jobs that are disabled in their definition, and how that goes together with ``pause`` and ``resume``.
No run has to start."""

from __future__ import annotations

from datetime import timedelta

import pytest

import stepsched as ss
from stepsched.testing.contract.fixtures import MONDAY, MakeJob, same

ACTIVE, PAUSED = ss.JobStatus.ACTIVE, ss.JobStatus.PAUSED
ON, OFF = {"enabled": True}, {"enabled": False}
NINE = MONDAY + timedelta(hours=9)


@pytest.mark.parametrize(
    "schedule",
    [
        ss.Cron("0 9 * * ? *"),
        ss.Rate(timedelta(hours=5)),
        ss.OneTime("2031-01-01T09:00"),
        ss.Windowed("2031-01-31T09:00Z", every=ss.Frequency(days=2)),
    ],
    ids=str,
)
def test_a_disabled_job_is_created_paused_in_one_step(
    client: ss.SchedulerClient, job: MakeJob, schedule: ss.Schedule, tolerance: timedelta
) -> None:
    record = client.create(job(schedule=schedule, enabled=False))
    assert (record.status, record.next_run, record.version) == (PAUSED, None, 1)
    assert same(client.get("job"), record, tolerance)
    assert client.get("job").job == job(schedule=schedule, enabled=False)
    assert [each.name for each in client.list(status="paused")] == ["job"]
    assert client.list(status="active") == []
    assert same(client.create(job(schedule=schedule, enabled=False)), record, tolerance)
    assert client.plan([job(schedule=schedule, enabled=False)]).is_empty


def test_disabled_jobs_are_created_among_others(client: ss.SchedulerClient, job: MakeJob) -> None:
    client.create_many([job("a"), job("b", enabled=False)])
    client.apply([job("a"), job("b", enabled=False), job("c", enabled=False)])
    assert {each.name: each.status for each in client.list()} == {"a": ACTIVE, "b": PAUSED, "c": PAUSED}


@pytest.mark.parametrize(
    ("before", "by_hand", "after", "status"),
    [
        pytest.param(ON, None, OFF, PAUSED, id="disabled pauses"),
        pytest.param(ON, "pause", OFF, PAUSED, id="disabled keeps a pause"),
        pytest.param(OFF, None, ON, ACTIVE, id="enabled resumes"),
        pytest.param(OFF, "resume", ON, ACTIVE, id="enabled keeps a resumed job active"),
        pytest.param(OFF, "pause", ON, ACTIVE, id="enabled resumes whatever paused the disabled job"),
        pytest.param(ON, "pause", ON, PAUSED, id="a pause by hand outlives an update"),
        pytest.param(ON, None, ON, ACTIVE, id="nothing pauses an enabled job"),
        pytest.param(OFF, None, OFF, PAUSED, id="a disabled job stays paused"),
        pytest.param(OFF, "resume", OFF, PAUSED, id="disabled pauses a job that was resumed by hand"),
    ],
)
@pytest.mark.parametrize("verb", ["update", "apply"])
def test_the_definition_and_the_verbs_decide_the_status(
    client: ss.SchedulerClient,
    job: MakeJob,
    before: dict[str, bool],
    by_hand: str | None,
    after: dict[str, bool],
    status: ss.JobStatus,
    verb: str,
) -> None:
    client.create(job(**before))
    if by_hand is not None:
        getattr(client, by_hand)("job")
    changed = job(**after, input={"changed": True})
    client.update(changed) if verb == "update" else client.apply([changed])
    record = client.get("job")
    assert (record.status, record.job, record.version) == (status, changed, 2)
    assert record.next_run == (NINE if status is ACTIVE else None)


def test_resume_and_pause_leave_the_definition_as_it_is(client: ss.SchedulerClient, job: MakeJob) -> None:
    client.create(job(enabled=False))
    record = client.resume("job")
    assert (record.status, record.job.enabled, record.version, record.next_run) == (ACTIVE, False, 1, NINE)
    assert client.get("job").status is ACTIVE
    record = client.pause("job")
    assert (record.status, record.job.enabled, record.version) == (PAUSED, False, 1)
    client.update(job())
    assert client.pause("job").job.enabled is True


def test_a_plan_pauses_a_disabled_job_that_was_resumed_by_hand(
    client: ss.SchedulerClient, job: MakeJob
) -> None:
    client.create(job(enabled=False))
    client.resume("job")
    (change,) = client.plan([job(enabled=False)]).update
    assert (change.fields(), change.before.enabled, change.after.enabled) == (("enabled",), True, False)
    client.apply([job(enabled=False)])
    assert client.get("job").status is PAUSED
    assert client.plan([job(enabled=False)]).is_empty
    client.resume("job")
    assert client.update(job(enabled=False)).status is PAUSED


def test_a_plan_enables_a_disabled_job_that_was_resumed_by_hand(
    client: ss.SchedulerClient, job: MakeJob
) -> None:
    client.create(job(enabled=False))
    client.resume("job")
    (change,) = client.plan([job()]).update
    assert (change.fields(), change.before.enabled, change.after.enabled) == (("enabled",), False, True)
    client.apply([job()])
    assert (client.get("job").status, client.get("job").job) == (ACTIVE, job())


def test_a_plan_says_of_a_new_job_that_it_is_disabled(client: ss.SchedulerClient, job: MakeJob) -> None:
    assert str(client.plan([job(enabled=False)])).splitlines()[0] == "+ job  At 09:00, UTC, disabled"


def test_a_plan_leaves_a_pause_by_hand_alone(client: ss.SchedulerClient, job: MakeJob) -> None:
    client.create(job())
    client.pause("job")
    assert client.plan([job()]).is_empty
    (change,) = client.plan([job(enabled=False)]).update
    assert change.fields() == ("enabled",)


def test_a_disabled_job_is_cancelled_and_created_again_as_it_was(
    client: ss.SchedulerClient, job: MakeJob
) -> None:
    client.create(job(enabled=False))
    cancelled = client.cancel("job")
    assert client.create(cancelled.job).status is PAUSED
