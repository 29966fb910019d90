"""Detects dead workers of a file."""

from __future__ import annotations

from datetime import timedelta

from stepsched.backends.local.process import is_alive
from stepsched.backends.local.rows import micros
from stepsched.backends.local.store import Store
from stepsched.core.clock import Clock

LEASE = timedelta(seconds=20)


class Leases:
    """The leases of other workers, as observed by this one."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}
        """The last observed lease of each worker, and the time since which it has not changed."""

    def has_living(self) -> bool:
        """Returns whether the process of any worker of the file runs. One that cannot be observed counts as
        running until the end of its lease."""
        now = micros(self._clock.now())
        return any(
            lease > now if (alive := is_alive(worker)) is None else alive
            for worker, lease in self._store.others("")
        )

    def dead(self, worker: str) -> set[str]:
        """Returns the other workers whose process has ended or, if the process cannot be observed, whose
        lease has not changed for the duration of a lease, on the monotonic clock of this process."""
        ticks, dead = self._clock.monotonic(), set[str]()
        for other, lease in self._store.others(worker):
            known, since = self._seen.get(other, (None, ticks))
            if known != lease:
                since = ticks
            self._seen[other] = (lease, since)
            alive = is_alive(other)
            if alive is False or (alive is None and ticks - since >= LEASE.total_seconds()):
                dead.add(other)
                del self._seen[other]
        return dead
