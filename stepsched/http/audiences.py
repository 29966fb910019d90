"""The listeners of an event loop, and the events and messages that they share.

One reader reads the events of all processes in the order in which they were recorded, and keeps the latest; a
listener that is further behind reads the history itself, in portions. So nothing is kept for a slow listener
but its position.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import isawaitable
from itertools import islice
from typing import Generic, TypeVar

import anyio
import anyio.to_thread
from sse_starlette import ServerSentEvent
from typing_extensions import Self

from stepsched.backends.base import Backend
from stepsched.core.errors import BackendError, UnsupportedError
from stepsched.jobs.events import RecordedEvent

Answer = TypeVar("Answer")
Item = TypeVar("Item")
Render = Callable[[RecordedEvent], "Mapping[str, str] | Awaitable[Mapping[str, str] | None] | None"]
"""Makes the message of an event, with the keys ``event``, ``data``, and ``id`` if that is not the position.
None: there is no message. It must not block. It is called once for all listeners that share it."""

_log = logging.getLogger("stepsched.http")
_PORTION = 500
"""The number of events that are read at once."""
_KEPT = 1_000
"""The number of the latest events, and of their messages, that are kept in memory for all listeners."""
_READERS = 4
"""The number of threads of an event loop that read events."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that a listener asked for are no longer kept, or its position is not one of this backend."""

    after: int
    """The position that was asked for."""
    resumed_after: int
    """The position after which the events go on, exclusive."""


class Window(Generic[Item]):
    """The latest of what is numbered by positions, and a wake-up when there is more."""

    def __init__(self) -> None:
        self.is_over = False
        self.changed = asyncio.Event()
        self.floor = self.position = -1
        self._recent = deque[tuple[int, Item]]()
        """What is numbered after ``floor``, up to and with ``position``."""

    def begin(self, position: int) -> None:
        """Forgets what is kept, and begins after a position."""
        self._recent.clear()
        self.floor = self.position = position

    def add(self, items: Iterable[tuple[int, Item]]) -> None:
        """Keeps what follows that which is kept."""
        self._recent.extend(items)
        while len(self._recent) > _KEPT:
            self.floor, _ = self._recent.popleft()

    def after(self, position: int) -> list[Item]:
        """Returns what is kept after a position."""
        newer = 0
        for key, _ in reversed(self._recent):
            if key <= position:
                break
            newer += 1
        return [item for _, item in islice(self._recent, len(self._recent) - newer, None)]

    def announce(self) -> None:
        """Wakes all who wait for ``changed``."""
        self.changed.set()
        self.changed = asyncio.Event()

    def end(self) -> None:
        self.is_over = True
        self.announce()


class Audience:
    """The listeners of one event loop. In its ``with``, there is one more."""

    def __init__(self, backend: Backend, pause: float) -> None:
        self.is_waking = False
        self._backend = backend
        self._pause = pause
        self._threads = anyio.CapacityLimiter(_READERS)
        self._woken = asyncio.Event()
        self._listeners = 0
        self._session: Window[RecordedEvent] = Window()
        self._reader: asyncio.Task[None] | None = None
        self._channels: dict[Render, Channel] = {}

    def __enter__(self) -> Window[RecordedEvent]:
        if self._reader is None:
            self._session = Window()
            self._reader = asyncio.ensure_future(self._read_on(self._session))
        self._listeners += 1
        return self._session

    def __exit__(self, *_: object) -> None:
        self._listeners -= 1
        if not self._listeners:
            self.end()

    def channel(self, render: Render) -> Channel:
        """Returns what the streams with that function share."""
        channel = self._channels.get(render)
        if channel is None or channel.is_over or channel.session is not self._session:
            channel = self._channels[render] = Channel(self, self._session, render)
        return channel

    def forget(self, channel: Channel) -> None:
        if self._channels.get(channel.render) is channel:
            del self._channels[channel.render]

    def end(self) -> None:
        """Sends all listeners away."""
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None
        self._session.end()

    def wake(self) -> None:
        self.is_waking = False
        self._woken.set()

    async def last(self) -> int:
        return await self._in_thread(self._backend.last_event)

    async def following(self, session: Window[RecordedEvent], position: int) -> Sequence[RecordedEvent | Gap]:
        """Waits for events after a position, and returns the first of them. Empty: the session is over."""
        while not session.is_over:
            changed = session.changed
            if position < session.floor:
                return await self.history(session, position)
            if position < session.position:
                return session.after(position)
            await changed.wait()
        return ()

    async def history(self, session: Window[RecordedEvent], position: int) -> Sequence[RecordedEvent | Gap]:
        """Returns the first events after a position that the session has no more."""
        found = await self._read(position)
        first = found[0].id - 1 if found else session.floor
        return found if first == position else (Gap(position, first), *found)

    async def _read_on(self, session: Window[RecordedEvent]) -> None:
        """Reads new events until the session is over."""
        try:
            session.begin(await self.last())
            session.announce()
            while True:
                self._woken.clear()
                found = await self._read(session.position)
                if found:
                    self._add(session, found)
                if len(found) < _PORTION:
                    with anyio.move_on_after(self._pause):
                        await self._woken.wait()
        except (BackendError, UnsupportedError) as error:
            _log.warning("streams of events end, since no events can be read: %s", error)
        finally:  # nobody would wake the listeners any more
            if session is self._session:
                self.end()

    def _add(self, session: Window[RecordedEvent], found: Sequence[RecordedEvent]) -> None:
        if found[0].id > session.position + 1:  # some are gone: who has not seen them asks the store
            session.begin(found[0].id - 1)
        session.position = found[-1].id
        session.add((event.id, event) for event in found)
        session.announce()

    async def _read(self, position: int) -> list[RecordedEvent]:
        return await self._in_thread(lambda: self._backend.events(after=position, limit=_PORTION))

    async def _in_thread(self, call: Callable[[], Answer]) -> Answer:
        return await anyio.to_thread.run_sync(call, limiter=self._threads)


class Channel(Window[bytes]):
    """The messages that streams share: each is made once, and a stream sleeps until there is one for it.
    In its ``with``, there is one stream more."""

    def __init__(self, audience: Audience, session: Window[RecordedEvent], render: Render) -> None:
        super().__init__()
        self.render = render
        self._audience = audience
        self.session = session
        self._streams = 0
        self._maker = asyncio.ensure_future(self._make())

    def __enter__(self) -> Self:
        self._streams += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._streams -= 1
        if not self._streams:
            self._audience.forget(self)
            self._maker.cancel()

    async def following(self, position: int) -> tuple[int, bytes]:
        """Waits for messages after a position; returns the position up to which they are complete, and the
        messages. They may be empty: then there were none in a part of the history, or all is over."""
        while not self.is_over:
            changed = self.changed
            if position < self.floor:
                return await self._history(position)
            found = self.after(position)
            if found:
                return self.position, b"".join(found)
            await changed.wait()
        return position, b""

    def silent_until(self, position: int) -> int:
        """Returns the latest position after which nothing is left for a stream that was at a position."""
        is_complete = position >= self.floor and not self.after(position)
        return max(position, self.position) if is_complete else position

    async def _history(self, position: int) -> tuple[int, bytes]:
        items = await self._audience.history(self.session, position)
        messages = [await _message(item, self.render) for item in items]
        return position_of(items[-1]), b"".join(message for message in messages if message is not None)

    async def _make(self) -> None:
        """Makes the messages of new events until the session is over."""
        try:
            self.begin(await self._audience.last())
            self.announce()
            while items := await self._audience.following(self.session, self.position):
                await self._add(items)
        except (BackendError, UnsupportedError) as error:  # the clients resume after the last event
            _log.warning("streams of events end: %s", error)
        finally:
            self.end()

    async def _add(self, items: Sequence[RecordedEvent | Gap]) -> None:
        made = list[tuple[int, bytes]]()
        for item in items:
            if isinstance(item, Gap):  # who has not seen what is gone asks the store
                self.begin(item.resumed_after)
            elif (message := await _message(item, self.render)) is not None:
                made.append((item.id, message))
        self.position = position_of(items[-1])
        self.add(made)
        if made:
            self.announce()


def position_of(item: RecordedEvent | Gap) -> int:
    return item.resumed_after if isinstance(item, Gap) else item.id


async def _message(item: RecordedEvent | Gap, render: Render) -> bytes | None:
    if isinstance(item, Gap):
        return gap_message(item)
    given = render(item)
    message = await given if isawaitable(given) else given
    return None if message is None else encoded({"id": str(item.id), **message})


def gap_message(gap: Gap) -> bytes:
    data = json.dumps({"after": gap.after, "resumed_after": gap.resumed_after})
    return encoded({"event": "gap", "data": data, "id": str(gap.resumed_after)})


def encoded(message: Mapping[str, str]) -> bytes:
    return ServerSentEvent(
        message.get("data"), event=message.get("event"), id=message.get("id"), comment=message.get("comment")
    ).encode()
