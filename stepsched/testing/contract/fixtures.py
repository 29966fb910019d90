"""What the suite's tests are handed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import TypeAlias

import pytest

import stepsched as ss
from stepsched.testing.clock import FakeClock
from stepsched.testing.contract import handlers

MONDAY = datetime(2030, 1, 7, tzinfo=timezone.utc)
MakeJob: TypeAlias = Callable[..., ss.Job]
Calls: TypeAlias = list[tuple[str, datetime]]
"""The job and the scheduled instant of each."""


@pytest.fixture
def clock() -> FakeClock:
    """The clock that the backend under test is on."""
    return FakeClock(MONDAY)


@pytest.fixture
def client(backend: ss.LocalBackend) -> ss.SchedulerClient:
    """A client of the backend under test."""
    return ss.SchedulerClient(backend)


@pytest.fixture
def calls() -> Iterator[Calls]:
    """What the suite's handlers have been called with."""
    handlers.CALLS.clear()
    yield handlers.CALLS
    handlers.CALLS.clear()


@pytest.fixture
def job() -> MakeJob:
    """Makes a job that runs daily at nine and fails without another attempt; any field can be changed."""

    def make(name: str = "job", **changes: object) -> ss.Job:
        job = ss.Job(
            name=name,
            schedule=ss.Cron("0 9 * * ? *"),
            target=ss.HandlerTarget("stepsched.testing.contract.handlers:note"),
            retry=ss.Retry(max_attempts=0),
        )
        return job.replace(**changes)

    return make
