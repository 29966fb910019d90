"""Formats results and exceptions of attempts as text, with limits.

Exceptions are user code: their texts, their attributes and even the names of their classes may raise. The
functions that take one never raise.
"""

from __future__ import annotations

import traceback
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType

OUTPUT_LIMIT = 4_096
"""The maximum number of characters that are stored of a result."""
TRACEBACK_LIMIT = 16_384
"""The maximum number of characters that are stored of a traceback: a part of its beginning, and its end."""
GRACE = timedelta(seconds=1)
"""The grace period for a command or a coroutine to end by itself after its timeout."""
_PACKAGE = str(Path(__file__).resolve().parents[1])
# Characters that would end or colour a log line, or change its direction.
_CONTROLS = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (*range(32), *range(127, 160), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
} | {10: "\\n", 13: "\\r", 9: "\\t"}


def storable(text: str, limit: int = OUTPUT_LIMIT) -> str:
    """Returns the truncated text, without surrogates, which cannot be stored."""
    return text[:limit].encode(errors="replace").decode()


def words(error: BaseException) -> str:
    """Returns the name of the error's class, a colon, and its message. It may run user code."""
    with suppress(BaseException):
        # Joined, since a text may be of a class of the user's, whose methods are not called.
        return storable("".join((_class_name(error), ": ", str(error))))
    return _wordless(error)


def _wordless(error: BaseException) -> str:
    return f"{_class_name(error)}: (its text cannot be read)"


def _class_name(error: BaseException) -> str:
    name: str = type.__dict__["__name__"].__get__(type(error))  # and not what a metaclass says
    return name


def trace(error: BaseException) -> str | None:
    """Returns the traceback as Python prints it, from the first line of user code on; None if there is no
    such line.

    It may run user code, since the messages of exceptions are user code.
    """
    user = _beyond(BaseException.__dict__["__traceback__"].__get__(error))  # and not what its class says
    if user is None:
        return None
    text = _formatted(error, user)
    if len(text) > TRACEBACK_LIMIT:
        head = TRACEBACK_LIMIT // 4
        text = f"{text[:head]}\n... cut ...\n{text[-(TRACEBACK_LIMIT - head - 13) :]}"
    return storable(text, TRACEBACK_LIMIT)


def _formatted(error: BaseException, user: TracebackType) -> str:
    with suppress(BaseException):
        return "".join(traceback.format_exception(type(error), error, user))
    with suppress(BaseException):  # the sources of the lines are read by the loaders of their modules
        return "".join(traceback.format_tb(user)) + f"{_wordless(error)}\n"
    return f"{_wordless(error)}\n"


def _beyond(trace: TracebackType | None) -> TracebackType | None:
    """Returns the traceback without the leading frames of this package."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    return trace


def one_line(text: str) -> str:
    """Returns the text with control characters escaped, so that it cannot forge log lines."""
    return text.translate(_CONTROLS)


def indented(text: str) -> str:
    """Returns the lines of a text from outside, each with a prefix, for the end of a log record."""
    return "".join(f"\n  | {one_line(line)}" for line in text.rstrip().split("\n"))


def told(error: BaseException) -> str:
    """Returns an exception of user code for the end of a log record, with its traceback."""
    where = trace(error)
    return one_line(words(error)) + ("" if where is None else indented(where))


def too_long(limit: timedelta | None) -> TimeoutError:
    """Returns the error of an attempt that exceeded ``max_run_time``."""
    return TimeoutError(f"it took longer than max_run_time, {limit}")
