"""The graph as one SVG element without scripts, references or IDs, which fits into any page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from stepsched.asl.draw.layout import NAME_SIZE, NOTE_SIZE, lay_out
from stepsched.asl.draw.picture import moved
from stepsched.asl.draw.svg import shapes, small
from stepsched.display.fitting import clean, cut, width
from stepsched.display.svg import INK, SHEET, Paint, number, rect, sheet, text_at, tooltip
from stepsched.workflows.model import Workflow
from stepsched.workflows.order import Needs, order_of
from stepsched.workflows.pictures import words
from stepsched.workflows.pictures.drawn import Drawn, description, drawn_steps, graph
from stepsched.workflows.pictures.statuses import LOOK, color_of, counts
from stepsched.workflows.records import StepStatus, WorkflowRun

MOST_BOXES = 150
"""The maximum number of steps that are drawn as boxes with lines."""
WIDEST = 3_000.0
"""The maximum width, in pixels, of a picture with lines."""
_HEAD = 34.0
_CHIPS = 1_160.0
"""The width of a row of an overview."""
_CHIP, _CHIP_GAP, _ROW = 22.0, 6.0, 28.0
_LEVEL = 92.0
_MOST_BANDS = 40


def to_svg(flow: Workflow | None, run: WorkflowRun | None, now: datetime) -> str:
    """Returns the text of a picture; the same values result in the same text.

    Up to 150 steps are boxes with lines, if that is not wider than 3,000 pixels. Otherwise it is an overview:
    each step is a small field with its icon, below the steps that it needs, without lines.

    Args:
        flow: The definition. None: that of the run, as far as its steps know it.
        run: The run whose states are drawn. None: none are.
        now: The present, for running steps.
    """
    steps = drawn_steps(flow, run)
    said = description(flow, run)
    head = list(heading(said, [each.run.status for each in steps if each.run is not None]))
    if len(steps) <= MOST_BOXES:
        picture = lay_out(graph(steps, now))
        if picture.width <= WIDEST:
            parts = [text for text, _ in head] + shapes(moved(picture, 0, _HEAD), LOOK)
            return sheet(max(picture.width, *(end for _, end in head)), picture.height + _HEAD, said, parts)
    chips = list(_overview(steps, now))
    lowest = max((bottom for _, bottom in chips), default=_HEAD)
    whole = max(_LEVEL + _CHIPS, *(end for _, end in head))
    return sheet(whole, lowest, said, [*(text for text, _ in head), *(text for text, _ in chips)])


def heading(said: str, statuses: list[StepStatus], paint: Paint = SHEET) -> Iterator[tuple[str, float]]:
    """Yields the title, and the number of steps of each status with its icon; each with its right end."""
    name, _, rest = said.rpartition(": ") if statuses else said.rpartition(", ")
    text = cut(name, NAME_SIZE, 560, bold=True)
    yield (
        text_at(0, 13, text, f'font-size="{number(NAME_SIZE)}" font-weight="600" fill="{paint.ink}"'),
        width(text, NAME_SIZE, bold=True),
    )
    x = width(text, NAME_SIZE, bold=True) + 18
    if not statuses:
        yield text_at(x, 13, rest, small(paint.soft)), x + width(rest, NOTE_SIZE)
    for status, count in counts(statuses):
        word = f"{count:,} {status}"
        yield (
            icon(x, 2, status, paint) + text_at(x + 18, 13, word, small(paint.ink)),
            x + 18 + width(word, NOTE_SIZE),
        )
        x += 18 + width(word, NOTE_SIZE) + 16


def icon(x: float, y: float, kind: str, paint: Paint = SHEET) -> str:
    """Draws the icon of a status on its colour, 14 pixels wide."""
    fill = "#ffffff" if kind in LOOK.solid else "none"
    field = rect(x, y, 14, 14, f'rx="3" fill="{color_of(kind, paint)}"')
    return field + (
        f'<path transform="translate({number(x + 2.2)} {number(y + 2.2)}) scale(0.6)" d="{LOOK.signs[kind]}" '
        f'fill="{fill}" stroke="#ffffff" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/>'
    )


def _overview(steps: list[Drawn], now: datetime) -> Iterator[tuple[str, float]]:
    """Yields the fields of all steps in rows below each other, and the lower end of each."""
    note = "An overview without lines: a step needs steps of levels above it; its tooltip names them."
    yield text_at(0, 31, note, small()), _HEAD
    y = _HEAD + 10
    for title, members in _bands(steps):
        yield text_at(0, y + 15, title, small()), y + _CHIP
        x = _LEVEL
        for each in members:
            label = cut(clean(each.name), NOTE_SIZE, 300)
            wide = width(label, NOTE_SIZE) + 32
            if x + wide > _LEVEL + _CHIPS and x > _LEVEL:
                x, y = _LEVEL, y + _ROW
            yield _chip(each, x, y, wide, label, now), y + _CHIP
            x += wide + _CHIP_GAP
        y += _ROW + 8


def _chip(each: Drawn, x: float, y: float, wide: float, label: str, now: datetime) -> str:
    kind = each.run.status if each.run is not None else "step"
    colour, tint = LOOK.colours[kind]
    title = "\n".join(map(clean, words.details(*each, now).split("\n")))
    field = rect(x, y, wide, _CHIP, f'rx="5" fill="{tint}" stroke="{colour}" stroke-width="1"')
    written = text_at(x + 23, y + 15, label, small(INK))
    return f"<g>{tooltip(title)}{field}{icon(x + 4, y + 4, kind)}{written}</g>"


def levels(needs: Needs) -> list[list[str]]:
    """Returns the steps by the length of the longest way to them: those of the first level need none."""
    level = dict[str, int]()
    found = list[list[str]]()
    for name in order_of(needs):
        level[name] = max((level[need] + 1 for need in needs[name]), default=0)
        if level[name] == len(found):
            found.append([])
        found[level[name]].append(name)
    return found


def _bands(steps: Iterable[Drawn]) -> Iterator[tuple[str, list[Drawn]]]:
    """Yields the levels; of many, small ones that follow one another are one band."""
    by_name = {each.name: each for each in steps}
    rows = levels({name: each.needs for name, each in by_name.items()})
    enough = len(by_name) / _MOST_BANDS if len(rows) > _MOST_BANDS else 0
    first, members = 1, list[Drawn]()
    for last, row in enumerate(rows, 1):
        members += [by_name[name] for name in row]
        if len(members) >= enough or last == len(rows):
            yield (f"level {last}" if first == last else f"levels {first}-{last}"), members
            first, members = last + 1, []
