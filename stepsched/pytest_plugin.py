"""The pytest plugin, loaded by its entry point. It imports little until its fixture is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from stepsched.testing import TimeTravel

pytest.register_assert_rewrite("stepsched.testing.contract")


@pytest.fixture
def time_travel() -> Iterator[TimeTravel]:
    """Provides a :class:`stepsched.testing.TimeTravel` from 1 January 2030, closed at the end of the test."""
    from stepsched.testing import TimeTravel

    with TimeTravel() as travel:
        yield travel
