"""Recorded events as server-sent events, from the history of the backend and not from memory."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from weakref import WeakKeyDictionary, WeakValueDictionary, ref

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from stepsched.backends.base import Backend
from stepsched.core.errors import BackendError
from stepsched.http.audiences import Audience, Gap, Render, encoded, gap_message, position_of
from stepsched.http.headers import is_position
from stepsched.jobs.events import RecordedEvent

__all__ = ["EventFeed", "Gap", "Render", "last_event_id", "stream"]

_log = logging.getLogger("stepsched.http")
_RETRY = 2_000
"""The time in milliseconds after which a client connects again."""
_FAREWELL = 1.0
"""The longest time in seconds that the end of a stream may take."""
_NO_PINGS = 86_400 * 365
"""The pause between the pings of sse-starlette, which do not know the position."""


class EventFeed:
    """Reads the events of a backend for many listeners.

    Every listener receives every event once, whichever process has recorded it, in the order of recording.
    Events of this process come at once, those of others after at most ``pause`` seconds.
    """

    def __init__(
        self, backend: Backend, *, pause: float = 0.25, ping: float = 15.0, patience: float = 60.0
    ) -> None:
        """Creates a feed.

        Args:
            backend: The backend; its capabilities must have ``keeps_events``.
            pause: The time in seconds between two looks for events of other processes.
            ping: The time in seconds after which a silent stream says that it is still there.
            patience: The time in seconds after which a client that reads nothing is cut off.
        """
        self.ping = ping
        self.patience = patience
        self._backend = backend
        self._pause = pause
        self._pid = os.getpid()
        self._is_told = False
        self._lock = threading.Lock()
        self._audiences: WeakKeyDictionary[asyncio.AbstractEventLoop, Audience] = WeakKeyDictionary()

    @classmethod
    def of(cls, backend: Backend) -> EventFeed:
        """Returns the feed of a backend that all applications of this process share."""
        with _lock:
            feed = _feeds.get(id(backend))
            if feed is None:
                feed = _feeds[id(backend)] = cls(backend)
            return feed

    async def last(self) -> int:
        """Returns the position of the latest event that was recorded; 0 if there was none.

        Raises:
            BackendError: The backend cannot be read.
            UnsupportedError: The backend does not record events.
        """
        return await self._audience().last()

    async def after(self, position: int | None) -> AsyncGenerator[RecordedEvent | Gap, None]:
        """Yields the events after a position, exclusive, and then every new one, until
        :meth:`end_streams`. Close it with :func:`contextlib.aclosing`.

        Args:
            position: The position. None: only new events.

        Raises:
            BackendError: The backend cannot be read at the beginning. Later, the events just end: go on after
                the last one that was received.
            UnsupportedError: The backend does not record events.
        """
        async with aclosing(self.portions(position)) as portions:
            async for portion in portions:
                for item in portion:
                    yield item

    async def portions(
        self, position: int | None, *, silence: float | None = None
    ) -> AsyncGenerator[Sequence[RecordedEvent | Gap], None]:
        """Yields the same as :meth:`after` in portions, and an empty one after each ``silence`` seconds in
        which nothing happened. None: never an empty one."""
        audience = self._audience()
        with audience as session:
            last = await audience.last()
            at = last if position is None else position
            if at > last:
                yield (Gap(at, 0),)
                at = 0
            while not session.is_over:
                found: Sequence[RecordedEvent | Gap] = ()
                with anyio.move_on_after(silence):
                    found = await audience.following(session, at)
                if found:
                    at = position_of(found[-1])
                if not session.is_over or found:
                    yield found

    async def messages(self, position: int, render: Render) -> AsyncGenerator[bytes, None]:
        """Yields the messages of the events after a position, as they are sent: those of several events at
        once, and a comment in silence.

        Raises:
            BackendError: As :meth:`after`.
        """
        audience = self._audience()
        with audience, audience.channel(render) as channel:
            last, at = await audience.last(), position
            if at > last:
                yield gap_message(Gap(at, 0))
                at = 0
            while not channel.is_over:
                found = b""
                with anyio.move_on_after(self.ping):
                    at, found = await channel.following(at)
                if found:
                    yield found
                elif not channel.is_over:
                    at = channel.silent_until(at)
                    yield encoded({"comment": "ping", "id": str(at)})

    def end_streams(self) -> None:
        """Ends the present streams, so that their server can stop. May be called in any thread.

        Streams see that their server is stopped by a signal, but not that a program stops it.
        """
        for loop, audience in self._present():
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(audience.end)

    def wake(self) -> None:
        """Has events read at once, since this process has recorded one. May be called in any thread."""
        if os.getpid() != self._pid:  # after a fork, the loops are those of the parent
            return
        for loop, audience in self._present():
            if not audience.is_waking:  # once for many events
                audience.is_waking = True
                with suppress(RuntimeError):  # the loop is closed
                    loop.call_soon_threadsafe(audience.wake)

    def _present(self) -> list[tuple[asyncio.AbstractEventLoop, Audience]]:
        with self._lock:
            return list(self._audiences.items())

    def _audience(self) -> Audience:
        loop = asyncio.get_running_loop()
        with self._lock:
            audience = self._audiences.get(loop)
            if audience is None:
                audience = self._audiences[loop] = Audience(self._backend, self._pause)
            is_told, self._is_told = self._is_told, True
        listen = getattr(self._backend, "listen", None)
        if not is_told and callable(listen):
            listen(_waker(self))
        return audience


_feeds: WeakValueDictionary[int, EventFeed] = WeakValueDictionary()
"""The shared feeds by the identity of their backends, which they keep alive."""
_lock = threading.Lock()


def _waker(feed: EventFeed) -> Callable[[object], None]:
    """Returns a listener of the backend that does not keep the feed alive."""
    known = ref(feed)

    def wake(_: object) -> None:
        present = known()
        if present is not None:
            present.wake()

    return wake


def stream(request: Request, feed: EventFeed, render: Render, *, after: int | None) -> Response:
    """Makes the response that sends events as they are recorded, until the client or the server ends it.

    A silent stream sends a comment now and then, with the position as its ID, so that a client resumes
    there although no event concerned it. If events after ``after`` are no longer kept, the first message is
    of the type ``gap``, with the data ``{"after": ..., "resumed_after": ...}``. A client that reads nothing
    for a minute is cut off; it loses nothing if it comes back with the ID of the last event.

    Args:
        request: The request.
        feed: The feed.
        render: Makes the messages.
        after: The position after which to begin, exclusive. None: only events that are recorded after the
            beginning of the response.
    """
    if request.method == "HEAD":
        return Response(media_type="text/event-stream", headers=_HEADERS)
    return _Stream(feed, render, after)


_HEADERS = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}


class _Stream(EventSourceResponse):
    def __init__(self, feed: EventFeed, render: Render, after: int | None) -> None:
        self._feed = feed
        self._render = render
        self._at = after
        self._contents = self._messages()
        super().__init__(self._contents, headers=_HEADERS, ping=_NO_PINGS, send_timeout=feed.patience)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._at is None:  # whoever sees the beginning of the response misses nothing from then on
            self._at = await self._feed.last()
        is_complete = False

        async def noting(message: Message) -> None:
            nonlocal is_complete
            await send(message)
            is_complete = message["type"] == "http.response.body" and not message.get("more_body", False)

        async with aclosing(self._contents):
            try:
                await super().__call__(scope, receive, noting)
            except SendTimeoutError:
                patience = self._feed.patience
                _log.info("a stream of events ends: its client has read nothing for %g seconds", patience)
        if not is_complete:  # the server ends, or the client has left
            with suppress(OSError), anyio.move_on_after(_FAREWELL):
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _messages(self) -> AsyncGenerator[bytes, None]:
        yield ServerSentEvent(retry=_RETRY).encode()
        assert self._at is not None
        try:
            async with aclosing(self._feed.messages(self._at, self._render)) as messages:
                async for message in messages:
                    yield message
        except BackendError as error:  # the client resumes after the last event that it has received
            _log.warning("a stream of events ends: %s", error)


def last_event_id(request: Request) -> int | None:
    """Returns the position that a listener has seen last, from the header ``Last-Event-ID``. None: there is
    no such header, or it is empty.

    Raises:
        ValueError: It is no position.
    """
    given = request.headers.get("last-event-id", "")
    if given == "":
        return None
    if not is_position(given):
        raise ValueError("expected a position, which is a whole number, in the header Last-Event-ID")
    return int(given)
