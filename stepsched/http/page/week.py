"""The runs of the coming seven days, by the hour, and their picture."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import groupby, islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from stepsched.core.clock import SystemClock
from stepsched.core.quoting import shortened
from stepsched.http.page.markup import Child, Markup, element
from stepsched.jobs import JobRecord
from stepsched.schedules import AnySchedule, Rate
from stepsched.schedules.zones import UTC

HOURS = 7 * 24
"""The length of the picture in hours."""
LANES = 40
"""The maximum number of jobs that have a lane each. The runs of more jobs are added up by the hour."""
_MOST_RUNS = HOURS * 60 + 1
"""The number of runs of a job from which it runs more often than every minute, and is not counted."""
_FEW_RUNS = 60
"""The number of runs up to which each has a mark of its own in a lane."""
_BUDGET = 0.25
"""The time in seconds that one picture may take to count."""
_MOST_KEPT = 50_000
"""The maximum number of schedules whose runs are kept in memory."""
_HOUR = timedelta(hours=1)
_TICK = timedelta(microseconds=1)


class Runs(NamedTuple):
    """The runs of one schedule within the week."""

    hours: Sequence[int]
    """The number of runs in each of the hours of the week."""
    instants: Sequence[datetime]
    """The instants, if they are few; empty otherwise."""
    is_frequent: bool = False
    """Whether there is more than one run a minute; ``hours`` is zero then."""


class Week(NamedTuple):
    """The runs of some jobs within seven days."""

    begin: datetime
    """The beginning: a full hour, with the zone of the picture."""
    now: datetime
    lanes: Sequence[tuple[JobRecord, Runs]]
    """The jobs that were counted, in the given order."""
    uncounted: int
    """The number of jobs for which there was no time yet."""


class WeekCounter:
    """Counts the runs of jobs. Equal schedules are counted once, and each count is kept for an hour. May be
    used by several threads, one after the other: what is kept is of one hour."""

    def __init__(self, *, budget: float = _BUDGET) -> None:
        """Creates a counter that has counted nothing.

        Args:
            budget: The time in seconds that one call may take; the next one goes on from there.
        """
        self._budget = budget
        self._clock = SystemClock()
        self._lock = threading.Lock()
        self._begin: datetime | None = None
        self._of_jobs: dict[str, tuple[JobRecord, Runs]] = {}
        self._of_schedules: dict[tuple[AnySchedule, datetime], Runs] = {}

    def count(self, records: Sequence[JobRecord], now: datetime) -> Week:
        """Returns the week that begins with the present hour, in the zone of most of the jobs.

        Args:
            records: The jobs, which have a next run.
            now: The present; aware.
        """
        zone = _zone_of_most(records)
        begin = now.astimezone(zone).replace(minute=0, second=0, microsecond=0)
        with self._lock:
            if self._begin != begin or len(self._of_schedules) > _MOST_KEPT:
                self._begin, self._of_jobs, self._of_schedules = begin, {}, {}
            until = self._clock.monotonic() + self._budget
            counted = ((record, self._runs(record, begin, until)) for record in records)
            lanes = [(record, runs) for record, runs in counted if runs is not None]
        return Week(begin, now, lanes, len(records) - len(lanes))

    def _runs(self, record: JobRecord, begin: datetime, until: float) -> Runs | None:
        """Returns the runs of a job; None if they are not known and there is no time left."""
        known = self._of_jobs.get(record.name)
        if known is not None and known[0] is record:
            return known[1]
        key = _anchored(record)
        runs = self._of_schedules.get(key)
        if runs is None and self._clock.monotonic() < until:
            runs = self._of_schedules[key] = _count(*key, begin)
        if runs is not None:
            self._of_jobs[record.name] = record, runs
        return runs


def _zone_of_most(records: Iterable[JobRecord]) -> tzinfo:
    schedules = (record.job.schedule for record in records)  # a rate runs at the same instants in any zone
    zones = Counter(each.timezone for each in schedules if not isinstance(each, Rate))
    (found,) = zones.most_common(1) or [("UTC", 0)]
    return UTC if found[0] == "UTC" else ZoneInfo(found[0])


def _anchored(record: JobRecord) -> tuple[AnySchedule, datetime]:
    """Returns the schedule and its first run, which determine the runs of the job."""
    schedule, first = record.job.schedule, record.next_run
    assert first is not None  # the others are left out
    if isinstance(schedule, Rate) and schedule.start is None:  # its grid is determined by any of its runs
        schedule = schedule.replace(start=first - schedule.every)
    return schedule, first.astimezone(UTC)


def _count(schedule: AnySchedule, first: datetime, begin: datetime) -> Runs:
    start = begin.astimezone(UTC)
    found = schedule.runs(after=first - _TICK, until=start + HOURS * _HOUR - _TICK)
    instants = list(islice(found, _MOST_RUNS + 1))
    if len(instants) > _MOST_RUNS:
        return Runs((0,) * HOURS, (), is_frequent=True)
    hours = [0] * HOURS
    for instant in instants:
        hours[max(0, (instant.astimezone(UTC) - start) // _HOUR)] += 1  # a run may be overdue
    return Runs(tuple(hours), instants if len(instants) <= _FEW_RUNS else ())


# -- the picture ---------------------------------------------------------------------------------------

_LABEL, _PLOT, _ROW, _HEAD = 210, 1_030, 24, 30
"""The widths of the names and of the seven days, and the heights of a lane and of the head, in pixels."""
_CELL, _TALL, _DAY_LABEL = 47, 28, 110
"""The width and the height of the cell of an hour, and the width of the names of days."""
_LEVELS = 4
_NARROW_FROM = 12
"""The hour of the clock from which the rest of the day is too narrow for its name."""


def picture(week: Week, address: Mapping[str, str]) -> Markup:
    """Returns the picture: a lane for each job, or the number of runs in each hour if there are many.

    Args:
        week: The runs.
        address: The addresses of the pages of jobs, by name; used only for lanes.
    """
    return _lanes(week, address) if has_lanes(week) else _cells(week)


def has_lanes(week: Week) -> bool:
    """Returns whether each job has a lane of its own."""
    return len(week.lanes) + week.uncounted <= LANES


def _svg(width: float, height: float, label: str, *children: Child) -> Markup:
    """Returns a picture that is as wide as it is, within a part that scrolls where there is less room."""
    box = f"0 0 {width:g} {height:g}"
    attributes: dict[str, str | float] = {"viewBox": box, "width": width, "height": height}
    drawn = element("svg", *children, role="group", aria_label=label, focusable="false", **attributes)
    return element("div", drawn, class_="scrolls", tabindex="0", role="region", aria_label=label)


def _lanes(week: Week, address: Mapping[str, str]) -> Markup:
    height = _HEAD + _ROW * len(week.lanes) + 6
    return _svg(
        _LABEL + _PLOT + 10,
        height,
        f"Runs of {len(week.lanes)} jobs in the coming seven days",
        (_lane(week, number, *lane, address) for number, lane in enumerate(week.lanes)),
        _days(week, height),
        element("line", class_="now", **_line(_x(week, week.now), _HEAD - 6, height)),
    )


def _line(x: float, top: float, bottom: float) -> dict[str, str]:
    return {"x1": f"{x:.1f}", "x2": f"{x:.1f}", "y1": f"{top:g}", "y2": f"{bottom:g}"}


def _x(week: Week, instant: datetime) -> float:
    return _LABEL + _PLOT * ((instant - week.begin.astimezone(UTC)) / (HOURS * _HOUR))


def _days(week: Week, height: float) -> Iterable[Markup]:
    """Yields a line at each midnight, and the name of the day that begins there; first that of today, if
    there is room."""
    day = week.begin.replace(hour=0, fold=0)
    if week.begin.hour < _NARROW_FROM:
        yield _text(_LABEL + 4, 16, f"{day:%a} {day.day} {day:%b}", "axis")
    for _ in range(8):
        day += timedelta(days=1)
        x = _x(week, day.astimezone(UTC))
        if x < _LABEL + _PLOT:
            yield element("line", class_="grid", **_line(x, _HEAD - 6, height))
            yield _text(x + 4, 16, f"{day:%a} {day.day} {day:%b}", "axis")


def _text(x: float, y: float, text: str, kind: str, **more: str) -> Markup:
    return element("text", text, x=f"{x:g}", y=f"{y:g}", class_=kind, **more)


def _lane(week: Week, number: int, record: JobRecord, runs: Runs, address: Mapping[str, str]) -> Markup:
    top = _HEAD + number * _ROW
    count = "more than one run a minute" if runs.is_frequent else _runs_text(sum(runs.hours))
    link = element(
        "a",
        element("title", f"{record.name}: {count}"),
        _text(0, top + 16, shortened(record.name, 28) if len(record.name) > 30 else record.name, "name"),
        href=address.get(record.name),
        aria_label=f"{record.name}: {count}",
    )
    stripe = element("rect", x=_LABEL, y=top + 2, width=_PLOT, height=_ROW - 4, class_="lane")
    return element("g", stripe, link, (_mark(top, *each) for each in _bars(week, runs)))


def _mark(top: float, x: float, width: float, title: str) -> Markup:
    place = {"x": f"{x:.1f}", "width": f"{width:.1f}"}
    return element(
        "rect", element("title", title), y=top + 5, height=_ROW - 10, rx="1.5", class_="run", **place
    )


def _bars(week: Week, runs: Runs) -> Iterable[tuple[float, float, str]]:
    """Yields the place, the width and the title of each mark of a lane: one for each run if they are few,
    otherwise one for each stretch of hours with runs."""
    if runs.is_frequent:
        yield _LABEL, _PLOT, "more than one run a minute"
        return
    for instant in runs.instants:
        yield _x(week, instant) - 1, 4, f"{instant:%a %Y-%m-%d %H:%M:%S %z}"
    if runs.instants:
        return
    wide = _PLOT / HOURS
    for first, last in _stretches(runs.hours):
        total = sum(runs.hours[first:last])
        yield _LABEL + first * wide, (last - first) * wide - 1, _runs_text(total)


def _stretches(hours: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Yields the beginning, inclusive, and the end, exclusive, of each row of hours with runs."""
    begin = 0
    for has_runs, those in groupby(hours, key=bool):
        end = begin + len(list(those))
        if has_runs:
            yield begin, end
        begin = end


def _cells(week: Week) -> Markup:
    totals = _hourly(week)
    most = max(totals.values(), default=1)
    dates = sorted({date for date, _ in totals})
    return _svg(
        _DAY_LABEL + 24 * _CELL,
        _HEAD + len(dates) * _TALL,
        f"Number of runs in each hour of the coming seven days, of {len(week.lanes)} jobs together",
        (_text(_DAY_LABEL + hour * _CELL + 4, 18, f"{hour:02}", "axis") for hour in range(24)),
        (
            _day(_HEAD + row * _TALL, [(hour, totals.get((date, hour))) for hour in range(24)], date, most)
            for row, date in enumerate(dates)
        ),
    )


def _hourly(week: Week) -> dict[tuple[str, int], int]:
    """Returns the number of runs by the date and the hour of the clock."""
    sums = [sum(each) for each in zip(*(runs.hours for _, runs in week.lanes), strict=True)] or [0] * HOURS
    begin, zone = week.begin.astimezone(UTC), week.begin.tzinfo
    totals = dict[tuple[str, int], int]()
    for hour in range(HOURS):
        wall = (begin + hour * _HOUR).astimezone(zone)
        key = (f"{wall:%Y-%m-%d}", wall.hour)  # the two of a fold are added up
        totals[key] = totals.get(key, 0) + sums[hour]
    return totals


def _day(top: float, hours: Sequence[tuple[int, int | None]], date: str, most: int) -> Markup:
    day = datetime.fromisoformat(date)
    name = f"{day:%a} {day.day} {day:%b}"
    return element(
        "g",
        _text(0, top + 18, name, "name"),
        (
            _cell(_DAY_LABEL + hour * _CELL, top, count, most, f"{name}, {hour:02}:00")
            for hour, count in hours
            if count is not None
        ),
    )


def _cell(x: float, top: float, count: int, most: int, title: str) -> Markup:
    level = 0 if not count else 1 + min(_LEVELS - 1, (count - 1) * _LEVELS // most)
    return element(
        "g",
        element("title", f"{title}: {_runs_text(count)}"),
        element("rect", x=x, y=top, width=_CELL - 2, height=_TALL - 2, rx=3, class_=f"hour level{level}"),
        _text(x + _CELL / 2 - 1, top + 17, _short(count), f"count on{level}") if count else None,
    )


def _short(count: int) -> str:
    if count < 10_000:
        return str(count)
    return f"{count / 1_000:.0f}k" if count < 1_000_000 else f"{count / 1_000_000:.0f}M"


def _runs_text(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"
