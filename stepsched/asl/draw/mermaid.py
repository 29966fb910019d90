"""Draws a graph as a Mermaid flowchart, which pages such as GitHub's show as a diagram.

It is a flowchart rather than a state diagram, since that allows any text in quotes, and groups as nodes.
https://mermaid.js.org/syntax/flowchart.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stepsched.asl.draw.palette import LINES, STATES, Look
from stepsched.asl.draw.reading import Edge, Graph, Node, graph
from stepsched.display.fitting import shorten

_SHAPES = {
    "start": '(("{}"))',
    "end": '((("{}")))',
    "Choice": '{{{{"{}"}}}}',
    "Wait": '(["{}"])',
    "Pass": '("{}")',
}
_BOX = '["{}"]'
_ARROWS = {"catch": "-.->"}
_NAME = 80
"""The maximum number of characters of a name."""


def to_mermaid(document: Mapping[str, Any]) -> str:
    """Returns the text of a diagram; the same document results in the same text.

    Args:
        document: A definition, valid or not.

    >>> print(to_mermaid({"StartAt": "Nap", "States": {"Nap": {"Type": "Succeed"}}}))
    flowchart TD
        s1((" "))
        s2["Nap"]
        s3(((" ")))
        s1 --> s2
        s2 --> s3
        classDef start fill:#334155,stroke:#334155,color:#334155
        class s1,s3 start
        classDef succeed fill:#f0fdf4,stroke:#15803d,color:#0f172a
        class s2 succeed
    <BLANKLINE>
    """
    return write_mermaid(graph(document), STATES)


def write_mermaid(drawn: Graph, look: Look) -> str:
    """Returns the text of a graph.

    Args:
        drawn: The graph.
        look: The colours of its nodes.
    """
    flow = list(_flow(drawn, 1))
    lines = ["flowchart TD", *flow, *_caught(flow), *_classes(drawn, look)]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """Writes everything except plain letters, digits and spaces as a character reference.

    Thus the text contains no quote, tag, link, list mark, directive or keyword of Mermaid, in any version.
    """
    text = text.replace(":fa-", ":\u200bfa-")  # would be read as the name of an icon
    harmless = "".join(c if c == " " or (c.isascii() and c.isalnum()) else f"#{ord(c)};" for c in text)
    return harmless.replace(
        "direction", "#100;irection"
    )  # the only keyword that Mermaid recognises inside quotes


def _label(node: Node) -> str:
    parts = [_text(shorten(part, _NAME)) for part in (node.name, node.subtitle) if part]
    # The title of a group has one line; Mermaid would draw a second one below its content.
    return (" #183; " if _is_group(node) else "<br/>").join(parts) or " "


def _is_group(node: Node) -> bool:
    return any(group.nodes for group in node.groups)


def _flow(drawn: Graph, depth: int) -> Iterator[str]:
    indent = "    " * depth
    for node in drawn.nodes:
        if _is_group(node):
            yield from _composite(node, depth)
        else:
            yield f"{indent}{node.id}{_SHAPES.get(node.type, _BOX).format(_label(node))}"
    composite = {node.id for node in drawn.nodes if _is_group(node)}
    for edge in drawn.edges:
        yield from (f"{indent}{line}" for line in _transition(edge, loops_on_group=edge.source in composite))


def _composite(node: Node, depth: int) -> Iterator[str]:
    indent = "    " * depth
    yield f'{indent}subgraph {node.id}["{_label(node)}"]'
    for number, group in enumerate(node.groups, 1):
        if group.nodes:
            name = _text(shorten(group.name, _NAME)) or " "
            yield f'{indent}    subgraph {node.id}g{number}["{name}"]'
            yield from _flow(group, depth + 2)
            yield f"{indent}    end"
    yield f"{indent}end"


def _transition(edge: Edge, *, loops_on_group: bool) -> Iterator[str]:
    arrow = _ARROWS.get(edge.kind, "-->")
    label = f'|"{_text(edge.label)}"|' if edge.label else ""
    if edge.source == edge.target and loops_on_group:
        # Mermaid cannot draw an arrow from a group to itself: the label becomes a node in between.
        yield f'{edge.source}{edge.kind}["{_text(edge.label or edge.kind)}"]'
        yield f"{edge.source} {arrow} {edge.source}{edge.kind}"
        yield f"{edge.source}{edge.kind} {arrow} {edge.target}"
    else:
        yield f"{edge.source} {arrow}{label} {edge.target}"


def _caught(flow: list[str]) -> Iterator[str]:
    """Colours the catches, which are identified by their index among all arrows."""
    arrows = [line for line in flow if "->" in line]
    caught = [str(place) for place, line in enumerate(arrows) if _ARROWS["catch"] in line]
    if caught:
        yield f"    linkStyle {','.join(caught)} stroke:{LINES['catch']}"


def _classes(drawn: Graph, look: Look) -> Iterator[str]:
    members: dict[str, list[str]] = {}
    for node in _all(drawn):
        members.setdefault("start" if node.type in ("start", "end") else node.type, []).append(node.id)
    for kind, ids in members.items():
        colour, tint = look.colours[kind]
        fill, ink = (colour, colour) if kind == "start" else (tint, "#0f172a")
        name = kind.lower()
        yield f"    classDef {name} fill:{fill},stroke:{colour},color:{ink}"
        yield f"    class {','.join(ids)} {name}"
    frames = [
        f"{node.id}g{n}" for node in _all(drawn) for n, group in enumerate(node.groups, 1) if group.nodes
    ]
    if frames:
        yield "    classDef branch fill:#ffffff,stroke:#94a3b8,color:#334155"
        yield f"    class {','.join(frames)} branch"


def _all(drawn: Graph) -> Iterator[Node]:
    for node in drawn.nodes:
        yield node
        for group in node.groups:
            yield from _all(group)
