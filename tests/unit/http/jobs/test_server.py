"""Jobs behind a real server: events that come, and a process that is killed in the middle of a request."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import stepsched as ss
from stepsched.core.clock import SystemClock
from stepsched.http import jobs_app
from stepsched.http.events import EventFeed
from stepsched.testing import FakeClock
from tests.unit.http.jobs.asking import Asking
from tests.unit.http.server import served

JOB = {"name": "a/b", "in": "5h", "target": "os:getcwd"}


def read(lines: Iterator[str]) -> dict[str, str]:
    """The next message of a stream that has an event."""
    message = dict[str, str]()
    for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            message[name] = value
        elif "event" in message:
            return message
        else:
            message = {}
    raise AssertionError("the stream has ended")


def test_events_come_and_go_on_where_a_listener_has_stopped(tmp_path: Path) -> None:
    with ss.LocalBackend(tmp_path / "jobs.db") as backend:
        app = jobs_app(ss.SchedulerClient(backend), authenticate=None, allow_targets=["handler"])
        with (
            served(app, before_end=EventFeed.of(backend).end_streams) as (host, port),
            httpx.Client(base_url=f"http://{host}:{port}", trust_env=False, timeout=30) as http,
        ):
            with http.stream("GET", "/events") as stream:
                assert stream.headers["content-type"].startswith("text/event-stream")
                http.post("/jobs", json=JOB)
                first = read(stream.iter_lines())
            assert first["event"] == "created"
            data = json.loads(first["data"])
            assert (data["kind"], data["job"], data["run"]) == ("created", "a/b", None)
            assert datetime.fromisoformat(data["at"]).tzinfo is not None
            run = http.post("/jobs/a%2Fb/run", json={}).json()
            with http.stream("GET", "/events", headers={"last-event-id": first["id"]}) as stream:
                lines = stream.iter_lines()
                kinds = [read(lines) for _ in range(3)]
            assert [each["event"] for each in kinds] == ["due", "started", "succeeded"]
            assert {json.loads(each["data"])["run"] for each in kinds} == {run["id"]}


@pytest.mark.parametrize("given", ["x", "-1", "1" * 19])
def test_what_is_no_position_is_refused(given: str) -> None:
    ask = Asking(jobs_app(ss.SchedulerClient(), authenticate=None))
    answer = ask("GET", "/events", headers={"last-event-id": given})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_header")


def test_events_need_credentials() -> None:
    ask = Asking(jobs_app(ss.SchedulerClient(), authenticate=lambda _: None))
    assert ask("GET", "/events").status_code == 401


SERVER = """
import signal, socket, sys, threading
import uvicorn
import stepsched as ss
from stepsched.http import jobs_app


class Stopping(ss.SchedulerClient):
    '''Acts, says so, and never answers.'''

    def create(self, job):
        record = super().create(job)
        print("acted", flush=True)
        threading.Event().wait()
        return record

    def run_now(self, name, *, group=None):
        run = super().run_now(name, group=group)
        print("acted", flush=True)
        threading.Event().wait()
        return run


client = Stopping(ss.LocalBackend(sys.argv[1]))
app = jobs_app(client, authenticate=None, allow_targets=["handler"])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off")).run([listener])
"""


SENDER = """
import sys
import httpx

headers = {"content-type": "application/json", "idempotency-key": sys.argv[1]}
httpx.post(sys.argv[2], content=sys.argv[3], headers=headers, trust_env=False, timeout=60)
"""


def kill_in_the_middle(file: Path, path: str, body: object) -> None:
    """Sends a request, whose key is its path, to a server that is killed after it has acted and before it
    answers."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(file)], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        given = (path, url + path, json.dumps(body))
        sending = subprocess.Popen([sys.executable, "-c", SENDER, *given], stderr=subprocess.DEVNULL)
        assert server.stdout.readline() == "acted\n"
        server.send_signal(signal.SIGKILL)
        assert sending.wait(60) != 0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_server_that_is_killed_has_acted_once(tmp_path: Path) -> None:
    file = tmp_path / "jobs.db"

    def later(seconds: int) -> Any:
        """Asks a new server, that many seconds from now."""
        backend = ss.LocalBackend(file, clock=FakeClock(SystemClock().now() + timedelta(seconds=seconds)))
        client = ss.SchedulerClient(backend)
        return client, Asking(jobs_app(client, authenticate=None, allow_targets=["handler"]))

    kill_in_the_middle(file, "/jobs", JOB)
    client, ask = later(0)
    key = {"idempotency-key": "/jobs"}
    busy = ask("POST", "/jobs", content=json.dumps(JOB), headers=key)
    assert (busy.status_code, busy.json()["code"]) == (409, "key_in_progress")
    assert 1 <= int(busy.headers["retry-after"]) <= 60
    client.backend.close()
    client, ask = later(120)
    found = ask("POST", "/jobs", content=json.dumps(JOB), headers=key)
    assert (found.status_code, found.json()["version"]) == (200, 1)
    assert len(client.list()) == 1
    client.backend.close()

    kill_in_the_middle(file, "/jobs/a%2Fb/run", {})
    client, ask = later(240)
    key = {"idempotency-key": "/jobs/a%2Fb/run"}
    again = ask("POST", "/jobs/a%2Fb/run", content="{}", headers=key)
    assert again.status_code == 202
    assert [str(run.id) for run in client.runs()] == [again.json()["id"]]
    client.backend.close()
