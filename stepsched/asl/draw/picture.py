"""A finished layout: rectangles and lines in pixels, without colours and text sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from stepsched.asl.draw.reading import Edge, Node

Point = tuple[float, float]


class Box(NamedTuple):
    """A state; a state with branches contains frames."""

    node: Node
    x: float
    y: float
    w: float
    h: float


class Label(NamedTuple):
    """The condition of a transition."""

    edge: Edge
    x: float
    y: float
    w: float
    h: float


class Frame(NamedTuple):
    """The frame around the flow of a branch."""

    name: str
    x: float
    y: float
    w: float
    h: float


class Line(NamedTuple):
    """A transition or a part of one. It is curved between points that differ in both x and y."""

    kind: str
    points: tuple[Point, ...]
    arrow: bool


class Picture(NamedTuple):
    """All positions; the origin is the upper left corner. Boxes come before the boxes inside them."""

    width: float = 0
    height: float = 0
    boxes: tuple[Box, ...] = ()
    labels: tuple[Label, ...] = ()
    frames: tuple[Frame, ...] = ()
    lines: tuple[Line, ...] = ()


def moved(picture: Picture, x: float, y: float) -> Picture:
    """Returns the picture moved to the right and down."""
    return picture._replace(
        boxes=tuple(box._replace(x=box.x + x, y=box.y + y) for box in picture.boxes),
        labels=tuple(label._replace(x=label.x + x, y=label.y + y) for label in picture.labels),
        frames=tuple(frame._replace(x=frame.x + x, y=frame.y + y) for frame in picture.frames),
        lines=tuple(
            line._replace(points=tuple((px + x, py + y) for px, py in line.points)) for line in picture.lines
        ),
    )


def merged(outer: Picture, inner: Sequence[Picture]) -> Picture:
    """Returns the outer picture with the inner ones, which have its coordinates already."""
    return outer._replace(
        boxes=outer.boxes + tuple(box for each in inner for box in each.boxes),
        labels=outer.labels + tuple(label for each in inner for label in each.labels),
        frames=outer.frames + tuple(frame for each in inner for frame in each.frames),
        lines=outer.lines + tuple(line for each in inner for line in each.lines),
    )


def bounded(picture: Picture) -> Picture:
    """Returns the picture moved to the origin, and its size."""
    corners = list(_corners(picture))
    left, top = min(x for x, _ in corners), min(y for _, y in corners)
    right, bottom = max(x for x, _ in corners), max(y for _, y in corners)
    return moved(picture, -left, -top)._replace(width=right - left, height=bottom - top)


def _corners(picture: Picture) -> Iterable[Point]:
    things: list[Box | Label | Frame] = [*picture.boxes, *picture.labels, *picture.frames]
    for thing in things:
        yield thing.x, thing.y
        yield thing.x + thing.w, thing.y + thing.h
    for line in picture.lines:
        yield from line.points
