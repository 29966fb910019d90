"""The request quotas of the service, by operation and Region.

From "EventBridge Scheduler quotas" as read in November 2026; they change, and an account may have others:
``EventBridgeBackend(rates=...)`` overrides them.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html
"""

from __future__ import annotations

from collections.abc import Mapping

from stepsched.aws.regions import LARGE_REGIONS


def request_rates(region: str, overrides: Mapping[str, float] | None = None) -> dict[str, float]:
    """Returns the requests per second by the name of the operation.

    Raises:
        TypeError: ``overrides`` is not a mapping.
        ValueError: An override does not name an operation, or is not positive.
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
            raise ValueError(f"expected operations among {', '.join(rates)} in rates, got {operation!r}")
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate < 1e9:
            raise ValueError(
                f"expected a positive number of requests per second for {operation} in rates, got {rate!r}"
            )
    return rates | dict(overrides or {})


class Bucket:
    """A token bucket with a rate in requests per second; its capacity is the requests of one second."""

    def __init__(self, rate: float) -> None:
        self._step = 1 / rate
        self._full = -max(rate - 1, 0.0) / rate
        self._next = float("-inf")

    def take(self, now: float) -> float:
        """Takes a token.

        Args:
            now: The seconds of a monotonic clock.

        Returns:
            The seconds to wait before using the token.
        """
        self._next = max(self._next, now + self._full) + self._step
        return max(self._next - self._step - now, 0.0)
