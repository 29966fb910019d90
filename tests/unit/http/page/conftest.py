"""A site over jobs in memory, on a clock that the tests move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone

import pytest

import stepsched as ss
from stepsched.http.site import site_app
from stepsched.testing import FakeClock
from tests.unit.http.visits import Visitor

NOW = datetime(2030, 1, 7, 6, 0, tzinfo=timezone.utc)
DAILY = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")


def succeed() -> dict[str, int]:
    return {"rows": 3}


def fail() -> None:
    raise ValueError("expected <b>rows</b>, got 'password=hunter2'")


@pytest.fixture
def backend() -> Iterator[ss.LocalBackend]:
    with closing(ss.LocalBackend(clock=FakeClock(NOW))) as made:
        yield made


@pytest.fixture
def client(backend: ss.LocalBackend) -> ss.SchedulerClient:
    return ss.SchedulerClient(backend)


@pytest.fixture
def visitor(client: ss.SchedulerClient) -> Visitor:
    return Visitor(site_app(client, title="jobs.db"))


def job(name: str, **changes: object) -> ss.Job:
    return ss.Job(name=name, schedule=DAILY, target=ss.HandlerTarget(succeed)).replace(**changes)
