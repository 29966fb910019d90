"""Draws a definition as one SVG element without scripts, references or IDs, which fits into any page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from stepsched.asl.draw.layout import HEIGHT, NAME_SIZE, NOTE_SIZE, STRIPE, lay_out
from stepsched.asl.draw.palette import COLOURS, LINE, LINES
from stepsched.asl.draw.picture import Box, Frame, Label, Line, Point
from stepsched.asl.draw.reading import graph
from stepsched.asl.draw.text import clean, cut, shorten

_MARGIN = 22
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_INK, _SOFT = "#0f172a", "#526077"
_ARROW = 7.0
_BEND = 9.0
_TITLE = 2000
"""The maximum number of characters of a tooltip."""

_SIGNS = {
    "Task": "M9 1.5 L3.5 9 H8 L7 14.5 L12.5 7 H8 Z",
    "Pass": "M2 8 H13 M9 4 L13 8 L9 12",
    "Choice": "M8 1.5 L14.5 8 L8 14.5 L1.5 8 Z",
    "Wait": "M8 1.5 A6.5 6.5 0 1 1 7.99 1.5 Z M8 4.5 V8 L10.5 10",
    "Succeed": "M2.5 8.5 L6.5 12.5 L13.5 4",
    "Fail": "M3.5 3.5 L12.5 12.5 M12.5 3.5 L3.5 12.5",
    "Parallel": "M3 2 V14 M8 2 V14 M13 2 V14",
    "Map": "M2 5.5 H10.5 V14 H2 Z M5.5 5.5 V2 H14 V10.5 H10.5",
    "missing": "M5 5.5 A3 3 0 1 1 8 8.6 V10.2 M8 12.8 V13.4",
    "unknown": "M5 5.5 A3 3 0 1 1 8 8.6 V10.2 M8 12.8 V13.4",
}
"""The icons of the types, as paths in a square of 16."""


def to_svg(document: Mapping[str, Any]) -> str:
    """Returns the text of a diagram; the same document results in the same text.

    It has a light background, so it is readable on any page. Long texts are truncated; tooltips have the
    whole text.

    Args:
        document: A definition, valid or not.
    """
    picture = lay_out(graph(document))
    width, height = round(picture.width) + 2 * _MARGIN, round(picture.height) + 2 * _MARGIN
    said = document.get("Comment")
    name = shorten(clean(said), 200) if isinstance(said, str) and clean(said) else "state machine"
    states = sum(box.node.type not in ("start", "end") for box in picture.boxes)
    count = "1 state" if states == 1 else f"{states} states"
    size = f'width="{width}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label={quoteattr(f"{name}, {count}")}'
    looks = f'viewBox="0 0 {width} {height}" font-family="{_FONT}" style="max-width:100%;height:auto"'
    parts = [
        f"{head} {size} {looks}>",
        _rect(0.5, 0.5, width - 1, height - 1, 'rx="12" fill="#ffffff" stroke="#dbe2ea"'),
        f'<g transform="translate({_MARGIN} {_MARGIN})">',
    ]
    grounds = [(box.w * box.h, _plate(box)) for box in picture.boxes if box.node.groups]
    grounds += [(frame.w * frame.h, _frame(frame)) for frame in picture.frames]
    # From the back to the front: inner elements are smaller than outer ones.
    parts += [drawn for _, drawn in sorted(grounds, key=lambda ground: -ground[0])]
    parts += map(_line, picture.lines)
    parts += map(_box, picture.boxes)
    parts += map(_label, picture.labels)
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _rect(x: float, y: float, w: float, h: float, rest: str) -> str:
    return f'<rect x="{_number(x)}" y="{_number(y)}" width="{_number(w)}" height="{_number(h)}" {rest}/>'


def _text(x: float, y: float, text: str, rest: str) -> str:
    return f'<text x="{_number(x)}" y="{_number(y)}" {rest}>{escape(text)}</text>' if text else ""


def _title(text: str) -> str:
    return f"<title>{escape(text if len(text) <= _TITLE else shorten(text, _TITLE))}</title>" if text else ""


def _plate(box: Box) -> str:
    colour, tint = COLOURS[box.node.type]
    return _rect(box.x, box.y, box.w, box.h, f'rx="8" fill="{tint}" stroke="{colour}" stroke-width="1.2"')


def _frame(frame: Frame) -> str:
    area = _rect(
        frame.x, frame.y, frame.w, frame.h,
        'rx="6" fill="#ffffff" fill-opacity="0.75" stroke="#94a3b8" stroke-dasharray="3 3"',
    )  # fmt: skip
    name = cut(frame.name, NOTE_SIZE, frame.w - 16)
    return f"<g>{_title(frame.name)}{area}{_text(frame.x + 10, frame.y + 15, name, _note())}</g>"


def _note(colour: str = _SOFT) -> str:
    return f'font-size="{_number(NOTE_SIZE)}" fill="{colour}"'


def _box(box: Box) -> str:
    node = box.node
    drawn = _dot(box) if node.type in ("start", "end") else _state(box)
    return f"<g>{_title(node.title)}{drawn}</g>"


def _dot(box: Box) -> str:
    x, y, radius = _number(box.x + box.w / 2), _number(box.y + box.h / 2), box.w / 2
    colour = COLOURS[box.node.type][0]
    if box.node.type == "start":
        return f'<circle cx="{x}" cy="{y}" r="{_number(radius)}" fill="{colour}"/>'
    outer, inner = _number(radius - 0.8), _number(radius - 3.8)
    ring = f'<circle cx="{x}" cy="{y}" r="{outer}" fill="#ffffff" stroke="{colour}" stroke-width="1.6"/>'
    return f'{ring}<circle cx="{x}" cy="{y}" r="{inner}" fill="{colour}"/>'


def _state(box: Box) -> str:
    node = box.node
    colour, tint = COLOURS[node.type]
    limit = box.w - STRIPE - 18
    name = cut(node.name, NAME_SIZE, limit, bold=True)
    note = cut(node.subtitle, NOTE_SIZE, limit)
    x, middle = box.x + STRIPE + 10, box.y + HEIGHT / 2
    dashes = ' stroke-dasharray="5 3"' if node.type == "missing" else ""
    parts = []
    if not node.groups:
        looks = f'rx="8" fill="{tint}" stroke="{colour}" stroke-width="1.2"{dashes}'
        parts.append(_rect(box.x, box.y, box.w, box.h, looks))
    parts.append(_stripe(box, colour))
    bold = f'font-size="{_number(NAME_SIZE)}" font-weight="600" fill="{_INK}"'
    parts.append(_text(x, middle - 3 if note else middle + 4.5, name, bold))
    parts.append(_text(x, middle + 13 if name else middle + 4, note, _note()))
    return "".join(parts)


def _stripe(box: Box, colour: str) -> str:
    """Draws the coloured field with the icon of the type, at the left, or for a group in the corner."""
    x, y, tall = _number(box.x), _number(box.y), HEIGHT
    right, bottom = _number(box.x + STRIPE), _number(box.y + tall - 8)
    lower = (
        f"{bottom} a8 8 0 0 1 -8 8 H{x}"
        if box.node.groups
        else f"{_number(box.y + tall)} h-26 a8 8 0 0 1 -8 -8"
    )
    field = f'<path d="M{right} {y} V{lower} V{_number(box.y + 8)} a8 8 0 0 1 8 -8 Z" fill="{colour}"/>'
    sign = (
        f'<path transform="translate({_number(box.x + STRIPE / 2 - 8)} {_number(box.y + tall / 2 - 8)})" '
        f'd="{_SIGNS[box.node.type]}" fill="{"#ffffff" if box.node.type == "Task" else "none"}" '
        'stroke="#ffffff" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round"/>'
    )
    return field + sign


def _label(label: Label) -> str:
    caught = label.edge.kind == "catch"
    colour = LINES["catch"] if caught else "#334155"
    looks = 'fill="#fff5f5" stroke="#f3b4b4"' if caught else 'fill="#f8fafc" stroke="#cbd5e1"'
    pill = _rect(label.x, label.y, label.w, label.h, f'rx="{_number(label.h / 2)}" {looks}')
    text = cut(label.edge.label, NOTE_SIZE, label.w - 12)
    middle = label.x + label.w / 2
    written = _text(middle, label.y + label.h / 2 + 4, text, f'{_note(colour)} text-anchor="middle"')
    return f"<g>{_title(label.edge.title)}{pill}{written}</g>"


def _line(line: Line) -> str:
    colour = LINES.get(line.kind, LINE)
    dashes = ' stroke-dasharray="5 3.5"' if line.kind == "catch" else ""
    points, head = list(line.points), ""
    if line.arrow:
        points[-1], head = _headed(points[-2], points[-1], colour)
    path = f'<path d="{_path(points)}" fill="none" stroke="{colour}" stroke-width="1.5"{dashes}/>'
    return path + head


def _headed(before: Point, tip: Point, colour: str) -> tuple[Point, str]:
    """Returns the end of the line at its arrowhead, and the arrowhead. Lines arrive along an axis."""
    sideways = abs(before[1] - tip[1]) < 0.1
    dx, dy = ((1.0 if tip[0] > before[0] else -1.0), 0.0) if sideways else (0.0, 1.0)
    back = (tip[0] - dx * _ARROW, tip[1] - dy * _ARROW)
    wing = _ARROW * 0.55
    corners = (tip, (back[0] - dy * wing, back[1] - dx * wing), (back[0] + dy * wing, back[1] + dx * wing))
    text = " ".join(f"{_number(x)},{_number(y)}" for x, y in corners)
    return back, f'<polygon points="{text}" fill="{colour}"/>'


def _path(points: list[Point]) -> str:
    return " ".join(_strokes(points))


def _strokes(points: list[Point]) -> Iterator[str]:
    """Yields straight strokes along the axes, with rounded corners, and curves between other points."""
    yield f"M{_pair(points[0])}"
    for index in range(1, len(points)):
        before, here = points[index - 1], points[index]
        after = points[index + 1] if index + 1 < len(points) else None
        if not _axial(before, here):
            middle = (before[1] + here[1]) / 2
            yield f"C{_pair((before[0], middle))} {_pair((here[0], middle))} {_pair(here)}"
        elif after and _axial(here, after) and _turns(before, here, after):
            size = min(_BEND, _length(before, here) / 2, _length(here, after) / 2)
            yield f"L{_pair(_toward(here, before, size))} Q{_pair(here)} {_pair(_toward(here, after, size))}"
        else:
            yield f"L{_pair(here)}"


def _pair(point: Point) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _axial(one: Point, other: Point) -> bool:
    return abs(one[0] - other[0]) < 0.6 or abs(one[1] - other[1]) < 0.6


def _turns(one: Point, corner: Point, other: Point) -> bool:
    return (abs(one[0] - corner[0]) < 0.6) != (abs(corner[0] - other[0]) < 0.6)


def _length(one: Point, other: Point) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _toward(here: Point, there: Point, size: float) -> Point:
    length = _length(here, there) or 1.0
    return here[0] + (there[0] - here[0]) * size / length, here[1] + (there[1] - here[1]) * size / length
