"""The next run of a calendar schedule, by how far its start lies back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from cases import ZONES
from dateutil.relativedelta import relativedelta
from dateutil.rrule import DAILY, MINUTELY, MONTHLY, rrule
from measuring import Effort, Section, calls_of, duration, measure, peer_cells, progress, table

from stepsched import Frequency, Windowed


class Step(NamedTuple):
    """A calendar schedule in every peer's words."""

    name: str
    zone_name: str
    every: Frequency
    rule: dict[str, Any]
    delta: relativedelta


_STEPS = (
    Step("monthly", "UTC", Frequency(months=1), {"freq": MONTHLY}, relativedelta(months=1)),
    Step(
        "monthly",
        "America/New_York",
        Frequency(months=1),
        {"freq": MONTHLY},
        relativedelta(months=1),
    ),
    Step("daily", "America/New_York", Frequency(days=1), {"freq": DAILY}, relativedelta(days=1)),
    Step(
        "every 15 minutes",
        "UTC",
        Frequency(minutes=15),
        {"freq": MINUTELY, "interval": 15},
        relativedelta(minutes=15),
    ),
)


def calendar_steps(effort: Effort, years_back: int) -> Section:
    """The next run of a calendar schedule, by how far its start lies back."""
    rows = []
    for step in _STEPS:
        right: datetime | None = None
        wrong: dict[str, object] = {}
        zone = ZONES[step.zone_name]
        asked = [datetime(2026, 6, 1, 12, 7, tzinfo=zone) + timedelta(hours=hours) for hours in range(50)]
        yesterday = datetime(2026, 5, 31, 9, tzinfo=zone)
        long_ago = yesterday.replace(year=yesterday.year - years_back)
        for since, start in (("yesterday", yesterday), (f"{years_back} years ago", long_ago)):
            name = f"{step.name}, {step.zone_name}, since {since}"
            progress(f"Windowed.next_run(): {name}")
            calls = _walks(step, start)
            # A walk over more than a million steps is asked once.
            few = asked[:1] if step.every.minutes and start is long_ago else asked
            contenders = {
                peer: calls_of(call, asked if peer == "stepsched" else few) for peer, call in calls.items()
            }
            timings = measure(contenders, effort)
            if right is None:  # both starts lie on one grid, so they have one answer
                right = calls["relativedelta"](asked[0])
                wrong = {"rrule": calls["rrule"](asked[0]) != right}
            assert calls["stepsched"](asked[0]) == right, name
            cells = peer_cells(timings, ("rrule", "relativedelta"), wrong)
            rows.append([name, duration(timings["stepsched"].best), *cells])
    head = ["the start", "stepsched", "`rrule.after`", "`start + k × relativedelta` in a loop"]
    note = "\n\n† RFC 5545 leaves out the months that lack the 31st: 31 July instead of 30 June."
    return Section("A calendar step: `Windowed.next_run()`", table(head, rows) + note, [])


def _walks(step: Step, start: datetime) -> dict[str, Callable[[datetime], datetime | None]]:
    ours = Windowed(start, every=step.every, timezone=step.zone_name)
    rule = rrule(**step.rule, dtstart=start)

    def with_relativedelta(after: datetime) -> datetime:
        number, run = 0, start
        while run <= after:
            number += 1
            run = start + number * step.delta
        return run

    return {
        "stepsched": ours.next_run,
        "rrule": rule.after,
        "relativedelta": with_relativedelta,
    }
