"""``stepsched plan``, ``apply`` and ``export`` on EventBridge Scheduler, as far as moto can show it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.unit.cli.conftest import CommandLine, stepsched

__all__ = ["stepsched"]
pytestmark = pytest.mark.usefixtures("shared_models")
REGION = "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/scheduler"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:inbox"
JOBS = f"""\
- {{name: a, schedule: rate(1 hour), target: '{QUEUE}', input: {{n: 1}}}}
- {{name: b, schedule: 'cron(0 9 * * ? *)', timezone: Europe/Paris, target: '{QUEUE}', group: reports}}
- {{name: c, every: 1 month, start: 2030-01-31T09:00, target: '{QUEUE}'}}
- {{name: d, schedule: at(2031-01-31T09:00:00), target: '{QUEUE}', enabled: false}}
"""


@pytest.fixture
def scheduler(stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The client of an empty account, which is that of every command line here."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("STEPSCHED_BACKEND", f"eventbridge:{ROLE}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        client = boto3.client("scheduler", region_name=REGION)
        for group in ("default", "reports"):
            if group != "default":
                client.create_schedule_group(Name=group)
        yield client


def schedules(scheduler: Any) -> dict[str, Any]:
    """Returns all schedules as the service stores them, without what a change alone would change."""
    found = scheduler.list_schedules()["Schedules"]
    stored = [scheduler.get_schedule(Name=each["Name"], GroupName=each["GroupName"]) for each in found]
    stored.sort(key=lambda each: str(each["Name"]))
    return {each["Name"]: {k: v for k, v in each.items() if k != "ResponseMetadata"} for each in stored}


@pytest.mark.parametrize("command", ["list", "export"])
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_what_is_printed_can_be_applied_and_changes_nothing(
    stepsched: CommandLine, scheduler: Any, command: str, form: str
) -> None:
    assert stepsched("apply", "-", stdin=JOBS).code == 0
    scheduler.update_schedule(**{**_request(scheduler, "a"), "State": "DISABLED"})
    before = schedules(scheduler)
    assert list(before) == ["a", "b", "c", "d"]
    printed = stepsched(command, "-o", form).out
    done = stepsched("apply", "-", stdin=printed)
    assert (done.code, sorted(done.document["unchanged"])) == (0, ["a", "b", "c", "d"])
    assert done.document["paused"] == ["a"]
    assert schedules(scheduler) == before


def test_schedules_of_others_stay_as_they_are(stepsched: CommandLine, scheduler: Any) -> None:
    stepsched("apply", "-", stdin=JOBS)
    scheduler.create_schedule(
        Name="theirs",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": QUEUE, "RoleArn": "arn:aws:iam::123456789012:role/theirs"},
    )
    before = schedules(scheduler)
    for command in ("list", "export"):
        printed = stepsched(command).out
        assert "theirs" in printed
        assert stepsched("apply", "-", "--prune", stdin=printed).code == 0
        assert schedules(scheduler) == before


def test_a_prune_cancels_what_is_not_in_the_file(stepsched: CommandLine, scheduler: Any) -> None:
    stepsched("apply", "-", stdin=JOBS)
    fewer = "".join(JOBS.splitlines(keepends=True)[:2])
    plan = stepsched("plan", "-", "--prune", stdin=fewer)
    assert [record["job"]["name"] for record in plan.document["cancel"]] == ["c", "d"]
    assert stepsched("apply", "-", "--yes", stdin=json.dumps(plan.document)).code == 0
    assert list(schedules(scheduler)) == ["a", "b"]


def test_a_name_in_two_groups_is_exported_by_its_group(stepsched: CommandLine, scheduler: Any) -> None:
    stepsched("apply", "-", stdin=JOBS)
    stepsched("apply", "-", stdin=JOBS.splitlines()[0].replace("{", "{group: reports, ", 1))
    done = stepsched("export")
    assert (done.code, done.out) == (2, "")
    assert "job 'a' is stored in the groups default and reports" in done.err
    assert [job["name"] for job in stepsched("export", "--group", "reports").document] == ["a", "b"]


def _request(scheduler: Any, name: str) -> dict[str, Any]:
    """Returns the arguments that would update a schedule to what it is."""
    stored = scheduler.get_schedule(Name=name)
    left_out = ("ResponseMetadata", "Arn", "CreationDate", "LastModificationDate", "StartDate", "EndDate")
    return {key: value for key, value in stored.items() if key not in left_out}
