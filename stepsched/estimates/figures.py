"""Prices and quotas, each with its Region, its date and its source; callers can replace them."""

from __future__ import annotations

from datetime import date
from decimal import Context, Decimal
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from typing_extensions import Self

from stepsched.asl import budget
from stepsched.aws.regions import LARGE_REGIONS, LARGE_STEP_FUNCTIONS_REGIONS
from stepsched.core.plain import Day
from stepsched.core.values import Value
from stepsched.display.results import DisplayedFields

EXACT = Context(prec=60)  # the caller's own context may round
_MILLION = Decimal(1_000_000)
Money = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[NonNegativeInt, Field(strict=True)]
Limit = Annotated[PositiveInt, Field(strict=True)]


class TablePrices(DisplayedFields, Value, frozen=True):
    """The prices of requests to a DynamoDB table that is billed on demand. None of them is free."""

    per_million_writes: Money = Decimal("0.625")
    """The price of a million write request units. A unit writes up to 1 KB, in a transaction half of that."""
    per_million_reads: Money = Decimal("0.125")
    """The price of a million read request units. A unit reads up to 4 KB, strongly consistent."""
    region: str = "us-east-1"
    """The Region of the prices."""
    currency: str = "USD"
    """The currency of the prices."""
    as_of: Day = date(2025, 7, 21)
    """The date on which the values were last read."""
    source: str = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
    """The page with the present values."""


class Prices(DisplayedFields, Value, frozen=True):
    """The prices of the services that run jobs.

    Prices change, Regions and contracts differ: the defaults have a date, and every value can be replaced.

    Raises:
        ValueError: The prices are in several currencies.
    """

    free_invocations_per_month: Count = 14_000_000
    """The number of free invocations of EventBridge Scheduler in each calendar month. Other invocations of
    the account use the same number."""
    per_million: Money = Decimal("1.00")
    """The price of a million invocations beyond the free ones, charged proportionally."""
    region: str = "us-east-1"
    """The Region of ``per_million``."""
    currency: str = "USD"
    """The currency of all prices, such as ``USD``."""
    as_of: Day = date(2026, 5, 1)
    """The date on which the prices of EventBridge Scheduler were last read."""
    source: str = "https://aws.amazon.com/eventbridge/pricing/"
    """The page with the present prices of EventBridge Scheduler."""
    transitions: budget.Prices = budget.PRICES
    """The prices of state transitions of Step Functions, with their own Region, date and source."""
    table: TablePrices = TablePrices()
    """The prices of the DynamoDB table, with their own Region, date and source."""

    @model_validator(mode="after")
    def _have_one_currency(self) -> Self:
        currencies = dict.fromkeys([self.currency, self.transitions.currency, self.table.currency])
        if len(currencies) > 1:
            raise ValueError(
                f"expected all prices in one currency, got {', '.join(map(repr, currencies))}; give "
                "currency= for transitions= and table= too"
            )
        return self

    def cost(self, invocations: int) -> Decimal:
        """Returns the cost of a number of invocations of EventBridge Scheduler in one calendar month, exact
        and not rounded."""
        return _priced(invocations, self.per_million, free=self.free_invocations_per_month)

    def cost_of_transitions(self, transitions: int) -> Decimal:
        """Returns the cost of a number of state transitions in one calendar month, exact and not rounded."""
        per_million = EXACT.multiply(self.transitions.per_thousand, Decimal(1_000))
        return _priced(transitions, per_million, free=self.transitions.free_per_month)

    def cost_of_writes(self, write_units: int) -> Decimal:
        """Returns the cost of a number of write request units of DynamoDB, exact and not rounded."""
        return _priced(write_units, self.table.per_million_writes)

    def cost_of_reads(self, read_units: int) -> Decimal:
        """Returns the cost of a number of read request units of DynamoDB, exact and not rounded."""
        return _priced(read_units, self.table.per_million_reads)


def _priced(units: int, per_million: Decimal, *, free: int = 0) -> Decimal:
    billed = Decimal(max(units - free, 0))
    return EXACT.divide(EXACT.multiply(billed, per_million), _MILLION)


class Quotas(DisplayedFields, Value, frozen=True):
    """The quotas of an account in a Region.

    AWS changes the defaults, and raises quotas on request: the defaults have a date, and every value can be
    replaced by that of the account. They are those of the large Regions; see :meth:`of_region`.
    """

    invocations_per_second: Limit = 1_000
    """The maximum number of invocations of EventBridge Scheduler per second. More are delayed, not lost."""
    creations_per_second: Limit = 5_000
    """The maximum number of schedules that are created per second."""
    schedules: Limit = 10_000_000
    """The maximum number of schedules of the account in the Region."""
    groups: Limit = 500
    """The maximum number of schedule groups of the account in the Region."""
    as_of: Day = date(2026, 11, 1)
    """The date on which the quotas of EventBridge Scheduler were last read."""
    source: str = "https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html"
    """The page with the present quotas of EventBridge Scheduler."""
    transitions_per_second: Limit = 1_500
    """The maximum number of state transitions of Standard workflows per second, after a burst. More are
    delayed. New accounts have less."""
    starts_per_second: Limit = 300
    """The maximum number of Standard executions that are started per second, after a burst: one for each job
    that is created, and one for each hand-over."""
    open_executions: Limit = 1_000_000
    """The maximum number of running executions; each active job of the Step Functions backend is one."""
    transitions_as_of: Day = date(2021, 10, 1)
    """The date on which the quotas of Step Functions were last read."""
    transitions_source: str = "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"
    """The page with the present quotas of Step Functions."""
    partition_writes_per_second: Limit = 1_000
    """The maximum number of writes per second to one key of DynamoDB. The index of the table holds all active
    jobs under one key, and each run writes it twice. More are retried."""

    @classmethod
    def of_region(cls, region: str) -> Self:
        """Returns the default quotas of a Region.

        The large Regions of each service, which ``stepsched.aws.regions`` lists, allow 1,000 invocations and
        5,000 creations per second, and 1,500 state transitions and 300 starts. The others allow 250
        creations, 500 state transitions and 150 starts, and 250 invocations as a cautious assumption.

        Args:
            region: The Region, such as ``eu-west-1``. A Region that is not listed counts as a small one.
        """
        small: dict[str, int] = {}
        if region not in LARGE_REGIONS:
            small |= {"invocations_per_second": 250, "creations_per_second": 250}
        if region not in LARGE_STEP_FUNCTIONS_REGIONS:
            small |= {"transitions_per_second": 500, "starts_per_second": 150}
        return cls(**small)


PRICES = Prices()
"""The public price lists, at their dates."""
QUOTAS = Quotas()
"""The default quotas of the large Regions, at their date."""
