"""An SQS in memory for one queue, on a clock of the test's, and a player of workers on the same clock.

It is written after the documentation of SQS, not after the worker: visibility, receipt handles that expire
with the next delivery, the limit of 12 hours, groups of FIFO queues, and redrive.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from botocore.exceptions import ClientError

from stepsched.workers.desk import Desk, Held, News, Settings
from stepsched.workers.messages import QueueMessage, WorkerEventKind
from stepsched.workers.queue import Queue, address_of
from stepsched.workers.requests import Requests

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"
START = datetime(2030, 1, 1, tzinfo=timezone.utc)
HOURS_12 = 43_200


@dataclass(eq=False)
class Stored:
    """A message in the queue."""

    body: str
    id: str
    group: str | None = None
    visible_at: float = 0.0
    received_at: float = 0.0
    receipts: list[str] = field(default_factory=list)
    deliveries: list[float] = field(default_factory=list)


class Service:
    """A queue, and a client of it as boto3 gives one."""

    def __init__(
        self,
        now: Callable[[], float],
        *,
        visibility: int = 30,
        max_receives: int | None = None,
        fifo: bool = False,
    ) -> None:
        self.now = now
        self.visibility = visibility
        self.max_receives = max_receives
        self.fifo = fifo
        self.messages: list[Stored] = []
        self.dead: list[Stored] = []
        self.deleted: dict[str, float] = {}
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.failing: dict[str, Exception] = {}
        """The errors of operations that fail at present."""
        self.refused: dict[str, bool] = {}
        """Operations whose entries fail at present, and whether that is the sender's fault."""
        self.meta = type("Meta", (), {"region_name": "eu-west-1"})
        self.open_clients = 0
        self.changed = threading.Condition()
        self._count = 0

    def send(self, body: str, group: str | None = None) -> Stored:
        with self.changed:
            self._count += 1
            stored = Stored(body, f"id-{self._count}", group, self.now())
            self.messages.append(stored)
            self.changed.notify_all()
        return stored

    def next_visible(self, now: float) -> float:
        """The next instant at which a message may become visible; a few seconds later, if a group waits."""
        return min([each.visible_at for each in self.messages if each.visible_at > now] + [now + 10])

    # -- as boto3 gives it -------------------------------------------------------------------------

    def client(self, name: str, **options: Any) -> Service:
        assert name == "sqs"
        self.open_clients += 1
        return self

    def close(self) -> None:
        self.open_clients -= 1

    def get_queue_attributes(self, **request: Any) -> dict[str, Any]:
        with self._call("get_queue_attributes", request):
            own = {"VisibilityTimeout": str(self.visibility)}
            if self.max_receives is not None:
                arn = "arn:aws:sqs:eu-west-1:123456789012:dead"
                own["RedrivePolicy"] = (
                    f'{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{self.max_receives}}}'
                )
            return {"Attributes": own}

    def get_queue_url(self, **request: Any) -> dict[str, Any]:
        with self._call("get_queue_url", request):
            return {"QueueUrl": URL}

    def receive_message(self, **request: Any) -> dict[str, Any]:
        with self._call("receive_message", request):
            if request["WaitTimeSeconds"]:  # of a thread: it does not wait for long
                self.changed.wait_for(self._visible, 0.01)
            return {
                "Messages": [
                    self._deliver(each, request) for each in self._visible()[: request["MaxNumberOfMessages"]]
                ]
            }

    def delete_message_batch(self, **request: Any) -> dict[str, Any]:
        return self._batch("delete_message_batch", request, self._delete)

    def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
        return self._batch("change_message_visibility_batch", request, self._change)

    # -- parts -------------------------------------------------------------------------------------

    @contextmanager
    def _call(self, name: str, request: Mapping[str, Any]) -> Iterator[None]:
        with self.changed:
            self.calls.append((name, request))
            if name in self.failing:
                self.changed.notify_all()
                raise self.failing[name]
            yield
            self.changed.notify_all()

    def _visible(self) -> list[Stored]:
        now = self.now()
        if self.max_receives is not None:
            over = [
                each
                for each in self.messages
                if len(each.deliveries) >= self.max_receives and each.visible_at <= now
            ]
            self.dead += over
            self.messages = [each for each in self.messages if each not in over]
        locked = {
            each.group for each in self.messages if self.fifo and each.deliveries and each.visible_at > now
        }
        return [
            each
            for each in self.messages
            if each.visible_at <= now and (not self.fifo or each.group not in locked)
        ]

    def _deliver(self, stored: Stored, request: Mapping[str, Any]) -> dict[str, Any]:
        now = self.now()
        stored.deliveries.append(now)
        stored.received_at, stored.visible_at = now, now + request["VisibilityTimeout"]
        stored.receipts.append(f"{stored.id}/{len(stored.deliveries)}")
        own = {"ApproximateReceiveCount": str(len(stored.deliveries)), "SentTimestamp": "1893456000000"}
        if stored.group is not None:
            own["MessageGroupId"] = stored.group
        return {
            "Body": stored.body,
            "MessageId": stored.id,
            "ReceiptHandle": stored.receipts[-1],
            "Attributes": own,
        }

    def _batch(
        self, name: str, request: Mapping[str, Any], do: Callable[[Stored, Any], str | None]
    ) -> dict[str, Any]:
        with self._call(name, request):
            assert 1 <= len(request["Entries"]) <= 10
            failed = []
            for entry in request["Entries"]:
                found = [each for each in self.messages if entry["ReceiptHandle"] in each.receipts[-1:]]
                problem = do(found[0], entry) if found else "ReceiptHandleIsInvalid"
                if name in self.refused:
                    failed.append({"Id": entry["Id"], "Code": "Busy", "SenderFault": self.refused[name]})
                elif problem is not None:
                    failed.append({"Id": entry["Id"], "Code": problem, "Message": "no", "SenderFault": True})
            return {"Successful": [], "Failed": failed}

    def _delete(self, stored: Stored, entry: Any) -> str | None:
        if "delete_message_batch" not in self.refused:
            self.messages.remove(stored)
            self.deleted[stored.id] = self.now()
        return None

    def _change(self, stored: Stored, entry: Any) -> str | None:
        seconds = entry["VisibilityTimeout"]
        assert type(seconds) is int
        if self.now() + seconds - stored.received_at > HOURS_12:
            return "InvalidParameterValue"
        if self.now() > stored.visible_at:
            return "MessageNotInflight"
        if "change_message_visibility_batch" not in self.refused:
            stored.visible_at = self.now() + seconds
        return None


def client_error(code: str, status: int = 400) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": "words"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "Operation")


@dataclass
class Ended:
    """A call of a handler."""

    message: QueueMessage
    began: float
    ended: float
    failed: bool
    worker: object


class Time:
    """The clock of a play."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


class Player:
    """A worker without threads: handlers take the seconds that the test says.

    Args:
        service: The queue.
        settings: The settings of the worker.
        lasts: The seconds that the handler takes for a message.
        fails: Whether it fails.
    """

    def __init__(
        self,
        service: Service,
        settings: Settings,
        lasts: Callable[[QueueMessage], float] = lambda _: 1.0,
        fails: Callable[[QueueMessage], bool] = lambda _: False,
    ) -> None:
        assert isinstance(service.now, Time)
        self.service = service
        self.time = service.now
        self.desk = Desk(settings)
        address = address_of(URL + (".fifo" if settings.is_fifo else ""))
        self.queue = Queue(address, service, None, 20)
        self.requests = Requests(self.desk, self.queue, self.time, threading.Condition())
        self.settings = settings
        self.lasts = lasts
        self.fails = fails
        self.running: list[tuple[float, float, Held]] = []
        self.ended: list[Ended] = []
        self.news: list[tuple[float, News]] = []
        self.is_dead = False

    def turn(self) -> float:
        """Does what is to be done now. Returns the next instant at which it has to look."""
        if self.is_dead:
            return float("inf")
        now = self.time.at
        for run in [run for run in self.running if run[1] <= now]:
            self.running.remove(run)
            message, failed = run[2].message, self.fails(run[2].message)
            self.ended.append(Ended(message, run[0], now, failed, self))
            self.desk.ended(run[2], "ValueError: no" if failed else None, now)
        for _ in range(100):
            orders = self.desk.decide(now)
            self.running += [(now, now + self.lasts(held.message), held) for held in orders.starts]
            self.requests.make(orders)
            count = self.desk.asks_for()
            found = (
                self.queue.receive(count, self.settings.visibility, self._instant, wait=False)
                if count
                else []
            )
            self.desk.take(found, now)
            news = self.desk.read_news()
            self.news += [(now, each) for each in news]
            if orders.are_none and not found and not news:
                break
        else:
            raise AssertionError("it does not come to rest")
        poll = self.service.next_visible(now) if self.desk.asks_for() else float("inf")
        return min([self.desk.wakes_at(), poll, *(end for _, end, _ in self.running)])

    def told(self, kind: WorkerEventKind) -> list[str]:
        return [news.held.message.body for _, news in self.news if news.kind is kind]

    def _instant(self) -> datetime:
        return START + timedelta(seconds=self.time.at)


def play(until: float, *players: Player, events: Mapping[float, Callable[[], object]] | None = None) -> None:
    """Plays workers until an instant, or until nothing is left to be done; ``events`` happen at theirs."""
    time = players[0].time
    todo = sorted((events or {}).items())
    while True:
        while todo and todo[0][0] <= time.at:
            todo.pop(0)[1]()
        following = min([player.turn() for player in players] + [todo[0][0] if todo else until])
        is_over = not todo and not players[0].service.messages and all(each.desk.is_empty for each in players)
        if time.at >= until or is_over:
            return
        time.at = min(max(following, time.at + 1e-6), until)
