"""Many calls at once, for the backends whose store is far away."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from stepsched.core.threads import DaemonExecutor

_THREADS = "stepsched-aws"
Item = TypeVar("Item")
Answer = TypeVar("Answer")


def checked_workers(workers: int) -> int:
    """How many calls go on at once.

    Raises:
        ValueError: It is no such number.
    """
    if type(workers) is not int or not 1 <= workers <= 1_000:
        raise ValueError(f"expected a whole number from 1 to 1000 for workers, got {workers!r}")
    return workers


def is_worker() -> bool:
    """Whether this is one of the threads of :func:`each`."""
    return threading.current_thread().name.startswith(_THREADS)


def each(function: Callable[[Item], Answer], items: Iterable[Item], *, workers: int) -> Iterator[Answer]:
    """What a function answers for each item, in order, many at once; lazily, so that never more than a few
    times the threads are held.

    What the function raises comes out at its place; what has begun by then is awaited.
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
