"""The load of an estimate, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Protocol

from stepsched.estimates.services import BusyMinute, ServiceEstimate
from stepsched.pictures.frame import counted
from stepsched.pictures.load import Limit, Load, Parts, Peak


class Estimated(Protocol):
    """An estimate, as far as it is drawn."""

    @property
    def since(self) -> datetime: ...
    @property
    def until(self) -> datetime: ...
    @property
    def jobs(self) -> int: ...
    @property
    def invocations(self) -> int: ...
    @property
    def services(self) -> Sequence[ServiceEstimate]: ...
    @property
    def collisions(self) -> Sequence[BusyMinute]: ...
    @property
    def colliding_minutes(self) -> int: ...
    @property
    def load(self) -> LoadOfMinutes: ...


class LoadOfMinutes(Protocol):
    """The load of an estimate."""

    @property
    def minutes_per_part(self) -> int: ...
    @property
    def peaks(self) -> Sequence[int]: ...
    @property
    def averages(self) -> Sequence[float]: ...


def load_picture(estimate: Estimated, zone: tzinfo) -> Load:
    """Returns the picture of an estimate.

    Args:
        estimate: The estimate.
        zone: The zone of the picture.
    """
    load = estimate.load
    length = timedelta(minutes=load.minutes_per_part)
    since = estimate.since.replace(second=0, microsecond=0)
    title = f"{counted(estimate.invocations, 'run')} of {counted(estimate.jobs, 'job')}: runs in a minute"
    minutes = estimate.colliding_minutes
    several = counted(minutes, "minute has", "minutes have") if minutes else "No minute has"
    return Load(
        Parts(since, estimate.until, length, load.peaks, load.averages),
        zone,
        title,
        [Peak(busy.minute, busy.invocations, busy.jobs) for busy in estimate.collisions],
        _limit(estimate.services),
        [f"{several} two or more runs."] if estimate.invocations else (),
    )


def _limit(services: Sequence[ServiceEstimate]) -> Limit | None:
    """Returns the quota per second of which the largest part is used, as runs in a minute."""
    shares = [
        (share, name, service.peak.invocations)
        for service in services
        if service.peak is not None
        for name, share in service.quota_shares.items()
        if name.endswith("_per_second") and share
    ]
    if not shares:
        return None
    share, name, peak = max(shares)
    return Limit(peak / share, name, share)
