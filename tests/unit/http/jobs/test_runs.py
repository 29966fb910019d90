"""Runs, plans and events over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.http import jobs_app
from stepsched.testing import FakeClock
from tests.unit.http.jobs.asking import Asking

START = datetime(2030, 1, 1, tzinfo=timezone.utc)
EVERY = {"name": "a", "every": "5 minutes", "target": "os:getcwd"}
FAILING = {
    "name": "b",
    "in": "1m",
    "target": "json:loads",
    "retry": {"max_attempts": 0},
    "completion": "keep",
}


@pytest.fixture
def backend() -> ss.LocalBackend:
    return ss.LocalBackend(clock=FakeClock(START))


@pytest.fixture
def client(backend: ss.LocalBackend) -> ss.SchedulerClient:
    return ss.SchedulerClient(backend)


@pytest.fixture
def ask(client: ss.SchedulerClient) -> Asking:
    return Asking(jobs_app(client, authenticate=None, allow_targets=["handler"]))


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [int(each["id"]) for each in answer.json()["items"]]


# -- runs ----------------------------------------------------------------------------------------------


def test_a_job_runs_now(ask: Asking, backend: ss.LocalBackend) -> None:
    ask("POST", "/jobs", EVERY)
    answer = ask("POST", "/jobs/a/run")
    assert answer.status_code == 202
    assert (answer.json()["trigger"], answer.json()["status"]) == ("manual", "pending")
    backend.run_until(START + timedelta(seconds=1))
    assert ask("GET", answer.headers["location"]).json()["status"] == "succeeded"


def test_the_pages_of_runs_have_every_run_once(ask: Asking, backend: ss.LocalBackend) -> None:
    ask("POST", "/jobs", EVERY)
    backend.run_until(START + timedelta(minutes=24))
    first = ask("GET", "/runs?limit=2")
    latest = ids(first)
    ask("POST", "/jobs/a/run")
    ask("POST", "/jobs/a/backfill", {"since": "2029-12-31T23:00:00Z", "until": "2029-12-31T23:55:00Z"})
    second = ask("GET", first.json()["next"])
    third = ask("GET", second.json()["next"])
    assert third.json()["next"] is None
    found = latest + ids(second) + ids(third)
    assert found == sorted(found, reverse=True)
    assert len(found) == len(set(found)) == 5


def test_runs_are_listed_by_their_conditions(ask: Asking, backend: ss.LocalBackend) -> None:
    ask("POST", "/jobs", EVERY)
    ask("POST", "/jobs", FAILING)
    backend.run_until(START + timedelta(minutes=12))
    assert len(ids(ask("GET", "/runs"))) == 4
    assert len(ids(ask("GET", "/runs?job=a"))) == 3
    assert len(ids(ask("GET", "/jobs/a/runs"))) == 3
    assert ids(ask("GET", "/runs?status=failed")) == ids(ask("GET", "/jobs/b/runs"))
    since = "/jobs/a/runs?since=2030-01-01T00:05:00Z&until=2030-01-01T00:05:00Z"
    assert len(ids(ask("GET", since))) == 1
    ask("DELETE", "/jobs/a")
    assert len(ids(ask("GET", "/jobs/a/runs"))) == 3  # the history stays


@pytest.mark.parametrize("path", ["/jobs/x/runs", "/runs?job=x", "/runs/x/1", "/jobs/x/versions"])
def test_the_runs_of_no_job_are_refused(ask: Asking, path: str) -> None:
    assert code(ask("GET", path)) == (404, "job_not_found")


@pytest.mark.parametrize("number", ["99", "0", "x", "1" * 41, "9" * 40, "%C2%B2", "-1"])
def test_a_run_that_there_is_not_is_refused(ask: Asking, number: str) -> None:
    ask("POST", "/jobs", EVERY)
    assert code(ask("GET", f"/runs/a/{number}")) == (404, "run_not_found")


def test_the_run_of_another_job_is_none_of_this_one(ask: Asking) -> None:
    ask("POST", "/jobs", EVERY)
    ask("POST", "/jobs", {**EVERY, "name": "c"})
    run = ask("POST", "/jobs/c/run").json()
    assert code(ask("GET", f"/runs/a/{run['id']}")) == (404, "run_not_found")


def test_a_run_that_failed_runs_again(ask: Asking, backend: ss.LocalBackend) -> None:
    ask("POST", "/jobs", FAILING)
    backend.run_until(START + timedelta(minutes=2))
    (failed,) = ask("GET", "/jobs/b/runs?status=failed").json()["items"]
    answer = ask("POST", "/jobs/b/redrive", {"run": failed["id"]})
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert answer.headers["location"] == f"/runs/b/{failed['id']}"
    assert code(ask("POST", "/jobs/b/redrive", {"run": failed["id"]})) == (409, "invalid_transition")
    assert code(ask("POST", "/jobs/b/redrive", {"run": "77"})) == (404, "run_not_found")


@pytest.mark.parametrize("body", [{}, {"run": 1}, {"run": "x"}, {"run": None}, {"run": "1", "x": 1}])
def test_what_names_no_run_is_refused(ask: Asking, body: object) -> None:
    ask("POST", "/jobs", EVERY)
    assert ask("POST", "/jobs/a/redrive", body).status_code == 422


def test_past_instants_are_run(ask: Asking) -> None:
    ask("POST", "/jobs", {"name": "c", "cron": "0 9 * * *", "target": "os:getcwd"})
    body = {"since": "2029-12-01T00:00:00Z", "until": "2029-12-03T23:00:00Z"}
    answer = ask("POST", "/jobs/c/backfill", body)
    assert answer.status_code == 202
    assert [each["scheduled_for"][:10] for each in answer.json()["items"]] == [
        "2029-12-01",
        "2029-12-02",
        "2029-12-03",
    ]
    assert ask("POST", "/jobs/c/backfill", body).json()["items"] == []


@pytest.mark.parametrize(
    ("body", "place"),
    [
        pytest.param({}, "/since", id="nothing"),
        pytest.param({"since": "2029-12-01T00:00:00", "until": "2029-12-02T00:00:00Z"}, "/since", id="naive"),
        pytest.param({"since": "2029-12-01T00:00:00Z", "until": 5}, "/until", id="a number"),
        pytest.param({"since": "2029-12-02T00:00:00Z", "until": "2029-12-01T00:00:00Z"}, "/until", id="end"),
        pytest.param({"since": "0001-01-01T00:00:00Z", "until": "2029-12-01T00:00:00Z"}, "/since", id="1"),
        pytest.param({"since": "9999-12-31T23:59:59Z", "until": "9999-12-31T23:59:59Z"}, "/since", id="9999"),
    ],
)
def test_what_is_no_range_is_refused(ask: Asking, body: object, place: str) -> None:
    ask("POST", "/jobs", EVERY)
    answer = ask("POST", "/jobs/a/backfill", body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["place"] == place


def test_too_many_past_instants_are_refused(ask: Asking) -> None:
    ask("POST", "/jobs", {"name": "c", "cron": "* * * * *", "target": "os:getcwd"})
    body = {"since": "2029-12-01T00:00:00Z", "until": "2029-12-31T00:00:00Z"}
    assert code(ask("POST", "/jobs/c/backfill", body)) == (422, "invalid_value")


@pytest.mark.parametrize("query", ["cursor=WzFd", "cursor=bnVsbA==", "limit=0", "since=now", "x=1"])
def test_a_parameter_of_a_list_that_is_not_valid_is_refused(ask: Asking, query: str) -> None:
    assert code(ask("GET", f"/runs?{query}")) == (400, "invalid_parameter")


# -- plans ---------------------------------------------------------------------------------------------


def test_a_plan_is_made_and_applied(ask: Asking, client: ss.SchedulerClient) -> None:
    ask("POST", "/jobs", EVERY)
    ask("POST", "/jobs", {**EVERY, "name": "gone"})
    body = {"jobs": [{**EVERY, "description": "x"}, {**EVERY, "name": "new"}], "prune": True}
    planned = ask("POST", "/plan", body)
    document = planned.json()
    assert [each["name"] for each in document["create"]] == ["new"]
    assert [(each["name"], each["fields"]) for each in document["update"]] == [("a", ["description"])]
    assert [each["name"] for each in document["cancel"]] == ["gone"]
    assert client.get("a").version == 1
    applied = ask("POST", "/apply", body, headers={"if-match": planned.headers["etag"]})
    assert applied.json() == document
    assert [record.name for record in client.list()] == ["a", "new"]
    assert ask("POST", "/apply", body).json()["is_empty"]


def test_only_the_plan_that_was_made_is_applied(ask: Asking, client: ss.SchedulerClient) -> None:
    ask("POST", "/jobs", EVERY)
    body = {"jobs": [{**EVERY, "description": "x"}]}
    tag = ask("POST", "/plan", body).headers["etag"]
    assert ask("POST", "/plan", body).headers["etag"] == tag
    ask("PATCH", "/jobs/a", {"description": "of another"})
    assert code(ask("POST", "/apply", body, headers={"if-match": tag})) == (412, "plan_changed")
    other = {"jobs": [{**EVERY, "description": "y"}]}
    assert code(ask("POST", "/apply", other, headers={"if-match": tag})) == (412, "plan_changed")
    assert client.get("a").job.description == "of another"


def test_a_plan_of_a_job_that_ran_in_between_is_the_same(ask: Asking, backend: ss.LocalBackend) -> None:
    ask("POST", "/jobs", EVERY)
    body = {"jobs": [], "prune": True}
    tag = ask("POST", "/plan", body).headers["etag"]
    backend.run_until(START + timedelta(hours=1))
    assert ask("POST", "/apply", body, headers={"if-match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("body", "place"),
    [
        pytest.param({}, "/jobs", id="no jobs"),
        pytest.param({"jobs": {}}, "/jobs", id="a mapping"),
        pytest.param({"jobs": [1]}, "/jobs/0", id="no job"),
        pytest.param({"jobs": [EVERY, {**EVERY, "bla": 1}]}, "/jobs/1/bla", id="a fault in the second"),
        pytest.param({"jobs": [EVERY, EVERY]}, "/jobs", id="twice"),
        pytest.param({"jobs": [], "prune": "all"}, "/prune", id="prune of text"),
        pytest.param({"jobs": [], "prune": ["a b"]}, "/prune", id="prune of no group"),
        pytest.param({"jobs": [], "plan": 1}, "/plan", id="unknown"),
    ],
)
@pytest.mark.parametrize("path", ["/plan", "/apply"])
def test_what_is_no_set_of_jobs_is_refused(ask: Asking, path: str, body: object, place: str) -> None:
    answer = ask("POST", path, body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["place"] == place


def test_all_faults_of_all_jobs_are_named(ask: Asking) -> None:
    answer = ask("POST", "/plan", {"jobs": [{**EVERY, "bla": 1}, {**EVERY, "every": "x", "group": "a b"}]})
    assert sorted(each["place"] for each in answer.json()["errors"]) == [
        "/jobs/0/bla",
        "/jobs/1/every",
        "/jobs/1/group",
    ]


def test_a_part_of_a_plan_that_fails_is_named(ask: Asking) -> None:
    """Another process creates a job between the plan and its application."""
    ask("POST", "/jobs", EVERY)

    class Overtaken(ss.SchedulerClient):
        def plan(self, *args: Any, **options: Any) -> Any:
            made = super().plan(*args, **options)
            ss.SchedulerClient(self.backend).create(
                ss.Job(**{**vars(made.create[0]), "description": "other"})
            )
            return made

    own = Asking(jobs_app(Overtaken(ss.LocalBackend()), authenticate=None, allow_targets=["handler"]))
    answer = own("POST", "/apply", {"jobs": [EVERY]})
    assert code(answer) == (409, "partly_failed")
    assert (answer.json()["done"], answer.json()["errors"][0]["place"]) == (0, "a")
