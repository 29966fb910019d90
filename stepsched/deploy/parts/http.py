"""One-shot tasks over HTTP: an API that starts a state machine for each request, and a topic for delivery."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from typing import Any

from pydantic import Field, SecretStr, field_validator

from stepsched.asl.machine import StateMachine
from stepsched.core.quoting import quoted
from stepsched.core.values import Duration, Value
from stepsched.deploy.parts.base import StackPart, machine, output, role
from stepsched.deploy.parts.http_mapping import EMPTY, REQUEST, RESPONSE
from stepsched.deploy.parts.names import HTTP, REGISTER, TASKS, Names
from stepsched.deploy.parts.runner import trust_policy
from stepsched.machines.shared.one_shot import one_shot
from stepsched.machines.shared.one_shot_words import HORIZON, PATHS

STAGE = "v1"
"""The first segment of the paths of the API."""
_DAY = timedelta(days=1)
_LONGEST_HORIZON = 36_525 * _DAY
_MEDIA_TYPES = ("application/json", "application/x-www-form-urlencoded", "text/plain")
"""The media types of bodies that are read, as JSON. The second is what curl sends without another one."""
_ADDRESS = re.compile(r"[^@\s/:]+@[^@\s/:]+\.[^@\s/:]+")
_URL = re.compile(r"https://[^\s/@]+(/\S*)?")


class HttpPart(Value, frozen=True):
    """How the API of one-shot tasks is made."""

    secret: str | SecretStr | None = None
    """The secret that requests have in their bodies. The template has only its SHA-256, from which a short
    secret can be guessed: use a random one. None: requests are signed with credentials of AWS that allow
    ``execute-api:Invoke``, and are refused without."""
    subscriber: str | None = None
    """Who is subscribed to the topic of the tasks: an ``https://`` URL, or an e-mail address. It must confirm
    the subscription. None: nobody is."""
    horizon: Duration = HORIZON
    """How far ahead the timestamp of a task may be, inclusive; 1 to 36,525 whole days."""
    rate: int = Field(default=50, ge=1, le=10_000)
    """The number of requests a second that the API takes. More are answered with 429."""
    burst: int = Field(default=100, ge=1, le=5_000)
    """The number of requests that the API takes at once."""

    @field_validator("secret")
    @classmethod
    def _is_hidden(cls, value: str | SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        hidden = value if isinstance(value, SecretStr) else SecretStr(value)
        if not hidden.get_secret_value():
            raise ValueError("expected a secret, got an empty text; use None for signed requests")
        return hidden

    @field_validator("subscriber")
    @classmethod
    def _is_reachable(cls, value: str | None) -> str | None:
        if value is None or _URL.fullmatch(value) or _ADDRESS.fullmatch(value):
            return value
        raise ValueError(
            f"expected an https:// URL or an e-mail address, got {quoted(value)}; use 'https://example.com/tasks'"
        )

    @field_validator("horizon")
    @classmethod
    def _is_in_days(cls, value: timedelta) -> timedelta:
        if value % _DAY or not _DAY <= value <= _LONGEST_HORIZON:
            raise ValueError(
                f"expected 1 to {_LONGEST_HORIZON // _DAY:,} whole days, got {value}; use timedelta(days=365)"
            )
        return value

    @property
    def secret_sha256(self) -> str | None:
        """The SHA-256 of the secret, in hexadecimal digits."""
        if not isinstance(self.secret, SecretStr):
            return None
        return hashlib.sha256(self.secret.get_secret_value().encode()).hexdigest()


def http_definition(names: Names, options: HttpPart) -> StateMachine:
    """The definition of the state machine, with placeholders."""
    return one_shot(
        names.table,
        names.machine_arn(REGISTER),
        names.topic_arn("HttpTopic"),
        secret_sha256=options.secret_sha256,
        horizon=options.horizon,
        partition=names.partition,
    )


def http(
    names: Names,
    options: HttpPart,
    definition: StateMachine,
    policy: dict[str, Any],
    *,
    boundary: str | None,
) -> StackPart:
    """The API with its stage and role, the state machine with its role, and the topic.

    Neither the stage nor the machine logs, because the bodies of requests contain the secret.

    Args:
        names: The names of the stack.
        options: How the API is made.
        definition: The definition of the machine, with placeholders.
        policy: The policy of its role, with placeholders.
        boundary: The permissions boundary of the roles. None: there is none.
    """
    api, machine_arn = names.logical("HttpApi"), names.machine_arn(HTTP)
    methods = _methods(names, needs_signature=options.secret is None)
    url = f"https://${{{api}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/${{{names.logical('HttpStage')}}}"
    resources = {
        names.logical("HttpTopic"): {
            "Type": "AWS::SNS::Topic",
            "Properties": {**names.explicit("TopicName", TASKS), **_subscription(options.subscriber)},
        },
        names.logical("HttpRole"): role(
            names,
            "Lets the machine of the API look up tasks and call the register",
            trust=trust_policy(names, HTTP),
            policy=policy,
            boundary=boundary,
        ),
        names.logical("Http"): machine(
            "EXPRESS",
            names.machine_name(HTTP),
            definition,
            role_arn=names.attribute("HttpRole"),
            substitutions={
                "TableName": (names.table, names.table_ref),
                "RegisterArn": (names.machine_arn(REGISTER), names.ref("Register")),
                "TopicArn": (names.topic_arn("HttpTopic"), names.ref("HttpTopic")),
            },
        ),
        names.logical("HttpApiRole"): role(
            names,
            "Lets the API start the machine of its requests",
            trust=_TRUST,
            policy=_start_policy(machine_arn),
            boundary=boundary,
        ),
        api: {
            "Type": "AWS::ApiGateway::RestApi",
            "Properties": {
                "Name": names.machine_name(HTTP),
                "Description": "stepsched: one-shot tasks",
                "EndpointConfiguration": {"Types": ["REGIONAL"]},
            },
        },
        **methods,
        **_stage(names, options, methods),
    }
    return StackPart(
        resources,
        {
            names.logical("HttpUrl"): output("The URL of one-shot tasks", {"Fn::Sub": url}),
            names.logical("HttpTopicArn"): output(
                "The topic to which one-shot tasks are delivered", names.ref("HttpTopic")
            ),
        },
    )


_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "apigateway.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
"""Without a condition: API Gateway documents none that it supports. Whoever makes an API use the role needs
``iam:PassRole`` on it."""


def _start_policy(machine_arn: str) -> dict[str, Any]:
    statement = {
        "Sid": "StatesStartSyncExecution",
        "Effect": "Allow",
        "Action": ["states:StartSyncExecution"],
        "Resource": [machine_arn],
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _subscription(subscriber: str | None) -> dict[str, Any]:
    if subscriber is None:
        return {}
    protocol = "https" if subscriber.startswith("https:") else "email"
    return {"Subscription": [{"Protocol": protocol, "Endpoint": subscriber}]}


def _methods(names: Names, *, needs_signature: bool) -> dict[str, Any]:
    """The paths of the API with their methods: the verb is not looked at. And the response on other paths."""
    found: dict[str, Any] = {}
    for path in PATHS:
        title = f"Http{path[1:].capitalize()}"
        found[names.logical(f"{title}Path")] = {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {
                "RestApiId": names.ref("HttpApi"),
                "ParentId": names.attribute("HttpApi", "RootResourceId"),
                "PathPart": path[1:],
            },
        }
        found[names.logical(f"{title}Method")] = {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                "RestApiId": names.ref("HttpApi"),
                "ResourceId": names.ref(f"{title}Path"),
                "HttpMethod": "ANY",
                "AuthorizationType": "AWS_IAM" if needs_signature else "NONE",
                "Integration": _integration(names),
                "MethodResponses": [{"StatusCode": "200"}],
            },
        }
    if not needs_signature:  # a request without signature is answered in the same way as an unknown path
        found[names.logical("HttpNotFound")] = {
            "Type": "AWS::ApiGateway::GatewayResponse",
            "Properties": {
                "RestApiId": names.ref("HttpApi"),
                "ResponseType": "MISSING_AUTHENTICATION_TOKEN",
                "StatusCode": "404",
                "ResponseTemplates": {"application/json": EMPTY},
            },
        }
    return found


def _integration(names: Names) -> dict[str, Any]:
    """The call of the machine, and the response that its output gives."""
    states = "arn:${AWS::Partition}:apigateway:${AWS::Region}:states:action/StartSyncExecution"
    request = {"Fn::Sub": REQUEST.replace("MACHINE", f"${{{names.logical('Http')}}}")}
    return {
        "Type": "AWS",
        "IntegrationHttpMethod": "POST",
        "Uri": {"Fn::Sub": states},
        "Credentials": names.attribute("HttpApiRole"),
        "PassthroughBehavior": "NEVER",
        "RequestTemplates": dict.fromkeys(_MEDIA_TYPES, request),
        "IntegrationResponses": [{"StatusCode": "200", "ResponseTemplates": {"application/json": RESPONSE}}],
    }


def _stage(names: Names, options: HttpPart, methods: dict[str, Any]) -> dict[str, Any]:
    """The stage, and its deployment. A deployment does not change: other methods need another one."""
    digest = hashlib.sha256(json.dumps(methods, sort_keys=True).encode()).hexdigest()[:10]
    deployment = f"HttpDeployment{digest}"
    return {
        names.logical(deployment): {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": [name for name in methods if not name.endswith("Path")],
            "Properties": {"RestApiId": names.ref("HttpApi")},
        },
        names.logical("HttpStage"): {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {
                "RestApiId": names.ref("HttpApi"),
                "DeploymentId": names.ref(deployment),
                "StageName": STAGE,
                "MethodSettings": [
                    {
                        "HttpMethod": "*",
                        "ResourcePath": "/*",
                        "ThrottlingRateLimit": options.rate,
                        "ThrottlingBurstLimit": options.burst,
                        "LoggingLevel": "OFF",
                        "DataTraceEnabled": False,
                    }
                ],
            },
        },
    }
