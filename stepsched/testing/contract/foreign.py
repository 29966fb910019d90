"""Tests jobs that other software has created: they are listed, never pruned, and changed only on request.

Requires a fixture ``foreign`` that creates such a job by name, without stepsched: daily at nine, with the
fixture ``target``.
"""

from __future__ import annotations

import stepsched as ss
from stepsched.testing.contract.fixtures import MONDAY, MakeForeign, MakeJob


def test_a_foreign_job_is_seen_for_what_it_is(
    client: ss.SchedulerClient, job: MakeJob, foreign: MakeForeign, target: ss.Target
) -> None:
    foreign("theirs")
    client.create(job("mine"))
    mine, theirs = client.list()
    assert (mine.owned, theirs.owned) == (True, False)
    assert (theirs.version, theirs.status, theirs.job.target) == (1, ss.JobStatus.ACTIVE, target)
    assert theirs.next_run == mine.next_run
    assert client.get("theirs") == theirs


def test_pruning_leaves_foreign_jobs_alone(
    client: ss.SchedulerClient, job: MakeJob, foreign: MakeForeign
) -> None:
    foreign("theirs")
    client.create_many([job("mine"), job("gone")])
    plan = client.plan([job("mine")], prune=True)
    assert [record.name for record in plan.cancel] == ["gone"]
    client.apply(plan)
    assert [record.name for record in client.list()] == ["mine", "theirs"]
    assert client.apply([job("mine")], prune=True).is_empty


def test_bulk_verbs_leave_foreign_jobs_alone(
    client: ss.SchedulerClient, job: MakeJob, foreign: MakeForeign
) -> None:
    foreign("theirs")
    client.create(job("those"))
    assert [record.name for record in client.pause_many()] == ["those"]
    assert client.get("theirs").status is ss.JobStatus.ACTIVE
    assert [record.name for record in client.cancel_many(name_prefix="th")] == ["those"]
    assert [record.name for record in client.list()] == ["theirs"]


def test_pruning_leaves_single_runs_alone(client: ss.SchedulerClient, job: MakeJob) -> None:
    client.create(job())
    client.run_now("job")
    assert [record.name for record in client.list()] == ["job"]
    assert client.plan([job()], prune=True).is_empty


def test_a_foreign_job_is_paused_resumed_and_cancelled_like_any(
    client: ss.SchedulerClient, foreign: MakeForeign
) -> None:
    foreign("theirs")
    before = client.get("theirs")
    assert client.pause("theirs").status is ss.JobStatus.PAUSED
    assert client.resume("theirs").status is ss.JobStatus.ACTIVE
    after = client.get("theirs")
    assert (after.job, after.owned, after.version) == (before.job, False, 1)
    assert client.cancel("theirs").status is ss.JobStatus.CANCELLED
    assert client.list() == []


def test_a_foreign_job_is_disabled_and_enabled_by_its_definition(
    client: ss.SchedulerClient, foreign: MakeForeign
) -> None:
    foreign("theirs")
    before = client.get("theirs").job
    assert before.enabled
    record = client.update(before.replace(enabled=False))
    assert (record.status, record.owned, record.job.enabled) == (ss.JobStatus.PAUSED, False, False)
    assert client.get("theirs").job == before.replace(enabled=False)
    assert client.plan([before.replace(enabled=False)]).is_empty
    assert client.update(before).status is ss.JobStatus.ACTIVE
    client.pause("theirs")
    record = client.update(before.replace(input={"n": 1}))
    assert (record.status, record.job.enabled) == (ss.JobStatus.PAUSED, True)


def test_a_foreign_job_that_is_updated_has_versions_and_stays_foreign(
    client: ss.SchedulerClient, foreign: MakeForeign
) -> None:
    foreign("theirs")
    before = client.get("theirs")
    record = client.update(before.job.replace(input={"n": 1}))
    assert (record.owned, record.version) == (False, 2)
    after = client.get("theirs")
    assert after.job == before.job.replace(input={"n": 1})
    assert (after.owned, after.version, after.next_run) == (False, 2, before.next_run)
    assert client.plan([after.job]).is_empty
    assert before.next_run is not None
    assert before.next_run > MONDAY
