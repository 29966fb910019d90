"""What a command line costs: help loads nothing heavy, and commands without a backend reach no network."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.docs import cli_folder

COMMANDS = dict(cli_folder.commands())
HEAVY = {
    "pydantic",
    "boto3",
    "botocore",
    "rich",
    "yaml",
    "croniter",
    "dateutil",
    "sqlite3",
    "asyncio",
    "starlette",
    "uvicorn",
}
"""Modules that help never loads."""
OFFLINE = (
    "next",
    "explain",
    "timeline",
    "crontab",
    "check",
    "play",
    "asl",
    "estimate",
    "iam",
    "template",
    "completion",
)
"""The first words of the commands that never ask a backend."""
PROBE = """
import contextlib, io, json, sys

def watch(event, _):
    if event.startswith("socket."):
        reached.append(event)

reached, results = [], []
sys.addaudithook(watch)
from stepsched.cli.app import run
for arguments in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    results.append([code, out.getvalue(), err.getvalue()])
json.dump([results, reached, sorted({name.partition(".")[0] for name in sys.modules})], sys.stdout)
"""


class Probed(NamedTuple):
    """What a fresh process has done that ran command lines one after the other."""

    results: list[Any]
    reached: list[str]
    loaded: set[str]


def probe(*command_lines: list[str], folder: Path) -> Probed:
    settings = {
        **os.environ,
        "PYTHONPATH": str(cli_folder.ROOT),
        "STEPSCHED_BACKEND": "local:jobs.db",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_MAX_ATTEMPTS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(command_lines)],
        cwd=folder,
        env=settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    results, reached, loaded = json.loads(done.stdout)
    return Probed(results, reached, set(loaded))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("cost") / "folder"
    cli_folder.make(made)
    return made


def test_the_help_of_every_command_loads_nothing_heavy(tmp_path: Path) -> None:
    lines = [["--help"], ["--version"], *([*name.split(), "--help"] for name in COMMANDS)]
    probed = probe(*lines, folder=tmp_path)
    assert [code for code, _, _ in probed.results] == [0] * len(lines)
    assert all(out and not err for _, out, err in probed.results)
    assert probed.loaded & HEAVY == set()
    assert probed.reached == []


def test_wrong_use_loads_nothing_heavy(tmp_path: Path) -> None:
    lines = [["nxt"], ["next"], ["list", "--colour"], ["list", "-o", "xml"], ["list", "--tag", "x"]]
    probed = probe(*lines, folder=tmp_path)
    assert [code for code, _, _ in probed.results] == [2] * len(lines)
    assert probed.loaded & HEAVY == set()


def test_the_program_itself_starts_as_light(tmp_path: Path) -> None:
    """As the process that a person starts, which has neither the probe nor a test around it."""
    program = [sys.executable, "-X", "importtime", "-m", "stepsched", "--help"]
    settings = {**os.environ, "PYTHONPATH": str(cli_folder.ROOT)}
    done = subprocess.run(program, cwd=tmp_path, env=settings, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert done.stdout.startswith("Usage: python -m stepsched ")
    assert "click" in loaded
    assert loaded & HEAVY == set()


OFFLINE_LINES = [
    (name, example)
    for name, command in COMMANDS.items()
    for example in command.examples
    if name.split()[0] in OFFLINE or "--offline" in example or "--stored" in example
    if not cli_folder.needs_a_shell(example)
]
"""The examples of the commands that ask no backend."""


def test_every_command_without_a_backend_has_such_an_example() -> None:
    offline = {name for name in COMMANDS if name.split()[0] in OFFLINE}
    assert {name for name, _ in OFFLINE_LINES} == offline | ({"plan"} & COMMANDS.keys())


@pytest.mark.parametrize("reads_models", [False, True], ids=["others", "asl, iam, estimate and template"])
def test_commands_without_a_backend_load_no_boto3_and_open_no_socket(
    reads_models: bool, folder: Path
) -> None:
    """Some read the models of services, which botocore has as files; urllib3, which it loads, asks the system
    for IPv6 by a socket that is never connected."""
    first = ("asl", "iam", "estimate", "template")
    chosen = [line for name, line in OFFLINE_LINES if (name.split()[0] in first) is reads_models]
    probed = probe(*(shlex.split(line)[1:] for line in chosen), folder=folder)
    assert [(code, err) for code, _, err in probed.results if code] == []
    assert probed.loaded & {"boto3", *(() if reads_models else ("botocore",))} == set()
    assert {*probed.reached} <= ({"socket.__new__", "socket.bind"} if reads_models else set())


@pytest.mark.parametrize("form", ["json", "name", "yaml"])
def test_only_a_table_loads_rich(form: str, folder: Path) -> None:
    lines = ["next", "rate(1 hour)"], ["next", "rate(1 hour)", "-o", form], ["list", "-o", form]
    probed = probe(*lines, folder=folder)
    assert [code for code, _, _ in probed.results] == [0, 0, 0]
    assert "rich" not in probed.loaded


def test_a_table_loads_rich(folder: Path) -> None:
    assert "rich" in probe(["list", "-o", "table"], folder=folder).loaded


def test_the_probe_sees_a_socket(folder: Path) -> None:
    """Else the tests above would prove nothing. Nobody listens at the port."""
    line = "list --backend stack:nothing --region eu-west-1 --endpoint-url http://127.0.0.1:9"
    probed = probe(line.split(), folder=folder)
    assert [code for code, _, _ in probed.results] == [1]
    assert {"boto3", "botocore"} <= probed.loaded
    assert "socket.connect" in probed.reached
