"""The upcoming runs of many jobs as a picture: lanes for few jobs, hours or days for many."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from itertools import islice
from typing import NamedTuple

from stepsched.core.instants import in_zone, later_by
from stepsched.jobs.records import JobRecord, runs_of, schedule_of
from stepsched.pictures.frame import counted
from stepsched.pictures.heat import MOST_DAYS, Heat, Hour
from stepsched.pictures.lanes import MOST_LANES, Lane, Lanes
from stepsched.pictures.months import MOST_MONTHS, DayRuns, Months, month_begins
from stepsched.pictures.scale import day_end, days, zone_text
from stepsched.schedules import Schedule
from stepsched.schedules.minutes import LONGEST, Minutes, constant_step
from stepsched.schedules.moments import just_after, just_before

Agenda = Lanes | Heat | Months
MOST = 1_000_000
"""About the maximum number of runs of distinct schedules that are counted, in a second or two."""
MOST_AT_ONCE = 20_000
"""The same for a picture that nobody has asked for, above a table."""
_READ = 10
"""How much longer it takes to compute a run with its job than to count it."""
_SAMPLE = 50
"""The number of runs by which the pace of a schedule is measured."""
_DENSE = 360
"""The number of runs of a job from which not every one has a mark."""
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


class Asked(NamedTuple):
    """Which runs are shown."""

    records: Sequence[JobRecord]
    after: datetime
    until: datetime | None
    zone: tzinfo
    most: int = MOST
    """About the maximum number of runs that are counted."""


def agenda_of_runs(asked: Asked, found: Iterator[tuple[datetime, JobRecord]]) -> Agenda:
    """Returns the picture of runs in order. If there are too many, it shows the first ones, and says so.

    Args:
        asked: The jobs and the beginning of the span.
        found: The runs with their jobs.
    """
    read = list(islice(found, asked.most // _READ + 1))
    runs = read[: asked.most // _READ]
    is_few = len({id(record) for _, record in runs}) <= MOST_LANES
    if not is_few:
        runs = runs[: bisect_right(runs, _months_end(asked), key=lambda run: run[0])]
    notes = [f"Only the first {counted(len(runs), 'run')} are shown."] if len(runs) < len(read) else []
    until = runs[-1][0] if runs else (asked.until or asked.after)
    by_job = defaultdict[int, list[datetime]](list)
    for at, record in runs:
        by_job[id(record)].append(at)
    if is_few:
        marks = {id(each): by_job.get(id(each), []) for each in asked.records}
        return _lanes(asked, until, marks, {key: len(each) for key, each in marks.items()}, notes)
    table = Minutes(just_after(asked.after), until)
    for at, _ in runs:
        table.counts[table.index_of(at)] += 1
    return _many(asked, table, len(by_job), notes)


def agenda_until(asked: Asked, until: datetime) -> Agenda:
    """Returns the picture of all runs up to an instant. If there are too many, it shows the first days, and
    says so.

    Args:
        asked: The jobs and the beginning of the span.
        until: The end of the span, inclusive.
    """
    running = [each for each in asked.records if each.next_run is not None and each.next_run <= until]
    span = until - asked.after
    is_few = len(running) <= MOST_LANES
    last = min(until, later_by(asked.after, LONGEST) if is_few else _months_end(asked))
    last = min(last, _affordable(running, asked.after, last, asked.most))
    notes = [] if last == until else [_cut_note(last - asked.after, span)]
    table = Minutes(just_after(asked.after), last)
    if not is_few:
        running = [each for each in running if each.next_run is not None and each.next_run <= last]
        _count(running, asked.after, table)
        return _many(asked, table, len(running), notes)
    marks, totals = dict[int, list[datetime]](), dict[int, int]()
    for record in asked.records:
        marks[id(record)], totals[id(record)] = _marks(record, asked.after, last, table)
    return _lanes(asked, last, marks, totals, notes)


def _cut_note(shown: timedelta, asked: timedelta) -> str:
    return f"Only the first {counted(max(shown // _DAY, 1), 'day')} of {asked // _DAY:,} are shown."


def _idle_note(jobs: int) -> str:
    """Says how many jobs the picture leaves out; of those some may run when the last ones run."""
    return f"{counted(jobs, 'job has', 'jobs have')} none of these runs."


def _months_end(asked: Asked) -> datetime:
    """Returns the end of the last month that a calendar can show."""
    first = in_zone(asked.after, asked.zone)
    last = date(first.year + 1, first.month, 1) - _DAY if first.year < date.max.year else date.max
    return just_before(day_end(last, asked.zone))


def _affordable(records: Sequence[JobRecord], after: datetime, until: datetime, most: int) -> datetime:
    """Returns the end of the span in which the runs can be counted."""
    pace = 0.0
    for schedule in {schedule_of(record) for record in records}:
        if constant_step(schedule) is None:  # others are counted without reading their runs
            runs = list(islice(schedule.runs(after=after, until=until), _SAMPLE))
            if len(runs) == _SAMPLE:
                pace += _SAMPLE / max((runs[-1] - runs[0]) / _DAY, 1e-3)
            elif len(runs) > 1:
                pace += len(runs) / max((until - after) / _DAY, 1e-3)
    length = max(most / pace, 1.0) if pace else LONGEST / _DAY
    return after + timedelta(days=min(length, LONGEST / _DAY)) if length < (until - after) / _DAY else until


def _count(records: Sequence[JobRecord], after: datetime, table: Minutes) -> None:
    """Counts the runs of jobs; those of equal schedules once."""
    sizes = Counter[Schedule]()
    for record in records:
        schedule = schedule_of(record)
        if _runs_from(record, schedule, after):
            sizes[schedule] += 1
        else:
            for at in runs_of(record, after=after, until=table.until):
                table.counts[table.index_of(at)] += 1
    for schedule, size in sizes.items():
        table.add(schedule, size)
    table.lay_grids()


def _runs_from(record: JobRecord, schedule: Schedule, after: datetime) -> bool:
    """Returns whether a job has all runs of its schedule after an instant. One whose next run the backend has
    put off has not."""
    first = record.next_run
    return first is not None and (first <= after or schedule.next_run(after=after) == first)


def _marks(record: JobRecord, after: datetime, until: datetime, table: Minutes) -> tuple[list[datetime], int]:
    """Returns instants of runs of a job that are enough to draw, and their number."""
    first = list(islice(runs_of(record, after=after, until=until), _DENSE + 1))
    if len(first) <= _DENSE:
        return first, len(first)
    schedule = schedule_of(record)
    total = (table if _runs_from(record, schedule, after) else Minutes(first[0], until)).add(schedule, 1).runs
    step = (until - first[0]) / _DENSE
    found, at = [first[0]], schedule.next_run(after=first[0] + step)
    while at is not None and at <= until:
        found.append(at)
        at = schedule.next_run(after=later_by(at, step))
    end = schedule.previous_run(before=just_after(until))
    return [*found, *([end] if end is not None and end > found[-1] else [])], total


def _lanes(
    asked: Asked,
    until: datetime,
    marks: Mapping[int, Sequence[datetime]],
    totals: Mapping[int, int],
    notes: Sequence[str],
) -> Lanes:
    """Returns lanes for all jobs, or for those with runs, if all are too many."""
    shown = asked.records
    idle = [each for each in shown if not totals[id(each)]]
    more = list(notes)
    if len(shown) > MOST_LANES and idle:
        shown = [each for each in shown if totals[id(each)]]
        more.append(_idle_note(len(idle)))
    lanes = [
        Lane(each.name, each.job.schedule.describe(), marks[id(each)], totals[id(each)]) for each in shown
    ]
    return Lanes(lanes, asked.after, until, asked.zone, now=asked.after, notes=more)


def _many(asked: Asked, table: Minutes, jobs: int, notes: Sequence[str]) -> Heat | Months:
    """Returns the hours of some days, or the days of some months."""
    found = days(asked.after, table.until, asked.zone)
    idle = len(asked.records) - jobs
    more = [*notes, *([_idle_note(idle)] if idle else [])]
    if len(found) <= MOST_DAYS:
        hours = dict(_hours(table, asked))
        return Heat(hours, jobs, asked.after, table.until, asked.zone, notes=more)
    by_day = dict[date, DayRuns]()
    for day in found:
        runs = sum(table.counts[table.index_of(day.begin) : table.index_of(day.end)])
        if runs:
            by_day[day.date] = DayRuns(runs)
    months = month_begins(found[0].date, found[-1].date)[:MOST_MONTHS]
    more = [zone_text(asked.zone, asked.after, table.until), *more]
    return Months(by_day, months, asked.zone, f"Runs of {counted(jobs, 'job')}", found[0].date, more)


def _hours(table: Minutes, asked: Asked) -> Iterator[tuple[tuple[date, int], Hour]]:
    """Yields the hours with runs by the wall clock. An hour that occurs twice is one."""
    found: dict[tuple[date, int], Hour] = {}
    at = table.origin
    while at < table.until:
        wall = in_zone(at, asked.zone)
        following = later_by(at, _HOUR - timedelta(minutes=wall.minute, seconds=wall.second))
        part = table.counts[table.index_of(at) : table.index_of(following)]
        runs = sum(part)
        if runs:
            before = found.get((wall.date(), wall.hour), Hour(0, 0))
            found[wall.date(), wall.hour] = Hour(before.runs + runs, max(before.busiest, *part))
        at = following
    yield from found.items()
