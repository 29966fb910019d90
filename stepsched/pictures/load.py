"""How many runs start in a minute, over a span: the peaks, the averages, and the busiest minutes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from stepsched.core.instants import later_by
from stepsched.display.fitting import clean, cut, width
from stepsched.display.svg import BAD, BUSY, SHEET, WARN, Paint, number, sheet, text_at, tooltip
from stepsched.display.times import length_text
from stepsched.pictures.frame import (
    SMALL,
    TINY,
    counted,
    heading,
    heading_height,
    legend,
    line,
    look,
    path,
    texts,
)
from stepsched.pictures.scale import TimeScale, brief, round_ticks, spread, wall_text, zone_text

_LEFT, _PLOT, _HIGH = 46.0, 840.0, 210.0
NUMBERED = 10
"""The maximum number of busy minutes that are marked."""
_NEAR = 0.2
"""The part of a limit from which it has a line."""
_SIGN = 15.0
"""The size of the sign of a busy minute."""
_STEM = 12.0
"""The height in which a stem leads from its sign to its minute."""


class Peak(NamedTuple):
    """A minute in which several jobs run."""

    minute: datetime
    runs: int
    names: Sequence[str]
    """The names of some of the jobs."""


class Limit(NamedTuple):
    """A number of runs in a minute above which they are delayed."""

    runs: float
    name: str
    share: float
    """The part of it that the busiest minute uses."""


class Parts(NamedTuple):
    """The runs in equal parts of a span."""

    since: datetime
    until: datetime
    part: timedelta
    """The length of a part; the last may be shorter."""
    peaks: Sequence[int]
    """The largest number of runs in a minute of each part."""
    averages: Sequence[float]
    """The average number of runs in a minute of each part."""

    @property
    def end(self) -> datetime:
        """The end of the axis: that of the last part, or of the calendar."""
        return later_by(self.since, self.part * max(len(self.peaks), 1))


class Load(NamedTuple):
    """A picture of the number of runs in a minute, over a span."""

    parts: Parts
    """The runs."""
    zone: tzinfo
    """The zone of the axis and the texts."""
    title: str
    """What runs."""
    peaks: Sequence[Peak] = ()
    """The busiest minutes; the first 10 are marked and listed."""
    limit: Limit | None = None
    """The limit that comes first. It has a line if the busiest minute uses a fifth of it or more."""
    notes: Sequence[str] = ()
    """Lines below the title."""

    @property
    def has_line(self) -> bool:
        """Whether the limit is so near that it has a line."""
        return self.limit is not None and self.limit.share >= _NEAR

    def to_svg(self, paint: Paint = SHEET) -> str:
        """Returns the picture in given colors."""
        return _Sketch(self, paint).drawn()


class _Sketch:
    """The positions of a picture."""

    def __init__(self, shown: Load, paint: Paint) -> None:
        self.shown, self.parts, self.peaks, self.paint = shown, shown.parts, shown.peaks[:NUMBERED], paint
        self.limit = shown.limit if shown.has_line else None
        parts = shown.parts
        self.scale = TimeScale(parts.since, parts.end, shown.zone, _LEFT, _PLOT)
        highest = max([*parts.peaks, *([] if self.limit is None else [self.limit.runs])], default=0)
        self.ticks = round_ticks(highest)
        self.wide = _LEFT + _PLOT + 8
        self.base = 0.0

    def y(self, runs: float) -> float:
        """Returns the height of a number of runs."""
        return self.base - _HIGH * runs / self.ticks[-1]

    def drawn(self) -> str:
        shown, ends = self.shown, (self.parts.since, self.parts.until)
        first, last = (wall_text(each, shown.zone)[:-7] for each in ends)
        lines = [f"{first} to {last}, {zone_text(shown.zone, *ends)}", *shown.notes]
        if shown.limit is not None:
            share = f"{shown.limit.share:.1%}" if shown.limit.share >= 0.0005 else "less than 0.1%"
            lines.append(f"The busiest minute uses {share} of the quota {shown.limit.name}.")
        top = heading_height(lines) + 18 + (_SIGN + _STEM if self.peaks else 0)
        self.base = top + _HIGH
        below = self.base + 46
        parts = [
            *heading(shown.title, lines, self.wide, self.paint),
            *self._axes(top),
            *self._areas(),
            *self._line(),
            *self._changes(top),
            *self._signs(top),
            *legend(self._legend(), _LEFT, self.base + 28, _PLOT, self.paint),
            *self._listed(below + 16),
        ]
        height = below + (16 * len(self.peaks) + 8 if self.peaks else 0)
        return sheet(self.wide, height, f"{shown.title}, {lines[0]}", parts, paint=self.paint)

    def _axes(self, top: float) -> Iterator[str]:
        soft = self.paint.soft
        for tick in self.ticks:
            yield line(_LEFT, self.y(tick), _LEFT + _PLOT, self.y(tick), self.paint.line)
        marks = ((_LEFT - 6, self.y(tick) + 3.5, brief(tick)) for tick in self.ticks)
        yield texts(marks, look(TINY + 1, soft, anchor="end"))
        free = 0.0
        for at, text in self.scale.ticks():
            x = self.scale.x(at)
            yield line(x, top, x, self.base + 4, self.paint.line)
            if x - width(text, SMALL) / 2 >= free:
                yield text_at(x, self.base + 17, text, look(SMALL, soft, anchor="middle"))
                free = x + width(text, SMALL) / 2 + 6

    def _steps(self, values: Sequence[float]) -> str:
        """Returns the path of a line with a step for each part."""
        drawn = [f"M{number(_LEFT)} {number(self.base)}V{number(self.y(values[0]))}"]
        for place in range(1, len(values)):
            if values[place] != values[place - 1]:
                x = self.scale.x(later_by(self.parts.since, self.parts.part * place))
                drawn.append(f"H{number(x)}V{number(self.y(values[place]))}")
        right = self.scale.x(self.parts.end)
        return f"{''.join(drawn)}H{number(right)}V{number(self.base)}z"

    def _areas(self) -> Iterator[str]:
        if self.parts.peaks:
            tint = f'fill="{BUSY}" fill-opacity="0.28" stroke="{BUSY}" stroke-linejoin="round"'
            yield path(self._steps(self.parts.peaks), attributes=tint)
            yield path(self._steps(self.parts.averages), attributes=f'fill="{BUSY}"')

    def _line(self) -> Iterator[str]:
        if self.limit is None:
            return
        y = self.y(self.limit.runs)
        yield line(_LEFT, y, _LEFT + _PLOT, y, BAD, 'stroke-width="2" stroke-dasharray="7 4"')
        text = f"{self.limit.name}: {self.limit.runs:,.0f} a minute"
        yield text_at(_LEFT + _PLOT - 4, y - 5, text, look(SMALL, self.paint.ink, anchor="end"))

    def _changes(self, top: float) -> Iterator[str]:
        for change in self.scale.changes():
            x = self.scale.x(change.at)
            mark = line(x, top, x, self.base, WARN, 'stroke-width="1.5" stroke-dasharray="4 3"')
            yield f"<g>{tooltip(f'{change.text} at {wall_text(change.at, self.scale.zone)}')}{mark}</g>"

    def _signs(self, top: float) -> Iterator[str]:
        """Yields the busy minutes, numbered, with stems down to their heights. Signs stand side by side."""
        minutes = [self.scale.x(peak.minute) for peak in self.peaks]
        signs = spread(minutes, _SIGN + 3, _LEFT, _LEFT + _PLOT)
        y, ink = top - _STEM - _SIGN / 2, self.paint.ink
        for place, (peak, minute, x) in enumerate(zip(self.peaks, minutes, signs, strict=True)):
            low = number(self.y(peak.runs))
            way = f"M{number(x)} {number(y + _SIGN / 2)}L{number(minute)} {number(top)}V{low}"
            stem = path(way, attributes=f'fill="none" stroke="{ink}" stroke-width="0.7"')
            ring = f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(_SIGN / 2)}" fill="none" '
            sign = text_at(x, y + 3.3, str(place + 1), look(TINY, ink, bold=True, anchor="middle"))
            yield f'<g>{tooltip(self._text(peak))}{stem}{ring}stroke="{ink}"/>{sign}</g>'

    def _text(self, peak: Peak) -> str:
        names = ", ".join(map(clean, peak.names))
        more = peak.runs - len(peak.names)
        names += f" and {more:,} more" if names and more > 0 else ""
        return f"{wall_text(peak.minute, self.scale.zone)}: {counted(peak.runs, 'run')}" + (
            f": {names}" if names else ""
        )

    def _listed(self, y: float) -> Iterator[str]:
        for place, peak in enumerate(self.peaks):
            text = cut(self._text(peak), SMALL, self.wide - 24)
            yield text_at(
                17, y + 16 * place, f"{place + 1}", look(SMALL, self.paint.ink, bold=True, anchor="end")
            )
            yield text_at(24, y + 16 * place, text, look(SMALL, self.paint.ink))

    def _legend(self) -> Iterator[tuple[str, str]]:
        length = length_text(self.parts.part)
        outline = path("M0 10V2H10V10z", attributes=f'fill="{BUSY}" fill-opacity="0.28" stroke="{BUSY}"')
        yield outline, f"most runs in one minute of each {length}"
        yield path("M0 5h10v5H0z", attributes=f'fill="{BUSY}"'), "average of its minutes"
        if self.peaks:
            ring = f'<circle cx="5" cy="5" r="5" fill="none" stroke="{self.paint.ink}"/>'
            yield ring, "busiest minutes, listed below"
