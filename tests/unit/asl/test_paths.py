"""JSONPath, reference paths and intrinsic functions: what is taken, what is refused, what is read."""

from __future__ import annotations

import pytest

from stepsched.asl.diagnostics import Severity
from stepsched.asl.expressions import Finding, Reading
from stepsched.asl.paths import read_intrinsic, read_path, read_reference_path

PATHS = [
    "$",
    "$$",
    "$.a",
    "$.a.b.c",
    "$.a[0]",
    "$.a[-1]",
    "$.a[0,1]",
    "$.a[ 0 , 1 ]",
    "$.a[1:3]",
    "$.a[:2]",
    "$.a[-2:]",
    "$.a[*]",
    "$.*",
    "$[*]",
    "$.a.*",
    "$..b",
    "$..*",
    "$..[0]",
    "$..b[0].c",
    "$['a']",
    '$["a"]',
    "$['a']['b c']",
    "$['a','b']",
    "$['it\\'s']",
    "$.['a']",
    "$.my-key",
    "$.Straße.größe",
    "$.&Ж中",
    "$.a_b1",
    "$.store\\.book",
    "$.a@b",
    "$.x:y",
    "$.$",
    "$[0]",
    "$[0][1][2]",
    "$.a.length()",
    "$.a.min()",
    "$.a.b[*].sum()",
    "$.a.concat($.b, 'x')",
    "$.items[?(@.x > 3 && @.y == 'a')]",
    "$.items[?(@.x)]",
    "$.items[?(!@.x)]",
    "$.items[?(@.x == $.y.z)].id",
    "$.items[?(@.name =~ /foo.*/i)]",
    "$.items[?(@.n in ['a', 'b'])]",
    "$.items[?((@.a || @.b) && !(@.c))]",
    "$.items[?(@['a b'] >= -1.5e3)]",
    "$.items[?(@.x==true||@.y==null)]",
    "$.items[?(@ == 3)]",
    "$.items[?( @.a.length() < 2 )]",
    "$.items[?('x' in @.tags)]",
    "$.items[?(@.a[?(@.b)])]",
    "$.items[ ?(@.a) ]",
    "$.items[?(@.tags anyof ['x'])]",
    "$name",
    "$name.a[0]",
    "$name['x']",
    "$größe.a",
    "$$.Execution.Id",
    "$$['Execution']['Id']",
    "$$.Execution.Input.any.thing",
    "$$.Map.Item.Value.x",
    "$$.Map.Item.Index",
    "$$.Map.Item.Key",
    "$$.Map.Item.Source",
    "$$.Task.Token",
    "$$.State.EnteredTime",
    "$$.State.RetryCount",
    "$$.StateMachine.Name",
    "$$.Execution.RedriveCount",
]


@pytest.mark.parametrize("text", PATHS)
def test_a_path_of_the_dialect_has_no_finding(text: str) -> None:
    assert read_path(text).findings == ()


def only(reading: Reading) -> Finding:
    assert len(reading.findings) == 1
    return reading.findings[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "begins with $", id="empty"),
        pytest.param("a.b", "begins with $", id="no dollar"),
        pytest.param(" $.a", "begins with $", id="space before"),
        pytest.param("@.a", "begins with $", id="filter root outside a filter"),
        pytest.param("$.", "ends with a dot", id="only a dot"),
        pytest.param("$.a.", "ends with a dot", id="last dot"),
        pytest.param("$..", "ends with a dot", id="only dots"),
        pytest.param("$...a", "a field is missing", id="three dots"),
        pytest.param("$.a b", "out of place", id="space in a name"),
        pytest.param("$.a ", "out of place", id="space behind"),
        pytest.param("$.'a'", "a field is missing", id="quoted behind a dot"),
        pytest.param("$.a[", "brackets hold", id="open bracket"),
        pytest.param("$.a[]", "brackets hold", id="empty brackets"),
        pytest.param("$.a[x]", "brackets hold", id="bare name in brackets"),
        pytest.param("$.a['x]", "brackets hold", id="open quote"),
        pytest.param("$.a[0", "brackets hold", id="never closed"),
        pytest.param("$.a[1.5]", "brackets hold", id="fraction"),
        pytest.param("$.a]", "out of place", id="closed only"),
        pytest.param("$$$", "out of place", id="three dollars"),
        pytest.param("$1", "out of place", id="variable that begins with a digit"),
        pytest.param("${x}", "out of place", id="placeholder of a template"),
        pytest.param("$.a, $.b", "out of place", id="two paths"),
        pytest.param("$.a = 1", "out of place", id="comparison outside a filter"),
        pytest.param("$.a.median()", "'median' is no function", id="unknown function"),
        pytest.param("$.a.length(", "is expected, not the end", id="open function"),
        pytest.param("$.a[?(@.x > )]", "is expected, not ')]'", id="no right side"),
        pytest.param("$.a[?(@.x = 3)]", "compares with ==", id="single equals sign"),
        pytest.param("$.a[?()]", "is expected", id="empty filter"),
        pytest.param("$.a[?(@.x", "ends with )]", id="open filter"),
        pytest.param("$.a[?(@.x)", "ends with )]", id="filter without bracket"),
        pytest.param("$.a[?((@.x)]", "ends with )]", id="unbalanced filter"),
        pytest.param("$.a[?((@.x]", "never closed", id="open parenthesis"),
        pytest.param("$.a[?(x == 1)]", "is expected", id="bare name in a filter"),
        pytest.param("$.a[?(@.x in ['a'", "never closed", id="open array"),
        pytest.param("$[?(" * 2_000, "nests too deeply", id="deep"),
        pytest.param("$.a.length($" * 2_000, "nests too deeply", id="deep functions"),
    ],
)
def test_another_text_is_an_invalid_path(text: str, reason: str) -> None:
    finding = only(read_path(text))
    assert finding.severity is Severity.ERROR
    assert finding.code == "SCHEMA_VALIDATION_FAILED"
    assert finding.message.startswith(f"Invalid path {text!r}: ")
    assert reason in finding.message


@pytest.mark.parametrize(
    ("text", "variables", "states"),
    [
        pytest.param("$.a.b", set(), set(), id="input"),
        pytest.param("$$.Execution.Id", set(), {"context"}, id="context"),
        pytest.param("$order.id", {"order"}, set(), id="variable"),
        pytest.param("$.a[?(@.x == $limit && @.y != $$.State.Name)]", {"limit"}, {"context"}, id="filter"),
        pytest.param("$.concat($tail)", {"tail"}, set(), id="argument of a function"),
        pytest.param("$['$no']", set(), set(), id="dollar in a key"),
    ],
)
def test_a_path_reads_its_variables_and_the_context(text: str, variables: set[str], states: set[str]) -> None:
    assert read_path(text) == Reading(frozenset(variables), frozenset(states), ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("$$.Foo", "$$.Foo is not a known field; it has Execution, State,", id="first step"),
        pytest.param(
            "$$.Execution.Ident", "$$.Execution.Ident is not a known field; Execution has Id,", id="second"
        ),
        pytest.param(
            "$$['Task']['token']", "$$.Task.token is not a known field; Task has Token", id="brackets"
        ),
        pytest.param("$$.Map.Item.Name", "$$.Map.Item.Name is not a known field; Map.Item has", id="third"),
    ],
)
def test_an_unknown_field_of_the_context_is_a_warning(text: str, message: str) -> None:
    finding = only(read_path(text))
    assert (finding.severity, finding.code) == (Severity.WARNING, "SCHEMA_VALIDATION_FAILED")
    assert finding.message.startswith(message)


@pytest.mark.parametrize(
    "text",
    ["$", "$.a", "$.a.b[0].c", "$['a']['b']", "$[0]", "$.a[0][22][315].b", "$.my-key", "$.größe", "$.a\\.b"],
)
def test_a_reference_path_names_one_place(text: str) -> None:
    assert read_reference_path(text) == Reading(frozenset(), frozenset(), ())


@pytest.mark.parametrize(
    "text",
    [
        "$.*",
        "$..a",
        "$.a[*]",
        "$.a[-1]",
        "$.a[0,1]",
        "$.a[0:1]",
        "$['a','b']",
        "$.a[?(@.b)]",
        "$.a.length()",
        "$..[0]",
        "$$.Execution.Id",
        "$$",
        "$variable.a",
        "a",
        "",
        "null",
        "$.",
        "$.a b",
        "$.a[",
        "$.a[01]",
    ],
)
def test_what_names_several_places_or_none_is_no_reference_path(text: str) -> None:
    finding = only(read_reference_path(text))
    assert (finding.severity, finding.code) == (Severity.ERROR, "SCHEMA_VALIDATION_FAILED")
    assert finding.message.startswith(f"Invalid reference path {text!r}: ")


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


def test_an_unknown_escape_is_a_warning() -> None:
    finding = only(read_intrinsic(r"States.Format('a\n')"))
    assert (finding.severity, finding.code) == (Severity.WARNING, "SCHEMA_VALIDATION_FAILED")
    assert r"\n is unknown" in finding.message


def test_a_call_reads_what_its_arguments_read() -> None:
    reading = read_intrinsic("States.Format('$no {} {}', $a.x, States.Array($b, $$.Execution.Id))")
    assert reading == Reading(frozenset({"a", "b"}), frozenset({"context"}), ())


def test_what_was_read_before_a_mistake_is_kept() -> None:
    reading = read_intrinsic("States.Array($a, $$.Execution.Ident, oops)")
    assert reading[:2] == (frozenset({"a"}), frozenset({"context"}))
    assert [finding.severity for finding in reading.findings] == [Severity.ERROR, Severity.WARNING]


def test_readings_are_kept() -> None:
    assert read_path("$.kept") is read_path("$.kept")
    assert read_reference_path("$.kept") is read_reference_path("$.kept")
    assert read_intrinsic("States.UUID()") is read_intrinsic("States.UUID()")
