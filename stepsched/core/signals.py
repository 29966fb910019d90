"""Hears SIGINT and SIGTERM in a program that does nothing else than serve."""

from __future__ import annotations

import os
import signal
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any

from typing_extensions import Self

_WAKE_UP = 0.2
"""The pause in seconds between two checks for a signal."""


class Signals:
    """While its block runs, SIGINT and SIGTERM are put into a queue. The block must be in the main thread.

    The previous handlers are restored afterwards. In the child of a fork they apply at once, since it does
    not serve.
    """

    def __init__(self) -> None:
        self._heard: SimpleQueue[int] = SimpleQueue()  # put() is safe in a signal handler
        self._before: dict[int, Any] = {}
        self._home = os.getpid()

    def __enter__(self) -> Self:
        """Raises :class:`ValueError` if this is not the main thread."""
        self._before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in self._before:
            signal.signal(number, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
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

    def wake(self) -> None:
        """Lets :meth:`next` return 0. It may be called in any thread."""
        self._heard.put(0)

    def _hear(self, number: int, _frame: object) -> None:
        if os.getpid() == self._home:
            self._heard.put(number)
        else:
            signal.signal(number, self._before[number])
            signal.raise_signal(number)
