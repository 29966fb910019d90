"""The libraries beside stepsched, each asked in its own best way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from importlib.metadata import version
from itertools import takewhile
from typing import Any

from apscheduler.triggers.cron import CronTrigger
from aws_croniter import AwsCroniter
from cases import UTC, ZONES, Case
from croniter import croniter
from cronsim import CronSim
from dateutil.rrule import rrule

from stepsched import Cron, __version__

VERSIONS = {
    "stepsched": __version__,
    **{
        name: version(name)
        for name in ("croniter", "cronsim", "aws-croniter", "APScheduler", "python-dateutil")
    },
}
PEERS = ("croniter", "cronsim", "aws-croniter", "APScheduler", "rrule")

Runs = Callable[[], Iterator[datetime]]
"""A fresh stream of the window's runs, from an expression that is parsed already."""
Next = Callable[[datetime], "datetime | None"]


def cronsim_start(unix: str, after: datetime) -> datetime:
    """What a CronSim keeps of its starting point; it has no call that sets another."""
    return CronSim(unix, after).dt


def runs(case: Case, zone_name: str) -> dict[str, Runs]:
    """The streams of all who can express the case."""
    after, until = case.window(zone_name)
    ours = Cron(case.aws, timezone=zone_name)
    reader = croniter(case.unix, after)
    sim = CronSim(case.unix, after)
    start = sim.dt
    trigger = CronTrigger(**case.apscheduler, timezone=ZONES[zone_name])

    def from_croniter() -> Iterator[datetime]:
        reader.set_current(after)
        return takewhile(until.__ge__, reader.all_next(datetime))

    def from_cronsim() -> Iterator[datetime]:
        sim.dt = start
        return takewhile(until.__ge__, sim)

    def from_apscheduler() -> Iterator[datetime]:
        run = trigger.get_next_fire_time(None, after)
        while run is not None and run <= until:
            yield run
            run = trigger.get_next_fire_time(run, run)

    new_year = datetime(2026, 1, 1, tzinfo=ZONES[zone_name])
    rule = rrule(**case.rrule, dtstart=new_year, until=until.astimezone(UTC))
    streams: dict[str, Runs] = {
        "stepsched": lambda: ours.runs(after, until),
        "croniter": from_croniter,
        "cronsim": from_cronsim,
        "APScheduler": from_apscheduler,
        "rrule": lambda: iter(rule),
    }
    if zone_name == "UTC":
        aws = AwsCroniter(case.aws)
        streams["aws-croniter"] = lambda: iter(aws.get_all_schedule_bw_dates(after, until))
    return streams


def nexts(case: Case, zone_name: str) -> dict[str, tuple[Next, Callable[[datetime], Any]]]:
    """For each peer: the call from a start to the next run, and what turns an instant into the
    start it wants, beforehand."""
    ours = Cron(case.aws, timezone=zone_name)
    anywhere = datetime(2026, 1, 1, 12, tzinfo=ZONES[zone_name])
    reader = croniter(case.unix, anywhere)
    sim = CronSim(case.unix, anywhere)
    trigger = CronTrigger(**case.apscheduler, timezone=ZONES[zone_name])

    def from_cronsim(start: datetime) -> datetime:
        sim.dt = start
        return next(sim)

    def same(after: datetime) -> datetime:
        return after

    calls: dict[str, tuple[Next, Callable[[datetime], Any]]] = {
        "stepsched": (ours.next_run, same),
        "croniter": (lambda after: reader.get_next(datetime, start_time=after), same),
        "cronsim": (from_cronsim, lambda after: cronsim_start(case.unix, after)),
        "APScheduler": (lambda after: trigger.get_next_fire_time(None, after), same),
    }
    if zone_name == "UTC":
        aws = AwsCroniter(case.aws)
        calls["aws-croniter"] = (lambda after: aws.occurrence(after).next(), same)
    return calls
