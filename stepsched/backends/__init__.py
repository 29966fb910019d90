"""Backends, which store and run jobs: ``base`` is the port, every other module an adapter.

A custom backend implements :class:`Backend`. :mod:`stepsched.testing.contract` is the test suite for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepsched.core.lazy import loader

if TYPE_CHECKING:
    from stepsched.backends.base import Backend, JobQuery, Prepared, RunQuery
    from stepsched.backends.capabilities import Capabilities
    from stepsched.backends.surveys import Survey
    from stepsched.core.clock import Clock
    from stepsched.jobs.events import Listener

__all__ = ["Backend", "Capabilities", "Clock", "JobQuery", "Listener", "Prepared", "RunQuery", "Survey"]

if not TYPE_CHECKING:
    __getattr__ = loader(
        __name__,
        {
            "stepsched.backends.base": ("Backend", "JobQuery", "Prepared", "RunQuery"),
            "stepsched.backends.capabilities": ("Capabilities",),
            "stepsched.backends.surveys": ("Survey",),
            "stepsched.core.clock": ("Clock",),
            "stepsched.jobs.events": ("Listener",),
        },
    )


def __dir__() -> list[str]:
    return __all__
