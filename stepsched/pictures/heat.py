"""The runs of many jobs over some days: how many there are in each hour of each day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, tzinfo
from typing import NamedTuple

from stepsched.display.svg import BUSY, SHEET, WARN, Paint, number, sheet, text_at, tooltip
from stepsched.pictures.frame import (
    SMALL,
    TINY,
    box,
    counted,
    group,
    heading,
    heading_height,
    legend,
    legend_height,
    line,
    look,
    path,
    texts,
)
from stepsched.pictures.lanes import NOTHING
from stepsched.pictures.scale import (
    Change,
    brief,
    changes,
    day_text,
    days,
    level_of,
    levels,
    range_text,
    wall_text,
    zone_text,
)

MOST_DAYS = 35
"""The number of days up to which hours are readable."""
_LEFT, _CELL, _TOTAL, _PROFILE = 84.0, 32.0, 60.0, 52.0
_DEPTHS = (0.1, 0.2, 0.3, 0.4, 0.5)
"""The opacities of the cells. The number and the bar in a cell say the same."""
_TITLED = 200
"""The number of cells up to which each has a tooltip."""
_LABELLED = 3
"""The number of the busiest hours that are named."""


class Hour(NamedTuple):
    """The runs of an hour."""

    runs: int
    busiest: int
    """The largest number of runs in one of its minutes."""


Hours = Mapping[tuple[date, int], Hour]
"""The hours with runs, by day and hour of the wall clock; an hour that occurs twice is one."""


class Heat(NamedTuple):
    """A picture of the runs of many jobs in each hour."""

    hours: Hours
    """The runs."""
    jobs: int
    """The number of jobs."""
    since: datetime
    """The first instant."""
    until: datetime
    """The last instant, inclusive; at most about 35 days later."""
    zone: tzinfo
    """The zone of days, hours and texts."""
    notes: Sequence[str] = ()
    """Lines below the title, such as what is left out."""

    @property
    def title(self) -> str:
        """What the picture shows."""
        runs = sum(hour.runs for hour in self.hours.values())
        return f"{counted(runs, 'run')} of {counted(self.jobs, 'job')}: runs in each hour"

    def to_svg(self, paint: Paint = SHEET) -> str:
        """Returns the picture in given colors."""
        return _Sketch(self, paint).drawn()


class _Sketch:
    """The positions of a picture."""

    def __init__(self, shown: Heat, paint: Paint) -> None:
        self.shown, self.hours, self.zone, self.paint = shown, shown.hours, shown.zone, paint
        self.days = days(shown.since, shown.until, shown.zone)
        self.rows = {day.date: place for place, day in enumerate(self.days)}
        self.ranges = levels([hour.runs for hour in shown.hours.values()], len(_DEPTHS))
        self.row = 26 if len(self.days) <= 14 else 18
        self.wide = _LEFT + 24 * _CELL + _TOTAL
        self.top = 0.0
        ordered = sorted(shown.hours, key=lambda at: (-shown.hours[at].runs, at))
        self.busiest = ordered[:_LABELLED] if len(ordered) > _LABELLED else ordered[:1]

    def drawn(self) -> str:
        shown, ends = self.shown, (self.shown.since, self.shown.until)
        first, last = (wall_text(each, self.zone)[:-7] for each in ends)
        lines = [f"{first} to {last}, {zone_text(self.zone, *ends)}", *shown.notes, *self._named()]
        self.top = heading_height(lines) + 20
        bottom = self.top + self.row * len(self.days)
        wide = self.wide - _LEFT
        below = legend_height(self._legend(), wide) + 18
        parts = [
            *heading(shown.title, lines, self.wide, self.paint),
            *self._heads(bottom),
            *self._cells(),
            *self._marked(),
            *self._profile(bottom),
            *legend(self._legend(), _LEFT, bottom + _PROFILE + 20, wide, self.paint),
        ]
        if not self.hours:
            parts.append(text_at(_LEFT + 8, self.top + 17, NOTHING, look(SMALL, self.paint.soft)))
        return sheet(
            self.wide, bottom + _PROFILE + below, f"{shown.title}, {lines[0]}", parts, paint=self.paint
        )

    def _named(self) -> list[str]:
        """Returns what is said of the busiest hours."""
        if not self.busiest:
            return []
        names = [
            f"{day_text(day)} {hour:02}:00, {self.hours[day, hour].runs:,}" for day, hour in self.busiest
        ]
        peak = max(hour.busiest for hour in self.hours.values())
        return [f"Busiest hours (framed): {' · '.join(names)}. Busiest minute: {counted(peak, 'run')}."]

    def _at(self, day: date, hour: int) -> tuple[float, float]:
        return _LEFT + _CELL * hour, self.top + self.row * self.rows[day]

    def _heads(self, bottom: float) -> Iterator[str]:
        """Yields the names of days and hours, clock changes, and the lines of the grid."""
        soft, middle = self.paint.soft, look(TINY, self.paint.soft, anchor="middle")
        heads = ((_LEFT + _CELL * (hour + 0.5), self.top - 7, f"{hour:02}") for hour in range(24))
        yield texts(heads, middle)
        yield text_at(self.wide, self.top - 7, "all day", look(TINY, soft, anchor="end"))
        totals = dict.fromkeys(self.rows, 0)
        for (day, _), hour in self.hours.items():
            totals[day] += hour.runs
        weekdays = [
            (0.0, self._base(day.date), day_text(day.date)) for day in self.days if not day.is_weekend
        ]
        weekends = [(0.0, self._base(day.date), day_text(day.date)) for day in self.days if day.is_weekend]
        yield texts(weekdays, look(SMALL, self.paint.ink))
        yield texts(weekends, look(SMALL, self.paint.ink) + ' font-style="italic"')
        sums = [(self.wide, self._base(day), f"{count:,}") for day, count in totals.items() if count]
        yield texts(sums, look(SMALL, soft, anchor="end"))
        yield from map(self._change, changes(self.days, self.zone))
        yield group(self._grid(bottom), f'stroke="{self.paint.line}"')

    def _base(self, day: date) -> float:
        return self.top + self.row * self.rows[day] + self.row / 2 + 4

    def _change(self, change: Change) -> str:
        x, y = self._at(change.day, change.at.hour)
        mark = path(f"M{x:g} {y:g}h7l-7 7z", attributes=f'fill="{WARN}"')
        sign = path(f"M{_LEFT - 9:g} {y + 5:g}h7l-7 7z", attributes=f'fill="{WARN}"')
        return f"<g>{tooltip(f'{change.text} at {wall_text(change.at, self.zone)}')}{sign}{mark}</g>"

    def _grid(self, bottom: float) -> Iterator[str]:
        right = _LEFT + 24 * _CELL
        across = "".join(
            f"M{_LEFT:g} {self.top + self.row * n:g}H{right:g}" for n in range(len(self.days) + 1)
        )
        down = "".join(f"M{_LEFT + _CELL * n:g} {self.top:g}V{bottom:g}" for n in range(0, 25, 6))
        yield path(across + down, attributes='fill="none"')

    def _cells(self) -> Iterator[str]:
        """Yields the cells by their level, the bars in them, and their numbers."""
        found = sorted(self.hours)
        most = max((hour.runs for hour in self.hours.values()), default=1)
        by_level: list[list[str]] = [[] for _ in self.ranges]
        bars = list[str]()
        is_titled = len(found) <= _TITLED
        for day, hour in found:
            runs, busiest = self.hours[day, hour]
            x, y = self._at(day, hour)
            drawn = _dash(x + 0.5, y + self.row / 2, _CELL - 1)
            title = f"{day_text(day)} {hour:02}:00: {counted(runs, 'run')}, at most {busiest:,} in one minute"
            by_level[level_of(runs, self.ranges)].append(path(drawn, title) if is_titled else drawn)
            bars.append(_dash(x + 0.5, y + self.row - 1.5, max((_CELL - 1) * runs / most, 1)))
        for cells, depth in zip(by_level, self._depths(), strict=True):
            drawn = "".join(cells) if is_titled else path("".join(cells))
            look_of_cell = f'stroke="{BUSY}" stroke-opacity="{depth}" stroke-width="{self.row - 1}"'
            yield group([drawn], look_of_cell) if cells else ""
        yield path("".join(bars), attributes=f'stroke="{BUSY}" stroke-width="2.5"') if bars else ""
        yield group(
            self._numbers(), look(TINY + 1, self.paint.ink, anchor="middle") + ' pointer-events="none"'
        )

    def _numbers(self) -> Iterator[str]:
        for day in self.days:
            found = [(hour, self.hours.get((day.date, hour))) for hour in range(24)]
            shown = [
                f'<tspan x="{number(_LEFT + _CELL * (hour + 0.5))}">{brief(cell.runs)}</tspan>'
                for hour, cell in found
                if cell is not None
            ]
            yield f'<text y="{self._base(day.date) - 1:g}">{"".join(shown)}</text>' if shown else ""

    def _depths(self) -> Sequence[float]:
        """Returns the opacity of each level: of few levels the middle ones."""
        chosen = {1: (2,), 2: (1, 3), 3: (0, 2, 4), 4: (0, 1, 3, 4)}.get(len(self.ranges), range(5))
        return [_DEPTHS[number] for number in chosen][: len(self.ranges)]

    def _marked(self) -> Iterator[str]:
        for day, hour in self.busiest:
            x, y = self._at(day, hour)
            yield path(
                box(x, y, _CELL, self.row),
                attributes=f'fill="none" stroke="{self.paint.ink}" stroke-width="2"',
            )

    def _profile(self, bottom: float) -> Iterator[str]:
        """Yields the sums of the hours over all days, as bars."""
        totals = [0] * 24
        for (_, hour), cell in self.hours.items():
            totals[hour] += cell.runs
        most, base = max(totals) or 1, bottom + _PROFILE
        yield text_at(0, base, "all days", look(SMALL, self.paint.soft))
        bars = list[str]()
        for hour, count in enumerate(totals):
            if count:
                high = max((_PROFILE - 20) * count / most, 1)
                x = _LEFT + _CELL * hour + 4
                bars.append(
                    path(box(x, base - high, _CELL - 8, high), f"{hour:02}:00: {counted(count, 'run')}")
                )
        yield group(bars, f'fill="{BUSY}"')
        labels = [
            (_LEFT + _CELL * (hour + 0.5), base - max((_PROFILE - 20) * count / most, 1) - 3, brief(count))
            for hour, count in enumerate(totals)
            if count
        ]
        yield texts(labels, look(TINY, self.paint.soft, anchor="middle"))
        yield line(_LEFT, base, _LEFT + 24 * _CELL, base, self.paint.line)

    def _legend(self) -> Iterator[tuple[str, str]]:
        for (low, high), depth in zip(self.ranges, self._depths(), strict=True):
            cell = path(box(0, 0, 10, 10), attributes=f'fill="{BUSY}" fill-opacity="{depth}"')
            edge = path(box(0, 0, 10, 10), attributes=f'fill="none" stroke="{BUSY}"')
            yield cell + edge, f"{range_text(low, high)} an hour"
        if changes(self.days, self.zone):
            yield path("M1 1h9l-9 9z", attributes=f'fill="{WARN}"'), "clock change"


def _dash(x: float, y: float, length: float) -> str:
    """Returns the path of a horizontal line: wide ones are rectangles in little space."""
    return f"M{number(x)} {number(y)}h{number(length)}"
