"""Tests that a backend supports each capability that it declares, and refuses any other with alternatives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.base import Backend
from stepsched.targets import CodePipelineTarget, TemplateTarget
from stepsched.testing.contract import handlers
from stepsched.testing.contract.fixtures import MONDAY, MakeJob, refused

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NINE = MONDAY + 9 * HOUR
NOTE = "stepsched.testing.contract.handlers:note"


NEEDS = [
    pytest.param("functions", {"target": ss.HandlerTarget(NOTE)}, id="function"),
    pytest.param("functions", {"target": ss.CommandTarget(["true"])}, id="command"),
    pytest.param(
        "calendar",
        {"schedule": ss.Windowed("2031-01-31T09:00", every=ss.Frequency(months=5))},
        id="five months",
    ),
    pytest.param(
        "calendar",
        {"schedule": ss.Windowed("2031-01-01T09:00", every=ss.Frequency(days=2), timezone="Europe/Paris")},
        id="two days where the clocks change",
    ),
    pytest.param(
        "seconds",
        {"schedule": ss.Windowed("2031-01-01T09:00", every=ss.Frequency(seconds=10))},
        id="ten seconds",
    ),
    pytest.param(
        "seconds",
        {"schedule": ss.Windowed("2031-01-01T09:00", every=ss.Frequency(minutes=1, seconds=30))},
        id="a minute and a half",
    ),
    pytest.param("crontab", {"schedule": ss.Cron.from_crontab("0 0 13 * 5")}, id="either day field"),
    pytest.param("fractions", {"schedule": ss.Rate(HOUR, start=NINE + HOUR / 7_000_000)}, id="fraction"),
    pytest.param(
        "fractions",
        {"schedule": ss.OneTime(NINE + HOUR / 7_000_000, exact=True)},
        id="fraction of a one-time schedule",
    ),
    pytest.param("fractions", {"retry": ss.Retry(max_age=HOUR + HOUR / 7_000)}, id="fraction of max_age"),
    pytest.param("short_jitter", {"jitter": timedelta(seconds=90)}, id="jitter"),
    pytest.param("overlap", {"overlap": ss.Overlap.SKIP}, id="overlap skip"),
    pytest.param("overlap", {"overlap": ss.Overlap.QUEUE}, id="overlap queue"),
    pytest.param("catch_up", {"catch_up": ss.CatchUp.ONE}, id="catch up one"),
    pytest.param("catch_up", {"catch_up": ss.CatchUp.SKIP}, id="catch up none"),
    pytest.param("catch_up_within", {"catch_up_within": HOUR}, id="catch up within"),
    pytest.param("on_failure", {"on_failure": ss.OnFailure.STOP}, id="on failure stop"),
    pytest.param("notify", {"notify": handlers.TOPIC}, id="notify"),
    pytest.param("urls", {"target": handlers.URL}, id="url"),
    pytest.param("aws_targets", {"target": handlers.TOPIC}, id="topic"),
    pytest.param("templates", {"target": handlers.TEMPLATE}, id="template"),
    pytest.param("parallel", {"target": handlers.PARALLEL}, id="parallel"),
    pytest.param("many_messages", {"target": handlers.MESSAGES}, id="eleven messages"),
    pytest.param("max_run_time", {"max_run_time": HOUR}, id="run time"),
    pytest.param(
        "every_end", {"target": handlers.PIPELINE, "overlap": ss.Overlap.SKIP}, id="overlap of a pipeline"
    ),
    pytest.param(
        "every_end",
        {"target": handlers.MACHINE, "max_run_time": HOUR},
        id="run time of a state machine of which runs overlap",
    ),
    pytest.param("pauses", {"retry": ss.Retry(interval=timedelta(seconds=20))}, id="interval"),
    pytest.param("pauses", {"retry": ss.Retry(backoff_rate=3)}, id="backoff rate"),
    pytest.param("pauses", {"retry": ss.Retry(max_delay=HOUR)}, id="max delay"),
    pytest.param("pauses", {"retry": ss.Retry(pauses=[HOUR, 2 * HOUR])}, id="pauses one by one"),
    pytest.param("pauses", {"retry": ss.Retry(max_age=2 * DAY)}, id="max_age of more than a day"),
    pytest.param("pauses", {"retry": ss.Retry.webhook()}, id="pauses of webhooks"),
    pytest.param("any_name", {"name": "n" * 65}, id="long name"),
    pytest.param("any_name", {"name": "nightly report"}, id="name with a space"),
    pytest.param("any_name", {"name": "50% a_b/c"}, id="name with signs"),
    pytest.param("any_name", {"name": "夜間レポート"}, id="name that is not ASCII"),
]
"""The name of a capability, and the fields of a job that needs it."""


@pytest.mark.parametrize(("capability", "changes"), NEEDS)
def test_a_job_is_stored_as_it_stands_or_refused(
    client: ss.SchedulerClient,
    backend: Backend,
    job: MakeJob,
    capability: str,
    changes: dict[str, Any],
) -> None:
    register = getattr(backend, "register", None)
    if register is not None and capability != "aws_targets":  # a function replaces the target in AWS
        for kind in (
            ss.FanOutTarget,
            ss.HttpTarget,
            ss.TopicTarget,
            ss.StateMachineTarget,
            CodePipelineTarget,
            TemplateTarget,
        ):
            register(kind, handlers.note)
    wanted = job(**({"input": {}} | changes))
    if getattr(backend.capabilities, capability):
        assert client.create(wanted).job == wanted
        assert client.get(wanted.name).job == wanted
        return
    with refused(backend, wanted.name):
        client.create(wanted)
    with refused(backend, wanted.name):
        client.create_many([job("other"), wanted])
    with refused(backend, wanted.name):
        client.plan([wanted])
    assert client.list() == []
    client.create(job())
    with refused(backend, wanted.name):
        client.update(wanted)
    assert client.get("job").job == job()


def test_runs_are_recorded_or_refused(client: ss.SchedulerClient, backend: Backend, job: MakeJob) -> None:
    client.create(job())
    run = client.run_now("job")
    if backend.capabilities.keeps_runs:
        assert [each.id for each in client.runs("job")] == [each.id for each in client.runs()] == [run.id]
        return
    with refused(backend, "job"):
        client.wait(run)
    for name in ("job", None):
        for status in (None, *(status for status in ss.RunStatus if status is not ss.RunStatus.FAILED)):
            with refused(backend, name or "*"):
                client.runs(name, status=status)


def test_events_are_recorded_or_refused(client: ss.SchedulerClient, backend: Backend, job: MakeJob) -> None:
    client.create(job())
    if backend.capabilities.keeps_events:
        (created,) = backend.events(after=0)
        assert (created.id, created.kind, created.job) == (backend.last_event(), "created", "job")
        return
    with refused(backend, "*"):
        backend.events(after=0)
    with refused(backend, "*"):
        backend.last_event()


def test_backfill_is_recorded_or_refused(client: ss.SchedulerClient, backend: Backend, job: MakeJob) -> None:
    client.create(job())
    if backend.capabilities.keeps_runs:
        (run,) = client.backfill("job", since=MONDAY - DAY, until=MONDAY)
        assert (run.scheduled_for, run.trigger) == (NINE - DAY, ss.jobs.Trigger.BACKFILL)
        return
    with refused(backend, "job"):
        client.backfill("job", since=MONDAY - DAY, until=MONDAY)


def test_naive_instants_and_turned_stretches_are_refused(client: ss.SchedulerClient, job: MakeJob) -> None:
    client.create(job())
    naive = MONDAY.replace(tzinfo=None)
    with pytest.raises(ValueError, match="since is naive"):
        client.runs("job", since=naive)
    with pytest.raises(ValueError, match="limit"):
        client.runs("job", limit=-1)
    with pytest.raises(ValueError, match="since is naive"):
        client.backfill("job", since=naive, until=NINE)
    with pytest.raises(ValueError, match="expected until at or after since"):
        client.backfill("job", since=NINE, until=NINE - DAY)


def test_a_run_that_did_not_fail_is_not_redriven(client: ss.SchedulerClient, job: MakeJob) -> None:
    client.create(job())
    with pytest.raises(ss.InvalidTransitionError, match="'job'"):
        client.redrive(client.run_now("job"))


def test_earlier_definitions_are_kept_or_refused(
    client: ss.SchedulerClient, backend: Backend, job: MakeJob
) -> None:
    client.create(job())
    client.update(job(input=1))
    if backend.capabilities.keeps_versions:
        assert [old.job for old in client.versions("job")] == [job()]
        return
    with refused(backend, "job"):
        client.versions("job")


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_a_run_that_goes_on_is_stopped_or_that_is_refused(
    client: ss.SchedulerClient, backend: Backend, job: MakeJob, verb: str
) -> None:
    record = client.create(job())
    if backend.capabilities.stops_runs:
        assert getattr(client, verb)("job", stop_run=True).status is not ss.JobStatus.ACTIVE
        return
    with refused(backend, "job"):
        getattr(client, verb)("job", stop_run=True)
    assert client.get("job").status is record.status is ss.JobStatus.ACTIVE


def test_a_job_moves_to_another_group_or_is_refused(
    client: ss.SchedulerClient, backend: Backend, job: MakeJob
) -> None:
    client.create(job(group="x"))
    if backend.capabilities.moves_groups:
        assert client.update(job(group="y")).version == 2
        assert client.get("job").job.group == "y"
        return
    with refused(backend, "job"):
        client.update(job(group="y"))
    assert client.get("job").job == job(group="x")


def test_names_are_unique_everywhere_or_within_a_group(
    client: ss.SchedulerClient, backend: Backend, job: MakeJob
) -> None:
    client.create(job(group="x"))
    if backend.capabilities.unique_names:
        with pytest.raises(ss.JobExistsError):
            client.create(job(group="y"))
        return
    client.create(job(group="y", input=1))
    assert [record.job.group for record in client.list(name_prefix="job")] == ["x", "y"]
    for verb in (client.get, client.pause, client.resume, client.run_now, client.cancel):
        with pytest.raises(ss.BackendError, match="several groups have a job named 'job': x, y; give group="):
            verb("job")
    assert client.update(job(group="y", input=2)).version == 2
    assert client.pause("job", group="x").status is ss.JobStatus.PAUSED
    assert client.get("job", group="y").status is ss.JobStatus.ACTIVE
    assert client.apply([job(group="y", input=3)], prune=True).cancel == ()
    assert client.cancel("job", group="x").job == job(group="x")
    assert client.get("job").job.input == 3
