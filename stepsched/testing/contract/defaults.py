"""What the suite's tests are handed on a backend that can do everything and is played in this process.

A test module of another backend has these fixtures of its own instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

import stepsched as ss
from stepsched.testing.contract import handlers
from stepsched.testing.contract.fixtures import Calls, Play


@pytest.fixture
def run_now_within() -> timedelta:
    """How long ``run_now`` takes to start a run."""
    return timedelta(0)


@pytest.fixture
def starts_when_played() -> bool:
    """Whether nothing starts before time is played, not even a run of ``run_now``."""
    return True


@pytest.fixture
def tolerance() -> timedelta:
    """How far the dates of creation and change may lie from the clock, where a service writes them."""
    return timedelta(0)


@pytest.fixture
def play(backend: ss.LocalBackend) -> Play:
    """Plays time up to an instant; where nothing fires, it moves the clock alone."""
    return backend.run_until


@pytest.fixture
def many() -> int:
    """How many jobs are created at once."""
    return 2_500


@pytest.fixture
def calls() -> Iterator[Calls]:
    """What has been called so far."""
    handlers.CALLS.clear()
    yield handlers.CALLS
    handlers.CALLS.clear()


@pytest.fixture
def target() -> ss.Target:
    """What the suite's jobs invoke, where a test has no target of its own. It must end up in ``calls``, under
    the name that stands as ``job`` in the input."""
    return ss.HandlerTarget("stepsched.testing.contract.handlers:note")


@pytest.fixture
def failing() -> ss.Target:
    """The same, but it fails, with words of which ``no luck`` are two."""
    return ss.HandlerTarget("stepsched.testing.contract.handlers:fail")


@pytest.fixture
def twice_failing() -> ss.Target:
    """The same, but its first two attempts fail; the third answers ``third time lucky``."""
    return ss.HandlerTarget("stepsched.testing.contract.handlers:fail_twice")
