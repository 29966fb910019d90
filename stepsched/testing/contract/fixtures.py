"""Fixtures and helpers that the tests of every backend use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TypeAlias

import pytest

import stepsched as ss
from stepsched.backends.base import Backend
from stepsched.testing.clock import FakeClock

MONDAY = datetime(2030, 1, 7, tzinfo=timezone.utc)
GROUPS = ("g", "other", "x", "y")
"""The groups of the jobs in the suite, for a backend in which groups must be created first."""
MakeJob: TypeAlias = Callable[..., ss.Job]
MakeForeign: TypeAlias = Callable[[str], object]
Play: TypeAlias = Callable[[datetime], object]
Calls: TypeAlias = list[tuple[str, datetime]]
"""The name of the job and the scheduled instant of each call."""


@pytest.fixture
def clock() -> FakeClock:
    """The clock of the backend under test."""
    return FakeClock(MONDAY)


@pytest.fixture
def client(backend: Backend) -> ss.SchedulerClient:
    """A client of the backend under test."""
    return ss.SchedulerClient(backend)


@pytest.fixture
def job(target: ss.Target) -> MakeJob:
    """Makes a job that runs daily at nine without retries. Any field can be changed."""

    def make(name: str = "job", **changes: object) -> ss.Job:
        job = ss.Job(
            name=name,
            schedule=ss.Cron("0 9 * * ? *"),
            target=target,
            input={"job": name},
            retry=ss.Retry(max_attempts=0),
        )
        return job.replace(**changes)

    return make


def same(one: ss.JobRecord, other: ss.JobRecord, tolerance: timedelta) -> bool:
    """Whether two records are equal, except for a tolerance of the dates that a service writes."""
    near = max(abs(one.created_at - other.created_at), abs(one.updated_at - other.updated_at)) <= tolerance
    return near and one.replace(created_at=other.created_at, updated_at=other.updated_at) == other


@contextmanager
def refused(backend: Backend, job: str) -> Iterator[None]:
    """Expects that the backend refuses a job, with its name, a reason and alternatives."""
    with pytest.raises(ss.UnsupportedError) as caught:
        yield
    error = caught.value
    assert (error.job, error.backend) == (job, backend.name)
    assert error.reason
    assert error.alternatives
    assert all(words in str(error) for words in (backend.name, job, *error.alternatives))
