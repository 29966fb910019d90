"""Executors of daemon threads: they accept calls during the shutdown of the interpreter, and never delay it.

The threads of :class:`concurrent.futures.ThreadPoolExecutor` are joined before the interpreter ends, and it
accepts no calls after the main thread has ended ("cannot schedule new futures after interpreter shutdown"),
although the program continues as long as one non-daemon thread runs.
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
    """Performs calls in a bounded number of daemon threads, which are started on demand.

    A waiting call can be cancelled with its future. Every exception of a call, including ``SystemExit``, is
    set on its future. In the child of a fork the executor starts empty, without the calls of the parent. The
    threads end when the executor is shut down or no longer referenced, and all submitted calls are done.

    Example:
        >>> with DaemonExecutor(2, name="example") as executor:
        ...     executor.submit(pow, 2, 10).result()
        1024
    """

    def __init__(self, max_workers: int, *, name: str) -> None:
        """Creates an executor. No thread is started yet.

        Args:
            max_workers: The maximum number of concurrent calls; at least 1.
            name: The prefix of the threads' names.
        """
        if max_workers < 1:
            raise ValueError(f"expected max_workers of at least 1, got {max_workers!r}")
        self._crew = _Crew(max_workers, name)
        finalize(self, self._crew.close).atexit = False

    @property
    def thread_count(self) -> int:
        """The present number of threads."""
        return len(self._crew.threads)

    def submit(
        self, fn: Callable[Arguments, Answer], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Answer]:
        """Performs a call as soon as a thread is free.

        Returns:
            The future of the call. If there is no thread and none can be started, the future holds the
            exception.

        Raises:
            RuntimeError: The executor has been shut down.
        """
        future = Future[Answer]()
        self._crew.add(_Call(future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 -- as in the standard library
        """Shuts the executor down; it accepts no more calls.

        Args:
            wait: Whether to wait for the end of all threads, except the calling one.
            cancel_futures: Whether to cancel calls that have not begun. False: they are performed.
        """
        self._crew.close(cancel=cancel_futures)
        if wait:
            self._crew.join()


class LoopExecutor(ThreadPoolExecutor):
    """A :class:`DaemonExecutor` with the class that :meth:`asyncio.loop.set_default_executor` requires, so
    that ``asyncio.to_thread`` and name lookups work on a loop that runs longer than the main thread."""

    def __init__(self, max_workers: int, *, name: str) -> None:
        """Creates an executor, as :class:`DaemonExecutor` does."""
        super().__init__(max_workers, name)  # starts no thread; every method that would do so is replaced
        self._daemons = DaemonExecutor(max_workers, name=name)

    def submit(
        self, fn: Callable[Arguments, Answer], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Answer]:
        """Performs a call, as :meth:`DaemonExecutor.submit` does."""
        return self._daemons.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 -- as above
        """Shuts the executor down, as :meth:`DaemonExecutor.shutdown` does."""
        self._daemons.shutdown(wait, cancel_futures=cancel_futures)


class _Call:
    """A waiting call and its future."""

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
    """The threads of an executor and the waiting calls. It does not refer to the executor itself, so that the
    executor can be garbage-collected."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._is_closed = False
        self.begin()
        _CREWS.add(self)

    def begin(self) -> None:
        """Initialises the state without threads and calls."""
        # Reentrant, since the garbage collector may close an executor in any thread at any time.
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
                except (RuntimeError, MemoryError) as error:  # no further thread can be started
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
                # The callbacks of the future may raise a BaseException that is not an Exception.
                _LOG.exception("a callback of a finished call failed")
            del call  # otherwise it would be kept until the next call

    def _next(self, changed: threading.Condition) -> _Call | None:
        if self._changed is not changed:  # in the child of a fork made by a call
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
    """Resets all executors in the child of a fork, where only the forking thread exists and locks may be held
    forever."""
    for crew in list(_CREWS):
        crew.begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all)
