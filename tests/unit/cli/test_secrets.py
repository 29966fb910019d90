"""What people see on a terminal shows no secret of a job; only what ``apply`` reads holds it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.unit.cli.conftest import CommandLine
from tests.unit.cli.played import Played, job

JOBS = """\
- name: sync
  every: 1 hour
  target: {kind: command, command: [tool, --password=Hidden1, --api-key, Hidden2], env: {API_TOKEN: Hidden3}}
  input: {url: "postgres://ada:Hidden4@db/orders", secret: Hidden5}
"""
SHOWN = [
    "plan jobs.yaml",
    "apply jobs.yaml",
    "list",
    "get sync",
    "plan changed.yaml",
    "apply changed.yaml",
    "versions sync",
    'update sync --input \'{"secret": "Hidden6"}\'',
    "create other --schedule 'rate(1 hour)' --input '{\"secret\": \"Hidden7\"}' --dry-run -- true",
    "create sync -f changed-one.yaml",
    "pause sync --reason moving",
    "resume sync",
    "run-now sync",
    "runs sync",
    "upcoming sync",
    "logs sync",
    "dead-letters",
    "timeline jobs.yaml",
    "play jobs.yaml --until now+2h",
    "check jobs.yaml",
    "asl render jobs.yaml",
    "estimate jobs.yaml",
    "cancel sync --yes",
]
"""Command lines on a terminal, in an order in which each has something to show."""


@pytest.fixture
def files(tmp_path: Path, stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of jobs in the working folder of ``stepsched``."""
    monkeypatch.setenv("STEPSCHED_BACKEND", "local:jobs.db")
    (tmp_path / "jobs.yaml").write_text(JOBS)
    (tmp_path / "changed.yaml").write_text(JOBS.replace("Hidden1", "Hidden8").replace("Hidden5", "Hidden9"))
    (tmp_path / "changed-one.yaml").write_text(JOBS.replace("Hidden1", "Hidden10"))


@pytest.mark.usefixtures("files")
def test_no_secret_is_shown_on_a_terminal(stepsched: CommandLine) -> None:
    shown = {line: stepsched(*shlex.split(line), terminal=True) for line in SHOWN}
    assert {line: done.err for line, done in shown.items() if "Hidden" in done.out + done.err} == {}
    assert "***" in shown["get sync"].out
    assert {line for line, done in shown.items() if done.code} == {
        "create sync -f changed-one.yaml",  # the name is taken
        "asl render jobs.yaml",  # AWS cannot run a command
    }


RUNS = [
    "runs",
    "runs leaking",
    "wait leaking",
    "get leaking",
    "dead-letters",
    "logs",
    "watch --timeout 0s",
]
"""Command lines on a terminal about runs whose error and output hold a secret."""


def test_no_secret_of_an_error_or_an_output_is_shown(
    stepsched: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPSCHED_BACKEND", "local:jobs.db")
    monkeypatch.setenv("COLUMNS", "250")
    file = Played(tmp_path / "jobs.db")
    with file.open() as client:
        client.create(job("leaking", "leak"))
    file.play()
    shown = {line: stepsched(*shlex.split(line), terminal=True) for line in RUNS}
    assert {
        line: done.out + done.err for line, done in shown.items() if "Hidden" in done.out + done.err
    } == {}
    assert {line for line, done in shown.items() if "***" not in done.out + done.err} == set()
    assert "Hidden" in stepsched("runs", "leaking", "-o", "json").out


@pytest.mark.usefixtures("files")
def test_what_apply_reads_is_whole(stepsched: CommandLine) -> None:
    assert stepsched("apply", "jobs.yaml").code == 0
    for line in ("list -o json", "get sync -o yaml", "export"):
        assert "Hidden4" in stepsched(*line.split()).out


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("{kind: command, command: [tool], env: {API_TOKEN: [Hidden]}}", id="a variable"),
        pytest.param("{kind: command, command: {password: Hidden}}", id="an object"),
        pytest.param("'postgres://ada:Hidden@db/orders'", id="a URL"),
        pytest.param("{kind: command, command: [tool], stdin: 'password=Hidden'}", id="what a command reads"),
    ],
)
@pytest.mark.usefixtures("files")
def test_a_mistake_is_told_without_the_secret(stepsched: CommandLine, tmp_path: Path, target: str) -> None:
    text = f"- name: sync\n  every: 1 hour\n  target: {target}\n  input: {{secret: Hidden}}\n"
    (tmp_path / "bad.yaml").write_text(text)
    for line in ("check bad.yaml", "check bad.yaml -o json", "apply bad.yaml", "plan bad.yaml"):
        done = stepsched(*line.split(), terminal=True)
        assert done.code == 2
        assert "***" in done.out + done.err
        assert "Hidden" not in done.out + done.err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("create", "x", "--input", '{"password": Hidden', "--", "true"), id="no JSON"),
        pytest.param(("list", "--backend", "postgres://ada:Hidden@db/orders"), id="a backend"),
        pytest.param(
            (
                "list",
                "--backend",
                "stack:x",
                "--region",
                "eu-west-1",
                "--endpoint-url",
                "ftp://ada:Hidden@host",
            ),
            id="an endpoint",
        ),
        pytest.param(
            (
                "list",
                *["--backend", "stack:x", "--region", "eu-west-1", "--endpoint-url", "ada:Hidden@host:80"],
            ),
            id="an endpoint that is no URL",
        ),
    ],
)
@pytest.mark.usefixtures("files")
def test_a_wrong_argument_is_told_without_the_secret(
    stepsched: CommandLine, arguments: tuple[str, ...]
) -> None:
    done = stepsched(*arguments)
    assert (done.code, "Hidden" in done.err, "***" in done.err) == (2, False, True)
