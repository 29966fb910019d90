"""Serves an ASGI application on a free port for a moment: for the examples that mount the jobs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn


class _Server(uvicorn.Server):
    ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def asked(app: Any, token: str) -> Iterator[httpx.Client]:
    """Gives a client of the application; the server ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            server.ready.wait(30)
            url, headers = (
                f"http://127.0.0.1:{listener.getsockname()[1]}",
                {"authorization": f"Bearer {token}"},
            )
            with httpx.Client(base_url=url, headers=headers, trust_env=False) as http:
                yield http
        finally:
            server.should_exit = True
            thread.join()
