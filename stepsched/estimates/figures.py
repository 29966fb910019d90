"""The prices and quotas of EventBridge Scheduler, with a date; callers can replace them."""

from __future__ import annotations

from datetime import date
from decimal import Context, Decimal
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt
from typing_extensions import Self

from stepsched.aws.regions import LARGE_REGIONS
from stepsched.core.plain import Day
from stepsched.core.values import Value

EXACT = Context(prec=60)  # the caller's own context may round
_MILLION = Decimal(1_000_000)
Money = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[NonNegativeInt, Field(strict=True)]
Limit = Annotated[PositiveInt, Field(strict=True)]


class Prices(Value, frozen=True):
    """The prices of invocations.

    Prices change and contracts differ: the defaults have a date, and every value can be replaced.
    """

    free_invocations_per_month: Count = 14_000_000
    """The number of free invocations in each calendar month. Other invocations of the account use the same
    number."""
    per_million: Money = Decimal("1.00")
    """The price of a million invocations beyond the free ones, charged proportionally."""
    currency: str = "USD"
    """The currency of ``per_million``, such as ``USD``."""
    as_of: Day = date(2026, 5, 1)
    """The date on which the values were last read."""
    source: str = "https://aws.amazon.com/eventbridge/pricing/"
    """The page with the present values."""

    def cost(self, invocations: int) -> Decimal:
        """Returns the cost of a number of invocations in one calendar month, exact and not rounded."""
        billed = Decimal(max(invocations - self.free_invocations_per_month, 0))
        return EXACT.divide(EXACT.multiply(billed, self.per_million), _MILLION)


class Quotas(Value, frozen=True):
    """The quotas of an account in a Region.

    AWS changes the defaults, and raises quotas on request: the defaults have a date, and every value can be
    replaced by that of the account. They are those of the large Regions; see :meth:`of_region`.
    """

    invocations_per_second: Limit = 1_000
    """The maximum number of invocations per second. More are delayed, not lost."""
    schedules: Limit = 10_000_000
    """The maximum number of schedules of the account in the Region."""
    groups: Limit = 500
    """The maximum number of schedule groups of the account in the Region."""
    as_of: Day = date(2026, 11, 1)
    """The date on which the values were last read."""
    source: str = "https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html"
    """The page with the present values."""

    @classmethod
    def of_region(cls, region: str) -> Self:
        """Returns the default quotas of a Region: 1,000 invocations per second in the large Regions, which
        ``stepsched.aws.regions`` lists; in others 250, which is a cautious assumption.

        Args:
            region: The Region, such as ``eu-west-1``. A Region that is not listed counts as a small one.
        """
        return cls() if region in LARGE_REGIONS else cls(invocations_per_second=250)


PRICES = Prices()
"""The public price list, at its date."""
QUOTAS = Quotas()
"""The default quotas of the large Regions, at their date."""
