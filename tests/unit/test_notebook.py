"""What jobs, schedules, plans and clients tell of themselves, in a notebook and by ``print``."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest

import stepsched as ss
from stepsched.display.results import Displayed
from stepsched.testing import FakeClock

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
MORNING = ss.Cron("0 9 * * ? 2030-2199", timezone="Europe/Paris")


def fail() -> None:
    raise KeyError("missing")


def job(**fields: Any) -> ss.Job:
    return ss.Job(**{"name": "nightly", "schedule": MORNING, "target": ss.HandlerTarget(fail), **fields})


@pytest.fixture
def client() -> ss.SchedulerClient:
    return ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(T0)))


def play(client: ss.SchedulerClient, length: timedelta) -> None:
    backend = client.backend
    assert isinstance(backend, ss.LocalBackend)
    backend.run_until(T0 + length)


def facts(value: Displayed) -> dict[str, str]:
    """The titles and texts of a value."""
    lines = [line.split(None, 1) for line in value.to_text().split("\n") if line[0] != " "]
    return {line[0]: line[-1] for line in lines}


def test_a_record_tells_its_next_and_its_last_run(client: ss.SchedulerClient) -> None:
    client.create(job(retry=ss.Retry(max_attempts=0), tags={"team": "a", "password": "hidden"}))
    play(client, timedelta(days=1))
    record = client.get("nightly")
    assert record.to_text().split("\n") == [
        "name       nightly",
        "status     active",
        "schedule   At 09:00, in 2030 to 2199, Europe/Paris",
        "           cron(0 9 * * ? 2030-2199)",
        "zone       Europe/Paris",
        "next runs  2030-01-08 09:00 +01:00 Europe/Paris",
        "           2030-01-09 09:00 +01:00 Europe/Paris",
        "           2030-01-10 09:00 +01:00 Europe/Paris",
        "last run   failed 2030-01-07 09:00 +01:00 Europe/Paris",
        "           KeyError: 'missing'",
        "target     handler tests.unit.test_notebook:fail",
        "retry      max attempts 0",
        "group      default",
        "tags       team=a, password=***",
        "version    1",
        "created    2030-01-07 00:00 +00:00 UTC",
        "updated    2030-01-07 00:00 +00:00 UTC",
    ]


def test_the_next_runs_of_a_rate_continue_its_grid(client: ss.SchedulerClient) -> None:
    record = client.create(job(schedule=ss.Rate("PT7M")))
    assert "\n           2030-01-07 00:14 +00:00 UTC\n" in client.get("nightly").to_text()
    assert record.to_text().count("2030-01-07 00:") == 5


def test_a_paused_record_tells_why(client: ss.SchedulerClient) -> None:
    client.create(job())
    record = client.pause("nightly", reason="the bank is closed")
    assert "status    paused: the bank is closed\n" in record.to_text()
    assert "next run  none\n" in record.to_text()


def test_a_record_tells_what_others_have_made() -> None:
    times = dict.fromkeys(("created_at", "updated_at"), T0)
    record = ss.JobRecord(
        job=job(), status=ss.JobStatus.ENDED, version=1, next_run=None, owned=False, current=False, **times
    )
    assert "not created by stepsched" in record.to_text()
    assert "stored with other settings of the backend" in record.to_text()


def test_a_run_tells_how_late_it_began_and_why_it_failed(client: ss.SchedulerClient) -> None:
    client.create(job(retry=ss.Retry(max_attempts=1, interval=timedelta(seconds=90))))
    play(client, timedelta(days=1))
    (run,) = client.runs()
    assert run.to_text().split("\n") == [
        "job        nightly",
        "status     failed",
        "scheduled  2030-01-07 09:00 +01:00",
        "started    2030-01-07 08:01:30 +00:00 UTC (after 1 min 30 s)",
        "ended      2030-01-07 08:01:30 +00:00 UTC",
        "took       0 ms",
        "attempt    2",
        "trigger    schedule",
        "error      KeyError: 'missing'",
        "id         1",
    ]


def test_a_run_that_waits_tells_no_more_than_is_known() -> None:
    run = ss.Run(id=1, job="j", scheduled_for=T0, status=ss.RunStatus.PENDING, pending_reason="no worker")
    assert facts(run).keys() == {"job", "status", "scheduled", "attempt", "trigger", "pending", "id"}
    again = run.replace(restarted=True, attempt=2)
    assert facts(again)["attempt"] == "2, started again after an interruption"


def test_runs_tell_how_long_one_in_progress_has_taken() -> None:
    started = T0 + timedelta(seconds=2)
    run = ss.Run(id=1, job="j", scheduled_for=T0, status=ss.RunStatus.RUNNING, started_at=started, attempt=1)
    text = ss.jobs.Runs([run], now=T0 + timedelta(minutes=5)).to_text()
    assert text.split("\n")[1:] == [
        "ID  JOB  STATUS   SCHEDULED                    STARTED    TOOK        ATTEMPT",
        "1   j    running  2030-01-07 00:00 +00:00 UTC  after 2 s  4 min 58 s  1",
    ]


def test_a_job_tells_its_definition() -> None:
    text = job(
        enabled=False,
        catch_up_within="PT1M",
        overlap="skip",
        dead_letter=ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:q"),
        description="text",
        retry=ss.Retry(pauses=["PT5S", "PT1M"]),
    ).to_text()
    for line in (
        "enabled          no",
        "retry            max attempts 2, pauses 5 s, 1 min",
        "dead letter      queue arn:aws:sqs:eu-west-1:123456789012:q",
        "overlap          skip",
        "catch up within  1 min",
        "description      text",
    ):
        assert line in text.split("\n")
    assert "next runs" not in text
    assert "next runs" in job().to_text()
    assert "next runs" not in job(schedule=ss.Rate("PT1H")).to_text()


def test_a_schedule_shows_its_next_runs_in_its_own_zone_and_in_utc() -> None:
    lines = ss.Cron("0 9 * * ? 2031-2099", timezone="Asia/Tokyo").to_text().split("\n")
    assert lines[:3] == [
        "At 09:00, in 2031 to 2099, Asia/Tokyo",
        "RUN                                     UTC",
        "Wed 2031-01-01 09:00 +09:00 Asia/Tokyo  2031-01-01 00:00 +00:00 UTC",
    ]
    assert len(lines) == 7


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param(ss.Cron("0 0 30 2 ? *"), id="cron"),
        pytest.param(ss.OneTime("2001-01-01T00:00"), id="once"),
    ],
)
def test_a_schedule_without_a_run_says_so(schedule: ss.Schedule) -> None:
    assert schedule.to_text().split("\n")[-1] == "no run is left"
    assert "no run is left" in schedule.to_html()


def test_a_plan_shows_what_would_be_done_to_which_job(client: ss.SchedulerClient) -> None:
    old = job(name="old", schedule=ss.Rate(timedelta(days=1)), target=ss.CommandTarget(["true"]))
    client.create_many([old, old.replace(name="gone")])
    plan = client.plan([old.replace(input=1), old.replace(name="new")], prune=True)
    assert plan.to_text().split("\n") == [
        "CHANGE  JOB   WHAT",
        "create  new   Every day",
        "update  old   input: {} -> 1",
        "cancel  gone  Every day",
        "1 to create, 1 to update, 1 to cancel, 0 unchanged",
    ]
    assert facts(plan.update[0]) == {"job": "old", "version": "1", "change": "input: {} -> 1"}


def test_a_client_tells_where_its_jobs_are_without_a_call() -> None:
    """Nothing listens at the endpoint, and the file is locked by nobody and read by nobody."""
    session = boto3.Session("AKIDEXAMPLE", "secret", region_name="eu-west-1")
    role, arn = "arn:aws:iam::123456789012:role/r", "arn:aws:states:eu-west-1:123456789012:stateMachine:jobs"
    nowhere = "http://127.0.0.1:9"
    scheduler = ss.EventBridgeBackend(role, group="g", session=session, endpoint_url=nowhere)
    machines = ss.StepFunctionsBackend(
        state_machine_arn=arn, table_name="jobs", session=session, endpoint_url=nowhere
    )
    shown = facts(ss.SchedulerClient(scheduler))
    assert (shown["region"], shown["role"], shown["group"]) == ("eu-west-1", role, "g")
    assert "functions" in shown["lacks"]
    assert shown["lacks"].endswith("and 16 more")
    keyless = ss.EventBridgeBackend(session=session)
    assert facts(keyless)["role"] == "none: jobs cannot be created"
    key = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-4000-8000-000000000000"
    assert facts(ss.EventBridgeBackend(role, kms_key_arn=key, session=session))["key"] == key
    shown = facts(ss.SchedulerClient(machines))
    assert (shown["table"], shown["workflows"]) == ("jobs", "no")
    assert "SchedulerClient" in shown
    assert "AsyncSchedulerClient" in facts(ss.AsyncSchedulerClient(machines))


def test_an_embedded_backend_tells_its_file_and_whether_it_runs(tmp_path: Any) -> None:
    path = tmp_path / "jobs.db"
    with ss.LocalBackend(path, workers=3) as backend:
        assert repr(backend) == f"LocalBackend({str(path)!r})"
        assert facts(backend)["jobs"] == f"in {path}"
        assert facts(backend)["runs"] == "up to 3 at once"
    assert facts(backend)["runs"] == "not started"
    assert repr(ss.LocalBackend()) == "LocalBackend()"
    played = facts(ss.LocalBackend(clock=FakeClock(T0)))
    assert played["runs"] == "when run_until plays them"
    assert played["clock"] == "FakeClock(2030-01-07T00:00:00+00:00)"


def test_a_target_shows_its_fields_without_secrets() -> None:
    target = ss.HttpTarget("https://e.example/", headers={"X-Api-Key": "hidden"})
    assert facts(target) == {
        "target": "http",
        "url": "https://e.example/",
        "headers": '{"X-Api-Key": "***"}',
    }
    both = ss.ParallelTarget([ss.CommandTarget(["a"]), ss.HandlerTarget("b:c")])
    assert both.to_text().split("\n") == ["target  parallel", "        command a", "        handler b:c"]


def test_policies_and_steps_show_their_fields() -> None:
    assert facts(ss.Retry())["max"]
    assert "pauses        -" in ss.Retry().to_text()
    assert ss.Frequency(months=1, days=2).to_text() == "1 month and 2 days\nmonths  1\ndays    2"


def test_an_event_tells_its_run(client: ss.SchedulerClient) -> None:
    heard = list[ss.jobs.Event]()
    assert isinstance(client.backend, ss.LocalBackend)
    client.backend.listen(heard.append)
    client.create(job(retry=ss.Retry(max_attempts=0)))
    play(client, timedelta(days=1))
    first, last = heard[0], heard[-1]
    assert first.to_text().split("\n") == [
        "event  created",
        "at     2030-01-07 00:00 +00:00 UTC",
        "job    nightly",
    ]
    assert repr(first) == "Event(kind='created', at='2030-01-07T00:00:00+00:00', job='nightly')"
    assert facts(last)["event"] == "failed"
    assert facts(last)["error"] == "KeyError: 'missing'"
