"""Servers of one file are killed at random instants, while clients post tasks that are due within seconds and
others listen: every task that was acknowledged is delivered, once, and every listener that resumes by the ID
of the last event has seen all of them, in one order, without a gap.

The servers share a socket that the test keeps, as workers of one service do. A request that a killed server
has not answered is sent again with its ``Idempotency-Key``.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from stepsched.core.clock import utc_now

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
HEADERS = {"Authorization": "Bearer s3cr3t"}
needs_kill = pytest.mark.skipif(not hasattr(os, "fork"), reason="sockets are inherited and SIGKILL is known")


class Report(NamedTuple):
    """What came of it."""

    kills: int
    tasks: int
    again: int
    """Requests that were sent again, since no answer had come."""
    resumed: int
    """Streams that were begun again."""
    latest: float
    """The longest time in seconds from the instant of a task until it was delivered, with the time in which
    no server was there."""

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.tasks} tasks acknowledged and delivered, {self.again} requests sent "
            f"again, {self.resumed} streams resumed, delivered at most {self.latest:.1f} s late"
        )


class Servers:
    """Processes that serve one file at one address."""

    def __init__(self, path: Path, count: int) -> None:
        self._path = path
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.address: tuple[str, int] = self._socket.getsockname()
        self._errors = path.with_name("errors.txt")
        self._processes = [self._begin() for _ in range(count)]
        self.kills = 0

    def kill_one(self, rng: random.Random) -> None:
        """Kills a server that has begun to answer, and begins another."""
        index = rng.randrange(len(self._processes))
        process = self._processes[index]
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", self.errors()
        threading.Event().wait(rng.uniform(0, 1))
        self._kill(process)
        self.kills += 1
        self._processes[index] = self._begin()

    def errors(self) -> str:
        return self._errors.read_text()

    def close(self) -> None:
        for process in self._processes:
            self._kill(process)
        self._socket.close()

    def _begin(self) -> subprocess.Popen[str]:
        number = self._socket.fileno()
        command = [sys.executable, "-m", "tests.proof.http_worker", str(self._path), str(number)]
        with self._errors.open("a") as errors:
            return subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True, pass_fds=[number]
            )

    def _kill(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        process.wait(PATIENCE)
        assert process.stdout is not None
        process.stdout.close()


class Poster:
    """Posts tasks, each until it is acknowledged."""

    def __init__(self, address: tuple[str, int], rng: random.Random) -> None:
        self._address = address
        self._rng = rng
        self.due = dict[int, datetime]()
        """The instants of the tasks that were acknowledged."""
        self.arns = dict[int, str]()
        self.again = 0

    def post(self, numbers: range) -> None:
        for number in numbers:
            at = utc_now() + timedelta(milliseconds=self._rng.randrange(3_000))
            body = json.dumps({"timestamp": at.isoformat(), "message": {"n": number}})
            while (answer := self._send(body, f"task-{number}")) is None:
                self.again += 1
            self.arns[number] = answer["msg"]["executionArn"]
            self.due[number] = at

    def _send(self, body: str, key: str) -> dict[str, dict[str, str]] | None:
        """Sends a request once; None: no answer came."""
        connection = http.client.HTTPConnection(*self._address, timeout=PATIENCE)
        headers = {**HEADERS, "Content-Type": "application/json", "Idempotency-Key": key}
        try:
            connection.request("POST", "/schedule", body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        assert answer.status in (200, 409), (answer.status, text)  # 409: the first is still being stored
        found: dict[str, dict[str, str]] = json.loads(text)
        return found if answer.status == 200 else None


class Listener:
    """Listens, and resumes whenever its stream ends."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self.seen = list[tuple[int, int, datetime]]()
        """The positions of the events, the numbers of their tasks, and when they came."""
        self.others = list[str]()
        """Events of other kinds."""
        self.resumed = 0
        self._position = "0"
        self._is_over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def numbers(self) -> list[int]:
        return [number for _, number, _ in list(self.seen)]

    def end(self) -> None:
        self._is_over = True

    def _run(self) -> None:
        while not self._is_over:
            with suppress(OSError, http.client.HTTPException):
                self._listen()
            self.resumed += 1

    def _listen(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=PATIENCE)
        try:
            connection.request("GET", "/events", headers={**HEADERS, "Last-Event-ID": self._position})
            answer = connection.getresponse()
            assert answer.status == 200
            fields = dict[str, str]()
            while not self._is_over and (line := answer.readline()):
                name, _, value = line.decode().rstrip("\r\n").partition(": ")
                if name:
                    fields[name] = value
                elif line in (b"\r\n", b"\n"):  # a message is over; one that was cut off does not count
                    self._take(fields)
                    fields = {}
        finally:
            connection.close()

    def _take(self, fields: dict[str, str]) -> None:
        self._position = fields.get("id", self._position)
        if "data" not in fields:
            return
        data = json.loads(fields["data"])
        if fields["event"] == "task":
            self.seen.append((int(fields["id"]), data["message"]["n"], utc_now()))
        else:
            self.others.append(f"{fields['event']}: {data}")


def play(folder: Path, *, seed: int, kills: int, servers: int, rate: int) -> Report:
    """Kills so many servers, with about ``rate`` tasks for each kill, and checks what has come of the
    tasks."""
    rng = random.Random(seed)
    service = Servers(folder / "tasks.db", servers)
    posters = [Poster(service.address, random.Random(rng.random())) for _ in range(3)]
    listeners = [Listener(service.address) for _ in range(2)]
    per_poster = max(kills * rate // len(posters), 1)
    try:
        with ThreadPoolExecutor(len(posters)) as pool:
            posting = [
                pool.submit(poster.post, range(index * per_poster, (index + 1) * per_poster))
                for index, poster in enumerate(posters)
            ]
            while service.kills < kills or not all(each.done() for each in posting):
                service.kill_one(rng)
            for each in posting:
                each.result()
        wanted = set(range(len(posters) * per_poster))
        deadline = time.monotonic() + PATIENCE
        while any(set(listener.numbers()) != wanted for listener in listeners):
            assert time.monotonic() < deadline, [len(each.seen) for each in listeners]
            threading.Event().wait(0.05)
        for listener in listeners:
            listener.end()
        return _report(service, posters, listeners)
    finally:
        service.close()
        print(service.errors())


def _report(service: Servers, posters: list[Poster], listeners: list[Listener]) -> Report:
    arns = [arn for poster in posters for arn in poster.arns.values()]
    assert len(set(arns)) == len(arns)
    first, second = ([(key, number) for key, number, _ in listener.seen] for listener in listeners)
    assert first == second
    assert sorted(number for _, number in first) == list(range(len(arns)))  # each task once
    positions = [key for key, _ in first]
    assert positions == sorted(set(positions))
    assert [other for listener in listeners for other in listener.others] == []
    assert "Traceback" not in service.errors()
    due = {number: at for poster in posters for number, at in poster.due.items()}
    return Report(
        service.kills,
        len(arns),
        sum(poster.again for poster in posters),
        sum(listener.resumed for listener in listeners),
        max((at - due[number]).total_seconds() for _, number, at in listeners[0].seen),
    )


@needs_kill
@pytest.mark.timeout(300)
def test_killed_servers_lose_no_task_and_no_event(tmp_path: Path) -> None:
    report = play(tmp_path, seed=1, kills=3, servers=1, rate=40)
    print(report)
    assert report.kills >= 3
    assert report.resumed > 0


@needs_kill
@pytest.mark.proof
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("servers", [pytest.param(1, id="one"), pytest.param(3, id="three")])
def test_many_kills_lose_no_task_and_no_event(
    tmp_path: Path, servers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    report = play(tmp_path, seed=10 + servers, kills=30, servers=servers, rate=100)
    with capsys.disabled():
        print(f"\n{servers} servers: {report}")
    assert report.again > 0, "no kill has hit a request: the proof proves nothing"
    assert report.resumed > 0
