"""One application with everything: the page, the jobs as REST under ``/v1``, and one-shot tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stepsched.client import SchedulerClient
from stepsched.http.access import Access, route_path
from stepsched.http.events import EventFeed
from stepsched.http.jobs import jobs_app
from stepsched.http.one_shot import one_shot_app
from stepsched.http.page.app import PUBLIC, page_routes

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""The headers of every answer: a browser loads nothing of other hosts, and shows nothing within them."""
_OF_TASKS = ("/schedule", "/cancel", "/events", "/tasks", "/openapi.json")
"""The paths of one-shot tasks, which their secret protects if there is one."""


def site_app(
    client: SchedulerClient,
    *,
    secret: str | None = None,
    token: str | None = None,
    allow_targets: Collection[str] = (),
    topics: Collection[str] = (),
    hosts: Collection[str] = (),
    title: str = "",
    runs_jobs: bool = True,
    grace: timedelta | None = None,
) -> Starlette:
    """Makes the application that ``stepsched serve --http`` serves: a page at ``/``, the jobs as REST under
    ``/v1`` (see :func:`jobs_app`), and one-shot tasks (see :func:`one_shot_app`).

    Args:
        client: The client.
        secret: The secret of one-shot tasks: ``/schedule``, ``/cancel``, ``/events``, ``/tasks`` and
            ``POST /``, which then need no token. None: they need the token, if there is one.
        token: The token of everything else: in the header ``Authorization: Bearer``, or given once on the
            page. At least 16 characters. None: no token is needed, so only this machine should reach it.
        allow_targets: As for :func:`jobs_app`.
        topics: As for :func:`one_shot_app`.
        hosts: The names by which browsers reach the application, besides those of this machine for itself.
            Requests for others are refused. ``*``: any name.
        title: What is served, such as the name of a file; the page shows it.
        runs_jobs: Whether the backend is started and stopped with the server of the application, unless it is
            started already.
        grace: The longest time to wait for runs in progress when the application stops the backend. None: no
            limit.

    Raises:
        ValueError: The token is too short, or an argument of :func:`jobs_app` or :func:`one_shot_app` is
            refused.
    """
    access = Access(token, hosts=hosts)

    def authenticate(request: Request) -> object:
        return "page" if access.is_allowed(request) else None

    app = Starlette(
        routes=[
            *page_routes(client, access, title=title),
            Mount("/v1", jobs_app(client, authenticate=authenticate, allow_targets=allow_targets)),
            Mount("/", one_shot_app(client, secret=secret, topics=topics)),
        ],
        middleware=[Middleware(_Guard, access=access, has_secret=secret is not None)],
        lifespan=_lifespan_of(client, grace) if runs_jobs else None,
    )
    app.state.end_streams = EventFeed.of(client.backend).end_streams  # for the server, before it ends
    return app


def _lifespan_of(
    client: SchedulerClient, grace: timedelta | None
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None, None]:
        is_ours = client.backend.why_nothing_fires() is not None
        if is_ours:
            await asyncio.to_thread(client.backend.start)
        try:
            yield
        finally:
            if is_ours:
                await asyncio.to_thread(client.backend.stop, timeout=grace)

    return lifespan


class _Guard:
    """Checks every request before an application sees it, and adds the headers to every answer."""

    def __init__(self, app: ASGIApp, *, access: Access, has_secret: bool) -> None:
        self._app = app
        self._access = access
        self._has_secret = has_secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(HTTPConnection(scope))
        await (refusal or self._app)(scope, receive, with_headers)

    def _refusal(self, connection: HTTPConnection) -> Response | None:
        refused = self._access.why_refused(connection)
        if refused is not None:
            return JSONResponse({"errors": [refused[1]]}, refused[0])
        method, path = str(connection.scope["method"]), route_path(connection)
        if self._is_open(method, path) or self._access.is_allowed(connection):
            return None
        if method == "GET" and (path == "/" or path == "/page/job"):
            return RedirectResponse(f"{connection.scope.get('root_path', '')}/page/login", 303)
        words = "expected the token in the header Authorization: Bearer"
        return JSONResponse({"errors": [words]}, 401, {"WWW-Authenticate": "Bearer"})

    def _is_open(self, method: str, path: str) -> bool:
        """Returns whether a request needs no token here: nobody does, or the application asks itself."""
        is_task = path in _OF_TASKS or (method == "POST" and path == "/")
        has_own_check = path.startswith("/v1/") or (self._has_secret and is_task)
        return has_own_check or path in PUBLIC or path == "/healthz"
