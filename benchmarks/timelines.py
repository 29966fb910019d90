"""The cost of many schedules as one stream."""

from __future__ import annotations

import heapq
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

from cases import UTC
from croniter import croniter
from measuring import Section, Target, duration, progress, table

from stepsched import Cron, timeline

_SCHEDULES = 5_000
_TIMELINE_ZONES = ("UTC", "America/New_York", "Europe/Paris", "Asia/Tokyo", "Australia/Sydney")


def timelines(runs_wanted: int) -> Section:
    """Five thousand daily crons in five zones, merged."""
    after = datetime(2026, 1, 1, tzinfo=UTC)
    plans = [
        (number // 5 % 60, number // 300 % 24, _TIMELINE_ZONES[number % 5]) for number in range(_SCHEDULES)
    ]
    schedules = [Cron(f"{m} {h} * * ? *", timezone=zone) for m, h, zone in plans]
    infos = {name: ZoneInfo(name) for name in _TIMELINE_ZONES}

    def ours() -> Iterator[object]:
        return timeline(schedules, after=after)

    def with_croniter() -> Iterator[object]:
        # In UTC, because datetimes of one ZoneInfo are compared by their wall time.
        def stream(minute: int, hour: int, zone: str) -> Iterator[datetime]:
            reader = croniter(f"{minute} {hour} * * *", after.astimezone(infos[zone]))
            return (run.astimezone(UTC) for run in reader.all_next(datetime))

        return heapq.merge(*(stream(*plan) for plan in plans))

    rows, flat, met = [], "", False
    for name, build in (("stepsched", ours), ("`heapq.merge` over croniter", with_croniter)):
        progress(f"timeline: {name}")
        first, each = _drain(build, runs_wanted if name == "stepsched" else 2 * _SCHEDULES)
        peaks = [_memory(build, 2 * _SCHEDULES)]
        if name == "stepsched":
            peaks.append(_memory(build, runs_wanted))
            flat, met = f"{peaks[0]:.1f} MB, {peaks[1]:.1f} MB", peaks[1] < 1.05 * peaks[0]
        cells = [f"{peak:.1f} MB" for peak in peaks] + ["-"] * (2 - len(peaks))
        rows.append([name, duration(first / _SCHEDULES), duration(each), *cells])
    head = [
        f"{_SCHEDULES:,} schedules",
        "until the first run, a schedule",
        "each further run",
        f"peak of memory after {2 * _SCHEDULES:,} runs",
        f"after {runs_wanted:,}",
    ]
    target = Target("a timeline's memory stays flat", flat, met)
    return Section("Many schedules as one stream: `timeline()`", table(head, rows), [target])


def _drain(build: Callable[[], Iterator[object]], count: int) -> tuple[float, float]:
    """Seconds until the first run, and for each further one; the better of two."""
    firsts, eaches = [], []
    for _ in range(2):
        begun = time.process_time()
        stream = build()
        next(stream)
        first = time.process_time()
        for _run in islice(stream, count):
            pass
        eaches.append((time.process_time() - first) / count)
        firsts.append(first - begun)
    return min(firsts), min(eaches)


def _memory(build: Callable[[], Iterator[object]], count: int) -> float:
    tracemalloc.start()
    try:
        for _run in islice(build(), count):
            pass
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
