"""Serves an application of this package with uvicorn, beside what the main thread does."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn
from h11 import ProtocolError
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from stepsched.core.signals import Signals

_LOGS = ("uvicorn.error", "asyncio")
_FAREWELL = 5
"""The longest time in seconds that requests in progress have at the end."""
PATIENCE = 10.0
"""The longest time in seconds that the head of a request may take."""


def serve(
    app: Starlette, *, host: str = "127.0.0.1", port: int = 8080, on_ready: Callable[[str], object] = print
) -> signal.Signals:
    """Serves an application until SIGINT or SIGTERM. It must be called in the main thread.

    Args:
        app: The application, such as of :func:`site_app`.
        host: The address to listen at. Others than loopback addresses are reached by other machines, so the
            application should have a token.
        port: The port. 0: any free one.
        on_ready: A function that is called with the URL as soon as requests are answered.

    Returns:
        The first signal.

    Raises:
        OSError: The address cannot be had, such as because another program listens there.
    """
    with Signals() as signals, listening(host, port) as opened, serving(app, opened):
        on_ready(url_of(opened))
        return signal.Signals(signals.next())


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Binds a socket, and closes it at the end of the block.

    Raises:
        OSError: The address cannot be had; the text says why.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise OSError(f"cannot listen at {host}: {error.strerror or error}") from error
    with opened:
        try:
            if os.name != "nt":  # there it would let another program have the same port
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
            opened.listen(2_048)
        except OSError as error:
            place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            raise OSError(f"cannot listen at {place}: {(error.strerror or str(error)).lower()}") from error
        yield opened


def url_of(opened: socket.socket) -> str:
    """Returns the URL of what listens at a socket."""
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextmanager
def serving(
    app: Starlette, opened: socket.socket, *, patience: float = PATIENCE
) -> Iterator[Callable[[], None]]:
    """Serves an application in a thread while the block runs. Gives a function that has it end before, and
    does not wait; it may be called in any thread.

    Args:
        app: The application.
        opened: The socket.
        patience: The longest time in seconds that the head of a request may take.

    Raises:
        RuntimeError: The application did not start.
    """
    server = _Server(_configuration(app, patience), getattr(app.state, "end_streams", None))
    thread = threading.Thread(target=server.run, args=([opened],), name="stepsched-http", daemon=True)
    for name in _LOGS:
        logging.getLogger(name).addFilter(_is_told)
    thread.start()
    try:
        while not server.is_ready.wait(0.1):
            if not thread.is_alive():
                raise RuntimeError("the application did not start; the log says why")
        yield server.end
    finally:
        server.end()
        thread.join()


def _is_told(record: logging.LogRecord) -> bool:
    """Leaves errors about requests that are not HTTP out of the log: they quote bodies, and with them
    secrets."""
    return record.exc_info is None or not isinstance(record.exc_info[1], ProtocolError)


def _configuration(app: Starlette, patience: float) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=partial(_Protocol, patience=patience),  # type: ignore[arg-type]  # it is only called
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # addresses may hold what is searched for
        server_header=False,
        timeout_graceful_shutdown=_FAREWELL,
    )


class _Protocol(H11Protocol):
    """Ends a connection whose next request does not come in time: uvicorn would keep it for ever, and every
    one takes a file from the process, which runs the jobs too."""

    def __init__(self, *args: Any, patience: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._patience = patience
        self._limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._limit is not None:
            self._limit.cancel()

    def _watch(self) -> None:
        """Sets the limit while no request is answered. The body of one has a limit of its own."""
        if self.cycle is not None and not self.cycle.response_complete:
            if self._limit is not None:
                self._limit.cancel()
                self._limit = None
        elif self._limit is None:
            self._limit = self.loop.call_later(self._patience, self.transport.close)


class _Server(uvicorn.Server):
    """A server that is stopped by the program, not by signals."""

    def __init__(self, config: uvicorn.Config, end_streams: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._end_streams = end_streams
        self.is_ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.is_ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._end_streams is not None:  # streams of events would be awaited in vain
            self._end_streams()
        await super().shutdown(sockets)

    def end(self) -> None:
        """Has the server end: no further connection is accepted, and requests in progress are answered."""
        self.should_exit = True
