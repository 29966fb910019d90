"""A bounded set of threads that work through one queue, and can give one up that takes too long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Pool(Generic[Item]):
    """Threads that hand queued items to ``work``, which must not raise."""

    def __init__(self, size: int, work: Callable[[Item], None], name: str) -> None:
        self.size = size
        self._work = work
        self._name = name
        self._items: SimpleQueue[Item | None] = SimpleQueue()
        self._threads: set[threading.Thread] = set()
        self._closing = False

    def submit(self, item: Item) -> None:
        """Works on an item as soon as a thread is free; threads begin with the first items."""
        self._items.put(item)
        if len(self._threads) < self.size:
            self._add()

    def take_back(self) -> list[Item]:
        """The items that no thread has begun, oldest first; they leave the queue."""
        items = list[Item]()
        try:
            while (item := self._items.get_nowait()) is not None:
                items.append(item)
        except Empty:
            pass
        return items

    def give_up(self, thread: threading.Thread) -> None:
        """Counts a thread no longer: its item goes on alone, and another thread takes its place."""
        self._threads.discard(thread)
        if not self._closing:
            self._add()

    def close(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Ends the threads after their items, and awaits those that have not been given up.

        Args:
            meanwhile: Called twice a second as long as there are any.
        """
        self._closing = True
        for _ in self._threads:
            self._items.put(None)
        while self._threads:
            for thread in list(self._threads):
                thread.join(timeout=0.5 / max(len(self._threads), 1))
                if not thread.is_alive():
                    self._threads.discard(thread)
            if self._threads:
                meanwhile()
        self._closing = False

    def _add(self) -> None:
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._threads.add(thread)
        thread.start()

    def _run(self) -> None:
        me = threading.current_thread()
        while (item := self._items.get()) is not None:
            self._work(item)
            if me not in self._threads:
                return
