"""The rules of a Choice, in both languages.

https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html
"""

from __future__ import annotations

import re
from typing import Any

from stepsched.asl.checks.graph import target
from stepsched.asl.checks.literals import text, timestamp_fault
from stepsched.asl.checks.report import TooDeepError, listed, shown
from stepsched.asl.checks.shapes import Shape, check_fields
from stepsched.asl.checks.templates import AT_ENTRY, check_expression, read_reference_at, template
from stepsched.asl.checks.variables import assign
from stepsched.asl.checks.visits import Visit
from stepsched.asl.diagnostics import Doubt

_ORDERS = ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")
OPERATORS: dict[str, str] = {
    **{f"{kind}{order}": kind for kind in ("String", "Numeric", "Timestamp") for order in _ORDERS},
    **{f"{kind}{order}Path": "Path" for kind in ("String", "Numeric", "Timestamp") for order in _ORDERS},
    "BooleanEquals": "Boolean",
    "BooleanEqualsPath": "Path",
    "StringMatches": "String",
    **{f"Is{what}": "Boolean" for what in ("Null", "Present", "Numeric", "String", "Boolean", "Timestamp")},
}
"""All comparison operators with the type of their value."""
_COMBINERS = ("And", "Or", "Not")
_NESTED_FIELDS = frozenset({"Variable", "Comment", *OPERATORS, *_COMBINERS})
_RULE_FIELDS = _NESTED_FIELDS | {"Next", "Assign"}
_JSONATA_ONLY = frozenset({"Condition", "Output"})
_DEEPEST_RULE = 100

_WANTED: dict[str, tuple[type, str]] = {
    "String": (str, "expected a string"),
    "Boolean": (bool, "expected true or false"),
    "Path": (str, "expected a path, such as '$.other'"),
    "Timestamp": (str, "expected an instant, such as '2026-03-14T01:59:00Z'"),
}

_ASSIGN = assign(None)
_ALWAYS = re.compile(r"\{%\s*true\s*%\}")


def choices(visit: Visit, path: str, key: str, value: Any) -> None:
    where = f"{path}/{key}"
    if type(value) is not list or not value:
        visit.report.error(where, f"{key} is {shown(value)}; expected a list of at least one rule")
        return
    check_rule = _check_jsonata_rule if visit.jsonata else _check_path_rule
    before = visit.assigned
    for index, rule in enumerate(value):
        here = f"{where}/{index}"
        if type(rule) is not dict:
            visit.report.error(here, f"{shown(rule)} is among the rules; expected an object")
            continue
        visit.assigned = ()
        check_rule(visit, here, rule)
        visit.rules.append((rule.get("Next"), visit.assigned if "Assign" in rule else None))
    visit.assigned = before


def check_default(visit: Visit) -> None:
    """Checks for Default: without it, input that no rule matches fails the execution."""
    rules = visit.body.get("Choices")
    if "Default" in visit.body or type(rules) is not list or not rules or _is_exhaustive(rules):
        return
    visit.report.warning(
        visit.path,
        "there is no Default: where no rule matches, the execution fails with States.NoChoiceMatched, which "
        "cannot be caught; add one",
        Doubt.NO_DEFAULT,
    )


def _is_exhaustive(rules: list[Any]) -> bool:
    """Returns whether a rule always matches, or two rules are opposites."""
    tests = []
    for rule in rules:
        if type(rule) is dict:
            if rule.get("Condition") is True or _ALWAYS.fullmatch(str(rule.get("Condition"))):
                return True
            tests.append({name: rule[name] for name in rule if name not in ("Next", "Assign", "Comment")})
    return any(_opposite(test) in tests for test in tests)


def _opposite(test: dict[str, Any]) -> Any:
    """Returns the test that is true exactly if this one is false; an impossible test if it is not known."""
    for name, value in test.items():
        if type(value) is bool and (name[:2] == "Is" or name == "BooleanEquals"):
            return {**test, name: not value}
    return test["Not"] if set(test) == {"Not"} else {"Not": test}


# -- JSONata ------------------------------------------------------------------------------------------


def _condition(visit: Visit, path: str, key: str, value: Any) -> None:
    if type(value) is str:
        check_expression(visit, path, key, value, AT_ENTRY, "true or false")
    elif type(value) is not bool:
        visit.report.error(
            f"{path}/{key}",
            f"{key} is {shown(value)}; expected an expression '{{% ... %}}', or true or false",
        )


_JSONATA_RULE = Shape(
    "a rule of a Choice",
    {
        "Condition": _condition,
        "Next": target,
        "Assign": assign(AT_ENTRY),
        "Output": template(AT_ENTRY),
        "Comment": text,
    },
    required=("Condition", "Next"),
    other_language=_RULE_FIELDS - {"Next", "Assign", "Comment"},
)


def _check_jsonata_rule(visit: Visit, where: str, rule: dict[str, Any]) -> None:
    check_fields(visit, where, rule, _JSONATA_RULE)


# -- JSONPath -----------------------------------------------------------------------------------------


def _check_path_rule(visit: Visit, where: str, rule: dict[str, Any]) -> None:
    if "Next" not in rule:
        visit.report.error(where, "a rule of a Choice needs the field 'Next'")
    _check_test(visit, where, rule, 0)


def _check_test(visit: Visit, where: str, test: dict[str, Any], depth: int) -> None:
    """Checks a rule, or a test nested in one."""
    if depth > _DEEPEST_RULE:
        raise TooDeepError(where)
    operators: list[str] = []
    for key, value in test.items():
        kind = OPERATORS.get(key)
        if kind is not None:
            operators.append(key)
            _check_operand(visit, where, key, value, kind)
        elif key in _COMBINERS:
            operators.append(key)
            _check_combined(visit, where, key, value, depth)
        elif key == "Variable":
            _check_variable(visit, where, key, value)
        elif key == "Next":
            if depth:
                visit.report.error(
                    f"{where}/Next", "Next is allowed only at the top of a rule, not inside And, Or or Not"
                )
            else:
                target(visit, where, key, value)
        elif key == "Assign" and not depth:
            _ASSIGN(visit, where, key, value)
        elif key == "Comment":
            text(visit, where, key, value)
        else:
            _report_unknown(visit, where, key, depth)
    if len(operators) != 1:
        _report_operators(visit, where, test, operators)
    elif operators[0] in _COMBINERS:
        if "Variable" in test:
            visit.report.error(
                f"{where}/Variable",
                f"Variable does not go with {operators[0]}; it belongs to the tests inside",
            )
    elif "Variable" not in test:
        visit.report.error(where, f"{operators[0]} needs the field 'Variable'")


def _check_variable(visit: Visit, where: str, key: str, value: Any) -> None:
    if type(value) is str:
        read_reference_at(visit, where, key, value, of_context=True)
    else:
        visit.report.error(f"{where}/{key}", f"{key} is {shown(value)}; expected a path, such as '$.status'")


def _check_operand(visit: Visit, where: str, key: str, value: Any, kind: str) -> None:
    if kind == "Numeric":
        if type(value) not in (int, float):
            visit.report.error(f"{where}/{key}", f"{key} is {shown(value)}; expected a number")
        return
    expected, wanted = _WANTED[kind]
    if type(value) is not expected:
        visit.report.error(f"{where}/{key}", f"{key} is {shown(value)}; {wanted}")
        return
    given: Any = value
    if kind == "Path":
        read_reference_at(visit, where, key, given, of_context=True)
    elif kind == "Timestamp":
        fault = timestamp_fault(given)
        if fault:
            visit.report.error(f"{where}/{key}", f"{key} is {shown(value)}; {fault}")


def _check_combined(visit: Visit, where: str, key: str, value: Any, depth: int) -> None:
    here = f"{where}/{key}"
    if key == "Not":
        if type(value) is dict:
            _check_test(visit, here, value, depth + 1)
        else:
            visit.report.error(here, f"Not is {shown(value)}; expected one test, an object")
    elif type(value) is not list or not value:
        visit.report.error(here, f"{key} is {shown(value)}; expected a list of at least one test")
    else:
        for index, test in enumerate(value):
            if type(test) is dict:
                _check_test(visit, f"{here}/{index}", test, depth + 1)
            else:
                visit.report.error(f"{here}/{index}", f"{shown(test)} is not a test; expected an object")


def _report_operators(visit: Visit, where: str, test: dict[str, Any], operators: list[str]) -> None:
    if operators:
        visit.report.error(
            f"{where}/{operators[-1]}",
            f"a test has exactly one operator, not {listed(map(repr, operators))}; join tests with And",
        )
    elif not _JSONATA_ONLY & set(test) and all(key in _RULE_FIELDS for key in test):
        visit.report.error(where, "a test needs an operator, such as 'StringEquals' or 'IsPresent'")


def _report_unknown(visit: Visit, where: str, key: str, depth: int) -> None:
    if key in _JSONATA_ONLY:
        message = (
            f"The QueryLanguage is set to 'JSONPath', but field '{key}' is only supported for the 'JSONata' "
            "QueryLanguage"
        )
    else:
        known = _NESTED_FIELDS if depth else _RULE_FIELDS
        hint = visit.report.hint(key, known)
        message = f"Field {shown(key)[1:-1]!r} is not supported in a rule of a Choice{hint}"
    visit.report.error(f"{where}/{key}", message)
