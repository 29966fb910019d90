"""Who may ask what: credentials, pages of other sites, targets that run code, and what is never said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, get_args

import httpx
import pytest
from starlette.requests import Request

import stepsched as ss
from stepsched.http import bearer_token, jobs_app
from stepsched.http.jobs.guards import GUARDED
from stepsched.jobs.documents import TARGETS
from stepsched.targets import AwsTarget
from stepsched.testing import FakeClock
from tests.unit.http.jobs.asking import Asking

START = datetime(2030, 1, 1, tzinfo=timezone.utc)
JOB = {"name": "a", "in": "5m", "target": "os:getcwd"}
TOKEN = "correct-horse"
SECRET = "hidden"
KNOWN = ss.Job(name="known", schedule=ss.OneTime("2031-01-01T00:00"), target=ss.HandlerTarget("os:getcwd"))


def new_client() -> ss.SchedulerClient:
    return ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(START)))


def asking(client: ss.SchedulerClient | None = None, authenticate: Any = None, **options: Any) -> Asking:
    options = {"allow_targets": ["handler"], **options}
    return Asking(jobs_app(client or new_client(), authenticate=authenticate, **options))


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# -- credentials ---------------------------------------------------------------------------------------


def test_a_token_is_asked_for() -> None:
    ask = asking(authenticate=bearer_token(TOKEN))
    answer = ask("GET", "/jobs")
    assert code(answer) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert ask("GET", "/jobs", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert ask("GET", "/jobs", headers={"authorization": f"bearer  {TOKEN}"}).status_code == 200


@pytest.mark.parametrize(
    "given", [f"Basic {TOKEN}", TOKEN, "Bearer", "Bearer ", f"Bearer {TOKEN}x", "Bearer é"]
)
def test_another_token_is_refused(given: str) -> None:
    ask = asking(authenticate=bearer_token(TOKEN))
    assert code(ask("GET", "/jobs", headers={"authorization": given.encode()})) == (401, "unauthenticated")


@pytest.mark.parametrize(("token", "error"), [("", ValueError), ("a b", ValueError), ("é", ValueError)])
def test_what_is_no_token_is_refused(token: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="visible ASCII"):
        bearer_token(token)


def test_a_token_is_text() -> None:
    with pytest.raises(TypeError, match="expected a string"):
        bearer_token(b"x")  # type: ignore[arg-type]


async def later(request: Request) -> str | None:
    await asyncio.sleep(0)
    return request.headers.get("x-user")


def at_once(request: Request) -> str | None:
    return request.headers.get("x-user")


@pytest.mark.parametrize("authenticate", [later, at_once, lambda request: later(request)])
def test_a_function_says_who_asks(authenticate: Callable[[Request], object]) -> None:
    ask = asking(authenticate=authenticate)
    assert code(ask("GET", "/jobs")) == (401, "unauthenticated")
    assert ask("GET", "/jobs", headers={"x-user": "ann"}).status_code == 200


@pytest.mark.parametrize("principal", [None, False])
def test_none_and_false_are_nobody(principal: object) -> None:
    assert asking(authenticate=lambda _: principal)("GET", "/jobs").status_code == 401


def test_a_function_that_fails_is_a_failure_without_details(caplog: pytest.LogCaptureFixture) -> None:
    def failing(_: Request) -> object:
        raise RuntimeError(SECRET)

    answer = asking(authenticate=failing)("GET", "/jobs")
    assert code(answer) == (500, "internal_error")
    assert SECRET not in answer.text
    assert "failing" in caplog.text
    assert SECRET not in caplog.text


def test_nobody_reads_a_body_before_it_is_known_who_asks() -> None:
    ask = asking(authenticate=bearer_token(TOKEN))
    assert ask("POST", "/jobs", content=b"{" * 10**6).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/openapi.json"])
def test_the_state_and_the_description_are_for_everybody(path: str) -> None:
    assert asking(authenticate=bearer_token(TOKEN))("GET", path).status_code == 200


def test_authentication_is_switched_off_in_words() -> None:
    with pytest.raises(TypeError, match="authenticate"):
        jobs_app(new_client())  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="bearer_token"):
        jobs_app(new_client(), authenticate="secret")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"got LocalBackend; use for example SchedulerClient\("):
        jobs_app(ss.LocalBackend(), authenticate=None)  # type: ignore[arg-type]


# -- pages of other sites ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.0.0.1:8080", "[::1]:80", "LOCALHOST", "own.example"]
)
def test_without_credentials_the_names_of_this_machine_are_answered(host: str) -> None:
    ask = asking(hosts=["Own.example"])
    assert ask("GET", "/jobs", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "a@localhost", "[::2]"]
)
def test_without_credentials_another_name_is_refused(host: str) -> None:
    """A page of another site cannot read answers by pointing its own name here (DNS rebinding)."""
    assert code(asking()("GET", "/jobs", headers={"host": host})) == (421, "unknown_host")


def test_with_credentials_any_name_is_answered() -> None:
    ask = asking(authenticate=lambda _: "ann")
    assert ask("GET", "/jobs", headers={"host": "jobs.example"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"origin": "https://evil.example"}, id="another origin"),
        pytest.param({"origin": "null"}, id="no origin"),
        pytest.param({"origin": "http://localhost:99"}, id="another port"),
        pytest.param({"sec-fetch-site": "cross-site"}, id="cross-site"),
        pytest.param({"sec-fetch-site": "same-site"}, id="a neighbour"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_page_of_another_site_changes_nothing(method: str, headers: dict[str, str]) -> None:
    client = new_client()
    path = "/jobs" if method == "POST" else "/jobs/a"
    answer = asking(client, lambda _: "ann")(method, path, JOB, headers=headers)
    assert code(answer) == (403, "cross_site")
    assert client.list() == []


def test_a_page_of_this_site_changes_things() -> None:
    headers = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}
    assert asking()("POST", "/jobs", JOB, headers=headers).status_code == 201


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_a_body_that_is_not_said_to_be_json_is_refused(kind: str) -> None:
    answer = asking()("POST", "/jobs", JOB, headers={"content-type": kind})
    assert code(answer) == (415, "content_type")
    assert answer.headers["accept-post"] == "application/json"


def test_a_request_without_a_body_says_that_it_is_meant() -> None:
    """A form of another site can send such a request, but neither the type nor the headers."""
    client = new_client()
    client.create(
        ss.Job(name="a", schedule=ss.OneTime("2031-01-01T00:00"), target=ss.HandlerTarget("os:getcwd"))
    )
    app = jobs_app(client, authenticate=None)
    ask = Asking(app)
    ask._headers = {}

    def status(**headers: str) -> int:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return bare(app, "POST", "/jobs/a/pause", names)

    assert status() == 415
    assert status(content_type="application/x-www-form-urlencoded") == 415
    assert client.get("a").status is ss.JobStatus.ACTIVE
    assert status(content_type="application/json; charset=utf-8") == 200
    assert status(authorization="Bearer x") == 200
    assert status(x_requested_with="curl") == 200
    assert status(idempotency_key="k") == 200
    assert bare(app, "DELETE", "/jobs/a", {}) == 200


def test_who_left_out_the_header_is_told_which_one_does() -> None:
    answer = asking()("POST", "/jobs/a/run", headers={"content-type": "text/plain"})
    assert code(answer) == (415, "content_type")
    assert "without a body, X-Requested-With" in answer.json()["detail"]


def bare(app: Any, method: str, path: str, headers: dict[str, str]) -> int:
    """The status of the answer to a request with just these headers."""

    async def ask() -> int:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return (await http.request(method, path, headers=headers)).status_code

    return asyncio.run(ask())


# -- bodies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        *(b"{", b"[]", b"1", b"null", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff", b'{"a": "\\ud800"}'),
        *(b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}", b'{"a": 1e999}', b"{" * 1_000),
    ],
)
def test_what_is_no_object_is_refused(content: bytes) -> None:
    assert code(asking()("POST", "/jobs", content=content)) == (400, "malformed_body")


def test_a_large_body_is_refused() -> None:
    answer = asking()("POST", "/jobs", {"name": "x" * 600_000})
    assert code(answer) == (413, "body_too_large")
    assert asking()("POST", "/plan", {"jobs": [], "x": "x" * 600_000}).status_code == 422


def test_a_job_with_the_largest_input_is_taken() -> None:
    assert asking()("POST", "/jobs", {**JOB, "input": "x" * 262_000}).status_code == 201


def test_a_body_where_there_is_none_is_refused() -> None:
    ask = asking()
    ask("POST", "/jobs", JOB)
    assert code(ask("DELETE", "/jobs/a", {"a": 1})) == (400, "unexpected_body")


# -- targets -------------------------------------------------------------------------------------------


HTTP = {"kind": "http", "url": "https://example.com"}
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:work"
RUNNING: dict[str, object] = {
    "command": ["rm", "-rf", "/"],
    "command by kind": {"kind": "command", "command": ["true"]},
    "handler": "os:getcwd",
    "http": HTTP,
    "workflow": {"kind": "workflow", "workflow": "nightly"},
    "in parallel": {"kind": "parallel", "targets": [QUEUE, ["true"]]},
    "function in parallel": {"kind": "parallel", "targets": [QUEUE, "os:getcwd"]},
    "url in parallel": {"kind": "parallel", "targets": [QUEUE, HTTP]},
}


@pytest.mark.parametrize("target", RUNNING.values(), ids=RUNNING)
def test_a_target_that_runs_code_here_is_refused_at_every_door(target: object) -> None:
    client = new_client()
    known = ss.Job(
        name="known", schedule=ss.OneTime("2031-01-01T00:00"), target=ss.HandlerTarget("os:getcwd")
    )
    client.create(known)
    ask, job = asking(client, allow_targets=[]), {**JOB, "target": target}
    for answer in (
        ask("POST", "/jobs", job),
        ask("PUT", "/jobs/a", job),
        ask("PUT", "/jobs/known", {"in": "5m", "target": target}),
        ask("PATCH", "/jobs/known", {"target": target}),
        ask("PATCH", "/jobs/known", {"description": "of a job with such a target"}),
        ask("POST", "/plan", {"jobs": [job]}),
        ask("POST", "/apply", {"jobs": [job]}),
    ):
        assert code(answer) == (403, "target_not_allowed"), answer.text
        assert answer.json()["errors"][0]["place"].endswith("/target")
    assert [record.job for record in client.list()] == [KNOWN]


def test_an_allowed_kind_is_no_other() -> None:
    ask = asking(allow_targets=["handler"])
    assert ask("POST", "/jobs", JOB).status_code == 201
    assert code(ask("POST", "/jobs", {**JOB, "target": ["true"]})) == (403, "target_not_allowed")
    assert asking(allow_targets=["command"])("POST", "/jobs", {**JOB, "target": ["true"]}).status_code == 201


def test_a_function_is_allowed_by_its_name() -> None:
    ask = asking(allow_targets=["os:getcwd"])
    assert ask("POST", "/jobs", JOB).status_code == 201
    answer = ask("POST", "/jobs", {**JOB, "target": "os:abort"})
    assert code(answer) == (403, "target_not_allowed")
    assert "allow_targets=['os:abort'], or by --allow-target" in answer.json()["detail"]


def test_a_variable_of_the_server_signs_only_if_it_is_named() -> None:
    """Whoever has his own URL called could have anything signed with the secrets of the server."""
    job = {**JOB, "target": {**HTTP, "signing_secret": ["env:OWN", "env:AWS_SECRET_ACCESS_KEY"]}}
    several = {**JOB, "target": {"kind": "parallel", "targets": [HTTP, job["target"]]}}
    for allowed in (["http"], ["http", "env:OWN"], ["http", "env:OTHER", "env:OWN"]):
        for given in (job, several):
            answer = asking(allow_targets=allowed)("POST", "/jobs", given)
            assert code(answer) == (403, "target_not_allowed")
            assert "env:AWS_SECRET_ACCESS_KEY" in answer.json()["detail"]
    ask = asking(allow_targets=["http", "env:OWN", "env:AWS_SECRET_ACCESS_KEY"])
    assert ask("POST", "/jobs", job).status_code == 201
    assert code(asking(allow_targets=["env:OWN"])("POST", "/jobs", job)) == (403, "target_not_allowed")


def test_a_job_of_the_owner_is_run_and_paused_but_not_changed() -> None:
    client = new_client()
    client.create(
        ss.Job(name="a", schedule=ss.OneTime("2031-01-01T00:00"), target=ss.CommandTarget(["true"]))
    )
    ask = asking(client, allow_targets=[])
    assert ask("POST", "/jobs/a/pause").status_code == 200
    assert ask("POST", "/jobs/a/run").status_code == 202
    assert code(ask("PATCH", "/jobs/a", {"input": {"x": 1}})) == (403, "target_not_allowed")


@pytest.mark.parametrize(
    ("allowed", "error", "words"),
    [
        ("handler", TypeError, r"use \['handler'\]"),
        (["comand"], ValueError, "use 'command'"),
        (["env:"], ValueError, "expected kinds of targets or names of functions"),
        (["lambda"], ValueError, "expected kinds of targets or names of functions"),
    ],
)
def test_what_cannot_be_allowed_is_refused(allowed: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        asking(allow_targets=allowed)


def test_every_kind_of_target_is_guarded_or_runs_in_aws() -> None:
    """A kind that is added is looked at here."""
    in_aws = {kind.model_fields["kind"].default for kind in get_args(AwsTarget)}
    assert TARGETS.keys() == in_aws | set(GUARDED) | {"parallel"}


def test_hosts_are_a_list() -> None:
    with pytest.raises(TypeError, match="expected a list of names of hosts"):
        asking(hosts="own.example")


# -- failures ------------------------------------------------------------------------------------------


class Broken(ss.LocalBackend):
    def now(self) -> datetime:
        raise KeyError(SECRET)


def test_what_nobody_expected_is_answered_without_details(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "stepsched.http"):
        answer = asking(ss.SchedulerClient(Broken()))("POST", "/jobs", JOB)
    assert code(answer) == (500, "internal_error")
    assert SECRET not in answer.text + caplog.text
    assert "KeyError" in caplog.text
    assert "POST /jobs failed" in caplog.text


def test_a_backend_that_is_closed_is_said_to_be() -> None:
    client = new_client()
    ask = asking(client)
    client.backend.close()
    assert code(ask("GET", "/jobs")) == (500, "CLOSED")


def test_answers_are_not_kept_by_caches() -> None:
    answer = asking()("GET", "/jobs")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
