"""Checks the fields that only a Task has: its resource, the parameters of the call, the token, the
timeouts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stepsched.asl.checks.attributes import without_plain_attributes
from stepsched.asl.checks.report import shown
from stepsched.asl.checks.templates import AT_ENTRY, check_payload, check_template, is_expression
from stepsched.asl.checks.visits import Visit
from stepsched.asl.diagnostics import Doubt
from stepsched.asl.services import check_arguments, check_resource

_WAITS_FOR_TOKEN = ".waitForTaskToken"  # noqa: S105 -- the end of a resource's name
_ACTIVITY = re.compile(r"arn:aws[a-z-]*:states:[^:]*:[^:]*:activity:")
_INTEGRATION = re.compile(r"arn:aws[a-z-]*:states:[^:]*:[^:]*:(?!activity:|stateMachine:)[^:]+:")
_DYNAMODB = re.compile(r"arn:aws[a-z-]*:states:[^:]*:[^:]*:dynamodb:")
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
    role = value.get("RoleArn")
    if "RoleArn" not in value and (visit.jsonata or "RoleArn.$" not in value):
        visit.report.error(f"{path}/{key}", "The field 'RoleArn' is required but was missing")
    elif role is not None and type(role) is not str:
        visit.report.error(f"{path}/{key}/RoleArn", f"RoleArn is {shown(role)}; expected the ARN of a role")
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
            _check_call(visit, arn, where, arguments)
        elif _INTEGRATION.match(arn) and field not in body:
            visit.report.error(visit.path, f"{field} field is required for resource ARN: {arn}")
        elif _INTEGRATION.match(arn) and not (
            visit.jsonata and type(arguments) is str and is_expression(arguments)
        ):
            visit.report.error(where, f"{field} is {shown(arguments)}; the call of an API needs an object")
        if "Credentials" in body and _ACTIVITY.match(arn):
            visit.report.error(
                f"{visit.path}/Credentials", "The field 'Credentials' is not supported for activities"
            )
        if arn.endswith(_WAITS_FOR_TOKEN):
            _check_token(visit, arguments)
        if visit.machine.express:
            _check_express(visit, arn)
    _check_beat(visit, body)


def _check_call(visit: Visit, arn: str, where: str, arguments: dict[str, Any]) -> None:
    """Checks the parameters of the call of an API."""
    if _DYNAMODB.match(arn):
        arguments, plain = without_plain_attributes(arguments, jsonata=visit.jsonata)
        for below in plain:
            visit.report.warning(
                f"{where}{below}",
                "an attribute of DynamoDB is an object with its type, such as {'S': 'text'}; AWS takes plain "
                "text here as 'S'",
                Doubt.PLAIN_ATTRIBUTE,
            )
    for below, finding in check_arguments(arn, arguments, jsonata=visit.jsonata):
        visit.report.add(f"{where}{below}", (finding,))


def _check_beat(visit: Visit, body: dict[str, Any]) -> None:
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
        Doubt.TOKEN_NOT_PASSED,
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
    what = visit.machine.express_name
    cure = "make the machine STANDARD" if "machine" in what else "set ExecutionType to 'STANDARD'"
    if _ACTIVITY.match(arn):
        visit.report.error(
            f"{visit.path}/Resource", f"{shown(arn)}: {what} cannot wait for an activity; {cure}"
        )
    for ending in (".sync", ".sync:2", _WAITS_FOR_TOKEN):
        if arn.endswith(ending):
            visit.report.error(
                f"{visit.path}/Resource", f"{shown(arn)}: {what} cannot wait with '{ending}'; {cure}"
            )
