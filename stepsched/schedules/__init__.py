"""Schedules: pure values without a clock or I/O, which define when a job runs."""

# ``cron_items`` reads the fields of both dialects of cron, ``cron_fields`` the AWS dialect and ``crontab``
# the Unix dialect; ``expressions`` parses other text. ``day_rules`` and ``cron_runs`` compute runs, ``zones``
# resolves gaps and repeated hours with the rules that ``zone_databases`` chooses, ``words`` describes
# schedules in English, ``timeline`` merges their runs.

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
    from stepsched.schedules.instants import Instants
    from stepsched.schedules.timeline import Occurrence, Timeline
    from stepsched.schedules.zone_databases import TimezoneDatabase

Schedule: TypeAlias = OneTime | Rate | Cron | Windowed
"""Any schedule; the field ``kind`` distinguishes them."""
AnySchedule = Annotated[Schedule, Field(discriminator="kind")]
"""Any schedule, as the type of a model's field."""

__all__ = [
    "AnySchedule",
    "Cron",
    "Frequency",
    "Instants",
    "Occurrence",
    "OneTime",
    "Rate",
    "Schedule",
    "Timeline",
    "TimezoneDatabase",
    "Windowed",
]

if not TYPE_CHECKING:
    __getattr__ = loader(
        __name__,
        {
            "stepsched.schedules.instants": ("Instants",),
            "stepsched.schedules.timeline": ("Occurrence", "Timeline"),
            "stepsched.schedules.zone_databases": ("TimezoneDatabase",),
        },
    )


def __dir__() -> list[str]:
    return __all__
