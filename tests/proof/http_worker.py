"""A program that serves the tasks of one file on a socket that it inherits, until it is killed:
``http_worker.py FILE DESCRIPTOR``."""

from __future__ import annotations

import asyncio
import socket
import sys

import uvicorn

import stepsched as ss
from stepsched.http import one_shot_app


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print("ready", flush=True)  # from here on it answers


def main() -> None:
    path, descriptor = sys.argv[1:]
    with ss.SchedulerClient(ss.LocalBackend(path, workers=2)) as client:
        server = Server(uvicorn.Config(one_shot_app(client, secret="s3cr3t"), log_level="warning"))
        asyncio.run(server.serve([socket.socket(fileno=int(descriptor))]))


if __name__ == "__main__":
    main()
