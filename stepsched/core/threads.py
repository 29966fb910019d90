"""Executors of daemon threads: they start calls also while the interpreter ends, and never keep it alive.

The threads of :class:`concurrent.futures.ThreadPoolExecutor` are joined before the interpreter ends, and once
the main thread has ended it takes no call any more ("cannot schedule new futures after interpreter
shutdown"), although a program lives on as long as one thread that is not a daemon does.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar
from weakref import WeakSet, finalize

from typing_extensions import ParamSpec

_LOG = logging.getLogger(__name__)
Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


class DaemonExecutor(Executor):
    """Performs calls in a bounded number of daemon threads, which start with the calls that need them.

    A call that waits can be cancelled by its future. Whatever a call raises, ``SystemExit`` too, is in its
    future. In the child of a fork it starts anew, without the calls of the parent. The threads end once the
    executor is shut down, or is referred to by nothing any more, and what was submitted has been performed.

    Example:
        >>> with DaemonExecutor(2, name="example") as executor:
        ...     executor.submit(pow, 2, 10).result()
        1024
    """

    def __init__(self, max_workers: int, *, name: str) -> None:
        """An executor; no thread starts yet.

        Args:
            max_workers: How many calls go on at once, at most; at least 1.
            name: The name of the threads begins with it.
        """
        if max_workers < 1:
            raise ValueError(f"expected max_workers of at least 1, got {max_workers!r}")
        self._crew = _Crew(max_workers, name)
        finalize(self, self._crew.close).atexit = False

    @property
    def thread_count(self) -> int:
        """How many threads there are now."""
        return len(self._crew.threads)

    def submit(
        self, fn: Callable[Arguments, Answer], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Answer]:
        """Performs a call as soon as a thread is free.

        Returns:
            The call's future. Where no thread could be started and there is none, it has failed with what
            kept the thread from starting.

        Raises:
            RuntimeError: The executor has been shut down.
        """
        future = Future[Answer]()
        self._crew.add(_Call(future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 -- as in the standard library
        """Takes no more calls.

        Args:
            wait: Whether it returns only once the threads have ended, but for the one that asks.
            cancel_futures: Whether calls that have not begun are cancelled. False: they are performed.
        """
        self._crew.close(cancel=cancel_futures)
        if wait:
            self._crew.join()


class LoopExecutor(ThreadPoolExecutor):
    """A :class:`DaemonExecutor` of the class that :meth:`asyncio.loop.set_default_executor` takes, so that
    ``asyncio.to_thread`` and name look-ups work on a loop that outlives the main thread."""

    def __init__(self, max_workers: int, *, name: str) -> None:
        """As :class:`DaemonExecutor`."""
        super().__init__(max_workers, name)  # starts no thread; every method that would is replaced
        self._daemons = DaemonExecutor(max_workers, name=name)

    def submit(
        self, fn: Callable[Arguments, Answer], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Answer]:
        """As :meth:`DaemonExecutor.submit`."""
        return self._daemons.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 -- as above
        """As :meth:`DaemonExecutor.shutdown`."""
        self._daemons.shutdown(wait, cancel_futures=cancel_futures)


class _Call:
    """A call that waits, and its future."""

    __slots__ = ("_function", "future")

    def __init__(self, future: Future[Any], function: Callable[[], Any]) -> None:
        self.future = future
        self._function = function

    def perform(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            answer = self._function()
        except BaseException as error:  # noqa: BLE001 -- it is for whoever holds the future
            self.future.set_exception(error)
        else:
            self.future.set_result(answer)


class _Crew:
    """The threads of an executor and what waits for them. They do not refer to the executor itself, so that
    it can be collected."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._is_closed = False
        self.begin()
        _CREWS.add(self)

    def begin(self) -> None:
        """Begins without threads and calls."""
        # Reentrant, for the collector may close another executor, or this one, in any thread at any time.
        self._changed = threading.Condition(threading.RLock())
        self._calls = deque[_Call]()
        self._idle = 0
        self.threads = set[threading.Thread]()

    def add(self, call: _Call) -> None:
        with self._changed:
            if self._is_closed:
                raise RuntimeError("the executor has been shut down; expected one that is open")
            if self._idle <= len(self._calls) and len(self.threads) < self._size:
                try:
                    self._start()
                except (RuntimeError, MemoryError) as error:  # no room for another thread
                    if not self.threads:
                        call.future.set_exception(error)
                        return
            self._calls.append(call)
            self._changed.notify()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, args=(self._changed,), name=self._name, daemon=True)
        thread.start()
        self.threads.add(thread)

    def _work(self, changed: threading.Condition) -> None:
        while (call := self._next(changed)) is not None:
            try:
                call.perform()
            except BaseException:  # noqa: BLE001 -- no thread may end of it
                # The future's own listeners may raise what is not an Exception.
                _LOG.exception("what listens to the end of a call failed")
            del call  # else it would live until the next one

    def _next(self, changed: threading.Condition) -> _Call | None:
        if self._changed is not changed:  # the child of a fork which a call has made
            return None
        with changed:
            while not self._calls:
                if self._is_closed:
                    self.threads.discard(threading.current_thread())
                    return None
                self._idle += 1
                changed.wait()
                self._idle -= 1
            return self._calls.popleft()

    def close(self, *, cancel: bool = False) -> None:
        with self._changed:
            self._is_closed = True
            if cancel:
                for call in self._calls:
                    call.future.cancel()
            self._changed.notify_all()

    def join(self) -> None:
        with self._changed:
            threads = self.threads - {threading.current_thread()}
        for thread in threads:
            thread.join()


_CREWS: WeakSet[_Crew] = WeakSet()


def _begin_all() -> None:
    """In the child of a fork there is only the thread that forked, and locks may be held for ever."""
    for crew in list(_CREWS):
        crew.begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all)
