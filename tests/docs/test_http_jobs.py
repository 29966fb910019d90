"""The page of jobs over HTTP: its requests are made by curl, and its tables are complete."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from stepsched.http.jobs.problems import KINDS
from stepsched.http.jobs.routes import RESOURCES
from tests.docs.snippets import pieces
from tests.unit.http.server import served

PAGE = Path(__file__).resolve().parents[2] / "docs" / "http-jobs.md"
TEXT = PAGE.read_text(encoding="utf-8")


class Command(NamedTuple):
    """A command of the page, and the lines that its output has, in this order."""

    line: str
    expected: list[str]


def commands() -> list[Command]:
    found = list[Command]()
    for block in re.findall(r"^```console\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Command(line[2:], []))
            else:
                found[-1].expected.append(line)
    return found


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The variables of the page; they lead to a server with the application that the page makes."""
    here = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("page"))
    try:
        names: dict[str, object] = {}
        exec(compile(pieces(TEXT)[0].text, str(PAGE), "exec"), names)
        app, backend = names["app"], names["backend"]
        with served(app) as (host, port):  # type: ignore[arg-type]  # the page makes it
            yield {
                **os.environ,
                "JOBS": f"http://{host}:{port}/v1",
                "AUTH": f"Authorization: Bearer {os.environ['TOKEN']}",
                "JSON": "Content-Type: application/json",
            }
        backend.close()  # type: ignore[attr-defined]  # as above
    finally:
        os.chdir(here)
        os.environ.pop("TOKEN", None)


def test_the_requests_of_the_page_are_answered_as_it_says(environment: Mapping[str, str]) -> None:
    made = commands()
    assert len(made) > 10
    for command in made:
        done = subprocess.run(
            ["bash", "-c", command.line],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        lines = iter(done.stdout.splitlines())
        for wanted in command.expected:
            pattern = ".*".join(map(re.escape, wanted.split("…")))
            assert any(re.fullmatch(pattern, line) for line in lines), (
                f"{command.line}\n{wanted}\n{done.stdout}"
            )


def test_the_page_has_every_route() -> None:
    rows = set(re.findall(r"^\| `(/\S*)` \| ([A-Z]+) \|", TEXT, re.MULTILINE))
    others = {(path, "GET") for path in ("/events", "/openapi.json", "/healthz")}
    assert rows == {(path, method) for path, each in RESOURCES.items() for method in each} | others


def test_the_page_has_the_status_and_the_code_of_every_error() -> None:
    rows = dict[int, str]()
    for statuses, codes in re.findall(r"^\| ([0-9, ]+) \| (.*?) \|", TEXT, re.MULTILINE):
        for status in statuses.split(", "):
            rows[int(status)] = codes
    for kind in KINDS.values():
        assert (f"`{kind.code}`" if kind.code else "the code of the backend's error") in rows[kind.status]


def test_the_page_has_every_code_that_the_application_names() -> None:
    folder = PAGE.parents[1] / "stepsched" / "http" / "jobs"
    sources = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    codes = set(re.findall(r'Refusal\(\s*\d+,\s*"(\w+)"', sources))
    codes |= set(re.findall(r'code="(\w+)"', sources))
    assert len(codes) > 15
    assert {code for code in codes if f"`{code}`" not in TEXT} == set()
