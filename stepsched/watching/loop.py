"""Shows again and again what happens, until it is interrupted or its time is over."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from datetime import timedelta

from stepsched.backends.base import Backend
from stepsched.core.clock import SystemClock
from stepsched.core.durations import seconds_of
from stepsched.core.errors import BackendError, UnsupportedError
from stepsched.core.signals import Signals
from stepsched.core.threads import DaemonExecutor
from stepsched.display.live import Picture, Screen, screen
from stepsched.watching.pictures import READING, Layout, html_of, lines_of, text_of
from stepsched.watching.reading import Reader, Seen

_SHORTEST = 0.1
"""The shortest interval in seconds."""
_FAR = 5.0
"""How many times as long as its first pause the interval of a backend is, at least a second."""
_PATIENCE = 5.0
"""The longest time in seconds that the end of a watch waits for a terminal that takes no text (Ctrl-S)."""
_WHOLE = (60, 200)
"""The numbers of lines and columns of a picture where there is no screen."""


def checked_interval(interval: timedelta | float | None, backend: Backend) -> float:
    """Returns the seconds between two pictures.

    Args:
        interval: The interval. None: a second, or longer if the backend asks for longer pauses.
        backend: The backend.

    Raises:
        TypeError: ``interval`` is neither a number nor a timedelta.
        ValueError: ``interval`` is shorter than a tenth of a second.
    """
    seconds = seconds_of(interval, "interval")
    if seconds is None:
        return max(1.0, _FAR * backend.first_pause)
    if seconds < _SHORTEST:
        raise ValueError(f"expected interval of at least {_SHORTEST} seconds, got {interval!r}")
    return seconds


class Watch:
    """Shows what a reader reads: a picture on a screen, or else a line for each change.

    It may be stopped in another thread at any instant: nothing is shown any more after :meth:`stop`.
    """

    def __init__(
        self,
        reader: Reader,
        backend: Backend,
        *,
        interval: timedelta | float | None = None,
        timeout: timedelta | float | None = None,
        place: Screen | None = None,
        write: Callable[[str], object] | None = None,
    ) -> None:
        """Creates a watch. Nothing is read yet.

        Args:
            reader: The reader.
            backend: Its backend.
            interval: As for :func:`checked_interval`.
            timeout: The time after which the watch ends, in seconds or as a timedelta. None: it does not.
            place: Where pictures are shown. None: a notebook or a terminal, if ``write`` is None too.
            write: Writes a line. None: to the standard error stream.

        Raises:
            UnsupportedError: The backend has a fake clock, which does not advance meanwhile, and
                ``timeout`` is not zero.
        """
        self._interval = checked_interval(interval, backend)
        self._timeout = seconds_of(timeout, "timeout")
        reason = backend.why_wait_is_endless()
        if reason is not None and self._timeout != 0:
            raise UnsupportedError("*", backend.name, reason)
        self._reader = reader
        self._is_far = not backend.capabilities.keeps_events
        is_one = self._timeout == 0
        self._screen = screen(patience=0, is_full=not is_one) if place is None and write is None else place
        self._write = write or _write_line
        self._clock = SystemClock()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._is_closed = threading.Event()
        self._home = os.getpid()
        self._seen: Seen | None = None
        # Without it, Python would print the failures of runs beside the picture, which shows them, if the
        # program has not configured logging. What it has configured goes on.
        self._silence = logging.NullHandler()
        self._layout = Layout()

    def steps(self) -> Iterator[float]:
        """Reads and shows, and yields the seconds to pause before each next step.

        Raises:
            BackendError: The backend cannot be read, and could not be later either.
        """
        begun = self._clock.monotonic()
        self._begin()
        while not self._over.is_set():
            self._step()
            left = None if self._timeout is None else begun + self._timeout - self._clock.monotonic()
            if left is not None and left <= 0:
                return
            yield self._interval if left is None else min(self._interval, left)

    def _begin(self) -> None:
        with self._lock:
            if self._screen is None or self._over.is_set():
                return
            logging.getLogger("stepsched").addHandler(self._silence)
            if self._is_far:
                self._screen.show(Picture(lambda _rows, _columns: READING))

    def _step(self) -> None:
        try:
            seen = self._reader.read()
        except BackendError as error:
            if self._over.is_set():  # the backend may be closed already
                return
            if not error.retryable:
                raise
            now = self._clock.now()
            before = self._seen or Seen(now, is_known=False)
            age = before.age + max(now - before.now, timedelta(0))
            seen = before._replace(now=now, age=age, outage=str(error))
        with self._lock:
            if not self._over.is_set():
                self._show(seen)
                self._seen = seen

    def _show(self, seen: Seen) -> None:
        def text(rows: int, columns: int) -> str:
            return text_of(seen, rows, columns, self._layout)

        if self._screen is not None:
            self._screen.show(Picture(text, lambda: html_of(seen)))
            return
        is_one = self._timeout == 0  # nothing follows, so that lines of changes would tell little
        for line in text(*_WHOLE).split("\n") if is_one else lines_of(self._seen, seen):
            self._write(line)

    def stop(self) -> None:
        """Ends the watch: the last picture stays as it is. In the child of a fork nothing is closed, since
        the screen is that of the parent."""
        self._over.set()
        try:
            if os.getpid() == self._home:
                with self._screen_closed():
                    logging.getLogger("stepsched").removeHandler(self._silence)
        finally:
            atexit.unregister(self.stop)
            self._is_closed.set()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """While its block runs, steps may be made; at its end the watch is stopped.

        That is done by a thread of its own: Ctrl-C and Ctrl-Z, which are handled in the main thread, meet no
        screen that is half closed. What is still open at the end of the program is closed then.
        """
        threading.Thread(target=self._stop_when_over, name="stepsched-watch", daemon=True).start()
        atexit.register(self.stop)
        try:
            yield
        finally:
            self._over.set()
            if os.getpid() == self._home:  # that thread is not in the child of a fork
                self._is_closed.wait(_PATIENCE)

    def _stop_when_over(self) -> None:
        self._over.wait()
        with self._lock:  # until a picture that is being shown is complete, however long that takes
            pass
        self.stop()

    def aside(self, do: Callable[[], object]) -> None:
        """Calls a function while the screen is closed; the next picture opens it again."""
        with self._screen_closed():
            do()

    @contextmanager
    def _screen_closed(self) -> Iterator[None]:
        """While its block runs, the screen is closed, unless a picture has been in the way for too long."""
        is_alone = self._lock.acquire(timeout=_PATIENCE)
        try:
            if is_alone and self._screen is not None:
                with suppress(OSError, ValueError):  # the terminal is gone
                    self._screen.close()
            yield
        finally:
            if is_alone:
                self._lock.release()

    def run(self) -> None:
        """Watches until Ctrl-C or a notebook's stop button, or until the time is over; then returns.

        Signals are handed to their handlers when the screen is closed: SIGTERM ends the program, and a second
        Ctrl-C raises. What is read and shown is so in another thread, which neither cuts off in the middle.

        Raises:
            BackendError: As :meth:`steps`.
            KeyboardInterrupt: Ctrl-C came a second time.
        """
        if threading.current_thread() is not threading.main_thread():  # where no signal is handled
            with self.opened():
                self._run()
            return
        threads = DaemonExecutor(1, name="stepsched-watch")
        with Signals(hands_on=True) as signals, self.opened():
            watching = threads.submit(copy_context().run, self._run)
            threads.shutdown(wait=False)
            watching.add_done_callback(lambda _: signals.wake())
            signals.next()
        if watching.done():
            watching.result()

    def _run(self) -> None:
        for pause in self.steps():
            if self._over.wait(min(pause, threading.TIMEOUT_MAX)):
                return


def _write_line(line: str) -> None:
    if sys.stderr is not None and not sys.stderr.closed:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
