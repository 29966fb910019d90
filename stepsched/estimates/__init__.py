"""Estimates of the cost of a set of jobs on every backend, and of its use of the quotas."""

from __future__ import annotations

from stepsched.estimates.estimate import Estimate, MinuteLoad, MonthEstimate, estimate
from stepsched.estimates.figures import PRICES, QUOTAS, Prices, Quotas, TablePrices
from stepsched.estimates.services import BusyMinute, Charge, ServiceEstimate

__all__ = [
    "PRICES",
    "QUOTAS",
    "BusyMinute",
    "Charge",
    "Estimate",
    "MinuteLoad",
    "MonthEstimate",
    "Prices",
    "Quotas",
    "ServiceEstimate",
    "TablePrices",
    "estimate",
]


def __dir__() -> list[str]:
    return __all__
