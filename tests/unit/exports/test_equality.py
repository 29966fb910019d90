"""Each template creates what ``client.apply`` creates, field by field, on the same store."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from moto import mock_aws

import stepsched as ss
from stepsched.testing import FakeClock
from tests.sessions import new_session
from tests.unit.exports.generated import NOW, generated
from tests.unit.exports.readers import cloudformation_requests, terraform_requests

ROLE = "arn:aws:iam::123456789012:role/scheduler"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:failed"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/one"
COUNT = 208
FORMS: dict[str, tuple[Callable[..., dict[str, Any]], Callable[[str], dict[str, dict[str, Any]]]]] = {
    "cloudformation": (ss.deploy.jobs_to_cloudformation, cloudformation_requests),
    "terraform": (ss.deploy.jobs_to_terraform, terraform_requests),
}
Documents = dict[tuple[str, str], dict[str, Any]]
each_form = pytest.mark.parametrize("form", FORMS)
pytestmark = pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")


def set_credentials(patch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "test")


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    set_credentials(monkeypatch)


def kept(jobs: list[ss.Job]) -> list[ss.Job]:
    """The jobs, with one-time ones that are kept after their run."""
    return [job.replace(completion=ss.Completion.KEEP) if job.is_one_time else job for job in jobs]


def backend_of(session: Any, **settings: Any) -> ss.EventBridgeBackend:
    return ss.EventBridgeBackend(ROLE, session=session, clock=FakeClock(NOW), workers=1, **settings)


def stored(scheduler: Any, groups: set[str]) -> Documents:
    """All schedules as the service gives them back, without what differs from one creation to another."""
    found = Documents()
    for group in groups:
        pages = scheduler.get_paginator("list_schedules").paginate(GroupName=group)
        for entry in (entry for page in pages for entry in page["Schedules"]):
            document = scheduler.get_schedule(Name=entry["Name"], GroupName=group)
            for key in ("Arn", "CreationDate", "LastModificationDate", "ResponseMetadata"):
                del document[key]
            found[group, entry["Name"]] = document
    return found


def put(scheduler: Any, requests: dict[str, dict[str, Any]]) -> None:
    """Creates schedules, and their groups."""
    for group in {each["GroupName"] for each in requests.values()} - {"default"}:
        scheduler.create_schedule_group(Name=group)
    for request in requests.values():
        scheduler.create_schedule(**request)


def comparable(document: dict[str, Any], job: ss.Job) -> dict[str, Any]:
    """What must be equal: the description without the schedule in words, a rate without the instant of its
    creation, and the parameters of a task with the defaults of the service and without the order of sets."""
    made = json.loads(json.dumps(document, default=lambda value: value.isoformat()))
    text, words, rest = made["Description"].partition('"when":')
    if words:
        assert json.loads("{" + words + rest.removesuffix("]"))["when"] == job.schedule.describe()
        made["Description"] = f"{text.rstrip(',').removesuffix(' {')}{'}' if text.endswith(',') else ''}]"
    made.setdefault("ActionAfterCompletion", "NONE")  # the default of the service, which moto leaves out
    if job.starts_at_creation:
        made.pop("StartDate", None)
    task = made["Target"].get("EcsParameters")
    if task is not None:
        for key, default in (
            ("EnableECSManagedTags", False),
            ("EnableExecuteCommand", False),
            ("TaskCount", 1),
        ):
            task.setdefault(key, default)
        network = task.get("NetworkConfiguration", {}).get("awsvpcConfiguration")
        if network is not None:
            network.setdefault("AssignPublicIp", "DISABLED")
            network["Subnets"].sort()
    return dict(made)


def applied(jobs: list[ss.Job], **settings: str) -> Documents:
    """What the client creates."""
    with mock_aws():
        session = new_session(region_name="eu-west-1")
        backend, groups = backend_of(session, **settings), {job.group for job in jobs}
        for group in groups:
            backend.ensure_group(group)  # moto's answer for a missing one is not that of AWS
        with ss.SchedulerClient(backend) as client:
            client.create_many(jobs)
        return stored(session.client("scheduler"), groups)


@pytest.fixture(scope="module")
def many() -> tuple[list[ss.Job], Documents]:
    """Jobs that both forms can express, and their schedules as the client creates them."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", ss.ScheduleWarning)
        set_credentials(patch)
        jobs = kept(generated(COUNT, seed=1))
        return jobs, applied(jobs)


def check_equal(form: str, jobs: list[ss.Job], wanted: Documents, **settings: str) -> None:
    """Creates the schedules of a template; they are those that are wanted, and the client has nothing to
    change."""
    make, read = FORMS[form]
    requests = read(json.dumps(make(jobs, role_arn=ROLE, names=True, now=NOW, **settings)))
    with mock_aws():
        session = new_session(region_name="eu-west-1")
        put(session.client("scheduler"), requests)
        exported = stored(session.client("scheduler"), {job.group for job in jobs})
        with ss.SchedulerClient(backend_of(session, **settings)) as client:
            plan = client.plan(jobs)
            record = client.get(jobs[0].name)
    assert len(wanted) == len(jobs)
    assert exported.keys() == wanted.keys()
    for job in jobs:
        place = job.group, job.name
        assert comparable(exported[place], job) == comparable(wanted[place], job)
    assert plan.is_empty, str(plan)
    assert len(plan.unchanged) == len(jobs)
    assert (record.job, record.owned, record.version) == (jobs[0], True, 1)


@each_form
def test_a_template_creates_what_apply_creates(form: str, many: tuple[list[ss.Job], Documents]) -> None:
    check_equal(form, *many)


@each_form
def test_so_it_does_with_a_queue_and_a_key_for_all(form: str) -> None:
    jobs = generated(30, seed=2)
    jobs = jobs if form == "terraform" else kept(jobs)  # which deletes schedules, and CloudFormation cannot
    assert form != "terraform" or any(job.is_one_time and job.completion.value == "delete" for job in jobs)
    settings = {"dead_letter_arn": QUEUE, "kms_key_arn": KEY}
    check_equal(form, jobs, applied(jobs, **settings), **settings)


@each_form
def test_without_names_the_rest_is_the_same_and_the_client_leaves_it_alone(form: str) -> None:
    make, read = FORMS[form]
    jobs = kept(generated(36, seed=7))
    named, unnamed = (
        read(json.dumps(make(jobs, role_arn=ROLE, names=names, now=NOW))) for names in (True, False)
    )
    assert named.keys() == unnamed.keys()
    varying = ("Name", "GroupName", "Description")
    for id_, request in named.items():
        other = unnamed[id_]
        assert {**request, **dict.fromkeys(varying)} == {**other, **dict.fromkeys(varying)}
    with mock_aws():
        session = new_session(region_name="eu-west-1")
        put(session.client("scheduler"), unnamed)
        with ss.SchedulerClient(backend_of(session)) as client:
            records = client.list()
            plan = client.plan([jobs[0].replace(name="other")], prune=True)
    assert len(records) == 36
    assert not any(record.owned for record in records)
    assert sorted(record.job.schedule.describe() for record in records) == sorted(
        job.schedule.describe() for job in jobs
    )
    assert [job.name for job in plan.create] == ["other"]
    assert not plan.cancel
