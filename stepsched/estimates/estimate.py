"""Estimates invocations, cost and busiest minutes of a set of jobs, each on the backend that would run it.

Every minute of the span has one counter for each backend. For a grid of elapsed time only its first and last
minute are noted, and all grids with the same step and phase are added together; other schedules are iterated,
equal ones once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, get_args

from stepsched.core.plain import Datetime, Day
from stepsched.core.quoting import quoted
from stepsched.core.values import Value, whole_number
from stepsched.display.frames import Framed, texts, whole_numbers
from stepsched.display.progress import reporting
from stepsched.display.results import Displayed, DisplayedFields
from stepsched.estimates.figures import PRICES, QUOTAS, Prices, Quotas
from stepsched.estimates.services import (
    SERVICES,
    BusyMinute,
    ServiceEstimate,
    charges_of,
    costs_of,
    money,
    seconds_to_create,
    shares_of,
    total,
    units_by_month,
)
from stepsched.estimates.usage import BackendName, Units, Usage, backend_of, usage_of
from stepsched.jobs import Job
from stepsched.jobs.job import checked_jobs, no_job
from stepsched.jobs.records import JobRecord
from stepsched.pictures.pictured import Pictured
from stepsched.schedules import Rate, Schedule
from stepsched.schedules.minutes import LONGEST, Counted, Minutes
from stepsched.schedules.moments import aware
from stepsched.schedules.zones import UTC, shared_zone

if TYPE_CHECKING:  # loaded when something is drawn
    from stepsched.display.frames import Column
    from stepsched.display.table import Table
    from stepsched.pictures.load import Load

MEAN_MONTH = timedelta(days=30.44)
"""The length of a mean month, for figures "a month"."""
_DAY = 24 * 60
_MOST_PARTS = 400
"""The maximum number of parts of a load."""
_PART_LENGTHS = (1, 2, 5, 10, 15, 20, 30, 60, 2 * 60, 3 * 60, 6 * 60, 12 * 60, _DAY)
"""The lengths of the parts of a load in minutes; longer ones are whole days."""


class MonthEstimate(DisplayedFields, Value, frozen=True):
    """The estimate for one calendar month in UTC."""

    month: Day
    """The first day of the month, even if the span begins later."""
    invocations: int
    """The number of invocations inside the span."""
    cost: Decimal
    """The cost, after all free units of the month, even if the span covers only a part of it."""


class MinuteLoad(DisplayedFields, Value, frozen=True):
    """How many invocations there are in a minute, over the span of an estimate. The span is divided into at
    most 400 parts of equal length, from its first minute on; the last part may be shorter."""

    minutes_per_part: int
    """The length of a part in minutes."""
    peaks: tuple[int, ...]
    """The largest number of invocations in one minute of each part, in order."""
    averages: tuple[float, ...]
    """The average number of invocations in a minute of each part."""


class Estimate(Displayed, Framed, Pictured, Value, frozen=True):
    """The result of :func:`estimate`. ``print`` shows a report, a notebook a table.

    The picture shows the invocations in a minute over the span, and the busiest minutes with their jobs, in
    UTC or in the zone that is asked for.
    """

    since: Datetime
    """The beginning of the span, in UTC; inclusive."""
    until: Datetime
    """The end of the span, in UTC; inclusive."""
    jobs: int
    """The number of jobs."""
    groups: int
    """The number of distinct groups of the jobs."""
    invocations: int
    """The number of invocations in the whole span."""
    by_job: dict[str, int]
    """The invocations of each job by its name, in input order; 0 for one that does not run."""
    backends: dict[str, BackendName]
    """The class of the backend of each job by the job's name, in input order."""
    services: tuple[ServiceEstimate, ...]
    """The estimate for each backend that has jobs: its units, its cost and its quotas."""
    months: tuple[MonthEstimate, ...]
    """Every calendar month in UTC that the span touches, in order."""
    cost: Decimal
    """The sum of the costs of all months, exact and not rounded."""
    invocations_per_month: float | None
    """The invocations in 30.44 days at the mean rate of the span. None: the span has no length."""
    cost_per_month: Decimal | None
    """The cost of the units of 30.44 days at that rate, each kind rounded to a whole number, in one month.
    None: the span has no length."""
    peak: BusyMinute | None
    """The earliest minute with the most invocations. None: there is no invocation."""
    peak_minutes: int
    """The number of minutes with as many invocations as the peak. 0: there is no invocation."""
    colliding_minutes: int
    """The number of minutes with at least two invocations."""
    collisions: tuple[BusyMinute, ...]
    """The busiest of these minutes, sorted by invocations, then oldest first, up to the number given as
    ``busiest``."""
    load: MinuteLoad
    """The invocations in a minute, over the span, in a form that can be drawn."""
    prices: Prices
    """The prices of the estimate."""
    quotas: Quotas
    """The quotas of the estimate."""

    @property
    def quota_share(self) -> float:
        """The largest share of a quota per second, in the peak minutes of the backends. Above 1.0 some runs
        are delayed into the following minutes."""
        shares = [share for service in self.services for share in service.quota_shares.items()]
        return max((share for name, share in shares if name.endswith("_per_second")), default=0.0)

    @property
    def exceeded(self) -> tuple[str, ...]:
        """The names of the exceeded quotas, which are field names of :class:`Quotas`."""
        return tuple(name for service in self.services for name in service.exceeded)

    def _picture(self) -> str:
        from stepsched.display.svg import PAGE

        return self._drawing(None).to_svg(PAGE) if self.invocations else ""

    def _drawing(self, timezone: str | tzinfo | None) -> Load:
        from stepsched.estimates.pictures import load_picture

        return load_picture(self, shared_zone((), timezone))

    def __str__(self) -> str:
        """Returns a short report."""
        lines = [f"{label}: {text}" for label, text in self._summary()]
        lines += [f"  {busy}" for busy in self.collisions]
        return "\n".join(lines)

    def _columns(self, timezone: str | tzinfo | None) -> list[Column]:
        shared_zone((), timezone)  # it has no instants, and refuses a wrong zone all the same
        return [
            texts("job", self.by_job),
            texts("backend", (self.backends[name] for name in self.by_job)),
            whole_numbers("invocations", self.by_job.values()),
        ]

    def _shown_table(self) -> Table:
        """Returns the report as a table."""
        from stepsched.display.table import record_table

        busiest = [(f"{busy.minute:%Y-%m-%d %H:%M}", _busy_text(busy)) for busy in self.collisions]
        return record_table([*self._summary(), *busiest])

    def _summary(self) -> Iterator[tuple[str, str]]:
        """Yields the lines of the report: label and text."""
        yield "Span", f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC"
        pace = self.invocations_per_month
        yield (
            "Invocations",
            f"{self.invocations:,}" + (f"; {_pace(pace)} a month" if pace is not None else ""),
        )
        for service in self.services:
            yield from service.lines()
        cost = money(self.cost, self.cost_per_month, self.prices.currency)
        yield "Cost", f"{cost} (without retries, and without what the targets cost)"
        if self.peak is not None:
            when = f"{self.peak.invocations:,} in the minute {self.peak.minute:%Y-%m-%d %H:%M} UTC"
            others = self.peak_minutes - 1
            also = "" if not others else f", and in {others:,} other minute{'s' if others > 1 else ''}"
            yield "Peak", when + also
        yield "Minutes with two or more", f"{self.colliding_minutes:,}"


def estimate(
    jobs: Iterable[Job] | Iterable[JobRecord],
    since: datetime,
    until: datetime,
    *,
    backend: BackendName | None = None,
    prices: Prices = PRICES,
    quotas: Quotas = QUOTAS,
    busiest: int = 10,
    names: int = 10,
    progress: Callable[[int, int], object] | None = None,
) -> Estimate:
    """Estimates the invocations and cost of jobs. It makes no call.

    Each job is priced where it would run: on the given backend, or on the first that can run it, in the order
    EventBridge Scheduler, Step Functions, embedded. EventBridge Scheduler charges for invocations, Step
    Functions for state transitions and for the requests to the table of jobs; for the embedded backend AWS
    charges nothing.

    Every scheduled instant counts as one invocation, regardless of the job's status. Retries are counted only
    in ``cost_if_all_fail``. Waits for another run, storage, and what the targets cost are not counted; a
    skipped run counts as if it ran. A job
    with ``jitter`` is counted at its scheduled instant, although its runs are spread over the time after it,
    so actual peaks may be lower. Every job counts as created at ``since``: a rate without ``start`` has a run
    at that instant; if its ``end`` is not later, it never runs.

    The time grows with the distinct schedules and their runs, and with the number of jobs on Step Functions;
    the memory with the minutes of the span (4 bytes each, for every backend) and the number of jobs, not with
    the number of runs.

    Args:
        jobs: The jobs, with distinct names, or the records of stored ones, such as ``client.list()``;
            iterated once.
        since: The beginning of the span; aware, inclusive.
        until: The end of the span; aware, inclusive, at most ten years (3,653 days) after ``since``.
        backend: The class of the backend that runs all jobs. None: the first one that can run the job.
        prices: The price lists. Those of the default have a Region and a date, and may be outdated.
        quotas: The quotas of the account. The default is that of the large Regions, has a date and may be
            outdated; see ``Quotas.of_region``.
        busiest: The number of colliding minutes to list; at least 0.
        names: The number of jobs to name in each minute; at least 0.
        progress: A function that is called repeatedly with the number of counted jobs and the total. None: a
            progress bar, if the output is a terminal or a notebook and the call takes longer than a moment.

    Raises:
        TypeError: An item of ``jobs`` is not a job, or an instant is not a datetime.
        ValueError: An instant is naive, ``until`` is before ``since`` or too far after it, two jobs have the
            same name, a number is negative, or ``backend`` is not the name of a backend.
        UnsupportedError: The given backend cannot run a job.
    """
    since, until = _span(since, until)
    for word, number in (("busiest", busiest), ("names", names)):
        whole_number(number, word)
    for kind, figures in ((Prices, prices), (Quotas, quotas)):
        if not isinstance(figures, kind):
            raise TypeError(f"expected {kind.__name__}(...), got {quoted(figures)}")
    if backend not in (None, *get_args(BackendName)):
        names_of_backends = ", ".join(get_args(BackendName))
        raise ValueError(f"expected one of {names_of_backends} for backend, got {quoted(backend)}")
    crowd = _Crowd(_jobs_in(jobs), backend, since)
    tally = _Tally(crowd, since, until, names, progress)
    services = tuple(tally.service(each, prices, quotas) for each in tally.minutes)
    whole, runs = tally.whole, [each.runs for each in tally.counted]
    by_job = {name: runs[group] for name, group in crowd.members.items()}
    invocations = sum(by_job.values())
    busy = tally.busiest(max(busiest, 1))
    return Estimate(
        since=since,
        until=until,
        jobs=len(by_job),
        groups=len(set[str]().union(*crowd.places.values())),
        invocations=invocations,
        by_job=by_job,
        backends={name: crowd.groups[group].backend for name, group in crowd.members.items()},
        services=services,
        months=tuple(tally.months(prices)),
        cost=total(each.cost for each in services),
        invocations_per_month=None if tally.ratio is None else invocations * tally.ratio,
        cost_per_month=None if tally.ratio is None else total(each.cost_per_month for each in services),
        peak=busy[0] if busy else None,
        peak_minutes=whole.with_runs(busy[0].invocations) if busy else 0,
        colliding_minutes=whole.with_runs(2),
        collisions=tuple(minute for minute in busy[:busiest] if minute.invocations > 1),
        load=_load(whole),
        prices=prices,
        quotas=quotas,
    )


# -- the jobs ----------------------------------------------------------------------------------------------


def _jobs_in(jobs: Iterable[Job] | Iterable[JobRecord]) -> Iterator[Job]:
    """Yields the jobs, also those of records.

    Raises:
        TypeError: ``jobs`` holds something else.
    """
    if isinstance(jobs, JobRecord) or callable(getattr(jobs, "list", None)):
        cure = "[record]" if isinstance(jobs, JobRecord) else "client.list()"
        raise TypeError(f"expected a list of jobs, got {type(jobs).__name__}; use {cure}")
    for each in checked_jobs(jobs):
        job = each.job if isinstance(each, JobRecord) else each
        if not isinstance(job, Job):
            raise no_job(job)
        yield job


class _Group(NamedTuple):
    """What jobs have in common that are counted together."""

    schedule: Schedule
    backend: BackendName
    usage: Usage


class _Crowd:
    """Jobs in groups. Only their names are kept, since their inputs may be large."""

    __slots__ = ("groups", "members", "places", "sizes")

    def __init__(self, jobs: Iterable[Job], backend: BackendName | None, since: datetime) -> None:
        self.members: dict[str, int] = {}
        """The index of the group of each job."""
        self.groups: list[_Group] = []
        self.sizes: list[int] = []
        self.places: dict[BackendName, set[str]] = {}
        """The schedule groups of the jobs of each backend."""
        numbers: dict[_Group, int] = {}
        twice = set[str]()
        for job in jobs:
            name = backend_of(job, backend)
            group = _Group(_anchored(job.schedule, since), name, usage_of(job, name, since))
            number = numbers.setdefault(group, len(numbers))
            if number == len(self.groups):
                self.groups.append(group)
                self.sizes.append(0)
            if job.name in self.members:
                twice.add(job.name)
            self.members[job.name] = number
            self.sizes[number] += 1
            self.places.setdefault(name, set()).add(job.group)
        if twice:
            raise ValueError(f"duplicate job names: {', '.join(sorted(twice))}")

    def of(self, backend: str) -> Iterator[int]:
        """Yields the indexes of the groups of a backend."""
        return (number for number, group in enumerate(self.groups) if group.backend == backend)


class _Tally:
    """The runs of a crowd, counted by backend."""

    def __init__(
        self,
        crowd: _Crowd,
        since: datetime,
        until: datetime,
        names: int,
        progress: Callable[[int, int], object] | None,
    ) -> None:
        self.crowd = crowd
        self.names = names
        self.ratio = MEAN_MONTH / (until - since) if until > since else None
        """The length of a mean month by that of the span. None: the span has no length."""
        used = [name for name in get_args(BackendName) if name in crowd.places]
        self.minutes: dict[BackendName, Minutes] = {name: Minutes(since, until) for name in used}
        self.counted = _count(crowd, self.minutes, progress)
        first, *others = list(self.minutes.values()) or [Minutes(since, until)]
        self.whole = first.merge(others)
        """The runs of all backends."""
        self.units = {name: self._units(name) for name in self.minutes}
        """The units that all jobs of each backend use in each month, if no run fails."""

    def service(self, backend: BackendName, prices: Prices, quotas: Quotas) -> ServiceEstimate:
        """Returns the estimate for a backend."""
        numbers = list(self.crowd.of(backend))
        jobs = sum(self.crowd.sizes[number] for number in numbers)
        charges = charges_of(backend, self.units[backend], prices, self.ratio)
        peak = next(iter(self.busiest(1, backend)), None)
        shares = shares_of(
            backend,
            jobs=jobs,
            groups=len(self.crowd.places[backend]),
            peak=0 if peak is None else peak.invocations,
            quotas=quotas,
        )
        return ServiceEstimate(
            backend=backend,
            service=SERVICES[backend],
            jobs=jobs,
            invocations=sum(self.counted[each].runs * self.crowd.sizes[each] for each in numbers),
            charges=charges,
            cost=total(charge.cost for charge in charges),
            cost_per_month=None if self.ratio is None else total(each.cost_per_month for each in charges),
            cost_if_all_fail=total(costs_of(backend, self._units(backend, failed=True), prices)),
            currency=prices.currency,
            peak=peak,
            quota_shares=shares,
            seconds_to_create=seconds_to_create(backend, jobs, quotas),
        )

    def _units(self, backend: BackendName, *, failed: bool = False) -> list[Units]:
        minutes = self.minutes[backend]
        found = [Units()] * len(minutes.months)
        for number in self.crowd.of(backend):
            group, counted, size = self.crowd.groups[number], self.counted[number], self.crowd.sizes[number]
            usage = group.usage.if_all_fail() if failed else group.usage
            own = units_by_month(usage, group.schedule, counted, minutes)
            found = [sum_.plus(each, size) for sum_, each in zip(found, own, strict=True)]
        return found

    def months(self, prices: Prices) -> Iterator[MonthEstimate]:
        """Yields the estimate for each month."""
        counts = [0] * len(self.whole.months)
        for counted, size in zip(self.counted, self.crowd.sizes, strict=True):
            counts = [count + size * runs for count, runs in zip(counts, counted.by_month, strict=True)]
        costs = [costs_of(backend, units, prices) for backend, units in self.units.items()]
        for month, count, *amounts in zip(self.whole.months, counts, *costs, strict=True):
            yield MonthEstimate(month=month, invocations=count, cost=total(amounts))

    def busiest(self, wanted: int, backend: BackendName | None = None) -> list[BusyMinute]:
        """Returns the busiest minutes of a backend, or of all, with the names of jobs that run in them."""
        minutes = self.whole if backend is None else self.minutes[backend]
        return [self._busy(minutes, index, backend) for index in minutes.busiest(wanted)]

    def _busy(self, minutes: Minutes, index: int, backend: BackendName | None) -> BusyMinute:
        crowd = self.crowd
        present: list[bool] = []
        if self.names:
            present = [
                backend in (None, group.backend) and minutes.holds(index, group.schedule, counted)
                for group, counted in zip(crowd.groups, self.counted, strict=True)
            ]
        running = (name for name, number in crowd.members.items() if present[number])
        return BusyMinute(
            minute=minutes.beginning(index),
            invocations=minutes.counts[index],
            jobs=tuple(islice(running, self.names)) if self.names else (),
        )


def _count(
    crowd: _Crowd, minutes: Mapping[BackendName, Minutes], progress: Callable[[int, int], object] | None
) -> list[Counted]:
    """Counts the runs of every group."""
    found, done, told, total = list[Counted](), 0, 0, len(crowd.members)
    with reporting(progress, total) as tell:
        for group, size in zip(crowd.groups, crowd.sizes, strict=True):
            found.append(minutes[group.backend].add(group.schedule, size))
            done += size
            if 100 * (done - told) >= total or done == total:
                tell(done)
                told = done
    for each in minutes.values():
        each.lay_grids()
    return found


def _busy_text(busy: BusyMinute) -> str:
    """Returns the number of invocations of a minute, with names of jobs."""
    names = busy.names()
    return f"{busy.invocations:,}: {names}" if names else f"{busy.invocations:,}"


def _load(minutes: Minutes) -> MinuteLoad:
    """Returns the load in parts of a round length."""
    least = -(-len(minutes.counts) // _MOST_PARTS)
    length = next((each for each in _PART_LENGTHS if each >= least), -(-least // _DAY) * _DAY)
    parts = [minutes.counts[low : low + length] for low in range(0, len(minutes.counts), length)]
    return MinuteLoad(
        minutes_per_part=length,
        peaks=tuple(max(part) for part in parts),
        averages=tuple(sum(part) / len(part) for part in parts),
    )


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
