"""A stack of exported jobs, made by the CloudFormation of an emulator, beside what the client creates there.

The emulator (1.5.33) keeps no zone, dates and key of a schedule in a stack, and spells the parameters of a
task as the template does; those are compared in tests/unit/exports/test_equality.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import stepsched as ss
from stepsched.testing import FakeClock
from tests.parts.ministack import REGION, Ministack
from tests.sessions import new_session
from tests.unit.exports.generated import NOW, generated

ROLE = "arn:aws:iam::123456789012:role/scheduler"
KEPT = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "State", "Target")
"""The fields of a schedule that the emulator takes from a template."""
pytestmark = pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[ss.Job]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    found = generated(40, seed=9)
    return [
        job.replace(group=f"{job.group}-made" if job.group != "default" else "default")
        if not job.is_one_time
        else job.replace(completion=ss.Completion.KEEP, group="default")
        for job in found
        if not isinstance(job.target, ss.targets.EcsTaskTarget)
    ]


def client_of(server: Ministack, account: str) -> ss.SchedulerClient:
    session = new_session(aws_access_key_id=account, aws_secret_access_key="test", region_name=REGION)
    return ss.SchedulerClient(
        ss.EventBridgeBackend(
            ROLE, session=session, endpoint_url=server.endpoint_url, clock=FakeClock(NOW), workers=4
        )
    )


def schedules(scheduler: Any, groups: set[str]) -> dict[str, dict[str, Any]]:
    """All schedules by name, with what the emulator keeps."""
    found = {}
    for group in groups:
        for entry in scheduler.list_schedules(GroupName=group, MaxResults=100)["Schedules"]:
            document = scheduler.get_schedule(Name=entry["Name"], GroupName=group)
            found[entry["Name"]] = {key: document[key] for key in KEPT}
    return found


def test_a_stack_has_the_schedules_that_the_client_creates(
    ministack: Ministack, account: str, aws: Callable[[str], Any], jobs: list[ss.Job]
) -> None:
    cloudformation, scheduler = aws("cloudformation"), aws("scheduler")
    groups = {job.group for job in jobs}
    with client_of(ministack, account) as client:
        client.apply(jobs)
        wanted = schedules(scheduler, groups)
        for job in jobs:
            client.cancel(job.name)
        for group in groups - {"default"}:
            scheduler.delete_schedule_group(Name=group)
        made = ss.deploy.jobs_to_cloudformation(jobs, role_arn=ROLE, names=True, now=NOW)
        cloudformation.create_stack(StackName="jobs", TemplateBody=json.dumps(made))
        assert schedules(scheduler, groups) == wanted
        assert len(wanted) == len(jobs)
        records = {record.name: record for record in client.list()}
        assert all(record.owned for record in records.values())
        utc = [
            job for job in jobs if getattr(job.schedule, "timezone", "UTC") == "UTC" and not _has_dates(job)
        ]
        assert utc
        assert client.plan(utc).is_empty
        cloudformation.delete_stack(StackName="jobs")
        assert not client.list()


def _has_dates(job: ss.Job) -> bool:
    return any(getattr(job.schedule, name, None) is not None for name in ("start", "end"))


def test_two_stacks_of_the_same_jobs_stand_in_one_account(
    ministack: Ministack, account: str, aws: Callable[[str], Any], jobs: list[ss.Job]
) -> None:
    cloudformation, scheduler, iam = aws("cloudformation"), aws("scheduler"), aws("iam")
    made = json.dumps(ss.deploy.jobs_to_cloudformation(jobs, now=NOW))
    for name in ("blue", "green"):
        cloudformation.create_stack(StackName=name, TemplateBody=made, Capabilities=["CAPABILITY_IAM"])
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
    groups = {each["Name"] for each in scheduler.list_schedule_groups()["ScheduleGroups"]}
    assert len(groups) == 1 + 2 * len({job.group for job in jobs} - {"default"})
    found = schedules(scheduler, groups)
    assert len(found) == 2 * len(jobs)
    roles = {each["Target"]["RoleArn"] for each in found.values()}
    assert len(roles) == 2
    for arn in roles:
        name = arn.rpartition("/")[2]
        policy = iam.get_role_policy(RoleName=name, PolicyName="stepsched")["PolicyDocument"]
        assert policy == ss.iam.policy_for(jobs, account=account, region=REGION)
    with client_of(ministack, account) as client:
        assert not any(record.owned for record in client.list())
        assert not client.plan([jobs[0]], prune=True).cancel
    for name in ("blue", "green"):
        cloudformation.delete_stack(StackName=name)


def test_a_changed_job_changes_its_schedule_in_place(
    ministack: Ministack, account: str, aws: Callable[[str], Any], jobs: list[ss.Job]
) -> None:
    cloudformation, scheduler = aws("cloudformation"), aws("scheduler")
    here = [job for job in jobs if job.group == "default"]
    changed = [here[0].replace(enabled=not here[0].enabled), *here[1:]]
    bodies = [
        json.dumps(ss.deploy.jobs_to_cloudformation(each, role_arn=ROLE, names=True, now=NOW))
        for each in (here, changed, here[1:])
    ]
    cloudformation.create_stack(StackName="jobs", TemplateBody=bodies[0])
    before = schedules(scheduler, {"default"})
    cloudformation.update_stack(StackName="jobs", TemplateBody=bodies[1])
    after = schedules(scheduler, {"default"})
    assert [name for name in before if before[name] != after[name]] == [here[0].name]
    cloudformation.update_stack(StackName="jobs", TemplateBody=bodies[2])
    assert schedules(scheduler, {"default"}).keys() == before.keys() - {here[0].name}
    cloudformation.delete_stack(StackName="jobs")
