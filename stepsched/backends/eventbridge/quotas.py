"""How often the service may be called, by operation and Region.

From "EventBridge Scheduler quotas" as read in November 2026; they change, and an account may have others:
``EventBridgeBackend(rates=...)`` overrides them.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html
"""

from __future__ import annotations

from collections.abc import Mapping

from stepsched.aws.regions import LARGE_REGIONS


def request_rates(region: str, overrides: Mapping[str, float] | None = None) -> dict[str, float]:
    """Requests a second, by the name of the operation.

    Raises:
        ValueError: An override names no operation, or is not positive.
    """
    large = region in LARGE_REGIONS
    one = 1_000.0 if large else 250.0
    rates: dict[str, float] = {
        "CreateSchedule": 5_000.0 if large else 250.0,
        **dict.fromkeys(("GetSchedule", "UpdateSchedule", "DeleteSchedule"), one),
        "ListSchedules": 50.0,
        **dict.fromkeys(("ListScheduleGroups", "CreateScheduleGroup", "GetScheduleGroup"), 10.0),
        **dict.fromkeys(("DeleteScheduleGroup", "TagResource", "ListTagsForResource"), 10.0),
    }
    if overrides is not None and not isinstance(overrides, Mapping):
        raise TypeError(f"expected a mapping such as {{'CreateSchedule': 500}} for rates, got {overrides!r}")
    for operation, rate in (overrides or {}).items():
        if operation not in rates:
            raise ValueError(f"rates names {operation!r}; the operations are {', '.join(rates)}")
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate < 1e9:
            raise ValueError(
                f"rates gives {operation} {rate!r} requests a second; expected a positive number"
            )
    return rates | dict(overrides or {})


class Bucket:
    """A token bucket: so many requests a second, with a second's worth at once after a rest."""

    def __init__(self, rate: float) -> None:
        self._step = 1 / rate
        self._full = -max(rate - 1, 0.0) / rate
        self._next = float("-inf")

    def take(self, now: float) -> float:
        """Takes a token.

        Args:
            now: Seconds of a monotonic clock.

        Returns:
            How many seconds to wait before using it.
        """
        self._next = max(self._next, now + self._full) + self._step
        return max(self._next - self._step - now, 0.0)
