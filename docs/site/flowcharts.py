"""The flowcharts of the pages as pictures: GitHub draws their Mermaid, and here stepsched does.

The script that draws Mermaid in a browser would come from another host. These flowcharts are those that
``to_mermaid`` of a state machine or workflow has written, so they have one node or arrow a line.
"""

from __future__ import annotations

import re

from stepsched.asl.draw.layout import lay_out
from stepsched.asl.draw.palette import STATES, Look
from stepsched.asl.draw.reading import Edge, Graph, Node
from stepsched.asl.draw.svg import shapes
from stepsched.display.svg import sheet
from stepsched.workflows.pictures.statuses import LOOK

_FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NODE = re.compile(r'^\s+(s\d+)[\[({]+"(.*)"[\])}]+$', re.MULTILINE)
_ARROW = re.compile(r'^\s+(s\d+) (-->|-\.->)(?:\|"(.*)"\|)? (s\d+)$', re.MULTILINE)
_CLASS = re.compile(r"^\s+class ([\w,]+) (\w+)$", re.MULTILINE)
_KINDS = {"-->": "next", "-.->": "catch"}
_LOOK = Look({**STATES.colours, **LOOK.colours}, {**STATES.signs, **LOOK.signs}, STATES.solid | LOOK.solid)


def with_pictures(markdown: str) -> str:
    """Replaces the flowcharts of a page by pictures."""
    return _FENCE.sub(lambda fence: f'<div class="output">{picture_of(fence[1])}</div>', markdown)


def picture_of(flowchart: str) -> str:
    """Draws a flowchart as SVG.

    Raises:
        ValueError: The flowchart has a line that is not known here.
    """
    known = (r"flowchart TD", r"\s+(?:classDef|linkStyle) .*", _NODE.pattern, _ARROW.pattern, _CLASS.pattern)
    for line in flowchart.splitlines():
        if not any(re.fullmatch(pattern, line) for pattern in known):
            raise ValueError(f"expected a node, an arrow or a class, got {line!r}")
    types = {name: kind for names, kind in _CLASS.findall(flowchart) for name in names.split(",")}
    nodes = [_node(name, label, types[name]) for name, label in _NODE.findall(flowchart)]
    edges = [
        Edge(source, target, _KINDS[arrow], _text(label), _text(label))
        for source, arrow, label, target in _ARROW.findall(flowchart)
    ]
    picture = lay_out(Graph(tuple(nodes), tuple(edges)))
    drawn = sum(bool(node.name) for node in nodes)
    return sheet(picture.width, picture.height, f"Flowchart of {drawn} steps", shapes(picture, _LOOK))


def _node(name: str, label: str, kind: str) -> Node:
    title, _, subtitle = label.partition("<br/>")
    text, small = _text(title).strip(), _text(subtitle)
    type_ = next(each for each in _LOOK.colours if each.lower() == kind)
    return Node(name, text, type_ if text else "start", small, f"{text}\n{small}".strip())


def _text(label: str) -> str:
    """A text in which Mermaid's character references, such as ``#44;``, are replaced."""
    return re.sub(r"#(\d+);", lambda reference: chr(int(reference[1])), label)
