"""The page about one-shot tasks: its commands run against its program under a real server."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from stepsched.http.one_shot import texts
from stepsched.machines.shared import one_shot_words as words
from tests.parts.web_server import PATIENCE, WebServer, serving

PAGE = Path(__file__).resolve().parents[2] / "docs" / "http.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


class Command(NamedTuple):
    """A command of the page, and what follows it."""

    text: str
    answer: str


def blocks() -> list[tuple[str, str]]:
    return [(match[1], match[2]) for match in BLOCK.finditer(PAGE.read_text("utf-8"))]


def commands() -> list[Command]:
    found = blocks()
    return [
        Command(text, found[at + 1][1])
        for at, (kind, text) in enumerate(found[:-1])
        if kind == "sh" and text.startswith("curl")
    ]


def uvicorn(port: int) -> list[str]:
    return ["-m", "uvicorn", "--factory", "tasks:app", "--port", str(port), "--host", "127.0.0.1"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    (program,) = (text for kind, text in blocks() if kind == "python" and text.startswith("# tasks.py"))
    (tmp_path / "tasks.py").write_text(program, "utf-8")
    with serving(uvicorn, tmp_path) as running:
        yield running


def output(command: str, server: WebServer, lines: int) -> str:
    """Returns the first lines that a command writes; one that listens does not end by itself.

    Left out of a stream is what is no event: its comments, and the positions that it says when silent.
    """
    text = re.sub(r"(localhost|127\.0\.0\.1):8080", f"127.0.0.1:{server.port}", command)
    found = list[str]()
    with subprocess.Popen(["bash", "-c", text], stdout=subprocess.PIPE, text=True) as process:
        killer = threading.Timer(PATIENCE, process.kill)
        killer.start()
        assert process.stdout is not None
        for line in process.stdout:
            if not line.strip() and found and found[-1].startswith("id:"):
                found.pop()
            if line.strip() and not line.startswith(("retry:", ":")):
                found.append(line.strip())
            if len(found) == lines:
                break
        process.kill()
        killer.cancel()
    return "\n".join(found)


def test_the_commands_are_answered_as_the_page_shows(server: WebServer) -> None:
    assert len(commands()) == 6
    for command in commands():
        wanted = command.answer.strip()
        pattern = re.escape(wanted).replace(re.escape("..."), ".*")
        found = output(command.text, server, len(wanted.splitlines()))
        assert re.fullmatch(pattern, found), f"{command.text}\n{found}\n{server.log()}"
    assert server.stop() in (0, -signal.SIGTERM)  # as the version of uvicorn has it
    assert "abc123" not in server.log()
    assert "Traceback" not in server.log()


def test_the_message_of_the_readme_comes_as_it_says(tmp_path: Path) -> None:
    readme = (PAGE.parents[1] / "README.md").read_text("utf-8")
    schedule, listen = (line for line in readme.splitlines() if line.startswith("curl "))

    def serve(port: int) -> list[str]:
        return ["-m", "stepsched", "serve", "jobs.db", "--http", f"127.0.0.1:{port}"]

    with serving(serve, tmp_path) as running:
        assert output(schedule.replace("10sec", "2sec"), running, 1).startswith('{"msg":{"executionArn"')
        assert '"message":{"name":"Luke"}' in output(listen, running, 3)


def test_the_page_has_every_text() -> None:
    page = PAGE.read_text("utf-8")
    for text in (
        words.SECRET_DIFFERS, words.NO_TIMESTAMP, words.NO_MESSAGE, words.NO_ARN, words.NOT_SCHEDULED,
        words.NOT_CANCELLED, texts.cancelled("<arn>"), texts.running_task("x").replace("'x'", "..."),
        texts.key_reused("x").replace("'x'", "..."),
    ):  # fmt: skip
        assert text in page
