"""Estimates invocations, cost and busiest minutes of a set of jobs on EventBridge Scheduler.

Every minute of the span has one counter. For a grid of elapsed time only its first and last minute are noted,
and all grids with the same step and phase are added together; other schedules are iterated, equal ones once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import reduce
from itertools import islice

from stepsched.core.plain import Day
from stepsched.core.quoting import quoted
from stepsched.core.values import Value, items_of, whole_number
from stepsched.display.notebook import table
from stepsched.estimates.figures import EXACT, PRICES, QUOTAS, Prices, Quotas
from stepsched.estimates.minutes import Minutes
from stepsched.jobs import Job
from stepsched.schedules import Rate, Schedule
from stepsched.schedules.moments import aware
from stepsched.schedules.zones import UTC

MEAN_MONTH = timedelta(days=30.44)
"""The length of a mean month, for figures "a month"."""
LONGEST = timedelta(days=3_653)
"""The longest span of an estimate: ten years."""


class MonthEstimate(Value, frozen=True):
    """The estimate for one calendar month in UTC."""

    month: Day
    """The first day of the month, even if the span begins later."""
    invocations: int
    """The number of invocations inside the span."""
    cost: Decimal
    """The cost, after all free invocations of the month, even if the span covers only a part of it."""


class BusyMinute(Value, frozen=True):
    """The estimate for one minute, in UTC."""

    minute: datetime
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


class Estimate(Value, frozen=True):
    """The result of :func:`estimate`. ``print`` shows a report, a notebook a table."""

    since: datetime
    """The beginning of the span, in UTC; inclusive."""
    until: datetime
    """The end of the span, in UTC; inclusive."""
    jobs: int
    """The number of jobs."""
    groups: int
    """The number of distinct groups of the jobs."""
    invocations: int
    """The number of invocations in the whole span."""
    by_job: dict[str, int]
    """The invocations of each job by its name, in input order; 0 for one that does not run."""
    months: tuple[MonthEstimate, ...]
    """Every calendar month in UTC that the span touches, in order."""
    cost: Decimal
    """The sum of the costs of all months, exact and not rounded."""
    invocations_per_month: float | None
    """The invocations in 30.44 days at the mean rate of the span. None: the span has no length."""
    cost_per_month: Decimal | None
    """The cost of that number of invocations, rounded to a whole number, in one month. None: the span has no
    length."""
    peak: BusyMinute | None
    """The earliest minute with the most invocations. None: there is no invocation."""
    colliding_minutes: int
    """The number of minutes with at least two invocations."""
    collisions: tuple[BusyMinute, ...]
    """The busiest of these minutes, sorted by invocations, then oldest first, up to the number given as
    ``busiest``."""
    prices: Prices
    """The prices of the estimate."""
    quotas: Quotas
    """The quotas of the estimate."""

    @property
    def quota_share(self) -> float:
        """The invocations of the peak minute divided by those that the quota allows in a minute. Above 1.0
        some are delayed into the following minutes."""
        allowed = self.quotas.invocations_per_second * 60
        return self.peak.invocations / allowed if self.peak is not None else 0.0

    @property
    def exceeded(self) -> tuple[str, ...]:
        """The names of the exceeded quotas, which are field names of :class:`Quotas`."""
        over = {
            "invocations_per_second": self.quota_share > 1,
            "schedules": self.jobs > self.quotas.schedules,
            "groups": self.groups > self.quotas.groups,
        }
        return tuple(name for name, is_over in over.items() if is_over)

    def __str__(self) -> str:
        """Returns a short report."""
        lines = [f"{label}: {text}" for label, text in self._summary()]
        lines += [f"  {busy}" for busy in self.collisions]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Returns the report as an HTML table, for notebooks."""
        busiest = [
            (f"{busy.minute:%Y-%m-%d %H:%M}", f"{busy.invocations:,}", busy.names())
            for busy in self.collisions
        ]
        return table([*self._summary(), *busiest])

    def _summary(self) -> Iterator[tuple[str, str]]:
        """Yields the lines of the report: label and text."""
        yield "Span", f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC"
        over = ", too many" if "schedules" in self.exceeded else ""
        yield "Schedules", f"{self.jobs:,} of {self.quotas.schedules:,}{over}"
        if "groups" in self.exceeded:
            yield "Groups", f"{self.groups:,} of {self.quotas.groups:,}, too many"
        pace = self.invocations_per_month
        yield (
            "Invocations",
            f"{self.invocations:,}" + (f"; {_pace(pace)} a month" if pace is not None else ""),
        )
        money, monthly = _money(self.cost), self.cost_per_month
        by_month = f"; {_money(monthly)} {self.prices.currency} a month" if monthly is not None else ""
        note = f" (prices as of {self.prices.as_of}, without retries)"
        yield "Cost", f"{money} {self.prices.currency}{by_month}{note}"
        if self.peak is not None:
            late = ", so some are delayed" if self.quota_share > 1 else ""
            when = f"{self.peak.invocations:,} in the minute {self.peak.minute:%Y-%m-%d %H:%M} UTC"
            yield "Peak", f"{when}, {self.quota_share:.2%} of the quota{late}"
        yield "Minutes with two or more", f"{self.colliding_minutes:,}"


def estimate(
    jobs: Iterable[Job],
    since: datetime,
    until: datetime,
    *,
    prices: Prices = PRICES,
    quotas: Quotas = QUOTAS,
    busiest: int = 10,
    names: int = 10,
    progress: Callable[[int, int], object] | None = None,
) -> Estimate:
    """Estimates the invocations and cost of jobs on EventBridge Scheduler. It makes no call.

    Every scheduled instant counts as one invocation, regardless of the job's target, policies and status.
    Retries are not counted, but may be billed. A job with ``jitter`` is counted at its scheduled instant,
    although its runs are spread over the time after it, so actual peaks may be lower. A rate without
    ``start`` counts as created at ``since``, with a run at that instant; if its ``end`` is not later, it
    never runs.

    The time grows with the distinct schedules and their runs, the memory with the minutes of the span
    (4 bytes each) and the number of jobs, not with the number of runs.

    Args:
        jobs: The jobs, with distinct names; iterated once.
        since: The beginning of the span; aware, inclusive.
        until: The end of the span; aware, inclusive, at most ten years (3,653 days) after ``since``.
        prices: The price list. The default has a date and may be outdated.
        quotas: The quotas of the account. The default is that of the large Regions, has a date and may be
            outdated; see ``Quotas.of_region``.
        busiest: The number of colliding minutes to list; at least 0.
        names: The number of jobs to name in each minute; at least 0.
        progress: A function that is called repeatedly with the number of counted jobs and the total.

    Raises:
        TypeError: An item of ``jobs`` is not a job, or an instant is not a datetime.
        ValueError: An instant is naive, ``until`` is before ``since`` or too far after it, two jobs have the
            same name, or a number is negative.
    """
    since, until = _span(since, until)
    for word, number in (("busiest", busiest), ("names", names)):
        whole_number(number, word)
    for kind, figures in ((Prices, prices), (Quotas, quotas)):
        if not isinstance(figures, kind):
            raise TypeError(f"expected {kind.__name__}(...), got {quoted(figures)}")
    crowd = _Crowd(items_of(jobs, "jobs", "[job]"))
    minutes = Minutes(since, until)
    runs = _count(crowd, minutes, progress)
    by_job = {name: runs[group] for name, group in crowd.members.items()}
    months = tuple(
        MonthEstimate(month=month, invocations=count, cost=prices.cost(count))
        for month, count in minutes.by_month()
    )
    invocations = sum(by_job.values())
    pace = invocations * (MEAN_MONTH / (until - since)) if until > since else None
    chosen = minutes.busiest(max(busiest, 1))
    busy = [crowd.busy(minutes, index, names) for index in chosen]
    return Estimate(
        since=since,
        until=until,
        jobs=len(by_job),
        groups=len(crowd.groups),
        invocations=invocations,
        by_job=by_job,
        months=months,
        cost=reduce(EXACT.add, (month.cost for month in months)),
        invocations_per_month=pace,
        cost_per_month=prices.cost(round(pace)) if pace is not None else None,
        peak=busy[0] if busy else None,
        colliding_minutes=minutes.colliding(),
        collisions=tuple(minute for minute in busy[:busiest] if minute.invocations > 1),
        prices=prices,
        quotas=quotas,
    )


# -- the jobs ----------------------------------------------------------------------------------------------


class _Crowd:
    """Jobs by schedule. Only their names are kept, since their inputs may be large."""

    __slots__ = ("groups", "members", "schedules", "sizes")

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.members: dict[str, int] = {}
        """The index of the schedule of each job."""
        self.schedules: list[Schedule] = []
        self.sizes: list[int] = []
        self.groups: set[str] = set()
        numbers: dict[Schedule, int] = {}
        twice = set[str]()
        for job in jobs:
            if not isinstance(job, Job):
                raise TypeError(f"expected a job, got {quoted(job)}")
            number = numbers.setdefault(job.schedule, len(numbers))
            if number == len(self.schedules):
                self.schedules.append(job.schedule)
                self.sizes.append(0)
            if job.name in self.members:
                twice.add(job.name)
            self.members[job.name] = number
            self.sizes[number] += 1
            self.groups.add(job.group)
        if twice:
            raise ValueError(f"duplicate job names: {', '.join(sorted(twice))}")

    def busy(self, minutes: Minutes, index: int, names: int) -> BusyMinute:
        """Returns a minute by its index, with the names of jobs that run in it."""
        present = [minutes.holds(index, *place) for place in enumerate(self.schedules)] if names else []
        running = (name for name, number in self.members.items() if present[number])
        return BusyMinute(
            minute=minutes.beginning(index),
            invocations=minutes.counts[index],
            jobs=tuple(islice(running, names)) if names else (),
        )


def _count(crowd: _Crowd, minutes: Minutes, progress: Callable[[int, int], object] | None) -> list[int]:
    """Counts the runs of every schedule; returns the numbers."""
    runs, done, told, total = list[int](), 0, 0, len(crowd.members)
    for number, schedule in enumerate(crowd.schedules):
        size = crowd.sizes[number]
        anchored = crowd.schedules[number] = _anchored(schedule, minutes.since)
        runs.append(minutes.add(anchored, size))
        done += size
        if progress is not None and (100 * (done - told) >= total or done == total):
            progress(done, total)
            told = done
    minutes.lay_grids()
    return runs


def _anchored(schedule: Schedule, since: datetime) -> Schedule:
    """Returns the schedule as ``Job.anchored`` does, except for a rate that ends before: it is not
    changed."""
    if (
        isinstance(schedule, Rate)
        and schedule.start is None
        and (schedule.end is None or schedule.end > since)
    ):
        return schedule.replace(start=since)
    return schedule


# -- instants and words ------------------------------------------------------------------------------------


def _span(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    begin, end = aware(since, "since").astimezone(UTC), aware(until, "until").astimezone(UTC)
    if end < begin:
        raise ValueError(f"expected until at or after since {since.isoformat()}, got {until.isoformat()}")
    if end - begin > LONGEST:
        raise ValueError(
            f"expected a span of at most ten years ({LONGEST.days:,} days), got {(end - begin).days:,} days "
            f"from since {since.isoformat()} to until {until.isoformat()}"
        )
    return begin, end


def _pace(number: float) -> str:
    """Formats a monthly number: as a whole number if it is large, otherwise with three digits."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _money(amount: Decimal) -> str:
    """Formats an amount with two decimals; a smaller amount is not shown as zero."""
    return "under 0.01" if 0 < amount < Decimal("0.01") else f"{amount:,.2f}"
