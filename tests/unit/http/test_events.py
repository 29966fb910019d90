"""Recorded events for many listeners: none is lost, none comes twice, and a stream can be resumed."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Scope, Send

import stepsched as ss
from stepsched.backends.local.store import Retention
from stepsched.core.errors import BackendUnavailableError
from stepsched.http.events import EventFeed, Gap, last_event_id, stream
from stepsched.jobs.events import RecordedEvent
from stepsched.testing import FakeClock
from tests.unit.http.server import PATIENCE, served

ROOT = Path(__file__).parents[3]
T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)


class Counted(ss.LocalBackend):
    """A backend that counts how often its events are read."""

    reads = 0

    def events(self, *, after: int, limit: int = 1_000) -> list[RecordedEvent]:
        self.reads += 1
        return super().events(after=after, limit=limit)


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Counted]:
    backend = Counted(tmp_path / "jobs.db", clock=FakeClock(T0))
    yield backend
    backend.close()


def create(backend: ss.LocalBackend, *names: str) -> None:
    """Records one event for each name."""
    target = ss.HandlerTarget("builtins:dict")
    jobs = [ss.Job(name=name, schedule=ss.Rate(timedelta(days=1)), target=target) for name in names]
    ss.SchedulerClient(backend).create_many(jobs)


def forget(backend: ss.LocalBackend) -> None:
    """Deletes all events but the latest."""
    with backend._store.transaction("test"):
        backend._store.tidy(T0 + timedelta(days=1), Retention(timedelta(0), 0))


async def take(events: AsyncGenerator[RecordedEvent | Gap, None], count: int) -> list[RecordedEvent | Gap]:
    async with aclosing(events):
        found = list[RecordedEvent | Gap]()
        async for item in events:
            found.append(item)
            if len(found) == count:
                break
    return found


async def until(
    items: AsyncGenerator[Any, None], is_last: Callable[[Any], bool]
) -> AsyncGenerator[Any, None]:
    """The items up to the first that fits."""
    async for item in items:
        yield item
        if is_last(item):
            return


def names(items: list[RecordedEvent | Gap]) -> list[str]:
    return [item.job if isinstance(item, RecordedEvent) else repr(item) for item in items]


def render(event: RecordedEvent) -> dict[str, str]:
    return {"event": event.kind.value, "data": json.dumps({"job": event.job})}


class TestFeed:
    def test_a_listener_begins_after_its_position_and_goes_on_with_new_events(self, backend: Counted) -> None:
        async def listen() -> list[RecordedEvent | Gap]:
            create(backend, "a", "b", "c")
            listening = asyncio.ensure_future(take(EventFeed(backend, pause=60).after(1), 4))
            await asyncio.sleep(0)
            await asyncio.to_thread(create, backend, "d", "e", "f")
            return await listening

        assert names(asyncio.run(listen())) == ["b", "c", "d", "e"]

    def test_an_error_that_nobody_foresaw_ends_the_events(self, tmp_path: Path) -> None:
        class Broken(ss.LocalBackend):
            def events(self, *, after: int, limit: int = 1_000) -> list[RecordedEvent]:
                raise RuntimeError("unforeseen")

        async def listen(backend: ss.LocalBackend) -> list[RecordedEvent | Gap]:
            return await asyncio.wait_for(take(EventFeed(backend).after(None), 1), PATIENCE)

        broken = Broken(tmp_path / "jobs.db")
        assert asyncio.run(listen(broken)) == []
        broken.close()

    def test_without_a_position_only_new_events_come(self, backend: Counted) -> None:
        async def listen() -> list[str]:
            create(backend, "a")
            feed = EventFeed(backend, pause=60)
            async with aclosing(feed.portions(None, silence=0.01)) as portions:
                assert await anext(portions) == ()
                create(backend, "b")
                async for portion in portions:
                    if portion:
                        return names(list(portion))
            return []

        assert asyncio.run(listen()) == ["b"]

    def test_events_of_another_process_come(self, backend: Counted) -> None:
        program = (
            "import sys; import stepsched as ss; from datetime import timedelta\n"
            "target = ss.HandlerTarget('builtins:dict')\n"
            "client = ss.SchedulerClient(ss.LocalBackend(sys.argv[1]))\n"
            "client.create(ss.Job(name='there', schedule=ss.Rate(timedelta(days=1)), target=target))"
        )

        async def listen() -> list[RecordedEvent | Gap]:
            listening = asyncio.ensure_future(take(EventFeed(backend, pause=0.01).after(None), 1))
            await asyncio.sleep(0)
            await asyncio.to_thread(
                subprocess.run, [sys.executable, "-c", program, str(backend.path)], check=True, cwd=ROOT
            )
            return await listening

        assert names(asyncio.run(listen())) == ["there"]

    def test_every_listener_receives_all_once_while_others_write(self, backend: Counted) -> None:
        wanted = [f"job-{number:04}" for number in range(3_000)]

        def write() -> None:
            for start in range(0, len(wanted), 25):
                create(backend, *wanted[start : start + 25])

        async def listen() -> list[list[RecordedEvent | Gap]]:
            feed = EventFeed(backend)
            writing = asyncio.ensure_future(asyncio.to_thread(write))
            listeners = []
            for _ in range(20):  # they begin at different times, some far behind
                listeners.append(asyncio.ensure_future(take(feed.after(0), len(wanted))))
                await asyncio.sleep(0.01)
            await writing
            return await asyncio.gather(*listeners)

        for found in asyncio.run(listen()):
            assert names(found) == wanted

    def test_listeners_share_one_reader_and_the_last_one_ends_it(self, backend: Counted) -> None:
        async def listen() -> set[asyncio.Task[object]]:
            feed = EventFeed(backend, pause=60)
            listeners = [asyncio.ensure_future(take(feed.after(0), 5)) for _ in range(100)]
            await feed.last()
            while backend.reads == 0:
                await asyncio.sleep(0.001)
            for name in "abcde":
                create(backend, name)
                await asyncio.sleep(0)
            await asyncio.gather(*listeners)
            await asyncio.sleep(0)
            return asyncio.all_tasks() - {asyncio.current_task()}

        assert asyncio.run(listen()) == set()
        assert backend.reads <= 1 + 5 + 100  # a listener that begins late reads its own history once

    def test_a_position_that_is_no_longer_kept_is_told(self, backend: Counted) -> None:
        create(backend, "a", "b", "c")
        forget(backend)
        found = asyncio.run(take(EventFeed(backend).after(1), 2))
        assert found == [Gap(1, 2), *backend.events(after=2)]

    def test_a_position_that_was_never_recorded_is_told_and_all_that_is_kept_follows(
        self, backend: Counted
    ) -> None:
        create(backend, "a")
        assert names(asyncio.run(take(EventFeed(backend).after(99), 2))) == [repr(Gap(99, 0)), "a"]

    def test_events_that_are_gone_before_a_listener_has_read_them_are_told(self, backend: Counted) -> None:
        async def listen() -> list[RecordedEvent | Gap]:
            create(backend, *(f"job-{number}" for number in range(600)))
            async with aclosing(EventFeed(backend, pause=60).portions(0)) as portions:
                first = await anext(portions)
                await asyncio.to_thread(forget, backend)
                return [*first[-1:], *await anext(portions)]

        last, gap, event = asyncio.run(listen())
        assert isinstance(last, RecordedEvent)
        assert (gap, event) == (Gap(last.id, 599), *backend.events(after=599))

    def test_events_that_are_gone_before_the_reader_has_read_them_are_told(self, backend: Counted) -> None:
        async def listen() -> tuple[list[object], list[bytes]]:
            feed = EventFeed(backend, pause=60, ping=0.05)
            async with (
                aclosing(feed.portions(None, silence=0.05)) as portions,
                aclosing(feed.messages(0, render)) as messages,
            ):
                assert await anext(portions) == ()
                assert b"ping" in await anext(messages)
                with ss.LocalBackend(backend.path, clock=FakeClock(T0)) as other:
                    create(other, *(f"job-{number}" for number in range(600)))
                    forget(other)
                feed.wake()
                found = [portion async for portion in until(portions, lambda portion: bool(portion))]
                sent = [message async for message in until(messages, lambda message: b"gap" in message)]
                return [*found[-1]], sent[-1:]

        found, (sent,) = asyncio.run(listen())
        assert found == [Gap(0, 599), *backend.events(after=599)]
        assert sent.startswith(
            b'id: 599\r\nevent: gap\r\ndata: {"after": 0, "resumed_after": 599}\r\n\r\nid: 600'
        )

    def test_streams_can_be_ended_from_any_thread(self, backend: Counted) -> None:
        async def listen() -> list[RecordedEvent | Gap]:
            create(backend, "a")
            feed = EventFeed(backend)
            found = list[RecordedEvent | Gap]()
            async for item in feed.after(0):
                found.append(item)
                Thread(target=feed.end_streams).start()
            return found

        assert names(asyncio.run(listen())) == ["a"]

    def test_after_the_streams_have_ended_others_may_begin(self, backend: Counted) -> None:
        async def listen() -> list[RecordedEvent | Gap]:
            create(backend, "a")
            feed = EventFeed(backend)
            async with aclosing(feed.after(0)) as events:
                await anext(events)
                feed.end_streams()
                assert [item async for item in events] == []
            return await take(feed.after(0), 1)

        assert names(asyncio.run(listen())) == ["a"]

    def test_streams_of_a_backend_that_is_closed_end(
        self, backend: Counted, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def listen() -> list[RecordedEvent | Gap]:
            create(backend, "a")
            found = list[RecordedEvent | Gap]()
            async for item in EventFeed(backend, pause=0.01).after(0):
                found.append(item)
                await asyncio.to_thread(backend.close)
            return found

        assert names(asyncio.run(listen())) == ["a"]
        assert "streams of events end, since no events can be read" in caplog.text

    def test_applications_of_one_backend_share_a_feed_that_ends_with_them(self, backend: Counted) -> None:
        feed = EventFeed.of(backend)
        assert EventFeed.of(backend) is feed
        del feed
        assert EventFeed.of(backend) is not None

    def test_a_backend_without_events_is_refused(self) -> None:
        class Without(ss.LocalBackend):
            events = ss.backends.Backend.events
            last_event = ss.backends.Backend.last_event

        with Without() as bare, pytest.raises(ss.UnsupportedError, match="does not record events"):
            asyncio.run(take(EventFeed(bare).after(0), 1))


class TestMessages:
    def test_a_message_is_made_once_for_all_streams(self, backend: Counted) -> None:
        made = list[int]()

        async def slow(event: RecordedEvent) -> dict[str, str]:
            made.append(event.id)
            await asyncio.sleep(0.01)
            return render(event)

        async def listen(feed: EventFeed) -> bytes:
            async with aclosing(feed.messages(0, slow)) as messages:
                async for message in messages:
                    if b"ping" not in message:
                        return message
            return b""

        async def listen_all() -> list[bytes]:
            feed = EventFeed(backend, ping=0.05)
            async with aclosing(feed.messages(0, slow)) as first:
                assert b"ping" in await anext(first)  # the reader has begun
                listeners = [asyncio.ensure_future(listen(feed)) for _ in range(10)]
                await asyncio.sleep(0)
                listeners.pop().cancel()
                create(backend, "a")
                return await asyncio.gather(*listeners)

        wanted = b'id: 1\r\nevent: created\r\ndata: {"job": "a"}\r\n\r\n'
        assert asyncio.run(listen_all()) == [wanted] * 9
        assert made == [1]

    def test_streams_end_when_messages_cannot_be_made_and_can_begin_again(
        self, backend: Counted, caplog: pytest.LogCaptureFixture
    ) -> None:
        failures = [BackendUnavailableError("sqlite", "read", "BUSY")]

        def failing(event: RecordedEvent) -> dict[str, str]:
            if failures:
                raise failures.pop()
            return render(event)

        async def listen() -> list[bytes]:
            feed = EventFeed(backend, ping=0.05)
            async with aclosing(feed.messages(0, failing)) as messages:
                assert b"ping" in await anext(messages)
                create(backend, "a")
                assert [message async for message in messages if b"ping" not in message] == []
            async with aclosing(feed.messages(0, failing)) as messages:
                return [await anext(messages)]

        assert asyncio.run(listen()) == [b'id: 1\r\nevent: created\r\ndata: {"job": "a"}\r\n\r\n']
        assert "streams of events end" in caplog.text

    def test_streams_that_begin_while_others_end_share_nothing_with_them(self, backend: Counted) -> None:
        async def listen() -> list[bytes]:
            feed = EventFeed(backend, ping=0.05)
            async with aclosing(feed.messages(0, render)) as old:
                assert b"ping" in await anext(old)
                feed.end_streams()
                await asyncio.sleep(0)
                async with aclosing(feed.messages(0, render)) as new:
                    create(backend, "a")
                    assert [message async for message in old] == []
                    return [message async for message in until(new, lambda message: b"ping" not in message)]

        assert b"id: 1" in asyncio.run(listen())[-1]

    def test_a_position_that_was_never_recorded_is_told_first(self, backend: Counted) -> None:
        async def listen() -> list[bytes]:
            create(backend, "a")
            async with aclosing(EventFeed(backend).messages(7, render)) as messages:
                return [await anext(messages), await anext(messages)]

        gap, created = asyncio.run(listen())
        assert gap == b'id: 0\r\nevent: gap\r\ndata: {"after": 7, "resumed_after": 0}\r\n\r\n'
        assert created.startswith(b"id: 1\r\n")


async def respond(feed: EventFeed, send: Send) -> None:
    """Sends a stream to a client that never leaves."""

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    scope: Scope = {"type": "http", "method": "GET", "headers": []}
    await stream(Request(scope), feed, render, after=0)(scope, receive, send)


class TestEnds:
    def test_a_client_that_reads_nothing_is_cut_off(
        self, backend: Counted, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        with caplog.at_level(logging.INFO, "stepsched.http"):
            asyncio.run(respond(EventFeed(backend, patience=0.01), send))
        assert caplog.messages == ["a stream of events ends: its client has read nothing for 0.01 seconds"]

    def test_a_stream_of_a_backend_that_cannot_be_read_ends(
        self, backend: Counted, caplog: pytest.LogCaptureFixture
    ) -> None:
        sent = list[Message]()

        async def send(message: Message) -> None:
            sent.append(message)

        backend.close()
        asyncio.run(respond(EventFeed(backend), send))
        assert [message.get("body") for message in sent] == [None, b"retry: 2000\r\n\r\n", b""]
        assert "a stream of events ends: sqlite use failed" in caplog.text


def app(feed: EventFeed, wanted: str = "") -> Starlette:
    def shown(event: RecordedEvent) -> dict[str, str] | None:
        return render(event) if event.job.startswith(wanted) else None

    async def events(request: Request) -> Response:
        return stream(request, feed, shown, after=last_event_id(request))

    return Starlette(routes=[Route("/events", events)])


def lines(address: tuple[str, int], after: int | None, until: str) -> list[str]:
    """The lines of a stream up to one, without empty ones."""
    found = list[str]()
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    url = f"http://127.0.0.1:{address[1]}/events"
    with httpx.stream("GET", url, headers=headers, timeout=PATIENCE, trust_env=False) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            found += [line] if line else []
            if line == until:
                break
    return found


class TestStreams:
    def test_a_stream_has_the_history_and_then_what_is_new(self, backend: Counted) -> None:
        feed = EventFeed(backend)
        create(backend, "a", "b")
        with served(app(feed), before_end=feed.end_streams) as address:
            assert lines(address, 1, 'data: {"job": "b"}') == [
                "retry: 2000", "id: 2", "event: created", 'data: {"job": "b"}',
            ]  # fmt: skip
            with httpx.stream("GET", f"http://127.0.0.1:{address[1]}/events", trust_env=False) as answer:
                create(backend, "c")  # after the headers have come
                assert "id: 3" in answer.iter_lines()
                assert answer.headers["cache-control"] == "no-store, no-transform"
                assert answer.headers["x-accel-buffering"] == "no"

    def test_a_silent_stream_says_where_it_is(self, backend: Counted) -> None:
        feed = EventFeed(backend, ping=0.01)
        create(backend, "other-1", "mine", "other-2")
        with served(app(feed, "mine"), before_end=feed.end_streams) as address:
            found = lines(address, 0, "id: 3")
        positions = ("id: 0", "id: 1", "id: 2")  # of pings too, while the events are not read yet
        assert [line for line in found if line not in (": ping", *positions)] == [
            "retry: 2000", "event: created", 'data: {"job": "mine"}', "id: 3",
        ]  # fmt: skip
        assert found[-2:] == [": ping", "id: 3"]

    def test_a_gap_is_an_event_with_the_position_after_it(self, backend: Counted) -> None:
        feed = EventFeed(backend)
        create(backend, "a", "b", "c")
        forget(backend)
        with served(app(feed), before_end=feed.end_streams) as address:
            assert lines(address, 1, "id: 3")[1:] == [
                "id: 2", "event: gap", 'data: {"after": 1, "resumed_after": 2}', "id: 3",
            ]  # fmt: skip

    def test_a_listener_that_reads_late_gets_everything(self, backend: Counted) -> None:
        feed = EventFeed(backend)

        async def events(request: Request) -> Response:
            return stream(request, feed, lambda event: {"data": event.job.ljust(2_000)}, after=0)

        with (
            served(Starlette(routes=[Route("/", events)]), before_end=feed.end_streams) as address,
            socket.create_connection(address, PATIENCE) as connection,
        ):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.recv(9)
            for start in range(0, 3_000, 500):  # more than sockets and memory hold
                create(backend, *(f"job-{number}" for number in range(start, start + 500)))
            found = list[str]()
            with connection.makefile("rb") as file:
                for line in file:
                    if line.startswith(b"id: "):
                        found.append(line.decode().strip())
                    if line.startswith(b"id: 3000\r"):
                        break
        assert found == [f"id: {number}" for number in range(1, 3_001)]

    def test_only_the_headers_are_sent_for_head(self, backend: Counted) -> None:
        with served(app(EventFeed(backend))) as address:
            answer = httpx.head(f"http://127.0.0.1:{address[1]}/events", trust_env=False)
        assert (answer.status_code, answer.headers["content-type"]) == (
            200,
            "text/event-stream; charset=utf-8",
        )

    def test_clients_that_leave_are_forgotten_and_nothing_is_logged(
        self, backend: Counted, caplog: pytest.LogCaptureFixture
    ) -> None:
        feed = EventFeed(backend, ping=0.01)
        with served(app(feed)) as address, caplog.at_level(logging.INFO):
            for _ in range(20):
                with socket.create_connection(address) as connection:
                    connection.sendall(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
                    assert connection.recv(9)
        assert caplog.messages == []

    def test_a_server_that_is_told_to_end_ends_its_streams_and_says_nothing(self, tmp_path: Path) -> None:
        program = (
            "import sys, uvicorn; import stepsched as ss\n"
            "from tests.unit.http.test_events import EventFeed, app\n"
            "backend = ss.LocalBackend(sys.argv[1])\n"
            "uvicorn.run(app(EventFeed(backend)), port=0, log_level='info')"
        )
        server = subprocess.Popen(
            [sys.executable, "-c", program, tmp_path / "jobs.db"], stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert server.stderr is not None
        logged = list[str]()
        for line in server.stderr:
            logged.append(line)
            if "running on" in line:
                break
        port = int(logged[-1].split("127.0.0.1:")[1].split()[0])
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
            connection.sendall(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
            received = b""
            while b"retry" not in received:
                received += connection.recv(999)
            os.kill(server.pid, signal.SIGTERM)
            while part := connection.recv(999):
                received += part
        logged += server.communicate(timeout=PATIENCE)[1].splitlines()
        assert received.endswith(b"0\r\n\r\n")  # the end of the response, rather than of the connection
        assert [line for line in logged if "ERROR" in line or "WARNING" in line or "completing" in line] == []


@pytest.mark.parametrize(("given", "position"), [(None, None), ("", None), ("0", 0), ("12", 12)])
def test_the_position_is_read_from_the_header(given: str | None, position: int | None) -> None:
    headers = [] if given is None else [(b"last-event-id", given.encode())]
    assert last_event_id(Request({"type": "http", "headers": headers})) == position


@pytest.mark.parametrize("given", ["-1", "1.5", "x", "9" * 19, "\u00b2", " 1", "1e3", "0x1"])
def test_what_is_no_position_is_refused(given: str) -> None:
    request = Request({"type": "http", "headers": [(b"last-event-id", given.encode("latin-1"))]})
    with pytest.raises(ValueError, match="expected a position, which is a whole number"):
        last_event_id(request)
