"""``stepsched serve --http``: the options, and a process that serves beside the jobs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import click
import httpx
import pytest

import stepsched as ss
from stepsched.cli.input.addresses import Address, AddressType
from tests.unit.cli.conftest import CommandLine
from tests.unit.cli.test_serve import NEVER, PATIENCE, ROOT, UNTIL_TOLD, Serve, Served, log, serve, stored

__all__ = ["serve"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
TOKEN = "correct-horse-battery"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("localhost:0", "localhost", 0),
        (":8080", "127.0.0.1", 8080),
        ("[::1]:8080", "::1", 8080),
        ("0.0.0.0:65535", "0.0.0.0", 65535),
        ("jobs.example.com:80", "jobs.example.com", 80),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert AddressType().convert(text, None, None) == Address(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8080",
        "localhost",
        "::1:8080",
        "[::1]",
        "[127.0.0.1]:80",
        "a:b",
        "a:99999",
        "*:80",
        "http://a:80",
        "a:80/",
        "a b:80",
        "a@b:80",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"expected HOST:PORT such as 127\.0\.0\.1:8080, got"):
        AddressType().convert(text, None, None)


@pytest.mark.parametrize(
    ("host", "is_loopback", "is_any"),
    [
        ("127.0.0.1", True, False),
        ("127.9.9.9", True, False),
        ("::1", True, False),
        ("localhost", True, False),
        ("0.0.0.0", False, True),
        ("::", False, True),
        ("192.168.1.7", False, False),
        ("a.example", False, False),
    ],
)
def test_it_is_known_who_reaches_an_address(host: str, is_loopback: bool, is_any: bool) -> None:
    assert (Address(host, 1).is_loopback, Address(host, 1).is_any) == (is_loopback, is_any)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--http", "0.0.0.0:0"], "expected a token, since other machines reach 0.0.0.0; use --token-file"),
        (["--http", "[::]:0"], "expected a token, since other machines reach ::"),
        (["--http", "8080"], "got '8080'; use 127.0.0.1:8080"),
        (["--token-file", "token"], "expected --http HOST:PORT with --token-file, got none"),
        (["--allow-target", "command"], "expected --http HOST:PORT with --allow-target, got none"),
        (["--http", ":0", "--token-file", "gone"], "--token-file: cannot read gone: No such file"),
        (["--http", ":0", "--secret-file", "empty"], "--secret-file: expected a line of text in empty"),
        (["--http", ":0", "--token-file", "short"], "expected at least 16 visible characters of ASCII"),
        (["--http", ":0", "--allow-target", "comand"], "use 'command'"),
    ],
)
def test_wrong_use_is_refused_before_anything_runs(
    stepsched: CommandLine, tmp_path: Path, options: list[str], said: str
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "short").write_text("abc\n")
    done = stepsched("serve", "jobs.db", *options)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "abc" not in done.err


def test_a_port_that_is_taken_is_said_and_no_file_is_made(stepsched: CommandLine, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = stepsched("serve", "jobs.db", "--http", f"127.0.0.1:{port}")
    assert done.code == 1
    assert f"cannot listen at 127.0.0.1:{port}: address already in use; use another port" in done.err
    assert not (tmp_path / "jobs.db").exists()


WITHOUT = """
import sys
for name in ("starlette", "uvicorn"):
    sys.modules[name] = None
from stepsched.cli.app import run
sys.exit(run(["serve", "jobs.db", "--http", ":0"]))
"""


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "--http needs the extra: pip install 'stepsched[cli,http]'" in done.stderr


def url_of(serve: Serve, *options: str) -> tuple[str, Served]:
    served = serve("--http", "127.0.0.1:0", *options)
    served.until("open http://127.0.0.1:")
    line = next(line for line in served.lines if line.startswith("open "))
    return line.split()[1], served


def test_a_new_file_is_served_with_page_rest_and_tasks(serve: Serve, tmp_path: Path) -> None:
    url, served = url_of(serve)
    assert "There is no job yet." in httpx.get(url).text
    assert httpx.get(f"{url}v1/jobs").json()["items"] == []
    task = {"timestamp": "2020-01-01T00:00:00Z", "message": "hello"}
    assert httpx.post(f"{url}schedule", json=task).status_code == 200
    served.until("succeeded")
    assert served.end(signal.SIGTERM) == 0
    assert not any("Traceback" in line for line in served.lines)


def test_several_serve_one_file(serve: Serve, tmp_path: Path) -> None:
    with stored(tmp_path) as client:
        client.create(ss.Job(name="job", schedule=NEVER, target=ss.CommandTarget(["true"])))
    plain = serve()
    plain.until("serving jobs.db")
    (one, first), (other, second) = url_of(serve), url_of(serve)
    assert one != other
    assert httpx.post(f"{one}v1/jobs/job/pause", headers={"x-requested-with": "test"}).status_code == 200
    assert "paused" in httpx.get(f"{other}v1/jobs/job").text
    assert [each.end(signal.SIGTERM) for each in (plain, first, second)] == [0, 0, 0]


def test_the_token_is_asked_for_and_never_said(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    url, served = url_of(serve, "--token-file", "token")
    assert httpx.get(f"{url}v1/jobs").status_code == 401
    assert httpx.get(f"{url}v1/jobs", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    httpx.post(f"{url}page/login", data={"token": TOKEN})
    assert served.end(signal.SIGINT) == 130
    assert not any(TOKEN in line for line in served.lines)


def test_the_commands_of_jobs_do_not_inherit_the_token(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPSCHED_HTTP_TOKEN", TOKEN)
    monkeypatch.setenv("STEPSCHED_HTTP_SECRET", "open sesame")
    with stored(tmp_path) as client:
        client.create(ss.Job(name="job", schedule=NEVER, target=ss.CommandTarget(["sh", "-c", "env > log"])))
    url, served = url_of(serve)
    headers = {"authorization": f"Bearer {TOKEN}"}
    httpx.post(f"{url}v1/jobs/job/run", headers=headers).raise_for_status()
    served.until("succeeded")
    assert any(line.startswith("PATH=") for line in log(tmp_path))
    assert not any(TOKEN in line or "open sesame" in line for line in log(tmp_path))


def test_at_the_end_runs_are_awaited_and_nobody_is_answered(serve: Serve, tmp_path: Path) -> None:
    with stored(tmp_path) as client:
        client.create(ss.Job(name="slow", schedule=NEVER, target=UNTIL_TOLD))
    url, served = url_of(serve)
    httpx.post(f"{url}v1/jobs/slow/run", headers={"x-requested-with": "test"}).raise_for_status()
    served.until("started")
    with httpx.stream("GET", f"{url}page/changes", timeout=PATIENCE) as answer:
        served.process.send_signal(signal.SIGTERM)
        list(answer.iter_lines())  # until the server has ended it
    served.until("stopping: waiting for a run in progress")
    (tmp_path / "go").touch()
    assert served.process.wait(PATIENCE) == 0
    assert log(tmp_path) == ["begun", "ended"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
