"""The short path to the service: one attempt of one request, with the SDK's signer and connections.

The SDK spends most of a call on resolving the endpoint, validating, serialising, building the user agent and
parsing, all of which is known here in advance. This module still uses the SDK's events ``request-created``
(which signs, with refreshed credentials) and ``before-send`` (which tools such as moto hook), its connection
pool with proxies and certificates, and its errors. Retries are left to the SDK.

Responses are returned as the service sent them, with members that the SDK's model does not know yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any, NamedTuple
from urllib.parse import urlencode

_DATES = ("CreationDate", "LastModificationDate", "StartDate", "EndDate")
_TYPE = "x-amzn-errortype"


class _Route(NamedTuple):
    method: str
    query: Mapping[str, str]
    """The parameters in the query string, with their names there; the others are in the body."""


_ROUTES = {
    "CreateSchedule": _Route("POST", {}),
    "GetSchedule": _Route("GET", {"GroupName": "groupName"}),
    "UpdateSchedule": _Route("PUT", {}),
    "DeleteSchedule": _Route("DELETE", {"GroupName": "groupName", "ClientToken": "clientToken"}),
    "ListSchedules": _Route(
        "GET",
        {
            "GroupName": "ScheduleGroup",
            "NamePrefix": "NamePrefix",
            "State": "State",
            "MaxResults": "MaxResults",
            "NextToken": "NextToken",
        },
    ),
}


class Direct:
    """Sends requests without most of the SDK client."""

    def __init__(self, client: Any) -> None:
        from botocore import exceptions as sdk
        from botocore.awsrequest import AWSRequest

        self._request: Any = AWSRequest
        self._error: Any = sdk.ClientError
        self._broken = (sdk.HTTPClientError, sdk.ConnectionError, ValueError)
        self._events = client.meta.events
        self._url = client.meta.endpoint_url.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        # Not public; if a version of the SDK lacks it, every call is made by the SDK.
        self.is_open = True
        """Whether to use the short path. False after the first throttled call: the SDK's adaptive mode learns
        the rate only from its own calls."""
        self._session: Any = getattr(getattr(client, "_endpoint", None), "http_session", None)

    def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
        """Makes one attempt of a call.

        Returns:
            The response, or None if the SDK has to make the call: the operation is not supported here, there
            was no response, or a retry may succeed.

        Raises:
            ClientError: The service refuses the call, and a retry cannot succeed.
        """
        route = _ROUTES.get(operation)
        if route is None or self._session is None or not self.is_open:
            return None
        request = self._request(*self._address(route, parameters))
        names = {"operation_name": operation}
        self._events.emit(f"request-created.scheduler.{operation}", request=request, **names)
        try:
            response = self._sent(operation, request.prepare())
            answer = json.loads(response.content or b"{}")
        except self._broken:
            return None
        if not isinstance(answer, dict):
            return None
        if not 200 <= response.status_code < 300:
            self._raise_for_good(operation, response, answer)
            return None
        return _read(answer)

    def _sent(self, operation: str, prepared: Any) -> Any:
        _, response = self._events.emit_until_response(f"before-send.scheduler.{operation}", request=prepared)
        return self._session.send(prepared) if response is None else response

    def _address(
        self, route: _Route, parameters: Mapping[str, Any]
    ) -> tuple[str, str, dict[str, str], bytes]:
        rest = dict(parameters)
        name = rest.pop("Name", None)
        path = "/schedules" if name is None else f"/schedules/{name}"
        query = {route.query[key]: rest.pop(key) for key in route.query if key in rest}
        body = json.dumps(rest, default=_seconds).encode() if rest else b""
        mark = "?" if query else ""
        return route.method, f"{self._url}{path}{mark}{urlencode(query)}", dict(self._headers), body

    def _raise_for_good(self, operation: str, response: Any, answer: dict[str, Any]) -> None:
        """Raises an error that a retry cannot change."""
        code = str(response.headers.get(_TYPE, "")).partition(":")[0]
        if response.status_code == 429:
            self.is_open = False
        if response.status_code == 429 or response.status_code >= 500 or not code:
            return
        words = answer.get("Message") or answer.get("message") or ""
        meta = {
            "HTTPStatusCode": response.status_code,
            "RequestId": response.headers.get("x-amzn-requestid"),
            "HTTPHeaders": dict(response.headers),
        }
        raise self._error({"Error": {"Code": code, "Message": words}, "ResponseMetadata": meta}, operation)


def _seconds(moment: datetime) -> float:
    """Returns epoch seconds, as the service expects them."""
    seconds = moment.timestamp()
    return int(seconds) if seconds.is_integer() else seconds


def _read(answer: dict[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in answer.items() if value is not None}
    for key in _DATES:
        if isinstance(found.get(key), (int, float)):
            # After the year 9999 it stays a number, and the caller raises an error.
            with suppress(OverflowError, ValueError, OSError):
                found[key] = datetime.fromtimestamp(found[key], timezone.utc)
    return found
