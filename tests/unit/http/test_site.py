"""The site: every answer is guarded, and each part asks who comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import stepsched as ss
from stepsched.http.access import COOKIE
from stepsched.http.site import site_app
from stepsched.testing import FakeClock
from tests.unit.http.visits import Page, Visitor

NOW = datetime(2030, 1, 7, 6, 0, tzinfo=timezone.utc)
TOKEN = "correct-horse-battery"
BEARER = {"authorization": f"Bearer {TOKEN}"}
TASK = json.dumps({"timestamp": "2030-01-07T07:00:00Z", "message": 1}).encode()


@pytest.fixture
def client() -> Iterator[ss.SchedulerClient]:
    with closing(ss.LocalBackend(clock=FakeClock(NOW))) as backend:
        made = ss.SchedulerClient(backend)
        daily = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
        made.create(ss.Job(name="nightly", schedule=daily, target=ss.CommandTarget(["true"])))
        yield made


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/page/job?name=nightly", 200),
        ("GET", "/page/job?name=gone", 404),
        ("GET", "/page/page.css", 200),
        ("GET", "/page/page.js", 200),
        ("GET", "/page/icon.svg", 200),
        ("GET", "/page/login", 200),
        ("GET", "/v1/jobs", 200),
        ("GET", "/v1/openapi.json", 200),
        ("GET", "/tasks", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/healthz", 503),
        ("GET", "/nowhere", 404),
        ("GET", "/page/../../../etc/passwd", 404),
        ("POST", "/page/do", 415),
        ("POST", "/page/job", 404),
    ],
)
def test_every_answer_says_that_browsers_load_nothing_else(
    client: ss.SchedulerClient, method: str, path: str, status: int
) -> None:
    answer = Visitor(site_app(client)).ask(method, path)
    assert answer.status_code == status
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; ")
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"


def test_another_host_or_origin_is_refused_everywhere(client: ss.SchedulerClient) -> None:
    visitor = Visitor(site_app(client))
    for path in ("/", "/v1/jobs", "/schedule", "/healthz"):
        assert visitor.ask("GET", path, headers={"host": "evil.example"}).status_code == 421
        assert visitor.ask("POST", path, headers={"origin": "https://evil.example"}).status_code == 403


def test_with_a_token_only_public_parts_are_open(client: ss.SchedulerClient) -> None:
    visitor = Visitor(site_app(client, token=TOKEN))
    for path in ("/page/changes", "/v1/jobs", "/tasks", "/events", "/schedule", "/cancel", "/openapi.json"):
        answer = visitor.ask("GET", path)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/", "/page/job?name=nightly"):
        assert visitor.ask("GET", path).headers["location"] == "/page/login"
    assert visitor.ask("POST", "/page/do", data={"pause": "default/nightly"}).status_code == 401
    assert visitor.ask("GET", "/page/page.css").status_code == 200
    assert visitor.ask("GET", "/healthz").status_code == 503
    for path in ("/", "/v1/jobs", "/tasks"):
        assert visitor.ask("GET", path, headers=BEARER).status_code == 200


def test_the_token_is_given_once_on_the_page(client: ss.SchedulerClient) -> None:
    visitor = Visitor(site_app(client, token=TOKEN))
    wrong = visitor.ask("POST", "/page/login", data={"token": "guess"})
    assert wrong.status_code == 403
    assert "This is not the token." in Page(wrong.text).by_id("problem").text
    assert COOKIE not in visitor.cookies
    answer = visitor.ask("POST", "/page/login", data={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert visitor.page("/").by_id("jobs").text
    assert visitor.ask("GET", "/v1/jobs").status_code == 200
    assert visitor.press("pause", "nightly").status_code == 303
    assert client.get("nightly").status is ss.JobStatus.PAUSED
    token = next(e for e in visitor.page("/").all("input") if e.attributes["name"] == "csrf")
    visitor.ask("POST", "/page/logout", data={"csrf": token.attributes["value"]})
    assert visitor.ask("GET", "/").status_code == 303


def test_tasks_ask_for_their_secret_instead_of_the_token(client: ss.SchedulerClient) -> None:
    visitor = Visitor(site_app(client, token=TOKEN, secret="open sesame"))
    assert visitor.ask("POST", "/schedule", content=TASK).status_code == 400
    assert (
        visitor.ask("POST", "/schedule", content=TASK, headers={"x-secret": "open sesame"}).status_code == 200
    )
    assert visitor.ask("GET", "/tasks", headers={"x-secret": "open sesame"}).status_code == 200
    assert visitor.ask("GET", "/v1/jobs", headers={"x-secret": "open sesame"}).status_code == 401
    assert visitor.ask("GET", "/", headers={"x-secret": "open sesame"}).status_code == 303


def test_without_a_secret_tasks_ask_for_the_token(client: ss.SchedulerClient) -> None:
    visitor = Visitor(site_app(client, token=TOKEN))
    assert visitor.ask("POST", "/schedule", content=TASK).status_code == 401
    assert visitor.ask("POST", "/schedule", content=TASK, headers=BEARER).status_code == 200


def test_commands_are_refused_unless_they_are_allowed(client: ss.SchedulerClient) -> None:
    job = client.get("nightly").job.replace(name="other").model_dump_json().encode()
    headers = {"content-type": "application/json"}
    refused = Visitor(site_app(client)).ask("POST", "/v1/jobs", content=job, headers=headers)
    taken = Visitor(site_app(client, allow_targets=["command"])).ask(
        "POST", "/v1/jobs", content=job, headers=headers
    )
    assert (refused.status_code, taken.status_code) == (403, 201)


def test_it_can_be_mounted_below_a_path(client: ss.SchedulerClient) -> None:
    app = Starlette(routes=[Mount("/jobs", site_app(client, token=TOKEN))])
    visitor = Visitor(app)
    assert visitor.ask("GET", "/jobs/").headers["location"] == "/jobs/page/login"
    visitor.ask("POST", "/jobs/page/login", data={"token": TOKEN})
    page = visitor.page("/jobs/")
    links = [e.attributes["href"] for e in page.all("a") if not e.attributes["href"].startswith("#")]
    assert links
    assert all(link.startswith("/jobs/") for link in links)
    assert visitor.page("/jobs/page/job?name=nightly").by_id("main").text.startswith("All jobs nightly")
    answer = visitor.press("pause", "nightly", path="/jobs/")
    assert answer.headers["location"].startswith("/jobs/?")
    assert visitor.ask("GET", "/jobs/v1/jobs").status_code == 200


def test_it_does_not_speak_to_websockets(client: ss.SchedulerClient) -> None:
    import asyncio

    sent = list[object]()

    async def keep(message: object) -> None:
        sent.append(message)

    async def ask() -> None:
        await site_app(client)({"type": "websocket", "path": "/", "headers": []}, None, keep)  # type: ignore[arg-type]

    asyncio.run(ask())
    assert sent == [{"type": "websocket.close", "code": 1008}]
