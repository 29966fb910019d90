"""What the server says of requests that are not HTTP."""

from __future__ import annotations

import socket

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stepsched.http.serving import listening, serving

PATIENCE = 20.0


async def answer(_: Request) -> Response:
    """Answers without reading the body."""
    return Response("here")


def test_bodies_that_are_not_http_are_not_quoted_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    wrong = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\ns3cr3t\r\n"
    with listening("127.0.0.1", 0) as opened, serving(Starlette(routes=[Route("/", answer)]), opened):
        for _ in range(20):
            with socket.create_connection(opened.getsockname(), PATIENCE) as connection:
                connection.sendall(wrong)
                assert connection.recv(99).startswith(b"HTTP/1.1 400")
                while connection.recv(999):
                    pass
    assert "Invalid HTTP request received." in caplog.text
    assert "s3cr3t" not in caplog.text
    assert "Traceback" not in caplog.text
