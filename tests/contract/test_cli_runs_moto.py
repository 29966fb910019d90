"""The commands about runs on EventBridge Scheduler, which keeps no runs: what works, and what is refused
before anything is changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

import stepsched as ss
from stepsched.testing import FakeClock
from tests.unit.cli.conftest import NOW, CommandLine, Done, stepsched

__all__ = ["stepsched"]
pytestmark = pytest.mark.usefixtures("shared_models")

REGION = "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/scheduler"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:inbox"
DEAD = "arn:aws:sqs:eu-west-1:123456789012:dead"


@pytest.fixture
def line(stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Done]]:
    """A command line in an account with one job, ``report``."""
    for key, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", REGION)):
        monkeypatch.setenv(f"AWS_{key}", value)
    monkeypatch.setenv("STEPSCHED_BACKEND", f"eventbridge:{ROLE}")
    with mock_aws():
        backend = ss.EventBridgeBackend(ROLE, session=boto3.Session(region_name=REGION), clock=FakeClock(NOW))
        schedule = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
        client = ss.SchedulerClient(backend)
        client.create(ss.Job(name="report", schedule=schedule, target=ss.QueueTarget(QUEUE)))
        yield stepsched
        backend.close()


def schedules() -> list[str]:
    found = boto3.client("scheduler", region_name=REGION).list_schedules()["Schedules"]
    return [each["Name"] for each in found]


def test_what_needs_recorded_runs_is_refused_and_changes_nothing(line: Callable[..., Done]) -> None:
    for words in (
        "run-now report --wait",
        "wait report",
        "wait report --run 1",
        "runs",
        "runs report",
        "versions report",
        "backfill report --since now-2d --until now",
        "logs",
        "logs report --follow",
    ):
        done = line(*words.split())
        assert (words, done.code, done.out, done.err.count("\n")) == (words, 5, "", 1)
        assert done.err.startswith("error: the eventbridge backend refuses ")
        assert "'*'" not in done.err
    assert schedules() == ["report"]


def test_a_job_is_run_now_without_a_wait(line: Callable[..., Done]) -> None:
    done = line("run-now", "report")
    assert (done.code, done.err, done.document["trigger"]) == (0, "", "manual")
    assert len(schedules()) == 2
    assert line("run-now", "nope").code == 3


def test_the_next_runs_are_shown(line: Callable[..., Done]) -> None:
    assert line("upcoming", "report", "--limit", "1").document == [
        {"at": "2030-01-07T09:00:00+01:00", "job": "report", "group": "default"}
    ]
    assert line("repair", terminal=True).out == "no problem found\n"


def test_dead_letters_need_a_queue(line: Callable[..., Done]) -> None:
    for arguments in (("dead-letters",), ("redrive", "report", "--all")):
        done = line(*arguments)
        assert (done.code, done.out) == (2, "")
        assert done.err == (
            "error: no dead-letter queue is named; use --backend 'eventbridge:ROLE?dead_letter=QUEUE_ARN'\n"
        )


def test_dead_letters_of_a_queue_are_shown_and_redriven(line: Callable[..., Done]) -> None:
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.create_queue(QueueName="dead")["QueueUrl"]
    attributes = {
        "ERROR_CODE": "AccessDenied",
        "ERROR_MESSAGE": "no",
        "EXECUTION_ID": "1",
        "RETRY_ATTEMPTS": "0",
        "SCHEDULED_TIME": "2030-01-06T08:00:00Z",
        "SCHEDULE_ARN": f"arn:aws:scheduler:{REGION}:123456789012:schedule/default/report",
        "TARGET_ARN": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
    }
    message: dict[str, Any] = {
        key: {"StringValue": value, "DataType": "String"} for key, value in attributes.items()
    }
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"job": "report"}), MessageAttributes=message)
    place = ("--backend", f"eventbridge:{ROLE}?group=default&dead_letter={DEAD}")
    (found,) = line("dead-letters", "report", *place).document
    assert (found["scheduled_for"], found["error"]) == ("2030-01-06T09:00:00+01:00", "AccessDenied: no")
    assert line("redrive", "report", "--run", "7", *place).code == 3
    done = line("redrive", "report", "--run", str(found["id"]), *place)
    assert (done.code, len(done.document), len(schedules())) == (0, 1, 2)
    empty = line("dead-letters", *place, terminal=True)
    assert (empty.code, empty.out) == (0, "no run has failed for good\n")


def test_watch_shows_the_next_runs_and_says_that_no_others_are_known(line: Callable[..., Done]) -> None:
    done = line("watch", "--timeout", "0s")
    assert (done.code, done.err) == (0, "")
    assert "! what runs and what failed is not shown: this backend keeps no record of runs\n" in done.out
    assert "2030-01-07 09:00 +01:00 Europe/Paris" in done.out
    assert "failed, skipped" not in done.out
