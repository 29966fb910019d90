"""Reads files of text: of bounded length, in UTF-8."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from stepsched.core.errors import JobFileError
from stepsched.core.quoting import given_text

_LOAD = "load jobs from"
_MOST_CHARACTERS = 50_000_000
"""The maximum number of characters of a file; devices such as /dev/zero never end."""


def path_of(source: object, expected: str, action: str = _LOAD) -> Path:
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


def read_text(path: Path, action: str = _LOAD) -> str:
    """Returns the text of a file, without a byte order mark.

    Args:
        path: The path.
        action: As in :class:`JobFileError`.

    Raises:
        JobFileError: The file cannot be read, is too long, or is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            return text_of(file, str(path), action)
    except OSError as error:
        raise JobFileError(str(path), error.strerror or str(error), action) from error
    except UnicodeDecodeError as error:
        raise JobFileError(str(path), f"it is not UTF-8: {error}", action) from error
    except JobFileError:
        raise
    except ValueError as error:  # the path cannot be encoded
        raise JobFileError(str(path), str(error), action) from error


def text_of(file: TextIO, source: str, action: str = _LOAD) -> str:
    """Returns the text of an open file.

    Args:
        file: The file.
        source: What it is, for errors.
        action: As in :class:`JobFileError`.

    Raises:
        JobFileError: It is too long.
        OSError: It cannot be read.
        UnicodeDecodeError: It has another encoding.
    """
    text = file.read(_MOST_CHARACTERS + 1)
    if len(text) > _MOST_CHARACTERS:
        raise JobFileError(source, f"expected at most {_MOST_CHARACTERS:,} characters, got more", action)
    return text
