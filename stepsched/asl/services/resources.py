"""Checks the Resource of a Task."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from stepsched.asl.diagnostics import Severity
from stepsched.asl.expressions import Finding
from stepsched.asl.services.optimised import ACTIONS, GROWING, model_folder, optimised_request
from stepsched.aws.models import Shape, actions, botocore_version, request
from stepsched.aws.services import closest, closest_service, find_identifier, integration_of, services

_FORMS = (
    "arn:aws:states:::<service>:<action>, arn:aws:states:::aws-sdk:<service>:<action>, "
    "or the ARN of a Lambda function or an activity"
)
_ARN = re.compile(
    r"arn:(?P<partition>[\w-]+):(?P<owner>[\w-]+):(?P<region>[^:]*):(?P<account>[^:]*):(?P<rest>.+)"
)
_FUNCTION = re.compile(r"function:[^:]+(?::[^:]+)?")
_ACTIVITY = re.compile(r"activity:[^:]+")
_INTEGRATION = re.compile(r"(?P<sdk>aws-sdk:)?(?P<service>[^:.]+):(?P<action>[^:.]+)(?:\.(?P<pattern>.*))?")
_PATTERNS = ("sync", "sync:2", "waitForTaskToken")


class _Call(NamedTuple):
    is_sdk: bool
    service: str
    action: str
    pattern: str
    """The pattern; empty for request and response."""


def check_resource(resource: str) -> list[Finding]:
    """Returns the problems of a Task's Resource; none if it contains a ``${placeholder}``.

    https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html
    """
    return list(_findings(resource))


@lru_cache(maxsize=2048)
def expected_arguments(resource: str) -> Shape | None:
    """Returns the type of a Task's Arguments; None if it is not known."""
    if "${" in resource or _findings(resource):
        return None
    call = _read(resource)
    if call is None:
        return None
    if not call.is_sdk:
        return optimised_request(call.service, call.action)
    folder = services()[call.service].folder
    return request(folder, actions(folder)[call.action])


def is_sdk(resource: str) -> bool:
    """Returns whether the Resource names a call of the AWS SDK."""
    return ":aws-sdk:" in resource


@lru_cache(maxsize=2048)
def _findings(resource: str) -> tuple[Finding, ...]:
    if "${" in resource:
        return ()
    arn = _ARN.fullmatch(resource)
    if resource.startswith("{%"):
        message = f"a Resource is a constant, not an expression: {resource!r}"
    elif arn is None:
        message = f"{resource!r} is no resource; write {_FORMS}"
    elif arn["owner"] == "lambda" or (arn["owner"] == "states" and arn["rest"].startswith("activity:")):
        message = _check_own(resource, arn)
    elif arn["owner"] != "states" or arn["rest"].startswith("stateMachine:"):
        message = _foreign(arn)
    else:
        call = _read(resource)
        message = f"{resource!r} is no integration; write {_FORMS}" if call is None else _check_call(call)
    return (Finding(Severity.ERROR, "INVALID_RESOURCE", message),) if message else ()


def _check_own(resource: str, arn: re.Match[str]) -> str:
    form = _FUNCTION if arn["owner"] == "lambda" else _ACTIVITY
    wanted = "function:<name>[:<version or alias>]" if arn["owner"] == "lambda" else "activity:<name>"
    if not form.fullmatch(arn["rest"]) or re.search(r"\s", resource):
        return f"{resource!r} must end with {wanted}"
    if not arn["region"] or not arn["account"]:
        return f"{resource!r} lacks the region or the account of what it names"
    if arn["account"].isdigit() and len(arn["account"]) != 12:
        return f"an account has twelve digits, not {len(arn['account'])}, as in {resource!r}"
    return ""


def _foreign(arn: re.Match[str]) -> str:
    owner = "states" if arn["rest"].startswith("stateMachine:") else arn["owner"]
    action = next(iter(ACTIONS.get(owner, ())), None)
    example = f", such as arn:{arn['partition']}:states:::{owner}:{action}," if action else ""
    return (
        f"a Task does not call {arn[0]!r} itself; name an integration{example} and give it in the arguments"
    )


@lru_cache(maxsize=2048)
def _read(resource: str) -> _Call | None:
    arn = _ARN.fullmatch(resource)
    if arn is None or arn["owner"] != "states" or arn["rest"].startswith("activity:"):
        return None
    found = _INTEGRATION.fullmatch(arn["rest"])
    if found is None or re.search(r"\s", resource) or (found["service"] == "aws-sdk" and not found["sdk"]):
        return None
    # Without a pattern there is no dot either; a dot that ends the text is refused as an empty pattern.
    pattern = "" if found["pattern"] is None else found["pattern"] or "."
    return _Call(found["sdk"] is not None, found["service"], found["action"], pattern)


def _check_call(call: _Call) -> str:
    if call.pattern and call.pattern not in _PATTERNS:
        hint = closest(call.pattern, _PATTERNS) or f"; write .{', .'.join(_PATTERNS)} or none"
        return f"there is no pattern {'.' + call.pattern.lstrip('.')!r}{hint}"
    return _check_sdk(call) if call.is_sdk else _check_optimised(call)


def _check_sdk(call: _Call) -> str:
    service = services().get(call.service)
    if service is None:
        return (
            f"botocore {botocore_version()} knows no service {call.service!r}{closest_service(call.service)}"
        )
    operations = actions(service.folder)
    if call.action not in operations:
        return _unknown_action(
            call.service, call.action, operations, f"botocore {botocore_version()} knows no"
        )
    if call.pattern.startswith("sync"):
        integration = integration_of(call.service)
        patterns = ACTIONS.get(integration, {}).get(call.action, frozenset())
        name = f"{integration}:{call.action}.{call.pattern}"
        hint = f"; use arn:aws:states:::{name}" if call.pattern in patterns else ""
        return f"the SDK's calls do not wait for a job: there is no .{call.pattern} for aws-sdk{hint}"
    return ""


def _unknown_action(service: str, action: str, known: Iterable[str], intro: str) -> str:
    names = list(known)
    if action[:1].isupper() and action[:1].lower() + action[1:] in names:
        lower = action[:1].lower() + action[1:]
        return f"{intro} action {action!r} of {service!r}: actions are in lower camel case, {lower!r}"
    return f"{intro} action {action!r} of {service!r}{closest(action, names)}"


def _check_optimised(call: _Call) -> str:
    known = ACTIONS.get(call.service)
    if known is None:
        return f"there is no optimised integration {call.service!r}{_instead(call)}"
    patterns = known.get(call.action)
    if patterns is None:
        if call.service in GROWING and call.action in _model_actions(call):
            return ""
        return _unknown_action(call.service, call.action, known, "there is no optimised") + _sdk_hint(call)
    if call.pattern and call.pattern not in patterns:
        taken = ", ".join(f".{each}" for each in sorted(patterns)) or "none"
        sdk = _sdk_hint(call) if call.pattern == "waitForTaskToken" else ""
        name = f"{call.service}:{call.action}"
        return f"{name} does not take .{call.pattern}; of the patterns it takes {taken}{sdk}"
    return ""


def _model_actions(call: _Call) -> Iterable[str]:
    folder = model_folder(call.service, call.action)
    return actions(folder) if folder else ()


def _sdk_hint(call: _Call) -> str:
    service = find_identifier(call.service)
    folder = model_folder(call.service, call.action)
    if service is None or folder is None or call.action not in actions(folder):
        return ""
    suffix = ".waitForTaskToken" if call.pattern == "waitForTaskToken" else ""
    return f"; or use arn:aws:states:::aws-sdk:{service}:{call.action}{suffix}"


def _instead(call: _Call) -> str:
    service = find_identifier(call.service)
    if service is not None and call.action in ACTIONS.get(integration_of(service), {}):
        return f"; did you mean {integration_of(service)!r}?"
    if service is not None and call.action in actions(services()[service].folder):
        return f"; use arn:aws:states:::aws-sdk:{service}:{call.action}"
    return closest(call.service, ACTIONS)
