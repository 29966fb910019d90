"""Tools for tests: a fake clock, and a recorder of calls.

``docs/testing.md`` shows their use. The package provides the pytest fixture ``time_travel``;
:mod:`stepsched.testing.contract` is the test suite for backends.
"""

from stepsched.testing.clock import FakeClock
from stepsched.testing.travel import Call, Recorder, TimeTravel

__all__ = ["Call", "FakeClock", "Recorder", "TimeTravel"]


def __dir__() -> list[str]:
    return __all__
