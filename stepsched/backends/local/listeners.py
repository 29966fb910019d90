"""Passes events to listeners and the log, so that neither can delay or end a thread of the engine."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from queue import SimpleQueue

from stepsched.backends.local.attempts import part_of
from stepsched.backends.local.pool import at_shutdown
from stepsched.core.forks import only_here
from stepsched.core.outcomes import indented, one_line, told
from stepsched.jobs.events import Event, EventKind, Listener

_log = logging.getLogger("stepsched.local")
_MOST = 100_000
"""The maximum number of events that wait for a listener; further ones are dropped and logged."""
_LEVELS = {
    EventKind.DUE: logging.DEBUG,
    EventKind.STARTED: logging.DEBUG,
    EventKind.SUCCEEDED: logging.DEBUG,
    EventKind.RETRIED: logging.WARNING,
    EventKind.MISSED: logging.WARNING,
    EventKind.RESTARTED: logging.WARNING,
    EventKind.WAITING: logging.WARNING,
    EventKind.FAILED: logging.ERROR,
}


class Listeners:
    """The registered listeners, which are called with one event at a time, in order."""

    def __init__(self) -> None:
        self._all: list[tuple[Listener, frozenset[EventKind] | None]] = []
        self._waiting: SimpleQueue[Event | threading.Event | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        # Held while the thread begins or ends. Reentrant: a signal handler may emit an event meanwhile.
        self._lock = threading.RLock()
        self._lost = 0
        self._in_background = False
        """Whether a separate thread calls the listeners; otherwise the thread that emits the event does."""

    def add(self, listener: Listener, kinds: Iterable[EventKind] | None) -> None:
        self._all.append((listener, None if kinds is None else frozenset(kinds)))

    def wants(self, kind: EventKind) -> bool:
        """Returns whether a listener or the log uses events of this kind."""
        return bool(self._all) or _log.isEnabledFor(_LEVELS.get(kind, logging.INFO))

    def tell(self, events: Sequence[Event]) -> None:
        """Emits events. It must be called outside a transaction, in the order in which they were recorded."""
        for event in events:
            with suppress(BaseException):  # a handler of the log is user code
                _write(event)
        if not self._all:
            return
        if not self._in_background:
            for event in events:
                self._call(event, (Exception, SystemExit))
            return
        for event in events:
            if self._waiting.qsize() < _MOST:
                self._waiting.put(event)
            else:
                self._lost += 1
        self._be_there()

    def drain(self, timeout: float) -> bool:
        """Waits until all events have been passed on; returns False after ``timeout`` seconds."""
        told = threading.Event()
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                return True
            self._waiting.put(told)
        return told.wait(timeout)

    def begin(self) -> None:
        """From now on, a separate thread calls the listeners; the first event starts it."""
        self._in_background = True

    def end(self) -> None:
        """Ends the thread as soon as it has passed on what waits; from now on, whoever emits an event calls
        the listeners."""
        with self._lock:
            self._in_background = False
            if self._thread is not None:
                self._waiting.put(None)

    def reset(self) -> None:
        """Resets the state in a child process: there is no thread, and waiting events belong to the
        parent."""
        self._waiting, self._thread, self._in_background = SimpleQueue(), None, False
        self._lock = threading.RLock()

    def _be_there(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name="stepsched-listeners", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # "can't start new thread": retried with the next event
                    if at_shutdown(error):
                        return
                    _log.exception("the thread of the listeners could not be started")
                else:
                    self._thread = thread

    def _run(self) -> None:
        while not self._is_over():
            item = self._waiting.get()
            if isinstance(item, threading.Event):
                item.set()
                continue
            if item is not None:
                with part_of(self):
                    self._call(item, BaseException)
            if self._lost:
                lost, self._lost = self._lost, 0
                _log.error("listeners are too slow: %d events were dropped", lost)

    def _is_over(self) -> bool:
        """Returns whether the thread ends: the backend has stopped, and no event waits."""
        with self._lock:
            if self._in_background or not self._waiting.empty():
                return False
            self._thread = None
            return True

    def _call(self, event: Event, caught: type[BaseException] | tuple[type[BaseException], ...]) -> None:
        for listener, kinds in list(self._all):
            if kinds is None or event.kind in kinds:
                try:
                    only_here(partial(listener, event))
                except caught as error:
                    what = f"{event.kind.value} of job {event.job}"
                    _log.error("a listener failed on %s: %s", what, told(error))


def _write(event: Event) -> None:
    level = _LEVELS.get(event.kind, logging.INFO)
    if not _log.isEnabledFor(level):
        return
    trace = "" if event.run is None or not event.run.traceback else indented(event.run.traceback)
    _log.log(level, "%s%s", _sentence(event), trace, extra=_fields(event))


def _sentence(event: Event) -> str:
    run = event.run
    if run is None:
        return f"job {event.job} {event.kind.value}"
    why = run.error or run.pending_reason
    when = run.scheduled_for.isoformat()
    return f"run {run.id} of job {event.job} for {when} {event.kind.value}" + (
        f": {one_line(why)}" if why else ""
    )


def _fields(event: Event) -> dict[str, object]:
    """Returns the fields of the log record, for structured logs."""
    fields: dict[str, object] = {"event": event.kind.value, "job": event.job}
    if event.run is not None:
        fields |= {
            "run_id": event.run.id,
            "scheduled_for": event.run.scheduled_for.isoformat(),
            "attempt": event.run.attempt,
            "trigger": event.run.trigger.value,
        }
    return fields
