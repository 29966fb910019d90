"""Estimates of the cost of a set of jobs on EventBridge Scheduler, and of its use of the quotas."""

from __future__ import annotations

from stepsched.estimates.estimate import BusyMinute, Estimate, MonthEstimate, estimate
from stepsched.estimates.figures import PRICES, QUOTAS, Prices, Quotas

__all__ = [
    "PRICES",
    "QUOTAS",
    "BusyMinute",
    "Estimate",
    "MonthEstimate",
    "Prices",
    "Quotas",
    "estimate",
]


def __dir__() -> list[str]:
    return __all__
