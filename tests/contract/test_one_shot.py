"""The application of one-shot tasks under real servers: on time, after kill -9, with several processes."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from stepsched.core.clock import utc_now
from tests.parts.web_server import KILL, PATIENCE, WebServer, serving

SECRET = "a-secret-that-is-found-nowhere"
PROGRAM = f'''
from contextlib import asynccontextmanager

import stepsched as ss
from starlette.applications import Starlette
from starlette.routing import Mount
from stepsched.http import one_shot_app


def app():
    client = ss.SchedulerClient(ss.LocalBackend("tasks.db", handlers_from=["stepsched.http.one_shot"]))

    @asynccontextmanager
    async def lifespan(_):
        async with client.backend:
            yield

    return Starlette(routes=[Mount("/", one_shot_app(client, secret="{SECRET}"))], lifespan=lifespan)
'''
HEADERS = {"x-secret": SECRET}


class Sent(NamedTuple):
    """An event that a listener has received."""

    id: int
    data: Any
    at: datetime


def uvicorn(*more: str) -> Callable[[int], Sequence[str]]:
    return lambda port: [
        "-m", "uvicorn", "--factory", "program:app", "--host", "127.0.0.1", "--port", str(port), *more
    ]  # fmt: skip


@contextmanager
def service(folder: Path, *more: str) -> Iterator[WebServer]:
    (folder / "program.py").write_text(PROGRAM, "utf-8")
    with serving(uvicorn(*more), folder) as server:
        yield server


def schedule(server: WebServer, at: datetime, message: object) -> str:
    body = {"timestamp": at.isoformat(), "message": message, "secret": SECRET}
    answer = server.ask("POST", "/schedule", body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["msg"]["executionArn"])


def listen(server: WebServer, count: int, after: int | None, begun: Callable[[], object]) -> list[Sent]:
    """Returns the next events; ``begun`` is called once the listener is there."""
    headers = HEADERS if after is None else {**HEADERS, "last-event-id": str(after)}
    found, fields = list[Sent](), dict[str, str]()
    with server.http.stream("GET", "/events", headers=headers, timeout=PATIENCE) as response:
        assert response.status_code == 200
        begun()
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            fields[name] = value
            if not line:
                if fields.get("event") == "task":
                    found.append(Sent(int(fields["id"]), json.loads(fields["data"]), utc_now()))
                fields = {}
            if len(found) == count:
                break
    return found


def nothing() -> None:
    pass


def test_a_task_comes_at_its_timestamp_with_its_message(tmp_path: Path) -> None:
    message = {"name": "Luke", "text": "ä" * 60_000}
    at = list[datetime]()

    def begin() -> None:
        at.append(utc_now() + timedelta(seconds=1.2))
        schedule(server, at[0], message)

    with service(tmp_path) as server:
        (sent,) = listen(server, 1, None, begin)
    assert sent.data == {"timestamp": at[0].isoformat(), "message": message}
    assert sent.at >= at[0]


def test_after_kill_9_tasks_are_delivered_and_listeners_resume(tmp_path: Path) -> None:
    with service(tmp_path) as server:
        schedule(server, datetime(2020, 1, 1, tzinfo=timezone.utc), "before")
        (before,) = listen(server, 1, 0, nothing)
        arns = [schedule(server, utc_now() + timedelta(seconds=0.5), each) for each in range(20)]
        server.process.send_signal(KILL)
        server.process.wait(PATIENCE)
    with service(tmp_path) as server:
        sent = listen(server, 20, before.id, nothing)
        assert sorted(each.data["message"] for each in sent) == list(range(20))
        assert [each.id for each in sent] == sorted(each.id for each in sent)
        answers = [server.ask("POST", "/cancel", {"executionArn": arn, "secret": SECRET}) for arn in arns]
        assert {answer.status_code for answer in answers} == {410}
        assert listen(server, 21, 0, nothing)[1:] != []


@pytest.mark.skipif(sys.platform != "linux", reason="the workers are found in /proc")
def test_every_listener_sees_the_tasks_of_all_workers(tmp_path: Path) -> None:
    """Requests and listeners come to either of two processes."""
    with service(tmp_path, "--workers", "2") as server, ThreadPoolExecutor(4) as listeners:
        server.wait_for(lambda: len(server.workers()) == 2, "two workers")
        there = threading.Barrier(5)
        waiting = [listeners.submit(listen, server, 30, None, lambda: there.wait(PATIENCE)) for _ in range(4)]
        there.wait(PATIENCE)
        for each in range(30):
            schedule(server, utc_now(), each)
        seen = [each.result(PATIENCE) for each in waiting]
    for one in seen:
        assert sorted(sent.data["message"] for sent in one) == list(range(30))
        assert [(sent.id, sent.data) for sent in one] == [(sent.id, sent.data) for sent in seen[0]]


def test_one_task_is_stored_for_a_key_that_comes_many_times_at_once(tmp_path: Path) -> None:
    body = {"timestamp": (utc_now() + timedelta(days=1)).isoformat(), "message": 1, "secret": SECRET}
    with service(tmp_path) as server, ThreadPoolExecutor(8) as callers:

        def ask(_: int) -> httpx.Response:
            return server.http.post("/schedule", json=body, headers={"idempotency-key": "k"})

        answers = list(callers.map(ask, range(40)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
        assert len(server.http.get("/tasks", headers=HEADERS).json()["tasks"]) == 1


def test_what_is_cancelled_is_not_delivered_and_what_is_delivered_was_not_cancelled(tmp_path: Path) -> None:
    """Cancellations that race against the delivery."""
    with service(tmp_path) as server, ThreadPoolExecutor(8) as callers:

        def race(number: int) -> tuple[int, int]:
            arn = schedule(server, utc_now() + timedelta(milliseconds=number), number)
            body = {"executionArn": arn, "secret": SECRET}
            return number, server.http.post("/cancel", json=body).status_code

        answers = dict(callers.map(race, range(80)))
        assert {*answers.values()} <= {200, 409, 410}
        schedule(server, utc_now() + timedelta(seconds=1), "last")
        sent = listen(server, 1 + sum(status != 200 for status in answers.values()), 0, nothing)
    delivered = {each.data["message"] for each in sent} - {"last"}
    assert delivered == {number for number, status in answers.items() if status != 200}


def test_the_secret_is_in_no_file_and_no_log(tmp_path: Path) -> None:
    with service(tmp_path, "--log-level", "trace") as server:
        schedule(server, utc_now(), "m")
        listen(server, 1, 0, nothing)
        server.ask("POST", "/schedule", {"secret": SECRET, "timestamp": "x", "message": 1})
        files = {
            path.name: path.read_bytes()
            for path in tmp_path.iterdir()
            if path.is_file() and path.suffix != ".py"
        }
        assert {"tasks.db", "server.log"} <= files.keys()
        assert not [name for name, content in files.items() if SECRET.encode() in content]
        assert b"Traceback" not in files["server.log"]
