"""The server: real sockets, in a thread, until it is told to end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

import stepsched as ss
from stepsched.http import serving
from stepsched.http.site import site_app

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 30.0


@pytest.fixture
def client(tmp_path: Path) -> Iterator[ss.SchedulerClient]:
    with closing(ss.LocalBackend(tmp_path / "jobs.db")) as backend:
        yield ss.SchedulerClient(backend)


def daily(name: str) -> ss.Job:
    schedule = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
    return ss.Job(name=name, schedule=schedule, target=ss.CommandTarget(["true"]))


def test_it_runs_the_jobs_while_it_serves(client: ss.SchedulerClient) -> None:
    client.create(daily("nightly"))
    with serving.listening("127.0.0.1", 0) as opened, serving.serving(site_app(client), opened):
        url = serving.url_of(opened)
        assert httpx.get(f"{url}healthz").json()["status"] == "ok"
        assert client.wait(client.run_now("nightly"), timeout=PATIENCE).status is ss.RunStatus.SUCCEEDED
    assert client.backend.why_nothing_fires() is not None
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_backend_that_was_started_before_is_not_stopped(client: ss.SchedulerClient) -> None:
    client.backend.start()
    with serving.listening("127.0.0.1", 0) as opened, serving.serving(site_app(client), opened):
        pass
    assert client.backend.why_nothing_fires() is None


def test_the_end_does_not_wait_for_those_who_listen_to_events(client: ss.SchedulerClient) -> None:
    ended = threading.Event()

    def listen(url: str, begun: threading.Event) -> None:
        with httpx.stream("GET", f"{url}page/changes", timeout=PATIENCE) as answer:
            for line in answer.iter_lines():
                if line.startswith("retry"):
                    begun.set()
        ended.set()

    with serving.listening("127.0.0.1", 0) as opened, serving.serving(site_app(client), opened):
        begun = threading.Event()
        thread = threading.Thread(target=listen, args=(serving.url_of(opened), begun))
        thread.start()
        assert begun.wait(PATIENCE)
    thread.join(PATIENCE)
    assert ended.is_set()


@pytest.mark.parametrize(
    "head", [b"", b"GET / HTTP/1.1\r\nHost: loc", b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nG"]
)
def test_a_request_that_does_not_come_is_not_awaited(client: ss.SchedulerClient, head: bytes) -> None:
    with (
        serving.listening("127.0.0.1", 0) as opened,
        serving.serving(site_app(client), opened, patience=0.1),
        socket.create_connection(opened.getsockname(), timeout=PATIENCE) as slow,
    ):
        slow.sendall(head)
        while slow.recv(1_024):
            pass  # the answer to a whole request


def test_an_answer_may_take_longer_than_a_request(client: ss.SchedulerClient) -> None:
    with (
        serving.listening("127.0.0.1", 0) as opened,
        serving.serving(site_app(client), opened, patience=0.1),
        httpx.stream("GET", f"{serving.url_of(opened)}page/changes", timeout=PATIENCE) as answer,
    ):
        lines = answer.iter_lines()
        assert next(lines) == "retry: 2000"
        with socket.create_connection(opened.getsockname(), timeout=PATIENCE) as silent:
            assert silent.recv(1) == b""  # the limit has passed
        client.create(daily("new"))
        assert next(line for line in lines if line.startswith("data"))


def test_a_change_of_another_process_is_sent(client: ss.SchedulerClient, tmp_path: Path) -> None:
    with serving.listening("127.0.0.1", 0) as opened, serving.serving(site_app(client), opened):
        url = f"{serving.url_of(opened)}page/changes"
        with httpx.stream("GET", url, timeout=PATIENCE) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "retry: 2000"
            with closing(ss.LocalBackend(tmp_path / "jobs.db")) as other:
                ss.SchedulerClient(other).create(daily("new"))
            said = next(line for line in lines if line.startswith("data"))
    assert said == 'data: {"kind": "created", "job": "new"}'


def test_a_port_that_is_taken_is_said(client: ss.SchedulerClient) -> None:
    with serving.listening("127.0.0.1", 0) as opened:
        port = opened.getsockname()[1]
        with (
            pytest.raises(OSError, match=f"cannot listen at 127.0.0.1:{port}: address already in use"),
            serving.listening("127.0.0.1", port),
        ):
            pass


def test_a_host_that_is_not_known_is_said() -> None:
    with (
        pytest.raises(OSError, match=r"cannot listen at no\.such\.host\.invalid"),
        serving.listening("no.such.host.invalid", 0),
    ):
        pass


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6_has_brackets_in_its_url() -> None:
    with serving.listening("::1", 0) as opened:
        assert serving.url_of(opened) == f"http://[::1]:{opened.getsockname()[1]}/"


PROGRAM = """
import sys
import stepsched as ss
from stepsched.http import serve, site_app
client = ss.SchedulerClient(ss.LocalBackend(sys.argv[1]))
print(serve(site_app(client), port=0, on_ready=lambda url: print(url, flush=True)).name)
"""


@pytest.mark.skipif(os.name != "posix", reason="no such signals")
def test_a_program_of_three_lines_serves_until_a_signal(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "jobs.db")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(url).status_code == 200
        process.send_signal(signal.SIGTERM)
        told, problems = process.communicate(timeout=PATIENCE)
    assert (told, problems, process.returncode) == ("SIGTERM\n", "", 0)
