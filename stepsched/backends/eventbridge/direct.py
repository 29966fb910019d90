"""The short way to the service: one attempt of one request, on the SDK's own signer and connections.

The SDK spends most of a call on finding the endpoint, validating, serialising, naming itself and parsing,
all of which is known here beforehand. What stays is the SDK's: its events ``request-created`` (which signs,
with credentials that it refreshes) and ``before-send`` (which tools such as moto hook), its connection pool
with proxies and certificates, its errors. Whatever may be tried again is left to the SDK.

Answers come as the service wrote them, with members that the SDK's model does not know yet.
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
    """Parameters that travel in the query, with their names there; the others are the body."""


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
    """Sends requests past most of an SDK client."""

    def __init__(self, client: Any) -> None:
        from botocore import exceptions as sdk
        from botocore.awsrequest import AWSRequest

        self._request: Any = AWSRequest
        self._error: Any = sdk.ClientError
        self._broken = (sdk.HTTPClientError, sdk.ConnectionError, ValueError)
        self._events = client.meta.events
        self._url = client.meta.endpoint_url.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        # Not public; where a version of the SDK has it elsewhere, everything goes the long way.
        self.is_open = True
        """False after the first throttle: the SDK's adaptive mode learns its pace only from its own calls."""
        self._session: Any = getattr(getattr(client, "_endpoint", None), "http_session", None)

    def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer.

        Returns:
            None where the SDK has to make the call: the operation is not one of these, nobody answered, or
            the answer may be another one next time.

        Raises:
            ClientError: The service refuses, for good.
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
        """Raises what no repetition would change."""
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
    """Epoch seconds, as the service takes them."""
    seconds = moment.timestamp()
    return int(seconds) if seconds.is_integer() else seconds


def _read(answer: dict[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in answer.items() if value is not None}
    for key in _DATES:
        if isinstance(found.get(key), (int, float)):
            # Beyond the year 9999 it stays a number, and whoever reads it says so.
            with suppress(OverflowError, ValueError, OSError):
                found[key] = datetime.fromtimestamp(found[key], timezone.utc)
    return found
