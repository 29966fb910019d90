"""EventBridge Scheduler as AWS documents it, on loopback: a strict store with faults to order.

It never fires. What it knows and the emulators do not: client tokens, status codes, paging, the rules of
dates, the full replacement by an update, and the exact words of refusals.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, NamedTuple, final
from urllib.parse import parse_qs, unquote, urlsplit

from stepsched.core.clock import utc_now

ACCOUNT = "123456789012"
ROLE_REFUSED = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
ERRORS: Mapping[str, tuple[int, str, str]] = {
    "throttle": (429, "ThrottlingException", "Rate exceeded"),
    "internal": (500, "InternalServerException", "Unexpected error"),
    "unavailable": (503, "ServiceUnavailable", "Service is unavailable"),
    "quota": (402, "ServiceQuotaExceededException", "The quota of schedules is exceeded"),
    "denied": (403, "AccessDeniedException", "User is not authorized to perform the action"),
    "conflict": (409, "ConflictException", "The resource is being changed"),
    "role": (400, "ValidationException", ROLE_REFUSED),
}
BODIES: Mapping[str, bytes] = {
    "garbage": b"<html>It works!</html>",
    "binary": b"\xff\xfe\x00\x9c",
    "list": b"[1, 2]",
    "empty": b"{}",
    "date": b'{"Name": "job", "CreationDate": "yesterday", "NextToken": 7}',
}
"""What comes with status 200 and is no answer."""
PAGE_KINDS = ("empty-page", "duplicates", "vanish")
_OPERATIONS = {
    ("POST", "schedules"): "CreateSchedule",
    ("PUT", "schedules"): "UpdateSchedule",
    ("GET", "schedules"): "GetSchedule",
    ("DELETE", "schedules"): "DeleteSchedule",
    ("POST", "schedule-groups"): "CreateScheduleGroup",
    ("GET", "schedule-groups"): "GetScheduleGroup",
}
_MEMBERS = frozenset(
    {
        *("ActionAfterCompletion", "ClientToken", "Description", "EndDate", "FlexibleTimeWindow"),
        *("GroupName", "KmsKeyArn", "ScheduleExpression", "ScheduleExpressionTimezone", "StartDate"),
        *("State", "Target"),
    }
)
_NAME = re.compile(r"[0-9a-zA-Z-_.]{1,64}")
_EXPRESSION = re.compile(
    r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?\)|rate\([1-9]\d* (minute|hour|day)s?\)|cron\(\S+( \S+){4,5}\)"
)
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")


class Fault(NamedTuple):
    """What goes wrong with a request.

    ``kind`` is a key of `ERRORS` or `BODIES`, one of `PAGE_KINDS`, or ``reset`` (the connection is closed),
    ``hang`` (no answer for `SchedulerStub.patience`, then closed), ``truncated`` (half a body).
    """

    kind: str
    after: bool = False
    """Whether the server has acted by then."""


class Request(NamedTuple):
    """A request as it came in."""

    operation: str
    name: str
    query: Mapping[str, str]
    body: Mapping[str, Any]


class _RefusedError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)


def _invalid(message: str) -> _RefusedError:
    return _RefusedError(400, "ValidationException", message)


@final
@dataclass
class SchedulerStub:
    """A running server. Entering starts it, leaving stops it."""

    region: str = "eu-west-1"
    partition: str = "aws"
    clock: Callable[[], datetime] = utc_now
    latency: float = 0.0
    """Seconds before each answer."""
    patience: float = 2.0
    """Seconds that a ``hang`` takes."""
    inject: Callable[[Request], Fault | None] | None = None
    """Asked at each request."""

    def __post_init__(self) -> None:
        self.schedules = dict[tuple[str, str], dict[str, Any]]()
        """By group and name, as GetSchedule answers."""
        self.groups = {"default"}
        self.log = list[Request]()
        self.busiest = 0
        """The most requests that were worked on at once."""
        self._orders = dict[tuple[str, int], Fault]()
        self._seen = Counter[str]()
        self._tokens = dict[tuple[str, str], tuple[str, dict[str, Any]]]()
        self._busy = 0
        self._loop = asyncio.new_event_loop()
        self._tasks = set[asyncio.Task[None]]()
        self._thread = threading.Thread(target=self._loop.run_forever, name="scheduler-stub", daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> SchedulerStub:
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def endpoint_url(self) -> str:
        assert self._server is not None, "the server is not started"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def order(self, operation: str, kind: str, *, after: bool = False, at: int = 1, times: int = 1) -> None:
        """Spoils the requests ``at`` to ``at + times - 1`` of an operation, counted from now."""
        for number in range(at, at + times):
            self._orders[operation, self._seen[operation] + number] = Fault(kind, after)

    def recover(self) -> None:
        """Forgets the faults that have not come up."""
        self._orders.clear()
        self.inject = None

    def count(self, operation: str) -> int:
        """How many such requests have come in."""
        return self._seen[operation]

    def put(self, name: str, group: str = "default", **members: Any) -> dict[str, Any]:
        """Stores a schedule as somebody else's tool would; ``Target`` may hold what nobody knows of."""
        arn = f"arn:{self.partition}:lambda:{self.region}:{ACCOUNT}:function:other"
        target = {"Arn": arn, "RoleArn": f"arn:{self.partition}:iam::{ACCOUNT}:role/other"}
        body = {"ScheduleExpression": "cron(0 9 * * ? *)", "FlexibleTimeWindow": {"Mode": "OFF"}}
        self.groups.add(group)
        return self._store(group, name, body | {"Target": target | members.pop("Target", {})} | members)

    # -- HTTP --------------------------------------------------------------------------------------

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (request := await self._read(reader)) is not None:
                self._busy += 1
                self.busiest = max(self.busiest, self._busy)
                try:
                    answer, goes_on = await self._answer(request)
                finally:
                    self._busy -= 1
                writer.write(answer)
                await writer.drain()
                if not goes_on:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Request | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except asyncio.IncompleteReadError:
            return None
        headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, target, _ = head[0].split(" ")
        address = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        kind, _, name = address.path.strip("/").partition("/")
        operation = _OPERATIONS.get((method, kind), "Unknown")
        if not name:
            operation = {"schedules": "ListSchedules", "schedule-groups": "ListScheduleGroups"}[kind]
        return Request(operation, unquote(name), query, json.loads(body) if body else {})

    async def _answer(self, request: Request) -> tuple[bytes, bool]:
        """What is sent, and whether the connection stays open."""
        self.log.append(request)
        self._seen[request.operation] += 1
        fault = self._orders.pop((request.operation, self._seen[request.operation]), None)
        if fault is None and self.inject is not None:
            fault = self.inject(request)
        if self.latency:
            await asyncio.sleep(self.latency)
        kind = "" if fault is None else fault.kind
        status, code, answer = 200, "", dict[str, Any]()
        if fault is None or fault.after or kind in PAGE_KINDS:
            status, code, answer = self._act(request)
        if kind == "hang":
            await asyncio.sleep(self.patience)
        if kind in ("hang", "reset"):
            return b"", False
        if kind in BODIES:
            return _message(200, "", BODIES[kind]), True
        if kind in ERRORS:
            status, code, words = ERRORS[kind]
            answer = {"Message": words}
        if kind in PAGE_KINDS and status == 200:
            answer = self._spoiled(kind, answer)
        whole = _message(status, code, json.dumps(answer).encode())
        return (whole[:-1], False) if kind == "truncated" else (whole, True)

    def _spoiled(self, kind: str, answer: dict[str, Any]) -> dict[str, Any]:
        entries = answer["Schedules"]
        if kind == "empty-page":
            return {"Schedules": [], "NextToken": json.dumps(["", ""])}
        if kind == "duplicates":
            return answer | {"Schedules": [entry for entry in entries for _ in range(2)]}
        del self.schedules[entries[-1]["GroupName"], entries[-1]["Name"]]
        return answer

    # -- the service -------------------------------------------------------------------------------

    def _act(self, request: Request) -> tuple[int, str, dict[str, Any]]:
        try:
            return 200, "", self._remembered(request)
        except _RefusedError as refused:
            status, code, words = refused.args
            return status, code, {"Message": words}

    def _remembered(self, request: Request) -> dict[str, Any]:
        """The first answer to the same token and content; another content under a token is refused."""
        token = request.body.get("ClientToken") or request.query.get("clientToken") or ""
        content = json.dumps([request.name, request.query, request.body], sort_keys=True)
        known = self._tokens.get((request.operation, token))
        if known is not None and known[0] != content:
            raise _RefusedError(409, "ConflictException", "The client token was used differently.")
        answer: dict[str, Any]
        answer = known[1] if known else getattr(self, f"_do_{request.operation}")(request)
        if token:
            self._tokens[request.operation, token] = (content, answer)
        return answer

    def _do_CreateSchedule(self, request: Request) -> dict[str, Any]:  # noqa: N802
        self._check(request)
        group = self._group(request.body.get("GroupName", "default"))
        if (group, request.name) in self.schedules:
            raise _RefusedError(409, "ConflictException", f"Schedule {request.name} already exists.")
        return {"ScheduleArn": self._store(group, request.name, request.body)["Arn"]}

    def _do_UpdateSchedule(self, request: Request) -> dict[str, Any]:  # noqa: N802
        self._check(request)
        old = self._found(request.name, request.body.get("GroupName", "default"))
        return {"ScheduleArn": self._store(old["GroupName"], request.name, request.body, old)["Arn"]}

    def _do_GetSchedule(self, request: Request) -> dict[str, Any]:  # noqa: N802
        return self._found(request.name, request.query.get("groupName", "default"))

    def _do_DeleteSchedule(self, request: Request) -> dict[str, Any]:  # noqa: N802
        found = self._found(request.name, request.query.get("groupName", "default"))
        del self.schedules[found["GroupName"], request.name]
        return {}

    def _do_ListSchedules(self, request: Request) -> dict[str, Any]:  # noqa: N802
        query = request.query
        size = int(query.get("MaxResults", 100))
        if not 1 <= size <= 100:
            raise _invalid(f"MaxResults {size} is not from 1 to 100")
        group = self._group(query["ScheduleGroup"]) if "ScheduleGroup" in query else None
        after = tuple(json.loads(query["NextToken"])) if "NextToken" in query else ("", "")
        fitting = [
            stored
            for place, stored in sorted(self.schedules.items())
            if place > after
            and group in (None, place[0])
            and place[1].startswith(query.get("NamePrefix", ""))
            and query.get("State", stored["State"]) == stored["State"]
        ]
        shown = ("Arn", "Name", "GroupName", "State", "CreationDate", "LastModificationDate")
        entries = [
            {key: stored[key] for key in shown} | {"Target": {"Arn": stored["Target"]["Arn"]}}
            for stored in fitting[:size]
        ]
        if len(fitting) <= size:
            return {"Schedules": entries}
        return {
            "Schedules": entries,
            "NextToken": json.dumps([entries[-1]["GroupName"], entries[-1]["Name"]]),
        }

    def _do_ListScheduleGroups(self, request: Request) -> dict[str, Any]:  # noqa: N802
        after, size = request.query.get("NextToken", ""), int(request.query.get("MaxResults", 100))
        fitting = sorted(name for name in self.groups if name > after)
        more = {"NextToken": fitting[size - 1]} if len(fitting) > size else {}
        return {"ScheduleGroups": [{"Name": name, "State": "ACTIVE"} for name in fitting[:size]], **more}

    def _do_GetScheduleGroup(self, request: Request) -> dict[str, Any]:  # noqa: N802
        return {"Name": self._group(request.name), "State": "ACTIVE"}

    def _do_CreateScheduleGroup(self, request: Request) -> dict[str, Any]:  # noqa: N802
        if request.name == "default":
            raise _invalid("This operation cannot be performed on schedule group default.")
        if request.name in self.groups:
            raise _RefusedError(409, "ConflictException", f"Schedule group {request.name} already exists.")
        self.groups.add(request.name)
        return {"ScheduleGroupArn": self._arn(f"schedule-group/{request.name}")}

    def _arn(self, resource: str) -> str:
        return f"arn:{self.partition}:scheduler:{self.region}:{ACCOUNT}:{resource}"

    def _group(self, name: str) -> str:
        if name not in self.groups:
            raise _RefusedError(404, "ResourceNotFoundException", f"Schedule group {name} does not exist.")
        return name

    def _found(self, name: str, group: str) -> dict[str, Any]:
        self._group(group)
        if (group, name) not in self.schedules:
            raise _RefusedError(404, "ResourceNotFoundException", f"Schedule {name} does not exist.")
        return self.schedules[group, name]

    def _store(
        self, group: str, name: str, body: Mapping[str, Any], old: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Replaces all of it: what is not sent gets its default, and nothing else is remembered."""
        now = self.clock().timestamp()
        defaults = {"State": "ENABLED", "ActionAfterCompletion": "NONE", "ScheduleExpressionTimezone": "UTC"}
        retry = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
        sent = {key: value for key, value in body.items() if key != "ClientToken"}
        document = defaults | sent | {"Arn": self._arn(f"schedule/{group}/{name}")}
        document |= {"Name": name, "GroupName": group}
        document["Target"] = sent["Target"] | {"RetryPolicy": retry | sent["Target"].get("RetryPolicy", {})}
        document |= {
            "CreationDate": now if old is None else old["CreationDate"],
            "LastModificationDate": now,
        }
        self.schedules[group, name] = document
        return document

    def _check(self, request: Request) -> None:
        body, target = request.body, request.body["Target"]
        unknown = body.keys() - _MEMBERS
        if unknown or not _NAME.fullmatch(request.name) or len(body.get("Description", "")) > 512:
            raise _invalid(f"{unknown}, the name or the description is out of bounds")
        expression = body["ScheduleExpression"]
        if not _EXPRESSION.fullmatch(expression):
            raise _invalid(f"Invalid Schedule Expression {expression}.")
        window = body["FlexibleTimeWindow"]
        if (window["Mode"] == "OFF") == ("MaximumWindowInMinutes" in window):
            words = "must not" if window["Mode"] == "OFF" else "must"
            mode = window["Mode"]
            raise _invalid(
                f"MaximumWindowInMinutes {words} be provided when FlexibleTimeWindowMode is set to {mode}"
            )
        start, end = body.get("StartDate"), body.get("EndDate")
        if start is not None and start < (self.clock() - timedelta(minutes=5)).timestamp():
            raise _invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")
        if start is not None and end is not None and start >= end:
            raise _invalid("The StartDate you specify must come before the EndDate.")
        if not _ROLE.fullmatch(target["RoleArn"]):
            raise _invalid("RoleArn is malformed")
        self._check_target(target)

    def _check_target(self, target: Mapping[str, Any]) -> None:
        _, partition, service, region, *_ = target["Arn"].split(":")
        if service == "scheduler" and not target.get("Input"):
            raise _invalid("You must provide an input to set this target for your schedule")
        if service != "scheduler" and (partition, region) != (self.partition, self.region):
            raise _invalid(f"The target ARN provided does not match the current region {self.region}.")
        if service in ("lambda", "states", "events", "scheduler") and "Input" in target:
            try:
                json.loads(target["Input"])
            except ValueError as error:
                raise _invalid("JSON syntax error in input for the target") from error


def _message(status: int, code: str, body: bytes) -> bytes:
    kind = f"x-amzn-ErrorType: {code}\r\n" if code else ""
    head = (
        f"HTTP/1.1 {status} X\r\n{kind}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
