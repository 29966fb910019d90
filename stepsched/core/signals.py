"""Hears SIGINT and SIGTERM in a call that goes on until it is told to end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any

from typing_extensions import Self

_WAKE_UP = 0.2
"""The pause in seconds between two checks for a signal."""


class Signals:
    """While its block runs, SIGINT and SIGTERM are put into a queue. The block must be in the main thread.

    The previous handlers are restored afterwards. In the child of a fork they apply at once, since it does
    not serve. A signal that is ignored, or whose handler is not Python's, is left alone.
    """

    def __init__(self) -> None:
        self._heard: SimpleQueue[int] = SimpleQueue()  # put() is safe in a signal handler
        self._before: dict[int, Any] = {}
        self._home = os.getpid()

    def __enter__(self) -> Self:
        """Raises :class:`ValueError` if this is not the main thread."""
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        self._before = {
            number: handler for number, handler in handlers.items() if handler not in (None, signal.SIG_IGN)
        }
        for number in self._before:
            signal.signal(number, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in reversed(self._before.items()):  # SIGINT last, which may raise at once
            signal.signal(number, handler)

    def next(self) -> int:
        """Waits for the next signal and returns its number; 0 for :meth:`wake`.

        A signal that arrives just before the wait is handled only after it, so the wait is repeated
        regularly.
        """
        while True:
            try:
                return self._heard.get(timeout=_WAKE_UP)
            except Empty:
                continue

    def rest(self) -> Iterator[int]:
        """Yields the numbers of the signals that have been heard and not yet been returned."""
        with suppress(Empty):
            while True:
                yield self._heard.get_nowait()

    def wake(self) -> None:
        """Lets :meth:`next` return 0. It may be called in any thread."""
        self._heard.put(0)

    def _hear(self, number: int, _frame: object) -> None:
        if os.getpid() == self._home:
            self._heard.put(number)
        else:
            signal.signal(number, self._before[number])
            signal.raise_signal(number)
