"""What interrupts a watch besides Ctrl-C: a process that is told to end, Ctrl-Z, and the stop button of a
notebook."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from stepsched.core.clock import SystemClock
from stepsched.display.live import is_notebook

_AT_ONCE = 1.0
"""The longest time in seconds from the stop button of a notebook to the cancellation that follows."""


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """While its block runs, SIGTERM raises KeyboardInterrupt in the main thread, as Ctrl-C does.

    Raises:
        ValueError: This is not the main thread.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def put_aside_by_ctrl_z(aside: Callable[[Callable[[], object]], object]) -> Iterator[None]:
    """While its block runs, Ctrl-Z stops this process only when what it shows has been put aside. Where there
    is no such signal, or it is ignored, nothing changes.

    Args:
        aside: Puts aside what is shown, and calls the given function, which returns when the process goes on.

    Raises:
        ValueError: This is not the main thread.
    """
    number = getattr(signal, "SIGTSTP", None)
    if number is None or signal.getsignal(number) is not signal.SIG_DFL:
        yield
        return

    def stop() -> None:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
        signal.signal(number, put_aside)

    def put_aside(_number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-Z would wait for what the first one holds
        aside(stop)

    signal.signal(number, put_aside)
    try:
        yield
    finally:
        signal.signal(number, signal.SIG_DFL)


class StopButton:
    """Tells in a notebook whether the stop button has cancelled a task.

    While a cell is awaited, the kernel of Jupyter turns SIGINT into a cancellation of the cell's task, which
    is otherwise the same as any other (``_cancel_on_sigint`` of ipykernel). So the signal is noted here on
    its way to the handler before, which does what it always does.
    """

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._pressed_at: float | None = None

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Notes the signal while its block runs. Outside of a notebook, and of the main thread, it does
        nothing."""
        before = signal.getsignal(signal.SIGINT)
        is_main = threading.current_thread() is threading.main_thread()
        if not is_notebook() or not is_main or not callable(before):
            yield
            return

        def hear(number: int, frame: FrameType | None) -> None:
            self._pressed_at = self._clock.monotonic()
            before(number, frame)

        signal.signal(signal.SIGINT, hear)
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGINT) is hear:  # the kernel sets its own at the end of the cell
                signal.signal(signal.SIGINT, before)

    def was_pressed(self) -> bool:
        """Returns whether the cancellation that has just arrived is that of the stop button."""
        return self._pressed_at is not None and self._clock.monotonic() - self._pressed_at < _AT_ONCE
