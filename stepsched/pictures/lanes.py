"""The runs of a few jobs over some days: a lane for each job, with a mark for each run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from stepsched.core.instants import in_zone, later_by
from stepsched.display.fitting import clean, cut, width
from stepsched.display.svg import BUSY, SHEET, WARN, Paint, rect, sheet, text_at, tooltip
from stepsched.pictures.frame import (
    SMALL,
    TINY,
    band,
    box,
    counted,
    group,
    heading,
    heading_height,
    line,
    look,
    path,
    texts,
)
from stepsched.pictures.scale import (
    MONTHS,
    WEEKDAYS,
    Day,
    TimeScale,
    clock_text,
    day_begin,
    day_end,
    wall_text,
    zone_text,
)

MOST_LANES = 60
"""The number of jobs up to which lanes are readable."""
NOTHING = "no run in this time"
_NAMES, _PLOT, _COUNTS = 230.0, 800.0, 74.0
_TITLED = 450
"""The number of marks that have tooltips of their own; more have one for each lane."""
_HOURS = timedelta(days=2)
_BANDED = timedelta(days=70)
"""The lengths up to which the axis has hours, and single days."""


class Lane(NamedTuple):
    """The runs of a job."""

    name: str
    note: str
    """When it runs, in words, for the tooltip of the name."""
    marks: Sequence[datetime]
    """Instants of its runs in order; of very many, at least one for each 1,000th part of the span."""
    runs: int
    """The number of its runs in the span."""


class Block(NamedTuple):
    """Runs that are so near to one another that they are drawn as one."""

    first: datetime
    last: datetime
    marks: int


class Lanes(NamedTuple):
    """A picture of the runs of a few jobs."""

    lanes: Sequence[Lane]
    """The jobs, at most about 60."""
    since: datetime
    """The first instant. The axis begins with its day, if it is longer than two days."""
    until: datetime
    """The last instant, inclusive; the axis ends with its day."""
    zone: tzinfo
    """The zone of the axis and the texts."""
    now: datetime | None = None
    """The present, which has a line. None: no line."""
    notes: Sequence[str] = ()
    """Lines below the title, such as what is left out."""

    @property
    def title(self) -> str:
        """What the picture shows."""
        runs = sum(lane.runs for lane in self.lanes)
        return f"{counted(runs, 'run')} of {counted(len(self.lanes), 'job')}"

    def to_svg(self, paint: Paint = SHEET) -> str:
        """Returns the picture in given colors."""
        return _Sketch(self, paint).drawn()


def axis_of(since: datetime, until: datetime, zone: tzinfo, left: float, wide: float) -> TimeScale:
    """Returns the axis of a span: of whole days, if it is longer than two days; never of length zero."""
    until = max(until, later_by(since, timedelta(minutes=1)))
    since = min(since, later_by(until, -timedelta(minutes=1)))
    if until - since > _HOURS:
        last = in_zone(until - timedelta(microseconds=1), zone).date()
        since, until = day_begin(in_zone(since, zone).date(), zone), day_end(last, zone)
    return TimeScale(since, until, zone, left, wide)


class _Sketch:
    """The positions of a picture."""

    def __init__(self, shown: Lanes, paint: Paint) -> None:
        self.shown, self.lanes, self.paint = shown, shown.lanes, paint
        names = max((width(clean(lane.name), SMALL) for lane in self.lanes), default=0)
        left = min(names, _NAMES) + 14
        self.scale = axis_of(shown.since, shown.until, shown.zone, left, _PLOT)
        lanes = self.lanes
        self.row = 28 if len(lanes) <= 12 else 20 if len(lanes) <= 30 else 16
        self.gap = 5 if len(lanes) <= 30 else 8
        """The distance in pixels below which marks become one block."""
        self.blocks = [self._blocks(lane.marks) for lane in lanes]
        self.wide = self.scale.left + _PLOT + _COUNTS
        self.top = 0.0

    def drawn(self) -> str:
        shown, ends = self.shown, (self.shown.since, self.shown.until)
        first, last = (wall_text(each, shown.zone)[:-7] for each in ends)
        lines = [f"{first} to {last}, {zone_text(shown.zone, *ends)}", *shown.notes]
        if any(block.marks > 1 for found in self.blocks for block in found):
            lines.append("A wide bar stands for runs close together.")
        self.top = heading_height(lines) + 22
        bottom = self.top + self.row * max(len(self.lanes), 1)
        parts = [
            *heading(shown.title, lines, self.wide, self.paint),
            *self._ground(bottom),
            *self._rows(),
            *self._changes(shown.now, bottom),
            *self._now(shown.now, bottom),
        ]
        if not any(lane.runs for lane in self.lanes):
            parts.append(text_at(self.scale.left + 8, self.top + 17, NOTHING, look(SMALL, self.paint.soft)))
        return sheet(self.wide, bottom + 24, f"{shown.title}, {lines[0]}", parts, paint=self.paint)

    def _ground(self, bottom: float) -> Iterator[str]:
        """Yields the days with their names, and the lines between lanes."""
        scale, top = self.scale, self.top
        if _HOURS < scale.until - scale.since <= _BANDED:
            found = scale.days()
            for day in found:
                x = scale.x(day.begin)
                if day.is_weekend:
                    yield band(x, top - 4, scale.x(day.end) - x, bottom - top + 4, self.paint)
                yield line(x, top - 4, x, bottom, self.paint.line)
            yield texts(self._day_names(found), look(SMALL, self.paint.soft))
        else:
            free = 0.0
            for at, text in scale.ticks():
                x = scale.x(at)
                yield line(x, top - 4, x, bottom, self.paint.line)
                if x >= free:
                    yield text_at(x + 3, top - 9, text, look(SMALL, self.paint.soft))
                    free = x + width(text, SMALL) + 8
        for place in range(len(self.lanes) + 1):
            y = top + self.row * place
            yield line(0, y, self.wide, y, self.paint.line)

    def _day_names(self, found: Sequence[Day]) -> Iterator[tuple[float, float, str]]:
        room = _PLOT / len(found)
        for number, day in enumerate(found):
            month = f" {MONTHS[day.date.month - 1]}" if room >= 68 or not number or day.date.day == 1 else ""
            name = f"{WEEKDAYS[day.date.weekday()]} {day.date.day}"
            if room >= 46:
                yield self.scale.x(day.begin) + 4, self.top - 9, name + month
            elif day.date.weekday() == 0 or (room >= 30 and not month):
                text = f"{day.date.day}" if room >= 30 and day.date.weekday() else f"{name}{month}"
                yield self.scale.x(day.begin) + 2, self.top - 9, text if room >= 12 else name

    def _rows(self) -> Iterator[str]:
        """Yields names, marks, and the numbers of runs."""
        is_titled = sum(map(len, self.blocks)) <= _TITLED
        for place, (lane, found) in enumerate(zip(self.lanes, self.blocks, strict=True)):
            y = self.top + self.row * place
            middle = y + self.row / 2 + 4
            name = cut(clean(lane.name), SMALL, _NAMES)
            hint = tooltip(clean(f"{lane.name}: {lane.note}" if lane.note else lane.name))
            yield f"<g>{hint}{text_at(0, middle, name, look(SMALL, self.paint.ink))}</g>"
            yield group(self._marks(found, y, is_titled=is_titled), f'fill="{BUSY}"')
            yield texts(self._times(found, lane, middle), look(TINY, self.paint.soft))
            count = counted(lane.runs, "run")
            yield text_at(self.wide, middle, count, look(SMALL, self.paint.soft, anchor="end"))

    def _blocks(self, marks: Sequence[datetime]) -> list[Block]:
        found, scale = list[Block](), self.scale
        near = (scale.until - scale.since) * (self.gap / _PLOT)
        for at in marks:
            if found and at - found[-1].last <= near:
                found[-1] = Block(found[-1].first, at, found[-1].marks + 1)
            else:
                found.append(Block(at, at, 1))
        return found

    def _marks(self, blocks: Sequence[Block], y: float, *, is_titled: bool) -> Iterator[str]:
        thick = self.row - 10 if self.row > 20 else self.row - 6
        drawn = [
            box(
                self.scale.x(first) - 1.5,
                y + (self.row - thick) / 2,
                self.scale.x(last) - self.scale.x(first) + 3,
                thick,
            )
            for first, last, _ in blocks
        ]
        if is_titled:
            yield from (path(each, self._title(block)) for each, block in zip(drawn, blocks, strict=True))
        elif drawn:
            yield path("".join(drawn), f"{self._title(blocks[0])} and later")

    def _title(self, block: Block) -> str:
        first = wall_text(block.first, self.scale.zone)
        if block.marks == 1:
            return first
        return f"{first} to {wall_text(block.last, self.scale.zone)}"

    def _times(self, blocks: Sequence[Block], lane: Lane, y: float) -> Iterator[tuple[float, float, str]]:
        """Yields the times of day beside the marks of a lane, if there is room for all."""
        if self.row < 20 or not blocks or len(blocks) != lane.runs:
            return
        starts = [self.scale.x(block.first) for block in blocks]
        ends = [*starts[1:], self.scale.left + _PLOT + 6]
        texts_ = [clock_text(in_zone(block.first, self.scale.zone)) for block in blocks]
        if all(
            end - x >= width(text, TINY) + 10 for x, end, text in zip(starts[:-1], ends, texts_, strict=False)
        ):
            for x, end, text in zip(starts, ends, texts_, strict=True):
                if end - x >= width(text, TINY) + 6:
                    yield x + 4, y - 0.5, text

    def _changes(self, now: datetime | None, bottom: float) -> Iterator[str]:
        scale, look_of_text = self.scale, look(TINY, self.paint.ink, anchor="middle")
        for change in scale.changes():
            x = scale.x(change.at)
            mark = line(x, self.top - 4, x, bottom + 2, WARN, 'stroke-width="1.5" stroke-dasharray="4 3"')
            # Below the text of the present, if that would be too near.
            below = 26 if now is not None and abs(scale.x(now) - x) < 50 else 14
            text = text_at(x, bottom + below, change.text, look_of_text)
            yield f"<g>{tooltip(f'{change.text} at {wall_text(change.at, scale.zone)}')}{mark}{text}</g>"

    def _now(self, now: datetime | None, bottom: float) -> Iterator[str]:
        if now is None or not self.scale.holds(now):
            return
        x = self.scale.x(now)
        yield f"<g>{tooltip('now: ' + wall_text(now, self.scale.zone))}"
        yield rect(x - 1, self.top - 4, 2, bottom - self.top + 6, f'fill="{self.paint.ink}"')
        yield text_at(x, bottom + 14, "now", look(TINY, self.paint.ink, anchor="middle")) + "</g>"
