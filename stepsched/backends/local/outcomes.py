"""Formats results and exceptions of attempts as text, with limits."""

from __future__ import annotations

import traceback
from datetime import timedelta
from pathlib import Path
from types import TracebackType

OUTPUT_LIMIT = 4_096
"""The maximum number of characters that are stored of a result."""
TRACEBACK_LIMIT = 16_384
"""The maximum number of characters that are stored of a traceback: a part of its beginning, and its end."""
GRACE = timedelta(seconds=1)
"""The grace period for a command or a coroutine to end by itself after its timeout."""
_PACKAGE = str(Path(__file__).resolve().parents[2])
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
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 -- user code
        text = "(its text cannot be read)"
    return storable(f"{type(error).__name__}: {text}")


def trace(error: BaseException) -> str | None:
    """Returns the traceback as Python prints it, from the first line of user code on; None if there is no
    such line.

    It may run user code, since the messages of exceptions are user code.
    """
    user = _beyond(error.__traceback__)
    if user is None:
        return None
    try:
        text = "".join(traceback.format_exception(type(error), error, user))
    except BaseException:  # noqa: BLE001 -- user code
        text = "".join(traceback.format_tb(user)) + f"{type(error).__name__}: (its text cannot be read)\n"
    if len(text) > TRACEBACK_LIMIT:
        head = TRACEBACK_LIMIT // 4
        text = f"{text[:head]}\n... cut ...\n{text[-(TRACEBACK_LIMIT - head - 13) :]}"
    return storable(text, TRACEBACK_LIMIT)


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
