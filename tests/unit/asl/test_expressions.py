"""Expressions: what Step Functions takes of JSONata, what each reads, and how a mistake is told."""

from __future__ import annotations

import pytest

from stepsched.asl.diagnostics import Severity
from stepsched.asl.expressions import Finding, Reading, read_expression

INVALID = "INVALID_JSONATA_EXPRESSION"
UNSUPPORTED = "UNSUPPORTED_JSONATA_EXPRESSION"

VALID = [
    "1",
    "'text'",
    "'text'[0]",
    "/a+/i",
    "null",
    "-1.5e3",
    "[]",
    "[1..5]",
    "{}",
    "()",
    "{'a': 1, \"b\": [true, null]}",
    "$states",
    "$states.input",
    "$states.input.*",
    "$states.input.**.id",
    "$states.*",
    "$states.'input'.x",
    "$states.`input`.`odd name`",
    "$states.context.Execution.Input.any.thing",
    "$states.context.Map.Item.Value[0].x",
    "$states.context.(Execution & State)",
    "$states.context.*",
    "$states.context[0].Task.Token",
    "$states.errorOutput.Cause ~> $parse",
    "$states.input.items[price > 3 and $.name = 'x']",
    "$states.input.items[0].name",
    "$states.input.items[-1]",
    "$states.input.items[].name",
    "$states.input.items^(>price, name)",
    "$states.input.items^(price)[0].name",
    "$states.input.items{kind: $sum(price)}",
    "$states.input.items.{'id': id, 'n': $, 'up': %.name}",
    "$states.input.items.(name & '-' & $.kind)",
    "$states.input.items.($x := price; $x * 2)",
    "$states.input.items.'x'",
    "$states.input.items.(%.name)",
    "$states.input.items.*",
    "$states.input.items[$not(deleted)].tags[$ = 'x']",
    "$states.input.items.$uppercase(name)",
    "$states.input.items.$string()",
    "$states.input.items.function($v){ name & $v }(1)",
    "$states.input.items.$map(sub, function($v){ name })",
    "$states.input.orders@$o.lines[id = $o.id].{'o': $o}",
    "$states.input.orders#$i[$i < 3].{'i': $i}",
    "$states.input.orders@$o.lines@$l[$l.x = $o.x]^($l.y).{'x': $l.x}",
    "$states.input.orders@$o{$o.id: $o.x}",
    "$states.input ~> |items|{'price': price * 2, 'x': $.y}, ['kind']|",
    "$states.input.a ? 'x' : 'y'",
    "$states.input.a ? 'x'",
    "$states.input.a and $states.input.b or $not($states.input.c)",
    "'a' in $states.input.tags",
    "$states.input.n % 2 = 0",
    "$match($states.input.text, /a(b)/i)",
    "$replace($states.input.text, /a/, function($m){ $m.match })",
    "$replace('a', 'b', 'c', 1)",
    "$map([1..3], function($v, $i, $a){ $v + $i + $count($a) })",
    "$map(['a'], $uppercase)",
    "['a'] ~> $map($uppercase)",
    "$filter([1, 2], function($v){ $v > 1 })",
    "$reduce([1, 2], function($a, $b){ $a + $b }, 0)",
    "$sort([2, 1], function($l, $r){ $l > $r })",
    "$sift({'a': 1}, function($v, $k){ $k = 'a' })",
    "$each({'a': 1}, function($v, $k){ $k & $v })",
    "$single([1, 2], function($v){ $v = 1 })",
    "' a ' ~> $trim ~> $uppercase",
    "' a ' ~> $trim() ~> $substring(0, 1)",
    "(  $shout := $trim ~> $uppercase; ' a ' ~> $shout )",
    "( $first := $substring(?, 0, 1); $first('abc') )",
    "( $add := function($a, $b){ $a + $b }; $add(1, ?)(2) )",
    "( $f := function($n){ $n < 1 ? 1 : $n * $f($n - 1) }; $f(5) )",
    "( $a := function($n){ $n < 1 or $b($n - 1) }; $b := function($n){ $a($n) }; $a(3) )",
    "( $f := ( $y := 1; function(){ $y + $g() } ); $g := function(){ 2 }; $f() )",
    "( $x := 1; $y := $x + 1; [$x, $y] )",
    "function($x, $y){ $x * $y }(2, 3)",
    "\u03bb($x){ $x }(1)",
    "function($x)<n:n>{ $x }(1)",
    "(function($f){ $f(1) })(function($v){ $v })",
    "( $pick := true ? $uppercase : $lowercase; $pick('a') )",
    "('a' ~> (true ? $uppercase : $lowercase))",
    "$zip([1, 2], [3, 4], [5, 6])",
    "$now() & $millis()",
    "$fromMillis($toMillis('2026-01-01T00:00:00Z'), '[Y]')",
    "$error('stop')",
    "$assert(true, 'message')",
    "$partition([1, 2, 3], 2)",
    "$range(0, 10, 2)",
    "$hash('text', 'SHA-256')",
    "$random() & $random(42)",
    "$uuid()",
    "$parse('{}').a",
    "$merge([{'a': 1}, {'b': 2}])",
    "$type($states.input.x) = 'array'",
    "/* a comment */ 1 /* and $one */",
    "'$$ and $eval(x) in text'",
    "$join($states.input.tags.(name), ', ')",
    "$exists($states.input.x) ? $states.input.x : 'none'",
    "$states.input.(a; b)",
    "[$states.input.a, $states.input.b].c",
    "{'a': $states.input.items}.a.b",
    "($states.input).a",
    "$states.input.items.(price > 3 ? name : 'cheap')",
    "$append($states.input.a, $states.input.b)[0]",
    "$lookup($states.input, 'a').b",
    "$spread($states.input).*",
    "$states.input.or.and.in",
]


@pytest.mark.parametrize("text", VALID)
def test_an_expression_that_step_functions_takes_has_no_finding(text: str) -> None:
    assert read_expression(text).findings == ()


def test_spaces_around_an_expression_do_not_matter() -> None:
    assert read_expression("\n $states.input.x \t").findings == ()


def only(text: str) -> Finding:
    findings = read_expression(text).findings
    assert len(findings) == 1, findings
    return findings[0]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        pytest.param("", "ends too early", id="empty"),
        pytest.param("  ", "ends too early", id="blank"),
        pytest.param("1 +", "S0207", id="cut off"),
        pytest.param("$f(1", "S0203", id="open"),
        pytest.param(r"'it\'s'", "S0103", id="escape"),
        pytest.param("$a ?: 1", "came after JSONata 2.0.6", id="elvis"),
        pytest.param("$a ?? 1", "came after JSONata 2.0.6", id="coalescing"),
        pytest.param("$$", "write $states.input", id="root"),
        pytest.param("$$.x", "write $states.input", id="path from the root"),
        pytest.param("$states.input.items[id = $$.id]", "write $states.input", id="root in a predicate"),
        pytest.param("$map([1], function($v){ $$ })", "write $states.input", id="root in a function"),
    ],
)
def test_what_does_not_parse_and_the_root_are_invalid(text: str, part: str) -> None:
    finding = only(text)
    assert (finding.severity, finding.code) == (Severity.ERROR, INVALID)
    assert part in finding.message


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("phone", "phone", id="name"),
        pytest.param("phone.number", "phone", id="head of a path"),
        pytest.param("phone[0]", "phone", id="head with a predicate"),
        pytest.param("phone^(x)", "phone", id="sorted"),
        pytest.param("phone{x: y}", "phone", id="grouped"),
        pytest.param("phone@$p.x", "phone", id="bound"),
        pytest.param("1 + phone", "phone", id="operand"),
        pytest.param("{phone: 1}", "phone", id="key"),
        pytest.param("[phone]", "phone", id="item"),
        pytest.param("(1; phone)", "phone", id="block"),
        pytest.param("$string(phone)", "phone", id="argument"),
        pytest.param("phone ? 1 : 2", "phone", id="condition"),
        pytest.param("true ? 1 : phone", "phone", id="branch"),
        pytest.param("$x := phone", "phone", id="bound to a variable"),
        pytest.param("-phone", "phone", id="negated"),
        pytest.param("phone ~> $string", "phone", id="piped"),
        pytest.param("'x' ~> phone", "phone", id="piped into"),
        pytest.param("'phone'.number", "phone", id="text as a step"),
        pytest.param("'phone'[0].number", "phone", id="text with a predicate as a step"),
        pytest.param("`odd name`", "odd name", id="quoted"),
        pytest.param("and", "and", id="word"),
        pytest.param("*", "*", id="wildcard"),
        pytest.param("**.id", "**", id="descendants"),
        pytest.param("%", "%", id="parent"),
        pytest.param("$", "$", id="context"),
        pytest.param("$.x", "$", id="path from the context"),
        pytest.param("$[0]", "$", id="context with a predicate"),
    ],
)
def test_what_has_nothing_to_refer_to_is_an_error(text: str, name: str) -> None:
    finding = only(text)
    assert (finding.severity, finding.code) == (Severity.ERROR, UNSUPPORTED)
    assert finding.message.startswith(f"Reference to '{name}' at the top level is not supported")


def test_a_bare_name_is_told_how_it_should_be_written() -> None:
    assert only("phone").message == (
        "Reference to 'phone' at the top level is not supported. Write $states.input.phone for a field of "
        "the input, $phone for a variable, 'phone' for text"
    )
    assert only("`a b`").message.endswith("Write $states.input.`a b` for a field of the input")
    assert only("*").message.endswith("as in $states.input.items.*")


@pytest.mark.parametrize("part", ["name", "$", "$.x", "*", "%", "[name]", "$string(name)"])
def test_the_same_in_the_body_of_a_function_is_a_warning(part: str) -> None:
    finding = only(f"$map([1], function($v){{ {part} }})")
    assert (finding.severity, finding.code) == (Severity.WARNING, "DOUBTFUL_EXPRESSION")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "$eval('1')", "$eval does not exist in Step Functions; $parse reads JSON text", id="eval"
        ),
        pytest.param("$map(['1'], $eval)", "$eval does not exist", id="eval handed on"),
        pytest.param("'1' ~> $eval", "$eval does not exist", id="eval piped"),
        pytest.param("$eval(?, 1)", "$eval does not exist", id="eval in part"),
        pytest.param("$uppercas('a')", "Unknown function $uppercas; did you mean $uppercase?", id="misspelt"),
        pytest.param("$toUpperCase('a')", "Unknown function $toUpperCase", id="of another language"),
        pytest.param("$UUID()", "Unknown function $UUID; did you mean $uuid?", id="capitals"),
        pytest.param("$zzzzzz()", "Unknown function $zzzzzz", id="nothing like it"),
        pytest.param("$zzzzzz(?)", "Unknown function $zzzzzz", id="in part"),
        pytest.param("1 ~> $zzzzzz", "Unknown function $zzzzzz", id="piped"),
        pytest.param("1 ~> $zzzzzz(2)", "Unknown function $zzzzzz", id="piped with arguments"),
        pytest.param("$map([1], $zzzzzz)", "Unknown function $zzzzzz", id="handed on"),
        pytest.param("[1] ~> $filter($zzzzzz)", "Unknown function $zzzzzz", id="handed on and piped"),
        pytest.param("($zzzzzz)(1)", "Unknown function $zzzzzz", id="in parentheses"),
        pytest.param("($f(1); $f := $string)", "Unknown function $f", id="called before it is bound"),
        pytest.param("(($f := $string); ($g := 1); $h(1))", "Unknown function $h", id="not bound at all"),
        pytest.param("[($f := $string), $f(1)]", "Unknown function $f", id="bound in a block that has ended"),
        pytest.param(
            "uppercase('a')", "'uppercase' is a field, not a function; write $uppercase(...)", id="no $"
        ),
        pytest.param("foo('a')", "'foo' is a field, not a function; functions begin with $", id="field"),
        pytest.param("$trim('a', 'b')", "$trim takes 0 to 1 arguments, not 2", id="too many"),
        pytest.param("'a' ~> $trim('b')", "$trim takes 0 to 1 arguments, not 2", id="too many, piped"),
        pytest.param("$map([1])", "$map takes 2 arguments, not 1", id="too few"),
        pytest.param("$count()", "$count takes 1 argument, not 0", id="none"),
        pytest.param("$zip()", "$zip takes 1 or more arguments, not 0", id="no end"),
        pytest.param(
            "$states.foo", "$states.foo does not exist; $states has the fields input, result,", id="field"
        ),
        pytest.param("$states.foo[0].bar", "$states.foo does not exist", id="field with more"),
        pytest.param("$states.Input.x", "$states.Input does not exist", id="capital"),
        pytest.param("$states.'foo'^(x)", "$states.foo does not exist", id="sorted"),
        pytest.param("$states := 1", "$states cannot be bound", id="assigned"),
        pytest.param("($states := {}; 1)", "$states cannot be bound", id="assigned in a block"),
    ],
)
def test_what_fails_whenever_it_runs_is_an_error(text: str, message: str) -> None:
    finding = only(text)
    assert (finding.severity, finding.code) == (Severity.ERROR, UNSUPPORTED)
    assert finding.message.startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "$states.context.Foo", "$states.context.Foo is not a known field; it has Execution,", id="1"
        ),
        pytest.param("$states.context.Execution.Foo", "$states.context.Execution.Foo is not a known", id="2"),
        pytest.param("$states.context.Map.Item.Foo", "$states.context.Map.Item.Foo is not a known", id="3"),
        pytest.param(
            "$states.context[0].Task.'token'", "$states.context.Task.token is not a known", id="text"
        ),
        pytest.param("$uuid(1)", "$uuid takes 0 arguments, not 1", id="arguments of AWS's functions"),
        pytest.param(
            "$states.input.trim('a')", "'trim' is a field, not a function; write $trim", id="field called"
        ),
    ],
)
def test_what_may_fail_is_a_warning(text: str, message: str) -> None:
    finding = only(text)
    assert (finding.severity, finding.code) == (Severity.WARNING, "DOUBTFUL_EXPRESSION")
    assert finding.message.startswith(message)


@pytest.mark.parametrize(
    ("text", "is_too_deep"),
    [
        pytest.param("+".join(["1"] * 94), False, id="94 terms"),
        pytest.param("+".join(["1"] * 97), True, id="97 terms"),
        pytest.param("+".join(["1"] * 20_000), True, id="20,000 terms"),
        pytest.param("[" * 94 + "1" + "]" * 94, False, id="94 arrays"),
        pytest.param("[" * 96 + "1" + "]" * 96, True, id="96 arrays"),
        pytest.param("$states.input" + ".a" * 500, False, id="a long path is one level"),
        pytest.param("$states.input.a" + "[x]" * 500, False, id="and so are its predicates"),
        pytest.param(
            "(" + ";".join(f"$x{n} := {n}" for n in range(500)) + ")", False, id="a long block is wide"
        ),
    ],
)
def test_an_expression_near_the_depth_that_step_functions_bears_is_a_warning(
    text: str, is_too_deep: bool
) -> None:
    findings = read_expression(text).findings
    assert [finding.severity for finding in findings] == [Severity.WARNING] * is_too_deep
    assert all("nests more than 95 levels" in finding.message for finding in findings)


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        pytest.param("$a + $b.c[$d]", "a b d", id="free"),
        pytest.param("($x := $a; $x + $b)", "a b", id="block"),
        pytest.param("($x + 1; $x := 1)", "x", id="read before it is bound"),
        pytest.param("($x := $x + 1; $x)", "x", id="bound from the one outside"),
        pytest.param("(($x := 1); $x)", "x", id="bound in a block that has ended"),
        pytest.param("($x := 1; ($x; ($x)))", "", id="blocks below"),
        pytest.param("[$x := 1, $x]", "", id="bound without a block"),
        pytest.param("$map($a, function($v){ $v + $w })", "a w", id="parameters"),
        pytest.param("[function($v){ $v }(1), $v]", "v", id="parameters end with their function"),
        pytest.param("$states.input.a@$o.b[x = $o.x].{'o': $o, 'p': $p}", "p", id="focus"),
        pytest.param("$states.input.a#$i[$i = 1]^($i){'x': $i}", "", id="position"),
        pytest.param("[$states.input.a@$o.b, $o]", "o", id="a focus ends with its path"),
        pytest.param("($states.input.a@$o.($x := 1); $x)", "x", id="block in a path"),
        pytest.param("($states.input.a@$o[$x := 1]; $x)", "", id="bound in a predicate"),
        pytest.param("$count + $sum.x", "count sum", id="variables named like functions"),
        pytest.param("$count", "count", id="alone"),
        pytest.param("$append($count, $max)", "count max", id="as data"),
        pytest.param("$map($keys, $uppercase)", "keys", id="beside a function"),
        pytest.param("$map($a, $now)", "a", id="functions handed on"),
        pytest.param("$a ~> $trim", "a", id="piped"),
        pytest.param("$sum($map($a, $length))", "a", id="function in function"),
        pytest.param("$uuid() & $now()", "", id="functions called"),
        pytest.param("$states", "", id="states"),
        pytest.param("$größe", "größe", id="letters of any language"),
        pytest.param("function($states){ $states.foo }($a)", "a", id="parameter named states"),
        pytest.param("$a ? $b : $c", "a b c", id="condition"),
        pytest.param("$a ~> |b|{'c': $d}|", "a d", id="transform"),
    ],
)
def test_the_variables_are_those_that_it_does_not_bind_itself(text: str, variables: str) -> None:
    reading = read_expression(text)
    assert reading.findings == ()
    assert reading.variables == set(variables.split())


@pytest.mark.parametrize(
    ("text", "states"),
    [
        pytest.param("$states", "", id="all"),
        pytest.param("$states.input.a & $states.result[0]", "input result", id="two"),
        pytest.param("$states.errorOutput", "errorOutput", id="error"),
        pytest.param(
            "$map($states.context.Execution, function($v){ $states.input })", "context input", id="body"
        ),
        pytest.param(
            "$states.input.a[b = $states.result.c]^($states.context.x){}", "input result context", id="in"
        ),
        pytest.param("$x.states.result", "", id="a field of that name"),
        pytest.param("'$states.result'", "", id="text"),
    ],
)
def test_the_states_are_the_first_steps_below_it(text: str, states: str) -> None:
    assert read_expression(text).states == set(states.split())


def test_findings_are_in_the_order_of_the_text_and_told_once() -> None:
    messages = [
        finding.message
        for finding in read_expression("[function(){ b }, $x(1), a, function(){ b }, $$]").findings
    ]
    starts = ["Reference to 'b'", "Unknown function $x", "Reference to 'a'", "$$ does not exist"]
    assert [message[: len(start)] for message, start in zip(messages, starts, strict=True)] == starts


def test_what_does_not_parse_reads_nothing() -> None:
    reading = read_expression("$states.input & $a &")
    assert (reading.variables, reading.states) == (frozenset(), frozenset())


def test_a_reading_is_kept() -> None:
    assert read_expression("$kept") is read_expression("$kept")
    assert isinstance(read_expression("$kept"), Reading)
