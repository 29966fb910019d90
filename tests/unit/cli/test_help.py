"""The help pages, as they stand on a terminal of 80 columns."""

from __future__ import annotations

import shlex

import click
import pytest

from stepsched.cli.app import app
from tests.unit.cli.conftest import CommandLine

GROUPS = [
    "",
    *(name for name, each in app.commands.items() if isinstance(each, click.Group)),
]


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("name", GROUPS)
def test_each_command_is_one_line_of_the_help(name: str, stepsched: CommandLine) -> None:
    group = app.commands[name] if name else app
    assert isinstance(group, click.Group)
    text = stepsched(*name.split(), "--help").out.partition("\nOptions:")[0]
    lines = [line.split(None, 1) for line in text.splitlines() if line]
    told = {line[0]: line[1].strip() for line in lines if len(line) == 2}
    for each in group.commands.values():
        assert told[each.name or ""] == each.get_short_help_str(1_000)


def test_the_commands_stand_above_the_options(stepsched: CommandLine) -> None:
    text = stepsched("--help").out
    places = [text.index(title) for title in ("When (no", "Options:", "Where jobs are", "Examples:")]
    assert places == sorted(places)
    assert text.endswith("stepsched COMMAND --help shows more, and examples.\n")


def test_the_options_of_a_command_stand_apart_from_those_of_most_commands(stepsched: CommandLine) -> None:
    text = stepsched("list", "--help").out
    own, shared = text.partition("Where jobs are, and how to print:")[::2]
    assert "--status" in own
    assert "--backend" not in own
    assert "--backend" in shared
    assert "How to print:" in stepsched("next", "--help").out
    assert "--backend" not in stepsched("next", "--help").out


def test_the_examples_of_the_program_work(stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(map(len, app.examples)) < 78
    asks, place, *lines, serve = [shlex.split(each)[1:] for each in app.examples]
    monkeypatch.setenv(*place[0].split("="))
    assert [stepsched(*line).code for line in (asks, *lines)] == [0, 0, 0]
    assert serve == ["serve", "jobs.db"]
