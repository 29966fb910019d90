"""Every example in the help of every command works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs import cli_folder

COMMANDS = dict(cli_folder.commands())
EXAMPLES = [
    pytest.param(name, example, id=example) for name, each in COMMANDS.items() for example in each.examples
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, made once; each example gets a copy."""
    folder = tmp_path_factory.mktemp("examples") / "folder"
    cli_folder.make(folder)
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_two_examples_of_itself(name: str) -> None:
    examples = COMMANDS[name].examples
    assert len(examples) == len(set(examples)) >= 2
    assert all(f"stepsched {name}" in example for example in examples)


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_the_example_works(name: str, example: str, template: Path, tmp_path: Path) -> None:
    folder = cli_folder.fresh(template, tmp_path / "folder")
    ended = cli_folder.play(example, folder)
    assert ended.code == (130 if cli_folder.is_endless(example) else 0), ended.text
    assert not re.search("^Traceback", ended.text, re.MULTILINE)


def test_an_example_with_signs_of_a_shell_is_run_by_one(template: Path, tmp_path: Path) -> None:
    folder = cli_folder.fresh(template, tmp_path / "folder")
    ended = cli_folder.play("stepsched list -o name | sort > names && cat names", folder)
    assert ended == (0, "cleanup\nclosing-books\nnightly-report\n")
    assert cli_folder.play("stepsched get-nothing && true", folder).code == 2
