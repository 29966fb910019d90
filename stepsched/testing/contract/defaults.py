"""Default fixtures, for a backend with all capabilities that is played in the process of the tests.

The test module of any other backend defines its own fixtures with these names.
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
    """The maximum time in which ``run_now`` starts a run."""
    return timedelta(0)


@pytest.fixture
def starts_when_played() -> bool:
    """Whether runs, also those of ``run_now``, start only when time is played."""
    return True


@pytest.fixture
def tolerance() -> timedelta:
    """The maximum difference between the clock and the dates of creation and change that a service writes."""
    return timedelta(0)


@pytest.fixture
def play(backend: ss.LocalBackend) -> Play:
    """Plays time up to an instant. For a backend that starts no runs, it only moves the clock."""
    return backend.run_until


@pytest.fixture
def many() -> int:
    """The number of jobs that are created at once."""
    return 2_500


@pytest.fixture
def calls() -> Iterator[Calls]:
    """The calls so far."""
    handlers.CALLS.clear()
    yield handlers.CALLS
    handlers.CALLS.clear()


@pytest.fixture
def target() -> ss.Target:
    """The target of jobs in tests that do not define one. Its calls must be added to ``calls``, with the name
    in the member ``job`` of the input."""
    return ss.HandlerTarget("stepsched.testing.contract.handlers:note")


@pytest.fixture
def failing() -> ss.Target:
    """A target whose calls are added to ``calls`` and fail, with an error that contains ``no luck``."""
    return ss.HandlerTarget("stepsched.testing.contract.handlers:fail")


@pytest.fixture
def twice_failing() -> ss.Target:
    """A target of which the first two attempts fail, and the third returns ``third time lucky``."""
    return ss.HandlerTarget("stepsched.testing.contract.handlers:fail_twice")
