"""How an attempt went: what is kept of it as text, and when it has taken too long."""

from __future__ import annotations

import traceback
from datetime import timedelta
from pathlib import Path
from types import TracebackType

OUTPUT_LIMIT = 4_096
"""Characters kept of an answer."""
TRACEBACK_LIMIT = 16_384
"""Characters kept of a traceback: its beginning and, for the greater part, its end."""
GRACE = timedelta(seconds=1)
"""What a command or a coroutine has to end by itself, once it has taken too long."""
_PACKAGE = str(Path(__file__).resolve().parents[2])
# What would end or colour a line of a log, or turn its direction.
_CONTROLS = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (*range(32), *range(127, 160), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
} | {10: "\\n", 13: "\\r", 9: "\\t"}


def storable(text: str, limit: int = OUTPUT_LIMIT) -> str:
    """The text cut to what is kept of it, without the halves of characters that no file can hold."""
    return text[:limit].encode(errors="replace").decode()


def words(error: BaseException) -> str:
    """The name of the error's class, a colon, and what it says. To be called where user code may run."""
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 -- user code
        text = "(its text cannot be read)"
    return storable(f"{type(error).__name__}: {text}")


def trace(error: BaseException) -> str | None:
    """The error as Python prints it, from the first line of user code on; None where there is no such line.

    To be called where user code may run, since the texts of exceptions are.
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
    """The traceback without the frames of this package that it begins with."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    return trace


def one_line(text: str) -> str:
    """The text with control characters written out, so that it cannot pass for lines of a log."""
    return text.translate(_CONTROLS)


def indented(text: str) -> str:
    """Lines of foreign text, each marked as such, for the end of a log record."""
    return "".join(f"\n  | {one_line(line)}" for line in text.rstrip().split("\n"))


def too_long(limit: timedelta | None) -> TimeoutError:
    """What an attempt beyond ``max_run_time`` fails with."""
    return TimeoutError(f"it took longer than max_run_time, {limit}")
