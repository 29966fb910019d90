"""What a set of jobs asks of EventBridge Scheduler: invocations, price, and its busiest minutes.

Every minute of the span has one counter. A grid of elapsed time marks where it begins and where it ends,
and all grids of one step and phase are laid out together; the other schedules are walked, equal ones once.
"""

from __future__ import annotations

from array import array
from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from functools import reduce
from itertools import islice
from math import gcd
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt
from typing_extensions import Self

from stepsched.jobs import Job
from stepsched.notebook import table
from stepsched.schedules import Rate, Schedule, Windowed
from stepsched.schedules.zones import UTC
from stepsched.values import Value

MEAN_MONTH = timedelta(days=30.44)
"""What a figure "a month" is meant for."""
LONGEST = timedelta(days=3_653)
"""The longest span of an estimate: ten years."""

_TICK = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_MILLION = Decimal(1_000_000)
_EXACT = Context(prec=60)  # the caller's own context may round
_CHUNK = 1 << 16

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
    as_of: date = date(2026, 5, 1)
    """When the figures were last read."""
    source: str = "https://aws.amazon.com/eventbridge/pricing/"
    """Where the present ones stand."""

    def cost(self, invocations: int) -> Decimal:
        """What so many invocations in one calendar month cost, exact and not rounded."""
        billed = Decimal(max(invocations - self.free_invocations_per_month, 0))
        return _EXACT.divide(_EXACT.multiply(billed, self.per_million), _MILLION)


class Quotas(Value, frozen=True):
    """What one account may do in one Region.

    AWS changes the defaults, and raises them on request: they carry their date, and every figure can be
    replaced by the account's own. They are those of the large Regions; see :meth:`of_region`.
    """

    invocations_per_second: Limit = 1_000
    """More are delayed, not lost."""
    schedules: Limit = 10_000_000
    groups: Limit = 500
    as_of: date = date(2026, 11, 1)
    """When the figures were last read."""
    source: str = "https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html"
    """Where the present ones stand."""

    @classmethod
    def of_region(cls, region: str) -> Self:
        """The defaults of a Region: 1,000 invocations a second in the large ones, which are us-east-1,
        us-east-2, us-west-2, ap-northeast-1, ap-south-1, ap-southeast-1, ap-southeast-2, eu-central-1,
        eu-west-1, eu-west-2 and sa-east-1. Elsewhere 250, which is a cautious assumption.

        Args:
            region: Such as ``eu-west-1``. A Region that is not listed counts as one of the small.
        """
        return cls() if region in LARGE_REGIONS else cls(invocations_per_second=250)


LARGE_REGIONS = {
    "us-east-1",
    "us-east-2",
    "us-west-2",
    "ap-northeast-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "sa-east-1",
}
PRICES = Prices()
"""The public price list, as of its date."""
QUOTAS = Quotas()
"""The defaults of the large Regions, as of their date."""


class MonthEstimate(Value, frozen=True):
    """One calendar month in UTC."""

    month: date
    """Its first day, also where the span begins later."""
    invocations: int
    """Those inside the span."""
    cost: Decimal
    """With all the month's free invocations, also where the span covers a part of it."""


class BusyMinute(Value, frozen=True):
    """One minute of the clock in UTC, from its second 0 and up to the next one's."""

    minute: datetime
    """Its beginning, in UTC."""
    invocations: int
    jobs: tuple[str, ...]
    """Names of jobs that run in it, in input order; as many as were asked for."""

    def __str__(self) -> str:
        """Such as ``2030-01-01 09:00  4  a, b and 2 more``."""
        return f"{self.minute:%Y-%m-%d %H:%M}  {self.invocations:,}  {self.names()}".rstrip()

    def names(self) -> str:
        """Such as ``a, b and 2 more``, which are invocations: of other jobs, or of the same where one runs
        several times a minute. Empty when none was asked for."""
        more = self.invocations - len(self.jobs)
        return ", ".join(self.jobs) + (f" and {more:,} more" if self.jobs and more > 0 else "")


class Estimate(Value, frozen=True):
    """What :func:`estimate` has found. ``print`` gives a report, a notebook shows a table."""

    since: datetime
    """In UTC; inclusive."""
    until: datetime
    """In UTC; inclusive."""
    jobs: int
    groups: int
    """Different groups of the jobs."""
    invocations: int
    """In the whole span."""
    by_job: dict[str, int]
    """The invocations of each job by its name, in input order; 0 for one that does not run."""
    months: tuple[MonthEstimate, ...]
    """Every calendar month in UTC that the span touches, in order."""
    cost: Decimal
    """The sum of the months', exact and not rounded."""
    invocations_per_month: float | None
    """Invocations in 30.44 days at the mean pace of the span. None: the span has no length."""
    cost_per_month: Decimal | None
    """The cost of that many, rounded to a whole number of them, in one month. None: as above."""
    peak: BusyMinute | None
    """The first of the minutes with most invocations. None: there is no invocation."""
    colliding_minutes: int
    """How many minutes have at least two invocations."""
    collisions: tuple[BusyMinute, ...]
    """The busiest of them, most invocations first, then oldest first; as many as were asked for."""
    prices: Prices
    quotas: Quotas

    @property
    def quota_share(self) -> float:
        """The peak minute's invocations against those that the quota lets through in a minute; 1.0 is all
        of them. Above that the rest is delayed into the following minutes."""
        allowed = self.quotas.invocations_per_second * 60
        return self.peak.invocations / allowed if self.peak is not None else 0.0

    @property
    def exceeded(self) -> tuple[str, ...]:
        """The names of the quotas that the jobs exceed, as the fields of :class:`Quotas` have them."""
        over = {
            "invocations_per_second": self.quota_share > 1,
            "schedules": self.jobs > self.quotas.schedules,
            "groups": self.groups > self.quotas.groups,
        }
        return tuple(name for name, is_over in over.items() if is_over)

    def __str__(self) -> str:
        """A short report."""
        lines = [f"{label}: {text}" for label, text in self._summary()]
        lines += [f"  {busy}" for busy in self.collisions]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The report as a table, for notebooks."""
        busiest = [
            (f"{busy.minute:%Y-%m-%d %H:%M}", f"{busy.invocations:,}", busy.names())
            for busy in self.collisions
        ]
        return table([*self._summary(), *busiest])

    def _summary(self) -> Iterator[tuple[str, str]]:
        """The lines of the report: a label and what it says."""
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
    """Counts what jobs would invoke on EventBridge Scheduler, and what that costs there. Asks nobody.

    Every scheduled instant counts as one invocation, whatever the job's target, policies or status.
    Retries are not counted; they may be billed. A job with ``jitter`` is counted at its scheduled instant,
    although its runs are spread over the time after it, so peaks may be lower than said. A rate without
    ``start`` counts as created at ``since``, and first runs then; if its ``end`` is not later, it never runs.

    The work grows with the different schedules and their runs, the memory with the minutes of the span
    (4 bytes each) and the number of jobs, not with the number of runs.

    Args:
        jobs: Jobs of different names; read once.
        since: Aware; inclusive.
        until: Aware; inclusive; at most ten years (3,653 days) after ``since``.
        prices: The price list. The default is dated and may have changed.
        quotas: The account's. The default is that of the large Regions, dated, and may have changed; see
            ``Quotas.of_region``.
        busiest: How many colliding minutes to list; at least 0.
        names: How many jobs to name in each minute; at least 0.
        progress: Called now and then with how many jobs are counted, and of how many.

    Raises:
        TypeError: Something among the jobs is no job, or an instant no datetime.
        ValueError: An instant is naive, ``until`` lies before ``since`` or too far after it, a name stands
            twice, or a number is negative.
    """
    since, until = _span(since, until)
    for word, number in (("busiest", busiest), ("names", names)):
        if not isinstance(number, int) or number < 0:
            raise ValueError(f"{word} must be a whole number of at least 0, not {number!r}")
    crowd = _Crowd(jobs)
    minutes = _Minutes(since, until)
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
        cost=reduce(_EXACT.add, (month.cost for month in months)),
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
    """Jobs by their schedule. Only names are kept of them: their inputs may be large."""

    __slots__ = ("groups", "members", "schedules", "sizes")

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.members: dict[str, int] = {}
        """The number of the schedule of each job."""
        self.schedules: list[Schedule] = []
        self.sizes: list[int] = []
        self.groups: set[str] = set()
        numbers: dict[Schedule, int] = {}
        twice = set[str]()
        for job in jobs:
            if not isinstance(job, Job):
                raise TypeError(f"a job is wanted, not {job!r}")
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
            raise ValueError(f"these names stand twice: {', '.join(sorted(twice))}")

    def busy(self, minutes: _Minutes, index: int, names: int) -> BusyMinute:
        """A minute by its number, with the names of jobs that run in it."""
        present = [minutes.holds(index, *place) for place in enumerate(self.schedules)] if names else []
        running = (name for name, number in self.members.items() if present[number])
        return BusyMinute(
            minute=minutes.beginning(index),
            invocations=minutes.counts[index],
            jobs=tuple(islice(running, names)) if names else (),
        )


def _count(crowd: _Crowd, minutes: _Minutes, progress: Callable[[int, int], object] | None) -> list[int]:
    """Counts every schedule; gives the runs of each."""
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
    """The schedule as ``Job.anchored`` has it, but for a rate that ends before: it stays as it is."""
    if (
        isinstance(schedule, Rate)
        and schedule.start is None
        and (schedule.end is None or schedule.end > since)
    ):
        return schedule.replace(start=since)
    return schedule


# -- the minutes -------------------------------------------------------------------------------------------


class _Minutes:
    """A counter for every minute of the clock that the span touches, by number from 0."""

    __slots__ = ("counts", "extents", "grids", "origin", "since", "until")

    def __init__(self, since: datetime, until: datetime) -> None:
        self.since = since
        self.until = until
        self.origin = since.replace(second=0, microsecond=0)
        self.counts = array("I", [0]) * ((until - self.origin) // _MINUTE + 1)
        self.grids: defaultdict[tuple[int, int], Counter[int]] = defaultdict(Counter)
        """By step and phase in minutes: by how much the runs a minute change, at minutes on the grid."""
        self.extents: list[tuple[int, int]] = []
        """Of each schedule the first and the last minute with a run."""

    def beginning(self, index: int) -> datetime:
        """The instant at which a minute begins, in UTC."""
        return self.origin + index * _MINUTE

    def add(self, schedule: Schedule, size: int) -> int:
        """Counts a schedule for so many jobs; gives its runs. Grids show after ``lay_grids`` only."""
        step = _step(schedule)
        runs, first, last = self._walk(schedule, size) if step is None else self._note(schedule, step, size)
        self.extents.append((first, last))
        return runs

    def _walk(self, schedule: Schedule, size: int) -> tuple[int, int, int]:
        counts, zone, origin = self.counts, None, self.origin
        runs, first, index = 0, 0, -1
        for run in schedule.runs(after=_before(self.since), until=self.until):
            if run.tzinfo is not zone:  # datetimes of one offset subtract faster
                zone = run.tzinfo
                origin = self.origin.astimezone(zone)
            index = (run - origin) // _MINUTE
            counts[index] += size
            if not runs:
                first = index
            runs += 1
        return runs, first, index

    def _note(self, schedule: Schedule, step: int, size: int) -> tuple[int, int, int]:
        """A grid of seconds is as many grids of whole minutes as it has places inside a minute: every 10
        seconds is six times each minute, every 90 seconds twice every three minutes."""
        begin = schedule.next_run(after=_before(self.since))
        if begin is None or begin > self.until:
            return 0, 0, -1
        end = schedule.previous_run(before=_after(self.until))
        assert end is not None  # there is one, at the latest ``begin``
        offset = begin - self.origin
        runs = (end - begin) // (step * _SECOND) + 1
        places = 60 // gcd(step, 60)
        minutes = step * places // 60
        for place in range(min(places, runs)):
            first = (offset + place * step * _SECOND) // _MINUTE
            changes = self.grids[minutes, first % minutes]
            changes[first] += size
            changes[first + (runs - place - 1) // places * minutes + minutes] -= size
        return runs, offset // _MINUTE, (end - self.origin) // _MINUTE

    def lay_grids(self) -> None:
        """Adds up the grids that were noted."""
        for (step, _), changes in self.grids.items():
            level, begin = 0, 0
            for minute, change in sorted(changes.items()):
                if level:
                    self._raise(begin, min(minute, len(self.counts)), step, level)
                level, begin = level + change, minute
        self.grids.clear()

    def _raise(self, begin: int, end: int, step: int, level: int) -> None:
        """Adds to every minute of a grid; in pieces, since the numbers take more room than their array."""
        for low in range(begin, end, step * _CHUNK):
            part = slice(low, min(end, low + step * _CHUNK), step)
            self.counts[part] = array("I", [count + level for count in self.counts[part]])

    def holds(self, index: int, number: int, schedule: Schedule) -> bool:
        """Whether a schedule, the one of that number, runs in a minute inside the span."""
        first, last = self.extents[number]
        if not first <= index <= last:
            return False
        if index in (first, last):
            return True
        run = schedule.next_run(after=self.beginning(index) - _TICK)
        return run is not None and run < self.beginning(index + 1)

    def by_month(self) -> Iterator[tuple[date, int]]:
        """The first day of each calendar month in UTC that the span touches, and its runs."""
        month = self.origin.date().replace(day=1)
        begin = (month - self.origin.date()).days * 24 * 60 - self.origin.hour * 60 - self.origin.minute
        while True:
            end = begin + monthrange(month.year, month.month)[1] * 24 * 60
            yield month, sum(self.counts[max(begin, 0) : end])
            if end >= len(self.counts):
                return
            month, begin = (month + timedelta(days=31)).replace(day=1), end

    def busiest(self, wanted: int) -> list[int]:
        """The numbers of so many minutes with runs, most runs first, then oldest first."""
        histogram = Counter(self.counts)
        left, level = min(wanted, len(self.counts)), 0
        for level in sorted(histogram, reverse=True):
            if left <= histogram[level]:
                break
            left -= histogram[level]
        more = [index for index, count in enumerate(self.counts) if count > level]
        level_ones = (index for index, count in enumerate(self.counts) if count == level > 0)
        return sorted([*more, *islice(level_ones, left)], key=lambda index: (-self.counts[index], index))

    def colliding(self) -> int:
        """How many minutes have two runs or more."""
        return sum(count > 1 for count in self.counts)


def _step(schedule: Schedule) -> int | None:
    """The seconds between two runs, where they are always the same; None for a walk."""
    if isinstance(schedule, Rate):
        # One without start has been left so because it ended.
        return schedule.every // _SECOND
    if isinstance(schedule, Windowed) and not (schedule.every.total_months or schedule.every.total_days):
        return schedule.every.total_seconds
    return None


# -- instants and words ------------------------------------------------------------------------------------


def _span(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    for word, moment in (("since", since), ("until", until)):
        if not isinstance(moment, datetime):
            raise TypeError(f"{word} must be an aware datetime, not {type(moment).__name__}")
        if moment.utcoffset() is None:
            raise ValueError(f"{word} is naive ({moment.isoformat()}); add a zone to name an instant")
    try:
        begin, end = since.astimezone(UTC), until.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("since and until must lie inside the years 1 to 9999 in UTC") from error
    if end < begin:
        raise ValueError(f"until {until.isoformat()} lies before since {since.isoformat()}")
    if end - begin > LONGEST:
        raise ValueError(
            f"from since {since.isoformat()} to until {until.isoformat()} it is {(end - begin).days:,} days; "
            f"an estimate spans at most ten years ({LONGEST.days:,} days)"
        )
    return begin, end


def _before(instant: datetime) -> datetime:
    """The exclusive bound that takes the instant in, but for the first one of all."""
    try:
        return instant - _TICK
    except OverflowError:
        return instant


def _after(instant: datetime) -> datetime:
    try:
        return instant + _TICK
    except OverflowError:
        return instant


def _pace(number: float) -> str:
    """A monthly number: whole where large, to three digits where small."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _money(amount: Decimal) -> str:
    """An amount to the hundredth; one below that is not made to look like nothing."""
    return "under 0.01" if 0 < amount < Decimal("0.01") else f"{amount:,.2f}"
