"""The threads of a worker, from its start to its end.

One thread receives, a few call the handler, and one does everything else: it asks the desk what is to be
done, does it, and tells the desk what came of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from contextvars import ContextVar
from datetime import timedelta
from functools import partial
from math import inf

from stepsched.core.clock import SystemClock
from stepsched.core.outcomes import one_line, told, words
from stepsched.core.threads import DaemonExecutor
from stepsched.workers.desk import Desk, Held, News, Settings
from stepsched.workers.handling import Handling
from stepsched.workers.messages import Listener, QueueMessage, WorkerEvent, WorkerEventKind, WorkSummary
from stepsched.workers.queue import Queue
from stepsched.workers.requests import Requests

_log = logging.getLogger("stepsched.worker")
_clock = SystemClock()
_RELEASING = 5.0
"""The longest time in seconds that a stop waits, after its timeout, for what is given back."""
_LONGEST_PAUSE = 60.0
"""The longest time in seconds between two tries to receive."""
_LEVELS = {
    WorkerEventKind.SUCCEEDED: logging.DEBUG,
    WorkerEventKind.RELEASED: logging.DEBUG,
    WorkerEventKind.FAILED: logging.ERROR,
    WorkerEventKind.EXPIRED: logging.WARNING,
}
_part_of: ContextVar[Shift | None] = ContextVar("_part_of", default=None)
"""The shift whose handler or listener runs here."""


class Shift:
    """One period of work."""

    def __init__(
        self, queue: Queue, settings: Settings, handling: Handling, listeners: Sequence[Listener]
    ) -> None:
        self._queue = queue
        self._settings = settings
        self._handling = handling
        self._listeners = listeners
        self._desk = Desk(settings)
        self._changed = threading.Condition(threading.RLock())  # a signal handler may stop it at any point
        self._is_receiving = True
        self._requests = Requests(self._desk, queue, _clock.monotonic, self._changed)
        self._settled = threading.Event()
        self._ended = threading.Event()
        self._handlers = DaemonExecutor(settings.concurrency, name="stepsched-handle")
        self._on_end: list[Callable[[], object]] = []

    @property
    def summary(self) -> WorkSummary:
        with self._changed:
            return self._desk.summary

    @property
    def is_stopping(self) -> bool:
        return self._desk.is_stopping

    def start(self, received: Sequence[tuple[QueueMessage, str]]) -> None:
        """Starts with messages that were received already."""
        self._desk.take(received, _clock.monotonic())
        for work, name in ((self._work, "stepsched-worker"), (self._receive, "stepsched-receive")):
            threading.Thread(target=work, name=name, daemon=True).start()

    def stop(self, timeout: float | None) -> None:
        """Stops, and waits for handlers that run, for up to so many seconds. None: no limit.

        Called by a handler or a listener, it does not wait.
        """
        with self._changed:
            self._desk.stop()
            self._changed.notify_all()
        if _part_of.get() is self or self._ended.wait(timeout):
            return
        with self._changed:
            self._desk.abandon()
            self._changed.notify_all()
        self._settled.wait(_RELEASING)

    def wait(self) -> None:
        """Waits for the end, which another thread brings about."""
        self._ended.wait()

    def when_ended(self, call: Callable[[], object]) -> None:
        """Calls a function at the end; at once if that was before."""
        with self._changed:
            self._on_end.append(call)
        if self._ended.is_set():
            call()

    # -- receiving ---------------------------------------------------------------------------------

    def _receive(self) -> None:
        failures, outage = 0, self._requests.outage
        while count := self._await_room(failures):
            try:
                received = self._queue.receive(count, self._settings.visibility, _clock.now)
            except Exception as error:  # noqa: BLE001 -- whatever it is, the thread goes on
                failures += 1
                outage.failed("receive messages from", error)
                continue
            failures = 0
            outage.worked("receive messages from")
            with self._changed:
                self._desk.take(received, _clock.monotonic())
                self._changed.notify_all()
        with self._changed:
            self._is_receiving = False
            self._changed.notify_all()

    def _await_room(self, failures: int) -> int:
        """Waits until messages can be received, longer after failures. Returns how many; 0: no more."""
        pause = min(2.0 ** (failures - 1), _LONGEST_PAUSE) if failures else 0.0
        with self._changed:
            self._changed.wait_for(lambda: self._desk.is_stopping, pause)
            self._changed.wait_for(lambda: self._desk.is_stopping or self._desk.asks_for())
            return self._desk.asks_for()

    # -- handling ----------------------------------------------------------------------------------

    def _handle(self, held: Held) -> None:
        _part_of.set(self)
        self._handling.call(held.message)

    def _take_end(self, held: Held, future: Future[None]) -> None:
        error = future.exception()
        text = None if error is None else one_line(words(error))
        now = _clock.monotonic()
        if error is not None:  # first, since the worker may have ended as soon as the desk knows
            count, key, fate = held.message.receive_count, held.message.id, self._fate(held, now)
            _log.error("message %s failed in delivery %d, %s: %s", key, count, fate, told(error))
        with self._changed:
            self._desk.ended(held, text, now)
            self._changed.notify_all()

    def _fate(self, held: Held, now: float) -> str:
        """Returns what the queue does with a message that has failed."""
        most = self._settings.max_receives
        if most is not None and held.message.receive_count >= most:
            return "the last one before the dead-letter queue"
        return f"the next one is in {self._desk.retry_delay(held, now)} s"

    # -- everything else ---------------------------------------------------------------------------

    def _work(self) -> None:
        _part_of.set(self)
        while self._take_turn():
            pass
        self._handlers.shutdown(wait=False)
        self._queue.close()
        self._settled.set()
        with self._changed:
            self._ended.set()
        for call in self._on_end:
            call()

    def _take_turn(self) -> bool:
        """Does what is to be done, or waits for it. Returns False at the end."""
        with self._changed:
            desk, now = self._desk, _clock.monotonic()
            orders, news = desk.decide(now), desk.read_news()
            if orders.are_none and not news:
                if desk.is_stopping and desk.is_settled:
                    self._settled.set()
                if desk.is_stopping and desk.is_empty and not self._is_receiving:
                    return False
                wake = desk.wakes_at()
                self._changed.wait(None if wake == inf else max(wake - now, 0))
                return True
            self._changed.notify_all()  # there may be room for more
        self._tell(news)
        for held in orders.starts:
            self._handlers.submit(self._handle, held).add_done_callback(partial(self._take_end, held))
        self._requests.make(orders)
        return True

    def _tell(self, news: Iterable[News]) -> None:
        for kind, held, error in news:
            is_back = kind in (WorkerEventKind.FAILED, WorkerEventKind.RELEASED)
            delay = timedelta(seconds=held.delay) if is_back else None
            event = WorkerEvent(kind, _clock.now(), held.message, error, delay)
            if kind is not WorkerEventKind.FAILED:  # which was logged with its traceback
                with suppress(BaseException):  # a handler of the log is user code
                    _log.log(_LEVELS[kind], "%s", _sentence(event))
            for listener in self._listeners:
                try:
                    listener(event)
                except BaseException as failure:  # noqa: BLE001 -- it is user code
                    _log.error("a listener failed on message %s: %s", held.message.id, told(failure))


def _sentence(event: WorkerEvent) -> str:
    text = f"message {event.message.id} {event.kind.value}"
    if event.kind is WorkerEventKind.EXPIRED:
        return f"{text}; the queue may deliver it to another worker: {one_line(event.error or '')}"
    return text
