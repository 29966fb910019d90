"""Schedules of all kinds and cursors that matter to them, drawn at random from a seed.

Hypothesis is not used: each case is handed to another process, and thousands are handed over at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any, NamedTuple

import stepsched as ss
from stepsched.machines.plan import Timing, timing_of

from .oracle import Transition, transitions

UTC = timezone.utc
ZONES = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "America/Nuuk",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Dublin",
    "Europe/London",
    "Europe/Paris",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Easter",
    "Pacific/Kiritimati",
    "UTC",
)
EDGES = (
    datetime(2023, 12, 31, tzinfo=UTC),
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(2028, 2, 28, tzinfo=UTC),
    datetime(2030, 4, 30, tzinfo=UTC),
    datetime(2099, 12, 31, tzinfo=UTC),
    datetime(2100, 2, 28, tzinfo=UTC),
    datetime(2199, 12, 31, tzinfo=UTC),
)
"""Ends of months, leap days, and the turns of centuries with the year that is not leap."""
_UNITS = {"years": 4, "quarters": 3, "months": 14, "weeks": 5, "days": 40, "hours": 50, "minutes": 3000}
_UNITS |= {"seconds": 200}
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


class Case(NamedTuple):
    """A schedule and an instant after which its next run is asked for."""

    schedule: Any
    after: datetime
    """In UTC, of whole seconds."""

    @property
    def timing(self) -> Timing:
        return timing_of(self.schedule)

    @property
    def bindings(self) -> dict[str, Any]:
        return {"plan": self.timing.plan, "after": written(self.after)}


def written(run: datetime | None) -> str:
    """As the machine writes an instant."""
    return "never" if run is None else f"{run.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def cases(seed: int, count: int) -> Iterator[Case]:
    """So many cases; the same for the same seed and zone database."""
    draw = _Drawing(Random(seed))
    found = 0
    while found < count:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ss.ScheduleWarning)  # weekdays 1-5 of AWS
                case = draw.case()
        except ss.InvalidScheduleError:  # an end before its start, a range that may not wrap
            continue
        if 2021 <= case.after.year < 2300:
            found += 1
            yield case


def changes(key: str) -> tuple[Transition, ...]:
    """Those of a zone from 2021 on."""
    return tuple(change for change in transitions(key, 2060) if change.at.year > 2020)


class _Drawing:
    def __init__(self, random: Random) -> None:
        self.random = random

    def likely(self, share: float) -> bool:
        return self.random.random() < share

    def seconds(self, low: timedelta, high: timedelta) -> timedelta:
        span = [int(bound.total_seconds()) for bound in (low, high)]
        return timedelta(seconds=self.random.randint(*span))

    # -- moments --------------------------------------------------------------------------------------

    def anywhere(self) -> datetime:
        if self.likely(0.2):
            return self.random.choice(EDGES) + self.seconds(timedelta(days=-2), timedelta(days=3))
        if self.likely(0.2):
            return datetime(2021, 1, 2, tzinfo=UTC) + self.seconds(timedelta(0), timedelta(days=365 * 150))
        return datetime(2026, 1, 1, tzinfo=UTC) + self.seconds(timedelta(0), timedelta(days=365 * 6))

    def moment(self, key: str) -> datetime:
        known = changes(key)
        if not known or self.likely(0.5):
            return self.anywhere()
        around = timedelta(days=2) if self.likely(0.5) else timedelta(hours=3)
        at = self.random.choice(known).at + self.seconds(-around, around)
        return at.replace(second=0) if self.likely(0.3) else at

    # -- schedules ------------------------------------------------------------------------------------

    def case(self) -> Case:
        key = self.random.choice(ZONES)
        kinds = [self.cron, self.windowed, self.rate, self.one_time]
        (kind,) = self.random.choices(kinds, weights=[52, 38, 6, 4])
        return kind(key, self.moment(key))

    def cron(self, key: str, moment: datetime) -> Case:
        limits: dict[str, Any] = {}
        if self.likely(0.2):
            limits["start"] = moment + self.seconds(timedelta(days=-5), timedelta(days=40))
        if self.likely(0.2):
            limits["end"] = limits.get("start", moment) + self.seconds(timedelta(0), timedelta(days=400))
        if self.likely(0.15):
            return Case(ss.Cron.from_crontab(self.crontab(), timezone=key, **limits), moment)
        return Case(ss.Cron(self.expression(), timezone=key, **limits), moment)

    def expression(self) -> str:
        minutes, hours, months = self.field(0, 59), self.field(0, 23), self.field(1, 12)
        day, weekday = (self.day(), "?") if self.likely(0.5) else ("?", self.weekday())
        return f"{minutes} {hours} {day} {months} {weekday} {self.years()}"

    def day(self) -> str:
        number = self.random.randint
        marks = ["L", "LW", f"L-{number(1, 30)}", f"{number(1, 31)}W", "29", "30", "31"]
        return self.field(1, 31) if self.likely(0.5) else self.random.choice(marks)

    def weekday(self) -> str:
        number = self.random.randint
        name = self.random.choice(_WEEKDAYS)
        marks = ["L", f"{number(1, 7)}L", f"{name}L", f"{number(1, 7)}#{number(1, 5)}", f"{name}#5"]
        plain = [str(number(1, 7)), "MON-FRI", "SAT,SUN", "FRI-MON", f"{number(1, 7)}-{number(1, 7)}", "*"]
        return self.random.choice(marks if self.likely(0.5) else plain)

    def years(self) -> str:
        number = self.random.randint
        given = [str(number(2021, 2110)), f"{number(2021, 2050)}/{number(1, 9)}", "2199", "2028,2096,2104"]
        return "*" if self.likely(0.75) else self.random.choice(given)

    def field(self, low: int, high: int) -> str:
        def number() -> int:
            return self.random.randint(low, high)

        forms: list[Callable[[], str]] = [
            lambda: "*",
            lambda: "*",
            lambda: str(number()),
            lambda: str(number()),
            lambda: f"{number()}-{number()}",
            lambda: f"*/{self.random.randint(1, high // 2)}",
            lambda: f"{number()}/{self.random.randint(1, high // 2)}",
            lambda: ",".join(str(number()) for _ in range(3)),
        ]
        return self.random.choice(forms)()

    def crontab(self) -> str:
        """Mostly with both day fields, of which either suffices."""
        number = self.random.randint
        days = [str(number(1, 31)), "13,31", "*/2", "1-7", "L", "*"]
        weekdays = [str(number(0, 7)), "mon-fri", "0,6", "*/3", "5#2", "L5", "*"]
        times = ["0 9", "*/7 *", "30 2", "15 1-3", "59 23", "0 0", "* 1"]
        parts = [self.random.choice(each) for each in (times, days, ["*", "2", "3,10", "*/5"], weekdays)]
        return " ".join(parts)

    def windowed(self, key: str, moment: datetime) -> Case:
        wall = moment.replace(tzinfo=None)
        if self.likely(0.4):
            wall -= timedelta(days=self.random.randint(0, 4000))
        if self.likely(0.3):
            wall = wall.replace(day=28) + timedelta(days=self.random.randint(0, 3))
        units = self.random.sample(sorted(_UNITS), self.random.choice([1, 1, 1, 2, 3]))
        every = ss.Frequency(**{unit: self.random.randint(1, _UNITS[unit]) for unit in units})
        end = wall + timedelta(days=self.random.randint(0, 3000)) if self.likely(0.3) else None
        schedule = ss.Windowed(wall, every=every, end=end, timezone=key)
        if self.likely(0.5):  # on a run, or just beside one
            runs = schedule.upcoming(self.random.randint(1, 6), after=moment - timedelta(days=1))
            if runs:
                moment = runs[-1].astimezone(UTC) - timedelta(seconds=self.random.choice([0, 0, 1]))
        return Case(schedule, moment)

    def rate(self, key: str, moment: datetime) -> Case:
        start = moment - self.seconds(timedelta(days=-12), timedelta(days=1200))
        every = timedelta(minutes=self.random.randint(1, 5000))
        end = start + self.seconds(timedelta(0), timedelta(days=1300)) if self.likely(0.3) else None
        return Case(ss.Rate(every, start=start, end=end), moment)

    def one_time(self, key: str, moment: datetime) -> Case:
        wall = moment.replace(tzinfo=None) + timedelta(seconds=self.random.randint(-3, 3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ss.ScheduleWarning)  # where clocks skip it
            once = ss.OneTime(wall, timezone=key)
        instant = once.instant.astimezone(UTC)
        return Case(once, instant + timedelta(seconds=self.random.choice([-1, 0, 1, -86_400])))
