"""The servers that the benchmarks of HTTP ask: ``http_servers.py stepsched|bare FILE``; prints its port.

The bare server is what one would write first: it inserts the task into SQLite, keeps a timer, and hands the
event to a queue for each listener. It forgets timers and listeners at its end.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import stepsched as ss
from stepsched.core.clock import utc_now
from stepsched.http import one_shot_app

HERE = Path(__file__).resolve().parent


class Served(NamedTuple):
    """A server in a process of its own."""

    address: tuple[str, int]
    process: subprocess.Popen[str]

    def resident(self) -> float:
        """Returns the memory of the process in megabytes; only on Linux."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) / 1_024 for line in status.splitlines() if line.startswith("VmRSS"))


@contextmanager
def served(kind: str, path: Path) -> Iterator[Served]:
    """Serves a new file."""
    command = [sys.executable, str(HERE / "http_servers.py"), kind, str(path)]
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        yield Served(("127.0.0.1", int(process.stdout.readline())), process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def bare(path: str) -> Starlette:
    """One insert for each task, and timers and queues in memory."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, due TEXT NOT NULL, message TEXT NOT NULL)")
    listeners = set[asyncio.Queue[str]]()

    def insert(due: str, message: str) -> int | None:
        return db.execute("INSERT INTO tasks (due, message) VALUES (?, ?)", (due, message)).lastrowid

    def fire(event: str) -> None:
        for queue in listeners:
            queue.put_nowait(event)

    async def schedule(request: Request) -> JSONResponse:
        task = await request.json()
        message = json.dumps(task["message"])
        key = await asyncio.to_thread(insert, task["timestamp"], message)
        left = (datetime.fromisoformat(task["timestamp"]) - utc_now()).total_seconds()
        asyncio.get_running_loop().call_later(max(left, 0), fire, json.dumps(task))
        return JSONResponse({"msg": {"executionArn": str(key), "timestamp": task["timestamp"]}})

    async def events(_: Request) -> EventSourceResponse:
        queue = asyncio.Queue[str]()
        listeners.add(queue)

        async def messages() -> AsyncIterator[dict[str, str]]:
            try:
                yield {"comment": "begins"}
                while True:
                    yield {"event": "task", "data": await queue.get()}
            finally:
                listeners.discard(queue)

        return EventSourceResponse(messages())

    return Starlette(routes=[Route("/schedule", schedule, methods=["POST"]), Route("/events", events)])


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets is not None
        print(sockets[0].getsockname()[1], flush=True)


def main() -> None:
    kind, path = sys.argv[1:]
    # With the protocol named, asyncio sends small answers at once (TCP_NODELAY).
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2_000)
    if kind == "bare":
        app = bare(path)
    else:
        client = ss.SchedulerClient(ss.LocalBackend(path))
        client.__enter__()
        app = one_shot_app(client)
    asyncio.run(_Server(uvicorn.Config(app, log_level="warning")).serve([listener]))


if __name__ == "__main__":
    main()
