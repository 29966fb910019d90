"""The files from which jobs are read: their path, their text, and the error that lists all problems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from stepsched.core.errors import JobFileError
from stepsched.core.quoting import given_text, quoted, shortened

_MOST_CHARACTERS = 50_000_000
"""The maximum number of characters of a file; devices such as /dev/zero never end."""
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


def path_of(source: object, expected: str, action: str = "load jobs from") -> Path:
    """Returns the path that a caller gave.

    Args:
        source: The path.
        expected: What is expected, for the error.
        action: As in :class:`JobFileError`.

    Raises:
        JobFileError: ``source`` is no path of a file.
    """
    if not isinstance(source, (str, Path)) or not str(source).strip().strip(".") or "\0" in str(source):
        raise JobFileError(given_text(source), f"expected {expected}", action)
    return Path(source)


def checked_text(text: object) -> str:
    """Returns the text of a file unchanged.

    Raises:
        TypeError: It is not text.
    """
    if not isinstance(text, str):
        raise TypeError(f"expected a string for text, got {quoted(text)}")
    return text


def read_text(path: Path) -> str:
    """Returns the text of a file, without a byte order mark.

    Raises:
        JobFileError: The file cannot be read, is too long, or is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            return text_of(file, str(path))
    except OSError as error:
        raise JobFileError(str(path), error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise JobFileError(str(path), f"it is not UTF-8: {error}") from error
    except ValueError as error:  # the path cannot be encoded
        raise JobFileError(str(path), str(error)) from error


def text_of(file: TextIO, source: str) -> str:
    """Returns the text of an open file.

    Args:
        file: The file.
        source: What it is, for errors.

    Raises:
        JobFileError: It is too long.
        OSError: It cannot be read.
        UnicodeDecodeError: It has another encoding.
    """
    text = file.read(_MOST_CHARACTERS + 1)
    if len(text) > _MOST_CHARACTERS:
        raise JobFileError(source, f"expected at most {_MOST_CHARACTERS:,} characters, got more")
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
