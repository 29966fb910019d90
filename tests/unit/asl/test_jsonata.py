"""The syntax of JSONata: what the reference implementation takes and refuses, this reader does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stepsched.asl.jsonata import JsonataError, Node, parse, walk

# Verdicts of the reference implementation, npm jsonata 2.0.6, over generated text: "ok" or its error code.
VERDICTS = [
    tuple(json.loads(line))
    for line in (Path(__file__).parents[2] / "data" / "jsonata_syntax.jsonl").read_text("utf-8").splitlines()
]


def test_the_table_holds_both_verdicts() -> None:
    verdicts = [verdict == "ok" for _, verdict in VERDICTS]
    assert verdicts.count(True) == verdicts.count(False) == 700


@pytest.mark.parametrize("is_taken", [True, False])
def test_the_verdict_is_the_reference_implementation_s(is_taken: bool) -> None:
    wrong = []
    for text, verdict in VERDICTS:
        if (verdict == "ok") is not is_taken:
            continue
        try:
            parse(text)
            taken = True
        except JsonataError:
            taken = False
        if taken is not is_taken:
            wrong.append((text, verdict))
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("'a", "S0101", id="open string"),
        pytest.param("1e999", "S0102", id="huge number"),
        pytest.param(r"'\x41'", "S0103", id="escape"),
        pytest.param(r"'\u12'", "S0104", id="short escape"),
        pytest.param("`a", "S0105", id="open name"),
        pytest.param("/* a", "S0106", id="open comment"),
        pytest.param("a b", "S0201", id="out of place"),
        pytest.param("[1, 2", "S0203", id="open array"),
        pytest.param("{'a' 1}", "S0202", id="no colon"),
        pytest.param("1 +", "S0207", id="too early"),
        pytest.param("function(a){1}", "S0208", id="parameter"),
        pytest.param("+ 1", "S0211", id="no prefix"),
        pytest.param("a := 1", "S0212", id="bound to a name"),
        pytest.param("a.1", "S0213", id="literal step"),
        pytest.param("a@b", "S0214", id="focus"),
        pytest.param("a ? : b", "S0211", id="elvis, of a later version"),
        pytest.param("a ?? b", "S0211", id="coalescing, of a later version"),
        pytest.param("(" * 1_000, "U1001", id="deep"),
    ],
)
def test_a_mistake_has_the_reference_s_code_and_its_place(text: str, code: str) -> None:
    with pytest.raises(JsonataError) as caught:
        parse(text)
    assert caught.value.code == code
    assert 0 <= caught.value.position <= len(text)
    assert str(caught.value).startswith(f"{code}: ")


def shape(node: Node) -> object:
    return [f"{node.kind} {node.text}", *map(shape, node.parts)] if node.parts else f"{node.kind} {node.text}"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        pytest.param(
            "1 + 2 * 3",
            ["binary +", "number 1", ["binary *", "number 2", "number 3"]],
            id="power",
        ),
        pytest.param("$states.input", ["binary .", "variable states", "name input"], id="path"),
        pytest.param(
            "$x := $y := 1",
            ["bind x", "variable x", ["bind y", "variable y", "number 1"]],
            id="right to left",
        ),
        pytest.param("and and or", ["binary and", "name and", "name or"], id="words as names"),
        pytest.param("function($v){$v}", ["lambda function", "variable v", "variable v"], id="lambda"),
        pytest.param("$f(?, 1)", ["partial (", "variable f", "placeholder ?", "number 1"], id="partial"),
    ],
)
def test_a_tree_has_the_shape_of_its_meaning(text: str, tree: object) -> None:
    assert shape(parse(text)) == tree


def test_walking_meets_every_part() -> None:
    names = [
        node.text for node in walk(parse("$map(a.b, function($v){$sum([$v, c])})")) if node.kind == "name"
    ]
    assert names == ["a", "b", "c"]
