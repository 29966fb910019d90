"""The Gantt chart of a run, as SVG and as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import datetime, tzinfo

from stepsched.asl.draw.layout import NOTE_SIZE
from stepsched.asl.draw.svg import small
from stepsched.display.fitting import clean, cut, width
from stepsched.display.svg import SHEET, Paint, rect, sheet, text_at, tooltip
from stepsched.display.times import took_text
from stepsched.workflows.pictures import words
from stepsched.workflows.pictures.axis import axis_text, time_text
from stepsched.workflows.pictures.bars import Bar, Chart, chart
from stepsched.workflows.pictures.drawn import description
from stepsched.workflows.pictures.statuses import color_of
from stepsched.workflows.pictures.svg import heading, icon
from stepsched.workflows.records import StepStatus, WorkflowRun

_NAMES = 340.0
"""The maximum width of names, in pixels."""
_PLOT, _ROW, _BAR, _TOP = 720.0, 24.0, 14.0, 74.0
_AFTER = 190.0
"""The room for texts after the bars."""


def to_gantt(run: WorkflowRun, now: datetime, zone: tzinfo, paint: Paint = SHEET) -> str:
    """Returns the chart as SVG: one row for each step, at most 100, with the time that it waited and ran.

    Args:
        run: The run.
        now: The present, for running steps.
        zone: The zone of the axis.
        paint: The colors.
    """
    shown = chart(run, now)
    names = max((width(clean(bar.run.name), 11) for bar in shown.bars), default=0)
    sketch = _Sketch(shown, zone, min(names, _NAMES) + 34, paint)
    head = list(heading(description(None, run), [step.status for step in run.steps], paint))
    parts = [text for text, _ in head] + list(sketch.parts(run, now))
    whole = max(sketch.left + _PLOT + _AFTER, *(end for _, end in head))
    below = 26 if sketch.note() else 14
    return sheet(whole, sketch.bottom + below, f"{description(None, run)}; Gantt chart", parts, paint=paint)


class _Sketch:
    """The positions of a chart."""

    def __init__(self, shown: Chart, zone: tzinfo, left: float, paint: Paint) -> None:
        self.shown, self.zone, self.left, self.paint = shown, zone, left, paint
        self.soft, self.ink = small(paint.soft), small(paint.ink)
        self.bottom = _TOP + _ROW * len(shown.bars) + 4

    def x(self, instant: datetime) -> float:
        """Returns the horizontal position of an instant."""
        return self.left + _PLOT * self.shown.axis.place(instant)

    def parts(self, run: WorkflowRun, now: datetime) -> Iterator[str]:
        """Yields the elements from the back to the front."""
        axis = self.shown.axis
        yield text_at(0, 36, f"{axis_text(axis.start, axis.end, self.zone)} · {self._legend()}", self.soft)
        yield from self._scale()
        if not run.status.has_ended:
            yield self._now(now)
        for place, bar in enumerate(self.shown.bars):
            yield "<g>" + "".join(self._row(bar, _TOP + _ROW * place, now)) + "</g>"
        yield text_at(0, self.bottom + 22, self.note(), self.soft)

    def _scale(self) -> Iterator[str]:
        """Yields the gaps, and the marks with their texts; texts that would overlap are left out."""
        height, free = self.bottom - _TOP + 8, -_AFTER
        for (first, last), length in self.shown.axis.gaps():
            x, wide = self.x(first), self.x(last) - self.x(first)
            ground = rect(x, _TOP - 8, wide, height, f'fill="{self.paint.line}"')
            yield "<g>" + tooltip(f"nothing ran for {took_text(length)}") + ground + "</g>"
            yield text_at(
                x + wide / 2, self.bottom + 10, took_text(length), f'{self.soft} text-anchor="middle"'
            )
        for instant, text in self.shown.axis.ticks(self.zone):
            x, half = self.x(instant), width(text, NOTE_SIZE) / 2
            yield rect(x, _TOP - 8, 1, height, f'fill="{self.paint.line}"')
            if x - half >= free:
                yield text_at(x, _TOP - 14, text, f'{self.soft} text-anchor="middle"')
                free = x + half + 6

    def _legend(self) -> str:
        gap = " · grey: nothing ran" if len(self.shown.axis.pieces) > 1 else ""
        return f"edged: critical path, {took_text(self.shown.critical)} in all · thin line: waiting{gap}"

    def note(self) -> str:
        """Returns what is said below the chart; empty if there is nothing to say."""
        if not self.shown.bars:
            return "No steps."
        return f"and {self.shown.left_out:,} shorter steps" if self.shown.left_out else ""

    def _now(self, now: datetime) -> str:
        if not self.shown.axis.start <= now <= self.shown.axis.end:
            return ""
        x = self.x(now)
        line = rect(
            x - 0.5, _TOP - 8, 1, self.bottom - _TOP + 8, f'fill="{color_of(StepStatus.RUNNING, self.paint)}"'
        )
        return line + text_at(x, self.bottom + 10, "now", f'{self.ink} text-anchor="middle"')

    def _row(self, bar: Bar, y: float, now: datetime) -> Iterator[str]:
        title = words.details(bar.run.name, bar.run.needs, None, bar.run, now)
        yield tooltip("\n".join(map(clean, title.split("\n"))))
        yield icon(0, y + 1, bar.run.status, self.paint)
        yield text_at(20, y + 12, cut(clean(bar.run.name), 11, _NAMES), self.ink)
        after, text = self.left, str(bar.run.status)
        if bar.start is not None and bar.end is not None:
            yield from self._bar(bar, bar.start, bar.end, y)
            after, text = self.x(bar.end) + 6, took_text(bar.took)
            text += f", attempt {bar.run.attempt}" if bar.run.attempt > 1 else ""
            text += "" if bar.run.status is StepStatus.SUCCEEDED else f", {bar.run.status}"
        yield text_at(after, y + 12, text, self.ink if bar.is_critical else self.soft)

    def _bar(self, bar: Bar, start: datetime, end: datetime, y: float) -> Iterator[str]:
        color = color_of(bar.run.status, self.paint)
        x, right = self.x(start), self.x(end)
        if bar.ready is not None:
            yield rect(self.x(bar.ready), y + 7.5, x - self.x(bar.ready), 1.5, f'fill="{self.paint.soft}"')
        edge = f' stroke="{self.paint.ink}" stroke-width="2"' if bar.is_critical else ""
        yield rect(x, y + 1, max(right - x, 2), _BAR, f'rx="2" fill="{color}"{edge}')


def to_gantt_text(run: WorkflowRun, now: datetime, zone: tzinfo, columns: int = 80) -> str:
    """Returns the chart as text, in plain ASCII but for the texts of the run; names are not cut.

    Args:
        run: The run.
        now: The present, for running steps.
        zone: The zone of the axis.
        columns: The maximum width of lines, at least 60. Names that are longer have lines of their own.
    """
    shown = chart(run, now)
    columns = max(columns, 60)
    names = min(max((len(bar.run.name) for bar in shown.bars), default=0), columns // 3)
    room = columns - names - 3 - max((len(_after(bar)) for bar in shown.bars), default=0)
    lines = [
        *textwrap.wrap(clean(description(None, run)), columns, subsequent_indent="    "),
        axis_text(shown.axis.start, shown.axis.end, zone),
    ]
    lines.append(" " * (names + 2) + _scale(shown, zone, room))
    for bar in shown.bars:
        if len(bar.run.name) > names:
            lines.append(bar.run.name)
        name = bar.run.name if len(bar.run.name) <= names else ""
        lines.append(f"{name:{names}}  {_line(bar, shown, room)} {_after(bar)}".rstrip())
    lines.append(f"#: critical path, {took_text(shown.critical)} in all   =: ran   .: waited")
    pauses = [took_text(length) for _, length in shown.axis.gaps()]
    lines += [f":: nothing ran, for {', '.join(pauses)}"] if pauses else []
    if shown.left_out:
        lines.append(f"and {shown.left_out:,} shorter steps")
    return "\n".join(lines)


def _scale(shown: Chart, zone: tzinfo, room: int) -> str:
    ends, step = (shown.axis.start, shown.axis.end), shown.axis.busy / room
    first, last = (time_text(instant.astimezone(zone), step) for instant in ends)
    return f"{first}{last:>{room - len(first)}}"


def _line(bar: Bar, shown: Chart, room: int) -> str:
    def column(instant: datetime) -> int:
        return min(int(shown.axis.place(instant) * room), room - 1)

    drawn = [" "] * room
    for (first, last), _ in shown.axis.gaps():
        drawn[column(first) + 1 : column(last)] = [":"] * (column(last) - column(first) - 1)
    if bar.start is not None and bar.end is not None:
        start, end = column(bar.start), column(bar.end)
        end = max(end, start + 1)
        if bar.ready is not None:
            ready = min(column(bar.ready), start)
            drawn[ready:start] = "." * (start - ready)
        drawn[start:end] = ("#" if bar.is_critical else "=") * (end - start)
        if bar.run.status is StepStatus.RUNNING:
            drawn[end:] = ">"
    return "".join(drawn)[:room].ljust(room)


def _after(bar: Bar) -> str:
    text = "" if bar.start is None else took_text(bar.took)
    return text if bar.run.status is StepStatus.SUCCEEDED else f"{text} {bar.run.status}".strip()
