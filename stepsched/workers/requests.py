"""Makes the requests that the desk asks for, and tells it what came of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from stepsched.core.outcomes import one_line, words
from stepsched.workers.desk import Desk, Held, Orders
from stepsched.workers.queue import BATCH, Queue, Refusal, is_missing

_log = logging.getLogger("stepsched.worker")
Item = TypeVar("Item")


class Requests:
    """The requests of one thread for the messages that are held."""

    def __init__(
        self, desk: Desk, queue: Queue, monotonic: Callable[[], float], changed: threading.Condition
    ) -> None:
        """Takes what it works with.

        Args:
            desk: The desk.
            queue: The queue.
            monotonic: Returns the present of the desk.
            changed: It is held while the desk is told something, and notified afterwards.
        """
        self._desk = desk
        self._queue = queue
        self._monotonic = monotonic
        self._changed = changed
        self.outage = Outage(queue.name)

    def make(self, orders: Orders) -> None:
        """Deletes, releases and hides messages."""
        desk, queue = self._desk, self._queue
        for ended in _batches(orders.deletes):
            self._make(
                "delete messages of", ended, queue.delete([held.receipt for held in ended]), desk.deleted
            )
        self._hide("release messages of", orders.returns, lambda held, _: desk.returned(held))
        self._hide(
            "hide messages of",
            orders.extensions,
            lambda held, seconds: desk.extended(held, seconds, self._monotonic()),
        )

    def _hide(
        self, what: str, changes: Sequence[tuple[Held, int]], done: Callable[[Held, int], object]
    ) -> None:
        for batch in _batches(changes):
            seconds = dict(batch)
            request = self._queue.hide([(held.receipt, each) for held, each in batch])
            self._make(what, list(seconds), request, lambda held, of=seconds: done(held, of[held]))  # type: ignore[misc]

    def _make(
        self,
        what: str,
        messages: Sequence[Held],
        request: Callable[[], list[Refusal | None]],
        done: Callable[[Held], object],
    ) -> None:
        try:
            answers = request()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the thread goes on
            self.outage.failed(what, error)
            answers = [Refusal(words(error), is_final=is_missing(error))] * len(messages)
        else:
            self.outage.worked(what)
        with self._changed:
            for held, answer in zip(messages, answers, strict=True):
                if answer is None:
                    done(held)
                elif answer.is_final:
                    self._desk.refused(held, answer.reason)
                else:
                    self._desk.postponed(held, answer.reason, self._monotonic())
            self._changed.notify_all()


class Outage:
    """Logs requests that fail: once when they begin to, and once when they succeed again."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._failing = set[str]()

    def failed(self, what: str, error: Exception) -> None:
        if what not in self._failing:
            self._failing.add(what)
            _log.warning("cannot %s queue %s, trying again: %s", what, self._queue, one_line(words(error)))

    def worked(self, what: str) -> None:
        if what in self._failing:
            self._failing.discard(what)
            _log.warning("can %s queue %s again", what, self._queue)


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[at : at + BATCH] for at in range(0, len(items), BATCH))
