"""Runs the coroutines of handlers: on the application's event loop if the backend was entered there,
otherwise on the backend's own loop, which exists as long as the backend."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Coroutine
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as NotYet
from datetime import timedelta
from typing import NamedTuple

from stepsched.core.forks import end_child
from stepsched.core.outcomes import GRACE, too_long
from stepsched.core.threads import LoopExecutor

_THREADS = 32
"""The number of threads for ``asyncio.to_thread`` in coroutines on the backend's own loop."""
_LOOK = 0.5
"""The pause in seconds between two checks whether the loop still runs."""


class _Answer(NamedTuple):
    value: object
    error: BaseException | None


class Loops:
    """The event loops for coroutines. ``run`` is called in the threads of runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._application: asyncio.AbstractEventLoop | None = None
        self._own: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def enter(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Sets the application's loop for coroutines; None: the backend's own loop."""
        self._application = loop

    def run(self, awaitable: Awaitable[object], limit: timedelta | None, *, patient: bool) -> object:
        """Awaits an awaitable and returns its result or raises its exception.

        Args:
            awaitable: The result of a handler.
            limit: The timeout, after which it is cancelled. None: no timeout.
            patient: Whether to wait for an awaitable that does not end when cancelled; the engine then times
                it out.

        Raises:
            TimeoutError: It took longer than ``limit``.
            RuntimeError: The loop ended before it.
        """
        try:
            loop = self._loop()
        except RuntimeError:  # no thread can be started; a coroutine that was not begun must not warn
            if isinstance(awaitable, Coroutine):
                awaitable.close()
            raise
        future: Future[_Answer] = asyncio.run_coroutine_threadsafe(_await(awaitable, limit, patient), loop)
        answer: _Answer | None = None
        while answer is None:
            try:
                answer = future.result(_LOOK)
            except NotYet:
                if not loop.is_running() and not future.done():
                    future.cancel()
                    raise RuntimeError("the event loop ended before the handler") from None
            except CancelledError:
                raise RuntimeError("the event loop ended before the handler") from None
        if answer.error is not None:
            raise answer.error
        return answer.value

    def close(self) -> None:
        """Ends the backend's own loop and cancels its tasks."""
        with self._lock:
            loop, thread, self._own, self._thread = self._own, self._thread, None, None
        if loop is None or thread is None or not loop.is_running():
            return
        loop.call_soon_threadsafe(_cancel_all, loop)
        if thread is not threading.current_thread():
            thread.join(GRACE.total_seconds())

    def reset(self) -> None:
        """Resets the loops in a child process: threads and loops belong to the parent."""
        self._lock = threading.Lock()
        self._application = self._own = self._thread = None

    def _loop(self) -> asyncio.AbstractEventLoop:
        application = self._application
        if application is not None and application.is_running() and not _is_here(application):
            return application
        with self._lock:
            if self._own is None or self._own.is_closed() or not self._own.is_running():
                loop, ready = asyncio.new_event_loop(), threading.Event()
                thread = threading.Thread(
                    target=_serve, args=(loop, ready), name="stepsched-loop", daemon=True
                )
                try:
                    thread.start()
                except RuntimeError:
                    loop.close()
                    raise
                self._own, self._thread = loop, thread
                ready.wait()
            return self._own


def _is_here(loop: asyncio.AbstractEventLoop) -> bool:
    """Returns whether this is the thread of the loop, which must not wait for itself."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _serve(loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    # The default executor of a loop accepts no calls after the main thread has ended.
    loop.set_default_executor(LoopExecutor(_THREADS, name="stepsched-loop"))
    loop.call_soon(ready.set)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.call_later(0.05 if tasks else 0, loop.stop)


async def _await(awaitable: Awaitable[object], limit: timedelta | None, patient: bool) -> _Answer:  # noqa: FBT001
    if limit is None:
        return await _guarded(awaitable)
    task = asyncio.ensure_future(_guarded(awaitable))
    _, late = await asyncio.wait({task}, timeout=limit.total_seconds())
    if not late:
        return task.result()
    task.cancel()
    await asyncio.wait({task}, timeout=None if patient else GRACE.total_seconds())
    return _Answer(None, too_long(limit))


async def _guarded(awaitable: Awaitable[object]) -> _Answer:
    """Catches every exception of user code, including SystemExit, so that it does not reach the loop."""
    pid = os.getpid()
    try:
        answer = _Answer(await awaitable, None)
    except BaseException as error:  # noqa: BLE001 -- as above
        answer = _Answer(None, error)
    if os.getpid() != pid:
        end_child(answer.error)
    return answer
