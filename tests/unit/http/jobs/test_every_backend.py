"""The same requests on every backend: an answer, or a refusal that says what to use instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args

import pytest
from moto import mock_aws

import stepsched as ss
from stepsched.http import jobs_app
from stepsched.machines.shared import table_schema
from stepsched.machines.shared.runner import runner
from stepsched.targets import AwsTarget
from tests.sessions import new_session
from tests.unit.http.jobs.asking import Asking

REGION, ACCOUNT = "eu-west-1", "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
JOB = {
    "name": "job",
    "cron": "0 9 ? * MON-FRI *",
    "timezone": "Europe/Paris",
    "target": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f",
}
HANDLERS: Any = dict.fromkeys(get_args(AwsTarget), print)


@pytest.fixture(params=["memory", "file", "eventbridge", "stepfunctions"])
def backend(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[ss.backends.Backend]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with ExitStack() as stack:
        match request.param:
            case "memory":
                made: ss.backends.Backend = ss.LocalBackend(handlers=HANDLERS)
            case "file":
                made = ss.LocalBackend(tmp_path / "jobs.db", handlers=HANDLERS)
            case "eventbridge":
                stack.enter_context(mock_aws())
                made = ss.EventBridgeBackend(ROLE, session=new_session(region_name=REGION))
            case _:
                stack.enter_context(mock_aws())
                made = _on_step_functions()
        stack.callback(made.close)
        yield made


def _on_step_functions() -> ss.StepFunctionsBackend:
    session = new_session(region_name=REGION)
    session.client("dynamodb").create_table(**table_schema.creation("jobs"))
    machine = session.client("stepfunctions").create_state_machine(
        name="runner", definition=runner("jobs").to_json(), roleArn=ROLE
    )
    return ss.StepFunctionsBackend(
        state_machine_arn=machine["stateMachineArn"], table_name="jobs", session=session
    )


@pytest.fixture
def ask(backend: ss.backends.Backend) -> Asking:
    return Asking(jobs_app(ss.SchedulerClient(backend), authenticate=None))


def test_the_life_of_a_job(ask: Asking) -> None:
    created = ask("POST", "/jobs", JOB, headers={"idempotency-key": "k"})
    assert created.status_code == 201, created.text
    tag = created.headers["etag"]
    assert ask("GET", "/jobs/job").headers["etag"] == tag
    assert ask("POST", "/jobs", JOB).status_code == 200
    again = ask("POST", "/jobs", JOB, headers={"idempotency-key": "k"})
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    changed = ask("PATCH", "/jobs/job", {"cron": "30 9 ? * MON-FRI *"}, headers={"if-match": tag})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert ask("PUT", "/jobs/job", JOB, headers={"if-match": tag}).status_code == 412
    paused = ask("POST", "/jobs/job/pause", {"reason": "maintenance"}).json()
    assert (paused["status"], paused["pause_reason"]) == ("paused", "maintenance")
    assert ask("GET", "/jobs/job").headers["etag"] == changed.headers["etag"]
    assert ask("POST", "/jobs/job/resume").json()["status"] == "active"
    assert ask("GET", "/jobs?status=active").json()["items"][0]["job"]["name"] == "job"
    assert len(ask("GET", "/upcoming?limit=2").json()["items"]) == 2
    assert ask("DELETE", "/jobs/job").json()["status"] == "cancelled"
    assert ask("GET", "/jobs/job").status_code == 404


def test_a_set_of_jobs_is_planned_and_applied(ask: Asking) -> None:
    ask("POST", "/jobs", {**JOB, "name": "gone"})
    body = {"jobs": [JOB], "prune": True}
    tag = ask("POST", "/plan", body).headers["etag"]
    applied = ask("POST", "/apply", body, headers={"if-match": tag})
    assert applied.status_code == 200, applied.text
    assert [each["job"]["name"] for each in ask("GET", "/jobs").json()["items"]] == ["job"]
    assert ask("POST", "/apply", body, headers={"if-match": tag}).status_code == 412
    assert ask("POST", "/apply", body).json()["is_empty"]


def test_runs_are_listed_or_refused(ask: Asking, backend: ss.backends.Backend) -> None:
    ask("POST", "/jobs", JOB)
    made = [ask("POST", "/jobs/job/run") for _ in range(3)]
    assert [each.status_code for each in made] == [202] * 3
    if not backend.capabilities.keeps_runs:
        refusal = ask("GET", "/jobs/job/runs")
        assert (refusal.status_code, refusal.json()["code"]) == (501, "unsupported")
        assert refusal.json()["instead"]
        return
    first = ask("GET", "/jobs/job/runs?limit=2").json()
    second = ask("GET", first["next"]).json()
    found = [each["id"] for each in first["items"] + second["items"]]
    assert sorted(found, key=int) == sorted((each.json()["id"] for each in made), key=int)
    assert found == sorted(found, key=int, reverse=True)
    for each in made:
        assert ask("GET", each.headers["location"]).json()["id"] == each.json()["id"]


def test_events_are_refused_where_none_are_kept(ask: Asking, backend: ss.backends.Backend) -> None:
    if backend.capabilities.keeps_events:
        return  # they have no end: see test_server.py
    refusal = ask("GET", "/events")
    assert (refusal.status_code, refusal.json()["instead"]) == (501, ["LocalBackend"])


def test_what_a_backend_cannot_do_is_refused(ask: Asking, backend: ss.backends.Backend) -> None:
    answer = ask("POST", "/jobs", {**JOB, "catch_up_within": "5 minutes"})
    assert answer.status_code == (201 if backend.capabilities.catch_up_within else 501)
    if answer.status_code == 501:
        assert "LocalBackend" in answer.json()["instead"]
        assert ask("GET", "/jobs").json()["items"] == []
