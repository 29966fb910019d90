"""How an attempt went: the words that are kept of it, and when it has taken too long."""

from __future__ import annotations

from datetime import timedelta

OUTPUT_LIMIT = 4_096
"""Characters kept of an answer."""
GRACE = timedelta(seconds=1)
"""What a command or a coroutine has to end by itself, once it has taken too long."""


def storable(text: str) -> str:
    """The text cut to what is kept of it, without the halves of characters that no file can hold."""
    return text[:OUTPUT_LIMIT].encode(errors="replace").decode()


def words(error: BaseException) -> str:
    """The name of the error's class, a colon, and what it says."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 -- user code
        text = "(its text cannot be read)"
    return storable(f"{type(error).__name__}: {text}")


def too_long(limit: timedelta | None) -> TimeoutError:
    """What an attempt beyond ``max_run_time`` fails with."""
    return TimeoutError(f"it took longer than max_run_time, {limit}")
