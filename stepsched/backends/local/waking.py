"""Wakes waiting threads, from any thread and from signal handlers."""

from __future__ import annotations

from queue import Empty, SimpleQueue


class Wake:
    """A :class:`threading.Event` for one waiting thread that is safe against interrupts.

    ``Event`` is implemented in Python: a Ctrl-C during ``set()`` can leave its lock held forever, and every
    later ``set()`` or ``wait()`` would block. This class cannot be interrupted in that way.
    """

    def __init__(self) -> None:
        self._told: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Wakes the waiting thread; if no thread waits, the next wait returns at once."""
        if self._told.empty():
            self._told.put(None)

    def clear(self) -> None:
        """Discards earlier calls of ``set``."""
        while not self._told.empty():
            self.wait(0)

    def wait(self, timeout: float) -> bool:
        """Waits until it is set, for at most ``timeout`` seconds, and clears it; returns whether it was
        set."""
        try:
            self._told.get(timeout=timeout)
        except Empty:
            return False
        return True


class Latch:
    """Is set once, for any number of waiting threads.

    Unlike :class:`threading.Event`, it may be waited for in a signal handler that has interrupted the same
    wait in its thread.
    """

    def __init__(self) -> None:
        self.is_set = False
        self._told: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Wakes all waiting threads; every later wait returns at once."""
        self.is_set = True
        self._told.put(None)

    def wait(self, timeout: float) -> bool:
        """Waits until it is set, for at most ``timeout`` seconds; returns whether it is set."""
        try:
            self._told.get(timeout=timeout)
        except Empty:
            return self.is_set
        self._told.put(None)  # for the other threads
        return True
