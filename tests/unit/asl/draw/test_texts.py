"""Diagrams as text, for Mermaid and for Graphviz: what real parsers took is kept to by rules on the text."""

from __future__ import annotations

import re
from typing import Any

import pytest

from stepsched.asl.draw import Graph, graph, to_dot, to_mermaid
from tests.unit.asl.draw.definitions import HOSTILE, LOOP, NAMED, NESTED, hostile, random_definition

# One line of a flowchart. Texts hold letters, digits, spaces, character references and line breaks only.
_TEXT = r"(?:[A-Za-z0-9 ]|#\d+;|<br/>)+"
_SHAPES = (("[", "]"), ("(", ")"), ("([", "])"), ("((", "))"), ("(((", ")))"), ("{{", "}}"))
_SHAPE = "|".join(rf'{re.escape(before)}"{_TEXT}"{re.escape(after)}' for before, after in _SHAPES)
_COLOUR = "#[0-9a-f]{6}"
_MERMAID_LINES = (
    "flowchart TD",
    rf"\s+s\d+[a-z]*(?:{_SHAPE})",
    rf'\s+subgraph s\d+(?:g\d+)?\["{_TEXT}"\]',
    r"\s+end",
    rf'\s+s\d+[a-z]* (?:-->|-\.->)(?:\|"{_TEXT}"\|)? s\d+[a-z]*',
    rf"\s+classDef [a-z]+ fill:{_COLOUR},stroke:{_COLOUR},color:{_COLOUR}",
    r"\s+class [sg0-9,]+ [a-z]+",
    rf"\s+linkStyle [0-9,]+ stroke:{_COLOUR}",
)
_MERMAID = re.compile("|".join(f"(?:{line})" for line in _MERMAID_LINES))
_QUOTED = r'"(?:[^"\\\n]|\\.)*"'
_ATTRIBUTES = rf"\[\w+=(?:{_QUOTED}|[\w.]+)(?:, \w+=(?:{_QUOTED}|[\w.]+))*\]"
_DOT_LINES = (
    r"digraph definition \{",
    r"\s*\}",
    r"\s+subgraph cluster_s\d+(?:g\d+)? \{",
    rf"\s+(?:graph|node|edge|s\d+(?:out)?) {_ATTRIBUTES}",
    rf"\s+s\d+(?:out)? -> s\d+(?:out)? {_ATTRIBUTES}",
)
_DOT = re.compile("|".join(f"(?:{line})" for line in _DOT_LINES))


def _check_mermaid(document: dict[str, Any]) -> None:
    for line in to_mermaid(document).splitlines():
        assert _MERMAID.fullmatch(line), line
        assert not re.search(r"direction\s", line), line


def _check_dot(document: dict[str, Any]) -> None:
    text = to_dot(document)
    for line in text.splitlines():
        assert _DOT.fullmatch(line), line
    assert text.encode()
    bare = re.sub(_QUOTED, "", text)
    assert bare.count("{") == bare.count("}")


@pytest.mark.parametrize("document", NAMED.values(), ids=NAMED)
def test_every_line_is_of_the_language(document: dict[str, Any]) -> None:
    _check_mermaid(document)
    _check_dot(document)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_text_leaves_its_quotes(text: str) -> None:
    _check_mermaid(hostile(text))
    _check_dot(hostile(text))


@pytest.mark.parametrize("seed", range(30))
def test_random_definitions_too(seed: int) -> None:
    document = random_definition(seed)
    _check_mermaid(document)
    _check_dot(document)
    assert (to_mermaid(document), to_dot(document)) == (to_mermaid(document), to_dot(document))


def _decoded(text: str) -> str:
    return re.sub(r"#(\d+);", lambda match: chr(int(match[1])), text)


def _names(drawn: Graph) -> list[str]:
    inner = [name for node in drawn.nodes for group in node.groups for name in _names(group)]
    return [node.name for node in drawn.nodes if node.name] + inner


@pytest.mark.parametrize("document", [LOOP, NESTED])
def test_every_state_and_label_is_there(document: dict[str, Any]) -> None:
    for text in (_decoded(to_mermaid(document)), to_dot(document)):
        said = [*_names(graph(document)), *(edge.label for edge in graph(document).edges)]
        assert all(each in text for each in said)


def test_catches_are_red() -> None:
    arrows = [line for line in to_mermaid(LOOP).splitlines() if "->" in line]
    caught = [place for place, line in enumerate(arrows) if "-.->" in line]
    assert len(caught) == 1
    assert f"    linkStyle {caught[0]} stroke:#c81e1e\n" in to_mermaid(LOOP)


def test_what_mermaid_reads_inside_of_quotes_is_broken_up() -> None:
    text = to_mermaid({"States": {"direction LR fa:fa-car": {}}})
    assert "#100;irection LR" in text
    assert "fa#58;#8203;fa#45;car" in text


def test_branches_are_groups() -> None:
    assert to_mermaid(NESTED).count("subgraph ") == 5
    assert to_dot(NESTED).count("subgraph cluster_") == 5


def test_a_group_that_leads_to_itself_goes_by_a_node() -> None:
    branch = {"StartAt": "x", "States": {"x": {"Type": "Succeed"}}}
    both = {
        "Type": "Parallel",
        "Branches": [branch],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "both"}],
    }
    lines = to_mermaid({"StartAt": "both", "States": {"both": both}}).splitlines()
    assert '    s2catch["any error"]' in lines
    assert "    s2catch -.-> s2" in lines


def test_graphviz_sees_backslashes_and_references_as_text() -> None:
    text = to_dot({"States": {'a\\N "b" &lt;': {"Type": "Pass"}}})
    assert 'label="a\\\\N \\"b\\" &amp;lt;"' in text
