"""The decisions of a worker: which of the messages that it holds are handled, extended, deleted and given
back.

Pure: no I/O, no threads, no clock. Instants are seconds of a clock that never jumps. A message that was
received is *held* until SQS has confirmed its deletion or return, or does not keep it for this worker any
more:

    received -> WAITING -> RUNNING -> DONE ------> deleted
                   |          |------> RETURNED -> visible again
                   +-------------------^  (the worker stops, or an earlier message of its FIFO group failed)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto
from math import ceil, inf
from typing import NamedTuple

from stepsched.workers.messages import QueueMessage, WorkerEventKind, WorkSummary

LONGEST_VISIBILITY = 43_200
"""The seconds from a delivery for which SQS hides a message at most, however often that is extended:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html"""
_LONGEST_PAUSE = 30.0
"""The longest time in seconds between two tries of a request that fails."""
_LIMIT = "12 hours have passed since its delivery, and SQS hides no message for longer"


class Step(Enum):
    """What becomes of a message that is held."""

    WAITING = auto()
    RUNNING = auto()
    DONE = auto()
    """Its handler has returned: it is to be deleted."""
    RETURNED = auto()
    """It is to be made visible again."""


@dataclass(slots=True, eq=False)
class Held:
    """A message that is held."""

    message: QueueMessage
    receipt: str
    """The receipt handle of its last delivery."""
    ends_at: float
    """The instant until which SQS can hide it."""
    extend_at: float
    """The instant at which its visibility timeout is to be extended."""
    step: Step = Step.WAITING
    delay: int = 0
    """The seconds after which it becomes visible when it is returned."""
    try_at: float = -inf
    """The instant before which no request is made for it, since the last one failed."""
    tries: int = 0
    is_lost: bool = False
    """Whether SQS does not keep it for this worker any more."""


class News(NamedTuple):
    """Something that a listener is told."""

    kind: WorkerEventKind
    held: Held
    error: str | None = None


class Orders(NamedTuple):
    """What is to be done now."""

    starts: list[Held]
    deletes: list[Held]
    returns: list[tuple[Held, int]]
    """Messages to be made visible, with the delay in seconds."""
    extensions: list[tuple[Held, int]]
    """Messages to be hidden for further seconds."""

    @property
    def are_none(self) -> bool:
        return not any(self)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a desk; times in seconds."""

    concurrency: int = 1
    batch_size: int = 10
    visibility: int = 30
    retry_delay: float = 0
    max_retry_delay: float = 0
    is_fifo: bool = False
    max_receives: int | None = None
    """The number of deliveries after which the queue moves a message to its dead-letter queue. None:
    never."""


class Desk:
    """The messages that a worker holds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._held: dict[str, Held] = {}
        self._news: list[News] = []
        self._summary = WorkSummary()
        self.is_stopping = False
        """Whether no further message is received or started."""
        self._is_abandoned = False

    # -- what is to be done ----------------------------------------------------------------------------

    def asks_for(self) -> int:
        """Returns how many messages are to be received now; 0: none.

        None as long as one waits that can be started: others may have a free worker for it.
        """
        settings = self._settings
        is_full = len(self._held) >= settings.concurrency * settings.batch_size
        if self.is_stopping or is_full or self._free() <= 0 or self._startable():
            return 0
        return settings.batch_size

    def decide(self, now: float) -> Orders:
        """Returns what is to be done now. What is started here counts as running."""
        if self.is_stopping:
            self._give_back(held for held in self._held.values() if held.step is Step.WAITING)
        starts = self._startable()[: self._free()]
        for held in starts:
            held.step = Step.RUNNING
        due = [held for held in self._held.values() if held.try_at <= now or self._is_abandoned]
        deletes = [held for held in due if held.step is Step.DONE]
        returns = [(held, held.delay) for held in due if held.step is Step.RETURNED]
        return Orders(starts, deletes, returns, self._extensions(due, now))

    def wakes_at(self) -> float:
        """Returns the next instant at which there may be something to be done."""
        return min((self._due_at(held) for held in self._held.values()), default=inf)

    @property
    def is_settled(self) -> bool:
        """Whether only handlers that run are awaited."""
        return all(held.step is Step.RUNNING for held in self._held.values())

    @property
    def is_empty(self) -> bool:
        """Whether no message is held."""
        return not self._held

    @property
    def summary(self) -> WorkSummary:
        running = sum(held.step is Step.RUNNING for held in self._held.values())
        return replace(self._summary, unfinished=running)

    def read_news(self) -> list[News]:
        """Returns what has happened since the last call."""
        news, self._news = self._news, []
        return news

    # -- what has happened -----------------------------------------------------------------------------

    def take(self, received: Iterable[tuple[QueueMessage, str]], now: float) -> None:
        """Takes messages that were received, with their receipt handles, in order.

        A message that is held already, since SQS has delivered it twice, is not handled twice at a time.
        """
        extend_at, ends_at = now + self._settings.visibility / 2, now + LONGEST_VISIBILITY
        for message, receipt in received:
            self._count(received=1)
            known = self._held.get(message.id)
            if known is None:
                self._held[message.id] = Held(message, receipt, ends_at, extend_at)
                continue
            known.receipt, known.extend_at, known.ends_at = receipt, extend_at, ends_at
            known.is_lost, known.try_at, known.tries = False, -inf, 0
            if known.step is Step.RETURNED:
                known.message, known.step = message, Step.WAITING

    def ended(self, held: Held, error: str | None, now: float) -> None:
        """Takes the end of a handler.

        Args:
            held: Its message.
            error: The exception that it raised. None: it returned.
            now: The present.
        """
        held.try_at, held.tries = -inf, 0
        if error is None:
            held.step = Step.DONE
            return
        self._count(failed=1)
        held.step, held.delay = Step.RETURNED, self.retry_delay(held, now)
        self._news.append(News(WorkerEventKind.FAILED, held, error))
        if held.is_lost:
            self._forget(held)
        self._give_back(self._behind(held), held.delay)

    def deleted(self, held: Held) -> None:
        """Takes the confirmation of a deletion."""
        self._count(succeeded=1)
        self._news.append(News(WorkerEventKind.SUCCEEDED, held))
        self._forget(held)

    def returned(self, held: Held) -> None:
        """Takes the confirmation that a message is visible again."""
        if held.step is Step.RETURNED:
            self._forget(held)

    def extended(self, held: Held, seconds: int, now: float) -> None:
        """Takes the confirmation that a message is hidden for further seconds."""
        held.try_at, held.tries = -inf, 0
        held.extend_at = held.ends_at if seconds < self._settings.visibility else now + seconds / 2

    def postponed(self, held: Held, reason: str, now: float) -> None:
        """Takes a request that failed, and may succeed later.

        After :meth:`stop` it is repeated as long as SQS hides the message: then another worker gets it.
        """
        if held.step is not Step.RUNNING:
            if self._is_abandoned:
                self._forget(held)
                return
            if self.is_stopping and now >= held.extend_at + self._settings.visibility / 2:
                self.refused(held, reason)
                return
        pause = min(2.0**held.tries, _LONGEST_PAUSE, self._settings.visibility / 4)
        held.tries, held.try_at = held.tries + 1, now + pause

    def refused(self, held: Held, reason: str) -> None:
        """Takes a request that SQS has refused: the message is not kept for this worker any more."""
        if not held.is_lost:
            held.is_lost = True
            self._count(expired=1)
            self._news.append(News(WorkerEventKind.EXPIRED, held, reason))
        if held.step is Step.WAITING:
            self._give_back(self._behind(held))
        if held.step is not Step.RUNNING:
            self._forget(held)

    def stop(self) -> None:
        """Stops receiving and starting; what waits is given back."""
        self.is_stopping = True

    def abandon(self) -> None:
        """Ends the patience after :meth:`stop`: nothing is extended any more, and a request that fails is not
        repeated. The message of a handler that returns is still deleted."""
        self.is_stopping = self._is_abandoned = True

    # -- parts -----------------------------------------------------------------------------------------

    def _free(self) -> int:
        running = sum(held.step is Step.RUNNING for held in self._held.values())
        return self._settings.concurrency - running

    def _startable(self) -> list[Held]:
        """Returns the messages that wait for nothing but a free thread: of each FIFO group the first, if none
        of the group is running."""
        busy = {self._lane(held) for held in self._held.values() if held.step is Step.RUNNING}
        found = list[Held]()
        for held in self._held.values():
            lane = self._lane(held)
            if held.step is Step.WAITING and (lane is None or lane not in busy):
                busy.add(lane)
                found.append(held)
        return found

    def _lane(self, held: Held) -> str | None:
        """Returns the group whose messages are handled one after another. None: any order will do."""
        return held.message.group if self._settings.is_fifo else None

    def _behind(self, held: Held) -> list[Held]:
        """Returns the messages of the same FIFO group that wait."""
        lane = self._lane(held)
        return [
            other
            for other in self._held.values()
            if lane is not None
            and other is not held
            and other.step is Step.WAITING
            and self._lane(other) == lane
        ]

    def _give_back(self, waiting: Iterable[Held], delay: int = 0) -> None:
        """Returns messages whose handler was not called. Behind a failed one they have its delay: visible
        before it, they could overtake it."""
        for held in list(waiting):
            held.step, held.delay, held.try_at, held.tries = Step.RETURNED, delay, -inf, 0
            self._count(released=1)
            self._news.append(News(WorkerEventKind.RELEASED, held))

    def retry_delay(self, held: Held, now: float) -> int:
        """Returns the delay in seconds after a failure at this instant: doubled with each delivery. 0 for the
        last one, after which the queue moves the message to its dead-letter queue."""
        settings, count = self._settings, held.message.receive_count
        if settings.max_receives is not None and count >= settings.max_receives:
            return 0
        delay = min(settings.retry_delay * 2.0 ** min(count - 1, 60), settings.max_retry_delay)
        return max(0, min(ceil(delay), int(held.ends_at - now)))

    def _extensions(self, due: Iterable[Held], now: float) -> list[tuple[Held, int]]:
        found = list[tuple[Held, int]]()
        for held in list(due):
            is_kept = (
                held.step in (Step.WAITING, Step.RUNNING) and not held.is_lost and not self._is_abandoned
            )
            if not is_kept or now < held.extend_at:
                continue
            seconds = min(self._settings.visibility, int(held.ends_at - now))
            if seconds > 0:
                found.append((held, seconds))
            else:
                self.refused(held, _LIMIT)
        return found

    def _due_at(self, held: Held) -> float:
        if held.step in (Step.DONE, Step.RETURNED):
            return held.try_at
        return inf if held.is_lost or self._is_abandoned else max(held.extend_at, held.try_at)

    def _forget(self, held: Held) -> None:
        self._held.pop(held.message.id, None)

    def _count(self, **more: int) -> None:
        changed = {name: getattr(self._summary, name) + count for name, count in more.items()}
        self._summary = replace(self._summary, **changed)
