"""*When*: pure values without clock or I/O.

``cron_fields`` and ``expressions`` read text, ``day_rules`` and ``cron_runs`` compute, ``zones``
decides gaps and overlaps, ``words`` describes, ``timeline`` merges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import Field

from stepsched.core.lazy import loader
from stepsched.schedules.cron import Cron
from stepsched.schedules.frequency import Frequency
from stepsched.schedules.onetime import OneTime
from stepsched.schedules.rate import Rate
from stepsched.schedules.windowed import Windowed

if TYPE_CHECKING:
    from stepsched.schedules.timeline import Occurrence

Schedule: TypeAlias = OneTime | Rate | Cron | Windowed
"""Any schedule; told apart by ``kind``."""
AnySchedule = Annotated[Schedule, Field(discriminator="kind")]
"""The same as a field of a model."""

__all__ = ["AnySchedule", "Cron", "Frequency", "Occurrence", "OneTime", "Rate", "Schedule", "Windowed"]

if not TYPE_CHECKING:
    __getattr__ = loader(__name__, {"stepsched.schedules.timeline": ("Occurrence",)})


def __dir__() -> list[str]:
    return __all__
