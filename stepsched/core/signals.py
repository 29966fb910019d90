"""Hears SIGINT and SIGTERM in a call that goes on until it is told to end."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any

from typing_extensions import Self

_WAKE_UP = 0.2
"""The pause in seconds between two checks for a signal."""


class Signals:
    """While its block runs, SIGINT and SIGTERM are put into a queue. The block must be in the main thread.

    The previous handlers are restored afterwards. In the child of a fork they apply at once, since it does
    not serve. A handler that is not Python's is left alone.
    """

    def __init__(self, *, hands_on: bool = False) -> None:
        """Creates the block.

        Args:
            hands_on: Whether signals are only held back: when the block has ended, the previous handlers are
                called for them. The KeyboardInterrupt of the first signal is dropped, since that signal has
                ended the block. A signal that is ignored stays so.
        """
        self._queue: SimpleQueue[int] = SimpleQueue()  # put() is safe in a signal handler
        self._heard = list[int]()
        self._before: dict[int, Any] = {}
        self._home = os.getpid()
        self._hands_on = hands_on

    def __enter__(self) -> Self:
        """Raises :class:`ValueError` if this is not the main thread."""
        left_alone = (None, signal.SIG_IGN) if self._hands_on else (None,)
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        self._before = {number: each for number, each in handlers.items() if each not in left_alone}
        for number in self._before:
            signal.signal(number, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as restored:  # all are, whatever a handler raises; SIGINT last, which often does
            for number in self._before:
                restored.callback(self._restore, number)

    def _restore(self, number: int) -> None:
        signal.signal(number, self._before[number])
        if not self._hands_on or number not in self._heard:
            return
        times = self._heard.count(number)
        if self._heard[0] == number:
            times -= 1
            with suppress(KeyboardInterrupt):
                self._hand_on(number)
        if times:
            self._hand_on(number)

    def _hand_on(self, number: int) -> None:
        handler = self._before[number]
        if callable(handler):
            handler(number, None)  # not raised again, since event loops have already been told of it
        else:
            signal.raise_signal(number)

    def next(self) -> int:
        """Waits for the next signal and returns its number; 0 for :meth:`wake`.

        A signal that arrives just before the wait is handled only after it, so the wait is repeated
        regularly.
        """
        while True:
            try:
                return self._queue.get(timeout=_WAKE_UP)
            except Empty:
                continue

    def wake(self) -> None:
        """Lets :meth:`next` return 0. It may be called in any thread."""
        self._queue.put(0)

    def _hear(self, number: int, _frame: object) -> None:
        if os.getpid() == self._home:
            self._heard.append(number)
            self._queue.put(number)
        else:
            signal.signal(number, self._before[number])
            signal.raise_signal(number)
