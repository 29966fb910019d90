"""A receiver of calls on 127.0.0.1: a real server, which keeps what it is sent and answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from typing import NamedTuple

LOCAL = ("127.0.0.1",)
"""The private hosts that tests permit."""
Answer = tuple[int, dict[str, str], bytes]
OK: Answer = (200, {}, b"")


class Received(NamedTuple):
    """A request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """A running server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests = list[Received]()
        self.answers = Queue[Answer | Callable[[BaseHTTPRequestHandler], None]]()
        """The answers to the next requests: a status with headers and body, or a function that answers."""
        self.ended = threading.Event()
        """Is set when the test ends, so that slow answers end too."""

    def answer(self, *statuses: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        for status in statuses:
            self.answers.put((status, headers or {}, body))


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Runs a server for the block. Without other answers it answers 200."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65_537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            names = {name.lower(): value for name, value in self.headers.items()}
            receiver.requests.append(Received(self.command, self.path, names, body))
            try:
                answer = receiver.answers.get_nowait()
            except Empty:
                answer = OK
            self.close_connection = True
            if callable(answer):
                answer(self)
                return
            status, headers, sent = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A caller that goes away early is no error."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}/hook")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
