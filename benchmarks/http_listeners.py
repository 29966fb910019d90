"""One event to many listeners of server-sent events, beside the bare framework with a queue for each.

    pip install '.[bench,http]' && python benchmarks/http_listeners.py

Every answer is given by a server in a process of its own, on a new SQLite file. The listeners are connections
of this process, which reads them with one event loop: its own time is part of what is measured, for both.
Prints Markdown to the standard output and its progress to the standard error. ``--quick`` takes fewer
listeners, to see that everything works.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from http_servers import Served, served
from measuring import duration, progress, table, times

from stepsched.core.clock import utc_now

PATIENCE = 60.0
CONTENDERS = ("bare", "stepsched")
REQUEST = b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
TOGETHER = 100
"""The number of listeners that connect at the same time."""


class Measured(NamedTuple):
    """What one server did."""

    first: list[float]
    """The seconds from the post of a task that is due until the first listener had its event, by event."""
    last: list[float]
    """The seconds until the last listener had it."""
    memory: float
    """The kilobytes for each listener; the memory of the process before is left out."""


class Audience:
    """Connections that note when each event comes."""

    def __init__(self) -> None:
        self.arrivals: dict[int, list[float]] = {}
        self._writers = list[asyncio.StreamWriter]()
        self._readers = list[asyncio.Task[None]]()

    async def join(self, server: Served, count: int) -> None:
        for start in range(0, count, TOGETHER):
            number = min(TOGETHER, count - start)
            await asyncio.gather(*(self._join(server) for _ in range(number)))

    async def _join(self, server: Served) -> None:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(REQUEST)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readline()
        await reader.readline()  # the first message: it is listened to
        self._writers.append(writer)
        self._readers.append(asyncio.ensure_future(self._read(reader)))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                if line.startswith(b"data: {"):
                    number = json.loads(line[6:])["message"]["number"]
                    self.arrivals.setdefault(number, []).append(time.perf_counter())

    async def await_event(self, number: int) -> list[float]:
        """Waits until all have the event; returns when they got it."""
        ends_at = time.perf_counter() + PATIENCE
        while len(found := self.arrivals.get(number, [])) < len(self._writers):
            if time.perf_counter() > ends_at:
                raise TimeoutError(f"{len(found)} of {len(self._writers)} listeners have the event")
            await asyncio.sleep(0.005)
        return found

    async def leave(self) -> None:
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._readers)


async def post(server: Served, number: int) -> None:
    """Posts a task that is due."""
    task = {"timestamp": utc_now().isoformat(), "message": {"number": number}}
    body = json.dumps(task).encode()
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(
        b"POST /schedule HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    status = await reader.readline()
    writer.close()
    if b" 200 " not in status:
        raise RuntimeError(status)


async def ask(server: Served, listeners: int, events: int) -> Measured:
    await post(server, -1)  # everything that is loaded late is loaded
    before, audience = server.resident(), Audience()
    await audience.join(server, listeners)
    await post(server, 0)
    await audience.await_event(0)
    memory = (server.resident() - before) * 1_024 / listeners
    first, last = list[float](), list[float]()
    for number in range(1, events + 1):
        begun = time.perf_counter()
        await post(server, number)
        arrivals = await audience.await_event(number)
        first.append(min(arrivals) - begun)
        last.append(max(arrivals) - begun)
    await audience.leave()
    return Measured(first, last, memory)


def measure(kind: str, listeners: int, events: int) -> Measured:
    with tempfile.TemporaryDirectory() as folder, served(kind, Path(folder) / "tasks.db") as server:
        return asyncio.run(ask(server, listeners, events))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--listeners", type=int)
    given = parser.parse_args()
    listeners, events = (100, 3) if given.quick else (1_000, 20)
    listeners = given.listeners or listeners
    rows = list[tuple[str, float, float, float]]()
    for kind in CONTENDERS:
        found = measure(kind, listeners, events)
        rows.append((kind, statistics.median(found.first), statistics.median(found.last), found.memory))
        progress(f"{kind} is measured")
    _, _, bare, _ = rows[0]
    print(f"Python {platform.python_version()}, {listeners:,} listeners, median of {events} events\n")
    print(
        table(
            ["server", "the first has it", "the last has it", "of bare", "memory of a listener"],
            (
                [kind, duration(first), duration(last), times(last / bare), f"{memory:.0f} KB"]
                for kind, first, last, memory in rows
            ),
        )
    )


if __name__ == "__main__":
    main()
