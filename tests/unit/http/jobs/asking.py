"""Asks an ASGI application in this process, without a socket."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from starlette.types import ASGIApp


class Asking:
    """A client of an application: one request after the other."""

    def __init__(self, app: ASGIApp, base_url: str = "http://localhost", **headers: str) -> None:
        self._app = app
        self._base_url = base_url
        self._headers = headers

    def __call__(self, method: str, path: str, body: object = None, **options: Any) -> httpx.Response:
        """The answer to a request with a JSON body; None: without one, but said to be JSON."""
        headers = {"content-type": "application/json", **self._headers, **options.pop("headers", {})}
        given: dict[str, Any] = {} if body is None else {"json": body}

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url=self._base_url) as http:
                return await http.request(method, path, headers=headers, **given, **options)

        return asyncio.run(ask())
