"""Checks evaluated strings: expressions, paths and intrinsic functions, alone or inside templates.

Their syntax is checked by ``asl.expressions`` and ``asl.paths``; this module determines which strings are
evaluated, and what they may refer to at their place.
https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import re
from typing import Any

from stepsched.asl.checks.report import TooDeepError, shown
from stepsched.asl.checks.shapes import Handler
from stepsched.asl.checks.visits import Visit, Walk
from stepsched.asl.diagnostics import Doubt
from stepsched.asl.expressions import Reading, read_expression
from stepsched.asl.intrinsics import read_intrinsic
from stepsched.asl.paths import read_path, read_reference_path

DEEPEST_TEMPLATE = 200
"""The maximum number of levels of a template; AWS publishes no limit."""

AT_ENTRY = frozenset({"input", "context"})
"""The fields of ``$states`` that every state has."""
WITH_RESULT = AT_ENTRY | {"result"}
"""The fields in Assign and Output of states with a result: Task, Parallel and Map."""
IN_CATCH = AT_ENTRY | {"errorOutput"}

_INVALID = "INVALID_JSONATA_EXPRESSION"
_OUT_OF_PLACE = {
    "result": "$states.result exists in Assign and Output of Task, Parallel and Map states only",
    "errorOutput": "$states.errorOutput exists inside a catcher only",
}
_LOOKS_LIKE_PATH = re.compile(r"\$\$?[.\[]|States\.[A-Z][A-Za-z0-9]*\(")
_LOOKS_LIKE_VARIABLE = re.compile(r"\$([^\W\d]\w*)(?:[.\[].*)?", re.DOTALL)


def is_expression(text: str) -> bool:
    return len(text) >= 4 and text[:2] == "{%" and text[-2:] == "%}"


# -- JSONata ------------------------------------------------------------------------------------------


def check_expression(
    visit: Visit, path: str, key: str, text: str, allowed: frozenset[str], wanted: str
) -> None:
    """Checks a field in which a string must be an expression."""
    if is_expression(text):
        _read(visit, path, key, text, allowed)
    elif "{%" in text or "%}" in text:
        _report_delimiters(visit, f"{path}/{key}", text, is_required=True)
    else:
        visit.report.error(
            f"{path}/{key}", f"{key} is {shown(text)}; expected {wanted}, or an expression '{{% ... %}}'"
        )


def _read(visit: Visit, path: str, key: str | int, text: str, allowed: frozenset[str]) -> None:
    reading = read_expression(text[2:-2])
    if reading.variables:
        visit.reads.append((reading.variables, path, key, text))
    if reading.findings:
        visit.report.add(f"{path}/{key}", reading.findings)
    if not reading.states <= allowed:
        for name, reason in _OUT_OF_PLACE.items():
            if name in reading.states and name not in allowed:
                visit.report.error(f"{path}/{key}", reason, "UNSUPPORTED_JSONATA_EXPRESSION")


def _report_delimiters(visit: Visit, where: str, text: str, *, is_required: bool = False) -> None:
    """Reports text that contains ``{%`` or ``%}`` and is not an expression.

    AWS was seen to pass on text around a whole expression unchanged, and documents that it refuses an
    expression that is opened and never closed, or the reverse.
    """
    opened = text.find("{%")
    has_both = opened >= 0 and "%}" in text[opened + 2 :]
    stripped = text.strip()
    if stripped != text and is_expression(stripped):
        reason = f"{shown(text)} has space outside '{{%' and '%}}'; remove it"
    elif has_both:
        reason = f"{shown(text)} holds '{{% ... %}}' inside other text; an expression is the whole text: join"
        reason += " with '&' inside it"
    elif text[:2] == "{%" and text[-2:] == "%}":
        reason = f"{shown(text)} is closed before it is opened; write '{{% ... %}}'"
    elif text[:2] == "{%":
        reason = f"{shown(text)} begins with '{{%' but does not end with '%}}'"
    elif text[-2:] == "%}":
        reason = f"{shown(text)} ends with '%}}' but does not begin with '{{%'"
    elif is_required:
        reason = f"{shown(text)} is no expression '{{% ... %}}'"
    else:
        return
    if has_both and not is_required:
        visit.report.warning(where, f"{reason}; it is passed as text, not evaluated", Doubt.NOT_EVALUATED)
    else:
        visit.report.error(where, reason, _INVALID)


def check_template(
    visit: Visit, path: str, key: str | int, value: Any, allowed: frozenset[str], depth: int = 0
) -> None:
    """Checks a JSONata value: literals, and expressions at any depth. Keys are never evaluated."""
    kind = type(value)
    if kind is str:
        if value[:2] == "{%" and value[-2:] == "%}" and len(value) >= 4:
            _read(visit, path, key, value, allowed)
        elif "{%" in value or "%}" in value:
            _report_delimiters(visit, f"{path}/{key}", value)
    elif kind is dict:
        if depth > DEEPEST_TEMPLATE:
            raise TooDeepError(path)
        here = f"{path}/{key}"
        for name, item in value.items():
            if name[-2:] == ".$":
                visit.report.warning(
                    f"{here}/{name}",
                    f"the key {shown(name)} ends with '.$', which means nothing in JSONata; name it "
                    f"{shown(name[:-2])} and write the value as '{{% ... %}}'",
                    Doubt.NOT_EVALUATED,
                )
            if item.__class__ in _WALKED:
                check_template(visit, here, name, item, allowed, depth + 1)
    elif kind is list:
        if depth > DEEPEST_TEMPLATE:
            raise TooDeepError(path)
        here = f"{path}/{key}"
        for index, item in enumerate(value):
            if item.__class__ in _WALKED:
                check_template(visit, here, index, item, allowed, depth + 1)


_WALKED = frozenset({str, dict, list})


def template(allowed: frozenset[str], *kinds: type) -> Handler:
    """Returns a handler for a JSONata value.

    Args:
        allowed: The fields of ``$states`` that it may read.
        kinds: The types that it may have besides an expression; none: any type.
    """
    names: dict[type, str] = {dict: "an object", list: "a list"}
    wanted = " or ".join(names[kind] for kind in kinds)

    def handle(visit: Visit, path: str, key: str, value: Any) -> None:
        if kinds and type(value) not in kinds:
            if type(value) is str:
                check_expression(visit, path, key, value, allowed, wanted)
            else:
                visit.report.error(
                    f"{path}/{key}",
                    f"{key} is {shown(value)}; expected {wanted}, or an expression '{{% ... %}}'",
                )
            return
        check_template(visit, path, key, value, allowed)

    return handle


def object_template(allowed: frozenset[str]) -> Handler:
    """Returns a handler for a JSONata value that should be an object or an expression."""

    def handle(visit: Visit, path: str, key: str, value: Any) -> None:
        if type(value) is not dict and not (type(value) is str and is_expression(value)):
            report_no_object(visit, f"{path}/{key}", key, value)
        check_template(visit, path, key, value, allowed)

    return handle


def report_no_object(visit: Visit, where: str, key: str, value: Any) -> None:
    """Reports a payload that is not an object, as AWS accepts it against its documentation."""
    visit.report.warning(
        where,
        f"{key} is {shown(value)}; AWS documents an object, and passes on other JSON",
        Doubt.NOT_AN_OBJECT,
    )


# -- JSONPath -----------------------------------------------------------------------------------------


def _keep(visit: Visit, path: str, key: str | int, text: str, reading: Reading) -> None:
    if reading.variables:
        visit.reads.append((reading.variables, path, key, text))
    if reading.findings:
        visit.report.add(f"{path}/{key}", reading.findings)


def read_path_at(visit: Visit, path: str, key: str | int, text: str) -> None:
    """Checks a string that must be a path."""
    if is_expression(text):
        _report_jsonata(visit, f"{path}/{key}", text)
    else:
        _keep(visit, path, key, text, read_path(text))


def _report_jsonata(visit: Visit, where: str, text: str) -> None:
    visit.report.error(
        where,
        f"{shown(text)} is a JSONata expression, and the state's QueryLanguage is JSONPath; set "
        "QueryLanguage to 'JSONata', or write a path under a key that ends with '.$'",
        _INVALID,
    )


def read_reference_at(visit: Visit, path: str, key: str | int, text: str, *, of_context: bool) -> None:
    """Checks a string that must be a path of one place, which is read."""
    if is_expression(text):
        _report_jsonata(visit, f"{path}/{key}", text)
    else:
        reading = read_reference_path(text, of_variables=True, of_context=of_context)
        _keep(visit, path, key, text, reading)


def reference_field(*, of_context: bool) -> Handler:
    """Returns a handler for a field with a path of one place, which is read.

    Args:
        of_context: Whether the path may begin with ``$$``.
    """

    def handle(visit: Visit, path: str, key: str, value: Any) -> None:
        if type(value) is str:
            read_reference_at(visit, path, key, value, of_context=of_context)
        else:
            visit.report.error(f"{path}/{key}", f"{key} is {shown(value)}; expected a path, such as '$.item'")

    return handle


def path_field(*, nullable: bool = False, intrinsic: bool = False) -> Handler:
    """Returns a handler for a field with a path.

    Args:
        nullable: Whether null is allowed (it discards).
        intrinsic: Whether a call of an intrinsic function is allowed too.
    """

    def handle(visit: Visit, path: str, key: str, value: Any) -> None:
        if type(value) is not str:
            if value is not None or not nullable:
                wanted = "a path or null" if nullable else "a path"
                visit.report.error(
                    f"{path}/{key}", f"{key} is {shown(value)}; expected {wanted}, such as '$.item'"
                )
        elif intrinsic and value[:7] == "States.":
            _keep(visit, path, key, value, read_intrinsic(value))
        else:
            read_path_at(visit, path, key, value)

    return handle


def result_path(visit: Visit, path: str, key: str, value: Any) -> None:
    if value is None:
        return
    if type(value) is not str:
        visit.report.error(
            f"{path}/{key}",
            f"{key} is {shown(value)}; expected a reference path or null, such as '$.result'",
        )
    elif is_expression(value):
        _report_jsonata(visit, f"{path}/{key}", value)
    else:
        _keep(visit, path, key, value, read_reference_path(value))


def payload_template(visit: Visit, path: str, key: str, value: Any) -> None:
    """Checks Parameters, ResultSelector and similar fields: keys that end with ``.$`` have paths or
    intrinsics."""
    if type(value) in (dict, list):
        check_payload(visit, path, key, value)
    else:
        report_no_object(visit, f"{path}/{key}", key, value)


def check_payload(visit: Visit, path: str, key: str | int, value: Any, depth: int = 0) -> None:
    if depth > DEEPEST_TEMPLATE:
        raise TooDeepError(path)
    here = f"{path}/{key}"
    if type(value) is list:
        for index, item in enumerate(value):
            if type(item) is str:
                _check_literal(visit, here, index, item, in_list=True)
            elif item.__class__ in _WALKED:
                check_payload(visit, here, index, item, depth + 1)
        return
    for name, item in value.items():
        if name[-2:] == ".$":
            _check_computed(visit, here, name, item, value)
        elif type(item) is str:
            _check_literal(visit, here, name, item)
        elif item.__class__ in _WALKED:
            check_payload(visit, here, name, item, depth + 1)


def _check_computed(visit: Visit, here: str, name: str, item: Any, siblings: dict[str, Any]) -> None:
    """Checks a key that ends with ``.$``."""
    if type(item) is str and item[:1] == "$":
        _keep(visit, here, name, item, read_path(item))
    elif type(item) is str and item[:7] == "States.":
        _keep(visit, here, name, item, read_intrinsic(item))
    else:
        visit.report.error(
            f"{here}/{name}",
            f"The value for the field {shown(name)} must be a valid JSONPath or a valid intrinsic function "
            f"call, not {shown(item)}; for a literal, name the key {shown(name[:-2])}",
        )
    if name[:-2] in siblings:
        visit.report.warning(
            f"{here}/{name}",
            f"both {shown(name[:-2])} and {shown(name)} set the same key; leave one",
            Doubt.DUPLICATE_KEY,
        )


def _check_literal(visit: Visit, here: str, name: str | int, text: str, *, in_list: bool = False) -> None:
    """Checks a string that is not evaluated, although it may look like it."""
    if text[:1] == "$" or text[:7] == "States.":
        cure = "lists are built with States.Array" if in_list else f"name the key {shown(f'{name}.$')}"
        if _LOOKS_LIKE_PATH.match(text):
            visit.report.warning(
                f"{here}/{name}", f"{shown(text)} is passed as text, not evaluated; {cure}", Doubt.NO_DOLLAR
            )
        else:
            match = _LOOKS_LIKE_VARIABLE.fullmatch(text)
            if match is not None:
                visit.walk.suspects.append((match[1], f"{here}/{name}"))
    elif is_expression(text):
        visit.report.warning(
            f"{here}/{name}",
            f"{shown(text)} is passed as text, since the state's QueryLanguage is JSONPath; set it to "
            "'JSONata', or write a path under a key that ends with '.$'",
            Doubt.NOT_EVALUATED,
        )


def static_result(visit: Visit, path: str, key: str, value: Any) -> None:
    """Checks the Result of a Pass, which is never evaluated."""
    todo: list[tuple[str, str | int, Any]] = [(path, key, value)]
    while todo:
        here, name, item = todo.pop()
        if type(item) is str:
            if is_expression(item) or _LOOKS_LIKE_PATH.match(item):
                visit.report.warning(
                    f"{here}/{name}",
                    f"{shown(item)} is passed as text: Result is never evaluated; use Parameters with a key "
                    "that ends with '.$'",
                    Doubt.PASS_RESULT_IS_STATIC,
                )
        elif type(item) is dict:
            todo.extend((f"{here}/{name}", inner, below) for inner, below in item.items())
        elif type(item) is list:
            todo.extend((f"{here}/{name}", index, below) for index, below in enumerate(item))


def report_suspects(walk: Walk, assigned: frozenset[str]) -> None:
    """Reports literals such as ``$total`` if the machine assigns ``total``."""
    for name, where in walk.suspects:
        if name in assigned:
            walk.report.warning(
                where,
                f"'${name}' is passed as text, not evaluated; end the key with '.$' to read the variable",
                Doubt.NO_DOLLAR,
            )
