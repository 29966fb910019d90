"""A stand-in for EventBridge Scheduler that is fast enough not to be what is measured. Fires nothing.

    python benchmarks/scheduler_stub.py --latency 0.03

It prints its port, serves 127.0.0.1 from memory in one thread until it is killed, and knows five operations:
create, get, update, delete and list, with pages. Signatures are not looked at, and bodies hardly.
``--schedules`` of them are there from the beginning. ``--measure`` has it measured through bare sockets.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

Key = tuple[str, str]
"""Group and name."""
_ARN = "arn:aws:scheduler:us-east-1:123456789012:schedule/"
_SUMMARY = ("Arn", "GroupName", "Name", "State", "CreationDate", "LastModificationDate")
_OK, _NONE, _TAKEN = b"200 OK", b"404 Not Found", b"409 Conflict"


class Schedules:
    """What is stored: the answer to a get, ready to be sent, and what a list says of it."""

    def __init__(self) -> None:
        self.answers: dict[Key, bytes] = {}
        self._summaries: dict[Key, str] = {}
        self._order: list[Key] | None = None

    def answer(self, method: bytes, target: bytes, body: bytes) -> bytes:
        """The whole response to a request."""
        path, _, query = target.decode().partition("?")
        if path == "/schedules":
            return self._list(query)
        if not path.startswith("/schedules/"):
            return _response(_NONE, '{"Message":"the stub does not know that"}', b"ResourceNotFoundException")
        name = unquote(path[11:])
        if method == b"GET":
            found = self.answers.get((_group(query), name))
            return _missing(name) if found is None else found
        if method == b"DELETE":
            return self._delete((_group(query), name))
        given = json.loads(body)
        key = (given.get("GroupName", "default"), name)
        known = key in self.answers
        if method == b"PUT" and not known:
            return _missing(name)
        if method == b"POST" and known:
            words = f'{{"Message":"Schedule {name} already exists."}}'
            return _response(_TAKEN, words, b"ConflictException")
        self.put(key, given)
        return _response(_OK, json.dumps({"ScheduleArn": f"{_ARN}{key[0]}/{name}"}))

    def put(self, key: Key, given: dict[str, Any]) -> None:
        """Stores a schedule as it is."""
        now = time.time()  # noqa: TID251 -- a stored document has real dates
        document = {"GroupName": key[0], "State": "ENABLED"} | given | {"Name": key[1]}
        document.pop("ClientToken", None)
        document |= {"Arn": f"{_ARN}{key[0]}/{key[1]}", "CreationDate": now, "LastModificationDate": now}
        if key not in self.answers:
            self._order = None
        self.answers[key] = _response(_OK, json.dumps(document))
        summary = {word: document[word] for word in _SUMMARY}
        self._summaries[key] = json.dumps(summary | {"Target": {"Arn": document["Target"]["Arn"]}})

    def _delete(self, key: Key) -> bytes:
        if self.answers.pop(key, None) is None:
            return _missing(key[1])
        del self._summaries[key]
        self._order = None
        return _response(_OK, "{}")

    def _list(self, query: str) -> bytes:
        asked = {word: values[0] for word, values in parse_qs(query).items()}
        if self._order is None:
            self._order = sorted(self.answers)
        first, size = int(asked.get("NextToken", 0)), int(asked.get("MaxResults", 100))
        group, prefix = asked.get("ScheduleGroup"), asked.get("NamePrefix", "")
        order = self._order
        if group is not None or prefix:
            order = [key for key in order if group in (None, key[0]) and key[1].startswith(prefix)]
        page = ",".join(self._summaries[key] for key in order[first : first + size])
        more = f',"NextToken":"{first + size}"' if first + size < len(order) else ""
        return _response(_OK, f'{{"Schedules":[{page}]{more}}}')


def _group(query: str) -> str:
    for pair in query.split("&"):
        if pair.startswith("groupName="):
            return unquote(pair[10:])
    return "default"


def _missing(name: str) -> bytes:
    return _response(_NONE, f'{{"Message":"Schedule {name} does not exist."}}', b"ResourceNotFoundException")


def _response(status: bytes, text: str, error: bytes = b"") -> bytes:
    body = text.encode()
    kind = b"x-amzn-ErrorType: %b\r\n" % error if error else b""
    return (
        b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nx-amzn-RequestId: "
        b"5b0f3a3c-0000-4000-8000-000000000000\r\n%bContent-Length: %d\r\n\r\n%b"
        % (status, kind, len(body), body)
    )


class Connection(asyncio.Protocol):
    """One client's requests, one after another."""

    def __init__(self, schedules: Schedules, latency: float) -> None:
        self._schedules = schedules
        self._latency = latency
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            stop = end + 4
            if not buffer.startswith(b"GET"):
                headers = buffer[:end].lower()
                if b"\r\nexpect: 100-continue" in headers and len(buffer) == stop:
                    self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                place = headers.find(b"\r\ncontent-length:")
                if place >= 0:
                    stop += int(headers[place + 17 :].split(b"\r\n", 1)[0])
                    if len(buffer) < stop:
                        break
            method, target, _ = buffer[: buffer.find(b"\r\n")].split(b" ")
            self._send(self._schedules.answer(method, target, buffer[end + 4 : stop]))
            buffer = buffer[stop:]
        self._buffer = buffer

    def _send(self, response: bytes) -> None:
        if self._latency:
            self._loop.call_later(self._latency, self._transport.write, response)
        else:
            self._transport.write(response)


async def serve(latency: float, filled: int) -> None:
    schedules = Schedules()
    for number in range(filled):
        schedules.put(("default", f"job-{number:06}"), example(number))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(schedules, latency), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def example(number: int) -> dict[str, Any]:
    """A schedule that somebody else might have made."""
    return {
        "ScheduleExpression": f"cron({number % 60} 9 * * ? *)",
        "ScheduleExpressionTimezone": "America/New_York",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "NONE",
        "Target": {
            "Arn": "arn:aws:lambda:us-east-1:123456789012:function:work",
            "RoleArn": "arn:aws:iam::123456789012:role/scheduler",
            "Input": json.dumps({"number": number}),
            "RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400},
        },
    }


# -- from outside --------------------------------------------------------------------------------------


@contextmanager
def running(*, latency: float = 0.0, schedules: int = 0) -> Iterator[int]:
    """A stub in a process of its own.

    Yields:
        Its port.
    """
    options = [f"--latency={latency}", f"--schedules={schedules}"]
    command = [sys.executable, str(Path(__file__).resolve()), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def requests_a_second(port: int, requests: Iterable[bytes], *, connections: int = 16) -> float:
    """Sends ready-made requests, one at a time on each connection, and reads the answers."""
    waiting, done = iter(requests), 0
    begun = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for request in itertools.islice(waiting, connections):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ)
            connection.sendall(request)
        while selector.get_map():
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                answer = key.fileobj.recv(65_536)
                if not answer.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(f"the stub answers {answer[:200]!r}")
                done += 1
                request = next(waiting, b"")
                if request:
                    key.fileobj.sendall(request)
                else:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
    return done / (time.perf_counter() - begun)


def gets(count: int) -> Iterator[bytes]:
    """Requests for what ``--schedules`` filled in."""
    for number in range(count):
        target = f"/schedules/job-{number:06}?groupName=default"
        yield f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Filler: {'0' * 300}\r\n\r\n".encode()


def creates(count: int) -> Iterator[bytes]:
    """Requests for new ones."""
    for number in range(count):
        body = json.dumps(example(number))
        head = f"POST /schedules/new-{number:06} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Filler: {'0' * 300}\r\n"
        yield f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--schedules", type=int, default=0, metavar="COUNT")
    parser.add_argument("--measure", action="store_true")
    options = parser.parse_args()
    if not options.measure:
        asyncio.run(serve(options.latency, options.schedules))
        return
    with running(latency=options.latency, schedules=10_000) as port:
        for what, requests in (("get", list(gets(10_000))), ("create", list(creates(10_000)))):
            print(f"{what}: {requests_a_second(port, requests):,.0f}/s")


if __name__ == "__main__":
    main()
