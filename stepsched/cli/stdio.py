"""The standard streams of a process: closed ones, narrow encodings, full disks, lost readers."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Literal

import click

_PART = 16_384
"""The number of characters that are written at once."""


class _Closed(io.TextIOBase):
    """Stands for a standard output that is closed: whoever writes to it hears of it."""

    def write(self, _text: str, /) -> int:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def prepare() -> None:
    """Makes the streams of this process fit for any text, and replaces those that are closed.

    A character that the encoding of the output does not have is written as an escape. Descriptors of closed
    streams are taken, so that no file gets their number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and name == "stdout":
            stream.reconfigure(errors="backslashreplace")
        if stream is None:
            null = open(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, _Closed() if name == "stdout" else null)


def is_unicode() -> bool:
    """Returns whether the encoding of the standard output has every character."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return encoding.lower().replace("_", "-").startswith("utf")


def write(text: str) -> None:
    """Writes text to the standard output.

    Raises:
        OSError: It cannot be written.
    """
    # In parts: of one large text, an unbuffered stream may lose the end without an error.
    for at in range(0, len(text), _PART):
        sys.stdout.write(text[at : at + _PART])
    sys.stdout.flush()


def tell(text: str, *, ends_line: bool = True) -> None:
    """Writes text, by default a line, to the standard error stream. What cannot be written is lost: there is
    no other place to say so, and it must not end what the text is about."""
    try:
        click.echo(text, err=True, nl=ends_line)
    except OSError:
        abandon("stderr")


def abandon(name: Literal["stdout", "stderr"]) -> None:
    """Gives up a stream that cannot be written: the rest of its buffer would raise again when the interpreter
    ends."""
    with suppress(OSError, ValueError, AttributeError):  # such as a stream in memory
        descriptor = getattr(sys, name).fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, descriptor)
        os.close(null)
