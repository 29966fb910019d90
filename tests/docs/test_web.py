"""The examples of docs/web.md under their real servers: every run once, and none lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.core.clock import SystemClock
from tests.parts.web_server import EXAMPLES, KILL, WebServer, serving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the workers are found in /proc")


def uvicorn(port: int) -> list[str]:
    return ["-m", "uvicorn", "--app-dir", str(EXAMPLES), "--port", str(port), "web_fastapi:app"]


def uvicorn_workers(_port: int) -> list[str]:
    return [str(EXAMPLES / "web_workers.py")]


def gunicorn(port: int) -> list[str]:
    return ["-m", "gunicorn", "--config", str(EXAMPLES / "web_gunicorn.py"), "--bind", f"127.0.0.1:{port}"]


def gunicorn_with_uvicorn(port: int) -> list[str]:
    options = ["--preload", "--workers", "2", "--worker-class", "uvicorn_worker.UvicornWorker"]
    place = ["--bind", f"127.0.0.1:{port}", "--pythonpath", str(EXAMPLES)]
    return ["-m", "gunicorn", *options, *place, "web_fastapi:app"]


SERVERS = {
    "one worker": uvicorn,
    "several workers": uvicorn_workers,
    "preload": gunicorn,
    "preload, uvicorn": gunicorn_with_uvicorn,
}
SEVERAL = {"several workers": 2, "preload": 3, "preload, uvicorn": 2}
"""How many workers each has."""
every_server = pytest.mark.parametrize(
    "name",
    [
        pytest.param("one worker", marks=pytest.mark.proof),
        pytest.param("several workers", marks=pytest.mark.proof),
        pytest.param("preload", marks=pytest.mark.proof),
        "preload, uvicorn",
    ],
)
"""One of the servers is in the gate, the one with most parts; the others are proofs."""


def soon(seconds: float) -> str:
    """The instant so many seconds from now; with less than 2, a slow machine would pass it before it asks."""
    return (SystemClock().now() + timedelta(seconds=seconds)).isoformat()


def remind(server: WebServer, name: str, at: str) -> None:
    answer = server.ask("POST", "/reminders", {"name": name, "at": at, "text": "tea"})
    assert answer.status_code == 201, answer.text


def reminded(server: WebServer) -> Counter[str]:
    return Counter(line.partition(" ")[0] for line in server.outbox)


def pids(server: WebServer) -> set[int]:
    """The processes that have made runs."""
    return {int(line.split()[3].rstrip(":")) for line in server.outbox}


def end(server: WebServer) -> None:
    """Tells the server to end, and looks whether it did so in order."""
    code = server.stop()
    assert code in (0, -signal.SIGTERM), server.log()
    if code:  # uvicorn without workers hands the signal on when it is done
        assert "Application shutdown complete" in server.log()
    assert "Traceback" not in server.log()


@every_server
def test_every_run_happens_once_also_when_the_server_is_told_to_end_and_starts_again(
    name: str, tmp_path: Path
) -> None:
    first, second = ({f"{turn}-{number}" for number in range(40)} for turn in ("first", "second"))
    with serving(SERVERS[name], tmp_path) as server:
        for each in sorted(first):
            remind(server, each, soon(2))
        server.wait_for(lambda: server.outbox, "the first reminder")
        end(server)
    with serving(SERVERS[name], tmp_path) as server:
        for each in sorted(second):
            remind(server, each, soon(2))
        server.wait_for(lambda: set(reminded(server)) == first | second, "all reminders")
        end(server)
    assert reminded(server) == dict.fromkeys(first | second, 1)
    ended = [(run.status, run.restarted) for run in runs(tmp_path, first | second)]
    assert Counter(ended) == {(ss.RunStatus.SUCCEEDED, False): 80}


@every_server
def test_a_server_that_is_told_to_end_waits_for_the_run_that_goes_on(name: str, tmp_path: Path) -> None:
    outbox = tmp_path / "outbox.txt"
    os.mkfifo(outbox)  # to open it takes a run as long as nobody reads
    with serving(SERVERS[name], tmp_path) as server:
        remind(server, "slow", soon(2))
        server.wait_for(lambda: last_run(server, "slow") == "running", "the run")
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(1)
        with os.fdopen(os.open(outbox, os.O_RDONLY | os.O_NONBLOCK), "rb", 0) as reader:
            server.wait_for(lambda: (reader.read(9) or b"").startswith(b"slow"), "the reminder")
            end(server)
    (run,) = runs(tmp_path, {"slow"})
    assert (run.status, run.restarted) == (ss.RunStatus.SUCCEEDED, False)


def last_run(server: WebServer, name: str) -> object:
    run = server.ask("GET", f"/reminders/{name}").json()["last_run"]
    return run and run["status"]


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.proof] * (each != "preload, uvicorn")) for each in SEVERAL]
)
def test_a_worker_that_is_killed_loses_nothing(name: str, tmp_path: Path) -> None:
    with serving(SERVERS[name], tmp_path) as server:
        server.wait_for(lambda: len(server.workers()) == SEVERAL[name], "the workers")
        names = {f"job-{number}" for number in range(60)}
        for number, each in enumerate(sorted(names)):
            remind(server, each, soon(2 + number / 30))
        server.wait_for(lambda: len(server.outbox) >= 5, "the first reminders")
        first, *_ = server.workers()
        os.kill(first, KILL)
        server.wait_for(
            lambda: len(server.workers()) == SEVERAL[name] and first not in server.workers(), "a new worker"
        )
        server.wait_for(lambda: set(reminded(server)) == names, "the reminders")
        end(server)
    restarted = {run.job for run in runs(tmp_path, names) if run.restarted}
    assert {job for job, times in reminded(server).items() if times > 1} <= restarted


@every_server
def test_jobs_that_came_due_while_nothing_ran_are_made_up_once(name: str, tmp_path: Path) -> None:
    with serving(SERVERS[name], tmp_path) as server:
        at = soon(3)
        remind(server, "late", at)
        os.killpg(server.process.pid, KILL)
        server.process.wait()
    assert server.outbox == []
    server.wait_for(lambda: SystemClock().now() > datetime.fromisoformat(at), "the instant to pass")
    with serving(SERVERS[name], tmp_path) as server:
        server.wait_for(lambda: server.outbox, "the reminder")
        end(server)
    assert reminded(server) == {"late": 1}


@every_server
def test_errors_are_statuses_of_http(name: str, tmp_path: Path) -> None:
    later, much_later = "2099-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
    body = {"name": "tea", "at": later, "text": "tea"}
    command = {"kind": "command", "command": ["touch", "pwned"]}
    with serving(SERVERS[name], tmp_path) as server:
        ask = server.ask
        asked = [
            (ask("GET", "/reminders/tea"), 404),
            (ask("POST", "/reminders", body), 201),
            (ask("POST", "/reminders", body), 201),  # sent twice, as after a lost answer
            (ask("POST", "/reminders", {**body, "at": much_later}), 409),
            (ask("GET", "/reminders/tea"), 200),
            (ask("POST", "/reminders", {**body, "name": "old", "at": "2001-01-01T00:00:00Z"}), 422),
            (ask("POST", "/reminders", {**body, "name": "local", "at": "2099-01-01T00:00:00"}), 422),
            (ask("POST", "/reminders", {**body, "name": "no/name"}), 422),
            (ask("POST", "/reminders", {**body, "name": "x", "target": command}), 422),
            (ask("GET", "/reminders/tidy-up"), 404),  # the application's own
            (ask("DELETE", "/reminders/tidy-up"), 404),
            (ask("POST", "/reminders", {**body, "name": "tidy-up"}), 409),
            (ask("DELETE", "/reminders/tea"), 200),
            (ask("DELETE", "/reminders/tea"), 404),
        ]
        end(server)
    assert [answer.status_code for answer, _ in asked] == [status for _, status in asked]
    assert "no job is named 'tea'" in asked[0][0].json()["detail"]
    assert asked[1][0].json()["next_run"] == later


def test_several_workers_share_the_runs(tmp_path: Path) -> None:
    with serving(uvicorn_workers, tmp_path) as server:
        server.wait_for(lambda: len(server.workers()) == 2, "the workers")
        wave = 0

        def both() -> bool:
            nonlocal wave
            remind(server, f"wave-{wave}", soon(2))
            wave += 1
            return len(pids(server)) == 2

        server.wait_for(both, "a run in each worker")
        assert pids(server) <= set(server.workers())


@pytest.mark.parametrize(
    ("verb", "status"), [("pause", "paused"), ("resume", "active")], ids=["pause", "resume"]
)
def test_verbs_are_paths(verb: str, status: str, tmp_path: Path) -> None:
    with serving(uvicorn, tmp_path) as server:
        remind(server, "tea", "2099-01-01T00:00:00Z")
        assert server.ask("POST", f"/reminders/tea/{verb}").json()["status"] == status
        assert server.ask("POST", "/reminders/tea/run_now").status_code == 422
        assert [each["job"]["name"] for each in server.ask("GET", "/reminders").json()] == ["tea"]


def test_a_database_that_is_busy_for_long_is_unavailable(tmp_path: Path) -> None:
    with serving(uvicorn, tmp_path) as server:
        other = sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        body = {"name": "tea", "at": "2099-01-01T00:00:00Z", "text": "tea"}
        assert server.ask("POST", "/reminders", body).status_code == 503
        other.close()
        assert server.ask("POST", "/reminders", body).status_code == 201


def runs(folder: Path, names: set[str]) -> list[ss.Run]:
    with closing(ss.LocalBackend(folder / "jobs.db")) as backend:
        client = ss.SchedulerClient(backend)
        return [run for name in sorted(names) for run in client.runs(name)]
