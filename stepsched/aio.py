"""The clients for programs with an event loop: the methods of :class:`SchedulerClient` and
:class:`WorkflowClient` as coroutines.

The methods are built from those of the two clients when this module is imported; ``aio.pyi``, which
type checkers read, is generated from the same source.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextvars import copy_context
from datetime import timedelta
from functools import WRAPPER_ASSIGNMENTS, partial, wraps
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from typing_extensions import Self

from stepsched.backends.base import Backend, backend_table
from stepsched.client import SchedulerClient
from stepsched.core.durations import seconds_of
from stepsched.core.threads import DaemonExecutor
from stepsched.display.results import Displayed
from stepsched.jobs import Run
from stepsched.workflow_client import WorkflowClient
from stepsched.workflows.records import WorkflowRun

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Table

_LOG = logging.getLogger(__name__)
_THREADS = 8
"""Concurrent calls of one client. With more, the loop would wait longer for the interpreter's lock."""
_BATCH = 50
"""The number of items that one call reads from an iterator."""
_STREAMS = {"iterate": "AsyncIterator[JobRecord]", "upcoming": "AsyncIterator[UpcomingRun]"}
"""The methods that return an asynchronous iterator instead of being awaited, with their return types."""
_RETURNS = re.compile(r"^( *)Returns:\n(?:\1 +.*\n?)+", re.MULTILINE)
"""What a docstring says of the value of a method, with its indentation."""
_ALL_BUT_DOC = [name for name in WRAPPER_ASSIGNMENTS if name != "__doc__"]
_KNOWS_SUBCLASSES = sys.version_info >= (3, 12, 2) or (3, 11, 8) <= sys.version_info < (3, 12)
"""Whether ``asyncio.timeout`` and ``TaskGroup`` accept a subclass of CancelledError
(https://github.com/python/cpython/issues/113848)."""
Answer = TypeVar("Answer")
Item = TypeVar("Item")


class CallCancelledError(asyncio.CancelledError):
    """A call was cancelled, for example by ``asyncio.timeout``. A thread cannot be stopped, so the call may
    still take effect.

    Before Python 3.11.8, and in 3.12.0 and 3.12.1, ``asyncio`` does not accept a subclass of its
    CancelledError: there a plain one with the same attributes is raised, and this one is its ``__cause__``.

    Attributes:
        call: The name of the method.
        may_have_happened: False: the call had not begun and was withdrawn. True: the call had begun; it may
            have taken effect or may still do so, and an exception that it raises is logged.
    """

    def __init__(self, call: str, may_have_happened: bool) -> None:  # noqa: FBT001 -- exception arguments are positional to pickle
        super().__init__(call, may_have_happened)
        self.call = call
        self.may_have_happened = may_have_happened

    def __str__(self) -> str:
        if self.may_have_happened:
            return f"{self.call}() was cancelled after it had begun: it may have happened, or happen yet"
        return f"{self.call}() was cancelled before it began: nothing has happened"


class _AsyncClient:
    """What both clients do: calls in threads, and the life of the backend."""

    _client: SchedulerClient | WorkflowClient

    def __init__(self) -> None:
        self._threads = _new_threads()
        self._is_entered = False
        # Calls wait for this semaphore and not for a thread: so the loop runs again before more calls than
        # there are threads have been made, however busy these keep the interpreter.
        self._gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    @property
    def backend(self) -> Backend:
        """The backend that the calls go to."""
        return self._client.backend

    async def _leave(self, timeout: timedelta | float | None) -> None:
        try:
            # In a separate thread, so that it need not wait for calls in progress.
            async with _Apart() as threads:
                await _perform(threads, "close", partial(self._client.close, timeout=timeout))
        finally:
            if self._is_entered:
                self.backend.run_coroutines_on(None)
                self._is_entered = False
            threads, self._threads = self._threads, _new_threads()
            threads.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        self.backend.run_coroutines_on(asyncio.get_running_loop())
        self._is_entered = True
        async with _Apart() as threads:
            await _perform(threads, "start", self._client.__enter__)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._leave(None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.backend!r})"

    async def _call(self, name: str, function: Callable[[], Answer]) -> Answer:
        loop = asyncio.get_running_loop()
        gate = self._gates.get(loop) or self._gates.setdefault(loop, asyncio.Semaphore(_THREADS))
        try:
            await gate.acquire()
        except asyncio.CancelledError as error:
            raise _cancelled(name, error, has_begun=False)  # noqa: B904 -- it sets the cause
        try:
            return await _perform(self._threads, name, function)
        finally:
            gate.release()


class AsyncSchedulerClient(Displayed, _AsyncClient):
    """A :class:`SchedulerClient` for an event loop: the same methods as coroutines, for the same backends.

    Read ``iterate`` and ``upcoming`` with ``async for``. Calls are made in daemon threads, at most eight at
    once, and never block the loop; context variables are passed to them. ``progress`` functions are called
    in these threads.

    ``async with`` starts and ends the backend as :class:`SchedulerClient` does with ``with``. A backend that
    is an asynchronous context manager is entered and left as such instead.

    A call that is cancelled returns at once, with a :class:`CallCancelledError`.

    Example:
        >>> import asyncio
        >>> import stepsched as ss
        >>> async def main() -> str:
        ...     async with AsyncSchedulerClient() as client:
        ...         morning = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
        ...         record = await client.create(
        ...             ss.Job(name="hello", schedule=morning, target=ss.HandlerTarget(print))
        ...         )
        ...         return record.status.value
        >>> asyncio.run(main())
        'active'
    """

    def __init__(self, backend: Backend | None = None) -> None:
        """Creates a client.

        Args:
            backend: The backend that stores and runs the jobs. None: a new :class:`LocalBackend` in memory.
        """
        super().__init__()
        self._client: SchedulerClient = SchedulerClient(backend)

    def _shown_table(self) -> Table:
        return backend_table(self.backend, type(self).__name__)

    @classmethod
    @wraps(SchedulerClient.from_stack.__func__)  # type: ignore[attr-defined]
    async def from_stack(cls, name: str, **options: Any) -> Self:
        async with _Apart() as threads:
            found = await _perform(
                threads, "from_stack", partial(SchedulerClient.from_stack, name, **options)
            )
        client = cls(found.backend)
        client._client = found  # which knows that the backend is its own
        return client

    @wraps(SchedulerClient.wait)
    async def wait(self, run: Run, *, timeout: timedelta | float | None = None) -> Run:
        looks = self._client._looks_at(run, timeout)  # noqa: SLF001 -- its own way to wait
        while not isinstance(look := await self._call("wait", looks.__next__), Run):
            await asyncio.sleep(look)
        return look

    @wraps(SchedulerClient.watch, assigned=_ALL_BUT_DOC)
    async def watch(
        self,
        *,
        interval: timedelta | float | None = None,
        timeout: timedelta | float | None = None,
        name_prefix: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Shows what happens, as :meth:`SchedulerClient.watch` does, until the task is cancelled or the time
        is over. The last picture stays.

        It works in the running loop of a notebook: the stop button ends it, and it returns. Every other
        cancellation goes on as usual once the screen is closed: ``asyncio.timeout`` raises its TimeoutError,
        and Ctrl-C ends ``asyncio.run`` with KeyboardInterrupt.

        Args:
            interval: As for :meth:`SchedulerClient.watch`.
            timeout: The time after which it ends, in seconds or as a timedelta; zero shows one picture. None:
                no limit.
            name_prefix: As for :meth:`list`.
            group: As for :meth:`list`.
            tags: As for :meth:`list`.

        Raises:
            UnsupportedError: The backend has a fake clock, which does not advance meanwhile, and ``timeout``
                is not zero.
            BackendError: The backend cannot be read, and could not be later either.
            ValueError: ``interval`` is too short, or ``timeout`` is negative.
        """
        from stepsched.watching.interrupts import StopButton

        watch = self._client._watch(  # noqa: SLF001 -- its own way to watch
            interval, timeout, name_prefix=name_prefix, group=group, tags=tags
        )
        steps, button = watch.steps(), StopButton()
        with watch.opened():
            try:
                with button.heard():
                    while (pause := await self._call("watch", partial(next, steps, None))) is not None:
                        await asyncio.sleep(pause)
            except asyncio.CancelledError:
                if not button.was_pressed():
                    raise
                _forget_cancellation()

    @wraps(SchedulerClient.close)
    async def close(self, *, timeout: timedelta | float | None = None) -> None:
        seconds_of(timeout, "timeout")
        await self._leave(timeout)


class AsyncWorkflowClient(Displayed, _AsyncClient):
    """A :class:`WorkflowClient` for an event loop: the same methods as coroutines, for the same backends.
    What is said of :class:`AsyncSchedulerClient` applies.

    Example:
        >>> import asyncio
        >>> import stepsched as ss
        >>> async def main() -> str:
        ...     step = ss.Step("count", target=ss.HandlerTarget(lambda: 3))
        ...     async with AsyncWorkflowClient() as flows:
        ...         run = await flows.start(ss.Workflow("nightly", steps=[step]))
        ...         return (await flows.wait(run, timeout=30)).status.value
        >>> asyncio.run(main())
        'succeeded'
    """

    def __init__(self, backend: Backend | None = None) -> None:
        """Creates a client.

        Args:
            backend: The backend that stores and runs the workflows. None: a new :class:`LocalBackend` in
                memory.

        Raises:
            UnsupportedError: The backend does not run workflows.
        """
        super().__init__()
        self._client: WorkflowClient = WorkflowClient(backend)

    def _shown_table(self) -> Table:
        return backend_table(self.backend, type(self).__name__)

    @classmethod
    @wraps(WorkflowClient.from_stack.__func__)  # type: ignore[attr-defined]
    async def from_stack(cls, name: str, **options: Any) -> Self:
        async with _Apart() as threads:
            found = await _perform(threads, "from_stack", partial(WorkflowClient.from_stack, name, **options))
        client = cls(found.backend)
        client._client = found  # which knows that the backend is its own
        return client

    @wraps(WorkflowClient.wait)
    async def wait(
        self,
        run: WorkflowRun | str,
        *,
        timeout: timedelta | float | None = None,
        progress: Callable[[WorkflowRun], object] | None = None,
    ) -> WorkflowRun:
        looks = self._client._looks_at(run, timeout, progress)  # noqa: SLF001 -- its own way to wait
        while not isinstance(look := await self._call("wait", looks.__next__), WorkflowRun):
            await asyncio.sleep(look)
        return look

    @wraps(WorkflowClient.close)
    async def close(self, *, timeout: timedelta | float | None = None) -> None:
        seconds_of(timeout, "timeout")
        await self._leave(timeout)


def _streamed_doc(text: str) -> str:
    """Returns the docstring of a method that returns an asynchronous iterator, made from that of the method
    which it calls."""
    return _RETURNS.sub(r"\1Returns:\n\1    An asynchronous iterator: read it with ``async for``.\n", text)


def _forget_cancellation() -> None:
    """Tells the task that its cancellation goes no further: later ones are told from it."""
    task = asyncio.current_task()
    if sys.version_info >= (3, 11) and task is not None:
        task.uncancel()


def _new_threads() -> DaemonExecutor:
    return DaemonExecutor(_THREADS, name="stepsched-async")


class _Apart:
    """An executor that uses a new thread for one call."""

    async def __aenter__(self) -> DaemonExecutor:
        self._executor = DaemonExecutor(1, name="stepsched-async")
        return self._executor

    async def __aexit__(self, *_: object) -> None:
        self._executor.shutdown(wait=False)


async def _perform(executor: DaemonExecutor, name: str, function: Callable[[], Answer]) -> Answer:
    """Awaits a call in one of the threads, in a copy of the caller's context.

    Raises:
        CallCancelledError: The call was cancelled; it is withdrawn if it had not begun.
    """
    future = executor.submit(copy_context().run, _without_stop, function)
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError as error:
        has_begun = not future.cancel()
        if has_begun:
            future.add_done_callback(partial(_report, name))
        raise _cancelled(name, error, has_begun=has_begun)  # noqa: B904 -- it sets the cause


def _without_stop(function: Callable[[], Answer]) -> Answer:
    """Returns the answer. A StopIteration, which a future cannot hold, is raised as a RuntimeError."""
    try:
        return function()
    except StopIteration as error:
        raise RuntimeError("the backend raised StopIteration") from error


def _cancelled(
    name: str,
    error: asyncio.CancelledError,
    *,
    has_begun: bool,
    knows_subclasses: bool = _KNOWS_SUBCLASSES,
) -> asyncio.CancelledError:
    """Returns the exception to raise for a call that was cancelled."""
    cancelled = CallCancelledError(name, has_begun)
    cancelled.__cause__ = error
    if knows_subclasses:
        return cancelled
    plain: Any = asyncio.CancelledError(str(cancelled))
    plain.call, plain.may_have_happened = name, has_begun
    plain.__cause__ = cancelled
    answer: asyncio.CancelledError = plain
    return answer


def _report(name: str, future: Future[Any]) -> None:
    """Logs the exception of a call that is no longer awaited."""
    error = future.exception()
    if error is not None:
        _LOG.warning("%s() failed after it had been cancelled: %s", name, error, exc_info=error)


class _Batches(Generic[Item]):
    """An iterator that is read in batches, in one thread at a time."""

    def __init__(self, source: Callable[[], Iterable[Item]]) -> None:
        self._source = source
        self._items: Iterator[Item] | None = None
        self._lock = threading.Lock()
        self.is_done = False

    def read(self) -> list[Item]:
        """Returns the next items; an empty list when the iterator is exhausted."""
        with self._lock:
            if self._items is None:
                self._items = iter(self._source())
            items = list(islice(self._items, _BATCH))
            self.is_done = not items
            return items

    def close(self) -> None:
        """Closes an iterator that has not been read to its end."""
        with self._lock:
            if inspect.isgenerator(self._items):
                self._items.close()


def _awaited(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a method as a coroutine function."""

    @wraps(method)
    async def verb(self: _AsyncClient, /, *arguments: Any, **options: Any) -> Any:
        return await self._call(name, partial(method, self._client, *arguments, **options))

    return verb


def _streamed(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a method as an asynchronous generator function."""

    @wraps(method)
    async def verb(self: _AsyncClient, /, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        batches = _Batches[Any](partial(method, self._client, *arguments, **options))
        try:
            while batch := await self._call(name, batches.read):
                for item in batch:
                    yield item
        finally:
            if not batches.is_done:  # without waiting, since a read may be in progress
                self._threads.submit(batches.close)

    verb.__doc__ = _streamed_doc(method.__doc__ or "")
    signature = inspect.signature(method).replace(return_annotation=_STREAMS[name])
    vars(verb)["__signature__"] = signature
    return verb


def _add_verbs(made: type[_AsyncClient], source: type[SchedulerClient | WorkflowClient]) -> None:
    for name, method in vars(source).items():
        if name.startswith("_") or not inspect.isfunction(method):
            continue
        if name not in vars(made):
            make = _streamed if name in _STREAMS else _awaited
            setattr(made, name, make(name, method))
    for name, member in vars(made).items():
        verb = getattr(member, "__func__", member)  # of a class method
        if hasattr(verb, "__wrapped__"):
            verb.__module__, verb.__qualname__ = __name__, f"{made.__name__}.{name}"


_add_verbs(AsyncSchedulerClient, SchedulerClient)
_add_verbs(AsyncWorkflowClient, WorkflowClient)
