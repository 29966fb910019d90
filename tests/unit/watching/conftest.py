"""Jobs that are watched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone

import pytest

import stepsched as ss
from stepsched.testing import FakeClock

NOW = datetime(2030, 1, 7, 6, 0, tzinfo=timezone.utc)
DAILY = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")


def succeed() -> int:
    return 3


def fail() -> None:
    raise ValueError("the disk is full")


def job(name: str, **changes: object) -> ss.Job:
    made = ss.Job(name=name, schedule=DAILY, target=ss.HandlerTarget(succeed), retry=ss.Retry(max_attempts=0))
    return made.replace(**changes)


@pytest.fixture
def backend() -> Iterator[ss.LocalBackend]:
    with closing(ss.LocalBackend(clock=FakeClock(NOW))) as made:
        yield made


@pytest.fixture
def client(backend: ss.LocalBackend) -> ss.SchedulerClient:
    return ss.SchedulerClient(backend)
