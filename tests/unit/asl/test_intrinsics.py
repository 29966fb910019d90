"""Intrinsic functions: what is taken, what is refused, what is read."""

from __future__ import annotations

import pytest

from stepsched.asl.diagnostics import Severity
from stepsched.asl.expressions import Reading
from stepsched.asl.intrinsics import read_intrinsic
from tests.unit.asl.test_paths import only

NESTED = "States.Array(" * 10 + "States.UUID()" + ")" * 10

INTRINSICS = [
    "States.UUID()",
    "States.UUID( )",
    "States.Format('a')",
    "States.Format('{} of {}', $.a, 'b')",
    "States.Format('')",
    "States.Format($.template, $.a, $.b)",
    r"States.Format('\{\} {} \'q\' \\', 1)",
    "States.Array()",
    "States.Array(1, -2.5, 1e3, true, false, null, 'x', $.a, $$.Execution.Id, $v.b)",
    "States.StringToJson($.a)",
    "States.JsonToString($)",
    "States.ArrayPartition($.a, 4)",
    "States.ArrayContains($.a, $.b)",
    "States.ArrayRange(1, 9, 2)",
    "States.ArrayGetItem($.a[?(@.x == ')')], 5)",
    "States.ArrayLength($.a)",
    "States.ArrayUnique($.a)",
    "States.Base64Encode('Data to encode')",
    "States.Base64Decode($.a)",
    "States.Hash($.a, 'SHA-1')",
    "States.Hash($.a, $.b)",
    "States.JsonMerge($.a, $.b, false)",
    "States.MathRandom(1, 999)",
    "States.MathRandom(1, 999, $.seed)",
    "States.MathAdd($.a, -1)",
    "States.StringSplit($.a, ',')",
    "States.Format('{}',States.JsonToString($.a))",
    "States.ArrayGetItem(States.StringSplit($.a, '/'), States.MathAdd(States.ArrayLength($.b), -1))",
    "States.Format('zeile\n{}', $.größe)",
    "States.Hash('x', 'MD5')",
    "States.ArrayLength($.a.keys())",
    NESTED,
]


@pytest.mark.parametrize("text", INTRINSICS)
def test_a_call_of_the_language_has_no_finding(text: str) -> None:
    assert read_intrinsic(text).findings == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "is expected", id="empty"),
        pytest.param("$.a", "is expected", id="path"),
        pytest.param("States.Format", "is expected", id="no call"),
        pytest.param("states.Format('a')", "is expected", id="small letter"),
        pytest.param("States.Fromat('a')", "did you mean States.Format?", id="misspelt"),
        pytest.param("States.Now()", "does not exist", id="unknown"),
        pytest.param("States.UUID(1)", "takes 0 arguments, not 1", id="too many"),
        pytest.param("States.ArrayLength()", "takes 1 argument, not 0", id="too few"),
        pytest.param("States.MathRandom(1)", "takes 2 to 3 arguments, not 1", id="between"),
        pytest.param("States.Format()", "takes 1 or more arguments, not 0", id="no end"),
        pytest.param("States.Format('{} {}', $.a)", "has 2 places {} for 1 values", id="value missing"),
        pytest.param("States.Format('{}', $.a, $.b)", "has 1 places {} for 2 values", id="value left over"),
        pytest.param(r"States.Format('\{\}', $.a)", "has 0 places {} for 1 values", id="escaped place"),
        pytest.param("States.Format('{0}', $.a)", "braces other than {}", id="numbered place"),
        pytest.param("States.Format('{', $.a)", "braces other than {}", id="lone brace"),
        pytest.param("States.Format(1)", "is text, not 1", id="template of another kind"),
        pytest.param('States.Format("a")', "single quotes", id="double quotes"),
        pytest.param("States.Format('a)", "never closed", id="open text"),
        pytest.param("States.Format('it's')", "separated by commas", id="bare quote"),
        pytest.param("States.Format('a'", "separated by commas", id="open call"),
        pytest.param("States.Format('a',)", "an argument is", id="last comma"),
        pytest.param("States.Array(1 2)", "separated by commas", id="no comma"),
        pytest.param("States.Array(foo)", "an argument is", id="bare name"),
        pytest.param("States.Array(1x)", "an argument is", id="bad number"),
        pytest.param("States.Array(", "not the end", id="ends early"),
        pytest.param("States.Array($.)", "a field is missing", id="bad path"),
        pytest.param("States.UUID() + 1", "stands behind", id="something behind"),
        pytest.param("States.Hash($.a, 'SHA1')", "no algorithm 'SHA1'", id="algorithm"),
        pytest.param("States.JsonMerge($.a, $.b, true)", "merging is shallow", id="deep merge"),
        pytest.param(f"States.Array({NESTED})", "nest at most 10", id="nested"),
    ],
)
def test_another_text_is_an_invalid_call(text: str, reason: str) -> None:
    finding = only(read_intrinsic(text))
    assert (finding.severity, finding.code) == (Severity.ERROR, "SCHEMA_VALIDATION_FAILED")
    assert finding.message.startswith(f"Invalid intrinsic function {text!r}: ")
    assert reason in finding.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(r"States.Format('a\n')", r"\n is unknown", id="newline"),
        pytest.param(
            r"""States.StringToJson('{"a":"An \"x\" y"}')""", r"\" is unknown", id="double-quote-in-json"
        ),
        pytest.param(
            r"""States.Format('He said, \"{}!\"', 'T \"N\" H')""", r"\" is unknown", id="double-quote"
        ),
        pytest.param(r"States.Format('{}', '\u0041')", r"\u is unknown", id="in-a-value"),
    ],
)
def test_an_unknown_escape_is_refused(text: str, reason: str) -> None:
    """Recorded with a double quote: "must be a valid JSONPath or a valid intrinsic function call", LocalStack
    test_illegal_escapes, 2025-02."""
    finding = only(read_intrinsic(text))
    assert (finding.severity, finding.code) == (Severity.ERROR, "SCHEMA_VALIDATION_FAILED")
    assert reason in finding.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("States.ArrayLength('abc')", "takes an array here", id="array"),
        pytest.param("States.ArrayGetItem(5, 0)", "takes an array here", id="item-of-a-number"),
        pytest.param("States.JsonMerge('{}', $.b, false)", "takes an object here", id="object"),
        pytest.param("States.ArrayPartition($.a, 0)", "at least 1 item", id="parts-of-nothing"),
        pytest.param("States.ArrayRange(0, 1000, 1)", "at most 1,000 items", id="1001-items"),
        pytest.param("States.ArrayRange(0, 9, 0)", "other than 0", id="no-step"),
        pytest.param(f"States.Base64Encode('{'x' * 10_001}')", "10,000 characters", id="long-text"),
    ],
)
def test_a_literal_that_always_fails_is_refused(text: str, reason: str) -> None:
    finding = only(read_intrinsic(text))
    assert finding.severity is Severity.ERROR
    assert reason in finding.message


@pytest.mark.parametrize(
    "text", ["States.ArrayRange(0, 999, 1)", "States.ArrayRange(9, -9, -1)", "States.ArrayPartition($.a, 1)"]
)
def test_a_literal_at_the_limit_is_taken(text: str) -> None:
    assert read_intrinsic(text).findings == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("States.MathAdd(1, '-1')", "takes a number here, not '-1'", id="number-as-text"),
        pytest.param("States.MathRandom(1, true)", "takes a number here, not true", id="true"),
        pytest.param("States.Base64Encode(5)", "takes text here, not 5", id="text-as-number"),
        pytest.param("States.StringSplit($.a, 1)", "takes text here, not 1", id="delimiter"),
    ],
)
def test_a_literal_of_another_type_is_a_doubt(text: str, reason: str) -> None:
    finding = only(read_intrinsic(text))
    assert (finding.severity, finding.code) == (Severity.WARNING, "DOUBTFUL_VALUE")
    assert reason in finding.message


def test_a_call_reads_what_its_arguments_read() -> None:
    reading = read_intrinsic("States.Format('$no {} {}', $a.x, States.Array($b, $$.Execution.Id))")
    assert reading == Reading(frozenset({"a", "b"}), frozenset({"context"}), ())


def test_what_was_read_before_a_mistake_is_kept() -> None:
    reading = read_intrinsic("States.Array($a, $$.Execution.Ident, oops)")
    assert reading[:2] == (frozenset({"a"}), frozenset({"context"}))
    assert [finding.severity for finding in reading.findings] == [Severity.ERROR, Severity.WARNING]


def test_readings_are_kept() -> None:
    assert read_intrinsic("States.UUID()") is read_intrinsic("States.UUID()")
