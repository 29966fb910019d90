"""Jobs over HTTP: created, read, listed, replaced, moved, paused and deleted."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import stepsched as ss
from stepsched.http import jobs_app
from stepsched.jobs.documents import read_job
from stepsched.testing import FakeClock
from tests.unit.http.jobs.asking import Asking

START = datetime(2030, 1, 1, tzinfo=timezone.utc)
FUNCTION = "os:getcwd"
DAILY = {"name": "daily", "cron": "0 9 ? * MON-FRI *", "timezone": "Europe/Paris", "target": FUNCTION}


@pytest.fixture
def backend() -> ss.LocalBackend:
    return ss.LocalBackend(clock=FakeClock(START))


@pytest.fixture
def client(backend: ss.LocalBackend) -> ss.SchedulerClient:
    return ss.SchedulerClient(backend)


@pytest.fixture
def ask(client: ss.SchedulerClient) -> Asking:
    return Asking(jobs_app(client, authenticate=None, allow_targets=["handler", "http"]))


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    return document


def places(document: dict[str, Any]) -> list[str]:
    return [each["place"] for each in document["errors"]]


# -- create --------------------------------------------------------------------------------------------


def test_a_job_is_created(ask: Asking, client: ss.SchedulerClient) -> None:
    answer = ask("POST", "/jobs", DAILY)
    assert answer.status_code == 201
    assert answer.headers["location"] == "/jobs/daily"
    assert answer.headers["etag"] == ask("GET", "/jobs/daily").headers["etag"]
    document = answer.json()
    assert document["status"] == "active"
    assert document["version"] == 1
    assert document["next_run"] == "2030-01-01T09:00:00+01:00"
    assert read_job(document["job"]) == client.get("daily").job


def test_an_equal_job_is_no_error_and_another_one_of_the_name_is(ask: Asking) -> None:
    assert [ask("POST", "/jobs", DAILY).status_code for _ in range(2)] == [201, 200]
    problem(ask("POST", "/jobs", {**DAILY, "cron": "0 10 ? * MON-FRI *"}), 409, "job_exists")


@pytest.mark.parametrize(
    ("given", "schedule"),
    [
        pytest.param({"in": "5m"}, ss.OneTime("2030-01-01T00:05:00"), id="in minutes"),
        pytest.param({"in": "1d2h3m4s"}, ss.OneTime("2030-01-02T02:03:04"), id="in all units"),
        pytest.param({"in": "PT5M"}, ss.OneTime("2030-01-01T00:05:00"), id="in ISO 8601"),
        pytest.param({"in": "1 hour and 30 minutes"}, ss.OneTime("2030-01-01T01:30:00"), id="in words"),
        pytest.param({"in": "PT1.5S"}, ss.OneTime("2030-01-01T00:00:02"), id="in, rounded up"),
        pytest.param({"at": "2031-01-01T09:00:00Z"}, ss.OneTime("2031-01-01T09:00:00"), id="at an instant"),
        pytest.param(
            {"at": "2031-01-01T09:00", "timezone": "Asia/Tokyo"},
            ss.OneTime("2031-01-01T09:00", timezone="Asia/Tokyo"),
            id="at a wall time",
        ),
        pytest.param({"cron": "0 9 ? * MON-FRI *"}, ss.Cron("0 9 ? * MON-FRI *"), id="cron of AWS"),
        pytest.param({"cron": "cron(0 9 ? * MON-FRI *)"}, ss.Cron("0 9 ? * MON-FRI *"), id="cron()"),
        pytest.param({"cron": "0 9 * * 1-5"}, ss.Cron(crontab="0 9 * * 1-5"), id="a line of a crontab"),
        pytest.param({"every": "5 minutes"}, ss.Rate(timedelta(minutes=5)), id="every"),
        pytest.param({"schedule": "rate(5 minutes)"}, ss.Rate(timedelta(minutes=5)), id="as in files"),
    ],
)
def test_the_forms_of_a_schedule(
    ask: Asking, client: ss.SchedulerClient, given: dict[str, object], schedule: object
) -> None:
    answer = ask("POST", "/jobs", {"name": "a", "target": FUNCTION, **given})
    assert answer.status_code == 201, answer.text
    assert client.get("a").job.schedule == schedule


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"in": "0s"}, ["/in"], id="in no time"),
        pytest.param({"in": "-5m"}, ["/in"], id="in the past"),
        pytest.param({"in": ""}, ["/in"], id="in nothing"),
        pytest.param({"in": 5}, ["/in"], id="in a number without unit"),
        pytest.param({"in": "P9999999D"}, ["/in"], id="in too long a time"),
        pytest.param({"in": "99999d", "at": "2031-01-01T00:00"}, ["/in"], id="in and at"),
        pytest.param({"cron": "x", "schedule": "y"}, ["/schedule"], id="cron and schedule"),
        pytest.param({"at": "soon"}, ["/at"], id="at no instant"),
        pytest.param({"at": "2029-01-01T00:00:00Z"}, ["/schedule"], id="at an instant that has passed"),
        pytest.param({"cron": "61 9 * * 1-5"}, ["/cron"], id="cron with 61 minutes"),
        pytest.param({"cron": None}, ["/cron"], id="cron of nothing"),
        pytest.param({}, ["/schedule"], id="none"),
        pytest.param(
            {"in": "5m", "group": "a b", "bla": 1, "retry": {"max_age": "1 s"}},
            ["/bla", "/group", "/retry/max_age"],
            id="several faults",
        ),
        pytest.param({"in": "soon", "group": "a b", "bla": 1}, ["/bla", "/group", "/in"], id="beside in"),
        pytest.param({"in": "5m", "every": "1 hour", "bla": 1}, ["/bla", "/every"], id="beside two"),
    ],
)
def test_every_fault_of_a_job_is_named_with_its_place(
    ask: Asking, client: ss.SchedulerClient, given: dict[str, object], expected: list[str]
) -> None:
    answer = ask("POST", "/jobs", {"name": "a", "target": FUNCTION, **given})
    assert answer.status_code == 422
    assert sorted(places(answer.json())) == expected
    assert client.list() == []


def test_what_the_backend_cannot_do_is_said_with_what_would_work(ask: Asking) -> None:
    target = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    document = problem(ask("POST", "/jobs", {**DAILY, "target": target}), 501, "unsupported")
    assert document["instead"]


# -- names ---------------------------------------------------------------------------------------------


NAMES = [
    *("a/b", "../a", "a b", "ü", "100%", "a%2Fb", "a?b#c", "jobs", "a;b=c", "+", "a..b", "'\"<>"),
    "\U0001f600",
]


@pytest.mark.parametrize("prefix", ["", "/v1", "/a/b"])
@pytest.mark.parametrize("name", NAMES)
def test_any_name_has_a_path(client: ss.SchedulerClient, name: str, prefix: str) -> None:
    app = jobs_app(client, authenticate=None, allow_targets=["handler"])
    ask = Asking(Starlette(routes=[Mount(prefix, app)]) if prefix else app)
    answer = ask("PUT", f"{prefix}/jobs/{quote(name, safe='')}", {"target": FUNCTION, "in": "5m"})
    assert answer.status_code == 201, answer.text
    path = answer.headers["location"]
    assert path.startswith(f"{prefix}/jobs/")
    assert ask("GET", path).json()["job"]["name"] == name
    run = ask("POST", f"{path}/run")
    assert ask("GET", run.headers["location"]).json()["job"] == name
    assert ask("GET", f"{path}/runs").json()["items"] == [run.json()]
    assert ask("DELETE", path).json()["status"] == "cancelled"


@pytest.mark.parametrize("path", ["/jobs/a/b", "/jobs/", "/jobs/%ff", "/nothing", "/jobs/a/run/b", "//jobs"])
def test_other_paths_are_nothing(ask: Asking, path: str) -> None:
    problem(ask("GET", path), 404, "no_such_resource")


@pytest.mark.parametrize("name", ["%20", "%0a", ".%00", "a" * 257])
def test_what_cannot_be_a_name_is_no_job(ask: Asking, name: str) -> None:
    problem(ask("GET", f"/jobs/{name}"), 404, "job_not_found")


def test_another_method_is_refused_with_those_that_there_are(ask: Asking) -> None:
    answer = ask("DELETE", "/jobs")
    problem(answer, 405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_head_is_answered_without_a_body(ask: Asking) -> None:
    answer = ask("HEAD", "/jobs")
    assert (answer.status_code, answer.content) == (200, b"")


# -- replace and change --------------------------------------------------------------------------------


def test_put_creates_then_replaces(ask: Asking) -> None:
    created = ask("PUT", "/jobs/daily", {**DAILY, "name": "daily"})
    assert (created.status_code, created.headers["location"]) == (201, "/jobs/daily")
    replaced = ask("PUT", "/jobs/daily", {"target": FUNCTION, "in": "5m"})
    assert (replaced.status_code, replaced.json()["version"]) == (200, 2)
    again = ask("PUT", "/jobs/daily", {"target": FUNCTION, "in": "5m"})
    assert (again.json()["version"], again.headers["etag"]) == (2, replaced.headers["etag"])


def test_the_name_in_a_document_is_that_of_the_path(ask: Asking) -> None:
    document = problem(ask("PUT", "/jobs/other", DAILY), 422, "invalid_job")
    assert places(document) == ["/name"]


def test_an_entity_tag_guards_a_change(ask: Asking) -> None:
    first = ask("POST", "/jobs", DAILY).headers["etag"]
    second = ask("PATCH", "/jobs/daily", {"description": "b"}, headers={"if-match": first}).headers["etag"]
    assert first != second
    for method, path, body in (
        ("PUT", "/jobs/daily", DAILY),
        ("PATCH", "/jobs/daily", {"description": "c"}),
        ("DELETE", "/jobs/daily", None),
        ("POST", "/jobs/daily/pause", {}),
        ("POST", "/jobs/daily/resume", {}),
        ("POST", "/jobs/daily/run", {}),
    ):
        answer = ask(method, path, body, headers={"if-match": first})
        problem(answer, 412, "precondition_failed")
        assert answer.headers["etag"] == second
    assert ask("DELETE", "/jobs/daily", headers={"if-match": f'"x", {second}'}).status_code == 200


def test_a_job_that_was_created_anew_has_another_tag(ask: Asking) -> None:
    first = ask("POST", "/jobs", DAILY).headers["etag"]
    ask("DELETE", "/jobs/daily")
    assert ask("POST", "/jobs", {**DAILY, "description": "new"}).headers["etag"] != first


def test_runs_and_pauses_leave_the_tag(ask: Asking, backend: ss.LocalBackend) -> None:
    tag = ask("POST", "/jobs", DAILY).headers["etag"]
    backend.run_until(START + timedelta(days=2))
    ask("POST", "/jobs/daily/pause")
    assert ask("GET", "/jobs/daily").headers["etag"] == tag


def test_preconditions_of_existence(ask: Asking) -> None:
    absent = ask("PUT", "/jobs/daily", DAILY, headers={"if-match": "*"})
    problem(absent, 412, "precondition_failed")
    assert ask("PUT", "/jobs/daily", DAILY, headers={"if-none-match": "*"}).status_code == 201
    problem(ask("PUT", "/jobs/daily", DAILY, headers={"if-none-match": "*"}), 412, "precondition_failed")
    assert ask("PUT", "/jobs/daily", DAILY, headers={"if-match": "*"}).status_code == 200
    problem(ask("PATCH", "/jobs/other", {}, headers={"if-match": "*"}), 412, "precondition_failed")


@pytest.mark.parametrize(
    ("patch", "schedule"),
    [
        pytest.param(
            {"at": "2030-02-01T10:00"},
            ss.OneTime("2030-02-01T10:00", timezone="Europe/Paris"),
            id="wall",
        ),
        pytest.param({"at": "2030-02-01T10:00:00Z"}, ss.OneTime("2030-02-01T10:00"), id="instant"),
        pytest.param({"in": "1h"}, ss.OneTime("2030-01-01T01:00"), id="in"),
        pytest.param(
            {"cron": "30 9 * * 1-5"}, ss.Cron(crontab="30 9 * * 1-5", timezone="Europe/Paris"), id="cron"
        ),
        pytest.param(
            {"timezone": "Asia/Tokyo"}, ss.Cron("0 9 ? * MON-FRI *", timezone="Asia/Tokyo"), id="zone"
        ),
        pytest.param({"timezone": None}, ss.Cron("0 9 ? * MON-FRI *"), id="zone removed"),
        pytest.param({"every": "5 minutes", "timezone": None}, ss.Rate(timedelta(minutes=5)), id="every"),
        pytest.param(
            {"schedule": {"kind": "rate", "every": "1 hour"}}, ss.Rate(timedelta(hours=1)), id="full"
        ),
    ],
)
def test_a_patch_moves_a_job(
    ask: Asking, client: ss.SchedulerClient, patch: dict[str, object], schedule: object
) -> None:
    ask("POST", "/jobs", {**DAILY, "description": "stays"})
    assert ask("PATCH", "/jobs/daily", patch).status_code == 200
    job = client.get("daily").job
    assert (job.schedule, job.description) == (schedule, "stays")


def test_a_patch_merges_objects_and_removes_members(ask: Asking, client: ss.SchedulerClient) -> None:
    ask("POST", "/jobs", {**DAILY, "tags": {"a": "1", "b": "2"}, "input": {"x": {"y": 1, "z": 2}}})
    kind = {"content-type": "application/merge-patch+json"}
    patch = {"tags": {"a": None, "c": "3"}, "input": {"x": {"y": None}}}
    assert ask("PATCH", "/jobs/daily", patch, headers=kind).status_code == 200
    job = client.get("daily").job
    assert (job.tags, job.input) == ({"b": "2", "c": "3"}, {"x": {"z": 2}})


def test_a_patch_that_makes_no_job_changes_nothing(ask: Asking) -> None:
    ask("POST", "/jobs", DAILY)
    document = problem(ask("PATCH", "/jobs/daily", {"target": None, "group": "a b"}), 422, "invalid_job")
    assert sorted(places(document)) == ["/group", "/target"]
    assert ask("GET", "/jobs/daily").json()["version"] == 1


def test_a_job_is_moved_and_cancelled_until_a_second_before(ask: Asking, backend: ss.LocalBackend) -> None:
    ask("POST", "/jobs", {"name": "once", "target": FUNCTION, "at": "2030-01-01T01:00:00Z"})
    backend.run_until(START + timedelta(minutes=59, seconds=59))
    assert ask("PATCH", "/jobs/once", {"at": "2030-01-01T02:00:00Z"}).status_code == 200
    backend.run_until(START + timedelta(hours=1, minutes=59, seconds=59))
    assert ask("GET", "/jobs/once/runs").json()["items"] == []
    assert ask("DELETE", "/jobs/once").status_code == 200
    backend.run_until(START + timedelta(hours=3))
    problem(ask("GET", "/jobs/once"), 404, "job_not_found")


class Overtaken(ss.SchedulerClient):
    """Another caller changes the job between the reading of a version and the change, so many times."""

    times = 0

    def update(self, job: ss.Job, *, expected_version: int | None = None) -> ss.JobRecord:
        if self.times:
            self.times -= 1
            present = self.get(job.name).job
            super().update(present.replace(tags={"times": str(self.times)}))
        return super().update(job, expected_version=expected_version)


@pytest.mark.parametrize(
    ("method", "body"), [("PUT", {**DAILY, "description": "x"}), ("PATCH", {"description": "x"})]
)
def test_a_change_that_another_one_overtakes_is_made_anew_or_refused(
    backend: ss.LocalBackend, method: str, body: object
) -> None:
    client = Overtaken(backend)
    ask = Asking(jobs_app(client, authenticate=None, allow_targets=["handler"]))
    tag = ask("POST", "/jobs", DAILY).headers["etag"]
    client.times = 1
    problem(ask(method, "/jobs/daily", body, headers={"if-match": tag}), 412, "precondition_failed")
    client.times = 2
    assert ask(method, "/jobs/daily", body).status_code == 200
    assert client.get("daily").job.description == "x"
    client.times = 99
    problem(ask(method, "/jobs/daily", {**DAILY, "description": "y"}), 409, "conflict")


# -- pause, resume, versions ---------------------------------------------------------------------------


def test_a_job_is_paused_with_a_reason_and_resumed(ask: Asking) -> None:
    ask("POST", "/jobs", DAILY)
    paused = ask("POST", "/jobs/daily/pause", {"reason": "maintenance"}).json()
    assert (paused["status"], paused["pause_reason"], paused["next_run"]) == ("paused", "maintenance", None)
    assert ask("POST", "/jobs/daily/resume").json()["status"] == "active"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"reason": ""}, "/reason"),
        ({"reason": "x" * 201}, "/reason"),
        ({"reason": 1}, "/reason"),
        ({"stop_run": "yes"}, "/stop_run"),
        ({"why": "x"}, "/why"),
    ],
)
def test_what_is_no_pause_is_refused(ask: Asking, body: object, place: str) -> None:
    ask("POST", "/jobs", DAILY)
    answer = ask("POST", "/jobs/daily/pause", body)
    assert (answer.status_code, places(answer.json())) == (422, [place])
    assert ask("GET", "/jobs/daily").json()["status"] == "active"


def test_a_job_that_has_ended_cannot_be_paused(ask: Asking, backend: ss.LocalBackend) -> None:
    ask("POST", "/jobs", {"name": "a", "target": FUNCTION, "in": "5m", "completion": "keep"})
    backend.run_until(START + timedelta(hours=1))
    problem(ask("POST", "/jobs/a/pause"), 409, "invalid_transition")


def test_the_earlier_definitions_are_listed(ask: Asking) -> None:
    ask("POST", "/jobs", DAILY)
    ask("PATCH", "/jobs/daily", {"description": "b", "input": {"password": "x"}})
    ask("PATCH", "/jobs/daily", {"description": "c"})
    items = ask("GET", "/jobs/daily/versions").json()["items"]
    assert [each["version"] for each in items] == [1, 2]
    assert items[1]["job"]["input"] == {"password": "***"}


# -- lists ---------------------------------------------------------------------------------------------


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["job"]["name"] for each in answer.json()["items"]]


def fill(client: ss.SchedulerClient, *wanted: str, **fields: Any) -> None:
    for name in wanted:
        schedule = ss.Rate(timedelta(minutes=5))
        client.create(ss.Job(name=name, schedule=schedule, target=ss.HandlerTarget(FUNCTION), **fields))


def test_a_list_has_the_jobs_that_match_all_conditions(ask: Asking, client: ss.SchedulerClient) -> None:
    fill(client, "a1", "b1", tags={"team": "a", "kind": "x"})
    fill(client, "a2", group="reports", tags={"team": "b:c"})
    client.pause("b1")
    assert names(ask("GET", "/jobs")) == ["a1", "a2", "b1"]
    assert names(ask("GET", "/jobs?status=paused")) == ["b1"]
    assert names(ask("GET", "/jobs?name_prefix=a")) == ["a1", "a2"]
    assert names(ask("GET", "/jobs?name_prefix=%20")) == []
    assert names(ask("GET", "/jobs?group=reports")) == ["a2"]
    assert names(ask("GET", "/jobs?tag=team:a&tag=kind:x&name_prefix=a")) == ["a1"]
    assert names(ask("GET", "/jobs?tag=team:b:c")) == ["a2"]


def test_pages_have_every_job_once_whatever_changes(ask: Asking, client: ss.SchedulerClient) -> None:
    fill(client, *"acegik")
    first = ask("GET", "/jobs?limit=2&name_prefix=")
    assert names(first) == ["a", "c"]
    assert first.headers["link"] == f'<{first.json()["next"]}>; rel="next"'
    client.cancel("a")
    client.cancel("e")
    fill(client, "b", "f")
    second = ask("GET", first.json()["next"])
    assert names(second) == ["f", "g"]
    third = ask("GET", second.json()["next"])
    assert names(third) == ["i", "k"]
    assert third.json()["next"] is None
    assert "link" not in third.headers


def test_the_links_of_a_mounted_application_have_its_path(client: ss.SchedulerClient) -> None:
    fill(client, "a", "b")
    app = jobs_app(client, authenticate=None)
    ask = Asking(Starlette(routes=[Mount("/v1", app)]))
    link = ask("GET", "/v1/jobs?limit=1").json()["next"]
    assert names(ask("GET", link)) == ["b"]


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=1001", "limit=x", "limit=-1", "limit=1&limit=2", "cursor=x", "cursor=", "bla=1"),
        *(
            "status=bla",
            "group=a%20b",
            "tag=a",
            "tag=a:",
            "tag=:a",
            "cursor=bnVsbA==",
            "cursor=WzEsMl0=",
            "cursor=WyJcdWQ4MDAiLCIiXQ==",
        ),
        *("name_prefix=%ff", "&".join(f"tag=a:{number}" for number in range(101)), "limit=%C2%B2"),
    ],
)
def test_a_parameter_that_is_not_valid_is_refused(ask: Asking, query: str) -> None:
    problem(ask("GET", f"/jobs?{query}"), 400, "invalid_parameter")


def test_upcoming_runs_are_listed(ask: Asking, client: ss.SchedulerClient) -> None:
    fill(client, "a", "b")
    items = ask("GET", "/upcoming?limit=3").json()["items"]
    assert [each["job"] for each in items] == ["a", "b", "a"]
    until = ask("GET", "/upcoming?until=2030-01-01T00:07:00Z&name_prefix=b").json()["items"]
    assert until == [{"at": "2030-01-01T00:05:00Z", "job": "b", "group": "default"}]
    problem(ask("GET", "/upcoming?until=2030-01-01T00:07:00"), 400, "invalid_parameter")


# -- secrets -------------------------------------------------------------------------------------------


HOOK: dict[str, Any] = {
    "name": "hook",
    "every": "1 hour",
    "target": {
        "kind": "http",
        "url": "https://example.com/hook",
        "headers": {"x-plain": "hidden-1", "authorization": "hidden-2"},
        "signing_secret": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    },
    "input": {"api_key": "hidden-3", "text": "a *** b"},
}
HIDDEN = ("hidden", "MfKQ9r8G")


def test_no_answer_has_a_secret_of_a_job(ask: Asking, client: ss.SchedulerClient) -> None:
    answers = [
        ask("POST", "/jobs", HOOK),
        ask("GET", "/jobs/hook"),
        ask("GET", "/jobs"),
        ask("PATCH", "/jobs/hook", {"description": "b"}),
        ask("GET", "/jobs/hook/versions"),
        ask("POST", "/plan", {"jobs": [{**HOOK, "input": {"api_key": "hidden-4"}}]}),
        ask("POST", "/apply", {"jobs": [{**HOOK, "input": {"api_key": "hidden-4"}}]}),
        ask("POST", "/jobs", {**HOOK, "bla": "x", "every": {"password": "hidden-5"}}),
        ask("POST", "/jobs", HOOK),
        ask("DELETE", "/jobs/hook"),
    ]
    assert [each.status_code for each in answers] == [201, *[200] * 6, 422, 409, 200]
    for answer in answers:
        assert not any(word in answer.text for word in HIDDEN), answer.text
    document = answers[1].json()["job"]
    assert document["target"]["headers"] == {"x-plain": "***", "authorization": "***"}
    assert document["input"] == {"api_key": "***", "text": "a *** b"}


def test_a_patch_keeps_the_secrets(ask: Asking, client: ss.SchedulerClient) -> None:
    ask("POST", "/jobs", HOOK)
    before = client.get("hook").job
    assert ask("PATCH", "/jobs/hook", {"description": "b", "input": {"text": "*** c"}}).status_code == 200
    after = client.get("hook").job
    assert after.target == before.target
    assert after.input == {"api_key": "hidden-3", "text": "*** c"}


@pytest.mark.timeout(60)  # all of them would take minutes
def test_of_a_million_faults_the_first_are_said(ask: Asking) -> None:
    for body in ({"jobs": [1] * 1_000_000}, {"jobs": [{"a": 1}] * 99 + [{"a": 1, "b": 2}] * 9}):
        document = problem(ask("POST", "/plan", body), 422, "invalid_job")
        assert len(document["errors"]) == 100


def test_a_plan_shows_no_header(ask: Asking) -> None:
    def jobs(target: object) -> list[dict[str, object]]:
        both = {"kind": "parallel", "targets": [HOOK["target"], target]}
        return [{**HOOK, "name": "both", "target": both}, {**HOOK, "target": target}]

    ask("POST", "/apply", {"jobs": jobs(HOOK["target"])})
    headers = {"x-plain": "hidden-6", "x-new": "hidden-7" * 500}
    answer = ask("POST", "/plan", {"jobs": jobs({**HOOK["target"], "headers": headers})})
    both, hook = answer.json()["update"]
    assert 'target.headers.x-plain: "***" -> "*** (other)"' in hook["changes"]
    assert both["fields"] == hook["fields"] == ["target"]
    assert not any(word in answer.text for word in HIDDEN)


@pytest.mark.parametrize(
    "url", ["https://evil.example/hook", "http://example.com/hook", "https://example.com:8443"]
)
def test_a_patch_sends_no_hidden_secret_to_another_host(
    ask: Asking, client: ss.SchedulerClient, url: str
) -> None:
    ask("POST", "/jobs", HOOK)
    plain, authorization, signing, key = kept = [
        *("/target/headers/x-plain", "/target/headers/authorization", "/target/signing_secret"),
        "/input/api_key",
    ]
    for given, more, expected in (
        ({}, {}, kept),
        ({}, {"input": {"text": "b"}}, kept),
        ({"headers": {"authorization": "mine"}}, {"input": "x"}, [plain, signing]),
        ({"headers": {"authorization": None, "x-plain": "a"}}, {}, [signing, key]),
        ({"headers": None}, {}, [signing, key]),
        ({"signing_secret": None}, {"input": {"api_key": None}}, [plain, authorization]),
    ):
        answer = ask("PATCH", "/jobs/hook", {"target": {"url": url, **given}, **more})
        assert places(problem(answer, 422, "invalid_job")) == expected
    several: dict[str, object] = {"kind": "parallel", "targets": [{"kind": "http", "url": url}] * 2}
    several |= dict.fromkeys(("url", "headers", "signing_secret"))
    assert places(problem(ask("PATCH", "/jobs/hook", {"target": several}), 422, "invalid_job")) == [key]
    assert client.get("hook").version == 1
    anew = {"url": url, "headers": {"x-plain": None, "authorization": "mine"}, "signing_secret": None}
    assert ask("PATCH", "/jobs/hook", {"target": anew, "input": {"api_key": "mine"}}).status_code == 200
    assert ask("PATCH", "/jobs/hook", {"target": {"url": f"{url}/other?a=1"}}).status_code == 200
    assert client.get("hook").job.target == ss.HttpTarget(
        f"{url}/other?a=1", headers={"authorization": "mine"}
    )


def test_the_mask_does_not_become_the_secret(ask: Asking, client: ss.SchedulerClient) -> None:
    ask("POST", "/jobs", HOOK)
    read = ask("GET", "/jobs/hook").json()["job"]
    expected = ["/input/api_key", "/target/headers/authorization", "/target/headers/x-plain"]
    for answer in (
        ask("PUT", "/jobs/hook", read),
        ask("PATCH", "/jobs/hook", {"target": read["target"], "input": read["input"]}),
        ask("POST", "/jobs", {**read, "name": "copy"}),
    ):
        document = problem(answer, 422, "invalid_job")
        assert set(expected) <= set(places(document))
        assert "/input/text" not in places(document)
    batch = problem(ask("POST", "/apply", {"jobs": [read]}), 422, "invalid_job")
    assert f"/jobs/0{expected[0]}" in places(batch)
    assert client.get("hook").version == 1


def test_what_runs_say_has_no_secret(ask: Asking, backend: ss.LocalBackend) -> None:
    ask("POST", "/jobs", {"name": "a", "in": "1m", "target": "json:dumps", "input": {"token": "hidden-6"}})
    backend.run_until(START + timedelta(hours=1))
    (run,) = ask("GET", "/runs").json()["items"]
    assert run["status"] == "succeeded"
    assert json.loads(run["output"]) == '{"token": ***}'
