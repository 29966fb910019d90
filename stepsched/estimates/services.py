"""Adds up what the jobs of one backend use, and prices it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from stepsched.asl.budget import Prices as TransitionPrices
from stepsched.core.plain import Datetime, Day
from stepsched.core.values import Value
from stepsched.display.results import Displayed, DisplayedFields
from stepsched.estimates.figures import EXACT, Prices, Quotas, TablePrices
from stepsched.estimates.usage import (
    EVENTBRIDGE,
    INDEX_WRITES,
    LOCAL,
    STEP_FUNCTIONS,
    BackendName,
    Units,
    Usage,
)
from stepsched.machines.shared.runner import transitions
from stepsched.schedules import Schedule
from stepsched.schedules.minutes import Counted, Minutes

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Table

SERVICES = {
    EVENTBRIDGE: "EventBridge Scheduler",
    STEP_FUNCTIONS: "Step Functions and DynamoDB",
    LOCAL: "A process of yours",
}
"""What runs the jobs of each backend, in words."""
_MAX_AGE = 300 * 24 * 60
"""The minutes after which an execution hands over."""


class Charge(DisplayedFields, Value, frozen=True):
    """What a service charges for one kind of billed units."""

    units: str
    """The kind of the units, such as ``state transitions``."""
    count: int
    """The number of units in the whole span."""
    free_per_month: int
    """The number of free units in each calendar month, which the whole account uses."""
    cost: Decimal
    """The cost of all months, after the free units of each, exact and not rounded."""
    cost_per_month: Decimal | None
    """The cost of the units in 30.44 days at the mean rate of the span. None: the span has no length."""
    currency: str
    """The currency of the cost."""
    region: str
    """The Region of the price."""
    as_of: Day
    """The date on which the price was last read."""

    def __str__(self) -> str:
        """Returns a text such as ``21,000, of which 4,000 a month are free; 0.42 USD (us-east-1, as of
        2026-11-01)``."""
        free = f", of which {self.free_per_month:,} a month are free" if self.free_per_month else ""
        cost = money(self.cost, self.cost_per_month, self.currency)
        return f"{self.count:,}{free}; {cost} ({self.region}, as of {self.as_of})"


class BusyMinute(DisplayedFields, Value, frozen=True):
    """The estimate for one minute, in UTC."""

    minute: Datetime
    """The beginning of the minute, in UTC."""
    invocations: int
    """The number of invocations in this minute."""
    jobs: tuple[str, ...]
    """Names of jobs that run in this minute, in input order, up to the number given as ``names``."""

    def __str__(self) -> str:
        """Returns a text such as ``2030-01-01 09:00  4  a, b and 2 more``."""
        return f"{self.minute:%Y-%m-%d %H:%M}  {self.invocations:,}  {self.names()}".rstrip()

    def names(self) -> str:
        """Returns a text such as ``a, b and 2 more``. The number counts invocations, of other jobs or of the
        same job if it runs several times in the minute. Empty if no names were requested."""
        more = self.invocations - len(self.jobs)
        return ", ".join(self.jobs) + (f" and {more:,} more" if self.jobs and more > 0 else "")


class ServiceEstimate(Displayed, Value, frozen=True):
    """The estimate for the jobs of one backend."""

    backend: BackendName
    """The class of the backend, such as ``StepFunctionsBackend``."""
    service: str
    """What runs the jobs, in words, such as ``Step Functions and DynamoDB``."""
    jobs: int
    """The number of jobs."""
    invocations: int
    """The number of invocations in the whole span."""
    charges: tuple[Charge, ...]
    """What the services charge for. Empty: AWS charges nothing."""
    cost: Decimal
    """The sum of the charges, exact and not rounded."""
    cost_per_month: Decimal | None
    """The sum of the charges in 30.44 days at the mean rate of the span. None: the span has no length."""
    cost_if_all_fail: Decimal
    """The sum of the charges if every run failed for good, after all its retries. EventBridge Scheduler is
    assumed to bill retries, which is not documented."""
    currency: str
    """The currency of the cost."""
    peak: BusyMinute | None
    """The earliest minute with the most invocations of this backend. None: there is no invocation."""
    quota_shares: dict[str, float]
    """The share of each quota that is used, by the quota's name, a field name of :class:`Quotas`: in the peak
    minute for rates. Above 1.0, runs are delayed or jobs are refused."""
    seconds_to_create: float
    """The time in seconds that the quotas require to create all jobs, without a burst."""

    @property
    def exceeded(self) -> tuple[str, ...]:
        """The names of the exceeded quotas."""
        return tuple(name for name, share in self.quota_shares.items() if share > 1)

    def __str__(self) -> str:
        """Returns the lines of the report for this backend."""
        return "\n".join(f"{label}: {text}" for label, text in self.lines())

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table

        return record_table(self.lines())

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yields the lines of the report: label and text."""
        runs = f"{self.jobs:,} job{'s' * (self.jobs != 1)}, {self.invocations:,} invocations"
        if not self.charges:
            yield self.service, f"{runs}; AWS charges nothing"
            return
        cost = money(self.cost, self.cost_per_month, self.currency)
        failing = (
            f"{money(self.cost_if_all_fail, None, self.currency)} if every run failed after all its retries"
        )
        yield self.service, f"{runs}; {cost}; {failing}"
        for charge in self.charges:
            yield "  " + charge.units, str(charge)
        shares = self.quota_shares.items()
        quotas = [f"{name} {share:.2%}{' (too much)' if share > 1 else ''}" for name, share in shares]
        yield "  share of quotas", ", ".join(quotas)
        if self.seconds_to_create >= 1:
            yield "  creation of all jobs", f"{self.seconds_to_create:,.0f} seconds at least"


def money(amount: Decimal, monthly: Decimal | None, currency: str) -> str:
    """Formats an amount, and that of a month if it is known."""
    text = f"{_money(amount)} {currency}"
    return text if monthly is None else f"{text}; {_money(monthly)} {currency} a month"


def _money(amount: Decimal) -> str:
    """Formats an amount with two decimals; a smaller amount is not shown as zero."""
    return "under 0.01" if 0 < amount < Decimal("0.01") else f"{amount:,.2f}"


# -- units -------------------------------------------------------------------------------------------------


def units_by_month(usage: Usage, schedule: Schedule, counted: Counted, minutes: Minutes) -> list[Units]:
    """Returns the units that one job uses in each calendar month of the span.

    Args:
        usage: What the job uses.
        schedule: Its schedule.
        counted: Its runs in the span.
        minutes: The minutes of the span.
    """
    found = [Units().plus(usage.run, times) for times in counted.by_month]
    if usage.runs_per_execution is None:
        return found
    ended = schedule.next_run(after=minutes.until) is None
    if ended and not counted.runs:
        return found  # such a job is not created
    found[0] = found[0].plus(usage.start)
    if ended:
        month = minutes.month_of(counted.last)
        found[month] = found[month].plus(usage.end)
    last = counted.last if ended else len(minutes.counts) - 1
    full = _full_executions(counted, usage.runs_per_execution, ended=ended)
    if sum(full) >= last // _MAX_AGE:
        return [units.plus(usage.renewal, times) for units, times in zip(found, full, strict=True)]
    for minute in range(_MAX_AGE, last + 1, _MAX_AGE):
        month = minutes.month_of(minute)
        found[month] = found[month].plus(usage.renewal).plus(usage.rest)
    return found


def _full_executions(counted: Counted, runs_per_execution: int, *, ended: bool) -> list[int]:
    """The number of executions in each month that hand over because their history is full. One that has made
    the last run of the job does not."""
    most = (counted.runs - ended) // runs_per_execution
    found, runs, before = list[int](), 0, 0
    for each in counted.by_month:
        runs += each
        after = min(runs // runs_per_execution, most)
        found.append(after - before)
        before = after
    return found


# -- prices ------------------------------------------------------------------------------------------------


class _Kind(NamedTuple):
    """A kind of billed units."""

    name: str
    cost: Callable[[int], Decimal]
    """The cost of a number of units in a month."""
    free: int
    listed: Prices | TransitionPrices | TablePrices
    """The list with the Region and the date of the price."""


def _kinds(backend: str, prices: Prices) -> dict[str, _Kind]:
    """The billed units of a backend, by their names in :class:`Units`."""
    states, requests = prices.transitions, prices.table
    if backend == EVENTBRIDGE:
        return {"invocations": _Kind("invocations", prices.cost, prices.free_invocations_per_month, prices)}
    if backend == STEP_FUNCTIONS:
        return {
            "transitions": _Kind(
                "state transitions", prices.cost_of_transitions, states.free_per_month, states
            ),
            "write_units": _Kind("write units", prices.cost_of_writes, 0, requests),
            "read_units": _Kind("read units", prices.cost_of_reads, 0, requests),
        }
    return {}


def costs_of(backend: str, months: Sequence[Units], prices: Prices) -> list[Decimal]:
    """Returns the cost of each month, with the arguments of :func:`charges_of`."""
    kinds = _kinds(backend, prices).items()
    return [total(kind.cost(getattr(units, field)) for field, kind in kinds) for units in months]


def charges_of(
    backend: str, months: Sequence[Units], prices: Prices, ratio: float | None
) -> tuple[Charge, ...]:
    """Returns what the services of a backend charge.

    Args:
        backend: The class of the backend.
        months: The units of all its jobs in each calendar month of the span.
        prices: The prices.
        ratio: The length of a mean month by that of the span. None: the span has no length.
    """
    charges = list[Charge]()
    for field, kind in _kinds(backend, prices).items():
        counts: list[int] = [getattr(units, field) for units in months]
        charges.append(
            Charge(
                units=kind.name,
                count=sum(counts),
                free_per_month=kind.free,
                cost=total(map(kind.cost, counts)),
                cost_per_month=None if ratio is None else kind.cost(round(sum(counts) * ratio)),
                currency=prices.currency,
                region=kind.listed.region,
                as_of=kind.listed.as_of,
            )
        )
    return tuple(charges)


def total(amounts: Iterable[Decimal | None]) -> Decimal:
    """Returns the exact sum; None is nothing."""
    return reduce(EXACT.add, (amount or Decimal(0) for amount in amounts), Decimal(0))


# -- quotas ------------------------------------------------------------------------------------------------


def seconds_to_create(backend: BackendName, jobs: int, quotas: Quotas) -> float:
    """Returns the time in seconds that the quotas of a backend require to create a number of jobs."""
    rates = {EVENTBRIDGE: quotas.creations_per_second, STEP_FUNCTIONS: quotas.starts_per_second}
    return jobs / rates[backend] if backend in rates else 0.0


def shares_of(backend: str, *, jobs: int, groups: int, peak: int, quotas: Quotas) -> dict[str, float]:
    """Returns the share of each quota of a backend that its jobs use.

    Args:
        backend: The class of the backend.
        jobs: The number of its jobs.
        groups: The number of their groups.
        peak: The number of invocations in the peak minute.
        quotas: The quotas.
    """
    if backend == EVENTBRIDGE:
        return {
            "invocations_per_second": peak / (60 * quotas.invocations_per_second),
            "schedules": jobs / quotas.schedules,
            "groups": groups / quotas.groups,
        }
    if backend == STEP_FUNCTIONS:
        return {
            "transitions_per_second": peak * transitions().run / (60 * quotas.transitions_per_second),
            "partition_writes_per_second": peak * INDEX_WRITES / (60 * quotas.partition_writes_per_second),
            "open_executions": jobs / quotas.open_executions,
        }
    return {}
