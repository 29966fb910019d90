"""The problems of a file of jobs, and the error that lists them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stepsched.core.errors import JobFileError
from stepsched.core.quoting import quoted, shortened

_MOST_SHOWN, _MOST_PROBLEMS = 500, 100
"""The maximum number of characters in a problem, and of problems in an error."""


class FileProblem(NamedTuple):
    """A mistake in a file."""

    line: int | None
    """The number of the line; the first is 1. None: it has none."""
    text: str
    """What is wrong, without the line."""
    message: str = ""
    """The text with the line, as the error has it. Empty: the text."""


def checked_text(text: object) -> str:
    """Returns the text of a file unchanged.

    Raises:
        TypeError: It is not text.
    """
    if not isinstance(text, str):
        raise TypeError(f"expected a string for text, got {quoted(text)}")
    return text


def cut(text: str) -> str:
    """Shortens the text of a problem, which may quote a large part of the file."""
    return shortened(text, _MOST_SHOWN)


def listed(problems: Sequence[str]) -> str:
    """Returns the problems as a text of bounded length."""
    lines = [cut(problem) for problem in problems[:_MOST_PROBLEMS]]
    if len(lines) < len(problems):
        lines.append(f"and {len(problems) - len(lines)} more")
    return lines[0] if len(lines) == 1 else "\n  ".join([f"{len(problems)} problems:", *lines])


def refuse(source: str, problems: Sequence[FileProblem]) -> None:
    """Raises all problems as one error; returns if there are none."""
    if problems:
        messages = [each.message or each.text for each in problems]
        pairs = [(each.line, cut(each.text)) for each in problems]
        raise JobFileError(source, listed(messages), problems=pairs)
