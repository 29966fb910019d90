"""Concurrent calls, for the backends on AWS."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from stepsched.core.quoting import quoted
from stepsched.core.threads import DaemonExecutor

_THREADS = "stepsched-aws"
Item = TypeVar("Item")
Answer = TypeVar("Answer")


def checked_workers(workers: int) -> int:
    """Returns the number of concurrent calls.

    Raises:
        ValueError: ``workers`` is not a whole number from 1 to 1000.
    """
    if type(workers) is not int or not 1 <= workers <= 1_000:
        raise ValueError(f"expected a whole number from 1 to 1000 for workers, got {quoted(workers)}")
    return workers


def is_worker() -> bool:
    """Returns whether the current thread is one of the threads of :func:`each`."""
    return threading.current_thread().name.startswith(_THREADS)


def each(function: Callable[[Item], Answer], items: Iterable[Item], *, workers: int) -> Iterator[Answer]:
    """Calls a function for each item concurrently, and yields the results lazily in order. At most a few
    times as many results as threads are held.

    An exception of the function is raised at its place; calls that have begun by then are awaited.
    """
    pending: deque[Future[Answer]] = deque()
    with DaemonExecutor(workers, name=_THREADS) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= 4 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
