"""A server as a part for tests: a process of its own on loopback that ends with whoever started it."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config
from typing_extensions import Self

from tests.parts.environments import PartFailedError

REGION = "eu-west-1"
HOST = "127.0.0.1"
PATIENCE = 60
"""Seconds that anything may take before it is a failure."""
STARTS = 3
"""Tries, as another process may take the free port before the server does."""


class ServerPart(ABC):
    """A server that entering starts and leaving stops; an access key of twelve digits is its account.

    The process has a folder of its own. It is asked by lines of JSON on its standard input, answers them on
    its standard output, and ends when its input does: so it never outlives whoever started it.
    """

    prefix: str
    """What the name of its folder begins with."""

    def __init__(self) -> None:
        self._accounts = itertools.count(1)
        self._session: Any = boto3.session.Session()  # its overloads know no service by a variable
        self._asking = threading.Lock()
        self._numbers = itertools.count()
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._files: tempfile.TemporaryDirectory[str] | None = None

    @abstractmethod
    def _command(self) -> list[str]:
        """The program; its port and its folder are known by now."""

    @abstractmethod
    def _environment(self) -> dict[str, str]:
        """All that the program is told: no credentials, no other server."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it takes requests."""

    def __enter__(self) -> Self:
        self._files = tempfile.TemporaryDirectory(prefix=self.prefix)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends this server and removes its files; again, it does nothing."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()  # ends it at once, whatever its threads wait for
            self._process.terminate()  # and this where a forked process holds its input open
            self._reap(self._process)
            self._process = None
        if self._files is not None:
            self._files.cleanup()
            self._files = None

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self._port}"

    def new_account(self) -> str:
        """An account number that this server has not seen: nothing in it, and seen by no other account."""
        return f"{next(self._accounts):012d}"

    def client(self, service: str, account: str) -> Any:
        """A boto3 client that acts as ``account`` in `REGION`; whoever asked for it closes it."""
        return self._session.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=account,
            aws_secret_access_key="test",
            config=Config(
                connect_timeout=PATIENCE,
                read_timeout=PATIENCE,
                retries={"total_max_attempts": 1},
                proxies={},  # or it would ask the environment
                inject_host_prefix=False,
            ),
        )

    def log(self) -> str:
        """What the server has written so far."""
        path = self._folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def listening(self) -> list[tuple[str, int]]:
        """The addresses and ports that the server's process listens on; known on Linux only."""
        links = _links(Path(f"/proc/{self._running.pid}/fd"))
        inodes = {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
        found = list[tuple[str, int]]()
        for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
            lines = table.read_text().splitlines()[1:] if table.exists() else []
            for local, state, inode in ((row[1], row[3], row[9]) for row in map(str.split, lines)):
                if state == "0A" and inode in inodes:
                    found.append(_address(local))
        return found

    def _start(self) -> None:
        for _ in range(STARTS):
            if self._try_to_start():
                return
        raise PartFailedError(f"the server ended at once\n{self.log()}")

    def _try_to_start(self) -> bool:
        """Whether a server runs and answers; False if it ended by itself."""
        with socket.socket() as free:
            free.bind((HOST, 0))
            self._port = free.getsockname()[1]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None:
            if self._listens() and self._answers():
                return True
            if time.monotonic() > deadline:
                raise PartFailedError(f"the server was not ready after {PATIENCE} s\n{self.log()}")
            _pause()
        self._reap(self._process)
        return False

    def _listens(self) -> bool:
        """Whether the port is this server's; raises if it also listens where others can reach it."""
        if sys.platform != "linux":
            return True
        found = self.listening()
        open_to_others = [address for address, _ in found if not ip_address(address).is_loopback]
        if open_to_others:
            raise PartFailedError(f"the server listens on {', '.join(open_to_others)}")
        return (HOST, self._port) in found

    def _status_of(self, path: str) -> int | None:
        """The status of the answer to a GET; None where there is none."""
        connection = http.client.HTTPConnection(HOST, self._port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def _ask(self, command: str, **more: Any) -> Any:
        with self._asking:
            number = next(self._numbers)
            asked = {"do": command, "number": number, "patience": PATIENCE, **more}
            answer = self._exchange(json.dumps(asked).encode() + b"\n")
            while answer["number"] != number:  # whoever asked that did not wait for the answer
                answer = self._exchange(b"")
        if "error" in answer:
            raise PartFailedError(f"{answer['error']}\n{self.log()}")
        return answer

    def _exchange(self, line: bytes) -> Any:
        asking, answering = self._running.stdin, self._running.stdout
        assert asking is not None
        assert answering is not None
        try:
            asking.write(line)
            asking.flush()
            answer = answering.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            raise PartFailedError(f"the server has ended\n{self.log()}")
        return json.loads(answer)

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    @property
    def _folder(self) -> Path:
        assert self._files is not None, "the server is not started"
        return Path(self._files.name)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server is not started"
        return self._process


def search_path() -> str:
    return os.environ.get("PATH", os.defpath)


def _pause() -> None:
    threading.Event().wait(0.02)


def _links(folder: Path) -> list[str]:
    try:
        return [_link(path) for path in folder.iterdir()]
    except (FileNotFoundError, PermissionError):  # the process has ended
        return []


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except (FileNotFoundError, PermissionError):  # closed meanwhile
        return ""


def _address(local: str) -> tuple[str, int]:
    """Reads ``0100007F:1F90``: words of four bytes in the machine's order, then the port."""
    words, _, port = local.partition(":")
    raw = bytes.fromhex(words)
    if sys.byteorder == "little":
        raw = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    return str(ip_address(raw)), int(port, 16)
