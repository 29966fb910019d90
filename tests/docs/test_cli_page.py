"""The page of the command line holds what the commands print."""

from __future__ import annotations

import re

from stepsched.cli import failures
from tests.docs import cli_folder
from tests.docs.cli_page import PAGE, exit_codes, page


def test_the_page_is_as_the_commands_are() -> None:
    """``python -m tests.docs.cli_page`` writes it."""
    text = PAGE.read_text("utf-8")
    assert page(text) == text


def test_every_command_has_a_heading() -> None:
    headings = re.findall(r"^### (.+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [name for name, _ in cli_folder.commands()] == [
        name for name in headings if name in dict(cli_folder.commands())
    ]


def test_the_table_of_exit_codes_is_that_of_the_program() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", exit_codes(), re.MULTILINE)}
    assert codes == {0, *range(1, 9), failures.TIMED_OUT, failures.INTERRUPTED, 141}
