"""Checks the fields that only a Task has: its resource, the parameters of the call, the token, the
timeouts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stepsched.asl.checks.report import shown
from stepsched.asl.checks.templates import AT_ENTRY, check_payload, check_template, is_expression
from stepsched.asl.checks.visits import Visit
from stepsched.asl.services import check_arguments, check_resource

_WAITS_FOR_TOKEN = ".waitForTaskToken"  # noqa: S105 -- the end of a resource's name
_ACTIVITY = re.compile(r"arn:aws[a-z-]*:states:[^:]*:[^:]*:activity:")
# A token is passed by its name, or by passing the whole object that contains it.
_MAY_HOLD_TOKEN = {
    True: re.compile(r"Task|context(?!\s*\.)|\$states(?!\s*\.)"),
    False: re.compile(r"\$\$(\.Task\b|\Z|\[|\.\.|\.\*|\s*[,)])"),
}


def resource(visit: Visit, path: str, key: str, value: Any) -> None:
    where = f"{path}/{key}"
    if type(value) is not str or not value:
        visit.report.error(where, f"{key} is {shown(value)}; expected the ARN of what to call")
    elif "{%" in value:
        visit.report.error(
            where, f"{key} is {shown(value)}; it is a constant, never an expression", "INVALID_RESOURCE"
        )
    else:
        visit.report.add(where, check_resource(value))


def credentials(visit: Visit, path: str, key: str, value: Any) -> None:
    if type(value) is not dict:
        visit.report.error(f"{path}/{key}", f"{key} is {shown(value)}; expected an object with RoleArn")
        return
    for name in value:
        if name not in ("RoleArn", "RoleArn.$"):
            visit.report.error(f"{path}/{key}/{name}", f"Field '{name}' is not supported in Credentials")
    if visit.jsonata:
        check_template(visit, path, key, value, AT_ENTRY)
    else:
        check_payload(visit, path, key, value)


def check_task(visit: Visit) -> None:
    """Checks the relations between the fields of a Task."""
    body = visit.body
    arn = body.get("Resource")
    if type(arn) is str:
        field = "Arguments" if visit.jsonata else "Parameters"
        arguments = body.get(field)
        where = f"{visit.path}/{field}"
        if type(arguments) is dict:
            for below, finding in check_arguments(arn, arguments, jsonata=visit.jsonata):
                visit.report.add(f"{where}{below}", (finding,))
        elif field not in body and ":states:" in arn:
            # The whole input is passed instead, so missing parameters may be in it.
            for _, finding in check_arguments(arn, {}, jsonata=visit.jsonata):
                visit.report.warning(
                    visit.path, f"there is no {field}, so the input has to hold them: {finding.message}"
                )
        if arn.endswith(_WAITS_FOR_TOKEN):
            _check_token(visit, arguments)
        if visit.machine.express:
            _check_express(visit, arn)
    limit, beat = body.get("TimeoutSeconds"), body.get("HeartbeatSeconds")
    if type(limit) is int and type(beat) is int and 1 <= limit <= beat:
        visit.report.error(
            f"{visit.path}/HeartbeatSeconds",
            f"HeartbeatSeconds is {beat}, not less than TimeoutSeconds ({limit})",
        )


def _check_token(visit: Visit, arguments: Any) -> None:
    pattern = _MAY_HOLD_TOKEN[visit.jsonata]
    if any(pattern.search(text) for text in _computed(arguments, jsonata=visit.jsonata)):
        return
    token = "{% $states.context.Task.Token %}" if visit.jsonata else "$$.Task.Token"
    visit.report.warning(
        f"{visit.path}/Resource",
        f"the task waits for its token to come back, and its parameters do not pass it on; add {token!r}",
    )


def _computed(value: Any, *, jsonata: bool) -> Iterator[str]:
    """Yields every string of a template that is evaluated."""
    todo: list[tuple[bool, Any]] = [(jsonata, value)]
    while todo:
        computed, item = todo.pop()
        if type(item) is dict:
            todo.extend((jsonata or name.endswith(".$"), below) for name, below in item.items())
        elif type(item) is list:
            todo.extend((jsonata, below) for below in item)
        elif type(item) is str and computed and (not jsonata or is_expression(item)):
            yield item


def _check_express(visit: Visit, arn: str) -> None:
    if _ACTIVITY.match(arn):
        visit.report.error(
            f"{visit.path}/Resource",
            f"{shown(arn)}: EXPRESS children of a distributed Map cannot wait for an activity; set "
            "ExecutionType to 'STANDARD'",
        )
    for ending in (".sync", ".sync:2", _WAITS_FOR_TOKEN):
        if arn.endswith(ending):
            visit.report.error(
                f"{visit.path}/Resource",
                f"{shown(arn)}: EXPRESS children of a distributed Map cannot wait with '{ending}'; set "
                "ExecutionType to 'STANDARD'",
            )
