"""The values that the engine's threads exchange: attempts, their outcomes, and dead letters; and which calls
of user code the present code is part of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple

from stepsched.backends.local.process import marker_of
from stepsched.backends.local.rows import Claim
from stepsched.jobs import Job, Run
from stepsched.targets import CommandTarget, QueueTarget, TopicTarget, parts_of

DEAD_LETTER, NOTIFICATION = 1, 2
"""The bits of the column ``undelivered``."""
_CALLS: ContextVar[tuple[object, ...]] = ContextVar("stepsched-calls", default=())


class Attempt(NamedTuple):
    """A claimed run with the job's definition at the time of the claim; later changes do not affect it."""

    claim: Claim
    job: Job
    worker: str
    """The worker that claimed the run."""
    began: float
    """The beginning of the call on the monotonic clock, in seconds."""
    limit: timedelta | None
    """The timeout of the call. None: none, or each part has its own timeout."""
    is_final: bool = False
    """Whether no attempt follows a failure."""

    @property
    def key(self) -> tuple[int, int]:
        return self.claim.run.id, self.claim.run.attempt

    @property
    def marker(self) -> str:
        """The marker of its commands."""
        return marker_of(self.worker, self.claim.run)

    @property
    def has_commands(self) -> bool:
        return any(isinstance(part, CommandTarget) for part in parts_of(self.job.target))


class Letter(NamedTuple):
    """A run that failed for good, to be delivered to the dead-letter queue or the topic of its job."""

    job: Job
    run: Run
    to: QueueTarget | TopicTarget


class Outcome(NamedTuple):
    """The outcome of an attempt, as text; it holds no objects of user code."""

    attempt: Attempt
    ended_at: datetime
    output: str | None = None
    error: str | None = None
    """The error. None: the attempt succeeded."""
    traceback: str | None = None
    lingering: bool = False
    """Whether the call still runs after its timeout."""
    late: tuple[Future[str | None], ...] = ()
    """The parts of the call that still run after their timeout."""
    retry_after: timedelta | None = None
    """The pause before the next attempt that the receiver of a call asked for. None: it asked for none."""
    is_gone: bool = False
    """Whether the receiver of a call wants no further ones."""


def undelivered(job: Job | None) -> int:
    """Returns the bits of the letters that a failed run of the job requires."""
    if job is None:
        return 0
    return (DEAD_LETTER if job.dead_letter is not None else 0) | (
        NOTIFICATION if job.notify is not None else 0
    )


def letters_of(job: Job, run: Run, bits: int) -> list[Letter]:
    letters = list[Letter]()
    if bits & DEAD_LETTER and job.dead_letter is not None:
        letters.append(Letter(job, run, job.dead_letter))
    if bits & NOTIFICATION and job.notify is not None:
        letters.append(Letter(job, run, job.notify))
    return letters


def elapsed(began: float, ticks: float) -> timedelta:
    """Returns the time between two readings of a monotonic clock, to the microsecond."""
    return timedelta(microseconds=round((ticks - began) * 1e6))


class Running:
    """An attempt without an outcome yet."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.thread: threading.Thread | None = None
        self.since = monotonic()
        """The time of the claim on the machine's monotonic clock, also if the backend has a fake clock."""
        self.handed_back = False
        """Whether the run is to be started again, unless its outcome comes first."""
        self.is_cut_off = False
        """Whether its commands were ended, so that its outcome does not count."""


@contextmanager
def part_of(call: object) -> Iterator[None]:
    """Marks the block as part of a call of user code, so that ending the backend there does not wait for it.

    A context variable also reaches the coroutines of the call, and threads that get a copy of its context:
    the parts of a target, ``asyncio.to_thread`` and the asynchronous client.
    """
    token = _CALLS.set((*_CALLS.get(), call))
    try:
        yield
    finally:
        _CALLS.reset(token)


def present_calls() -> tuple[object, ...]:
    """Returns the calls that the caller is part of; some of them may have ended already."""
    return _CALLS.get()
