"""The prices and quotas of EventBridge Scheduler: figures with a date, which callers can replace."""

from __future__ import annotations

from datetime import date
from decimal import Context, Decimal
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt
from typing_extensions import Self

from stepsched.aws.regions import LARGE_REGIONS
from stepsched.core.values import Value

EXACT = Context(prec=60)  # the caller's own context may round
_MILLION = Decimal(1_000_000)
Money = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[NonNegativeInt, Field(strict=True)]
Limit = Annotated[PositiveInt, Field(strict=True)]


class Prices(Value, frozen=True):
    """What invocations cost.

    Prices change and agreements differ: the defaults carry their date, and every figure can be replaced.
    """

    free_invocations_per_month: Count = 14_000_000
    """Of each calendar month, in all; what else the account invokes takes from the same."""
    per_million: Money = Decimal("1.00")
    """For a million invocations beyond the free ones; parts of a million cost their part."""
    currency: str = "USD"
    """The currency of ``per_million``, such as ``USD``."""
    as_of: date = date(2026, 5, 1)
    """When the figures were last read."""
    source: str = "https://aws.amazon.com/eventbridge/pricing/"
    """Where the present ones stand."""

    def cost(self, invocations: int) -> Decimal:
        """What so many invocations in one calendar month cost, exact and not rounded."""
        billed = Decimal(max(invocations - self.free_invocations_per_month, 0))
        return EXACT.divide(EXACT.multiply(billed, self.per_million), _MILLION)


class Quotas(Value, frozen=True):
    """What one account may do in one Region.

    AWS changes the defaults, and raises them on request: they carry their date, and every figure can be
    replaced by the account's own. They are those of the large Regions; see :meth:`of_region`.
    """

    invocations_per_second: Limit = 1_000
    """More are delayed, not lost."""
    schedules: Limit = 10_000_000
    """Schedules of the account in the Region."""
    groups: Limit = 500
    """Schedule groups of the account in the Region."""
    as_of: date = date(2026, 11, 1)
    """When the figures were last read."""
    source: str = "https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html"
    """Where the present ones stand."""

    @classmethod
    def of_region(cls, region: str) -> Self:
        """The defaults of a Region: 1,000 invocations a second in the large ones, which
        ``stepsched.aws.regions`` lists. Elsewhere 250, which is a cautious assumption.

        Args:
            region: Such as ``eu-west-1``. A Region that is not listed counts as one of the small.
        """
        return cls() if region in LARGE_REGIONS else cls(invocations_per_second=250)


PRICES = Prices()
"""The public price list, as of its date."""
QUOTAS = Quotas()
"""The defaults of the large Regions, as of their date."""
