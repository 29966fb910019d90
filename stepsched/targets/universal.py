"""Targets for any AWS API call, as in EventBridge Scheduler's universal targets.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
"""

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, JsonValue, field_validator

from stepsched.aws.arns import ARN
from stepsched.core.payloads import JsonObject
from stepsched.core.quoting import quoted
from stepsched.targets.base import TargetValue

# Actions that only read; EventBridge Scheduler refuses them (AWS: "Using universal targets").
_READ_ONLY = frozenset(
    {
        "adminGet",
        "adminList",
        "batchDescribe",
        "batchGet",
        "batchRead",
        "describe",
        "discover",
        "get",
        "invokeModel",
        "isAuthorized",
        "list",
        "lookup",
        "poll",
        "query",
        "read",
        "receive",
        "retrieve",
        "scan",
        "search",
        "select",
        "testConnection",
        "testMigration",
        "transactGet",
        "translateDocument",
        "validate",
    }
)


class ApiTarget(TargetValue, frozen=True):
    """Calls any AWS API with the parameters in ``request``. The job's input is not used."""

    kind: Literal["api"] = "api"
    service: str
    """The SDK's identifier of the service in lower case: ``ecs``, ``sfn``, ``cognitoidentityprovider``."""
    action: str
    """The action in lower camel case, such as ``runTask``. Actions that only read are refused, as by AWS."""
    request: JsonObject
    """The parameters of the call, with the names that the SDK gives them."""

    def __init__(
        self,
        service: str,
        action: str,
        request: Mapping[str, JsonValue],
        *,
        kind: Literal["api"] = "api",
    ) -> None:
        self._assign(service=service, action=action, request=request, kind=kind)

    @field_validator("service")
    @classmethod
    def _is_service(cls, service: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", service):
            raise ValueError(
                f"expected the SDK's service name in lower case, such as 'ecs', got {quoted(service)}"
            )
        return service

    @field_validator("action")
    @classmethod
    def _is_action(cls, action: str) -> str:
        if not re.fullmatch(r"[a-z][A-Za-z0-9]*", action):
            words = [word for word in re.split(r"[^A-Za-z0-9]+", action) if word]
            camel = "".join(word[:1].upper() + word[1:] for word in words)
            camel = camel[:1].lower() + camel[1:] if camel[:1].isalpha() else "runTask"
            raise ValueError(
                f"expected the action in lower camel case, such as {quoted(camel)}, got {quoted(action)}"
            )
        for word in _READ_ONLY:
            if action == word or re.match(rf"{word}[A-Z]", action):
                raise ValueError(
                    f"expected an action that changes something, as on AWS, got {quoted(action)}"
                )
        return action


class TemplateTarget(TargetValue, frozen=True):
    """A target of EventBridge Scheduler in the service's own form, for targets without a class here."""

    kind: Literal["template"] = "template"
    target_arn: str = Field(max_length=1600)
    """The ARN of the target, as EventBridge Scheduler takes it."""
    parameters: JsonObject = Field(default_factory=dict)
    """The parameter blocks of the target, such as ``{"SqsParameters": {...}}``."""

    def __init__(
        self,
        target_arn: str,
        *,
        parameters: Mapping[str, JsonValue] | None = None,
        kind: Literal["template"] = "template",
    ) -> None:
        self._assign(target_arn=target_arn, parameters={} if parameters is None else parameters, kind=kind)

    @field_validator("target_arn")
    @classmethod
    def _is_arn(cls, arn: str) -> str:
        if not ARN.fullmatch(arn):
            raise ValueError(
                f"expected an ARN, arn:aws:<service>:<region>:<account>:<resource>, got {quoted(arn)}"
            )
        return arn
