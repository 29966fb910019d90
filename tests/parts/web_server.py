"""A web server of an example as a part for tests: a process of its own, on a free port of 127.0.0.1."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.gate import ROOT
from tests.parts.environments import PartFailedError

EXAMPLES = ROOT / "examples"
HOST = "127.0.0.1"
PATIENCE = 60
"""Seconds until what should happen is a failure."""
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


class WebServer:
    """A server that runs in a folder, where its files are; the web servers' own log is ``server.log``."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
        self.process, self.port, self.folder = process, port, folder
        fresh = httpx.Limits(max_keepalive_connections=0)  # so that any worker may answer any request
        self.http = httpx.Client(
            base_url=f"http://{HOST}:{port}", timeout=PATIENCE, trust_env=False, limits=fresh
        )

    @property
    def outbox(self) -> list[str]:
        """The lines that runs have written so far."""
        path = self.folder / "outbox.txt"
        return path.read_text("utf-8").splitlines() if path.is_file() else []

    def log(self) -> str:
        """What the server has written."""
        return (self.folder / "server.log").read_text("utf-8")

    def workers(self) -> list[int]:
        """The processes of its workers (on Linux)."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(child) for child in children if "resource_tracker" not in _command(child)]

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        """The answer to a request; where none comes, `PartFailedError` with the server's log."""
        try:
            return self.http.request(method, path, json=body)
        except httpx.TransportError as error:
            raise PartFailedError(f"{error!r}\n{self.log()}") from error

    def stop(self) -> int:
        """Tells it to end, as a platform does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise PartFailedError(f"still there {PATIENCE} s after SIGTERM\n{self.log()}") from error

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Returns when the condition holds.

        Raises `PartFailedError`, with the server's log, when it does not in time.
        """
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise PartFailedError(f"waited {PATIENCE} s for {what}\n{self.outbox}\n{self.log()}")
            threading.Event().wait(0.02)

    def answers(self) -> bool:
        """Whether it takes requests; an error when it has ended instead."""
        if self.process.poll() is not None:
            raise PartFailedError(f"the server ended with {self.process.returncode}\n{self.log()}")
        try:
            self.http.get("/")
        except httpx.TransportError:
            return False
        return True


@contextmanager
def serving(arguments: Callable[[int], Sequence[str]], folder: Path) -> Iterator[WebServer]:
    """A server that takes requests; killed with its workers afterwards, if it has not been stopped.

    Args:
        arguments: What comes after ``python`` on the command line, for a port.
        folder: Where it runs.
    """
    port = _free_port()
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", *arguments(port)],
            cwd=folder,
            # gunicorn puts a socket into the home of its user.
            env={**os.environ, "PORT": str(port), "PYTHONPATH": str(ROOT), "HOME": str(folder)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = WebServer(process, port, folder)
    try:
        server.wait_for(server.answers, "the first answer")
        yield server
    finally:
        server.http.close()
        with suppress(ProcessLookupError):  # the group: a worker may have outlived its server
            os.killpg(process.pid, KILL)
        process.wait()


def _free_port() -> int:
    """A port below those that the system gives to whoever asks for any: nobody takes it meanwhile."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as free, suppress(OSError):
            free.bind((HOST, port))
            return port


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:  # it has just ended
        return ""
