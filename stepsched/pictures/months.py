"""The runs of some months as a calendar: a block for each month, with the days that have runs filled."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, tzinfo
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
    look,
    path,
    texts,
)
from stepsched.pictures.scale import (
    MONTHS,
    Change,
    Day,
    brief,
    changes,
    day_of,
    day_text,
    level_of,
    levels,
    range_text,
    wall_text,
)

MOST_MONTHS = 12
"""The maximum number of months in a picture."""
_COLUMNS = 4
_CELL, _ROW, _TOP, _GAP = 28.0, 24.0, 38.0, 26.0
_HEADS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_DEPTHS = (0.12, 0.25, 0.38, 0.5)
"""The opacities of days. The number of runs stands in the day, if it differs between days."""


class DayRuns(NamedTuple):
    """The runs of a day."""

    runs: int
    times: str = ""
    """When they are, for the tooltip, such as ``09:00, 18:00``."""


class Months(NamedTuple):
    """A picture of the days with runs of some months."""

    runs: Mapping[date, DayRuns]
    """The days with runs."""
    months: Sequence[date]
    """The first days of the months, 1 to 12, in order."""
    zone: tzinfo
    """The zone of the days."""
    title: str
    """What runs. The number of runs is added."""
    today: date | None = None
    """The present day, which has a frame. None: no frame."""
    notes: Sequence[str] = ()
    """Lines below the title, such as the zone."""

    @property
    def span(self) -> str:
        """The months in words, such as ``2030`` or ``Jan 2030 to Mar 2030``."""
        first, last = self.months[0], self.months[-1]
        if first.month == 1 and len(self.months) == 12:
            return f"{first.year}"
        span = f"{MONTHS[first.month - 1]} {first.year}"
        return span if first == last else f"{span} to {MONTHS[last.month - 1]} {last.year}"

    def to_svg(self, paint: Paint = SHEET) -> str:
        """Returns the picture in given colors."""
        return _Sketch(self, paint).drawn()


def month_begins(first: date, last: date) -> list[date]:
    """Returns the first day of each month from that of one day to that of another."""
    total = (last.year - first.year) * 12 + last.month - first.month
    numbers = range(first.month - 1, first.month + total)
    return [date(first.year + number_ // 12, number_ % 12 + 1, 1) for number_ in numbers]


class _Sketch:
    """The positions of a picture."""

    def __init__(self, shown: Months, paint: Paint) -> None:
        self.shown, self.runs, self.months, self.zone, self.paint = (
            shown,
            shown.runs,
            shown.months,
            shown.zone,
            paint,
        )
        self.days = [day for month in self.months for day in days_of(month, self.zone)]
        self.changes = {change.day: change for change in changes(self.days, self.zone)}
        self.ranges = levels([day.runs for day in self.runs.values()], len(_DEPTHS))
        self.wide = _COLUMNS * (7 * _CELL + _GAP) - _GAP
        self.tops: list[float] = []
        """The upper end of each row of months, and the lower end of the last one."""

    def drawn(self) -> str:
        shown = self.shown
        total = sum(self.runs[day.date].runs for day in self.days if day.date in self.runs)
        lines = [self._count(total), *shown.notes]
        self.tops = [heading_height(lines) + 14]
        for first in range(0, len(self.months), _COLUMNS):
            weeks = max(map(_weeks, self.months[first : first + _COLUMNS]))
            self.tops.append(self.tops[-1] + _TOP + weeks * _ROW + _GAP)
        bottom = self.tops[-1] - _GAP
        parts = [
            *heading(shown.title, lines, self.wide, self.paint),
            *(part for place, month in enumerate(self.months) for part in self._month(place, month)),
            *self._filled(),
            *self._numbers(),
            *self._marked(shown.today),
            *legend(self._legend(shown.today), 0, bottom + 12, self.wide, self.paint),
        ]
        return sheet(
            self.wide,
            bottom + 10 + legend_height(self._legend(shown.today), self.wide),
            f"{shown.title}: {lines[0]}",
            parts,
            paint=self.paint,
        )

    def _count(self, total: int) -> str:
        filled = sum(day.date in self.runs for day in self.days)
        span = self.shown.span
        if not total:
            return f"{span}: no run"
        on = f" on {counted(filled, 'day')}" if filled < len(self.days) else ", every day"
        return f"{span}: {counted(total, 'run')}{on}"

    def _block(self, place: int) -> tuple[float, float]:
        row, column = divmod(place, _COLUMNS)
        return column * (7 * _CELL + _GAP), self.tops[row]

    def _cell(self, day: date) -> tuple[float, float]:
        """Returns the upper left corner of a day."""
        first = self.months[0]
        x, y = self._block((day.year - first.year) * 12 + day.month - first.month)
        before = day.replace(day=1).weekday()
        row, column = divmod(before + day.day - 1, 7)
        return x + column * _CELL, y + _TOP + row * _ROW

    def _month(self, place: int, month: date) -> Iterator[str]:
        x, y = self._block(place)
        is_new = month.month == 1 or not place
        name = _NAMES[month.month - 1] + (f" {month.year}" if is_new else "")
        yield text_at(x + 3, y + 12, name, look(12, self.paint.ink, bold=True))
        heads = ((x + _CELL * (each + 0.5), y + 30, _HEADS[each]) for each in range(7))
        yield texts(heads, look(TINY, self.paint.soft, anchor="middle"))

    def _filled(self) -> Iterator[str]:
        """Yields the days with runs, by their level."""
        by_level: list[list[str]] = [[] for _ in self.ranges]
        for day in self.days:
            found = self.runs.get(day.date)
            if found is not None and found.runs:
                x, y = self._cell(day.date)
                area = box(x + 1, y + 1, _CELL - 2, _ROW - 2)
                by_level[level_of(found.runs, self.ranges)].append(path(area, self._title(day, found)))
        for days, depth in zip(by_level, self._depths(), strict=True):
            yield group(days, f'fill="{BUSY}" fill-opacity="{depth}" stroke="{BUSY}"')

    def _title(self, day: Day, found: DayRuns) -> str:
        text = found.times if found.runs == 1 and found.times else counted(found.runs, "run")
        text += f", {found.times}" if found.times and found.runs > 1 else ""
        change = self.changes.get(day.date)
        return f"{day_text(day.date)}: {text}" + (f"; {change.text}" if change else "")

    def _depths(self) -> Sequence[float]:
        return {1: (_DEPTHS[1],), 2: (_DEPTHS[0], _DEPTHS[2])}.get(len(self.ranges), _DEPTHS)[
            : len(self.ranges)
        ]

    def _numbers(self) -> Iterator[str]:
        """Yields the days' numbers, and the numbers of runs, if these differ."""
        has_counts = len(self.ranges) > 1
        filled, empty, counts = _Rows(), _Rows(), _Rows()
        for day in self.days:
            x, y = self._cell(day.date)
            found = self.runs.get(day.date)
            is_split = has_counts and found is not None
            (empty if found is None else filled).add(
                x + _CELL / 2, y + (10 if is_split else 16), str(day.date.day)
            )
            if is_split and found is not None:
                counts.add(x + _CELL / 2, y + 20, brief(found.runs))
        size = TINY + 1 if has_counts else SMALL
        for rows, attributes in (
            (filled, look(size, self.paint.ink, bold=True, anchor="middle")),
            (empty, look(size, self.paint.soft, anchor="middle")),
            (counts, look(8, self.paint.ink, anchor="middle")),
        ):
            yield group(rows.drawn(), f'{attributes} pointer-events="none"')

    def _marked(self, today: date | None) -> Iterator[str]:
        for day, change in self.changes.items():
            x, y = self._cell(day)
            sign = path(f"M{number(x + _CELL - 9)} {number(y + 1)}h8v8z", attributes=f'fill="{WARN}"')
            yield f"<g>{tooltip(f'{change.text} at {wall_text(change.at, self.zone)}')}{sign}</g>"
        if today is not None and any(day.date == today for day in self.days):
            frame = f'fill="none" stroke="{self.paint.ink}" stroke-width="2"'
            yield path(box(*self._cell(today), _CELL, _ROW), attributes=frame)

    def _legend(self, today: date | None) -> Iterator[tuple[str, str]]:
        for (low, high), depth in zip(self.ranges, self._depths(), strict=True):
            shade = f'fill="{BUSY}" fill-opacity="{depth}" stroke="{BUSY}"'
            text = counted(high, "run") if low == high else f"{range_text(low, high)} runs"
            yield path(box(0, 0, 10, 10), attributes=shade), f"{text} a day"
        if today is not None and any(day.date == today for day in self.days):
            yield (
                path(box(0, 0, 10, 10), attributes=f'fill="none" stroke="{self.paint.ink}" stroke-width="2"'),
                "today",
            )
        if self.changes:
            moved = ", ".join(_change_text(change) for change in list(self.changes.values())[:4])
            yield path("M1 1h9v9z", attributes=f'fill="{WARN}"'), f"clock change: {moved}"


class _Rows:
    """Texts of one look, by their height: shorter than single ones."""

    def __init__(self) -> None:
        self._spans: dict[float, list[str]] = {}

    def add(self, x: float, y: float, text: str) -> None:
        self._spans.setdefault(y, []).append(f'<tspan x="{number(x)}">{text}</tspan>')

    def drawn(self) -> Iterator[str]:
        return (f'<text y="{number(y)}">{"".join(spans)}</text>' for y, spans in self._spans.items())


_NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip


def days_of(month: date, zone: tzinfo) -> Iterator[Day]:
    for number_ in range(1, monthrange(month.year, month.month)[1] + 1):
        yield day_of(month.replace(day=number_), zone)


def _weeks(month: date) -> int:
    """Returns the number of weeks, from Monday, that a month touches."""
    days = monthrange(month.year, month.month)[1]
    return -(-(month.weekday() + days) // 7)


def _change_text(change: Change) -> str:
    day = change.day
    return f"{day.day} {MONTHS[day.month - 1]} {change.text.removeprefix('clock ')}"
