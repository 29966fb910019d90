"""How a thread that waits is told to look again, from any thread and in the middle of anything."""

from __future__ import annotations

from queue import Empty, SimpleQueue


class Wake:
    """As :class:`threading.Event`, for one thread that waits.

    An ``Event`` is written in Python: a Ctrl-C in the middle of ``set()`` can leave its lock held for ever,
    and whoever sets or awaits it from then on hangs. This one has no such middle.
    """

    def __init__(self) -> None:
        self._told: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Whoever waits goes on, or does not begin to wait."""
        if self._told.empty():
            self._told.put(None)

    def clear(self) -> None:
        """What is told from here on counts."""
        while not self._told.empty():
            self.wait(0)

    def wait(self, timeout: float) -> bool:
        """Until it is set, or so many seconds have passed; it is cleared then. Whether it was set."""
        try:
            self._told.get(timeout=timeout)
        except Empty:
            return False
        return True
