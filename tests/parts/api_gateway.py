"""A REST API of Amazon API Gateway whose methods call Step Functions, played on a deployed stack.

The emulator keeps such methods and does not run them: their mapping templates are rendered here, by a
library, with the variables and functions that AWS documents, and the calls are made of the emulator.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote_plus

import airspeed  # type: ignore[import-untyped]


class Answer(NamedTuple):
    """A response."""

    status: int
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


class RestApi:
    """One stage of an API."""

    def __init__(self, gateway: Any, states: Any, url: str) -> None:
        """Finds the API of a URL, as the output of a stack names it."""
        match = re.fullmatch(r"https://([^.]+)\.execute-api\.[^/]+/(\w+)", url)
        assert match is not None, url
        self._gateway, self._states, self.id, self.stage = gateway, states, match[1], match[2]
        found = gateway.get_resources(restApiId=self.id, embed=["methods"])["items"]
        self.resources = {each["path"]: each for each in found}

    def method(self, path: str) -> dict[str, Any]:
        """The method of a path, for any verb."""
        resource = self.resources[path]["id"]
        found: dict[str, Any] = self._gateway.get_method(
            restApiId=self.id, resourceId=resource, httpMethod="ANY"
        )
        return found

    def call(
        self, path: str, body: str = "", headers: Mapping[str, str] | None = None, **media: str
    ) -> Answer:
        """Sends a request to a path that has a method."""
        integration = self.method(path)["methodIntegration"]
        template = integration["requestTemplates"].get(media.get("media_type", "application/json"))
        if template is None:
            assert integration["passthroughBehavior"] == "NEVER"
            return Answer(415, "")
        context: dict[str, Any] = {"resourcePath": path, "responseOverride": {}}
        request = render(template, body, context, headers or {})
        result = self._start(json.loads(request))
        (response,) = integration["integrationResponses"].values()
        text = render(response["responseTemplates"]["application/json"], json.dumps(result), context, {})
        status = context["responseOverride"].get("status", response["statusCode"])
        return Answer(int(status), text)

    def _start(self, request: Mapping[str, Any]) -> Any:
        assert request.keys() == {"stateMachineArn", "input"}
        result = self._states.start_sync_execution(**request)
        return {key: value for key, value in result.items() if isinstance(value, str)}


def render(template: str, body: str, context: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """The text of a mapping template."""
    text: str = airspeed.Template(template).merge(
        {"input": _Input(body, headers), "util": _Util(), "context": context}
    )
    return text


class _Input:
    """``$input``."""

    def __init__(self, body: str, headers: Mapping[str, str]) -> None:
        self.body = body
        self._headers = headers

    def params(self, name: str) -> str:
        """A header. The emulator of headers is strict: names are compared letter by letter."""
        return self._headers.get(name, "")

    def path(self, expression: str) -> Any:
        assert expression == "$"
        return json.loads(self.body)


class _Util:
    """``$util``."""

    def urlEncode(self, text: str) -> str:  # noqa: N802 -- the name in templates
        """As ``application/x-www-form-urlencoded``, in UTF-8."""
        return quote_plus(text, safe="*").replace("~", "%7E")

    def parseJson(self, text: str) -> Any:  # noqa: N802
        return json.loads(text)
