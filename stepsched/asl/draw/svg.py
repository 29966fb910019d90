"""Draws a graph as one SVG element without scripts, references or IDs, which fits into any page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stepsched.asl.draw.layout import HEIGHT, LINE_HEIGHT, NAME_SIZE, NOTE_SIZE, STRIPE, label_lines, lay_out
from stepsched.asl.draw.palette import LINE, LINES, STATES, Look
from stepsched.asl.draw.picture import Box, Frame, Label, Line, Picture, Point
from stepsched.asl.draw.reading import graph
from stepsched.display.fitting import clean, cut, shorten
from stepsched.display.svg import INK, SOFT, number, rect, sheet, text_at, tooltip

_ARROW = 7.0
_BEND = 9.0


def to_svg(document: Mapping[str, Any]) -> str:
    """Returns the text of a diagram; the same document results in the same text.

    It has a light background, so it is readable on any page. Long texts are truncated; tooltips have the
    whole text.

    Args:
        document: A definition, valid or not.
    """
    picture = lay_out(graph(document))
    comment = document.get("Comment")
    name = shorten(clean(comment), 200) if isinstance(comment, str) and clean(comment) else "state machine"
    states = sum(box.node.type not in ("start", "end") for box in picture.boxes)
    said = f"{name}, 1 state" if states == 1 else f"{name}, {states} states"
    return sheet(picture.width, picture.height, said, shapes(picture, STATES))


def shapes(picture: Picture, look: Look) -> list[str]:
    """Returns the elements of a placed graph, from the back to the front.

    Args:
        picture: The positions.
        look: The colours and icons of its nodes.
    """
    parts = list[str]()
    grounds = [(box.w * box.h, _plate(box, look)) for box in picture.boxes if box.node.groups]
    grounds += [(frame.w * frame.h, _frame(frame)) for frame in picture.frames]
    # From the back to the front: inner elements are smaller than outer ones.
    parts += [drawn for _, drawn in sorted(grounds, key=lambda ground: -ground[0])]
    parts += map(_line, picture.lines)
    parts += (_box(box, look) for box in picture.boxes)
    parts += map(_label, picture.labels)
    return parts


def _plate(box: Box, look: Look) -> str:
    colour, tint = look.colours[box.node.type]
    return rect(box.x, box.y, box.w, box.h, f'rx="8" fill="{tint}" stroke="{colour}" stroke-width="1.2"')


def _frame(frame: Frame) -> str:
    area = rect(
        frame.x, frame.y, frame.w, frame.h,
        'rx="6" fill="#ffffff" fill-opacity="0.75" stroke="#94a3b8" stroke-dasharray="3 3"',
    )  # fmt: skip
    name = cut(frame.name, NOTE_SIZE, frame.w - 16)
    return f"<g>{tooltip(frame.name)}{area}{text_at(frame.x + 10, frame.y + 15, name, small())}</g>"


def small(colour: str = SOFT) -> str:
    return f'font-size="{number(NOTE_SIZE)}" fill="{colour}"'


def _box(box: Box, look: Look) -> str:
    node = box.node
    drawn = _dot(box, look) if node.type in ("start", "end") else _state(box, look)
    return f"<g>{tooltip(node.title)}{drawn}</g>"


def _dot(box: Box, look: Look) -> str:
    x, y, radius = number(box.x + box.w / 2), number(box.y + box.h / 2), box.w / 2
    colour = look.colours[box.node.type][0]
    if box.node.type == "start":
        return f'<circle cx="{x}" cy="{y}" r="{number(radius)}" fill="{colour}"/>'
    outer, inner = number(radius - 0.8), number(radius - 3.8)
    ring = f'<circle cx="{x}" cy="{y}" r="{outer}" fill="#ffffff" stroke="{colour}" stroke-width="1.6"/>'
    return f'{ring}<circle cx="{x}" cy="{y}" r="{inner}" fill="{colour}"/>'


def _state(box: Box, look: Look) -> str:
    node = box.node
    colour, tint = look.colours[node.type]
    limit = box.w - STRIPE - 18
    name = cut(node.name, NAME_SIZE, limit, bold=True)
    note = cut(node.subtitle, NOTE_SIZE, limit)
    x, middle = box.x + STRIPE + 10, box.y + HEIGHT / 2
    dashes = ' stroke-dasharray="5 3"' if node.type == "missing" else ""
    parts = []
    if not node.groups:
        looks = f'rx="8" fill="{tint}" stroke="{colour}" stroke-width="1.2"{dashes}'
        parts.append(rect(box.x, box.y, box.w, box.h, looks))
    parts.append(_stripe(box, look))
    bold = f'font-size="{number(NAME_SIZE)}" font-weight="600" fill="{INK}"'
    parts.append(text_at(x, middle - 3 if note else middle + 4.5, name, bold))
    parts.append(text_at(x, middle + 13 if name else middle + 4, note, small()))
    return "".join(parts)


def _stripe(box: Box, look: Look) -> str:
    """Draws the coloured field with the icon of the type, at the left, or for a group in the corner."""
    x, y, tall = number(box.x), number(box.y), HEIGHT
    colour = look.colours[box.node.type][0]
    right, bottom = number(box.x + STRIPE), number(box.y + tall - 8)
    lower = (
        f"{bottom} a8 8 0 0 1 -8 8 H{x}"
        if box.node.groups
        else f"{number(box.y + tall)} h-26 a8 8 0 0 1 -8 -8"
    )
    field = f'<path d="M{right} {y} V{lower} V{number(box.y + 8)} a8 8 0 0 1 8 -8 Z" fill="{colour}"/>'
    sign = (
        f'<path transform="translate({number(box.x + STRIPE / 2 - 8)} {number(box.y + tall / 2 - 8)})" '
        f'd="{look.signs[box.node.type]}" fill="{"#ffffff" if box.node.type in look.solid else "none"}" '
        'stroke="#ffffff" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round"/>'
    )
    return field + sign


def _label(label: Label) -> str:
    caught = label.edge.kind == "catch"
    colour = LINES["catch"] if caught else "#334155"
    looks = 'fill="#fff5f5" stroke="#f3b4b4"' if caught else 'fill="#f8fafc" stroke="#cbd5e1"'
    pill = rect(label.x, label.y, label.w, label.h, f'rx="10" {looks}')
    middle, style = label.x + label.w / 2, f'{small(colour)} text-anchor="middle"'
    lines = "".join(
        text_at(middle, label.y + LINE_HEIGHT * at + 14, line, style)
        for at, line in enumerate(label_lines(label.edge.label))
    )
    return f"<g>{tooltip(label.edge.title)}{pill}{lines}</g>"


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
    text = " ".join(f"{number(x)},{number(y)}" for x, y in corners)
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
    return f"{number(point[0])} {number(point[1])}"


def _axial(one: Point, other: Point) -> bool:
    return abs(one[0] - other[0]) < 0.6 or abs(one[1] - other[1]) < 0.6


def _turns(one: Point, corner: Point, other: Point) -> bool:
    return (abs(one[0] - corner[0]) < 0.6) != (abs(corner[0] - other[0]) < 0.6)


def _length(one: Point, other: Point) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _toward(here: Point, there: Point, size: float) -> Point:
    length = _length(here, there) or 1.0
    return here[0] + (there[0] - here[0]) * size / length, here[1] + (there[1] - here[1]) * size / length
