"""How late runs started, and which failed or did not start, over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import groupby
from math import log
from typing import NamedTuple

from stepsched.core.enums import StrEnum
from stepsched.core.instants import later_by
from stepsched.display.fitting import clean, shorten, width
from stepsched.display.svg import BAD, BUSY, GOOD, SHEET, WARN, Paint, number, sheet, text_at, tooltip
from stepsched.display.times import length_text
from stepsched.pictures.frame import (
    SMALL,
    TINY,
    band,
    box,
    counted,
    group,
    heading,
    heading_height,
    legend,
    line,
    look,
    path,
)
from stepsched.pictures.lanes import NOTHING
from stepsched.pictures.scale import TimeScale, wall_text, zone_text

_LEFT, _PLOT, _HIGH = 74.0, 840.0, 230.0
_STRIP = 26.0
"""The height of the strip of runs that did not start."""
MOST_POINTS = 1_000
"""The number of runs up to which each has a mark of its own; more are counted in small cells."""
MOST_SIGNS = 300
"""The number of runs of any other state up to which each has a sign; more are bars in a strip."""
_TITLED = 150
"""The maximum number of tooltips."""
_GRID = 6.0
"""The size of the cells in which runs are counted."""
LATE_MARKS = (
    (1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3_600, "1 h"), (21_600, "6 h"),
    (86_400, "1 d"), (604_800, "7 d"), (2_592_000, "30 d"), (31_536_000, "365 d"),
)  # fmt: skip
"""The seconds of the marks on the axis, and their texts."""


class State(StrEnum):
    """What has become of a run."""

    SUCCEEDED = "succeeded"
    RUNNING = "running"
    FAILED = "failed"
    SKIPPED = "skipped"
    MISSED = "missed"
    WAITING = "waiting"


class Point(NamedTuple):
    """A run."""

    scheduled_for: datetime
    started_at: datetime | None
    """When it started. None: it has not."""
    state: State
    name: str
    note: str = ""
    """Why it failed or did not start, for the tooltip."""

    @property
    def late(self) -> float | None:
        """The seconds from the scheduled instant to the start, at least 0. None: it has not started."""
        if self.started_at is None:
            return None
        return max((self.started_at - self.scheduled_for).total_seconds(), 0.0)


def _dot(x: float, y: float) -> str:
    return f"M{number(x)} {number(y)}h0"


def _cross(x: float, y: float) -> str:
    return f"M{number(x - 4)} {number(y - 4)}l8 8m0-8l-8 8"


def _triangle(x: float, y: float) -> str:
    return f"M{number(x - 4.5)} {number(y - 4)}h9l-4.5 8z"


def _diamond(x: float, y: float) -> str:
    return f"M{number(x)} {number(y - 5)}l5 5-5 5-5-5z"


def _ring(x: float, y: float) -> str:
    return f"M{number(x - 3.5)} {number(y)}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0"


def _arrow(x: float, y: float) -> str:
    return f"M{number(x - 3)} {number(y - 4.5)}v9l8-4.5z"


COLORS = {
    State.SUCCEEDED: GOOD, State.WAITING: BUSY, State.RUNNING: BUSY, State.SKIPPED: WARN, State.MISSED: WARN,
    State.FAILED: BAD,
}  # fmt: skip
"""The color of each state."""
_SIGNS: dict[State, tuple[Callable[[float, float], str], str]] = {
    State.SUCCEEDED: (_dot, f'stroke="{COLORS[State.SUCCEEDED]}" stroke-width="6" stroke-linecap="round"'),
    State.WAITING: (_ring, f'fill="none" stroke="{COLORS[State.WAITING]}" stroke-width="1.5"'),
    State.RUNNING: (_arrow, f'fill="{COLORS[State.RUNNING]}"'),
    State.SKIPPED: (_diamond, f'fill="none" stroke="{COLORS[State.SKIPPED]}" stroke-width="1.8"'),
    State.MISSED: (_triangle, f'fill="{COLORS[State.MISSED]}"'),
    State.FAILED: (
        _cross,
        f'fill="none" stroke="{COLORS[State.FAILED]}" stroke-width="2.4" stroke-linecap="round"',
    ),
}
"""The sign of each state, in the order in which they are drawn: the important ones come last."""


class Lateness(NamedTuple):
    """A picture of runs that started late, failed or did not start."""

    points: Sequence[Point]
    """The runs, in any order."""
    zone: tzinfo
    """The zone of the axis and the texts."""
    notes: Sequence[str] = ()
    """Lines below the title."""

    @property
    def title(self) -> str:
        """What the picture shows."""
        return f"{counted(len(self.points), 'run')}: how late they started"

    @property
    def ends(self) -> tuple[datetime, datetime]:
        """The first and the last scheduled instant; those of no run are arbitrary."""
        instants = [point.scheduled_for for point in self.points] or [datetime(2030, 1, 1, tzinfo=self.zone)]
        return min(instants), max(instants)

    @property
    def axis(self) -> tuple[datetime, datetime]:
        """The ends of the axis of time, a little around all runs."""
        first, last = self.ends
        around = max((last - first) / 40, timedelta(seconds=30))
        return later_by(first, -around), later_by(last, around)

    def to_svg(self, paint: Paint = SHEET) -> str:
        """Returns the picture in given colors."""
        return _Sketch(self, paint).drawn()


class _Sketch:
    """The positions of a picture."""

    def __init__(self, shown: Lateness, paint: Paint) -> None:
        self.shown, self.points, self.paint = shown, shown.points, paint
        points = shown.points
        self.ends = shown.ends
        self.scale = TimeScale(*shown.axis, shown.zone, _LEFT, _PLOT)
        latest = max((point.late or 0.0 for point in points), default=0.0)
        self.highest = next((at for at, _ in LATE_MARKS[2:] if at >= latest), max(latest, 60.0))
        counts = Counter(point.state for point in points)
        self.counts = counts
        self.strips = [
            each for each in reversed(_SIGNS) if each is not State.SUCCEEDED and counts[each] > MOST_SIGNS
        ]
        """The states whose runs are counted in a strip of their own."""
        self.marked = [point for point in points if point.state not in self.strips]
        self.has_rest = any(point.late is None for point in self.marked)
        """Whether there is a strip of runs that did not start."""
        self.wide = _LEFT + _PLOT + 8
        self.base = 0.0

    def y(self, late: float) -> float:
        """Returns the height of a lateness: logarithmic, from one second."""
        return self.base - 12 - (_HIGH - 24) * log(max(late, 1.0)) / log(self.highest)

    def at(self, point: Point) -> tuple[float, float]:
        """Returns the position of a run; one that has not started is in the strip below."""
        late = point.late
        y = self.base + _STRIP / 2 + 2 if late is None else self.y(late)
        return self.scale.x(point.scheduled_for), y

    def drawn(self) -> str:
        shown, zone = self.shown, self.scale.zone
        said = [f"{self.counts[state]:,} {state}" for state in State if self.counts[state]]
        first, last = (wall_text(each, zone)[:-7] for each in self.ends)
        lines = [
            f"{first} to {last}, {zone_text(zone, *self.ends)}" if self.points else NOTHING,
            *shown.notes,
        ]
        top = heading_height(lines) + 10
        self.base = top + _HIGH
        bottom = self.base + (_STRIP + 4) * (len(self.strips) + self.has_rest)
        parts = [
            *heading(shown.title, lines, self.wide, self.paint),
            *self._axes(top, bottom),
            *self._marks(),
            *(part for place, state in enumerate(self.strips) for part in self._strip(place, state)),
            *legend(self._legend(), _LEFT, bottom + 30, _PLOT, self.paint),
        ]
        description = ", ".join([shown.title, *said, lines[0]])
        return sheet(self.wide, bottom + 44, description, parts, paint=self.paint)

    def _axes(self, top: float, bottom: float) -> Iterator[str]:
        soft = self.paint.soft
        for late, text in LATE_MARKS:
            if late <= self.highest:
                y = self.y(late)
                yield line(_LEFT, y, _LEFT + _PLOT, y, self.paint.line)
                label = "≤ 1 s late" if late == 1 else text
                yield text_at(_LEFT - 8, y + 3.5, label, look(TINY + 1, soft, anchor="end"))
        names = [*(["not started"] if self.has_rest else []), *map(str, self.strips)]
        for place, name in enumerate(names):
            y = self.base + (_STRIP + 4) * place + 2
            yield band(_LEFT, y, _PLOT, _STRIP, self.paint)
            yield text_at(_LEFT - 8, y + _STRIP / 2 + 3.5, name, look(TINY + 1, soft, anchor="end"))
        free = 0.0
        for at, text in self.scale.ticks():
            x, half = self.scale.x(at), width(text, SMALL) / 2
            yield line(x, top, x, bottom + 4, self.paint.line)
            if x - half >= free:
                yield text_at(x, bottom + 17, text, look(SMALL, soft, anchor="middle"))
                free = x + half + 6

    def _marks(self) -> Iterator[str]:
        """Yields the runs by their state, those that need attention in front."""
        order = list(_SIGNS)
        ranked = sorted(self.marked, key=lambda point: order.index(point.state))
        # Tooltips are for the runs that need attention, then for the latest ones.
        urgent = sorted(self.marked, key=lambda point: (-order.index(point.state), -(point.late or 0.0)))
        titled = {id(point) for point in urgent[:_TITLED]}
        for state, found in groupby(ranked, key=lambda point: point.state):
            of_state = list(found)
            sign, attributes = _SIGNS[state]
            if len(of_state) > MOST_POINTS:
                yield from self._cells(of_state)
                continue
            plain = "".join(sign(*self.at(point)) for point in of_state if id(point) not in titled)
            named = [
                path(sign(*self.at(point)), self._title(point)) for point in of_state if id(point) in titled
            ]
            yield group([path(plain) if plain else "", *named], attributes)

    def _cells(self, points: Sequence[Point]) -> Iterator[str]:
        """Yields many runs as dots whose area grows with the number of runs at their place."""
        counts = Counter[tuple[int, int]]()
        for point in points:
            x, y = self.at(point)
            counts[int(y / _GRID), int(x / _GRID)] += 1
        most = max(counts.values())
        sizes: dict[int, list[str]] = {}
        last: dict[int, tuple[int, int]] = {}
        for (row, column), count in sorted(counts.items()):
            size = round(2 + (_GRID - 1) * (count / most) ** 0.5)
            before = last.get(size, (-1, 0))
            step = (
                f"m{(column - before[1]) * _GRID:g} 0h0"
                if before[0] == row
                else _dot((column + 0.5) * _GRID, (row + 0.5) * _GRID)
            )
            sizes.setdefault(size, []).append(step)
            last[size] = (row, column)
        hint = tooltip(f"{len(points):,} succeeded; at most {most:,} in one place")
        dots = [
            path("".join(drawn), attributes=f'stroke-width="{size}"') for size, drawn in sorted(sizes.items())
        ]
        yield group([hint, *dots], f'stroke="{GOOD}" stroke-linecap="round"')

    def _strip(self, place: int, state: State) -> Iterator[str]:
        """Yields the runs of a state as bars over time."""
        counts = Counter(
            int((self.scale.x(point.scheduled_for) - _LEFT) / _GRID)
            for point in self.points
            if point.state is state
        )
        most = max(counts.values())
        bottom = self.base + (_STRIP + 4) * (place + self.has_rest) + 2 + _STRIP
        bars = "".join(
            box(_LEFT + column * _GRID + 0.5, bottom - high, _GRID - 1, high)
            for column, count in sorted(counts.items())
            for high in [max((_STRIP - 4) * count / most, 1.5)]
        )
        yield path(
            bars, f"{sum(counts.values()):,} {state}; at most {most:,} in one bar", f'fill="{COLORS[state]}"'
        )

    def _title(self, point: Point) -> str:
        late = point.late
        lines = [f"{shorten(clean(point.name), 60)}, {wall_text(point.scheduled_for, self.scale.zone)}"]
        said = "" if late is None else f", started {length_text(timedelta(seconds=late))} late"
        lines.append(f"{point.state}{said}")
        return "\n".join([*lines, *([shorten(clean(point.note), 80)] if point.note else [])])

    def _legend(self) -> Iterator[tuple[str, str]]:
        for state, (sign, attributes) in reversed(_SIGNS.items()):
            if self.counts[state]:
                text = f"{self.counts[state]:,} {state}"
                text += (
                    ", larger dots for more" if not self.strips and self.counts[state] > MOST_POINTS else ""
                )
                bars = f'fill="{COLORS[state]}"'
                drawn = path(box(1, 1, 3, 9) + box(6, 4, 3, 6), attributes=bars)
                yield drawn if state in self.strips else path(sign(5, 5), attributes=attributes), text
