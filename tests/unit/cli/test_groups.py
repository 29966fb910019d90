"""Groups of commands: what they show, and what they say of a command that is missing."""

from __future__ import annotations

import pytest

from stepsched.cli.declaring import _INSTEAD
from tests.unit.cli.conftest import CommandLine


@pytest.mark.parametrize("line", ["", "asl", "iam"])
def test_without_a_command_the_help_is_shown_and_the_use_is_wrong(line: str, stepsched: CommandLine) -> None:
    done = stepsched(*line.split())
    assert (done.code, done.out) == (2, "")
    assert done.err == stepsched(*line.split(), "--help").out
    assert done.err.count("\n") > 8


@pytest.mark.parametrize(
    ("line", "what", "page"),
    [
        ("nope", "No such command 'nope'", "stepsched --help"),
        ("asl nope", "No such command 'nope'", "stepsched asl --help"),
        ("next --tz UTC", "No such option", "stepsched next --help"),
        ("list x", "Got unexpected extra argument (x)", "stepsched list --help"),
        ("plan", "Missing argument 'FILE...'", "stepsched plan --help"),
    ],
)
def test_a_wrong_use_is_one_line_that_names_the_help(
    line: str, what: str, page: str, stepsched: CommandLine
) -> None:
    done = stepsched(*line.split())
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(f"error: {what}")
    assert done.err.endswith(f"; see `{page}`\n")


@pytest.mark.parametrize(("word", "meant"), _INSTEAD.items())
def test_a_word_of_other_tools_is_answered_with_the_command_here(
    word: str, meant: str, stepsched: CommandLine
) -> None:
    done = stepsched(word, "x")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: No such command '{word}'. Did you mean '{meant}'?\n"
    assert stepsched(meant.partition(" ")[0], "--help").code == 0


def test_a_word_of_other_tools_is_not_answered_with_a_command_of_another_group(
    stepsched: CommandLine,
) -> None:
    assert "Did you mean" not in stepsched("iam", "show").err
