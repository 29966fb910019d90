"""For tests, ours and yours: time that stands still until it is moved, and calls that are noted down.

``docs/testing.md`` shows how. The pytest fixture ``time_travel`` comes with the package;
:mod:`stepsched.testing.contract` proves a backend of your own.
"""

from stepsched.testing.clock import FakeClock
from stepsched.testing.travel import Call, Recorder, TimeTravel

__all__ = ["Call", "FakeClock", "Recorder", "TimeTravel"]


def __dir__() -> list[str]:
    return __all__
