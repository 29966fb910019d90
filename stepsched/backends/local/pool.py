"""A pool of daemon threads. Each thread processes a chain of items, and the pool can abandon a thread whose
item takes too long."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

_log = logging.getLogger("stepsched.local")
Item = TypeVar("Item")


def at_shutdown(error: RuntimeError) -> bool:
    """Returns whether a thread could not start because of the interpreter's shutdown, which need not be
    logged. Python 3.12.0 and 3.12.1 raise this from the end of the main thread on, although other threads may
    continue."""
    return "interpreter shutdown" in str(error)


class Pool(Generic[Item]):
    """Threads that process items. An item is submitted only if a thread is free for it."""

    def __init__(
        self,
        size: int,
        work: Callable[[Item], Item | None],
        name: str,
        on_free: Callable[[], object] = lambda: None,
    ) -> None:
        """Creates a pool. No thread is started yet.

        Args:
            size: The maximum number of items that are processed concurrently.
            work: A function that processes an item and returns the next one for the same thread, or None. Its
                exceptions are logged and end no thread.
            name: The name of the threads.
            on_free: A function that is called by a thread that becomes free.
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
        """The number of items that no thread has taken yet."""

    def places(self) -> int:
        """Returns the number of items that can be submitted now, which is the number of free threads.

        If there is none, and the pool may have more threads, one is started first.
        """
        with self._lock:
            if self._free() <= 0 and len(self._threads) < self.size:
                self._add()
            return max(self._free(), 0)

    def _free(self) -> int:
        """Returns the number of waiting threads without an item in the queue."""
        return len(self._waiting) - self._queued

    @property
    def can_grow(self) -> bool:
        return len(self._threads) < self.size

    @property
    def busy(self) -> int:
        """Returns the number of threads that process an item."""
        with self._lock:
            return len(self._threads) - self._free()

    def submit(self, item: Item) -> None:
        """Passes an item to a free thread; :meth:`places` must have returned at least 1."""
        with self._lock:
            self._queued += 1
            self._items.put(item)

    def replace_ended(self) -> int:
        """Removes threads that ended because of a fault; returns their number."""
        with self._lock:
            ended = {thread for thread in self._threads if not thread.is_alive()}
            self._threads -= ended
            self._waiting -= ended
        return len(ended)

    def give_up(self, thread: threading.Thread) -> None:
        """Removes a thread from the pool: it continues with its item, and another thread may replace it."""
        with self._lock:
            self._threads.discard(thread)

    def close(self) -> None:
        """Ends waiting threads at once, and the others after their item."""
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
        except RuntimeError as error:  # "can't start new thread", for example at the limit of a container
            self._threads.discard(thread)
            self._waiting.discard(thread)
            if not at_shutdown(error):
                _log.exception("a thread could not be started; %d run", len(self._threads))

    def _run(self, items: SimpleQueue[Item | None]) -> None:
        me = threading.current_thread()
        while (item := items.get()) is not None:
            with self._lock:
                if items is self._items:  # the pool was not closed in the meantime
                    self._waiting.discard(me)
                    self._queued -= 1
            following: Item | None = item
            while following is not None:
                try:
                    following = self._work(following)
                except BaseException:  # noqa: BLE001 -- nothing may end a thread
                    following = None
                    _log.critical("a thread failed to process an item; it continues", exc_info=True)
            with self._lock:
                if me not in self._threads:  # removed, or the pool is closed
                    return
                self._waiting.add(me)
            self._on_free()
