from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.testing import FakeClock

MONDAY = datetime(2030, 1, 7, tzinfo=timezone.utc)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(MONDAY)


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest, clock: FakeClock, tmp_path: Path) -> Iterator[ss.LocalBackend]:
    path = tmp_path / "jobs.db" if request.param == "sqlite" else None
    backend = ss.LocalBackend(path, clock=clock)
    yield backend
    backend.close()


@pytest.fixture
def client(backend: ss.LocalBackend) -> ss.SchedulerClient:
    return ss.SchedulerClient(backend)


@pytest.fixture
def calls() -> Iterator[list[tuple[str, datetime]]]:
    """What ``tests.contract.handlers.note`` has been called with."""
    from tests.contract import handlers

    handlers.CALLS.clear()
    yield handlers.CALLS
    handlers.CALLS.clear()


MakeJob = Callable[..., ss.Job]


@pytest.fixture
def job() -> MakeJob:
    def make(name: str = "job", **changes: object) -> ss.Job:
        job = ss.Job(
            name=name,
            schedule=ss.Cron("0 9 * * ? *"),
            target=ss.HandlerTarget("tests.contract.handlers:note"),
            retry=ss.Retry(max_attempts=0),
        )
        return job.replace(**changes)

    return make
