"""Tools for tests: a fake clock, a recorder of calls, and both together with an embedded backend.

``play`` yields the runs that jobs would start, and calls nothing. See ``docs/testing.md``. The package
provides the pytest fixture ``time_travel``. :mod:`stepsched.testing.contract` tests a backend of your own.
"""

from stepsched.testing.clock import FakeClock
from stepsched.testing.playing import PlayedRun, play
from stepsched.testing.travel import Call, Recorder, TimeTravel

__all__ = ["Call", "FakeClock", "PlayedRun", "Recorder", "TimeTravel", "play"]


def __dir__() -> list[str]:
    return __all__
