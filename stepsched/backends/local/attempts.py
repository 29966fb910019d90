"""What travels between the engine's threads: an attempt, how it went, and the letters that follow."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple

from stepsched.backends.local.rows import Claim
from stepsched.jobs import Job, Run
from stepsched.targets import QueueTarget, TopicTarget

DEAD_LETTER, NOTIFICATION = 1, 2
"""The bits of the column ``undelivered``."""


class Attempt(NamedTuple):
    """A claimed run with its job as it was then: later changes do not reach it."""

    claim: Claim
    job: Job
    worker: str
    """In whose name it was claimed."""
    began: float
    """On the monotonic clock."""
    limit: timedelta | None
    """After so long nobody awaits it. None: never, or its parts are watched one by one."""

    @property
    def key(self) -> tuple[int, int]:
        return self.claim.run.id, self.claim.run.attempt


class Letter(NamedTuple):
    """A run that failed for good, on its way to its job's dead-letter queue or to its topic."""

    job: Job
    run: Run
    to: QueueTarget | TopicTarget


class Outcome(NamedTuple):
    """How an attempt went. What was user code is text by now."""

    attempt: Attempt
    ended_at: datetime
    output: str | None = None
    error: str | None = None
    """None: it succeeded."""
    traceback: str | None = None
    lingering: bool = False
    """Whether the call goes on, although nobody awaits it any more."""
    late: tuple[Future[str | None], ...] = ()
    """The parts of it that do."""


def undelivered(job: Job | None) -> int:
    """The bits of the letters that a failed run of a job makes."""
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
    """The time between two readings of a monotonic clock, to the microsecond."""
    return timedelta(microseconds=round((ticks - began) * 1e6))


class Running:
    """An attempt that has no outcome yet."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.thread: threading.Thread | None = None
        self.since = monotonic()
        """When it was claimed, on the machine's monotonic clock, whatever clock the backend has."""
        self.handed_back = False
        """Whether it waits to be started again, unless its outcome comes first."""
