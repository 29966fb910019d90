"""JSONPath and reference paths: what is taken, what is refused, what is read."""

from __future__ import annotations

import pytest

from stepsched.asl.diagnostics import Severity
from stepsched.asl.expressions import Finding, Reading
from stepsched.asl.paths import read_path, read_reference_path

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
        pytest.param("$.a[?(@.x", "ends with )]", id="open filter"),
        pytest.param("$.a[?(@.x)", "ends with )]", id="filter without bracket"),
        pytest.param("$.a[?((@.x)]", "ends with )]", id="unbalanced filter"),
        pytest.param("$.a[?((@.x]", "never closed", id="open parenthesis"),
        pytest.param("$.a[?(@.x in ['a'", "never closed", id="open array"),
        pytest.param("$[?(" * 2_000, "nests too deeply", id="deep"),
        pytest.param("$=1", "out of place", id="odd sign behind the root"),
        pytest.param("$['a']=1", "out of place", id="odd sign behind brackets"),
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
    ("text", "reason"),
    [
        pytest.param("$.a[?(@.x==es)]", "text in quotes", id="text without quotes"),
        pytest.param("$.a[?(@.x==it's)].b", "text in quotes", id="lone quote"),
        pytest.param("$.a[?(@.x > )]", "is expected, not ')]'", id="no right side"),
        pytest.param("$.a[?(@.x = 3)]", "compares with ==", id="single equals sign"),
        pytest.param("$.a[?()]", "is expected", id="empty filter"),
        pytest.param("$.a[?(x == 1)]", "is expected", id="bare name"),
        pytest.param("$.a[?(@.x like 'y')]", "ends with )]", id="unknown operator"),
        pytest.param("$.a[?(@.b[?(@.c==d)])]", "'[?(@.c==d)]'", id="nested"),
    ],
)
def test_a_filter_that_is_closed_is_a_doubt_whatever_it_holds(text: str, reason: str) -> None:
    """AWS stores such filters, and they may select nothing: aws-samples parallel-translate and
    textract-analyze-expense-tf, asl-validator#150, aws-batch-runtime-monitoring#6."""
    finding = only(read_path(text))
    assert (finding.severity, finding.code) == (Severity.WARNING, "DOUBTFUL_PATH")
    assert reason in finding.message


@pytest.mark.parametrize("text", ["$.a=1", "$.a,b", "$.a.b<3.c", "$.a'b'", "$.a[0].b|c"])
def test_an_odd_sign_in_a_name_is_a_doubt(text: str) -> None:
    finding = only(read_path(text))
    assert (finding.severity, finding.code) == (Severity.WARNING, "DOUBTFUL_PATH")
    assert "quote odd names" in finding.message


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
    assert (finding.severity, finding.code) == (Severity.WARNING, "UNKNOWN_FIELD")
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


@pytest.mark.parametrize("text", ["$.a[0]", "$name", "$name.a['b']", "$$.Execution.Input.n", "$$"])
def test_a_reference_path_that_is_read_may_begin_with_a_variable_or_the_context(text: str) -> None:
    reading = read_reference_path(text, of_variables=True, of_context=True)
    assert reading == read_path(text)
    assert reading.findings == ()


def test_a_reference_path_of_a_number_of_a_map_does_not_begin_with_the_context() -> None:
    """Refused as "Value is not a Reference Path": floci-io/floci#3733, us-east-1, 2026-09-16."""
    finding = only(read_reference_path("$$.Execution.Input.n", of_variables=True))
    assert finding.severity is Severity.ERROR
    assert "the context object cannot be read here" in finding.message


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("$.a[-1]", "DOUBTFUL_PATH", id="from-the-end"),
        pytest.param("$$.Execution.Ident", "UNKNOWN_FIELD", id="unknown-field"),
    ],
)
def test_a_doubtful_reference_path_that_is_read_is_a_warning(text: str, code: str) -> None:
    finding = only(read_reference_path(text, of_variables=True, of_context=True))
    assert (finding.severity, finding.code) == (Severity.WARNING, code)


def test_readings_are_kept() -> None:
    assert read_path("$.kept") is read_path("$.kept")
    assert read_reference_path("$.kept") is read_reference_path("$.kept")
