"""Hostile requests over real sockets against both applications: every answer is one of HTTP, none is a fault
of the server, none shows a traceback, no log has the secret, and the server stands at the end.

The requests are made from a seed: bodies, headers, sizes, verbs and paths of all kinds; senders that are
slow, that send several requests at once, half of one, or nothing, and that leave.
"""

from __future__ import annotations

import json
import logging
import random
import re
import socket
import string
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import NamedTuple

import httpx
import pytest
from starlette.requests import Request

import stepsched as ss
from stepsched.http import jobs_app, one_shot_app
from stepsched.http.events import EventFeed
from stepsched.http.serving import listening, serving

SECRET = "s3cr3t-0f-th3-t3st"
PATIENCE = 20.0
MOST_READ = 200_000
STATUS = re.compile(rb"^HTTP/1\.1 (\d{3}) ", re.MULTILINE)
Make = Callable[[random.Random], bytes]


class Attack(NamedTuple):
    """What one connection sends, and how it ends."""

    parts: list[bytes]
    pause: float
    """The time in seconds after each part."""
    end: str
    """``half``: says that nothing follows, and reads until the server closes; ``leave``: closes at once."""


def text(rng: random.Random, most: int = 20) -> str:
    return "".join(rng.choices(string.printable + "é\u2028\U0001f600", k=rng.randrange(most)))


def value(rng: random.Random, depth: int = 0) -> object:
    """A JSON value, or almost one."""
    kinds: list[Callable[[], object]] = [
        lambda: None,
        lambda: rng.random() < 0.5,
        lambda: rng.choice([0, -1, 10**18, 10**400, 2**63, 0.1, 1e308]),
        lambda: text(rng),
        lambda: rng.choice(["2030-01-01T00:00:00Z", "now", "9999-12-31T23:59:59+14:00", "0001-01-01", "1e9"]),
    ]
    if depth < 3:
        kinds += [
            lambda: [value(rng, depth + 1) for _ in range(rng.randrange(4))],
            lambda: {key(rng): value(rng, depth + 1) for _ in range(rng.randrange(5))},
        ]
    return rng.choice(kinds)()


def key(rng: random.Random) -> str:
    known = ["secret", "timestamp", "message", "executionArn", "name", "schedule", "target", "kind", "input"]
    return rng.choice([*known, "at", "cron", "every", "jobs", "prune", "since", "until", text(rng)])


BODIES: list[Make] = [
    lambda _: json.dumps({"secret": SECRET, "timestamp": "2030-01-01T00:00:00Z", "message": {}}).encode(),
    lambda rng: json.dumps({key(rng): value(rng) for _ in range(rng.randrange(6))}).encode(),
    lambda rng: json.dumps({"secret": SECRET, "timestamp": value(rng), "message": value(rng)}).encode(),
    lambda rng: json.dumps({"secret": SECRET, "executionArn": value(rng)}).encode(),
    lambda rng: json.dumps(
        {"name": value(rng), "at": value(rng), "target": {"kind": value(rng), "command": ["id"]}}
    ).encode(),
    lambda rng: json.dumps({"jobs": [value(rng)], "prune": value(rng)}).encode("utf-16"),
    lambda rng: rng.randbytes(rng.randrange(500)),
    lambda rng: b'{"secret": "%s", "message": %s' % (SECRET.encode(), b"[" * rng.randrange(100_000)),
    lambda _: b'{"secret": NaN, "secret": Infinity, "message": -0}',
    lambda rng: b'{"timestamp": %s}' % (b"9" * rng.randrange(1, 6_000)),
    lambda _: b'{"message": "\\ud800", "\\udfff": "\xff\xfe"}',
    lambda _: b"x" * 300_000,
    lambda _: b"",
]
PATHS = [
    *(
        "/schedule",
        "/cancel",
        "/events",
        "/tasks",
        "/openapi.json",
        "/healthz",
        "/",
        "/jobs",
        "/plan",
        "/apply",
    ),
    *("/jobs/a", "/jobs/a/pause", "/jobs/a/run", "/jobs/%00", "/jobs/%ff%fe", "/jobs/..%2f..", "/runs/a/1"),
    *(
        "/jobs/" + "a" * 5_000,
        "//evil.example/",
        "/../../etc/passwd",
        "/jobs/a/backfill",
        "/runs",
        "/upcoming",
    ),
    *(
        "*",
        "http://evil.example/",
        "/é",
        "/jobs?limit=-1&cursor=x&cursor=y&status=%F0",
        "/tasks?limit=1e9&after=",
    ),
    *("/runs?since=yesterday&until=%00", "/upcoming?until=9999-12-31T23:59:59Z&limit=99999999999999999999"),
]
VERBS = [
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "get",
    "X" * 300,
    "P\x00T",
]
HEADERS: list[Make] = [
    lambda _: b"Authorization: Bearer " + SECRET.encode(),
    lambda rng: (
        b"Authorization: " + rng.choice([b"Bearer", b"Basic OnM=", b"Bearer \xff\xfe", b"Bearer  x y"])
    ),
    lambda rng: b"Last-Event-ID: " + rng.choice([b"0", b"-1", b"9" * 18, b"9" * 5_000, b"\xb2", b"1e3"]),
    lambda rng: b"Idempotency-Key: " + rng.choice([b"", b"a", b"a" * 9_000, b"\xff", b'"x"']),
    lambda rng: (
        b"If-Match: " + rng.choice([b"*", b'"1"', b'W/"1"', b'"', b",,,", b'"9' + b"9" * 5_000 + b'"'])
    ),
    lambda rng: (
        b"Content-Type: " + rng.choice([b"application/json", b"text/plain", b"\xff", b"a/b; charset=x"])
    ),
    lambda _: b"Content-Encoding: gzip",
    lambda _: b"Expect: 100-continue",
    lambda _: (
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA=="
    ),
    lambda rng: (
        b"X-Amz-SNS-Message-Type: " + rng.choice([b"Notification", b"SubscriptionConfirmation", b"x"])
    ),
    lambda rng: b"X-Long: " + b"a" * rng.randrange(100_000),
    lambda rng: b"\r\n".join(b"X-%d: y" % number for number in range(rng.randrange(300))) or b"X: y",
    lambda rng: b"Origin: " + rng.choice([b"null", b"http://evil.example", b"\x7f"]),
    lambda _: b"bad header\r\n : worse\r\n folded",
]
LENGTHS: list[Callable[[random.Random, bytes], bytes]] = [
    *[lambda _, body: b"Content-Length: %d" % len(body)] * 8,
    lambda rng, body: b"Content-Length: %d" % (len(body) + rng.randrange(1, 99)),
    lambda rng, body: b"Content-Length: %d" % max(len(body) - rng.randrange(1, 99), 0),
    lambda _, __: b"Content-Length: 99999999999999999999",
    lambda _, __: b"Content-Length: -5",
    lambda _, body: b"Content-Length: %d\r\nContent-Length: 7" % len(body),
    lambda _, body: b"Transfer-Encoding: chunked\r\nContent-Length: %d" % len(body),
]
NO_HTTP = [
    bytes.fromhex("16030100a5010000a10303") + bytes(150),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /\r\n\r\n",
    b"\r\n\r\n\r\n",
    b"POST /schedule HTTP/1.1\r\n",
    b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    b"\x00" * 70_000,
    b"",
]


def request(rng: random.Random) -> bytes:
    """One request, which may be none at all."""
    if rng.random() < 0.05:
        return rng.choice(NO_HTTP)
    body = rng.choice(BODIES)(rng)
    verb = rng.choice([*["POST"] * 8, *["GET"] * 8, *VERBS])
    lines = [f"{verb} {rng.choice(PATHS + PATHS[:10] * 3)} HTTP/1.1".encode("utf-8", "surrogateescape")]
    lines += [rng.choice([*[b"Host: 127.0.0.1"] * 9, b"Host: localhost", b"Host: evil\xff"])]
    if rng.random() < 0.5:
        lines += [b"Authorization: Bearer " + SECRET.encode(), b"Content-Type: application/json"]
    lines += [rng.choice(HEADERS)(rng) for _ in range(rng.choice([0, 0, 0, 1, 2]))]
    if rng.random() < 0.15:
        size = rng.randrange(1, 5_000)
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
        lines.append(b"Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
        body += rng.choice([b"0\r\n\r\n", b"0\r\n\r\n", b"zz\r\n", b"", b"fffffffffffffffff\r\nx"])
    else:
        lines.append(rng.choice(LENGTHS)(rng, body))
    return b"\r\n".join([*lines, b"", body])


def attack(rng: random.Random) -> Attack:
    whole = b"".join(request(rng) for _ in range(rng.choice([1, 1, 1, 1, 1, 3])))
    if rng.random() < 0.2 and whole:
        cuts = sorted(rng.randrange(len(whole)) for _ in range(3))
        parts = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
        return Attack(
            parts[: rng.randrange(1, 5)], rng.choice([0, 0.01, 0.05]), rng.choice(["half", "leave"])
        )
    return Attack([whole], 0, rng.choice(["half", "half", "half", "leave"]))


def perform(address: tuple[str, int], wanted: Attack) -> bytes:
    """Sends it; returns what came back."""
    received = b""
    with socket.create_connection(address, PATIENCE) as connection:
        try:
            for part in wanted.parts:
                connection.sendall(part)
                Event().wait(wanted.pause)
            if wanted.end == "half":
                connection.shutdown(socket.SHUT_WR)
                while len(received) < MOST_READ and (found := connection.recv(65_536)):
                    received += found
                    if b"text/event-stream" in received:  # without an end
                        break
        except TimeoutError:
            pytest.fail(f"no end of the answer to {wanted}: {received!r}")
        except OSError:  # the server has closed the connection
            return received
    return received


@contextmanager
def idle_connections(address: tuple[str, int], count: int) -> Iterator[None]:
    """Connections that say nothing, or half a line, all the while."""
    held = [socket.create_connection(address, PATIENCE) for _ in range(count)]
    for number, connection in enumerate(held):
        connection.sendall(
            [b"", b"POST /schedule HT", b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n"][number % 3]
        )
    try:
        yield
    finally:
        for connection in held:
            connection.close()


def play(folder: Path, count: int, caplog: pytest.LogCaptureFixture) -> Counter[str]:
    """Sends so many requests, to both applications in turn; returns how often each status was answered."""
    statuses = Counter[str]()
    with ss.SchedulerClient(ss.LocalBackend(folder / "jobs.db", workers=2)) as client, caplog.at_level(0):
        feed = EventFeed.of(client.backend)
        apps = [one_shot_app(client, secret=SECRET), jobs_app(client, authenticate=bearer)]
        for number, app in enumerate(apps):
            rng = random.Random(number)
            attacks = [attack(rng) for _ in range(count // len(apps))]
            app.state.end_streams = feed.end_streams
            with (
                listening("127.0.0.1", 0) as opened,
                serving(app, opened),
                idle_connections(address := opened.getsockname(), 60),
            ):
                with ThreadPoolExecutor(8) as pool:
                    answers = list(pool.map(lambda wanted: perform(address, wanted), attacks))
                for wanted, answer in zip(attacks, answers, strict=True):
                    found = [status.decode() for status in STATUS.findall(answer)]
                    statuses.update(found or ["none"])
                    assert "500" not in found, (wanted, answer)
                    assert b"Traceback (most recent" not in answer, (wanted, answer)
                    assert SECRET.encode() not in answer, (wanted, answer)
                health = httpx.get(
                    f"http://127.0.0.1:{address[1]}/healthz",
                    headers={"Authorization": f"Bearer {SECRET}"},
                    timeout=PATIENCE,
                    trust_env=False,
                )
                assert health.status_code == 200, health.text
    return statuses


async def bearer(request: Request) -> bool:
    given: str | None = request.headers.get("authorization")
    return given == f"Bearer {SECRET}"


def check_log(caplog: pytest.LogCaptureFixture) -> None:
    """No record is of a fault, and none has the secret."""
    assert SECRET not in caplog.text
    faults = [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]
    assert [logging.Formatter().format(record) for record in faults] == []


def open_files() -> int:
    """The number of open files of this process; 0 where nobody knows."""
    known = Path("/proc/self/fd")
    return len(list(known.iterdir())) if known.exists() else 0


def test_hostile_requests_leave_both_applications_standing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = open_files()
    statuses = play(tmp_path, 300, caplog)
    check_log(caplog)
    assert {"200", "400", "401", "404"} <= set(statuses)
    assert open_files() <= before + 5


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_ten_thousand_hostile_requests_leave_both_applications_standing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses = play(tmp_path, 10_000, caplog)
    with capsys.disabled():
        print(f"\n{sum(statuses.values())} answers: {dict(sorted(statuses.items()))}")
    check_log(caplog)
