"""Retry and Catch. https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""

from __future__ import annotations

from typing import Any

from stepsched.asl.checks.graph import target
from stepsched.asl.checks.literals import is_whole, number, text, whole, word
from stepsched.asl.checks.report import listed, shown
from stepsched.asl.checks.shapes import Shape, check_fields
from stepsched.asl.checks.templates import IN_CATCH, result_path, template
from stepsched.asl.checks.variables import assign
from stepsched.asl.checks.visits import Visit
from stepsched.asl.diagnostics import Doubt

ERROR_NAMES = (
    "States.ALL", "States.BranchFailed", "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold", "States.HeartbeatTimeout", "States.Http.Socket",
    "States.IntrinsicFailure", "States.ItemReaderFailed", "States.NoChoiceMatched",
    "States.ParameterPathFailure", "States.Permissions", "States.QueryEvaluationError",
    "States.ResultPathMatchFailure", "States.ResultWriterFailed", "States.Runtime", "States.TaskFailed",
    "States.Timeout",
)  # fmt: skip
"""The error names of the language; other names that begin with ``States.`` are reserved."""
_KNOWN_ERRORS = frozenset(ERROR_NAMES)
_LONGEST_DELAY = 31_622_400
_MOST = 99_999_999


def error_names(visit: Visit, path: str, key: str, value: Any) -> None:
    if type(value) is not list or not value:
        visit.report.error(
            f"{path}/{key}",
            f"{key} is {shown(value)}; expected a list of error names, such as ['States.ALL']",
        )
        return
    for index, name in enumerate(value):
        if type(name) is not str:
            visit.report.error(f"{path}/{key}/{index}", f"{shown(name)} is no error name; expected a string")
        elif name[:7] == "States." and name not in _KNOWN_ERRORS and not name.startswith("States.Http."):
            # AWS accepts any name here and in Fail states, which then raise it.
            visit.report.warning(
                f"{path}/{key}/{index}",
                f"{shown(name)} is not an error of Step Functions; names that begin with 'States.' are "
                "reserved" + visit.report.hint(name, ERROR_NAMES),
                Doubt.UNKNOWN_ERROR_NAME,
            )
        elif name == "States.ALL" and len(value) > 1:
            visit.report.error(
                f"{path}/{key}/{index}", f"'States.ALL' must be alone in {key}; remove the other names"
            )


_RETRIER = Shape(
    "a retrier",
    {
        "ErrorEquals": error_names,
        "IntervalSeconds": whole(0, _MOST, usual=(1, _MOST)),
        "MaxAttempts": whole(0, _MOST),
        "BackoffRate": number(1, float("inf")),
        "MaxDelaySeconds": whole(1, _LONGEST_DELAY),
        "JitterStrategy": word("FULL", "NONE"),
        "Comment": text,
    },
    required=("ErrorEquals",),
)
_CATCHER = {
    False: Shape(
        "a catcher",
        {
            "ErrorEquals": error_names,
            "Next": target,
            "ResultPath": result_path,
            "Assign": assign(None),
            "Comment": text,
        },
        required=("ErrorEquals", "Next"),
        other_language=frozenset({"Output"}),
    ),
    True: Shape(
        "a catcher",
        {
            "ErrorEquals": error_names,
            "Next": target,
            "Assign": assign(IN_CATCH),
            "Output": template(IN_CATCH),
            "Comment": text,
        },
        required=("ErrorEquals", "Next"),
        other_language=frozenset({"ResultPath"}),
    ),
}


def retry(visit: Visit, path: str, key: str, value: Any) -> None:
    for where, body in _entries(visit, path, key, value, "retriers"):
        check_fields(visit, where, body, _RETRIER)
        interval: Any = body.get("IntervalSeconds", 1)
        longest: Any = body.get("MaxDelaySeconds")
        if is_whole(interval) and is_whole(longest) and 1 <= longest <= interval:
            visit.report.error(
                f"{where}/MaxDelaySeconds",
                f"MaxDelaySeconds is {longest}, not greater than IntervalSeconds ({interval})",
            )


def catch(visit: Visit, path: str, key: str, value: Any) -> None:
    shape = _CATCHER[visit.jsonata]
    before = visit.assigned
    for where, body in _entries(visit, path, key, value, "catchers"):
        visit.assigned = ()
        check_fields(visit, where, body, shape)
        if type(body.get("Next")) is str:
            visit.edges.append((body["Next"], visit.assigned))
    visit.assigned = before


def _entries(visit: Visit, path: str, key: str, value: Any, what: str) -> list[tuple[str, dict[str, Any]]]:
    """Returns the objects of the list, after checking the order of their error names."""
    where = f"{path}/{key}"
    if type(value) is not list:
        visit.report.error(where, f"{key} is {shown(value)}; expected a list of {what}")
        return []
    entries: list[tuple[str, dict[str, Any]]] = []
    for index, body in enumerate(value):
        if type(body) is dict:
            entries.append((f"{where}/{index}", body))
        else:
            visit.report.error(f"{where}/{index}", f"{shown(body)} is among the {what}; expected an object")
    if len(entries) > 1:
        _check_order(visit, entries)
    return entries


def _check_order(visit: Visit, entries: list[tuple[str, dict[str, Any]]]) -> None:
    """Checks that no entry is hidden: the first entry that matches an error applies."""
    taken: set[str] = set()
    last = len(entries) - 1
    for index, (where, body) in enumerate(entries):
        names = body.get("ErrorEquals")
        if type(names) is not list or not names or not all(type(name) is str for name in names):
            continue
        if "States.ALL" in names and index != last:
            visit.report.error(
                f"{where}/ErrorEquals",
                "'States.ALL' matches every error, so it must be in the last entry; move this one there",
            )
        elif all(_is_taken(name, taken) for name in names):
            several = len(names) > 1
            visit.report.warning(
                f"{where}/ErrorEquals",
                f"{listed(map(repr, names))} {'are' if several else 'is'} taken by an earlier entry, so this "
                "one is never used",
                Doubt.NEVER_USED,
            )
        taken.update(names)


def _is_taken(name: str, taken: set[str]) -> bool:
    # States.TaskFailed matches every error of a task except the language's own, such as States.Timeout.
    return name in taken or ("States.TaskFailed" in taken and not name.startswith("States."))
