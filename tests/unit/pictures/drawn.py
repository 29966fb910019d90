"""Reads pictures, and looks whether they are harmless, readable and of bounded size."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import NamedTuple

from stepsched.display.fitting import width
from stepsched.display.svg import PAGE, SHEET

SVG = "{http://www.w3.org/2000/svg}"
TAGS = {"svg", "g", "rect", "path", "line", "circle", "text", "tspan", "title"}
MOST_BYTES = 60_000
MARGIN = 22
HOSTILE = "<script>alert('&')</script>\"]]>$x^2$\u202e\x00"


class Text(NamedTuple):
    """A text of a picture, with its left end and its base line inside the margin."""

    x: float
    y: float
    text: str
    size: float
    anchor: str
    color: str
    is_bold: bool

    @property
    def left(self) -> float:
        wide = width(self.text, self.size, bold=self.is_bold)
        return self.x - {"middle": wide / 2, "end": wide}.get(self.anchor, 0)

    @property
    def right(self) -> float:
        return self.left + width(self.text, self.size, bold=self.is_bold)


def read(svg: str) -> ET.Element:
    """Returns the element of a picture after a look at it."""
    root = ET.fromstring(svg)
    assert len(svg.encode()) <= MOST_BYTES
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= TAGS
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not attributes & {"id", "class", "href"}
    assert not any(name.startswith("on") for name in attributes)
    outside = svg.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"<style|<script|<use|<image|@import|https?:", outside)
    assert "nan" not in " ".join(element.attrib.get("d", "") for element in root.iter())
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"]
    whole, high = float(root.attrib["width"]), float(root.attrib["height"])
    for text in texts(root):
        assert -MARGIN <= text.left <= text.right <= whole - MARGIN, text
        assert 0 <= text.y <= high - MARGIN, text
    return root


def texts(root: ET.Element) -> list[Text]:
    """Returns all texts that are seen."""
    return list(_texts(root, {}, 0, 0))


def _texts(element: ET.Element, given: dict[str, str], dx: float, dy: float) -> Iterator[Text]:
    here = given | element.attrib
    moved = re.fullmatch(r"translate\(([-\d.]+) ([-\d.]+)\)", element.attrib.get("transform", ""))
    if moved is not None and element.attrib["transform"] != f"translate({MARGIN} {MARGIN})":
        dx, dy = dx + float(moved[1]), dy + float(moved[2])
    if element.tag in (f"{SVG}text", f"{SVG}tspan") and element.text:
        yield Text(
            float(here["x"]) + dx,
            float(here["y"]) + dy,
            element.text,
            float(here["font-size"]),
            here.get("text-anchor", ""),
            here["fill"],
            "font-weight" in here,
        )
    for child in element:
        yield from _texts(child, here, dx, dy)


def written(root: ET.Element) -> list[str]:
    """Returns the texts that are seen, in the order in which they are drawn."""
    return [text.text for text in texts(root)]


def tooltips(root: ET.Element) -> list[str]:
    """Returns all tooltips."""
    return [title.text or "" for title in root.iter(f"{SVG}title")]


def titled(root: ET.Element) -> dict[str, str]:
    """Returns the paths that have tooltips, by these."""
    return {
        title.text or "": element.attrib["d"]
        for element in root.iter(f"{SVG}path")
        for title in element.findall(f"{SVG}title")
    }


def colors(root: ET.Element) -> set[str]:
    """Returns the colors of texts."""
    return {text.color for text in texts(root)}


def luminance(color: str) -> float:
    """Returns the relative luminance of a color, as WCAG 2.2 defines it."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Returns the contrast of two colors."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mixed(color: str, ground: str, share: float) -> str:
    """Returns the color of an area of some opacity on a ground."""
    pairs = [(int(color[at : at + 2], 16), int(ground[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(share * one + (1 - share) * other):02x}" for one, other in pairs)


PAINTS = (SHEET, PAGE)
