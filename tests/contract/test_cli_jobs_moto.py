"""The commands about stored jobs on EventBridge Scheduler, where groups may have jobs of one name."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

import stepsched as ss
from tests.unit.cli.conftest import CommandLine, Done, stepsched

__all__ = ["stepsched"]
pytestmark = pytest.mark.usefixtures("shared_models")

REGION = "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/scheduler"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:inbox"
JOB = ("--schedule", "cron(0 9 * * ? *)", "--timezone", "Europe/Paris", "--target", QUEUE)


@pytest.fixture
def line(stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    """A command line in an account with the group ``reports``."""
    for key, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", REGION)):
        monkeypatch.setenv(f"AWS_{key}", value)
    monkeypatch.setenv("STEPSCHED_BACKEND", f"eventbridge:{ROLE}")
    with mock_aws():
        boto3.client("scheduler", region_name=REGION).create_schedule_group(Name="reports")
        yield stepsched


def names(done: Done) -> list[str]:
    """Returns the groups and names of the jobs that a command has printed."""
    assert done.code == 0, done.err
    return [f"{each['job']['group']}/{each['job']['name']}" for each in done.document]


def test_a_job_is_created_changed_and_cancelled(line: CommandLine) -> None:
    created = line("create", "a", *JOB, "--tag", "team=a", "--jitter", "5m")
    assert (created.code, created.err) == (0, "job 'a': created\n")
    assert "nothing to do" in line("create", "a", *JOB, "--tag", "team=a", "--jitter", "5m").err
    assert line("create", "a", *JOB).code == 4
    updated = line("update", "a", "--schedule", "cron(0 10 * * ? *)")
    assert updated.err == (
        "job 'a' updated to version 2: schedule: At 09:00, Europe/Paris -> At 10:00, Europe/Paris\n"
    )
    assert "nothing to change" in line("update", "a", "--jitter", "5m").err
    assert names(line("pause", "a", "--reason", "broken")) == ["default/a"]
    assert line("get", "a").document["pause_reason"] == "broken"
    assert names(line("resume", "a")) == ["default/a"]
    assert names(line("cancel", "a", "--yes")) == ["default/a"]
    assert line("get", "a").code == 3


def test_a_name_in_two_groups_needs_the_group(line: CommandLine) -> None:
    line("create", "a", *JOB)
    line("create", "a", *JOB, "--group", "reports")
    for command in (("get",), ("pause",), ("cancel", "--yes"), ("update", "--jitter", "5m")):
        done = line(command[0], "a", *command[1:])
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert "several groups have a job named 'a': default, reports; use --group NAME" in done.err
    assert line("get", "a", "--group", "reports").document["job"]["group"] == "reports"
    line("update", "a", "--group", "reports", "--jitter", "5m")
    jitters = {each["job"]["group"]: each["job"]["jitter"] for each in line("list").document}
    assert jitters == {"default": "PT0S", "reports": "PT5M"}


def test_a_window_tells_jobs_of_one_name_apart_by_their_groups(line: CommandLine) -> None:
    line("create", "a", *JOB)
    line("create", "a", *JOB, "--group", "reports")
    line("pause", "a", "--group", "default", "--reason", "broken")
    window = line("pause", "--all", "--reason", "maintenance")
    assert names(window) == ["reports/a"]
    assert names(line("resume", "--from", "-", stdin=window.out)) == ["reports/a"]
    statuses = {each["job"]["group"]: each["status"] for each in line("list").document}
    assert statuses == {"default": "paused", "reports": "active"}


def test_a_job_of_another_role_is_shown_as_such_and_renewed(line: CommandLine) -> None:
    line("create", "a", *JOB)
    other = ("--backend", f"eventbridge:{ROLE}2")
    assert "stored with other settings" in line("get", "a", *other, terminal=True).out
    assert line("update", "a", "--jitter", "5m", *other).code == 0
    assert "stored with other settings" not in line("get", "a", *other, terminal=True).out


def test_a_job_moves_to_another_group_with_its_definition(line: CommandLine) -> None:
    line("create", "a", *JOB)
    done = line("update", "a", "--new-group", "reports", "--jitter", "5m")
    assert (done.code, done.err) == (
        0,
        "job 'a' updated to version 2: group: default -> reports; jitter: 0 seconds -> 5 minutes\n",
    )
    assert names(line("list")) == ["reports/a"]


def test_a_job_does_not_move_onto_another_one(line: CommandLine) -> None:
    line("create", "a", *JOB)
    line("create", "a", *JOB, "--group", "reports", "--jitter", "5m")
    done = line("update", "a", "--group", "default", "--new-group", "reports")
    assert (done.code, done.out, done.err.count("\n")) == (4, "", 1)
    assert "a different job is already named 'a'" in done.err
    assert len(line("list").document) == 2


def test_a_pause_that_fails_in_part_prints_what_it_has_paused(line: CommandLine) -> None:
    line("create", "a", *JOB)
    line("create", "full", *JOB, "--description", "x" * 400)
    done = line("pause", "--all", "--reason", "no room" * 20)
    assert (done.code, [each["job"]["name"] for each in done.document]) == (7, ["a"])
    assert "error: 1 of 2 failed; the others are done\nerror: full: " in done.err
    assert line("resume", "--from", "-", stdin=done.out).code == 0


def test_schedules_of_others_are_changed_only_by_name(line: CommandLine) -> None:
    line("create", "a", *JOB)
    boto3.client("scheduler", region_name=REGION).create_schedule(
        Name="theirs",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": QUEUE, "RoleArn": ROLE},
    )
    assert names(line("pause", "--all")) == ["default/a"]
    done = line("cancel", "--all", "--yes")
    assert names(done) == ["default/a"]
    assert done.err == "left out 1 that stepsched did not create; name them to include them\n"
    assert names(line("list")) == ["default/theirs"]
    assert "\n             not created by stepsched\n" in line("get", "theirs", terminal=True).out


@pytest.mark.parametrize("option", [("--overlap", "skip"), ("--max-run-time", "1h"), ("--notify", QUEUE)])
def test_what_the_service_cannot_do_is_refused_before_anything_is_stored(
    line: CommandLine, option: tuple[str, str]
) -> None:
    for more in ((), ("--dry-run",)):
        done = line("create", "a", *JOB, *option, *more)
        assert (done.code, done.out) == (2 if option[0] == "--notify" else 5, "")
        assert done.err.count("\n") == 1
    assert names(line("list")) == []


def test_the_record_of_a_rate_makes_the_same_job_again(line: CommandLine) -> None:
    line("create", "a", "--schedule", "rate(5 minutes)", "--target", QUEUE)
    before = line("get", "a")
    assert ss.JobRecord.model_validate(before.document).job.schedule == ss.Rate("PT5M")
    line("cancel", "a", "--yes")
    assert line("create", "--file", "-", stdin=before.out).document["job"] == before.document["job"]
