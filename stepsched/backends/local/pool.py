"""A bounded set of daemon threads, each of which works through a chain of items, and which can give one up
that takes too long."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

_log = logging.getLogger("stepsched.local")
Item = TypeVar("Item")


def at_shutdown(error: RuntimeError) -> bool:
    """Whether a thread could not start because the interpreter ends, which nobody needs to be told. Python
    3.12.0 and 3.12.1 say so from the end of the main thread on, although other threads may go on for long."""
    return "interpreter shutdown" in str(error)


class Pool(Generic[Item]):
    """Threads that work on items. An item is handed over only where a thread is free for it."""

    def __init__(
        self,
        size: int,
        work: Callable[[Item], Item | None],
        name: str,
        on_free: Callable[[], object] = lambda: None,
    ) -> None:
        """No thread is started yet.

        Args:
            size: How many items are worked on at once at most.
            work: Works on an item, and answers the next one for the same thread, if any. Whatever it
                raises is logged and ends no thread.
            name: Of the threads.
            on_free: Called by a thread that has become free.
        """
        self.size = size
        self._work = work
        self._name = name
        self._on_free = on_free
        self._items: SimpleQueue[Item | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._waiting: set[threading.Thread] = set()
        self._queued = 0
        """Items that no thread has taken yet."""

    def places(self) -> int:
        """How many items can be handed over now: as many as there are free threads.

        Where none is, and there may be more threads, one is started first.
        """
        with self._lock:
            if self._free() <= 0 and len(self._threads) < self.size:
                self._add()
            return max(self._free(), 0)

    def _free(self) -> int:
        """Threads that wait and for which nothing lies in the queue."""
        return len(self._waiting) - self._queued

    @property
    def can_grow(self) -> bool:
        return len(self._threads) < self.size

    @property
    def busy(self) -> int:
        """How many threads work on something."""
        with self._lock:
            return len(self._threads) - self._free()

    def submit(self, item: Item) -> None:
        """Hands an item to a free thread; :meth:`places` must have told of one."""
        with self._lock:
            self._queued += 1
            self._items.put(item)

    def replace_ended(self) -> int:
        """Forgets threads that have ended, as only a fault can end them; how many there were."""
        with self._lock:
            ended = {thread for thread in self._threads if not thread.is_alive()}
            self._threads -= ended
            self._waiting -= ended
        return len(ended)

    def give_up(self, thread: threading.Thread) -> None:
        """Counts a thread no longer: its item goes on alone, and another thread may take its place."""
        with self._lock:
            self._threads.discard(thread)

    def close(self) -> None:
        """Ends the threads that wait now, and each other one after its item."""
        with self._lock:
            for _ in self._threads:
                self._items.put(None)
            self._threads, self._waiting, self._queued, self._items = set(), set(), 0, SimpleQueue()

    def _add(self) -> None:
        thread = threading.Thread(target=self._run, args=(self._items,), name=self._name, daemon=True)
        self._threads.add(thread)
        self._waiting.add(thread)
        try:
            thread.start()
        except RuntimeError as error:  # "can't start new thread", as at the limit of a container
            self._threads.discard(thread)
            self._waiting.discard(thread)
            if not at_shutdown(error):
                _log.exception("a thread could not be started; %d run", len(self._threads))

    def _run(self, items: SimpleQueue[Item | None]) -> None:
        me = threading.current_thread()
        while (item := items.get()) is not None:
            with self._lock:
                if items is self._items:  # the pool was not closed since
                    self._waiting.discard(me)
                    self._queued -= 1
            following: Item | None = item
            while following is not None:
                try:
                    following = self._work(following)
                except BaseException:  # noqa: BLE001 -- nothing may end a thread
                    following = None
                    _log.critical("a thread failed at its work; it goes on", exc_info=True)
            with self._lock:
                if me not in self._threads:  # given up, or closed
                    return
                self._waiting.add(me)
            self._on_free()
