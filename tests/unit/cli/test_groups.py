"""Groups of commands: what they show, and what they say of a command that is missing."""

from __future__ import annotations

import pytest

from tests.unit.cli.conftest import CommandLine


@pytest.mark.parametrize("line", ["", "asl", "iam"])
def test_without_a_command_the_help_is_shown_and_the_use_is_wrong(line: str, stepsched: CommandLine) -> None:
    done = stepsched(*line.split())
    assert (done.code, done.out) == (2, "")
    assert done.err == stepsched(*line.split(), "--help").out
    assert done.err.count("\n") > 8


@pytest.mark.parametrize("line", ["nope", "asl nope"])
def test_an_unknown_command_is_one_line(line: str, stepsched: CommandLine) -> None:
    done = stepsched(*line.split())
    assert (done.code, done.out, done.err) == (2, "", "error: No such command 'nope'.\n")
