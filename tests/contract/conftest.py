"""The emulator for the contract's tests: one server for each worker, one account for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from tests.parts.ministack import Ministack, clients, delete_schedules, running
from tests.sessions import SharedModels


@pytest.fixture(scope="session")
def ministack() -> Iterator[Ministack]:
    """A server of this worker's own, so that its clock is its own."""
    with running() as server:
        yield server


@pytest.fixture
def account(ministack: Ministack) -> Iterator[str]:
    """The number of an empty account; afterwards its schedules are gone and the clock is right again."""
    number = ministack.new_account()
    yield number
    with clients(ministack, number) as client:
        delete_schedules(client("scheduler"))
    ministack.reset_time()


@pytest.fixture
def aws(ministack: Ministack, account: str) -> Iterator[Callable[[str], Any]]:
    """Gives the boto3 client of a service for the test's account."""
    with clients(ministack, account) as client:
        yield client


@pytest.fixture
def shared_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the sessions of a command line share what the SDK reads of its files."""
    monkeypatch.setattr(boto3, "Session", SharedModels)
