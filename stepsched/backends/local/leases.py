"""Finds the workers of a file that have died."""

from __future__ import annotations

from datetime import timedelta

from stepsched.backends.local.process import is_alive
from stepsched.backends.local.store import Store
from stepsched.core.clock import Clock

LEASE = timedelta(seconds=20)


class Leases:
    """The leases of other workers, as this one has seen them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}
        """The lease of each as it was seen last, and since when it has stood so."""

    def dead(self, worker: str) -> set[str]:
        """The workers but for this one whose process is seen to have ended or, where that cannot be seen,
        whose lease has stood still as long as a lease lasts, on the clock of this process that nobody
        sets."""
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
