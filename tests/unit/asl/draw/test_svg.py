"""The picture: well-formed, harmless, complete and readable."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from stepsched.asl.draw import Graph, graph, to_svg
from stepsched.display.fitting import width
from tests.unit.asl.draw.definitions import CHAIN, HOSTILE, LOOP, NAMED, NESTED, hostile, random_definition

SVG = "{http://www.w3.org/2000/svg}"
KNOWN = {"svg", "g", "rect", "path", "circle", "polygon", "text", "title"}


def _read(document: dict[str, Any]) -> ET.Element:
    return ET.fromstring(to_svg(document))


def _check(document: dict[str, Any]) -> None:
    root = _read(document)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= KNOWN
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not attributes & {"id", "class", "href"}
    assert not any(name.startswith("on") for name in attributes)
    whole, high = float(root.attrib["width"]), float(root.attrib["height"])
    assert root.attrib["viewBox"] == f"0 0 {root.attrib['width']} {root.attrib['height']}"
    margin = 22
    for text in root.iter(f"{SVG}text"):
        size = float(text.attrib["font-size"])
        wide = width(text.text or "", size, bold="font-weight" in text.attrib)
        x, y = float(text.attrib["x"]) + margin, float(text.attrib["y"]) + margin
        left = x - wide / 2 if text.attrib.get("text-anchor") == "middle" else x
        assert left >= 0
        assert left + wide <= whole
        assert size <= y <= high
    for element in root.iter():
        assert "nan" not in " ".join(element.attrib.values())


@pytest.mark.parametrize("document", NAMED.values(), ids=NAMED)
def test_a_picture_is_well_formed_and_texts_stay_inside(document: dict[str, Any]) -> None:
    _check(document)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_texts_are_text_and_nothing_else(text: str) -> None:
    _check(hostile(text))
    to_svg(hostile(text)).encode()


def _names(drawn: Graph) -> list[str]:
    inner = [name for node in drawn.nodes for group in node.groups for name in _names(group)]
    return [node.name for node in drawn.nodes if node.name] + inner


@pytest.mark.parametrize("document", [LOOP, NESTED, CHAIN, random_definition(5)])
def test_every_state_is_named(document: dict[str, Any]) -> None:
    texts = [text.text for text in _read(document).iter(f"{SVG}text")]
    assert sorted(_names(graph(document))) == sorted(
        text for text in texts if text in set(_names(graph(document)))
    )


def test_texts_stay_inside_of_their_boxes() -> None:
    for group in _read(
        {"StartAt": "m" * 80, "States": {"m" * 80: {"Type": "Wait", "Comment": "w" * 99}}}
    ).iter(f"{SVG}g"):
        box = group.find(f"{SVG}rect")
        for text in group.findall(f"{SVG}text") if box is not None else ():
            assert box is not None
            wide = width(text.text or "", float(text.attrib["font-size"]), bold="font-weight" in text.attrib)
            assert (text.text or "").endswith("…")
            assert float(text.attrib["x"]) + wide <= float(box.attrib["x"]) + float(box.attrib["width"])


def test_tooltips_have_what_was_cut() -> None:
    condition = " or ".join(f"$x = {number}" for number in range(40))
    choice = {"Type": "Choice", "Choices": [{"Condition": f"{{% {condition} %}}", "Next": "n" * 80}]}
    titles = [title.text for title in _read({"States": {"n" * 80: choice}}).iter(f"{SVG}title")]
    assert condition in titles
    assert any(title and "n" * 80 in title for title in titles)


def test_it_says_what_it_is_to_those_who_cannot_see_it() -> None:
    root = _read(LOOP)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == "Runs a job every day, 8 states"


def test_it_brings_a_background() -> None:
    background = _read(LOOP)[0]
    assert background.tag == f"{SVG}rect"
    assert background.attrib["fill"] == "#ffffff"


def test_catches_are_dashed_and_red() -> None:
    dashed = [path for path in _read(LOOP).iter(f"{SVG}path") if "stroke-dasharray" in path.attrib]
    assert dashed
    assert {path.attrib["stroke"] for path in dashed} == {"#c81e1e"}


def test_nothing_is_loaded() -> None:
    text = to_svg(NESTED).replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|url\(|@import|<style|<script|<use|<image", text)


@pytest.mark.parametrize("document", [LOOP, NESTED, random_definition(3)])
def test_the_same_document_gives_the_same_text(document: dict[str, Any]) -> None:
    assert to_svg(document) == to_svg(document)
