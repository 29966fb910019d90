"""Asks an application without a server, and listens to its events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Scope

import stepsched as ss
from stepsched.backends.local import LocalBackend
from stepsched.http import one_shot_app
from stepsched.testing import FakeClock

DATA = Path(__file__).parents[3] / "data" / "one_shot"
NOON = datetime(2030, 1, 7, 12, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)
SECRET = "abc123"
PATIENCE = 30.0


def sample(name: str) -> dict[str, Any]:
    """Returns a body of the known interface."""
    found: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    return found


class Sent(NamedTuple):
    """An event that a listener has received."""

    id: int
    data: Any


class Service:
    """An application over an embedded backend in memory or in a file, with a clock that is played."""

    def __init__(self, app: Starlette, client: ss.SchedulerClient, clock: FakeClock | None = None) -> None:
        self.app = app
        self.client = client
        self._clock = clock

    @property
    def clock(self) -> FakeClock:
        """The clock, if it is played."""
        assert self._clock is not None
        return self._clock

    @property
    def backend(self) -> LocalBackend:
        assert isinstance(self.client.backend, LocalBackend)
        return self.client.backend

    def ask(
        self,
        path: str,
        body: object = None,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Returns the answer to a request; the body is JSON unless ``content`` is given."""
        if body is not None:
            content = json.dumps(body).encode()
        return ask(self.app, path, method=method, headers=headers, content=content)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.ask(path, method="GET", headers=headers)

    def schedule(self, at: datetime, message: object = "m", **headers: str) -> str:
        """Schedules a task; returns its ARN."""
        body = {"timestamp": at.isoformat(), "message": message, "secret": SECRET}
        answer = self.ask("/schedule", body, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["msg"]["executionArn"])

    def cancel(self, arn: str) -> httpx.Response:
        return self.ask("/cancel", {"executionArn": arn, "secret": SECRET})

    def play(self, seconds: float = 60) -> None:
        """Plays the time."""
        self.backend.run_until(self.clock.now() + timedelta(seconds=seconds))

    def events(self, count: int, *, after: int = 0) -> list[Sent]:
        """Returns the next events after a position."""
        return listen(self.app, count, headers={"x-secret": SECRET, "last-event-id": str(after)})


@contextmanager
def service(path: Path | None = None, **options: Any) -> Iterator[Service]:
    """Makes a service; unless told otherwise it has a secret."""
    clock = FakeClock(NOON)
    backend = LocalBackend(path, clock=clock)
    client = ss.SchedulerClient(backend)
    try:
        yield Service(one_shot_app(client, **{"secret": SECRET, **options}), client, clock)
    finally:
        backend.close()


def ask(
    app: ASGIApp, path: str, *, method: str, headers: Mapping[str, str] | None, content: bytes | None
) -> httpx.Response:
    """Returns the answer to one request."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(method, path, headers=headers, content=content)

    return asyncio.run(send())


def listen(
    app: ASGIApp,
    count: int,
    *,
    headers: Mapping[str, str],
    query: str = "",
    meanwhile: Callable[[], object] | None = None,
) -> list[Sent]:
    """Returns the events that a listener receives first.

    Args:
        app: The application.
        count: The number of events to wait for.
        headers: The headers of the request.
        query: The query of the URL.
        meanwhile: What is done, in a thread, once the listener is there.
    """
    return asyncio.run(asyncio.wait_for(_listen(app, count, headers, query, meanwhile), PATIENCE))


async def _listen(
    app: ASGIApp,
    count: int,
    headers: Mapping[str, str],
    query: str,
    meanwhile: Callable[[], object] | None,
) -> list[Sent]:
    text, begun, enough = bytearray(), asyncio.Event(), asyncio.Event()

    async def receive() -> Message:
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200, message
            begun.set()
        text.extend(message.get("body", b""))
        if len(_sent(bytes(text))) >= count:
            enough.set()

    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope: Scope = {
        "type": "http", "method": "GET", "path": "/events", "raw_path": b"/events", "root_path": "",
        "query_string": query.encode(), "headers": pairs, "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    listener = asyncio.ensure_future(app(scope, receive, send))
    await begun.wait()
    if meanwhile is not None:
        await asyncio.to_thread(meanwhile)
    await enough.wait()
    with suppress(asyncio.CancelledError):
        await listener
    return _sent(bytes(text))[:count]


def _sent(text: bytes) -> list[Sent]:
    found = []
    for part in text.decode().replace("\r\n", "\n").split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in part.split("\n") if ": " in line)
        if fields.get("event") == "task":
            found.append(Sent(int(fields["id"]), json.loads(fields["data"])))
    return found
