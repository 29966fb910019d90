"""The texts of states and transitions in a diagram."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from stepsched.aws.services import title_of
from stepsched.display.fitting import clean

_PATTERNS = {"sync": ", waits", "waitForTaskToken": ", waits for its token"}

_COMPARED = {
    "Equals": "=", "LessThan": "<", "GreaterThan": ">", "LessThanEquals": "≤", "GreaterThanEquals": "≥",
}  # fmt: skip
_OPERATORS = {
    f"{kind}{comparison}{path}": sign
    for kind in ("String", "Numeric", "Boolean", "Timestamp")
    for comparison, sign in _COMPARED.items()
    for path in ("", "Path")
} | {"StringMatches": "matches"}
_TESTS = {
    "IsPresent": "present", "IsNull": "null", "IsNumeric": "numeric", "IsString": "a string",
    "IsBoolean": "boolean", "IsTimestamp": "a timestamp",
}  # fmt: skip
_DEEPEST = 6
"""The maximum number of levels of a condition; deeper ones become an ellipsis."""


def say(value: object) -> str:
    """Returns a value in one line; the braces of an expression are left out.

    >>> say("{% $count > 3 %}")
    '$count > 3'
    """
    if isinstance(value, str):
        text = value.strip()
        return clean(text[2:-2] if text.startswith("{%") and text.endswith("%}") and len(text) > 3 else text)
    if isinstance(value, int) and value.bit_length() > 1000:
        return "…"  # Python refuses to format such a number
    try:
        return clean(json.dumps(value, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError):
        return "…"


def comment(thing: Mapping[str, Any]) -> str:
    """Returns the ``Comment``; empty if there is none."""
    text = thing.get("Comment")
    return clean(text) if isinstance(text, str) else ""


def names(value: object) -> list[str]:
    """Returns the keys of an object or the strings of a list, each in one line."""
    if isinstance(value, Mapping):
        return [clean(str(key).removesuffix(".$")) for key in value]
    return [say(item) for item in value] if isinstance(value, list) else []


def condition(rule: Mapping[str, Any]) -> str:
    """Returns the condition of a choice rule: the JSONata expression, or a JSONPath rule with operators.

    >>> condition({"And": [{"Variable": "$.x", "NumericEquals": 3}, {"Variable": "$.y", "IsPresent": False}]})
    '$.x = 3 and not $.y present'
    """
    return say(rule["Condition"]) if "Condition" in rule else _rule(rule, 0)


def _rule(rule: object, depth: int) -> str:
    if not isinstance(rule, Mapping) or depth > _DEEPEST:
        return "…"
    for key, joint in (("And", " and "), ("Or", " or ")):
        if isinstance(rule.get(key), list):
            return joint.join(_part(each, depth) for each in rule[key])
    if "Not" in rule:
        return f"not {_part(rule['Not'], depth)}"
    variable = say(rule.get("Variable", "…"))
    for key, value in rule.items():
        if key in _OPERATORS:
            literal = isinstance(value, str) and not key.endswith("Path")
            said = json.dumps(clean(value), ensure_ascii=False) if literal else say(value)
            return f"{variable} {_OPERATORS[key]} {said}"
        if key in _TESTS:
            verb = "" if key == "IsPresent" else "is "
            return f"{'' if value is True else 'not '}{variable} {verb}{_TESTS[key]}"
    return variable


def _part(rule: object, depth: int) -> str:
    text = _rule(rule, depth + 1)
    several = isinstance(rule, Mapping) and any(isinstance(rule.get(key), list) for key in ("And", "Or"))
    return f"({text})" if several else text


ANY = "any error"
"""The text for ``States.ALL``."""


def errors(catcher: Mapping[str, Any]) -> str:
    """Returns the error names of a catcher.

    >>> errors({"ErrorEquals": ["States.Timeout", "States.TaskFailed"]})
    'Timeout, TaskFailed'
    """
    taken = names(catcher.get("ErrorEquals"))
    return (
        ", ".join(ANY if name == "States.ALL" else name.removeprefix("States.") for name in taken) or "error"
    )


def resource(text: object) -> str:
    """Returns the service and the action of a task.

    >>> resource("arn:aws:states:::states:startExecution.sync:2")
    'Step Functions startExecution, waits'
    >>> resource("arn:aws:lambda:eu-west-1:123456789012:function:report")
    'Lambda report'
    """
    if not isinstance(text, str):
        return ""
    parts = clean(text).split(":")
    if parts[0] != "arn" or len(parts) < 7:
        return say(text)
    if parts[2] == "lambda":
        return f"Lambda {parts[6]}"
    if parts[5] == "activity":
        return f"activity {parts[6]}"
    service, action = (
        (parts[6], parts[7]) if parts[5] == "aws-sdk" and len(parts) > 7 else (parts[5], parts[6])
    )
    name, _, pattern = action.partition(".")
    return f"{title_of(service)} {name}{_PATTERNS.get(pattern, '')}"


def _task(state: Mapping[str, Any]) -> str:
    return resource(state.get("Resource"))


_WAITS = {
    "Seconds": ("", " s"), "SecondsPath": ("", " s"),
    "Timestamp": ("until ", ""), "TimestampPath": ("until ", ""),
}  # fmt: skip


def _wait(state: Mapping[str, Any]) -> str:
    for key, (before, after) in _WAITS.items():
        if key in state:
            return f"{before}{say(state[key])}{after}"
    return ""


def _pass(state: Mapping[str, Any]) -> str:
    assigned = names(state.get("Assign"))
    if assigned:
        return f"assigns {', '.join(assigned)}"
    return f"sets {say(state.get('ResultPath', '$'))}" if "Result" in state or "Parameters" in state else ""


def _fail(state: Mapping[str, Any]) -> str:
    for keys in (("Error", "Cause"), ("ErrorPath", "CausePath")):
        said = [say(state[key]) for key in keys if key in state]
        if said:
            return ": ".join(said)
    return ""


def _map(state: Mapping[str, Any]) -> str:
    items = state.get("Items", state.get("ItemsPath"))
    said = [f"each of {say(items)}" if isinstance(items, str) else "each item"]
    most = state.get("MaxConcurrency")
    if isinstance(most, int) and most:
        said.append(f"{say(most)} at once" if most > 1 else "one after another")
    processor = state.get("ItemProcessor")
    config = processor.get("ProcessorConfig") if isinstance(processor, Mapping) else None
    if isinstance(config, Mapping) and config.get("Mode") == "DISTRIBUTED":
        said.append("distributed")
    return ", ".join(said)


def _parallel(state: Mapping[str, Any]) -> str:
    branches = state.get("Branches")
    count = len(branches) if isinstance(branches, list) else 0
    return "1 branch" if count == 1 else f"{count} branches"


_SAYERS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "Task": _task, "Wait": _wait, "Pass": _pass, "Fail": _fail, "Map": _map, "Parallel": _parallel,
}  # fmt: skip


def retries(state: Mapping[str, Any]) -> str:
    """Returns a text such as ``retries 3x``, for the retrier with the most attempts; empty without
    retries."""
    retriers = state.get("Retry")
    if not isinstance(retriers, list):
        return ""
    attempts = [each.get("MaxAttempts", 3) for each in retriers if isinstance(each, Mapping)]
    most = max((count for count in attempts if isinstance(count, int)), default=0)
    return f"retries {say(most)}x" if most > 0 else ""


def does(state: Mapping[str, Any]) -> str:
    """Returns the action of a state, such as ``Lambda invoke · retries 3x``."""
    kind = state.get("Type")
    sayer = _SAYERS.get(kind) if isinstance(kind, str) else None
    return " · ".join(part for part in (sayer(state) if sayer else "", retries(state)) if part)
