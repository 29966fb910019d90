"""Whatever stands on a command line, it ends with an exit code of the table, one line, and no traceback."""

from __future__ import annotations

import random
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import click
import pytest

from stepsched.cli import failures
from stepsched.cli.app import run
from stepsched.testing import FakeClock
from tests.docs import cli_folder

GARBAGE = (
    *("", " ", "\x00", "é" * 300, "-1", "0", "1e999", "9" * 25, "{", "[1]", "{}", "null", "\udcff", "none"),
    *("@nofile", "/", ".", "jobs.db", "now-999999999999d", "nan", "a=b", "=", "\x1b[31m", "2030-01-01"),
    *("2030-01-01T00:00Z", "9999-12-31T23:59:59.999999+00:00", "0001-01-01T00:00+14:00", "a" * 9_000),
    *("local:", "local:/", "eventbridge:x", "%s", "${x}", "jobs.yaml", "crontab.txt", "machine.json", "--"),
    *("cleanup", "-", "empty.yaml", "bytes.yaml"),
)
COMMANDS = {name: each for name, each in cli_folder.commands() if name not in ("serve", "completion", "wait")}
"""The commands that end by themselves."""
WORDLESS = ("check", "plan", "asl check")
"""Commands whose exit code tells of what they show."""
CODES = {int(code) for code in re.findall(r"^\| (\d+) \|", failures.__doc__ or "", re.MULTILINE)}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("garbage") / "folder"
    cli_folder.make(made)
    (made / "empty.yaml").write_text("")
    (made / "bytes.yaml").write_bytes(bytes(range(256)))
    return made


def lines_of(name: str, command: click.Command, *, share: int, seed: str) -> Iterator[list[str]]:
    """Yields the command's first example with garbage in place of a word, and as the value of each option: of
    the garbage one in ``share`` for each place."""
    chance = random.Random(seed)
    example = next(each for each in COMMANDS[name].examples if not cli_folder.needs_a_shell(each))
    words = shlex.split(example)[1:]
    depth = len(name.split())
    for at in range(depth, len(words)):
        for garbage in chance.sample(GARBAGE, len(GARBAGE) // share):
            yield [*words[:at], garbage, *words[at + 1 :]]
    for option in command.params:
        if isinstance(option, click.Option) and not option.is_flag and option.name != "endpoint_url":
            for garbage in chance.sample(GARBAGE, len(GARBAGE) // share):
                yield [*words[:depth], option.opts[-1], garbage, *words[depth:]]
    for garbage in chance.sample(GARBAGE, len(GARBAGE) // share):
        yield [*words, garbage]


@pytest.mark.parametrize("name", COMMANDS)
def test_garbage_is_refused_in_one_line(name: str, template: Path, tmp_path: Path) -> None:
    check(name, template, tmp_path / "folder", share=20)


@pytest.mark.proof
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", COMMANDS)
def test_all_garbage_is_refused_in_one_line(name: str, template: Path, tmp_path: Path) -> None:
    check(name, template, tmp_path / "folder", share=1)


def check(name: str, template: Path, folder: Path, *, share: int) -> None:
    shutil.copytree(template, folder)
    for line in lines_of(name, COMMANDS[name], share=share, seed=name):
        screen = cli_folder.Terminal()
        with cli_folder.inside(folder), ExitStack() as stack:
            streams = (("stdin", cli_folder.Answers(screen)), ("stdout", screen), ("stderr", screen))
            for stream, replaced in streams:
                stack.enter_context(patch.object(sys, stream, replaced))
            code = run(line, clock=FakeClock(cli_folder.NOW), pause=lambda _: None)
        text = screen.getvalue()
        assert code in CODES, line
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text), (line, text)
        errors = [each for each in text.splitlines() if each.startswith("error: ")]
        assert not code or errors or name in WORDLESS, (line, text)
        assert all(len(each) < 2_100 for each in errors), line
